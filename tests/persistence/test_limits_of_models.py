"""Limits are checked before models are built, and weights are read from the file only."""

import dataclasses
import functools
import inspect

import keras
import numpy as np
import pytest
from _crafted import Crafted
from _longer import longer

import kerasnet as kn
from kerasnet.errors import CheckpointMismatchError, UnsafeFileError
from kerasnet.models import _registry, register_model, registered_model

X, Y = np.random.default_rng(0).random((30, 4), dtype=np.float32), np.arange(30) % 3
BUILT_IN = [name for name in kn.list_models() if registered_model(name).builder.__module__.startswith("kerasnet.")]
SHAPES = {"image": (32, 32, 3), "sequence": (10, 4), "tokens": (10,), "vector": (4,)}


@pytest.fixture(scope="module")
def small_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("archives") / "small.kerasnet"
    kn.save(kn.KerasNetClassifier("mlp", dense_units=(4,), epochs=1).fit(X, Y), path)
    return path


@pytest.fixture
def archive(small_file):
    """A small archive that tests change."""
    return Crafted(small_file)


@pytest.fixture
def own_registry(monkeypatch):
    monkeypatch.setattr(_registry, "_REGISTRY", dict(_registry._REGISTRY))


def set_model(archive, name, arguments):
    """Set the model of an archive without changing its few arrays."""
    kind = registered_model(name).input_kind
    shape = {"tuple": list(SHAPES[kind])}
    archive.network["model"]["name"] = archive.network["fit"]["model"]["name"] = name
    archive.network["parameters"] = archive.network["fit"]["parameters"] = {}
    archive.network["fit"]["arguments"] = {"input_shape": shape, **arguments}
    archive.state[0].update(input_shape_=shape, _input_kind=kind)


def replace_builder(name, builder):
    """Replace the builder of a registered model with one that has the same signature."""
    entry = registered_model(name)
    _registry._REGISTRY[name] = dataclasses.replace(entry, builder=functools.wraps(entry.builder)(builder))


def huge_values(name):
    """Return arguments that need a few bytes in a file but would create very many layers."""
    entry, found = registered_model(name), {}
    for each in inspect.signature(entry.builder).parameters.values():
        if isinstance(each.default, tuple) and each.name != "input_shape":
            found[each.name] = {"tuple": [1] * 100_000}
        elif type(each.default) is int and entry.upper_bounds({each.name: 10**9})[0] > 10**6:
            found[each.name] = 10**9
    return found


HUGE = [(name, argument, value) for name in BUILT_IN for argument, value in huge_values(name).items()]


@pytest.mark.parametrize(("name", "argument", "value"), HUGE, ids=[f"{name}-{argument}" for name, argument, _ in HUGE])
def test_huge_arguments_raise_before_the_builder_is_called(archive, own_registry, tmp_path, name, argument, value):
    calls = []
    replace_builder(name, lambda **arguments: calls.append(arguments))
    set_model(archive, name, {argument: value})
    archive.write(tmp_path / "a.kerasnet")
    with pytest.raises(UnsafeFileError, match=r"network 0: expected weights for up to \d+ layers, .* only 4 arrays"):
        kn.load(tmp_path / "a.kerasnet")
    assert not calls


def test_models_with_many_layers_load_if_the_file_has_their_weights(archive, tmp_path):
    units = (1,) * 260
    assert registered_model("mlp").upper_bounds({"dense_units": units})[0] > 512
    model = kn.build_mlp((4,), 3, dense_units=units)
    arrays = {f"0/{position}/{each.path}": each.numpy() for position, each in enumerate(model.variables)}
    archive.network["fit"]["arguments"]["dense_units"] = {"tuple": list(units)}
    archive.network["fit"]["trainable"] = [True] * len(model._flatten_layers())
    archive.arrays = arrays
    archive.write(tmp_path / "a.kerasnet")
    loaded = kn.load(tmp_path / "a.kerasnet").model_
    for found, expected in zip(loaded.variables, model.variables, strict=True):
        np.testing.assert_array_equal(found.numpy(), expected.numpy())
    archive.arrays = dict(list(arrays.items())[:200])
    archive.write(tmp_path / "a.kerasnet")
    with pytest.raises(UnsafeFileError, match="up to 523 layers, which the arguments ask for, found only 200 arrays"):
        kn.load(tmp_path / "a.kerasnet")


def build_blocks(input_shape, n_outputs, *, n_blocks=1, output_activation="softmax"):
    hidden = [keras.layers.Dense(1) for _ in range(n_blocks)]
    output = keras.layers.Dense(n_outputs, activation=output_activation)
    return keras.Sequential([keras.Input(input_shape), *hidden, output])


def test_declared_max_layers_of_user_defined_builders_limit_files(own_registry, tmp_path):
    declare = functools.partial(register_model, "blocks", input_kind="vector", tasks=("classification",))
    declare(max_layers=lambda n_blocks, **_: 100 * n_blocks + 1)(build_blocks)
    classifier = kn.KerasNetClassifier("blocks", n_blocks=2, random_state=0).initialize(X, Y)
    kn.save(classifier, tmp_path / "a.kerasnet")
    loaded = kn.load(tmp_path / "a.kerasnet")
    np.testing.assert_array_equal(loaded.predict_proba(X), classifier.predict_proba(X))
    crafted = Crafted(tmp_path / "a.kerasnet")
    crafted.network["fit"]["arguments"]["n_blocks"] = 6
    crafted.write(tmp_path / "a.kerasnet")
    with pytest.raises(UnsafeFileError, match="up to 601 layers, which the arguments ask for, found only 6 arrays"):
        kn.load(tmp_path / "a.kerasnet")
    declare()(build_blocks)  # without max_layers, only the variables are limited
    with pytest.raises(CheckpointMismatchError, match="expected the arrays of the model, did not find"):
        kn.load(tmp_path / "a.kerasnet")


@pytest.mark.parametrize("weights", longer(["imagenet", "mnist", "/etc/hostname"], ["mnist", "/etc/hostname"]))
@pytest.mark.parametrize("name", BUILT_IN)
def test_registered_builders_receive_no_weights_argument_from_a_file(archive, own_registry, tmp_path, name, weights):
    received = []

    def build(**arguments):
        received.append(arguments["weights"])
        return kn.build_mlp((32, 32, 3), 3)

    replace_builder(name, build)
    set_model(archive, name, {"weights": weights})
    archive.write(tmp_path / "a.kerasnet")
    with pytest.raises(CheckpointMismatchError, match="expected the arrays of the model|expected float32"):
        kn.load(tmp_path / "a.kerasnet")
    assert received == [None]


@pytest.mark.parametrize("default", ["imagenet", None])
def test_registered_user_defined_builders_receive_no_weights_argument_from_a_file(own_registry, tmp_path, default):
    received = []

    def build_pretrained(input_shape, n_outputs, *, weights=default, output_activation="softmax"):
        received.append(weights)
        return kn.build_mlp(input_shape, n_outputs, dense_units=(3,), output_activation=output_activation)

    register_model("pretrained", input_kind="vector", tasks=("classification",))(build_pretrained)
    given = {} if default else {"weights": "imagenet"}
    classifier = kn.KerasNetClassifier("pretrained", **given, random_state=0).initialize(X, Y)
    assert received[0] == "imagenet"
    received.clear()
    kn.save(classifier, tmp_path / "a.kerasnet")
    loaded = kn.load(tmp_path / "a.kerasnet")
    assert received
    assert set(received) == {None}
    assert loaded.get_params() == classifier.get_params()
    np.testing.assert_array_equal(loaded.predict_proba(X), classifier.predict_proba(X))
