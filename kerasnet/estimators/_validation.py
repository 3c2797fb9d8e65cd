"""Validation of training data, validation data and sample weights."""

import math
from collections.abc import Mapping, Sequence, Set
from numbers import Number

import keras
import numpy as np
from scipy.sparse import issparse
from sklearn.model_selection import train_test_split
from sklearn.utils import assert_all_finite, check_array, check_consistent_length
from sklearn.utils.validation import check_non_negative, validate_data

from kerasnet._lazy_array import LazyArray, is_lazy
from kerasnet.estimators._inputs import iter_chunks, n_samples_of
from kerasnet.training._rows import rows_of

_ARRAYS = ("shape", "__array__", "__array_interface__", "__dataframe__", "__dlpack__")  # protocols
_READ_AT_ONCE = 2**26  # bytes; larger data that are not in memory are read in chunks
_CONVERTED_AT_ONCE = 2**28  # bytes; larger arrays in memory are not copied as a whole


def validate_samples(estimator, X, y="no_validation", *, reset, **checks):
    """Validate samples and targets, like :func:`sklearn.utils.validation.validate_data`.

    Parameters
    ----------
    estimator : estimator
        The estimator, which stores the number and names of features.
    X : array-like of shape (n_samples, ...)
        Samples. Data that are larger than 64 MiB and not in memory are read in chunks.
    y : array-like or None, default="no_validation"
        Targets.
    reset : bool
        Whether to store the number and names of features. Otherwise they are compared with the stored ones.
    **checks
        Arguments for the validation of `y`.

    Returns
    -------
    X : ndarray or LazyArray
        Finite numbers. Large arrays in memory are returned as `LazyArray` as well, and converted row by row.
    y : ndarray, if given
        Validated targets.
    """
    _check_not_batched(estimator, X)
    if hasattr(X, "iloc") and hasattr(X, "sparse"):  # a data frame with sparse columns
        X = X.sparse.to_dense()
    is_finite = issparse(X)
    if is_finite:
        X = check_array(X, accept_sparse="csr", input_name="X", estimator=estimator)
    takes_arrays = getattr(estimator, "feature_encoder", None) is not None
    if is_lazy(X):
        X = X if isinstance(X, LazyArray) else LazyArray(X)
        if takes_arrays or math.prod(X.shape) * X.dtype.itemsize <= _READ_AT_ONCE:
            X = np.asarray(X)
    if not isinstance(X, LazyArray):
        validated = validate_data(estimator, X, y, reset=reset, allow_nd=True, **checks)
        X, *others = validated if isinstance(validated, tuple) else (validated,)
        X = LazyArray(X) if X.nbytes > _CONVERTED_AT_ONCE and not takes_arrays else X
        return (X, *others) if others else X
    if X.ndim < 2 or X.dtype.kind not in "biuf":
        raise ValueError(
            f"X must contain numbers and have at least 2 dimensions. Received: shape {X.shape}, dtype {X.dtype}."
        )
    validate_data(estimator, X, y, reset=reset, skip_check_array=True)
    if X.dtype.kind == "f" and not is_finite:
        for chunk in iter_chunks(X):
            assert_all_finite(chunk, estimator_name=type(estimator).__name__, input_name="X")
    if isinstance(y, str) or y is None:
        return X if isinstance(y, str) else (X, y)
    y = validate_data(estimator, y=y, reset=False, **checks)
    check_consistent_length(X, y)
    return X, y


def _check_not_batched(estimator, X):
    """Raise an error for iterators and data sets that yield samples or batches."""
    is_array = any(hasattr(X, name) for name in _ARRAYS) or isinstance(X, Sequence | Mapping | Set)
    yields_batches = hasattr(X, "element_spec") or isinstance(X, keras.utils.PyDataset)
    if yields_batches or (not is_array and any(hasattr(X, name) for name in ("__iter__", "__getitem__"))):
        raise TypeError(
            f"{type(estimator).__name__} shuffles samples by row index in each epoch. X must be an array, which may be "
            "on disk (see kerasnet.datasets.LazyArray), a data frame, a sparse matrix or ImageFiles. "
            f"Received: {type(X).__name__}. Write the samples to a memory-mapped file (numpy.lib.format.open_memmap) "
            "and pass it as X, or train model_ with keras.Model.fit."
        )


def hold_out(data, fraction, stratify, seed):
    """Split off a random part of the data for validation.

    Parameters
    ----------
    data : tuple (X, y, sample_weight)
        Arrays, or nested structures of arrays; `sample_weight` may be None.
    fraction : float
        Fraction of the samples that is split off.
    stratify : ndarray of shape (n_samples,) or None
        Class labels for a stratified split. A class of one sample is kept for training. If a part would have fewer
        samples than classes, the split is not stratified.
    seed : int
        Seed of the split.

    Returns
    -------
    train, validation : tuple
        Tuples like `data`.
    """
    rows = np.arange(n_samples_of(data[0]))
    is_kept = np.zeros(len(rows), bool)  # single samples of a class, which are needed for training
    if stratify is not None:
        _, codes, counts = np.unique(stratify, return_inverse=True, return_counts=True)
        if counts.max() > 1:
            is_kept = counts[codes] == 1
    others = rows[~is_kept]
    n_held_out = min(math.ceil(fraction * len(rows)), len(others) - 1)
    if stratify is not None:
        can_stratify = min(n_held_out, len(others) - n_held_out) >= np.sum(counts > 1) > 0
        stratify = stratify[~is_kept] if can_stratify else None
    size = n_held_out if is_kept.any() else fraction
    train, held_out = train_test_split(others, test_size=size, stratify=stratify, random_state=seed)
    return _split(data, (np.concatenate([rows[is_kept], train]), held_out))


