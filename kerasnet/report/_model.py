"""Sections about the estimator: parameters and layers."""

import inspect
import math

from kerasnet._values import without_addresses
from kerasnet.report._page import TIMES, Section, Table, Text, clean, counted

_MAX_LAYERS = 40  # of a table that is open


def parameter_section(subject):
    """Return the parameters of each step: first those that differ from their defaults."""
    blocks = []
    if hasattr(subject.estimator, "best_params_"):
        text = f"{type(subject.estimator).__name__}: the parameters below are those of the best candidate."
        blocks.append(Text(text))
    for name, step in subject.steps:
        title = f"{type(step).__name__} ({name})" if name else type(step).__name__
        changed, unchanged = split_parameters(step)
        if changed:
            blocks.append(Table(["parameter", "value"], changed, caption=title, n_text=2))
        else:
            blocks.append(Text(f"{title}: all parameters have their default values."))
        if unchanged:
            label = f"{title}: {counted(len(unchanged), 'parameter')} with default values"
            blocks.append(Table(["parameter", "value"], unchanged, n_text=2, collapsed=label))
    return Section("Parameters", blocks)


def split_parameters(estimator):
    """Return the rows of the parameters that differ from their defaults, and of the others."""
    if not hasattr(estimator, "get_params"):
        return [], []
    defaults = {name: each.default for name, each in inspect.signature(type(estimator)).parameters.items()}
    changed, unchanged = [], []
    for name, value in sorted(estimator.get_params(deep=False).items()):
        is_default = name in defaults and repr(value) == repr(defaults[name])
        (unchanged if is_default else changed).append([name, clean(without_addresses(repr(value)))])
    return changed, unchanged


def layer_section(subject):
    """Return the layers of all Keras models, as a list of one section or none."""
    blocks = []
    for name, step in subject.steps:
        model = getattr(getattr(step, "autoencoder_", step), "model_", None)
        if not hasattr(model, "count_params"):
            continue
        rows = layer_rows(model)
        label = f"{model.name} ({name})" if name else model.name
        blocks.append(Text(f"{label}: {counted(len(rows), 'layer')}, {counted(model.count_params(), 'parameter')}."))
        collapsed = f"{len(rows)} layers of {label}" if len(rows) > _MAX_LAYERS else ""
        columns = ["layer", "type", "output shape", "parameters"]
        blocks.append(Table(columns, rows, n_text=3, collapsed=collapsed))
    return [Section("Model", blocks)] if blocks else []


def layer_rows(model):
    """Return the name, type, output shape and number of parameters of each layer."""
    return [
        [clean(layer.name), type(layer).__name__, output_shape(layer), f"{layer.count_params():,}"]
        for layer in model.layers
    ]


def output_shape(layer):
    """Return the shape of the output for one sample, as text."""
    shape = getattr(getattr(layer, "output", None), "shape", None)
    return "–" if shape is None else TIMES.join("any" if size is None else f"{size}" for size in shape[1:]) or "1"


def n_parameters(subject):
    """Return the number of parameters of all Keras models; 0 if there are none."""
    models = (getattr(getattr(step, "autoencoder_", step), "model_", None) for _, step in subject.steps)
    return sum(model.count_params() for model in models if hasattr(model, "count_params"))


def size(n_bytes):
    """Format a number of bytes."""
    if n_bytes < 1000:
        return f"{n_bytes:,} bytes"
    power = min(int(math.log10(n_bytes) // 3), 4)
    return f"{n_bytes / 1000**power:.3g} {('bytes', 'kB', 'MB', 'GB', 'TB')[power]}"
