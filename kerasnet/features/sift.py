"""Scale-invariant features (SIFT) of images, and vectors of fixed length made of them."""

import math
from numbers import Integral, Real

import cv2
import numpy as np
from joblib import Parallel, delayed
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.cluster import MiniBatchKMeans
from sklearn.preprocessing import normalize
from sklearn.utils import check_random_state, check_scalar
from sklearn.utils.validation import check_is_fitted

from kerasnet._documentation import DocumentedEstimator
from kerasnet.features._images import check_images, in_chunks, pair, validated_images

_ENCODINGS = ("bag_of_words", "vlad")
_LENGTH = 128


def sift(images, *, grid=None, keypoint_size=None, enlarge=1, n_jobs=None):
    """Describe places in images by the gradients around them.

    Keypoints and descriptors are those of OpenCV's SIFT [1]_, either where it finds distinctive points or on a
    regular grid.

    Parameters
    ----------
    images : array-like of shape (n_images, height, width) or (n_images, height, width, 3)
        Grey or RGB, which is turned to grey: uint8, or floats in [0, 1], which are rounded to bytes.
    grid : int or tuple (rows, columns) of int, default=None
        Describe this many evenly spread, upright places of every image instead of the points found by SIFT.
    keypoint_size : float, default=None
        The diameter of the places of a grid, in pixels of `images`; None is the distance of its rows or columns,
        whichever is larger.
    enlarge : float, default=1
        Resize images by this factor first (cubic interpolation). SIFT finds and describes little in images as
        small as 28 x 28.
    n_jobs : int, default=None
        The number of threads; None is 1 outside a :obj:`joblib.parallel_config` context, -1 all processors.

    Returns
    -------
    keypoints : list of n_images ndarrays of shape (n_keypoints, 4), dtype float32
        x (column), y (row), diameter, each in pixels of `images`, and angle in degrees, clockwise, -1 where there is
        none, as OpenCV counts them.
    descriptors : list of n_images ndarrays of shape (n_keypoints, 128), dtype float32
        Whole numbers of 0 to 255. An image without keypoints, such as a flat one, has none; on a grid the descriptors
        of flat places are zeros.

    Raises
    ------
    ValueError
        If `images` are not grey or RGB, are neither uint8 nor in [0, 1], or a parameter is not as described.

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
    images = _as_grey_bytes(check_images(images))
    grid = _check_places(grid, keypoint_size, enlarge)
    found = Parallel(n_jobs=n_jobs, prefer="threads")(
        delayed(_describe_all)(images[start : start + 256], grid, keypoint_size, enlarge)
        for start in range(0, len(images), 256)
    )
    pairs = [each for part in found for each in part]
    return [keypoints for keypoints, _ in pairs], [descriptors for _, descriptors in pairs]


class SIFTTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, DocumentedEstimator):
    """Images as vectors of fixed length, made of their SIFT descriptors and a learned vocabulary.

    `fit` gathers descriptors of the training images and clusters them (:class:`~sklearn.cluster.MiniBatchKMeans`);
    the centers are the visual words. `transform` says how the descriptors of an image lie about the words.

    Parameters
    ----------
    n_words : int, default=16
        The number of visual words; fewer when there are fewer different descriptors.
    encoding : {"vlad", "bag_of_words"}, default="vlad"
        "bag_of_words": how many descriptors are nearest to each word [1]_, `n_words` features. "vlad": the sum of
        the differences between descriptors and their nearest word [2]_, `n_words` × 128 features, of which the square
        roots are taken (the signs stay). Both are scaled to length 1 (zeros stay zeros).
    grid : int or tuple (rows, columns) of int or None, default=8
        Evenly spread places to describe; None lets SIFT find points.
    keypoint_size : float, default=None
        The diameter of the places of a grid, in pixels of the images; None is the distance of its rows or columns.
    enlarge : float, default=2
        Resize images by this factor first.
    root : bool, default=True
        Scale descriptors to sum 1 and take their square roots (RootSIFT [3]_).
    max_descriptors : int, default=100_000
        The number of descriptors that the vocabulary is learned from, at most; images are drawn at random.
    image_shape : tuple (height, width[, 3]), default=None
        The shape of images that come as flattened rows.
    random_state : int, RandomState instance or None, default=None
        For the drawing of images and the clustering.
    n_jobs : int, default=None
        The number of threads; None is 1 outside a :obj:`joblib.parallel_config` context, -1 all processors.

    Attributes
    ----------
    vocabulary_ : ndarray of shape (n_words, 128), dtype float32
        The visual words.
    n_features_in_ : int
        The length of the second axis of X seen during `fit`.
    feature_names_in_ : ndarray of str
        The names of the columns of X, when all of them are strings.

    See Also
    --------
    kerasnet.features.sift : Keypoints and descriptors.
    HOGTransformer : Histograms of oriented gradients.

    References
    ----------
    .. [1] G. Csurka et al., "Visual categorization with bags of keypoints", ECCV 2004 workshop.
    .. [2] H. Jégou et al., "Aggregating local descriptors into a compact image representation", CVPR 2010.
    .. [3] R. Arandjelović and A. Zisserman, "Three things everyone should know to improve object retrieval", CVPR 2012.

    Examples
    --------
    >>> from kerasnet.datasets import load_mnist
    >>> from kerasnet.features import SIFTTransformer
    >>> X = load_mnist("test").data[:100]
    >>> SIFTTransformer(n_words=4, random_state=0).fit_transform(X).shape
    (100, 512)
    """

    def __init__(
        self,
        n_words=16,
        *,
        encoding="vlad",
        grid=8,
        keypoint_size=None,
        enlarge=2,
        root=True,
        max_descriptors=100_000,
        image_shape=None,
        random_state=None,
        n_jobs=None,
    ):
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

    def fit(self, X, y=None):
        """Learn the vocabulary.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, 3]) or (n_samples, height * width[ * 3])
            Images, uint8 or floats in [0, 1]; flattened rows with `image_shape`.
        y : None
            Ignored.

        Returns
        -------
        SIFTTransformer
            This transformer.

        Raises
        ------
        ValueError
            If the images or a parameter are not as described.
        """
        images = self._images(X, reset=True)
        check_scalar(self.n_words, "n_words", Integral, min_val=1)
        check_scalar(self.max_descriptors, "max_descriptors", Integral, min_val=self.n_words)
        if self.encoding not in _ENCODINGS:
            raise ValueError(f"encoding must be one of {_ENCODINGS}. Received: {self.encoding!r}.")
        random_state = check_random_state(self.random_state)
        words = self._sample(images, random_state)
        n_words = min(self.n_words, len(np.unique(words, axis=0)))
        clusters = MiniBatchKMeans(n_words, n_init=3, batch_size=4096, random_state=random_state).fit(words)
        self.vocabulary_ = clusters.cluster_centers_.astype(np.float32)
        return self

    def transform(self, X):
        """Describe images by the vocabulary.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, 3]) or (n_samples, height * width[ * 3])
            Images, uint8 or floats in [0, 1]; flattened rows with `image_shape`.

        Returns
        -------
        features : ndarray of shape (n_samples, n_features), dtype float32
            Of length 1, or zeros for images without descriptors.

        Raises
        ------
        NotFittedError
            If there is no vocabulary yet.
        ValueError
            If the images are not as described.
        """
        check_is_fitted(self)
        images = self._images(X, reset=False)
        features = np.zeros((len(images), self._n_features_out), dtype=np.float32)

        def encode(start, stop):
            descriptors = self._descriptors(images[start:stop])
            for number, own in enumerate(descriptors, start):
                if len(own):
                    features[number] = self._encode(own)
            normalize(features[start:stop], copy=False)

        in_chunks(encode, images, self.n_jobs)
        return features

    @property
    def _n_features_out(self):
        return len(self.vocabulary_) * (_LENGTH if self.encoding == "vlad" else 1)

    def _images(self, X, reset):
        return _as_grey_bytes(validated_images(self, X, reset))

    def _sample(self, images, random_state):
        """Return descriptors of images in random order, as many as are asked for if there are."""
        gathered, count = [np.zeros((0, _LENGTH), np.float32)], 0
        order = random_state.permutation(len(images))
        for start in range(0, len(images), 256):
            if count >= self.max_descriptors:
                break
            gathered += self._descriptors(images[order[start : start + 256]], self.n_jobs)
            count = sum(map(len, gathered))
        descriptors = np.concatenate(gathered)[: self.max_descriptors]
        # a vocabulary of one word, for images without any descriptor
        return descriptors if len(descriptors) else np.zeros((1, _LENGTH), np.float32)

    def _descriptors(self, images, n_jobs=1):
        _, descriptors = sift(
            images, grid=self.grid, keypoint_size=self.keypoint_size, enlarge=self.enlarge, n_jobs=n_jobs
        )
        if self.root:
            return [np.sqrt(normalize(each, "l1", copy=False)) if len(each) else each for each in descriptors]
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


def _check_places(grid, keypoint_size, enlarge):
    """Return the grid as (rows, columns), or None."""
    check_scalar(enlarge, "enlarge", Real, min_val=0, include_boundaries="neither")
    if not math.isfinite(enlarge):
        raise ValueError(f"enlarge must be finite. Received: {enlarge}.")
    if grid is None:
        if keypoint_size is not None:
            raise ValueError("keypoint_size is for the places of a grid: give grid too, or leave keypoint_size out.")
        return None
    if keypoint_size is not None:
        check_scalar(keypoint_size, "keypoint_size", Real, min_val=0, include_boundaries="neither")
    return pair((grid, grid) if isinstance(grid, Integral) else grid, "grid")


def _as_grey_bytes(images):
    """Return grey images as bytes, as OpenCV's SIFT takes them."""
    if images.ndim == 4 and images.shape[-1] not in (1, 3):
        raise ValueError(f"SIFT takes grey or RGB images. Received: images of {images.shape[-1]} channels.")
    if images.dtype != np.uint8:
        low, high = images.min(), images.max()
        if low < 0 or high > 1:
            raise ValueError(
                "SIFT takes images of uint8, or floats in [0, 1]. "
                f"Received: {images.dtype} from {low:g} to {high:g}. Convert or rescale them."
            )
        images = np.rint(images * 255).astype(np.uint8)
    if images.ndim == 3:
        return images
    if images.shape[-1] == 1:
        return images[..., 0]
    return np.array([cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in images])


