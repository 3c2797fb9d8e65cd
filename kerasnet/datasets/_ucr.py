"""Load time series of the UCR and UEA archives."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.utils import Bunch

from kerasnet._files import read_bytes
from kerasnet.datasets._ucr_formats import parse_arff, parse_number, parse_ts, parse_tsv, parse_values
from kerasnet.errors import DataFormatError

if TYPE_CHECKING:
    import numpy.typing as npt

_PARSERS = {".ts": parse_ts, ".tsv": parse_tsv, ".arff": parse_arff}


def load_ucr(
    path: str | os.PathLike[str],
    return_X_y: bool = False,
    *,
    data_format: Literal["channels_last", "channels_first"] = "channels_last",
    max_bytes: int = 1_000_000_000,
) -> Bunch | tuple[Any, npt.NDArray[Any] | None]:
    r"""Load time series and labels from a file of the UCR or UEA archive: .ts, .tsv or .arff.

    Series may have several dimensions, different lengths and missing values ("?" or "NaN"). In .tsv and .arff files,
    which store series of different lengths padded with missing values, steps at the end at which all dimensions are
    missing are removed. The values are not scaled.

    Parameters
    ----------
    path : str or path-like
        The file. Its suffix determines the format: .ts of aeon and sktime, .tsv of the UCR archive, with the label in
        the first column, or .arff of Weka, with one attribute per step, or a relational attribute for several
        dimensions.
    return_X_y : bool, default=False
        If True, return ``(data, target)`` instead of a Bunch.
    data_format : {"channels_last", "channels_first"}, default="channels_last"
        The order of the axes. "channels_last" is (steps, dimensions), as models of kerasnet and Keras expect.
        "channels_first" is (dimensions, steps), as in aeon.
    max_bytes : int, default=1_000_000_000
        The maximum size of the file.

    Returns
    -------
    series : Bunch
        Dictionary-like object with the following attributes.

        data : ndarray of shape (n_samples, steps, dimensions), dtype float32, or list of ndarray
            The series. If their lengths differ, a list of arrays of shape (steps, dimensions). Missing values are NaN.
        target : ndarray of shape (n_samples,), dtype str or float64, or None
            The class labels, as in the file. The values of a regression problem are float64 (``@targetLabel`` in .ts, a
            numeric last attribute in .arff). None if the file has no labels (``@classLabel false``).
        target_names : ndarray of shape (n_classes,), dtype str, or None
            The sorted class labels.
        DESCR : str
            The comments of the file.
    (X, y) : tuple, if `return_X_y`
        ``data`` and ``target``.

    Raises
    ------
    DataFormatError
        If the file contradicts its format or its header: a value is not a number, the number of dimensions or steps
        differs from the declared one, the dimensions of a series have different lengths, a label is missing or not
        declared, or there are no series or time stamps. The message contains the line number, counted from 1.
    UnsafeFileError
        If the file is larger than `max_bytes`.
    ValueError
        If a parameter is invalid, or the suffix is unknown.
    OSError
        If the file cannot be opened.

    See Also
    --------
    load_csv : Load tables.

    References
    ----------
    H. A. Dau et al., "The UCR time series archive", IEEE/CAA Journal of Automatica Sinica, 6(6), 1293-1305, 2019.

    A. Bagnall et al., "The UEA multivariate time series classification archive, 2018", arXiv:1811.00075, 2018.

    Examples
    --------
    >>> import tempfile
    >>> from kerasnet.datasets import load_ucr
    >>> with tempfile.NamedTemporaryFile("w", suffix=".ts") as file:
    ...     _ = file.write("@univariate false\n@classLabel true a b\n@data\n1,2,3:4,5,6:a\n7,8,?:9,9,9:b\n")
    ...     file.flush()
    ...     X, y = load_ucr(file.name, return_X_y=True)
    >>> X.shape, y.tolist()
    ((2, 3, 2), ['a', 'b'])
    >>> X[1, :, 0]
    array([ 7.,  8., nan], dtype=float32)
    """
    if data_format not in ("channels_last", "channels_first"):
        raise ValueError(f"data_format must be 'channels_last' or 'channels_first'. Received: {data_format!r}.")
    parse = _PARSERS.get(Path(path).suffix.lower())
    if parse is None:
        raise ValueError(f"The suffix of path must be one of {list(_PARSERS)}. Received: {os.fspath(path)!r}.")
    header, rows = parse(_lines(read_bytes(path, max_bytes=max_bytes), path), path)
    series, labels, expected = [], [], header
    for number, dimensions, label in rows:
        where = f"{path}: line {number}"
        values = _series(dimensions, where)
        expected = _check_shape(values, expected, where)
        series.append(_without_padding(values, where) if header.is_padded else values)
        labels.append(_label(label, header, where))
    if not series:
        raise DataFormatError(f"{path}: expected at least one series, found none.")
    ordered = series if data_format == "channels_first" else [np.ascontiguousarray(each.T) for each in series]
    X = np.stack(ordered) if len({each.shape for each in ordered}) == 1 else ordered
    y = np.array(labels) if header.has_labels else None
    if return_X_y:
        return X, y
    names = np.unique(y) if y is not None and not header.is_regression else None
    return Bunch(data=X, target=y, target_names=names, DESCR=header.description or f"{len(X)} series from {path}.")


def _lines(content, path):
    """Yield the numbers and the text of the lines that are not blank."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataFormatError(f"{path}: line {line}: expected text in UTF-8, found: {error.reason}.") from error
    for number, line in enumerate(text.split("\n"), start=1):
        if line := line.strip(" \r"):
            yield number, line


def _series(dimensions, where):
    """Return a series of shape (dimensions, steps)."""
    values = [parse_values(text, where) for text in dimensions]
    lengths = [len(each) for each in values]
    if len(set(lengths)) > 1:
        raise DataFormatError(f"{where}: expected dimensions of the same length, found lengths {lengths}.")
    return np.stack(values)


def _check_shape(values, expected, where):
    """Check the shape of a series; return what is expected of the next one."""
    n_dimensions, n_steps = values.shape
    if expected.n_dimensions is not None and n_dimensions != expected.n_dimensions:
        raise DataFormatError(f"{where}: expected {expected.n_dimensions} dimensions, found {n_dimensions}.")
    if expected.n_steps is not None and n_steps != expected.n_steps:
        raise DataFormatError(f"{where}: expected {expected.n_steps} steps, found {n_steps}.")
    return expected._replace(n_dimensions=n_dimensions, n_steps=n_steps if expected.equal_length else expected.n_steps)


def _without_padding(values, where):
    """Remove the steps at the end at which all dimensions are missing."""
    present = np.flatnonzero(~np.isnan(values).all(axis=0))
    if not len(present):
        raise DataFormatError(f"{where}: expected a series, found only missing values.")
    return values[:, : present[-1] + 1]


def _label(label, header, where):
    """Return the label of a series."""
    if header.has_labels and label.lower() in ("", "?", "nan"):
        raise DataFormatError(f"{where}: expected a label, found none.")
    if header.is_regression:
        target = parse_number(label, where)
        if not math.isfinite(target):
            raise DataFormatError(f"{where}: expected a finite number as target, found {label[:50]!r}.")
        return target
    if header.classes is not None and label not in header.classes:
        raise DataFormatError(f"{where}: expected a label among {list(header.classes)}, found {label[:50]!r}.")
    return label
