"""Helpers for command-line scripts: those of the command ``kerasnet``, and others."""

import argparse
import json
import math

import matplotlib.pyplot as plt

from kerasnet.cli._command import (
    INTERRUPTED,
    INTERRUPTIONS,
    fail,
    integer,
    listen_to_interruptions,
    print_line,
    run_command,
)

__all__ = [
    "INTERRUPTED",
    "INTERRUPTIONS",
    "check_target_accuracy",
    "fail",
    "fraction",
    "integer",
    "json_object",
    "listen_to_interruptions",
    "positive_float",
    "print_line",
    "run_command",
    "save_figure",
]


def check_target_accuracy(name, accuracy, target):
    """Return exit status 1 and print a message if the accuracy is below the target; the target may be None."""
    if target is not None and accuracy < target:
        return fail(name, f"accuracy {accuracy:.4f} is below the target {target:g}", 1)
    return 0


def save_figure(figure, path):
    """Save and close a figure."""
    figure.savefig(path, dpi=120)
    plt.close(figure)


def fraction(text):
    """Parse a number in [0, 1]."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number in [0, 1], got {text}")
    return value


def positive_float(text):
    """Parse a positive, finite number."""
    value = float(text)
    if not (0 < value < math.inf):
        raise argparse.ArgumentTypeError(f"expected a positive number, got {text}")
    return value


def assignment(text):
    """Parse NAME=JSON; return the name and the value."""
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"expected NAME=JSON, got {text!r}")
    try:
        return name, json.loads(value)
    except json.JSONDecodeError as error:
        hint = f"; write text in double quotes, as in '{name}=\"{value}\"'" if value.isidentifier() else ""
        raise argparse.ArgumentTypeError(f"expected JSON after {name}=, got {value!r}{hint}") from error


def json_object(text):
    """Parse a JSON object."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise argparse.ArgumentTypeError(f"expected JSON, got {text!r} ({error})") from error
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f"expected a JSON object of lists, got {text!r}")
    return value
