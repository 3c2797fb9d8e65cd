"""Summary of a training history as HTML."""

import html
import math
from numbers import Real

_WIDTH, _HEIGHT, _MARGIN, _MAX_POINTS = 160, 40, 4, 200
_STYLES = {"loss": 'stroke="currentColor"', "val_loss": 'stroke="#d55e00" stroke-dasharray="4 2"'}
_UNDERLINES = {"loss": "2px solid currentColor", "val_loss": "2px dashed #d55e00"}


def fit_summary(history):
    """Return a summary of a training history as HTML: epochs, first and last values, and a curve of the loss.

    Parameters
    ----------
    history : object
        Loss and metrics per epoch: a dict of str to list of float. Other objects and entries are ignored.

    Returns
    -------
    summary : str
        HTML without scripts, identifiers or references; empty if there are no epochs.
    """
    entries = history.items() if isinstance(history, dict) else ()
    curves = {str(name): values for name, values in entries if _is_curve(values)}
    losses = {name: curves[name] for name in _STYLES if name in curves}
    if "loss" not in losses:
        return ""
    n_epochs = len(losses["loss"])
    values = [f"{n_epochs} epoch{'s' if n_epochs > 1 else ''}"]
    for name, numbers in {**losses, **curves}.items():
        style = f' style="border-bottom: {_UNDERLINES[name]}"' if name in losses and n_epochs > 1 else ""
        change = f"{numbers[0]:.4g} → {numbers[-1]:.4g}" if len(numbers) > 1 else f"{numbers[-1]:.4g}"
        values.append(f"<span{style}>{html.escape(name)}</span> {change}")
    picture = _draw(losses) if n_epochs > 1 else ""
    return (
        '<div class="kerasnet-fit" style="padding: 0.5rem; font-family: monospace; text-align: left; '
        f'white-space: normal; max-width: 40em">Fit: {", ".join(values)}{picture}</div>'
    )


def _is_curve(values):
    return isinstance(values, list | tuple) and len(values) > 0 and all(isinstance(value, Real) for value in values)


def _draw(losses):
    """Draw curves as SVG, without values that are not finite."""
    finite = [value for values in losses.values() for value in values if math.isfinite(value)]
    if not finite:
        return ""
    low, high = min(finite), max(finite)
    lines = [f'<polyline points="{_points(values, low, high)}" {_STYLES[name]}/>' for name, values in losses.items()]
    return (
        f'<svg role="img" aria-label="Curve of {" and ".join(losses)}, from {low:.4g} to {high:.4g}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" fill="none" stroke-width="1.5" '
        f'style="display: block; margin-top: 0.5rem">{"".join(lines)}</svg>'
    )


def _points(values, low, high):
    step = math.ceil(len(values) / _MAX_POINTS)
    x_scale = (_WIDTH - 2 * _MARGIN) / max(len(values) - 1, 1)
    y_scale = (_HEIGHT - 2 * _MARGIN) / ((high - low) or 1)
    shown = [(epoch, value) for epoch, value in enumerate(values) if math.isfinite(value)]
    return " ".join(
        f"{_MARGIN + epoch * x_scale:.1f},{_MARGIN + (high - value) * y_scale:.1f}"
        for epoch, value in shown
        if epoch % step == 0 or epoch == len(values) - 1
    )
