"""Processes of their own for tests: commands, and a Dask cluster of them on loopback."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from typing import NamedTuple

DASK = [sys.executable, "-m", "dask"]
ENVIRONMENT = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}


class Cluster(NamedTuple):
    address: str
    workers: list  # of processes, each with a group of its own


@contextlib.contextmanager
def started(*command, **options):
    """Start a process with a group of its own, and kill whatever of it is left in the end."""
    process = subprocess.Popen(
        command, env=ENVIRONMENT | options, stdout=-1, stderr=-1, text=True, start_new_session=True
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@contextlib.contextmanager
def dask_cluster(folder):
    """Start a scheduler and two workers."""
    file = folder / "scheduler.json"
    quiet = ["--no-dashboard", "--scheduler-file", str(file), "--host", "127.0.0.1"]
    worker = [*DASK, "worker", *quiet, "--nthreads", "1", "--local-directory", str(folder)]
    with contextlib.ExitStack() as stack:
        stack.enter_context(started(*DASK, "scheduler", *quiet, "--port", "0"))
        wait_for(file.exists)
        workers = [stack.enter_context(started(*worker)) for _ in range(2)]
        yield Cluster(json.loads(file.read_text())["address"], workers)


def wait_for(happened, seconds=120):
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, f"it did not happen in {seconds} s"
        time.sleep(0.05)
