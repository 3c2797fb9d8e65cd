"""A neural network in plain NumPy, for learning: each step of backpropagation is next to its equation."""

from __future__ import annotations

from itertools import pairwise
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from kerasnet.errors import DivergenceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt


def _softmax(z):
    exponentials = np.exp(z - z.max(axis=1, keepdims=True))  # subtracting the maximum avoids overflow
    return exponentials / exponentials.sum(axis=1, keepdims=True)


# For each activation: the function a = f(z), and its derivative f'(z) as a function of a.
_ACTIVATIONS: dict[str, tuple[Any, Any]] = {
    "sigmoid": (lambda z: (1 + np.tanh(z / 2)) / 2, lambda a: a * (1 - a)),  # 1 / (1 + exp(-z)) without overflow
    "tanh": (np.tanh, lambda a: 1 - a**2),
    "relu": (lambda z: np.maximum(z, 0), lambda a: a > 0),
    "linear": (lambda z: z, np.ones_like),
    "softmax": (_softmax, None),  # not elementwise, see _output_delta
}
_CHOICES = {
    "activation": ("sigmoid", "tanh", "relu"),
    "output_activation": ("sigmoid", "softmax", "linear"),
    "loss": ("cross_entropy", "mean_squared_error"),
}


class NeuralNetwork:
    """A fully connected neural network trained by stochastic gradient descent.

    Each layer computes a = f(z) with z = a_prev W + b, where a_prev is the output of the previous layer. For the first
    layer, a_prev is the input.

    Parameters
    ----------
    num_inputs : int
        The number of input features.
    num_hidden : int or tuple of int
        The number of units in the hidden layer, or a tuple with the number of units in each hidden layer. With an
        empty tuple the network has no hidden layer; with one output, it is then a single neuron.
    num_output : int
        The number of outputs.
    activation : {"sigmoid", "tanh", "relu"}, default="sigmoid"
        The activation function f of the hidden layers.
    output_activation : {"sigmoid", "softmax", "linear"}, default=None
        The activation of the output layer: "softmax" for multiclass, "sigmoid" for binary or multilabel
        classification, "linear" for regression. None means "sigmoid" with one output and "softmax" with several.
    loss : {"cross_entropy", "mean_squared_error"}, default="cross_entropy"
        The loss function, averaged over the samples, as in Keras. For one sample with outputs a and targets y,
        "mean_squared_error" is the mean of (a - y)² over the outputs; "cross_entropy" is the sum of -y log a over
        softmax outputs, and the mean of -y log a - (1 - y) log(1 - a) over sigmoid outputs.
    random_state : int, numpy.random.Generator or None, default=None
        Seed for the initial weights, which are drawn from the Glorot uniform distribution (Glorot and Bengio,
        AISTATS 2010, equation 16). Biases are initialized to 0.

    Attributes
    ----------
    weights, biases : list of ndarray, dtype float64
        The arrays W of shape (n_inputs, n_units) and b of shape (n_units,) of each layer, output layer last.
    history_ : dict of str to list of float
        Under the key "loss", the mean training loss of each epoch of the last call to :meth:`fit`. The loss of a batch
        is computed before its update.

    Raises
    ------
    ValueError
        If an argument is out of range, or if loss, output activation and number of outputs are incompatible.

    Notes
    -----
    Gradients are computed by backpropagation (Rumelhart, Hinton and Williams, Nature 323, 533-536, 1986). Some
    textbook versions of this class update weights with the *sum* of the per-sample gradients and biases with their
    *mean*, which is not the gradient of any loss. Here, both updates use the gradient of the mean loss.

    Examples
    --------
    Learn exclusive or (XOR), which a single neuron cannot represent:

    >>> from kerasnet import NeuralNetwork
    >>> X, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [0, 1, 1, 0]
    >>> network = NeuralNetwork(2, 4, 1, activation="tanh", random_state=0)
    >>> network.fit(X, y, epochs=1000, batch_size=-1, learning_rate=1.0).predict(X)
    array([0, 1, 1, 0])
    """

    def __init__(
        self,
        num_inputs: int,
        num_hidden: int | Sequence[int],
        num_output: int,
        *,
        activation: str = "sigmoid",
        output_activation: str | None = None,
        loss: str = "cross_entropy",
        random_state: int | np.random.Generator | None = None,
    ) -> None:
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
        is_compatible = (output_activation, loss) != ("linear", "cross_entropy")
        _require(is_compatible, "Linear outputs need loss='mean_squared_error'", loss)
        rng = np.random.default_rng(random_state)
        limits = [np.sqrt(6 / (n_in + n_out)) for n_in, n_out in pairwise(sizes)]
        self.weights = [rng.uniform(-limit, limit, shape) for limit, shape in zip(limits, pairwise(sizes), strict=True)]
        self.biases = [np.zeros(n) for n in sizes[1:]]

    def forward(self, inputs: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Compute the outputs of the network.

        Parameters
        ----------
        inputs : array-like of shape (n_samples, num_inputs)
            Input samples. They are not rescaled: divide images of dtype uint8 by 255 first.

        Returns
        -------
        outputs : ndarray of shape (n_samples, num_output), dtype float64
            Probabilities in [0, 1] for sigmoid and softmax outputs, real numbers for linear outputs.
        """
        return self._forward_pass(self._check_inputs(inputs))[-1]

    def predict(self, inputs: npt.ArrayLike) -> npt.NDArray[Any]:
        """Predict class indices, or values if the outputs are linear.

        Parameters
        ----------
        inputs : array-like of shape (n_samples, num_inputs)
            Input samples, as for :meth:`forward`.

        Returns
        -------
        predictions : ndarray of shape (n_samples,), or (n_samples, num_output) for several linear outputs
            With several outputs, the index of the largest output, int64. With one sigmoid output, 1 where the output
            is at least 0.5, otherwise 0, int64. With linear outputs, their values, float64.
        """
        outputs = self.forward(inputs)
        if self.output_activation == "linear":
            return outputs[:, 0] if self.num_output == 1 else outputs
        return (outputs[:, 0] >= 0.5).astype(np.int64) if self.num_output == 1 else outputs.argmax(axis=1)

    def loss_and_gradients(
        self, inputs: npt.ArrayLike, targets: npt.ArrayLike
    ) -> tuple[float, list[npt.NDArray[np.float64]], list[npt.NDArray[np.float64]]]:
        """Compute the mean loss L and its gradients by backpropagation, without updating the weights.

        Parameters
        ----------
        inputs, targets : array-like
            Input samples and targets, as X and y of :meth:`fit`.

        Returns
        -------
        loss, weight_gradients, bias_gradients : float, list of ndarray, list of ndarray
            The loss L, and its gradients with the shapes of the arrays in `weights` and `biases`.
        """
        inputs, targets = self._check(inputs, targets)
        activations = self._forward_pass(inputs)
        weight_gradients: list[npt.NDArray[np.float64]] = []
        bias_gradients: list[npt.NDArray[np.float64]] = []
        delta = self._output_delta(activations[-1], targets)  # dL/dz of the output layer
        for layer in reversed(range(len(self.weights))):
            a_prev = activations[layer]
            weight_gradients.insert(0, a_prev.T @ delta)  # dL/dW = a_prev^T dL/dz
            bias_gradients.insert(0, delta.sum(axis=0))  # dL/db = dL/dz, summed over the samples
            if layer > 0:  # no gradient is needed for the inputs
                delta = delta @ self.weights[layer].T  # dL/da_prev = dL/dz W^T
                delta = delta * _ACTIVATIONS[self.activation][1](a_prev)  # dL/dz_prev = dL/da_prev f'(z_prev)
        return self._mean_loss(activations[-1], targets), weight_gradients, bias_gradients

    def backward(self, inputs: npt.ArrayLike, targets: npt.ArrayLike, learning_rate: float) -> float:
        """Take one gradient descent step. Calling :meth:`forward` first is not needed.

        Parameters
        ----------
        inputs, targets : array-like
            Input samples and targets, as X and y of :meth:`fit`.
        learning_rate : float
            The factor by which the gradient is multiplied.

        Returns
        -------
        loss : float
            The mean loss before the step.
        """
        is_valid = isinstance(learning_rate, Real) and 0 < learning_rate < np.inf
        _require(is_valid, "learning_rate must be a positive number", learning_rate)
        loss, weight_gradients, bias_gradients = self.loss_and_gradients(inputs, targets)
        for W, b, dW, db in zip(self.weights, self.biases, weight_gradients, bias_gradients, strict=True):
            W -= learning_rate * dW
            b -= learning_rate * db
        return loss

    def fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        *,
        epochs: int = 10,
        batch_size: int = 32,
        learning_rate: float = 0.1,
        random_state: int | np.random.Generator | None = None,
    ) -> Self:
        """Train on shuffled mini-batches, starting from the current weights.

        Parameters
        ----------
        X : array-like of shape (n_samples, num_inputs)
            Training samples, as for :meth:`forward`.
        y : array-like of shape (n_samples, num_output) or (n_samples,)
            Target values, one per output. A 1D array holds the values of the only output or, for several sigmoid or
            softmax outputs, class indices from 0 to ``num_output - 1``. For cross-entropy, targets are in [0, 1], and
            the targets of softmax outputs sum to 1 for each sample.
        epochs : int, default=10
            The number of passes over the training data.
        batch_size : int, default=32
            The number of samples per step; -1 for all samples. The last batch of an epoch may be smaller.
        learning_rate : float, default=0.1
            The factor by which the gradient is multiplied in each step.
        random_state : int, numpy.random.Generator or None, default=None
            Seed for the order of the samples, which are shuffled in each epoch.

        Returns
        -------
        self : NeuralNetwork
            The fitted network.

        Raises
        ------
        ValueError
            If an argument is out of range, shapes do not match, or targets are invalid for the loss.
        DivergenceError
            If the weights became infinite or NaN. The weights from before the call are then restored.
        """
        inputs, targets = self._check(X, y)
        n_samples = len(inputs)
        _require(_is_size(epochs), "epochs must be a positive int", epochs)
        _require(batch_size == -1 or _is_size(batch_size), "batch_size must be a positive int or -1", batch_size)
        n_per_batch, rng = n_samples if batch_size == -1 else batch_size, np.random.default_rng(random_state)
        initial = [[array.copy() for array in arrays] for arrays in (self.weights, self.biases)]
        losses: list[float] = []
        for _ in range(epochs):
            order = rng.permutation(n_samples)
            batches = [order[start : start + n_per_batch] for start in range(0, n_samples, n_per_batch)]
            with np.errstate(over="ignore", invalid="ignore"):  # divergence is reported below
                total = sum(len(rows) * self.backward(inputs[rows], targets[rows], learning_rate) for rows in batches)
            losses.append(total / n_samples)
            if not all(np.isfinite(array).all() for array in (*self.weights, *self.biases)):
                self.weights, self.biases = initial
                expected = "Weights must stay finite: rescale X, or set a smaller learning_rate"
                raise DivergenceError(f"{expected}. Received: {learning_rate}, which diverged in epoch {len(losses)}.")
        self.history_ = {"loss": losses}
        return self

    def _forward_pass(self, inputs):
        """Return the inputs and the output a of each layer."""
        activations = [inputs]
        names = [self.activation] * len(self.num_hidden) + [self.output_activation]
        for W, b, name in zip(self.weights, self.biases, names, strict=True):
            z = activations[-1] @ W + b  # z = a_prev W + b
            activations.append(_ACTIVATIONS[name][0](z))  # a = f(z)
        return activations

    def _output_delta(self, outputs, targets):
        """Compute dL/dz of the output layer for n samples with k outputs a and targets y."""
        n, k = outputs.shape
        if self.loss == "cross_entropy":
            # The logarithm cancels the exponential of softmax and sigmoid, so that the chain rule gives a - y.
            return (outputs - targets) / (n if self.output_activation == "softmax" else n * k)
        gradient = 2 * (outputs - targets) / (n * k)  # dL/da = 2 (a - y) / (n k)
        if self.output_activation == "softmax":
            # Each output depends on all z: da_j/dz_i = a_j ([i = j] - a_i). Therefore
            # dL/dz_i = sum_j dL/da_j da_j/dz_i = a_i (dL/da_i - sum_j dL/da_j a_j).
            return outputs * (gradient - (gradient * outputs).sum(axis=1, keepdims=True))
        return gradient * _ACTIVATIONS[self.output_activation][1](outputs)  # dL/dz = dL/da f'(z)

    def _mean_loss(self, outputs, targets):
        if self.loss == "mean_squared_error":
            return float(np.mean((outputs - targets) ** 2))
        outputs = np.clip(outputs, 1e-15, 1 - 1e-15)  # log(0) is infinite
        if self.output_activation == "softmax":
            return float(-(targets * np.log(outputs)).sum(axis=1).mean())
        return float(-np.mean(targets * np.log(outputs) + (1 - targets) * np.log(1 - outputs)))

    def _check_inputs(self, inputs):
        inputs, k = np.asarray(inputs), self.num_inputs
        is_valid = inputs.ndim == 2 and inputs.shape[1] == k and len(inputs) > 0
        remedy = "use X.reshape(len(X), -1) to flatten images, x.reshape(1, -1) for a single sample"
        _require(is_valid, f"inputs must have shape (n_samples, {k}), n_samples > 0; {remedy}", inputs.shape)
        return _as_floats("inputs", inputs)

    def _check(self, inputs, targets):
        """Return inputs and targets as 2D float arrays; class indices are one-hot encoded."""
        inputs, targets = self._check_inputs(inputs), np.asarray(targets)
        n, k = len(inputs), self.num_output
        if targets.shape == (n,) and k > 1 and self.output_activation != "linear":
            classes = np.unique(targets)
            expected = f"Classes must be ints from 0 to {k - 1}; use sklearn.preprocessing.LabelEncoder to encode them"
            _require(set(classes.tolist()) <= set(range(k)), expected, classes)
            return inputs, np.eye(k)[targets.astype(np.int64)]
        is_valid = targets.shape == (n, k) or (k == 1 and targets.shape == (n,))
        _require(is_valid, f"targets must have shape {(n, k)}, one row per sample", targets.shape)
        targets = _as_floats("targets", targets).reshape(n, k)
        if self.loss == "cross_entropy":
            low, high, is_distribution = targets.min(), targets.max(), np.allclose(targets.sum(axis=1), 1)
            expected = "targets of cross-entropy must be in [0, 1]; rescale them, or set loss='mean_squared_error'"
            _require(low >= 0 and high <= 1, expected, f"values from {low:g} to {high:g}")
            expected = "targets of softmax must sum to 1 in each row; for multilabel, set output_activation='sigmoid'"
            _require(is_distribution or self.output_activation != "softmax", expected, "rows with a different sum")
        return inputs, targets


def _as_floats(name, values):
    is_finite = values.dtype.kind in "biuf" and np.isfinite(values).all()
    received = f"{values.dtype} with NaN or infinity" if values.dtype.kind == "f" else values.dtype
    _require(is_finite, f"{name} must be finite numbers; encode strings, impute missing values", received)
    return values.astype(np.float64, copy=False)


def _is_size(value):
    return isinstance(value, Integral) and not isinstance(value, bool) and value >= 1


def _require(condition, expected, received):
    if not condition:
        raise ValueError(f"{expected}. Received: {received}.")
