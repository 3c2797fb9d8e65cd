"""Fitted estimators from pretrained weights and from trained Keras models."""

import copy
import dataclasses
import inspect

import keras
import numpy as np

from kerasnet.estimators._parameters import copy_model, user_arguments
from kerasnet.estimators._targets import is_single_label_loss, loss_names
from kerasnet.models import registered_model
from kerasnet.models._recognition import recognize_model
from kerasnet.models._weights import record_of
from kerasnet.training._network import Network, trainable_flags

_LAYERS_AFTER_HEAD = (keras.layers.Activation, keras.layers.Softmax, keras.layers.Dropout)


def with_pretrained_network(estimator, name, weights):
    """Fit an estimator by loading pretrained weights.

    Parameters
    ----------
    estimator : estimator
        Unfitted estimator with the parameter `weights`.
    name : str
        Name of the registered model.
    weights : str
        Name of a set of pretrained weights of the model.

    Returns
    -------
    estimator
        The same estimator, fitted.

    Raises
    ------
    UnknownModelError
        If no model with this name is registered.
    ValueError
        If the model has no pretrained weights with this name.
    """
    entry, record = registered_model(name), record_of(name, weights)
    shape = tuple(record["input_shape"])
    if getattr(estimator, "image_shape", None) is not None:
        shape = (int(np.prod(shape)),)
    n_outputs = inspect.signature(entry.builder).parameters.get("n_outputs")
    if (n_outputs is None) != hasattr(estimator, "reconstruct"):
        raise ValueError(
            f"{type(estimator).__name__} does not support the model {name!r}, which is registered for "
            f"{', '.join(entry.tasks)}. Use {'Autoencoder' if n_outputs is None else 'KerasNetClassifier'}."
        )
    n_outputs = 2 if n_outputs is None else record["arguments"].get("n_outputs", n_outputs.default)
    is_bytes = estimator._divides_bytes or entry.input_kind == "image"
    X = np.zeros((n_outputs, *shape), np.uint8 if is_bytes else np.float32)
    return estimator.initialize(X, np.arange(n_outputs))


def with_network_of(estimator, model, y, input_shape):
    """Fit an estimator by using a trained Keras model as its fitted model.

    Parameters
    ----------
    estimator : estimator
        Unfitted estimator with the parameter `model`.
    model : keras.Model
        The trained model. If it is not compiled, it is compiled according to the parameters of the estimator.
    y : ndarray of shape (n_samples, ...)
        Targets that contain all classes.
    input_shape : tuple of int
        Shape of one sample.

    Returns
    -------
    estimator
        The same estimator, fitted.
    """
    estimator._check_parameters()
    X = np.zeros((len(y), *input_shape), keras.backend.standardize_dtype(model.inputs[0].dtype))
    estimator._validated_data(X, y, None, reset=True)
    settings = estimator._compile_settings(estimator._settings())
    settings.check(model)
    fitted = copy_model(model)  # the parameter `model` stays as it is, also uncompiled
    if not fitted.compiled:
        settings.compile(fitted)
    estimator._network = Network(None, model=fitted)
    estimator.history_, estimator.n_iter_ = {}, 0
    return estimator


def copy_trained_model(model, input_shape):
    """Return a copy of a trained Keras model, and the shape of one sample.

    Raises
    ------
    TypeError
        If `model` is not a Keras model.
    ValueError
        If the model has multiple inputs or outputs, or if the shape of a sample is unknown.
    """
    if not isinstance(model, keras.Model):
        raise TypeError(f"model must be a trained keras.Model. Received: {model!r:.200}.")
    inputs, outputs = getattr(model, "inputs", None) or [], getattr(model, "outputs", None) or []
    if not inputs:
        raise ValueError(
            f"from_keras supports built functional and sequential models. Received: {model.name!r}, which is a "
            "subclass of keras.Model, or has no input shape yet. Call a sequential model once on data, or rewrite the "
            "subclass as a functional model."
        )
    if len(inputs) != 1 or len(outputs) != 1:
        raise ValueError(
            f"from_keras supports models with one input and one output. Received: {model.name!r} with {len(inputs)} "
            f"inputs and {len(outputs)} outputs. Select an output with keras.Model(model.inputs, model.outputs[0])."
        )
    shape = tuple(inputs[0].shape[1:])
    given = shape if input_shape is None else tuple(input_shape)
    if len(given) != len(shape) or any(b not in (None, a) or a is None for a, b in zip(given, shape, strict=True)):
        raise ValueError(
            f"The model {model.name!r} expects samples of shape {shape}. Received: input_shape={input_shape!r}. Set "
            "input_shape to the shape of one sample, without None."
        )
    if len(outputs[0].shape) != 2:
        raise ValueError(
            f"from_keras supports models with outputs of shape (n_samples, n_outputs). Received: {model.name!r} with "
            f"outputs of shape {tuple(outputs[0].shape)}."
        )
    return copy_model(model), given


