"""Confusion matrix that emphasizes the errors."""

from __future__ import annotations

import reprlib
import warnings
from typing import TYPE_CHECKING, Any, Self

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.ticker import PercentFormatter
from sklearn.metrics import confusion_matrix

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.axes import Axes

_MAX_LABELED = 25  # with more classes, neither the classes nor the cells are labeled
_ORANGE, _GRAY = (0.835, 0.369, 0.0), (0.5, 0.5, 0.5, 0.15)


class ErrorMatrixDisplay:
    """Confusion matrix whose colors show the errors.

    In a confusion matrix of an accurate classifier, only the diagonal is visible. Here, colors show the share of each
    true class that is predicted as each other class; correct predictions are gray.

    Create a display with :meth:`from_estimator` or :meth:`from_predictions`.

    Parameters
    ----------
    confusion_matrix : ndarray of shape (n_classes, n_classes)
        Number of samples of each true class (row) that were predicted as each class (column).
    display_labels : array-like of shape (n_classes,), default=None
        Names of the classes. If None, their indices.

    Attributes
    ----------
    shares : ndarray of shape (n_classes, n_classes)
        The share of the samples of each true class; NaN on the diagonal and for classes without samples.
    ax_ : matplotlib Axes
        Axes of the plot.
    figure_ : matplotlib Figure
        Figure of the plot.
    im_ : matplotlib AxesImage
        The colored matrix.
    text_ : list of matplotlib Text
        The numbers of samples in the cells that are not empty. With more than 25 classes, there are none.

    See Also
    --------
    sklearn.metrics.ConfusionMatrixDisplay : Confusion matrix whose colors show the number of samples.

    Examples
    --------
    >>> from kerasnet.plots import ErrorMatrixDisplay
    >>> display = ErrorMatrixDisplay.from_predictions(["cat", "cat", "dog", "dog"], ["cat", "dog", "dog", "dog"])
    >>> display.shares
    array([[nan, 0.5],
           [0. , nan]])
    >>> [text.get_text() for text in display.text_]
    ['1', '1', '2']
    """

    def __init__(self, confusion_matrix: npt.NDArray[Any], *, display_labels: npt.ArrayLike | None = None) -> None:
        self.confusion_matrix = confusion_matrix
        self.display_labels = display_labels

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        *,
        display_labels: npt.ArrayLike | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Plot the predictions of a fitted classifier.

        Parameters
        ----------
        estimator : classifier instance
            Fitted classifier.
        X : array-like of shape (n_samples, ...)
            Samples.
        y : array-like of shape (n_samples,)
            True labels.
        display_labels : array-like of shape (n_classes,), default=None
            Names of the classes in the order of ``classes_``. If None, the class labels.
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is created.

        Returns
        -------
        ErrorMatrixDisplay
            Display with the drawn plot.
        """
        labels = estimator.classes_ if display_labels is None else display_labels
        matrix = _confusion_matrix(y, estimator.predict(X), estimator.classes_)
        return cls(matrix, display_labels=labels).plot(ax=ax)

    @classmethod
    def from_predictions(
        cls,
        y_true: npt.ArrayLike,
        y_pred: npt.ArrayLike,
        *,
        labels: npt.ArrayLike | None = None,
        display_labels: npt.ArrayLike | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Plot given predictions.

        Parameters
        ----------
        y_true, y_pred : array-like of shape (n_samples,)
            True and predicted labels.
        labels : array-like of shape (n_classes,), default=None
            Class labels of the rows and columns. If None, all labels in `y_true` and `y_pred`, sorted.
        display_labels : array-like of shape (n_classes,), default=None
            Names of the classes. If None, `labels`.
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is created.

        Returns
        -------
        ErrorMatrixDisplay
            Display with the drawn plot.
        """
        if labels is None:
            labels = np.union1d(np.asarray(y_true), np.asarray(y_pred))
        matrix = _confusion_matrix(y_true, y_pred, labels)
        return cls(matrix, display_labels=labels if display_labels is None else display_labels).plot(ax=ax)

    @property
    def shares(self) -> npt.NDArray[np.float64]:
        """The share of the samples of each true class that is predicted as another class."""
        counts = self.confusion_matrix.sum(axis=1, keepdims=True)
        shares = np.divide(
            self.confusion_matrix, counts, out=np.full(self.confusion_matrix.shape, np.nan), where=counts > 0
        )
        np.fill_diagonal(shares, np.nan)
        return shares

    def plot(self, *, ax: Axes | None = None) -> Self:
        """Draw the plot.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is created.

        Returns
        -------
        ErrorMatrixDisplay
            The display itself.

        Raises
        ------
        ValueError
            If the confusion matrix is not square, or there is not one display label per class.
        """
        self._check()
        n_classes = len(self.confusion_matrix)
        if ax is None:
            size = 2.5 + 0.4 * min(n_classes, _MAX_LABELED)
            _, ax = plt.subplots(figsize=(size + 0.8, size), layout="compressed")
        shares = self.shares
        largest = float(np.nanmax(shares)) if np.isfinite(shares).any() else 0
        # transparent where there are no errors, so that the plot is readable on any background
        colors = LinearSegmentedColormap.from_list("errors", [(*_ORANGE, 0), (*_ORANGE, 0.85)]).with_extremes(bad=_GRAY)
        self.im_ = ax.imshow(shares, cmap=colors, vmin=0, vmax=largest or 1, interpolation="none")
        bar = ax.figure.colorbar(self.im_, ax=ax, fraction=0.046, format=PercentFormatter(xmax=1))
        bar.set_label("share of the true class")
        self._label(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _check(self):
        shape = np.shape(self.confusion_matrix)
        if len(shape) != 2 or shape[0] != shape[1]:
            raise ValueError(
                "confusion_matrix must have one row and one column per class, that is the shape (n_classes, "
                f"n_classes). Received: an array of shape {shape}."
            )
        if self.display_labels is not None and np.shape(self.display_labels) != shape[:1]:
            raise ValueError(
                f"display_labels must be a list of {shape[0]} names, one per class. "
                f"Received: {reprlib.repr(self.display_labels)}."
            )

    def _label(self, ax):
        ax.set(xlabel="predicted class", ylabel="true class")
        ax.spines[:].set_visible(False)
        self.text_ = []
        n_classes = len(self.confusion_matrix)
        if n_classes > _MAX_LABELED:
            return
        names = [str(name) for name in (range(n_classes) if self.display_labels is None else self.display_labels)]
        is_long = max(map(len, names), default=0) > 2
        ax.set_xticks(range(n_classes), names, rotation=90 if is_long else 0, parse_math=False)
        ax.set_yticks(range(n_classes), names, parse_math=False)
        self.text_ = [
            ax.text(column, row, f"{count}", ha="center", va="center", fontsize="small" if n_classes > 12 else None)
            for (row, column), count in np.ndenumerate(self.confusion_matrix)
            if count
        ]


def _confusion_matrix(y_true, y_pred, labels):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "A single label was found", UserWarning)  # also if labels are passed
        return confusion_matrix(y_true, y_pred, labels=labels)
