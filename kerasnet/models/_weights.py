"""Pretrained weights in the package: their records, and loading them into models."""

import functools
from pathlib import Path

import numpy as np

from kerasnet._files import read_json, read_npz
from kerasnet.errors import CheckpointMismatchError

FOLDER = Path(__file__).parent / "weights"
_MAX_BYTES = 16_000_000
_HEAD = "output"


@functools.cache
def records():
    """Return the content of ``weights/records.json``: number of parameters and sets of weights of each model."""
    return read_json(FOLDER / "records.json")


def sets_of(name):
    """Return the records of the sets of weights of a model, by name."""
    return records().get(name, {}).get("weights", {})


def record_of(name, weights):
    """Return the record of a set of pretrained weights; raise an error if the model has no such set."""
    sets = sets_of(name)
    if not isinstance(weights, str) or weights not in sets:
        valid = " or ".join(["None", *(repr(each) for each in sorted(sets))])
        hint = "" if sets else " list_models(weights=True) lists the models that have pretrained weights."
        raise ValueError(f"weights of the model {name!r} must be {valid}. Received: {weights!r}.{hint}")
    return sets[weights]


def default_arguments(name, weights):
    """Return the architecture arguments that a set of pretrained weights was trained with; empty without such a set."""
    if not isinstance(weights, str) or weights not in sets_of(name):
        return {}
    arguments = record_of(name, weights)["arguments"]
    return {key: tuple(value) if isinstance(value, list) else value for key, value in arguments.items()}


def file_of(name, weights):
    """Return the path of the npz file of a set of weights."""
    return FOLDER / f"{name}-{weights}.npz"


def named_weights(model):
    """Return the weights of a model by their paths, in which sequential models have their own name first."""
    prefix = f"{model.name}/"
    if not all(variable.path.startswith(prefix) for variable in model.weights):
        prefix = ""
    return {variable.path.removeprefix(prefix): variable for variable in model.weights}


def with_pretrained_weights(model, name, weights):
    """Return a new model with a set of pretrained weights, as far as they fit; unchanged if `weights` is None.

    Outputs of another number keep their initial weights. The first kernel of images with another number of channels is
    spread over them, so that images with equal channels give the same outputs as the grayscale image.
    """
    if weights is None:
        return model
    arrays = read_npz(file_of(name, weights), max_bytes=_MAX_BYTES, sha256=record_of(name, weights)["sha256"])
    variables = named_weights(model)
    first = next(iter(variables))
    if not_in_both := sorted(variables.keys() ^ arrays.keys()):
        raise CheckpointMismatchError(
            f"The pretrained weights {weights!r} of {name!r} do not fit this architecture. Expected the variables "
            f"{sorted(arrays)}; not in both: {not_in_both}. Leave out arguments that change the architecture."
        )
    for path, variable in variables.items():
        array, shape = arrays[path].astype(np.float32), tuple(variable.shape)
        if path == first and array.ndim == 4 and array.shape[:2] + array.shape[3:] == shape[:2] + shape[3:]:
            array = np.repeat(array.sum(axis=2, keepdims=True) / shape[2], shape[2], axis=2)
        if array.shape == shape:
            variable.assign(array)
        elif path.partition("/")[0] != _HEAD or array.shape[:-1] != shape[:-1]:
            raise CheckpointMismatchError(
                f"The pretrained weights {weights!r} of {name!r} do not fit this architecture: {path} has shape "
                f"{shape} in the model and {array.shape} in the file. Leave out arguments that change the "
                f"architecture, and give samples of shape {tuple(record_of(name, weights)['input_shape'])}."
            )
    return model
