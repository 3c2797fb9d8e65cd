"""Inception network for time series."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from kerasnet.models._arguments import check_size, dropout_layers, make_regularizer, sequence_inputs
from kerasnet.models._layers import MaskedAveragePooling1D, SlidingMaximum1D
from kerasnet.models._registry import register_model
from kerasnet.models._series import convolution, normalized
from kerasnet.models._weights import with_pretrained_weights

_MODULES_PER_SHORTCUT = 3


@register_model(
    "inception_time",
    input_kind="sequence",
    tasks=("classification", "regression"),
    max_layers=lambda depth, **_: 6 + 9 * depth + 4 * (depth // _MODULES_PER_SHORTCUT),
)
def build_inception_time(
    input_shape: Sequence[int | None] = (10, 32),
    n_outputs: int = 10,
    *,
    depth: int = 6,
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
    name: str = "inception_time",
) -> keras.Model:
    """Build the Inception network of InceptionTime, for time series.

    Each Inception module reduces its input to `filters` channels (bottleneck), applies three convolutions of different
    kernel sizes, and concatenates them with a convolution of the input's maximum over three steps. A residual
    connection spans every three modules. Global average pooling over the steps follows. InceptionTime is an ensemble
    of five of these networks. The default model has 498,954 parameters.

    Parameters
    ----------
    input_shape : tuple of int, default=(10, 32)
        Shape of one sequence: (steps, features), or (steps,) with `vocabulary_size`. Set steps to None for sequences of
        variable length.
    n_outputs : int, default=10
        Number of outputs.
    depth : int, default=6
        Number of Inception modules.
    filters : int, default=32
        Number of filters of each convolution. A module has four times as many outputs.
    kernel_size : int, default=40
        Length of the longest convolution kernels, in steps; at least 4. The others have 1/2 and 1/4 of this length. The
        convolutions pad with zeros and keep the sequence length.
    activation : str, default="relu"
        Activation function of the modules.
    output_activation : str, default="softmax"
        Activation function of the output layer: "softmax" for multiclass classification, "sigmoid" for binary (one
        output) or multilabel classification, "linear" for regression.
    dropout : float, default=0.0
        Dropout rate before the output layer, in [0, 1).
    l1, l2 : float, default=0.0
        L1 and L2 regularization factors of all kernels.
    mask_value : float, default=None
        Value that marks padding: a step is masked if all its features equal this value. Convolutions treat masked steps
        as zeros, and the maximum and the average ignore them. If None, no steps are masked.
    vocabulary_size : int, default=None
        Number of token ids, including 0 for padding and 1 for unknown tokens. If given, the input is token ids of shape
        (steps,), and an embedding layer with masking is added; see :class:`kerasnet.features.TextVectorizer`.
        Estimators also accept "auto": the largest id in the training data plus one.
    embedding_units : int, default=128
        Size of the embedding of each token. Ignored if `vocabulary_size` is None.
    weights : str, default=None
        Name of the pretrained weights to load; see :func:`kerasnet.models.model_card`. None are available yet.
    name : str, default="inception_time"
        Name of the model.

    Returns
    -------
    keras.Model
        Uncompiled functional model. Takes floats of shape (n_samples, steps, features), or token ids of shape
        (n_samples, steps) with `vocabulary_size`. The outputs of the modules are those of the layers "module_1",
        "module_2", ...

    Raises
    ------
    ValueError
        If an argument is invalid.

    Notes
    -----
    As in the code of the authors, the first module has no bottleneck if the sequences have one feature. Difference:
    batch normalization has a momentum of 0.9, for trainings of few steps, instead of 0.99.

    References
    ----------
    H. Ismail Fawaz et al., "InceptionTime: finding AlexNet for time series classification", Data Mining and Knowledge
    Discovery, 34(6), 1936-1962, 2020.

    Examples
    --------
    >>> from kerasnet.models import build_inception_time
    >>> build_inception_time((None, 3), 2, depth=3, filters=8).output_shape
    (None, 2)
    """
    n_outputs, depth, filters = (
        check_size(key, value) for key, value in {"n_outputs": n_outputs, "depth": depth, "filters": filters}.items()
    )
    if check_size("kernel_size", kernel_size) < 4:
        raise ValueError(f"kernel_size must be at least 4. Received: {kernel_size!r}.")
    regularizer = make_regularizer(l1, l2)

    inputs, values, mask = sequence_inputs(input_shape, mask_value, vocabulary_size, embedding_units)
    shortcut = values
    for module in range(1, depth + 1):
        values = _inception_module(values, mask, filters, kernel_size, activation, regularizer, f"module_{module}")
        if module % _MODULES_PER_SHORTCUT == 0:
            values = _add_shortcut(shortcut, values, mask, activation, regularizer, f"residual_{module}")
            shortcut = values
    values = MaskedAveragePooling1D(name="average")(values, mask=mask)
    for layer in dropout_layers(dropout, "dropout"):
        values = layer(values)
    output = layers.Dense(n_outputs, activation=output_activation, kernel_regularizer=regularizer, name="output")
    return with_pretrained_weights(
        keras.Model(inputs, output(values), name=name), "inception_time", weights, activation
    )


def _inception_module(values, mask, filters, kernel_size, activation, regularizer, name):
    """Apply an Inception module."""
    reduced = values
    if values.shape[-1] > 1:
        reduced = convolution(values, mask, filters, 1, f"{name}_bottleneck", regularizer)
    parts = [
        convolution(reduced, mask, filters, kernel_size // 2**i, f"{name}_conv_{i + 1}", regularizer) for i in range(3)
    ]
    maximum = SlidingMaximum1D(3, name=f"{name}_maximum")(values, mask=mask)
    parts.append(convolution(maximum, mask, filters, 1, f"{name}_conv_4", regularizer))
    values = layers.Concatenate(name=f"{name}_parts")(parts)
    values = normalized(values, mask, f"{name}_norm")
    return layers.Activation(activation, name=name)(values)


def _add_shortcut(shortcut, values, mask, activation, regularizer, name):
    """Add a projection of the input of the last modules."""
    shortcut = convolution(shortcut, mask, values.shape[-1], 1, f"{name}_conv", regularizer)
    shortcut = normalized(shortcut, mask, f"{name}_norm")
    values = layers.Add(name=f"{name}_sum")([shortcut, values])
    return layers.Activation(activation, name=name)(values)
