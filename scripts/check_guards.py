"""Remove the security checks (guards) from kerasnet, one at a time, and verify that a test fails.

python scripts/check_guards.py              # all guards, about five minutes
python scripts/check_guards.py "file hash"
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
GUARDS = {  # name -> (file, replacements in its source, tests that must fail)
    "atomic replace": (
        FILES,
        {
            'os.fdopen(os.dup(descriptor), "wb")': 'open(path, "wb")',
            "os.replace(temporary, path)": "pass",
        },
        INTERRUPTED,
    ),
    "cleanup of leftovers": (FILES, {"    sweep_leftovers(path.parent)\n": ""}, INTERRUPTED),
    "file hash": (FORMATS, {"if found != expected:": "if False:"}, HOSTILE),
    "file size": (
        f"{PERSISTENCE}_container.py",
        {'if expected["size"] != infos[name].file_size:': "if False:"},
        HOSTILE,
    ),
    "trusted types": (
        f"{PERSISTENCE}_schema.py",
        {"if not isinstance(loader, str) or name not in _allowed().get(loader, ()):": "if False:"},
        HOSTILE,
    ),
    "reserved attributes": (f"{PERSISTENCE}_schema.py", {"or key in reserved]": "]"}, HOSTILE),
    "member names": (
        f"{PERSISTENCE}_container.py",
        {"if name not in {MANIFEST, *_MEMBERS}:": "if False:"},
        HOSTILE,
    ),
    "compressed members": (FORMATS, {"if stored and (compressed or": "if False and (compressed or"}, HOSTILE),
    "maximum file size": (FILES, {"if status.st_size <= max_bytes:": "if True:"}, HOSTILE),
    "object arrays": (FORMATS, {"if dtype.hasobject:": "if False:"}, HOSTILE),
    "maximum size of weights": ("kerasnet/training/_building.py", {"if left < 0:": "if False:"}, HOSTILE),
    "maximum number of layers": (
        f"{PERSISTENCE}_loading.py",
        {"if n is not None and n > max(_FEW_LAYERS, _LAYERS_PER_ARRAY * n_arrays):": "if False:"},
        LIMITS,
    ),
    "pretrained weights": (
        f"{PERSISTENCE}_loading.py",
        {'        arguments["weights"] = None\n': "        pass\n"},
        LIMITS,
    ),
    "array shapes": (
        f"{PERSISTENCE}_loading.py",
        {"if not is_kept_as(found, dtype) or found_shape != shape:": "if False:"},
        HOSTILE,
    ),
    "finite weights": (f"{PERSISTENCE}_loading.py", {"if not is_finite(value):": "if False:"}, HOSTILE),
    "Keras configurations": (f"{PERSISTENCE}_plain.py", {"each.keys() >= _CONFIG": "False"}, HOSTILE),
    "decision trees": (f"{PERSISTENCE}_steps.py", {"or (children >= len(nodes)).any()": ""}, HOSTILE),
    "owners of decision trees": (
        f"{PERSISTENCE}_steps.py",
        {'each.kind == "tree" and key not in owned': "False"},
        HOSTILE,
    ),
    "encoders": (f"{PERSISTENCE}_steps.py", {"        _check_encoder(part)\n": "        pass\n"}, HOSTILE),
}


def main(argv=None):
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "guards", nargs="*", metavar="GUARD", help=f"guards to remove: {', '.join(GUARDS)} (default: all)"
    )
    selected = parser.parse_args(argv).guards or list(GUARDS)
    if unknown := [name for name in selected if name not in GUARDS]:
        parser.error(f"unknown guard: {', '.join(unknown)}")
    n_detected = sum(check(name) for name in selected)
    print(f"{n_detected} of {len(selected)} guards are covered by a failing test.")
    return int(n_detected < len(selected))


def check(name):
    """Remove one guard from a copy of the source and return whether the tests fail."""
    file, replacements, tests = GUARDS[name]
    with tempfile.TemporaryDirectory() as folder:
        for part in ("kerasnet", "tests", "scripts"):
            shutil.copytree(ROOT / part, Path(folder, part), ignore=shutil.ignore_patterns("__pycache__"))
        for part in ("pyproject.toml", "setup.cfg"):
            shutil.copy(ROOT / part, folder)
        path = Path(folder, file)
        path.write_text(remove_guard(path.read_text(), replacements))
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "--no-cov", "--numprocesses=0", "--tb=line", tests],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": folder, "TF_CPP_MIN_LOG_LEVEL": "3"},
            capture_output=True,
            text=True,
        )
    is_detected = done.returncode == 1
    result = "tests fail" if is_detected else "TESTS PASS"
    print(f"without {name}: {result} ({done.stdout.strip().splitlines()[-1]})", flush=True)
    return is_detected


def remove_guard(text, replacements):
    """Return the source text with a guard removed."""
    for old, new in replacements.items():
        if text.count(old) != 1:
            raise ValueError(f"Expected {old!r} exactly once. Found: {text.count(old)} times.")
        text = text.replace(old, new)
    return text


if __name__ == "__main__":
    sys.exit(main())
