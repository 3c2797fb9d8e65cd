"""The agreement of a quantized model with the estimator."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from sklearn.metrics import accuracy_score, r2_score

from kerasnet.errors import ExportError

MIN_SCORE = 0.98


class Agreement(NamedTuple):
    """How well a quantized model agrees with the estimator on samples.

    :func:`kerasnet.export` returns it for ``quantize="int8"``.

    Attributes
    ----------
    score : float
        For classifiers, the share of samples with equal labels: on these samples, the accuracies of the two models
        differ by at most ``1 - score``. For other estimators, the coefficient of determination R² of the outputs, with
        those of the estimator as true values.
    difference : float
        The largest difference of a probability or another output. Differences of a regressor are relative to the
        standard deviation of the targets or predictions (of networks without standardized targets, to at least half of
        the largest prediction), those of other outputs to standard deviations above 1.
    n_samples : int
        The number of samples.

    Examples
    --------
    >>> from kerasnet.exporting import Agreement
    >>> Agreement(score=0.998, difference=0.03, n_samples=1000)
    Agreement(score=0.998, difference=0.03, n_samples=1000)
    """

    score: float
    difference: float
    n_samples: int


def agreement_of(expected, found, scales, are_drawn):
    """Compare the outputs of a quantized model with those of the estimator.

    Parameters
    ----------
    expected, found : dict of str to ndarray
        The outputs of the estimator and of the model.
    scales : dict of str to ndarray
        The scales of the outputs, relative to which differences are measured.
    are_drawn : bool
        Whether the samples are drawn at random.

    Returns
    -------
    agreement : Agreement

    Raises
    ------
    ExportError
        If the score is less than 0.98.
    """
    numbers = [name for name in found if name != "label"]
    largest = max(float((np.abs(expected[name] - found[name]) / scales[name]).max()) for name in numbers)
    if "label" in expected:
        kind, score = "labels agree on a share of", _share_of_equal_labels(expected, found)
    else:
        kind, score = "outputs agree with a score (R²) of", min(_r2(expected[name], found[name]) for name in numbers)
    n_samples = len(found[numbers[0]])
    if not score >= MIN_SCORE:
        samples = "drawn at random; pass verify=X, with real samples" if are_drawn else "in verify"
        raise ExportError(
            f'quantize="int8" changes the predictions too much: {kind} {score:.3g}, at least {MIN_SCORE} is required '
            f"(on {n_samples} samples {samples}). No file was written. Export without quantize."
        )
    return Agreement(score, largest, n_samples)


def _share_of_equal_labels(expected, found):
    if "label" not in found:  # LiteRT
        is_multilabel = expected["label"].ndim > 1
        expected, found = (
            {"label": each["probabilities"] > 0.5 if is_multilabel else each["probabilities"].argmax(axis=1)}
            for each in (expected, found)
        )
    return float(accuracy_score(expected["label"], found["label"]))


def _r2(expected, found):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # not defined for one sample: nan
        expected, found = (each.reshape(len(each), -1) for each in (expected, found))
        return float(r2_score(expected, found, multioutput="variance_weighted"))
