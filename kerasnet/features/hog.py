"""Histograms of oriented gradients (HOG) of whole batches of images."""

from functools import lru_cache
from numbers import Integral

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from skimage.feature import hog as skimage_hog
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_scalar

from kerasnet._documentation import DocumentedEstimator
from kerasnet.features._images import check_images, in_chunks, pair, validated_images

_NORMS = ("L1", "L1-sqrt", "L2", "L2-Hys")
_EPSILON = 1e-5
_STEP = 511  # differences of bytes are -255 to 255
_NEAR = 1e-5  # relative; beyond what roundings may do to squares


def hog(
    images,
    orientations=9,
    pixels_per_cell=(8, 8),
    cells_per_block=(2, 2),
    block_norm="L2-Hys",
    transform_sqrt=False,
    *,
    n_jobs=None,
):
    """Describe images by histograms of oriented gradients.

    The features are those of :func:`skimage.feature.hog`, computed for all images at once. Each cell has a
    histogram of the directions of its pixels' gradients, weighted by their magnitudes; cells are normalized
    together with their neighbours in overlapping blocks [1]_.

    Parameters
    ----------
    images : array-like of shape (n_images, height, width) or (n_images, height, width, channels)
        Grey or colour; at each pixel of a colour image the channel with the largest gradient counts. Values are
        not rescaled: bytes and floats in [0, 1] give nearly, but not exactly, the same features.
    orientations : int, default=9
        The number of bins between 0 and 180 degrees.
    pixels_per_cell : tuple (rows, columns) of int, default=(8, 8)
        The size of a cell in pixels. Pixels beyond the last whole cell count for nothing.
    cells_per_block : tuple (rows, columns) of int, default=(2, 2)
        The size of a block in cells.
    block_norm : {"L1", "L1-sqrt", "L2", "L2-Hys"}, default="L2-Hys"
        How blocks are normalized; "L2-Hys" is "L2", cut at 0.2 and normalized again.
    transform_sqrt : bool, default=False
        Take the square root of all values first. They may not be negative.
    n_jobs : int, default=None
        The number of threads; None is 1 outside a :obj:`joblib.parallel_config` context, -1 all processors.

    Returns
    -------
    features : ndarray of shape (n_images, n_features)
        In the order of blocks, cells of a block (both row by row) and orientations; float64 for images of float64
        or of integers other than uint8, float32 for all others.

    Raises
    ------
    ValueError
        If `images` are no finite images or smaller than a block, have values whose squares overflow (beyond 1e16 in
        float32), or a parameter is not as described.

    References
    ----------
    .. [1] N. Dalal and B. Triggs, "Histograms of oriented gradients for human detection", CVPR 2005.

    Examples
    --------
    >>> from kerasnet.datasets import load_mnist
    >>> from kerasnet.features import hog
    >>> images = load_mnist("test").data
    >>> hog(images, pixels_per_cell=(4, 4), n_jobs=2).shape
    (10000, 1296)
    """
    images = check_images(images)
    cell, block = _check(orientations, pixels_per_cell, cells_per_block, block_norm)
    n_rows, n_columns = _blocks(images.shape, cell, block)
    if images.dtype != np.uint8:
        _check_range(images.min(), images.max(), transform_sqrt, images.dtype)
    shape = (len(images), n_rows, n_columns, *block, orientations)
    features = np.empty(shape, dtype=np.float32 if images.dtype == np.uint8 else images.dtype)

    def describe(start, stop):
        histograms = _histograms(images[start:stop], orientations, cell, transform_sqrt)
        _normalize(histograms.astype(features.dtype, copy=False), block, block_norm, features[start:stop])

    in_chunks(describe, images, n_jobs)
    return features.reshape(len(images), -1)


class HOGTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, DocumentedEstimator):
    """Histograms of oriented gradients as a scikit-learn transformer.

    The transformer learns nothing: it may transform without being fitted.

    Parameters
    ----------
    orientations, pixels_per_cell, cells_per_block, block_norm, transform_sqrt, n_jobs
        As for :func:`kerasnet.features.hog`.
    image_shape : tuple (height, width[, channels]), default=None
        The shape of images that come as flattened rows.

    Attributes
    ----------
    n_features_in_ : int
        The length of the second axis of X seen during `fit`.
    feature_names_in_ : ndarray of str
        The names of the columns of X, when all of them are strings.

    See Also
    --------
    kerasnet.features.hog : The function.
    SIFTTransformer : Bags of local features.

    Examples
    --------
    >>> from kerasnet.datasets import load_mnist
    >>> from kerasnet.features import HOGTransformer
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.svm import LinearSVC
    >>> X, y = load_mnist(n_samples=2000, random_state=0, return_X_y=True)
    >>> classifier = make_pipeline(HOGTransformer(pixels_per_cell=(4, 4)), LinearSVC(C=0.1)).fit(X, y)
    >>> X_test, y_test = load_mnist("test", n_samples=1000, random_state=0, return_X_y=True)
    >>> bool(classifier.score(X_test, y_test) > 0.95)
    True
    """

    def __init__(
        self,
        orientations=9,
        pixels_per_cell=(8, 8),
        cells_per_block=(2, 2),
        block_norm="L2-Hys",
        transform_sqrt=False,
        *,
        image_shape=None,
        n_jobs=None,
    ):
        self.orientations = orientations
        self.pixels_per_cell = pixels_per_cell
        self.cells_per_block = cells_per_block
        self.block_norm = block_norm
        self.transform_sqrt = transform_sqrt
        self.image_shape = image_shape
        self.n_jobs = n_jobs

    def fit(self, X, y=None):
        """Look at the images and the parameters; nothing is learned.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, channels]) or (n_samples, height * width[ * channels])
            Images; flattened rows with `image_shape`.
        y : None
            Ignored.

        Returns
        -------
        HOGTransformer
            This transformer.

        Raises
        ------
        ValueError
            If the images or a parameter are not as described.
        """
        images = self._images(X, reset=True)
        cell, block = _check(self.orientations, self.pixels_per_cell, self.cells_per_block, self.block_norm)
        n_rows, n_columns = _blocks(images.shape, cell, block)
        self._n_features_out = n_rows * n_columns * block[0] * block[1] * self.orientations
        return self

    def transform(self, X):
        """Describe images.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, channels]) or (n_samples, height * width[ * channels])
            Images; flattened rows with `image_shape`.

        Returns
        -------
        features : ndarray of shape (n_samples, n_features)
            As :func:`kerasnet.features.hog` gives them.

        Raises
        ------
        ValueError
            If the images or a parameter are not as described.
        """
        return hog(self._images(X, reset=False), **self._hog_parameters(), n_jobs=self.n_jobs)

    def visualize(self, X):
        """Draw what the histograms hold, as :func:`skimage.feature.hog` draws it.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, channels]) or (n_samples, height * width[ * channels])
            Images; flattened rows with `image_shape`.

        Returns
        -------
        pictures : ndarray of shape (n_samples, height, width), dtype float
            In each cell a line for each orientation, along the edges that gave rise to it, as bright as the
            histogram is high.

        Raises
        ------
        ValueError
            If the images or a parameter are not as described.
        """
        images = self._images(X, reset=False)
        parameters = self._hog_parameters()
        _check(*(parameters[name] for name in ("orientations", "pixels_per_cell", "cells_per_block", "block_norm")))
        channel_axis = -1 if images.ndim == 4 else None
        return np.array(
            [skimage_hog(image, **parameters, visualize=True, channel_axis=channel_axis)[1] for image in images]
        )

    def _images(self, X, reset):
        return validated_images(self, X, reset)

    def _hog_parameters(self):
        return {
            name: getattr(self, name)
            for name in ("orientations", "pixels_per_cell", "cells_per_block", "block_norm", "transform_sqrt")
        }

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.three_d_array = True
        tags.input_tags.two_d_array = self.image_shape is not None
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _check(orientations, pixels_per_cell, cells_per_block, block_norm):
    check_scalar(orientations, "orientations", Integral, min_val=1)
    if block_norm not in _NORMS:
        raise ValueError(f"block_norm must be one of {_NORMS}. Received: {block_norm!r}.")
    return pair(pixels_per_cell, "pixels_per_cell"), pair(cells_per_block, "cells_per_block")


def _check_range(low, high, transform_sqrt, dtype):
    if transform_sqrt and low < 0:
        raise ValueError(f"transform_sqrt=True needs images without negative values. The minimum is {low:g}.")
    limit = np.sqrt(np.finfo(dtype).max) / 1000  # blocks sum the squares of differences
    if max(-low, high) > limit:
        raise ValueError(
            f"Expected values of {dtype} between {-limit:.0e} and {limit:.0e}. "
            f"Received: {low:g} to {high:g}. Divide them by a constant, or convert them to float64."
        )


