"""The convolutional network over time."""

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
from kerasnet.models._layers import MaskedAveragePooling1D, MaskedConv1D
from kerasnet.models._registry import register_model
from kerasnet.models._weights import with_pretrained_weights


@register_model(
    "conv1d",
    input_kind="sequence",
    tasks=("classification", "regression"),
    max_layers=lambda filters, **_: 4 + 4 * count("filters", filters),
)
def build_conv1d(
    input_shape=(10, 32),
    n_outputs=10,
    *,
    filters=(64, 128, 64),
    kernel_size=5,
    activation="relu",
    output_activation="softmax",
    dropout=0.0,
    l1=0.0,
    l2=0.0,
    mask_value=None,
    weights=None,
    name="conv1d",
):
    """Build a fully convolutional network over time.

    Blocks of convolution, batch normalisation and activation, and the average over all steps; with the defaults
    93,834 parameters.

    Parameters
    ----------
    input_shape : tuple (steps, features), default=(10, 32)
        The shape of one sequence; None as steps for sequences of any length.
    n_outputs : int, default=10
        The number of outputs.
    filters : int or tuple of int, default=(64, 128, 64)
        The number of filters of each block; a longer tuple is a deeper network.
    kernel_size : int, default=5
        The length of the filters, in steps. The convolutions pad with zeros, so that no step is lost.
    activation : str, default="relu"
        The activation of the blocks.
    output_activation : str, default="softmax"
        "softmax" for several classes, "sigmoid" for two (with one output), "linear" for regression.
    dropout : float, default=0.0
        The fraction, in [0, 1), of values dropped in training behind each block.
    l1, l2 : float, default=0.0
        The weights of the L1 and L2 penalties on all kernels.
    mask_value : float, default=None
        Steps whose features all have this value are padding: they count as the zeros beyond the end of a sequence, and
        not at all in averages. No step is when None.
    weights : str, default=None
        The name of a set of pretrained weights, such as "mnist"; see :func:`kerasnet.models.model_card`. With another
        `n_outputs` the outputs keep their initial weights. None for no pretrained weights.
    name : str, default="conv1d"
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
    Z. Wang, W. Yan and T. Oates, "Time series classification from scratch with deep neural networks: a strong
    baseline", IJCNN, 1578-1585, 2017.

    Examples
    --------
    >>> from kerasnet.models import build_conv1d
    >>> build_conv1d((None, 3), 2, filters=(8, 8)).output_shape
    (None, 2)
    """
    input_shape = check_input_shape(input_shape, ("steps", "features"))
    n_outputs = check_size("n_outputs", n_outputs)
    kernel_size = check_size("kernel_size", kernel_size)
    filters = check_sizes("filters", filters)
    penalty = kernel_penalty(l1, l2)

    network = [keras.Input(input_shape, name="input"), *mask_layer(mask_value)]
    for block, n_filters in enumerate(filters, start=1):
        network += [
            MaskedConv1D(
                n_filters,
                kernel_size,
                padding="same",
                use_bias=False,
                kernel_regularizer=penalty,
                name=f"conv_{block}",
            ),
            layers.BatchNormalization(momentum=0.9, name=f"norm_{block}"),
            layers.Activation(activation, name=f"activation_{block}"),
            *hidden_dropout(dropout, f"dropout_{block}"),
        ]
    network.append(MaskedAveragePooling1D(name="average"))
    network.append(layers.Dense(n_outputs, activation=output_activation, kernel_regularizer=penalty, name="output"))
    return with_pretrained_weights(keras.Sequential(network, name=name), "conv1d", weights)
