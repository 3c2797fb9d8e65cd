"""Interrupted saves keep the earlier archive, and the next save removes temporary files."""

import errno
import json
import os
import tempfile
from pathlib import Path

import pytest
from _fresh import run

import kerasnet as kn
from kerasnet import _files

SCRIPT = Path(__file__).with_name("_interrupted_saves.py")


@pytest.mark.parametrize("number", [10, pytest.param(200, marks=pytest.mark.exhaustive)])
def test_interrupted_saves_keep_the_earlier_archive(record_property, number):
    with tempfile.TemporaryDirectory() as folder:  # other users cannot access the folders of pytest
        os.chmod(folder, 0o755)
        done = run(SCRIPT, folder, number)
    assert done.returncode == 0, done.stderr[-3000:]
    results = json.loads(done.stdout)
    labels = results["labels"]
    assert len(labels) == 8, labels
    replaced = labels.index("replaced the file")

    assert len(results["steps"]) == len(labels)
    for step, outcome in enumerate(results["steps"].values()):
        assert outcome["killed"]
        assert outcome["archive"] == ("later" if step >= replaced else "earlier")
        assert outcome["leftovers"] == (step < replaced)
    assert len(results["random times"]) == number
    assert {outcome["archive"] for outcome in results["random times"]} <= {"earlier", "later"}
    assert any(outcome["killed"] for outcome in results["random times"])  # how many depends on the machine
    for name, outcome in results["signals"].items():
        step = int(name.split()[1]) - 1
        assert outcome["archive"] == ("later" if step >= replaced else "earlier"), name
        assert (outcome["killed"], outcome["output"]) == (
            (False, "KeyboardInterrupt: ") if "INT" in name else (True, "")
        ), name
        assert outcome["leftovers"] == ("TERM" in name and step < replaced), name
    full, read_only = results["failed"].values()
    assert "File too large" in full["output"]
    assert "Permission denied" in read_only["output"]
    for outcome in (full, read_only):
        assert os.path.join(folder, "model.kerasnet") in outcome["output"]
        assert (outcome["archive"], outcome["leftovers"]) == ("earlier", 0)
    everything = [*results["steps"].values(), *results["random times"], *results["signals"].values(), full, read_only]
    assert {outcome["after the next save"] for outcome in everything} == {0}
    n_killed = sum(outcome["killed"] for outcome in everything)
    record_property("counts", f"{len(everything)} interrupted saves, {n_killed} of them killed: 0 corrupted archives")


class FullDisk:
    """A file on a disk with little free space."""

    def __init__(self, file, n_bytes):
        self.file, self.left = file, n_bytes

    def __getattr__(self, name):
        return getattr(self.file, name)

    def __enter__(self):
        return self

    def __exit__(self, *caught):
        self.file.close()

    def write(self, content):
        self.left -= len(content)
        if self.left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return self.file.write(content)


@pytest.mark.parametrize("n_bytes", [0, 100, 1000, 1600])
def test_full_disk_raises_and_keeps_the_earlier_archive(tmp_path, monkeypatch, n_bytes):
    path = tmp_path / "model.kerasnet"
    kn.save(kn.CNNClassifier(), path)
    earlier = path.read_bytes()
    original_fdopen = os.fdopen
    monkeypatch.setattr(_files.os, "fdopen", lambda *arguments: FullDisk(original_fdopen(*arguments), n_bytes))
    with pytest.raises(OSError, match=rf"No space left on device: '{path}'"):
        kn.save(kn.CNNClassifier(filters=(7, 7)), path)
    assert path.read_bytes() == earlier
    assert os.listdir(tmp_path) == ["model.kerasnet"]


def test_error_for_missing_folder_names_the_path(tmp_path):
    with pytest.raises(FileNotFoundError, match=rf"No such file or directory: '{tmp_path}/missing/a.kerasnet'"):
        kn.save(kn.CNNClassifier(), tmp_path / "missing" / "a.kerasnet")
