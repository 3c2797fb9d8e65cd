"""Recurrent neural networks: simple RNN, LSTM and GRU."""

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
    sequence_layers,
)
from kerasnet.models._registry import register_model
from kerasnet.models._weights import with_pretrained_weights


@register_model(
    "simple_rnn",
    input_kind="sequence",
    tasks=("classification", "regression"),
    max_layers=lambda units, **_: 3 + 3 * count_layers("units", units),
)
def build_simple_rnn(
    input_shape: Sequence[int | None] = (10, 32),
    n_outputs: int = 10,
    *,
    units: int | Sequence[int] = (64,),
    output_activation: str = "softmax",
    dropout: float = 0.0,
    l1: float = 0.0,
    l2: float = 0.0,
    mask_value: float | None = None,
    vocabulary_size: int | None = None,
    embedding_units: int = 128,
    weights: str | None = None,
    name: str = "simple_rnn",
) -> keras.Sequential:
    """Build a simple recurrent neural network.

    The default model has 64 recurrent units and 10 outputs, for 10 steps of 32 features; 6,858 parameters.

    Parameters
    ----------
    input_shape : tuple of int, default=(10, 32)
        Shape of one sequence: (steps, features), or (steps,) with `vocabulary_size`. Set steps to None for sequences of
        variable length.
    n_outputs : int, default=10
        Number of outputs.
    units : int or tuple of int, default=(64,)
        Number of units in each recurrent layer. An int builds a single layer. All but the last layer return the full
        sequence; the output layer receives the last step.
    output_activation : str, default="softmax"
        Activation function of the output layer: "softmax" for multiclass classification, "sigmoid" for binary (one
        output) or multilabel classification, "linear" for regression.
    dropout : float, default=0.0
        Dropout rate after each recurrent layer, in [0, 1).
    l1, l2 : float, default=0.0
        L1 and L2 regularization factors of all kernels, including the recurrent kernels.
    mask_value : float, default=None
        Value that marks padding: a step is masked if all its features equal this value. Recurrent layers skip masked
        steps. If None, no steps are masked.
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
    name : str, default="simple_rnn"
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
    J. L. Elman, "Finding structure in time", Cognitive Science, 14(2), 179-211, 1990.

    Examples
    --------
    >>> from kerasnet.models import build_simple_rnn
    >>> build_simple_rnn().count_params()
    6858
    """
    return _recurrent("simple_rnn", layers.SimpleRNN, "rnn", **locals())


@register_model(
    "lstm",
    input_kind="sequence",
    tasks=("classification", "regression"),
    max_layers=lambda units, **_: 3 + 3 * count_layers("units", units),
)
def build_lstm(
    input_shape: Sequence[int | None] = (10, 32),
    n_outputs: int = 10,
    *,
    units: int | Sequence[int] = (64,),
    output_activation: str = "softmax",
    dropout: float = 0.0,
    l1: float = 0.0,
    l2: float = 0.0,
    mask_value: float | None = None,
    vocabulary_size: int | None = None,
    embedding_units: int = 128,
    weights: str | None = None,
    name: str = "lstm",
) -> keras.Sequential:
    """Build a long short-term memory (LSTM) network.

    The default model has 64 units and 10 outputs, for 10 steps of 32 features; 25,482 parameters.

    Parameters
    ----------
    input_shape : tuple of int, default=(10, 32)
        Shape of one sequence: (steps, features), or (steps,) with `vocabulary_size`. Set steps to None for sequences of
        variable length.
    n_outputs : int, default=10
        Number of outputs.
    units : int or tuple of int, default=(64,)
        Number of units in each recurrent layer. An int builds a single layer. All but the last layer return the full
        sequence; the output layer receives the last step.
    output_activation : str, default="softmax"
        Activation function of the output layer: "softmax" for multiclass classification, "sigmoid" for binary (one
        output) or multilabel classification, "linear" for regression.
    dropout : float, default=0.0
        Dropout rate after each recurrent layer, in [0, 1).
    l1, l2 : float, default=0.0
        L1 and L2 regularization factors of all kernels, including the recurrent kernels.
    mask_value : float, default=None
        Value that marks padding: a step is masked if all its features equal this value. Recurrent layers skip masked
        steps. If None, no steps are masked.
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
    name : str, default="lstm"
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

    Notes
    -----
    The bias of the forget gate is initialized to 1, as recommended by Jozefowicz, Zaremba and Sutskever (2015).

    References
    ----------
    S. Hochreiter and J. Schmidhuber, "Long short-term memory", Neural Computation, 9(8), 1735-1780, 1997.

    Examples
    --------
    Sequences of variable length, padded with -1:

    >>> from kerasnet.models import build_lstm
    >>> build_lstm((None, 3), 2, mask_value=-1.0).input_shape
    (None, None, 3)
    """
    return _recurrent("lstm", layers.LSTM, "lstm", **locals())


