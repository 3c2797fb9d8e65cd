"""The command ``kerasnet``. Help is printed without importing NumPy or TensorFlow."""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

from kerasnet.cli import _card, _demo, _export, _inspect, _list, _predict, _report
from kerasnet.cli._command import close_output, one_line, run_command

__all__ = ["main"]

COMMANDS = {  # by name: summary and module
    "list": ("list the registered models", _list),
    "card": ("show the model card of a registered model", _card),
    "inspect": ("describe a saved model without loading it", _inspect),
    "predict": ("predict the classes of images or texts", _predict),
    "report": ("evaluate a model and write an HTML report", _report),
    "export": ("write a model as ONNX, LiteRT or SavedModel", _export),
    "demo": ("open a page to draw on, with predictions of models", _demo),
}
_DESCRIPTION = "Models of kerasnet: list them, look at files, predict, write reports, and try them in a browser."
_EPILOG = """\
MODEL is one of:
  NAME          a pretrained model, such as lenet (kerasnet list --weights)
  NAME:WEIGHTS  other weights than those for MNIST, such as lenet:fashion_mnist
  FILE          a file written by kerasnet.save, such as model.kerasnet
  FOLDER        an output folder of train_mnist.py or fine_tune.py
Write ./lenet for a file that has the name of a pretrained model.

exit status:
  0    success
  1    an error, or some images have no prediction
  2    invalid arguments
  130  interrupted (Ctrl-C); 0 for kerasnet demo, which runs until then

Results are written to standard output, messages and progress bars to standard error.
'kerasnet COMMAND --help' describes a command.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : sequence of str, default=None
        The arguments; those of the process if None.

    Returns
    -------
    status : int
        The exit status: 0 after success, 1 after an error or if some images have no prediction, and 130 after an
        interruption. ``demo`` returns 0 after an interruption, which is how it ends.

    Raises
    ------
    SystemExit
        With status 2 if the arguments are invalid, and with 0 after printing help.

    Examples
    --------
    >>> from kerasnet.cli import main
    >>> main(["list", "--task", "reconstruction"])
    NAME              INPUT   TASKS           PARAMETERS  PRETRAINED WEIGHTS
    autoencoder       vector  reconstruction     201,616  mnist
    conv_autoencoder  image   reconstruction     ...
    0
    """
    try:
        arguments = make_parser().parse_args(argv)
        name = f"kerasnet {arguments.command}"
        with warnings.catch_warnings():
            warnings.showwarning = lambda message, *_, **__: print(
                f"{name}: warning: {one_line(message)}", file=sys.stderr, flush=True
            )
            return run_command(name, arguments.run, arguments)
    finally:
        close_output()


class _Parser(argparse.ArgumentParser):
    """Parser that keeps the line breaks of descriptions and reports an error in one line."""

    def __init__(self, prog: str | None = None, **options: Any) -> None:
        super().__init__(prog, formatter_class=argparse.RawDescriptionHelpFormatter, **options)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {one_line(message)} (see {self.prog} --help)\n")


class _CommandParser(_Parser):
    """Parser of a sub-command, which accepts options between other arguments."""

    _is_parsing = False

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        if self._is_parsing:  # called by parse_known_intermixed_args
            return super().parse_known_args(args, namespace)
        self._is_parsing = True
        try:
            namespace, unknown = self.parse_known_intermixed_args(args, namespace)
        finally:
            self._is_parsing = False
        if unknown:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return namespace, unknown


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line and all its sub-commands."""
    parser = _Parser("kerasnet", description=_DESCRIPTION, epilog=_EPILOG)
    parser.add_argument("--version", action="version", version=f"kerasnet {importlib.metadata.version('kerasnet')}")
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=True, title="commands", parser_class=_CommandParser
    )
    for name, (summary, module) in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=module.DESCRIPTION)
        module.add_arguments(command)
        command.set_defaults(run=module.run, parser=command)
    return parser
