"""Drawing of the results of hyperparameter searches."""

from __future__ import annotations

import itertools
import warnings

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import Normalize
from matplotlib.ticker import MaxNLocator

from kerasnet.plots._search_results import equally_spaced, is_logarithmic, is_number, label, short_names

_MAX_CHARACTERS = 45  # of horizontal labels on the x axis
_CMAP = "viridis"
_MAX_COLORED = 8
_MAX_TICKS = 8  # distinct numbers of a parameter up to which its axis shows each of them


def draw_line(ax, parameters, scores, deviations, score_name):
    """Draw the score against one parameter."""
    ((name, values),) = parameters.items()
    is_numeric = all(map(is_number, values))
    if is_numeric:
        places = np.array(values, float)
        ax.set_xscale("log" if is_logarithmic(values) else "linear")
    else:
        places, ordered, ticks = equally_spaced(values)
        _label_x_axis(ax, ticks, ordered)
        ax.set_xlim(-0.5, len(ordered) - 0.5)
    order = np.argsort(places, kind="stable")
    style = {"marker": "o", "capsize": 3, "linestyle": "-" if is_numeric else "none"}
    ax.errorbar(places[order], scores[order], yerr=deviations[order], **style)
    ax.set(xlabel=short_names(parameters)[name], ylabel=f"{score_name} (mean ± standard deviation)")


def _label_x_axis(ax, ticks, values):
    """Label the ticks, vertically if the labels are too long to be side by side."""
    labels = [label(value) for value in values]
    ax.set_xticks(ticks, labels, rotation=90 if sum(map(len, labels)) > _MAX_CHARACTERS else 0)


def draw_heat_map(ax, parameters, scores, score_name):
    """Draw the score for each combination of two parameters, with its value in each cell."""
    names = short_names(parameters)
    (y_name, y_values), (x_name, x_values) = parameters.items()
    y, x = equally_spaced(y_values), equally_spaced(x_values)
    table = np.full((len(y.values), len(x.values)), np.nan)
    for row, column in {*zip(y.positions.astype(int), x.positions.astype(int), strict=True)}:
        chosen = scores[(y.positions == row) & (x.positions == column)]
        table[row, column] = np.nan if np.isnan(chosen).all() else np.nanmean(chosen)
    image = ax.imshow(table, cmap=_CMAP, aspect="auto", origin="lower")
    ax.figure.colorbar(image, ax=ax, label=score_name)
    _label_x_axis(ax, x.ticks, x.values)
    ax.set_yticks(y.ticks, [label(value) for value in y.values])
    ax.set(xlabel=names[x_name], ylabel=names[y_name])
    if table.size <= 100:
        for row, column in np.ndindex(*table.shape):
            value = table[row, column]
            text = "–" if np.isnan(value) else f"{value:.3g}"
            is_dark = not np.isnan(value) and image.norm(value) < 0.6
            ax.text(column, row, text, ha="center", va="center", color="white" if is_dark else "black")


def draw_parallel_coordinates(ax, parameters, scores, score_name):
    """Draw one axis per parameter and one for the score, and one line per candidate."""
    names = short_names(parameters)
    columns = [_normalized(values) for values in parameters.values()]
    columns.append(_interpolated([float(score) for score in scores]))
    heights = np.array([places for places, _ in columns])
    x = np.arange(len(columns))
    best = np.nanargmax(scores)
    norm, cmap = Normalize(np.nanmin(scores), np.nanmax(scores)), plt.get_cmap(_CMAP)
    for candidate in np.argsort(scores, kind="stable"):
        is_best, failed = candidate == best, np.isnan(scores[candidate])
        style = (
            {"color": "lightgray", "linestyle": ":"} if failed else {"color": cmap(0.9 * (1 - norm(scores[candidate])))}
        )
        ax.plot(x, heights[:, candidate], linewidth=3 if is_best else 1.2, alpha=1 if is_best else 0.8, **style)
    for position, (_, ticks) in enumerate(columns):
        ax.axvline(position, color="black", linewidth=0.8)
        for height, text in ticks:
            ax.annotate(
                text,
                (position, height),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize="small",
                bbox={"boxstyle": "round,pad=0.1", "facecolor": ax.get_facecolor(), "edgecolor": "none", "alpha": 0.75},
            )
    ax.set_xticks(x, [*names.values(), score_name])
    ax.set(yticks=[], xlim=(-0.1, len(columns) - 0.7), ylim=(-0.05, 1.05))
    ax.spines[:].set_visible(False)


def draw_learning_curves(ax, parameters, scores, histories, metric):
    """Draw the mean over the folds of a metric per epoch, with colors for the best candidates."""
    names = short_names(parameters)
    ranking = [int(place) for place in np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable")]
    colors = itertools.cycle(plt.get_cmap(_CMAP)(np.linspace(0, 0.9, min(len(ranking), _MAX_COLORED))))
    for rank, candidate in enumerate(ranking):
        folds = [history[metric] for history in histories[candidate] if metric in history]
        if not folds:
            continue
        curve = _mean_curve(folds)
        text = ", ".join(f"{names[name]}={label(values[candidate])}" for name, values in parameters.items())
        style = {"color": "lightgray", "zorder": 1}
        if rank < _MAX_COLORED:
            style = {"color": next(colors), "label": text or "all folds", "linestyle": "-" if rank % 2 == 0 else "--"}
        ax.plot(np.arange(1, len(curve) + 1), curve, marker="o", markersize=3, **style)
    ax.set(xlabel="epoch", ylabel=f"{metric.replace('_', ' ')} (mean over folds)")
    ax.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    ax.legend(fontsize="small", title="best first", title_fontsize="small")


def _mean_curve(folds):
    """Return the mean of curves, which have different lengths after early stopping."""
    table = np.full((len(folds), max(map(len, folds))), np.nan)
    for row, values in zip(table, folds, strict=True):
        row[: len(values)] = values
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # epochs in which all folds are NaN
        return np.nanmean(table, axis=0)


def _normalized(values):
    """Return the values of a parameter as heights in [0, 1], and the heights and texts of ticks."""
    scale = equally_spaced(values)
    if all(map(is_number, values)) and len(scale.values) > _MAX_TICKS:
        return _interpolated(values)
    span = max(len(scale.values) - 1, 1)
    shown = range(0, len(scale.values), -(-len(scale.values) // _MAX_TICKS))
    return scale.positions / span, [(place / span, label(scale.values[place])) for place in shown]


def _interpolated(values):
    """Return numbers as heights in [0, 1], on a logarithmic scale if they differ by a large factor."""
    is_log = is_logarithmic(values)
    numbers = np.log(values) if is_log else np.array(values, float)
    low, span = np.nanmin(numbers), float(np.ptp(numbers[~np.isnan(numbers)])) or 1.0
    heights = np.linspace(0, 1, 5)
    at_ticks = np.exp(low + heights * span) if is_log else low + heights * span
    return (numbers - low) / span, list(zip(heights, map(label, at_ticks), strict=True))
