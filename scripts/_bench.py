"""What the benchmarks share: sides that take turns, ratios with their spread, and the file of results."""

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
    """Time functions in turn, in an order that changes.

    What one side leaves behind is kept from Python's collector while another is timed: else each would have to walk
    through all of it.

    Parameters
    ----------
    sides : dict of str to callable
        What is compared.
    rounds : int
        The number of rounds that count.
    warm_up : bool, default=True
        Whether there is a round before them that does not count.

    Returns
    -------
    seconds : dict of str to list of float
        The time of each call; entries of equal position belong to one round.
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
    """Tell how many times longer each other side took, round by round: median and range."""
    return {
        name: spread([theirs / mine for theirs, mine in zip(times, seconds[ours], strict=True)])
        for name, times in seconds.items()
        if name != ours
    }


def spread(values, digits=3):
    """Return median, smallest and largest value."""
    return {
        "median": round(statistics.median(values), digits),
        "min": round(min(values), digits),
        "max": round(max(values), digits),
    }


def resident_megabytes():
    """Return the memory of this process that is in use."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def report(name, result, save):
    """Print a result; with `save`, keep it in the file that the README's table is made from."""
    packages = ["tensorflow", "keras", "scikeras", "scikit-learn", "scikit-image", "numpy"]
    result = {
        **result,
        "hardware": f"{os.cpu_count()} CPU cores, {platform.machine()}",
        "versions": {"python": platform.python_version()}
        | {each: importlib.metadata.version(each) for each in packages},
    }
    print(json.dumps(result, indent=2))
    if save:
        results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        RESULTS.write_text(json.dumps(dict(sorted({**results, name: result}.items())), indent=2) + "\n")
