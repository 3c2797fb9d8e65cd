"""Tests of the model registry."""

import functools
import re

import keras
import pytest

from kerasnet import models
from kerasnet.errors import UnknownModelError
from kerasnet.models import _registry, build_cnn, create_model, list_models, register_model, registered_model


@pytest.fixture
def registry_copy(monkeypatch):
    monkeypatch.setattr(_registry, "_REGISTRY", dict(_registry._REGISTRY))


def build_tiny(input_shape=(4,), n_outputs=2, *, output_activation="softmax", name="tiny"):
    output = keras.layers.Dense(n_outputs, activation=output_activation, name="output")
    return keras.Sequential([keras.Input(input_shape, name="input"), output], name=name)


def test_public_builders_are_registered():
    public = {getattr(models, name) for name in models.__all__ if name.startswith("build_")}
    assert {registered_model(name).builder for name in list_models()} >= public
    assert {f"build_{name}" for name in ("cnn", "mlp", "simple_rnn", "autoencoder")} <= set(models.__all__)


def test_list_models_is_sorted_and_filtered():
    assert list_models() == sorted(list_models())
    assert "autoencoder" in list_models(task="reconstruction")
    assert "autoencoder" not in list_models(task="classification")
    assert "cnn" in list_models(input_kind="image")
    assert "mlp" not in list_models(input_kind="image")


@pytest.mark.parametrize(
    "filters", [{"task": "classify"}, {"input_kind": "images"}, {"weights": "cifar"}, {"weights": []}]
)
def test_list_models_unknown_filter_value_raises(filters):
    ((name, value),) = filters.items()
    with pytest.raises(ValueError, match=rf"{name} must be None or one of \[.*\]\. Received: {re.escape(repr(value))}"):
        list_models(**filters)


def test_list_models_filters_by_weights():
    assert "lenet" in list_models(weights="mnist")
    assert set(list_models(weights=True)) | set(list_models(weights=False)) == set(list_models())


def test_card_of_builder_without_defaults_and_invalid_builders(registry_copy):
    def build_without_defaults(input_shape, n_outputs):
        return build_tiny(input_shape, n_outputs)

    register_model("no_defaults", input_kind="vector", tasks=("classification",))(build_without_defaults)
    card = models.model_card("no_defaults")
    assert (card.input_shape, card.n_parameters, card.weights) == (None, None, {})
    for invalid in (functools.partial(build_tiny), lambda n_outputs=2: None):
        with pytest.raises(TypeError, match="must be a function with an argument input_shape"):
            register_model("invalid", input_kind="vector", tasks=())(invalid)
    with pytest.raises(UnknownModelError, match="Expected the name of a registered model"):
        models.model_card(build_cnn)


def test_register_model_returns_the_builder(registry_copy):
    assert register_model("tiny", input_kind="vector", tasks=("classification",))(build_tiny) is build_tiny
    assert create_model("tiny", input_shape=(3,)).count_params() == 8
    assert registered_model(build_tiny).input_kind == "vector"


def test_registering_a_name_twice_raises():
    with pytest.raises(ValueError, match=r"'cnn' is already registered for kerasnet\.models\.cnn\.build_cnn"):
        register_model("cnn", input_kind="image", tasks=("classification",))(build_tiny)
    assert registered_model("cnn").builder is build_cnn


def test_unknown_name_error_lists_close_matches():
    with pytest.raises(UnknownModelError, match=r"No model 'simple_rn' is registered\. Did you mean: simple_rnn\?"):
        create_model("simple_rn")
    with pytest.raises(UnknownModelError, match=r"Registered models: attention, autoencoder"):
        create_model("zzz")


def test_registered_model_of_unregistered_builder_is_none():
    assert registered_model(build_tiny) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_kind": "sound", "tasks": ("classification",)}, "input_kind must be one of"),
        ({"input_kind": "image", "tasks": "classification"}, "tasks must be a sequence of names"),
    ],
)
def test_register_model_invalid_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        register_model("invalid", **arguments)
