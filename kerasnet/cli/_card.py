"""``kerasnet card``: the model card of a registered model."""

import dataclasses
import shutil
import textwrap

from kerasnet.cli._command import import_quietly, print_json, print_line

DESCRIPTION = """\
Show the model card of a registered model, or that of its pretrained weights:
data, accuracy, size, latency, license, intended use and limitations.

examples:
  kerasnet card lenet
  kerasnet card lenet mnist
"""
_NOT_IN_TEXT = ("golden",)  # outputs to test against


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.add_argument("name", metavar="NAME", help="name of a registered model; see kerasnet list")
    parser.add_argument("weights", nargs="?", metavar="WEIGHTS", help="name of pretrained weights of the model")
    parser.add_argument("--json", action="store_true", help="print a JSON object")


def run(arguments):
    """Run the command and return its exit status."""
    import_quietly("kerasnet.models")
    from kerasnet.models import model_card
    from kerasnet.models._weights import record_of

    card = model_card(arguments.name)
    if arguments.weights is not None:
        record_of(arguments.name, arguments.weights)  # raises an error that lists the valid names
        card = card.weights[arguments.weights]
    if arguments.json:
        print_json(dataclasses.asdict(card))
    else:
        print_line(_as_text(card))
    return 0


def _as_text(card):
    """Return a card as lines of names and values, wrapped to the width of the terminal."""
    fields = {field.name: getattr(card, field.name) for field in dataclasses.fields(card)}
    lines = {name: _format(name, value) for name, value in fields.items() if name not in _NOT_IN_TEXT}
    indent = 2 + max(map(len, lines))
    width = max(indent + 20, shutil.get_terminal_size((100, 24)).columns)
    wrap = textwrap.TextWrapper(width, subsequent_indent=" " * indent, break_on_hyphens=False)
    return "\n".join(wrap.fill(f"{name:<{indent}}{text}") for name, text in lines.items() if text)


def _format(name, value):
    if name == "weights":
        return "; ".join(f"{each.name} ({each.metric} {each.value:.4f})" for each in value.values())
    if name == "confused":
        return ", ".join(f"{true} as {predicted} ({n} times)" for true, predicted, n in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}={entry}" for key, entry in value.items())
    if isinstance(value, tuple) and all(isinstance(each, str) for each in value):
        return ", ".join(value)
    if isinstance(value, int) and name != "seed":
        return f"{value:,}"
    return "" if value is None else str(value).replace("``", "")
