"""Checkpoints of a training: compute the cache key, store and restore the state."""

import functools
import importlib.metadata
import json
import math
import os
import platform
import time
import types
import warnings
from typing import NamedTuple

import keras
import numpy as np

from kerasnet._formats import is_kept_as, parse_json
from kerasnet._values import pack, unpack
from kerasnet.errors import CheckpointMismatchError, KerasNetError
from kerasnet.training._engine import is_keras
from kerasnet.training._identity import digest, identify
from kerasnet.training._threads import n_threads
from kerasnet.training._variables import read_variables, write_variables

_FORMAT = 3  # of the files; incremented also when the same training has different results
_SECONDS_BETWEEN = 2  # minimum time between two checkpoints
_MAX_WRITING_FRACTION = 1 / 20  # of the training time
_PASSIVE_CALLBACKS = (
    keras.callbacks.CSVLogger,
    keras.callbacks.ModelCheckpoint,
    keras.callbacks.ProgbarLogger,
    keras.callbacks.RemoteMonitor,
    keras.callbacks.TensorBoard,
    keras.callbacks.TerminateOnNaN,
)

_CALLABLES = (types.FunctionType, types.MethodType, types.BuiltinFunctionType, functools.partial, type, np.ufunc)


class TrainingState(NamedTuple):
    """The progress of a training.

    Attributes
    ----------
    n_epochs : int
        The number of epochs completed.
    stopped : bool
        Whether a callback stopped training after these epochs.
    logs : dict or None
        Loss and metrics of the last epoch.
    """

    n_epochs: int = 0
    stopped: bool = False
    logs: dict | None = None


class Checkpoints:
    """The checkpoints of one training.

    Parameters
    ----------
    memory : EpochMemory
        The cache that stores the checkpoints.
    describe_model : callable
        A function that takes the engine and returns a description of the model and its weights for ``json.dumps``.
    """

    def __init__(self, memory, describe_model):
        self.memory, self.describe_model = memory, describe_model

    def open(self, engine, callbacks, training, data, validation_data):
        """Compute the cache key of a training.

        Parameters
        ----------
        engine : Engine
            An engine in the state that training starts from.
        callbacks : list of keras.callbacks.Callback
            The callbacks before training.
        training : Training
            The settings. The number of epochs is part of the key only if a callback may use it.
        data, validation_data : tuple of arrays
            The training data and the validation data.
        """
        self.model = engine.model
        self.callbacks = [each for each in callbacks if not is_passive(each)]
        settings = {
            "the data": data,
            "the validation data": validation_data,
            "the learning rates": training.rates,
            "batch_size": [training.batch_size, training.validation_batch_size or training.batch_size],
            "the seed": [training.seed, training.first_epoch],
        }
        described = {name: identify(f"{name} of the training", value) for name, value in settings.items()}
        end = training.epochs if any(map(_uses_number_of_epochs, self.callbacks)) else None
        of_callbacks = [*map(_describe_callback, self.callbacks)]
        self.key = digest([_environment(), described, self.describe_model(engine), of_callbacks, end])
        self.next_time = time.monotonic() + _SECONDS_BETWEEN

    def restore(self, n_epochs):
        """Restore model, optimizer and callbacks from the last checkpoint after at most `n_epochs` epochs."""
        _pack_callbacks(self.callbacks, [])  # raises an error before the first epoch if a value cannot be stored
        self.memory._open()
        if not self.memory.resume:
            return TrainingState()
        for state in self.memory._states(self.key):
            if state.n_epochs > n_epochs:
                continue
            try:
                restored = self._restore(self.memory._read(state), state)
            except FileNotFoundError:  # removed by another process
                continue
            except (KerasNetError, OSError) as error:
                warnings.warn(f"A checkpoint cannot be restored; its epochs are trained again. {error}", stacklevel=2)
                continue
            if restored.n_epochs == n_epochs or restored.stopped:
                self.memory._mark_as_final(state)
            return restored
        return TrainingState()

    def store(self, reached, *, at_end):
        """Write a checkpoint, unless one was written recently and more epochs follow."""
        started = time.monotonic()
        if started < self.next_time and not at_end:
            return
        arrays = [value.numpy() for value in self._values()]
        about = {
            "format": _FORMAT,
            "key": self.key,
            "n_variables": len(arrays),
            "known": _pack(reached._asdict(), arrays),
            "callbacks": _pack_callbacks(self.callbacks, arrays),
        }
        named = {str(number): array for number, array in enumerate(arrays)}
        named["about"] = np.frombuffer(json.dumps(about).encode(), np.uint8)
        try:
            self.memory._write(self.key, reached.n_epochs, named, at_end=at_end)
        except OSError as error:
            warnings.warn(f"A checkpoint cannot be written; training continues. {error}", stacklevel=2)
            self.next_time = math.inf  # no further attempt before the end
            return
        ended = time.monotonic()
        self.next_time = ended + max(_SECONDS_BETWEEN, (ended - started) / _MAX_WRITING_FRACTION)

    def _values(self):
        return read_variables(self.model.variables) + read_variables(self.model.optimizer.variables)

    def _restore(self, named, state):
        """Validate the contents of a checkpoint, and restore the state from it."""
        try:
            about = parse_json(named.pop("about").tobytes(), state.path)
            arrays = [named[str(number)] for number in range(len(named))]
            restored = TrainingState(**unpack(about["known"], arrays.__getitem__))
            callbacks = [unpack(packed, arrays.__getitem__) for packed in about["callbacks"]]
            found = (about["format"], about["key"], restored.n_epochs, len(callbacks), about["n_variables"])
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise CheckpointMismatchError(
                f"{state.path}: expected a checkpoint of a training, found: {error!r}."
            ) from error
        current = self._values()
        expected = (_FORMAT, self.key, state.n_epochs, len(self.callbacks), len(current))
        if found != expected:
            raise CheckpointMismatchError(
                f"{state.path}: expected format, key, epochs, callbacks and variables {expected}, found {found}."
            )
        values = [_as_dtype_of(array, like, state.path) for array, like in zip(arrays, current, strict=False)]
        write_variables([*self.model.variables, *self.model.optimizer.variables], values)
        for callback, attributes in zip(self.callbacks, callbacks, strict=True):
            for name, value in attributes.items():
                existing = vars(callback).get(name)
                if isinstance(value, dict) and isinstance(existing, dict):
                    existing.clear()  # updated in place, because other objects may refer to it
                    existing.update(value)
                elif isinstance(value, list) and isinstance(existing, list):
                    existing[:] = value
                else:
                    vars(callback)[name] = value
        return restored


