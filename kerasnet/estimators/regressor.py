"""Regressor with any registered or user-defined Keras model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.preprocessing import StandardScaler

from kerasnet.estimators._base import KerasNetBase
from kerasnet.estimators._inputs import as_float32
from kerasnet.estimators._ready_made import copy_trained_model, with_network_of
from kerasnet.estimators._targets import RegressionTargets

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras
    import numpy.typing as npt

    from kerasnet.estimators._typing import (
        Augmentation,
        Callbacks,
        Loss,
        Memory,
        Metrics,
        Model,
        Optimizer,
        RandomState,
        Shape,
    )


class KerasNetRegressor(RegressorMixin, KerasNetBase):
    """Regressor with a registered model, the model of a user's builder, or a Keras model.

    Networks learn best from targets of unit scale. By default, targets are not scaled; see `standardize_targets`.

    Parameters
    ----------
    model : str, callable or keras.Model, default="mlp"
        Name of a registered model (see :func:`kerasnet.models.list_models`), a builder (a function that returns a new
        ``keras.Model``), or a Keras model. Each fit trains a copy of a Keras model. A builder is called with the
        architecture parameters and with those of the arguments ``input_shape``, ``n_outputs`` and
        ``output_activation`` that it accepts; also, as in SciKeras, ``meta`` (information about the data), ``params``
        and ``compile_kwargs``. If the builder compiles the model, its loss, optimizer and metrics are used.
    image_shape : tuple (height, width[, channels]), default=None
        Shape of the images, required if `X` contains them as flattened rows. Only for image models.
    augmentation : {"flip", "shift", "shift_flip", "shift_rotate", "shift_rotate_zoom"} or keras.layers.Layer, \
            default=None
        Random transformations of the training images in each epoch, joined by underscores: "flip" flips half of the
        images horizontally, "shift" shifts by up to 8 % of height and width, "rotate" rotates by up to 11 degrees, and
        "zoom" zooms by up to 10 %. A Keras layer is copied, and `random_state` controls its randomness.
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
    standardize_targets : bool, default=False
        Whether to train on targets with mean 0 and standard deviation 1, computed in :meth:`fit` (in the first call of
        :meth:`partial_fit`) with the sample weights. Predictions have the scale of `y`; `history_` and `tol` have the
        standardized scale.
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
        Arguments of the model's builder, such as ``filters``, and routed parameters: ``optimizer__<name>``,
        ``loss__<name>``, ``metrics__<name>``, ``callbacks__<name>``, ``model__<name>``, ``compile__<name>`` and
        ``fit__<name>``. ``get_params`` includes the builder's arguments with their defaults. If `model` changes, only
        values that were set explicitly are kept. ``weights`` is a set of pretrained weights such as "mnist": training
        fine-tunes them, and the builder's arguments then default to those that the weights were trained with.

    Attributes
    ----------
    model_ : keras.Model
        The trained model. It does not divide uint8 images by 255.
    output_shape_ : tuple of int
        Shape of one target: () or (n_outputs,).
    target_mean_, target_scale_ : ndarray of shape (n_outputs,), dtype float64
        Mean and standard deviation of the targets. Only defined if `standardize_targets` is True.
    history_ : dict of str to list of float
        Loss and metrics after each epoch.
    n_iter_ : int
        Number of epochs trained.
    n_iter_from_memory_ : int
        Number of epochs of the last call of :meth:`fit` that were restored from `memory`.
    callbacks_ : list of keras.callbacks.Callback
        Callbacks of the last fit. They are not pickled.
    input_shape_ : tuple of int
        Shape of one sample of the model's input.
    n_features_in_ : int
        Size of the second axis of `X` in :meth:`fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Column names of `X` in :meth:`fit`. Only defined if `X` has column names.

    See Also
    --------
    KerasNetClassifier : Classifier with the same models.

    Examples
    --------
    >>> from kerasnet import KerasNetRegressor
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> X, y = load_diabetes(return_X_y=True)
    >>> network = KerasNetRegressor("mlp", epochs=20, standardize_targets=True, random_state=0)
    >>> regressor = make_pipeline(StandardScaler(), network).fit(X[:300], y[:300])
    >>> bool(regressor.score(X[300:], y[300:]) > 0.4)
    True
    """

    _target_checks = {"multi_output": True, "y_numeric": True}  # noqa: RUF012

    def __init__(
        self,
        model: Model = "mlp",
        *,
        image_shape: Sequence[int] | None = None,
        augmentation: Augmentation = None,
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
        standardize_targets: bool = False,
        warm_start: bool = False,
        memory: Memory = None,
        random_state: RandomState = None,
        verbose: int = 0,
        **others: Any,
    ) -> None:
        self._store_parameters(locals())

    @classmethod
    def from_keras(cls, model: keras.Model, *, input_shape: Shape | None = None, **parameters: Any) -> Self:
        """Make a fitted regressor from a trained Keras model.

        Parameters
        ----------
        model : keras.Model
            A built model with one input and one output of shape (n_samples, n_outputs). The regressor uses a copy.
        input_shape : tuple of int, default=None
            Shape of one sample. Required if the model's input shape contains None.
        **parameters
            Other parameters of the regressor.

        Returns
        -------
        regressor : KerasNetRegressor
            Fitted regressor. :meth:`fit` trains another copy of the model, starting from its weights.
            :func:`kerasnet.save` supports the regressor if a registered builder builds the same network.

        Raises
        ------
        TypeError
            If `model` is not a Keras model.
        ValueError
            If the model has multiple inputs or outputs.

        Notes
        -----
        Unlike for models given by name, images of dtype uint8 are not divided by 255; a warning is issued.

        Examples
        --------
        >>> from kerasnet import KerasNetRegressor
        >>> from kerasnet.models import build_mlp
        >>> model = build_mlp((4,), 1, output_activation="linear")  # trained by Keras
        >>> KerasNetRegressor.from_keras(model).predict([[5.1, 3.5, 1.4, 0.2]]).shape
        (1,)
        """
        model, input_shape = copy_trained_model(model, input_shape)
        n_outputs = model.outputs[0].shape[1]
        y = np.zeros(2) if n_outputs == 1 else np.zeros((2, n_outputs))
        return with_network_of(cls(model, **parameters), model, y, input_shape)

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
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target values.
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

    def partial_fit(self, X: npt.ArrayLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> Self:
        """Train for one epoch, continuing from the current state of the model and its optimizer.

        The learning rate is constant, and `memory` is not used.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, as for :meth:`fit`.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Target values.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights for the loss. They are not scaled.

        Returns
        -------
        self
            The fitted estimator.
        """
        return self._fit(X, y, sample_weight, partial=True)

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Predict the targets of samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, as for :meth:`fit`.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs), dtype float64
            Predicted values, in the shape of `y` in :meth:`fit`.
        """
        outputs = self._predict_raw(X)
        if self.target_encoder is not None:
            return self.target_encoder_.inverse_transform(outputs)
        if hasattr(self, "target_scale_"):
            outputs = outputs * self.target_scale_ + self.target_mean_
        return outputs.reshape(len(outputs), *self.output_shape_).astype(np.float64)

    def __sklearn_tags__(self):
        """Return the tags of the estimator."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _encode_target(self, y, reset, classes=None):
        if reset:
            self.output_shape_ = y.shape[1:]
            self.n_outputs_ = int(np.prod(y.shape[1:], dtype=int))
        elif y.shape[1:] != self.output_shape_:
            raise ValueError(
                f"{type(self).__name__} was fitted on targets of shape {self.output_shape_}. "
                f"Received: y with targets of shape {y.shape[1:]}."
            )
        return y.reshape(len(y), -1)

    def _scale_targets(self, y, sample_weight, reset):
        """Return the targets as float32; standardize them if the network is, or was, fitted on standardized targets."""
        if reset:
            vars(self).pop("target_mean_", None), vars(self).pop("target_scale_", None)
            if self.standardize_targets:
                with np.errstate(over="ignore", invalid="ignore"):
                    scaler = StandardScaler().fit(y, sample_weight=sample_weight)
                self.target_mean_, self.target_scale_ = scaler.mean_, scaler.scale_
                if not np.isfinite([self.target_mean_, self.target_scale_]).all():
                    raise ValueError(f"y is too large to be standardized: its maximum is {np.abs(y).max():g}. Scale y.")
        elif self.standardize_targets and not hasattr(self, "target_scale_"):
            raise ValueError(
                f"standardize_targets=True, but this {type(self).__name__} was fitted without it, and its network "
                "continues on targets of the same scale. Call fit with warm_start=False, or set it to False."
            )
        if hasattr(self, "target_scale_"):
            y = (y - self.target_mean_) / self.target_scale_
        return as_float32(y, "y")

    def _targets(self, loss):
        return RegressionTargets(self.input_shape_, n_columns=self.n_outputs_)
