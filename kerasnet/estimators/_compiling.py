"""From parameters to the arguments of ``keras.Model.compile``."""

import functools
import inspect

import keras

from kerasnet.estimators._metrics import SHORTHANDS
from kerasnet.estimators._scikeras import route_params, try_to_convert_strings_to_classes, unflatten_params

# arguments of keras.Model.compile that may be given without compile__, too
COMPILE_NAMES = ("auto_scale_loss", "jit_compile", "loss_weights", "run_eagerly", "weighted_metrics")


def compile_arguments(params):
    """Return the arguments of ``keras.Model.compile`` that parameters of an estimator describe.

    Parameters
    ----------
    params : dict
        All parameters: ``optimizer``, ``loss`` and ``metrics`` as names, classes or instances, arguments for these as
        ``optimizer__<name>`` and so on, and other arguments of ``compile`` as ``compile__<name>``.

    Returns
    -------
    arguments : dict
        With optimizer, loss and metrics made from names and classes, and copies of metrics that are instances.
    """
    arguments = route_params(params, destination="compile", pass_filter=(*CLASS_OF, *COMPILE_NAMES), strict=True)
    for kind, class_of in CLASS_OF.items():
        routed = route_params(params, destination=kind, pass_filter=(), strict=kind == "optimizer")
        arguments[kind] = _made(arguments[kind], class_of, routed)
    if "weighted_metrics" in arguments:
        arguments["weighted_metrics"] = _made(arguments["weighted_metrics"], metric_class, {})
    for kind in {"metrics", "weighted_metrics"} & arguments.keys():
        given = arguments[kind]
        arguments[kind] = given if given is None or isinstance(given, dict | list | tuple) else [given]
    return arguments


def _made(given, class_of, routed):
    """Make what is given by name or as a class; metrics are called in the history as they were given."""
    copied = keras.tree.map_structure(_copy_of_metric, given)
    made = unflatten_params(try_to_convert_strings_to_classes(copied, class_of), routed)
    if class_of is metric_class:
        keras.tree.map_structure(_call_as_given, given, made)
    return made


def _call_as_given(given, metric):
    if isinstance(given, str) and isinstance(metric, keras.Metric):
        metric.name = given


def _copy_of_metric(metric):
    if not isinstance(metric, keras.Metric):
        return metric
    if type(metric) is keras.metrics.MeanMetricWrapper:  # whose configuration tells the name of its function alone
        function = functools.partial(metric._fn, **metric._fn_kwargs)
        function.__name__ = metric.name
        return function
    try:
        copied = type(metric).from_config(metric.get_config())
    except (NotImplementedError, TypeError) as error:
        kind = type(metric).__name__
        raise TypeError(
            f"Each fit needs a metric of its own, and {metric!r} cannot be copied: {error}. Give the class instead, "
            f"metrics=[{kind}], or let its constructor take what get_config returns: name, dtype and its own arguments."
        ) from error
    copied.name = metric.name
    return copied


def optimizer_class(name):
    """Return the class of an optimizer that is given by name."""
    return type(keras.optimizers.get(name))


def loss_class(name):
    """Return the class of a loss that is given by name, whether that of the class or that of its function."""
    found = keras.losses.get(name)
    return type(found) if isinstance(found, keras.losses.Loss) else _classes_of_functions().get(found, found)


def metric_class(name):
    """Return the class of a metric that is given by name; shorthands, which depend on the loss, as they are."""
    return name if name in SHORTHANDS else type(keras.metrics.get(name))


@functools.cache
def _classes_of_functions():
    """Return the class of each function of Keras that computes a loss."""
    classes = [kind for kind in vars(keras.losses).values() if inspect.isclass(kind)]
    return {
        kind().fn: kind for kind in classes if issubclass(kind, keras.losses.Loss) and kind is not keras.losses.Loss
    }


CLASS_OF = {"optimizer": optimizer_class, "loss": loss_class, "metrics": metric_class}
