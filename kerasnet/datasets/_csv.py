"""Tables in CSV files: checked row by row, typed column by column."""

import csv
import io

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from kerasnet._files import read_bytes
from kerasnet.errors import DataFormatError

_NOT_KNOWN = ("NA", "N/A", "NaN", "nan", "NULL", "null")  # among numbers; among texts they are texts
_BOOLEANS = {"True": True, "TRUE": True, "true": True, "False": False, "FALSE": False, "false": False}
_EXACT = 2**53  # float64 holds all whole numbers up to here


def load_csv(path, target="label", return_X_y=False, *, text_columns=(), max_bytes=200_000_000):
    r"""Load features and labels from a CSV file with a header line.

    The file is in UTF-8, with commas between fields and double quotes around those that hold commas or line ends.
    Every row has as many fields as the header. Blank lines are skipped.

    A column is what all its known values are: booleans (true, false), whole numbers, numbers, or else text. An
    empty field is a missing value, and so are NA, N/A, NaN, nan, NULL and null among numbers; among texts they
    are texts like any other. A column that is mostly numbers may hold no text.

    Parameters
    ----------
    path : str or path-like
        The file.
    target : str, default="label"
        The column with the labels.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.
    text_columns : sequence of str, default=()
        Columns to read as text, whatever they look like: codes with leading zeros, ticket numbers.
    max_bytes : int, default=200_000_000
        The largest file that is read.

    Returns
    -------
    table : Bunch
        With the attributes

        data : DataFrame of shape (n_samples, n_features)
            The features, as bool, int64 (uint64 where needed), float64 or str. Missing values are NaN: whole
            numbers are then float64, and booleans object.
        target : Series of shape (n_samples,)
            The labels, of the same types; none is missing.
        feature_names : list of str
            The columns of ``data``.
        target_names : ndarray of shape (n_classes,), dtype str, or None
            The classes, sorted, when the labels are text.
        DESCR : str
            Where the data are from.
    (X, y) : tuple of DataFrame and Series, if `return_X_y`
        ``data`` and ``target``.

    Raises
    ------
    DataFormatError
        If the file is empty or not in UTF-8, a column is missing, unnamed or there twice, a row is shorter or
        longer than the header, text stands where numbers belong, a number is infinite or cannot be held exactly,
        a label is missing, or all labels are equal. The message names the line, the first being 1.
    UnsafeFileError
        If the file is larger than `max_bytes`.
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
    """
    text = _decode(read_bytes(path, max_bytes=max_bytes), path)
    header, lines = _check_rows(text, path)
    for name in (target, *text_columns):
        if name not in header:
            raise DataFormatError(f"{path}: line 1: expected a column {name!r}, found {header}.")
    if header == [target]:
        raise DataFormatError(f"{path}: line 1: expected columns beside {target!r}, found none.")
    table = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False, na_values=[""])
    X = pd.DataFrame(
        {name: table[name] if name in text_columns else _typed(table[name], lines, path) for name in header}
    )
    y = X.pop(target)
    _check_labels(y, lines, path)
    if return_X_y:
        return X, y
    names = None if y.dtype.kind in "biuf" else np.unique(y.to_numpy(dtype=str))
    descr = f"{len(X)} rows and {X.shape[1]} features from {path}."
    return Bunch(data=X, target=y, feature_names=list(X), target_names=names, DESCR=descr)


def _decode(content, path):
    """Return the text of a file in UTF-8, without a byte order mark."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        found = f"the byte {content[error.start]:02x} at offset {error.start}"
        raise DataFormatError(f"{path}: line {line}: expected text in UTF-8, found {found}.") from error
    if "\0" in text:  # where pandas would end the field
        offset = content.index(0)
        line = content.count(b"\n", 0, offset) + 1
        raise DataFormatError(f"{path}: line {line}: expected text in UTF-8, found the byte 00 at offset {offset}.")
    return text


def _check_rows(text, path):
    """Return the header and the line at which each row begins; refuse what is no table."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header, lines, line = None, [], 1
    try:
        for row in reader:
            if header is None and row:
                header = _check_header(row, line, path)
            elif row:
                if len(row) != len(header):
                    raise DataFormatError(f"{path}: line {line}: expected {len(header)} fields, found {len(row)}.")
                lines.append(line)
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataFormatError(f"{path}: line {line}: expected fields and commas, found: {error}.") from error
    if not lines:
        found = "an empty file" if header is None else "a header alone"
        raise DataFormatError(f"{path}: line {line}: expected a header and rows, found {found}.")
    return header, lines


def _check_header(header, line, path):
    if not all(name.strip() for name in header):
        raise DataFormatError(f"{path}: line {line}: expected a name for every column, found {header}.")
    if len(set(header)) < len(header):
        raise DataFormatError(f"{path}: line {line}: expected every column once, found {header}.")
    return header


def _typed(column, lines, path):
    """Return a column of texts as what all its known values are."""
    known = column.dropna()
    if len(known) and known.isin(list(_BOOLEANS)).all():
        return column.map(_BOOLEANS)
    known = known[~known.isin(_NOT_KNOWN)]
    numbers = pd.to_numeric(known, errors="coerce")
    strays = numbers.isna()
    if strays.any() and strays.mean() >= 0.5:
        return column
    expected, wrong = "a number as in most rows", strays
    if not strays.any():
        expected, wrong = _out_of_range(numbers, known, len(column))
    if wrong.any():
        row = wrong.idxmax()
        raise DataFormatError(
            f"{path}: line {lines[row]}: column {column.name!r}: expected {expected}, found {known[row]!r}. "
            f"If the column is text, give text_columns=[{column.name!r}]."
        )
    return numbers.reindex(column.index)


def _out_of_range(numbers, known, n_rows):
    """Return what is expected of the numbers of a column, and which of them are not so."""
    if numbers.dtype.kind != "f":
        some_missing = len(numbers) < n_rows  # what makes the column float64
        expected = f"whole numbers between -{_EXACT} and {_EXACT}, as the column has missing values"
        return expected, some_missing & ((numbers > _EXACT) | (numbers < -_EXACT))
    if known.str.fullmatch(r"\s*[+-]?\d+\s*").all():  # float64 only because 64 bits are too few
        return "a whole number of 64 bits", numbers.abs() >= 2**63
    return "a finite number", np.isinf(numbers)


def _check_labels(y, lines, path):
    if y.isna().any():
        raise DataFormatError(f"{path}: line {lines[y.isna().idxmax()]}: expected a label in {y.name!r}, found none.")
    if y.nunique() < 2:
        raise DataFormatError(f"{path}: expected at least two classes in {y.name!r}, found only {y[0]!r}.")
