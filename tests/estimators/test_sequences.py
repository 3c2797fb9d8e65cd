"""Sequences of different lengths: padding and masking."""

import pickle

import numpy as np
import pandas as pd
import pytest
from _longer import longer
from sklearn.model_selection import cross_val_score

from kerasnet import KerasNetClassifier, KerasNetRegressor, SimpleRNNClassifier, load, save
from kerasnet.models import create_model, list_models

MODELS = list_models(input_kind="sequence")
SMALL = {
    "attention": {"embedding_units": 4, "n_heads": 2, "n_blocks": 1, "feed_forward_units": 4},
    "conv1d": {"filters": (4,)},
    "gru": {"units": (3,)},
    "inception_time": {"depth": 3, "filters": 4},
    "lite": {"filters": 4, "kernel_size": 8},
    "lstm": {"units": (3,)},
    "lstm_fcn": {"lstm_units": 3, "filters": (4,), "kernel_size": 5},
    "resnet1d": {"filters": (4,)},
    "simple_rnn": {"units": (3,)},
}


def small(name, **parameters):
    return KerasNetClassifier(name, **{"epochs": 1, "random_state": 0, **SMALL[name], **parameters})


@pytest.fixture(scope="module")
def ragged():
    """Return sequences of 2 to 11 steps, and whether their mean is above 0."""
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(length, 2)).astype(np.float32) for length in rng.integers(2, 12, size=80)]
    return X, np.array([sequence.mean() > 0 for sequence in X])


