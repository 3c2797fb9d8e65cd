"""Validation of the data of an estimator, and their conversion to inputs and targets of its model."""

from typing import Any

import keras
import numpy as np
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted

from kerasnet.estimators._inputs import (
    as_model_input,
    as_numbers,
    cast_to_input_dtypes,
    check_augmentation,
    n_samples_of,
    warn_about_integers,
    warn_about_pretrained_range,
    warn_about_uint8,
)
from kerasnet.estimators._sequences import SequenceInput
from kerasnet.estimators._tokens import TokenInput
from kerasnet.estimators._validation import check_same_dtype, check_sample_weight, hold_out, hold_out_last


class DataInput(SequenceInput, TokenInput):
    """Mixin class that validates samples, targets and weights. Subclasses encode the targets."""

    image_shape: Any = None
    augmentation: Any = None
    _input_kind = None  # input kind of the registered model
    target_encoder = feature_encoder = None  # subclasses may define properties that return transformers

    @property
    def _divides_bytes(self):
        """Whether samples of dtype uint8 are divided by 255."""
        return self._input_kind == "image"

    def _validated_data(self, X, y, sample_weight, *, reset, classes=None):
        """Validate the data; return the samples, encoded targets and sample weights."""
        if not reset:
            check_same_dtype(self, "X", X, self.X_dtype_, divides_bytes=self._divides_bytes)
            if y is not None:
                check_same_dtype(self, "y", np.asarray(y), self.y_dtype_, n_axes=self.y_ndim_)
        X, y = self._check_data(X, y, reset=reset, classes=classes)
        check_augmentation(self.augmentation, X, self.model, type(self).__name__)
        if sample_weight is not None:
            sample_weight = check_sample_weight(sample_weight, n_samples_of(X))
        if self.target_encoder is None:
            y = self._scale_targets(y, sample_weight, reset)
            sample_weight = self._combine_weights(y, sample_weight)
        return X, y, sample_weight

    def _check_data(self, X, y, reset, classes=None):
        """Validate samples and targets; convert them to the inputs and targets of the model."""
        X, y = self._validated(X, y, reset=reset)
        if reset:
            self.n_outputs_expected_ = 1
            with np.errstate(invalid="ignore"):  # for numbers beyond the range of int
                self.y_dtype_, self.y_ndim_, self.target_type_ = y.dtype, y.ndim, type_of_target(y)
            if classes is not None and self.target_type_ in ("binary", "multiclass"):
                self.target_type_ = type_of_target(classes)
        if self.target_encoder is None:
            y = self._encode_target(y, reset=reset, classes=classes)
        else:
            y = self._apply_encoder("target_encoder", y, reset)
        return self._as_input(X, reset=reset), y

    def _stratify_by(self, y):
        """Return the labels to stratify the validation split by, or None."""
        return None  # noqa: RET501 - a value

    def _scale_targets(self, y, sample_weight, reset):
        """Return the targets of the network."""
        return y

    def _combine_weights(self, y, sample_weight):
        """Return the weights of the samples in the loss, or None."""
        return sample_weight

    def _check_samples(self, X):
        """Validate samples for a fitted estimator; convert them to the inputs of the model."""
        check_is_fitted(self)
        return self._as_input(self._validated(X, reset=False), reset=False)

    def _as_input(self, X, reset):
        if reset:
            self.X_dtype_, self.X_shape_ = X.dtype, X.shape
        if self.feature_encoder is None:
            X = self._as_model_input(X, reset)
        else:
            X = keras.tree.map_structure(as_numbers, self._apply_encoder("feature_encoder", X, reset))
        shape = keras.tree.map_structure(lambda array: array.shape[1:], X)
        if self._padding is not None:
            shape = (None, shape[1])  # any number of steps
        if not reset:
            X = cast_to_input_dtypes(self._network.any_model, X)
        if reset:
            self.input_shape_ = shape
        elif shape != self.input_shape_:
            raise ValueError(_different_shape_message(self, shape))
        return X

    def _as_model_input(self, X, reset):
        if reset:  # later changes of the registry do not affect a fitted model
            self._input_kind = self._kind_of_input()
            if self._input_kind == "sequence":
                warn_about_integers(X, type(self).__name__)
        if reset or X.dtype != self.X_dtype_:
            warn_about_uint8(X, self.model, type(self).__name__)
        X = as_model_input(X, self._input_kind, self.image_shape, type(self).__name__)
        if self._input_kind == "tokens":
            return self._as_tokens(X, reset)
        if self._input_kind != "image" and self._pretrained_arguments():
            warn_about_pretrained_range(X, self.weights, type(self).__name__)
        return X

    def _apply_encoder(self, name, values, reset):
        """Transform X or y with the encoder of a subclass."""
        if reset:
            encoder = getattr(self, name).fit(values)
            vars(self).update({f"{name}_": encoder, **getattr(encoder, "get_metadata", dict)()})
        return getattr(self, f"{name}_").transform(values)

    def _validation_split(self, X, y, sample_weight, X_val, y_val, seed):
        """Return the training data and the validation data, which may be None."""
        if (X_val is None) != (y_val is None) and self.__sklearn_tags__().target_tags.required:
            raise ValueError("X_val and y_val must be given together: give both or neither.")
        data = X, y, sample_weight
        if X_val is not None:
            weights = self._fit_keywords.get("validation_sample_weight")
            if weights is not None:
                weights = check_sample_weight(weights, len(y_val))
            X_val, y_val = self._check_data(X_val, y_val, reset=False)
            if self.target_encoder is None:
                y_val = self._scale_targets(y_val, weights, reset=False)
            return data, (X_val, y_val, weights)
        last_part = self._fit_parameter("validation_split") or 0
        if self.early_stopping and not last_part:
            strata = self._stratify_by(y) if self.target_encoder is None else None
            return hold_out(data, self.validation_fraction, strata, seed)
        return hold_out_last(data, last_part) if last_part else (data, None)


def _different_shape_message(estimator, shape):
    """Return the error message for samples of a shape that the estimator was not fitted on."""
    kind, expected = type(estimator).__name__, estimator.input_shape_
    message = f"{kind} was fitted on samples of shape {expected}"
    if len(shape) != len(expected):
        message += f", and is expecting {len(estimator.X_shape_)} dimensions in X"
    message += f". Received: samples of shape {shape}."
    if estimator._input_kind == "image" and shape[:-1] == expected[:-1]:
        message += " Convert the images with kerasnet.features.prepare_images(..., color_mode=...), or fit again."
    elif estimator._input_kind == "image":
        message += " Resize the images with kerasnet.features.prepare_images(..., image_size=...), or fit again."
    return message
