"""The convolutional network as a classifier."""

from kerasnet.estimators._classifier import KerasNetClassifierBase


class CNNClassifier(KerasNetClassifierBase):
    """A convolutional neural network that classifies images.

    The network is that of :func:`kerasnet.models.build_cnn`: blocks of convolution and pooling, then dense
    layers.

    Parameters
    ----------
    filters : tuple of int, default=(32,)
        The number of filters of each block of convolution and pooling; a longer tuple is a deeper network.
    kernel_size : int, default=3
        Height and width of the filters, in pixels.
    pool_size : int, default=2
        Height and width of the max pooling windows; 1 for none.
    dense_units : tuple of int, default=(128,)
        The number of units of each dense layer before the outputs.
    activation : str, default="relu"
        The activation of the convolutions and dense layers.
    dropout : float, default=0.0
        The fraction, in [0, 1), of values dropped in training behind each block and each dense layer.
    l1, l2 : float, default=0.0
        The weights of the L1 and L2 penalties on all kernels.
    weights : str, default=None
        The name of a set of pretrained weights that training starts from, such as "mnist"; see
        :func:`kerasnet.models.model_card`. None for initial weights.
    image_shape : tuple (height, width[, channels]), default=None
        The shape of the images when `X` holds them as flattened rows.
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
        Routed parameters: ``optimizer__``, ``loss__``, ``metrics__`` and ``callbacks__<name>``.

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
    KerasNetClassifier : The same for any registered model, or a builder of your own.

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
        filters=(32,),
        kernel_size=3,
        pool_size=2,
        dense_units=(128,),
        activation="relu",
        dropout=0.0,
        l1=0.0,
        l2=0.0,
        weights=None,
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
