"""The columns of a CSV file: numbers exactly as Python's float reads them, booleans and text."""

import io
import re
import reprlib
from decimal import Decimal
from functools import partial

import numpy as np
import pandas as pd

from kerasnet.errors import DataFormatError

_NOT_KNOWN = ("NA", "N/A", "NaN", "nan", "NULL", "null")  # among numbers; among texts they are texts
_BOOLEANS = {"True": True, "TRUE": True, "true": True, "False": False, "FALSE": False, "false": False}
_EXACT = 2**53  # float64 holds all whole numbers up to here
_WHOLE = re.compile(r"\s*[+-]?\d+\s*", re.ASCII)
# Since pandas 3.1 all numbers are read exactly, and the option is deprecated.
_EXACTLY = {"float_precision": "round_trip"} if tuple(map(int, pd.__version__.split(".")[:2])) < (3, 1) else {}


def typed_columns(rows, path, decimal, missing, text_columns):
    """Return all columns as what their known values are.

    pandas reads numbers. Columns where it finds anything else, or numbers that may be inexact, are read as text and
    converted here.
    """
    positions = range(len(rows.names))
    options = {"sep": rows.sep, "decimal": decimal, "header": None, "names": positions, "index_col": False}
    read = partial(pd.read_csv, **options, skip_blank_lines=False, low_memory=False, keep_default_na=False)
    texts = {rows.names.index(name) for name in text_columns}
    typed = read(
        _file_without_plus(rows, decimal),
        usecols=[position for position in positions if position not in texts],
        na_values={position: ["", *_NOT_KNOWN, *missing[position]] for position in positions},
        **_EXACTLY,
    )
    doubtful = _doubtful_columns(typed, rows.content)
    if texts or doubtful:
        columns = read(
            _file(rows),
            usecols=[*texts, *doubtful],
            dtype=str,
            na_values={position: ["", *missing[position]] for position in positions},
        )
        converted = {
            position: column if position in texts else _typed(column.rename(rows.names[position]), rows, path, decimal)
            for position, column in columns.items()
        }
        typed = pd.concat([typed.drop(columns=doubtful), pd.DataFrame(converted)], axis=1)[list(positions)]
    typed.columns = pd.Index(rows.names)
    return typed


def _file(rows):
    file = io.BytesIO(rows.content)
    file.seek(rows.start)
    return file


def _file_without_plus(rows, decimal):
    """Return the file without the plus sign before numbers: pandas 3.1 reads numbers with one less exactly."""
    characters = np.frombuffer(rows.content, np.uint8)[rows.start :]
    plus = np.flatnonzero(characters == ord("+"))
    before = np.where(plus > 0, characters[plus - 1], ord("\n"))
    after = characters[(plus + 1) % len(characters)]
    leading = np.isin(before, list(f'{rows.sep}" \t\v\f\r\n'.encode()))
    leading &= np.isin(after, list(f"0123456789{decimal}".encode()))
    return io.BytesIO(np.delete(characters, plus[leading]).tobytes()) if leading.any() else _file(rows)


def _doubtful_columns(typed, content):
    """Return the columns that are not numbers throughout, or whose text must be looked at to tell if they are exact."""
    others, large, zeros = [], [], []
    for position, column in typed.items():
        values = column.to_numpy()
        if column.dtype.kind not in "biuf":
            others.append(position)
        elif column.dtype.kind == "f" and (np.fmax.reduce(values) >= _EXACT or np.fmin.reduce(values) <= -_EXACT):
            large.append(position)
        elif column.dtype.kind == "f" and (values == 0).any():
            zeros.append(position)
    return others + large + (zeros if zeros and _may_underflow(content) else [])


def _may_underflow(content):
    """Return whether there may be texts of numbers that are not 0, but nearer to 0 than float64 can tell."""
    if b"0" * 100 in content:
        return True
    characters = np.frombuffer(content, np.uint8)
    minus = np.flatnonzero(characters == ord("-"))
    minus = minus[(minus > 0) & (minus < len(characters) - 3)]
    minus = minus[np.isin(characters[minus - 1], list(b"eE"))]
    digits = (characters[minus[:, np.newaxis] + [1, 2, 3]] - ord("0")) < 10
    return bool(digits.all(axis=1).any())  # an exponent of three digits


def _typed(column, rows, path, decimal):
    """Return a column of texts as what all its known values are."""
    known = column.dropna()
    if len(known) and known.isin(list(_BOOLEANS)).all():
        return column.map(_BOOLEANS)
    known = known[~known.isin(_NOT_KNOWN)]
    numbers = _numbers(known, decimal)
    strays = numbers.isna()
    if strays.any() and strays.mean() >= 0.5:
        return column
    for expected, wrong in [("a number as in most rows", strays)] if strays.any() else _checks(numbers, known):
        if wrong.any():
            row = wrong.idxmax()
            raise DataFormatError(
                f"{path}: line {rows.lines[row]}: column {column.name!r}: expected {expected}, "
                f"found {reprlib.repr(known[row])}. If the column is text, give text_columns=[{column.name!r}]."
            )
    return numbers.reindex(column.index)


def _numbers(texts, decimal):
    """Return texts as Python's float reads them, and NaN for those that are no numbers."""
    point = re.escape(decimal)
    digits = rf"(\d{{1,4000}}({point}\d*)?|{point}\d+)"  # longer ones are an accident
    number = re.compile(rf"\s*[+-]?({digits}(e[+-]?\d+)?|inf(inity)?)\s*", re.ASCII | re.IGNORECASE)
    return pd.Series(
        [float(text.replace(decimal, ".")) if number.fullmatch(text) else np.nan for text in texts],
        index=texts.index,
        dtype=np.float64,
    )


def _checks(numbers, known):
    """Yield what is expected of the numbers of a float64 column, and which of them are not so."""
    yield "a finite number", np.isinf(numbers)
    yield "a number that float64 can tell from 0", known[numbers == 0].str.match("[^eE]*[1-9]")
    large = known[(numbers >= _EXACT) | (numbers <= -_EXACT)]
    large = large[large.str.fullmatch(_WHOLE)]
    if len(large) and known.str.fullmatch(_WHOLE).all():
        yield "a whole number of 64 bits", numbers.abs() >= 2**63
    rounded = large.map(Decimal) != numbers[large.index].astype(float)
    yield "a whole number that float64 holds, as the column has fractions or missing values", rounded
