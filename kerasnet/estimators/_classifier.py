"""What classifiers share: labels in and out, probabilities, class weights."""

import functools

import keras
import numpy as np
import scipy.sparse
import scipy.special
from sklearn.base import ClassifierMixin
from sklearn.preprocessing import FunctionTransformer, LabelEncoder
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import column_or_1d

from kerasnet.estimators._base import KerasNetBase
from kerasnet.estimators._class_weights import weights_of_indicators, weights_of_labels
from kerasnet.estimators._probabilities import check_probabilities
from kerasnet.estimators._scikeras import loss_name
from kerasnet.estimators._targets import Classes, asks_for_one_label, names_of_losses

_N_CHECKED = 256  # samples


class KerasNetClassifierBase(ClassifierMixin, KerasNetBase):
    """Base of the classifiers, whatever their model is."""

    _target_checks = {"multi_output": True}  # noqa: RUF012
    _multilabel = False

    def fit(self, X, y, sample_weight=None, X_val=None, y_val=None, **keywords):
        """Train a new model.

        Parameters
        ----------
        X : {array-like, sparse matrix, LazyArray} of shape (n_samples, ...)
            Images (n, height, width) or (n, height, width, channels), RGB order: uint8 is divided by 255, any
            other dtype is taken as it is. Sequences (n, steps, features), or (n, steps) with one feature;
            or, of different lengths, a list of arrays (steps, features). Vectors (n, features).
            Data on disk are read as they are needed; see :class:`kerasnet.datasets.LazyArray`.
        y : array-like of shape (n_samples,) or (n_samples, n_labels)
            Labels: ints, floats, strings or booleans; or 0 and 1 for each of several labels a sample.
        sample_weight : array-like of shape (n_samples,), default=None
            The weight of each sample in the loss. Weights are scaled to a mean of 1 over the training samples.
        X_val, y_val : array-like, default=None
            Validation data, evaluated after each epoch (``val_loss`` in `history_`) and watched by
            `early_stopping`, which holds out no part of `X` then.
        **keywords
            Other values for this call of ``epochs``, ``batch_size``, ``callbacks`` and ``verbose``; and, as for
            ``keras.Model.fit``, ``validation_data``, ``validation_split`` and ``validation_batch_size``.

        Returns
        -------
        self
            The fitted estimator. After an error it is as before; after Ctrl-C it keeps what was trained and
            ``KeyboardInterrupt`` goes on.
        """
        return self._fit_with(keywords, X, y, sample_weight, X_val, y_val)

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
            The weight of each sample in the loss, as it is.

        Returns
        -------
        self
            The fitted estimator.
        """
        if self.early_stopping:
            raise ValueError("partial_fit holds out no validation part: set early_stopping=False for it.")
        if isinstance(self.class_weight, str):
            raise ValueError(
                f"class_weight={self.class_weight!r} is not supported by partial_fit, which sees a part of the data. "
                "Compute the weights of all data with sklearn.utils.class_weight.compute_class_weight('balanced', "
                "classes=classes, y=y), and give them as a dict."
            )
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
        return self._as_probabilities(outputs, self._class_outputs())

    def predict_log_proba(self, X):
        """Compute the logarithm of the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, as for :meth:`fit`.

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes), dtype float32
            The natural logarithm of :meth:`predict_proba`; -inf where a probability is 0.
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

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
        return self._predict_raw(X, finish=self._labels)

    def _labels(self, outputs):
        """Return the label for each row of outputs."""
        form = self._class_outputs()
        if not form.one_label:
            return (self._as_probabilities(outputs, form) > 0.5).astype(np.int64)
        if form.n_outputs == 1:
            outputs = self._as_probabilities(outputs, form)
        labels = outputs.argmax(axis=1)
        return np.eye(len(self.classes_), dtype=np.int64)[labels] if self._multilabel else self.classes_[labels]

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
            vars(self).pop("target_encoder_", None)
            self._multilabel = kind == "multilabel-indicator"
        elif self._multilabel != (y.ndim == 2 and y.shape[1] > 1):
            raise ValueError(f"{type(self).__name__} was fitted on another kind of y. Received: y of shape {y.shape}.")
        if self._multilabel:
            return self._encode_indicator(y, reset)
        y = column_or_1d(y, warn=True)
        if reset:
            self.classes_ = LabelEncoder().fit(y if classes is None else column_or_1d(classes)).classes_
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
        if len(unknown := np.setdiff1d(y, self.classes_)):
            raise ValueError(
                f"Found unknown categories {unknown.tolist()} in y: {type(self).__name__} was fitted on the classes "
                f"{self.classes_.tolist()}. Give all classes to fit, or to the first partial_fit as classes=."
            )
        return self.target_encoder_.transform(y)

    @functools.cached_property
    def target_encoder_(self):
        """What encodes labels as indices of `classes_`, or that of a subclass's own `target_encoder`."""
        if self._multilabel:
            return FunctionTransformer()
        encoder = LabelEncoder()
        encoder.classes_ = self.classes_
        return encoder

    def _encode_indicator(self, y, reset):
        if reset:
            self.classes_ = np.arange(y.shape[1])
            self.n_outputs_ = y.shape[1]
            self.n_classes_ = y.shape[1] if asks_for_one_label(self.loss) else 2
        elif y.shape[1] != len(self.classes_):
            raise ValueError(
                f"{type(self).__name__} was fitted on {len(self.classes_)} labels. Received: y of shape {y.shape}."
            )
        return (y.toarray() if scipy.sparse.issparse(y) else y).astype(np.float32)

    def _targets(self, loss):
        return Classes(
            self.input_shape_,
            n_classes=len(self.classes_),
            multilabel=self._multilabel,
            asks_for_one_label=asks_for_one_label(loss),
        )

    def _class_outputs(self):
        """Return how the outputs of the fitted model are read; None for a subclass's own encoder."""
        if self.target_encoder is not None:
            return None
        model, spec = self._network.any_model, self._network.spec
        targets = self._targets(self.loss) if spec is None else spec.compiling.targets
        return targets.class_outputs(model, model.loss)

    def _as_probabilities(self, outputs, form):
        """Return the probability of each class from the outputs of the model; refuse what cannot be one."""
        are_exclusive = form.one_label and form.n_outputs > 1
        if form.from_logits:
            outputs = scipy.special.softmax(outputs, axis=1) if are_exclusive else scipy.special.expit(outputs)
        check_probabilities(outputs, are_exclusive, self._multilabel, self.model)
        dtype = self._network.any_model.compute_dtype
        if are_exclusive and dtype in ("float16", "bfloat16"):  # in which the sum is about 1
            outputs = outputs / outputs.sum(axis=1, keepdims=True)
        return np.hstack([1 - outputs, outputs]) if outputs.shape[1] == 1 and not self._multilabel else outputs

    def _check_outputs(self, X, predict):
        """Refuse a model that ends in logits under a loss of probabilities, by its outputs for some samples."""
        if self._registry_entry() is not None or (form := self._class_outputs()) is None:
            return
        if form.from_logits or not any("entropy" in name for name in names_of_losses(self._network.any_model.loss)):
            return
        some = keras.tree.map_structure(lambda array: np.asarray(array[:_N_CHECKED]), X)
        outputs = predict(some)
        if np.isfinite(outputs).all():
            check_probabilities(outputs, form.one_label and form.n_outputs > 1, self._multilabel, self.model)

    def _as_loss_wants(self, y, model):
        """Return targets in the shape of the outputs, or as indices of classes for a sparse loss."""
        form = self._targets(self.loss).class_outputs(model, model.loss)
        if self._multilabel and not form.one_label:
            return y
        if self._multilabel:
            if not (y.sum(axis=1) == 1).all():
                raise ValueError(
                    f"The loss {loss_name(model.loss)!r} is for exactly one label a sample. Received: y with "
                    f"{int(y.sum(axis=1).min())} to {int(y.sum(axis=1).max())} labels in a row. For several labels a "
                    'sample set loss="binary_crossentropy".'
                )
            y = y.argmax(axis=1)
        if form.n_outputs == 1:
            return y.reshape(-1, 1).astype(np.float32)
        return y if form.sparse else np.eye(form.n_outputs, dtype=np.float32)[y]

    def _strata(self, y):
        return None if self._multilabel else y

    def _weigh(self, y, sample_weight):
        """Return the product of sample weights and class weights, as a new array; None without either."""
        if self.class_weight is None:
            return sample_weight
        if self._multilabel:
            weights = weights_of_indicators(self.class_weight, y, sample_weight)
        else:
            weights = weights_of_labels(self.class_weight, self.classes_, self.classes_[y], sample_weight)
        return (weights if sample_weight is None else weights * sample_weight).astype(np.float32)
