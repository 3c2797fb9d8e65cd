"""Transformer that extracts image features with a pretrained backbone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Self

from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils._param_validation import StrOptions

from kerasnet.estimators._base import KerasNetBase, unchanged_on_error
from kerasnet.estimators._targets import FeatureTargets
from kerasnet.estimators._validation import validate_samples
from kerasnet.training._network import Network

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import numpy.typing as npt

    from kerasnet.estimators._typing import RandomState


class BackboneFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, KerasNetBase):
    """Feature extraction from images with a network of ``keras.applications``.

    The model is built by :func:`kerasnet.models.build_backbone`, without a classification head. It is not trained.

    Parameters
    ----------
    backbone : str, default="mobilenet_v2"
        Name of the network, such as "mobilenet_v2", "resnet50" or "vgg16".
    weights : "imagenet", path-like or None, default="imagenet"
        "imagenet" for pretrained weights, which Keras downloads once; the path of a file with such weights (without
        top); or None for random initial weights.
    layer : str, default=None
        Name of the layer that computes the features, such as "block_6_expand_relu" of "mobilenet_v2". If None, the last
        layer.
    pooling : {"avg", "max"} or None, default="avg"
        Global pooling of the feature maps: "avg" for average pooling, "max" for max pooling. If None, the feature maps
        are flattened.
    image_shape : tuple (height, width[, channels]), default=None
        Shape of the images, required if `X` contains them as flattened rows.
    random_state : int, RandomState instance or None, default=None
        Controls the initial weights if `weights` is None.

    Attributes
    ----------
    model_ : keras.Model
        The model that computes features from float images in [0, 1].
    input_shape_ : tuple of int
        Shape of one image.
    n_features_in_ : int
        Size of the second axis of `X` in :meth:`fit`.

    See Also
    --------
    kerasnet.models.build_backbone : The supported networks, and how to fine-tune them.
    kerasnet.features.ImagePreprocessor : Resize images to one size.

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
        backbone: str = "mobilenet_v2",
        *,
        weights: str | os.PathLike[str] | None = "imagenet",
        layer: str | None = None,
        pooling: str | None = "avg",
        image_shape: Sequence[int] | None = None,
        random_state: RandomState = None,
    ) -> None:
        self.backbone = backbone
        self.weights = weights
        self.layer = layer
        self.pooling = pooling
        self.image_shape = image_shape
        self.random_state = random_state

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get the parameters.

        Parameters
        ----------
        deep : bool, default=True
            Ignored: no parameter is an estimator.

        Returns
        -------
        params : dict
            Parameter names mapped to their values.
        """
        return BaseEstimator.get_params(self, deep=deep)

    def set_params(self, **params: Any) -> Self:
        """Set parameters.

        Parameters
        ----------
        **params
            Estimator parameters.

        Returns
        -------
        self
            This transformer.

        Raises
        ------
        ValueError
            If a parameter does not exist.
        """
        return BaseEstimator.set_params(self, **params)

    def initialize(self, X: npt.ArrayLike, y: npt.ArrayLike | None = None) -> Self:
        """Build the model; equivalent to :meth:`fit`.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width) or (n_samples, height, width, channels)
            Images, as for :meth:`fit`.
        y : None
            Ignored, present for API consistency by convention.

        Returns
        -------
        self
            The fitted transformer.
        """
        return self.fit(X)

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike | None = None) -> Self:
        """Build the model for images of this shape.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width) or (n_samples, height, width, channels)
            Images in RGB order. uint8 is divided by 255, any other dtype is not rescaled.
        y : None
            Ignored, present for API consistency by convention.

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
            _ = self._network.any_model  # so that a failed download raises here
        return self

    def transform(self, X: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Extract features from images.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width) or (n_samples, height, width, channels)
            Images, as for :meth:`fit`.

        Returns
        -------
        features : ndarray of shape (n_samples, n_features), dtype float32
            Features, one row per image.
        """
        return self._predict_raw(X)

    @property
    def _n_features_out(self):
        return self._network.any_model.output_shape[1]

    def __sklearn_tags__(self):
        """Return the tags of the transformer."""
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def _targets(self, loss):
        return FeatureTargets(self.input_shape_)
