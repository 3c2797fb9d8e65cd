"""FilterDisplay."""

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from kerasnet.estimators import CNNClassifier, KerasNetClassifier
from kerasnet.plots import FilterDisplay


@pytest.fixture(scope="module")
def lenet():
    return KerasNetClassifier.from_pretrained("lenet", "mnist")


def shown(axes):
    return axes.get_images()[0].get_array()


def test_filters_of_the_first_convolution(lenet):
    display = FilterDisplay.from_estimator(lenet, n_filters=10)
    weights = lenet.model_.layers[0].kernel
    assert len(display.axes_) == 10
    np.testing.assert_array_equal(shown(display.axes_[3]), weights[..., 0, 3])
    limit = np.abs(weights[..., :10]).max()
    assert {axes.get_images()[0].get_clim() for axes in display.axes_} == {(-limit, limit)}
    assert [axes.get_title() for axes in display.axes_[:2]] == ["0", "1"]
    assert display.figure_ is display.ax_.figure


def test_activations_of_a_digit(lenet, mnist):
    images = mnist[0][:2]
    _, ax = plt.subplots()
    display = FilterDisplay.from_estimator(lenet, images, ax=ax)
    first = keras.Sequential(lenet.model_.layers[:1])
    expected = first.predict(images[:1, ..., None] / 255, verbose=0)
    assert display.ax_ is ax
    np.testing.assert_allclose(shown(display.axes_[0]).squeeze(), images[0] / 255, rtol=1e-6)
    np.testing.assert_allclose(shown(display.axes_[8]), expected[0, ..., 7], atol=1e-5)
    assert len(display.axes_) == 1 + expected.shape[-1]


def test_a_later_layer_of_a_pipeline(lenet, mnist):
    images = mnist[0][:1]
    pipeline = make_pipeline(FunctionTransformer(lambda X: X[:, ::-1]), lenet)
    display = FilterDisplay.from_estimator(pipeline, images, layer="conv_2", n_filters=3)
    upside_down = FilterDisplay.from_estimator(lenet, images[:, ::-1], layer="conv_2", n_filters=3)
    np.testing.assert_array_equal(display.filters, upside_down.filters)
    weights = FilterDisplay.from_estimator(lenet.model_, layer="conv_2", n_filters=1)
    np.testing.assert_allclose(
        shown(weights.axes_[0]), np.mean(lenet.model_.get_layer("conv_2").kernel[..., 0], axis=-1), atol=1e-6
    )


def test_color_filters_are_rgb_images_with_zero_in_gray():
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3)])
    model.layers[0].set_weights([np.linspace(-0.5, 0.25, 54).reshape(3, 3, 3, 2), np.zeros(2)])
    display = FilterDisplay.from_estimator(model)
    np.testing.assert_allclose(shown(display.axes_[1]), 0.5 + np.asarray(model.layers[0].kernel[..., 1]), atol=1e-6)


def test_filters_and_activations_of_sequences():
    model = keras.Sequential([keras.Input((20, 2)), keras.layers.Conv1D(3, 5), keras.layers.GlobalMaxPooling1D()])
    X = np.random.default_rng(0).normal(size=(1, 20, 2))
    filters = FilterDisplay.from_estimator(model)
    np.testing.assert_array_equal(filters.axes_[2].lines[1].get_ydata(), model.layers[0].kernel[:, 1, 2])
    activations = FilterDisplay.from_estimator(model, X)
    expected = keras.Sequential(model.layers[:1]).predict(X, verbose=0)[0]
    np.testing.assert_allclose(activations.axes_[1].lines[0].get_ydata(), expected[:, 0], atol=1e-5)
    np.testing.assert_allclose(activations.axes_[0].lines[0].get_ydata(), X[0, :, 0])


def test_convolutions_of_a_nested_model():
    network = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3, name="inner")])
    inputs = keras.Input((8, 8, 1))
    model = keras.Model(inputs, keras.layers.Flatten()(network(keras.layers.Rescaling(2.0)(inputs))))
    X = np.random.default_rng(0).random((1, 8, 8, 1))
    display = FilterDisplay.from_estimator(model, X)
    assert display.layer == "inner"
    np.testing.assert_allclose(display.filters[1, ..., 0], network(2 * X)[0, ..., 1], atol=1e-5)


@pytest.mark.parametrize(
    ("estimator", "error", "message"),
    [
        (CNNClassifier(), NotFittedError, "CNNClassifier instance is not fitted yet"),
        (GridSearchCV(CNNClassifier(), {}), NotFittedError, "GridSearchCV instance is not fitted yet"),
        (LogisticRegression().fit([[0], [1]], [0, 1]), TypeError, "Received: LogisticRegression"),
        (KerasNetClassifier("mlp", epochs=1).fit([[0], [1]], [0, 1]), ValueError, "requires a model with convolutions"),
    ],
    ids=["unfitted", "unfitted search", "no model", "no convolution"],
)
def test_estimators_without_filters_raise(estimator, error, message):
    with pytest.raises(error, match=message):
        FilterDisplay.from_estimator(estimator)


def test_unknown_layer_raises(lenet):
    with pytest.raises(ValueError, match="name of a convolution: conv_1, conv_2. Received: 'conv_3'"):
        FilterDisplay.from_estimator(lenet, layer="conv_3")
