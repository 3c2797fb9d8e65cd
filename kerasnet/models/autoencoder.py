"""Autoencoders: networks that learn a short code of their input by reproducing it."""

import math

import keras
from keras import layers

from kerasnet.models._arguments import check_input_shape, check_size, check_sizes, count
from kerasnet.models._registry import register_model
from kerasnet.models._weights import with_pretrained_weights


@register_model(
    "autoencoder",
    input_kind="vector",
    tasks=("reconstruction",),
    max_layers=lambda **_: 5,
)
def build_autoencoder(
    input_shape=(784,),
    *,
    code_units=128,
    activation="relu",
    output_activation="sigmoid",
    weights=None,
    name="autoencoder",
):
    """Build an autoencoder of one code layer.

    With the defaults: 784 values, 128 code units, 784 values; 201,616 parameters.

    Parameters
    ----------
    input_shape : tuple of int, default=(784,)
        The shape of one sample. Samples of more than one axis are flattened, and come back in shape.
    code_units : int, default=128
        The length of the code.
    activation : str, default="relu"
        The activation of the code.
    output_activation : str, default="sigmoid"
        "sigmoid" for data in [0, 1], "linear" for other data.
    weights : str, default=None
        The name of a set of pretrained weights, such as "mnist"; see :func:`kerasnet.models.model_card`. None for no
        pretrained weights.
    name : str, default="autoencoder"
        The name of the model.

    Returns
    -------
    keras.Model
        Functional and uncompiled; input and output have the shape ``(n, *input_shape)``. The layer "code" gives
        the codes.

    Raises
    ------
    ValueError
        If an argument is out of its range.

    References
    ----------
    G. E. Hinton and R. R. Salakhutdinov, "Reducing the dimensionality of data with neural networks", Science,
    313(5786), 504-507, 2006.

    Examples
    --------
    The codes alone come from a model that ends at the layer "code":

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
    return with_pretrained_weights(keras.Model(inputs, outputs, name=name), "autoencoder", weights)


@register_model(
    "conv_autoencoder",
    input_kind="image",
    tasks=("reconstruction",),
    max_layers=lambda filters, **_: 5 + 3 * count("filters", filters),
)
def build_conv_autoencoder(
    input_shape=(28, 28, 1),
    *,
    filters=(16, 32),
    kernel_size=3,
    code_units=32,
    activation="relu",
    code_activation="linear",
    output_activation="sigmoid",
    weights=None,
    name="conv_autoencoder",
):
    """Build a convolutional autoencoder of images.

    Each convolution halves the image, a dense layer makes the code, and transposed convolutions double the image
    again; with the defaults 1,568 values are described by 32, with 111,521 parameters.

    Parameters
    ----------
    input_shape : tuple (height, width, channels), default=(28, 28, 1)
        The shape of one image, in pixels; of any size.
    filters : int or tuple of int, default=(16, 32)
        The number of filters of each convolution; the decoder has them in reverse.
    kernel_size : int, default=3
        Height and width of the filters, in pixels.
    code_units : int, default=32
        The length of the code.
    activation : str, default="relu"
        The activation of the convolutions.
    code_activation : str, default="linear"
        The activation of the code.
    output_activation : str, default="sigmoid"
        "sigmoid" for images in [0, 1], "linear" for other images.
    weights : str, default=None
        The name of a set of pretrained weights, such as "mnist"; see :func:`kerasnet.models.model_card`. None for no
        pretrained weights.
    name : str, default="conv_autoencoder"
        The name of the model.

    Returns
    -------
    keras.Model
        Functional and uncompiled; input and output have the shape ``(n, *input_shape)``. The layer "code" gives
        the codes.

    Raises
    ------
    ValueError
        If an argument is out of its range.

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
    filters, kernel_size = check_sizes("filters", filters), check_size("kernel_size", kernel_size)
    if not filters:
        raise ValueError("filters must have at least one entry, for a convolution. Received: ().")
    code_units = check_size("code_units", code_units)
    settings = {"strides": 2, "padding": "same"}

    sizes = [input_shape[:2]]  # before each convolution, and behind the last
    inputs = values = keras.Input(input_shape, name="input")
    for position, n_filters in enumerate(filters, start=1):
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
    for position in range(len(filters), 0, -1):
        is_last = position == 1
        convolution = layers.Conv2DTranspose(
            input_shape[2] if is_last else filters[position - 2],
            kernel_size,
            activation=output_activation if is_last else activation,
            **settings,
            name="reconstruction" if is_last else f"decoder_conv_{position}",
        )
        values = convolution(values)
        (height, width), (wanted_height, wanted_width) = values.shape[1:3], sizes[position - 1]
        if (height, width) != (wanted_height, wanted_width):  # of an odd number, "half" is rounded up
            crop = layers.Cropping2D(((0, height - wanted_height), (0, width - wanted_width)), name=f"crop_{position}")
            values = crop(values)
    return with_pretrained_weights(keras.Model(inputs, values, name=name), "conv_autoencoder", weights)
