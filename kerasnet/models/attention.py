"""The self-attention encoder."""

import keras
from keras import layers

from kerasnet.models._arguments import (
    check_input_shape,
    check_size,
    hidden_dropout,
    kernel_penalty,
    mask_layer,
)
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
    input_shape=(10, 32),
    n_outputs=10,
    *,
    embedding_units=64,
    n_heads=4,
    n_blocks=2,
    feed_forward_units=128,
    activation="relu",
    output_activation="softmax",
    dropout=0.0,
    l1=0.0,
    l2=0.0,
    mask_value=None,
    weights=None,
    name="attention",
):
    """Build a self-attention encoder: the encoder of a transformer, and the average over all steps.

    Each step is projected to `embedding_units` values, and a positional encoding is added. In each block all steps
    attend to each other, and each then passes through two dense layers. With the defaults: 69,834 parameters.

    Parameters
    ----------
    input_shape : tuple (steps, features), default=(10, 32)
        The shape of one sequence; None as steps for sequences of any length.
    n_outputs : int, default=10
        The number of outputs.
    embedding_units : int, default=64
        The number of values that a step is described by within the network; a multiple of `n_heads`.
    n_heads : int, default=4
        The number of attention heads.
    n_blocks : int, default=2
        The number of blocks.
    feed_forward_units : int, default=128
        The number of units of the first dense layer of each block.
    activation : str, default="relu"
        The activation of that layer.
    output_activation : str, default="softmax"
        "softmax" for several classes, "sigmoid" for two (with one output), "linear" for regression.
    dropout : float, default=0.0
        The fraction, in [0, 1), of values dropped in training behind each attention and each pair of dense layers.
    l1, l2 : float, default=0.0
        The weights of the L1 and L2 penalties on all kernels.
    mask_value : float, default=None
        Steps whose features all have this value are padding, which nothing attends to; it belongs behind the
        sequence, since positions count it. No step is when None.
    weights : str, default=None
        The name of a set of pretrained weights, such as "mnist"; see :func:`kerasnet.models.model_card`. With another
        `n_outputs` the outputs keep their initial weights. None for no pretrained weights.
    name : str, default="attention"
        The name of the model.

    Returns
    -------
    keras.Model
        Functional and uncompiled. It takes floats of shape (n, steps, features).

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    Two deviations from the paper: normalisation comes before attention and dense layers, not behind them, which trains
    without a warm-up; and sines and cosines of the positions stand one after the other, not in turn.

    References
    ----------
    A. Vaswani et al., "Attention is all you need", NeurIPS, 2017.

    Examples
    --------
    >>> from kerasnet.models import build_attention
    >>> build_attention((28, 28), n_blocks=1).output_shape
    (None, 10)
    """
    input_shape = check_input_shape(input_shape, ("steps", "features"))
    n_outputs = check_size("n_outputs", n_outputs)
    embedding_units, n_heads = check_size("embedding_units", embedding_units), check_size("n_heads", n_heads)
    n_blocks, feed_forward_units = (
        check_size("n_blocks", n_blocks),
        check_size("feed_forward_units", feed_forward_units),
    )
    if embedding_units % n_heads:
        raise ValueError(
            f"embedding_units must be a multiple of n_heads. Received: embedding_units={embedding_units}, "
            f"n_heads={n_heads}."
        )
    penalty = kernel_penalty(l1, l2)

    inputs = values = keras.Input(input_shape, name="input")
    for layer in mask_layer(mask_value):
        values = layer(values)
    values = layers.Dense(embedding_units, kernel_regularizer=penalty, name="embedding")(values)
    values = SinusoidalPositions(name="positions")(values)
    for block in range(1, n_blocks + 1):
        normalised = layers.LayerNormalization(name=f"attention_norm_{block}")(values)
        attention = layers.MultiHeadAttention(
            n_heads, embedding_units // n_heads, kernel_regularizer=penalty, name=f"attention_{block}"
        )
        added = attention(normalised, normalised)
        for layer in hidden_dropout(dropout, f"attention_dropout_{block}"):
            added = layer(added)
        values = layers.Add(name=f"attention_sum_{block}")([values, added])

        added = layers.LayerNormalization(name=f"dense_norm_{block}")(values)
        for layer in (
            layers.Dense(
                feed_forward_units, activation=activation, kernel_regularizer=penalty, name=f"dense_{block}_1"
            ),
            layers.Dense(embedding_units, kernel_regularizer=penalty, name=f"dense_{block}_2"),
            *hidden_dropout(dropout, f"dense_dropout_{block}"),
        ):
            added = layer(added)
        values = layers.Add(name=f"dense_sum_{block}")([values, added])
    values = layers.LayerNormalization(name="norm")(values)
    values = MaskedAveragePooling1D(name="average")(values)
    outputs = layers.Dense(n_outputs, activation=output_activation, kernel_regularizer=penalty, name="output")(values)
    return with_pretrained_weights(keras.Model(inputs, outputs, name=name), "attention", weights)
