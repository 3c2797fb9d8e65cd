"""Load CSV files with strict checks of rows, columns and values."""

from __future__ import annotations

import os
import re
import reprlib
from numbers import Integral, Number
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.utils import Bunch

from kerasnet._files import read_bytes
from kerasnet.datasets._csv_columns import typed_columns
from kerasnet.datasets._csv_rows import read_rows
from kerasnet.errors import DataFormatError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd


def load_csv(
    path: str | os.PathLike[str],
    target: str | int | None = "label",
    return_X_y: bool = False,
    *,
    sep: str = ",",
    decimal: str = ".",
    header: Literal["infer", 0] | None = "infer",
    index_col: str | int | Sequence[str | int] | None = None,
    na_values: Any = None,
    encoding: str = "utf-8",
    text_columns: Sequence[str | int] = (),
    max_bytes: int = 200_000_000,
) -> Bunch | tuple[pd.DataFrame, pd.Series | None]:
    r"""Load features and labels from a CSV file.

    Fields that contain separators or line breaks must be in double quotes. All rows must have as many fields as the
    first one. Blank lines are skipped.

    The dtype of a column is inferred from its non-missing values: boolean (true, false), integer, float, or otherwise
    text. Numbers are parsed exactly as by Python's `float`. Empty fields are missing values. In numeric columns, NA,
    N/A, NaN, nan, NULL and null are missing values, too; in text columns, they are kept as text. A column in which most
    values are numbers must not contain text. The parameters from `sep` to `encoding` are those of
    :func:`pandas.read_csv`.

    Parameters
    ----------
    path : str or path-like
        The file.
    target : str or int, default="label"
        The name of the column with the labels, or its position, from 0, if ``header=None``. None if the file has no
        labels.
    return_X_y : bool, default=False
        If True, return ``(data, target)`` instead of a Bunch.
    sep : str, default=","
        The character that separates fields, such as ";" or "\t".
    decimal : str, default="."
        The decimal separator, "," in many European files.
    header : {"infer", 0} or None, default="infer"
        With "infer" or 0, the first row contains the column names. With None there is no header, and the columns are
        named 0, 1, 2, ...
    index_col : str, int or list of these, default=None
        The columns to use as the index of ``data`` and ``target``, by name or position. Only index columns may have an
        empty name.
    na_values : scalar, list or dict, default=None
        Additional values to read as missing, in all columns including text columns, or a dict of them by column.
    encoding : str, default="utf-8"
        The encoding of the file. A byte order mark is skipped.
    text_columns : sequence of str or int, default=()
        Columns to read as text, regardless of their values, such as codes with leading zeros or ticket numbers.
    max_bytes : int, default=200_000_000
        The maximum size of the file. Reading needs 5 to 20 times that size in memory.

    Returns
    -------
    table : Bunch
        Dictionary-like object with the following attributes.

        data : DataFrame of shape (n_samples, n_features)
            The features, of dtype bool, int64 (or uint64 for larger values), float64 or str. Missing values are NaN:
            integer columns with missing values are float64, boolean ones object.
        target : Series of shape (n_samples,) or None
            The labels, of the same dtypes, without missing values. None if ``target=None``.
        feature_names : list of str or int
            The columns of ``data``.
        target_names : ndarray of shape (n_classes,), dtype str, or None
            The sorted class labels, if the labels are text.
        DESCR : str
            A description with the path of the file.
    (X, y) : tuple of DataFrame and Series or None, if `return_X_y`
        ``data`` and ``target``.

    Raises
    ------
    DataFormatError
        If the file is empty or not in `encoding`; a column is missing, unnamed or duplicated; a row is shorter or
        longer than the first one; a numeric column contains text; a number is out of range for float64; an integer
        cannot be represented exactly; a label is missing; or all labels are equal. The message contains the line
        number, counted from 1.
    UnsafeFileError
        If the file is larger than `max_bytes`.
    ValueError
        If a parameter is invalid.
    OSError
        If the file cannot be opened.

    Examples
    --------
    >>> import tempfile
    >>> from kerasnet.datasets import load_csv
    >>> with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
    ...     _ = file.write("width,color,label\n2.5,red,cat\n,blue,dog\n")
    ...     file.flush()
    ...     table = load_csv(file.name)
    >>> table.data
       width color
    0    2.5   red
    1    NaN  blue
    >>> table.target.tolist(), table.target_names.tolist()
    (['cat', 'dog'], ['cat', 'dog'])

    Read a file with decimal commas, without a header and labels:

    >>> with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
    ...     _ = file.write("7;2,5;red\n8;;blue\n")
    ...     file.flush()
    ...     load_csv(file.name, None, sep=";", decimal=",", header=None).data
       0    1     2
    0  7  2.5   red
    1  8  NaN  blue
    """
    _check_options(sep, decimal, header)
    content = read_bytes(path, max_bytes=max_bytes)
    rows = read_rows(content, path, sep=sep, encoding=encoding, has_header=header is not None)
    index = _index_columns(index_col, rows.names)
    _check_names(rows.names, f"{path}: line {rows.header_line}", target=target, others=text_columns, index=index)
    X = typed_columns(rows, path, decimal, _missing_texts(na_values, rows.names), text_columns)
    if target is not None:
        _check_labels(X[target], rows.lines, path)
    if index:
        X = X.set_index(index if len(index) > 1 else index[0])
        X.index.names = [name if isinstance(name, int) or name.strip() else None for name in X.index.names]
    y = None if target is None else X.pop(target)
    if return_X_y:
        return X, y
    names = None if y is None or y.dtype.kind in "biuf" else np.unique(y.to_numpy(dtype=str))
    descr = f"{len(X)} rows and {X.shape[1]} features from {path}."
    return Bunch(data=X, target=y, feature_names=list(X), target_names=names, DESCR=descr)


