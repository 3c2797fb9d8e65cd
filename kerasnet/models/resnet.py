"""Small residual network."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from kerasnet.models._arguments import check_input_shape, check_size, dropout_layers, make_regularizer
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
    input_shape: Sequence[int] = (28, 28, 1),
    n_outputs: int = 10,
    *,
    depth: int = 8,
    width: int = 16,
    activation: str = "relu",
    output_activation: str = "softmax",
    dropout: float = 0.0,
    l1: float = 0.0,
    l2: float = 0.0,
    weights: str | None = None,
    name: str = "resnet_small",
) -> keras.Model:
    """Build a small CIFAR-style ResNet for images of any size and number of channels.

    A convolution is followed by three stages of residual blocks with two convolutions each, and global average pooling.
    From one stage to the next, height and width are halved and the number of filters is doubled. The default model has
    78,426 parameters.

    Parameters
    ----------
    input_shape : tuple of int, default=(28, 28, 1)
        Shape of one image: (height, width, channels).
    n_outputs : int, default=10
        Number of outputs.
    depth : int, default=8
        Number of weight layers along the longest path: 6 n + 2 for n residual blocks per stage (8, 14, 20, ...).
    width : int, default=16
        Number of filters in the first stage.
    activation : str, default="relu"
        Activation function of the convolutional layers.
    output_activation : str, default="softmax"
        Activation function of the output layer: "softmax" for multiclass classification, "sigmoid" for binary (one
        output) or multilabel classification, "linear" for regression.
    dropout : float, default=0.0
        Dropout rate before the output layer, in [0, 1).
    l1, l2 : float, default=0.0
        L1 and L2 regularization factors of all kernels.
    weights : str, default=None
        Name of the pretrained weights to load, such as "mnist"; see :func:`kerasnet.models.model_card`. If `n_outputs`
        differs from that of the pretrained model, the output layer is randomly initialized. If None, all weights are
        randomly initialized.
    name : str, default="resnet_small"
        Name of the model.

    Returns
    -------
    keras.Model
        Uncompiled functional model. Takes floats in [0, 1] of shape (n_samples, height, width, channels), without
        rescaling. The outputs of the stages are those of the layers "stage_1", "stage_2" and "stage_3".

    Raises
    ------
    ValueError
        If an argument is invalid.

    Notes
    -----
    Difference from the paper: where the shape changes, shortcuts are 1 x 1 convolutions (option B). The paper uses
    identity shortcuts with zero padding (option A) for CIFAR-10.

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
        raise ValueError(f"depth must be 6 n + 2 for n blocks per stage: 8, 14, 20, ... Received: {depth!r}.")
    settings = {"activation": activation, "regularizer": make_regularizer(l1, l2)}

    inputs = keras.Input(input_shape, name="input")
    values = _convolution(inputs, width, 3, 1, "stem", settings["regularizer"])
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
    for layer in dropout_layers(dropout, "dropout"):
        values = layer(values)
    outputs = layers.Dense(
        n_outputs, activation=output_activation, kernel_regularizer=settings["regularizer"], name="output"
    )
    model = keras.Model(inputs, outputs(values), name=name)
    return with_pretrained_weights(model, "resnet_small", weights, activation)


def _residual_block(values, filters, *, strides, name, output_name, activation, regularizer):
    """Apply a residual block of two convolutions."""
    shortcut = values
    if strides > 1 or values.shape[-1] != filters:
        shortcut = _convolution(values, filters, 1, strides, f"{name}_shortcut", regularizer)
    values = _convolution(values, filters, 3, strides, f"{name}_conv_1", regularizer)
    values = layers.Activation(activation, name=f"{name}_activation")(values)
    values = _convolution(values, filters, 3, 1, f"{name}_conv_2", regularizer)
    values = layers.Add(name=f"{name}_sum")([values, shortcut])
    return layers.Activation(activation, name=output_name)(values)


def _convolution(values, filters, kernel_size, strides, name, regularizer):
    """Apply a convolution and batch normalization, without activation."""
    values = layers.Conv2D(
        filters,
        kernel_size,
        strides,
        padding="same",
        use_bias=False,
        kernel_initializer="he_normal",
        kernel_regularizer=regularizer,
        name=name,
    )(values)
    return layers.BatchNormalization(name=f"{name}_norm")(values)
