"""Helpers for benchmarks: alternating timing, ratios, memory, and storage of results."""

import gc
import importlib.metadata
import json
import os
import platform
import statistics
import time
from pathlib import Path

RESULTS = Path(__file__).with_name("benchmarks.json")


def take_turns(sides, rounds, warm_up=True):
    """Time functions alternately, reversing the order after each round.

    Existing objects are frozen before each call, so that garbage collection during one function does not traverse the
    objects left by the others.

    Parameters
    ----------
    sides : dict of str to callable
        Functions to compare.
    rounds : int
        Number of timed rounds.
    warm_up : bool, default=True
        Whether to run one round first that is not timed.

    Returns
    -------
    seconds : dict of str to list of float
        Duration of each call, one entry per round.
    """
    seconds = {name: [] for name in sides}
    for number in range(0 if warm_up else 1, rounds + 1):
        for name in list(sides) if number % 2 else reversed(sides):
            gc.collect()
            gc.freeze()
            started = time.perf_counter()
            sides[name]()
            if number:
                seconds[name].append(time.perf_counter() - started)
            gc.unfreeze()
    return seconds


def ratios(seconds, ours="kerasnet"):
    """Return the time of each other side divided by that of `ours`, per round: median and range."""
    return {
        name: spread([other / reference for other, reference in zip(times, seconds[ours], strict=True)])
        for name, times in seconds.items()
        if name != ours
    }


def spread(values, digits=3):
    """Return the median, minimum and maximum."""
    return {
        "median": round(statistics.median(values), digits),
        "min": round(min(values), digits),
        "max": round(max(values), digits),
    }


def resident_megabytes():
    """Return the resident memory of this process, in MB."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def hardware():
    """Return a description of the machine."""
    return f"{os.cpu_count()} CPU cores, {platform.machine()}"


def report(name, result, save):
    """Print a result; with `save`, also write it to benchmarks.json."""
    packages = ["tensorflow", "keras", "scikeras", "scikit-learn", "scikit-image", "numpy"]
    result = {
        **result,
        "hardware": hardware(),
        "versions": {"python": platform.python_version()}
        | {package: importlib.metadata.version(package) for package in packages},
    }
    print(json.dumps(result, indent=2))
    if save:
        results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        RESULTS.write_text(json.dumps(dict(sorted({**results, name: result}.items())), indent=2) + "\n")
