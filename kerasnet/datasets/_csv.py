"""Tables in CSV files: checked row by row, typed column by column."""

import contextlib
import csv
import io
import reprlib
import threading
from array import array
from decimal import Decimal

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from kerasnet._files import read_bytes
from kerasnet.errors import DataFormatError

_NOT_KNOWN = ("NA", "N/A", "NaN", "nan", "NULL", "null")  # among numbers; among texts they are texts
_BOOLEANS = {"True": True, "TRUE": True, "true": True, "False": False, "FALSE": False, "false": False}
_EXACT = 2**53  # float64 holds all whole numbers up to here
_WHOLE = r"\s*[+-]?\d+\s*"
_LIMIT_LOCK = threading.Lock()


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
        The largest file that is read. Reading takes 5 to 20 times its size in memory.

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
        longer than the header, text stands where numbers belong, a number is beyond the range of float64, a whole
        number cannot be held exactly, a label is missing, or all labels are equal. The message names the line, the
        first being 1.
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
    header, columns, lines = _read_columns(read_bytes(path, max_bytes=max_bytes), path)
    for name in (target, *text_columns):
        if name not in header:
            raise DataFormatError(f"{path}: line 1: expected a column {name!r}, found {header}.")
    if header == [target]:
        raise DataFormatError(f"{path}: line 1: expected columns beside {target!r}, found none.")
    X = {}
    for name in header:  # each column of texts is let go for the next
        column = pd.Series(columns.pop(0), name=name, dtype="str")
        column = column.mask(column == "")
        X[name] = column if name in text_columns else _typed(column, lines, path)
    X = pd.DataFrame(X)
    y = X.pop(target)
    _check_labels(y, lines, path)
    if return_X_y:
        return X, y
    names = None if y.dtype.kind in "biuf" else np.unique(y.to_numpy(dtype=str))
    descr = f"{len(X)} rows and {X.shape[1]} features from {path}."
    return Bunch(data=X, target=y, feature_names=list(X), target_names=names, DESCR=descr)


def _read_columns(content, path):
    """Return the header, the texts of each column, and the line at which each row begins; refuse what is no table."""
    _check_text(content, path)
    header, columns, lines, line = None, [], array("q"), 1
    known = {}  # each different text is kept once
    with _fields_of(len(content)):
        reader = csv.reader(io.TextIOWrapper(io.BytesIO(content), "utf-8-sig", newline=""), strict=True)
        try:
            for row in reader:
                if header is None and row:
                    header = _check_header(row, line, path)
                    columns = [[] for _ in header]
                elif row:
                    if len(row) != len(header):
                        raise DataFormatError(f"{path}: line {line}: expected {len(header)} fields, found {len(row)}.")
                    for column, text in zip(columns, row, strict=True):
                        column.append(known.setdefault(text, text))
                    lines.append(line)
                line = reader.line_num + 1
        except csv.Error as error:
            raise DataFormatError(f"{path}: line {line}: expected fields and commas, found: {error}.") from error
    if not lines:
        found = "an empty file" if header is None else "a header alone"
        raise DataFormatError(f"{path}: line {line}: expected a header and rows, found {found}.")
    return header, columns, lines


def _check_text(content, path):
    try:
        content.decode()
        offset = content.find(0)
    except UnicodeDecodeError as error:
        offset = error.start
    if offset >= 0:
        line = content.count(b"\n", 0, offset) + 1
        found = f"the byte {content[offset]:02x} at offset {offset}"
        raise DataFormatError(f"{path}: line {line}: expected text in UTF-8, found {found}.")


@contextlib.contextmanager
def _fields_of(length):
    """Let the csv module, whose limit is one for the whole process, read fields of some length.

    Under a lock, since of two threads the second would take the limit of the first for the one to give back.
    """
    with _LIMIT_LOCK:
        limit = csv.field_size_limit()
        csv.field_size_limit(max(limit, length))
        try:
            yield
        finally:
            csv.field_size_limit(limit)


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
    if strays.any():
        checks = [("a number as in most rows", strays)]
    elif numbers.dtype.kind == "f" or len(numbers) < len(column):
        checks = _checks_of_float64(numbers, known)
    else:
        checks = []
    for expected, wrong in checks:
        if wrong.any():
            row = wrong.idxmax()
            raise DataFormatError(
                f"{path}: line {lines[row]}: column {column.name!r}: expected {expected}, "
                f"found {reprlib.repr(known[row])}. If the column is text, give text_columns=[{column.name!r}]."
            )
    return numbers.reindex(column.index)


def _checks_of_float64(numbers, known):
    """Yield what is expected of the numbers of a float64 column, and which of them are not so."""
    yield "a finite number", np.isinf(numbers)
    yield "a number that float64 can tell from 0", known[numbers == 0].str.match("[^eE]*[1-9]")
    large = known[(numbers >= _EXACT) | (numbers <= -_EXACT)]
    large = large[large.str.fullmatch(_WHOLE)]
    if len(large) and numbers.dtype.kind == "f" and known.str.fullmatch(_WHOLE).all():
        yield "a whole number of 64 bits", numbers.abs() >= 2**63
    rounded = large.map(Decimal) != numbers[large.index].astype(float)
    yield "a whole number that float64 holds, as the column has fractions or missing values", rounded


def _check_labels(y, lines, path):
    if y.isna().any():
        raise DataFormatError(f"{path}: line {lines[y.isna().idxmax()]}: expected a label in {y.name!r}, found none.")
    if y.nunique() < 2:
        raise DataFormatError(f"{path}: expected at least two classes in {y.name!r}, found only {reprlib.repr(y[0])}.")
