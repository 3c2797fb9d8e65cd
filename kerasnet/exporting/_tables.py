"""The columns of tables: their types, and samples that are drawn from the statistics of fitted steps."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.impute import KNNImputer
from sklearn.pipeline import Pipeline

from kerasnet.errors import ExportError
from kerasnet.exporting._description import Input
from kerasnet.exporting._inputs import is_missing_value
from kerasnet.preprocessing._frames import as_frame, is_frame

_UNKNOWN = "a category that does not exist"


def describe_columns(transformer, X):
    """Describe the columns of a table.

    Parameters
    ----------
    transformer : ColumnTransformer
        The fitted transformer that receives the table.
    X : data frame or array of shape (n_samples, n_features), or None
        Samples.

    Returns
    -------
    inputs : list of Input
        An input for each column.
    values : list of ndarray
        For each column, the known categories or values, or the center and the scale of numbers.
    """
    names = getattr(transformer, "feature_names_in_", None)
    positions = [f"column_{number}" for number in range(transformer.n_features_in_)]
    labels = positions if names is None else [str(name) for name in names]
    values = [None] * len(labels)
    for _, step, columns in transformer.transformers_:
        places = places_of(columns, labels)
        for place, known in zip(places, known_values(step, len(places)), strict=True):
            values[place] = known if values[place] is None or known.dtype == object else values[place]
    values = [np.array([0.0, 1.0]) if known is None else known for known in values]
    dtypes = ["string" if _are_strings(known) else "number" for known in values]
    number = "float64"
    if X is not None:
        columns = _columns_of(X)
        if len(columns) != len(labels):
            raise ExportError(f"verify must have {len(labels)} columns. Received: {len(columns)}.")
        dtypes = [_type_of(column, label) for column, label in zip(columns, labels, strict=True)]
        numbers = [each for each, dtype in zip(columns, dtypes, strict=True) if dtype == "number"]
        number = "float32" if numbers and all(str(each.dtype) == "float32" for each in numbers) else "float64"
    return [
        Input(label, number if dtype == "number" else "string", (1,))
        for label, dtype in zip(labels, dtypes, strict=True)
    ], values


def draw_table(values, names, n_samples=64):
    """Draw a table from the known values of its columns."""
    rng = np.random.default_rng(0)
    columns = [
        rng.choice(known, n_samples) if known.dtype == object else known[0] + known[1] * rng.normal(size=n_samples)
        for known in values
    ]
    frame = pd.DataFrame(dict(enumerate(columns))).infer_objects()
    return frame if names is None else frame.set_axis(names, axis=1)


def with_missing_values(X, description):
    """Return a copy of a table or array of floats in which every seventh value is missing; None for other samples."""
    is_float = [each.dtype in ("float64", "float32", "string") for each in description.inputs]
    if not all(is_float):
        return None
    frame = as_frame(X).copy()
    for place in range(frame.shape[1]):
        column = frame.iloc[:, place]
        is_missing = (np.arange(len(frame)) + place) % 7 == 3
        if not is_missing.any():
            return None
        column = column.astype(float) if column.dtype.kind in "iub" else column
        column = column.astype(object) if isinstance(column.dtype, pd.CategoricalDtype) else column
        frame.isetitem(place, column.mask(is_missing))
    return frame if is_frame(X) else frame.to_numpy()


def with_unknown_categories(X, description):
    """Return a copy of a table with unknown categories in each column of strings; None if there is none."""
    if not any(each.dtype == "string" for each in description.inputs):
        return None
    frame = as_frame(X).copy()
    for place, each in enumerate(description.inputs):
        if each.dtype == "string":
            column = frame.iloc[:, place].astype(object)
            frame.isetitem(place, column.mask(np.arange(len(frame)) % 5 == 2, _UNKNOWN))
    return frame if is_frame(X) else frame.to_numpy()


def places_of(columns, labels):
    """Return the positions of the columns of a step of a ColumnTransformer.

    Parameters
    ----------
    columns : str, int, slice, or array-like of str, int or bool
        The columns, as in ``transformers_``.
    labels : list of str
        The names of all columns.

    Returns
    -------
    places : list of int
    """
    every = np.arange(len(labels))
    if isinstance(columns, slice):
        start, stop = (labels.index(each) if isinstance(each, str) else each for each in (columns.start, columns.stop))
        stop = stop + 1 if isinstance(columns.stop, str) else stop
        return every[start : stop : columns.step].tolist()
    columns = [columns] if isinstance(columns, str | int) else list(columns)
    if columns and isinstance(columns[0], str):
        return [labels.index(name) for name in columns]
    return every[
        np.asarray(columns, dtype=bool if columns and isinstance(columns[0], bool | np.bool_) else int)
    ].tolist()


def known_values(step, n_columns):
    """Return the categories or training values, or the center and the scale, of each column that a step receives."""
    from kerasnet.exporting._samples import statistics_of

    for each in _chain(step):
        if hasattr(each, "categories_"):
            return [np.array(list(known), dtype=object) for known in each.categories_]
        if isinstance(each, KNNImputer):  # neighbors at equal distances exist for values of the training samples
            return [np.array([0, *column[~np.isnan(column)]], dtype=object) for column in each._fit_X.T]
        center, scale = statistics_of(each)
        if np.ndim(center) and len(center) == n_columns and np.ndim(scale):
            return list(np.column_stack([center, scale]))
    return [np.array([0.0, 1.0])] * n_columns


def _chain(step):
    if isinstance(step, Pipeline):
        for _, inner in step.steps:
            yield from _chain(inner)
    elif step is not None and not isinstance(step, str):
        yield step


def _columns_of(X):
    if hasattr(X, "columns"):
        return [X[name] for name in X.columns]
    X = np.asarray(X)
    return [pd.Series(X[:, place]).infer_objects() for place in range(X.shape[1])]


def _are_strings(known):
    return known.dtype == object and any(isinstance(value, str) for value in known)


def _type_of(column, label):
    values = np.asarray(column, dtype=object)
    present = [value for value in values if not is_missing_value(value)]
    if present and all(isinstance(value, str) for value in present):
        return "string"
    if all(isinstance(value, int | float | bool | np.number | np.bool_) for value in present):
        return "number"
    raise ExportError(f"Column {label!r} must contain either strings or numbers. Received: {present[:3]}.")