def _describe_all(images, grid, keypoint_size, enlarge):
    """Return keypoints and descriptors of each image."""
    detector = cv2.SIFT_create()
    height, width = (max(1, round(side * enlarge)) for side in images.shape[1:])
    places = None if grid is None else _grid_places(images.shape[1:], (height, width), grid, keypoint_size)
    described = []
    for image in images:
        if enlarge != 1:
            image = cv2.resize(image, (width, height), interpolation=cv2.INTER_CUBIC)
        image = np.ascontiguousarray(image)
        if places is None:
            points, descriptors = detector.detectAndCompute(image, None)
        else:
            points, descriptors = detector.compute(image, places)
        if descriptors is None:
            descriptors = np.zeros((0, _LENGTH), np.float32)
        values = [(*point.pt, point.size, point.angle) for point in points]
        keypoints = np.array(values, dtype=np.float32).reshape(-1, 4)
        keypoints[:, :2] = (keypoints[:, :2] + 0.5) / enlarge - 0.5  # centers of pixels stay centers of pixels
        keypoints[:, 2] /= enlarge
        described.append((keypoints, descriptors))
    return described


def _grid_places(before, after, grid, keypoint_size):
    """Return OpenCV's keypoints for the middles of equal parts of the image."""
    rows, columns = ((np.arange(n) + 0.5) * side / n - 0.5 for n, side in zip(grid, after, strict=True))
    if keypoint_size is None:
        size = max(side / n for n, side in zip(grid, after, strict=True))
    else:
        size = keypoint_size * after[0] / before[0]
    return [cv2.KeyPoint(float(column), float(row), float(size), 0.0) for row in rows for column in columns]
