"""Convert samples to the inputs of an exported model."""

import math

import numpy as np

_BATCH_SIZE, _BATCH_NUMBERS = 1000, 50_000  # most samples and numbers in a batch
_UNKNOWN = "<unknown>"  # a category that the model does not know


def as_inputs(description, X):
    """Convert samples to the inputs of an exported model.

    Parameters
    ----------
    description : Description
        The description of the model.
    X : array-like, data frame, or list of sequences
        The samples, as for the exported estimator.

    Returns
    -------
    inputs : dict of str to ndarray
        The inputs by name.

    Raises
    ------
    ValueError
        If the samples do not have the shape, columns or dtype that the model expects, or contain values that it does
        not support.
    """
    if description.is_table:
        inputs = _columns(description, X)
    else:
        if description.padding is not None:
            X = _padded(X, description.padding)
        inputs = {description.inputs[0].name: _samples(description, X)}
    for name, values in inputs.items():
        if not len(values):
            raise ValueError("Found array with 0 sample(s) while a minimum of 1 is required.")
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            _check_missing(description, name, values)
    return inputs


def run_in_batches(run, inputs):
    """Run a model on batches of samples, which limits the memory that the outputs of its layers take.

    Batches of large samples are small, since operators on images are faster while their outputs fit into the caches.

    Parameters
    ----------
    run : callable
        A function that takes a dict of inputs and returns a dict of outputs.
    inputs : dict of str to ndarray
        The inputs of all samples.

    Returns
    -------
    outputs : dict of str to ndarray
        The outputs for all samples.
    """
    n_samples = len(next(iter(inputs.values())))
    n_numbers = sum(values.size for values in inputs.values()) // n_samples
    size = max(1, min(_BATCH_SIZE, _BATCH_NUMBERS // max(1, n_numbers)))
    batches = [
        run({name: values[start : start + size] for name, values in inputs.items()})
        for start in range(0, n_samples, size)
    ]
    return {name: np.concatenate([batch[name] for batch in batches]) for name in batches[0]}


def has_missing_values(inputs, missing):
    """Return whether inputs contain NaN, or the string that represents a missing value."""
    return any(
        (values == missing).any() if values.dtype == object else np.isnan(values).any()
        for values in inputs.values()
        if values.dtype.kind in "fO"
    )


def is_missing_value(value):
    """Return whether a value is None, NaN, or NA of pandas, which cannot be compared."""
    return value is None or str(value) == "<NA>" or value != value


def _check_missing(description, name, values):
    if np.isinf(values).any():
        raise ValueError(f"Input {name!r} contains infinity or a value too large for dtype('{values.dtype}').")
    if not description.allow_nan:
        raise ValueError(
            f"Input {name!r} contains NaN. The exported {description.estimator} does not support missing values."
        )


def _columns(description, X):
    """Return the columns of a table, each of shape (n, 1)."""
    names, n_columns = description.feature_names, len(description.inputs)
    if names is not None and hasattr(X, "columns"):
        if missing := [name for name in names if name not in X.columns]:
            raise ValueError(f"Expected the columns {names}. Missing: {missing}.")
        columns = [X[name] for name in names]
    else:
        X = X if hasattr(X, "iloc") else np.asarray(X, dtype=getattr(X, "dtype", object))
        if X.ndim != 2 or X.shape[1] != n_columns:
            raise ValueError(f"Expected a table of {n_columns} columns. Received: X of shape {X.shape}.")
        columns = [X.iloc[:, place] if hasattr(X, "iloc") else X[:, place] for place in range(n_columns)]
    return {
        each.name: _column(each, column, description.missing)
        for each, column in zip(description.inputs, columns, strict=True)
    }


def _column(described, column, missing):
    values = np.asarray(column, dtype=object)
    is_missing = np.array([is_missing_value(value) for value in values], dtype=bool)
    if described.dtype == "string":
        if wrong := [value for value in values[~is_missing] if not isinstance(value, str)]:
            raise ValueError(f"Column {described.name!r} must contain strings. Received: {wrong[0]!r}.")
        is_text = np.array([isinstance(value, str) and value == missing for value in values], dtype=bool)
        values = np.where(is_text, _UNKNOWN, values)  # the estimator does not replace this string
        return np.where(is_missing, missing, values).astype(object).reshape(-1, 1)
    try:
        return np.where(is_missing, np.nan, values).astype(described.dtype).reshape(-1, 1)
    except (TypeError, ValueError) as error:
        raise ValueError(f"Column {described.name!r} must contain numbers: {error}.") from None


def _samples(description, X):
    """Return samples in the shape and dtype of the only input."""
    (described,) = description.inputs
    names = description.feature_names
    if names is not None and hasattr(X, "columns"):
        if missing := [name for name in names if name not in X.columns]:
            raise ValueError(f"Expected the columns {names}. Missing: {missing}.")
        X = X[names]
    X = np.asarray(X)
    if description.kind == "tokens" and X.dtype.kind in "if" and X.size and X.min() < 0:
        raise ValueError(f"Expected token ids of at least 0. Received: X with the minimum {X.min():g}.")
    if X.dtype.kind not in "biuf":
        raise ValueError(f"Expected numbers of dtype {described.dtype}. Received: X of dtype {X.dtype}.")
    return _as_dtype(description, _as_shape(description, X), np.dtype(described.dtype))


def _as_shape(description, X):
    shape = description.inputs[0].shape
    if X.ndim == len(shape) + 1 and all(size in (None, found) for size, found in zip(shape, X.shape[1:], strict=True)):
        return X
    if description.kind in ("image", "sequence") and None not in shape and _has_shape(X.shape[1:], shape):
        return X.reshape(len(X), *shape)
    expected = ", ".join("any" if size is None else str(size) for size in shape)
    raise ValueError(f"Expected X of shape (n_samples, {expected}). Received: X of shape {X.shape}.")


def _has_shape(found, shape):
    """Return whether samples differ only by axes of size 1, or the model flattens them."""
    same_sizes = [size for size in found if size != 1] == [size for size in shape if size != 1]
    return same_sizes or (len(shape) == 1 and math.prod(found) == math.prod(shape))


def _as_dtype(description, X, dtype):
    if X.dtype == dtype:
        return X
    if dtype == np.uint8:
        raise ValueError(
            f"The exported model takes images of dtype uint8, from 0 to 255. Received: X of dtype {X.dtype}. Convert "
            "floats in [0, 1] with np.rint(X * 255).astype(np.uint8) and integers with X.astype(np.uint8), or export "
            "with verify= set to images of dtype float32."
        )
    if X.dtype == np.uint8 and description.divides_bytes:
        return X.astype(dtype) / dtype.type(255)
    if dtype.kind in "iu" and X.dtype.kind == "f" and not (np.rint(X) == X).all():
        raise ValueError(f"The model expects integers. Received: X of dtype {X.dtype} with fractional values.")
    if dtype.kind in "iu":
        X = np.clip(X, np.iinfo(dtype).min, np.iinfo(dtype).max)
    with np.errstate(over="ignore"):
        return X.astype(dtype)


def _padded(X, padding):
    """Pad sequences of different lengths at the end."""
    if isinstance(X, np.ndarray) and X.dtype != object:
        return X
    sequences = [np.asarray(each, dtype=np.float32) for each in X]
    sequences = [each[:, np.newaxis] if each.ndim == 1 else each for each in sequences]
    if not sequences or len({each.shape[1:] for each in sequences}) > 1 or not min(map(len, sequences)):
        raise ValueError("Expected sequences of shape (steps, features) with at least one step.")
    padded = np.full((len(sequences), max(map(len, sequences)), sequences[0].shape[1]), padding, np.float32)
    for row, sequence in zip(padded, sequences, strict=True):
        row[: len(sequence)] = sequence
    return padded
