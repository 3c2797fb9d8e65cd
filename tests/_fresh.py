"""Start clean Python processes quickly, as forks of a server that has only imported packages."""

import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["kerasnet.estimators", "matplotlib.pyplot", "sklearn.ensemble", "sklearn.callback"])


class FreshProcess:
    """A process that runs ``python SCRIPT ARGUMENT...`` or ``python -c CODE ARGUMENT...``, like `subprocess.Popen`.

    The return code is negative after a signal.
    """

    def __init__(self, *command, env=None):
        command = [*map(str, command)]
        self._folder = tempfile.TemporaryDirectory()
        self._outputs = [Path(self._folder.name, name) for name in ("stdout", "stderr")]
        for path in self._outputs:
            path.touch()
        self.stdout = self._outputs[0].open()
        environment = dict(os.environ if env is None else env)
        self._process = _SERVER.Process(target=_run_command, args=(command, environment, self._outputs))
        self._process.start()

    @property
    def returncode(self):
        return self._process.exitcode

    poll = returncode.fget

    def first_line(self):
        """Wait for the first line of the output and return it."""
        line = ""
        while not line.endswith("\n"):
            line += self.stdout.readline()
            assert line or self.poll() is None, self.communicate()
            time.sleep(0.01)
        return line

    def send_signal(self, number):
        os.kill(self._process.pid, number)

    def communicate(self, timeout=300):
        """Wait until the process ends; return its standard output and error output."""
        self._process.join(timeout)
        assert self.returncode is not None, f"still running after {timeout} s"
        return tuple(path.read_text() for path in self._outputs)


def run(*command, env=None):
    """Run a command in a clean process and wait until it ends, like `subprocess.run`."""
    process = FreshProcess(*command, env=env)
    out, error = process.communicate()
    return subprocess.CompletedProcess(command, process.returncode, out, error)


def _run_command(command, environment, outputs):
    for stream, path in zip((sys.stdout, sys.stderr), outputs, strict=True):
        os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND), stream.fileno())
        stream.reconfigure(line_buffering=True)
    os.environ.clear()
    os.environ.update(environment)
    if command[0] == "-c":
        sys.argv = ["-c", *command[2:]]
        exec(compile(command[1], "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.argv = command
        sys.path.insert(0, str(Path(command[0]).parent))
        runpy.run_path(command[0], run_name="__main__")
