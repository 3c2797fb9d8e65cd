"""Classifiers of text for ``kerasnet predict``: pipelines that begin with a TextVectorizer."""

import csv
from pathlib import Path

import numpy as np
from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline

from kerasnet.errors import DataFormatError
from kerasnet.features import TextVectorizer
from kerasnet.features.text import UNKNOWN


def takes_text(estimator):
    """Return whether an estimator is a pipeline that begins with a TextVectorizer and classifies."""
    return isinstance(estimator, Pipeline) and isinstance(estimator[0], TextVectorizer) and is_classifier(estimator)


def read_texts(path, column=None):
    """Read the texts of a file.

    Parameters
    ----------
    path : str
        A file in UTF-8 with one text per line, or a CSV file with column names.
    column : str, default=None
        Column of a CSV file. If None, each line is a text.

    Returns
    -------
    texts : list of str

    Raises
    ------
    OSError, DataFormatError
        If the file cannot be read, or has no such column.
    """
    try:
        with Path(path).open(encoding="utf-8-sig", newline=None if column is None else "") as file:
            if column is None:
                return file.read().splitlines()
            reader = csv.DictReader(file)
            if column not in (reader.fieldnames or ()):
                raise DataFormatError(f"{path}: expected a column {column!r}. Found: {reader.fieldnames}.")
            return [row[column] or "" for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataFormatError(f"{path}: expected text in UTF-8. Found: {error}.") from error


def predict_texts(pipeline, texts):
    """Predict the classes of texts.

    Parameters
    ----------
    pipeline : Pipeline
        A fitted pipeline that takes text.
    texts : list of str
        The texts.

    Returns
    -------
    predictions : list of dict or None
        For each text ``text``, ``class``, ``probability`` of the class and ``probabilities`` of all classes, None
        if the classifier does not estimate probabilities. None for a text without a known token.
    """
    if not texts:
        return []
    is_known = (pipeline[0].transform(texts) > UNKNOWN).any(axis=1)
    classes, labels = pipeline.classes_.tolist(), pipeline.predict(texts).tolist()
    rows = [None] * len(texts)
    if hasattr(pipeline, "predict_proba"):
        rows = [
            dict(zip(map(str, classes), row, strict=True)) for row in np.float64(pipeline.predict_proba(texts)).tolist()
        ]
    return [
        {"text": text, "class": label, "probability": row and row[str(label)], "probabilities": row} if known else None
        for text, label, row, known in zip(texts, labels, rows, is_known, strict=True)
    ]
