"""Any model as a classifier."""

import numpy as np

from kerasnet.estimators._classifier import KerasNetClassifierBase
from kerasnet.estimators._ready_made import (
    copy_of_trained,
    is_multilabel,
    sort_outputs,
    with_network_of,
    with_pretrained_network,
)


class KerasNetClassifier(KerasNetClassifierBase):
    """A registered model, or the model of a builder of your own, as a classifier.

    Parameters
    ----------
    model : str, callable or keras.Model, default="mlp"
        The name of a registered model (see :func:`kerasnet.models.list_models`), or a function that returns a
        new ``keras.Model``, or such a model, of which each fit trains a copy. A function is called with those of
        ``input_shape``, ``n_outputs`` and ``output_activation`` that it takes, with the architecture parameters,
        and, as by SciKeras, with
        ``meta`` (what is known of the data), ``params`` and ``compile_kwargs``. A builder without
        ``output_activation`` is asked for one output a class, also for two classes. A model that it compiles keeps
        that loss, optimizer and metrics; another `loss` is refused. It must create its trainable layers itself, and
        its outputs must be probabilities unless the loss has ``from_logits=True``.
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
        A Keras loss; None for cross-entropy. Names and classes take parameters as ``loss__<name>``. Targets have the
        shape of the outputs: one column of floats, or one-hot rows; only losses whose names begin with "sparse" get
        class indices. With a categorical loss, a one-hot `y` has exactly one label a row, in predictions too.
    metrics : str, list or dict, default="accuracy"
        Keras metrics recorded in `history_` after each epoch; None for none. They see targets as losses do, each in
        the form that it is defined for.
    callbacks : list, dict, class or instance, default=None
        Keras callbacks. Each fit uses shallow copies of instances, so that what they refer to is shared. Classes take
        parameters as ``callbacks__<name>``.
    class_weight : dict, list of dict or "balanced", default=None
        The weight of each class in the loss, multiplied by ``sample_weight``; "balanced" weights each class by the
        inverse of its frequency. For several labels a sample, a list of one dict for each label. It counts for a part
        that `early_stopping` holds out, not for validation data that are given, as in Keras.
    early_stopping : bool, default=False
        Hold out a stratified part of the training data, stop when its loss no longer falls, and restore the
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
        `model` changes. ``run_eagerly``, ``loss_weights``, ``weighted_metrics``, ``jit_compile`` and
        ``auto_scale_loss`` need no ``compile__``; ``validation_split`` holds out the last part of the data, as Keras
        does, and ``validation_batch_size`` is `batch_size` when not given.

    Attributes
    ----------
    model_ : keras.Model
        The trained model; it takes floats, and images in [0, 1].
    classes_ : ndarray of shape (n_classes,)
        The labels; 0, 1, ... for the columns of several labels a sample.
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
    CNNClassifier, SimpleRNNClassifier : The same for one architecture.

    Examples
    --------
    >>> from kerasnet import KerasNetClassifier
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import GridSearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> classifier = KerasNetClassifier("mlp", epochs=40, learning_rate=0.01, random_state=0)
    >>> search = GridSearchCV(classifier, {"dense_units": [(4,), (32,)]}, cv=3).fit(X, y)
    >>> bool(search.best_score_ > 0.9)
    True
    """

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
        metrics="accuracy",
        callbacks=None,
        class_weight=None,
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
        """Load a registered model with pretrained weights as a fitted classifier.

        Parameters
        ----------
        model : str
            The name of a registered model; ``kerasnet.list_models(weights=True)`` lists those with pretrained weights.
        weights : str
            The name of a set of pretrained weights of this model, such as "mnist".
        **parameters
            Other parameters of the classifier, for further training.

        Returns
        -------
        classifier : KerasNetClassifier
            Fitted: it predicts the class indices 0, 1, ... of the data set. :meth:`fit` fine-tunes, starting from the
            pretrained weights.

        Raises
        ------
        UnknownModelError
            If no model of this name is registered.
        ValueError
            If the model has no such set of pretrained weights.

        Examples
        --------
        >>> from kerasnet import KerasNetClassifier
        >>> from kerasnet.datasets import load_mnist
        >>> X, y = load_mnist("test", return_X_y=True)
        >>> classifier = KerasNetClassifier.from_pretrained("lenet", "mnist")
        >>> classifier.predict(X[:5]), y[:5]
        (array([7, 2, 1, 0, 4]), array([7, 2, 1, 0, 4], dtype=uint8))
        """
        return with_pretrained_network(cls(model, weights=weights, **parameters), model, weights)

    @classmethod
    def from_keras(cls, model, *, classes=None, input_shape=None, **parameters):
        """Make a fitted classifier from a trained Keras model.

        Parameters
        ----------
        model : keras.Model
            A built model with one input and one output of shape (n_samples, n_outputs): one probability for each class,
            or one for the second of two classes; logits if it is compiled with a loss with ``from_logits=True`` or
            `loss` is such a loss. The classifier uses a copy.
        classes : array-like of shape (n_classes,), default=None
            The class labels in the order of the outputs; 0, 1, ... when None. When they are not sorted, the outputs of
            the copy are reordered, since scikit-learn expects sorted classes.
        input_shape : tuple of int, default=None
            The shape of one sample; needed only for models whose input shape contains None.
        **parameters
            Other parameters of the classifier.

        Returns
        -------
        classifier : KerasNetClassifier
            Fitted. :meth:`fit` trains a new copy of the model, starting from its weights. :func:`kerasnet.save` stores
            the classifier if a registered builder builds the same network.

        Raises
        ------
        TypeError
            If `model` is not a Keras model.
        ValueError
            If the model has several inputs or outputs, or its outputs do not match the classes.

        Notes
        -----
        Unlike models given by name, such a model receives images of dtype uint8 without division by 255; a warning says
        so. Outputs of a model with a binary cross-entropy and more than one output are multilabel probabilities.

        Examples
        --------
        >>> from kerasnet import KerasNetClassifier
        >>> from kerasnet.models import build_mlp
        >>> model = build_mlp((4,), 3)  # trained by Keras
        >>> classifier = KerasNetClassifier.from_keras(model, classes=["setosa", "versicolor", "virginica"])
        >>> classifier.predict_proba([[5.1, 3.5, 1.4, 0.2]]).shape
        (1, 3)
        """
        model, input_shape = copy_of_trained(model, input_shape)
        estimator, n_outputs = cls(model, **parameters), model.outputs[0].shape[1]
        n_classes = max(n_outputs, 2)
        labels = np.arange(n_classes) if classes is None else np.asarray(classes)
        if labels.shape != (n_classes,) or len(np.unique(labels)) != n_classes:
            raise ValueError(
                f"classes must be {n_classes} different labels, for the {n_outputs} outputs of {model.name!r}. "
                f"Received: {classes!r}."
            )
        if not is_multilabel(model, estimator.loss):
            return with_network_of(estimator, model, sort_outputs(model, labels), input_shape)
        if not np.array_equal(labels, np.arange(n_classes)):
            raise ValueError(
                f"The outputs of {model.name!r} are multilabel, whose classes are always 0, 1, ... Leave out classes."
            )
        return with_network_of(estimator, model, np.eye(n_classes, dtype=np.int64), input_shape)
