"""Scatter plot of two-dimensional embeddings."""

from __future__ import annotations

import itertools
import reprlib
from typing import TYPE_CHECKING, Any, Self

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.utils import check_array, check_consistent_length, column_or_1d

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.axes import Axes


_MAX_CLASSES = 20  # with more labels, there is no legend
_MARKERS = "o^sDvP*Xd<>p"  # one for each ten labels


class EmbeddingDisplay:
    """Scatter plot of a two-dimensional embedding.

    Create a display with :meth:`from_estimator` or :meth:`from_codes`.

    Parameters
    ----------
    points : ndarray of shape (n_samples, 2)
        Coordinates of the samples.
    y : ndarray of shape (n_samples,), default=None
        Labels. Each label has its own color and marker. More than 20 labels are shown
        without a legend, or with a color bar if they are numbers.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the plot.
    figure_ : matplotlib Figure
        Figure of the plot.
    collections_ : list of matplotlib PathCollection
        One collection per label, or a single collection if there are no labels or if there is a color bar.

    Examples
    --------
    >>> from kerasnet.plots import EmbeddingDisplay
    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> display = EmbeddingDisplay.from_codes(X, y)  # 64 pixels in two principal components
    >>> len(display.collections_), display.points.shape
    (10, (1797, 2))
    """

    def __init__(self, *, points: npt.NDArray[Any], y: npt.NDArray[Any] | None = None) -> None:
        self.points = points
        self.y = y

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: npt.ArrayLike,
        y: npt.ArrayLike | None = None,
        *,
        ax: Axes | None = None,
        **scatter_kw: Any,
    ) -> Self:
        """Plot the samples transformed by a fitted transformer.

        Parameters
        ----------
        estimator : transformer instance
            Fitted transformer, such as an :class:`~kerasnet.Autoencoder`.
        X : array-like of shape (n_samples, ...)
            Samples to transform.
        y : array-like of shape (n_samples,), default=None
            Labels. Each label has its own color and marker. More than 20 labels are shown
            without a legend, or with a color bar if they are numbers.
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is created.
        **scatter_kw
            Additional keyword arguments of :meth:`matplotlib.axes.Axes.scatter`.

        Returns
        -------
        EmbeddingDisplay
            Display with the drawn plot.
        """
        return cls.from_codes(estimator.transform(X), y, ax=ax, **scatter_kw)

    @classmethod
    def from_codes(
        cls, codes: npt.ArrayLike, y: npt.ArrayLike | None = None, *, ax: Axes | None = None, **scatter_kw: Any
    ) -> Self:
        """Plot codes. More than two features are reduced to two principal components.

        Parameters
        ----------
        codes : array-like of shape (n_samples, n_features)
            Codes with at least two features.
        y : array-like of shape (n_samples,), default=None
            Labels. Each label has its own color and marker. More than 20 labels are shown
            without a legend, or with a color bar if they are numbers.
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is created.
        **scatter_kw
            Additional keyword arguments of :meth:`matplotlib.axes.Axes.scatter`.

        Returns
        -------
        EmbeddingDisplay
            Display with the drawn plot.

        Raises
        ------
        ValueError
            If `y` does not contain exactly one label per sample, or if `y` and colors are both given.
        """
        points: np.ndarray = check_array(codes, ensure_min_features=2, input_name="codes")
        check_consistent_length(points, y)
        labels = None if y is None else column_or_1d(y)
        if labels is not None and pd.isna(labels).any():
            missing = np.flatnonzero(pd.isna(labels)).tolist()
            raise ValueError(
                f"Expected one label per sample in y. Received: missing labels for samples {reprlib.repr(missing)}. "
                "Remove these samples, or fill in their labels."
            )
        if points.shape[1] != 2:
            points = PCA(2, random_state=0).fit_transform(points)
        return cls(points=points, y=labels).plot(ax=ax, **scatter_kw)

    def plot(self, *, ax: Axes | None = None, **scatter_kw: Any) -> Self:
        """Draw the scatter plot.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is created.
        **scatter_kw
            Additional keyword arguments of :meth:`matplotlib.axes.Axes.scatter`.

        Returns
        -------
        EmbeddingDisplay
            The display itself.
        """
        if ax is None:
            _, ax = plt.subplots(layout="constrained")
        options = {"s": 8, "alpha": 0.7, **scatter_kw}
        if self.y is None:
            self.collections_ = [ax.scatter(*self.points.T, **options)]
        elif colors := {"c", "color"} & scatter_kw.keys():
            raise ValueError(
                f"Expected either labels y or colors. Received: y and {', '.join(colors)}. Remove one of them."
            )
        else:
            self._scatter_labels(ax, options)
        ax.set(xlabel="component 1", ylabel="component 2")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _scatter_labels(self, ax, options):
        labels = np.unique(self.y)
        if len(labels) > _MAX_CLASSES and labels.dtype.kind in "iuf":
            self.collections_ = [ax.scatter(*self.points.T, c=self.y, **options)]
            ax.figure.colorbar(self.collections_[0], ax=ax)
            return
        colors = plt.get_cmap("tab10").colors
        self.collections_ = []
        for label, (marker, color) in zip(labels, itertools.cycle(itertools.product(_MARKERS, colors)), strict=False):
            chosen = {"color": color, "marker": marker, **options}
            self.collections_.append(ax.scatter(*self.points[self.y == label].T, **chosen))
        if len(labels) > _MAX_CLASSES:
            return
        legend = ax.legend(self.collections_, [str(label) for label in labels], markerscale=2, fontsize="small")
        for text in legend.get_texts():
            text.set_parse_math(False)  # labels may contain dollar signs
