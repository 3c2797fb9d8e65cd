"""Metrics that see targets and outputs in the form that each of them is defined for."""

import functools
import re
from typing import NamedTuple

import keras
from keras import ops

OF_DISTRIBUTIONS = ("kldivergence", "cosinesimilarity")  # beside the categorical ones
SHORTHANDS = ("accuracy", "acc", "crossentropy", "ce")


class ClassOutputs(NamedTuple):
    """How the outputs of a classifier's model are to be read.

    Attributes
    ----------
    n_outputs : int
        The number of columns; 1 for two classes with one sigmoid output.
    one_label : bool
        Whether each sample has exactly one label, so that several outputs are the probabilities of one distribution.
    sparse : bool
        Whether the loss takes class indices instead of one-hot rows.
    from_logits : bool
        Whether the outputs are logits.
    """

    n_outputs: int
    one_label: bool
    sparse: bool
    from_logits: bool


class _Form(NamedTuple):
    """What a metric takes: class indices, a column for each class, an activation of logits."""

    sparse: bool = False
    both_classes: bool = False
    activation: str | None = None


def adapt_metrics(metrics, outputs=None):
    """Return metrics that may be compiled into a model, each with targets and outputs in the form it takes.

    Keras hands all metrics the targets that the loss takes. But "sparse" metrics are defined on class indices, all
    others on targets of the shape of the outputs, and "categorical" ones need a column for each class.

    Parameters
    ----------
    metrics : list, dict or None
        Metrics as instances of ``keras.Metric``, which are changed, as functions or as "accuracy" and the like.
    outputs : ClassOutputs, default=None
        The outputs of a classifier; None where targets already have the shape of the outputs.

    Returns
    -------
    metrics : list, dict or None
        In the same structure.

    Raises
    ------
    ValueError
        If a metric is not defined on probabilities.
    """
    return keras.tree.map_structure(lambda metric: metric and _adapt(metric, outputs), metrics)


def _adapt(metric, outputs):
    if isinstance(metric, str):
        if outputs is None:
            return metric  # Keras resolves it by the shapes of targets and outputs
        metric = _from_shorthand(metric, outputs)
    form = _Form() if outputs is None else _form_of(metric, outputs)
    if not isinstance(metric, keras.Metric):
        adapted = functools.partial(_evaluate, metric, form, _name_of(metric))
        adapted.__name__ = _name_of(metric)
        return adapted
    if isinstance(metric, keras.metrics.FBetaScore) and outputs is not None and metric.threshold is None:
        # the largest of the outputs is the label only where the outputs exclude each other
        metric.threshold = None if outputs.one_label and outputs.n_outputs > 1 else 0.5
    metric.update_state = functools.partial(_evaluate, metric.update_state, form, metric.name)
    return metric


def _from_shorthand(name, outputs):
    several = outputs.one_label and outputs.n_outputs > 1
    kind = ("SparseCategorical" if outputs.sparse else "Categorical") if several else "Binary"
    what = "Accuracy" if name in ("accuracy", "acc") else "Crossentropy"
    return getattr(keras.metrics, f"{kind}{what}")(name=name)


def _form_of(metric, outputs):
    """Return the form of targets and outputs that a metric of a classifier takes."""
    function = inner_function(getattr(metric, "_fn", metric))  # of what is the mean of a function
    things = [function, *type(metric).__mro__]
    names = [getattr(thing, "__name__", "").lower() for thing in things]
    of_keras = [str(getattr(thing, "__module__", "")).startswith("keras.") for thing in things]
    is_of_keras = of_keras[1] if function is metric and isinstance(metric, keras.Metric) else of_keras[0]
    own_names = [name.replace("_", "") for name, known in zip(names, of_keras, strict=True) if known]
    is_of_distributions = any("categorical" in name or name in OF_DISTRIBUTIONS for name in own_names)
    is_of_classes = getattr(metric, "class_id", None) is not None or getattr(metric, "average", None) is not None
    is_iou = isinstance(metric, keras.metrics.IoU) and not isinstance(metric, keras.metrics.BinaryIoU)
    if is_iou and metric.sparse_y_pred:
        raise ValueError(
            f"The metric {metric.name!r} takes predicted class indices, but the model's outputs are probabilities. "
            "Give it sparse_y_pred=False, or use OneHotMeanIoU or OneHotIoU."
        )
    says_logits = getattr(metric, "from_logits", False) or getattr(metric, "keywords", {}).get("from_logits")
    takes_outputs = not outputs.from_logits or not is_of_keras or says_logits
    activation = "softmax" if outputs.one_label and outputs.n_outputs > 1 else "sigmoid"
    return _Form(
        sparse=any(name.startswith("sparse") for name in names) or (is_iou and metric.sparse_y_true),
        both_classes=outputs.n_outputs == 1
        and outputs.one_label
        and (is_iou or is_of_distributions or (is_of_classes and is_of_keras)),
        activation=None if takes_outputs else activation,
    )


def inner_function(function):
    """Return the function that partial functions wrap."""
    while isinstance(function, functools.partial):
        function = function.func
    return function


def _name_of(function):
    return getattr(function, "__name__", getattr(inner_function(function), "__name__", type(function).__name__))


def _evaluate(function, form, name, y_true, y_pred, **keywords):
    """Call a metric with targets and outputs in its form."""
    try:
        with keras.name_scope(f"metric_of_user_{re.sub(r'[^A-Za-z0-9_]', '_', name)}"):  # for errors while it runs
            return function(*_in_form(form, y_true, y_pred), **keywords)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise ValueError(
            f"The metric {name!r} cannot be computed from targets of shape {tuple(y_true.shape)} and outputs of shape "
            f"{tuple(y_pred.shape)}. Use another metric, or leave it out. The error was: {error}"
        ) from error


def _in_form(form, y_true, y_pred):
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
