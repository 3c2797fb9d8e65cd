"""SIFT descriptors of images, and their encoding as feature vectors."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Self

import cv2
import numpy as np
from joblib import Parallel, delayed
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.cluster import MiniBatchKMeans
from sklearn.preprocessing import normalize
from sklearn.utils import check_random_state, check_scalar
from sklearn.utils.validation import check_is_fitted

from kerasnet._documentation import DocumentedEstimator
from kerasnet.features._images import check_images, check_pair, run_in_chunks, validate_images

if TYPE_CHECKING:
    import numpy.typing as npt


_ENCODINGS = ("bag_of_words", "vlad")
_DESCRIPTOR_SIZE = 128


def sift(
    images: npt.ArrayLike,
    *,
    grid: int | tuple[int, int] | None = None,
    keypoint_size: float | None = None,
    enlarge: float = 1,
    n_jobs: int | None = None,
) -> tuple[list[npt.NDArray[np.float32]], list[npt.NDArray[np.float32]]]:
    """Compute SIFT keypoints and descriptors of images.

    Keypoints are detected by OpenCV's SIFT [1]_ or placed on a regular grid (dense SIFT). Descriptors are computed by
    OpenCV.

    Parameters
    ----------
    images : array-like of shape (n_images, height, width) or (n_images, height, width, 3)
        Grayscale or RGB images of dtype uint8, or floats in [0, 1]. RGB images are converted to grayscale, floats to
        uint8.
    grid : int or tuple of int (rows, columns), default=None
        Number of rows and columns of a regular grid of upright keypoints. If None, keypoints are detected.
    keypoint_size : float, default=None
        Diameter of the keypoints of a grid, in pixels of `images`. If None, the larger of the distances between rows
        and between columns.
    enlarge : float, default=1
        Factor by which images are resized first, with cubic interpolation. SIFT detects few keypoints in images as
        small as 28 x 28.
    n_jobs : int, default=None
        Number of threads. None means 1 unless in a :obj:`joblib.parallel_config` context. -1 means using all
        processors.

    Returns
    -------
    keypoints : list of n_images ndarrays of shape (n_keypoints, 4), dtype float32
        x (column), y (row), diameter and angle of each keypoint, in OpenCV's convention. The first three are in pixels
        of `images`. The angle is in degrees, clockwise, or -1 if there is none.
    descriptors : list of n_images ndarrays of shape (n_keypoints, 128), dtype float32
        Integral values in [0, 255]. Constant images have no detected keypoints. On a grid, descriptors of constant
        regions are zeros.

    Raises
    ------
    ValueError
        If `images` are not grayscale or RGB, are neither uint8 nor in [0, 1], or if a parameter is invalid.

    References
    ----------
    .. [1] D. G. Lowe, "Distinctive image features from scale-invariant keypoints", International Journal of Computer
       Vision 60, 2004.

    Examples
    --------
    >>> from kerasnet.datasets import load_mnist
    >>> from kerasnet.features import sift
    >>> keypoints, descriptors = sift(load_mnist("test").data[:5], grid=8, enlarge=2)
    >>> keypoints[0].shape, descriptors[0].shape
    ((64, 4), (64, 128))
    """
    images = _to_gray_uint8(check_images(images))
    grid = _check_parameters(grid, keypoint_size, enlarge)
    batches = Parallel(n_jobs=n_jobs, prefer="threads")(
        delayed(_compute_sift)(images[start : start + 256], grid, keypoint_size, enlarge)
        for start in range(0, len(images), 256)
    )
    pairs = [pair for batch in batches for pair in batch]
    return [keypoints for keypoints, _ in pairs], [descriptors for _, descriptors in pairs]


class SIFTTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, DocumentedEstimator):
    """Encode images as feature vectors by SIFT descriptors and a vocabulary of visual words.

    `fit` clusters the descriptors of the training images with :class:`~sklearn.cluster.MiniBatchKMeans`. The cluster
    centers are the visual words. `transform` assigns the descriptors of each image to their nearest words.

    Parameters
    ----------
    n_words : int, default=16
        Number of visual words. The vocabulary is smaller if there are fewer distinct descriptors.
    encoding : {"vlad", "bag_of_words"}, default="vlad"
        Encoding of the descriptors of an image. Feature vectors are scaled to unit length, except for zeros.

        - "bag_of_words": number of descriptors assigned to each word [1]_, `n_words` features.
        - "vlad": sum of the differences between each word and its descriptors [2]_, followed by a signed square root,
          `n_words` × 128 features.
    grid : int or tuple of int (rows, columns) or None, default=8
        Number of rows and columns of a regular grid of keypoints. If None, keypoints are detected.
    keypoint_size : float, default=None
        Diameter of the keypoints of a grid, in pixels of the images. If None, the larger of the distances between
        rows and between columns.
    enlarge : float, default=2
        Factor by which images are resized first.
    root : bool, default=True
        Whether to use RootSIFT: descriptors are scaled to unit sum, followed by a square root [3]_.
    max_descriptors : int, default=100_000
        Maximum number of descriptors that the vocabulary is learned from, taken from images in random order.
    image_shape : tuple of int (height, width[, 3]), default=None
        Shape of the images if X contains flattened rows.
    random_state : int, RandomState instance or None, default=None
        Controls the selection of images and the clustering.
    n_jobs : int, default=None
        Number of threads. None means 1 unless in a :obj:`joblib.parallel_config` context. -1 means using all
        processors.

    Attributes
    ----------
    vocabulary_ : ndarray of shape (n_words, 128), dtype float32
        Visual words.
    n_features_in_ : int
        Size of the second axis of X seen during `fit`.
    feature_names_in_ : ndarray of str
        Names of the columns of X seen during `fit`. Defined only when all of them are strings.

    See Also
    --------
    kerasnet.features.sift : Compute keypoints and descriptors.
    HOGTransformer : Transform images to histograms of oriented gradients.

    References
    ----------
    .. [1] G. Csurka et al., "Visual categorization with bags of keypoints", ECCV 2004 workshop.
    .. [2] H. Jégou et al., "Aggregating local descriptors into a compact image representation", CVPR 2010.
    .. [3] R. Arandjelović and A. Zisserman, "Three things everyone should know to improve object retrieval", CVPR 2012.

    Examples
    --------
    >>> from kerasnet.datasets import load_mnist
    >>> from kerasnet.features import SIFTTransformer
    >>> X = load_mnist("test").data[:20]
    >>> SIFTTransformer(n_words=4, random_state=0).fit_transform(X).shape
    (20, 512)
    """

    def __init__(
        self,
        n_words: int = 16,
        *,
        encoding: str = "vlad",
        grid: int | tuple[int, int] | None = 8,
        keypoint_size: float | None = None,
        enlarge: float = 2,
        root: bool = True,
        max_descriptors: int = 100_000,
        image_shape: tuple[int, ...] | None = None,
        random_state: int | np.random.RandomState | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.n_words = n_words
        self.encoding = encoding
        self.grid = grid
        self.keypoint_size = keypoint_size
        self.enlarge = enlarge
        self.root = root
        self.max_descriptors = max_descriptors
        self.image_shape = image_shape
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X: npt.ArrayLike, y: Any = None) -> Self:
        """Learn the vocabulary of visual words.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, 3]) or (n_samples, height * width[ * 3])
            Images of dtype uint8 or floats in [0, 1], or flattened rows if `image_shape` is set.
        y : None
            Ignored.

        Returns
        -------
        self : object
            Fitted transformer.

        Raises
        ------
        ValueError
            If the images or a parameter are invalid.
        """
        images = self._validate_images(X, reset=True)
        check_scalar(self.n_words, "n_words", Integral, min_val=1)
        check_scalar(self.max_descriptors, "max_descriptors", Integral, min_val=self.n_words)
        if self.encoding not in _ENCODINGS:
            raise ValueError(f"encoding must be one of {_ENCODINGS}. Received: {self.encoding!r}.")
        random_state = check_random_state(self.random_state)
        descriptors = self._sample_descriptors(images, random_state)
        n_words = min(self.n_words, len(np.unique(descriptors, axis=0)))
        kmeans = MiniBatchKMeans(n_words, n_init=3, batch_size=4096, random_state=random_state).fit(descriptors)
        self.vocabulary_ = kmeans.cluster_centers_.astype(np.float32)
        return self

    def transform(self, X: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Encode images as feature vectors.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, 3]) or (n_samples, height * width[ * 3])
            Images of dtype uint8 or floats in [0, 1], or flattened rows if `image_shape` is set.

        Returns
        -------
        features : ndarray of shape (n_samples, n_features), dtype float32
            Feature vectors of unit length, or zeros for images without descriptors.

        Raises
        ------
        NotFittedError
            If the transformer is not fitted.
        ValueError
            If the images are invalid.
        """
        check_is_fitted(self)
        images = self._validate_images(X, reset=False)
        features = np.zeros((len(images), self._n_features_out), dtype=np.float32)

        def encode(start, stop):
            descriptors = self._descriptors(images[start:stop])
            for index, image_descriptors in enumerate(descriptors, start):
                if len(image_descriptors):
                    features[index] = self._encode(image_descriptors)
            normalize(features[start:stop], copy=False)

        run_in_chunks(encode, images, self.n_jobs)
        return features

    @property
    def _n_features_out(self):
        return len(self.vocabulary_) * (_DESCRIPTOR_SIZE if self.encoding == "vlad" else 1)

    def _validate_images(self, X, reset):
        return _to_gray_uint8(validate_images(self, X, reset))

    def _sample_descriptors(self, images, random_state):
        """Return at most `max_descriptors` descriptors, of images in random order."""
        samples, count = [np.zeros((0, _DESCRIPTOR_SIZE), np.float32)], 0
        order = random_state.permutation(len(images))
        for start in range(0, len(images), 256):
            if count >= self.max_descriptors:
                break
            samples += self._descriptors(images[order[start : start + 256]], self.n_jobs)
            count = sum(map(len, samples))
        descriptors = np.concatenate(samples)[: self.max_descriptors]
        # without any descriptor, the vocabulary is a single word of zeros
        return descriptors if len(descriptors) else np.zeros((1, _DESCRIPTOR_SIZE), np.float32)

    def _descriptors(self, images, n_jobs=1):
        _, descriptors = sift(
            images, grid=self.grid, keypoint_size=self.keypoint_size, enlarge=self.enlarge, n_jobs=n_jobs
        )
        if self.root:
            return [np.sqrt(normalize(item, "l1", copy=False)) if len(item) else item for item in descriptors]
        return descriptors

    def _encode(self, descriptors):
        words = self.vocabulary_
        nearest = (np.square(words).sum(axis=1) - 2 * descriptors @ words.T).argmin(axis=1)
        members = (nearest == np.arange(len(words))[:, np.newaxis]).astype(np.float32)
        counts = members.sum(axis=1)
        if self.encoding == "bag_of_words":
            return counts
        sums = members @ descriptors - counts[:, np.newaxis] * words
        return (np.sign(sums) * np.sqrt(np.abs(sums))).ravel()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.input_tags.two_d_array = self.image_shape is not None
        tags.transformer_tags.preserves_dtype = []
        return tags


