"""Base class of the classifiers: label encoding, probabilities and class weights."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Self

import keras
import numpy as np
import scipy.sparse
import scipy.special
from sklearn.base import ClassifierMixin
from sklearn.preprocessing import FunctionTransformer, LabelEncoder
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d

from kerasnet.estimators._base import KerasNetBase
from kerasnet.estimators._class_weights import weights_from_indicators, weights_from_labels
from kerasnet.estimators._probabilities import check_probabilities
from kerasnet.estimators._scikeras import loss_name
from kerasnet.estimators._targets import ClassificationTargets, expects_logits, expects_single_label, loss_names

if TYPE_CHECKING:
    import numpy.typing as npt

_N_CHECKED = 256  # samples whose outputs are checked


class KerasNetClassifierBase(ClassifierMixin, KerasNetBase):
    """Base class of the classifiers."""

    _target_checks = {"multi_output": True}  # noqa: RUF012
    _multilabel = False

    def fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        X_val: npt.ArrayLike | None = None,
        y_val: npt.ArrayLike | None = None,
        **keywords: Any,
    ) -> Self:
        """Fit the model to training data.

        Parameters
        ----------
        X : {array-like, sparse matrix, LazyArray} of shape (n_samples, ...)
            Images of shape (n, height, width) or (n, height, width, channels), in RGB order; registered image models
            divide uint8 by 255 and do not rescale other dtypes. Sequences of shape (n, steps, features), or (n, steps)
            for one feature; sequences of different lengths as a list of arrays of shape (steps, features). Vectors of
            shape (n, features). Data on disk are read on demand; see :class:`kerasnet.datasets.LazyArray`.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels: ints, floats, strings or booleans. For multilabel targets, an indicator matrix of 0 and 1.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights for the loss, scaled to a mean of 1 over the training data.
        X_val, y_val : array-like, default=None
            Validation data, evaluated after each epoch (``val_loss`` in `history_`). If given, `early_stopping` uses
            them instead of setting aside a fraction of `X`.
        **keywords
            ``epochs``, ``batch_size``, ``callbacks`` and ``verbose`` override the parameters for this call.
            ``validation_data``, ``validation_split`` and ``validation_batch_size`` are used as in ``keras.Model.fit``.

        Returns
        -------
        self
            The fitted estimator. If an error is raised, the estimator is unchanged. If training is interrupted
            (Ctrl-C), the estimator keeps the weights trained so far, and ``KeyboardInterrupt`` is raised.
        """
        return self._fit_with_keywords(keywords, X, y, sample_weight, X_val, y_val)

    def partial_fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        classes: npt.ArrayLike | None = None,
        sample_weight: npt.ArrayLike | None = None,
    ) -> Self:
        """Train for one epoch, continuing from the current state of the model and its optimizer.

        The learning rate is constant, and `memory` is not used.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, as for :meth:`fit`.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Class labels, as for :meth:`fit`.
        classes : array-like of shape (n_classes,), default=None
            All class labels that may occur in calls of ``partial_fit``, for the first call. If None, the labels in `y`.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights for the loss. They are not scaled.

        Returns
        -------
        self
            The fitted estimator.
        """
        if self.early_stopping:
            raise ValueError("partial_fit does not support early_stopping=True. Set early_stopping=False.")
        if isinstance(self.class_weight, str):
            raise ValueError(
                f"partial_fit does not support class_weight={self.class_weight!r}, since it receives only part of the "
                "data. Compute the weights for all data with "
                "sklearn.utils.class_weight.compute_class_weight('balanced', classes=classes, y=y), and pass them as a "
                "dict."
            )
        return self._fit(X, y, sample_weight, partial=True, classes=classes)

    def predict_proba(self, X: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Predict class probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, as for :meth:`fit`.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes), dtype float32
            Probabilities of the classes in the order of `classes_`; for multilabel targets, of each label.
        """
        outputs = self._predict_raw(X)
        if self.target_encoder is not None:
            return self.target_encoder_.inverse_transform(outputs, return_proba=True)
        return self._as_probabilities(outputs, self._class_outputs())

    def predict_log_proba(self, X: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Predict the logarithm of class probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, as for :meth:`fit`.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes), dtype float32
            Natural logarithm of :meth:`predict_proba`; -inf where a probability is 0.
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:
        """Predict class labels.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, as for :meth:`fit`.

        Returns
        -------
        labels : ndarray of shape (n_samples,) or (n_samples, n_labels)
            Predicted class labels, of the type of `y` in :meth:`fit`.
        """
        if self.target_encoder is not None:
            return self.target_encoder_.inverse_transform(self._predict_raw(X))
        return self._predict_raw(X, finish=self._labels)

    def _labels(self, outputs):
        """Return the class labels for outputs of the model."""
        form = self._class_outputs()
        if not form.one_label:
            return (self._as_probabilities(outputs, form) > 0.5).astype(np.int64)
        if form.n_outputs == 1:
            outputs = self._as_probabilities(outputs, form)
        labels = outputs.argmax(axis=1)
        return np.eye(len(self.classes_), dtype=np.int64)[labels] if self._multilabel else self.classes_[labels]

    def __sklearn_tags__(self):
        """Return the tags of the estimator."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _encode_target(self, y, reset, classes=None):
        """Encode labels as class indices; multilabel indicator matrices are not changed."""
        check_classification_targets(y)
        kind = type_of_target(y)
        if kind == "multiclass-multioutput":
            raise ValueError(
                f"{type(self).__name__} supports one class label per sample, or a multilabel indicator matrix of 0 and "
                f"1. Received: multiclass-multioutput y of shape {y.shape}. See sklearn.multioutput."
            )
        if reset:
            vars(self).pop("target_encoder_", None)
            self._multilabel = kind == "multilabel-indicator"
        elif self._multilabel != (y.ndim == 2 and y.shape[1] > 1):
            fitted = "multilabel" if self._multilabel else "single-label"
            raise ValueError(f"{type(self).__name__} was fitted on {fitted} targets. Received: y of shape {y.shape}.")
        if self._multilabel:
            return self._encode_indicator(y, reset)
        y = column_or_1d(y, warn=True)
        if reset:
            self.classes_ = LabelEncoder().fit(y if classes is None else column_or_1d(classes)).classes_
            if len(self.classes_) < 2:
                raise ValueError(
                    f"{type(self).__name__} requires samples of at least 2 classes. "
                    f"Received: only one class, {self.classes_[0]}."
                )
            self.n_classes_, self.n_outputs_ = len(self.classes_), 1
        elif classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            raise ValueError(
                f"`classes={classes!r}` is not the same as on last call to partial_fit: {self.classes_!r}."
            )
        if len(unknown := np.setdiff1d(y, self.classes_)):
            raise ValueError(
                f"Found unknown categories {unknown.tolist()} in y: {type(self).__name__} was fitted on the classes "
                f"{self.classes_.tolist()}. Fit on all classes, or pass them to the first partial_fit as classes=."
            )
        return self.target_encoder_.transform(y)

    @functools.cached_property
    def target_encoder_(self):
        """Encoder of the labels as class indices, or the fitted `target_encoder` of a subclass."""
        if self._multilabel:
            return FunctionTransformer()
        encoder = LabelEncoder()
        encoder.classes_ = self.classes_
        return encoder

    def _encode_indicator(self, y, reset):
        if reset:
            self.classes_ = np.arange(y.shape[1])
            self.n_outputs_ = y.shape[1]
            self.n_classes_ = y.shape[1] if expects_single_label(self.loss) else 2
        elif y.shape[1] != len(self.classes_):
            raise ValueError(
                f"{type(self).__name__} was fitted on {len(self.classes_)} labels. Received: y of shape {y.shape}."
            )
        y = y.toarray() if scipy.sparse.issparse(y) else y
        if not np.isin(values := np.unique(y), (0, 1)).all():
            raise ValueError(f"Multilabel targets must contain only 0 and 1. Received: {values.tolist()}.")
        return y.astype(np.float32)

    def _targets(self, loss):
        return ClassificationTargets(
            self.input_shape_,
            n_classes=len(self.classes_),
            multilabel=self._multilabel,
            expects_single_label=expects_single_label(loss),
            from_logits=bool(self._explicit().get("loss__from_logits", expects_logits(loss))),
        )

    def _class_outputs(self):
        """Return the format of the outputs of the fitted model; None for a subclass with a target encoder."""
        if self.target_encoder is not None:
            return None
        model, spec = self._network.any_model, self._network.spec
        targets = self._targets(self.loss) if spec is None else spec.compiling.targets
        return targets.class_outputs(model, model.loss)

    def _as_probabilities(self, outputs, form):
        """Convert outputs of the model to class probabilities; raise an error if they are invalid."""
        are_exclusive = form.one_label and form.n_outputs > 1
        if form.from_logits:
            outputs = scipy.special.softmax(outputs, axis=1) if are_exclusive else scipy.special.expit(outputs)
        check_probabilities(outputs, are_exclusive, self._multilabel, self.model)
        dtype = self._network.any_model.compute_dtype
        if are_exclusive and dtype in ("float16", "bfloat16"):  # rows add up to 1 approximately
            outputs = outputs / outputs.sum(axis=1, keepdims=True)
        return np.hstack([1 - outputs, outputs]) if outputs.shape[1] == 1 and not self._multilabel else outputs

    def _check_outputs(self, X, predict):
        """Raise an error if a model returns logits but its loss expects probabilities."""
        if self._registry_entry() is not None or (form := self._class_outputs()) is None:
            return
        if form.from_logits or not any("entropy" in name for name in loss_names(self._network.any_model.loss)):
            return
        some = keras.tree.map_structure(lambda array: np.asarray(array[:_N_CHECKED]), X)
        outputs = predict(some)
        if np.isfinite(outputs).all():
            check_probabilities(outputs, form.one_label and form.n_outputs > 1, self._multilabel, self.model)

    def _targets_for_loss(self, y, model):
        """Return the targets in the shape of the outputs, or as class indices for a sparse loss."""
        form = self._targets(self.loss).class_outputs(model, model.loss)
        if self._multilabel and not form.one_label:
            return y
        if self._multilabel:
            if not (y.sum(axis=1) == 1).all():
                raise ValueError(
                    f"The loss {loss_name(model.loss)!r} requires exactly one label per sample. Received: y with "
                    f"{int(y.sum(axis=1).min())} to {int(y.sum(axis=1).max())} labels per row. For multilabel targets, "
                    'set loss="binary_crossentropy".'
                )
            y = y.argmax(axis=1)
        if form.n_outputs == 1:
            return y.reshape(-1, 1).astype(np.float32)
        return y if form.sparse else np.eye(form.n_outputs, dtype=np.float32)[y]

    def _stratify_by(self, y):
        return None if self._multilabel else y

    def _combine_weights(self, y, sample_weight):
        """Return the product of sample weights and class weights as a new array, or None."""
        if self.class_weight is None:
            return sample_weight
        if self._multilabel:
            weights = weights_from_indicators(self.class_weight, y, sample_weight)
        else:
            weights = weights_from_labels(self.class_weight, self.classes_, self.classes_[y], sample_weight)
        return (weights if sample_weight is None else weights * sample_weight).astype(np.float32)