def is_passive(callback):
    """Return whether a callback, or a class of callbacks, does not affect training and is not part of the key."""
    kind = callback if isinstance(callback, type) else type(callback)
    return kind in _PASSIVE_CALLBACKS or getattr(callback, "changes_nothing", False)


def _attributes(callback):
    """Return the attributes of a callback, without those that Keras sets on every callback."""
    standard = vars(keras.callbacks.Callback())
    return {name: value for name, value in vars(callback).items() if name not in standard}


def _uses_number_of_epochs(callback):
    """Return whether a callback may read ``params["epochs"]``."""
    functions = [each for kind in type(callback).__mro__ if not is_keras(kind) for each in vars(kind).values()]
    reads = any("params" in each.__code__.co_names for each in functions if isinstance(each, types.FunctionType))
    return reads or isinstance(callback, keras.callbacks.SwapEMAWeights)


def _describe_callback(callback):
    name = type(callback).__name__
    if isinstance(callback, keras.callbacks.BackupAndRestore):
        raise ValueError(
            f"memory= cannot be combined with {name}, because both restore epochs from a checkpoint: leave out {name}, "
            "or set memory=None."
        )
    remedy = ", or, if the callback does not affect training, set `changes_nothing = True` in its class"
    return identify(f"the callback {name}", [type(callback), _attributes(callback)], remedy)


def _environment():
    """Return everything else that bit-identical results depend on."""
    return [
        *(_FORMAT, _versions(), n_threads(), os.environ.get("TF_ENABLE_ONEDNN_OPTS")),
        *(keras.config.floatx(), keras.config.epsilon(), platform.machine(), platform.python_version_tuple()[:2]),
    ]


@functools.cache
def _versions():
    return [importlib.metadata.version(name) for name in ("kerasnet", "tensorflow", "keras", "numpy")]


def _pack_callbacks(callbacks, arrays):
    packed = []
    for callback in callbacks:
        attributes = {}
        for name, value in _attributes(callback).items():
            if name == "min_delta" and hasattr(callback, "monitor_op"):
                continue  # Keras sets its sign in the first epoch of each training, when it chooses monitor_op
            try:
                attributes[name] = _pack(value, arrays)
            except TypeError as error:
                if isinstance(value, _CALLABLES):  # part of the key, not of the state
                    continue
                kind = type(callback).__name__
                raise ValueError(
                    f"memory= stores the attributes of the callback {kind}, but {error} in {name!r}. Use plain values "
                    "and arrays as attributes; or, if the callback does not affect training, set "
                    "`changes_nothing = True` in its class; or set memory=None."
                ) from None
        packed.append({"dict": list(attributes.items())})
    return packed


def _pack(value, arrays):
    """Return a value as plain JSON values; append its arrays to `arrays` and refer to them by their position."""

    def append(array):
        arrays.append(array)
        return len(arrays) - 1

    return pack(value, append)


def _as_dtype_of(array, like, path):
    """Return an array in the dtype of a variable; ``.npz`` files have no name for some dtypes, such as bfloat16."""
    dtype = np.dtype(like.dtype.as_numpy_dtype)
    if not is_kept_as(array.dtype, dtype) or array.shape != tuple(like.shape):
        raise CheckpointMismatchError(
            f"{path}: expected {dtype} of shape {tuple(like.shape)}, found {array.dtype} of shape {array.shape}."
        )
    return array.view(dtype)
