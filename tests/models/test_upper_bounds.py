"""Tests of the declared upper bounds of registered models."""

import dataclasses
import inspect

import numpy as np
import pytest
from _longer import longer

from kerasnet.models import _registry, build_backbone, list_models, register_model, registered_model
from kerasnet.models.backbone import BACKBONES

MODELS = [name for name in list_models() if registered_model(name).builder.__module__.startswith("kerasnet.")]
LARGEST_BACKBONES = {"layers": "densenet121", "parameters": "convnext_tiny"}
SMALL = {  # arguments of models that are built fast
    "backbone": {"input_shape": (76, 76, 1)},
    "inception_time": {"depth": 1},
    "resnet_small": {"input_shape": (9, 9, 3), "depth": 8},
}


def count_layers(model):
    """Count the layers of a model, including nested layers."""
    return len(model._flatten_layers(include_self=False))


def larger_arguments(name):
    """Yield arguments that create models with more layers than the default."""
    parameters = inspect.signature(registered_model(name).builder).parameters.values()
    fixed = {**SMALL.get(name, {})}
    fixed.update({parameter.name: 0.5 for parameter in parameters if parameter.name == "dropout"})
    fixed.update({parameter.name: 0.0 for parameter in parameters if parameter.name == "mask_value"})
    yield fixed
    for parameter in parameters:
        if isinstance(parameter.default, tuple) and parameter.name != "input_shape":
            yield from ({**fixed, parameter.name: (2,) * n} for n in (0, 1, 3))
        elif type(parameter.default) is int and name != "backbone":
            yield {**fixed, parameter.name: parameter.default + 6}


@pytest.mark.parametrize("name", longer(MODELS, ["backbone"]))  # see the next test
def test_number_of_layers_is_within_the_declared_bound(name):
    entry, n_built = registered_model(name), 0
    for arguments in [{}, *larger_arguments(name)]:
        try:
            model = entry.builder(**arguments)
        except ValueError:  # for example a kernel larger than the images
            continue
        n_layers, n_unused_bytes = entry.upper_bounds(arguments)
        assert count_layers(model) <= n_layers <= 2 * count_layers(model) + 20, arguments
        assert n_unused_bytes == 0
        n_built += 1
    assert n_built >= 2


@pytest.mark.parametrize(
    "backbone",
    [
        *LARGEST_BACKBONES.values(),
        *(
            pytest.param(name, marks=pytest.mark.exhaustive)
            for name in BACKBONES
            if name not in LARGEST_BACKBONES.values()
        ),
    ],
)
def test_backbones_are_within_the_declared_bounds(backbone):
    model = build_backbone((76, 76, 1), backbone=backbone, dropout=0.5)
    n_layers, _ = registered_model("backbone").upper_bounds({"backbone": backbone})
    assert count_layers(model) <= n_layers
    n_bytes = sum(variable.value.numpy().nbytes for variable in model.variables)
    first = next(layer.name for layer in model.get_layer(backbone).layers if layer.weights)
    _, n_unused_bytes = registered_model("backbone").upper_bounds({"backbone": backbone, "layer": first})
    assert n_bytes <= n_unused_bytes


def test_missing_arguments_have_their_default_value():
    cnn = registered_model("cnn")
    assert cnn.upper_bounds({}) == cnn.upper_bounds({"filters": (32,), "dense_units": (128,)})
    with pytest.raises(TypeError, match="unexpected keyword argument 'unknown'"):
        cnn.upper_bounds({"unknown": 1})
    for depth in (8.0, "8", None, np.array([8, 14])):
        with pytest.raises(ValueError, match="depth must be a positive int"):
            registered_model("resnet_small").upper_bounds({"depth": depth})


def test_bounds_are_optional(monkeypatch):
    monkeypatch.setattr(_registry, "_REGISTRY", dict(_registry._REGISTRY))
    options = {"input_kind": "vector", "tasks": ("classification",)}

    def build(input_shape, depth=3):
        raise AssertionError("computing an upper bound must not build a model")

    register_model("custom", **options)(build)
    assert registered_model("custom").upper_bounds({"depth": 10**9}) == (None, 0)
    register_model("custom", **options, max_layers=lambda depth, **_: depth + 1)(build)
    assert registered_model("custom").upper_bounds({"depth": 10**9}) == (10**9 + 1, 0)
    register_model("custom", **options, max_layers=lambda **_: 2, max_unused_bytes=lambda depth, **_: 4 * depth)(build)
    assert dataclasses.astuple(registered_model("custom"))[:2] == ("custom", build)
    assert registered_model("custom").upper_bounds({}) == (2, 12)
    for invalid in ({"max_layers": 5}, {"max_unused_bytes": 2**20}):
        with pytest.raises(TypeError, match=f"{next(iter(invalid))} must be a function of the builder's arguments"):
            register_model("invalid", **options, **invalid)
