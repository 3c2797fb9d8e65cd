"""What kerasnet takes from SciKeras: the routing of parameters to the parts they are for.

Importing SciKeras changes how Keras' own classes are pickled and copied, everywhere in a process. That is taken back
here; the estimators see to their own models.
"""

import keras

_KERAS_CLASSES = keras.Model, keras.losses.Loss, keras.metrics.Metric, keras.optimizers.Optimizer
_before = [vars(kind).copy() for kind in _KERAS_CLASSES]

from scikeras._utils import (  # noqa: E402
    get_loss_class_function_or_string,
    get_metric_class,
    get_optimizer_class,
    route_params,
    try_to_convert_strings_to_classes,
    unflatten_params,
)
from scikeras.utils import loss_name  # noqa: E402

for kind, before in zip(_KERAS_CLASSES, _before, strict=True):
    for name in vars(kind).keys() - before.keys():
        delattr(kind, name)

__all__ = ["compile_arguments", "loss_name", "route_params", "unflatten_params"]


def _loss_class_function_or_string(loss):
    """Return the class for the name of one, too, so that it takes parameters."""
    found = keras.losses.get(loss) if isinstance(loss, str) else None
    return type(found) if isinstance(found, keras.losses.Loss) else get_loss_class_function_or_string(loss)


_COMPILED = {
    "optimizer": get_optimizer_class,
    "loss": _loss_class_function_or_string,
    "metrics": get_metric_class,
}


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
        With optimizer, loss and metrics made from names and classes.
    """
    arguments = route_params(params, destination="compile", pass_filter=_COMPILED, strict=True)
    for name, get in _COMPILED.items():
        routed = route_params(params, destination=name, pass_filter=(), strict=name == "optimizer")
        arguments[name] = unflatten_params(try_to_convert_strings_to_classes(arguments[name], get), routed)
    arguments["metrics"] = keras.tree.map_structure(
        lambda metric: type(metric).from_config(metric.get_config()) if isinstance(metric, keras.Metric) else metric,
        arguments["metrics"],
    )
    if arguments["metrics"] is not None and not isinstance(arguments["metrics"], dict | list):
        arguments["metrics"] = [arguments["metrics"]]
    return arguments
