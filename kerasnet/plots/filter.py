"""Grid of the filters of a convolution, or of its activations for a sample."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from kerasnet.plots._images import draw_curves, draw_image, image_grid, take_first

if TYPE_CHECKING:
    import keras
    import numpy.typing as npt
    from matplotlib.axes import Axes


class FilterDisplay:
    """Grid of the filters of a convolution, or of its activations for a sample.

    Create a display with :meth:`from_estimator`.

    Parameters
    ----------
    filters : ndarray of shape (n_filters, height, width, channels) or (n_filters, steps, channels)
        Weights of the filters of a two-dimensional or one-dimensional convolution; or activations, which have one
        channel.
    layer : str
        Name of the layer.
    sample : ndarray of shape (height, width, channels) or (steps, features), default=None
        Sample of which `filters` are the activations. If None, `filters` are weights.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the grid.
    axes_ : list of matplotlib Axes
        Axes of the filters, preceded by the Axes of the sample if there is one. The filters have the same scale.
    figure_ : matplotlib Figure
        Figure of the plot.

    Examples
    --------
    >>> from kerasnet import KerasNetClassifier
    >>> from kerasnet.datasets import load_mnist
    >>> from kerasnet.plots import FilterDisplay
    >>> classifier = KerasNetClassifier.from_pretrained("lenet", "mnist")
    >>> FilterDisplay.from_estimator(classifier).filters.shape
    (16, 5, 5, 1)
    >>> FilterDisplay.from_estimator(classifier, load_mnist("test").data[:1]).filters.shape
    (16, 24, 24, 1)
    """

    def __init__(self, *, filters: npt.NDArray[Any], layer: str, sample: npt.NDArray[Any] | None = None) -> None:
        self.filters = filters
        self.layer = layer
        self.sample = sample

    @classmethod
    def from_estimator(
        cls,
        estimator: Any | keras.Model,
        X: npt.ArrayLike | None = None,
        *,
        layer: str | None = None,
        n_filters: int = 32,
        ax: Axes | None = None,
    ) -> Self:
        """Plot the first filters of a convolution, or their activations for the first sample.

        Parameters
        ----------
        estimator : estimator instance or keras.Model
            Keras model, fitted estimator with ``model_``, or pipeline or search with such an estimator.
        X : array-like of shape (n_samples, ...), default=None
            Images or sequences in the format of the estimator. If given, the activations for the first one are shown
            instead of the weights.
        layer : str, default=None
            Name of a layer with a one-dimensional or two-dimensional convolution. If None, the first one is used.
        n_filters : int, default=32
            Maximum number of filters.
        ax : matplotlib Axes, default=None
            Axes to draw the grid on. If None, a new figure is created.

        Returns
        -------
        FilterDisplay
            Display with the drawn plot.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If the estimator has no Keras model.
        ValueError
            If the model has no convolution, or no convolution of this name.
        """
        from kerasnet.plots import _models  # imports TensorFlow
        from kerasnet.training._layers import layer_output

        fitted = _models.fitted_model(estimator)
        convolution = _models.find_convolution(fitted.model, layer)
        if X is None:
            filters, sample = np.moveaxis(np.asarray(convolution.kernel, np.float32), -1, 0), None
        else:
            inputs = fitted.inputs(X)[:1]
            sample = np.divide(inputs, 255, dtype=np.float32) if inputs.dtype == np.uint8 else inputs
            activations = layer_output(fitted.model, convolution, sample)
            filters, sample = np.moveaxis(activations[0], -1, 0)[..., None], sample[0]
        return cls(filters=take_first(filters, n_filters, "n_filters"), layer=convolution.name, sample=sample).plot(
            ax=ax
        )

    def plot(self, *, ax: Axes | None = None) -> Self:
        """Draw the grid, with eight filters per row.

        Weights of filters with one channel are red if positive and blue if negative. Filters with three channels are
        RGB images, in which zero is gray. For other numbers of channels, the mean over the channels is shown.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw the grid on. If None, a new figure is created.

        Returns
        -------
        FilterDisplay
            The display itself.
        """
        n_cells = len(self.filters) + (self.sample is not None)
        ax, cells = image_grid(ax, math.ceil(n_cells / 8), 8, cell_size=(1.1, 1.35))
        ax.set_title(f"{self.layer}, {'filters' if self.sample is None else 'activations'}", fontsize="medium")
        self.axes_ = []
        if self.sample is not None:
            draw = draw_image if self.sample.ndim == 3 else draw_curves
            self.axes_.append(draw(ax, cells.pop(0), _displayable(self.sample), "input"))
        is_image, limit = self.filters.ndim == 4, float(np.abs(self.filters).max()) or 1.0
        filters = self.filters
        if is_image:
            filters = filters if self.sample is None and filters.shape[-1] == 3 else filters.mean(axis=-1)
            limit = float(np.abs(filters).max()) or 1.0
        for number, (cell, picture) in enumerate(zip(cells, filters, strict=False)):
            self.axes_.append(self._draw(ax, cell, picture, f"{number}", limit))
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _draw(self, ax, cell, picture, title, limit):
        if self.filters.ndim == 3:
            axes = draw_curves(ax, cell, picture, title)
            axes.set_ylim(-1.05 * limit if picture.min() < 0 or self.sample is None else 0, 1.05 * limit)
            return axes
        if picture.ndim == 3:
            return draw_image(ax, cell, 0.5 + picture / (2 * limit), title)
        if self.sample is None or self.filters.min() < 0:
            return draw_image(ax, cell, picture, title, cmap="RdBu_r", vmin=-limit, vmax=limit)
        return draw_image(ax, cell, picture, title, cmap="viridis", vmin=0, vmax=limit)


def _displayable(sample):
    """Return a sample as an image of one or three channels, or as it is."""
    return sample if sample.ndim == 2 or sample.shape[-1] in (1, 3) else sample.mean(axis=-1)
