"""Codes in two dimensions."""

import reprlib

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.utils import check_array, check_consistent_length, column_or_1d

_MANY = 20  # more different numbers than this are a scale, not classes


class EmbeddingDisplay:
    """Samples as points, where a transformer puts them.

    Make one with :meth:`from_estimator` or :meth:`from_codes`.

    Parameters
    ----------
    points : ndarray of shape (n_samples, 2)
        Where to draw the samples.
    y : ndarray of shape (n_samples,), default=None
        Labels; one colour each, or a colour bar for more than 20 different numbers.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes with the points.
    figure_ : matplotlib Figure
        Their figure.
    collections_ : list of matplotlib PathCollection
        The points of each label; all points where there are no labels, or a colour bar.

    Examples
    --------
    >>> from kerasnet.plots import EmbeddingDisplay
    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> display = EmbeddingDisplay.from_codes(X, y)  # 64 pixels in two principal components
    >>> len(display.collections_), display.points.shape
    (10, (1797, 2))
    """

    def __init__(self, *, points, y=None):
        self.points = points
        self.y = y

    @classmethod
    def from_estimator(cls, estimator, X, y=None, *, ax=None, **scatter_kw):
        """Draw what a fitted transformer makes of samples.

        Parameters
        ----------
        estimator : transformer
            Fitted, such as an ``Autoencoder``.
        X : array-like of shape (n_samples, ...)
            Samples, as the transformer takes them.
        y : array-like of shape (n_samples,), default=None
            Labels; one colour each, or a colour bar for more than 20 different numbers.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure when None.
        **scatter_kw
            For ``matplotlib.axes.Axes.scatter``.

        Returns
        -------
        EmbeddingDisplay
            The display.
        """
        return cls.from_codes(estimator.transform(X), y, ax=ax, **scatter_kw)

    @classmethod
    def from_codes(cls, codes, y=None, *, ax=None, **scatter_kw):
        """Draw codes: two of a sample as they are, more by their two principal components.

        Parameters
        ----------
        codes : array-like of shape (n_samples, n_features)
            At least two features.
        y : array-like of shape (n_samples,), default=None
            Labels; one colour each, or a colour bar for more than 20 different numbers.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure when None.
        **scatter_kw
            For ``matplotlib.axes.Axes.scatter``.

        Returns
        -------
        EmbeddingDisplay
            The display.

        Raises
        ------
        ValueError
            If `y` is not one label a sample, or colours are given beside it.
        """
        codes = check_array(codes, ensure_min_features=2, input_name="codes")
        check_consistent_length(codes, y)
        if y is not None:
            y = column_or_1d(y)
            if pd.isna(y).any():
                missing = np.flatnonzero(pd.isna(y)).tolist()
                raise ValueError(
                    f"Expected a label in y for every sample. Received: none for samples {reprlib.repr(missing)}."
                )
        points = codes if codes.shape[1] == 2 else PCA(2, random_state=0).fit_transform(codes)
        return cls(points=points, y=y).plot(ax=ax, **scatter_kw)

    def plot(self, *, ax=None, **scatter_kw):
        """Draw the points.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; a new figure when None.
        **scatter_kw
            For ``matplotlib.axes.Axes.scatter``.

        Returns
        -------
        EmbeddingDisplay
            This display.
        """
        if ax is None:
            _, ax = plt.subplots(layout="constrained")
        options = {"s": 8, "alpha": 0.7, **scatter_kw}
        if self.y is None:
            self.collections_ = [ax.scatter(*self.points.T, **options)]
        elif colours := {"c", "color"} & scatter_kw.keys():
            raise ValueError(f"The colours are those of the labels, y. Received: {', '.join(colours)}. Leave out one.")
        else:
            self._scatter_labels(ax, options)
        ax.set(xlabel="component 1", ylabel="component 2")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _scatter_labels(self, ax, options):
        labels = np.unique(self.y)
        if len(labels) > _MANY and labels.dtype.kind in "iuf":
            self.collections_ = [ax.scatter(*self.points.T, c=self.y, **options)]
            ax.figure.colorbar(self.collections_[0], ax=ax)
            return
        colours = plt.get_cmap("tab10" if len(labels) <= 10 else "viridis", len(labels))
        self.collections_ = [
            ax.scatter(*self.points[self.y == label].T, color=colours(position), **options)
            for position, label in enumerate(labels)
        ]
        ax.legend(self.collections_, [str(label) for label in labels], markerscale=2, fontsize="small")
