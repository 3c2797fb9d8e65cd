"""Checkpoints of a training: their key, what they hold, and how training continues from one."""

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
from kerasnet.training._variables import read, write

_FORMAT = 3  # of the files; a new one also when the same training computes something else
_SECONDS_BETWEEN = 2  # at least, between two states
_SHARE_OF_WRITING = 1 / 20  # of the time, at most
_WATCHERS = (
    keras.callbacks.CSVLogger,
    keras.callbacks.ModelCheckpoint,
    keras.callbacks.ProgbarLogger,
    keras.callbacks.RemoteMonitor,
    keras.callbacks.TensorBoard,
    keras.callbacks.TerminateOnNaN,
)

_CALLABLES = (types.FunctionType, types.MethodType, types.BuiltinFunctionType, functools.partial, type, np.ufunc)


class TrainingState(NamedTuple):
    """How far a training has come.

    Attributes
    ----------
    n_epochs : int
        The number of epochs.
    stopped : bool
        Whether a callback ended the training after them.
    logs : dict or None
        Loss and metrics of the last of them.
    """

    n_epochs: int = 0
    stopped: bool = False
    logs: dict | None = None


class Checkpoints:
    """The checkpoints of one training.

    Parameters
    ----------
    memory : EpochMemory
        The folder that they are in.
    describe_model : callable
        Takes the engine and returns, for ``json.dumps``, what the model is and which weights it starts from.
    """

    def __init__(self, memory, describe_model):
        self.memory, self.describe_model = memory, describe_model

    def open(self, engine, callbacks, training, data, validation_data):
        """Find the key of a training.

        Parameters
        ----------
        engine : Engine
            In the state that training starts from.
        callbacks : list of keras.callbacks.Callback
            Those of the training, as they are before it.
        training : Training
            Its number of epochs only counts for callbacks that are told of it and may use it.
        data, validation_data : tuple of arrays
            All that is trained and evaluated on.
        """
        self.model = engine.model
        self.callbacks = [each for each in callbacks if not _only_watches(each)]
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
        """Restore the last checkpoint after `n_epochs` epochs or fewer: model, optimizer and callbacks."""
        _pack_callbacks(self.callbacks, [])  # what cannot be kept is better known before the first epoch
        self.memory._open()
        if not self.memory.resume:
            return TrainingState()
        for state in self.memory._states(self.key):
            if state.n_epochs > n_epochs:
                continue
            try:
                known = self._restore(self.memory._read(state), state)
            except FileNotFoundError:  # another process removed it
                continue
            except (KerasNetError, OSError) as error:
                warnings.warn(f"A state of this training cannot be used; its epochs are trained. {error}", stacklevel=2)
                continue
            if known.n_epochs == n_epochs or known.stopped:
                self.memory._keep(state)
            return known
        return TrainingState()

    def store(self, reached, *, at_end):
        """Write a checkpoint, unless one was written a moment ago and more epochs follow."""
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
            warnings.warn(f"A state of this training cannot be kept; the training goes on. {error}", stacklevel=2)
            self.next_time = math.inf  # it is tried once more, at the end
            return
        ended = time.monotonic()
        self.next_time = ended + max(_SECONDS_BETWEEN, (ended - started) / _SHARE_OF_WRITING)

    def _values(self):
        return read(self.model.variables) + read(self.model.optimizer.variables)

    def _restore(self, named, state):
        """Check all that a file holds, and take it over."""
        try:
            about = parse_json(named.pop("about").tobytes(), state.path)
            arrays = [named[str(number)] for number in range(len(named))]
            known = TrainingState(**unpack(about["known"], arrays.__getitem__))
            callbacks = [unpack(packed, arrays.__getitem__) for packed in about["callbacks"]]
            found = (about["format"], about["key"], known.n_epochs, len(callbacks), about["n_variables"])
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise CheckpointMismatchError(
                f"{state.path}: expected the state of a training, found: {error!r}."
            ) from error
        own = self._values()
        expected = (_FORMAT, self.key, state.n_epochs, len(self.callbacks), len(own))
        if found != expected:
            raise CheckpointMismatchError(
                f"{state.path}: expected format, key, epochs, callbacks and variables {expected}, found {found}."
            )
        values = [_as_kept(array, like, state.path) for array, like in zip(arrays, own, strict=False)]
        write([*self.model.variables, *self.model.optimizer.variables], values)
        for callback, kept in zip(self.callbacks, callbacks, strict=True):
            for name, value in kept.items():
                there = vars(callback).get(name)
                if isinstance(value, dict) and isinstance(there, dict):
                    there.clear()  # others may hold it, as an estimator holds its history
                    there.update(value)
                elif isinstance(value, list) and isinstance(there, list):
                    there[:] = value
                else:
                    vars(callback)[name] = value
        return known


def _only_watches(callback):
    return type(callback) in _WATCHERS or getattr(callback, "changes_nothing", False)


def _attributes(callback):
    """Return what a callback keeps, without what the training tells it."""
    told = vars(keras.callbacks.Callback())
    return {name: value for name, value in vars(callback).items() if name not in told}


def _uses_number_of_epochs(callback):
    """Tell whether a callback may read ``params["epochs"]``."""
    functions = [each for kind in type(callback).__mro__ if not is_keras(kind) for each in vars(kind).values()]
    reads = any("params" in each.__code__.co_names for each in functions if isinstance(each, types.FunctionType))
    return reads or isinstance(callback, keras.callbacks.SwapEMAWeights)


def _describe_callback(callback):
    name = type(callback).__name__
    if isinstance(callback, keras.callbacks.BackupAndRestore):
        raise ValueError(f"memory= does what {name} is for, and more. Use one of them: leave out {name}.")
    remedy = ", or, if it only watches, write `changes_nothing = True` into its class"
    return identify(f"the callback {name}", [type(callback), _attributes(callback)], remedy)


def _environment():
    """Return what else decides the last bits."""
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
        kept = {}
        for name, value in _attributes(callback).items():
            if name == "min_delta" and hasattr(callback, "monitor_op"):
                continue  # Keras gives it its sign with the first epoch of each training, when it chooses monitor_op
            try:
                kept[name] = _pack(value, arrays)
            except TypeError as error:
                if isinstance(value, _CALLABLES):  # what it does, rather than what it knows
                    continue
                kind = type(callback).__name__
                raise ValueError(
                    f"memory= keeps what the callback {kind} knows, but {error} in its attribute {name!r}. Keep plain "
                    "values and arrays there; or, if it only watches, write `changes_nothing = True` into its class; "
                    "or set memory=None."
                ) from None
        packed.append({"dict": list(kept.items())})
    return packed


def _pack(value, arrays):
    """Return a value as JSON has it; arrays are put at the end of a list and named by their places there."""

    def keep(array):
        arrays.append(array)
        return len(arrays) - 1

    return pack(value, keep)


def _as_kept(array, like, path):
    """Return an array for a variable; its file knows not all dtypes by name, such as bfloat16."""
    dtype = np.dtype(like.dtype.as_numpy_dtype)
    if not is_kept_as(array.dtype, dtype) or array.shape != tuple(like.shape):
        raise CheckpointMismatchError(
            f"{path}: expected {dtype} of shape {tuple(like.shape)}, found {array.dtype} of shape {array.shape}."
        )
    return array.view(dtype)
