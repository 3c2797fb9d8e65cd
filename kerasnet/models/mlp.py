"""Multilayer perceptron."""

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
    make_regularizer,
)
from kerasnet.models._registry import register_model
from kerasnet.models._weights import with_pretrained_weights


@register_model(
    "mlp",
    input_kind="vector",
    tasks=("classification", "regression"),
    max_layers=lambda dense_units, **_: 3 + 2 * count_layers("dense_units", dense_units),
)
def build_mlp(
    input_shape: Sequence[int] = (784,),
    n_outputs: int = 10,
    *,
    dense_units: int | Sequence[int] = (128,),
    activation: str = "relu",
    output_activation: str = "softmax",
    dropout: float = 0.0,
    l1: float = 0.0,
    l2: float = 0.0,
    weights: str | None = None,
    name: str = "mlp",
) -> keras.Sequential:
    """Build a multilayer perceptron.

    Parameters
    ----------
    input_shape : tuple of int, default=(784,)
        Shape of one sample. Inputs with more than one axis are flattened first.
    n_outputs : int, default=10
        Number of outputs.
    dense_units : int or tuple of int, default=(128,)
        Number of units in each hidden dense layer. An int builds a single layer, an empty tuple a
        linear model.
    activation : str, default="relu"
        Activation function of the hidden dense layers.
    output_activation : str, default="softmax"
        Activation function of the output layer: "softmax" for multiclass classification, "sigmoid" for binary (one
        output) or multilabel classification, "linear" for regression.
    dropout : float, default=0.0
        Dropout rate after each hidden dense layer, in [0, 1).
    l1, l2 : float, default=0.0
        L1 and L2 regularization factors of all kernels.
    weights : str, default=None
        Name of the pretrained weights to load, such as "mnist"; see :func:`kerasnet.models.model_card`. If `n_outputs`
        differs from that of the pretrained model, the output layer is randomly initialized. If None, all weights are
        randomly initialized.
    name : str, default="mlp"
        Name of the model.

    Returns
    -------
    keras.Sequential
        Uncompiled model. Takes floats of shape ``(n_samples, *input_shape)``.

    Raises
    ------
    ValueError
        If an argument is invalid.

    Examples
    --------
    >>> from kerasnet.models import build_mlp
    >>> build_mlp().count_params()
    101770
    """
    input_shape = check_input_shape(input_shape)
    n_outputs = check_size("n_outputs", n_outputs)
    regularizer = make_regularizer(l1, l2)

    network = [keras.Input(input_shape, name="input")]
    if len(input_shape) > 1:
        network.append(layers.Flatten(name="flatten"))
    for position, units in enumerate(check_sizes("dense_units", dense_units), start=1):
        network.append(
            layers.Dense(units, activation=activation, kernel_regularizer=regularizer, name=f"dense_{position}")
        )
        network += dropout_layers(dropout, f"dropout_{position}")
    network.append(layers.Dense(n_outputs, activation=output_activation, kernel_regularizer=regularizer, name="output"))
    return with_pretrained_weights(keras.Sequential(network, name=name), "mlp", weights, activation)
