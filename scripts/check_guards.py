"""Take the guards of kerasnet's files away, one at a time, and see that tests turn red.

python scripts/check_guards.py              # all of them, about five minutes
python scripts/check_guards.py "the hash"
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
HOSTILE = "tests/persistence/test_malicious_archives.py"
LIMITS = "tests/persistence/test_limits_of_models.py"
INTERRUPTED = "tests/persistence/test_interrupted_saves.py"
FILES, FORMATS, PERSISTENCE = "kerasnet/_files.py", "kerasnet/_formats.py", "kerasnet/persistence/"
GUARDS = {  # name -> (file, what is replaced by what, the tests that must notice)
    "the atomic replace": (
        FILES,
        {
            'os.fdopen(os.dup(descriptor), "wb")': 'open(path, "wb")',
            "os.replace(temporary, path)": "pass",
        },
        INTERRUPTED,
    ),
    "the sweep": (FILES, {"    sweep_leftovers(path.parent)\n": ""}, INTERRUPTED),
    "the hash": (FORMATS, {"if found != expected:": "if False:"}, HOSTILE),
    "the size": (
        f"{PERSISTENCE}_container.py",
        {'if expected["size"] != infos[name].file_size:': "if False:"},
        HOSTILE,
    ),
    "the trusted types": (
        f"{PERSISTENCE}_schema.py",
        {"if not isinstance(loader, str) or name not in _allowed().get(loader, ()):": "if False:"},
        HOSTILE,
    ),
    "the reserved attributes": (f"{PERSISTENCE}_schema.py", {"or key in reserved]": "]"}, HOSTILE),
    "the members' names": (
        f"{PERSISTENCE}_container.py",
        {"if name not in {MANIFEST, *_MEMBERS}:": "if False:"},
        HOSTILE,
    ),
    "packed members": (FORMATS, {"if stored and (packed or": "if False and (packed or"}, HOSTILE),
    "the limit of bytes": (FILES, {"if status.st_size <= max_bytes:": "if True:"}, HOSTILE),
    "objects in arrays": (FORMATS, {"if dtype.hasobject:": "if False:"}, HOSTILE),
    "the bound of the weights": ("kerasnet/training/_building.py", {"if left < 0:": "if False:"}, HOSTILE),
    "the bound of the layers": (
        f"{PERSISTENCE}_loading.py",
        {"if n is not None and n > max(_FEW_LAYERS, _LAYERS_PER_ARRAY * n_arrays):": "if False:"},
        LIMITS,
    ),
    "pretrained weights": (
        f"{PERSISTENCE}_loading.py",
        {'        arguments["weights"] = None\n': "        pass\n"},
        LIMITS,
    ),
    "the arrays' shapes": (
        f"{PERSISTENCE}_loading.py",
        {"if not is_kept_as(found, dtype) or found_shape != shape:": "if False:"},
        HOSTILE,
    ),
    "finite weights": (f"{PERSISTENCE}_loading.py", {"if not is_finite(value):": "if False:"}, HOSTILE),
    "configurations of Keras": (f"{PERSISTENCE}_plain.py", {"each.keys() >= _CONFIG": "False"}, HOSTILE),
    "the decision trees": (f"{PERSISTENCE}_steps.py", {"or (children >= len(nodes)).any()": ""}, HOSTILE),
    "the encoders": (f"{PERSISTENCE}_steps.py", {"        _check_encoder(part)\n": "        pass\n"}, HOSTILE),
}


def main(argv=None):
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("guards", nargs="*", metavar="GUARD", help=f"one of: {', '.join(GUARDS)} (default: all)")
    wanted = parser.parse_args(argv).guards or list(GUARDS)
    if unknown := [name for name in wanted if name not in GUARDS]:
        parser.error(f"no such guard: {', '.join(unknown)}")
    unnoticed = [name for name in wanted if not report(name)]
    print(f"{len(wanted) - len(unnoticed)} of {len(wanted)} guards are missed by a test when they are gone.")
    return 1 if unnoticed else 0


def report(name):
    """Take one guard away and tell what the tests say; return whether they notice."""
    file, replacements, tests = GUARDS[name]
    with tempfile.TemporaryDirectory() as folder:
        for part in ("kerasnet", "tests", "scripts"):
            shutil.copytree(ROOT / part, Path(folder, part), ignore=shutil.ignore_patterns("__pycache__"))
        for part in ("pyproject.toml", "setup.cfg"):
            shutil.copy(ROOT / part, folder)
        path = Path(folder, file)
        path.write_text(without(path.read_text(), replacements))
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "--no-cov", "--numprocesses=0", "--tb=line", tests],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": folder, "TF_CPP_MIN_LOG_LEVEL": "3"},
            capture_output=True,
            text=True,
        )
    noticed = done.returncode == 1
    print(f"{name} gone: {'red' if noticed else 'NOT NOTICED'} ({done.stdout.strip().splitlines()[-1]})", flush=True)
    return noticed


def without(text, replacements):
    """Return source text without a guard."""
    for old, new in replacements.items():
        if text.count(old) != 1:
            raise ValueError(f"Expected {old!r} once. Found: {text.count(old)} times.")
        text = text.replace(old, new)
    return text


if __name__ == "__main__":
    sys.exit(main())
