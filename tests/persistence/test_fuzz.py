"""Valid files with random changes raise documented errors, or load the same model."""

import contextlib
import gzip
import io
import struct
import warnings
import zipfile

import cv2
import numpy as np
import pytest
from _crafted import Crafted, npz_of, zip_of
from sklearn.ensemble import RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import kerasnet as kn
from kerasnet.errors import KerasNetError

X, Y = np.random.default_rng(0).random((30, 4), dtype=np.float32), np.arange(30) % 3
IMAGE = np.random.default_rng(0).integers(256, size=(20, 30), dtype=np.uint8)
DOCUMENTED = (KerasNetError, OSError)


def mutate(content, rng):
    """Return the content with one to three random changes."""
    content = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        place, length = rng.integers(max(len(content), 1)), int(rng.choice([1, 1, 1, 4, 20, 200]))
        kind = rng.integers(6)
        if kind == 0 and content:
            content[place] ^= 1 << rng.integers(8)
        elif kind == 1:
            content[place : place + length] = rng.bytes(length)
        elif kind == 2:
            del content[place : place + length]
        elif kind == 3:
            content[place:place] = content[place : place + length]
        elif kind == 4:
            content[place : place + length] = bytes(length)
        else:
            content = content[: max(place, 1)]
    return bytes(content)


def network():
    return kn.KerasNetClassifier("mlp", dense_units=(4,), dropout=0.5, epochs=2, random_state=0)


def save_archive(estimator, folder):
    kn.save(estimator.fit(X, Y), folder / "valid.kerasnet")
    return (folder / "valid.kerasnet").read_bytes()


def predict(path):
    return kn.load(path).predict_proba(X).tobytes()


