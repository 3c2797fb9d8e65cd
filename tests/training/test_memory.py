"""Checkpoints: cache keys, files, limits, and bit-identical resuming."""

import json
import os
import resource
import shutil
import subprocess
import sys
import time
import zipfile

import joblib
import keras
import numpy as np
import pytest
from _fresh import run
from _longer import longer
from _training import seeded, train
from sklearn.datasets import load_iris

from kerasnet import KerasNetClassifier
from kerasnet.models import list_models
from kerasnet.models._registry import registered_model
from kerasnet.training import EpochMemory, learning_rates, memory
from kerasnet.training import _resume as resume
from kerasnet.training.memory import as_memory

SHAPES = {"image": (16, 16, 1), "sequence": (6, 4), "tokens": (6,), "vector": (12,)}


@pytest.fixture
def keep_every_epoch(monkeypatch):
    monkeypatch.setattr(resume, "_SECONDS_BETWEEN", 0)
    monkeypatch.setattr(resume, "_MAX_WRITING_FRACTION", np.inf)


def network(*layers, optimizer="adam"):
    """Build a network with fixed initial weights."""

    def build():
        model = keras.Sequential([keras.Input((6, 2)), *(layer() for layer in layers), keras.layers.Flatten()])
        model.add(keras.layers.Dense(3, activation="softmax"))
        model.compile(
            optimizer() if callable(optimizer) else optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"]
        )
        return model

    return seeded(build)


def data(n_samples=50):
    random = np.random.default_rng(0)
    return random.random((n_samples, 6, 2)).astype(np.float32), random.integers(0, 3, n_samples)


def state(model):
    return [variable.numpy() for variable in [*model.variables, *model.optimizer.variables]]


def assert_equal_states(first, second):
    for mine, other in zip(state(first), state(second), strict=True):
        np.testing.assert_array_equal(mine, other)


class Interrupt(keras.callbacks.Callback):
    changes_nothing = True

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            raise KeyboardInterrupt


class HalveLearningRate(keras.callbacks.Callback):
    """Changes training depending on its state."""

    def on_train_begin(self, logs=None):
        self.seen, self.least, self.weights = {}, None, []

    def on_epoch_end(self, epoch, logs=None):
        self.seen[epoch] = np.float32(logs["loss"])
        self.least = min(self.seen.values())
        self.weights = self.model.get_weights()
        if len(self.seen) % 2 == 0:
            self.model.optimizer.learning_rate = float(self.model.optimizer.learning_rate) / 2


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


CASES = {
    "dropout": {"layers": [lambda: keras.layers.Dropout(0.5)]},
    "batch norm": {"layers": [lambda: keras.layers.BatchNormalization()]},
    "noise": {"layers": [lambda: keras.layers.GaussianNoise(0.1)]},
    "recurrent dropout": {"layers": [lambda: keras.layers.LSTM(4, recurrent_dropout=0.3, return_sequences=True)]},
    "momentum": {"optimizer": lambda: keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True)},
    "rmsprop": {"optimizer": "rmsprop"},
    "nadam": {"optimizer": "nadam"},
    "moving average": {"optimizer": lambda: keras.optimizers.Adam(use_ema=True)},
    "gradient accumulation": {"optimizer": lambda: keras.optimizers.Adam(gradient_accumulation_steps=3)},
    "learning rate schedule": {
        "optimizer": lambda: keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.9))
    },
    "bfloat16": {"layers": [lambda: keras.layers.Dense(3, dtype="bfloat16")]},
    "cosine": {"rates": learning_rates("cosine", 0.1, 6 * 4)},
    "early stopping": {"callbacks": lambda: [keras.callbacks.EarlyStopping("loss", patience=2, min_delta=0.05)]},
    "best weights": {
        "callbacks": lambda: [keras.callbacks.EarlyStopping("accuracy", patience=2, restore_best_weights=True)]
    },
    "plateau": {"callbacks": lambda: [keras.callbacks.ReduceLROnPlateau("loss", patience=1, min_delta=0.1)]},
    "custom callback": {"callbacks": lambda: [HalveLearningRate()]},
    "batch callback": {
        "callbacks": lambda: [keras.callbacks.LambdaCallback(on_train_batch_end=print_nothing)],
    },
}


