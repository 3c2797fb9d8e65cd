"""Classifiers of text for ``kerasnet predict``: pipelines that begin with a TextVectorizer."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from kerasnet.cli._models import is_fitted_classifier, is_multilabel
from kerasnet.errors import DataFormatError
from kerasnet.features import TextVectorizer
from kerasnet.features.text import UNKNOWN


def takes_text(estimator):
    """Return whether an estimator is a pipeline that begins with a TextVectorizer."""
    return isinstance(estimator, Pipeline) and isinstance(estimator[0], TextVectorizer)


def check_classifier(model, pipeline):
    """Raise an error that begins with the name of the model if a pipeline does not predict one class per text."""
    if is_multilabel(pipeline):
        raise TypeError(f"{model}: expected a classifier with one class per text. Received: a multilabel classifier.")
    if not is_fitted_classifier(pipeline):
        last = type(pipeline[-1]).__name__
        raise TypeError(
            f"{model}: expected a fitted classifier with one class per text. Received: a pipeline to {last}."
        )


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
        if column is None:
            with Path(path).open(encoding="utf-8-sig") as file:
                return [line.removesuffix("\n") for line in file]
        with Path(path).open(encoding="utf-8-sig", newline="") as file, warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # rows with more fields than columns
            table = pd.read_csv(file, dtype=str, keep_default_na=False, index_col=False)
    except UnicodeDecodeError as error:
        raise DataFormatError(f"{path}: expected text in UTF-8. Found: {error}.") from error
    except (ValueError, pd.errors.ParserWarning) as error:
        raise DataFormatError(f"{path}: expected a CSV file with column names. Found: {error}") from error
    if column not in table.columns:
        raise DataFormatError(f"{path}: expected a column {column!r}. Found: {table.columns.tolist()}.")
    return table[column].fillna("").tolist()


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
