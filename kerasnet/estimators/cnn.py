"""Classifier with a convolutional neural network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kerasnet.estimators._classifier import KerasNetClassifierBase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kerasnet.estimators._typing import (
        Augmentation,
        Callbacks,
        ClassWeight,
        Loss,
        Memory,
        Metrics,
        Optimizer,
        RandomState,
    )


class CNNClassifier(KerasNetClassifierBase):
    """Image classifier with a convolutional neural network.

    The model is built by :func:`kerasnet.models.build_cnn`: convolution and pooling blocks, then dense layers.

    Parameters
    ----------
    filters : int or tuple of int, default=(32,)
        Number of filters of each convolution and pooling block.
    kernel_size : int, default=3
        Height and width of the convolution kernels, in pixels.
    pool_size : int, default=2
        Height and width of the max pooling windows, in pixels; 1 for no pooling.
    dense_units : int or tuple of int, default=(128,)
        Number of units of each dense layer before the output layer.
    activation : str, default="relu"
        Activation of the convolutional and dense layers.
    dropout : float, default=0.0
        Dropout rate after each block and each dense layer, in [0, 1).
    l1, l2 : float, default=0.0
        L1 and L2 regularization factors of all kernels.
    weights : str, default=None
        Name of pretrained weights to fine-tune, such as "mnist"; see :func:`kerasnet.models.model_card`. The
        architecture parameters must be those that the weights were trained with. If None, the weights are randomly
        initialized.
    image_shape : tuple (height, width[, channels]), default=None
        Shape of the images, required if `X` contains them as flattened rows.
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
        Routed parameters: ``optimizer__<name>``, ``loss__<name>``, ``metrics__<name>`` and ``callbacks__<name>``.

    Attributes
    ----------
    model_ : keras.Model
        The trained model. It does not divide uint8 images by 255.
    classes_ : ndarray of shape (n_classes,)
        The class labels, sorted; 0, 1, ..., n_labels - 1 for multilabel targets.
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
    KerasNetClassifier : Classifier with any registered or user-defined model.

    Examples
    --------
    >>> from kerasnet import CNNClassifier
    >>> from sklearn.datasets import load_digits
    >>> digits = load_digits()  # 8 x 8 pixels, 0 to 16
    >>> X, y = digits.images / 16, digits.target
    >>> classifier = CNNClassifier(epochs=3, random_state=0).fit(X[:1000], y[:1000])
    >>> classifier.predict_proba(X[1000:]).shape
    (797, 10)
    >>> classifier.score(X[1000:], y[1000:]) > 0.8
    True
    """

    model = "cnn"

    def __init__(
        self,
        *,
        filters: int | Sequence[int] = (32,),
        kernel_size: int = 3,
        pool_size: int = 2,
        dense_units: int | Sequence[int] = (128,),
        activation: str = "relu",
        dropout: float = 0.0,
        l1: float = 0.0,
        l2: float = 0.0,
        weights: str | None = None,
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
