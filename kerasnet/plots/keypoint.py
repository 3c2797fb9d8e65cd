"""Plot of images with SIFT keypoints."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from matplotlib.collections import EllipseCollection, LineCollection

from kerasnet.features import sift
from kerasnet.plots._images import draw_image, image_grid, reshape_images, take_first

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.axes import Axes

    from kerasnet.features import SIFTTransformer


class KeypointDisplay:
    """Plot of images with SIFT keypoints.

    A circle shows the size of a keypoint, and a radius shows its angle.

    Create a display with :meth:`from_images` or :meth:`from_estimator`.

    Parameters
    ----------
    images : ndarray of shape (n_images, height, width) or (n_images, height, width, 3)
        Grayscale or RGB images of dtype uint8, or floats in [0, 1].
    keypoints : list of n_images ndarrays of shape (n_keypoints, 4)
        x, y, diameter and angle in degrees of each keypoint, as returned by :func:`kerasnet.features.sift`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the grid.
    axes_ : ndarray of shape (n_images,) of matplotlib Axes
        Axes of the images.
    figure_ : matplotlib Figure
        Figure of the plot.

    Examples
    --------
    >>> from kerasnet.datasets import load_mnist
    >>> from kerasnet.plots import KeypointDisplay
    >>> KeypointDisplay.from_images(load_mnist("test").data[:3], enlarge=4).axes_.shape
    (3,)
    """

    def __init__(self, *, images: npt.NDArray[Any], keypoints: list[npt.NDArray[np.float32]]) -> None:
        self.images = images
        self.keypoints = keypoints

    @classmethod
    def from_estimator(
        cls, estimator: SIFTTransformer, X: npt.ArrayLike, *, n_images: int = 8, ax: Axes | None = None
    ) -> Self:
        """Plot the first images with the keypoints of a transformer.

        Parameters
        ----------
        estimator : SIFTTransformer
            Transformer, which need not be fitted.
        X : ndarray of shape (n_samples, height, width[, 3]) or (n_samples, height * width[ * 3])
            Images in the format of the transformer.
        n_images : int, default=8
            Maximum number of images.
        ax : matplotlib Axes, default=None
            Axes to draw the grid on. If None, a new figure is created.

        Returns
        -------
        KeypointDisplay
            Display with the drawn plot.

        Raises
        ------
        ValueError
            If the images are invalid.
        """
        parameters = {name: getattr(estimator, name) for name in ("grid", "keypoint_size", "enlarge")}
        return cls.from_images(reshape_images(X, estimator.image_shape), **parameters, n_images=n_images, ax=ax)

    @classmethod
    def from_images(
        cls,
        images: npt.ArrayLike,
        *,
        grid: int | tuple[int, int] | None = None,
        keypoint_size: float | None = None,
        enlarge: float = 1,
        n_images: int = 8,
        ax: Axes | None = None,
    ) -> Self:
        """Plot the first images with keypoints that are detected or placed on a grid.

        Parameters
        ----------
        images : ndarray of shape (n_samples, height, width) or (n_samples, height, width, 3)
            Grayscale or RGB images of dtype uint8, or floats in [0, 1].
        grid, keypoint_size, enlarge
            See :func:`kerasnet.features.sift`.
        n_images : int, default=8
            Maximum number of images.
        ax : matplotlib Axes, default=None
            Axes to draw the grid on. If None, a new figure is created.

        Returns
        -------
        KeypointDisplay
            Display with the drawn plot.

        Raises
        ------
        ValueError
            If the images or a parameter are invalid.
        """
        images = take_first(np.asarray(images), n_images)
        keypoints, _ = sift(images, grid=grid, keypoint_size=keypoint_size, enlarge=enlarge)
        return cls(images=images, keypoints=keypoints).plot(ax=ax)

    def plot(self, *, ax: Axes | None = None) -> Self:
        """Draw the images with their keypoints, eight images per row.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw the grid on. If None, a new figure is created.

        Returns
        -------
        KeypointDisplay
            The display itself.
        """
        n_columns = min(8, len(self.images))
        ax, cells = image_grid(ax, math.ceil(len(self.images) / n_columns), n_columns)
        self.axes_ = np.array(
            [
                _draw_keypoints(draw_image(ax, cell, image, f"{len(keypoints)} keypoints"), keypoints)
                for cell, image, keypoints in zip(cells, self.images, self.keypoints, strict=False)
            ]
        )
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _draw_keypoints(axes, keypoints):
    """Draw circles in pixel units and radii for keypoints with an angle. y points down, so angles are clockwise."""
    centers, diameters, angles = keypoints[:, :2], keypoints[:, 2], keypoints[:, 3]
    style = {"offsets": centers, "offset_transform": axes.transData, "facecolors": "none", "edgecolors": "C1"}
    axes.add_collection(EllipseCollection(diameters, diameters, np.zeros_like(angles), units="xy", **style))
    radians = np.deg2rad(angles)
    ends = centers + diameters[:, np.newaxis] / 2 * np.column_stack([np.cos(radians), np.sin(radians)])
    axes.add_collection(LineCollection(np.stack([centers, ends], axis=1)[angles >= 0], colors="C1"))
    return axes
