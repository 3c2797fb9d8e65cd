"""Training and validation data, and the weights of their samples."""

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
from kerasnet.estimators._inputs import chunks_of, n_samples_of
from kerasnet.training._rows import rows_of

_ARRAYS = ("shape", "__array__", "__array_interface__", "__dataframe__", "__dlpack__")  # protocols
_READ_AT_ONCE = 2**26  # bytes of what is not in memory; what is larger stays where it is
_CONVERTED_AT_ONCE = 2**28  # bytes of an array in memory; of a larger one, no copy is made


def validate_samples(estimator, X, y="no_validation", *, reset, **checks):
    """Validate samples, and targets if there are any, as :func:`sklearn.utils.validation.validate_data` does.

    Parameters
    ----------
    estimator : estimator
        It keeps the number and the names of features, or is asked for them.
    X : array-like of shape (n_samples, ...)
        Of any number of axes. What is larger than 64 MiB and not in memory is read in chunks and stays where it is.
    y : array-like or None, default="no_validation"
        Targets.
    reset : bool
        Whether features are kept, in place of compared.
    **checks
        Options of the validation of `y`.

    Returns
    -------
    X : ndarray or LazyArray
        Finite numbers. A large array in memory is a `LazyArray`, too, for it to be converted row by row.
    y : ndarray, if given
        Validated targets.
    """
    _refuse_batches(estimator, X)
    if hasattr(X, "iloc") and hasattr(X, "sparse"):  # a frame of sparse columns
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
        raise ValueError(f"X must hold numbers, in at least two axes. Received: shape {X.shape} and dtype {X.dtype}.")
    validate_data(estimator, X, y, reset=reset, skip_check_array=True)
    if X.dtype.kind == "f" and not is_finite:
        for chunk in chunks_of(X):
            assert_all_finite(chunk, estimator_name=type(estimator).__name__, input_name="X")
    if isinstance(y, str) or y is None:
        return X if isinstance(y, str) else (X, y)
    y = validate_data(estimator, y=y, reset=False, **checks)
    check_consistent_length(X, y)
    return X, y


def _refuse_batches(estimator, X):
    """Refuse what gives samples or batches in an order of its own, or one by one."""
    is_array = any(hasattr(X, name) for name in _ARRAYS) or isinstance(X, Sequence | Mapping | Set)
    gives_batches = hasattr(X, "element_spec") or isinstance(X, keras.utils.PyDataset)
    if gives_batches or (not is_array and any(hasattr(X, name) for name in ("__iter__", "__getitem__"))):
        raise TypeError(
            f"{type(estimator).__name__} reads samples by row numbers, in another order in each epoch. X must be an "
            "array, which may be on disk (see kerasnet.datasets.LazyArray), a data frame, a sparse matrix or "
            f"ImageFiles. Received: {type(X).__name__}. Write its samples once into a file made by "
            "numpy.lib.format.open_memmap and pass that, or train model_ with keras.Model.fit."
        )


def hold_out(data, fraction, strata, seed):
    """Hold out a random part of the data.

    Parameters
    ----------
    data : tuple (X, y, sample_weight)
        Arrays, or structures of them; `sample_weight` may be None.
    fraction : float
        The part that is held out.
    strata : ndarray of shape (n_samples,) or None
        What both parts have the same proportions of.
    seed : int
        Decides which samples are held out.

    Returns
    -------
    train, validation : tuple
        Of the form of `data`.
    """
    rows = np.arange(n_samples_of(data[0]))
    return _split(data, train_test_split(rows, test_size=fraction, stratify=strata, random_state=seed))


def hold_out_last(data, fraction):
    """Hold out the last part of the data, as Keras does."""
    n_samples = n_samples_of(data[0])
    return _split(data, np.split(np.arange(n_samples), [int(n_samples * (1 - fraction))]))


def _split(data, parts):
    return [rows_of(data, rows) for rows in parts]


def check_sample_weight(sample_weight, n_samples):
    """Validate the weights of samples.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,), or float
        One weight for each sample, or one for all.
    n_samples : int
        The number of samples.

    Returns
    -------
    sample_weight : ndarray of shape (n_samples,), dtype float32

    Raises
    ------
    ValueError
        If the shape is another, if a weight is negative, NaN or infinite, or if all weights are zero.
    """
    if isinstance(sample_weight, Number):
        sample_weight = np.full(n_samples, sample_weight)
    weights = check_array(sample_weight, ensure_2d=False, dtype=np.float32, order="C", input_name="sample_weight")
    if weights.shape != (n_samples,):
        raise ValueError(
            f"sample_weight must have the shape ({n_samples},), with one weight for each sample. "
            f"Received: shape {weights.shape}."
        )
    if not weights.any():
        raise ValueError("sample_weight must contain at least one non-zero number. Received: zeros only.")
    check_non_negative(weights, "`sample_weight`")
    return weights


def as_validation_data(given, without_targets):
    """Return ``validation_data`` of Keras as (X, y) or (X, y, sample_weight).

    Parameters
    ----------
    given : tuple, or array where there are no targets
        As a user gave it.
    without_targets : bool
        Whether the samples are their own targets.

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


def with_mean_weight_of_1(data, of_which=""):
    """Scale the weights of samples once for all of them: Keras averages weighted losses over each batch.

    Then a weight means the same in every batch, whichever other samples are in it.
    """
    if data is None or len(data) < 3 or data[2] is None:
        return data
    X, y, weights = data
    mean = weights.mean(dtype=np.float64)
    if not mean > 0:
        raise ValueError(
            f"At least one sample {of_which}must have a weight above 0. "
            f"Received: {len(weights)} samples, all of weight 0."
        )
    return X, y, (weights / mean).astype(np.float32)


def refuse_another_dtype(estimator, name, values, dtype, *, n_axes=None, divides_bytes=False):
    """Refuse data for further training that are of another kind than the first data.

    Parameters
    ----------
    estimator : estimator
        For messages.
    name : {"X", "y"}
        What `values` is.
    values : array-like
        Only arrays of numbers are looked at.
    dtype : numpy.dtype
        That of the first data.
    n_axes : int, default=None
        The number of axes of the first data; None for any.
    divides_bytes : bool, default=False
        Whether uint8 is divided by 255, and means something else than the same numbers of another dtype.

    Raises
    ------
    ValueError
        If casting could change values, as that of floats to integers, or if only one of two dtypes is divided by 255.
    """
    found, owner = getattr(values, "dtype", None), type(estimator).__name__
    if not isinstance(found, np.dtype) or {found.kind, dtype.kind} - set("biuf"):
        return
    if n_axes is not None and values.ndim != n_axes:
        raise ValueError(
            f"{name} has {values.ndim} dimensions, but this {owner} is expecting {n_axes} dimensions in {name}, as in "
            "the first fit."
        )
    is_other_scale = divides_bytes and np.uint8 in (found, dtype) and found != dtype
    if is_other_scale or not np.can_cast(found, dtype, "same_kind"):
        raise ValueError(
            f"Got {name} with dtype {found}, but {owner} was fitted on {name} of dtype {dtype}, and casting is not "
            f"safe. Convert with {name}.astype({dtype.name!r}) if the values mean the same."
        )
