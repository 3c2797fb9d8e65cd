"""Validation of sample weights, compared with scikit-learn."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

import kerasnet as kn

X = np.arange(12, dtype=np.float32).reshape(6, 2)
Y = np.arange(6, dtype=np.float32)
INVALID = {
    "too few": (np.ones(5), r"must have shape \(6,\).*Received: shape \(5,\)"),
    "two axes": (np.ones((6, 1)), r"must have shape \(6,\).*Received: shape \(6, 1\)"),
    "negative": (-np.ones(6), "Negative values"),
    "not a number": (np.full(6, np.nan), "sample_weight contains NaN"),
    "one not a number for all": (np.nan, "sample_weight contains NaN"),
    "zeros": (np.zeros(6), "at least one non-zero"),
    "zero for all": (0, "at least one non-zero"),
    "text": (["a"] * 6, "could not convert"),
}


def fit(sample_weight):
    return kn.KerasNetRegressor("mlp", dense_units=(2,), epochs=1, random_state=0).fit(X, Y, sample_weight)


@pytest.mark.parametrize(("sample_weight", "message"), INVALID.values(), ids=INVALID)
def test_invalid_sample_weights_raise_an_error(sample_weight, message):
    with pytest.raises(ValueError, match=message):
        fit(sample_weight)


@pytest.mark.parametrize("sample_weight", [2, 0.5, [1, 2, 3, 4, 5, 0], np.arange(12)[::2]], ids=str)
def test_sample_weights_supported_by_scikit_learn(sample_weight):
    Ridge().fit(X, Y, sample_weight)
    as_array = np.array(np.broadcast_to(sample_weight, 6), np.float32)
    np.testing.assert_array_equal(fit(sample_weight).predict(X), fit(as_array).predict(X))
