"""What people look at: displays in scikit-learn's manner."""

import math

import matplotlib.pyplot as plt
import numpy as np
from sklearn.utils import check_consistent_length
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


class PredictionGridDisplay:
    """Images with their labels and predictions, in a grid.

    Make one with :meth:`from_estimator` or :meth:`from_predictions`.

    Parameters
    ----------
    images : ndarray of shape (n_images, height, width) or (n_images, height, width, channels)
        Grey or RGB: uint8, or floats in [0, 1].
    y_true, y_pred : ndarray of shape (n_images,)
        Labels and predictions.
    confidence : ndarray of shape (n_images,), default=None
        The probability, in [0, 1], that was given to each prediction.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes that the grid fills.
    axes_ : list of matplotlib Axes
        The axes of each image.
    figure_ : matplotlib Figure
        Their figure.

    Examples
    --------
    >>> from kerasnet.plots import PredictionGridDisplay
    >>> from sklearn.datasets import load_digits
    >>> digits = load_digits()
    >>> seen = digits.target[:20].copy()
    >>> seen[3] = 8
    >>> display = PredictionGridDisplay.from_predictions(digits.images[:20] / 16, digits.target[:20], seen)
    >>> [axes.get_title() for axes in display.axes_]
    ['3 seen as 8']
    """

    def __init__(self, *, images, y_true, y_pred, confidence=None):
        self.images = images
        self.y_true = y_true
        self.y_pred = y_pred
        self.confidence = confidence

    @classmethod
    def from_estimator(cls, estimator, X, y, *, show="mistakes", n_images=20, ax=None):
        """Draw images as a fitted classifier sees them.

        Parameters
        ----------
        estimator : classifier
            Fitted, with ``predict_proba``.
        X : ndarray of shape (n_samples, height, width) or (n_samples, height, width, channels)
            Images, as the classifier takes them.
        y : array-like of shape (n_samples,)
            Their labels.
        show : {"mistakes", "all"}, default="mistakes"
            The wrong predictions, the most confident first; or the first images, right or wrong.
        n_images : int, default=20
            The largest number of images.
        ax : matplotlib Axes, default=None
            What the grid fills; a new figure when None.

        Returns
        -------
        PredictionGridDisplay
            The display.
        """
        probabilities = estimator.predict_proba(X)
        y_pred = estimator.classes_[probabilities.argmax(axis=1)]
        return cls.from_predictions(
            X, y, y_pred, confidence=probabilities.max(axis=1), show=show, n_images=n_images, ax=ax
        )

    @classmethod
    def from_predictions(cls, images, y_true, y_pred, *, confidence=None, show="mistakes", n_images=20, ax=None):
        """Draw images with given predictions.

        Parameters
        ----------
        images : ndarray of shape (n_samples, height, width) or (n_samples, height, width, channels)
            Grey or RGB: uint8, or floats in [0, 1].
        y_true, y_pred : array-like of shape (n_samples,)
            Labels and predictions.
        confidence : array-like of shape (n_samples,), default=None
            The probability, in [0, 1], that was given to each prediction.
        show : {"mistakes", "all"}, default="mistakes"
            The wrong predictions, the most confident first; or the first images, right or wrong.
        n_images : int, default=20
            The largest number of images.
        ax : matplotlib Axes, default=None
            What the grid fills; a new figure when None.

        Returns
        -------
        PredictionGridDisplay
            The display.
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
        rows = rows[:n_images]
        return cls(
            images=images[rows],
            y_true=y_true[rows],
            y_pred=y_pred[rows],
            confidence=None if confidence is None else confidence[rows],
        ).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw the grid, five images a row.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            What the grid fills; a new figure when None.

        Returns
        -------
        PredictionGridDisplay
            This display.
        """
        n_columns = 5
        n_rows = max(math.ceil(len(self.images) / n_columns), 1)
        if ax is None:
            _, ax = plt.subplots(figsize=(1.7 * n_columns, 2.1 * n_rows), layout="constrained")
        ax.set_axis_off()
        if len(self.images) == 0:
            ax.text(0.5, 0.5, "nothing to show", ha="center", va="center")
        grid = ax.get_subplotspec().subgridspec(n_rows, n_columns)
        self.axes_ = []
        for position, image in enumerate(self.images):
            axes = ax.figure.add_subplot(grid[position])
            axes.imshow(image, cmap="gray", vmin=0, vmax=255 if image.dtype == np.uint8 else 1)
            axes.set_title(self._title(position), fontsize="small")
            axes.set(xticks=[], yticks=[])
            self.axes_.append(axes)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _title(self, position):
        true, predicted = self.y_true[position], self.y_pred[position]
        title = f"{true}" if true == predicted else f"{true} seen as {predicted}"
        return title if self.confidence is None else f"{title}\n{self.confidence[position]:.1%} sure"
