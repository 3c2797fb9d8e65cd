"""SaliencyDisplay."""

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from kerasnet.estimators import CNNClassifier, KerasNetClassifier, KerasNetRegressor
from kerasnet.plots import SaliencyDisplay
from kerasnet.training._saliency import saliency_maps


@pytest.fixture(scope="module")
def lenet():
    return KerasNetClassifier.from_pretrained("lenet", "mnist")


@pytest.mark.parametrize("method", ["gradient", "grad_cam"])
def test_maps_of_predicted_and_of_given_classes(lenet, mnist, method):
    images, labels = mnist[0][:4], [3, 3, 8, 8]
    predicted = SaliencyDisplay.from_estimator(lenet, images, method=method, n_samples=3)
    given = SaliencyDisplay.from_estimator(lenet, images, labels, method=method)
    classes = lenet.predict(images)
    np.testing.assert_allclose(
        predicted.maps, saliency_maps(lenet.model_, images[:3, ..., None], classes[:3], method=method), atol=1e-5
    )
    np.testing.assert_allclose(
        given.maps, saliency_maps(lenet.model_, images[..., None], labels, method=method), atol=1e-5
    )
    assert [axes.get_title() for axes in given.axes_[1]] == [f"saliency for {label}" for label in labels]
    picture, overlay = predicted.axes_[1, 2].get_images()
    np.testing.assert_allclose(picture.get_array().squeeze(), images[2] / 255)
    np.testing.assert_array_equal(overlay.get_array(), predicted.maps[2])


def test_keras_model_and_pipeline_show_the_same(lenet, mnist):
    images = mnist[0][:2]
    expected = SaliencyDisplay.from_estimator(lenet, images)
    keras_model = SaliencyDisplay.from_estimator(lenet.model_, images[..., None])
    _, ax = plt.subplots()
    pipeline = SaliencyDisplay.from_estimator(
        make_pipeline(FunctionTransformer(lambda X: X[:, ::-1]), lenet), images[:, ::-1], ax=ax
    )
    assert (pipeline.ax_, pipeline.figure_) == (ax, ax.figure)
    for display in (keras_model, pipeline):
        np.testing.assert_allclose(display.maps, expected.maps, atol=1e-5)
        np.testing.assert_array_equal(display.labels, expected.labels)


def bumps(n_samples):
    rng = np.random.default_rng(0)
    X, y = rng.normal(0, 0.2, (n_samples, 40, 1)), rng.permutation(n_samples) % 2
    starts = rng.integers(3, 27, n_samples)
    for row, is_bump, start in zip(X, y, starts, strict=True):
        row[start : start + 10, 0] += 2 * is_bump
    return X, np.where(y, "bump", "flat"), starts


@pytest.mark.parametrize(
    "loss", [pytest.param(None, marks=pytest.mark.exhaustive), keras.losses.BinaryCrossentropy(from_logits=True)]
)
def test_grad_cam_finds_the_relevant_steps_of_a_sequence(loss):
    X, y, starts = bumps(120)
    model, sizes = "conv1d", {"filters": (16,)}
    if loss is not None:
        sizes = {}
        layers = [keras.Input((40, 1)), keras.layers.Conv1D(8, 5, activation="relu")]
        model = keras.Sequential([*layers, keras.layers.GlobalMaxPooling1D(), keras.layers.Dense(1)])
    classifier = KerasNetClassifier(model, loss=loss, epochs=10, learning_rate=0.01, random_state=0, **sizes).fit(X, y)
    chosen = np.flatnonzero(y == "bump")[:3]
    display = SaliencyDisplay.from_estimator(classifier, X[chosen], method="grad_cam")
    assert list(display.labels) == ["bump"] * 3
    for row, start in zip(display.maps, starts[chosen], strict=True):
        assert start - 3 <= row.argmax() <= start + 12
    np.testing.assert_array_equal(display.axes_[1].lines[0].get_ydata(), X[chosen[1], :, 0].astype(np.float32))
    np.testing.assert_array_equal(display.axes_[1].get_images()[0].get_array(), display.maps[[1]])
    other = SaliencyDisplay.from_estimator(classifier, X[chosen], ["flat"] * 3, method="grad_cam")
    assert all(row[start : start + 10].mean() < 0.5 for row, start in zip(other.maps, starts[chosen], strict=True))


def test_padding_is_not_drawn(mnist):
    X = [np.random.default_rng(length).random((length, 2)) for length in (5, 9, 7, 6)]
    classifier = KerasNetClassifier("conv1d", filters=(4,), random_state=0).initialize(X, [0, 1, 0, 1])
    display = SaliencyDisplay.from_estimator(classifier, X)
    assert [len(axes.lines[0].get_ydata()) for axes in display.axes_] == [5, 9, 7, 6]
    assert (display.maps[0, 5:] == 0).all()


def test_many_features_are_drawn_as_an_image(mnist):
    classifier = KerasNetClassifier.from_pretrained("simple_rnn", "mnist")
    display = SaliencyDisplay.from_estimator(classifier, mnist[0][:2] / 255)
    picture, strip = display.axes_[1].get_images()
    np.testing.assert_allclose(picture.get_array(), mnist[0][1].T / 255, atol=1e-6)
    np.testing.assert_array_equal(strip.get_array(), display.maps[[1]])


def test_regressor_has_no_classes(mnist):
    images = mnist[0][:2] / np.float32(255)
    layers = [keras.Input((28, 28, 1)), keras.layers.Flatten(), keras.layers.Dense(1)]
    regressor = KerasNetRegressor.from_keras(keras.Sequential(layers))
    display = SaliencyDisplay.from_estimator(regressor, images[..., None], n_samples=1)
    assert display.labels is None
    assert display.axes_[1, 0].get_title() == "saliency"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y": [3, 11]}, r"y must contain labels of classes_, .*Received: \[11\]"),
        ({"y": [3]}, "inconsistent numbers of samples"),
        ({"method": "magic"}, "method must be one of"),
        ({"n_samples": 0}, "n_samples == 0"),
    ],
)
def test_invalid_arguments_raise(lenet, mnist, arguments, message):
    with pytest.raises(ValueError, match=message):
        SaliencyDisplay.from_estimator(lenet, mnist[0][:2], **arguments)


def test_estimators_without_saliency_raise(mnist):
    with pytest.raises(NotFittedError):
        SaliencyDisplay.from_estimator(CNNClassifier(), mnist[0])
    mlp = KerasNetClassifier("mlp").initialize([[0.0], [1.0]], [0, 1])
    with pytest.raises(ValueError, match=r"requires images or sequences. Received: inputs of shape \(1, 1\)"):
        SaliencyDisplay.from_estimator(mlp, [[0.0]])
    with pytest.raises(ValueError, match='Use method="gradient"'):
        SaliencyDisplay.from_estimator(
            KerasNetClassifier.from_pretrained("lstm", "mnist"), mnist[0][:1] / 255, method="grad_cam"
        )
