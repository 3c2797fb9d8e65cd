"""Self-attention encoder."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from kerasnet.models._arguments import check_size, dropout_layers, make_regularizer, sequence_inputs
from kerasnet.models._layers import MaskedAveragePooling1D, SinusoidalPositions
from kerasnet.models._registry import register_model
from kerasnet.models._weights import with_pretrained_weights


@register_model(
    "attention",
    input_kind="sequence",
    tasks=("classification", "regression"),
    max_layers=lambda n_blocks, **_: 7 + 15 * check_size("n_blocks", n_blocks),
)
def build_attention(
    input_shape: Sequence[int | None] = (10, 32),
    n_outputs: int = 10,
    *,
    embedding_units: int = 64,
    n_heads: int = 4,
    n_blocks: int = 2,
    feed_forward_units: int = 128,
    activation: str = "relu",
    output_activation: str = "softmax",
    dropout: float = 0.0,
    l1: float = 0.0,
    l2: float = 0.0,
    mask_value: float | None = None,
    vocabulary_size: int | None = None,
    weights: str | None = None,
    name: str = "attention",
) -> keras.Model:
    """Build a Transformer encoder with global average pooling.

    Each step is projected to `embedding_units` values, and a positional encoding is added. Each block consists of
    multi-head self-attention over the steps and two dense layers. The default model has 69,834 parameters.

    Parameters
    ----------
    input_shape : tuple of int, default=(10, 32)
        Shape of one sequence: (steps, features), or (steps,) with `vocabulary_size`. Set steps to None for sequences of
        variable length.
    n_outputs : int, default=10
        Number of outputs.
    embedding_units : int, default=64
        Size of the embedding of each step. Must be a multiple of `n_heads`.
    n_heads : int, default=4
        Number of attention heads.
    n_blocks : int, default=2
        Number of encoder blocks.
    feed_forward_units : int, default=128
        Number of units in the first dense layer of each block.
    activation : str, default="relu"
        Activation function of the first dense layer of each block.
    output_activation : str, default="softmax"
        Activation function of the output layer: "softmax" for multiclass classification, "sigmoid" for binary (one
        output) or multilabel classification, "linear" for regression.
    dropout : float, default=0.0
        Dropout rate after each attention layer and each feed-forward sublayer, in [0, 1).
    l1, l2 : float, default=0.0
        L1 and L2 regularization factors of all kernels.
    mask_value : float, default=None
        Value that marks padding: a step is masked if all its features equal this value. Masked steps are not attended
        to and are ignored by the average. Pad at the end, since padding counts in the positional encoding. If None, no
        steps are masked.
    vocabulary_size : int, default=None
        Number of token ids, including 0 for padding and 1 for unknown tokens. If given, the input is token ids of shape
        (steps,), and an embedding layer with masking replaces the projection; see
        :class:`kerasnet.features.TextVectorizer`. Estimators also accept "auto": the largest id in the training data
        plus one.
    weights : str, default=None
        Name of the pretrained weights to load, such as "mnist"; see :func:`kerasnet.models.model_card`. If `n_outputs`
        differs from that of the pretrained model, the output layer is randomly initialized. If None, all weights are
        randomly initialized.
    name : str, default="attention"
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
    Differences from the paper: layer normalization is applied before the attention and dense layers (pre-norm), which
    trains without learning rate warm-up; and the positional encoding concatenates sines and cosines instead of
    interleaving them.

    References
    ----------
    A. Vaswani et al., "Attention is all you need", NeurIPS, 2017.

    Examples
    --------
    >>> from kerasnet.models import build_attention
    >>> build_attention((28, 28), n_blocks=1).output_shape
    (None, 10)
    """
    n_outputs = check_size("n_outputs", n_outputs)
    embedding_units, n_heads = check_size("embedding_units", embedding_units), check_size("n_heads", n_heads)
    n_blocks = check_size("n_blocks", n_blocks)
    feed_forward_units = check_size("feed_forward_units", feed_forward_units)
    if embedding_units % n_heads:
        raise ValueError(
            f"embedding_units must be a multiple of n_heads. Received: embedding_units={embedding_units}, "
            f"n_heads={n_heads}."
        )
    regularizer = make_regularizer(l1, l2)

    inputs, values, mask = sequence_inputs(input_shape, mask_value, vocabulary_size, embedding_units)
    if vocabulary_size is None:
        values = layers.Dense(embedding_units, kernel_regularizer=regularizer, name="embedding")(values)
    values = SinusoidalPositions(name="positions")(values)
    for block in range(1, n_blocks + 1):
        normalized = layers.LayerNormalization(name=f"attention_norm_{block}")(values)
        attention = layers.MultiHeadAttention(
            n_heads, embedding_units // n_heads, kernel_regularizer=regularizer, name=f"attention_{block}"
        )
        residual = attention(normalized, normalized, query_mask=mask, value_mask=mask)
        for layer in dropout_layers(dropout, f"attention_dropout_{block}"):
            residual = layer(residual)
        values = layers.Add(name=f"attention_sum_{block}")([values, residual])

        residual = layers.LayerNormalization(name=f"dense_norm_{block}")(values)
        for layer in (
            layers.Dense(
                feed_forward_units, activation=activation, kernel_regularizer=regularizer, name=f"dense_{block}_1"
            ),
            layers.Dense(embedding_units, kernel_regularizer=regularizer, name=f"dense_{block}_2"),
            *dropout_layers(dropout, f"dense_dropout_{block}"),
        ):
            residual = layer(residual)
        values = layers.Add(name=f"dense_sum_{block}")([values, residual])
    values = layers.LayerNormalization(name="norm")(values)
    values = MaskedAveragePooling1D(name="average")(values, mask=mask)
    outputs = layers.Dense(n_outputs, activation=output_activation, kernel_regularizer=regularizer, name="output")(
        values
    )
    return with_pretrained_weights(keras.Model(inputs, outputs, name=name), "attention", weights, activation)
