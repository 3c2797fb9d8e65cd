"""Any model as a regressor."""

import numpy as np
from sklearn.base import RegressorMixin

from kerasnet.estimators._base import KerasNetBase
from kerasnet.estimators._inputs import as_float32
from kerasnet.estimators._ready_made import copy_of_trained, with_network_of
from kerasnet.estimators._targets import Numbers


class KerasNetRegressor(RegressorMixin, KerasNetBase):
    """A registered model, or the model of a builder of your own, as a regressor.

    Targets are taken as they are; networks learn best when they are about as large as 1, which
    ``sklearn.compose.TransformedTargetRegressor`` sees to.

    Parameters
    ----------
    model : str, callable or keras.Model, default="mlp"
        The name of a registered model (see :func:`kerasnet.models.list_models`), or a function that returns a
        new ``keras.Model``, or such a model, of which each fit trains a copy. A function is called with those of
        ``input_shape``, ``n_outputs`` and ``output_activation`` that it takes, with the architecture parameters,
        and, as by SciKeras, with
        ``meta`` (what is known of the data), ``params`` and ``compile_kwargs``. A model that it compiles keeps that
        loss, optimizer and metrics.
    image_shape : tuple (height, width[, channels]), default=None
        The shape of the images when `X` holds them as flattened rows, for models of images.
    augmentation : {"shift", "shift_rotate", "shift_rotate_zoom"} or keras.layers.Layer, default=None
        What images go through in training, anew in each epoch: "shift" moves them by up to 8 % of height and width,
        "shift_rotate" also turns them by up to 11 degrees, and "shift_rotate_zoom" stretches or shrinks them by up to
        10 %. Of a Keras layer a copy is used; what it draws is decided by `random_state`.
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
        The arguments of the model's builder (``filters`` and so on), and routed parameters: ``optimizer__``,
        ``loss__``, ``metrics__`` and ``callbacks__<name>``; also ``model__``, ``compile__`` and ``fit__<name>``.
        ``get_params`` shows the builder's arguments with their defaults; only values given explicitly are kept when
        `model` changes.

    Attributes
    ----------
    model_ : keras.Model
        The trained model; it takes floats, and images in [0, 1].
    output_shape_ : tuple of int
        The shape of one target: () or (n_outputs,).
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

    See Also
    --------
    KerasNetClassifier : The same for classes.

    Examples
    --------
    >>> from kerasnet import KerasNetRegressor
    >>> from sklearn.compose import TransformedTargetRegressor
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> X, y = load_diabetes(return_X_y=True)
    >>> network = make_pipeline(StandardScaler(), KerasNetRegressor("mlp", epochs=20, random_state=0))
    >>> regressor = TransformedTargetRegressor(network, transformer=StandardScaler()).fit(X[:300], y[:300])
    >>> bool(regressor.score(X[300:], y[300:]) > 0.4)
    True
    """

    _target_checks = {"multi_output": True, "y_numeric": True}  # noqa: RUF012

    def __init__(
        self,
        model="mlp",
        *,
        image_shape=None,
        augmentation=None,
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
    def from_keras(cls, model, *, input_shape=None, **parameters):
        """Make a fitted regressor from a trained Keras model.

        Parameters
        ----------
        model : keras.Model
            A built model with one input and one output of shape (n_samples, n_outputs). The regressor uses a copy.
        input_shape : tuple of int, default=None
            The shape of one sample; needed only for models whose input shape contains None.
        **parameters
            Other parameters of the regressor.

        Returns
        -------
        regressor : KerasNetRegressor
            Fitted. :meth:`fit` trains a new copy of the model, starting from its weights. :func:`kerasnet.save` stores
            the regressor if a registered builder builds the same network.

        Raises
        ------
        TypeError
            If `model` is not a Keras model.
        ValueError
            If the model has several inputs or outputs.

        Notes
        -----
        Unlike models given by name, such a model receives images of dtype uint8 without division by 255; a warning says
        so.

        Examples
        --------
        >>> from kerasnet import KerasNetRegressor
        >>> from kerasnet.models import build_mlp
        >>> model = build_mlp((4,), 1, output_activation="linear")  # trained by Keras
        >>> KerasNetRegressor.from_keras(model).predict([[5.1, 3.5, 1.4, 0.2]]).shape
        (1,)
        """
        model, input_shape = copy_of_trained(model, input_shape)
        n_outputs = model.outputs[0].shape[1]
        y = np.zeros(2) if n_outputs == 1 else np.zeros((2, n_outputs))
        return with_network_of(cls(model, **parameters), model, y, input_shape)

    def fit(self, X, y, sample_weight=None, X_val=None, y_val=None, **keywords):
        """Train a new model.

        Parameters
        ----------
        X : {array-like, sparse matrix, LazyArray} of shape (n_samples, ...)
            Images (n, height, width) or (n, height, width, channels), RGB order: uint8 is divided by 255, any
            other dtype is taken as it is. Sequences (n, steps, features), or (n, steps) with one feature;
            or, of different lengths, a list of arrays (steps, features). Vectors (n, features).
            Data on disk are read as they are needed; see :class:`kerasnet.datasets.LazyArray`.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Numbers.
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

    def partial_fit(self, X, y, sample_weight=None):
        """Train one more epoch, on these samples, going on from where the model and its optimizer are.

        The learning rate is constant, and `memory` is not asked.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, as for :meth:`fit`.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Numbers.
        sample_weight : array-like of shape (n_samples,), default=None
            The weight of each sample in the loss, as it is.

        Returns
        -------
        self
            The fitted estimator.
        """
        return self._fit(X, y, sample_weight, partial=True)

    def predict(self, X):
        """Predict the targets of samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, as for :meth:`fit`.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs), dtype float64
            As `y` was in :meth:`fit`.
        """
        outputs = self._predict_raw(X)
        if self.target_encoder is not None:
            return self.target_encoder_.inverse_transform(outputs)
        return outputs.reshape(len(outputs), *self.output_shape_).astype(np.float64)

    def __sklearn_tags__(self):
        """Tell scikit-learn what the estimator can do."""
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
                f"Detected ``y`` to have targets of shape {y.shape[1:]}."
            )
        return as_float32(y, "y").reshape(len(y), -1)

    def _targets(self, loss):
        return Numbers(self.input_shape_, n_columns=self.n_outputs_)
