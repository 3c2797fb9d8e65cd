"""Saliency maps of Keras models."""

import keras
import numpy as np
import pytest

from kerasnet.estimators import KerasNetClassifier
from kerasnet.models import create_model
from kerasnet.training._saliency import saliency_maps

rng = np.random.default_rng(0)


def linear_model(shape, n_outputs, activation="softmax", weights=None):
    layers = [keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(n_outputs, activation=activation)]
    model = keras.Sequential(layers)
    if weights is not None:
        model.layers[-1].set_weights([weights.reshape(-1, n_outputs), np.zeros(n_outputs)])
    return model


@pytest.mark.parametrize("shape", [(4, 5, 3), (6, 2), (7,)])
@pytest.mark.parametrize("activation", ["softmax", "linear"])
def test_gradient_of_a_linear_model_is_its_weights(shape, activation):
    weights = rng.normal(size=(*shape, 3)).astype(np.float32)
    outputs = np.array([2, 0])
    maps = saliency_maps(linear_model(shape, 3, activation, weights), rng.normal(size=(2, *shape)), outputs)
    expected = np.abs(np.moveaxis(weights, -1, 0)[outputs])
    expected = expected.max(axis=-1) if len(shape) > 1 else expected
    largest = expected.max(axis=tuple(range(1, expected.ndim)), keepdims=True)
    np.testing.assert_allclose(maps, expected / largest, rtol=1e-5)
    assert maps.dtype == np.float32


@pytest.mark.parametrize("last", ["softmax", "sigmoid"])
def test_saturated_probabilities_have_a_gradient(last):
    weights = np.zeros((3, 3, 1, 2), np.float32)
    weights[1, 1, 0] = [5000, -5000]
    for model in (linear_model((3, 3, 1), 2, last, weights), linear_model((3, 3, 1), 2, None, weights)):
        if model.layers[-1].activation is keras.activations.linear:
            model.add(keras.layers.Activation(last))
        maps = saliency_maps(model, np.ones((1, 3, 3, 1)), [0])
        assert maps[0, 1, 1] == 1
        assert maps.sum() == 1


def test_gradient_equals_finite_differences(mnist):
    convolution = keras.layers.Conv2D(4, 5, activation="tanh")
    layers = [keras.Input((28, 28, 1)), convolution, keras.layers.Flatten(), keras.layers.Dropout(0.5)]
    model = keras.Sequential([*layers, keras.layers.Dense(10, activation="softmax")])
    image = mnist[0][:1, ..., None] / 255
    pixels = [(row, column) for row in range(4, 24, 5) for column in range(4, 24, 5)]
    moved = np.repeat(image, 2 * len(pixels), axis=0)
    for position, (row, column) in enumerate(pixels):
        moved[2 * position, row, column] += 0.01
        moved[2 * position + 1, row, column] -= 0.01
    features = keras.Model(model.inputs, model.layers[-1].input).predict(moved, verbose=0)
    scores = features @ model.layers[-1].get_weights()[0][:, 4]
    slopes = np.abs(scores[::2] - scores[1::2])
    saliency = saliency_maps(model, image, [4])[0][tuple(np.transpose(pixels))]
    np.testing.assert_allclose(slopes / slopes.max(), saliency / saliency.max(), atol=0.005)


def test_grad_cam_of_a_known_feature_map():
    X = rng.random((2, 4, 4, 1), dtype=np.float32)
    inputs = keras.Input((4, 4, 1))
    maps = keras.layers.Conv2D(2, 1, use_bias=False)(inputs)
    outputs = keras.layers.Dense(1, activation="sigmoid")(keras.layers.GlobalAveragePooling2D()(maps))
    model = keras.Model(inputs, outputs)
    model.layers[1].set_weights([np.array([1.0, -1.0]).reshape(1, 1, 1, 2)])
    model.layers[-1].set_weights([np.array([[2.0], [-1.0]]), np.zeros(1)])  # logit = 2 mean(X) + mean(X)
    positive, negative = saliency_maps(model, X, [1, 0], method="grad_cam")
    np.testing.assert_allclose(positive, X[0, ..., 0] / X[0].max(), rtol=1e-5)
    assert (negative == 0).all()


