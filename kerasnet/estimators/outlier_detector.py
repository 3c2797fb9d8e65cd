"""Outlier detection with an autoencoder."""

from __future__ import annotations

import copy
from numbers import Real
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import OutlierMixin
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from kerasnet.estimators._parameters import EstimatorParameters
from kerasnet.estimators._sklearn_callbacks import CallbackSupportMixin
from kerasnet.estimators.autoencoder import Autoencoder

if TYPE_CHECKING:
    import numpy.typing as npt

    from kerasnet.estimators._typing import Callbacks, Loss, Memory, Metrics, Optimizer, RandomState

# scikit-learn's attributes for its callbacks, which the detector passes to the fit of its autoencoder
_CALLBACK_ATTRIBUTES = ("_skl_callbacks", "_parent_callback_ctx")


class AutoencoderOutlierDetector(OutlierMixin, CallbackSupportMixin, EstimatorParameters):
    """Outlier detector based on the reconstruction error of an autoencoder.

    Samples that are unlike the training samples have a large reconstruction error. Samples may have any shape. Samples
    of dtype uint8 are treated as images and divided by 255; any other dtype is not rescaled. See :class:`Autoencoder`.

    Parameters
    ----------
    contamination : float, default=0.1
        Proportion of outliers in the training data, in (0, 0.5]. Used to define `offset_`.
    code_units : int, default=128
        Number of units of the code.
    activation : str, default="relu"
        Activation of the code.
    output_activation : str, default="sigmoid"
        Activation of the outputs: "sigmoid" for data in [0, 1], "linear" for other data.
    epochs : int, default=10
        Number of passes over the training data.
    batch_size : int, default=32
        Number of samples per step: 1 is stochastic gradient descent, -1 (all samples) is full-batch gradient descent.
    learning_rate : float, default=0.001
        Learning rate of the optimizer; the maximum learning rate if a schedule is used.
    learning_rate_schedule : {"constant", "cosine", "one_cycle"}, default="constant"
        Schedule of the learning rate over all steps; see :func:`kerasnet.training.learning_rates`.
    optimizer : str, class or instance, default="adam"
        Keras optimizer. An instance uses its own learning rate. Names and classes take parameters as
        ``optimizer__<name>``, for example ``optimizer__momentum=0.9`` with "sgd".
    loss : str, class, instance or callable, default=None
        Keras loss. If None, the mean squared error.
    metrics : str, list or dict, default=None
        Keras metrics, recorded in `history_` after each epoch. If None, no metrics.
    callbacks : list, dict, class or instance, default=None
        Keras callbacks. Each fit uses shallow copies of instances; the objects that they refer to are shared. Classes
        take parameters as ``callbacks__<name>``.
    early_stopping : bool, default=False
        Whether to stop training when the validation loss stops improving, and to restore the weights of the best
        epoch. Unless validation data are passed to :meth:`fit`, a fraction of the training data is set aside.
    validation_fraction : float, default=0.1
        Fraction of the training data to set aside for validation. Only used if `early_stopping` is True.
    n_iter_no_change : int, default=10
        Number of epochs without improvement after which training stops. Only used if `early_stopping` is True.
    tol : float, default=1e-4
        Minimum decrease of the validation loss that counts as an improvement. Only used if `early_stopping` is True.
    warm_start : bool, default=False
        If True, :meth:`fit` starts from the weights of the previous fit, with a new optimizer, and extends `history_`.
    memory : str, path-like, EpochMemory or joblib.Memory, default=None
        Directory for checkpoints. Epochs that this or another process has already trained are restored from a
        checkpoint; see :class:`kerasnet.training.EpochMemory`. Requires an int `random_state`.
    random_state : int, RandomState instance or None, default=None
        Controls the initial weights, the order of the samples, dropout and the validation split. Pass an int for
        bit-identical results with the same number of TensorFlow threads. No global random state is changed.
    verbose : {0, 1, 2}, default=0
        0 is silent, 1 shows a progress bar, and 2 prints one line per epoch.
    **others
        ``weights``, a set of pretrained weights such as "mnist": training fine-tunes them. The architecture parameters
        must be those that the weights were trained with. Routed parameters: ``optimizer__<name>``, ``loss__<name>``,
        ``metrics__<name>`` and ``callbacks__<name>``.

    Attributes
    ----------
    autoencoder_ : Autoencoder
        The fitted autoencoder.
    offset_ : float
        Threshold of the scores; samples with lower scores are outliers.
    n_features_in_ : int
        Size of the second axis of `X` in :meth:`fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names of `X` in :meth:`fit`. Only defined if `X` has column names.

    See Also
    --------
    sklearn.ensemble.IsolationForest : Outlier detection with trees.

    Examples
    --------
    >>> import numpy as np
    >>> from kerasnet import AutoencoderOutlierDetector
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().data / 16
    >>> detector = AutoencoderOutlierDetector(code_units=16, random_state=0).fit(X)
    >>> noise = np.random.default_rng(0).random((5, 64))
    >>> detector.predict(noise)
    array([-1, -1, -1, -1, -1])
    """

    model = "autoencoder"
    _parameter_constraints = {"contamination": [Interval(Real, 0, 0.5, closed="right")]}  # noqa: RUF012

    def __init__(
        self,
        *,
        contamination: float = 0.1,
        code_units: int = 128,
        activation: str = "relu",
        output_activation: str = "sigmoid",
        epochs: int = 10,
        batch_size: int = 32,
        learning_rate: float = 0.001,
        learning_rate_schedule: str = "constant",
        optimizer: Optimizer = "adam",
        loss: Loss = None,
        metrics: Metrics = None,
        callbacks: Callbacks = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        warm_start: bool = False,
        memory: Memory = None,
        random_state: RandomState = None,
        verbose: int = 0,
        **others: Any,
    ) -> None:
        self._store_parameters(locals())

    def _history_to_show(self):
        return vars(vars(self).get("autoencoder_", self)).get("history_")

    def fit(
        self, X: npt.ArrayLike, y: None = None, sample_weight: npt.ArrayLike | None = None, **keywords: Any
    ) -> Self:
        """Fit the autoencoder to training data.

        Parameters
        ----------
        X : {array-like, sparse matrix, LazyArray} of shape (n_samples, ...)
            Samples. Data on disk are read on demand; see :class:`kerasnet.datasets.LazyArray`.
        y : None
            Ignored, present for API consistency by convention.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights for the loss, scaled to a mean of 1 over the training data.
        **keywords
            Values of some parameters for this call only, as for :meth:`Autoencoder.fit`.

        Returns
        -------
        self
            The fitted detector. If an error is raised, the detector is unchanged. If training is interrupted (Ctrl-C),
            the detector keeps what was trained, computes `offset_`, and ``KeyboardInterrupt`` is raised.
        """
        self._check_parameters()
        parameters = {
            name: value
            for name, value in self._stored().items()
            if name in Autoencoder.__signature__.parameters or name in self._others
        }
        before = getattr(self, "autoencoder_", None) if self.warm_start else None
        autoencoder = copy.copy(before).set_params(**parameters) if before else Autoencoder(**parameters)
        callbacks = {name: vars(self)[name] for name in _CALLBACK_ATTRIBUTES if name in vars(self)}
        autoencoder.__dict__.update(callbacks)
        try:
            autoencoder.fit(X, sample_weight=sample_weight, **keywords)
        finally:
            for name in callbacks:
                delattr(autoencoder, name)
            if autoencoder._network is not getattr(before, "_network", None):  # trained, maybe interrupted
                scores = -autoencoder.reconstruction_errors(X)
                self.autoencoder_, self.offset_ = autoencoder, np.percentile(scores, 100 * self.contamination)
        return self

    def score_samples(self, X: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Compute the negative reconstruction error of each sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, as for :meth:`fit`.

        Returns
        -------
        scores : ndarray of shape (n_samples,), dtype float64
            Negative mean squared errors. The lower, the more abnormal.
        """
        check_is_fitted(self, "autoencoder_")
        return -self.autoencoder_.reconstruction_errors(X)

    def decision_function(self, X: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Compute the scores relative to the threshold.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, as for :meth:`fit`.

        Returns
        -------
        decisions : ndarray of shape (n_samples,), dtype float64
            :meth:`score_samples` minus `offset_`. Negative for outliers.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Predict whether each sample is an outlier or an inlier.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, as for :meth:`fit`.

        Returns
        -------
        labels : ndarray of shape (n_samples,), dtype int64
            -1 for outliers, which include samples without a finite score, and 1 for inliers.
        """
        return np.where(self.decision_function(X) >= 0, 1, -1)

    @property
    def n_features_in_(self) -> int:
        """Size of the second axis of the training samples."""
        check_is_fitted(self, "autoencoder_")
        return self.autoencoder_.n_features_in_

    @property
    def feature_names_in_(self) -> npt.NDArray[np.object_]:
        """Column names of the training samples."""
        check_is_fitted(self, "autoencoder_")
        return self.autoencoder_.feature_names_in_

    def __sklearn_tags__(self):
        """Return the tags of the estimator."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
