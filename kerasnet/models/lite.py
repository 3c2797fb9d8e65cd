"""LITE, a small convolutional network for time series."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers

from kerasnet.models._arguments import check_size, dropout_layers, make_regularizer, sequence_inputs
from kerasnet.models._layers import MaskedAveragePooling1D, MaskedSeparableConv1D
from kerasnet.models._registry import register_model
from kerasnet.models._series import convolution, normalized
from kerasnet.models._weights import with_pretrained_weights

_LENGTHS = (2, 4, 8, 16, 32, 64)  # of the custom filters for increases and decreases; 1.5 times that for peaks


@register_model("lite", input_kind="sequence", tasks=("classification", "regression"), max_layers=lambda **_: 19)
def build_lite(
    input_shape: Sequence[int | None] = (10, 32),
    n_outputs: int = 10,
    *,
    filters: int = 32,
    kernel_size: int = 40,
    activation: str = "relu",
    output_activation: str = "softmax",
    dropout: float = 0.0,
    l1: float = 0.0,
    l2: float = 0.0,
    mask_value: float | None = None,
    vocabulary_size: int | None = None,
    embedding_units: int = 128,
    weights: str | None = None,
    name: str = "lite",
) -> keras.Model:
    """Build LITE (light Inception with boosting techniques), a small convolutional network for time series.

    The first layer concatenates three convolutions of different kernel sizes (multiplexing) and 17 fixed filters that
    detect increases, decreases and peaks (custom filters). Two dilated separable convolutions and global average
    pooling over the steps follow. For one feature and two outputs, the network has 9,814 trainable parameters before
    the output layer. The default model has 132,162 parameters.

    Parameters
    ----------
    input_shape : tuple of int, default=(10, 32)
        Shape of one sequence: (steps, features), or (steps,) with `vocabulary_size`. Set steps to None for sequences of
        variable length.
    n_outputs : int, default=10
        Number of outputs.
    filters : int, default=32
        Number of filters of each convolution.
    kernel_size : int, default=40
        Length of the longest convolution kernels of the first layer, in steps; at least 4. The other kernels of the
        first layer have 1/2 and 1/4 of this length, and the separable convolutions as well, with dilation rates of
        2 and 4. The convolutions pad with zeros and keep the sequence length.
    activation : str, default="relu"
        Activation function of the convolutional layers.
    output_activation : str, default="softmax"
        Activation function of the output layer: "softmax" for multiclass classification, "sigmoid" for binary (one
        output) or multilabel classification, "linear" for regression.
    dropout : float, default=0.0
        Dropout rate before the output layer, in [0, 1).
    l1, l2 : float, default=0.0
        L1 and L2 regularization factors of all trained kernels.
    mask_value : float, default=None
        Value that marks padding: a step is masked if all its features equal this value. Convolutions treat masked steps
        as zeros, and the average ignores them. If None, no steps are masked.
    vocabulary_size : int, default=None
        Number of token ids, including 0 for padding and 1 for unknown tokens. If given, the input is token ids of shape
        (steps,), and an embedding layer with masking is added; see :class:`kerasnet.features.TextVectorizer`.
        Estimators also accept "auto": the largest id in the training data plus one.
    embedding_units : int, default=128
        Size of the embedding of each token. Ignored if `vocabulary_size` is None.
    weights : str, default=None
        Name of the pretrained weights to load; see :func:`kerasnet.models.model_card`. None are available yet.
    name : str, default="lite"
        Name of the model.

    Returns
    -------
    keras.Model
        Uncompiled functional model. Takes floats of shape (n_samples, steps, features), or token ids of shape
        (n_samples, steps) with `vocabulary_size`.

    Raises
    ------
    ValueError
        If an argument is invalid.

    Notes
    -----
    Differences from the paper:

    - The 17 fixed filters are one convolution, with the shorter filters padded with zeros. The results are equal.
    - Sequences of several features are treated as in aeon's ``LITEClassifier(use_litemv=False)``: each kernel covers
      all features. LITEMV, a later variant, uses separable convolutions in the first layer as well.
    - Batch normalization has a momentum of 0.9, for trainings of few steps. In the paper, it is 0.99.

    References
    ----------
    A. Ismail-Fawaz, M. Devanne, S. Berretti, J. Weber and G. Forestier, "LITE: light Inception with boosting techniques
    for time series classification", DSAA, 1-10, 2023.

    A. Ismail-Fawaz, M. Devanne, J. Weber and G. Forestier, "Deep learning for time series classification using new
    hand-crafted convolution filters", IEEE Big Data, 972-981, 2022. The custom filters.

    Examples
    --------
    >>> from kerasnet.models import build_lite
    >>> model = build_lite((150, 1), 2)
    >>> sum(weight.shape.num_elements() for weight in model.trainable_weights)
    9880
    """
    n_outputs, filters = check_size("n_outputs", n_outputs), check_size("filters", filters)
    if check_size("kernel_size", kernel_size) < 4:
        raise ValueError(f"kernel_size must be at least 4. Received: {kernel_size!r}.")
    regularizer = make_regularizer(l1, l2)

    inputs, values, mask = sequence_inputs(input_shape, mask_value, vocabulary_size, embedding_units)
    parts = [
        convolution(values, mask, filters, kernel_size // 2**i, f"multiplexed_{i + 1}", regularizer) for i in range(3)
    ]
    n_custom, longest = 3 * len(_LENGTHS) - 1, 3 * _LENGTHS[-1] // 2
    custom = convolution(
        values, mask, n_custom, longest, "custom_filters", None, kernel_initializer=CustomFilters(), trainable=False
    )
    parts.append(layers.Activation("relu", name="custom_activation")(custom))
    values = _activated(layers.Concatenate(name="multiplexed")(parts), mask, activation, 1)
    for block in (2, 3):
        values = MaskedSeparableConv1D(
            filters,
            kernel_size // 2 ** (block - 1),
            dilation_rate=2 ** (block - 1),
            depthwise_regularizer=regularizer,
            pointwise_regularizer=regularizer,
            padding="same",
            use_bias=False,
            name=f"separable_{block}",
        )(values, mask=mask)
        values = _activated(values, mask, activation, block)
    values = MaskedAveragePooling1D(name="average")(values, mask=mask)
    for layer in dropout_layers(dropout, "dropout"):
        values = layer(values)
    output = layers.Dense(n_outputs, activation=output_activation, kernel_regularizer=regularizer, name="output")
    return with_pretrained_weights(keras.Model(inputs, output(values), name=name), "lite", weights, activation)


@keras.saving.register_keras_serializable(package="kerasnet")
class CustomFilters(keras.initializers.Initializer):
    """Filters that detect increases, decreases and peaks, centered in kernels of shape (steps, features, 17)."""

    def __call__(self, shape, dtype=None):
        """Return the kernels."""
        kernels = np.zeros(shape)
        for number, values in enumerate(_custom_filters()):
            start = (shape[0] - len(values)) // 2
            kernels[start : start + len(values), :, number] = values[:, None]
        return keras.ops.convert_to_tensor(kernels, dtype=dtype)


def _custom_filters():
    """Return the 17 custom filters: alternating signs, and parabolas with a positive peak between negative ones."""
    increases = [np.where(np.arange(length) % 2, 1.0, -1.0) for length in _LENGTHS]
    peaks = []
    for length in _LENGTHS[1:]:
        rise = np.linspace(0, 1, length // 4 + 1)[1:] ** 2
        peak = np.concatenate([rise, rise[::-1]])
        peaks.append(np.concatenate([-peak, 2 * peak, -peak]))
    return [*increases, *(-values for values in increases), *peaks]


def _activated(values, mask, activation, block):
    """Apply batch normalization and activation."""
    values = normalized(values, mask, f"norm_{block}")
    return layers.Activation(activation, name=f"activation_{block}")(values)
