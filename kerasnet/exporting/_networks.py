"""Keras models for export: the input step, the network, and outputs that are probabilities."""

from __future__ import annotations

import hashlib

import keras
import numpy as np

from kerasnet.errors import ExportError
from kerasnet.exporting._description import Input
from kerasnet.features.text import UNKNOWN

INPUT = "X"
_RECURRENT = (keras.layers.RNN, keras.layers.Bidirectional)


def described_input(estimator, samples=None):
    """Return the input of an exported estimator.

    Parameters
    ----------
    estimator : estimator
        A fitted estimator of kerasnet.
    samples : ndarray, default=None
        Samples in the shape and dtype that the exported model takes. If None, those of ``fit``.

    Returns
    -------
    described : Input
    """
    is_given = samples is not None
    shape, dtype = (samples.shape, samples.dtype) if is_given else (estimator.X_shape_, estimator.X_dtype_)
    if estimator._padding is not None:
        shape = (None, None, estimator.input_shape_[-1])
    if dtype == np.uint8 and estimator._divides_bytes:
        return Input(INPUT, "uint8", tuple(shape[1:]))
    dtype = keras.backend.standardize_dtype(network_of(estimator).inputs[0].dtype)
    return Input(INPUT, "int32" if dtype == "uint8" else dtype, tuple(shape[1:]))


def network_of(estimator):
    """Return the Keras model of a fitted estimator with its weights, without changing the estimator.

    Raises
    ------
    ExportError
        If models of this kind cannot be exported.
    """
    owner = type(estimator).__name__
    if estimator.feature_encoder is not None:
        raise ExportError(
            f"{owner} has its own feature_encoder, which cannot be exported. Export its model_ with Keras."
        )
    if estimator.target_encoder is not None:
        raise ExportError(
            f"{owner} has its own target_encoder, which cannot be exported. Export its model_ with Keras."
        )
    model = estimator._network._with().model
    if any(_constants_of(layer) for layer in model._flatten_layers()):
        model = _copy_of(model)
        for layer in model._flatten_layers():
            vars(layer).update(_constants_of(layer))
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ExportError(
            f"Only models with one input and one output can be exported. Received: {model.name!r} with "
            f"{len(model.inputs)} inputs and {len(model.outputs)} outputs. Export model_ with Keras."
        )
    if halves := {each.compute_dtype for each in (model, *model.layers)} & {"float16", "bfloat16"}:
        raise ExportError(
            f"Models that compute in {' and '.join(sorted(halves))} cannot be exported. Set the dtype policy to "
            "'float32' and train again."
        )
    return model


def _constants_of(layer):
    """Return the tensors that are no variables, such as those of Normalization, as arrays; tf2onnx drops tensors."""
    tensors = {name: value for name, value in vars(layer).items() if keras.ops.is_tensor(value)}
    return {name: np.asarray(value) for name, value in tensors.items() if not isinstance(value, keras.Variable)}


def _copy_of(model):
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


def inference_model(estimator, described, for_litert=False):
    """Build a Keras model that computes what an estimator predicts.

    Parameters
    ----------
    estimator : estimator
        A fitted estimator of kerasnet.
    described : Input
        The shape and dtype of the samples.
    for_litert : bool, default=False
        Whether to unroll recurrent layers if the number of steps is known, and to compute in float32 only: LiteRT has
        no loops and no operators for float64.

    Returns
    -------
    model : keras.Model
        A functional model. Its outputs are a dict: ``probabilities``, ``variable`` (of a regressor or a transformer),
        or ``reconstruction`` and ``code``.
    """
    network = network_of(estimator)
    if for_litert and None not in described.shape and is_recurrent(network):
        network = _copy_of(network)
        for layer in network._flatten_layers():
            if isinstance(layer, keras.layers.RNN):
                layer.unroll = True
    inputs = keras.Input(described.shape, dtype=described.dtype, name=described.name)
    values = inputs
    if described.dtype == "uint8":
        values = keras.layers.Rescaling(1 / 255, dtype="float32", name="bytes_to_floats")(values)
    if estimator._input_kind == "tokens":
        is_known = keras.ops.logical_and(values >= 0, values < estimator.vocabulary_size_)
        values = keras.ops.where(is_known, values, UNKNOWN)
    shape = tuple(-1 if size is None else size for size in estimator.input_shape_)
    if tuple(described.shape) != tuple(estimator.input_shape_):
        values = keras.layers.Reshape(shape, name="sample")(values)
    if hasattr(estimator, "reconstruct"):
        outputs = _autoencoder_outputs(estimator, network, values)
    elif hasattr(estimator, "predict_proba"):
        outputs = {"probabilities": _probabilities(estimator, network(values, training=False))}
    else:
        dtype = "float32" if for_litert else "float64"
        outputs = {"variable": _predictions(estimator, network(values, training=False), dtype)}
    return keras.Model(inputs, outputs, name=network.name)


def _predictions(estimator, outputs, dtype):
    if not hasattr(estimator, "target_scale_"):
        return outputs
    return keras.ops.cast(outputs, dtype) * estimator.target_scale_.astype(dtype) + estimator.target_mean_.astype(dtype)


def _autoencoder_outputs(estimator, network, values):
    for layer in network.layers[1:]:
        values = layer(values)
        if layer.name == "code":
            code = values
    return {"reconstruction": keras.layers.Reshape(estimator.sample_shape_, name="restore")(values), "code": code}


def _probabilities(estimator, outputs):
    form = estimator._class_outputs()
    is_exclusive = form.one_label and form.n_outputs > 1
    if form.from_logits:
        outputs = keras.activations.softmax(outputs) if is_exclusive else keras.activations.sigmoid(outputs)
    if form.n_outputs == 1 and not estimator._multilabel:
        outputs = keras.ops.concatenate([1 - outputs, outputs], axis=-1)
    return outputs


def is_recurrent(model):
    """Return whether a Keras model has recurrent layers."""
    layers = getattr(model, "layers", ())
    return isinstance(model, _RECURRENT) or any(map(is_recurrent, layers))


def hash_weights(models):
    """Return the SHA-256 hash of the weights of Keras models, in hexadecimal."""
    digest = hashlib.sha256()
    for model in models:
        for weight in model.get_weights():
            digest.update(np.ascontiguousarray(weight).tobytes())
    return digest.hexdigest()
