"""Pretrained weights of the package: records and loading."""

import functools
from pathlib import Path

import keras
import numpy as np

from kerasnet._files import read_json, read_npz
from kerasnet.errors import CheckpointMismatchError

FOLDER = Path(__file__).parent / "weights"
_MAX_BYTES = 16_000_000
_OUTPUT_LAYER = "output"
_ACTIVATION = "relu"  # default of all builders


@functools.cache
def records():
    """Return the content of ``weights/records.json``: number of parameters and pretrained weights of each model."""
    return read_json(FOLDER / "records.json")


def sets_of(name):
    """Return the records of the pretrained weights of a model, by name."""
    return records().get(name, {}).get("weights", {})


def record_of(name, weights):
    """Return the record of pretrained weights; raise an error if the model has none with this name."""
    sets = sets_of(name)
    if not isinstance(weights, str) or weights not in sets:
        valid = " or ".join(["None", *(repr(valid_name) for valid_name in sorted(sets))])
        hint = "" if sets else " list_models(weights=True) lists the models that have pretrained weights."
        raise ValueError(f"weights of the model {name!r} must be {valid}. Received: {weights!r}.{hint}")
    return sets[weights]


def default_arguments(name, weights):
    """Return the builder arguments of a pretrained model; empty if there are no such weights."""
    if not isinstance(weights, str) or weights not in sets_of(name):
        return {}
    arguments = record_of(name, weights)["arguments"]
    return {key: tuple(value) if isinstance(value, list) else value for key, value in arguments.items()}


def file_of(name, weights):
    """Return the path of the npz file with pretrained weights."""
    return FOLDER / f"{name}-{weights}.npz"


def named_weights(model):
    """Return the weights of a model by path, without the model name that sequential models put first."""
    prefix = f"{model.name}/"
    if not all(variable.path.startswith(prefix) for variable in model.weights):
        prefix = ""
    return {variable.path.removeprefix(prefix): variable for variable in model.weights}


def with_pretrained_weights(model, name, weights, activation=_ACTIVATION):
    """Load pretrained weights into a newly built model and return it; if `weights` is None, return it unchanged.

    If the number of outputs differs, the output layer keeps its initial weights. If the number of input channels
    differs, the first kernel is distributed evenly over the channels: images with equal channels then give the same
    outputs as the grayscale image. `activation` is that of the hidden layers, which the weights must be trained with.
    """
    if weights is None:
        return model
    trained_with = record_of(name, weights)["arguments"].get("activation", _ACTIVATION)
    if keras.activations.get(activation) is not keras.activations.get(trained_with):
        raise CheckpointMismatchError(
            f"The pretrained weights {weights!r} of {name!r} were trained with activation={trained_with!r}. Received: "
            f"activation={activation!r}. Leave out activation."
        )
    arrays = read_npz(file_of(name, weights), max_bytes=_MAX_BYTES, sha256=record_of(name, weights)["sha256"])
    variables = named_weights(model)
    first_path = next(iter(variables))
    if mismatched := sorted(variables.keys() ^ arrays.keys()):
        raise CheckpointMismatchError(
            f"The pretrained weights {weights!r} of {name!r} do not fit this architecture. Expected the variables "
            f"{sorted(arrays)}. Missing or unexpected: {mismatched}. Leave out arguments that change the architecture."
        )
    for path, variable in variables.items():
        array, shape = arrays[path].astype(np.float32), tuple(variable.shape)
        if path == first_path and array.ndim == 4 and array.shape[:2] + array.shape[3:] == shape[:2] + shape[3:]:
            array = np.repeat(array.sum(axis=2, keepdims=True) / shape[2], shape[2], axis=2)
        if array.shape == shape:
            variable.assign(array)
        elif path.partition("/")[0] != _OUTPUT_LAYER or array.shape[:-1] != shape[:-1]:
            raise CheckpointMismatchError(
                f"The pretrained weights {weights!r} of {name!r} do not fit this architecture: {path} has shape "
                f"{shape} in the model and {array.shape} in the file. Leave out arguments that change the "
                f"architecture, and use samples of shape {tuple(record_of(name, weights)['input_shape'])}."
            )
    return model
