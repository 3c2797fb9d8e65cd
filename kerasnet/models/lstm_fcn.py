"""LSTM-FCN, a recurrent and a convolutional network in parallel."""

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
    sequence_inputs,
)
from kerasnet.models._layers import MaskedAveragePooling1D
from kerasnet.models._registry import register_model
from kerasnet.models._series import convolution, normalized
from kerasnet.models._weights import with_pretrained_weights


@register_model(
    "lstm_fcn",
    input_kind="sequence",
    tasks=("classification", "regression"),
    max_layers=lambda filters, kernel_size, **_: (
        9 + 3 * max(count_layers("filters", filters), count_layers("kernel_size", kernel_size))
    ),
)
def build_lstm_fcn(
    input_shape: Sequence[int | None] = (10, 32),
    n_outputs: int = 10,
    *,
    lstm_units: int = 8,
    dimension_shuffle: bool = False,
    filters: int | Sequence[int] = (128, 256, 128),
    kernel_size: int | Sequence[int] = (8, 5, 3),
    activation: str = "relu",
    output_activation: str = "softmax",
    dropout: float = 0.8,
    l1: float = 0.0,
    l2: float = 0.0,
    mask_value: float | None = None,
    vocabulary_size: int | None = None,
    embedding_units: int = 128,
    weights: str | None = None,
    name: str = "lstm_fcn",
) -> keras.Model:
    """Build an LSTM-FCN for time series: an LSTM and a fully convolutional network (FCN) in parallel.

    The output layer receives the last state of the LSTM, after dropout, and the average of the convolutional network
    over the steps. The default model has 299,642 parameters.

    Parameters
    ----------
    input_shape : tuple of int, default=(10, 32)
        Shape of one sequence: (steps, features), or (steps,) with `vocabulary_size`. Set steps to None for sequences of
        variable length.
    n_outputs : int, default=10
        Number of outputs.
    lstm_units : int, default=8
        Number of units of the LSTM.
    dimension_shuffle : bool, default=False
        If True, the LSTM receives the transposed sequence: one step per feature, with the values of all steps. All
        sequences must then have the same length, and `mask_value` must be None.
    filters : int or tuple of int, default=(128, 256, 128)
        Number of filters in each convolutional block. An int builds a single block.
    kernel_size : int or tuple of int, default=(8, 5, 3)
        Length of the convolution kernels, in steps. A tuple has one entry per block. The convolutions pad with zeros
        and keep the sequence length.
    activation : str, default="relu"
        Activation function of the convolutional blocks.
    output_activation : str, default="softmax"
        Activation function of the output layer: "softmax" for multiclass classification, "sigmoid" for binary (one
        output) or multilabel classification, "linear" for regression.
    dropout : float, default=0.8
        Dropout rate after the LSTM, in [0, 1).
    l1, l2 : float, default=0.0
        L1 and L2 regularization factors of all kernels, including the recurrent kernel.
    mask_value : float, default=None
        Value that marks padding: a step is masked if all its features equal this value. The LSTM skips masked steps,
        convolutions treat them as zeros, and the average ignores them. If None, no steps are masked.
    vocabulary_size : int, default=None
        Number of token ids, including 0 for padding and 1 for unknown tokens. If given, the input is token ids of shape
        (steps,), and an embedding layer with masking is added; see :class:`kerasnet.features.TextVectorizer`.
        Estimators also accept "auto": the largest id in the training data plus one.
    embedding_units : int, default=128
        Size of the embedding of each token. Ignored if `vocabulary_size` is None.
    weights : str, default=None
        Name of the pretrained weights to load; see :func:`kerasnet.models.model_card`. None are available yet.
    name : str, default="lstm_fcn"
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
    Differences from the paper: the LSTM reads the sequence step by step, so that sequences may have different lengths.
    With ``dimension_shuffle=True``, it is transposed as in the paper. The convolutions have no bias, which batch
    normalization would subtract, and batch normalization has a momentum of 0.9 instead of 0.99, for trainings of few
    steps.

    References
    ----------
    F. Karim, S. Majumdar, H. Darabi and S. Chen, "LSTM fully convolutional networks for time series classification",
    IEEE Access, 6, 1662-1669, 2018.

    Examples
    --------
    >>> from kerasnet.models import build_lstm_fcn
    >>> build_lstm_fcn((None, 3), 2, filters=(8, 8), kernel_size=3).output_shape
    (None, 2)
    """
    n_outputs, lstm_units = check_size("n_outputs", n_outputs), check_size("lstm_units", lstm_units)
    filters_of_blocks = check_sizes("filters", filters)
    kernel_sizes = check_sizes_per_layer("kernel_size", kernel_size, len(filters_of_blocks))
    inputs, values, mask = sequence_inputs(input_shape, mask_value, vocabulary_size, embedding_units)
    if dimension_shuffle and (inputs.shape[1] is None or mask is not None):
        raise ValueError(
            "dimension_shuffle=True needs sequences of one length, without mask_value. "
            f"Received: input_shape={input_shape}, mask_value={mask_value!r}."
        )
    regularizer = make_regularizer(l1, l2)

    steps = layers.Permute((2, 1), name="dimension_shuffle")(values) if dimension_shuffle else values
    state = layers.LSTM(lstm_units, kernel_regularizer=regularizer, recurrent_regularizer=regularizer, name="lstm")(
        steps, mask=mask
    )
    for layer in dropout_layers(dropout, "dropout"):
        state = layer(state)
    for block, (n_filters, length) in enumerate(zip(filters_of_blocks, kernel_sizes, strict=True), start=1):
        values = convolution(
            values, mask, n_filters, length, f"conv_{block}", regularizer, kernel_initializer="he_uniform"
        )
        values = normalized(values, mask, f"norm_{block}")
        values = layers.Activation(activation, name=f"activation_{block}")(values)
    average = MaskedAveragePooling1D(name="average")(values, mask=mask)
    values = layers.Concatenate(name="features")([state, average])
    output = layers.Dense(n_outputs, activation=output_activation, kernel_regularizer=regularizer, name="output")
    return with_pretrained_weights(keras.Model(inputs, output(values), name=name), "lstm_fcn", weights, activation)
