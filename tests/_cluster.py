"""Start commands and a local Dask cluster in separate processes."""

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
    workers: list  # of processes, each in its own process group


@contextlib.contextmanager
def started(*command, **options):
    """Start a process in its own process group, and kill the group at the end."""
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
    options = ["--no-dashboard", "--scheduler-file", str(file), "--host", "127.0.0.1"]
    worker = [*DASK, "worker", *options, "--nthreads", "1", "--local-directory", str(folder)]
    with contextlib.ExitStack() as stack:
        stack.enter_context(started(*DASK, "scheduler", *options, "--port", "0"))
        wait_for(file.exists)
        workers = [stack.enter_context(started(*worker)) for _ in range(2)]
        yield Cluster(json.loads(file.read_text())["address"], workers)


def wait_for(condition, seconds=120):
    """Wait until a function returns True."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"timeout after {seconds} s"
        time.sleep(0.05)
