"""Images beside what an autoencoder makes of them."""

import numpy as np
from sklearn.utils import check_consistent_length

from kerasnet.plots._images import draw_image, first, image_grid


class ReconstructionDisplay:
    """Images, their reconstructions and the differences, in three rows.

    Make one with :meth:`from_estimator` or :meth:`from_predictions`.

    Parameters
    ----------
    images : ndarray of shape (n_images, height, width) or (n_images, height, width, channels)
        Grey or RGB, floats in [0, 1].
    reconstructions : ndarray of the shape of `images`
        What became of them.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes that the grid fills.
    axes_ : ndarray of shape (3, n_images) of matplotlib Axes
        The axes of images, reconstructions and differences. Grey differences are blue where the reconstruction is
        too dark and red where it is too bright; those of colour images are absolute values.
    figure_ : matplotlib Figure
        Their figure.

    Examples
    --------
    >>> from kerasnet.plots import ReconstructionDisplay
    >>> from sklearn.datasets import load_digits
    >>> images = load_digits().images[:4] / 16
    >>> ReconstructionDisplay.from_predictions(images, images / 2).axes_.shape
    (3, 4)
    """

    def __init__(self, *, images, reconstructions):
        self.images = images
        self.reconstructions = reconstructions

    @classmethod
    def from_estimator(cls, estimator, X, *, n_images=8, ax=None):
        """Draw the first samples and what a fitted autoencoder makes of them.

        Parameters
        ----------
        estimator : Autoencoder
            Fitted.
        X : ndarray of shape (n_samples, height, width) or (n_samples, height, width, channels)
            Images, as the autoencoder takes them.
        n_images : int, default=8
            The largest number of images.
        ax : matplotlib Axes, default=None
            What the grid fills; a new figure when None.

        Returns
        -------
        ReconstructionDisplay
            The display.
        """
        X = first(np.asarray(X), n_images)
        return cls.from_predictions(X, estimator.reconstruct(X), n_images=n_images, ax=ax)

    @classmethod
    def from_predictions(cls, images, reconstructions, *, n_images=8, ax=None):
        """Draw images and given reconstructions.

        Parameters
        ----------
        images : ndarray of shape (n_samples, height, width) or (n_samples, height, width, channels)
            Grey or RGB: uint8, which is divided by 255, or floats in [0, 1].
        reconstructions : ndarray of the shape of `images`
            Likewise.
        n_images : int, default=8
            The largest number of images.
        ax : matplotlib Axes, default=None
            What the grid fills; a new figure when None.

        Returns
        -------
        ReconstructionDisplay
            The display.

        Raises
        ------
        ValueError
            If the shapes differ or are not those of images, or there are none.
        """
        images, reconstructions = np.asarray(images), np.asarray(reconstructions)
        check_consistent_length(images, reconstructions)
        if images.shape != reconstructions.shape or images.ndim not in (3, 4) or len(images) == 0:
            raise ValueError(
                "Expected images of shape (n, height, width[, channels]), at least one, and reconstructions of the "
                f"same shape. Received: {images.shape} and {reconstructions.shape}."
            )
        images, reconstructions = (
            first(part, n_images) / (255 if part.dtype == np.uint8 else 1) for part in (images, reconstructions)
        )
        return cls(images=images, reconstructions=reconstructions).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw the three rows.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What the grid fills; a new figure when None.

        Returns
        -------
        ReconstructionDisplay
            This display.
        """
        n_images = len(self.images)
        differences, options = self.reconstructions - self.images, {"cmap": "coolwarm", "vmin": -1, "vmax": 1}
        if self.images.ndim == 4 and self.images.shape[-1] > 1:
            differences, options = np.abs(differences), {}
        ax, cells = image_grid(ax, 3, n_images)
        cells = np.reshape(cells, (3, n_images, 4))
        rows = (("in", self.images, {}), ("out", self.reconstructions, {}), ("difference", differences, options))
        self.axes_ = np.array(
            [
                [
                    draw_image(ax, cell, image, name if position == 0 else "", **kwargs)
                    for position, (cell, image) in enumerate(zip(row, images, strict=True))
                ]
                for row, (name, images, kwargs) in zip(cells, rows, strict=True)
            ]
        )
        self.ax_, self.figure_ = ax, ax.figure
        return self
