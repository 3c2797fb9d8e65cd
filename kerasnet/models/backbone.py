"""Transfer learning with the networks of ``keras.applications``."""

from __future__ import annotations

import difflib
import os
import re
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
from keras import layers, ops

from kerasnet.models._arguments import check_input_shape, check_size, dropout_layers, is_positive_int
from kerasnet.models._registry import register_model

_POOLING = {"avg": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D, None: layers.Flatten}
_MAX_MOMENTUM = 0.9  # with 0.999, the statistics of batch normalization need thousands of steps to adapt
_CACHE = "~/.keras/models"
_MAX_UNUSED_BYTES = 2**27  # upper bound for the variables of layers after `layer`, which are built but not used


class _Backbone(NamedTuple):
    function: str  # name in keras.applications
    scaling: str  # preprocessing mode of keras.applications; "bytes" if the network includes its rescaling
    max_layers: int  # upper bound, including the layers added by build_backbone
    min_size: int = 32  # minimum height and width, in pixels


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
    max_layers=lambda backbone, **_: _get_backbone(backbone).max_layers,
    max_unused_bytes=lambda layer, **_: 0 if layer is None else _MAX_UNUSED_BYTES,
)
def build_backbone(
    input_shape: Sequence[int] = (224, 224, 3),
    n_outputs: int | None = 10,
    *,
    backbone: str = "mobilenet_v2",
    weights: str | os.PathLike[str] | None = None,
    trainable: bool | int = True,
    layer: str | None = None,
    pooling: str | None = "avg",
    output_activation: str = "softmax",
    dropout: float = 0.0,
    name: str = "backbone",
) -> keras.Model:
    """Build a network of ``keras.applications`` with a new output layer, for transfer learning.

    Parameters
    ----------
    input_shape : tuple of int, default=(224, 224, 3)
        Shape of one image: (height, width, channels), with 3 channels (RGB) or 1 (grayscale, repeated to 3 channels).
        Images smaller than the minimum size of the backbone (32 pixels; 75 for "inception_v3", 71 for "xception") are
        resized inside the model.
    n_outputs : int or None, default=10
        Number of outputs. If None, the model has no output layer and returns features.
    backbone : str, default="mobilenet_v2"
        Name of the network: "convnext_tiny", "densenet121", "efficientnet_v2_b0", "inception_v3", "mobilenet",
        "mobilenet_v2", "mobilenet_v3_small", "resnet50", "resnet50_v2", "vgg16", "vgg19" or "xception".
    weights : "imagenet", path-like or None, default=None
        Weights of the backbone. "imagenet" loads weights pretrained on ImageNet, which Keras downloads once. A path
        (``.h5`` or ``.weights.h5``) loads weights of the backbone without its top layers. If None, the weights are
        randomly initialized.
    trainable : bool or int, default=True
        Which layers of the backbone are trained: all (True), none (False, so that only the output layer is trained, as
        in the first phase of fine-tuning), or this number of last layers. Batch normalization in frozen layers keeps
        its statistics.
    layer : str, default=None
        Name of the last layer of the backbone to use, such as "block_6_expand_relu" of "mobilenet_v2". If None, all
        layers are used.
    pooling : {"avg", "max"} or None, default="avg"
        Global pooling of the feature maps: average or maximum. If None, the feature maps are flattened.
    output_activation : str, default="softmax"
        Activation function of the output layer: "softmax" for multiclass classification, "sigmoid" for binary (one
        output) or multilabel classification, "linear" for regression.
    dropout : float, default=0.0
        Dropout rate before the output layer, in [0, 1).
    name : str, default="backbone"
        Name of the model.

    Returns
    -------
    keras.Model
        Uncompiled functional model. Takes floats in [0, 1] of shape (n_samples, height, width, channels), in RGB order,
        and applies the preprocessing of the backbone, such as scaling to [-1, 1] or normalization by the ImageNet mean.
        The features before the output layer are the output of the layer "features".

    Raises
    ------
    ValueError
        If an argument is invalid, or the weights file does not fit the backbone.
    OSError
        If the weights cannot be downloaded. The message names the URL, the file and the folder to put it into.

    Notes
    -----
    Difference from ``keras.applications``: the momentum of batch normalization is at most 0.9. With 0.999, as in
    MobileNetV2, the moving statistics stay close to their initial values for the first thousand steps.

    References
    ----------
    J. Yosinski, J. Clune, Y. Bengio and H. Lipson, "How transferable are features in deep neural networks?", NeurIPS,
    2014. For the papers of the backbones, see ``keras.applications``.

    Examples
    --------
    >>> from kerasnet.models import build_backbone
    >>> model = build_backbone((64, 64, 3), 3, backbone="mobilenet_v2", trainable=False)
    >>> model.output_shape, len(model.trainable_weights)
    ((None, 3), 2)
    """
    spec = _get_backbone(backbone)
    input_shape = check_input_shape(input_shape, ("height", "width", "channels"))
    if input_shape[2] not in (1, 3):
        raise ValueError(f"Backbones require images with 3 channels or 1. Received: input_shape={input_shape}.")
    n_outputs = None if n_outputs is None else check_size("n_outputs", n_outputs)
    if pooling not in _POOLING:
        raise ValueError(f'pooling must be "avg", "max" or None. Received: {pooling!r}.')

    inputs = values = keras.Input(input_shape, name="input")
    if input_shape[2] == 1:
        values = layers.Concatenate(name="gray_to_rgb")([values] * 3)
    size = tuple(max(length, spec.min_size) for length in input_shape[:2])
    if size != input_shape[:2]:
        values = ops.image.resize(values, size)  # a Resizing layer makes a plain call run in training mode (Keras 3.15)
    values = _preprocess(values, spec.scaling)
    network = _truncate(_build_network(backbone, (*size, 3), weights), layer)
    _freeze(network, trainable)
    values = _POOLING[pooling](name="features")(network(values))
    if n_outputs is None:
        return keras.Model(inputs, values, name=name)
    for dropout_layer in dropout_layers(dropout, "dropout"):
        values = dropout_layer(values)
    outputs = layers.Dense(n_outputs, activation=output_activation, name="output")(values)
    return keras.Model(inputs, outputs, name=name)


