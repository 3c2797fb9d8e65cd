"""``kerasnet report``: evaluation of a model as an HTML page."""

import argparse
import shlex

from kerasnet.cli._command import import_quietly, print_line

DESCRIPTION = """\
Evaluate a model and write a report: one HTML file that needs no network.

Without --data, a model of MNIST or Fashion-MNIST is evaluated on the test images
of its data set; Fashion-MNIST is downloaded once. Otherwise, PATH is a folder
with one subfolder of images per class, a folder of IDX files such as EMNIST, or
a CSV file.

examples:
  kerasnet report lenet
  kerasnet report runs/mnist-cnn-20260101-120000 --output cnn.html
  kerasnet report runs/photos --data photos
  kerasnet report model.kerasnet --data table.csv --target price
"""
SUBSETS = ("test", "train", "all")
_SPLITS = ("balanced", "byclass", "bymerge", "digits", "letters", "mnist")
DATASETS = ("mnist", "fashion_mnist", "kmnist", "emnist", *(f"emnist-{split}" for split in _SPLITS))


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.add_argument(
        "model", metavar="MODEL", help="name of a pretrained model, file or folder, see kerasnet --help"
    )
    add_data_arguments(parser)
    parser.add_argument("--output", default="report.html", metavar="FILE", help="file to write (default: report.html)")
    parser.add_argument("--title", help="title of the report")


def add_data_arguments(parser):
    """Add the arguments that name data."""
    data = parser.add_argument_group("data")
    data.add_argument(
        "--dataset",
        choices=DATASETS,
        metavar="NAME",
        help=f"data set: {', '.join(DATASETS)} (default: the one that the model was trained on, or found in --data)",
    )
    data.add_argument("--data", metavar="PATH", help="use an image folder, a folder of IDX files, or a CSV file")
    data.add_argument(
        "--subset", choices=SUBSETS, help="part of MNIST, Fashion-MNIST or a folder of IDX files (default: test)"
    )
    data.add_argument(
        "--as-is", action="store_true", help="do not look for a digit or character in the images of a folder"
    )
    data.add_argument("--target", metavar="COLUMN", help="column of a CSV file with the targets (default: no targets)")
    data.add_argument("--sep", default=",", metavar="CHARACTER", help="separator of a CSV file (default: ,)")


def run(arguments):
    """Run the command and return its exit status."""
    import_quietly("kerasnet.estimators")
    from sklearn.base import is_classifier, is_regressor

    from kerasnet.cli._data import load_data
    from kerasnet.cli._models import load_model
    from kerasnet.report import make_report

    estimator, metadata = load_model(arguments.model)
    X, y, class_names, images = load_data(arguments, estimator, metadata)
    if y is None and (is_classifier(estimator) or is_regressor(estimator)):
        raise ValueError(f"{arguments.data}: pass --target COLUMN, the name of the column with the targets.")
    options = {"title": arguments.title, "class_names": class_names, "images": images, "command": command_of(arguments)}
    make_report(estimator, X, y, path=arguments.output, **options)
    print_line(arguments.output)
    return 0


def command_of(arguments):
    """Return the command line with the options that differ from their defaults."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    names = ("dataset", "data", "subset", "target", "sep", "output", "title")
    given = [(name, getattr(arguments, name)) for name in names if getattr(arguments, name) != parser.get_default(name)]
    options = [f"--{name}={value}" for name, value in given] + ["--as-is"] * arguments.as_is
    return shlex.join(["kerasnet", "report", arguments.model, *options])
