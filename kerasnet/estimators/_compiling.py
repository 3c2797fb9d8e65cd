"""Convert estimator parameters to the arguments of ``keras.Model.compile``."""

import dataclasses
import functools
import inspect
from numbers import Real

import keras

from kerasnet.estimators._metrics import SHORTHANDS, adapt_metrics
from kerasnet.estimators._scikeras import route_params, try_to_convert_strings_to_classes, unflatten_params
from kerasnet.estimators._targets import Targets, loss_names
from kerasnet.training._variables import learning_rate_of

# arguments of keras.Model.compile that can be given without the prefix compile__
COMPILE_NAMES = ("auto_scale_loss", "jit_compile", "loss_weights", "run_eagerly", "weighted_metrics")

# for transformers that are not trained
_DEFAULTS = {"optimizer": "sgd", "loss": None, "metrics": None, "learning_rate": 0.01}
ROUTED_TO_COMPILE = ("optimizer__", "loss__", "metrics__", "compile__")


@dataclasses.dataclass(frozen=True, eq=False)
class CompileSettings:
    """Compile settings of a model specification.

    Attributes
    ----------
    parameters : dict
        The parameters of an estimator that are relevant for compiling.
    targets : Targets
        The targets of the model.
    is_keras_model : bool
        Whether `model` is a Keras model, which may be compiled with a different loss than the parameter `loss`.
    """

    parameters: dict
    targets: Targets
    is_keras_model: bool = False

    @classmethod
    def of(cls, parameters, targets, is_keras_model=False):
        """Create settings from all parameters of an estimator."""
        names = (*CLASS_OF, *COMPILE_NAMES, "learning_rate")
        chosen = {
            name: value for name, value in parameters.items() if name in names or name.startswith(ROUTED_TO_COMPILE)
        }
        return cls(chosen, targets, is_keras_model)

    @property
    def learning_rate(self):
        """Initial learning rate; None if the optimizer has a learning rate schedule."""
        optimizer = self._get("optimizer")
        if isinstance(optimizer, keras.optimizers.Optimizer):
            return learning_rate_of(optimizer)
        rate = self.parameters.get("optimizer__learning_rate", self._get("learning_rate"))
        return float(rate) if isinstance(rate, Real) else None

    def _get(self, name):
        return self.parameters.get(name, _DEFAULTS[name])

    def resolved(self):
        """Return the parameters, with names of optimizers and losses replaced by their classes."""
        classes = {
            kind: keras.tree.map_structure(functools.partial(_resolve, CLASS_OF[kind]), self.parameters[kind])
            for kind in {"optimizer", "loss"} & self.parameters.keys()
        }
        return {**self.parameters, **classes}

    def key(self):
        """Return the settings as a key, without the learning rate, which is set before each training."""
        parameters = {name: value for name, value in self.resolved().items() if not _is_learning_rate(name, value)}
        return [parameters, type(self.targets).__name__, dataclasses.asdict(self.targets)]

    def check(self, model):
        """Raise an error if the model does not match the targets, or is compiled with a different loss."""
        self.targets.check(model)
        given = loss_names(self._get("loss"))
        if self.is_keras_model or not model.compiled or not given:
            return
        if given != (compiled := loss_names(model.loss)):
            raise ValueError(
                f"loss={self._get('loss')!r} but model compiled with {', '.join(compiled)}. Set loss=None, or do not "
                "compile the model in its builder."
            )

    def compile(self, model):
        """Compile a model."""
        model.compile(**self.arguments(model))

    def arguments(self, model=None):
        """Return the arguments of ``keras.Model.compile``.

        Parameters
        ----------
        model : keras.Model, default=None
            Used to determine the default loss and the format of the metrics. If None, the builder determines both.

        Returns
        -------
        arguments : dict
            Newly created objects, by argument name.
        """
        parameters = {**_DEFAULTS, **self.parameters}
        arguments, metrics = compile_arguments(parameters), parameters["metrics"]
        if model is not None:
            if arguments["loss"] is None and (default := self.targets.default_loss(model)) is not None:
                arguments["loss"] = default()
            outputs = getattr(model, "output_names", ())
            if len(outputs) > 1 and _is_for_all_outputs(metrics, len(outputs)):  # separate metrics for each output
                arguments["metrics"] = {name: compile_arguments(parameters)["metrics"] for name in outputs}
            for kind in {"metrics", "weighted_metrics"} & arguments.keys():
                arguments[kind] = adapt_metrics(arguments[kind], self.targets.class_outputs(model, arguments["loss"]))
        elif self.targets.n_outputs > 1 and _is_for_all_outputs(metrics, self.targets.n_outputs):
            arguments["metrics"] = None  # the builder assigns metrics to outputs
        optimizer, given = arguments["optimizer"], parameters["optimizer"]
        if not isinstance(optimizer, keras.optimizers.Optimizer):
            raise TypeError(
                f"optimizer must be the name, the class or an instance of a Keras optimizer. Received: {given!r}."
            )
        if optimizer is given:  # an instance keeps its learning rate, and its state is not changed
            arguments["optimizer"] = type(optimizer).from_config(optimizer.get_config())
        elif "optimizer__learning_rate" not in self.parameters:
            optimizer.learning_rate = parameters["learning_rate"]
        return arguments


