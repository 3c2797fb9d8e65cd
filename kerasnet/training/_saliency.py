"""Saliency maps of Keras models."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from kerasnet.training._layers import all_layers, graph_tensors

if TYPE_CHECKING:
    import numpy.typing as npt

SALIENCY_METHODS = ("gradient", "grad_cam")

_BATCH_SIZE = 64
_CONVOLUTIONS = (
    *(keras.layers.Conv1D, keras.layers.SeparableConv1D, keras.layers.DepthwiseConv1D, keras.layers.Conv1DTranspose),
    *(keras.layers.Conv2D, keras.layers.SeparableConv2D, keras.layers.DepthwiseConv2D, keras.layers.Conv2DTranspose),
)


def saliency_maps(
    model: keras.Model, X: npt.ArrayLike, outputs: npt.ArrayLike, *, method: str = "gradient"
) -> npt.NDArray[np.float32]:
    """Compute how much each position of the inputs affects an output of a model.

    Parameters
    ----------
    model : keras.Model
        Sequential or functional model with one input and one output of shape (n_samples, n_outputs).
    X : array-like of shape (n_samples, height, width, channels), (n_samples, steps, features) or (n_samples, features)
        Images, sequences or vectors, as the model expects them. uint8 is divided by 255.
    outputs : array-like of int of shape (n_samples,)
        Index of an output per sample. If the model has a single sigmoid output, 1 is the positive and 0 the negative
        class.
    method : {"gradient", "grad_cam"}, default="gradient"
        "gradient" is the absolute value of the gradient of the output with respect to the input, with the maximum over
        the channels or features [1]_. "grad_cam" is the last feature map of the convolutions, weighted by its average
        gradients, without negative values, and resized to the size of the input [2]_.

    Returns
    -------
    maps : ndarray of shape (n_samples, height, width), (n_samples, steps) or (n_samples, features), dtype float32
        Saliency in [0, 1]. The maximum of each sample is 1, unless all its values are 0.

    Raises
    ------
    ValueError
        If the method is unknown, the inputs do not match the model, an index is not in the range of the outputs, the
        model has no gradient with respect to its input, or "grad_cam" is requested for a model without convolutions.

    Notes
    -----
    The activation of the last layer is left out if it is softmax or sigmoid, because the gradients of probabilities
    close to 0 or 1 vanish. The feature map of Grad-CAM is the output of the last layer that has the resolution of the
    last convolution, for example after normalization and activation, and before pooling.

    References
    ----------
    .. [1] K. Simonyan, A. Vedaldi and A. Zisserman, "Deep inside convolutional networks: visualising image
       classification models and saliency maps", ICLR workshop, 2014.
    .. [2] R. R. Selvaraju et al., "Grad-CAM: visual explanations from deep networks via gradient-based localization",
       ICCV, 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from kerasnet.models import create_model
    >>> images = np.random.default_rng(0).random((2, 28, 28, 1), dtype=np.float32)
    >>> saliency_maps(create_model("lenet"), images, [3, 5]).shape
    (2, 28, 28)
    """
    if method not in SALIENCY_METHODS:
        raise ValueError(f"method must be one of {list(SALIENCY_METHODS)}. Received: {method!r}.")
    X, outputs = np.asarray(X), np.asarray(outputs)
    _check_inputs(model, X, outputs)
    network, score = _without_output_activation(model, _feature_map(model) if method == "grad_cam" else None)
    X = np.divide(X, 255, dtype=np.float32) if X.dtype == np.uint8 else X.astype(np.float32)
    maps = np.empty(X.shape[: max(X.ndim - 1, 2)], np.float32)
    for start in range(0, len(X), _BATCH_SIZE):
        rows = slice(start, start + _BATCH_SIZE)
        features, gradients = _gradients(network, score, X[rows], outputs[rows], method)
        if method == "gradient":
            maps[rows] = np.abs(gradients).max(axis=-1) if X.ndim > 2 else np.abs(gradients)
        else:
            maps[rows] = _class_activation(features, gradients, X.shape[1:-1])
    largest = maps.max(axis=tuple(range(1, maps.ndim)), keepdims=True, initial=0)
    return np.divide(maps, largest, out=np.zeros_like(maps), where=largest > 0)


def _check_inputs(model: keras.Model, X: npt.NDArray[Any], outputs: npt.NDArray[Any]) -> None:
    inputs, model_outputs = getattr(model, "inputs", None), getattr(model, "outputs", None)
    if not inputs or not model_outputs or len(inputs) > 1 or len(model_outputs) > 1 or len(model_outputs[0].shape) != 2:
        raise ValueError(
            "Saliency maps require a built Sequential or functional model with one input, and one output of shape "
            f"(n_samples, n_outputs). Received: {model!r}."
        )
    if "float" not in keras.backend.standardize_dtype(inputs[0].dtype):
        raise ValueError(f"Saliency maps require a model of floats. Received: input of dtype {inputs[0].dtype}.")
    shape = inputs[0].shape
    if X.ndim != len(shape) or any(size not in (None, length) for size, length in zip(shape, X.shape, strict=True)):
        raise ValueError(f"X must have the shape of the model's input, {shape}. Received: X of shape {X.shape}.")
    if outputs.shape != (len(X),) or outputs.dtype.kind not in "iu":
        raise ValueError(
            f"outputs must be one index per sample, of shape ({len(X)},). Received: shape {outputs.shape} and dtype "
            f"{outputs.dtype}."
        )
    n_outputs = model_outputs[0].shape[1]
    n_indices = 2 if n_outputs == 1 and has_probabilities(model) else n_outputs
    if not ((outputs >= 0) & (outputs < n_indices)).all():
        raise ValueError(f"outputs must be in the range 0 to {n_indices - 1}. Received: {np.unique(outputs)}.")


def has_probabilities(model: keras.Model) -> bool:
    """Return whether the last operation of a model is a softmax or sigmoid."""
    last = model.layers[-1]
    if graph_tensors(model)[last][1] is not model.outputs[0]:  # the last operation is not a layer
        return False
    if type(last) in (keras.layers.Dense, keras.layers.Activation):
        return last.activation in (keras.activations.softmax, keras.activations.sigmoid)
    return isinstance(last, keras.layers.Softmax)


def _without_output_activation(model: keras.Model, feature_map: Any) -> tuple[keras.Model, Callable[[Any], tf.Tensor]]:
    """Return a model of the feature map and the input of the last layer, and the function from the latter to scores."""
    last, before = model.layers[-1], model.outputs[0]
    is_probability = has_probabilities(model)
    if is_probability:
        before, _ = graph_tensors(model)[last]

    def score(values: Any) -> tf.Tensor:
        if is_probability and isinstance(last, keras.layers.Dense):
            values = keras.ops.matmul(keras.ops.cast(values, last.kernel.dtype), last.kernel)
            values = values if last.bias is None else values + last.bias
        is_binary = is_probability and values.shape[1] == 1
        return keras.ops.concatenate([-values, values], axis=1) if is_binary else values

    return keras.Model(model.inputs[0], [before if feature_map is None else feature_map, before]), score


def _feature_map(model: keras.Model) -> Any:
    """Return the output of the last layer with the rank of the input and the resolution of the last convolution."""
    rank = len(model.inputs[0].shape)
    tensors = graph_tensors(model)
    outputs = {layer: tensors[layer][1] for layer in model.layers if layer in tensors}
    maps = [layer for layer, output in outputs.items() if len(output.shape) == rank > 2]
    convolutions = [layer for layer in maps if any(isinstance(each, _CONVOLUTIONS) for each in all_layers(layer))]
    if not convolutions:
        raise ValueError(
            f'method="grad_cam" requires a model with convolutions. Received: {model.name!r} without a convolutional '
            'feature map. Use method="gradient".'
        )
    size = outputs[convolutions[-1]].shape[1:-1]
    if None in size:
        return outputs[convolutions[-1]]
    return [outputs[layer] for layer in maps if outputs[layer].shape[1:-1] == size][-1]


def _gradients(
    network: keras.Model,
    score: Callable[[Any], tf.Tensor],
    X: npt.NDArray[np.float32],
    outputs: npt.NDArray[Any],
    method: str,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Return the feature map, and the gradients of the scores with respect to it or to the input."""
    values = tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(values)
        features, before = network(values, training=False)
        chosen = tf.gather(score(before), outputs, axis=1, batch_dims=1)
    gradients = tape.gradient(chosen, features if method == "grad_cam" else values)
    if gradients is None:
        raise ValueError(f"The output of {network.name!r} has no gradient with respect to its input.")
    return np.asarray(features, np.float32), np.asarray(gradients, np.float32)


def _class_activation(
    features: npt.NDArray[np.float32], gradients: npt.NDArray[np.float32], size: tuple[int, ...]
) -> npt.NDArray[np.float32]:
    """Compute Grad-CAM (equations 1 and 2 of the paper), resized to the size of the input."""
    weights = gradients.mean(axis=tuple(range(1, gradients.ndim - 1)), keepdims=True)
    maps = np.maximum((weights * features).sum(axis=-1), 0)
    maps = maps.reshape(len(maps), maps.shape[1], -1, 1)  # sequences are images of width 1
    resized = keras.ops.image.resize(maps, (*size, 1)[:2], interpolation="bilinear", data_format="channels_last")
    return np.asarray(resized, np.float32).reshape(len(maps), *size)