def resume(path):
    """Resume a fit from a checkpoint, and return the predictions."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = network().set_params(memory=str(path.parent / "memory"), epochs=3).fit(X, Y)
    assert all("A checkpoint cannot be" in str(each.message) for each in caught), caught
    return fitted.predict_proba(X).tobytes()


def checkpoint_loader(folder):
    """Return a checkpoint after two of three epochs, and a function that resumes from a file."""
    memory = folder / "memory"
    network().set_params(memory=str(memory)).fit(X, Y)
    state = max(
        memory.rglob("*.npz"), key=lambda path: path.stat().st_mtime_ns
    )  # on a slow machine, there is an earlier one
    content = state.read_bytes()

    def load(path):
        for each in memory.rglob("*.npz"):
            each.unlink()
        state.write_bytes(path.read_bytes())
        return resume(path)

    return content, load


def to_idx(images):
    return b"\0\0\x08\2" + struct.pack(">2I", *images.shape) + images.tobytes()


LOADERS = {  # name -> (function that returns content and loader, whether a loaded object must equal the original)
    "load: network": (lambda folder: (save_archive(network(), folder), predict), True),
    "load: pipeline": (
        lambda folder: (save_archive(make_pipeline(StandardScaler(), network()), folder), predict),
        True,
    ),
    "inspect": (lambda folder: (save_archive(network(), folder), lambda path: dict(kn.inspect(path))), True),
    "checkpoints": (checkpoint_loader, True),
    "read_idx": (lambda folder: (to_idx(IMAGE), kn.datasets.read_idx), False),
    "read_idx, packed": (lambda folder: (gzip.compress(to_idx(IMAGE)), kn.datasets.read_idx), False),
    "load_fashion_mnist": (
        lambda folder: (
            npz_of({"x_train": np.zeros((9, 28, 28), np.uint8), "y_train": np.arange(9)}, np.savez_compressed),
            lambda path: kn.datasets.load_fashion_mnist(path=path),
        ),
        False,
    ),
    "load_csv": (
        lambda folder: (
            b"size,color,label\n" + b"".join(b"%d.5,red %d,%d\n" % (n, n % 3, n % 2) for n in range(50)),
            lambda path: kn.datasets.load_csv(path, target="label"),
        ),
        False,
    ),
    "prepare_images, PNG": (lambda folder: (encode_image(".png"), prepare), False),
    "prepare_images, JPEG": (lambda folder: (encode_image(".jpg"), prepare), False),
}


def encode_image(suffix):
    return cv2.imencode(suffix, IMAGE)[1].tobytes()


def prepare(path):
    return kn.features.prepare_images([path])


NUMBERS = [200, pytest.param(2000, marks=pytest.mark.exhaustive)]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("name", LOADERS)
def test_mutated_files_raise_or_load_unchanged(record_property, tmp_path, name, number):
    make, has_hashes = LOADERS[name]
    number = number // 8 if name == "checkpoints" else number  # each of them needs a fit
    content, load = make(tmp_path)
    path, n_loaded, n_rejected = tmp_path / "changed", 0, 0
    path.write_bytes(content)
    original = load(path)
    for seed in range(number):
        path.write_bytes(mutate(content, np.random.default_rng(seed)))
        try:
            loaded = load(path)
        except DOCUMENTED as error:
            assert str(path) in str(error)  # noqa: PT017 - the type was checked by except
            n_rejected += 1
        else:
            n_loaded += 1
            assert not has_hashes or loaded == original, f"seed {seed}"
    record_property("counts", f"{name}: {number} mutated files, {n_rejected} rejected, {n_loaded} loaded")


@pytest.mark.parametrize("number", [100, *NUMBERS[1:]])
def test_mutated_archives_with_valid_hashes_raise_documented_errors(record_property, tmp_path, number):
    """Test the checks that follow the hash checks."""
    path, n_rejected = tmp_path / "changed.kerasnet", 0
    save_archive(make_pipeline(StandardScaler(), network()), tmp_path)
    crafted = [Crafted(tmp_path / "valid.kerasnet")]
    save_archive(make_pipeline(StandardScaler(), RandomForestClassifier(2, random_state=0)), tmp_path)
    crafted.append(Crafted(tmp_path / "valid.kerasnet"))
    for seed in range(number):
        rng = np.random.default_rng(seed)
        archive = crafted[seed % 2]
        original = dict(archive.members), archive.manifest, archive.state
        parts = [*archive.members, "state", *archive.manifest]
        part = parts[rng.integers(len(parts))]
        if part in archive.members:
            archive.members[part] = mutate_member(archive.members[part], rng)
        elif part == "state":
            archive.state = change_value(archive.state, rng)
        else:
            archive.manifest = {**archive.manifest, part: change_value(archive.manifest[part], rng)}
        archive.write(path)
        archive.members, archive.manifest, archive.state = original
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                loaded = kn.load(path)
        except DOCUMENTED:
            n_rejected += 1
            continue
        with contextlib.suppress(Exception), warnings.catch_warnings():  # may be invalid, but must be safe
            warnings.simplefilter("ignore")
            loaded.predict_proba(X)
    record_property("counts", f"{number} mutated archives with valid hashes, {n_rejected} rejected")


def mutate_member(content, rng):
    """Mutate a member of a zip archive, and update its checksum."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    if members:
        name = list(members)[rng.integers(len(members))]
        members[name] = mutate(members[name], rng)
    return zip_of(members)


UNEXPECTED_VALUES = (
    None,
    True,
    -1,
    0,
    2**70,
    1e308,
    float("nan"),
    "",
    "x",
    "os.system",
    [],
    {},
    [[]],
    {"tuple": []},
    {"dict": 3},
)


def change_value(value, rng):
    """Replace a random part of a JSON value."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        name = list(value)[rng.integers(len(value))]
        return {**value, name: change_value(value[name], rng)}
    if isinstance(value, list) and value and rng.random() < 0.9:
        place = rng.integers(len(value))
        return [*value[:place], change_value(value[place], rng), *value[place + 1 :]]
    return UNEXPECTED_VALUES[rng.integers(len(UNEXPECTED_VALUES))]
