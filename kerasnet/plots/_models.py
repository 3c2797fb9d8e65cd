"""Keras models of fitted estimators, pipelines and searches. Importing this module imports TensorFlow."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras
import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from kerasnet.plots._estimators import last_estimator, transform_for_last_step
from kerasnet.training._layers import all_layers
from kerasnet.training._saliency import has_probabilities


class FittedModel(NamedTuple):
    """The Keras model of an estimator."""

    model: keras.Model
    estimator: Any  # the last step of a pipeline; None for a Keras model
    source: Any  # as given: a Keras model, estimator, pipeline or search

    def inputs(self, X: Any) -> np.ndarray:
        """Convert samples to the input of the model."""
        if self.estimator is None:
            return np.asarray(X)
        X = transform_for_last_step(self.source, X)
        X = self.estimator._check_samples(X) if hasattr(self.estimator, "_check_samples") else np.asarray(X)
        if not isinstance(X, np.ndarray):
            raise ValueError(f"Expected samples that are one array in memory. Received: {type(X).__name__}.")
        return X


def fitted_model(estimator: Any) -> FittedModel:
    """Return the Keras model of a Keras model or a fitted estimator, pipeline or search.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If it has no Keras model.
    """
    if isinstance(estimator, keras.Model):
        return FittedModel(estimator, None, estimator)
    last = last_estimator(estimator)
    check_is_fitted(last)
    model = getattr(last, "model_", None)
    if not isinstance(model, keras.Model):
        raise TypeError(
            "Expected a Keras model, an estimator of kerasnet with model_, or a pipeline or search with such an "
            f"estimator. Received: {last!r}."
        )
    return FittedModel(model, last, estimator)


def model_of_classes(fitted: FittedModel) -> keras.Model:
    """Return the model; with a sigmoid activation if it computes the logits of a binary classifier."""
    model = fitted.model
    is_logit = model.output_shape[-1] == 1 and not has_probabilities(model)
    if fitted.estimator is None or not (is_logit and is_classifier(fitted.estimator)):
        return model
    return keras.Model(model.inputs[0], keras.layers.Activation("sigmoid")(model.outputs[0]))


def find_convolution(model: keras.Model, name: str | None) -> keras.layers.Layer:
    """Return the layer with a convolution of the given name, or the first one, including those of nested models.

    Raises
    ------
    ValueError
        If there is no such layer.
    """
    convolutions = {each.name: each for each in all_layers(model) if np.ndim(getattr(each, "kernel", 0)) in (3, 4)}
    if not convolutions:
        raise ValueError(
            f"FilterDisplay requires a model with convolutions. Received: {model.name!r} with the layers "
            f"{[each.name for each in model.layers]}."
        )
    if name is not None and name not in convolutions:
        raise ValueError(f"layer must be the name of a convolution: {', '.join(convolutions)}. Received: {name!r}.")
    return next(iter(convolutions.values())) if name is None else convolutions[name]
