"""An on-disk cache of checkpoints."""

from __future__ import annotations

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
_MAX_INTERMEDIATE = 2
_bytes_since_cleanup: dict[str, float] = {}  # by folder: bytes that this process wrote since it checked the total size


class EpochMemory:
    """An on-disk cache of checkpoints, so that no epoch is trained twice.

    An estimator with ``memory=`` restores the last checkpoint of a fit with the same cache key, and trains only the
    remaining epochs. The result is bit-identical to that of training all epochs. The cache key covers the training and
    validation data, sample weights, architecture, initial weights, loss, metrics, optimizer, learning rates, batch
    size, callbacks, seed, number of threads and package versions. The number of epochs is part of the key only if the
    learning rates depend on it, as with the schedules "cosine" and "one_cycle", or if a callback may read it from its
    ``params``.

    Parameters
    ----------
    location : str or path-like
        The folder, which is created if needed; "~" is the home directory. Checkpoints are stored in its subfolder
        ``kerasnet-states``. Multiple processes and machines can share it. Use an absolute path if their working
        directories differ.
    max_bytes : int, default=10 * 2**30
        The maximum total size of the checkpoints in bytes. If it is exceeded, the least recently used ones are removed.
        A single checkpoint larger than this is neither written nor read.
    resume : bool, default=True
        Whether to restore checkpoints. If False, fits train all epochs, but still write checkpoints.

    Attributes
    ----------
    location : str
        The folder, with "~" expanded.
    max_bytes : int
        The maximum total size in bytes.
    resume : bool
        Whether checkpoints are restored.

    Raises
    ------
    ValueError
        If `location` is empty, or `max_bytes` is not a positive number.

    See Also
    --------
    kerasnet.CNNClassifier : An estimator with the parameter ``memory``, which also accepts the path of a folder.

    Notes
    -----
    A checkpoint is one file that contains the weights, the seeds of layers, the state of the optimizer, the history and
    the state of callbacks, including the best weights of early stopping. Checkpoints are written atomically, at the end
    of a fit and at most every two seconds during the fit. The two most recent intermediate checkpoints are kept. Final
    checkpoints are kept until `max_bytes` is exceeded, because the same fit may be repeated.

    Reading a checkpoint runs no code. If a file is corrupted or does not match its name, a warning is issued and its
    epochs are trained again.

    Callbacks are not called for restored epochs. ``CSVLogger`` writes only the trained epochs. ``ModelCheckpoint``
    ignores restored epochs when it determines the best epoch, and writes no file if no epoch is trained. These and
    other Keras callbacks that do not affect training are not part of the cache key. If your own callback does not
    affect training and never stops it, set the class attribute ``changes_nothing = True`` to exclude it from the key.
    All other callbacks are assumed to affect training: their plain values and arrays are part of the checkpoint.

    A checkpoint does not contain the random state of unseeded layers, or state that a model or a function stores
    outside Keras variables. Results may differ in the last bits on a different type of processor. If `model` is a Keras
    model, the names of its layers are part of the cache key. Name all layers, because Keras numbers unnamed layers
    across the process.

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

    def __init__(self, location: str | os.PathLike[str], *, max_bytes: float = 10 * 2**30, resume: bool = True) -> None:
        if not os.fspath(location):
            raise ValueError("location must be the path of a folder. Received: an empty string.")
        self.location = os.path.expanduser(os.fsdecode(location))
        if not isinstance(max_bytes, Real) or max_bytes <= 0:
            raise ValueError(f"max_bytes must be a positive number of bytes. Received: {max_bytes!r}.")
        self.max_bytes: int = int(max_bytes)
        self.resume: bool = resume

    def __repr__(self) -> str:
        return f"EpochMemory({self.location!r}, max_bytes={self.max_bytes}, resume={self.resume})"

    def _open(self):
        """Create the folder; raise OSError if that is not possible."""
        (Path(self.location) / _FOLDER).mkdir(parents=True, exist_ok=True)

    def _states(self, key):
        """Return the checkpoints with this key, in descending order of epochs."""
        pattern = re.compile(rf"{key}-(\d+)(-end)?\.npz")
        matches = [(pattern.fullmatch(path.name), path) for path in self._folder_of(key).glob(f"{key}-*.npz")]
        return sorted((_State(int(match[1]), bool(match[2]), path) for match, path in matches if match), reverse=True)

    def _read(self, state):
        """Return the arrays of a checkpoint, and update its time of last use."""
        arrays = read_npz(state.path, max_bytes=self.max_bytes)
        with contextlib.suppress(OSError):  # a read-only folder
            os.utime(state.path)
        return arrays

    def _write(self, key, n_epochs, arrays, *, at_end):
        """Write a checkpoint; remove old intermediate checkpoints, and the least recently used if the cache is full."""
        size = sum(array.nbytes for array in arrays.values())
        if size > self.max_bytes:
            warnings.warn(
                f"A checkpoint of {size} bytes is not written, because it is larger than max_bytes of {self}.",
                stacklevel=2,
            )
            return
        folder = self._folder_of(key)
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_file(folder / f"{key}-{n_epochs:06}{'-end' if at_end else ''}.npz", durable=False) as file:
            np.savez(file, **arrays)
        for state in [state for state in self._states(key) if not state.at_end][_MAX_INTERMEDIATE:]:
            state.path.unlink(missing_ok=True)
        unchecked = _bytes_since_cleanup.get(self.location, self.max_bytes) + size
        if unchecked > self.max_bytes / 20:
            self._remove_least_recent()
            unchecked = 0
        _bytes_since_cleanup[self.location] = unchecked

    def _mark_as_final(self, state):
        """Mark an intermediate checkpoint as the end of a fit, so that it is kept."""
        if not state.at_end:
            with contextlib.suppress(OSError):  # a removed file or a read-only folder
                state.path.rename(state.path.with_name(state.path.name.replace(".npz", "-end.npz")))

    def _remove_least_recent(self):
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
    """Convert the parameter ``memory`` of an estimator to an `EpochMemory`.

    Parameters
    ----------
    memory : EpochMemory, str, path-like, joblib.Memory or None
        The cache, its folder, or a joblib memory with the same folder.

    Returns
    -------
    EpochMemory or None
        The cache; None if nothing is cached.
    """
    if isinstance(memory, EpochMemory):
        return memory
    location = getattr(memory, "location", memory)
    return None if location is None else EpochMemory(location)


class _State(NamedTuple):
    """The file of a checkpoint."""

    n_epochs: int
    at_end: bool
    path: Path
