"""Convolutional neural networks with convolution and pooling blocks followed by dense layers."""

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
    "cnn",
    input_kind="image",
    tasks=("classification", "regression"),
    max_layers=lambda filters, dense_units, **_: (
        3 + 3 * count_layers("filters", filters) + 2 * count_layers("dense_units", dense_units)
    ),
)
def build_cnn(
    input_shape: Sequence[int] = (28, 28, 1),
    n_outputs: int = 10,
    *,
    filters: int | Sequence[int] = (32,),
    kernel_size: int = 3,
    pool_size: int = 2,
    dense_units: int | Sequence[int] = (128,),
    activation: str = "relu",
    output_activation: str = "softmax",
    dropout: float = 0.0,
    l1: float = 0.0,
    l2: float = 0.0,
    weights: str | None = None,
    name: str = "cnn",
) -> keras.Sequential:
    """Build a convolutional neural network.

    The default model has 32 filters of 3 x 3, max pooling of 2 x 2, 128 dense units, 10 outputs and 693,962 parameters.

    Parameters
    ----------
    input_shape : tuple of int, default=(28, 28, 1)
        Shape of one image: (height, width, channels).
    n_outputs : int, default=10
        Number of outputs.
    filters : int or tuple of int, default=(32,)
        Number of filters in each convolutional block. An int builds a single block.
    kernel_size : int, default=3
        Height and width of the convolution kernels, in pixels. The convolutions use no padding.
    pool_size : int, default=2
        Height and width of the max pooling windows, in pixels. 1 disables pooling.
    dense_units : int or tuple of int, default=(128,)
        Number of units in each hidden dense layer. An int builds a single layer.
    activation : str, default="relu"
        Activation function of the convolutional and hidden dense layers.
    output_activation : str, default="softmax"
        Activation function of the output layer: "softmax" for multiclass classification, "sigmoid" for binary (one
        output) or multilabel classification, "linear" for regression.
    dropout : float, default=0.0
        Dropout rate after each block and each hidden dense layer, in [0, 1).
    l1, l2 : float, default=0.0
        L1 and L2 regularization factors of all kernels.
    weights : str, default=None
        Name of the pretrained weights to load, such as "mnist"; see :func:`kerasnet.models.model_card`. If `n_outputs`
        differs from that of the pretrained model, the output layer is randomly initialized. If None, all weights are
        randomly initialized.
    name : str, default="cnn"
        Name of the model.

    Returns
    -------
    keras.Sequential
        Uncompiled model. Takes floats in [0, 1] of shape (n_samples, height, width, channels), without rescaling.

    Raises
    ------
    ValueError
        If an argument is invalid, or the images are too small for a layer, which the message names.

    References
    ----------
    Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-based learning applied to document recognition",
    Proceedings of the IEEE, 86(11), 2278-2324, 1998.

    Examples
    --------
    >>> from kerasnet.models import build_cnn
    >>> build_cnn().count_params()
    693962
    >>> build_cnn((32, 32, 3), 2, filters=(16, 32)).output_shape
    (None, 2)
    """
    return _convolutional("cnn", **locals(), batch_norm=False)


