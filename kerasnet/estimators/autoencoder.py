"""The autoencoder as a transformer."""

import functools
import warnings

import numpy as np
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_array, check_is_fitted

from kerasnet.estimators._base import KerasNetBase
from kerasnet.estimators._inputs import as_float32, chunks_of, in_shape, limits_of
from kerasnet.estimators._ready_made import with_pretrained_network
from kerasnet.estimators._targets import Reconstructions
from kerasnet.estimators._validation import validate_samples
from kerasnet.models import registered_model


class Autoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, KerasNetBase):
    """An autoencoder that turns samples into short codes, and codes into samples.

    The network is, by default, that of :func:`kerasnet.models.build_autoencoder`. Samples may have any shape: images
    and sequences are flattened inside and come back in shape. Samples of dtype uint8 are taken for images and divided
    by 255; any other dtype is taken as it is.

    Parameters
    ----------
    model : str or callable, default="autoencoder"
        The name of a registered autoencoder, such as "conv_autoencoder" for images, or a function that returns a new
        ``keras.Model`` whose layers follow one another, with a dense layer "code".
    code_units : int, default=128
        The length of the code.
    activation : str, default="relu"
        The activation of the code; of "conv_autoencoder", of the convolutions (`code_activation` is the code's).
    output_activation : str, default="sigmoid"
        "sigmoid" for data in [0, 1], "linear" for other data.
    weights : str, default=None
        The name of a set of pretrained weights that training starts from, such as "mnist"; see
        :func:`kerasnet.models.model_card`. None for initial weights.
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
        Further arguments of the model's builder (``filters`` and so on), and routed parameters:
        ``optimizer__``, ``loss__``, ``metrics__`` and ``callbacks__<name>``.

    Attributes
    ----------
    model_ : keras.Model
        The trained model; it takes floats, and images in [0, 1].
    sample_shape_ : tuple of int
        The shape of one sample.
    history_ : dict of str to list of float
        Loss and metrics after each epoch.
    n_iter_ : int
        The number of epochs trained.
    n_iter_from_memory_ : int
        How many of the epochs of the last whole fit were in `memory`.
    callbacks_ : list of keras.callbacks.Callback
        Those of the last fit; not kept by pickles.
    input_shape_ : tuple of int
        The shape of one sample as the model takes it.
    n_features_in_ : int
        The size of the second axis of `X`.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of columns, when `X` has them.

    References
    ----------
    G. E. Hinton and R. R. Salakhutdinov, "Reducing the dimensionality of data with neural networks", Science,
    313(5786), 504-507, 2006.

    See Also
    --------
    AutoencoderOutlierDetector : Finds the samples that an autoencoder cannot reproduce.

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
        model="autoencoder",
        code_units=128,
        activation="relu",
        output_activation="sigmoid",
        weights=None,
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

    @classmethod
    def from_pretrained(cls, model, weights, **parameters):
        """Load a registered autoencoder with pretrained weights as a fitted transformer.

        Parameters
        ----------
        model : str
            The name of a registered autoencoder, such as "autoencoder".
        weights : str
            The name of a set of pretrained weights of this model, such as "mnist".
        **parameters
            Other parameters of the autoencoder, for further training.

        Returns
        -------
        autoencoder : Autoencoder
            Fitted. :meth:`fit` fine-tunes, starting from the pretrained weights.

        Raises
        ------
        UnknownModelError
            If no model of this name is registered.
        ValueError
            If the model has no such set of pretrained weights.

        Examples
        --------
        >>> from kerasnet import Autoencoder
        >>> from kerasnet.datasets import load_mnist
        >>> X = load_mnist("test").data[:5].reshape(5, 784)
        >>> Autoencoder.from_pretrained("autoencoder", "mnist").transform(X).shape
        (5, 128)
        """
        return with_pretrained_network(cls(model=model, weights=weights, **parameters), model, weights)

    def fit(self, X, y=None, sample_weight=None, X_val=None, **keywords):
        """Train a new model to reproduce its input.

        Parameters
        ----------
        X : {array-like, sparse matrix, LazyArray} of shape (n_samples, ...)
            Samples.
            Data on disk are read as they are needed; see :class:`kerasnet.datasets.LazyArray`.
        y : None
            Ignored; for pipelines.
        sample_weight : array-like of shape (n_samples,), default=None
            The weight of each sample in the loss. Weights are scaled to a mean of 1 over the training samples.
        X_val : array-like, default=None
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
        return self._fit_with(keywords, X, None, sample_weight, X_val)

    def partial_fit(self, X, y=None, sample_weight=None):
        """Train one more epoch, on these samples, going on from where the model and its optimizer are.

        The learning rate is constant, and `memory` is not asked.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            The weight of each sample in the loss, as it is.

        Returns
        -------
        self
            The fitted estimator.
        """
        return self._fit(X, None, sample_weight, partial=True)

    def transform(self, X):
        """Compute the codes of samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, as for :meth:`fit`.

        Returns
        -------
        codes : ndarray of shape (n_samples, code_units), dtype float32
            What the layer "code" gives.
        """
        samples = self._check_samples(X)
        return self._network.predict(samples, part=_encoder)

    def inverse_transform(self, X):
        """Compute samples from codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, code_units)
            Codes, as from :meth:`transform`.

        Returns
        -------
        X : ndarray of shape (n_samples, ...), dtype float32
            In the shape that samples had in :meth:`fit`.
        """
        check_is_fitted(self)
        X = check_array(X, dtype=np.float32, input_name="codes")
        if X.shape[1] != self._n_features_out:
            raise ValueError(f"Expected codes of length {self._n_features_out}. Received: shape {X.shape}.")
        return self._in_shape(self._network.predict(X, part=_decoder))

    def reconstruct(self, X):
        """Compute what the network makes of samples: encoded, and decoded again.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, as for :meth:`fit`.

        Returns
        -------
        X : ndarray of the shape of `X`, dtype float32
            Of images of dtype uint8: in [0, 1].
        """
        return self._in_shape(self._predict_raw(X))

    def score(self, X, y=None):
        """Compute the negative mean squared error of the reconstruction; higher is better.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, as for :meth:`fit`.
        y : None
            Ignored.

        Returns
        -------
        score : float
            At most 0.
        """
        return -float(self.reconstruction_errors(X).mean())

    def reconstruction_errors(self, X):
        """Compute the mean squared error of the reconstruction of each sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, as for :meth:`fit`; of images of dtype uint8 the error is that of values in [0, 1].

        Returns
        -------
        errors : ndarray of shape (n_samples,), dtype float64
            One mean a sample.
        """
        samples = self._check_samples(X)
        return np.concatenate([self._errors(chunk) for chunk in chunks_of(samples)])

    def _errors(self, samples):
        reconstructed = self._network.predict(samples)
        samples = samples / np.float32(255) if samples.dtype == np.uint8 else samples
        return np.square(samples - reconstructed, dtype=float).reshape(len(samples), -1).mean(axis=1)

    @property
    def _n_features_out(self):
        return self._network.any_model.get_layer("code").units

    def __sklearn_tags__(self):
        """Tell scikit-learn what the estimator can do."""
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def _check_data(self, X, y, reset, classes=None):
        X = validate_samples(self, X, reset=reset)
        if reset:
            self.sample_shape_ = X.shape[1:]
        X = self._as_input(X, reset=reset)
        return X, X

    def _weigh(self, y, sample_weight):
        """Return a weight for each value of the loss, which has all axes of the samples but the last."""
        if sample_weight is None:
            return None
        shape = y.shape[:-1]
        return np.broadcast_to(sample_weight.reshape(-1, *[1] * (len(shape) - 1)), shape).copy()

    def _in_shape(self, samples):
        """Return samples in the shape that they had in fit."""
        return samples.reshape(len(samples), *self.sample_shape_)

    def _as_model_input(self, X, reset):
        entry = registered_model(self.model)
        if entry is not None and entry.input_kind == "image" and X.ndim == 3:
            X = in_shape(X, (*X.shape[1:], 1))
        if X.dtype == np.uint8:
            return X  # divided by 255 in the graph
        X = as_float32(X)
        smallest, largest = limits_of(X) if self.output_activation == "sigmoid" else (0, 1)
        if smallest < 0 or largest > 1:
            warnings.warn(
                f"The outputs of {type(self).__name__} are in [0, 1] and cannot reproduce values from {smallest:g} to "
                f'{largest:g}. Scale X to [0, 1], or set output_activation="linear".',
                stacklevel=2,
            )
        return X

    def _targets(self, loss):
        return Reconstructions(self.input_shape_)


def _encoder(model):
    """Return the layers of an autoencoder that make a code of a sample."""
    return _chain(model.layers[1 : model.layers.index(model.get_layer("code")) + 1])


def _decoder(model):
    """Return the layers of an autoencoder that make a sample of a code."""
    return _chain(model.layers[model.layers.index(model.get_layer("code")) + 1 :])


def _chain(layers):
    return lambda batch, training: functools.reduce(lambda values, layer: layer(values), layers, batch)
