"""The autoencoder: a network that learns a short code of its input by reproducing it."""

import math

import keras
from keras import layers

from kerasnet.models._arguments import check_input_shape, check_size
from kerasnet.models._registry import register_model


@register_model("autoencoder", input_kind="vector", tasks=("reconstruction",))
def build_autoencoder(
    input_shape=(784,),
    *,
    code_units=128,
    activation="relu",
    output_activation="sigmoid",
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
    return keras.Model(inputs, outputs, name=name)
