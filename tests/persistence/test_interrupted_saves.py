"""Whatever stops a save, the earlier archive is there, whole, and the next save sweeps up."""

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
def test_killed_interrupted_and_refused_saves_leave_the_earlier_archive(record_property, number):
    with tempfile.TemporaryDirectory() as folder:  # pytest's own is closed to all other users
        os.chmod(folder, 0o755)
        done = run(SCRIPT, folder, number)
    assert done.returncode == 0, done.stderr[-3000:]
    results = json.loads(done.stdout)
    labels = results["labels"]
    assert len(labels) == 8, labels
    replaced = labels.index("replaced the file")

    assert len(results["steps"]) == len(labels)
    for step, made in enumerate(results["steps"].values()):
        assert made["killed"]
        assert made["archive"] == ("later" if step >= replaced else "earlier")
        assert made["leftovers"] == (step < replaced)
    assert len(results["moments"]) == number
    assert {made["archive"] for made in results["moments"]} <= {"earlier", "later"}
    assert sum(made["killed"] for made in results["moments"]) > number / 2
    for name, made in results["signals"].items():
        step = int(name.split()[1]) - 1
        assert made["archive"] == ("later" if step >= replaced else "earlier"), name
        assert (made["killed"], made["said"]) == ((False, "KeyboardInterrupt: ") if "INT" in name else (True, "")), name
        assert made["leftovers"] == ("TERM" in name and step < replaced), name
    full, read_only = results["refused"].values()
    assert "File too large" in full["said"]
    assert "Permission denied" in read_only["said"]
    for made in (full, read_only):
        assert os.path.join(folder, "model.kerasnet") in made["said"]
        assert (made["archive"], made["leftovers"]) == ("earlier", 0)
    everything = [*results["steps"].values(), *results["moments"], *results["signals"].values(), full, read_only]
    assert {made["after the next save"] for made in everything} == {0}
    n_killed = sum(made["killed"] for made in everything)
    record_property("counts", f"{len(everything)} saves stopped, {n_killed} of them by a kill: 0 archives broken")


class FullDisk:
    """A file that takes some bytes only."""

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
def test_a_full_disk_is_one_clear_line(tmp_path, monkeypatch, n_bytes):
    path = tmp_path / "model.kerasnet"
    kn.save(kn.CNNClassifier(), path)
    earlier = path.read_bytes()
    really = os.fdopen
    monkeypatch.setattr(_files.os, "fdopen", lambda *arguments: FullDisk(really(*arguments), n_bytes))
    with pytest.raises(OSError, match=rf"No space left on device: '{path}'"):
        kn.save(kn.CNNClassifier(filters=(7, 7)), path)
    assert path.read_bytes() == earlier
    assert os.listdir(tmp_path) == ["model.kerasnet"]


def test_a_missing_folder_is_named_as_the_caller_named_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=rf"No such file or directory: '{tmp_path}/missing/a.kerasnet'"):
        kn.save(kn.CNNClassifier(), tmp_path / "missing" / "a.kerasnet")