def print_nothing(batch, logs):
    pass


@pytest.mark.parametrize("name", longer(CASES, CASES.keys() - {"dropout", "custom callback", "batch callback"}))
def test_resumed_training_equals_uninterrupted_training(name, tmp_path, keep_every_epoch):
    case = {"layers": (), "optimizer": "adam", "rates": None, "callbacks": list} | CASES[name]
    X, y = data()
    X_val, y_val = data(20)

    def build():
        return network(*case["layers"], optimizer=case["optimizer"])

    def run(extra_callbacks=(), memory=None):
        model, history = build(), keras.callbacks.History()
        callbacks = [*case["callbacks"](), history, *extra_callbacks]
        settings = {"epochs": 6, "batch_size": 13, "seed": 3, "rates": case["rates"], "memory": memory}
        n_restored = train(model, X, y, validation_data=(X_val, y_val), callbacks=callbacks, **settings)
        return model, history.history, n_restored

    uninterrupted, history, _ = run()
    cache = EpochMemory(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run(extra_callbacks=[Interrupt(1)], memory=cache)
    with pytest.raises(KeyboardInterrupt):
        run(extra_callbacks=[Interrupt(2)], memory=cache)
    resumed, resumed_history, n_restored = run(memory=cache)
    assert n_restored == 2
    assert_equal_states(uninterrupted, resumed)
    assert resumed_history == history
    restored, restored_history, n_restored = run(memory=cache)
    assert n_restored == len(history["loss"])
    assert_equal_states(uninterrupted, restored)
    assert restored_history == history


NEW_PROCESS = """
import os, signal, sys
from pathlib import Path
import keras, numpy as np
from kerasnet.models import create_model
from _training import train
from kerasnet.training import EpochMemory, _resume, learning_rates

_resume._SECONDS_BETWEEN, _resume._MAX_WRITING_FRACTION = 0, np.inf
name, task, shape, folder = sys.argv[1], sys.argv[2], *map(eval, sys.argv[3:])
child = os.fork()  # before TensorFlow starts: both processes behave like new ones, with one import
killed = None if child else 3
if child:
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == -signal.SIGKILL
    names = sorted(path.stem[-6:] for path in Path(folder).rglob("*.npz"))
    assert names == ["000002", "000003"], "the newest two"

class Kill(keras.callbacks.Callback):
    changes_nothing = True
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == killed:
            os.kill(os.getpid(), signal.SIGKILL)

random = np.random.default_rng(0)
X = random.random((40, *shape)).astype(np.float32)
if name == "text_cnn":
    X = (100 * X).astype(np.int32)
y = X if task == "reconstruction" else random.integers(0, 2, 40)
rates = learning_rates("cosine", 0.01, 5 * 4)
for output, memory in (("resumed", EpochMemory(f"{folder}/memory")), ("uninterrupted", None)):
    keras.utils.set_random_seed(0)
    keras.backend.clear_session()
    model = create_model(name, input_shape=shape)
    model.compile("adam", "mse" if task == "reconstruction" else "sparse_categorical_crossentropy")
    train(model, X, y, epochs=5, batch_size=11, seed=1, rates=rates, callbacks=[Kill()], memory=memory)
    variables = [variable.numpy() for variable in [*model.variables, *model.optimizer.variables]]
    np.savez(f"{folder}/{output}.npz", *variables)
"""


@pytest.mark.parametrize("name", longer(list_models(), {*list_models()} - {"cnn"}))
def test_killed_training_is_resumed_in_a_new_process(name, tmp_path):
    entry = registered_model(name)

    arguments = [name, entry.tasks[0], *map(repr, (SHAPES[entry.input_kind], str(tmp_path)))]
    done = run("-c", NEW_PROCESS, *arguments)
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "uninterrupted.npz") as first, np.load(tmp_path / "resumed.npz") as second:
        assert len(first) == len(second) > 2
        for array in first:
            np.testing.assert_array_equal(first[array], second[array])


