"""Classifier with any registered or user-defined Keras model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.utils.multiclass import check_classification_targets

from kerasnet.estimators._classifier import KerasNetClassifierBase
from kerasnet.estimators._ready_made import (
    copy_trained_model,
    is_multilabel,
    sort_outputs,
    with_network_of,
    with_pretrained_network,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import keras
    import numpy.typing as npt

    from kerasnet.estimators._typing import (
        Augmentation,
        Callbacks,
        ClassWeight,
        Loss,
        Memory,
        Metrics,
        Model,
        Optimizer,
        RandomState,
        Shape,
    )


class KerasNetClassifier(KerasNetClassifierBase):
    """Classifier with a registered model, a user-defined builder or a Keras model.

    Parameters
    ----------
    model : str, callable or keras.Model, default="mlp"
        Name of a registered model (see :func:`kerasnet.models.list_models`), a builder (a function that returns a new
        ``keras.Model``), or a Keras model, which is copied in each fit. A builder is called with the architecture
        parameters. If its signature contains them, it also receives ``input_shape``, ``n_outputs``,
        ``output_activation`` and, as in SciKeras, ``meta`` (information about the data), ``params`` and
        ``compile_kwargs``. If the builder has no argument ``output_activation``, ``n_outputs`` is the number of
        classes, even for binary classification. If the builder compiles the model, its loss, optimizer and metrics are
        used, and a different `loss` raises an error. Each call must create new trainable layers. The outputs must be
        probabilities, unless the loss has ``from_logits=True``.
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
        Keras loss. If None, the cross-entropy. Names and classes take parameters as ``loss__<name>``. Losses with names
        that begin with "sparse" receive class indices. All others receive targets in the shape of the outputs: one
        column of floats, or one-hot rows. With a categorical loss, a one-hot encoded `y` is treated as multiclass
        instead of multilabel, and :meth:`predict` returns one-hot rows.
    metrics : str, list or dict, default="accuracy"
        Keras metrics, recorded in `history_` after each epoch. If None, no metrics. The targets are
        converted to the format that each metric expects.
    callbacks : list, dict, class or instance, default=None
        Keras callbacks. Each fit uses shallow copies of instances; the objects that they refer to are shared. Classes
        take parameters as ``callbacks__<name>``.
    class_weight : dict, list of dict or "balanced", default=None
        Weights of the classes in the loss, multiplied by ``sample_weight``. "balanced" uses weights inversely
        proportional to the class frequencies. For multilabel targets, a list with one dict per label. Class weights
        also apply to validation data that are split from the training data but, as in Keras, not to validation data
        that are passed to :meth:`fit`.
    early_stopping : bool, default=False
        Whether to stop training when the validation loss stops improving, and to restore the weights of the best
        epoch. Unless validation data are passed to :meth:`fit`, a part of the training data is set aside, stratified by
        class if there are enough samples.
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
        Arguments of the model's builder, such as ``filters``, and routed parameters: ``optimizer__<name>``,
        ``loss__<name>``, ``metrics__<name>``, ``callbacks__<name>``, ``model__<name>``, ``compile__<name>`` and
        ``fit__<name>``. ``get_params`` includes the builder's arguments with their default values. If
        ``set_params`` changes `model`, arguments that were set explicitly are kept, and the others have the default
        values of the new builder. ``weights`` is the name of pretrained weights to fine-tune, such as "mnist". The
        builder's arguments then default to those that the weights were trained with. If the number of classes
        differs, the output layer is randomly initialized; otherwise, it is fine-tuned, too.
        ``run_eagerly``, ``loss_weights``, ``weighted_metrics``, ``jit_compile`` and ``auto_scale_loss`` can be given
        without the prefix ``compile__``. ``validation_split`` sets aside the last part of the data, as in Keras, and
        ``validation_batch_size`` defaults to `batch_size`.

    Attributes
    ----------
    model_ : keras.Model
        The trained model. It does not divide uint8 images by 255.
    classes_ : ndarray of shape (n_classes,)
        The sorted class labels; for multilabel targets, 0, 1, ..., n_labels - 1.
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
    CNNClassifier : Classifier with a convolutional neural network.
    SimpleRNNClassifier : Classifier with a simple recurrent neural network.

    Examples
    --------
    >>> from kerasnet import KerasNetClassifier
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import GridSearchCV
    >>> X, y = load_iris(return_X_y=True)
    >>> classifier = KerasNetClassifier("mlp", epochs=40, random_state=0)
    >>> search = GridSearchCV(classifier, {"learning_rate": [0.001, 0.01]}, cv=3).fit(X, y)
    >>> bool(search.best_score_ > 0.9)
    True
    """

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
        metrics: Metrics = "accuracy",
        callbacks: Callbacks = None,
        class_weight: ClassWeight = None,
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
        """Load a registered model with pretrained weights as a fitted classifier.

        Parameters
        ----------
        model : str
            Name of a registered model; ``kerasnet.list_models(weights=True)`` lists those with pretrained weights.
        weights : str
            Name of pretrained weights of this model, such as "mnist".
        **parameters
            Other parameters of the classifier, for fine-tuning.

        Returns
        -------
        classifier : KerasNetClassifier
            Fitted classifier that predicts the class indices 0, 1, ... of the data set. :meth:`fit` fine-tunes the
            pretrained weights.

        Raises
        ------
        UnknownModelError
            If no model with this name is registered.
        ValueError
            If the model has no pretrained weights with this name.

        Examples
        --------
        >>> from kerasnet import KerasNetClassifier
        >>> from kerasnet.datasets import load_mnist
        >>> X, y = load_mnist("test", return_X_y=True)
        >>> classifier = KerasNetClassifier.from_pretrained("lenet", "mnist")
        >>> classifier.predict(X[:5]), y[:5]
        (array([7, 2, 1, 0, 4]), array([7, 2, 1, 0, 4]))
        """
        return with_pretrained_network(cls(model, weights=weights, **parameters), model, weights)

    @classmethod
    def from_keras(
        cls,
        model: keras.Model,
        *,
        classes: npt.ArrayLike | None = None,
        input_shape: Shape | None = None,
        **parameters: Any,
    ) -> Self:
        """Make a fitted classifier from a trained Keras model.

        Parameters
        ----------
        model : keras.Model
            A built model with one input and one output of shape (n_samples, n_outputs): one probability for each class,
            or the probability of the second of two classes. Outputs are treated as logits if the loss of the compiled
            model, or `loss`, has ``from_logits=True``. The classifier uses a copy.
        classes : array-like of shape (n_classes,), default=None
            Class labels in the order of the outputs. If None, the labels are 0, 1, ... If they are not sorted, the
            outputs of the copy are reordered, since scikit-learn expects sorted classes.
        input_shape : tuple of int, default=None
            Shape of one sample. Required if the model's input shape contains None.
        **parameters
            Other parameters of the classifier.

        Returns
        -------
        classifier : KerasNetClassifier
            Fitted classifier. :meth:`fit` trains another copy of the model, starting from its weights. A compiled model
            keeps its loss, optimizer and metrics. :func:`kerasnet.save` supports the classifier if a registered builder
            can build the same architecture.

        Raises
        ------
        TypeError
            If `model` is not a Keras model.
        ValueError
            If the model has multiple inputs or outputs, or if its outputs do not match the classes.

        Notes
        -----
        Images of dtype uint8 are not divided by 255, unlike with registered models. A warning is issued if such images
        are passed. A model with a binary cross-entropy loss and multiple outputs is a multilabel classifier.

        Examples
        --------
        >>> from kerasnet import KerasNetClassifier
        >>> from kerasnet.models import build_mlp
        >>> model = build_mlp((4,), 3)  # in practice, a model trained with Keras
        >>> classifier = KerasNetClassifier.from_keras(model, classes=["setosa", "versicolor", "virginica"])
        >>> classifier.predict_proba([[5.1, 3.5, 1.4, 0.2]]).shape
        (1, 3)
        """
        model, input_shape = copy_trained_model(model, input_shape)
        estimator, n_outputs = cls(model, **parameters), model.outputs[0].shape[1]
        n_classes = max(n_outputs, 2)
        labels = np.arange(n_classes) if classes is None else np.asarray(classes)
        check_classification_targets(labels)
        if labels.shape != (n_classes,) or len(np.unique(labels)) != n_classes:
            raise ValueError(
                f"classes must contain {n_classes} different labels for the {n_outputs} outputs of {model.name!r}. "
                f"Received: {classes!r}."
            )
        if not is_multilabel(model, estimator.loss):
            return with_network_of(estimator, model, sort_outputs(model, labels, input_shape), input_shape)
        if not np.array_equal(labels, np.arange(n_classes)):
            raise ValueError(
                f"The outputs of {model.name!r} are multilabel, and the classes must be 0, 1, ... Received: "
                f"{classes!r}. Leave out classes."
            )
        return with_network_of(estimator, model, np.eye(n_classes, dtype=np.int64), input_shape)
