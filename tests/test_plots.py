"""Displays in scikit-learn's manner."""

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from kerasnet.estimators import CNNClassifier
from kerasnet.plots import PredictionGridDisplay, TrainingCurveDisplay

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
