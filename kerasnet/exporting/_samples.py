"""Samples for the verification of exported models."""

import warnings
from typing import Any, NamedTuple

import numpy as np
from sklearn.impute import KNNImputer

from kerasnet.exporting._tables import draw_table, known_values, with_missing_values, with_unknown_categories

N_SAMPLES = 64


class Batches(NamedTuple):
    """Samples for the verification.

    Attributes
    ----------
    samples : list of array-likes
        Batches of samples.
    with_missing : array-like or None
        Samples with missing values that the estimator supports.
    tolerance : float
        The largest difference that is accepted.
    are_drawn : bool
        Whether the samples are drawn at random.
    """

    samples: list[Any]
    with_missing: Any
    tolerance: float
    are_drawn: bool


def draw_samples(description, first=None):
    """Draw samples of the shape and dtype of an input.

    Parameters
    ----------
    description : Description
        The description, with a single input.
    first : estimator, default=None
        The estimator that receives the samples: a scaler or imputer, the statistics of which give the scale of the
        features, or a network, the vocabulary of which gives the token ids.

    Returns
    -------
    X : ndarray, or list of ndarrays of different lengths
    """
    rng, described = np.random.default_rng(0), description.inputs[0]
    if description.padding is not None:
        return [
            rng.normal(size=(3 + number % 7, described.shape[-1])).astype(np.float32) for number in range(N_SAMPLES)
        ]
    shape = (N_SAMPLES, *(5 if size is None else size for size in described.shape))
    if described.dtype == "uint8":
        return rng.integers(0, 256, shape, dtype=np.uint8)
    if "int" in described.dtype:
        return rng.integers(0, getattr(first, "vocabulary_size_", 2), shape).astype(described.dtype)
    if description.divides_bytes or description.kind == "image":
        return rng.random(shape).astype(described.dtype)
    if isinstance(first, KNNImputer):
        return draw_table(known_values(first, shape[1]), None, N_SAMPLES).to_numpy(described.dtype)
    center, scale = statistics_of(first)
    return (center + scale * rng.normal(size=shape)).astype(described.dtype)


def statistics_of(transformer):
    """Return the center and the scale of features as arrays or numbers, as far as a transformer knows them."""
    for center, scale in (
        ("mean_", "scale_"),
        ("center_", "scale_"),
        ("data_min_", "data_range_"),
        ("statistics_", ""),
    ):
        values = getattr(transformer, center, None)
        if values is not None and np.asarray(values).dtype.kind == "f":
            spread = getattr(transformer, scale, None) if scale else None
            return np.nan_to_num(values), 1.0 if spread is None else spread
    return 0.0, 1.0


def batches_of(estimator, description, X, tolerance, are_drawn):
    """Return batches for the verification: the samples, one of them alone, and changed ones.

    Parameters
    ----------
    estimator : estimator
        The estimator.
    description : Description
        The description of its inputs.
    X : array-like, data frame or list
        Samples.
    tolerance : float
        The largest difference that is accepted.
    are_drawn : bool
        Whether the samples are drawn at random.

    Returns
    -------
    batches : Batches
        With missing values and unknown categories if the estimator supports them.
    """
    samples, with_missing = [X, X[:1]], None
    if description.kind in ("table", "vector"):
        with_unknown = with_unknown_categories(X, description)
        if with_unknown is not None and error_of_prediction(estimator, with_unknown) is None:
            samples.append(with_unknown)
        with_missing = with_missing_values(X, description)
        if with_missing is not None and error_of_prediction(estimator, with_missing):
            with_missing = None
    return Batches(samples, with_missing, tolerance, are_drawn)


def error_of_prediction(estimator, X):
    """Return the error that an estimator raises for samples; None if it accepts them."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about samples that are drawn at random
            (estimator.predict if hasattr(estimator, "predict") else estimator.transform)(X)
    except (TypeError, ValueError) as error:
        return error
    return None