def _check_parameters(grid, keypoint_size, enlarge):
    """Validate the parameters and return the grid as (rows, columns) or None."""
    check_scalar(enlarge, "enlarge", Real, min_val=0, include_boundaries="neither")
    if not math.isfinite(enlarge):
        raise ValueError(f"enlarge must be finite. Received: {enlarge}.")
    if grid is None:
        if keypoint_size is not None:
            raise ValueError(
                f"keypoint_size requires a grid. Received: keypoint_size={keypoint_size!r} and grid=None. Set grid, or "
                "keypoint_size=None."
            )
        return None
    if keypoint_size is not None:
        check_scalar(keypoint_size, "keypoint_size", Real, min_val=0, include_boundaries="neither")
    return check_pair((grid, grid) if isinstance(grid, Integral) else grid, "grid")


def _to_gray_uint8(images: np.ndarray) -> np.ndarray:
    """Convert images to grayscale and uint8, as OpenCV's SIFT requires."""
    if images.ndim == 4 and images.shape[-1] not in (1, 3):
        raise ValueError(f"Expected grayscale or RGB images. Received: images with {images.shape[-1]} channels.")
    if images.dtype != np.uint8:
        low, high = images.min(), images.max()
        if low < 0 or high > 1:
            raise ValueError(
                "Expected images of dtype uint8, or floats in [0, 1]. "
                f"Received: {images.dtype} from {low:g} to {high:g}. Convert or rescale them."
            )
        images = np.rint(images * 255).astype(np.uint8)
    if images.ndim == 3:
        return images
    if images.shape[-1] == 1:
        return images[..., 0]
    return np.array([cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in images])


