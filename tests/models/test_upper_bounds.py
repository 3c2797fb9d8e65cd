"""Upper bounds that registered models declare, compared with the models that their builders build."""

import dataclasses
import inspect

import numpy as np
import pytest

from kerasnet.models import _registry, build_backbone, list_models, register_model, registered_model
from kerasnet.models.backbone import BACKBONES

MODELS = [name for name in list_models() if registered_model(name).builder.__module__.startswith("kerasnet.")]
LARGEST_BACKBONES = {"layers": "densenet121", "parameters": "convnext_tiny"}
SMALL_IMAGES = {"backbone": {"input_shape": (76, 76, 1)}, "resnet_small": {"input_shape": (9, 9, 3)}}


def n_layers_of(model):
    """Count the layers of a model, nested ones included."""
    return len(model._flatten_layers(include_self=False))


def larger_arguments(name):
    """Yield arguments that could each make a model of more layers than the default."""
    parameters = inspect.signature(registered_model(name).builder).parameters.values()
    fixed = {**SMALL_IMAGES.get(name, {})}
    fixed.update({each.name: 0.5 for each in parameters if each.name == "dropout"})
    fixed.update({each.name: 0.0 for each in parameters if each.name == "mask_value"})
    yield fixed
    for each in parameters:
        if isinstance(each.default, tuple) and each.name != "input_shape":
            yield from ({**fixed, each.name: (2,) * n} for n in (0, 1, 2, 3))
        elif type(each.default) is int and name != "backbone":
            yield {**fixed, each.name: each.default + 6}


@pytest.mark.parametrize("name", MODELS)
def test_no_model_has_more_layers_than_its_registration_declares(name):
    entry, n_built = registered_model(name), 0
    for arguments in [{}, *larger_arguments(name)]:
        try:
            model = entry.builder(**arguments)
        except ValueError:  # such as a kernel that is larger than the images
            continue
        n_layers, n_unused_bytes = entry.upper_bounds(arguments)
        assert n_layers_of(model) <= n_layers <= 2 * n_layers_of(model) + 20, arguments
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
def test_no_backbone_has_more_layers_or_unused_variables_than_declared(backbone):
    whole = build_backbone((76, 76, 1), backbone=backbone, dropout=0.5)
    n_layers, _ = registered_model("backbone").upper_bounds({"backbone": backbone})
    assert n_layers_of(whole) <= n_layers
    n_bytes = sum(variable.value.numpy().nbytes for variable in whole.variables)
    first = next(layer.name for layer in whole.get_layer(backbone).layers if layer.weights)
    _, n_unused_bytes = registered_model("backbone").upper_bounds({"backbone": backbone, "layer": first})
    assert n_bytes <= n_unused_bytes


def test_arguments_that_are_not_given_count_with_their_defaults():
    cnn = registered_model("cnn")
    assert cnn.upper_bounds({}) == cnn.upper_bounds({"filters": (32,), "dense_units": (128,)})
    with pytest.raises(TypeError, match="unexpected keyword argument 'evil'"):
        cnn.upper_bounds({"evil": 1})
    for depth in (8.0, "8", None, np.array([8, 14])):
        with pytest.raises(ValueError, match="depth must be a positive int"):
            registered_model("resnet_small").upper_bounds({"depth": depth})


def test_bounds_of_registered_builders_are_optional(monkeypatch):
    monkeypatch.setattr(_registry, "_REGISTRY", dict(_registry._REGISTRY))
    plain = {"input_kind": "vector", "tasks": ("classification",)}

    def build(input_shape, depth=3):
        raise AssertionError("an upper bound needs no model")

    register_model("mine", **plain)(build)
    assert registered_model("mine").upper_bounds({"depth": 10**9}) == (None, 0)
    register_model("mine", **plain, max_layers=lambda depth, **_: depth + 1)(build)
    assert registered_model("mine").upper_bounds({"depth": 10**9}) == (10**9 + 1, 0)
    register_model("mine", **plain, max_layers=lambda **_: 2, max_unused_bytes=lambda depth, **_: 4 * depth)(build)
    assert dataclasses.astuple(registered_model("mine"))[:2] == ("mine", build)
    assert registered_model("mine").upper_bounds({}) == (2, 12)
    for wrong in ({"max_layers": 5}, {"max_unused_bytes": 2**20}):
        with pytest.raises(TypeError, match=f"{next(iter(wrong))} must be a function of the builder's arguments"):
            register_model("wrong", **plain, **wrong)