def hold_out_last(data, fraction):
    """Split off the last part of the data for validation, as in Keras."""
    n_samples = n_samples_of(data[0])
    return _split(data, np.split(np.arange(n_samples), [int(n_samples * (1 - fraction))]))


def _split(data, parts):
    return [rows_of(data, rows) for rows in parts]


def check_sample_weight(sample_weight, n_samples):
    """Validate sample weights.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,), or float
        One weight per sample, or one weight for all samples.
    n_samples : int
        Number of samples.

    Returns
    -------
    sample_weight : ndarray of shape (n_samples,), dtype float32

    Raises
    ------
    ValueError
        If the shape is different, if a weight is negative, NaN or infinite, or if all weights are zero.
    """
    if isinstance(sample_weight, Number):
        sample_weight = np.full(n_samples, sample_weight)
    weights = check_array(sample_weight, ensure_2d=False, dtype=np.float32, order="C", input_name="sample_weight")
    if weights.shape != (n_samples,):
        raise ValueError(
            f"sample_weight must have shape ({n_samples},), with one weight per sample. "
            f"Received: shape {weights.shape}."
        )
    if not weights.any():
        raise ValueError("sample_weight must contain at least one non-zero number. Received: zeros only.")
    check_non_negative(weights, "`sample_weight`")
    return weights


def as_validation_data(given, without_targets):
    """Convert the argument ``validation_data`` of Keras to (X, y) or (X, y, sample_weight).

    Parameters
    ----------
    given : tuple, or array if there are no targets
        The argument.
    without_targets : bool
        Whether the estimator has no targets.

    Returns
    -------
    data : tuple
    """
    if without_targets and not isinstance(given, tuple):
        given = (given,)
    is_tuple = isinstance(given, tuple | list)
    if not is_tuple or not 2 - without_targets <= len(given) <= 3:
        raise ValueError(
            "validation_data must be a tuple (X, y) or (X, y, sample_weight) of arrays, which may be on disk. "
            f"Received: {type(given).__name__}{f' of length {len(given)}' if is_tuple else ''}."
        )
    return (given[0], None, *given[2:]) if without_targets else tuple(given)


def normalize_sample_weight(data, of_which=""):
    """Scale the sample weights to a mean of 1 over all samples.

    Keras averages the weighted losses over each batch. Scaling once over all samples, instead of per batch, makes the
    effect of a weight independent of the other samples in the batch.
    """
    if data is None or len(data) < 3 or data[2] is None:
        return data
    X, y, weights = data
    mean = weights.mean(dtype=np.float64)
    if not mean > 0:
        raise ValueError(
            f"At least one sample {of_which}must have a weight above 0. "
            f"Received: {len(weights)} samples, all with weight 0."
        )
    return X, y, (weights / mean).astype(np.float32)


def check_same_dtype(estimator, name, values, dtype, *, n_axes=None, divides_bytes=False):
    """Raise an error if data for further training have a different dtype than the data of the first fit.

    Parameters
    ----------
    estimator : estimator
        The estimator, for error messages.
    name : {"X", "y"}
        Name of the data.
    values : array-like
        The data. Only numeric arrays are checked.
    dtype : numpy.dtype
        Dtype of the data of the first fit.
    n_axes : int, default=None
        Number of dimensions of the data of the first fit. If None, it is not checked.
    divides_bytes : bool, default=False
        Whether uint8 is divided by 255, so that equal numbers of another dtype have a different meaning.

    Raises
    ------
    ValueError
        If casting could change values, such as floats to integers, or if only one of the dtypes is divided by 255.
    """
    found, owner = getattr(values, "dtype", None), type(estimator).__name__
    if not isinstance(found, np.dtype) or {found.kind, dtype.kind} - set("biuf"):
        return
    if n_axes is not None and values.ndim != n_axes:
        raise ValueError(
            f"{name} has {values.ndim} dimensions, but {owner} is expecting {n_axes} dimensions in {name}, as in the "
            "first fit."
        )
    is_other_scale = divides_bytes and np.uint8 in (found, dtype) and found != dtype
    if is_other_scale or not np.can_cast(found, dtype, "same_kind"):
        remedy = f"Convert with {name}.astype({dtype.name!r}) if the values mean the same."
        if is_other_scale:
            remedy = "Only uint8 is divided by 255: use the same dtype, and values from 0 to 255 as uint8."
        raise ValueError(
            f"Got {name} with dtype {found}, but {owner} was fitted on {name} of dtype {dtype}, and casting is not "
            f"safe. {remedy}"
        )