def _compute_sift(images, grid, keypoint_size, enlarge):
    """Return the keypoints and descriptors of each image."""
    detector = cv2.SIFT_create()
    height, width = (max(1, round(size * enlarge)) for size in images.shape[1:])
    grid_points = None if grid is None else _grid_keypoints(images.shape[1:], (height, width), grid, keypoint_size)
    results = []
    for image in images:
        if enlarge != 1:
            image = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)
        image = np.ascontiguousarray(image)
        if grid_points is None:
            points, descriptors = detector.detectAndCompute(image, None)
        else:
            points, descriptors = detector.compute(image, grid_points)
        if descriptors is None:
            descriptors = np.zeros((0, _DESCRIPTOR_SIZE), np.float32)
        values = [(*point.pt, point.size, point.angle) for point in points]
        keypoints = np.array(values, dtype=np.float32).reshape(-1, 4)
        keypoints[:, :2] = (keypoints[:, :2] + 0.5) / enlarge - 0.5  # integers are the centers of pixels
        keypoints[:, 2] /= enlarge
        results.append((keypoints, descriptors))
    return results


def _grid_keypoints(shape, enlarged_shape, grid, keypoint_size):
    """Return OpenCV keypoints at the centers of the cells of a regular grid."""
    rows, columns = ((np.arange(n) + 0.5) * size / n - 0.5 for n, size in zip(grid, enlarged_shape, strict=True))
    if keypoint_size is None:
        diameter = max(size / n for n, size in zip(grid, enlarged_shape, strict=True))
    else:
        diameter = keypoint_size * enlarged_shape[0] / shape[0]
    return [cv2.KeyPoint(float(column), float(row), float(diameter), 0.0) for row in rows for column in columns]
