"""Histograms of oriented gradients (HOG) for batches of images."""

from __future__ import annotations

from functools import lru_cache
from numbers import Integral
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from skimage.feature import hog as skimage_hog
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_scalar

from kerasnet._documentation import DocumentedEstimator
from kerasnet.features._images import check_images, check_pair, run_in_chunks, validate_images

if TYPE_CHECKING:
    import numpy.typing as npt


_NORMS = ("L1", "L1-sqrt", "L2", "L2-Hys")
_EPSILON = 1e-5
_N_DIFFERENCES = 511  # differences of bytes are in [-255, 255]
_TIE_TOLERANCE = 1e-5  # relative; larger than the rounding error of squares


def hog(
    images: npt.ArrayLike,
    orientations: int = 9,
    pixels_per_cell: tuple[int, int] = (8, 8),
    cells_per_block: tuple[int, int] = (2, 2),
    block_norm: str = "L2-Hys",
    transform_sqrt: bool = False,
    *,
    n_jobs: int | None = None,
) -> npt.NDArray[np.floating]:
    """Compute histograms of oriented gradients (HOG) of images.

    The features are equal to those of :func:`skimage.feature.hog` up to rounding errors, but many images are processed
    at once. Each cell has a histogram of the gradient directions of its pixels, weighted by the gradient magnitudes.
    The histograms are normalized within overlapping blocks of cells [1]_.

    Parameters
    ----------
    images : array-like of shape (n_images, height, width) or (n_images, height, width, channels)
        Grayscale or color images. At each pixel of a color image, the channel with the largest gradient is used.
        Values are not rescaled. Because a small constant is added in the normalization, the features of uint8 images
        and of the same images as floats in [0, 1] differ slightly.
    orientations : int, default=9
        Number of bins between 0 and 180 degrees.
    pixels_per_cell : tuple of int (rows, columns), default=(8, 8)
        Size of a cell in pixels. Incomplete cells at the bottom and right edges are ignored.
    cells_per_block : tuple of int (rows, columns), default=(2, 2)
        Size of a block in cells.
    block_norm : {"L1", "L1-sqrt", "L2", "L2-Hys"}, default="L2-Hys"
        Normalization of the blocks. "L2-Hys" is the L2 norm, followed by clipping at 0.2 and renormalization.
    transform_sqrt : bool, default=False
        If True, first replace all values by their square roots. Values must be non-negative.
    n_jobs : int, default=None
        Number of threads. None means 1 unless in a :obj:`joblib.parallel_config` context. -1 means using all
        processors.

    Returns
    -------
    features : ndarray of shape (n_images, n_features)
        Features, ordered by block, cell within the block (both row by row) and orientation. The dtype is float64 for
        float64 images and for integers other than uint8, and float32 otherwise.

    Raises
    ------
    ValueError
        If `images` have an invalid shape, are smaller than a block, contain NaN or infinity, or contain values whose
        squares may overflow (beyond 1e16 in float32), or if a parameter is invalid.

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

    def compute(start, stop):
        histograms = _histograms(images[start:stop], orientations, cell, transform_sqrt)
        _normalize(histograms.astype(features.dtype, copy=False), block, block_norm, features[start:stop])

    run_in_chunks(compute, images, n_jobs)
    return features.reshape(len(images), -1)


class HOGTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, DocumentedEstimator):
    """Transform images to histograms of oriented gradients (HOG).

    This transformer is stateless: `transform` can be called without `fit`.

    Parameters
    ----------
    orientations : int, default=9
        Number of bins between 0 and 180 degrees.
    pixels_per_cell : tuple of int (rows, columns), default=(8, 8)
        Size of a cell in pixels. Incomplete cells at the bottom and right edges are ignored.
    cells_per_block : tuple of int (rows, columns), default=(2, 2)
        Size of a block in cells.
    block_norm : {"L1", "L1-sqrt", "L2", "L2-Hys"}, default="L2-Hys"
        Normalization of the blocks. "L2-Hys" is the L2 norm, followed by clipping at 0.2 and renormalization.
    transform_sqrt : bool, default=False
        If True, first replace all values by their square roots. Values must be non-negative.
    image_shape : tuple of int (height, width[, channels]), default=None
        Shape of the images, required if X contains flattened images.
    n_jobs : int, default=None
        Number of threads. None means 1 unless in a :obj:`joblib.parallel_config` context. -1 means using all
        processors.

    Attributes
    ----------
    n_features_in_ : int
        Size of the second axis of X seen during `fit`.
    feature_names_in_ : ndarray of str
        Names of the columns of X seen during `fit`. Defined only when all of them are strings.

    See Also
    --------
    kerasnet.features.hog : Equivalent function.
    SIFTTransformer : Transform images to bags of visual words or VLAD vectors.

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
        orientations: int = 9,
        pixels_per_cell: tuple[int, int] = (8, 8),
        cells_per_block: tuple[int, int] = (2, 2),
        block_norm: str = "L2-Hys",
        transform_sqrt: bool = False,
        *,
        image_shape: tuple[int, ...] | None = None,
        n_jobs: int | None = None,
    ) -> None:
        self.orientations = orientations
        self.pixels_per_cell = pixels_per_cell
        self.cells_per_block = cells_per_block
        self.block_norm = block_norm
        self.transform_sqrt = transform_sqrt
        self.image_shape = image_shape
        self.n_jobs = n_jobs

    def fit(self, X: npt.ArrayLike, y: Any = None) -> Self:
        """Validate the images and the parameters.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, channels]) or (n_samples, height * width[ * channels])
            Images, or flattened images if `image_shape` is set.
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
        cell, block = _check(self.orientations, self.pixels_per_cell, self.cells_per_block, self.block_norm)
        n_rows, n_columns = _blocks(images.shape, cell, block)
        self._n_features_out = n_rows * n_columns * block[0] * block[1] * self.orientations
        return self

    def transform(self, X: npt.ArrayLike) -> npt.NDArray[np.floating]:
        """Compute the HOG features of images.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, channels]) or (n_samples, height * width[ * channels])
            Images, or flattened images if `image_shape` is set.

        Returns
        -------
        features : ndarray of shape (n_samples, n_features)
            HOG features, as returned by :func:`kerasnet.features.hog`.

        Raises
        ------
        ValueError
            If the images or a parameter are invalid.
        """
        return hog(self._validate_images(X, reset=False), **self._hog_parameters(), n_jobs=self.n_jobs)

    def visualize(self, X: npt.ArrayLike) -> npt.NDArray[np.floating]:
        """Return HOG visualizations, computed by :func:`skimage.feature.hog`.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width[, channels]) or (n_samples, height * width[ * channels])
            Images, or flattened images if `image_shape` is set.

        Returns
        -------
        visualizations : ndarray of shape (n_samples, height, width), dtype float
            Each cell shows one line per orientation, parallel to edges with this gradient orientation. The brightness
            of a line is the value of its histogram bin.

        Raises
        ------
        ValueError
            If the images or a parameter are invalid.
        """
        images = self._validate_images(X, reset=False)
        parameters = self._hog_parameters()
        _check(*(parameters[name] for name in ("orientations", "pixels_per_cell", "cells_per_block", "block_norm")))
        channel_axis = -1 if images.ndim == 4 else None
        return np.array(
            [skimage_hog(image, **parameters, visualize=True, channel_axis=channel_axis)[1] for image in images]
        )

    def _validate_images(self, X, reset):
        return validate_images(self, X, reset)

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
    return check_pair(pixels_per_cell, "pixels_per_cell"), check_pair(cells_per_block, "cells_per_block")


def _check_range(low, high, transform_sqrt, dtype):
    if transform_sqrt and low < 0:
        raise ValueError(
            f"Expected images without negative values when transform_sqrt=True. Received: minimum {low:g}."
        )
    limit = np.sqrt(np.finfo(dtype).max) / 1000  # squared differences are summed over a block
    if max(-low, high) > limit:
        raise ValueError(
            f"Expected values of {dtype} between {-limit:.0e} and {limit:.0e}. "
            f"Received: {low:g} to {high:g}. Divide them by a constant, or convert them to float64."
        )


def _blocks(shape, cell, block):
    """Return the number of rows and columns of blocks in an image."""
    counts = [size // pixels - cells + 1 for size, pixels, cells in zip(shape[1:3], cell, block, strict=True)]
    if min(counts) < 1:
        raise ValueError(
            f"Expected images with at least {cell[0] * block[0]} rows and {cell[1] * block[1]} columns, for one block "
            f"of {block[0]} x {block[1]} cells of {cell[0]} x {cell[1]} pixels. Received: {shape[1]} x {shape[2]}. "
            "Reduce pixels_per_cell or cells_per_block, or resize the images."
        )
    return counts


def _histograms(images, orientations, cell, transform_sqrt):
    """Return the cell histograms of shape (n, cell rows, cell columns, orientations), dtype float64."""
    if transform_sqrt:
        images = np.sqrt(images, dtype=np.float64 if images.dtype == np.uint8 else images.dtype)
    elif images.dtype == np.uint8:
        images = images.astype(np.int16)
    n_rows, n_columns = images.shape[1] // cell[0], images.shape[2] // cell[1]
    complete_cells = (slice(None), slice(n_rows * cell[0]), slice(n_columns * cell[1]))
    by_row, by_column = (gradient[complete_cells] for gradient in _strongest_gradients(images))

    # Pixels without a gradient (most pixels of a drawing) do not contribute and are skipped.
    if images.dtype == np.int16:
        codes = np.multiply(by_row, _N_DIFFERENCES, dtype=np.int32)
        codes += by_column
        voters = np.flatnonzero(codes != 0)  # flatnonzero is several times faster on booleans than on integers
        codes = codes.ravel()[voters] + _N_DIFFERENCES * _N_DIFFERENCES // 2
        magnitudes, bins = (table[codes] for table in _byte_tables(orientations))
    else:
        voters = np.flatnonzero((by_row != 0) | (by_column != 0))
        magnitudes, bins = _polar(by_row.ravel()[voters], by_column.ravel()[voters], orientations)
    size = len(images) * n_rows * n_columns * (orientations + 1)  # the extra bin collects angles outside all bins
    votes = _first_bins(len(images), n_rows, n_columns, cell, orientations + 1)[voters] + bins
    histograms = np.bincount(votes, magnitudes, minlength=size) / (cell[0] * cell[1])
    return histograms.reshape(len(images), n_rows, n_columns, orientations + 1)[..., :orientations]


def _strongest_gradients(images):
    """Return the gradients along rows and columns. Each pixel uses the channel with the largest magnitude."""
    if images.ndim == 3:
        return _gradients(images)
    by_row, by_column = _gradients(images[..., 0])
    strongest = _squares(by_row, by_column)
    for channel in range(1, images.shape[-1]):
        other_row, other_column = _gradients(images[..., channel])
        squares = _squares(other_row, other_column)
        stronger = squares > strongest
        near = np.abs(squares - strongest) < _TIE_TOLERANCE * strongest
        near &= (other_row != by_row) | (other_column != by_column)
        if near.any():  # compare rounded magnitudes, as skimage does
            stronger[near] = _magnitudes(other_row[near], other_column[near]) > _magnitudes(
                by_row[near], by_column[near]
            )
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


def _magnitudes(by_row, by_column):
    return np.hypot(by_row, by_column, dtype=np.float64 if by_row.dtype == np.int16 else by_row.dtype)


def _gradients(images):
    by_row, by_column = np.zeros(images.shape, images.dtype), np.zeros(images.shape, images.dtype)
    np.subtract(images[:, 2:], images[:, :-2], out=by_row[:, 1:-1])
    np.subtract(images[:, :, 2:], images[:, :, :-2], out=by_column[:, :, 1:-1])
    return by_row, by_column


def _polar(by_row, by_column, orientations):
    """Return the magnitudes and orientation bins of gradients. An extra bin collects angles outside all bins."""
    by_row, by_column = by_row.astype(float), by_column.astype(float)
    angles = np.rad2deg(np.arctan2(by_row, by_column))
    angles[angles == 180] = 0
    angles[angles < 0] += 180
    edges = np.float32(180 / orientations) * np.arange(orientations + 2, dtype=np.float32)  # rounded as in skimage
    edges = edges.astype(float)
    bins = (angles * (orientations / 180)).astype(np.intp)  # rounding errors at the edges are corrected below
    bins += angles >= edges[1:][bins]
    bins -= angles < edges[bins]
    return np.sqrt(_squares(by_row, by_column)), bins  # np.hypot is ten times slower


@lru_cache(maxsize=8)
def _byte_tables(orientations):
    """Return magnitudes and bins for all pairs of uint8 differences."""
    differences = np.arange(-255, 256)
    by_row, by_column = np.meshgrid(differences, differences, indexing="ij")
    return _polar(by_row.ravel(), by_column.ravel(), orientations)


@lru_cache(maxsize=4)
def _first_bins(n_images, n_rows, n_columns, cell, n_bins):
    """Return the index of the first histogram bin of each pixel's cell."""
    cells = np.arange(n_images * n_rows * n_columns).reshape(n_images, n_rows, n_columns)
    return (cells * n_bins).repeat(cell[0], axis=1).repeat(cell[1], axis=2).ravel()


def _normalize(histograms, block, norm, out):
    """Write normalized blocks to `out` of shape (n, block rows, block columns, cell rows, cell columns, bins)."""
    blocks = np.moveaxis(sliding_window_view(histograms, block, axis=(1, 2)), 3, -1)
    per_block = (..., np.newaxis, np.newaxis, np.newaxis)
    if norm in ("L1", "L1-sqrt"):
        np.divide(blocks, (_block_sums(histograms, block) + _EPSILON)[per_block], out=out)
        if norm == "L1-sqrt":
            np.sqrt(out, out=out)
        return
    np.divide(blocks, np.sqrt(_block_sums(np.square(histograms), block) + _EPSILON**2)[per_block], out=out)
    if norm == "L2-Hys":
        np.minimum(out, 0.2, out=out)
        out /= np.sqrt(np.einsum("...ijk,...ijk->...", out, out) + _EPSILON**2)[per_block]


def _block_sums(values, block):
    return sliding_window_view(values.sum(axis=-1), block, axis=(1, 2)).sum(axis=(-2, -1))
