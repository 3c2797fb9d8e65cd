"""What the commands share: how they read options, speak, draw, and end when they are interrupted."""

import argparse
import contextlib
import json
import math
import os
import signal
import sys

import matplotlib.pyplot as plt

INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM)  # Ctrl-C, and what job schedulers send
INTERRUPTED = 128 + signal.SIGINT


def listen_to_interruptions():
    """Have them raise KeyboardInterrupt."""
    for number in INTERRUPTIONS:
        signal.signal(number, signal.default_int_handler)


def run_command(name, run, arguments, kept):
    """Run a command on its options and return its exit status; say in one line what ended it, if anything.

    `kept` tells what an interruption leaves behind.
    """
    sys.stdout.reconfigure(errors="backslashreplace")  # a name that the terminal cannot show is no reason to fail
    try:
        return run(arguments)
    except KeyboardInterrupt:
        return fail(name, f"interrupted; {kept}", INTERRUPTED)
    except (OSError, TypeError, ValueError) as error:
        return fail(name, " ".join(str(error).split()), 1)


def fail(name, message, status):
    """Say why a command ends, in one line, and return its exit status."""
    print(f"{name}: {message}", file=sys.stderr)
    return status


def missed(name, accuracy, target):
    """Return the exit status of a command whose accuracy has a target, or None; say so if it is missed."""
    if target is not None and accuracy < target:
        return fail(name, f"accuracy {accuracy:.4f} is below the target {target:g}", 1)
    return 0


def say(text):
    """Print; a reader that went away (``| head``) is no reason to lose the run."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def save_figure(figure, path):
    """Write a figure and let it go."""
    figure.savefig(path, dpi=120)
    plt.close(figure)


def whole_number(at_least, or_exactly=None):
    """Return a function that reads a whole number from an option."""
    expected = f"a whole number of at least {at_least}" + ("" if or_exactly is None else f", or {or_exactly}")

    def read(text):
        with contextlib.suppress(ValueError):
            value = int(text)
            if value >= at_least or value == or_exactly:
                return value
        raise argparse.ArgumentTypeError(f"expected {expected}, got {text!r}")

    return read


def fraction(text):
    """Read a number in [0, 1]."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number in [0, 1], got {text}")
    return value


def positive_float(text):
    """Read a finite number above 0."""
    value = float(text)
    if not (0 < value < math.inf):
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text}")
    return value


def json_object(text):
    """Read a JSON object."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise argparse.ArgumentTypeError(f"expected JSON, got {text!r} ({error})") from error
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f"expected a JSON object of lists, got {text!r}")
    return value
