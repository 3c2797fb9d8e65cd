"""Interrupt processes that overwrite an archive.

``python _interrupted_saves.py FOLDER NUMBER`` prints the state of the archive as JSON after processes were killed at
each step of a save and at NUMBER random times, received signals, or were not allowed to write.
"""

import json
import logging
import os
import random
import resource
import signal
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

import kerasnet as kn
from kerasnet._files import log

FOLDER, NUMBER = (Path(sys.argv[1]), int(sys.argv[2])) if __name__ == "__main__" else (Path("."), 0)
ARCHIVE = FOLDER / "model.kerasnet"
X = np.random.default_rng(0).random((40, 4), dtype=np.float32)


class StepHandler(logging.Handler):
    """Calls a function at one step of a save."""

    def __init__(self, step, do):
        super().__init__()
        self.step, self.do, self.labels = step, do, []

    def emit(self, record):
        self.labels.append(record.getMessage().rpartition(": ")[2])
        if len(self.labels) == self.step:
            self.do()


def run_in_process(work):
    """Fork a process that calls a function; return its id and the pipe that it writes to."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        return pid, reader
    os.close(reader)
    try:
        work()
        line = "saved"
    except BaseException as error:
        line = f"{type(error).__name__}: {error}"
    os.write(writer, line.encode())
    os._exit(0)


def outcome(pid, reader):
    """Wait for a process; return its status, the state of the archive, and the number of temporary files."""
    with os.fdopen(reader) as file:
        output = file.read()
    _, status = os.waitpid(pid, 0)
    content = ARCHIVE.read_bytes()
    kind = {EARLIER: "earlier", LATER: "later"}.get(content, "broken")
    expected = {"earlier": PREDICTED_EARLIER, "later": PREDICTED_LATER}.get(kind)
    equal = kn.load(ARCHIVE).predict_proba(X).tobytes() == expected
    leftovers = sorted(os.listdir(FOLDER))
    kn.save(earlier, ARCHIVE)
    assert ARCHIVE.read_bytes() == EARLIER
    return {
        "killed": os.WIFSIGNALED(status),
        "output": output,
        "archive": kind if equal else "broken",
        "leftovers": len(leftovers) - 1,
        "after the next save": len(os.listdir(FOLDER)) - 1,
    }


def save_later(step=None, do=None):
    """Save, and call a function at a step."""
    handler = StepHandler(step, do)
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    kn.save(later, ARCHIVE)
    return handler.labels


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def save_with_file_size_limit():
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
    save_later()


def save_without_permission():
    if not os.geteuid():
        os.setuid(65_534)  # root may write anywhere
    save_later()


if __name__ == "__main__":
    earlier, later = (
        kn.KerasNetClassifier("mlp", dense_units=(30_000,), epochs=1, random_state=seed).fit(X, np.arange(40) % 2)
        for seed in (0, 1)
    )
    PREDICTED_EARLIER, PREDICTED_LATER = (each.predict_proba(X).tobytes() for each in (earlier, later))
    kn.save(later, ARCHIVE)
    LATER = ARCHIVE.read_bytes()
    kn.save(earlier, ARCHIVE)
    EARLIER = ARCHIVE.read_bytes()

    # the steps and the duration of a save
    started = time.perf_counter()
    labels = save_later()
    seconds = time.perf_counter() - started
    log.handlers.clear()
    kn.save(earlier, ARCHIVE)

    results = {"labels": labels, "steps": {}, "random times": [], "signals": {}, "failed": {}}
    for step, label in enumerate(labels, start=1):
        results["steps"][f"{step} {label}"] = outcome(*run_in_process(lambda step=step: save_later(step, kill)))
    rng = random.Random(0)
    for _ in range(NUMBER):
        begun, begin = os.pipe()
        pid, reader = run_in_process(lambda begin=begin: (os.write(begin, b"!"), save_later()))
        os.read(begun, 1)
        time.sleep(rng.uniform(0, seconds))
        os.kill(pid, signal.SIGKILL)
        os.close(begun)
        os.close(begin)
        results["random times"].append(outcome(pid, reader))
    for name in ("SIGINT", "SIGTERM"):
        for step, label in enumerate(labels, start=1):
            signal.signal(signal.SIGINT, signal.default_int_handler)

            def save(step=step, name=name):
                save_later(step, lambda: signal.raise_signal(getattr(signal, name)))

            result = outcome(*run_in_process(save))
            results["signals"][f"{name} {step} {label}"] = result

    results["failed"]["a full disk"] = outcome(*run_in_process(save_with_file_size_limit))
    os.chmod(FOLDER, 0o555)
    pid, reader = run_in_process(save_without_permission)
    time.sleep(0.1)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    os.chmod(FOLDER, 0o755)
    results["failed"]["a read-only folder"] = outcome(pid, reader)
    print(json.dumps(results))
