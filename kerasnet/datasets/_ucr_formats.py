"""Parse the lines of time series files in the formats .ts, .tsv and .arff."""

import re
from typing import NamedTuple

import numpy as np

from kerasnet.errors import DataFormatError

_FLAGS = {"true": True, "false": False}
_SEPARATE_DIMENSIONS = re.compile(r"\\n|\n")


class Header(NamedTuple):
    """What a file declares about its series; None for what it does not declare."""

    n_dimensions: int | None = None
    n_steps: int | None = None
    equal_length: bool | None = None
    classes: tuple[str, ...] | None = None
    has_labels: bool = True
    is_regression: bool = False
    is_padded: bool = False  # whether missing values at the end of a series are padding
    description: str = ""


def parse_ts(lines, path):
    """Return the header of a .ts file and an iterator over (line, dimensions as text, label)."""
    fields, comments, number = {}, [], 0
    for number, line in lines:
        key, *value = line.split(None, 1)
        if line.startswith(("#", "%")):
            comments.append(line[1:].strip())
        elif key.lower() == "@data":
            break
        elif key.startswith("@"):
            fields[key[1:].lower()] = "".join(value)
        else:
            raise DataFormatError(f"{path}: line {number}: expected '@data' before the series, found {line[:50]!r}.")
    else:
        raise DataFormatError(f"{path}: line {number + 1}: expected '@data', found the end of the file.")
    header = _ts_header(fields, f"{path}: line {number}")
    return header._replace(description="\n".join(comments)), _ts_rows(lines, path, header)


def _ts_header(fields, where):
    def flag(name):
        value = (fields.get(name, "false").split() or [""])[0].lower()
        if value not in _FLAGS:
            raise DataFormatError(f"{where}: expected true or false after '@{name}', found {fields[name]!r}.")
        return _FLAGS[value]

    def count(*names):
        text = next((fields[name] for name in names if name in fields), None)
        if text is not None and not (text.isascii() and text.isdigit() and int(text) > 0):
            raise DataFormatError(f"{where}: expected a positive number after '@{names[0]}', found {text!r}.")
        return None if text is None else int(text)

    if fields.keys().isdisjoint(("classlabel", "targetlabel")):
        raise DataFormatError(f"{where}: expected '@classLabel' or '@targetLabel' before '@data', found neither.")
    if flag("timestamps"):
        raise DataFormatError(f"{where}: expected series without time stamps, found '@timeStamps true'.")
    classes, is_regression = tuple(fields.get("classlabel", "").split()[1:]), flag("targetlabel")
    has_classes = flag("classlabel")
    return Header(
        n_dimensions=1 if flag("univariate") else count("dimensions", "dimension"),
        n_steps=count("serieslength") if flag("equallength") else None,
        equal_length=flag("equallength") if "equallength" in fields else None,
        classes=classes if has_classes and classes else None,
        has_labels=has_classes or is_regression,
        is_regression=is_regression,
    )


def _ts_rows(lines, path, header):
    for number, line in lines:
        dimensions = line.split(":")
        label = dimensions.pop().strip() if header.has_labels or not dimensions[-1] else None  # may end with ":"
        if not dimensions:
            raise DataFormatError(f"{path}: line {number}: expected a series, ':' and a label, found {line[:50]!r}.")
        yield number, dimensions, label


def parse_tsv(lines, path):
    """Return the header of a .tsv file and an iterator over (line, dimensions as text, label)."""

    def rows():
        for number, line in lines:
            label, separator, series = line.partition("\t")
            if not separator or "," in series:
                raise DataFormatError(
                    f"{path}: line {number}: expected a label and numbers, separated by tabs, found {line[:50]!r}."
                )
            yield number, [series.replace("\t", ",")], label.strip()

    return Header(n_dimensions=1, is_padded=True), rows()


def parse_arff(lines, path):
    """Return the header of an .arff file and an iterator over (line, dimensions as text, label)."""
    attributes, comments, relational, number = [], [], None, 0
    for number, line in lines:
        keyword = line.split(None, 1)[0].lower()
        if line.startswith("%"):
            comments.append(line[1:].strip())
        elif keyword == "@data":
            break
        elif keyword == "@attribute":
            attributes.append(_arff_attribute(line, f"{path}: line {number}"))
            if attributes[-1].lower() == "relational":
                relational = len(attributes) - 1
        elif keyword not in ("@relation", "@end"):
            raise DataFormatError(
                f"{path}: line {number}: expected '@attribute' or '@data' before the series, found {line[:50]!r}."
            )
    else:
        raise DataFormatError(f"{path}: line {number + 1}: expected '@data', found the end of the file.")
    where = f"{path}: line {number}"
    n_steps = len(attributes) - (1 if relational is None else 2)
    if n_steps < 1 or relational not in (None, 0):
        raise DataFormatError(
            f"{where}: expected attributes of the steps, optionally within one relational attribute, and a last "
            f"attribute with the labels, found {len(attributes)} attributes."
        )
    classes = _arff_classes(attributes[-1])
    header = Header(
        n_dimensions=1 if relational is None else None,
        n_steps=n_steps,
        classes=classes,
        is_regression=classes is None and attributes[-1].lower() in ("numeric", "real", "integer"),
        is_padded=True,
        description="\n".join(comments),
    )
    return header, _arff_rows(lines, path, is_relational=relational is not None)


def _arff_attribute(line, where):
    """Return the type of an attribute: "numeric", "relational" or the values in braces."""
    found = re.fullmatch(r"""@attribute\s+('[^']*'|"[^"]*"|\S+)\s+(.+)""", line, re.IGNORECASE)
    if found is None:
        raise DataFormatError(f"{where}: expected '@attribute', a name and a type, found {line[:50]!r}.")
    return found[2].strip()


def _arff_classes(kind):
    if not (kind.startswith("{") and kind.endswith("}")):
        return None
    return tuple(_unquoted(value) for value in kind[1:-1].split(","))


def _arff_rows(lines, path, *, is_relational):
    for number, line in lines:
        if line.startswith("%"):
            continue
        series, separator, label = line.rpartition(",")
        quote = series[:1]
        if is_relational and (quote not in ("'", '"') or len(series) < 2 or not series.endswith(quote)):
            raise DataFormatError(f"{path}: line {number}: expected a quoted series and a label, found {line[:50]!r}.")
        if not separator:
            raise DataFormatError(f"{path}: line {number}: expected a series and a label, found {line[:50]!r}.")
        dimensions = _SEPARATE_DIMENSIONS.split(series[1:-1]) if is_relational else [series]
        yield number, dimensions, _unquoted(label)


def _unquoted(text):
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text


def parse_values(text, where):
    """Parse numbers separated by commas as a float32 array; "?" and "NaN" are missing values."""
    texts = [each.strip() for each in text.split(",")]
    values = np.array([np.nan if each == "?" else parse_number(each, where) for each in texts])
    with np.errstate(over="ignore"):
        converted = values.astype(np.float32)
    if np.isinf(converted).any():
        found = texts[int(np.isinf(converted).argmax())]
        raise DataFormatError(f"{where}: expected finite numbers in the range of float32, found {found[:50]!r}.")
    return converted


def parse_number(text, where):
    """Parse a number, which may be "NaN"."""
    try:
        return float("" if "_" in text else text)  # Python accepts 1_000
    except ValueError:
        raise DataFormatError(f"{where}: expected a number, '?' or 'NaN', found {text[:50]!r}.") from None
