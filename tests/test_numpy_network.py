"""Tests of the NumPy network against TensorFlow's gradients, finite differences and MNIST."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasnet import NeuralNetwork
from kerasnet.datasets import load_mnist
from kerasnet.errors import DivergenceError

XOR = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])
HIDDEN = [(), (5,), (6, 5, 4)]
# Output layers: activation, loss, number of outputs
OUTPUT_LAYERS = [
    ("softmax", "cross_entropy", 3),
    ("sigmoid", "cross_entropy", 1),
    ("sigmoid", "cross_entropy", 3),
    ("softmax", "mean_squared_error", 3),
    ("sigmoid", "mean_squared_error", 3),
    ("linear", "mean_squared_error", 1),
    ("linear", "mean_squared_error", 3),
]
KERAS_LOSSES = {
    ("softmax", "cross_entropy"): keras.losses.categorical_crossentropy,
    ("sigmoid", "cross_entropy"): keras.losses.binary_crossentropy,
}
all_networks = pytest.mark.parametrize(
    ("activation", "hidden", "output_layer"),
    [
        case
        for case in itertools.product(["sigmoid", "tanh", "relu"], HIDDEN, OUTPUT_LAYERS)
        if case[1] or case[0] == "tanh"
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, tuple) else value,
)


def make_network_and_samples(activation, hidden, output_layer):
    """Return a network with nonzero biases, and seven samples for it."""
    output_activation, loss, n_outputs = output_layer
    rng = np.random.default_rng(0)
    network = NeuralNetwork(
        4, hidden, n_outputs, activation=activation, output_activation=output_activation, loss=loss, random_state=rng
    )
    network.biases = [rng.normal(size=b.shape) for b in network.biases]
    targets = rng.random((7, n_outputs))
    if output_activation == "softmax":
        targets /= targets.sum(axis=1, keepdims=True)
    return network, rng.normal(size=(7, 4)), targets


@all_networks
def test_loss_and_gradients_equal_those_of_tensorflow(activation, hidden, output_layer):
    network, X, y = make_network_and_samples(activation, hidden, output_layer)
    weights, biases = ([tf.Variable(array) for array in arrays] for arrays in (network.weights, network.biases))
    with tf.GradientTape() as tape:
        values = tf.constant(X)
        for layer, (W, b) in enumerate(zip(weights, biases, strict=True)):
            name = network.output_activation if layer == len(weights) - 1 else activation
            values = keras.activations.get(name)(values @ W + b)
        loss = tf.reduce_mean(KERAS_LOSSES.get(output_layer[:2], keras.losses.mean_squared_error)(y, values))
    expected = tape.gradient(loss, [*weights, *biases])
    actual_loss, weight_gradients, bias_gradients = network.loss_and_gradients(X, y)
    assert actual_loss == pytest.approx(float(loss), abs=1e-6)
    np.testing.assert_allclose(network.forward(X), values, atol=1e-12)
    for gradient, reference in zip([*weight_gradients, *bias_gradients], expected, strict=True):
        assert gradient.dtype == np.float64
        np.testing.assert_allclose(gradient, reference, atol=1e-6)


@all_networks
def test_gradients_match_finite_differences(activation, hidden, output_layer):
    network, X, y = make_network_and_samples(activation, hidden, output_layer)
    _, weight_gradients, bias_gradients = network.loss_and_gradients(X, y)
    arrays, step = [*network.weights, *network.biases], 1e-6
    for array, gradient in zip(arrays, [*weight_gradients, *bias_gradients], strict=True):
        for index in np.ndindex(array.shape):
            value = array[index]
            array[index] = value + step
            above = network.loss_and_gradients(X, y)[0]
            array[index] = value - step
            below = network.loss_and_gradients(X, y)[0]
            array[index] = value
            assert gradient[index] == pytest.approx((above - below) / (2 * step), abs=1e-5)


def test_backward_takes_one_gradient_descent_step_and_returns_the_previous_loss():
    network, X, y = make_network_and_samples("tanh", (5,), OUTPUT_LAYERS[0])
    loss, weight_gradients, bias_gradients = network.loss_and_gradients(X, y)
    before = [array.copy() for array in (*network.weights, *network.biases)]
    assert network.backward(X, y, 0.3) == loss
    after = [*network.weights, *network.biases]
    for old, new, gradient in zip(before, after, [*weight_gradients, *bias_gradients], strict=True):
        np.testing.assert_allclose(new, old - 0.3 * gradient)
    assert network.loss_and_gradients(X, y)[0] < loss


def test_gradients_do_not_change_when_samples_are_repeated():
    network, X, y = make_network_and_samples("relu", (5,), OUTPUT_LAYERS[1])
    _, *once = network.loss_and_gradients(X, y)
    _, *repeated = network.loss_and_gradients(np.tile(X, (3, 1)), np.tile(y, (3, 1)))
    for a, b in zip(itertools.chain(*once), itertools.chain(*repeated), strict=True):
        np.testing.assert_allclose(a, b)


@pytest.mark.parametrize(
    ("activation", "loss"),
    [
        ("sigmoid", "cross_entropy"),
        ("tanh", "mean_squared_error"),
        pytest.param("sigmoid", "mean_squared_error", marks=pytest.mark.exhaustive),
        pytest.param("tanh", "cross_entropy", marks=pytest.mark.exhaustive),
    ],
)
def test_network_learns_xor_and_a_single_neuron_does_not(activation, loss):
    X, y = XOR
    network = NeuralNetwork(2, 4, 1, activation=activation, loss=loss, random_state=0)
    network.fit(X, y, epochs=4000, batch_size=-1, learning_rate=1.0)
    np.testing.assert_array_equal(network.predict(X), y)
    assert len(network.history_["loss"]) == 4000
    assert network.history_["loss"][-1] < 0.1 * network.history_["loss"][0]
    neuron = NeuralNetwork(2, (), 1, loss=loss, random_state=0).fit(X, y, epochs=500, batch_size=-1)
    assert (neuron.predict(X) != y).any()


def load_flat_mnist(*arguments, **options):
    X, y = load_mnist(*arguments, return_X_y=True, random_state=0, **options)
    return X.reshape(len(X), -1) / 255, y


def test_network_learns_mnist_from_5000_images():
    X, y = load_flat_mnist(n_samples=5000)
    network = NeuralNetwork(784, 32, 10, activation="relu", random_state=0)
    network.fit(X, y, epochs=4, batch_size=100, learning_rate=0.3, random_state=0)
    X_test, y_test = load_flat_mnist("test", n_samples=2000)
    assert np.mean(network.predict(X_test) == y_test) >= 0.91


@pytest.mark.exhaustive
def test_network_reaches_97_percent_on_mnist():
    network = NeuralNetwork(784, 128, 10, activation="relu", random_state=0)
    network.fit(*load_flat_mnist(), epochs=8, random_state=0)
    X_test, y_test = load_flat_mnist("test")
    assert np.mean(network.predict(X_test) == y_test) >= 0.97


def test_fit_equals_backward_on_shuffled_batches():
    fitted, X, y = make_network_and_samples("tanh", (5,), OUTPUT_LAYERS[0])
    stepped = make_network_and_samples("tanh", (5,), OUTPUT_LAYERS[0])[0]
    assert fitted.fit(X, y, epochs=2, batch_size=3, learning_rate=0.2, random_state=5) is fitted
    rng, history = np.random.default_rng(5), []
    for _ in range(2):
        order = rng.permutation(7)
        losses = [stepped.backward(X[rows], y[rows], 0.2) for rows in (order[:3], order[3:6], order[6:])]
        history.append(np.average(losses, weights=[3, 3, 1]))
    for a, b in zip(fitted.weights + fitted.biases, stepped.weights + stepped.biases, strict=True):
        np.testing.assert_array_equal(a, b)
    assert fitted.history_["loss"] == pytest.approx(history)


def test_random_state_determines_weights_and_order_and_does_not_change_the_global_state():
    def train(weights_seed, order_seed):
        network = NeuralNetwork(2, 3, 1, random_state=weights_seed)
        return network.fit(*XOR, epochs=3, batch_size=1, random_state=order_seed).weights[0]

    state = np.random.get_state()[1].copy()
    np.testing.assert_array_equal(train(0, 0), train(0, 0))
    assert (train(0, 0) != train(1, 0)).any()
    assert (train(0, 0) != train(0, 1)).any()
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_initial_weights_are_glorot_uniform():
    network = NeuralNetwork(300, (100, 50), 10, random_state=0)
    for W, b in zip(network.weights, network.biases, strict=True):
        limit = np.sqrt(6 / sum(W.shape))
        assert 0.98 * limit < np.abs(W).max() <= limit
        assert W.std() == pytest.approx(limit / np.sqrt(3), rel=0.1)
        assert not b.any()


def test_inputs_are_not_changed():
    network, X, y = make_network_and_samples("relu", (5,), OUTPUT_LAYERS[0])
    X_before, y_before = X.copy(), y.copy()
    network.fit(X, y, epochs=2)
    network.backward(X, y, 0.1)
    network.predict(X)
    np.testing.assert_array_equal(X, X_before)
    np.testing.assert_array_equal(y, y_before)


def test_class_indices_equal_one_hot_targets():
    network, X, _ = make_network_and_samples("tanh", (5,), OUTPUT_LAYERS[0])
    classes = np.array([0, 2, 1, 1, 0, 2, 2], dtype=np.uint8)
    loss, *_ = network.loss_and_gradients(X, classes)
    assert loss == network.loss_and_gradients(X, np.eye(3)[classes])[0]
    assert loss == network.loss_and_gradients(X.tolist(), classes.tolist())[0]


def test_shape_and_dtype_of_predictions():
    X = np.random.default_rng(0).normal(size=(7, 4))
    several, one = NeuralNetwork(4, 3, 3, random_state=0), NeuralNetwork(4, 3, 1, random_state=0)
    np.testing.assert_array_equal(several.predict(X), several.forward(X).argmax(axis=1))
    np.testing.assert_array_equal(one.predict(X), (one.forward(X)[:, 0] >= 0.5).astype(int))
    assert several.predict(X).dtype == one.predict(X).dtype == np.int64
    for n_outputs, shape in ((1, (7,)), (2, (7, 2))):
        linear = NeuralNetwork(4, 3, n_outputs, output_activation="linear", loss="mean_squared_error")
        np.testing.assert_array_equal(linear.predict(X), linear.forward(X).reshape(shape))


def test_large_values_do_not_overflow():
    X = np.array([[1e4], [-1e4]])
    for n_outputs, y in ((1, [1, 0]), (2, [0, 1])):
        network = NeuralNetwork(1, (), n_outputs)
        network.weights = [np.array([[1.0, -1.0][:n_outputs]])]
        loss, (gradient,), _ = network.loss_and_gradients(X, y)
        assert loss == pytest.approx(0)
        np.testing.assert_array_equal(gradient, 0)
        assert np.isfinite(network.loss_and_gradients(X, y[::-1])[0])


def test_diverged_fit_restores_the_weights():
    network, X, y = make_network_and_samples("relu", (5,), OUTPUT_LAYERS[-1])
    before = [array.copy() for array in (*network.weights, *network.biases)]
    with pytest.raises(DivergenceError, match=r"smaller learning_rate. Received: 1e\+100, which diverged in epoch"):
        network.fit(X, y, learning_rate=1e100, epochs=30)
    for a, b in zip(before, [*network.weights, *network.biases], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("sizes", "options", "message"),
    [
        ((0, 3, 1), {}, r"must be positive ints. Received: \(0, 3, 1\)"),
        ((2, (3, 0), 1), {}, r"must be positive ints. Received: \(2, 3, 0, 1\)"),
        ((2, 3, True), {}, "must be positive ints"),
        ((2, 3.0, 1), {}, "must be positive ints"),
        ((2, 3, 1), {"activation": "softmax"}, "activation must be one of .*'tanh'.* Received: softmax"),
        ((2, 3, 1), {"output_activation": "relu"}, "output_activation must be one of .* Received: relu"),
        ((2, 3, 1), {"loss": "mse"}, "loss must be one of .*'mean_squared_error'.* Received: mse"),
        ((2, 3, 1), {"output_activation": "softmax"}, "softmax needs 2 or more outputs. Received: 1"),
        ((2, 3, 1), {"output_activation": "linear"}, "Linear outputs need loss='mean_squared_error'"),
    ],
)
def test_invalid_constructor_arguments_raise(sizes, options, message):
    with pytest.raises(ValueError, match=message):
        NeuralNetwork(*sizes, **options)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (
            np.zeros(4),
            r"inputs must have shape \(n_samples, 4\).*x.reshape\(1, -1\) for .* Received: \(4,\)",
        ),
        (np.zeros((3, 5)), r"Received: \(3, 5\)"),
        (np.zeros((3, 2, 2)), r"X.reshape\(len\(X\), -1\) to flatten images.* Received: \(3, 2, 2\)"),
        (np.zeros((0, 4)), "n_samples > 0"),
        ([[0, 1, np.nan, 0]], "inputs must be finite numbers.* Received: float64 with NaN or infinity"),
        ([list("abcd")], "encode strings.* Received: <U1"),
    ],
)
def test_invalid_inputs_raise(inputs, message):
    with pytest.raises(ValueError, match=message):
        NeuralNetwork(4, 3, 1).forward(inputs)


@pytest.mark.parametrize(
    ("output_layer", "targets", "message"),
    [
        (OUTPUT_LAYERS[0], [0, 3], r"Classes must be ints from 0 to 2; .*LabelEncoder.* Received: \[0 3\]"),
        (OUTPUT_LAYERS[0], [-1, 1], "Classes must be ints"),
        (OUTPUT_LAYERS[0], [0.5, 1], "Classes must be ints"),
        (OUTPUT_LAYERS[0], ["a", "b"], "Classes must be ints"),
        (OUTPUT_LAYERS[0], np.zeros((2, 2)), r"targets must have shape \(2, 3\), .* Received: \(2, 2\)"),
        (OUTPUT_LAYERS[0], [0, 1, 2], r"targets must have shape \(2, 3\), .* Received: \(3,\)"),
        (OUTPUT_LAYERS[0], np.ones((2, 3)), "sum to 1 in each row; .*output_activation='sigmoid'"),
        (OUTPUT_LAYERS[1], [-1, 1], r"in \[0, 1\]; rescale them, .* Received: values from -1 to 1"),
        (OUTPUT_LAYERS[1], [1, 2], "Received: values from 1 to 2"),
        (OUTPUT_LAYERS[-1], [0, 1], r"targets must have shape \(2, 3\)"),
        (OUTPUT_LAYERS[-2], [0, np.inf], "targets must be finite numbers"),
    ],
)
def test_invalid_targets_raise(output_layer, targets, message):
    network, X, _ = make_network_and_samples("tanh", (5,), output_layer)
    for train in (network.loss_and_gradients, network.fit):
        with pytest.raises(ValueError, match=message):
            train(X[:2], targets)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs must be a positive int. Received: 0"),
        ({"batch_size": 0}, "batch_size must be a positive int or -1. Received: 0"),
        ({"learning_rate": -0.1}, "learning_rate must be a positive number. Received: -0.1"),
        ({"learning_rate": np.nan}, "learning_rate must be a positive number. Received: nan"),
        ({"learning_rate": "fast"}, "learning_rate must be a positive number. Received: fast"),
    ],
)
def test_invalid_training_parameters_raise(options, message):
    with pytest.raises(ValueError, match=message):
        NeuralNetwork(2, 3, 1).fit(*XOR, **options)
