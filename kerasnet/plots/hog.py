"""Images above what their histograms of oriented gradients hold."""

import numpy as np

from kerasnet.plots._images import as_images, draw_image, first, image_grid


class HOGDisplay:
    """Images and pictures of their histograms of oriented gradients, in two rows.

    Make one with :meth:`from_estimator`.

    Parameters
    ----------
    images : ndarray of shape (n_images, height, width) or (n_images, height, width, 3)
        Grey or RGB: uint8, or floats in [0, 1].
    pictures : ndarray of shape (n_images, height, width)
        What :meth:`kerasnet.features.HOGTransformer.visualize` draws of them.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes that the grid fills.
    axes_ : ndarray of shape (2, n_images) of matplotlib Axes
        The axes of images and of pictures. The brightest line of all pictures is white.
    figure_ : matplotlib Figure
        Their figure.

    Examples
    --------
    >>> from kerasnet.datasets import load_mnist
    >>> from kerasnet.features import HOGTransformer
    >>> from kerasnet.plots import HOGDisplay
    >>> images = load_mnist("test").data[:3]
    >>> HOGDisplay.from_estimator(HOGTransformer(pixels_per_cell=(4, 4)), images).axes_.shape
    (2, 3)
    """

    def __init__(self, *, images, pictures):
        self.images = images
        self.pictures = pictures

    @classmethod
    def from_estimator(cls, estimator, X, *, n_images=8, ax=None):
        """Draw the first images and what a transformer makes of them.

        Parameters
        ----------
        estimator : HOGTransformer
            Fitted or not.
        X : ndarray of shape (n_samples, height, width[, 3]) or (n_samples, height * width[ * 3])
            Images, as the transformer takes them.
        n_images : int, default=8
            The largest number of images.
        ax : matplotlib Axes, default=None
            What the grid fills; a new figure when None.

        Returns
        -------
        HOGDisplay
            The display.

        Raises
        ------
        ValueError
            If the transformer does not take the images.
        """
        X = first(np.asarray(X), n_images)
        return cls(images=as_images(X, estimator.image_shape), pictures=estimator.visualize(X)).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw the two rows.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What the grid fills; a new figure when None.

        Returns
        -------
        HOGDisplay
            This display.
        """
        n_images = len(self.images)
        ax, cells = image_grid(ax, 2, n_images)
        brightest = {"vmax": self.pictures.max() or 1}
        images = [draw_image(ax, cell, image, "") for cell, image in zip(cells[:n_images], self.images, strict=True)]
        pictures = [
            draw_image(ax, cell, picture, "", **brightest)
            for cell, picture in zip(cells[n_images:], self.pictures, strict=True)
        ]
        images[0].set_title("image", fontsize="small")
        pictures[0].set_title("HOG", fontsize="small")
        self.axes_ = np.array([images, pictures])
        self.ax_, self.figure_ = ax, ax.figure
        return self
