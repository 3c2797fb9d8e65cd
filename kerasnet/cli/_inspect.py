"""``kerasnet inspect``: the contents of a saved model."""

from kerasnet.cli._command import import_quietly, print_json, print_line, printable

DESCRIPTION = """\
Describe a file written by kerasnet.save: estimators, models, parameters,
arrays and metadata. The file is checked, but no model is built. This is safe
for untrusted files.

examples:
  kerasnet inspect model.kerasnet
  kerasnet inspect runs/mnist-cnn-20260101-120000 --json
"""


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.add_argument("file", metavar="FILE", help="file, or output folder of train_mnist.py or fine_tune.py")
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def run(arguments):
    """Run the command and return its exit status."""
    import_quietly("kerasnet.persistence")
    from kerasnet import persistence
    from kerasnet.cli._models import file_of

    path = file_of(arguments.file)
    contents = persistence.inspect(path)
    if arguments.json:
        print_json({"file": str(path), **contents})
    else:
        print_line("\n".join(_lines(str(path), contents)))
    return 0


def _lines(path, contents):
    """Yield the lines of the description."""
    versions = ", ".join(f"{package} {version}" for package, version in contents.versions.items())
    size = sum(contents.sizes.values())
    yield printable(f"{path}: {contents.estimator}, {size:,} bytes, format {contents.format}")
    yield printable(f"written with {versions}")
    if contents.types:
        yield printable(f"contains {', '.join(contents.types)}")
    yield from _items("metadata", contents.metadata)
    for network in contents.networks:
        state = "not fitted" if network.arguments is None else f"{network.n_parameters:,} parameters"
        yield printable(f"{network.estimator} of the model {network.model}, {state}")
        yield from _items("arguments of the model", network.arguments or {})
        yield from _items("parameters of the estimator", network.parameters)
        yield from _items("arrays", network.arrays, str)


def _items(title, items, form=repr):
    if items:
        yield f"  {title}"
        yield from (f"    {printable(str(name))}: {printable(form(value))}" for name, value in items.items())
