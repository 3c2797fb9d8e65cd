"""Images with their SIFT keypoints."""

import math

import numpy as np
from matplotlib.collections import EllipseCollection, LineCollection

from kerasnet.features import sift
from kerasnet.plots._images import as_images, draw_image, first, image_grid


class KeypointDisplay:
    """Images with their SIFT keypoints: a circle for the size of each and a radius for its angle.

    Make one with :meth:`from_images` or :meth:`from_estimator`.

    Parameters
    ----------
    images : ndarray of shape (n_images, height, width) or (n_images, height, width, 3)
        Grey or RGB: uint8, or floats in [0, 1].
    keypoints : list of n_images ndarrays of shape (n_keypoints, 4)
        As :func:`kerasnet.features.sift` gives them: x, y, diameter, angle in degrees.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes that the grid fills.
    axes_ : ndarray of shape (n_images,) of matplotlib Axes
        The axes of the images.
    figure_ : matplotlib Figure
        Their figure.

    Examples
    --------
    >>> from kerasnet.datasets import load_mnist
    >>> from kerasnet.plots import KeypointDisplay
    >>> KeypointDisplay.from_images(load_mnist("test").data[:3], enlarge=4).axes_.shape
    (3,)
    """

    def __init__(self, *, images, keypoints):
        self.images = images
        self.keypoints = keypoints

    @classmethod
    def from_estimator(cls, estimator, X, *, n_images=8, ax=None):
        """Draw the first images with the places that a transformer describes.

        Parameters
        ----------
        estimator : SIFTTransformer
            Fitted or not.
        X : ndarray of shape (n_samples, height, width[, 3]) or (n_samples, height * width[ * 3])
            Images, as the transformer takes them.
        n_images : int, default=8
            The largest number of images.
        ax : matplotlib Axes, default=None
            What the grid fills; a new figure when None.

        Returns
        -------
        KeypointDisplay
            The display.

        Raises
        ------
        ValueError
            If SIFT does not take the images.
        """
        places = {name: getattr(estimator, name) for name in ("grid", "keypoint_size", "enlarge")}
        return cls.from_images(as_images(X, estimator.image_shape), **places, n_images=n_images, ax=ax)

    @classmethod
    def from_images(cls, images, *, grid=None, keypoint_size=None, enlarge=1, n_images=8, ax=None):
        """Draw the first images with the places that SIFT finds, or those of a grid.

        Parameters
        ----------
        images : ndarray of shape (n_samples, height, width) or (n_samples, height, width, 3)
            Grey or RGB: uint8, or floats in [0, 1].
        grid, keypoint_size, enlarge
            As for :func:`kerasnet.features.sift`.
        n_images : int, default=8
            The largest number of images.
        ax : matplotlib Axes, default=None
            What the grid fills; a new figure when None.

        Returns
        -------
        KeypointDisplay
            The display.

        Raises
        ------
        ValueError
            If SIFT does not take the images, or a parameter is not as described.
        """
        images = first(np.asarray(images), n_images)
        keypoints, _ = sift(images, grid=grid, keypoint_size=keypoint_size, enlarge=enlarge)
        return cls(images=images, keypoints=keypoints).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw the images, eight in a row, and the keypoints on them.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What the grid fills; a new figure when None.

        Returns
        -------
        KeypointDisplay
            This display.
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
    """Draw circles in units of pixels and, where there is an angle, a radius; y points down, so angles go clockwise."""
    centers, diameters, angles = keypoints[:, :2], keypoints[:, 2], keypoints[:, 3]
    look = {"offsets": centers, "offset_transform": axes.transData, "facecolors": "none", "edgecolors": "C1"}
    axes.add_collection(EllipseCollection(diameters, diameters, np.zeros_like(angles), units="xy", **look))
    radians = np.deg2rad(angles)
    ends = centers + diameters[:, np.newaxis] / 2 * np.column_stack([np.cos(radians), np.sin(radians)])
    axes.add_collection(LineCollection(np.stack([centers, ends], axis=1)[angles >= 0], colors="C1"))
    return axes