def _get_backbone(backbone):
    """Return the entry of a backbone in BACKBONES."""
    if not isinstance(backbone, str) or backbone not in BACKBONES:
        close = difflib.get_close_matches(str(backbone), BACKBONES, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"backbone must be one of {', '.join(BACKBONES)}. Received: {backbone!r}.{hint}")
    return BACKBONES[backbone]


def _preprocess(values, scaling):
    """Apply the preprocessing of ``keras.applications`` to images in [0, 1]."""
    if scaling == "tf":
        return layers.Rescaling(2.0, offset=-1.0, name="scale")(values)
    if scaling == "bytes":
        return layers.Rescaling(255.0, name="scale")(values)
    if scaling == "torch":
        mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        offset = [-m / s for m, s in zip(mean, std, strict=True)]
        return layers.Rescaling([1 / s for s in std], offset=offset, name="scale")(values)
    return layers.Rescaling(255.0, offset=[-103.939, -116.779, -123.68], name="scale")(ops.flip(values, axis=-1))


def _build_network(backbone, input_shape, weights):
    """Return the network without its top layers, with its weights."""
    if weights is not None and weights != "imagenet":
        weights = os.path.expanduser(os.fspath(weights))
        if not os.path.exists(weights):
            raise FileNotFoundError(f"weights must be None, 'imagenet' or the path of a file. Not found: {weights!r}.")
    build = getattr(keras.applications, BACKBONES[backbone].function)
    try:
        images = keras.Input(input_shape, name="images")
        with warnings.catch_warnings():
            warnings.filterwarnings("error", "Skipping", UserWarning)  # raised for layers that are not in the file
            network = build(include_top=False, input_tensor=images, input_shape=input_shape, weights=weights)
    except Exception as error:  # keras.utils.get_file raises a plain Exception
        if (failed := re.search(r"URL fetch failure on (\S+):", str(error))) is not None:
            file = failed[1].rpartition("/")[2]
            raise OSError(
                f"The ImageNet weights of {backbone} cannot be downloaded from {failed[1]}. Download the file {file} "
                f"elsewhere and put it into {_CACHE} (or models/ under KERAS_HOME), or pass its path as weights. "
                "With weights=None, the weights are randomly initialized."
            ) from None
        if weights is not None and weights != "imagenet":
            raise ValueError(
                f"{weights}: expected weights of {backbone} without its top layers. Keras raised: {error}"
            ) from error
        raise
    network.name = backbone  # the argument `name` of EfficientNetV2 also selects preset arguments
    for layer in network._flatten_layers():
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = min(layer.momentum, _MAX_MOMENTUM)
    return network


def _truncate(network, layer):
    """Return the part of a network up to the layer of this name; the whole network if None."""
    if layer is None:
        return network
    names = [other.name for other in network.layers]
    if layer not in names:
        close = difflib.get_close_matches(str(layer), names) or names[-3:]
        raise ValueError(f"{network.name} has no layer {layer!r}. Did you mean: {', '.join(close)}?")
    return keras.Model(network.input, network.get_layer(layer).output, name=network.name)


def _freeze(network, trainable):
    """Freeze the layers of a backbone that are not to be trained."""
    is_bool = isinstance(trainable, bool | np.bool_)
    if not is_bool and not is_positive_int(trainable):
        raise ValueError(
            "trainable must be True, False, or the number of last layers to train, a positive int. "
            f"Received: {trainable!r}."
        )
    if is_bool and trainable:
        return
    for layer in network.layers[: None if is_bool else -trainable]:
        layer.trainable = False
