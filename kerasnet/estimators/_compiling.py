"""How models are compiled: from parameters to the arguments of ``keras.Model.compile``."""

import dataclasses
import functools
import inspect
from numbers import Real

import keras

from kerasnet.estimators._metrics import SHORTHANDS, adapt_metrics
from kerasnet.estimators._scikeras import route_params, try_to_convert_strings_to_classes, unflatten_params
from kerasnet.estimators._targets import Targets, names_of_losses
from kerasnet.training._variables import learning_rate_of

# arguments of keras.Model.compile that may be given without compile__, too
COMPILE_NAMES = ("auto_scale_loss", "jit_compile", "loss_weights", "run_eagerly", "weighted_metrics")


_DEFAULTS = {"optimizer": "sgd", "loss": None, "metrics": None, "learning_rate": 0.01}  # of what is not trained
ROUTED_TO_COMPILE = ("optimizer__", "loss__", "metrics__", "compile__")


@dataclasses.dataclass(frozen=True, eq=False)
class CompileSettings:
    """How models of a specification are compiled.

    Attributes
    ----------
    parameters : dict
        Those parameters of an estimator that say how.
    targets : Targets
        What the outputs of the model are for.
    is_ready_made : bool
        Whether the model was given as such, which may be compiled with another loss than that of the parameters.
    """

    parameters: dict
    targets: Targets
    is_ready_made: bool = False

    @classmethod
    def of(cls, parameters, targets, is_ready_made=False):
        """Make settings from all parameters of an estimator."""
        names = (*CLASS_OF, *COMPILE_NAMES, "learning_rate")
        chosen = {
            name: value for name, value in parameters.items() if name in names or name.startswith(ROUTED_TO_COMPILE)
        }
        return cls(chosen, targets, is_ready_made)

    @property
    def learning_rate(self):
        """The learning rate that training starts with; None where the optimizer follows a schedule."""
        optimizer = self._get("optimizer")
        if isinstance(optimizer, keras.optimizers.Optimizer):
            return learning_rate_of(optimizer)
        rate = self.parameters.get("optimizer__learning_rate", self._get("learning_rate"))
        return float(rate) if isinstance(rate, Real) else None

    def _get(self, name):
        return self.parameters.get(name, _DEFAULTS[name])

    def resolved(self):
        """Return the parameters with the classes of optimizer and loss where these are given by name."""
        classes = {
            kind: keras.tree.map_structure(functools.partial(_resolved, CLASS_OF[kind]), self.parameters[kind])
            for kind in {"optimizer", "loss"} & self.parameters.keys()
        }
        return {**self.parameters, **classes}

    def key(self):
        """Return what ``kerasnet.training`` compares: all but a learning rate that is set before each training."""
        parameters = {name: value for name, value in self.resolved().items() if not _is_rate(name, value)}
        return [parameters, type(self.targets).__name__, dataclasses.asdict(self.targets)]

    def check(self, model):
        """Refuse a model whose outputs do not fit the targets, or that is compiled with another loss."""
        self.targets.check(model)
        given = names_of_losses(self._get("loss"))
        if self.is_ready_made or not model.compiled or not given:
            return
        if given != (compiled := names_of_losses(model.loss)):
            raise ValueError(
                f"loss={self._get('loss')!r} but model compiled with {', '.join(compiled)}: a builder that "
                "compiles its model decides its loss. Leave out one of the two."
            )

    def compile(self, model):
        """Compile a model that its builder has not compiled."""
        model.compile(**self.arguments(model))

    def arguments(self, model=None):
        """Return what to compile with.

        Parameters
        ----------
        model : keras.Model, default=None
            It decides the default loss and the form of metrics. When None, these are left to a builder.

        Returns
        -------
        arguments : dict
            Of ``keras.Model.compile``, each made anew.
        """
        parameters = {**_DEFAULTS, **self.parameters}
        arguments, metrics = compile_arguments(parameters), parameters["metrics"]
        if model is not None:
            if arguments["loss"] is None and (default := self.targets.default_loss(model)) is not None:
                arguments["loss"] = default()
            outputs = getattr(model, "output_names", ())
            if len(outputs) > 1 and _is_flat(metrics, len(outputs)):  # each output has its own
                arguments["metrics"] = {name: compile_arguments(parameters)["metrics"] for name in outputs}
            for kind in {"metrics", "weighted_metrics"} & arguments.keys():
                arguments[kind] = adapt_metrics(arguments[kind], self.targets.class_outputs(model, arguments["loss"]))
        elif self.targets.n_outputs > 1 and _is_flat(metrics, self.targets.n_outputs):
            arguments["metrics"] = None  # the builder knows for which of its outputs they are
        optimizer, given = arguments["optimizer"], parameters["optimizer"]
        if not isinstance(optimizer, keras.optimizers.Optimizer):
            raise TypeError(
                f"optimizer must be the name, the class or an instance of a Keras optimizer. Received: {given!r}."
            )
        if optimizer is given:  # an instance: it has its own rate, and its state stays its own
            arguments["optimizer"] = type(optimizer).from_config(optimizer.get_config())
        elif "optimizer__learning_rate" not in self.parameters:
            optimizer.learning_rate = parameters["learning_rate"]
        return arguments


def _resolved(class_of, value):
    return class_of(value) if isinstance(value, str) else value


def _is_rate(name, value):
    return name in ("learning_rate", "optimizer__learning_rate") and isinstance(value, Real)


def _is_flat(metrics, n_outputs):
    """Tell whether metrics are not given for each output of a model with several outputs."""
    is_list = isinstance(metrics, list | tuple)
    return not isinstance(metrics, list | tuple | dict | None) or (
        is_list and len(metrics) != n_outputs and not any(isinstance(each, list | tuple) for each in metrics)
    )


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
        if isinstance(given, tuple):
            arguments[kind] = list(given)  # Keras 3.13 takes no tuple
        elif not isinstance(given, dict | list | None):
            arguments[kind] = [given]
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
    return _class_in(keras.optimizers, name)


def loss_class(name):
    """Return the class of a loss that is given by name, whether that of the class or that of its function."""
    found = keras.losses.get(name)
    return type(found) if isinstance(found, keras.losses.Loss) else _classes_of_functions().get(found, found)


def metric_class(name):
    """Return the class of a metric that is given by name; shorthands, which depend on the loss, as they are."""
    return name if name in SHORTHANDS else _class_in(keras.metrics, name)


def _class_in(module, name):
    """Return a class by the name that ``module.get`` takes, which would create an object with variables."""
    is_of_user = keras.saving.get_registered_object(name) is not None
    return type(module.get(name)) if is_of_user else _class_of_keras(module, name)


@functools.cache
def _class_of_keras(module, name):
    return type(module.get(name))


@functools.cache
def _classes_of_functions():
    """Return the class of each function of Keras that computes a loss."""
    classes = [kind for kind in vars(keras.losses).values() if inspect.isclass(kind)]
    return {
        kind().fn: kind for kind in classes if issubclass(kind, keras.losses.Loss) and kind is not keras.losses.Loss
    }


CLASS_OF = {"optimizer": optimizer_class, "loss": loss_class, "metrics": metric_class}
