"""Classifier with a simple recurrent neural network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kerasnet.estimators._classifier import KerasNetClassifierBase

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kerasnet.estimators._typing import Callbacks, ClassWeight, Loss, Memory, Metrics, Optimizer, RandomState


class SimpleRNNClassifier(KerasNetClassifierBase):
    """Sequence classifier with a simple recurrent neural network.

    The model is built by :func:`kerasnet.models.build_simple_rnn`. Samples have the shape (steps, features). The rows
    of an image can be used as time steps.

    Parameters
    ----------
    units : int or tuple of int, default=(64,)
        Number of units of each recurrent layer.
    dropout : float, default=0.0
        Dropout rate after each recurrent layer, in [0, 1).
    l1, l2 : float, default=0.0
        L1 and L2 regularization factors of all kernels.
    weights : str, default=None
        Name of pretrained weights to fine-tune, such as "mnist"; see :func:`kerasnet.models.model_card`. The
        architecture parameters must be those that the weights were trained with. If None, the weights are randomly
        initialized.
    mask_value : float, default=None
        Time steps with this value in all features are padding, and are skipped. If None, no time step is skipped.
    vocabulary_size : int or "auto", default=None
        Number of token ids, including 0 for padding and 1 for unknown tokens. If given, `X` contains token ids of shape
        (n, steps), as :class:`kerasnet.features.TextVectorizer` returns them. "auto" is the largest id in the training
        data plus one.
    embedding_units : int, default=128
        Size of the embedding of each token. Ignored if `vocabulary_size` is None.
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
        The trained model.
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
    >>> from kerasnet import SimpleRNNClassifier
    >>> from sklearn.datasets import load_digits
    >>> digits = load_digits()
    >>> X, y = digits.images / 16, digits.target  # 8 rows of 8 pixels: 8 steps of 8 features
    >>> classifier = SimpleRNNClassifier(epochs=10, random_state=0).fit(X[:1000], y[:1000])
    >>> classifier.score(X[1000:], y[1000:]) > 0.7
    True
    """

    model = "simple_rnn"

    def __init__(
        self,
        *,
        units: int | Sequence[int] = (64,),
        dropout: float = 0.0,
        l1: float = 0.0,
        l2: float = 0.0,
        weights: str | None = None,
        mask_value: float | None = None,
        vocabulary_size: int | str | None = None,
        embedding_units: int = 128,
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