def _check_options(sep, decimal, header):
    for name, value in (("sep", sep), ("decimal", decimal)):
        if not isinstance(value, str) or len(value) != 1 or value in '"\r\n\0\x1f':
            raise ValueError(f"{name} must be one character. Received: {value!r}.")
    if not decimal.isascii() or decimal.isalnum() or decimal in "+- ":
        raise ValueError(f"decimal must be a punctuation mark, such as '.' or ','. Received: {decimal!r}.")
    if sep == decimal:
        raise ValueError(f"sep and decimal must be different characters. Received: {sep!r} for both.")
    if header not in ("infer", 0, None) or isinstance(header, bool):
        raise ValueError(f"header must be 'infer' or 0 if the first row has names, or None. Received: {header!r}.")


def _index_columns(index_col, names):
    """Return the names of the columns that `index_col` selects by name or position."""
    if index_col is None or index_col is False:
        return []
    index = []
    for column in index_col if isinstance(index_col, (list, tuple)) else [index_col]:
        if isinstance(column, Integral) and not isinstance(column, bool) and 0 <= column < len(names):
            index.append(names[column])
        elif isinstance(column, str) and column in names:
            index.append(column)
        else:
            raise ValueError(f"index_col must be columns of the file, {names}, or positions. Received: {index_col!r}.")
    if len(set(index)) < len(index):
        raise ValueError(f"index_col must not contain duplicates. Received: {index_col!r}.")
    return index


def _check_names(names, where, *, target, others, index):
    """Check that all columns have unique names, and that the selected columns exist."""
    if not all(isinstance(name, int) or name.strip() or name in index for name in names):
        raise DataFormatError(f"{where}: expected a name for each column, found {names}.")
    if len(set(names)) < len(names):
        raise DataFormatError(f"{where}: expected unique column names, found {names}.")
    for name in (*([] if target is None else [target]), *others):
        if name not in names:
            raise DataFormatError(
                f"{where}: expected a column {name!r}, found {names}.{_remedy(names, name == target)}"
            )
    if target is not None and target in index:
        raise ValueError(f"target must not be an index column. Received: target={target!r}, index_col={index}.")
    if set(names) <= {target, *index}:
        raise DataFormatError(f"{where}: expected columns other than {', '.join(map(repr, names))}, found none.")


def _remedy(names, is_target):
    """Return a hint for the message about a missing column."""
    if len(names) == 1 and (found := re.search(r"[;\t|,]", str(names[0]))):
        return f" If the fields are separated by {found.group()!r}, set sep={found.group()!r}."
    if not is_target:
        return ""
    if isinstance(names[0], int):
        return " Without a header, set target to the position of the labels, or to None."
    return " Set target to the column with the labels, or to None if there are none."


def _missing_texts(na_values, names):
    """Return the additional missing values of each column, in the order of the columns."""
    if not isinstance(na_values, dict):
        na_values = dict.fromkeys(names, na_values)
    if unknown := [name for name in na_values if name not in names]:
        raise ValueError(f"na_values must have columns of the file, {names}, as keys. Received: {unknown}.")
    missing = []
    for name in names:
        values = na_values.get(name)
        values = [] if values is None else [values] if isinstance(values, (str, Number)) else list(values)
        missing.append(values)
    return missing


def _check_labels(y, lines, path):
    if y.isna().any():
        raise DataFormatError(f"{path}: line {lines[y.isna().idxmax()]}: expected a label in {y.name!r}, found none.")
    if y.nunique() < 2:
        raise DataFormatError(f"{path}: expected at least two classes in {y.name!r}, found only {reprlib.repr(y[0])}.")
