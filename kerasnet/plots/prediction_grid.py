"""Grid of images with labels and predictions."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.utils import check_consistent_length

from kerasnet.plots._images import draw_image, image_grid, take_first

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.axes import Axes


class PredictionGridDisplay:
    """Grid of images with labels and predictions.

    Create a display with :meth:`from_estimator` or :meth:`from_predictions`.

    Parameters
    ----------
    images : ndarray of shape (n_images, height, width) or (n_images, height, width, channels)
        Grayscale or RGB images of dtype uint8, or floats in [0, 1].
    y_true, y_pred : ndarray of shape (n_images,)
        True and predicted labels.
    confidence : ndarray of shape (n_images,), default=None
        Predicted probability of each prediction, in [0, 1].

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the grid.
    axes_ : list of matplotlib Axes
        Axes of the images.
    figure_ : matplotlib Figure
        Figure of the plot.

    Examples
    --------
    >>> from kerasnet.plots import PredictionGridDisplay
    >>> from sklearn.datasets import load_digits
    >>> digits = load_digits()
    >>> y_pred = digits.target[:20].copy()
    >>> y_pred[3] = 8
    >>> display = PredictionGridDisplay.from_predictions(digits.images[:20] / 16, digits.target[:20], y_pred)
    >>> [axes.get_title() for axes in display.axes_]
    ['3, predicted 8']
    """

    def __init__(
        self,
        *,
        images: npt.NDArray[Any],
        y_true: npt.NDArray[Any],
        y_pred: npt.NDArray[Any],
        confidence: npt.NDArray[Any] | None = None,
    ) -> None:
        self.images = images
        self.y_true = y_true
        self.y_pred = y_pred
        self.confidence = confidence

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        *,
        show: str = "mistakes",
        n_images: int = 20,
        ax: Axes | None = None,
    ) -> Self:
        """Plot images with the predictions of a fitted classifier.

        Parameters
        ----------
        estimator : classifier instance
            Fitted classifier with ``predict_proba``.
        X : ndarray of shape (n_samples, height, width) or (n_samples, height, width, channels)
            Images, or flattened rows for a classifier with ``image_shape``.
        y : array-like of shape (n_samples,)
            True labels.
        show : {"mistakes", "all"}, default="mistakes"
            If "mistakes", show the wrong predictions, starting with the highest probability. If "all", show the first
            images.
        n_images : int, default=20
            Maximum number of images.
        ax : matplotlib Axes, default=None
            Axes to draw the grid on. If None, a new figure is created.

        Returns
        -------
        PredictionGridDisplay
            Display with the drawn plot.
        """
        probabilities = estimator.predict_proba(X)
        if np.ndim(X) == 2:  # flattened rows of an estimator with image_shape
            X = np.reshape(X, (-1, *estimator.input_shape_))
        y_pred = estimator.classes_[probabilities.argmax(axis=1)]
        return cls.from_predictions(
            X, y, y_pred, confidence=probabilities.max(axis=1), show=show, n_images=n_images, ax=ax
        )

    @classmethod
    def from_predictions(
        cls,
        images: npt.ArrayLike,
        y_true: npt.ArrayLike,
        y_pred: npt.ArrayLike,
        *,
        confidence: npt.ArrayLike | None = None,
        show: str = "mistakes",
        n_images: int = 20,
        ax: Axes | None = None,
    ) -> Self:
        """Plot images with given predictions.

        Parameters
        ----------
        images : ndarray of shape (n_samples, height, width) or (n_samples, height, width, channels)
            Grayscale or RGB images of dtype uint8, or floats in [0, 1].
        y_true, y_pred : array-like of shape (n_samples,)
            True and predicted labels.
        confidence : array-like of shape (n_samples,), default=None
            Predicted probability of each prediction, in [0, 1].
        show : {"mistakes", "all"}, default="mistakes"
            If "mistakes", show the wrong predictions, starting with the highest probability. If "all", show the first
            images.
        n_images : int, default=20
            Maximum number of images.
        ax : matplotlib Axes, default=None
            Axes to draw the grid on. If None, a new figure is created.

        Returns
        -------
        PredictionGridDisplay
            Display with the drawn plot.
        """
        if show not in ("mistakes", "all"):
            raise ValueError(f"show must be 'mistakes' or 'all'. Received: {show!r}.")
        check_consistent_length(images, y_true, y_pred, confidence)
        images, y_true, y_pred = np.asarray(images), np.asarray(y_true), np.asarray(y_pred)
        rows = np.arange(len(images)) if show == "all" else np.flatnonzero(y_true != y_pred)
        if confidence is not None:
            confidence = np.asarray(confidence)
            if show == "mistakes":
                rows = rows[np.argsort(-confidence[rows], kind="stable")]
        rows = take_first(rows, n_images)
        return cls(
            images=images[rows],
            y_true=y_true[rows],
            y_pred=y_pred[rows],
            confidence=None if confidence is None else confidence[rows],
        ).plot(ax=ax)

    def plot(self, *, ax: Axes | None = None) -> Self:
        """Draw the grid, with five images per row.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw the grid on. If None, a new figure is created.

        Returns
        -------
        PredictionGridDisplay
            The display itself.
        """
        n_columns = 5
        ax, cells = image_grid(ax, max(math.ceil(len(self.images) / n_columns), 1), n_columns)
        if len(self.images) == 0:
            ax.text(0.5, 0.5, "no images to show", ha="center", va="center")
        self.axes_ = [
            draw_image(ax, cell, image, self._title(position))
            for position, (cell, image) in enumerate(zip(cells, self.images, strict=False))
        ]
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _title(self, position):
        true, predicted = self.y_true[position], self.y_pred[position]
        title = f"{true}" if true == predicted else f"{true}, predicted {predicted}"
        return title if self.confidence is None else f"{title}\n{self.confidence[position]:.1%}"
