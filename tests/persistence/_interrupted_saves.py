"""Processes that save an archive over an earlier one, and are stopped.

``python _interrupted_saves.py FOLDER NUMBER`` prints, as JSON, what became of the archive: in processes that are killed
at each step of a save and at NUMBER random moments, that are sent signals, and that may not write.
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


class AtStep(logging.Handler):
    """Does something at one step of a save."""

    def __init__(self, step, do):
        super().__init__()
        self.step, self.do, self.labels = step, do, []

    def emit(self, record):
        self.labels.append(record.getMessage().rpartition(": ")[2])
        if len(self.labels) == self.step:
            self.do()


def in_a_process(work):
    """Start a process that works and ends; return its number and what it writes to."""
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
    """Wait for a process; return what became of it and of the archive, and whether another save sweeps up."""
    with os.fdopen(reader) as file:
        said = file.read()
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
        "said": said,
        "archive": kind if equal else "broken",
        "leftovers": len(leftovers) - 1,
        "after the next save": len(os.listdir(FOLDER)) - 1,
    }


def save_later(step=None, do=None):
    """Save, and do something at a step."""
    handler = AtStep(step, do)
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    kn.save(later, ARCHIVE)
    return handler.labels


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def with_small_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
    save_later()


def as_nobody():
    if not os.geteuid():
        os.setuid(65_534)  # the system refuses root nothing
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

    # what a save does, and how long it takes
    started = time.perf_counter()
    labels = save_later()
    seconds = time.perf_counter() - started
    log.handlers.clear()
    kn.save(earlier, ARCHIVE)

    results = {"labels": labels, "steps": {}, "moments": [], "signals": {}, "refused": {}}
    for step, label in enumerate(labels, start=1):
        results["steps"][f"{step} {label}"] = outcome(*in_a_process(lambda step=step: save_later(step, kill)))
    rng = random.Random(0)
    for _ in range(NUMBER):
        begun, begin = os.pipe()
        pid, reader = in_a_process(lambda begin=begin: (os.write(begin, b"!"), save_later()))
        os.read(begun, 1)
        time.sleep(rng.uniform(0, seconds))
        os.kill(pid, signal.SIGKILL)
        os.close(begun)
        os.close(begin)
        results["moments"].append(outcome(pid, reader))
    for name in ("SIGINT", "SIGTERM"):
        for step, label in enumerate(labels, start=1):
            signal.signal(signal.SIGINT, signal.default_int_handler)

            def save(step=step, name=name):
                save_later(step, lambda: signal.raise_signal(getattr(signal, name)))

            made = outcome(*in_a_process(save))
            results["signals"][f"{name} {step} {label}"] = made

    results["refused"]["a full disk"] = outcome(*in_a_process(with_small_files))
    os.chmod(FOLDER, 0o555)
    pid, reader = in_a_process(as_nobody)
    time.sleep(0.1)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    os.chmod(FOLDER, 0o755)
    results["refused"]["a folder that may only be read"] = outcome(pid, reader)
    print(json.dumps(results))
