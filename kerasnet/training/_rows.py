"""The rows of the next steps: from tensors in memory, or read ahead from somewhere else."""

import math
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import tensorflow as tf

from kerasnet._lazy_array import LazyArray

WINDOW = 2**24  # bytes that are read at once; two to four times as many are in memory


def n_batches(n_samples, batch_size):
    """Count the batches of an epoch.

    Parameters
    ----------
    n_samples : int
        The number of samples.
    batch_size : int
        The number of samples in a batch; -1 for all samples.

    Returns
    -------
    int
        The last batch, which may be smaller, included.
    """
    return 1 if batch_size == -1 else math.ceil(n_samples / batch_size)


def rows_of(data, rows, convert=None):
    """Return some rows of all arrays; what is the same array in `data` is the same in the result.

    Parameters
    ----------
    data : structure of arrays
        None stays None. A `LazyArray` stays one, unless `convert` is given.
    rows : slice or ndarray of int
        Which rows.
    convert : callable, default=None
        Called with the rows of each array.

    Returns
    -------
    structure of arrays
        Of the form of `data`.
    """
    convert = convert or (lambda taken: taken)
    taken = {id(each): None if each is None else convert(each[rows]) for each in keras.tree.flatten(data)}
    return keras.tree.map_structure(lambda each: taken[id(each)], data)


def are_lazy(data):
    """Tell whether there is a `LazyArray` in a structure of arrays."""
    return any(isinstance(each, LazyArray) for each in keras.tree.flatten(data))


def rows_in_window(data):
    """Return how many rows of the arrays that are not in memory are read at once; 0 if all are in memory."""
    return min((each.rows_in(WINDOW) for each in keras.tree.flatten(data) if isinstance(each, LazyArray)), default=0)


def read_ahead(read, pieces):
    """Call a function for each piece, the next one in a thread while the caller works on the last; yield the results.

    Parameters
    ----------
    read : callable
        Takes a piece.
    pieces : iterable
        What it is called with.

    Yields
    ------
    result : object
        What `read` returns, in order. An error that it raises is raised here.
    """
    thread, coming = ThreadPoolExecutor(1, "kerasnet-rows"), None
    try:
        for piece in pieces:
            following = thread.submit(read, piece)
            if coming is not None:
                yield coming.result()
            coming = following
        if coming is not None:
            yield coming.result()
    finally:
        thread.shutdown(cancel_futures=True)


class RowSource:
    """The samples of a training, in the order in which an epoch visits them.

    Arrays in memory become tensors once, and an epoch has one window. A `LazyArray` is read ahead, in windows of
    at most 16 MiB as far as a batch is not larger.

    Parameters
    ----------
    data : tuple (X, y) or (X, y, sample_weight)
        Arrays, or structures of them.
    batch_size : int
        The number of samples in a step; -1 for all.
    """

    def __init__(self, data, batch_size):
        first, *_ = keras.tree.flatten(data)
        self.n_samples = len(first)
        self.batch_size = self.n_samples if batch_size == -1 else batch_size
        self.n_steps = n_batches(self.n_samples, batch_size)
        self._data, self._tensors = data, None if are_lazy(data) else as_tensors(data)
        self._steps_a_window = max(1, rows_in_window(data) // self.batch_size)

    def windows(self, order=None):
        """Yield the windows of an epoch.

        Parameters
        ----------
        order : tensor of shape (n_samples,), dtype int32, default=None
            The order in which the samples are visited; that of the data when None.

        Yields
        ------
        first, last : int
            The steps in this window, without `last`.
        data : structure of tensors
            Samples.
        order : tensor of shape (n,), dtype int32, or None
            The order in which the steps of the window visit the samples in `data`.
        """
        if self._tensors is not None:
            yield 0, self.n_steps, self._tensors, order
            return
        numbers = None if order is None else np.asarray(order)

        def read(first):
            last = min(first + self._steps_a_window, self.n_steps)
            rows = slice(first * self.batch_size, last * self.batch_size)
            data = as_tensors(rows_of(self._data, rows if numbers is None else numbers[rows], np.asarray))
            n_rows = len(keras.tree.flatten(data)[0])
            return first, last, data, None if numbers is None else tf.range(n_rows)

        yield from read_ahead(read, range(0, self.n_steps, self._steps_a_window))


def as_tensors(arrays):
    """Return data as tensors, the same one for the same array; of bytes, only inputs are images."""
    X, *others = arrays
    inputs = {id(array): tf.constant(array) for array in tf.nest.flatten(X)}

    def constant(array):
        if id(array) in inputs:
            return inputs[id(array)]
        return tf.constant(array.astype(np.int32) if array.dtype == np.uint8 else array)

    return tuple(tf.nest.map_structure(constant, each) for each in (X, *others))