def _resolve(class_of, value):
    return class_of(value) if isinstance(value, str) else value


def _is_learning_rate(name, value):
    return name in ("learning_rate", "optimizer__learning_rate") and isinstance(value, Real)


def _is_for_all_outputs(metrics, n_outputs):
    """Return whether the same metrics are given for all outputs of a model with multiple outputs."""
    is_list = isinstance(metrics, list | tuple)
    return not isinstance(metrics, list | tuple | dict | None) or (
        is_list and len(metrics) != n_outputs and not any(isinstance(each, list | tuple) for each in metrics)
    )


def compile_arguments(params):
    """Convert parameters of an estimator to arguments of ``keras.Model.compile``.

    Parameters
    ----------
    params : dict
        All parameters: ``optimizer``, ``loss`` and ``metrics`` as names, classes or instances, arguments for these as
        ``optimizer__<name>`` and so on, and other arguments of ``compile`` as ``compile__<name>``.

    Returns
    -------
    arguments : dict
        Optimizer, loss and metrics are instances; metrics given as instances are copied.
    """
    arguments = route_params(params, destination="compile", pass_filter=(*CLASS_OF, *COMPILE_NAMES), strict=True)
    for kind, class_of in CLASS_OF.items():
        routed = route_params(params, destination=kind, pass_filter=(), strict=kind == "optimizer")
        arguments[kind] = _instantiate(arguments[kind], class_of, routed)
    if "weighted_metrics" in arguments:
        arguments["weighted_metrics"] = _instantiate(arguments["weighted_metrics"], metric_class, {})
    for kind in {"metrics", "weighted_metrics"} & arguments.keys():
        given = arguments[kind]
        if isinstance(given, tuple):
            arguments[kind] = list(given)  # Keras 3.13 takes no tuple
        elif not isinstance(given, dict | list | None):
            arguments[kind] = [given]
    return arguments


def _instantiate(given, class_of, routed):
    """Instantiate objects that are given by name or class; metrics keep the given name in the history."""
    copied = keras.tree.map_structure(_copy_metric, given)
    instances = unflatten_params(try_to_convert_strings_to_classes(copied, class_of), routed)
    if class_of is metric_class:
        keras.tree.map_structure(_keep_given_name, given, instances)
    return instances


def _keep_given_name(given, metric):
    if isinstance(given, str) and isinstance(metric, keras.Metric):
        metric.name = given


def _copy_metric(metric):
    if not isinstance(metric, keras.Metric):
        return metric
    if type(metric) is keras.metrics.MeanMetricWrapper:  # its config contains only the name of the function
        function = functools.partial(metric._fn, **metric._fn_kwargs)
        function.__name__ = metric.name
        return function
    try:
        copied = type(metric).from_config(metric.get_config())
    except (NotImplementedError, TypeError) as error:
        kind = type(metric).__name__
        raise TypeError(
            f"Each fit copies the metrics, and {metric!r} cannot be copied: {error}. Pass the class instead, "
            f"metrics=[{kind}], or let its constructor accept the items of get_config: name, dtype and all arguments."
        ) from error
    copied.name = metric.name
    return copied


def optimizer_class(name):
    """Return the class of an optimizer by name."""
    return _class_in(keras.optimizers, name)


def loss_class(name):
    """Return the class of a loss by the name of the class or of its function."""
    found = keras.losses.get(name)
    return type(found) if isinstance(found, keras.losses.Loss) else _classes_of_functions().get(found, found)


def metric_class(name):
    """Return the class of a metric by name; return shorthands, which depend on the loss, unchanged."""
    return name if name in SHORTHANDS else _class_in(keras.metrics, name)


def _class_in(module, name):
    """Return the class for a name that ``module.get`` accepts; cached for Keras classes, since it creates an object."""
    is_user_defined = keras.saving.get_registered_object(name) is not None
    return type(module.get(name)) if is_user_defined else _class_of_keras(module, name)


@functools.cache
def _class_of_keras(module, name):
    return type(module.get(name))


@functools.cache
def _classes_of_functions():
    """Return a mapping from loss functions of Keras to their classes."""
    classes = [kind for kind in vars(keras.losses).values() if inspect.isclass(kind)]
    return {
        kind().fn: kind for kind in classes if issubclass(kind, keras.losses.Loss) and kind is not keras.losses.Loss
    }


CLASS_OF = {"optimizer": optimizer_class, "loss": loss_class, "metrics": metric_class}
