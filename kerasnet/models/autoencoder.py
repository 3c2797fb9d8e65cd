"""Dense and convolutional autoencoders."""

from __future__ import annotations

import math
from collections.abc import Sequence

import keras
from keras import layers

from kerasnet.models._arguments import check_input_shape, check_size, check_sizes, count_layers
from kerasnet.models._registry import register_model
from kerasnet.models._weights import with_pretrained_weights


@register_model(
    "autoencoder",
    input_kind="vector",
    tasks=("reconstruction",),
    max_layers=lambda **_: 5,
)
def build_autoencoder(
    input_shape: Sequence[int] = (784,),
    *,
    code_units: int = 128,
    activation: str = "relu",
    output_activation: str = "sigmoid",
    weights: str | None = None,
    name: str = "autoencoder",
) -> keras.Model:
    """Build a dense autoencoder with one hidden layer.

    The default model has 784 inputs, 128 code units and 784 outputs; 201,616 parameters.

    Parameters
    ----------
    input_shape : tuple of int, default=(784,)
        Shape of one sample. Inputs with more than one axis are flattened first; the outputs have the same shape.
    code_units : int, default=128
        Number of units of the code layer.
    activation : str, default="relu"
        Activation function of the code layer.
    output_activation : str, default="sigmoid"
        Activation function of the output layer: "sigmoid" for data in [0, 1], "linear" for other data.
    weights : str, default=None
        Name of the pretrained weights to load, such as "mnist"; see :func:`kerasnet.models.model_card`. If None, all
        weights are randomly initialized.
    name : str, default="autoencoder"
        Name of the model.

    Returns
    -------
    keras.Model
        Uncompiled functional model. Inputs and outputs have shape ``(n_samples, *input_shape)``. The latent code is the
        output of the layer "code".

    Raises
    ------
    ValueError
        If an argument is invalid.

    References
    ----------
    G. E. Hinton and R. R. Salakhutdinov, "Reducing the dimensionality of data with neural networks", Science,
    313(5786), 504-507, 2006.

    Examples
    --------
    The encoder is the model up to the layer "code":

    >>> import keras
    >>> from kerasnet.models import build_autoencoder
    >>> autoencoder = build_autoencoder()
    >>> autoencoder.count_params()
    201616
    >>> encoder = keras.Model(autoencoder.input, autoencoder.get_layer("code").output, name="encoder")
    >>> encoder.output_shape
    (None, 128)
    """
    input_shape = check_input_shape(input_shape)
    code_units = check_size("code_units", code_units)

    inputs = keras.Input(input_shape, name="input")
    flat = inputs if len(input_shape) == 1 else layers.Flatten(name="flatten")(inputs)
    code = layers.Dense(code_units, activation=activation, name="code")(flat)
    outputs = layers.Dense(math.prod(input_shape), activation=output_activation, name="reconstruction")(code)
    if len(input_shape) > 1:
        outputs = layers.Reshape(input_shape, name="reshape")(outputs)
    return with_pretrained_weights(keras.Model(inputs, outputs, name=name), "autoencoder", weights, activation)


@register_model(
    "conv_autoencoder",
    input_kind="image",
    tasks=("reconstruction",),
    max_layers=lambda filters, **_: 5 + 3 * count_layers("filters", filters),
)
def build_conv_autoencoder(
    input_shape: Sequence[int] = (28, 28, 1),
    *,
    filters: int | Sequence[int] = (16, 32),
    kernel_size: int = 3,
    code_units: int = 32,
    activation: str = "relu",
    code_activation: str = "linear",
    output_activation: str = "sigmoid",
    weights: str | None = None,
    name: str = "conv_autoencoder",
) -> keras.Model:
    """Build a convolutional autoencoder for images.

    The encoder halves height and width in each convolution and computes the latent code by a dense layer. The decoder
    consists of a dense layer and transposed convolutions. The default model encodes 28 x 28 images in 32 values and has
    111,521 parameters.

    Parameters
    ----------
    input_shape : tuple of int, default=(28, 28, 1)
        Shape of one image: (height, width, channels). Any size is supported.
    filters : int or tuple of int, default=(16, 32)
        Number of filters in each convolutional layer of the encoder. An int builds a single layer. The decoder uses the
        reverse order.
    kernel_size : int, default=3
        Height and width of the convolution kernels, in pixels.
    code_units : int, default=32
        Number of units of the code layer.
    activation : str, default="relu"
        Activation function of the convolutional layers and of the first dense layer of the decoder.
    code_activation : str, default="linear"
        Activation function of the code layer.
    output_activation : str, default="sigmoid"
        Activation function of the output layer: "sigmoid" for images in [0, 1], "linear" for other images.
    weights : str, default=None
        Name of the pretrained weights to load, such as "mnist"; see :func:`kerasnet.models.model_card`. If None, all
        weights are randomly initialized.
    name : str, default="conv_autoencoder"
        Name of the model.

    Returns
    -------
    keras.Model
        Uncompiled functional model. Inputs and outputs have shape ``(n_samples, *input_shape)``. The latent code is the
        output of the layer "code".

    Raises
    ------
    ValueError
        If an argument is invalid.

    References
    ----------
    J. Masci, U. Meier, D. Ciresan and J. Schmidhuber, "Stacked convolutional auto-encoders for hierarchical feature
    extraction", ICANN, 52-59, 2011.

    Examples
    --------
    >>> from kerasnet.models import build_conv_autoencoder
    >>> build_conv_autoencoder((30, 25, 3), code_units=64).output_shape
    (None, 30, 25, 3)
    """
    input_shape = check_input_shape(input_shape, ("height", "width", "channels"))
    filters_per_layer, kernel_size = check_sizes("filters", filters), check_size("kernel_size", kernel_size)
    if not filters_per_layer:
        raise ValueError("filters must have at least one entry, such as (16,). Received: ().")
    code_units = check_size("code_units", code_units)
    settings = {"strides": 2, "padding": "same"}

    sizes = [input_shape[:2]]  # height and width before each convolution and after the last
    inputs = values = keras.Input(input_shape, name="input")
    for position, n_filters in enumerate(filters_per_layer, start=1):
        convolution = layers.Conv2D(
            n_filters, kernel_size, activation=activation, **settings, name=f"encoder_conv_{position}"
        )
        values = convolution(values)
        sizes.append(values.shape[1:3])
    encoded_shape = values.shape[1:]
    values = layers.Flatten(name="flatten")(values)
    values = layers.Dense(code_units, activation=code_activation, name="code")(values)
    values = layers.Dense(math.prod(encoded_shape), activation=activation, name="decoder_dense")(values)
    values = layers.Reshape(encoded_shape, name="reshape")(values)
    for position in range(len(filters_per_layer), 0, -1):
        is_last = position == 1
        convolution = layers.Conv2DTranspose(
            input_shape[2] if is_last else filters_per_layer[position - 2],
            kernel_size,
            activation=output_activation if is_last else activation,
            **settings,
            name="reconstruction" if is_last else f"decoder_conv_{position}",
        )
        values = convolution(values)
        (height, width), (target_height, target_width) = values.shape[1:3], sizes[position - 1]
        if (height, width) != (target_height, target_width):  # odd sizes were rounded up by the encoder
            crop = layers.Cropping2D(((0, height - target_height), (0, width - target_width)), name=f"crop_{position}")
            values = crop(values)
    return with_pretrained_weights(keras.Model(inputs, values, name=name), "conv_autoencoder", weights, activation)
