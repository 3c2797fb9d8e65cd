"""Grids of images within one matplotlib Axes."""

from numbers import Integral
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from sklearn.utils import check_scalar


def take_first(samples: Any, n_images: int, name: str = "n_images") -> np.ndarray:
    """Return the first `n_images` samples."""
    return samples[: check_scalar(n_images, name, Integral, min_val=1)]


def image_grid(ax, n_rows, n_columns, *, cell_size=(1.7, 2.1)):
    """Return the Axes of a grid (of a new figure if None) and the bounds of its cells, row by row.

    The size of a cell of a new figure is in inches.
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(cell_size[0] * n_columns, cell_size[1] * n_rows), layout="constrained")
    ax.set_axis_off()
    return ax, [
        (column / n_columns, 1 - (row + 1) / n_rows, 0.9 / n_columns, 0.8 / n_rows)
        for row in range(n_rows)
        for column in range(n_columns)
    ]


def draw_image(ax, cell, image, title, **options):
    """Draw a grayscale or RGB image (uint8, or floats in [0, 1]) into a cell and return the Axes of the image."""
    options = {"cmap": "gray", "vmin": 0, "vmax": 255 if image.dtype == np.uint8 else 1, **options}
    if image.dtype != np.uint8:  # matplotlib clips RGB images, too, but logs a warning
        image = np.clip(image.astype(float), options["vmin"], options["vmax"])
    axes = ax.inset_axes(cell)
    axes.imshow(image, **options)
    axes.set_title(title, fontsize="small", parse_math=False)
    axes.set(xticks=[], yticks=[])
    return axes


def draw_curves(ax, cell, values, title):
    """Draw one line per column of an array of shape (steps, features) into a cell and return the Axes of the lines."""
    axes = ax.inset_axes(cell)
    axes.plot(values, linewidth=1)
    axes.axhline(0, color="gray", linewidth=0.5)
    axes.set_title(title, fontsize="small", parse_math=False)
    axes.set(xticks=[], yticks=[])
    return axes


def reshape_images(X: Any, image_shape: Any) -> np.ndarray:
    """Reshape flattened rows to images of `image_shape`."""
    X = np.asarray(X)
    return X if image_shape is None or X.ndim != 2 else X.reshape(len(X), *image_shape)
