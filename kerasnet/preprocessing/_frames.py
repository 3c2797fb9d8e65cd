"""Convert polars data frames and nullable dtypes to pandas data frames with NumPy dtypes."""

import sys

import numpy as np
import pandas as pd
from pandas.api.types import infer_dtype, is_float_dtype, is_numeric_dtype
from sklearn.utils import check_array

_DATES = ("date", "datetime", "datetime64", "period", "time", "timedelta", "timedelta64")
_NUMBERS = ("decimal", "floating", "integer", "mixed-integer-float")


def is_frame(X):
    """Return whether X is a pandas or polars DataFrame."""
    polars = sys.modules.get("polars")
    return isinstance(X, pd.DataFrame) or (polars is not None and isinstance(X, polars.DataFrame))


def as_frame(X):
    """Convert a table to a pandas DataFrame; keep the column names and dtypes of data frames.

    Columns of dtype object that contain only numbers become columns of integers or floats.
    """
    if is_frame(X) and not isinstance(X, pd.DataFrame):
        return pd.DataFrame({column.name: _from_polars(column) for column in X.get_columns()})
    if not isinstance(X, pd.DataFrame):
        X = check_array(X, dtype=None if hasattr(X, "dtype") else object, ensure_all_finite=False)
        X = pd.DataFrame(X).infer_objects()
    columns = {number: _numbers_of_objects(column) for number, (_, column) in enumerate(X.items())}
    is_changed = any(column.dtype != dtype for column, dtype in zip(columns.values(), X.dtypes, strict=True))
    return pd.DataFrame(columns, index=X.index).set_axis(X.columns, axis=1) if is_changed else X


def as_numbers(X):
    """Convert a data frame to a pandas DataFrame with NumPy dtypes, in which missing values are NaN.

    Arrays are returned unchanged. Dates and durations raise an error in both.
    """
    if is_frame(X) or getattr(getattr(X, "dtype", None), "kind", None) in ("M", "m"):
        frame = as_frame(X)
        check_no_dates(frame.items())
        columns = dict(enumerate(_as_numpy(column) for _, column in frame.items()))
        return pd.DataFrame(columns, index=frame.index).set_axis(frame.columns, axis=1)
    return X


def as_objects(X):
    """Convert categories to an object array, in which missing values are NaN."""
    frame = as_frame(X)
    objects = np.empty(frame.shape, dtype=object)
    for position, (_, column) in enumerate(frame.items()):
        if isinstance(column.dtype, pd.CategoricalDtype) and is_float_dtype(column.cat.categories.dtype):
            column = column.astype(column.cat.categories.dtype)
        if is_float_dtype(column.dtype):  # NumPy dtypes store integers with missing values as floats
            column = _as_numpy(column).convert_dtypes()
        objects[:, position] = np.where(column.isna(), np.nan, column.astype(object))
    return objects


def is_number(dtype):
    """Return whether a pandas dtype is numeric; booleans are treated as categories."""
    return is_numeric_dtype(dtype) and dtype.kind != "b"


def check_no_dates(columns):
    """Raise an error if any of the (name, pandas Series) pairs contains dates or durations."""
    dates = [name for name, column in columns if _has_dates(column)]
    if dates:
        raise ValueError(
            f"Expected columns of numbers, booleans, strings or categories. Received dates or durations in {dates}. "
            "Replace them with numbers (year, weekday, days since a date), or exclude them with numeric_columns and "
            "categorical_columns."
        )


def _numbers_of_objects(column):
    """Convert a pandas Series of dtype object that contains only numbers to a numeric dtype."""
    kind = infer_dtype(column, skipna=True) if column.dtype == object else None
    if kind not in _NUMBERS:
        return column
    if kind == "integer":
        try:
            return column.astype("Int64")
        except OverflowError:
            return column
    return pd.Series(np.where(column.isna(), np.nan, column).astype(np.float64), column.index)


def _has_dates(column):
    if isinstance(column.dtype, pd.CategoricalDtype):
        return False
    return column.dtype.kind in "mM" or (column.dtype.kind == "O" and infer_dtype(column, skipna=True) in _DATES)


def _as_numpy(column):
    """Convert a pandas Series to the NumPy dtype that pandas uses for its values by default."""
    dtype = column.dtype
    if dtype.kind == "O" and not is_numeric_dtype(dtype):
        return pd.Series(np.where(column.isna(), np.nan, column.astype(object)), column.index, dtype=object)
    if isinstance(dtype, np.dtype) or not hasattr(dtype, "numpy_dtype"):
        return column
    target = dtype.numpy_dtype
    if target.kind == "O" or (target.kind != "f" and column.isna().any()):
        target = np.dtype(np.float64)
    missing = {"na_value": np.nan} if target.kind == "f" else {}
    return pd.Series(column.to_numpy(dtype=target, **missing), column.index)


def _from_polars(column):
    """Convert a polars Series to pandas without PyArrow."""
    import polars as pl

    dtype = column.dtype
    if dtype.is_decimal() or dtype in (pl.Int128, pl.UInt128):  # NumPy has no such dtypes
        return column.cast(pl.Float64).to_numpy()
    if dtype.is_integer() and column.null_count():
        return pd.arrays.IntegerArray(column.fill_null(0).to_numpy(), column.is_null().to_numpy())
    if dtype.is_numeric():
        return column.to_numpy()
    if dtype in (pl.Date, pl.Datetime, pl.Duration):
        values = pd.Series(column.to_numpy())
        zone = getattr(dtype, "time_zone", None)
        return values.dt.tz_localize("UTC").dt.tz_convert(zone) if zone else values
    return pd.Series(column.to_list())
