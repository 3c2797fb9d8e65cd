"""Convert the columns of a CSV file to numbers, parsed exactly as by Python's float, booleans and text."""

import io
import re
import reprlib
from decimal import Decimal
from functools import partial

import numpy as np
import pandas as pd

from kerasnet.errors import DataFormatError

_NA_VALUES = ("NA", "N/A", "NaN", "nan", "NULL", "null")  # in numeric columns only
_BOOLEANS = {"True": True, "TRUE": True, "true": True, "False": False, "FALSE": False, "false": False}
_EXACT = 2**53  # float64 represents all integers up to this one
_INTEGER = re.compile(r"\s*[+-]?\d+\s*", re.ASCII)
# pandas 3.1 and later parse all numbers exactly, and deprecate the option.
_EXACT_PARSING = {"float_precision": "round_trip"} if tuple(map(int, pd.__version__.split(".")[:2])) < (3, 1) else {}


def typed_columns(rows, path, decimal, missing, text_columns):
    """Return all columns with the dtypes inferred from their non-missing values.

    pandas parses the numbers. Columns with other values, or with numbers that may be inexact, are read as text and
    converted here.
    """
    positions = range(len(rows.names))
    options = {"sep": rows.sep, "decimal": decimal, "header": None, "names": positions, "index_col": False}
    read = partial(pd.read_csv, **options, skip_blank_lines=False, low_memory=False, keep_default_na=False)
    text_positions = {rows.names.index(name) for name in text_columns}
    typed = read(
        _file_without_plus(rows, decimal),
        usecols=[position for position in positions if position not in text_positions],
        na_values={position: ["", *_NA_VALUES, *missing[position]] for position in positions},
        **_EXACT_PARSING,
    )
    uncertain = _uncertain_columns(typed, rows.content)
    if text_positions or uncertain:
        columns = read(
            _file(rows),
            usecols=[*text_positions, *uncertain],
            dtype=str,
            na_values={position: ["", *missing[position]] for position in positions},
        )
        converted = {
            position: column
            if position in text_positions
            else _infer_dtype(column.rename(rows.names[position]), rows, path, decimal)
            for position, column in columns.items()
        }
        typed = pd.concat([typed.drop(columns=uncertain), pd.DataFrame(converted)], axis=1)[list(positions)]
    typed.columns = pd.Index(rows.names)
    return typed


def _file(rows):
    file = io.BytesIO(rows.content)
    file.seek(rows.start)
    return file


def _file_without_plus(rows, decimal):
    """Return the file without plus signs before numbers, which pandas 3.1 parses less exactly."""
    characters = np.frombuffer(rows.content, np.uint8)[rows.start :]
    plus = np.flatnonzero(characters == ord("+"))
    before = np.where(plus > 0, characters[plus - 1], ord("\n"))
    after = characters[(plus + 1) % len(characters)]
    leading = np.isin(before, list(f'{rows.sep}" \t\v\f\r\n'.encode()))
    leading &= np.isin(after, list(f"0123456789{decimal}".encode()))
    return io.BytesIO(np.delete(characters, plus[leading]).tobytes()) if leading.any() else _file(rows)


def _uncertain_columns(typed, content):
    """Return the columns that are not numeric, or may contain numbers that were rounded."""
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
    """Return whether the file may contain nonzero numbers that underflow to 0."""
    if b"0" * 100 in content:
        return True
    characters = np.frombuffer(content, np.uint8)
    minus = np.flatnonzero(characters == ord("-"))
    minus = minus[(minus > 0) & (minus < len(characters) - 3)]
    minus = minus[np.isin(characters[minus - 1], list(b"eE"))]
    digits = (characters[minus[:, np.newaxis] + [1, 2, 3]] - ord("0")) < 10
    return bool(digits.all(axis=1).any())  # an exponent with three digits


def _infer_dtype(column, rows, path, decimal):
    """Convert a text column to the dtype of its non-missing values."""
    values = column.dropna()
    if len(values) and values.isin(list(_BOOLEANS)).all():
        return column.map(_BOOLEANS)
    values = values[~values.isin(_NA_VALUES)]
    numbers = _parse_numbers(values, decimal)
    is_text = numbers.isna()
    if is_text.any() and is_text.mean() >= 0.5:
        return column
    for expected, is_invalid in [("a number as in most rows", is_text)] if is_text.any() else _checks(numbers, values):
        if is_invalid.any():
            row = is_invalid.idxmax()
            raise DataFormatError(
                f"{path}: line {rows.lines[row]}: column {column.name!r}: expected {expected}, "
                f"found {reprlib.repr(values[row])}. If the column is text, set text_columns=[{column.name!r}]."
            )
    return numbers.reindex(column.index)


def _parse_numbers(texts, decimal):
    """Parse strings as Python's float does; return NaN for strings that are not numbers."""
    point = re.escape(decimal)
    digits = rf"(\d{{1,4000}}({point}\d*)?|{point}\d+)"  # more digits are considered an error
    number = re.compile(rf"\s*[+-]?({digits}(e[+-]?\d+)?|inf(inity)?)\s*", re.ASCII | re.IGNORECASE)
    return pd.Series(
        [float(text.replace(decimal, ".")) if number.fullmatch(text) else np.nan for text in texts],
        index=texts.index,
        dtype=np.float64,
    )


def _checks(numbers, values):
    """Yield descriptions of valid numbers in a float64 column, each with a mask of the invalid ones."""
    yield "a finite number", np.isinf(numbers)
    yield "a number that does not underflow to 0", values[numbers == 0].str.match("[^eE]*[1-9]")
    large = values[(numbers >= _EXACT) | (numbers <= -_EXACT)]
    large = large[large.str.fullmatch(_INTEGER)]
    if len(large) and values.str.fullmatch(_INTEGER).all():
        yield "an integer of at most 64 bits", numbers.abs() >= 2**63
    is_rounded = large.map(Decimal) != numbers[large.index].astype(float)
    yield "an integer that float64 represents exactly, as the column has fractions or missing values", is_rounded
