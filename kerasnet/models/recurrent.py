"""Recurrent networks: the simple one of Elman, and those with gates, LSTM and GRU."""

import keras
from keras import layers

from kerasnet.models._arguments import (
    check_input_shape,
    check_size,
    check_sizes,
    count,
    hidden_dropout,
    kernel_penalty,
    mask_layer,
)
from kerasnet.models._registry import register_model
from kerasnet.models._weights import with_pretrained_weights


@register_model(
    "simple_rnn",
    input_kind="sequence",
    tasks=("classification", "regression"),
    max_layers=lambda units, **_: 3 + 3 * count("units", units),
)
def build_simple_rnn(
    input_shape=(10, 32),
    n_outputs=10,
    *,
    units=(64,),
    output_activation="softmax",
    dropout=0.0,
    l1=0.0,
    l2=0.0,
    mask_value=None,
    weights=None,
    name="simple_rnn",
):
    """Build a simple recurrent neural network.

    With the defaults: 64 recurrent units over 10 steps of 32 features, 10 outputs; 6,858 parameters.

    Parameters
    ----------
    input_shape : tuple (steps, features), default=(10, 32)
        The shape of one sequence; None as steps for sequences of any length.
    n_outputs : int, default=10
        The number of outputs.
    units : int or tuple of int, default=(64,)
        The number of units of each recurrent layer; a longer tuple is a deeper network. All but the last hand
        on their whole sequence; the outputs see the last step of the last.
    output_activation : str, default="softmax"
        "softmax" for several classes, "sigmoid" for two (with one output), "linear" for regression.
    dropout : float, default=0.0
        The fraction, in [0, 1), of values dropped in training behind each recurrent layer.
    l1, l2 : float, default=0.0
        The weights of the L1 and L2 penalties on all kernels, recurrent ones too.
    mask_value : float, default=None
        Steps whose features all have this value are padding, and are skipped. No step is when None.
    weights : str, default=None
        The name of a set of pretrained weights, such as "mnist"; see :func:`kerasnet.models.model_card`. With another
        `n_outputs` the outputs keep their initial weights. None for no pretrained weights.
    name : str, default="simple_rnn"
        The name of the model.

    Returns
    -------
    keras.Sequential
        Uncompiled. It takes floats of shape (n, steps, features).

    Raises
    ------
    ValueError
        If an argument is out of its range.

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
    max_layers=lambda units, **_: 3 + 3 * count("units", units),
)
def build_lstm(
    input_shape=(10, 32),
    n_outputs=10,
    *,
    units=(64,),
    output_activation="softmax",
    dropout=0.0,
    l1=0.0,
    l2=0.0,
    mask_value=None,
    weights=None,
    name="lstm",
):
    """Build a network with long short-term memory.

    With the defaults: 64 units over 10 steps of 32 features, 10 outputs; 25,482 parameters.

    Parameters
    ----------
    input_shape : tuple (steps, features), default=(10, 32)
        The shape of one sequence; None as steps for sequences of any length.
    n_outputs : int, default=10
        The number of outputs.
    units : int or tuple of int, default=(64,)
        The number of units of each recurrent layer; a longer tuple is a deeper network. All but the last hand
        on their whole sequence; the outputs see the last step of the last.
    output_activation : str, default="softmax"
        "softmax" for several classes, "sigmoid" for two (with one output), "linear" for regression.
    dropout : float, default=0.0
        The fraction, in [0, 1), of values dropped in training behind each recurrent layer.
    l1, l2 : float, default=0.0
        The weights of the L1 and L2 penalties on all kernels, recurrent ones too.
    mask_value : float, default=None
        Steps whose features all have this value are padding, and are skipped. No step is when None.
    weights : str, default=None
        The name of a set of pretrained weights, such as "mnist"; see :func:`kerasnet.models.model_card`. With another
        `n_outputs` the outputs keep their initial weights. None for no pretrained weights.
    name : str, default="lstm"
        The name of the model.

    Returns
    -------
    keras.Sequential
        Uncompiled. It takes floats of shape (n, steps, features).

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    The gate that forgets starts at 1, as in the work of Jozefowicz, Zaremba and Sutskever (2015).

    References
    ----------
    S. Hochreiter and J. Schmidhuber, "Long short-term memory", Neural Computation, 9(8), 1735-1780, 1997.

    Examples
    --------
    Sequences of any length, padded with -1:

    >>> from kerasnet.models import build_lstm
    >>> build_lstm((None, 3), 2, mask_value=-1.0).input_shape
    (None, None, 3)
    """
    return _recurrent("lstm", layers.LSTM, "lstm", **locals())


@register_model(
    "gru",
    input_kind="sequence",
    tasks=("classification", "regression"),
    max_layers=lambda units, **_: 3 + 3 * count("units", units),
)
def build_gru(
    input_shape=(10, 32),
    n_outputs=10,
    *,
    units=(64,),
    output_activation="softmax",
    dropout=0.0,
    l1=0.0,
    l2=0.0,
    mask_value=None,
    weights=None,
    name="gru",
):
    """Build a network with gated recurrent units.

    With the defaults: 64 units over 10 steps of 32 features, 10 outputs; 19,466 parameters.

    Parameters
    ----------
    input_shape : tuple (steps, features), default=(10, 32)
        The shape of one sequence; None as steps for sequences of any length.
    n_outputs : int, default=10
        The number of outputs.
    units : int or tuple of int, default=(64,)
        The number of units of each recurrent layer; a longer tuple is a deeper network. All but the last hand
        on their whole sequence; the outputs see the last step of the last.
    output_activation : str, default="softmax"
        "softmax" for several classes, "sigmoid" for two (with one output), "linear" for regression.
    dropout : float, default=0.0
        The fraction, in [0, 1), of values dropped in training behind each recurrent layer.
    l1, l2 : float, default=0.0
        The weights of the L1 and L2 penalties on all kernels, recurrent ones too.
    mask_value : float, default=None
        Steps whose features all have this value are padding, and are skipped. No step is when None.
    weights : str, default=None
        The name of a set of pretrained weights, such as "mnist"; see :func:`kerasnet.models.model_card`. With another
        `n_outputs` the outputs keep their initial weights. None for no pretrained weights.
    name : str, default="gru"
        The name of the model.

    Returns
    -------
    keras.Sequential
        Uncompiled. It takes floats of shape (n, steps, features).

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    As in Keras, the gate that resets acts behind the recurrent product (``reset_after=True``), with a bias of its
    own; in the paper it acts before.

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
    kind,
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
    weights,
    name,
):
    """Build a network of recurrent layers of one kind."""
    input_shape = check_input_shape(input_shape, ("steps", "features"))
    n_outputs = check_size("n_outputs", n_outputs)
    units = check_sizes("units", units)
    if not units:
        raise ValueError("units must name at least one recurrent layer, such as (64,). Received: ().")
    penalty = kernel_penalty(l1, l2)

    network = [keras.Input(input_shape, name="input"), *mask_layer(mask_value)]
    for position, n_units in enumerate(units, start=1):
        network.append(
            kind(
                n_units,
                return_sequences=position < len(units),
                kernel_regularizer=penalty,
                recurrent_regularizer=penalty,
                name=f"{layer_name}_{position}",
            )
        )
        network += hidden_dropout(dropout, f"dropout_{position}")
    network.append(layers.Dense(n_outputs, activation=output_activation, kernel_regularizer=penalty, name="output"))
    return with_pretrained_weights(keras.Sequential(network, name=name), registered_name, weights)
