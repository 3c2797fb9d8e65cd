"""Plot of images and their HOG visualizations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from kerasnet.plots._images import draw_image, image_grid, reshape_images, take_first

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.axes import Axes

    from kerasnet.features import HOGTransformer


class HOGDisplay:
    """Plot of images and their HOG visualizations, in two rows.

    Create a display with :meth:`from_estimator`.

    Parameters
    ----------
    images : ndarray of shape (n_images, height, width) or (n_images, height, width, 3)
        Grayscale or RGB images of dtype uint8, or floats in [0, 1].
    pictures : ndarray of shape (n_images, height, width)
        HOG visualizations from :meth:`kerasnet.features.HOGTransformer.visualize`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the grid.
    axes_ : ndarray of shape (2, n_images) of matplotlib Axes
        Axes of the images (first row) and visualizations (second row). All visualizations use the same scale.
    figure_ : matplotlib Figure
        Figure of the plot.

    Examples
    --------
    >>> from kerasnet.datasets import load_mnist
    >>> from kerasnet.features import HOGTransformer
    >>> from kerasnet.plots import HOGDisplay
    >>> images = load_mnist("test").data[:3]
    >>> HOGDisplay.from_estimator(HOGTransformer(pixels_per_cell=(4, 4)), images).axes_.shape
    (2, 3)
    """

    def __init__(self, *, images: npt.NDArray[Any], pictures: npt.NDArray[Any]) -> None:
        self.images = images
        self.pictures = pictures

    @classmethod
    def from_estimator(
        cls, estimator: HOGTransformer, X: npt.ArrayLike, *, n_images: int = 8, ax: Axes | None = None
    ) -> Self:
        """Plot the first images and their HOG visualizations.

        Parameters
        ----------
        estimator : HOGTransformer
            Transformer, which need not be fitted.
        X : ndarray of shape (n_samples, height, width[, 3]) or (n_samples, height * width[ * 3])
            Images in the format of the transformer.
        n_images : int, default=8
            Maximum number of images.
        ax : matplotlib Axes, default=None
            Axes to draw the grid on. If None, a new figure is created.

        Returns
        -------
        HOGDisplay
            Display with the drawn plot.

        Raises
        ------
        ValueError
            If the transformer rejects the images.
        """
        X = take_first(np.asarray(X), n_images)
        return cls(images=reshape_images(X, estimator.image_shape), pictures=estimator.visualize(X)).plot(ax=ax)

    def plot(self, *, ax: Axes | None = None) -> Self:
        """Draw the plot.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw the grid on. If None, a new figure is created.

        Returns
        -------
        HOGDisplay
            The display itself.
        """
        n_images = len(self.images)
        ax, cells = image_grid(ax, 2, n_images)
        scale = {"vmax": self.pictures.max() or 1}
        images = [draw_image(ax, cell, image, "") for cell, image in zip(cells[:n_images], self.images, strict=True)]
        pictures = [
            draw_image(ax, cell, picture, "", **scale)
            for cell, picture in zip(cells[n_images:], self.pictures, strict=True)
        ]
        images[0].set_title("image", fontsize="small")
        pictures[0].set_title("HOG", fontsize="small")
        self.axes_ = np.array([images, pictures])
        self.ax_, self.figure_ = ax, ax.figure
        return self
