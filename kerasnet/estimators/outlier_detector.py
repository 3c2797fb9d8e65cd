"""Outlier detection by an autoencoder."""

import copy
from numbers import Real

import numpy as np
from sklearn.base import OutlierMixin
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from kerasnet.estimators._parameters import EstimatorParameters
from kerasnet.estimators._sklearn_callbacks import CallbackSupportMixin
from kerasnet.estimators.autoencoder import Autoencoder

_OF_CALLBACKS = (
    "_skl_callbacks",
    "_parent_callback_ctx",
)  # scikit-learn's names: the autoencoder's fit is the detector's


class AutoencoderOutlierDetector(OutlierMixin, CallbackSupportMixin, EstimatorParameters):
    """An outlier detector: what an autoencoder reproduces badly is unlike the samples that it was trained on.

    Samples may have any shape. Samples of dtype uint8 are taken for images and divided by 255; any other dtype is
    taken as it is. See :class:`Autoencoder`.

    Parameters
    ----------
    contamination : float, default=0.1
        The fraction, in (0, 0.5], of the training samples that are taken for outliers; it sets `offset_`.
    code_units : int, default=128
        The length of the code.
    activation : str, default="relu"
        The activation of the code.
    output_activation : str, default="sigmoid"
        "sigmoid" for data in [0, 1], "linear" for other data.
    epochs : int, default=10
        The number of passes over the training data.
    batch_size : int, default=32
        The number of samples a step; 1 is stochastic gradient descent, -1 (all samples) is gradient descent.
    learning_rate : float, default=0.001
        The step size of the optimizer; with a schedule its largest value.
    learning_rate_schedule : {"constant", "cosine", "one_cycle"}, default="constant"
        How the rate changes from step to step; see :func:`kerasnet.training.learning_rates`.
    optimizer : str, class or instance, default="adam"
        A Keras optimizer. An instance brings its own learning rate. Names and classes take parameters as
        ``optimizer__<name>``, such as ``optimizer__momentum=0.9`` with "sgd".
    loss : str, class, instance or callable, default=None
        A Keras loss; None for the mean squared error.
    metrics : str, list or dict, default=None
        Keras metrics recorded in `history_` after each epoch; None for none.
    callbacks : list, dict, class or instance, default=None
        Keras callbacks. Each fit uses shallow copies of instances, so that what they refer to is shared. Classes take
        parameters as ``callbacks__<name>``.
    early_stopping : bool, default=False
        Hold out a part of the training data, stop when its loss no longer falls, and restore the
        weights of the best epoch.
    validation_fraction : float, default=0.1
        The part of the training data that `early_stopping` holds out.
    n_iter_no_change : int, default=10
        How many epochs `early_stopping` waits for an improvement.
    tol : float, default=1e-4
        The smallest fall of the validation loss that counts as one for `early_stopping`.
    warm_start : bool, default=False
        Start :meth:`fit` from the weights of the last one, with a fresh optimizer, and go on with `history_`.
    memory : str, path-like, EpochMemory or joblib.Memory, default=None
        A folder that keeps states of training, so that no epoch is trained twice, here or in another process: see
        :class:`kerasnet.training.EpochMemory`. It needs an int as `random_state`.
    random_state : int, RandomState instance or None, default=None
        Decides initial weights, order of samples, dropout and the validation part. With an int and an equal
        number of TensorFlow threads a fit is reproducible bit for bit; no global state changes.
    verbose : {0, 1, 2}, default=0
        0 is silent, 1 a progress bar and 2 a line for each epoch.
    **others
        Routed parameters: ``optimizer__``, ``loss__``, ``metrics__`` and ``callbacks__<name>``.

    Attributes
    ----------
    autoencoder_ : Autoencoder
        Trained on the samples of :meth:`fit`.
    offset_ : float
        The score that separates outliers (below) from inliers.
    n_features_in_ : int
        The size of the second axis of `X`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of columns, when `X` has them.

    See Also
    --------
    sklearn.ensemble.IsolationForest : Outlier detection by trees.

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
        contamination=0.1,
        code_units=128,
        activation="relu",
        output_activation="sigmoid",
        epochs=10,
        batch_size=32,
        learning_rate=0.001,
        learning_rate_schedule="constant",
        optimizer="adam",
        loss=None,
        metrics=None,
        callbacks=None,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        warm_start=False,
        memory=None,
        random_state=None,
        verbose=0,
        **others,
    ):
        self._store_parameters(locals())

    def fit(self, X, y=None, sample_weight=None, **keywords):
        """Train an autoencoder on samples, most of them normal.

        Parameters
        ----------
        X : {array-like, sparse matrix, LazyArray} of shape (n_samples, ...)
            Samples.
            Data on disk are read as they are needed; see :class:`kerasnet.datasets.LazyArray`.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            The weight of each sample in the loss. Weights are scaled to a mean of 1 over the training samples.
        **keywords
            Other values of some parameters for this call, as for :meth:`Autoencoder.fit`.

        Returns
        -------
        self
            The fitted detector. After an error it is as before; after Ctrl-C it keeps what was trained, with the
            `offset_` of that, and ``KeyboardInterrupt`` goes on.
        """
        self._check_parameters()
        parameters = {
            name: value
            for name, value in self._stored().items()
            if name in Autoencoder.__signature__.parameters or name in self._others
        }
        before = getattr(self, "autoencoder_", None) if self.warm_start else None
        autoencoder = copy.copy(before).set_params(**parameters) if before else Autoencoder(**parameters)
        callbacks = {name: vars(self)[name] for name in _OF_CALLBACKS if name in vars(self)}
        vars(autoencoder).update(callbacks)
        try:
            autoencoder.fit(X, sample_weight=sample_weight, **keywords)
        finally:
            for name in callbacks:
                delattr(autoencoder, name)
            if autoencoder._network is not getattr(before, "_network", None):  # something was trained
                scores = -autoencoder.reconstruction_errors(X)
                self.autoencoder_, self.offset_ = autoencoder, np.percentile(scores, 100 * self.contamination)
        return self

    def score_samples(self, X):
        """Compute how normal samples are.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, as for :meth:`fit`.

        Returns
        -------
        scores : ndarray of shape (n_samples,), dtype float64
            The negative mean squared error of each reconstruction; the lower, the less normal.
        """
        check_is_fitted(self, "autoencoder_")
        return -self.autoencoder_.reconstruction_errors(X)

    def decision_function(self, X):
        """Compute how far samples are from the border between normal and not.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, as for :meth:`fit`.

        Returns
        -------
        decisions : ndarray of shape (n_samples,), dtype float64
            :meth:`score_samples` less `offset_`; negative for outliers.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X):
        """Tell outliers from inliers.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, as for :meth:`fit`.

        Returns
        -------
        labels : ndarray of shape (n_samples,), dtype int64
            -1 for outliers, those without a finite score among them, and 1 for inliers.
        """
        return np.where(self.decision_function(X) >= 0, 1, -1)

    @property
    def n_features_in_(self):
        """The size of the second axis of the training samples."""
        check_is_fitted(self, "autoencoder_")
        return self.autoencoder_.n_features_in_

    @property
    def feature_names_in_(self):
        """The names of the columns of the training samples."""
        check_is_fitted(self, "autoencoder_")
        return self.autoencoder_.feature_names_in_

    def __sklearn_tags__(self):
        """Tell scikit-learn what the estimator can do."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
