"""Transformer with an autoencoder."""

from __future__ import annotations

import functools
import warnings
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted

from kerasnet.estimators._base import KerasNetBase
from kerasnet.estimators._inputs import as_float32, iter_chunks, reshape_samples, value_range
from kerasnet.estimators._ready_made import with_pretrained_network
from kerasnet.estimators._targets import ReconstructionTargets
from kerasnet.estimators._validation import validate_samples
from kerasnet.models import registered_model

if TYPE_CHECKING:
    import numpy.typing as npt

    from kerasnet.estimators._typing import Callbacks, Loss, Memory, Metrics, Model, Optimizer, RandomState


class Autoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, KerasNetBase):
    """Dimensionality reduction with an autoencoder.

    The default model is built by :func:`kerasnet.models.build_autoencoder`. Samples may have any shape: the model
    flattens them, and reconstructions have the shape of the samples. Samples of dtype uint8 are treated as images and
    divided by 255; any other dtype is not rescaled.

    Parameters
    ----------
    model : str or callable, default="autoencoder"
        Name of a registered autoencoder, such as "conv_autoencoder" for images, or a builder: a function that returns
        a new sequential ``keras.Model`` with a dense layer named "code".
    code_units : int, default=128
        Number of units of the code layer.
    activation : str, default="relu"
        Activation of the code layer. With "conv_autoencoder", `activation` is that of the hidden layers, and
        ``code_activation`` is that of the code layer.
    output_activation : str, default="sigmoid"
        Activation of the outputs: "sigmoid" for uint8 images and data in [0, 1], "linear" for other data.
    weights : str, default=None
        Name of pretrained weights to fine-tune, such as "mnist"; see :func:`kerasnet.models.model_card`. The
        architecture parameters must be those that the weights were trained with. If None, the weights are randomly
        initialized.
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
        Other arguments of the model's builder, such as ``filters``, and routed parameters: ``optimizer__<name>``,
        ``loss__<name>``, ``metrics__<name>`` and ``callbacks__<name>``.

    Attributes
    ----------
    model_ : keras.Model
        The trained model. It does not divide uint8 samples by 255.
    sample_shape_ : tuple of int
        Shape of one sample.
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

    References
    ----------
    G. E. Hinton and R. R. Salakhutdinov, "Reducing the dimensionality of data with neural networks", Science,
    313(5786), 504-507, 2006.

    See Also
    --------
    AutoencoderOutlierDetector : Outlier detection by the reconstruction error.

    Examples
    --------
    >>> from kerasnet import Autoencoder
    >>> from sklearn.datasets import load_digits
    >>> X = load_digits().images / 16
    >>> autoencoder = Autoencoder(code_units=16, epochs=5, random_state=0).fit(X)
    >>> autoencoder.transform(X).shape, autoencoder.reconstruct(X).shape
    ((1797, 16), (1797, 8, 8))
    """

    _divides_bytes = True

    def __init__(
        self,
        *,
        model: Model = "autoencoder",
        code_units: int = 128,
        activation: str = "relu",
        output_activation: str = "sigmoid",
        weights: str | None = None,
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

    @classmethod
    def from_pretrained(cls, model: str, weights: str, **parameters: Any) -> Self:
        """Load a registered autoencoder with pretrained weights as a fitted transformer.

        Parameters
        ----------
        model : str
            Name of a registered autoencoder, such as "autoencoder".
        weights : str
            Name of pretrained weights of this model, such as "mnist".
        **parameters
            Other parameters of the autoencoder, for fine-tuning.

        Returns
        -------
        autoencoder : Autoencoder
            Fitted autoencoder. :meth:`fit` fine-tunes the pretrained weights.

        Raises
        ------
        UnknownModelError
            If no model with this name is registered.
        ValueError
            If the model has no pretrained weights with this name.

        Examples
        --------
        >>> from kerasnet import Autoencoder
        >>> from kerasnet.datasets import load_mnist
        >>> X = load_mnist("test").data[:5].reshape(5, 784)
        >>> Autoencoder.from_pretrained("autoencoder", "mnist").transform(X).shape
        (5, 128)
        """
        return with_pretrained_network(cls(model=model, weights=weights, **parameters), model, weights)

    def fit(
        self,
        X: npt.ArrayLike,
        y: None = None,
        sample_weight: npt.ArrayLike | None = None,
        X_val: npt.ArrayLike | None = None,
        **keywords: Any,
    ) -> Self:
        """Fit the model to reconstruct its input.

        Parameters
        ----------
        X : {array-like, sparse matrix, LazyArray} of shape (n_samples, ...)
            Samples. Data on disk are read on demand; see :class:`kerasnet.datasets.LazyArray`.
        y : None
            Ignored, present for API consistency by convention.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights for the loss, scaled to a mean of 1 over the training data.
        X_val : array-like, default=None
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
        return self._fit_with_keywords(keywords, X, None, sample_weight, X_val)

    def partial_fit(self, X: npt.ArrayLike, y: None = None, sample_weight: npt.ArrayLike | None = None) -> Self:
        """Train for one epoch, continuing from the current state of the model and its optimizer.

        The learning rate is constant, and `memory` is not used.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples.
        y : None
            Ignored, present for API consistency by convention.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights for the loss. They are not scaled.

        Returns
        -------
        self
            The fitted estimator.
        """
        return self._fit(X, None, sample_weight, partial=True)

    def transform(self, X: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Encode samples as latent codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, as for :meth:`fit`.

        Returns
        -------
        codes : ndarray of shape (n_samples, code_units), dtype float32
            Outputs of the layer "code".
        """
        samples = self._check_samples(X)
        return self._network.predict(samples, part=_encoder)

    def inverse_transform(self, X: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Reconstruct samples from latent codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, code_units)
            Latent codes, as returned by :meth:`transform`.

        Returns
        -------
        X : ndarray of shape (n_samples, ...), dtype float32
            Reconstructed samples, in the shape of the samples in :meth:`fit`.
        """
        check_is_fitted(self)
        codes = check_array(X, dtype=np.float32, input_name="codes")
        if codes.shape[1] != self._n_features_out:
            raise ValueError(
                f"Expected codes of length {self._n_features_out}. Received: codes of shape {codes.shape}."
            )
        return self._restore_shape(self._network.predict(codes, part=_decoder))

    def reconstruct(self, X: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Encode and decode samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, as for :meth:`fit`.

        Returns
        -------
        X : ndarray of the shape of `X`, dtype float32
            Reconstructed samples. Samples of dtype uint8 are reconstructed on the scale [0, 1].
        """
        return self._restore_shape(self._predict_raw(X))

    def score(self, X: npt.ArrayLike, y: None = None) -> float:
        """Return the negative mean squared reconstruction error.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, as for :meth:`fit`.
        y : None
            Ignored, present for API consistency by convention.

        Returns
        -------
        score : float
            Negative mean squared error; at most 0, higher is better.
        """
        return -float(self.reconstruction_errors(X).mean())

    def reconstruction_errors(self, X: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Compute the mean squared reconstruction error of each sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, as for :meth:`fit`. Samples of dtype uint8 are divided by 255.

        Returns
        -------
        errors : ndarray of shape (n_samples,), dtype float64
            Mean squared errors.
        """
        samples = self._check_samples(X)
        return np.concatenate([self._errors(chunk) for chunk in iter_chunks(samples)])

    def _errors(self, samples):
        reconstructed = self._network.predict(samples)
        samples = samples / np.float32(255) if samples.dtype == np.uint8 else samples
        return np.square(samples - reconstructed, dtype=float).reshape(len(samples), -1).mean(axis=1)

    @property
    def _n_features_out(self):
        return self._network.any_model.get_layer("code").units

    def __sklearn_tags__(self):
        """Return the tags of the estimator."""
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def _check_data(self, X, y, reset, classes=None):
        X = validate_samples(self, X, reset=reset)
        if reset:
            self.sample_shape_ = X.shape[1:]
        X = self._as_input(X, reset=reset)
        return X, X

    def _combine_weights(self, y, sample_weight):
        """Broadcast the sample weights to the shape of the loss: that of the samples without the last axis."""
        if sample_weight is None:
            return None
        shape = y.shape[:-1]
        return np.broadcast_to(sample_weight.reshape(-1, *[1] * (len(shape) - 1)), shape).copy()

    def _restore_shape(self, samples):
        """Reshape samples to their shape in fit."""
        return samples.reshape(len(samples), *self.sample_shape_)

    def _as_model_input(self, X, reset):
        entry = registered_model(self.model)
        if entry is not None and entry.input_kind == "image" and X.ndim == 3:
            X = reshape_samples(X, (*X.shape[1:], 1))
        if X.dtype == np.uint8:
            return X  # divided by 255 in the graph
        X = as_float32(X)
        smallest, largest = value_range(X) if self.output_activation == "sigmoid" else (0, 1)
        if smallest < 0 or largest > 1:
            warnings.warn(
                f"The outputs of {type(self).__name__} are in [0, 1], and cannot reconstruct values from {smallest:g} "
                f'to {largest:g}. Scale X to [0, 1], or set output_activation="linear".',
                stacklevel=2,
            )
        return X

    def _targets(self, loss):
        return ReconstructionTargets(self.input_shape_)


def _encoder(model):
    """Return the encoder of an autoencoder as a function."""
    return _chain(model.layers[1 : model.layers.index(model.get_layer("code")) + 1])


def _decoder(model):
    """Return the decoder of an autoencoder as a function."""
    return _chain(model.layers[model.layers.index(model.get_layer("code")) + 1 :])


def _chain(layers):
    return lambda batch, training: functools.reduce(lambda values, layer: layer(values), layers, batch)