def _blocks(shape, cell, block):
    """Return how many rows and columns of blocks an image has."""
    numbers = [side // pixels - cells + 1 for side, pixels, cells in zip(shape[1:3], cell, block, strict=True)]
    if min(numbers) < 1:
        raise ValueError(
            f"Expected images of at least {cell[0] * block[0]} rows and {cell[1] * block[1]} columns, one block of "
            f"{block[0]} x {block[1]} cells of {cell[0]} x {cell[1]} pixels. Received: {shape[1]} x {shape[2]}."
        )
    return numbers


def _histograms(images, orientations, cell, transform_sqrt):
    """Return the histogram of each cell: (n, rows of cells, columns of cells, orientations), float64."""
    if transform_sqrt:
        images = np.sqrt(images, dtype=np.float64 if images.dtype == np.uint8 else images.dtype)
    elif images.dtype == np.uint8:
        images = images.astype(np.int16)
    n_rows, n_columns = images.shape[1] // cell[0], images.shape[2] // cell[1]
    inside = (slice(None), slice(n_rows * cell[0]), slice(n_columns * cell[1]))
    by_row, by_column = (gradient[inside] for gradient in _strongest_gradients(images))

    # Pixels without a gradient, most of them in drawings, vote for nothing: the rest is done for the others only.
    if images.dtype == np.int16:
        codes = np.multiply(by_row, _STEP, dtype=np.int32)
        codes += by_column
        voters = np.flatnonzero(codes != 0)  # several times faster with booleans
        codes = codes.ravel()[voters] + _STEP * _STEP // 2
        magnitudes, bins = (table[codes] for table in _byte_tables(orientations))
    else:
        voters = np.flatnonzero((by_row != 0) | (by_column != 0))
        magnitudes, bins = _polar(by_row.ravel()[voters], by_column.ravel()[voters], orientations)
    size = len(images) * n_rows * n_columns * (orientations + 1)  # the last bin is for angles beyond all
    votes = _first_bins(len(images), n_rows, n_columns, cell, orientations + 1)[voters] + bins
    histograms = np.bincount(votes, magnitudes, minlength=size) / (cell[0] * cell[1])
    return histograms.reshape(len(images), n_rows, n_columns, orientations + 1)[..., :orientations]


def _strongest_gradients(images):
    """Return the differences along rows and columns, at each pixel those of the channel where they are largest."""
    if images.ndim == 3:
        return _gradients(images)
    by_row, by_column = _gradients(images[..., 0])
    strongest = _squares(by_row, by_column)
    for channel in range(1, images.shape[-1]):
        other_row, other_column = _gradients(images[..., channel])
        squares = _squares(other_row, other_column)
        stronger = squares > strongest
        near = np.abs(squares - strongest) < _NEAR * strongest
        near &= (other_row != by_row) | (other_column != by_column)
        if near.any():  # the rounding of the roots decides, as in skimage
            stronger[near] = _roots(other_row[near], other_column[near]) > _roots(by_row[near], by_column[near])
        for gradient, other in ((by_row, other_row), (by_column, other_column)):
            gradient *= ~stronger
            other *= stronger
            gradient += other
        np.maximum(strongest, squares, out=strongest)
    return by_row, by_column


def _squares(by_row, by_column):
    dtype = np.int32 if by_row.dtype == np.int16 else by_row.dtype
    squares = np.square(by_row, dtype=dtype)
    squares += np.square(by_column, dtype=dtype)
    return squares


def _roots(by_row, by_column):
    return np.hypot(by_row, by_column, dtype=np.float64 if by_row.dtype == np.int16 else by_row.dtype)


def _gradients(images):
    by_row, by_column = np.zeros(images.shape, images.dtype), np.zeros(images.shape, images.dtype)
    np.subtract(images[:, 2:], images[:, :-2], out=by_row[:, 1:-1])
    np.subtract(images[:, :, 2:], images[:, :, :-2], out=by_column[:, :, 1:-1])
    return by_row, by_column


def _polar(by_row, by_column, orientations):
    """Return the magnitudes of gradients and the bins of their angles; the last bin is beyond all."""
    by_row, by_column = by_row.astype(float), by_column.astype(float)
    angles = np.rad2deg(np.arctan2(by_row, by_column))
    angles[angles == 180] = 0
    angles[angles < 0] += 180
    edges = np.float32(180 / orientations) * np.arange(orientations + 2, dtype=np.float32)  # rounded as in skimage
    edges = edges.astype(float)
    bins = (angles * (orientations / 180)).astype(np.intp)  # right, but for roundings at the edges
    bins += angles >= edges[1:][bins]
    bins -= angles < edges[bins]
    return np.sqrt(_squares(by_row, by_column)), bins  # np.hypot takes ten times as long


@lru_cache(maxsize=8)
def _byte_tables(orientations):
    """Return magnitude and bin for every pair of differences of bytes."""
    differences = np.arange(-255, 256)
    by_row, by_column = np.meshgrid(differences, differences, indexing="ij")
    return _polar(by_row.ravel(), by_column.ravel(), orientations)


@lru_cache(maxsize=4)
def _first_bins(n_images, n_rows, n_columns, cell, n_bins):
    """Return, for every pixel of a chunk, where the histogram of its cell begins."""
    cells = np.arange(n_images * n_rows * n_columns).reshape(n_images, n_rows, n_columns)
    return (cells * n_bins).repeat(cell[0], axis=1).repeat(cell[1], axis=2).ravel()


def _normalize(histograms, block, norm, out):
    """Write the normalized blocks: (n, rows of blocks, columns of blocks, rows of cells, columns of cells, bins)."""
    blocks = np.moveaxis(sliding_window_view(histograms, block, axis=(1, 2)), 3, -1)
    each = (..., np.newaxis, np.newaxis, np.newaxis)
    if norm in ("L1", "L1-sqrt"):
        np.divide(blocks, (_block_sums(histograms, block) + _EPSILON)[each], out=out)
        if norm == "L1-sqrt":
            np.sqrt(out, out=out)
        return
    np.divide(blocks, np.sqrt(_block_sums(np.square(histograms), block) + _EPSILON**2)[each], out=out)
    if norm == "L2-Hys":
        np.minimum(out, 0.2, out=out)
        out /= np.sqrt(np.einsum("...ijk,...ijk->...", out, out) + _EPSILON**2)[each]


def _block_sums(values, block):
    return sliding_window_view(values.sum(axis=-1), block, axis=(1, 2)).sum(axis=(-2, -1))
