"""Multilayer perceptron for tables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real

import keras

from kerasnet.models._arguments import check_input_shape, check_size, check_sizes, count_layers, dropout_layers
from kerasnet.models._registry import register_model
from kerasnet.models._tabular_layers import FeatureScaling, NTKDense, PeriodicEmbedding, SmoothClipping
from kerasnet.models._weights import with_pretrained_weights


@register_model(
    "real_mlp",
    input_kind="vector",
    tasks=("classification", "regression"),
    max_layers=lambda dense_units, **_: 6 + 2 * count_layers("dense_units", dense_units),
)
def build_real_mlp(
    input_shape: Sequence[int] = (10,),
    n_outputs: int = 10,
    *,
    n_frequencies: int = 16,
    frequency_scale: float = 1.0,
    dense_units: int | Sequence[int] = (256, 256, 256),
    activation: str = "mish",
    output_activation: str = "softmax",
    dropout: float = 0.2,
    weights: str | None = None,
    name: str = "real_mlp",
) -> keras.Sequential:
    """Build a multilayer perceptron for tables with periodic embeddings (RealMLP).

    The network clips large values smoothly, adds three sums of cosines of each feature with learnable frequencies,
    multiplies the results by learnable weights, and continues with dense layers in neural tangent parametrization. Use
    :func:`kerasnet.make_tabular_pipeline` to combine it with preprocessing and suitable training settings. The default
    model has 145,520 parameters.

    Parameters
    ----------
    input_shape : tuple of int, default=(10,)
        Shape of one sample. Inputs with more than one axis are flattened first.
    n_outputs : int, default=10
        Number of outputs.
    n_frequencies : int, default=16
        Number of cosines for each feature.
    frequency_scale : float, default=1.0
        Standard deviation of the initial frequencies, in periods per unit of the feature. Increase it for targets that
        are not smooth functions of the features, decrease it for noisy ones.
    dense_units : int or tuple of int, default=(256, 256, 256)
        Number of units in each hidden dense layer. An int builds a single layer.
    activation : str, default="mish"
        Activation function of the hidden dense layers.
    output_activation : str, default="softmax"
        Activation function of the output layer: "softmax" for multiclass classification, "sigmoid" for binary (one
        output) or multilabel classification, "linear" for regression.
    dropout : float, default=0.2
        Dropout rate after each hidden dense layer, in [0, 1).
    weights : str, default=None
        Name of the pretrained weights to load; see :func:`kerasnet.models.model_card`. None are available.
    name : str, default="real_mlp"
        Name of the model.

    Returns
    -------
    keras.Sequential
        Uncompiled model. Takes floats of shape ``(n_samples, *input_shape)``, about in [-3, 3].

    Raises
    ------
    ValueError
        If an argument is invalid.

    Notes
    -----
    Deviations from RealMLP-TD [1]_: the embeddings have small initial weights and a larger frequency scale (1 instead
    of 0.1), so that the network is smooth until training changes it. Encoded categories are embedded like numbers. The
    activation function is Mish for classification, too, and has no learnable weights. The dropout rate is 0.2 instead
    of 0.15, and constant.

    References
    ----------
    .. [1] D. Holzmüller, L. Grinsztajn and I. Steinwart, "Better by default: strong pre-tuned MLPs and boosted trees
       on tabular data", NeurIPS 2024.

    Examples
    --------
    >>> from kerasnet.models import build_real_mlp
    >>> build_real_mlp((8,), 1, output_activation="linear").output_shape
    (None, 1)
    """
    input_shape = check_input_shape(input_shape)
    n_outputs = check_size("n_outputs", n_outputs)
    n_frequencies = check_size("n_frequencies", n_frequencies)
    if not isinstance(frequency_scale, Real) or not 0 < frequency_scale < math.inf:
        raise ValueError(f"frequency_scale must be a positive number. Received: {frequency_scale!r}.")

    network = [keras.Input(input_shape, name="input")]
    if len(input_shape) > 1:
        network.append(keras.layers.Flatten(name="flatten"))
    network += [
        SmoothClipping(name="clip"),
        PeriodicEmbedding(n_frequencies, float(frequency_scale), name="embedding"),
        FeatureScaling(name="scale"),
    ]
    for position, units in enumerate(check_sizes("dense_units", dense_units), start=1):
        network.append(NTKDense(units, activation=activation, name=f"dense_{position}"))
        network += dropout_layers(dropout, f"dropout_{position}")
    network.append(NTKDense(n_outputs, activation=output_activation, initial_scale=0.01, name="output"))
    return with_pretrained_weights(keras.Sequential(network, name=name), "real_mlp", weights, activation)
