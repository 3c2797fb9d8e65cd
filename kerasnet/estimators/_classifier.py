"""What classifiers share: labels in and out, probabilities, class weights."""

import inspect

import keras
import numpy as np
import scipy.sparse
import scipy.special
from sklearn.base import ClassifierMixin
from sklearn.preprocessing import LabelEncoder
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d

from kerasnet.estimators._base import KerasNetBase
from kerasnet.estimators._scikeras import loss_name

_CATEGORICAL_LOSSES = ("categorical_crossentropy", "sparse_categorical_crossentropy")


class KerasNetClassifierBase(ClassifierMixin, KerasNetBase):
    """Base of the classifiers, whatever their model is."""

    _target_checks = {"multi_output": True}  # noqa: RUF012
    _multilabel = False

    def fit(self, X, y, sample_weight=None, X_val=None, y_val=None):
        """Train a new model.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Images (n, height, width) or (n, height, width, channels), RGB order: uint8 is divided by 255, any
            other dtype is taken as it is. Sequences (n, steps, features), or (n, steps) with one feature;
            or, of different lengths, a list of arrays (steps, features). Vectors (n, features).
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Labels: ints, floats, strings or booleans; or 0 and 1 for each of several labels a sample.
        sample_weight : array-like of shape (n_samples,), default=None
            The weight of each sample in the loss.
        X_val, y_val : array-like, default=None
            Validation data, evaluated after each epoch (``val_loss`` in `history_`) and watched by
            `early_stopping`, which holds out no part of `X` then.

        Returns
        -------
        self
            The fitted estimator. After an error it is as before; after Ctrl-C it keeps what was trained and
            ``KeyboardInterrupt`` goes on.
        """
        return self._fit(X, y, sample_weight, X_val, y_val)

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Train one more epoch, on these samples, going on from where the model and its optimizer are.

        The learning rate is constant, and `memory` is not asked.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, as for :meth:`fit`.
        y : array-like of shape (n_samples,)
            Labels.
        classes : array-like of shape (n_classes,), default=None
            All labels of all calls; used by the first call. The labels in `y` when None.
        sample_weight : array-like of shape (n_samples,), default=None
            The weight of each sample in the loss.

        Returns
        -------
        self
            The fitted estimator.
        """
        if self.early_stopping:
            raise ValueError("partial_fit holds out no validation part: set early_stopping=False for it.")
        return self._fit(X, y, sample_weight, partial=True, classes=classes)

    def predict_proba(self, X):
        """Compute the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, as for :meth:`fit`.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes), dtype float32
            In the order of `classes_`; of several labels a sample, each label's own.
        """
        outputs = self._predict_raw(X)
        if self.target_encoder is not None:
            return self.target_encoder_.inverse_transform(outputs, return_proba=True)
        if getattr(self.model_.loss, "_fn_kwargs", {}).get("from_logits"):
            one_each = self._multilabel or outputs.shape[1] == 1
            outputs = scipy.special.expit(outputs) if one_each else scipy.special.softmax(outputs, axis=1)
        return np.hstack([1 - outputs, outputs]) if outputs.shape[1] == 1 and not self._multilabel else outputs

    def predict(self, X):
        """Predict the most probable class of each sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, as for :meth:`fit`.

        Returns
        -------
        labels : ndarray of shape (n_samples,) or (n_samples, n_labels)
            Labels of the type that `y` had in :meth:`fit`.
        """
        if self.target_encoder is not None:
            return self.target_encoder_.inverse_transform(self._predict_raw(X))
        probabilities = self.predict_proba(X)
        if self._multilabel:
            return (probabilities > 0.5).astype(np.int64)
        return self.classes_[probabilities.argmax(axis=1)]

    def __sklearn_tags__(self):
        """Tell scikit-learn what the estimator can do."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _encode_target(self, y, reset, classes=None):
        """Encode labels as their places in `classes_`; leave an indicator of several labels a sample alone."""
        check_classification_targets(y)
        kind = type_of_target(y)
        if kind == "multiclass-multioutput":
            raise ValueError(
                f"{type(self).__name__} takes one label a sample, or an indicator of 0 and 1 for each of several "
                f"labels. Received: y of shape {y.shape} with several classes a column; see sklearn.multioutput."
            )
        if reset:
            self._multilabel = kind == "multilabel-indicator"
        elif self._multilabel != (y.ndim == 2 and y.shape[1] > 1):
            raise ValueError(f"{type(self).__name__} was fitted on another kind of y. Received: y of shape {y.shape}.")
        if self._multilabel:
            return self._encode_indicator(y, reset)
        y = column_or_1d(y, warn=True)
        encoder = LabelEncoder()
        if reset:
            self.classes_ = encoder.fit(y if classes is None else column_or_1d(classes)).classes_
            if len(self.classes_) < 2:
                raise ValueError(
                    f"{type(self).__name__} needs samples of at least 2 classes. "
                    f"Received: only one class, {self.classes_[0]}."
                )
            self.n_classes_, self.n_outputs_ = len(self.classes_), 1
        elif classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(
                f"`classes={classes!r}` is not the same as on last call to partial_fit: {self.classes_!r}."
            )
        encoder.classes_ = self.classes_
        return encoder.transform(y)

    def _encode_indicator(self, y, reset):
        if reset:
            self.classes_ = np.arange(y.shape[1])
            self.n_classes_, self.n_outputs_ = 2, y.shape[1]
        elif y.shape[1] != len(self.classes_):
            raise ValueError(
                f"{type(self).__name__} was fitted on {len(self.classes_)} labels. Received: y of shape {y.shape}."
            )
        return (y.toarray() if scipy.sparse.issparse(y) else y).astype(np.float32)

    def _as_loss_wants(self, y):
        """Return the places of labels as they are for one output or a sparse loss, else one-hot."""
        if self._multilabel:
            return y
        n_outputs = self._output_shape(self.model_)[1]
        loss = getattr(self.model_.loss, "fn", self.model_.loss)  # the function that a Keras loss wraps
        if n_outputs == 1 or loss_name(loss).startswith("sparse_"):
            return y
        return keras.utils.to_categorical(y, n_outputs)

    def _strata(self, y):
        return None if self._multilabel else y

    def _weigh(self, y, sample_weight):
        """Return the product of sample weights and class weights, as a new array; None without either."""
        if self.class_weight is None:
            return sample_weight
        weights = compute_sample_weight(self.class_weight, y if self._multilabel else self.classes_[y])
        return (weights if sample_weight is None else weights * sample_weight).astype(np.float32)

    def _outputs(self):
        """Return what the builder is told about its outputs."""
        if self._multilabel:
            return {"n_outputs": len(self.classes_), "output_activation": "sigmoid"}
        if (
            self._may_have_one_output()
            and "output_activation" in inspect.signature(self._builder(self.model)).parameters
        ):
            return {"n_outputs": 1, "output_activation": "sigmoid"}
        return {"n_outputs": len(self.classes_), "output_activation": "softmax"}

    def _may_have_one_output(self):
        """Tell whether one sigmoid output serves: for two classes, unless the loss wants an output for each."""
        name = None if self.loss is None else loss_name(self.loss)
        return len(self.classes_) == 2 and not self._multilabel and name not in _CATEGORICAL_LOSSES

    def _check_model(self, model):
        expected = {len(self.classes_)} | ({1} if self._may_have_one_output() else set())
        if len(self._output_shape(model)) != 2 or self._output_shape(model)[1] not in expected:
            raise ValueError(
                f"The model must have {' or '.join(map(str, sorted(expected)))} outputs for the "
                f"{len(self.classes_)} classes of y. Received: a model of output shape {self._output_shape(model)}."
            )

    def _default_loss(self, model):
        if self._multilabel or self._output_shape(model)[1] == 1:
            return keras.losses.BinaryCrossentropy
        return keras.losses.SparseCategoricalCrossentropy

    def _compile_arguments(self, model=None):
        arguments = super()._compile_arguments(model)
        if self._multilabel:  # for which Keras would take one-hot classes
            arguments["metrics"] = [
                keras.metrics.BinaryAccuracy(name=name) if name in ("accuracy", "acc") else name
                for name in arguments["metrics"] or ()
            ]
        return arguments
