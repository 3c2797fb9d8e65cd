"""Split a CSV file into rows and check their number of fields before pandas reads them."""

import codecs
import contextlib
import csv
import io
import threading
from typing import NamedTuple

import numpy as np

from kerasnet.errors import DataFormatError

_LIMIT_LOCK = threading.Lock()
_NEWLINE, _RETURN, _QUOTE = b'\n\r"'
_UNIT = "\x1f"  # the ASCII unit separator, which is not a decimal separator


class Rows(NamedTuple):
    """The rows below the header of a CSV file."""

    names: list  # of the columns; 0, 1, ... without a header
    content: bytes  # in UTF-8, without blank lines; each row has one field per name
    start: int  # the offset of the first row after the header in `content`
    sep: str
    lines: np.ndarray  # the line of the file where each row begins, counted from 1
    header_line: int


def read_rows(content, path, *, sep, encoding, has_header):
    """Return the rows of a CSV file; raise DataFormatError if it is not a valid table."""
    content = _as_utf8(content, path, encoding or "utf-8")
    rows = _plain_rows(content, sep, has_header)
    return rows if rows is not None else _rewritten_rows(content, path, sep, has_header)


def _as_utf8(content, path, encoding):
    try:
        if codecs.lookup(encoding).name == "utf-8":
            content.isascii() or content.decode()
        else:
            content = content.decode(encoding).encode()
        offset = content.find(0)
        line = content.count(b"\n", 0, offset) + 1
    except LookupError as error:
        raise ValueError(f"encoding must be the name of a text encoding in Python. Received: {encoding!r}.") from error
    except UnicodeDecodeError as error:
        offset = error.start
        line = content[:offset].decode(encoding, errors="replace").count("\n") + 1
    except UnicodeEncodeError as error:  # lone surrogates, which some encodings decode
        raise DataFormatError(f"{path}: expected text in {encoding.upper()}, found: {error}.") from error
    if offset >= 0:
        found = f"the byte {content[offset]:02x} at offset {offset}"
        raise DataFormatError(
            f"{path}: line {line}: expected text in {encoding.upper()}, found {found}. "
            "Set encoding if the file has another encoding, such as 'latin-1' or 'utf-16'."
        )
    return content.removeprefix(codecs.BOM_UTF8)


def _plain_rows(content, sep, has_header):
    """Return the rows of a file that pandas can read without changes, or None.

    All rows are checked at once without copying, which is much faster than the csv module. None is returned for blank
    lines between rows, quotes in unquoted fields, single carriage returns and all errors.
    """
    if (blank := len(content[-100:]) - len(content[-100:].rstrip(b"\r\n"))) > 2:
        content = content[:-blank]
    first, start = content[: content.find(b"\n") + 1], 0
    if has_header:
        start = len(first)
    if not first or start >= len(content) or not sep.isascii():
        return None
    if b"\r" in content and content.count(b"\r") != content.count(b"\r\n"):
        return None
    try:
        with _unlimited_fields(len(first)):
            (names,) = csv.reader([first.decode().rstrip("\r\n")], delimiter=sep, strict=True)
    except (csv.Error, ValueError):  # a blank line or an incomplete header
        return None
    names = names if has_header else list(range(len(names)))
    body = np.frombuffer(content, np.uint8)[start:]
    lines, separators, quotes = (_positions(body, character) for character in (_NEWLINE, ord(sep), _QUOTE))
    ends = lines
    if len(quotes):
        if not _enclose_fields(quotes, body, sep):
            return None
        ends, separators = (each[np.searchsorted(quotes, each) % 2 == 0] for each in (ends, separators))
    if not len(ends) or ends[-1] != len(body) - 1:
        ends = np.append(ends, len(body))
    starts = np.append(0, ends[:-1] + 1)
    blank = (ends == starts) | ((ends == starts + 1) & (body[starts] == _RETURN))
    counts = np.diff(np.searchsorted(separators, np.append(starts, ends[-1])))
    if blank.any() or (counts != len(names) - 1).any():
        return None
    return Rows(names, content, start, sep, np.searchsorted(lines, starts) + 1 + has_header, 1)


def _positions(body, character):
    """Return the positions of a character; the search is in chunks that fit into the processor cache."""
    chunk = 2**20
    return np.concatenate(
        [np.flatnonzero(body[start : start + chunk] == character) + start for start in range(0, len(body), chunk)]
    )


def _enclose_fields(quotes, body, sep):
    """Return whether all quotes are the first and last characters of fields, or doubled inside fields."""
    before = np.where(quotes > 0, body[quotes - 1], _NEWLINE)[::2]
    after = np.where(quotes < len(body) - 1, body[(quotes + 1) % len(body)], _NEWLINE)[1::2]
    return (
        len(quotes) % 2 == 0
        and np.isin(before, [ord(sep), _NEWLINE, _QUOTE]).all()
        and np.isin(after, [ord(sep), _NEWLINE, _RETURN, _QUOTE]).all()
    )


def _rewritten_rows(content, path, sep, has_header):
    """Read a file row by row with the csv module, and rewrite its rows in a form that pandas can read."""
    names, lines, line, header_line = None, [], 1, 1
    rewritten = io.StringIO()
    with _unlimited_fields(len(content)):
        reader = csv.reader(io.TextIOWrapper(io.BytesIO(content), "utf-8", newline=""), delimiter=sep, strict=True)
        writer = csv.writer(rewritten, delimiter=_UNIT, quoting=csv.QUOTE_ALL, lineterminator="\n")
        try:
            for row in reader:
                if names is None and row:
                    names, header_line = row if has_header else list(range(len(row))), line
                    row = [] if has_header else row
                if row and len(row) != len(names):
                    raise DataFormatError(f"{path}: line {line}: expected {len(names)} fields, found {len(row)}.")
                if row:
                    writer.writerow(row)
                    lines.append(line)
                line = reader.line_num + 1
        except csv.Error as error:
            raise DataFormatError(f"{path}: line {line}: expected valid CSV, found: {error}.") from error
    if not lines:
        found = "an empty file" if names is None else "only a header"
        expected = "a header and rows" if has_header else "rows"
        raise DataFormatError(f"{path}: line {line}: expected {expected}, found {found}.")
    return Rows(names, rewritten.getvalue().encode(), 0, _UNIT, np.array(lines), header_line)


@contextlib.contextmanager
def _unlimited_fields(length):
    """Let the csv module read fields of a given length.

    Its limit is global. The lock prevents that a thread restores the temporary limit of another one.
    """
    with _LIMIT_LOCK:
        limit = csv.field_size_limit()
        csv.field_size_limit(max(limit, length))
        try:
            yield
        finally:
            csv.field_size_limit(limit)
