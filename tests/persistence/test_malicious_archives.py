"""Malicious files run no code, access no other files, change no global state, and do not end the process."""

import json
import re
from pathlib import Path

from _fresh import run

SCRIPT = Path(__file__).with_name("_malicious.py")


def test_malicious_files_are_rejected_without_side_effects(record_property, tmp_path):
    done = run(SCRIPT, tmp_path)
    results = json.loads((tmp_path / "results.json").read_text())
    assert done.returncode == 0, f"the process ended after {list(results)[-1:]}: {done.stderr[-2000:]}"
    faults = []
    for name, found in results.items():
        error, message = found["expected"]
        if found["error"] != error or not re.search(message, found["message"]):
            faults.append(f"{name}: expected {error}: {message}, found {found['error']}: {found['message'][:300]}")
        if found["megabytes"] >= 200:
            faults.append(f"{name}: took {found['megabytes']:.0f} MB")
        faults += [f"{name}: {key}: {found[key]}" for key in ("changed", "events", "executed") if found[key]]
    assert not faults, "\n".join(faults)
    assert len(results) >= 60
    most = max(results, key=lambda name: results[name]["megabytes"])
    record_property(
        "counts", f"{len(results)} malicious files; peak memory: {results[most]['megabytes']:.0f} MB ({most})"
    )
