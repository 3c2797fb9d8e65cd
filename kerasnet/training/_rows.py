"""Sources of training samples: tensors in memory, or lazy arrays that are read ahead."""

import math
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import tensorflow as tf

from kerasnet._lazy_array import LazyArray

WINDOW_BYTES = 2**24  # read at once; two to four times as many are in memory


def n_batches(n_samples: int, batch_size: int) -> int:
    """Compute the number of batches per epoch.

    Parameters
    ----------
    n_samples : int
        The number of samples.
    batch_size : int
        The number of samples per batch; -1 for all samples.

    Returns
    -------
    n_batches : int
        The number of batches, including the last one, which may be smaller.

    Examples
    --------
    >>> from kerasnet.training import n_batches
    >>> n_batches(1000, 32)
    32
    """
    return 1 if batch_size == -1 else math.ceil(n_samples / batch_size)


def rows_of(data, rows, convert=None):
    """Return the selected rows of all arrays; an array that occurs twice in `data` is indexed once.

    Parameters
    ----------
    data : structure of arrays
        The arrays. None stays None. A `LazyArray` stays lazy unless `convert` is given.
    rows : slice or ndarray of int
        The indices of the rows.
    convert : callable, default=None
        A function that is applied to the selected rows of each array.

    Returns
    -------
    structure of arrays
        A structure like `data`.
    """
    convert = convert or (lambda taken: taken)
    taken = {id(each): None if each is None else convert(each[rows]) for each in keras.tree.flatten(data)}
    return keras.tree.map_structure(lambda each: taken[id(each)], data)


def has_lazy_arrays(data):
    """Return whether a structure of arrays contains a `LazyArray`."""
    return any(isinstance(each, LazyArray) for each in keras.tree.flatten(data))


def rows_in_window(data):
    """Return the number of rows that are read at once from lazy arrays; 0 if all arrays are in memory."""
    return min(
        (each.rows_in(WINDOW_BYTES) for each in keras.tree.flatten(data) if isinstance(each, LazyArray)), default=0
    )


def read_ahead(read, arguments):
    """Call a function for each argument in a background thread, one call ahead of the caller; yield the results.

    Parameters
    ----------
    read : callable
        A function of one argument.
    arguments : iterable
        The arguments.

    Yields
    ------
    result : object
        The return values of `read`, in order. Errors of `read` are raised here.
    """
    thread, pending = ThreadPoolExecutor(1, "kerasnet-rows"), None
    try:
        for argument in arguments:
            following = thread.submit(read, argument)
            if pending is not None:
                yield pending.result()
            pending = following
        if pending is not None:
            yield pending.result()
    finally:
        thread.shutdown(cancel_futures=True)


class RowSource:
    """The samples of a training, in the order of each epoch.

    Arrays in memory are converted to tensors once, and an epoch has one window. A `LazyArray` is read ahead in windows
    of at most 16 MiB, but of at least one batch.

    Parameters
    ----------
    data : tuple (X, y) or (X, y, sample_weight)
        Arrays, or structures of arrays.
    batch_size : int
        The number of samples per step; -1 for all samples.
    """

    def __init__(self, data, batch_size):
        first, *_ = keras.tree.flatten(data)
        self.n_samples = len(first)
        self.batch_size = self.n_samples if batch_size == -1 else batch_size
        self.n_steps = n_batches(self.n_samples, batch_size)
        self._data, self._tensors = data, None if has_lazy_arrays(data) else as_tensors(data)
        self._steps_per_window = max(1, rows_in_window(data) // self.batch_size)

    def windows(self, order=None):
        """Yield the windows of an epoch.

        Parameters
        ----------
        order : tensor of shape (n_samples,), dtype int32, default=None
            The sample indices in the order of training. If None, the order of the data is used.

        Yields
        ------
        first, last : int
            The range of steps in this window, excluding `last`.
        data : structure of tensors
            The samples of the window.
        order : tensor of shape (n,), dtype int32, or None
            The indices into `data` in the order of the steps.
        """
        if self._tensors is not None:
            yield 0, self.n_steps, self._tensors, order
            return
        numbers = None if order is None else np.asarray(order)

        def read(first):
            last = min(first + self._steps_per_window, self.n_steps)
            rows = slice(first * self.batch_size, last * self.batch_size)
            data = as_tensors(rows_of(self._data, rows if numbers is None else numbers[rows], np.asarray))
            n_rows = len(keras.tree.flatten(data)[0])
            return first, last, data, None if numbers is None else tf.range(n_rows)

        yield from read_ahead(read, range(0, self.n_steps, self._steps_per_window))


def as_tensors(arrays):
    """Convert each array to a tensor once. Targets of dtype uint8 become int32; inputs of dtype uint8 are images."""
    X, *others = arrays
    inputs = {id(array): tf.constant(array) for array in tf.nest.flatten(X)}

    def constant(array):
        if id(array) in inputs:
            return inputs[id(array)]
        return tf.constant(array.astype(np.int32) if array.dtype == np.uint8 else array)

    return tuple(tf.nest.map_structure(constant, each) for each in (X, *others))
