"""Tables in CSV files: checked row by row, typed column by column."""

import re
import reprlib
from numbers import Integral, Number

import numpy as np
from sklearn.utils import Bunch

from kerasnet._files import read_bytes
from kerasnet.datasets._csv_columns import typed_columns
from kerasnet.datasets._csv_rows import read_rows
from kerasnet.errors import DataFormatError


def load_csv(
    path,
    target="label",
    return_X_y=False,
    *,
    sep=",",
    decimal=".",
    header="infer",
    index_col=None,
    na_values=None,
    encoding="utf-8",
    text_columns=(),
    max_bytes=200_000_000,
):
    r"""Load features and labels from a CSV file.

    Fields that hold separators or line ends are in double quotes. Every row has as many fields as the first one.
    Blank lines are skipped.

    A column is what all its known values are: booleans (true, false), integers, numbers, or else text. Numbers are
    exactly those that Python's `float` reads. An empty field is a missing value, and so are NA, N/A, NaN, nan, NULL
    and null among numbers; among texts they are texts like any other. A column that is mostly numbers must not
    contain text. The parameters from `sep` to `encoding` mean the same as in :func:`pandas.read_csv`.

    Parameters
    ----------
    path : str or path-like
        The file.
    target : str or int, default="label"
        The column with the labels: its name or, with ``header=None``, its position from 0. None if the file has no
        labels.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.
    sep : str, default=","
        The character between fields, such as ";" or "\t".
    decimal : str, default="."
        The character before the fraction of a number, "," in many European files.
    header : {"infer", 0} or None, default="infer"
        Whether the first row has the names of the columns, or (None) there is no such row. The columns are then named
        0, 1, 2, ...
    index_col : str, int or list of these, default=None
        The columns that become the index of ``data`` and ``target``, by name or position. Only an index column may
        have an empty name.
    na_values : scalar, list or dict, default=None
        Further values to be read as missing, for all columns including text, or a dict of them by column.
    encoding : str, default="utf-8"
        The encoding of the file. A byte order mark is skipped.
    text_columns : sequence of str or int, default=()
        Columns to read as text, whatever they look like: codes with leading zeros, ticket numbers.
    max_bytes : int, default=200_000_000
        The largest file that is read. Reading takes 5 to 20 times its size in memory.

    Returns
    -------
    table : Bunch
        With the attributes

        data : DataFrame of shape (n_samples, n_features)
            The features, as bool, int64 (uint64 where needed), float64 or str. Missing values are NaN: whole
            numbers are then float64, and booleans object.
        target : Series of shape (n_samples,) or None
            The labels, of the same types; none is missing. None with ``target=None``.
        feature_names : list of str or int
            The columns of ``data``.
        target_names : ndarray of shape (n_classes,), dtype str, or None
            The classes, sorted, when the labels are text.
        DESCR : str
            Where the data are from.
    (X, y) : tuple of DataFrame and Series or None, if `return_X_y`
        ``data`` and ``target``.

    Raises
    ------
    DataFormatError
        If the file is empty or not in `encoding`, a column is missing, unnamed or there twice, a row is shorter or
        longer than the first, text stands where numbers belong, a number is beyond the range of float64, a whole
        number cannot be held exactly, a label is missing, or all labels are equal. The message names the line, the
        first being 1.
    UnsafeFileError
        If the file is larger than `max_bytes`.
    ValueError
        If a parameter is not as described.
    OSError
        If the file cannot be opened.

    Examples
    --------
    >>> import tempfile
    >>> from kerasnet.datasets import load_csv
    >>> with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
    ...     _ = file.write("width,colour,label\n2.5,red,cat\n,blue,dog\n")
    ...     file.flush()
    ...     table = load_csv(file.name)
    >>> table.data
       width colour
    0    2.5    red
    1    NaN   blue
    >>> table.target.tolist(), table.target_names.tolist()
    (['cat', 'dog'], ['cat', 'dog'])

    A file from a spreadsheet with a decimal comma, without a header or labels:

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
        raise ValueError(f"header must be 'infer' or 0 for a first row of names, or None. Received: {header!r}.")


def _index_columns(index_col, names):
    """Return the names of the columns that `index_col` gives by name or position."""
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
        raise ValueError(f"index_col must name every column once. Received: {index_col!r}.")
    return index


def _check_names(names, where, *, target, others, index):
    """Refuse a header with unnamed or repeated columns, or without those that are asked for."""
    if not all(isinstance(name, int) or name.strip() or name in index for name in names):
        raise DataFormatError(f"{where}: expected a name for every column, found {names}.")
    if len(set(names)) < len(names):
        raise DataFormatError(f"{where}: expected every column once, found {names}.")
    for name in (*([] if target is None else [target]), *others):
        if name not in names:
            raise DataFormatError(
                f"{where}: expected a column {name!r}, found {names}.{_remedy(names, name == target)}"
            )
    if target is not None and target in index:
        raise ValueError(f"target must not be a column of the index. Received: target={target!r}, index_col={index}.")
    if set(names) <= {target, *index}:
        raise DataFormatError(f"{where}: expected columns beside {', '.join(map(repr, names))}, found none.")


def _remedy(names, is_target):
    """Return what to do about a column that is not there."""
    if len(names) == 1 and (found := re.search(r"[;\t|,]", str(names[0]))):
        return f" If {found.group()!r} separates the fields, give sep={found.group()!r}."
    if not is_target:
        return ""
    if isinstance(names[0], int):
        return " Without a header, give the position of the labels as target=, or target=None."
    return " Give the column with the labels as target=, or target=None if there is none."


def _missing_texts(na_values, names):
    """Return, for each position of a column, the further texts that are missing values."""
    if not isinstance(na_values, dict):
        na_values = dict.fromkeys(names, na_values)
    if unknown := [name for name in na_values if name not in names]:
        raise ValueError(f"na_values must name columns of the file, {names}. Received: {unknown}.")
    texts = []
    for name in names:
        values = na_values.get(name)
        values = [] if values is None else [values] if isinstance(values, (str, Number)) else list(values)
        texts.append(values)
    return texts


def _check_labels(y, lines, path):
    if y.isna().any():
        raise DataFormatError(f"{path}: line {lines[y.isna().idxmax()]}: expected a label in {y.name!r}, found none.")
    if y.nunique() < 2:
        raise DataFormatError(f"{path}: expected at least two classes in {y.name!r}, found only {reprlib.repr(y[0])}.")