@register_model(
    "lenet",
    input_kind="image",
    tasks=("classification", "regression"),
    max_layers=lambda filters, dense_units, **_: (
        3 + 5 * count_layers("filters", filters) + 2 * count_layers("dense_units", dense_units)
    ),
)
def build_lenet(
    input_shape: Sequence[int] = (28, 28, 1),
    n_outputs: int = 10,
    *,
    filters: int | Sequence[int] = (16, 32),
    kernel_size: int = 5,
    pool_size: int = 2,
    dense_units: int | Sequence[int] = (128,),
    activation: str = "relu",
    output_activation: str = "softmax",
    dropout: float = 0.2,
    l1: float = 0.0,
    l2: float = 0.0,
    weights: str | None = None,
    name: str = "lenet",
) -> keras.Sequential:
    """Build a LeNet-5 style network with batch normalization.

    The default model has two convolutional blocks with 16 and 32 filters of 5 x 5, batch normalization and max pooling
    of 2 x 2, then 128 dense units and 10 outputs; 80,346 parameters.

    Parameters
    ----------
    input_shape : tuple of int, default=(28, 28, 1)
        Shape of one image: (height, width, channels).
    n_outputs : int, default=10
        Number of outputs.
    filters : int or tuple of int, default=(16, 32)
        Number of filters in each convolutional block. An int builds a single block.
    kernel_size : int, default=5
        Height and width of the convolution kernels, in pixels. The convolutions use no padding.
    pool_size : int, default=2
        Height and width of the max pooling windows, in pixels. 1 disables pooling.
    dense_units : int or tuple of int, default=(128,)
        Number of units in each hidden dense layer. An int builds a single layer.
    activation : str, default="relu"
        Activation function of the convolutional and hidden dense layers.
    output_activation : str, default="softmax"
        Activation function of the output layer: "softmax" for multiclass classification, "sigmoid" for binary (one
        output) or multilabel classification, "linear" for regression.
    dropout : float, default=0.2
        Dropout rate after each block and each hidden dense layer, in [0, 1).
    l1, l2 : float, default=0.0
        L1 and L2 regularization factors of all kernels.
    weights : str, default=None
        Name of the pretrained weights to load, such as "mnist"; see :func:`kerasnet.models.model_card`. If `n_outputs`
        differs from that of the pretrained model, the output layer is randomly initialized. If None, all weights are
        randomly initialized.
    name : str, default="lenet"
        Name of the model.

    Returns
    -------
    keras.Sequential
        Uncompiled model. Takes floats in [0, 1] of shape (n_samples, height, width, channels), without rescaling.

    Raises
    ------
    ValueError
        If an argument is invalid, or the images are too small for a layer, which the message names.

    Notes
    -----
    Differences from the paper: batch normalization (Ioffe and Szegedy, 2015), ReLU activations, max pooling, dropout,
    more filters, convolutions over all input channels, one hidden dense layer instead of two, and softmax outputs.

    References
    ----------
    Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, "Gradient-based learning applied to document recognition",
    Proceedings of the IEEE, 86(11), 2278-2324, 1998.

    Examples
    --------
    >>> from kerasnet.models import build_lenet
    >>> build_lenet((32, 32, 3), 2).output_shape
    (None, 2)
    """
    return _convolutional("lenet", **locals(), batch_norm=True)


def _convolutional(
    registered_name,
    *,
    input_shape,
    n_outputs,
    filters,
    kernel_size,
    pool_size,
    dense_units,
    activation,
    output_activation,
    dropout,
    l1,
    l2,
    weights,
    name,
    batch_norm,
):
    """Build convolution and pooling blocks, with optional batch normalization, followed by dense layers."""
    input_shape = check_input_shape(input_shape, ("height", "width", "channels"))
    n_outputs = check_size("n_outputs", n_outputs)
    kernel_size = check_size("kernel_size", kernel_size)
    pool_size = check_size("pool_size", pool_size)
    filters = check_sizes("filters", filters)
    _check_geometry(input_shape, len(filters), kernel_size, pool_size)
    regularizer = make_regularizer(l1, l2)

    network = [keras.Input(input_shape, name="input")]
    for block, n_filters in enumerate(filters, start=1):
        network.append(
            layers.Conv2D(
                n_filters,
                kernel_size,
                activation=None if batch_norm else activation,
                use_bias=not batch_norm,
                kernel_regularizer=regularizer,
                name=f"conv_{block}",
            )
        )
        if batch_norm:
            network.append(layers.BatchNormalization(name=f"norm_{block}"))
            network.append(layers.Activation(activation, name=f"activation_{block}"))
        network.append(layers.MaxPooling2D(pool_size, name=f"pool_{block}"))
        network += dropout_layers(dropout, f"conv_dropout_{block}")
    network.append(layers.Flatten(name="flatten"))
    for position, units in enumerate(check_sizes("dense_units", dense_units), start=1):
        network.append(
            layers.Dense(units, activation=activation, kernel_regularizer=regularizer, name=f"dense_{position}")
        )
        network += dropout_layers(dropout, f"dropout_{position}")
    network.append(layers.Dense(n_outputs, activation=output_activation, kernel_regularizer=regularizer, name="output"))
    return with_pretrained_weights(keras.Sequential(network, name=name), registered_name, weights, activation)


def _check_geometry(input_shape, n_blocks, kernel_size, pool_size):
    """Raise an error that names the first layer for which the feature maps are too small."""
    height, width, _ = input_shape
    for block in range(1, n_blocks + 1):
        for layer, window in ((f"conv_{block}", kernel_size), (f"pool_{block}", pool_size)):
            if min(height, width) < window:
                raise ValueError(
                    f"Layer {layer!r} needs at least {window} x {window} pixels, but its input has "
                    f"{height} x {width}. Use fewer blocks (len(filters) is {n_blocks}), a smaller kernel_size or "
                    f"pool_size, or larger images. Received: input_shape={input_shape}, "
                    f"kernel_size={kernel_size}, pool_size={pool_size}."
                )
            if layer.startswith("conv"):
                height, width = height - window + 1, width - window + 1
            else:
                height, width = height // window, width // window
