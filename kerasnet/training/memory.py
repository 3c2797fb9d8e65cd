"""The folder that keeps states of training."""

import contextlib
import os
import re
import warnings
from numbers import Real
from pathlib import Path
from typing import NamedTuple

import numpy as np

from kerasnet._files import atomic_file, read_npz, sweep_leftovers

_FOLDER = "kerasnet-states"
_N_BETWEEN = 2
_unchecked_bytes = {}  # by folder: what this process has written since it last looked at the size of all


class EpochMemory:
    """A folder that keeps the states of trainings, so that no epoch is trained twice.

    An estimator with ``memory=`` looks there for the last state that an equal fit has reached, and trains only the
    epochs after that. The result is, bit for bit, that of training all of them. Equal are fits of the same data,
    weights of samples, architecture, initial weights, loss, metrics, optimizer, learning rates, batch size, callbacks,
    seed and number of threads, by the same versions. Their number of epochs only counts where the learning rates
    depend on it, as in the schedules "cosine" and "one_cycle", or where a callback may read it in its ``params``.

    Parameters
    ----------
    location : str or path-like
        The folder, made when it is missing; "~" is the user's home. The states are in its sub-folder
        ``kerasnet-states``. Processes and machines may share it; workers elsewhere need an absolute path.
    max_bytes : int, default=10 * 2**30
        The size that the states of all trainings may have together. When it is exceeded, those that were not used for
        the longest time are removed. A larger state is neither written nor read.
    resume : bool, default=True
        Whether to go on from what is there. When False, fits train all their epochs, and keep their states.

    See Also
    --------
    kerasnet.CNNClassifier : An estimator with the parameter ``memory``, which also takes a folder's name.

    Notes
    -----
    A state is one file: weights, seeds of layers, the optimizer, and what callbacks remember, with the history and the
    best weights of early stopping among it. It is written when a fit ends and, in between, every two seconds at most;
    whole or not at all. Of the states in between the newest two are kept; those at the end of a fit stay until
    `max_bytes` has them removed, since the same fit may be asked for again. Files are data: reading one runs no code,
    and one that is damaged, or is not what its name says, is reported by a warning, and its epochs are trained.

    For epochs that are known, callbacks are not called: a ``CSVLogger`` writes the trained epochs only, and a
    ``ModelCheckpoint`` knows no best of before and writes no file when nothing is trained. These and Keras' other
    callbacks that only watch make no difference to what is known, nor does one whose class says
    ``changes_nothing = True``, which must not end training either. Any other is taken to change training, and what it
    keeps in plain values and arrays is part of the state.

    What a state does not know: random numbers drawn by layers without a seed of their own, and what a model or a
    function keeps beside Keras' variables. On another kind of processor the last bits may differ. A Keras model that is
    given as such is known by the names of its layers, too, which Keras counts through a process: give them names.

    Examples
    --------
    >>> import tempfile
    >>> from kerasnet import KerasNetClassifier
    >>> from kerasnet.training import EpochMemory
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     classifier = KerasNetClassifier("mlp", epochs=3, random_state=0, memory=EpochMemory(folder))
    ...     classifier.fit(X, y).set_params(epochs=5).fit(X, y).n_iter_from_memory_
    3
    """

    def __init__(self, location, *, max_bytes=10 * 2**30, resume=True):
        if not os.fspath(location):
            raise ValueError("The location of an EpochMemory must name a folder. Received: an empty name.")
        self.location = os.path.expanduser(os.fsdecode(location))
        if not isinstance(max_bytes, Real) or max_bytes <= 0:
            raise ValueError(f"max_bytes must be a number of bytes above 0. Received: {max_bytes!r}.")
        self.max_bytes = int(max_bytes)
        self.resume = resume

    def __repr__(self):
        return f"EpochMemory({self.location!r}, max_bytes={self.max_bytes}, resume={self.resume})"

    def _open(self):
        """Make the folder, or say why that cannot be."""
        (Path(self.location) / _FOLDER).mkdir(parents=True, exist_ok=True)

    def _states(self, key):
        """Return the states of a training, the one after the most epochs first."""
        pattern = re.compile(rf"{key}-(\d+)(-end)?\.npz")
        matches = [(pattern.fullmatch(path.name), path) for path in self._folder_of(key).glob(f"{key}-*.npz")]
        return sorted((_State(int(match[1]), bool(match[2]), path) for match, path in matches if match), reverse=True)

    def _read(self, state):
        """Return the arrays of a state, and note that it was used."""
        arrays = read_npz(state.path, max_bytes=self.max_bytes)
        with contextlib.suppress(OSError):  # a folder that may only be read
            os.utime(state.path)
        return arrays

    def _write(self, key, n_epochs, arrays, *, at_end):
        """Write a state; remove those in between that are too old, and what is too much for the folder."""
        size = sum(array.nbytes for array in arrays.values())
        if size > self.max_bytes:
            warnings.warn(
                f"A state of this training takes {size} bytes and is not kept: {self} takes fewer.", stacklevel=2
            )
            return
        folder = self._folder_of(key)
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_file(folder / f"{key}-{n_epochs:06}{'-end' if at_end else ''}.npz", durable=False) as file:
            np.savez(file, **arrays)
        for state in [state for state in self._states(key) if not state.at_end][_N_BETWEEN:]:
            state.path.unlink(missing_ok=True)
        unchecked = _unchecked_bytes.get(self.location, self.max_bytes) + size
        if unchecked > self.max_bytes / 20:
            self._remove_oldest()
            unchecked = 0
        _unchecked_bytes[self.location] = unchecked

    def _keep(self, state):
        """Have a state in between stay, because it is the end of a fit too."""
        if not state.at_end:
            with contextlib.suppress(OSError):  # removed, or a folder that may only be read
                state.path.rename(state.path.with_name(state.path.name.replace(".npz", "-end.npz")))

    def _remove_oldest(self):
        files = []
        for folder in self._folder_of("").glob("??"):
            sweep_leftovers(folder)
            for path in folder.glob("*.npz"):
                with contextlib.suppress(OSError):  # removed by another process
                    files.append((path.stat().st_mtime_ns, path.stat().st_size, path))
        excess = sum(size for _, size, _ in files) - self.max_bytes
        for _, size, path in sorted(files):
            if excess <= 0:
                break
            path.unlink(missing_ok=True)
            excess -= size

    def _folder_of(self, key):
        return Path(self.location) / _FOLDER / key[:2]


def as_memory(memory):
    """Return what the parameter ``memory`` of an estimator stands for.

    Parameters
    ----------
    memory : EpochMemory, str, path-like, joblib.Memory or None
        A folder, as itself or as the location of joblib's memory.

    Returns
    -------
    EpochMemory or None
        None where nothing shall be kept.
    """
    if isinstance(memory, EpochMemory):
        return memory
    location = getattr(memory, "location", memory)
    return None if location is None else EpochMemory(location)


class _State(NamedTuple):
    n_epochs: int
    at_end: bool
    path: Path
