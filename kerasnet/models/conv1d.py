"""Convolutional network for time series."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from kerasnet.models._arguments import (
    check_size,
    check_sizes,
    check_sizes_per_layer,
    count_layers,
    dropout_layers,
    make_regularizer,
    sequence_layers,
)
from kerasnet.models._layers import MaskedAveragePooling1D, MaskedConv1D
from kerasnet.models._registry import register_model
from kerasnet.models._weights import with_pretrained_weights


@register_model(
    "conv1d",
    input_kind="sequence",
    tasks=("classification", "regression"),
    max_layers=lambda filters, **_: 4 + 4 * count_layers("filters", filters),
)
def build_conv1d(
    input_shape: Sequence[int | None] = (10, 32),
    n_outputs: int = 10,
    *,
    filters: int | Sequence[int] = (64, 128, 64),
    kernel_size: int | Sequence[int] = 5,
    activation: str = "relu",
    output_activation: str = "softmax",
    dropout: float = 0.0,
    l1: float = 0.0,
    l2: float = 0.0,
    mask_value: float | None = None,
    vocabulary_size: int | None = None,
    embedding_units: int = 128,
    weights: str | None = None,
    name: str = "conv1d",
) -> keras.Sequential:
    """Build a fully convolutional network (FCN) for time series.

    The network consists of blocks of convolution, batch normalization and activation, followed by global average
    pooling over the steps. The default model has 93,834 parameters.

    Parameters
    ----------
    input_shape : tuple of int, default=(10, 32)
        Shape of one sequence: (steps, features), or (steps,) with `vocabulary_size`. Set steps to None for sequences of
        variable length.
    n_outputs : int, default=10
        Number of outputs.
    filters : int or tuple of int, default=(64, 128, 64)
        Number of filters in each convolutional block. An int builds a single block.
    kernel_size : int or tuple of int, default=5
        Length of the convolution kernels, in steps. A tuple has one entry per block. The convolutions pad with zeros
        and keep the sequence length.
    activation : str, default="relu"
        Activation function of the convolutional blocks.
    output_activation : str, default="softmax"
        Activation function of the output layer: "softmax" for multiclass classification, "sigmoid" for binary (one
        output) or multilabel classification, "linear" for regression.
    dropout : float, default=0.0
        Dropout rate after each block, in [0, 1).
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
        Name of the pretrained weights to load, such as "mnist"; see :func:`kerasnet.models.model_card`. If `n_outputs`
        differs from that of the pretrained model, the output layer is randomly initialized. If None, all weights are
        randomly initialized.
    name : str, default="conv1d"
        Name of the model.

    Returns
    -------
    keras.Sequential
        Uncompiled model. Takes floats of shape (n_samples, steps, features), or token ids of shape
        (n_samples, steps) with `vocabulary_size`.

    Raises
    ------
    ValueError
        If an argument is invalid.

    References
    ----------
    Z. Wang, W. Yan and T. Oates, "Time series classification from scratch with deep neural networks: a strong
    baseline", IJCNN, 1578-1585, 2017.

    Examples
    --------
    >>> from kerasnet.models import build_conv1d
    >>> build_conv1d((None, 3), 2, filters=(8, 8)).output_shape
    (None, 2)
    """
    n_outputs = check_size("n_outputs", n_outputs)
    filters_of_blocks = check_sizes("filters", filters)
    kernel_sizes = check_sizes_per_layer("kernel_size", kernel_size, len(filters_of_blocks))
    regularizer = make_regularizer(l1, l2)

    network = sequence_layers(input_shape, mask_value, vocabulary_size, embedding_units)
    for block, (n_filters, length) in enumerate(zip(filters_of_blocks, kernel_sizes, strict=True), start=1):
        network += [
            MaskedConv1D(
                n_filters,
                length,
                padding="same",
                use_bias=False,
                kernel_regularizer=regularizer,
                name=f"conv_{block}",
            ),
            layers.BatchNormalization(momentum=0.9, name=f"norm_{block}"),
            layers.Activation(activation, name=f"activation_{block}"),
            *dropout_layers(dropout, f"dropout_{block}"),
        ]
    network.append(MaskedAveragePooling1D(name="average"))
    network.append(layers.Dense(n_outputs, activation=output_activation, kernel_regularizer=regularizer, name="output"))
    return with_pretrained_weights(keras.Sequential(network, name=name), "conv1d", weights, activation)
