"""Grids of images inside one axes."""

import matplotlib.pyplot as plt
import numpy as np


def image_grid(ax, n_rows, n_columns):
    """Return axes to fill, those of a new figure for None, and the cells of a grid in them, row by row."""
    if ax is None:
        _, ax = plt.subplots(figsize=(1.7 * n_columns, 2.1 * n_rows), layout="constrained")
    ax.set_axis_off()
    grid = ax.get_subplotspec().subgridspec(n_rows, n_columns)
    return ax, [grid[position] for position in range(n_rows * n_columns)]


def draw_image(figure, cell, image, title, **options):
    """Draw a grey or RGB image, uint8 or floats in [0, 1], into a cell; return its axes."""
    axes = figure.add_subplot(cell)
    axes.imshow(image, **{"cmap": "gray", "vmin": 0, "vmax": 255 if image.dtype == np.uint8 else 1, **options})
    axes.set_title(title, fontsize="small")
    axes.set(xticks=[], yticks=[])
    return axes
