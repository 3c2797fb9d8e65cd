"""Helpers of command lines: errors, interruptions, output, argument types and progress."""

import argparse
import contextlib
import importlib
import json
import math
import os
import signal
import sys
import threading

INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM)  # SIGTERM is sent by job schedulers
INTERRUPTED = 128 + signal.SIGINT


def listen_to_interruptions():
    """Raise KeyboardInterrupt on SIGINT and SIGTERM."""
    for number in INTERRUPTIONS:
        signal.signal(number, signal.default_int_handler)


def run_command(name, run, arguments, interrupt_note=None):
    """Run a command and return its exit status; print errors as a single line.

    Parameters
    ----------
    name : str
        Name of the command, at the beginning of messages.
    run : callable
        Function of `arguments` that returns the exit status.
    arguments : argparse.Namespace
        Parsed arguments.
    interrupt_note : str, default=None
        What to say after an interruption.

    Returns
    -------
    status : int
        Exit status.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # the terminal may not support all characters of a file name
    try:
        return run(arguments)
    except KeyboardInterrupt:
        return fail(name, "; ".join(filter(None, ("interrupted", interrupt_note))), INTERRUPTED)
    except (OSError, TypeError, ValueError) as error:
        return fail(name, error)


def fail(name, message, status=1):
    """Print an error message to stderr, in one line, and return the exit status."""
    print(f"{name}: {one_line(message)}", file=sys.stderr, flush=True)
    return status


def one_line(message):
    """Return a message without line breaks."""
    return " ".join(str(message).split())


def print_line(text):
    """Print and flush; continue silently if stdout is closed (``| head``)."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        _discard_output()


def print_json(value):
    """Print plain values and values of NumPy as JSON; infinite numbers and NaN are printed as strings."""
    print_line(json.dumps(_plain(value), indent=2, allow_nan=False))


def _plain(value):
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set):
        return [*map(_plain, value)]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    is_json = (
        value is None or isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value))
    )
    return value if is_json else str(value)


def printable(text):
    """Return a text for a line of output: quoted and escaped if it contains line breaks or control characters."""
    return text if text.isprintable() else repr(text)


def close_output():
    """Flush stdout; ignore that its reader has closed it."""
    with contextlib.suppress(ValueError):  # closed
        try:
            if sys.stdout is not None:
                sys.stdout.flush()
        except OSError:  # also a full disk, which was reported before
            _discard_output()


def _discard_output():
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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


def import_quietly(module):
    """Import a module that imports TensorFlow, without TensorFlow's start-up messages and without tracebacks of Ctrl-C.

    TensorFlow prints the messages before it reads its log level, and to the file descriptor instead of ``sys.stderr``.
    Ctrl-C ends the process, because packages turn an interruption of their import into other errors.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if "tensorflow" in sys.modules or sys.stderr is None:
        return
    sys.stderr.flush()
    copy, discarded = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(discarded, 2)
    is_main_thread = threading.current_thread() is threading.main_thread()
    handler = signal.signal(signal.SIGINT, signal.SIG_DFL) if is_main_thread else None
    try:
        importlib.import_module(module)
    finally:
        if is_main_thread:
            signal.signal(signal.SIGINT, handler)
        os.dup2(copy, 2)
        os.close(copy)
        os.close(discarded)


def with_progress(items, description):
    """Iterate over a list, and show a progress bar with the remaining time if stderr is a terminal."""
    if len(items) < 2 or sys.stderr is None or not sys.stderr.isatty():
        yield from items
        return
    from rich.console import Console
    from rich.progress import Progress

    is_terminal = sys.stdout is not None and sys.stdout.isatty()  # then lines are printed above the bar
    with Progress(console=Console(stderr=True), transient=True, redirect_stdout=is_terminal) as progress:
        yield from progress.track(items, description=description)
