"""A neural network in NumPy alone, to be read: every line of the chain rule stands beside its equation."""

from itertools import pairwise
from numbers import Integral, Real

import numpy as np

from kerasnet.errors import DivergenceError


def _softmax(z):
    exponentials = np.exp(z - z.max(axis=1, keepdims=True))  # the shift changes no output and avoids overflow
    return exponentials / exponentials.sum(axis=1, keepdims=True)


# The value a = f(z) of each activation, and its derivative f'(z), written with that value.
_ACTIVATIONS = {
    "sigmoid": (lambda z: (1 + np.tanh(z / 2)) / 2, lambda a: a * (1 - a)),  # 1 / (1 + exp(-z)), but never overflows
    "tanh": (np.tanh, lambda a: 1 - a**2),
    "relu": (lambda z: np.maximum(z, 0), lambda a: a > 0),
    "linear": (lambda z: z, np.ones_like),
    "softmax": (_softmax, None),  # no such product: see _output_delta
}
_CHOICES = {
    "activation": ("sigmoid", "tanh", "relu"),
    "output_activation": ("sigmoid", "softmax", "linear"),
    "loss": ("cross_entropy", "mean_squared_error"),
}


class NeuralNetwork:
    """A fully connected network, trained by gradient descent.

    Each layer makes a = f(z), z = a_before W + b, of the values a_before of the layer before it, at first the inputs.

    Parameters
    ----------
    num_inputs : int
        The number of features of a sample.
    num_hidden : int or tuple of int
        The number of units of the hidden layer; a tuple has one number for each of several layers, an empty tuple
        is a network without any: with one output, a single neuron.
    num_output : int
        The number of outputs.
    activation : {"sigmoid", "tanh", "relu"}, default="sigmoid"
        The activation f of the hidden layers.
    output_activation : {"sigmoid", "softmax", "linear"}, default=None
        The activation of the output layer: "softmax" for one of several classes, "sigmoid" for yes or no, "linear"
        for regression. None is "sigmoid" with one output and "softmax" with several.
    loss : {"cross_entropy", "mean_squared_error"}, default="cross_entropy"
        What training makes small, as a mean over the samples. For one sample with outputs a and targets y, both are
        what Keras computes: "mean_squared_error" is the mean of (a - y)² over the outputs; "cross_entropy" is the
        sum of -y log a over softmax outputs, and the mean of -y log a - (1 - y) log(1 - a) over sigmoid ones.
    random_state : int, numpy.random.Generator or None, default=None
        Decides the initial weights, drawn as Glorot and Bengio propose (AISTATS 2010, equation 16). Biases begin at 0.

    Attributes
    ----------
    weights, biases : list of ndarray, dtype float64
        W of shape (units before, units) and b of shape (units,) for each layer, the output layer last.
    history_ : dict of str to list of float
        "loss": the mean loss in each epoch of the last :meth:`fit`, as the weights were at each batch.

    Raises
    ------
    ValueError
        If an argument is out of its range, or loss, output activation and number of outputs do not fit together.

    Notes
    -----
    Back-propagation is that of Rumelhart, Hinton and Williams (Nature 323, 533-536, 1986). The classic teaching
    version of this class updates weights with the *sum* of the samples' gradients and biases with their *mean*, so
    that its step follows the gradient of no loss. Here both are the gradient of one thing, the mean loss.

    Examples
    --------
    Exclusive or, which no single neuron can learn:

    >>> from kerasnet import NeuralNetwork
    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> network = NeuralNetwork(2, 4, 1, activation="tanh", random_state=0)
    >>> network.fit(X, y, epochs=1000, batch_size=-1, learning_rate=1.0).predict(X)
    array([0, 1, 1, 0])
    """

    def __init__(
        self,
        num_inputs,
        num_hidden,
        num_output,
        *,
        activation="sigmoid",
        output_activation=None,
        loss="cross_entropy",
        random_state=None,
    ):
        hidden = tuple(num_hidden) if isinstance(num_hidden, tuple | list) else (num_hidden,)
        sizes = (num_inputs, *hidden, num_output)
        _require(all(map(_is_size, sizes)), "num_inputs, num_hidden and num_output must be positive ints", sizes)
        if output_activation is None:
            output_activation = "sigmoid" if num_output == 1 else "softmax"
        self.num_inputs, self.num_hidden, self.num_output = num_inputs, hidden, num_output
        self.activation, self.output_activation, self.loss = activation, output_activation, loss
        for name, choices in _CHOICES.items():
            _require(getattr(self, name) in choices, f"{name} must be one of {choices}", getattr(self, name))
        _require(output_activation != "softmax" or num_output > 1, "softmax needs 2 or more outputs", num_output)
        fits = (output_activation, loss) != ("linear", "cross_entropy")
        _require(fits, "Linear outputs need loss='mean_squared_error'", loss)
        rng = np.random.default_rng(random_state)
        limits = [np.sqrt(6 / (n_before + n)) for n_before, n in pairwise(sizes)]
        self.weights = [rng.uniform(-limit, limit, shape) for limit, shape in zip(limits, pairwise(sizes), strict=True)]
        self.biases = [np.zeros(n) for n in sizes[1:]]

    def forward(self, inputs):
        """Compute the outputs.

        Parameters
        ----------
        inputs : array-like of shape (n_samples, num_inputs)
            Numbers, taken as they are: divide images of bytes by 255 first.

        Returns
        -------
        outputs : ndarray of shape (n_samples, num_output), dtype float64
            Probabilities in [0, 1] for sigmoid and softmax; any numbers for linear outputs.
        """
        return self._layers(self._check_inputs(inputs))[-1]

    def predict(self, inputs):
        """Predict classes, or values if the outputs are linear.

        Parameters
        ----------
        inputs : array-like of shape (n_samples, num_inputs)
            Samples, as for :meth:`forward`.

        Returns
        -------
        predictions : ndarray of shape (n_samples,), or (n_samples, num_output) for several linear outputs
            With several outputs the number of the largest, int64. With one sigmoid output 1 where it is at least 0.5
            and 0 elsewhere, int64. With linear outputs their values, float64.
        """
        outputs = self.forward(inputs)
        if self.output_activation == "linear":
            return outputs[:, 0] if self.num_output == 1 else outputs
        return (outputs[:, 0] >= 0.5).astype(np.int64) if self.num_output == 1 else outputs.argmax(axis=1)

    def loss_and_gradients(self, inputs, targets):
        """Compute the mean loss L and, by back-propagation, its gradient; take no step.

        Parameters
        ----------
        inputs, targets : array-like
            Samples and their targets, as X and y of :meth:`fit`.

        Returns
        -------
        loss, weight_gradients, bias_gradients : float, list of ndarray, list of ndarray
            L, and an array for each one in `weights` and `biases`, of its shape.
        """
        inputs, targets = self._check(inputs, targets)
        layers = self._layers(inputs)
        weight_gradients, bias_gradients = [], []
        delta = self._output_delta(layers[-1], targets)  # dL/dz of the output layer
        for layer in reversed(range(len(self.weights))):
            a_before = layers[layer]
            weight_gradients.insert(0, a_before.T @ delta)  # dL/dW = a_before^T dL/dz
            bias_gradients.insert(0, delta.sum(axis=0))  # dL/db = dL/dz, added up over the samples
            if layer > 0:  # the inputs are nothing to train
                delta = delta @ self.weights[layer].T  # dL/da_before = dL/dz W^T
                delta = delta * _ACTIVATIONS[self.activation][1](a_before)  # dL/dz_before = dL/da_before f'(z_before)
        return self._mean_loss(layers[-1], targets), weight_gradients, bias_gradients

    def backward(self, inputs, targets, learning_rate):
        """Take one step of gradient descent. There is no need to call :meth:`forward` before.

        Parameters
        ----------
        inputs, targets : array-like
            Samples and their targets, as X and y of :meth:`fit`.
        learning_rate : float
            The size of the step, as a multiple of the gradient.

        Returns
        -------
        loss : float
            The mean loss before the step.
        """
        right_rate = isinstance(learning_rate, Real) and 0 < learning_rate < np.inf
        _require(right_rate, "learning_rate must be a positive number", learning_rate)
        loss, weight_gradients, bias_gradients = self.loss_and_gradients(inputs, targets)
        for W, b, dW, db in zip(self.weights, self.biases, weight_gradients, bias_gradients, strict=True):
            W -= learning_rate * dW
            b -= learning_rate * db
        return loss

    def fit(self, X, y, *, epochs=10, batch_size=32, learning_rate=0.1, random_state=None):
        """Train on shuffled mini-batches, going on from the weights as they are.

        Parameters
        ----------
        X : array-like of shape (n_samples, num_inputs)
            Samples, as for :meth:`forward`.
        y : array-like of shape (n_samples, num_output) or (n_samples,)
            Targets, a number for each output. In one dimension: those of the one output or, where there are several
            that are not linear, classes 0 to ``num_output - 1``. For cross-entropy, targets are in [0, 1], and those
            of softmax outputs add up to 1 for each sample.
        epochs : int, default=10
            How often to go through all samples.
        batch_size : int, default=32
            The number of samples a step; -1 for all. The last batch of an epoch may be smaller.
        learning_rate : float, default=0.1
            The size of a step, as a multiple of the gradient.
        random_state : int, numpy.random.Generator or None, default=None
            Decides the order of the samples, which is another in each epoch.

        Returns
        -------
        self
            The trained network.

        Raises
        ------
        ValueError
            If an argument is out of its range, shapes do not agree, or targets do not fit the loss.
        DivergenceError
            If the weights became infinite or NaN. They are then what they were before.
        """
        X, y = self._check(X, y)
        _require(_is_size(epochs), "epochs must be a positive int", epochs)
        _require(batch_size == -1 or _is_size(batch_size), "batch_size must be a positive int or -1", batch_size)
        size, rng = len(X) if batch_size == -1 else batch_size, np.random.default_rng(random_state)
        before, losses = [[array.copy() for array in arrays] for arrays in (self.weights, self.biases)], []
        for _ in range(epochs):
            order = rng.permutation(len(X))
            batches = [order[start : start + size] for start in range(0, len(X), size)]
            with np.errstate(over="ignore", invalid="ignore"):  # the error below says it once
                total = sum(len(rows) * self.backward(X[rows], y[rows], learning_rate) for rows in batches)
            losses.append(total / len(X))
            if not all(np.isfinite(array).all() for array in (*self.weights, *self.biases)):
                self.weights, self.biases = before
                expected = "Weights must stay finite: scale X, or set a smaller learning_rate"
                raise DivergenceError(f"{expected}. Received: {learning_rate}, which diverged in epoch {len(losses)}.")
        self.history_ = {"loss": losses}
        return self

    def _layers(self, inputs):
        """Compute the values a of every layer, those of the inputs first."""
        layers = [inputs]
        names = [self.activation] * len(self.num_hidden) + [self.output_activation]
        for W, b, name in zip(self.weights, self.biases, names, strict=True):
            z = layers[-1] @ W + b  # z = a_before W + b
            layers.append(_ACTIVATIONS[name][0](z))  # a = f(z)
        return layers

    def _output_delta(self, outputs, targets):
        """Compute dL/dz of the output layer, for n samples with k outputs a and targets y each."""
        n, k = outputs.shape
        if self.loss == "cross_entropy":
            # The logarithm undoes the exponential in softmax and sigmoid: of the whole chain, a - y is left.
            return (outputs - targets) / (n if self.output_activation == "softmax" else n * k)
        slope = 2 * (outputs - targets) / (n * k)  # dL/da = 2 (a - y) / (n k)
        if self.output_activation == "softmax":
            # Each output depends on every z, by da_j/dz_i = a_j ([i = j] - a_i), and so
            # dL/dz_i = sum_j dL/da_j da_j/dz_i = a_i (dL/da_i - sum_j dL/da_j a_j).
            return outputs * (slope - (slope * outputs).sum(axis=1, keepdims=True))
        return slope * _ACTIVATIONS[self.output_activation][1](outputs)  # dL/dz = dL/da f'(z)

    def _mean_loss(self, outputs, targets):
        if self.loss == "mean_squared_error":
            return float(np.mean((outputs - targets) ** 2))
        outputs = np.clip(outputs, 1e-15, 1 - 1e-15)  # the logarithm of 0 is infinite
        if self.output_activation == "softmax":
            return float(-(targets * np.log(outputs)).sum(axis=1).mean())
        return float(-np.mean(targets * np.log(outputs) + (1 - targets) * np.log(1 - outputs)))

    def _check_inputs(self, inputs):
        inputs, k = np.asarray(inputs), self.num_inputs
        right_shape = inputs.ndim == 2 and inputs.shape[1] == k and len(inputs) > 0
        remedy = "X.reshape(len(X), -1) flattens images, x.reshape(1, -1) makes one sample a row"
        _require(right_shape, f"inputs must have shape (n_samples, {k}), n_samples > 0; {remedy}", inputs.shape)
        return _as_floats("inputs", inputs)

    def _check(self, inputs, targets):
        """Return inputs and targets as floats in two dimensions; a class becomes a row with a 1 in its place."""
        inputs, targets = self._check_inputs(inputs), np.asarray(targets)
        n, k = len(inputs), self.num_output
        if targets.shape == (n,) and k > 1 and self.output_activation != "linear":
            classes = np.unique(targets)
            expected = f"Classes must be ints from 0 to {k - 1}; sklearn.preprocessing.LabelEncoder numbers them"
            _require(set(classes.tolist()) <= set(range(k)), expected, classes)
            return inputs, np.eye(k)[targets.astype(np.int64)]
        right_shape = targets.shape == (n, k) or (k == 1 and targets.shape == (n,))
        _require(right_shape, f"targets must have shape {(n, k)}, a row for each sample", targets.shape)
        targets = _as_floats("targets", targets).reshape(n, k)
        if self.loss == "cross_entropy":
            low, high, rows_add_up = targets.min(), targets.max(), np.allclose(targets.sum(axis=1), 1)
            expected = "targets of cross-entropy must be in [0, 1]; scale them, or set loss='mean_squared_error'"
            _require(low >= 0 and high <= 1, expected, f"values from {low:g} to {high:g}")
            expected = "targets of softmax must add up to 1 in each row; output_activation='sigmoid' takes other sums"
            _require(rows_add_up or self.output_activation != "softmax", expected, "rows with other sums")
        return inputs, targets


def _as_floats(name, values):
    is_finite = values.dtype.kind in "biuf" and np.isfinite(values).all()
    received = f"{values.dtype} with NaN or infinity" if values.dtype.kind == "f" else values.dtype
    _require(is_finite, f"{name} must be finite numbers; encode text, fill in missing values", received)
    return values.astype(np.float64, copy=False)


def _is_size(value):
    return isinstance(value, Integral) and not isinstance(value, bool) and value >= 1


def _require(condition, expected, received):
    if not condition:
        raise ValueError(f"{expected}. Received: {received}.")