@pytest.mark.parametrize("name", MODELS)
def test_padding_does_not_change_predictions(name):
    """Compare with the same network without padding."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(3, 6, 2)).astype(np.float32)
    padded = np.full((3, 9, 2), -7, np.float32)
    padded[:, :6] = X
    settings = {**SMALL[name], "input_shape": (None, 2), "n_outputs": 2}
    masked, plain = (create_model(name, mask_value=value, **settings) for value in (-7, None))
    plain.set_weights(masked.get_weights())
    np.testing.assert_allclose(masked(padded), plain(X), atol=1e-6)
    assert np.abs(plain(padded) - plain(X)).max() > 1e-4
    assert np.isfinite(masked(np.full((1, 4, 2), -7.0))).all()


@pytest.mark.parametrize("name", longer(MODELS, {*MODELS} - {"conv1d", "simple_rnn"}))  # masks: see the test above
def test_fit_save_and_predict_lists_of_sequences(name, ragged, tmp_path):
    X, y = ragged
    classifier = small(name, epochs=40, learning_rate=0.03).fit(X, y)
    assert classifier.score(X, y) > 0.8
    assert classifier.input_shape_ == (None, 2)
    assert classifier.n_features_in_ == 2
    together = classifier.predict_proba(X)
    alone = np.concatenate([classifier.predict_proba([sequence]) for sequence in X[:5]])
    np.testing.assert_allclose(alone, together[:5], atol=1e-6)
    assert classifier.predict([np.ones((40, 2))]).shape == (1,)
    assert classifier.predict(np.ones((3, 4, 2))).shape == (3,)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(classifier)).predict_proba(X), together)
    if name == "conv1d":
        save(classifier, tmp_path / "ragged.kerasnet")
        np.testing.assert_array_equal(load(tmp_path / "ragged.kerasnet").predict_proba(X), together)


def test_lists_in_cross_validation_regression_and_partial_fit(ragged):
    X, y = ragged
    scores = cross_val_score(small("conv1d", epochs=20, learning_rate=0.03), X, y, cv=3)
    assert scores.min() > 0.6
    regressor = KerasNetRegressor("conv1d", filters=(4,), epochs=2, random_state=0)
    assert regressor.fit(X, [len(sequence) for sequence in X]).predict(X).shape == (80,)
    again = small("conv1d", early_stopping=True).fit(X, y, X_val=X[:9], y_val=y[:9])
    assert "val_loss" in again.history_
    again.set_params(early_stopping=False).initialize(np.ones((10, 4, 2)), [0, 1] * 5)
    assert again.input_shape_ == (4, 2)


def test_one_dimensional_sequences_and_mask_value(ragged):
    X, y = ragged
    numbers = [[float(value) for value in sequence[:, 0]] for sequence in X]
    assert small("conv1d").initialize(numbers, y).input_shape_ == (None, 1)
    classifier = SimpleRNNClassifier(units=(3,), mask_value=0.0, random_state=0).initialize(X, y)
    assert classifier.model_.get_layer("mask").mask_value == 0
    padded = np.zeros((80, 15, 2), np.float32)
    for row, sequence in zip(padded, X, strict=True):
        row[: len(sequence)] = sequence
    np.testing.assert_allclose(classifier.predict_proba(padded), classifier.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize(
    ("model", "X", "message"),
    [
        (
            "mlp",
            [np.ones((2, 3)), np.ones((3, 3))],
            "different lengths, but the builder of 'mlp' has no argument mask_value",
        ),
        ("lstm", [np.ones((2, 3)), np.ones((3, 4))], r"with the same number of features\. Received: .*\(3,\), \(4,\)"),
        ("lstm", [np.ones((0, 3)), np.ones((3, 3))], r"at least one step\. Received: empty sequences \[0\]"),
        ("lstm", [np.full((2, 3), np.nan), np.ones((3, 3))], "contains NaN"),
        ("lstm", [np.ones((2, 3, 1)), np.ones((3, 3, 1))], r"arrays of shape \(steps, features\)"),
        ("lstm", [[[1, 2], [1, 2]], []], r"at least one step\. Received: empty sequences \[1\]"),
        ("cnn", [np.ones((8, 9)), np.ones((7, 8))], "different lengths, but the builder of 'cnn' has no argument"),
        (
            "lstm",
            ["some", "text"],
            r"expects numbers. Received: strings. .*make_pipeline\(TextVectorizer\(\), Keras.*ImageFiles",
        ),
    ],
)
def test_invalid_lists_raise_an_error(model, X, message):
    with pytest.raises(ValueError, match=message):
        KerasNetClassifier(model, epochs=1).fit(X, [0, 1])


def test_model_fitted_on_one_length_rejects_other_lengths(ragged):
    X, y = ragged
    classifier = small("conv1d").initialize(np.ones((4, 5, 2)), [0, 1, 0, 1])
    with pytest.raises(ValueError, match=r"fitted on sequences of shape \(5, 2\)\. .* fit it on a list"):
        classifier.predict(X)
    of_any_length = small("conv1d").fit(X, y)
    with pytest.raises(ValueError, match="X has 3 features"):
        of_any_length.predict([np.ones((4, 3))])
    with pytest.raises(ValueError, match=r"one array of shape \(9, 2\)\. Pass a single sequence as a list: \[seq"):
        of_any_length.predict(np.ones((9, 2)))
    for nothing in ([], np.empty((0, 4, 2))):
        with pytest.raises(ValueError, match=r"a list of arrays .*\. Received: an empty list"):
            of_any_length.predict(nothing)


def as_object_array(sequences):
    """Return sequences as an object array."""
    objects = np.empty(len(sequences), object)
    for place, each in enumerate(sequences):
        objects[place] = each
    return objects


@pytest.mark.parametrize("form", longer([list, tuple, as_object_array, pd.Series], [tuple]))
def test_lists_of_equal_lengths_are_sequences(form, ragged):
    """All lengths in a fold may be equal by chance."""
    X, y = ragged
    equal = form([each[:2] for each in X])
    classifier = small("conv1d", epochs=2).fit(equal, y)
    assert classifier.input_shape_ == (None, 2)
    assert classifier.predict(X).shape == (80,)
    array = small("conv1d", epochs=2).fit(np.stack([each[:2] for each in X]), y)
    np.testing.assert_allclose(classifier.predict_proba(equal), array.predict_proba(np.stack(list(equal))), atol=1e-6)
    classifier.partial_fit(X, y)


def test_nested_lists_of_numbers_are_rows_unless_mask_value_is_set():
    numbers = [[1.0, 2.0], [2.0, 1.0]]
    assert small("conv1d", kernel_size=1).initialize(numbers, [0, 1]).input_shape_ == (2, 1)
    assert small("conv1d", kernel_size=1, mask_value=-1).initialize(numbers, [0, 1]).input_shape_ == (None, 1)


@pytest.mark.parametrize("value", ["x", 1e300, np.nan])
def test_invalid_mask_value_raises_an_error(value, ragged):
    with pytest.raises(ValueError, match="'mask_value' parameter"):
        KerasNetClassifier("gru", mask_value=value).fit(*ragged)


def test_inputs_are_not_changed(ragged):
    X, y = ragged
    before = [sequence.copy() for sequence in X]
    small("conv1d").fit(X, y).predict(X)
    assert all((one == other).all() for one, other in zip(X, before, strict=True))


def test_columns_of_data_frames_are_reordered_with_a_warning(tmp_path):
    random = np.random.default_rng(0)
    for lengths in (random.integers(3, 6, 20), np.full(20, 4)):
        X = [pd.DataFrame(random.normal(size=(length, 2)), columns=["u", "v"]) for length in lengths]
        y = np.arange(20) % 2
        classifier = small("conv1d").fit(X, y)
        expected = classifier.predict_proba(X)
        save(classifier, tmp_path / "frames.kerasnet")
        for each in (classifier, load(tmp_path / "frames.kerasnet")):
            with pytest.warns(UserWarning, match=r"not in the order \['u', 'v'\]"):
                reordered = each.predict_proba([frame[["v", "u"]] for frame in X])
            np.testing.assert_array_equal(reordered, expected)
        with pytest.raises(ValueError, match=r"must have the columns \['u', 'v'\]"):
            classifier.predict([frame.rename(columns={"v": "w"}) for frame in X])


def test_sequences_of_one_step_issue_a_warning():
    X = np.random.default_rng(0).normal(size=(20, 1, 7))
    with pytest.warns(UserWarning, match=r"For 7 steps with one feature, pass X.reshape\(20, 7, 1\)"):
        small("simple_rnn").initialize(X, np.arange(20) % 2)