def is_multilabel(model, loss):
    """Return whether the outputs of a model are multilabel probabilities."""
    if model.outputs[0].shape[1] == 1:
        return False
    losses = loss_names(model.loss if model.compiled else loss)
    if losses:
        return not any(map(is_single_label_loss, losses))
    return getattr(model.layers[-1], "activation", None) is keras.activations.sigmoid


def sort_outputs(model, classes, input_shape):
    """Reorder the outputs of a model in place, so that the classes are sorted; return the sorted classes.

    The columns of the last dense layer are permuted. For a binary classifier with a single output, the output is
    negated before the sigmoid.

    Raises
    ------
    ValueError
        If the classes are not sorted and the outputs cannot be reordered by a last dense layer.
    """
    order = np.argsort(classes, kind="stable")
    if np.array_equal(order, np.arange(len(classes))):
        return classes
    layers = list(model.layers)
    ends_in_layer = layers[-1].output is model.outputs[0]
    while layers and isinstance(layers[-1], _LAYERS_AFTER_HEAD):
        layers.pop()
    head = layers[-1] if layers else None
    is_reordered = False
    if type(head) is keras.layers.Dense and ends_in_layer and len(head.weights) <= 2:
        samples = np.random.default_rng(0).integers(0, 2, (8, *input_shape))
        samples = samples.astype(keras.backend.standardize_dtype(model.inputs[0].dtype))
        before = np.asarray(model(samples, training=False), np.float32)
        for variable in head.weights:
            values = variable.numpy()
            variable.assign(-values if head.units == 1 else values[..., order])
        after = np.asarray(model(samples, training=False), np.float32)
        expected = [-before, 1 - before] if head.units == 1 else [before[:, order]]
        is_reordered = any(np.allclose(after, each, atol=1e-4) for each in expected)
    if not is_reordered:
        raise ValueError(
            f"Expected sorted classes, since the outputs of {model.name!r} cannot be reordered in a last Dense layer. "
            f"Received: {classes.tolist()}. Reorder the outputs of the model."
        )
    return classes[order]


def with_registered_model(estimator):
    """Return an equivalent estimator with a registered model for an estimator of a Keras model, to save it.

    Parameters
    ----------
    estimator : estimator
        Fitted estimator with a Keras model as the parameter `model`.

    Returns
    -------
    estimator
        A new estimator.

    Raises
    ------
    ValueError
        If no registered builder builds the network.
    """
    model = estimator.model_
    name, arguments = recognize_model(model)
    if name is None:
        raise ValueError(
            "kn.save stores the name of a registered model, and no registered builder builds the network of "
            f"{model.name!r}. Register its builder with kerasnet.models.register_model, or save the Keras model with "
            "model.save and use from_keras after loading it."
        )
    registered = copy.copy(estimator)
    of_builder = {key: arguments[key] for key in user_arguments(registered_model(name).builder) if key in arguments}
    registered._keep_others(set(estimator._others) - set(of_builder))
    registered.model = name
    registered._add_others(of_builder)
    spec = registered._spec()
    spec = dataclasses.replace(spec, arguments={**spec.arguments, **arguments})
    values = [variable.numpy() for variable in model.variables]
    registered._network = Network(spec, values=values, trainable=trainable_flags(model))
    if hasattr(estimator, "_class_outputs") and _output_format(registered) != _output_format(estimator):
        raise ValueError(
            f"kn.save stores the parameters of {type(estimator).__name__}, but with loss={estimator.loss!r} the "
            f"outputs of {model.name!r} have a different meaning than with the loss that the model is compiled with. "
            "Pass this loss to from_keras by name, for example "
            'loss="SparseCategoricalCrossentropy", loss__from_logits=True.'
        )
    return registered


def _output_format(classifier):
    """Return whether the outputs of a classifier's model are single-label, and whether they are logits."""
    form = classifier._class_outputs()
    return form.one_label, form.from_logits
