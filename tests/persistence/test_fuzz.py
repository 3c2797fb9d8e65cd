"""Good files, changed at random: documented errors only, and never a silently different model."""

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


def mutated(content, rng):
    """Content with one to three changes of some kind."""
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


def archive_of(estimator, folder):
    kn.save(estimator.fit(X, Y), folder / "good.kerasnet")
    return (folder / "good.kerasnet").read_bytes()


def predicted(path):
    return kn.load(path).predict_proba(X).tobytes()


def resumed(path):
    """Fit in memory of a state that is the file, and return what comes out."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = network().set_params(memory=str(path.parent / "memory"), epochs=3).fit(X, Y)
    assert all("A state of this training cannot be" in str(each.message) for each in caught), caught
    return fitted.predict_proba(X).tobytes()


def loader_of_states(folder):
    """A state after two epochs of three, and where it is put back."""
    memory = folder / "memory"
    network().set_params(memory=str(memory)).fit(X, Y)
    state = max(memory.rglob("*.npz"), key=lambda path: path.stat().st_mtime_ns)  # a slow machine writes one before
    content = state.read_bytes()

    def load(path):
        for each in memory.rglob("*.npz"):
            each.unlink()
        state.write_bytes(path.read_bytes())
        return resumed(path)

    return content, load


def idx_of(images):
    return b"\0\0\x08\2" + struct.pack(">2I", *images.shape) + images.tobytes()


LOADERS = {  # name -> what makes content and loader; whether a loaded one must equal the good one
    "load: network": (lambda folder: (archive_of(network(), folder), predicted), True),
    "load: pipeline": (
        lambda folder: (archive_of(make_pipeline(StandardScaler(), network()), folder), predicted),
        True,
    ),
    "inspect": (lambda folder: (archive_of(network(), folder), lambda path: dict(kn.inspect(path))), True),
    "states of training": (loader_of_states, True),
    "read_idx": (lambda folder: (idx_of(IMAGE), kn.datasets.read_idx), False),
    "read_idx, packed": (lambda folder: (gzip.compress(idx_of(IMAGE)), kn.datasets.read_idx), False),
    "load_fashion_mnist": (
        lambda folder: (
            npz_of({"x_train": np.zeros((9, 28, 28), np.uint8), "y_train": np.arange(9)}, np.savez_compressed),
            lambda path: kn.datasets.load_fashion_mnist(path=path),
        ),
        False,
    ),
    "load_csv": (
        lambda folder: (
            b"size,colour,label\n" + b"".join(b"%d.5,red %d,%d\n" % (n, n % 3, n % 2) for n in range(50)),
            lambda path: kn.datasets.load_csv(path, target="label"),
        ),
        False,
    ),
    "prepare_images, PNG": (lambda folder: (encoded(".png"), prepare), False),
    "prepare_images, JPEG": (lambda folder: (encoded(".jpg"), prepare), False),
}


def encoded(suffix):
    return cv2.imencode(suffix, IMAGE)[1].tobytes()


def prepare(path):
    return kn.features.prepare_images([path])


NUMBERS = [200, pytest.param(2000, marks=pytest.mark.exhaustive)]


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("name", LOADERS)
def test_changed_files_are_refused_or_load_as_they_were(record_property, tmp_path, name, number):
    make, has_sums = LOADERS[name]
    number = number // 4 if name == "states of training" else number  # each of them is a fit
    content, load = make(tmp_path)
    path, n_loaded, n_refused = tmp_path / "changed", 0, 0
    path.write_bytes(content)
    good = load(path)
    for seed in range(number):
        path.write_bytes(mutated(content, np.random.default_rng(seed)))
        try:
            loaded = load(path)
        except DOCUMENTED as error:
            assert str(path) in str(error)  # noqa: PT017 - which error it is has been seen
            n_refused += 1
        else:
            n_loaded += 1
            assert not has_sums or loaded == good, f"seed {seed}"
    record_property("counts", f"{name}: {number} changed files, {n_refused} refused, {n_loaded} loaded")


@pytest.mark.parametrize("number", NUMBERS)
def test_changed_archives_with_sums_that_agree_raise_documented_errors(record_property, tmp_path, number):
    """What checks of sums hold back in the test above, meets the checks behind them here."""
    path, n_refused = tmp_path / "changed.kerasnet", 0
    archive_of(make_pipeline(StandardScaler(), network()), tmp_path)
    crafted = [Crafted(tmp_path / "good.kerasnet")]
    archive_of(make_pipeline(StandardScaler(), RandomForestClassifier(2, random_state=0)), tmp_path)
    crafted.append(Crafted(tmp_path / "good.kerasnet"))
    for seed in range(number):
        rng = np.random.default_rng(seed)
        archive = crafted[seed % 2]
        kept = dict(archive.members), archive.manifest, archive.state
        parts = [*archive.members, "state", *archive.manifest]
        part = parts[rng.integers(len(parts))]
        if part in archive.members:
            archive.members[part] = mutated_within(archive.members[part], rng)
        elif part == "state":
            archive.state = changed_value(archive.state, rng)
        else:
            archive.manifest = {**archive.manifest, part: changed_value(archive.manifest[part], rng)}
        archive.write(path)
        archive.members, archive.manifest, archive.state = kept
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                loaded = kn.load(path)
        except DOCUMENTED:
            n_refused += 1
            continue
        with contextlib.suppress(Exception), warnings.catch_warnings():  # it may make no sense, but does no harm
            warnings.simplefilter("ignore")
            loaded.predict_proba(X)
    record_property("counts", f"{number} changed archives with sums that agree, {n_refused} refused")


def mutated_within(content, rng):
    """A zip archive with another byte somewhere, and its checksums mended."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    if members:
        name = list(members)[rng.integers(len(members))]
        members[name] = mutated(members[name], rng)
    return zip_of(members)


STRANGE = (
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


def changed_value(value, rng):
    """JSON with something else at a random place."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        name = list(value)[rng.integers(len(value))]
        return {**value, name: changed_value(value[name], rng)}
    if isinstance(value, list) and value and rng.random() < 0.9:
        place = rng.integers(len(value))
        return [*value[:place], changed_value(value[place], rng), *value[place + 1 :]]
    return STRANGE[rng.integers(len(STRANGE))]
