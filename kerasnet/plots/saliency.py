"""Plot of samples and their saliency maps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import matplotlib.pyplot as plt
import numpy as np
from sklearn.base import is_classifier
from sklearn.utils import check_consistent_length, column_or_1d

from kerasnet.plots._images import draw_image, image_grid, take_first

if TYPE_CHECKING:
    import keras
    import numpy.typing as npt
    from matplotlib.axes import Axes

_MAX_LINES = 8  # sequences with more features are drawn as images


class SaliencyDisplay:
    """Plot of samples and of how much each pixel or step affects an output of the model.

    Create a display with :meth:`from_estimator`.

    Parameters
    ----------
    samples : ndarray of shape (n_samples, height, width, channels) or (n_samples, steps, features)
        Images in [0, 1], or sequences.
    maps : ndarray of shape (n_samples, height, width) or (n_samples, steps)
        Saliency in [0, 1].
    labels : ndarray of shape (n_samples,), default=None
        Class whose score the map explains, per sample. If None, there are no classes.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the grid.
    axes_ : ndarray of matplotlib Axes
        Axes of the images (first row) and of their maps (second row), of shape (2, n_samples). For sequences, Axes of
        shape (n_samples,).
    figure_ : matplotlib Figure
        Figure of the plot.

    Notes
    -----
    A saliency map shows what the output of a model depends on. It does not show whether the prediction is right, and it
    does not explain how the model combines the values.

    Examples
    --------
    >>> from kerasnet import KerasNetClassifier
    >>> from kerasnet.datasets import load_mnist
    >>> from kerasnet.plots import SaliencyDisplay
    >>> classifier = KerasNetClassifier.from_pretrained("lenet", "mnist")
    >>> display = SaliencyDisplay.from_estimator(classifier, load_mnist("test").data, n_samples=3)
    >>> display.maps.shape, [axes.get_title() for axes in display.axes_[1]]
    ((3, 28, 28), ['saliency for 7', 'saliency for 2', 'saliency for 1'])
    """

    def __init__(
        self, *, samples: npt.NDArray[Any], maps: npt.NDArray[Any], labels: npt.NDArray[Any] | None = None
    ) -> None:
        self.samples = samples
        self.maps = maps
        self.labels = labels

    @classmethod
    def from_estimator(
        cls,
        estimator: Any | keras.Model,
        X: npt.ArrayLike,
        y: npt.ArrayLike | None = None,
        *,
        method: str = "gradient",
        n_samples: int = 5,
        ax: Axes | None = None,
    ) -> Self:
        """Plot the first samples with their saliency maps.

        Parameters
        ----------
        estimator : estimator instance or keras.Model
            Keras model, fitted estimator with ``model_``, or pipeline or search with such an estimator. In a pipeline,
            the samples are shown after the last transformer.
        X : array-like of shape (n_samples, ...)
            Images or sequences in the format of the estimator.
        y : array-like of shape (n_samples,), default=None
            Class to explain, per sample: a label of a classifier, or the index of an output of a Keras model or a
            regressor. If None, the predicted class is explained, or the first output of a regressor.
        method : {"gradient", "grad_cam"}, default="gradient"
            "gradient" is the absolute value of the gradient of the score with respect to the input, with the maximum
            over the channels. "grad_cam" is the last feature map of the convolutions, weighted by its gradients and
            resized: the regions that increase the score. The score is the output before softmax or sigmoid.
        n_samples : int, default=5
            Maximum number of samples.
        ax : matplotlib Axes, default=None
            Axes to draw the grid on. If None, a new figure is created.

        Returns
        -------
        SaliencyDisplay
            Display with the drawn plot.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If the estimator has no Keras model.
        ValueError
            If the samples are not images or sequences, `y` contains an unknown label, or the model has no gradient
            with respect to its input, or no convolutions for "grad_cam".

        References
        ----------
        K. Simonyan, A. Vedaldi and A. Zisserman, "Deep inside convolutional networks: visualising image classification
        models and saliency maps", ICLR workshop, 2014.

        R. R. Selvaraju et al., "Grad-CAM: visual explanations from deep networks via gradient-based localization",
        ICCV, 2017.
        """
        from kerasnet.plots._models import fitted_model, model_of_classes  # imports TensorFlow
        from kerasnet.training._saliency import saliency_maps

        fitted = fitted_model(estimator)
        X = take_first(X, n_samples, "n_samples")
        samples = fitted.inputs(X)
        if samples.ndim not in (3, 4) or not len(samples):
            raise ValueError(
                f"SaliencyDisplay requires images or sequences. Received: inputs of shape {samples.shape}."
            )
        labels = None if y is None else column_or_1d(take_first(y, n_samples, "n_samples"))
        check_consistent_length(samples, labels)
        labels, outputs = _labels_and_outputs(fitted, X, samples, labels)
        maps = saliency_maps(model_of_classes(fitted), samples, outputs, method=method)
        samples = samples / 255 if samples.dtype == np.uint8 else samples
        return cls(samples=samples, maps=maps, labels=labels).plot(ax=ax)

    def plot(self, *, ax: Axes | None = None) -> Self:
        """Draw the samples and maps.

        Images are drawn in the first row; in the second, their maps over them, from dark (0) to bright (1). Sequences
        are drawn below each other, as lines on a background that is a darker orange the higher the saliency of a step;
        with more than eight features, as an image below a strip of these colors.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw the grid on. If None, a new figure is created.

        Returns
        -------
        SaliencyDisplay
            The display itself.
        """
        ax = self._plot_images(ax) if self.samples.ndim == 4 else self._plot_sequences(ax)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _titles(self):
        return (
            [f"saliency for {label}" for label in self.labels]
            if self.labels is not None
            else ["saliency"] * len(self.maps)
        )

    def _plot_images(self, ax):
        n_samples = len(self.samples)
        ax, cells = image_grid(ax, 2, n_samples)
        images = self.samples if self.samples.shape[-1] in (1, 3) else self.samples.mean(axis=-1)
        first = [draw_image(ax, cell, image, "") for cell, image in zip(cells[:n_samples], images, strict=True)]
        second = [draw_image(ax, *each) for each in zip(cells[n_samples:], images, self._titles(), strict=True)]
        for axes, saliency in zip(second, self.maps, strict=True):
            axes.imshow(saliency, cmap="inferno", vmin=0, vmax=1, alpha=0.75)
        first[0].set_title("input", fontsize="small")
        self.axes_ = np.array([first, second])
        return ax

    def _plot_sequences(self, ax):
        n_samples = len(self.samples)
        if ax is None:
            _, ax = plt.subplots(figsize=(7, 1.5 * n_samples), layout="constrained")
        ax.set_axis_off()
        self.axes_ = np.array(
            [ax.inset_axes((0, 1 - (row + 1) / n_samples, 1, 0.75 / n_samples)) for row in range(n_samples)]
        )
        for axes, *sample, title in zip(self.axes_, self.samples, self.maps, self._titles(), strict=True):
            _draw_sequence(axes, *sample)
            axes.set_title(title, fontsize="small", parse_math=False)
        for axes in self.axes_[:-1]:
            axes.set_xticklabels([])
        self.axes_[-1].set_xlabel("step")
        return ax


def _draw_sequence(axes, sequence, saliency):
    """Draw a sequence without its padding: as lines, or as an image if it has many features."""
    n_steps = np.flatnonzero((sequence > np.finfo(np.float32).min).any(axis=1)).max(initial=0) + 1
    sequence, saliency = sequence[:n_steps], saliency[:n_steps]
    if sequence.shape[1] <= _MAX_LINES:
        axes.plot(sequence, color="black", linewidth=1)
        low, high = axes.get_ylim()
        options = {"cmap": "Oranges", "vmin": 0, "vmax": 1.3, "aspect": "auto", "zorder": 0}
        axes.imshow(saliency[None], extent=(-0.5, n_steps - 0.5, low, high), **options)
    else:
        n_features = sequence.shape[1]
        top = -0.5 - 0.2 * n_features
        axes.imshow(sequence.T, cmap="gray", aspect="auto")
        options = {"cmap": "Oranges", "vmin": 0, "vmax": 1, "aspect": "auto"}
        axes.imshow(saliency[None], extent=(-0.5, n_steps - 0.5, -0.5, top), **options)
        axes.set_ylim(n_features - 0.5, top)


def _labels_and_outputs(fitted, X, samples, labels):
    """Return the classes to explain (None for regressors) and their output indices."""
    classes = None
    if fitted.estimator is not None and is_classifier(fitted.estimator):
        classes = fitted.estimator.classes_
    elif fitted.estimator is not None:
        return labels, np.zeros(len(samples), int) if labels is None else labels
    if labels is None:
        outputs = _most_probable(fitted, X, samples)
        return outputs if classes is None else np.asarray(classes)[outputs], outputs
    if classes is None:
        return labels, labels
    positions = {label: position for position, label in enumerate(classes)}
    if unknown := sorted({label for label in labels if label not in positions}, key=str):
        raise ValueError(
            f"y must contain labels of classes_, {np.asarray(classes).tolist()}. Received: "
            f"{np.asarray(unknown).tolist()}."
        )
    return labels, np.array([positions[label] for label in labels])


def _most_probable(fitted, X, samples):
    if fitted.estimator is not None:
        return fitted.source.predict_proba(X).argmax(axis=1)
    inputs = samples / np.float32(255) if samples.dtype == np.uint8 else samples
    probabilities = np.asarray(fitted.model(inputs, training=False))
    if probabilities.shape[1] > 1:
        return probabilities.argmax(axis=1)
    return (probabilities[:, 0] > 0.5).astype(int)