@register_model(
    "gru",
    input_kind="sequence",
    tasks=("classification", "regression"),
    max_layers=lambda units, **_: 3 + 3 * count_layers("units", units),
)
def build_gru(
    input_shape: Sequence[int | None] = (10, 32),
    n_outputs: int = 10,
    *,
    units: int | Sequence[int] = (64,),
    output_activation: str = "softmax",
    dropout: float = 0.0,
    l1: float = 0.0,
    l2: float = 0.0,
    mask_value: float | None = None,
    vocabulary_size: int | None = None,
    embedding_units: int = 128,
    weights: str | None = None,
    name: str = "gru",
) -> keras.Sequential:
    """Build a gated recurrent unit (GRU) network.

    The default model has 64 units and 10 outputs, for 10 steps of 32 features; 19,466 parameters.

    Parameters
    ----------
    input_shape : tuple of int, default=(10, 32)
        Shape of one sequence: (steps, features), or (steps,) with `vocabulary_size`. Set steps to None for sequences of
        variable length.
    n_outputs : int, default=10
        Number of outputs.
    units : int or tuple of int, default=(64,)
        Number of units in each recurrent layer. An int builds a single layer. All but the last layer return the full
        sequence; the output layer receives the last step.
    output_activation : str, default="softmax"
        Activation function of the output layer: "softmax" for multiclass classification, "sigmoid" for binary (one
        output) or multilabel classification, "linear" for regression.
    dropout : float, default=0.0
        Dropout rate after each recurrent layer, in [0, 1).
    l1, l2 : float, default=0.0
        L1 and L2 regularization factors of all kernels, including the recurrent kernels.
    mask_value : float, default=None
        Value that marks padding: a step is masked if all its features equal this value. Recurrent layers skip masked
        steps. If None, no steps are masked.
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
    name : str, default="gru"
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

    Notes
    -----
    As by default in Keras, the reset gate is applied after the recurrent matrix multiplication, with a separate bias
    (``reset_after=True``). In the paper, it is applied before.

    References
    ----------
    K. Cho et al., "Learning phrase representations using RNN encoder-decoder for statistical machine translation",
    EMNLP, 1724-1734, 2014.

    Examples
    --------
    >>> from kerasnet.models import build_gru
    >>> build_gru((28, 28), units=(64, 32)).output_shape
    (None, 10)
    """
    return _recurrent("gru", layers.GRU, "gru", **locals())


def _recurrent(
    registered_name,
    layer_class,
    layer_name,
    *,
    input_shape,
    n_outputs,
    units,
    output_activation,
    dropout,
    l1,
    l2,
    mask_value,
    vocabulary_size,
    embedding_units,
    weights,
    name,
):
    """Build a network of stacked recurrent layers of class `layer_class`."""
    n_outputs = check_size("n_outputs", n_outputs)
    units = check_sizes("units", units)
    if not units:
        raise ValueError("units must have at least one entry, such as (64,). Received: ().")
    regularizer = make_regularizer(l1, l2)

    network = sequence_layers(input_shape, mask_value, vocabulary_size, embedding_units)
    for position, n_units in enumerate(units, start=1):
        network.append(
            layer_class(
                n_units,
                return_sequences=position < len(units),
                kernel_regularizer=regularizer,
                recurrent_regularizer=regularizer,
                name=f"{layer_name}_{position}",
            )
        )
        network += dropout_layers(dropout, f"dropout_{position}")
    network.append(layers.Dense(n_outputs, activation=output_activation, kernel_regularizer=regularizer, name="output"))
    return with_pretrained_weights(keras.Sequential(network, name=name), registered_name, weights)
