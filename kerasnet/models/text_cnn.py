"""Convolutional network for text."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from kerasnet.models._arguments import (
    check_input_shape,
    check_size,
    check_sizes,
    count_layers,
    dropout_layers,
    embedding_layer,
    make_regularizer,
)
from kerasnet.models._layers import MaskedConv1D, MaskedMaxPooling1D
from kerasnet.models._registry import register_model
from kerasnet.models._weights import with_pretrained_weights

_DEFAULT_VOCABULARY_SIZE = 20_000  # as max_tokens of TextVectorizer


@register_model(
    "text_cnn",
    input_kind="tokens",
    tasks=("classification", "regression"),
    max_layers=lambda filters, kernel_size, **_: (
        7 + 2 * max(count_layers("filters", filters), count_layers("kernel_size", kernel_size))
    ),
)
def build_text_cnn(
    input_shape: Sequence[int | None] = (None,),
    n_outputs: int = 2,
    *,
    vocabulary_size: int | None = None,
    embedding_units: int = 128,
    filters: int | Sequence[int] = 100,
    kernel_size: int | Sequence[int] = (3, 4, 5),
    activation: str = "relu",
    output_activation: str = "softmax",
    embedding_dropout: float = 0.2,
    dropout: float = 0.5,
    l1: float = 0.0,
    l2: float = 0.0,
    weights: str | None = None,
    name: str = "text_cnn",
) -> keras.Model:
    """Build a convolutional network for text (TextCNN).

    Parallel convolutions over the embedded tokens, each followed by global max pooling, detect phrases of different
    lengths. The default model has 2,714,502 parameters, most of them in the embedding.

    Parameters
    ----------
    input_shape : tuple of int, default=(None,)
        Shape of one text: (steps,). None for any number of tokens.
    n_outputs : int, default=2
        Number of outputs.
    vocabulary_size : int, default=None
        Number of token ids, including 0 for padding and 1 for unknown tokens; see
        :class:`kerasnet.features.TextVectorizer`. If None, 20000; estimators use the largest id in the training data
        plus one.
    embedding_units : int, default=128
        Size of the embedding of each token.
    filters : int or tuple of int, default=100
        Number of filters in each convolution. An int uses the same number in all of them.
    kernel_size : int or tuple of int, default=(3, 4, 5)
        Length of the filters of each convolution, in tokens. An int uses the same length in all of them.
    activation : str, default="relu"
        Activation function of the convolutions.
    output_activation : str, default="softmax"
        Activation function of the output layer: "softmax" for multiclass classification, "sigmoid" for binary (one
        output) or multilabel classification, "linear" for regression.
    embedding_dropout : float, default=0.2
        Dropout rate after the embedding layer, in [0, 1).
    dropout : float, default=0.5
        Dropout rate before the output layer, in [0, 1).
    l1, l2 : float, default=0.0
        L1 and L2 regularization factors of all kernels.
    weights : str, default=None
        Name of the pretrained weights to load; see :func:`kerasnet.models.model_card`. If None, all weights are
        randomly initialized.
    name : str, default="text_cnn"
        Name of the model.

    Returns
    -------
    keras.Model
        Uncompiled functional model. Takes token ids of shape (n_samples, steps).

    Raises
    ------
    ValueError
        If an argument is invalid.

    Notes
    -----
    This is the variant "CNN-rand" of the paper. Differences: dropout after the embedding layer, no limit on the norm of
    the output weights, and maxima over the tokens of the text only, without padding.

    References
    ----------
    Y. Kim, "Convolutional neural networks for sentence classification", EMNLP, 1746-1751, 2014.

    Examples
    --------
    >>> from kerasnet.models import build_text_cnn
    >>> build_text_cnn(n_outputs=6, vocabulary_size=5000).output_shape
    (None, 6)
    """
    input_shape = check_input_shape(input_shape, ("steps",))
    n_outputs = check_size("n_outputs", n_outputs)
    vocabulary_size = _DEFAULT_VOCABULARY_SIZE if vocabulary_size is None else vocabulary_size
    branches = _branches(filters, kernel_size)
    regularizer = make_regularizer(l1, l2)

    inputs = keras.Input(input_shape, dtype="int32", name="input")
    values = embedding_layer(vocabulary_size, embedding_units)(inputs)
    for layer in dropout_layers(embedding_dropout, "embedding_dropout"):
        values = layer(values)
    pooled = []
    for number, (n_filters, size) in enumerate(branches, start=1):
        convolution = MaskedConv1D(
            n_filters,
            size,
            padding="same",
            activation=activation,
            kernel_regularizer=regularizer,
            name=f"conv_{number}",
        )
        pooled.append(MaskedMaxPooling1D(name=f"maximum_{number}")(convolution(values)))
    values = layers.Concatenate(name="maxima")(pooled) if len(branches) > 1 else pooled[0]
    for layer in dropout_layers(dropout, "dropout"):
        values = layer(values)
    outputs = layers.Dense(n_outputs, activation=output_activation, kernel_regularizer=regularizer, name="output")(
        values
    )
    return with_pretrained_weights(keras.Model(inputs, outputs, name=name), "text_cnn", weights, activation)


def _branches(filters, kernel_size):
    """Return the number of filters and the kernel size of each branch; a single value applies to all branches."""
    filters, sizes = check_sizes("filters", filters), check_sizes("kernel_size", kernel_size)
    n_branches = max(len(filters), len(sizes))
    filters, sizes = (each * n_branches if len(each) == 1 else each for each in (filters, sizes))
    if not n_branches or len(filters) != len(sizes):
        raise ValueError(
            "filters and kernel_size must have the same number of entries, at least one. "
            f"Received: filters={filters!r}, kernel_size={sizes!r}."
        )
    return [*zip(filters, sizes, strict=True)]
