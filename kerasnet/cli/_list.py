"""``kerasnet list``: the registered models."""

from kerasnet.cli._command import import_quietly, print_json, print_line

DESCRIPTION = """\
List the registered models, and the names of their pretrained weights.

examples:
  kerasnet list --task classification --input-kind image
  kerasnet list --weights            models with pretrained weights
  kerasnet list --weights mnist      models with weights that were trained on MNIST
"""
TASKS = ("classification", "regression", "reconstruction")
INPUT_KINDS = ("image", "sequence", "tokens", "vector")
_HEADER = ("NAME", "INPUT", "TASKS", "PARAMETERS", "PRETRAINED WEIGHTS")


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.add_argument("--task", choices=TASKS, help="only models for this task")
    parser.add_argument("--input-kind", choices=INPUT_KINDS, help="only models for this kind of input")
    parser.add_argument(
        "--weights", nargs="?", const=True, metavar="NAME", help="only models with pretrained weights, or with these"
    )
    parser.add_argument("--json", action="store_true", help="print a JSON list")


def run(arguments):
    """Run the command and return its exit status."""
    import_quietly("kerasnet.models")
    from kerasnet.models import list_models, model_card
    from kerasnet.models._weights import records

    known = {name for record in records().values() for name in record["weights"]}
    if arguments.weights not in (None, True, *known):
        arguments.parser.error(f"--weights: expected one of {', '.join(sorted(known))}, got {arguments.weights!r}")
    options = {"task": arguments.task, "input_kind": arguments.input_kind, "weights": arguments.weights}
    cards = [model_card(name) for name in list_models(**options)]
    if arguments.json:
        fields = ("name", "summary", "input_kind", "tasks", "n_parameters")
        print_json([{field: getattr(card, field) for field in fields} | {"weights": [*card.weights]} for card in cards])
        return 0
    rows = [
        (card.name, card.input_kind, ", ".join(card.tasks), f"{card.n_parameters:,}", ", ".join(card.weights) or "-")
        for card in cards
    ]
    print_line("\n".join(_format_row(row, _widths([_HEADER, *rows])) for row in (_HEADER, *rows)))
    return 0


def _widths(rows):
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def _format_row(row, widths):
    cells = [
        cell.rjust(width) if index == 3 else cell.ljust(width)
        for index, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()