@pytest.mark.parametrize(
    ("name", "shape"), [("lenet", (16, 16, 1)), ("resnet_small", (16, 16, 1)), ("conv1d", (20, 2))]
)
def test_grad_cam_has_the_size_of_the_input(name, shape):
    maps = saliency_maps(create_model(name, input_shape=shape), rng.random((2, *shape)), [0, 1], method="grad_cam")
    assert maps.shape == (2, *shape[:-1])
    assert set(maps.max(axis=tuple(range(1, maps.ndim)))) <= {0, 1}


def test_grad_cam_uses_the_activation_before_pooling():
    inputs = keras.Input((4, 4, 1))
    maps = keras.layers.ReLU()(keras.layers.Conv2D(1, 1, use_bias=False)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Flatten()(keras.layers.MaxPooling2D(4)(maps))))
    model.layers[1].set_weights([np.ones((1, 1, 1, 1))])
    model.layers[-1].set_weights([np.ones((1, 1)), np.zeros(1)])
    X = rng.random((1, 4, 4, 1), dtype=np.float32) - 0.5
    expected = np.maximum(X[..., 0], 0)
    np.testing.assert_allclose(saliency_maps(model, X, [0], method="grad_cam"), expected / expected.max(), rtol=1e-5)


def test_grad_cam_of_a_nested_model():
    X = rng.random((1, 4, 4, 1), dtype=np.float32)
    network = keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(1, 1, use_bias=False)])
    network.layers[0].set_weights([np.ones((1, 1, 1, 1))])
    for _ in range(2):  # the network is part of two models
        inputs = keras.Input((4, 4, 1))
        values = keras.layers.GlobalAveragePooling2D()(network(keras.layers.Rescaling(2.0)(inputs)))
        model = keras.Model(inputs, keras.layers.Dense(1, kernel_initializer="ones")(values))
        maps = saliency_maps(model, X, [0], method="grad_cam")
        np.testing.assert_allclose(maps, X[..., 0] / X.max(), rtol=1e-5)


def test_saliency_of_a_digit_is_on_its_strokes(mnist):
    images = mnist[0][:70]  # more than one batch
    classifier = KerasNetClassifier.from_pretrained("lenet", "mnist")
    labels = classifier.predict(images)
    maps = saliency_maps(classifier.model_, images[..., None], labels)
    assert maps[:, 5:23, 5:23].sum() / maps.sum() > 0.6  # 41 % of the area
    as_floats = saliency_maps(classifier.model_, images[..., None] / 255, labels)
    np.testing.assert_allclose(maps, as_floats, atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "magic"}, "method must be one of .*Received: 'magic'"),
        ({"outputs": [3, 0]}, "range 0 to 2. Received: .0 3"),
        ({"outputs": [0]}, r"outputs must be one index per sample, of shape \(2,\). Received: shape \(1,\)"),
        ({"outputs": [0.0, 1.0]}, "dtype float64"),
        ({"X": np.zeros((2, 5))}, r"shape of the model's input, \(None, 4, 1\). Received: X of shape \(2, 5\)"),
        ({"method": "grad_cam"}, 'with convolutions. Received: .* Use method="gradient"'),
        ({"model": keras.Sequential([keras.layers.Dense(2)])}, "require a built Sequential or functional model"),
        ({"model": create_model("conv_autoencoder")}, "one output of shape"),
    ],
)
def test_invalid_arguments_raise(arguments, message):
    valid = {"model": linear_model((4, 1), 3), "X": np.zeros((2, 4, 1)), "outputs": [0, 1]}
    with pytest.raises(ValueError, match=message):
        saliency_maps(**{**valid, **arguments})
