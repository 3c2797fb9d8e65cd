"""Helpers for command-line scripts: argument types, output, exit status and interruption."""

import argparse
import contextlib
import json
import math
import os
import signal
import sys

import matplotlib.pyplot as plt

INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM)  # SIGTERM is sent by job schedulers
INTERRUPTED = 128 + signal.SIGINT


def listen_to_interruptions():
    """Raise KeyboardInterrupt on SIGINT and SIGTERM."""
    for number in INTERRUPTIONS:
        signal.signal(number, signal.default_int_handler)


def run_command(name, run, arguments, interrupt_note):
    """Run a command and return its exit status; print errors as a single line.

    `interrupt_note` is added to the message after an interruption.
    """
    sys.stdout.reconfigure(errors="backslashreplace")  # the terminal may not support all characters of a file name
    try:
        return run(arguments)
    except KeyboardInterrupt:
        return fail(name, f"interrupted; {interrupt_note}", INTERRUPTED)
    except (OSError, TypeError, ValueError) as error:
        return fail(name, " ".join(str(error).split()), 1)


def fail(name, message, status):
    """Print an error message to stderr and return the exit status."""
    print(f"{name}: {message}", file=sys.stderr)
    return status


def check_target_accuracy(name, accuracy, target):
    """Return exit status 1 and print a message if the accuracy is below the target; the target may be None."""
    if target is not None and accuracy < target:
        return fail(name, f"accuracy {accuracy:.4f} is below the target {target:g}", 1)
    return 0


def print_line(text):
    """Print and flush; continue silently if stdout is closed (``| head``)."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def save_figure(figure, path):
    """Save and close a figure."""
    figure.savefig(path, dpi=120)
    plt.close(figure)


def integer(minimum, special=None):
    """Return an argument type for integers of at least `minimum`, or the `special` value."""
    expected = f"an integer of at least {minimum}" + ("" if special is None else f", or {special}")

    def parse(text):
        with contextlib.suppress(ValueError):
            value = int(text)
            if value >= minimum or value == special:
                return value
        raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}")

    return parse


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
