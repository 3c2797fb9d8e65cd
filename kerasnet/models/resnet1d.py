"""Residual network for time series."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from kerasnet.models._arguments import (
    check_size,
    check_sizes,
    count_layers,
    dropout_layers,
    make_regularizer,
    sequence_inputs,
)
from kerasnet.models._layers import MaskedAveragePooling1D
from kerasnet.models._registry import register_model
from kerasnet.models._series import convolution, normalized
from kerasnet.models._weights import with_pretrained_weights


@register_model(
    "resnet1d",
    input_kind="sequence",
    tasks=("classification", "regression"),
    max_layers=lambda filters, kernel_size, **_: (
        6 + count_layers("filters", filters) * (4 + 3 * count_layers("kernel_size", kernel_size))
    ),
)
def build_resnet1d(
    input_shape: Sequence[int | None] = (10, 32),
    n_outputs: int = 10,
    *,
    filters: int | Sequence[int] = (64, 128, 128),
    kernel_size: int | Sequence[int] = (8, 5, 3),
    activation: str = "relu",
    output_activation: str = "softmax",
    dropout: float = 0.0,
    l1: float = 0.0,
    l2: float = 0.0,
    mask_value: float | None = None,
    vocabulary_size: int | None = None,
    embedding_units: int = 128,
    weights: str | None = None,
    name: str = "resnet1d",
) -> keras.Model:
    """Build a residual network (ResNet) for time series.

    Each residual block consists of convolutions with batch normalization, and a shortcut from its input. Global average
    pooling over the steps follows. The default model has 524,554 parameters.

    Parameters
    ----------
    input_shape : tuple of int, default=(10, 32)
        Shape of one sequence: (steps, features), or (steps,) with `vocabulary_size`. Set steps to None for sequences of
        variable length.
    n_outputs : int, default=10
        Number of outputs.
    filters : int or tuple of int, default=(64, 128, 128)
        Number of filters in each residual block. An int builds a single block.
    kernel_size : int or tuple of int, default=(8, 5, 3)
        Length of the kernels of each convolution in a block, in steps. An int builds blocks of a single convolution.
        The convolutions pad with zeros and keep the sequence length.
    activation : str, default="relu"
        Activation function of the blocks.
    output_activation : str, default="softmax"
        Activation function of the output layer: "softmax" for multiclass classification, "sigmoid" for binary (one
        output) or multilabel classification, "linear" for regression.
    dropout : float, default=0.0
        Dropout rate before the output layer, in [0, 1).
    l1, l2 : float, default=0.0
        L1 and L2 regularization factors of all kernels.
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
    name : str, default="resnet1d"
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
    As in the code of Ismail Fawaz et al. (2019), a shortcut is a convolution with kernels of length 1 if the number of
    filters changes, and batch normalization alone otherwise. Differences: the convolutions have no bias, which batch
    normalization would subtract, and batch normalization has a momentum of 0.9 instead of 0.99, for trainings of few
    steps.

    References
    ----------
    Z. Wang, W. Yan and T. Oates, "Time series classification from scratch with deep neural networks: a strong
    baseline", IJCNN, 1578-1585, 2017.

    Examples
    --------
    >>> from kerasnet.models import build_resnet1d
    >>> build_resnet1d((None, 3), 2, filters=(8, 8)).output_shape
    (None, 2)
    """
    n_outputs = check_size("n_outputs", n_outputs)
    filters_of_blocks, kernel_sizes = check_sizes("filters", filters), check_sizes("kernel_size", kernel_size)
    if not kernel_sizes:
        raise ValueError("kernel_size must have at least one entry, such as (8, 5, 3). Received: ().")
    regularizer = make_regularizer(l1, l2)

    inputs, values, mask = sequence_inputs(input_shape, mask_value, vocabulary_size, embedding_units)
    for block, n_filters in enumerate(filters_of_blocks, start=1):
        values = _residual_block(values, mask, n_filters, kernel_sizes, activation, regularizer, f"block_{block}")
    values = MaskedAveragePooling1D(name="average")(values, mask=mask)
    for layer in dropout_layers(dropout, "dropout"):
        values = layer(values)
    output = layers.Dense(n_outputs, activation=output_activation, kernel_regularizer=regularizer, name="output")
    return with_pretrained_weights(keras.Model(inputs, output(values), name=name), "resnet1d", weights, activation)


def _residual_block(values, mask, filters, kernel_sizes, activation, regularizer, name):
    """Apply a residual block with one convolution per kernel size."""
    shortcut = values
    if values.shape[-1] != filters:
        shortcut = convolution(values, mask, filters, 1, f"{name}_shortcut", regularizer)
    shortcut = normalized(shortcut, mask, f"{name}_shortcut_norm")
    for number, kernel_size in enumerate(kernel_sizes, start=1):
        values = convolution(values, mask, filters, kernel_size, f"{name}_conv_{number}", regularizer)
        values = normalized(values, mask, f"{name}_norm_{number}")
        if number < len(kernel_sizes):
            values = layers.Activation(activation, name=f"{name}_activation_{number}")(values)
    values = layers.Add(name=f"{name}_sum")([shortcut, values])
    return layers.Activation(activation, name=name)(values)
