"""The residual network, small."""

import keras
from keras import layers

from kerasnet.models._arguments import check_input_shape, check_size, hidden_dropout, kernel_penalty
from kerasnet.models._registry import register_model
from kerasnet.models._weights import with_pretrained_weights

_N_STAGES = 3


@register_model(
    "resnet_small",
    input_kind="image",
    tasks=("classification", "regression"),
    max_layers=lambda depth, **_: 4 + 4 * check_size("depth", depth),
)
def build_resnet_small(
    input_shape=(28, 28, 1),
    n_outputs=10,
    *,
    depth=8,
    width=16,
    activation="relu",
    output_activation="softmax",
    dropout=0.0,
    l1=0.0,
    l2=0.0,
    weights=None,
    name="resnet_small",
):
    """Build a residual network as those that were made for CIFAR-10, for images of any size and number of channels.

    A convolution, and three stages of residual blocks of two convolutions each; from stage to stage the image is
    halved and the number of filters doubled. Then the average over the image. With the defaults 78,426 parameters.

    Parameters
    ----------
    input_shape : tuple (height, width, channels), default=(28, 28, 1)
        The shape of one image, in pixels.
    n_outputs : int, default=10
        The number of outputs.
    depth : int, default=8
        The number of layers with weights along the longest path: 6 n + 2 for n blocks a stage, so 8, 14, 20, ...
    width : int, default=16
        The number of filters of the first stage.
    activation : str, default="relu"
        The activation of the convolutions.
    output_activation : str, default="softmax"
        "softmax" for several classes, "sigmoid" for two (with one output), "linear" for regression.
    dropout : float, default=0.0
        The fraction, in [0, 1), of values dropped in training before the outputs.
    l1, l2 : float, default=0.0
        The weights of the L1 and L2 penalties on all kernels.
    weights : str, default=None
        The name of a set of pretrained weights, such as "mnist"; see :func:`kerasnet.models.model_card`. With another
        `n_outputs` the outputs keep their initial weights. None for no pretrained weights.
    name : str, default="resnet_small"
        The name of the model.

    Returns
    -------
    keras.Model
        Functional and uncompiled. It takes float images in [0, 1] of shape (n, height, width, channels), and does not
        rescale. The layers "stage_1", "stage_2" and "stage_3" give what the stages end in.

    Raises
    ------
    ValueError
        If an argument is out of its range.

    Notes
    -----
    A deviation from the paper: where the shape changes, shortcuts are convolutions of 1 x 1 (its option B), for
    which it has none for CIFAR-10 (option A).

    References
    ----------
    K. He, X. Zhang, S. Ren and J. Sun, "Deep residual learning for image recognition", CVPR, 770-778, 2016.

    Examples
    --------
    >>> from kerasnet.models import build_resnet_small
    >>> model = build_resnet_small((32, 32, 3), depth=14, width=8)
    >>> model.get_layer("stage_3").output.shape
    (None, 8, 8, 32)
    """
    input_shape = check_input_shape(input_shape, ("height", "width", "channels"))
    n_outputs, width = check_size("n_outputs", n_outputs), check_size("width", width)
    if check_size("depth", depth) < 8 or (depth - 2) % 6:
        raise ValueError(f"depth must be 6 n + 2 for n blocks a stage: 8, 14, 20, ... Received: {depth!r}.")
    settings = {"activation": activation, "penalty": kernel_penalty(l1, l2)}

    inputs = keras.Input(input_shape, name="input")
    values = _convolution(inputs, width, 3, 1, "stem", settings["penalty"])
    values = layers.Activation(activation, name="stem_activation")(values)
    n_blocks = (depth - 2) // 6
    for stage in range(1, _N_STAGES + 1):
        for block in range(1, n_blocks + 1):
            values = _residual_block(
                values,
                width * 2 ** (stage - 1),
                strides=2 if stage > 1 and block == 1 else 1,
                name=f"stage_{stage}_block_{block}",
                output_name=f"stage_{stage}" if block == n_blocks else f"stage_{stage}_block_{block}",
                **settings,
            )
    values = layers.GlobalAveragePooling2D(name="average")(values)
    for layer in hidden_dropout(dropout, "dropout"):
        values = layer(values)
    outputs = layers.Dense(
        n_outputs, activation=output_activation, kernel_regularizer=settings["penalty"], name="output"
    )
    model = keras.Model(inputs, outputs(values), name=name)
    return with_pretrained_weights(model, "resnet_small", weights)


def _residual_block(values, filters, *, strides, name, output_name, activation, penalty):
    """Add what two convolutions make of the values to the values themselves."""
    shortcut = values
    if strides > 1 or values.shape[-1] != filters:
        shortcut = _convolution(values, filters, 1, strides, f"{name}_shortcut", penalty)
    values = _convolution(values, filters, 3, strides, f"{name}_conv_1", penalty)
    values = layers.Activation(activation, name=f"{name}_activation")(values)
    values = _convolution(values, filters, 3, 1, f"{name}_conv_2", penalty)
    values = layers.Add(name=f"{name}_sum")([values, shortcut])
    return layers.Activation(activation, name=output_name)(values)


def _convolution(values, filters, kernel_size, strides, name, penalty):
    """Convolve and normalise, without activation."""
    values = layers.Conv2D(
        filters,
        kernel_size,
        strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        kernel_regularizer=penalty,
        name=name,
    )(values)
    return layers.BatchNormalization(name=f"{name}_norm")(values)
