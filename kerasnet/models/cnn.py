"""Convolutional networks: blocks of convolution and pooling, then dense layers."""

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


def _max_layers(n_per_block, filters, dense_units):
    return 3 + n_per_block * count("filters", filters) + 2 * count("dense_units", dense_units)


@register_model(
    "cnn",
    input_kind="image",
    tasks=("classification", "regression"),
    max_layers=lambda filters, dense_units, **_: (
        3 + 3 * count("filters", filters) + 2 * count("dense_units", dense_units)
    ),
)
def build_cnn(
    input_shape=(28, 28, 1),
    n_outputs=10,
    *,
    filters=(32,),
    kernel_size=3,
    pool_size=2,
    dense_units=(128,),
    activation="relu",
    output_activation="softmax",
    dropout=0.0,
    l1=0.0,
    l2=0.0,
    weights=None,
    name="cnn",
):
    """Build a convolutional neural network.

    With the defaults: 32 filters of 3 x 3, max pooling of 2 x 2, 128 dense units, 10 outputs; 693,962 parameters.

    Parameters
    ----------
    input_shape : tuple (height, width, channels), default=(28, 28, 1)
        The shape of one image, in pixels.
    n_outputs : int, default=10
        The number of outputs.
    filters : int or tuple of int, default=(32,)
        The number of filters of each block of convolution and pooling; a longer tuple is a deeper network.
    kernel_size : int, default=3
        Height and width of the filters, in pixels. The convolutions do not pad.
    pool_size : int, default=2
        Height and width of the max pooling windows; 1 for none.
    dense_units : int or tuple of int, default=(128,)
        The number of units of each dense layer between the last block and the outputs.
    activation : str, default="relu"
        The activation of the convolutions and dense layers.
    output_activation : str, default="softmax"
        "softmax" for several classes, "sigmoid" for two (with one output), "linear" for regression.
    dropout : float, default=0.0
        The fraction, in [0, 1), of values dropped in training behind each block and each dense layer.
    l1, l2 : float, default=0.0
        The weights of the L1 and L2 penalties on all kernels.
    weights : str, default=None
        The name of a set of pretrained weights, such as "mnist"; see :func:`kerasnet.models.model_card`. With another
        `n_outputs` the outputs keep their initial weights. None for no pretrained weights.
    name : str, default="cnn"
        The name of the model.

    Returns
    -------
    keras.Sequential
        Uncompiled. It takes float images in [0, 1] of shape (n, height, width, channels), and does not rescale.

    Raises
    ------
    ValueError
        If an argument is out of its range, or the images become too small for a layer; the message names it.

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
    return _convolutional("cnn", **locals(), normalised=False)


@register_model(
    "lenet",
    input_kind="image",
    tasks=("classification", "regression"),
    max_layers=lambda filters, dense_units, **_: (
        3 + 5 * count("filters", filters) + 2 * count("dense_units", dense_units)
    ),
)
def build_lenet(
    input_shape=(28, 28, 1),
    n_outputs=10,
    *,
    filters=(16, 32),
    kernel_size=5,
    pool_size=2,
    dense_units=(128,),
    activation="relu",
    output_activation="softmax",
    dropout=0.2,
    l1=0.0,
    l2=0.0,
    weights=None,
    name="lenet",
):
    """Build a network after LeNet-5, with batch normalisation.

    With the defaults: 16 and 32 filters of 5 x 5, each normalised and followed by max pooling of 2 x 2, 128 dense
    units, 10 outputs; 80,346 parameters.

    Parameters
    ----------
    input_shape : tuple (height, width, channels), default=(28, 28, 1)
        The shape of one image, in pixels.
    n_outputs : int, default=10
        The number of outputs.
    filters : int or tuple of int, default=(16, 32)
        The number of filters of each block of convolution, normalisation and pooling; a longer tuple is a deeper
        network.
    kernel_size : int, default=5
        Height and width of the filters, in pixels. The convolutions do not pad.
    pool_size : int, default=2
        Height and width of the max pooling windows; 1 for none.
    dense_units : int or tuple of int, default=(128,)
        The number of units of each dense layer between the last block and the outputs.
    activation : str, default="relu"
        The activation of the convolutions and dense layers.
    output_activation : str, default="softmax"
        "softmax" for several classes, "sigmoid" for two (with one output), "linear" for regression.
    dropout : float, default=0.2
        The fraction, in [0, 1), of values dropped in training behind each block and each dense layer.
    l1, l2 : float, default=0.0
        The weights of the L1 and L2 penalties on all kernels.
    weights : str, default=None
        The name of a set of pretrained weights, such as "mnist"; see :func:`kerasnet.models.model_card`. With another
        `n_outputs` the outputs keep their initial weights. None for no pretrained weights.
    name : str, default="lenet"
        The name of the model.

    Returns
    -------
    keras.Sequential
        Uncompiled. It takes float images in [0, 1] of shape (n, height, width, channels), and does not rescale.

    Raises
    ------
    ValueError
        If an argument is out of its range, or the images become too small for a layer; the message names it.

    Notes
    -----
    What differs from the paper: batch normalisation (Ioffe and Szegedy, 2015), rectifiers, max pooling and dropout,
    more filters, and every map connected to every other.

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
    return _convolutional("lenet", **locals(), normalised=True)


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
    normalised,
):
    """Build blocks of convolution, perhaps normalisation, and pooling, then dense layers."""
    input_shape = check_input_shape(input_shape, ("height", "width", "channels"))
    n_outputs = check_size("n_outputs", n_outputs)
    kernel_size = check_size("kernel_size", kernel_size)
    pool_size = check_size("pool_size", pool_size)
    filters = check_sizes("filters", filters)
    _check_geometry(input_shape, len(filters), kernel_size, pool_size)
    penalty = kernel_penalty(l1, l2)

    network = [keras.Input(input_shape, name="input")]
    for block, n_filters in enumerate(filters, start=1):
        network.append(
            layers.Conv2D(
                n_filters,
                kernel_size,
                activation=None if normalised else activation,
                use_bias=not normalised,
                kernel_regularizer=penalty,
                name=f"conv_{block}",
            )
        )
        if normalised:
            network.append(layers.BatchNormalization(name=f"norm_{block}"))
            network.append(layers.Activation(activation, name=f"activation_{block}"))
        network.append(layers.MaxPooling2D(pool_size, name=f"pool_{block}"))
        network += hidden_dropout(dropout, f"conv_dropout_{block}")
    network.append(layers.Flatten(name="flatten"))
    for position, units in enumerate(check_sizes("dense_units", dense_units), start=1):
        network.append(layers.Dense(units, activation=activation, kernel_regularizer=penalty, name=f"dense_{position}"))
        network += hidden_dropout(dropout, f"dropout_{position}")
    network.append(layers.Dense(n_outputs, activation=output_activation, kernel_regularizer=penalty, name="output"))
    return with_pretrained_weights(keras.Sequential(network, name=name), registered_name, weights)


def _check_geometry(input_shape, n_blocks, kernel_size, pool_size):
    """Follow height and width through the blocks; name the first layer that they are too small for."""
    height, width, _ = input_shape
    for block in range(1, n_blocks + 1):
        for layer, window in ((f"conv_{block}", kernel_size), (f"pool_{block}", pool_size)):
            if min(height, width) < window:
                raise ValueError(
                    f"Layer {layer!r} needs at least {window} x {window} pixels, but the layers before it leave "
                    f"{height} x {width} of the image. Use fewer filters (now {n_blocks} blocks), a smaller "
                    f"kernel_size or pool_size, or larger images. Received: input_shape={input_shape}, "
                    f"kernel_size={kernel_size}, pool_size={pool_size}."
                )
            if layer.startswith("conv"):
                height, width = height - window + 1, width - window + 1
            else:
                height, width = height // window, width // window
