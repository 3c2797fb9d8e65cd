"""Loss and metrics from epoch to epoch."""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.utils.validation import check_is_fitted


class TrainingCurveDisplay:
    """How loss or a metric changed from epoch to epoch, on training and validation data.

    Make one with :meth:`from_estimator` or :meth:`from_history`.

    Parameters
    ----------
    history : dict of str to list of float
        Values after each epoch, under the names that Keras gives ("loss", "val_loss", "accuracy", ...).

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes with the curves.
    figure_ : matplotlib Figure
        Their figure.
    lines_ : list of matplotlib Line2D
        The curve of the training data and, if there is one, that of the validation data.

    Examples
    --------
    >>> from kerasnet.plots import TrainingCurveDisplay
    >>> display = TrainingCurveDisplay.from_history({"loss": [0.9, 0.4, 0.3], "val_loss": [0.8, 0.5, 0.5]})
    >>> [line.get_label() for line in display.lines_]
    ['training', 'validation']
    """

    def __init__(self, *, history):
        self.history = history

    @classmethod
    def from_estimator(cls, estimator, *, metric="loss", ax=None, **line_kw):
        """Draw the training of a fitted estimator.

        Parameters
        ----------
        estimator : estimator of kerasnet
            Fitted.
        metric : str, default="loss"
            What to draw: a key of its ``history_``.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure when None.
        **line_kw
            For ``matplotlib.axes.Axes.plot``.

        Returns
        -------
        TrainingCurveDisplay
            The display.
        """
        check_is_fitted(estimator, "history_")
        return cls.from_history(estimator.history_, metric=metric, ax=ax, **line_kw)

    @classmethod
    def from_history(cls, history, *, metric="loss", ax=None, **line_kw):
        """Draw what ``keras.Model.fit`` returned, or such a dict.

        Parameters
        ----------
        history : keras.callbacks.History or dict of str to list of float
            Values after each epoch.
        metric : str, default="loss"
            What to draw: a key of the history.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure when None.
        **line_kw
            For ``matplotlib.axes.Axes.plot``.

        Returns
        -------
        TrainingCurveDisplay
            The display.
        """
        return cls(history=getattr(history, "history", history)).plot(metric=metric, ax=ax, **line_kw)

    def plot(self, *, metric="loss", ax=None, **line_kw):
        """Draw one curve for the training data and one for the validation data.

        Parameters
        ----------
        metric : str, default="loss"
            What to draw: a key of the history.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure when None.
        **line_kw
            For ``matplotlib.axes.Axes.plot``.

        Returns
        -------
        TrainingCurveDisplay
            This display.

        Raises
        ------
        ValueError
            If the history has no such metric.
        """
        if metric not in self.history:
            raise ValueError(f"The history has {sorted(self.history)}. Received: metric={metric!r}.")
        if ax is None:
            _, ax = plt.subplots()
        self.lines_ = []
        for key, label in ((metric, "training"), (f"val_{metric}", "validation")):
            if key in self.history:
                epochs = np.arange(1, len(self.history[key]) + 1)
                self.lines_ += ax.plot(epochs, self.history[key], **{"marker": "o", "label": label, **line_kw})
        ax.set(xlabel="epoch", ylabel=metric.replace("_", " "))
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self
