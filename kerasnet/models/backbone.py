"""Transfer learning: the networks of ``keras.applications`` under one signature, from images in [0, 1]."""

import difflib
import os
import re
import warnings
from typing import NamedTuple

import keras
import numpy as np
from keras import layers, ops

from kerasnet.models._arguments import check_input_shape, check_size, hidden_dropout, is_positive_int
from kerasnet.models._registry import register_model

_POOLING = {"avg": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D, None: layers.Flatten}
_MOMENTUM = 0.9  # of batch normalisation: at up to 0.999, statistics would need thousands of steps to follow
_CACHE = "~/.keras/models"
_MAX_UNUSED_BYTES = 2**27  # upper bound for the layers after `layer`, which keras.applications builds as well


class _Backbone(NamedTuple):
    function: str  # of keras.applications
    scaling: str  # what it was trained on, in the words of keras.applications; "bytes": it scales them itself
    max_layers: int  # upper bound, with the layers that build_backbone adds
    smallest: int = 32  # height and width, in pixels


BACKBONES = {
    "convnext_tiny": _Backbone("ConvNeXtTiny", "bytes", 160),
    "densenet121": _Backbone("DenseNet121", "torch", 440),
    "efficientnet_v2_b0": _Backbone("EfficientNetV2B0", "bytes", 290),
    "inception_v3": _Backbone("InceptionV3", "tf", 330, 75),
    "mobilenet": _Backbone("MobileNet", "tf", 100),
    "mobilenet_v2": _Backbone("MobileNetV2", "tf", 170),
    "mobilenet_v3_small": _Backbone("MobileNetV3Small", "bytes", 170),
    "resnet50": _Backbone("ResNet50", "caffe", 190),
    "resnet50_v2": _Backbone("ResNet50V2", "tf", 210),
    "vgg16": _Backbone("VGG16", "caffe", 40),
    "vgg19": _Backbone("VGG19", "caffe", 40),
    "xception": _Backbone("Xception", "tf", 150, 71),
}


@register_model(
    "backbone",
    input_kind="image",
    tasks=("classification", "regression"),
    max_layers=lambda backbone, **_: _known(backbone).max_layers,
    max_unused_bytes=lambda layer, **_: 0 if layer is None else _MAX_UNUSED_BYTES,
)
def build_backbone(
    input_shape=(224, 224, 3),
    n_outputs=10,
    *,
    backbone="mobilenet_v2",
    weights=None,
    trainable=True,
    layer=None,
    pooling="avg",
    output_activation="softmax",
    dropout=0.0,
    name="backbone",
):
    """Build a network of ``keras.applications`` with a head of your own, for transfer learning.

    Parameters
    ----------
    input_shape : tuple (height, width, channels), default=(224, 224, 3)
        The shape of one image, in pixels, with 3 channels (RGB) or one (grey, which is repeated). Images smaller than
        the backbone takes (32 pixels; "inception_v3" 75, "xception" 71) are enlarged inside of the model.
    n_outputs : int or None, default=10
        The number of outputs; None for no head: the model gives features.
    backbone : str, default="mobilenet_v2"
        One of "convnext_tiny", "densenet121", "efficientnet_v2_b0", "inception_v3", "mobilenet", "mobilenet_v2",
        "mobilenet_v3_small", "resnet50", "resnet50_v2", "vgg16", "vgg19" and "xception".
    weights : "imagenet", path-like or None, default=None
        What the backbone starts from: None for initial weights; "imagenet" for those that Keras downloads once; or a
        file of such weights without top (``.h5`` or ``.weights.h5``).
    trainable : bool or int, default=True
        What of the backbone is trained: all, nothing (False: the head alone, the first phase of fine-tuning), or so
        many of its last layers. Batch normalisation in layers that are not trained keeps its statistics.
    layer : str, default=None
        The name of the backbone's layer that it ends at, such as "block_6_expand_relu" of "mobilenet_v2"; its last when
        None.
    pooling : {"avg", "max"} or None, default="avg"
        How feature maps become a vector: by their averages, their maxima, or, when None, as they are.
    output_activation : str, default="softmax"
        "softmax" for several classes, "sigmoid" for two (with one output), "linear" for regression.
    dropout : float, default=0.0
        The fraction, in [0, 1), of values dropped in training before the outputs.
    name : str, default="backbone"
        The name of the model.

    Returns
    -------
    keras.Model
        Functional and uncompiled. It takes float images in [0, 1] of shape (n, height, width, channels), RGB, and makes
        of them what the backbone was trained on: values in [-1, 1], or normalised by ImageNet's means. The layer
        "features" gives the vector before the outputs.

    Raises
    ------
    ValueError
        If an argument is out of its range, or the file of weights is not for this backbone.
    OSError
        If the weights are not there and cannot be downloaded; the message names URL, file and place.

    Notes
    -----
    A deviation from ``keras.applications``: the momentum of batch normalisation is at most 0.9. MobileNetV2, for
    one, has 0.999, and evaluates by its initial statistics for the first thousand steps.

    References
    ----------
    J. Yosinski, J. Clune, Y. Bengio and H. Lipson, "How transferable are features in deep neural networks?", NeurIPS,
    2014. For the backbones see ``keras.applications``.

    Examples
    --------
    >>> from kerasnet.models import build_backbone
    >>> model = build_backbone((64, 64, 3), 3, backbone="mobilenet_v2", trainable=False)
    >>> model.output_shape, len(model.trainable_weights)
    ((None, 3), 2)
    """
    about = _known(backbone)
    input_shape = check_input_shape(input_shape, ("height", "width", "channels"))
    if input_shape[2] not in (1, 3):
        raise ValueError(f"Backbones take images of 3 channels, or of one. Received: input_shape={input_shape}.")
    n_outputs = None if n_outputs is None else check_size("n_outputs", n_outputs)
    if pooling not in _POOLING:
        raise ValueError(f'pooling must be "avg", "max" or None. Received: {pooling!r}.')

    inputs = values = keras.Input(input_shape, name="input")
    if input_shape[2] == 1:
        values = layers.Concatenate(name="grey_to_rgb")([values] * 3)
    size = tuple(max(each, about.smallest) for each in input_shape[:2])
    if size != input_shape[:2]:
        values = ops.image.resize(values, size)  # as a layer, it would have the rest of a plain call train (Keras 3.15)
    values = _as_trained_on(values, about.scaling)
    network = _ending_at(layer, _network(backbone, (*size, 3), weights))
    _freeze(network, trainable)
    values = _POOLING[pooling](name="features")(network(values))
    if n_outputs is None:
        return keras.Model(inputs, values, name=name)
    for each in hidden_dropout(dropout, "dropout"):
        values = each(values)
    outputs = layers.Dense(n_outputs, activation=output_activation, name="output")(values)
    return keras.Model(inputs, outputs, name=name)


