"""Plot of images and their reconstructions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.utils import check_consistent_length

from kerasnet.plots._images import draw_image, image_grid, take_first

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.axes import Axes


class ReconstructionDisplay:
    """Plot of images, their reconstructions and the differences, in three rows.

    Create a display with :meth:`from_estimator` or :meth:`from_predictions`.

    Parameters
    ----------
    images : ndarray of shape (n_images, height, width) or (n_images, height, width, channels)
        Grayscale or RGB images, floats in [0, 1].
    reconstructions : ndarray of the same shape as `images`
        Reconstructions of the images.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the grid.
    axes_ : ndarray of shape (3, n_images) of matplotlib Axes
        Axes of the images, reconstructions and differences. Differences of grayscale images are blue where the
        reconstruction is too dark and red where it is too bright. Differences of color images are absolute values.
    figure_ : matplotlib Figure
        Figure of the plot.

    Examples
    --------
    >>> from kerasnet.plots import ReconstructionDisplay
    >>> from sklearn.datasets import load_digits
    >>> images = load_digits().images[:4] / 16
    >>> ReconstructionDisplay.from_predictions(images, images / 2).axes_.shape
    (3, 4)
    """

    def __init__(self, *, images: npt.NDArray[Any], reconstructions: npt.NDArray[Any]) -> None:
        self.images = images
        self.reconstructions = reconstructions

    @classmethod
    def from_estimator(cls, estimator: Any, X: npt.ArrayLike, *, n_images: int = 8, ax: Axes | None = None) -> Self:
        """Plot the first images and their reconstructions by a fitted autoencoder.

        Parameters
        ----------
        estimator : Autoencoder
            Fitted autoencoder.
        X : ndarray of shape (n_samples, height, width) or (n_samples, height, width, channels)
            Images in the format of the autoencoder.
        n_images : int, default=8
            Maximum number of images.
        ax : matplotlib Axes, default=None
            Axes to draw the grid on. If None, a new figure is created.

        Returns
        -------
        ReconstructionDisplay
            Display with the drawn plot.
        """
        X = take_first(np.asarray(X), n_images)
        return cls.from_predictions(X, estimator.reconstruct(X), n_images=n_images, ax=ax)

    @classmethod
    def from_predictions(
        cls, images: npt.ArrayLike, reconstructions: npt.ArrayLike, *, n_images: int = 8, ax: Axes | None = None
    ) -> Self:
        """Plot images and given reconstructions.

        Parameters
        ----------
        images : ndarray of shape (n_samples, height, width) or (n_samples, height, width, channels)
            Grayscale or RGB images of dtype uint8, which are divided by 255, or floats in [0, 1].
        reconstructions : ndarray of the same shape as `images`
            Reconstructions of dtype uint8, which are divided by 255, or floats in [0, 1].
        n_images : int, default=8
            Maximum number of images.
        ax : matplotlib Axes, default=None
            Axes to draw the grid on. If None, a new figure is created.

        Returns
        -------
        ReconstructionDisplay
            Display with the drawn plot.

        Raises
        ------
        ValueError
            If the shapes differ, are not shapes of images, or if there are no images.
        """
        images, reconstructions = np.asarray(images), np.asarray(reconstructions)
        check_consistent_length(images, reconstructions)
        if images.shape != reconstructions.shape or images.ndim not in (3, 4) or len(images) == 0:
            raise ValueError(
                "Expected at least one image, of shape (n, height, width[, channels]), and reconstructions of the "
                f"same shape. Received: {images.shape} and {reconstructions.shape}."
            )
        images, reconstructions = (
            take_first(part, n_images) / (255 if part.dtype == np.uint8 else 1) for part in (images, reconstructions)
        )
        return cls(images=images, reconstructions=reconstructions).plot(ax=ax)

    def plot(self, *, ax: Axes | None = None) -> Self:
        """Draw the plot.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw the grid on. If None, a new figure is created.

        Returns
        -------
        ReconstructionDisplay
            The display itself.
        """
        n_images = len(self.images)
        differences, options = self.reconstructions - self.images, {"cmap": "coolwarm", "vmin": -1, "vmax": 1}
        if self.images.ndim == 4 and self.images.shape[-1] > 1:
            differences, options = np.abs(differences), {}
        ax, cells = image_grid(ax, 3, n_images)
        cells = np.reshape(cells, (3, n_images, 4))
        rows: tuple[tuple[str, np.ndarray, dict[str, Any]], ...] = (
            ("input", self.images, {}),
            ("output", self.reconstructions, {}),
            ("difference", differences, options),
        )
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
