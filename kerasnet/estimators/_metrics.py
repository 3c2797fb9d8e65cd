"""Adapt Keras metrics to the targets and outputs of classifiers."""

import functools
import re
from typing import NamedTuple

import keras
from keras import ops

DISTRIBUTION_NAMES = ("kldivergence", "cosinesimilarity")  # in addition to the categorical losses and metrics
SHORTHANDS = ("accuracy", "acc", "crossentropy", "ce")


class ClassOutputs(NamedTuple):
    """Format of the outputs of a classifier's model.

    Attributes
    ----------
    n_outputs : int
        Number of outputs; 1 for two classes with one sigmoid output.
    one_label : bool
        Whether each sample has exactly one label, so that multiple outputs form a probability distribution.
    sparse : bool
        Whether the loss expects class indices instead of one-hot rows.
    from_logits : bool
        Whether the outputs are logits.
    """

    n_outputs: int
    one_label: bool
    sparse: bool
    from_logits: bool


class _Form(NamedTuple):
    """Format of a metric: class indices, one column per class, activation applied to logits."""

    sparse: bool = False
    both_classes: bool = False
    activation: str | None = None


def adapt_metrics(metrics, outputs=None):
    """Adapt metrics for ``keras.Model.compile``, so that each receives targets and outputs in its format.

    Keras passes the targets of the loss to all metrics. But "sparse" metrics are defined for class indices, all others
    for targets in the shape of the outputs, and "categorical" metrics for one column per class.

    Parameters
    ----------
    metrics : list, dict or None
        Instances of ``keras.Metric``, which are modified in place, functions, or shorthands such as "accuracy".
    outputs : ClassOutputs, default=None
        Format of the outputs of a classifier. None if the targets already have the shape of the outputs.

    Returns
    -------
    metrics : list, dict or None
        Adapted metrics in the same structure.

    Raises
    ------
    ValueError
        If a metric is not defined for probabilities.
    """
    return keras.tree.map_structure(lambda metric: metric and _adapt(metric, outputs), metrics)


def _adapt(metric, outputs):
    if isinstance(metric, str):
        if outputs is None:
            return metric  # Keras resolves it by the shapes of targets and outputs
        metric = _metric_from_shorthand(metric, outputs)
    form = _Form() if outputs is None else _form_of(metric, outputs)
    if not isinstance(metric, keras.Metric):
        adapted = functools.partial(_evaluate, metric, form, _name_of(metric))
        adapted.__name__ = _name_of(metric)
        return adapted
    if isinstance(metric, keras.metrics.FBetaScore) and outputs is not None and metric.threshold is None:
        # argmax is the label only if the classes are mutually exclusive
        metric.threshold = None if outputs.one_label and outputs.n_outputs > 1 else 0.5
    metric.update_state = functools.partial(_evaluate, metric.update_state, form, metric.name)
    return metric


def _metric_from_shorthand(name, outputs):
    is_multiclass = outputs.one_label and outputs.n_outputs > 1
    kind = ("SparseCategorical" if outputs.sparse else "Categorical") if is_multiclass else "Binary"
    what = "Accuracy" if name in ("accuracy", "acc") else "Crossentropy"
    return getattr(keras.metrics, f"{kind}{what}")(name=name)


def _form_of(metric, outputs):
    """Return the format of targets and outputs for a metric of a classifier."""
    function = inner_function(getattr(metric, "_fn", metric))  # the function of a MeanMetricWrapper
    candidates = [function, *type(metric).__mro__]
    names = [getattr(candidate, "__name__", "").lower() for candidate in candidates]
    of_keras = [str(getattr(candidate, "__module__", "")).startswith("keras.") for candidate in candidates]
    is_of_keras = of_keras[1] if function is metric and isinstance(metric, keras.Metric) else of_keras[0]
    own_names = [name.replace("_", "") for name, known in zip(names, of_keras, strict=True) if known]
    is_of_distributions = any("categorical" in name or name in DISTRIBUTION_NAMES for name in own_names)
    is_of_classes = getattr(metric, "class_id", None) is not None or getattr(metric, "average", None) is not None
    is_iou = isinstance(metric, keras.metrics.IoU) and not isinstance(metric, keras.metrics.BinaryIoU)
    if is_iou and metric.sparse_y_pred:
        raise ValueError(
            f"The metric {metric.name!r} expects predicted class indices, but the model's outputs are probabilities. "
            "Set its sparse_y_pred=False, or use OneHotMeanIoU or OneHotIoU."
        )
    expects_logits = getattr(metric, "from_logits", False) or getattr(metric, "keywords", {}).get("from_logits")
    uses_outputs = not outputs.from_logits or not is_of_keras or expects_logits
    activation = "softmax" if outputs.one_label and outputs.n_outputs > 1 else "sigmoid"
    return _Form(
        sparse=any(name.startswith("sparse") for name in names) or (is_iou and metric.sparse_y_true),
        both_classes=outputs.n_outputs == 1
        and outputs.one_label
        and (is_iou or is_of_distributions or (is_of_classes and is_of_keras)),
        activation=None if uses_outputs else activation,
    )


def inner_function(function):
    """Return the function that is wrapped by ``functools.partial``."""
    while isinstance(function, functools.partial):
        function = function.func
    return function


def _name_of(function):
    return getattr(function, "__name__", getattr(inner_function(function), "__name__", type(function).__name__))


def _evaluate(function, form, name, y_true, y_pred, **keywords):
    """Call a metric with targets and outputs in its format."""
    try:
        with keras.name_scope(f"metric_of_user_{re.sub(r'[^A-Za-z0-9_]', '_', name)}"):  # identifies errors at run time
            return function(*_convert_inputs(form, y_true, y_pred), **keywords)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise ValueError(
            f"The metric {name!r} cannot be computed from targets of shape {tuple(y_true.shape)} and outputs of shape "
            f"{tuple(y_pred.shape)}. Use a different metric, or remove it. Error: {error}"
        ) from error


def _convert_inputs(form, y_true, y_pred):
    if form.activation:
        y_pred = getattr(ops, form.activation)(y_pred)
    if form.both_classes:
        y_pred = ops.concatenate([1 - y_pred, y_pred], axis=-1)
    n_columns = y_pred.shape[-1]
    are_indices = len(y_true.shape) == 1 or (y_true.shape[-1] == 1 and n_columns > 1)
    if form.sparse:
        y_true = ops.reshape(y_true, [-1]) if are_indices else ops.argmax(y_true, axis=-1)
    elif are_indices and n_columns > 1:
        y_true = ops.one_hot(ops.cast(ops.reshape(y_true, [-1]), "int32"), n_columns, dtype="float32")
    return y_true, y_pred
