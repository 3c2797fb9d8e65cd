"""What a backbone sees in images, as features."""

import os

from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils._param_validation import StrOptions

from kerasnet.estimators._base import KerasNetBase, unchanged_on_error
from kerasnet.estimators._targets import Features
from kerasnet.estimators._validation import validate_samples
from kerasnet.training._network import Network


class BackboneFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, KerasNetBase):
    """Features that a network of ``keras.applications`` finds in images, for any estimator of scikit-learn.

    The network is that of :func:`kerasnet.models.build_backbone`, without outputs of its own. Nothing is trained.

    Parameters
    ----------
    backbone : str, default="mobilenet_v2"
        The network, such as "mobilenet_v2", "resnet50" or "vgg16".
    weights : "imagenet", path-like or None, default="imagenet"
        "imagenet" for the weights that Keras downloads once; a file of such weights without top; or None for initial
        weights.
    layer : str, default=None
        The name of the layer to take the features from, such as "block_6_expand_relu" of "mobilenet_v2"; the last of
        the network when None.
    pooling : {"avg", "max"} or None, default="avg"
        How feature maps become a vector: by their averages, their maxima, or, when None, flattened.
    image_shape : tuple (height, width[, channels]), default=None
        The shape of the images when `X` holds them as flattened rows.
    random_state : int, RandomState instance or None, default=None
        Decides initial weights, for ``weights=None``.

    Attributes
    ----------
    model_ : keras.Model
        It takes float images in [0, 1] and gives features.
    input_shape_ : tuple of int
        The shape of one image.
    n_features_in_ : int
        The size of the second axis of `X`.

    See Also
    --------
    kerasnet.models.build_backbone : The networks, and how they are fine-tuned.
    kerasnet.features.ImagePreprocessor : Brings images to one size.

    Examples
    --------
    >>> from kerasnet import BackboneFeatures
    >>> from kerasnet.datasets import load_mnist
    >>> X, y = load_mnist(n_samples=20, random_state=0, return_X_y=True)
    >>> BackboneFeatures(weights=None, layer="block_1_expand_relu", random_state=0).fit_transform(X).shape
    (20, 96)
    """

    model = "backbone"
    memory = None

    _parameter_constraints = {  # noqa: RUF012
        "backbone": [str],
        "weights": [str, os.PathLike, None],
        "layer": [str, None],
        "pooling": [StrOptions({"avg", "max"}), None],
        "image_shape": [tuple, list, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        backbone="mobilenet_v2",
        *,
        weights="imagenet",
        layer=None,
        pooling="avg",
        image_shape=None,
        random_state=None,
    ):
        self.backbone = backbone
        self.weights = weights
        self.layer = layer
        self.pooling = pooling
        self.image_shape = image_shape
        self.random_state = random_state

    def get_params(self, deep=True):
        """Get the parameters.

        Parameters
        ----------
        deep : bool, default=True
            For scikit-learn; there are no estimators among them.

        Returns
        -------
        params : dict
            Values by name.
        """
        return BaseEstimator.get_params(self, deep=deep)

    def set_params(self, **params):
        """Set parameters.

        Parameters
        ----------
        **params
            Values by name.

        Returns
        -------
        self
            This transformer.

        Raises
        ------
        ValueError
            If there is no parameter of such a name.
        """
        return BaseEstimator.set_params(self, **params)

    def initialize(self, X, y=None):
        """Build the network; the same as :meth:`fit`, since nothing is trained.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width) or (n_samples, height, width, channels)
            Images, as for :meth:`fit`.
        y : None
            Ignored.

        Returns
        -------
        self
            The fitted transformer.
        """
        return self.fit(X)

    def fit(self, X, y=None):
        """Build the network for images of the shape of these.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width) or (n_samples, height, width, channels)
            Images, RGB order: uint8 is divided by 255, any other dtype is taken as it is.
        y : None
            Ignored; for pipelines.

        Returns
        -------
        self
            The fitted transformer.
        """
        self._check_parameters()
        with unchanged_on_error(self):
            X = validate_samples(self, X, reset=True)
            self._as_input(X, reset=True)
            self.history_, self.n_iter_ = {}, 0
            self._network = Network(self._spec(), self._draw_seed())
            _ = self._network.any_model  # a download that fails is reported here
        return self

    def transform(self, X):
        """Compute the features of images.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width) or (n_samples, height, width, channels)
            Images, as for :meth:`fit`.

        Returns
        -------
        features : ndarray of shape (n_samples, n_features), dtype float32
            One row an image.
        """
        return self._predict_raw(X)

    @property
    def _n_features_out(self):
        return self._network.any_model.output_shape[1]

    def __sklearn_tags__(self):
        """Tell scikit-learn what the transformer can do."""
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def _targets(self, loss):
        return Features(self.input_shape_)
