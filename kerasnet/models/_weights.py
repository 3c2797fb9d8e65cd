"""Weights that ship in the package: their records, and giving them to models."""

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
    """Return what ``weights/records.json`` says: for each model its number of parameters and its sets of weights."""
    return read_json(FOLDER / "records.json")


def sets_of(name):
    """Return the records of the sets of weights of a model, by name."""
    return records().get(name, {}).get("weights", {})


def record_of(name, weights):
    """Return the record of a set of weights; refuse one that a model has not."""
    sets = sets_of(name)
    if not isinstance(weights, str) or weights not in sets:
        there = ", ".join(sorted(sets)) or "none"
        raise ValueError(f"weights must be None or a set that ships for {name!r} ({there}). Received: {weights!r}.")
    return sets[weights]


def file_of(name, weights):
    """Return the path of the npz file of a set of weights."""
    return FOLDER / f"{name}-{weights}.npz"


def named_weights(model):
    """Return the weights of a model by their paths, in which sequential models have their own name first."""
    prefix = f"{model.name}/"
    if not all(variable.path.startswith(prefix) for variable in model.weights):
        prefix = ""
    return {variable.path.removeprefix(prefix): variable for variable in model.weights}


def fill(model, name, weights):
    """Give a model its weights from the package, as far as they fit.

    Outputs of another number keep their initial weights. The first kernel of images with another number of channels is
    spread over them, so that images whose channels are all equal give what the grey image would.
    """
    path = file_of(name, weights)
    arrays = read_npz(path, max_bytes=_MAX_BYTES, sha256=record_of(name, weights)["sha256"])
    variables = named_weights(model)
    first = next(iter(variables))
    if strange := sorted(variables.keys() ^ arrays.keys()):
        raise CheckpointMismatchError(
            f"The weights {weights!r} of {name!r} are for the same layers that they were trained in. Expected the "
            f"variables {sorted(arrays)}; not in both: {strange}. Leave out arguments that change the architecture."
        )
    for place, variable in variables.items():
        array, shape = arrays[place].astype(np.float32), tuple(variable.shape)
        if place == first and array.ndim == 4 and array.shape[:2] + array.shape[3:] == shape[:2] + shape[3:]:
            array = np.repeat(array.sum(axis=2, keepdims=True) / shape[2], shape[2], axis=2)
        if array.shape == shape:
            variable.assign(array)
        elif place.partition("/")[0] != _HEAD or array.shape[:-1] != shape[:-1]:
            raise CheckpointMismatchError(
                f"The weights {weights!r} of {name!r} do not fit: {place} has shape {shape} in the model and "
                f"{array.shape} in the file. Leave out arguments that change the architecture."
            )
