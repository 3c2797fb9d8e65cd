"""Displays in scikit-learn's manner."""

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError

from kerasnet.estimators import Autoencoder, CNNClassifier
from kerasnet.plots import EmbeddingDisplay, PredictionGridDisplay, ReconstructionDisplay, TrainingCurveDisplay

HISTORY = {"loss": [0.9, 0.5, 0.4], "val_loss": [0.8, 0.6, 0.7], "accuracy": [0.5, 0.7, 0.9]}


def test_a_curve_for_training_and_one_for_validation():
    display = TrainingCurveDisplay.from_history(HISTORY)
    training, validation = display.lines_
    np.testing.assert_array_equal(training.get_xdata(), [1, 2, 3])
    np.testing.assert_array_equal(training.get_ydata(), HISTORY["loss"])
    np.testing.assert_array_equal(validation.get_ydata(), HISTORY["val_loss"])
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("epoch", "loss")
    assert display.figure_ is display.ax_.figure
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == ["training", "validation"]


def test_a_metric_without_validation_on_given_axes():
    _, ax = plt.subplots()
    display = TrainingCurveDisplay.from_history(HISTORY, metric="accuracy", ax=ax, color="red")
    assert display.ax_ is ax
    assert [line.get_color() for line in display.lines_] == ["red"]
    assert display.plot(metric="loss").ax_ is not ax


def test_a_keras_history_is_taken():
    history = keras.callbacks.History()
    history.history = HISTORY
    assert len(TrainingCurveDisplay.from_history(history).lines_) == 2


def test_an_unknown_metric_is_refused():
    with pytest.raises(ValueError, match=r"The history has \['accuracy', 'loss', 'val_loss'\]. Received: metric='f1'"):
        TrainingCurveDisplay.from_history(HISTORY, metric="f1")


def test_from_estimator(mnist):
    X, y = mnist
    with pytest.raises(NotFittedError):
        TrainingCurveDisplay.from_estimator(CNNClassifier())
    estimator = CNNClassifier(epochs=2, random_state=0).fit(X, y)
    display = TrainingCurveDisplay.from_estimator(estimator, metric="accuracy")
    np.testing.assert_array_equal(display.lines_[0].get_ydata(), estimator.history_["accuracy"])

    grid = PredictionGridDisplay.from_estimator(estimator, X, y, n_images=7)
    probabilities = estimator.predict_proba(X)
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != y)
    worst = wrong[np.argsort(-probabilities[wrong].max(axis=1), kind="stable")][:7]
    np.testing.assert_array_equal(grid.images, X[worst])
    first = worst[0]
    assert grid.axes_[0].get_title() == (
        f"{y[first]} seen as {probabilities[first].argmax()}\n{probabilities[first].max():.1%} sure"
    )


def test_all_predictions_in_their_order(mnist):
    X, y = mnist
    display = PredictionGridDisplay.from_predictions(X, y, y, show="all", n_images=12)
    assert [axes.get_title() for axes in display.axes_] == [str(label) for label in y[:12]]
    np.testing.assert_array_equal(display.axes_[3].get_images()[0].get_array(), X[3])
    assert display.axes_[0].get_images()[0].get_clim() == (0, 255)


def test_floats_are_drawn_from_0_to_1(mnist):
    X, y = mnist
    display = PredictionGridDisplay.from_predictions(X / 255, y, y, show="all", n_images=1)
    assert display.axes_[0].get_images()[0].get_clim() == (0, 1)


def test_no_mistakes_is_said(mnist):
    X, y = mnist
    display = PredictionGridDisplay.from_predictions(X, y, y)
    assert display.axes_ == []
    assert display.ax_.texts[0].get_text() == "nothing to show"


def test_given_axes_are_filled(mnist):
    X, y = mnist
    figure, axes = plt.subplots(1, 2)
    display = PredictionGridDisplay.from_predictions(X, y, (y + 1) % 10, n_images=3, ax=axes[1])
    figure.canvas.draw()
    frame = axes[1].get_position()
    assert display.figure_ is figure
    assert all(frame.x0 - 0.01 <= each.get_position().x0 <= frame.x1 for each in display.axes_)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"show": "some"}, "show must be 'mistakes' or 'all'"), ({"confidence": [1]}, "inconsistent numbers of samples")],
)
def test_bad_arguments_are_refused(mnist, options, message):
    X, y = mnist
    with pytest.raises(ValueError, match=message):
        PredictionGridDisplay.from_predictions(X, y, y, **options)


def test_reconstructions_are_drawn_under_the_images_with_the_difference(mnist):
    X, _ = mnist
    estimator = Autoencoder(code_units=8, epochs=1, random_state=0).fit(X)
    display = ReconstructionDisplay.from_estimator(estimator, X, n_images=5)
    assert display.axes_.shape == (3, 5)
    assert [axes.get_title() for axes in display.axes_[:, 0]] == ["in", "out", "difference"]
    shown = [axes.get_images()[0].get_array() for axes in display.axes_[:, 2]]
    expected = X[2] / 255, estimator.reconstruct(X[:5])[2]
    np.testing.assert_allclose(shown[0], expected[0])
    np.testing.assert_allclose(shown[1], expected[1])
    np.testing.assert_allclose(shown[2], expected[1] - expected[0], atol=1e-6)
    assert display.axes_[2, 0].get_images()[0].get_clim() == (-1, 1)


def test_colour_reconstructions_show_absolute_differences():
    images = np.random.default_rng(0).random((2, 6, 6, 3))
    display = ReconstructionDisplay.from_predictions(images, images[::-1])
    np.testing.assert_allclose(display.axes_[2, 0].get_images()[0].get_array(), np.abs(images[1] - images[0]))


def test_reconstructions_of_another_shape_are_refused(mnist):
    X, _ = mnist
    with pytest.raises(ValueError, match=r"the same shape\. Received: \(500, 28, 28\) and \(500, 28, 14\)"):
        ReconstructionDisplay.from_predictions(X, X[..., :14])


def test_codes_are_drawn_label_by_label(digits):
    X, y = digits[0].reshape(-1, 64), digits[1]
    display = EmbeddingDisplay.from_codes(X, y, s=3)
    expected = PCA(2, random_state=0).fit_transform(X)
    np.testing.assert_allclose(display.collections_[4].get_offsets(), expected[y == 4])
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == list("0123456789")
    assert display.collections_[0].get_sizes() == [3]


def test_two_codes_are_drawn_as_they_are(digits):
    estimator = Autoencoder(code_units=2, epochs=1, random_state=0).fit(digits[0])
    display = EmbeddingDisplay.from_estimator(estimator, digits[0])
    np.testing.assert_array_equal(display.collections_[0].get_offsets(), estimator.transform(digits[0]))
    assert display.ax_.get_legend() is None
    with pytest.raises(ValueError, match="minimum of 2 is required"):
        EmbeddingDisplay.from_codes(np.zeros((5, 1)))
