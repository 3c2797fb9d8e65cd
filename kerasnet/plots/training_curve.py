"""Plot of training and validation curves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import MaxNLocator
from sklearn.utils.validation import check_is_fitted

from kerasnet.plots._estimators import last_estimator

if TYPE_CHECKING:
    import keras
    from matplotlib.axes import Axes


class TrainingCurveDisplay:
    """Plot of the loss or a metric per epoch, on training and validation data.

    Create a display with :meth:`from_estimator` or :meth:`from_history`.

    Parameters
    ----------
    history : dict of str to list of float
        Values of the loss and metrics per epoch, with the names used by Keras ("loss", "val_loss", "accuracy", ...).

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the plot.
    figure_ : matplotlib Figure
        Figure of the plot.
    lines_ : list of matplotlib Line2D
        Curve of the training data and, if available, curve of the validation data.

    Examples
    --------
    >>> from kerasnet.plots import TrainingCurveDisplay
    >>> display = TrainingCurveDisplay.from_history({"loss": [0.9, 0.4, 0.3], "val_loss": [0.8, 0.5, 0.5]})
    >>> [line.get_label() for line in display.lines_]
    ['training', 'validation']
    """

    def __init__(self, *, history: dict[str, list[float]]) -> None:
        self.history = history

    @classmethod
    def from_estimator(cls, estimator: Any, *, metric: str = "loss", ax: Axes | None = None, **line_kw: Any) -> Self:
        """Plot the training history of a fitted estimator.

        Parameters
        ----------
        estimator : estimator instance
            Fitted estimator with a ``history_`` attribute, or pipeline or search with such an estimator.
        metric : str, default="loss"
            Name of the loss or metric: a key of ``history_``.
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is created.
        **line_kw
            Additional keyword arguments of :meth:`matplotlib.axes.Axes.plot`.

        Returns
        -------
        TrainingCurveDisplay
            Display with the drawn plot.
        """
        estimator = last_estimator(estimator)
        check_is_fitted(estimator, "history_")
        return cls.from_history(estimator.history_, metric=metric, ax=ax, **line_kw)

    @classmethod
    def from_history(
        cls,
        history: keras.callbacks.History | dict[str, list[float]],
        *,
        metric: str = "loss",
        ax: Axes | None = None,
        **line_kw: Any,
    ) -> Self:
        """Plot a training history, such as the return value of :meth:`keras.Model.fit`.

        Parameters
        ----------
        history : keras.callbacks.History or dict of str to list of float
            Values of the loss and metrics per epoch.
        metric : str, default="loss"
            Name of the loss or metric: a key of the history.
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is created.
        **line_kw
            Additional keyword arguments of :meth:`matplotlib.axes.Axes.plot`.

        Returns
        -------
        TrainingCurveDisplay
            Display with the drawn plot.
        """
        return cls(history=getattr(history, "history", history)).plot(metric=metric, ax=ax, **line_kw)

    def plot(self, *, metric: str = "loss", ax: Axes | None = None, **line_kw: Any) -> Self:
        """Draw the curves of the training and validation data.

        Parameters
        ----------
        metric : str, default="loss"
            Name of the loss or metric: a key of the history.
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is created.
        **line_kw
            Additional keyword arguments of :meth:`matplotlib.axes.Axes.plot`.

        Returns
        -------
        TrainingCurveDisplay
            The display itself.

        Raises
        ------
        ValueError
            If the history does not contain the metric.
        """
        if metric not in self.history:
            raise ValueError(f"metric must be one of {sorted(self.history)}. Received: {metric!r}.")
        if ax is None:
            _, ax = plt.subplots()
        self.lines_ = []
        for key, label in ((metric, "training"), (f"val_{metric}", "validation")):
            if key in self.history:
                epochs = np.arange(1, len(self.history[key]) + 1)
                self.lines_ += ax.plot(epochs, self.history[key], **{"marker": "o", "label": label, **line_kw})
        ax.set(xlabel="epoch", ylabel=metric.replace("_", " "))
        ax.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
        ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self
