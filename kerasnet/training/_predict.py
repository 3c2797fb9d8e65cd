"""Prediction in batches."""

import math

import numpy as np
import tensorflow as tf

from kerasnet.training._rows import has_lazy_arrays, read_ahead, rows_in_window, rows_of

_MAX_VALUES_PER_BATCH = 2**23  # of the largest layer output
# scikit-learn requires that the output for a sample does not depend on the other samples. Matrix products process rows
# in blocks of six or eight, and the remaining rows by different code, which rounds differently.
_ROW_MULTIPLE = 24
_SMALL_SAMPLE_SIZE = 128  # number of values up to which 24 rows take little longer than one


def predict_in_batches(engine, values, part, X, finish=None):
    """Compute the outputs of an engine's model, or of a part of it, in batches with the given weights.

    The batch size is limited by the size of the largest layer output.

    Parameters
    ----------
    engine : Engine
        The engine that computes the outputs.
    values : list of tensors
        The values of all variables.
    part : callable
        A function that takes the model and returns the callable to compute, such as
        :func:`kerasnet.training._engine.whole_model`.
    X : ndarray of shape (n_samples, ...), or a list of them for multiple inputs
        The inputs; uint8 is divided by 255.
    finish : callable, default=None
        A function that is applied to the outputs of each batch and returns one row per sample.

    Returns
    -------
    outputs : ndarray of shape (n_samples, ...), or a list of them for multiple outputs
        The outputs of the part, or the results of `finish`.
    """
    first, *_ = inputs = tf.nest.flatten(X)
    n_values = max(math.prod(each.shape[1:]) for each in inputs)
    multiple = _ROW_MULTIPLE if n_values <= _SMALL_SAMPLE_SIZE else 2
    size = max(1, _MAX_VALUES_PER_BATCH // max(engine.n_activations, n_values) // multiple) * multiple
    n_samples, results, start = len(first), None, 0
    for batch in _batches(X, size):
        n_rows = len(tf.nest.flatten(batch)[0])
        if missing := -n_rows % multiple:
            batch = tf.nest.map_structure(lambda rows, missing=missing: _pad_rows(rows, missing), batch)
        outputs = engine.outputs(values, part, batch)
        outputs = tf.nest.map_structure(lambda rows, n_rows=n_rows: np.asarray(rows)[:n_rows], outputs)
        outputs = outputs if finish is None else finish(outputs)
        if n_rows == n_samples:
            return outputs
        if results is None:
            results = tf.nest.map_structure(lambda rows: np.empty((n_samples, *rows.shape[1:]), rows.dtype), outputs)
        for rows, result in zip(tf.nest.flatten(outputs), tf.nest.flatten(results), strict=True):
            result[start : start + n_rows] = rows
        start += n_rows
    return results


def _batches(X, size):
    """Yield batches of rows. Data that is not in memory is read in windows of many batches."""
    n_samples = len(tf.nest.flatten(X)[0])
    if not has_lazy_arrays(X):
        for start in range(0, n_samples, size):
            yield rows_of(X, slice(start, start + size))
        return
    window = size * max(1, rows_in_window(X) // size)
    windows = (slice(start, start + window) for start in range(0, n_samples, window))
    for rows in read_ahead(lambda rows: rows_of(X, rows, np.asarray), windows):
        yield from _batches(rows, size)


def _pad_rows(rows, n_more):
    return np.concatenate([rows, np.broadcast_to(rows[:1], (n_more, *rows.shape[1:]))])