def fit(folder, epochs=3, seed=1, **options):
    """Train a small network; return it and the number of restored epochs."""
    model = network(lambda: keras.layers.Dropout(0.5))
    cache = folder if folder is None or isinstance(folder, EpochMemory) else EpochMemory(folder)
    return model, train(model, *data(), epochs=epochs, batch_size=13, seed=seed, memory=cache, **options)


def change_checkpoint(path, **changes):
    """Return the content of a changed checkpoint."""
    with np.load(path) as file:
        arrays = dict(file)
    about = json.loads(arrays["about"].tobytes())
    for name, value in changes.items():
        if name in arrays:
            arrays[name] = value
        else:
            about[name] = value
    if "about" not in changes:
        arrays["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
    return arrays


CORRUPTIONS = {
    "empty": lambda path, other: path.write_bytes(b""),
    "truncated": lambda path, other: path.write_bytes(path.read_bytes()[:-100]),
    "noise": lambda path, other: path.write_bytes(np.random.default_rng(0).bytes(5000)),
    "bit": lambda path, other: path.write_bytes(flip_bit(path.read_bytes(), 1500)),
    "another training": lambda path, other: path.write_bytes(other.read_bytes()),
    "older format": lambda path, other: np.savez(path, **change_checkpoint(path, format=0)),
    "no description": lambda path, other: np.savez(path, x=np.zeros(3)),
    "not JSON": lambda path, other: np.savez(path, **change_checkpoint(path, about=np.zeros(9, np.uint8))),
    "JSON list": lambda path, other: np.savez(path, **change_checkpoint(path, about=np.frombuffer(b"[1]", np.uint8))),
    "deep JSON": lambda path, other: np.savez(
        path, **change_checkpoint(path, about=np.frombuffer(b"[" * 100_000, np.uint8))
    ),
    "wrong shape": lambda path, other: np.savez(path, **change_checkpoint(path, **{"1": np.zeros(3, np.float32)})),
    "wrong dtype": lambda path, other: np.savez(path, **change_checkpoint(path, **{"1": np.zeros((12, 3))})),
    "wrong number of epochs": lambda path, other: np.savez(
        path, **change_checkpoint(path, known={"dict": [["n_epochs", 2], ["stopped", False], ["logs", None]]})
    ),
    "array index beyond the arrays": lambda path, other: np.savez(
        path, **change_checkpoint(path, callbacks=[{"array": 99}])
    ),
    "objects": lambda path, other: np.savez(path, **change_checkpoint(path, **{"1": np.array([print], object)})),
    "folder": lambda path, other: (path.unlink(), path.mkdir()),
}


def flip_bit(content, place):
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A trained model, the folder of its checkpoints and that of another training."""
    folder = tmp_path_factory.mktemp("states")
    uninterrupted, _ = fit(folder / "memory")
    fit(folder / "other", seed=2)
    return uninterrupted, folder


CORRUPTIONS_TRIED = {"empty", "bit", "another training", "deep JSON", "wrong shape", "folder"}


@pytest.mark.parametrize("corruption", longer(CORRUPTIONS, CORRUPTIONS.keys() - CORRUPTIONS_TRIED))
def test_corrupted_or_foreign_checkpoint_warns_and_its_epochs_are_trained(corruption, trained, tmp_path):
    uninterrupted, folder = trained
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    ((path,), (other,)) = files(tmp_path / "memory"), files(tmp_path / "other")
    CORRUPTIONS[corruption](path, other)
    # a folder instead of the file cannot be replaced either
    with pytest.warns(UserWarning, match="its epochs are trained again|cannot be written") as warned:
        model, n_restored = fit(tmp_path / "memory")
    assert "its epochs are trained" in str(warned[0].message)
    assert path.name in str(warned[0].message)
    assert n_restored == 0
    assert_equal_states(model, uninterrupted)
    if corruption != "folder":
        assert fit(tmp_path / "memory")[1] == 3, "the file was replaced"


def test_older_checkpoint_is_used_if_the_newer_one_is_corrupted(tmp_path, keep_every_epoch):
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path, callbacks=[Interrupt(2)])
    _, newer = files(tmp_path)
    newer.write_bytes(b"")
    with pytest.warns(UserWarning, match=newer.name):
        model, n_restored = fit(tmp_path)
    assert n_restored == 1
    assert_equal_states(model, fit(None)[0])


def test_final_checkpoints_are_kept_and_intermediate_ones_are_removed(tmp_path, keep_every_epoch):
    for epochs in (2, 5):
        fit(tmp_path, epochs)
    assert [path.stem.partition("-")[2] for path in files(tmp_path)] == ["000002-end", "000003", "000004", "000005-end"]
    assert fit(tmp_path, 4)[1] == 4
    assert [path.stem.partition("-")[2] for path in files(tmp_path)][2] == "000004-end"
    assert [fit(tmp_path, epochs)[1] for epochs in (1, 2, 5, 6)] == [0, 2, 5, 5]


def test_minimum_time_between_checkpoints(tmp_path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(resume.time, "monotonic", lambda: now[0])
    written = []

    class Clock(keras.callbacks.Callback):
        changes_nothing = True

        def on_epoch_end(self, epoch, logs=None):
            now[0] += 0.9

    def write(self, key, n_epochs, arrays, at_end):
        written.append((n_epochs, at_end))
        now[0] += 0.2

    monkeypatch.setattr(EpochMemory, "_write", write)
    fit(tmp_path, 10, callbacks=[Clock()])
    assert written == [(3, False), (8, False), (10, True)]


def test_least_recently_used_checkpoints_are_removed(tmp_path):
    fit(tmp_path, seed=0)
    cache = EpochMemory(tmp_path, max_bytes=3 * files(tmp_path)[0].stat().st_size + 100)
    for age, seed in enumerate((1, 2)):
        os.utime(max(files(tmp_path), key=os.path.getmtime), (age, age))
        fit(cache, seed=seed)
    assert fit(cache, seed=0)[1] == 3, "used now, after seed 1"
    fit(cache, seed=3)
    assert len(files(tmp_path)) == 3
    assert [fit(EpochMemory(tmp_path), seed=seed)[1] for seed in (0, 2, 3, 1)] == [3, 3, 3, 0]


def test_checkpoint_larger_than_the_limit_warns_and_is_not_written(tmp_path):
    with pytest.warns(UserWarning, match="max_bytes=100"):
        model, _ = fit(EpochMemory(tmp_path, max_bytes=100))
    assert files(tmp_path) == []
    assert_equal_states(model, fit(None)[0])


def test_temporary_files_of_killed_processes_are_removed(tmp_path):
    fit(tmp_path)
    leftover = files(tmp_path)[0].parent / f".x.npz.{'0' * 32}.tmp"
    leftover.write_bytes(b"half")
    memory._bytes_since_cleanup.clear()
    fit(tmp_path, seed=2)
    assert not leftover.exists()


def test_full_disk_warns_and_training_continues(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.warns(UserWarning, match="cannot be written; training continues"):
            model, _ = fit(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert files(tmp_path) == []
    assert_equal_states(model, fit(None)[0])


def test_location_that_is_not_a_folder_raises_before_training(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        fit(tmp_path / "file")


def test_resume_false_trains_all_epochs_and_writes_checkpoints(tmp_path):
    assert [fit(EpochMemory(tmp_path, resume=is_resumed))[1] for is_resumed in (True, False, True)] == [0, 0, 3]


def test_as_memory(tmp_path):
    cache = EpochMemory(tmp_path, max_bytes=7, resume=False)
    assert as_memory(cache) is cache
    assert as_memory(None) is as_memory(joblib.Memory(None)) is None
    for location in (str(tmp_path), tmp_path, joblib.Memory(tmp_path, verbose=0)):
        assert as_memory(location).location == str(tmp_path)
    assert repr(cache) == f"EpochMemory({str(tmp_path)!r}, max_bytes=7, resume=False)"


WRITER = """
import importlib.util, sys, time
from pathlib import Path
import numpy as np
import kerasnet

# only this module, which does not import TensorFlow
spec = importlib.util.spec_from_file_location("memory", Path(kerasnet.__file__).parent / "training" / "memory.py")
memory = importlib.util.module_from_spec(spec)
spec.loader.exec_module(memory)
assert "tensorflow" not in sys.modules
EpochMemory = memory.EpochMemory

number, seconds, folder = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
cache = EpochMemory(folder, max_bytes=3_000_000)
random, n_written, n_read = np.random.default_rng(number), 0, 0
end = time.monotonic() + seconds
while time.monotonic() < end or min(n_written, n_read) <= 10:
    key, epoch = "ab" + "%030x" % random.integers(4), int(random.integers(1, 9))
    content = np.random.default_rng(epoch).random(50_000)
    cache._write(key, epoch, {"0": content, "1": content * 2}, at_end=bool(random.integers(2)))
    n_written += 1
    for state in cache._states(key):
        try:
            arrays = cache._read(state)
        except FileNotFoundError:
            continue
        expected = np.random.default_rng(state.n_epochs).random(50_000)
        assert np.array_equal(arrays["0"], expected) and np.array_equal(arrays["1"], expected * 2)
        n_read += 1
print(n_written, n_read)
"""


@pytest.mark.parametrize("seconds", [1, pytest.param(60, marks=pytest.mark.exhaustive)])
def test_concurrent_processes_with_the_same_keys(seconds, tmp_path):
    command = [sys.executable, "-W", "error", "-c", WRITER]
    writers = [
        subprocess.Popen([*command, str(number), str(seconds), str(tmp_path)], stdout=-1, stderr=-1, text=True)
        for number in range(2)
    ]
    for writer in writers:
        out, err = writer.communicate(timeout=seconds + 60)
        assert writer.returncode == 0, err
        n_written, n_read = map(int, out.split())
        assert n_written > 10
        assert n_read > 10
    assert sum(path.stat().st_size for path in files(tmp_path)) < 3_000_000 + 2 * 900_000
    assert not [path for path in files(tmp_path) if path.suffix == ".tmp"]


def test_checkpoint_is_an_npz_file_of_plain_arrays(tmp_path):
    fit(tmp_path, callbacks=[keras.callbacks.History()])
    (path,) = files(tmp_path)
    assert path.parent.parent == tmp_path / "kerasnet-states"
    assert zipfile.ZipFile(path).testzip() is None
    with np.load(path, allow_pickle=False) as file:
        about = json.loads(file["about"].tobytes())
        assert about["n_variables"] == len(file) - 1
    assert [name for name, _ in about["callbacks"][0]["dict"]] == ["history", "epoch"]


def test_reading_updates_the_time_of_last_use(tmp_path):
    fit(tmp_path)
    (path,) = files(tmp_path)
    os.utime(path, (0, 0))
    fit(tmp_path)
    assert time.time() - path.stat().st_mtime < 60


def test_location_formats(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert EpochMemory("~/states").location == str(tmp_path / "states")
    for empty in ("", b""):
        with pytest.raises(ValueError, match="must be the path of a folder. Received: an empty string"):
            EpochMemory(empty)
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match="empty string"):
        KerasNetClassifier("mlp", epochs=1, random_state=0, memory="").fit(X, y)
    KerasNetClassifier("mlp", epochs=1, random_state=0, memory="~/states").fit(X, y)
    assert (tmp_path / "states" / "kerasnet-states").is_dir()
