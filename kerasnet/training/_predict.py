"""Predictions in batches."""

import math

import numpy as np
import tensorflow as tf

from kerasnet.training._rows import are_lazy, read_ahead, rows_in_window, rows_of

_VALUES_A_BATCH = 2**23  # of the largest layer
# Processors compute the rows of a product in sixes or eights, and what is left over by other code, which rounds
# otherwise: scikit-learn asks that the output for a sample does not depend on the other samples.
_ROWS_ALIKE = 24
_VALUES_OF_A_SMALL_SAMPLE = 128  # for which 24 rows take hardly longer than one


def predict_in_batches(engine, values, part, X, finish=None):
    """Compute the outputs of a part of an engine's model with other weights, in batches.

    Batches are as large as the activations of the largest layer allow.

    Parameters
    ----------
    engine : Engine
        Its graphs are used.
    values : list of tensors
        The values of all variables.
    part : callable
        Takes the model and returns what is called, such as :func:`kerasnet.training._engine.whole`.
    X : ndarray of shape (n_samples, ...), or a list of them for several inputs
        Inputs; uint8 is divided by 255.
    finish : callable, default=None
        Takes the outputs for some samples and returns what is kept of them, with one row for each.

    Returns
    -------
    outputs : ndarray of shape (n_samples, ...), or a list of them for several outputs
        The outputs of the part, or what `finish` makes of them.
    """
    first, *_ = inputs = tf.nest.flatten(X)
    n_values = max(math.prod(each.shape[1:]) for each in inputs)
    alike = _ROWS_ALIKE if n_values <= _VALUES_OF_A_SMALL_SAMPLE else 2
    size = max(1, _VALUES_A_BATCH // max(engine.n_activations, n_values) // alike) * alike
    n_samples, kept, start = len(first), None, 0
    for batch in _batches(X, size):
        n_rows = len(tf.nest.flatten(batch)[0])
        if missing := -n_rows % alike:
            batch = tf.nest.map_structure(lambda rows, missing=missing: _with_more_rows(rows, missing), batch)
        outputs = engine.outputs(values, part, batch)
        outputs = tf.nest.map_structure(lambda rows, n_rows=n_rows: np.asarray(rows)[:n_rows], outputs)
        outputs = outputs if finish is None else finish(outputs)
        if n_rows == n_samples:
            return outputs
        if kept is None:
            kept = tf.nest.map_structure(lambda rows: np.empty((n_samples, *rows.shape[1:]), rows.dtype), outputs)
        for rows, of_all in zip(tf.nest.flatten(outputs), tf.nest.flatten(kept), strict=True):
            of_all[start : start + n_rows] = rows
        start += n_rows
    return kept


def _batches(X, size):
    """Yield batches of some rows; of data that are not in memory many are read at once."""
    n_samples = len(tf.nest.flatten(X)[0])
    if not are_lazy(X):
        for start in range(0, n_samples, size):
            yield rows_of(X, slice(start, start + size))
        return
    window = size * max(1, rows_in_window(X) // size)
    windows = (slice(start, start + window) for start in range(0, n_samples, window))
    for rows in read_ahead(lambda rows: rows_of(X, rows, np.asarray), windows):
        yield from _batches(rows, size)


def _with_more_rows(rows, n_more):
    return np.concatenate([rows, np.broadcast_to(rows[:1], (n_more, *rows.shape[1:]))])
