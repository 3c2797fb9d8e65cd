"""Run training recipes on public data, and record the results next to the published ones.

    python scripts/bench_zoo.py --family text

Each recipe runs in a process of its own. Results, times and peak memory are written to zoo_results.json, from which the
documentation's page of results is made. A family is a module _zoo_FAMILY.py with a dict RECIPES.
"""

import argparse
import importlib
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up messages

from _bench import hardware
from _zoo import DATA

RESULTS = Path(__file__).with_name("zoo_results.json")
FAMILIES = sorted(path.stem.removeprefix("_zoo_") for path in Path(__file__).parent.glob("_zoo_*.py"))


def main(argv=None):
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", required=True, choices=FAMILIES)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="run only these recipes, and keep other results")
    parser.add_argument(
        "--data", type=Path, default=DATA, metavar="FOLDER", help="folder of the data (default: %(default)s)"
    )
    parser.add_argument("--in-process", metavar="NAME", help="run one recipe in this process and print its record")
    arguments = parser.parse_args(argv)

    recipes = importlib.import_module(f"_zoo_{arguments.family}").RECIPES
    if arguments.in_process is not None:
        print(json.dumps(measure(recipes[arguments.in_process], arguments.data)))
        return 0
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    found = results.setdefault(arguments.family, {})
    for name in arguments.only or recipes:
        command = [
            sys.executable,
            __file__,
            "--family",
            arguments.family,
            "--data",
            arguments.data,
            "--in-process",
            name,
        ]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        found[name] = json.loads(done.stdout.splitlines()[-1])
        print(name, json.dumps(found[name]), flush=True)
        results[arguments.family] = {each: found[each] for each in recipes if each in found}
        RESULTS.write_text(json.dumps(dict(sorted(results.items())), indent=2) + "\n")
    return 0


def measure(recipe, folder):
    """Run a recipe with all of its seeds; return its record."""
    started, values = time.perf_counter(), []
    for seed in recipe.seeds:
        values.append(round(recipe.run(folder, seed), 4))
        print(recipe.data, recipe.model, seed, values[-1], file=sys.stderr, flush=True)
    seconds = (time.perf_counter() - started) / len(values)
    described = {name: value for name, value in recipe._asdict().items() if name not in ("run", "seeds")}
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    measured = {"seconds": round(seconds, 1), "megabytes": round(megabytes), "hardware": hardware()}
    return {**described, "seeds": list(recipe.seeds), "values": values, **measured}


if __name__ == "__main__":
    sys.exit(main())
