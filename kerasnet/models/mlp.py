"""The multi-layer perceptron: dense layers alone."""

import keras
from keras import layers

from kerasnet.models._arguments import (
    check_input_shape,
    check_size,
    check_sizes,
    count,
    hidden_dropout,
    kernel_penalty,
)
from kerasnet.models._registry import register_model
from kerasnet.models._weights import with_pretrained_weights


@register_model(
    "mlp",
    input_kind="vector",
    tasks=("classification", "regression"),
    max_layers=lambda dense_units, **_: 3 + 2 * count("dense_units", dense_units),
)
def build_mlp(
    input_shape=(784,),
    n_outputs=10,
    *,
    dense_units=(128,),
    activation="relu",
    output_activation="softmax",
    dropout=0.0,
    l1=0.0,
    l2=0.0,
    weights=None,
    name="mlp",
):
    """Build a multi-layer perceptron.

    Parameters
    ----------
    input_shape : tuple of int, default=(784,)
        The shape of one sample. Samples of more than one axis are flattened first.
    n_outputs : int, default=10
        The number of outputs.
    dense_units : int or tuple of int, default=(128,)
        The number of units of each hidden layer; a longer tuple is a deeper network, an empty one is a linear
        model.
    activation : str, default="relu"
        The activation of the hidden layers.
    output_activation : str, default="softmax"
        "softmax" for several classes, "sigmoid" for two (with one output), "linear" for regression.
    dropout : float, default=0.0
        The fraction, in [0, 1), of values dropped in training behind each hidden layer.
    l1, l2 : float, default=0.0
        The weights of the L1 and L2 penalties on all kernels.
    weights : str, default=None
        The name of a set of pretrained weights, such as "mnist"; see :func:`kerasnet.models.model_card`. With another
        `n_outputs` the outputs keep their initial weights. None for no pretrained weights.
    name : str, default="mlp"
        The name of the model.

    Returns
    -------
    keras.Sequential
        Uncompiled. It takes floats of shape ``(n, *input_shape)``.

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Examples
    --------
    >>> from kerasnet.models import build_mlp
    >>> build_mlp().count_params()
    101770
    """
    input_shape = check_input_shape(input_shape)
    n_outputs = check_size("n_outputs", n_outputs)
    penalty = kernel_penalty(l1, l2)

    network = [keras.Input(input_shape, name="input")]
    if len(input_shape) > 1:
        network.append(layers.Flatten(name="flatten"))
    for position, units in enumerate(check_sizes("dense_units", dense_units), start=1):
        network.append(layers.Dense(units, activation=activation, kernel_regularizer=penalty, name=f"dense_{position}"))
        network += hidden_dropout(dropout, f"dropout_{position}")
    network.append(layers.Dense(n_outputs, activation=output_activation, kernel_regularizer=penalty, name="output"))
    return with_pretrained_weights(keras.Sequential(network, name=name), "mlp", weights)
