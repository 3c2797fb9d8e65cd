"""The simple recurrent network of Elman."""

import keras
from keras import layers

from kerasnet.models._arguments import (
    check_input_shape,
    check_size,
    check_sizes,
    hidden_dropout,
    kernel_penalty,
)
from kerasnet.models._registry import register_model


@register_model("simple_rnn", input_kind="sequence", tasks=("classification", "regression"))
def build_simple_rnn(
    input_shape=(10, 32),
    n_outputs=10,
    *,
    units=(64,),
    output_activation="softmax",
    dropout=0.0,
    l1=0.0,
    l2=0.0,
    name="simple_rnn",
):
    """Build a simple recurrent neural network.

    With the defaults: 64 recurrent units over 10 steps of 32 features, 10 outputs; 6,858 parameters.

    Parameters
    ----------
    input_shape : tuple (steps, features), default=(10, 32)
        The shape of one sequence.
    n_outputs : int, default=10
        The number of outputs.
    units : tuple of int, default=(64,)
        The number of units of each recurrent layer; a longer tuple is a deeper network. All but the last hand
        on their whole sequence; the outputs see the last step of the last.
    output_activation : str, default="softmax"
        "softmax" for several classes, "sigmoid" for two (with one output), "linear" for regression.
    dropout : float, default=0.0
        The fraction, in [0, 1), of values dropped in training behind each recurrent layer.
    l1, l2 : float, default=0.0
        The weights of the L1 and L2 penalties on all kernels, recurrent ones too.
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
    input_shape = check_input_shape(input_shape, ("steps", "features"))
    n_outputs = check_size("n_outputs", n_outputs)
    units = check_sizes("units", units)
    if not units:
        raise ValueError("units must name at least one recurrent layer, such as (64,). Received: ().")
    penalty = kernel_penalty(l1, l2)

    network = [keras.Input(input_shape, name="input")]
    for position, n_units in enumerate(units, start=1):
        network.append(
            layers.SimpleRNN(
                n_units,
                return_sequences=position < len(units),
                kernel_regularizer=penalty,
                recurrent_regularizer=penalty,
                name=f"rnn_{position}",
            )
        )
        network += hidden_dropout(dropout, f"dropout_{position}")
    network.append(layers.Dense(n_outputs, activation=output_activation, kernel_regularizer=penalty, name="output"))
    return keras.Sequential(network, name=name)