def _known(backbone):
    """Return what is known of a backbone; refuse a name that is none."""
    if not isinstance(backbone, str) or backbone not in BACKBONES:
        close = difflib.get_close_matches(str(backbone), BACKBONES, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"backbone must be one of {', '.join(BACKBONES)}. Received: {backbone!r}.{hint}")
    return BACKBONES[backbone]


def _as_trained_on(values, scaling):
    """Scale images in [0, 1] as ``keras.applications`` scaled those that it trained on."""
    if scaling == "tf":
        return layers.Rescaling(2.0, offset=-1.0, name="scale")(values)
    if scaling == "bytes":
        return layers.Rescaling(255.0, name="scale")(values)
    if scaling == "torch":
        mean, deviation = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        offset = [-each / by for each, by in zip(mean, deviation, strict=True)]
        return layers.Rescaling([1 / each for each in deviation], offset=offset, name="scale")(values)
    return layers.Rescaling(255.0, offset=[-103.939, -116.779, -123.68], name="scale")(ops.flip(values, axis=-1))


def _network(backbone, input_shape, weights):
    """Return the network without top, with its weights; say where these belong if they cannot be had."""
    if weights is not None and weights != "imagenet":
        weights = os.path.expanduser(os.fspath(weights))
        if not os.path.exists(weights):
            raise FileNotFoundError(f"weights must be None, 'imagenet' or a file. There is no file {weights!r}.")
    make = getattr(keras.applications, BACKBONES[backbone].function)
    try:
        images = keras.Input(input_shape, name="images")
        with warnings.catch_warnings():
            warnings.filterwarnings("error", "Skipping", UserWarning)  # Keras of layers that a file has not
            network = make(include_top=False, input_tensor=images, input_shape=input_shape, weights=weights)
    except Exception as error:  # keras.utils.get_file raises nothing more precise
        if (failed := re.search(r"URL fetch failure on (\S+):", str(error))) is not None:
            file = failed[1].rpartition("/")[2]
            raise OSError(
                f"The ImageNet weights of {backbone} cannot be downloaded from {failed[1]}. Expected the file {file}: "
                f'put it into {_CACHE} (or into models/ under KERAS_HOME), or give its path in place of "imagenet". '
                "weights=None starts from initial weights."
            ) from None
        if weights is not None and weights != "imagenet":
            raise ValueError(f"{weights}: expected weights of {backbone} without top. Keras says: {error}") from error
        raise
    network.name = backbone  # as an argument, EfficientNetV2 would look it up
    for layer in network._flatten_layers():
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = min(layer.momentum, _MOMENTUM)
    return network


def _ending_at(layer, network):
    """Return the part of a network that ends at a layer."""
    if layer is None:
        return network
    names = [each.name for each in network.layers]
    if layer not in names:
        close = difflib.get_close_matches(str(layer), names) or names[-3:]
        raise ValueError(f"{network.name} has no layer {layer!r}. Did you mean: {', '.join(close)}?")
    return keras.Model(network.input, network.get_layer(layer).output, name=network.name)


def _freeze(network, trainable):
    """Have all, none or the last layers of a backbone be trained."""
    is_bool = isinstance(trainable, bool | np.bool_)
    if not is_bool and not is_positive_int(trainable):
        raise ValueError(f"trainable must be True, False or a number of layers. Received: {trainable!r}.")
    if is_bool and trainable:
        return
    for layer in network.layers[: None if is_bool else -trainable]:
        layer.trainable = False
