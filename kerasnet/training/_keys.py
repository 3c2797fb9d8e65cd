"""Keys of values and of Keras models: equal keys mean that compiled code may be shared within this process."""

import functools
import hashlib
import inspect
import pathlib
import reprlib
import sys
import types

import keras
import numpy as np
import tensorflow as tf

OWN = ("keras", "kerasnet", "tensorflow")  # packages with functions and classes that depend on their arguments alone
_PLAIN = (type(None), bool, int, str, bytes, range, type(...))
_FUNCTIONS = (type, types.FunctionType, types.BuiltinFunctionType)
# Keras classes with objects that follow from the arguments of their constructors
CONFIGURED = (
    keras.constraints.Constraint,
    keras.dtype_policies.DTypePolicy,
    keras.initializers.Initializer,
    keras.losses.Loss,
    keras.metrics.Metric,
    keras.optimizers.Optimizer,
    keras.optimizers.schedules.LearningRateSchedule,
    keras.regularizers.Regularizer,
)
_CONSTANTS = (np.ndarray, tf.Tensor, tf.Variable, tf.Module)
# attributes that outputs do not depend on: wrappers that Keras makes for each layer, and what a model was compiled with
_IGNORED = {
    "build",
    "quantize",
    "loss",
    "_losses",
    "_compile_config",
    "train_function",
    "test_function",
    "predict_function",
}


class NoKeyError(Exception):
    """A value whose meaning cannot be compared; the message is a clause that names it."""


def key_of(value):
    """Return a hashable that is equal for values of equal meaning, and for no others.

    Parameters
    ----------
    value : object
        Plain values, containers of Python, arrays and scalars of NumPy, dtypes and shapes; functions and classes of
        Keras, TensorFlow and kerasnet, by the object; losses, metrics, optimizers, schedules, initializers,
        regularizers, constraints and dtype policies of Keras, by class and constructor arguments; partial functions
        and bound methods of these. Types are part of the key: 1, 1.0 and True differ. The name of a loss or an
        optimizer and a learning rate that is a number are not part of the key.

    Returns
    -------
    key : hashable

    Raises
    ------
    NoKeyError
        For anything else: functions, classes and objects of users, tensors, variables, layers, models.
    """
    return _key(value, ())


def _key(value, path):
    """Return the key of a value; `path` holds the ids of what contains it."""
    kind = type(value)
    if kind in _PLAIN:
        return kind, value
    if kind in (float, complex):
        return kind, repr(value)  # tells 0.0 from -0.0, and is equal for NaN
    if id(value) in path:
        return "contains itself", len(path) - path.index(id(value))
    path = (*path, id(value))
    if kind is np.ndarray or isinstance(value, np.generic):
        return _array_key(value)
    if kind is slice:
        return kind, *(_key(part, path) for part in (value.start, value.stop, value.step))
    if isinstance(value, list | tuple) and is_own(kind):
        return kind, tuple(_key(part, path) for part in value)
    if isinstance(value, set | frozenset) and is_own(kind):
        return kind, frozenset(_key(part, path) for part in value)
    if isinstance(value, dict) and is_own(kind):
        return kind, frozenset((_key(name, path), _key(part, path)) for name, part in value.items())
    if isinstance(value, tf.TensorShape):
        return kind, None if value.rank is None else tuple(value.as_list())
    if isinstance(value, np.dtype | tf.DType) or (isinstance(value, pathlib.PurePath) and is_own(kind)):
        return kind, value
    if isinstance(value, functools.partial):
        return kind, *(_key(part, path) for part in (value.func, value.args, value.keywords, vars(value)))
    if isinstance(value, types.MethodType):
        return kind, _key(value.__func__, path), _key(value.__self__, path)
    if isinstance(value, _FUNCTIONS) and is_own(value):
        return value
    if isinstance(value, CONFIGURED) and is_own(kind):
        overridden = {name: part for name, part in vars(value).items() if callable(part) and hasattr(kind, name)}
        return kind, _key(constructor_arguments(value), path), _key(overridden, path)
    raise NoKeyError(f"{reprlib.repr(value)} cannot be compared with others")


def _array_key(value):
    if value.dtype.hasobject:
        raise NoKeyError(f"an array of dtype {value.dtype} contains Python objects")
    return type(value), value.dtype, value.shape, hashlib.sha256(value.tobytes()).digest()


def is_own(thing):
    """Tell whether a class or a function is one of the standard library, Keras, TensorFlow or kerasnet."""
    root = (thing.__module__ or "").partition(".")[0]
    return (root in OWN or root in sys.stdlib_module_names) and (
        not isinstance(thing, types.FunctionType) or is_found(thing)
    )


def is_found(function):
    """Tell whether a function is the one that its module has under its name, which decorators copy to others."""
    found = sys.modules.get(function.__module__)
    for name in function.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is function


def constructor_arguments(thing):
    """Return the arguments that a Keras object was constructed with.

    Configurations leave some of them out (``Huber`` its delta). Values are read from the object as it is now; what
    users set on it beyond the arguments of its constructor is not seen.

    Parameters
    ----------
    thing : object
        A loss, metric, optimizer, learning rate schedule, initializer, regularizer, constraint or dtype policy, of a
        class of Keras.

    Returns
    -------
    arguments : dict
        Without what makes no difference: names of losses and optimizers, which Keras counts, and learning rates that
        are numbers, which are variables.

    Raises
    ------
    NoKeyError
        If an argument cannot be found.
    """
    config, kept = _config_of(thing), vars(thing)
    arguments = dict(kept.get("_fn_kwargs", {}))
    left_out = {"name"} if isinstance(thing, keras.losses.Loss | keras.optimizers.Optimizer) else set()
    if isinstance(thing, keras.optimizers.Optimizer):
        left_out.add("learning_rate")
        arguments["learning_rate"] = schedule_of(thing)
        arguments["exclude_from_weight_decay"] = _without_weight_decay(thing)
    for name in _parameters(type(thing)) - left_out - arguments.keys():
        value = config.get(name, _MISSING)
        if value is _MISSING or (isinstance(value, dict) and "class_name" in value):  # serialized
            value = kept.get(name, kept.get(f"_{name}", value))
        if value is _MISSING:
            raise NoKeyError(f"the argument {name!r} of {reprlib.repr(thing)} is not known")
        arguments[name] = np.asarray(value) if tf.is_tensor(value) and hasattr(value, "numpy") else value
    return arguments


_MISSING = object()


def schedule_of(optimizer):
    """Return what an optimizer computes its learning rate with; None where that is a number, which is a variable."""
    rate = vars(optimizer).get("_learning_rate")
    return rate if callable(rate) and not isinstance(rate, keras.Variable) else None


def _config_of(thing):
    try:
        return thing.get_config()
    except NotImplementedError:
        return {}


def _without_weight_decay(optimizer):
    """Return the pattern of names that an optimizer's ``exclude_from_weight_decay`` was called with."""
    if getattr(optimizer, "_exclude_from_weight_decay", None):
        raise NoKeyError(f"{reprlib.repr(optimizer)} excludes variables of one model from weight decay")
    pattern = getattr(optimizer, "_exclude_from_weight_decay_pattern", None)
    return pattern and sorted(pattern.pattern.split("|"))


@functools.cache
def _parameters(kind):
    """Return the names of the constructor's parameters, with those that ``**kwargs`` hands to constructors of bases."""
    names = set()
    for base in kind.__mro__:
        if "__init__" in vars(base):
            parameters = list(inspect.signature(base.__init__).parameters.values())[1:]
            names |= {each.name for each in parameters if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)}
            if not any(each.kind is each.VAR_KEYWORD for each in parameters):
                break
    return names


def model_key(model):
    """Return a key that is equal for models that may share compiled code for training and predictions.

    Parameters
    ----------
    model : keras.Model
        Built and compiled.

    Returns
    -------
    key : hashable
        Of classes and configurations of all layers, variables by shape, dtype and trainability, and compile settings.
        Weights and the learning rate, where it is a number, are not part of the key.

    Raises
    ------
    NoKeyError
        If the model may compute with anything that its configuration does not tell: classes or functions of users,
        ``Lambda``, layers that are adapted to data, constants.
    """
    places = {id(variable): place for place, variable in enumerate(model.variables)}
    layers = tuple(
        (_layer_key(layer), tuple(places.get(id(each)) for each in layer.variables))
        for layer in model._flatten_layers()
    )
    variables = tuple(
        (tuple(each.shape), each.dtype, each.trainable, key_of([each.constraint, each.regularizer]))  # may be set later
        for each in model.variables
    )
    built_by = keras.config.floatx(), keras.config.epsilon(), keras.config.image_data_format()
    return layers, variables, _compile_key(model), built_by


def _layer_key(layer):
    kind = type(layer)
    if not is_own(kind):
        raise NoKeyError(f"the layer {layer.name!r} is of the class {kind.__qualname__}, which Keras does not have")
    if isinstance(layer, keras.layers.Lambda | keras.layers.TFSMLayer) or hasattr(layer, "adapt"):
        raise NoKeyError(f"the configuration of the layer {layer.name!r} does not tell what it computes")
    for owner, values in unknown_in(layer).items():
        raise NoKeyError(
            f"{owner} of {layer.name!r} is {reprlib.repr(values[0])}, which its configuration does not tell"
        )
    try:
        config = layer.get_config()
    except (NotImplementedError, TypeError, ValueError) as error:
        raise NoKeyError(f"the layer {layer.name!r} has no configuration") from error
    return kind, key_of(config), key_of(layer_arguments(layer))


def layer_arguments(layer):
    """Return the arguments of a Keras layer that are functions or that its configuration leaves out, by name."""
    if isinstance(layer, keras.Model):
        return {}
    kept, config = vars(layer), layer.get_config()
    arguments = {name: kept.get(name, kept.get(f"_{name}")) for name in _parameters(type(layer))}
    return {
        name: value
        for name, value in arguments.items()
        if (name not in config or callable(value)) and not isinstance(value, keras.layers.Layer | keras.KerasTensor)
    }


def unknown_in(layer):
    """Return what a Keras layer computes with and its configuration does not tell.

    Parameters
    ----------
    layer : keras.layers.Layer
        Of a class of Keras.

    Returns
    -------
    unknown : dict
        For the attributes and operations that have any: a list of constants, and functions and objects of users.
    """
    kept = {
        f"the attribute {name!r}": value
        for name, value in vars(layer).items()
        if name not in _IGNORED and not name.startswith("_self_")  # notes of TensorFlow
    }
    for operation in getattr(layer, "operations", ()):
        kept[f"an argument of {operation.name!r}"] = [
            {} if isinstance(operation, keras.layers.Layer) else vars(operation),
            *((node.arguments.args, node.arguments.kwargs) for node in operation._inbound_nodes),
        ]
    unknown = {name: [each for each in _flatten(value) if not _is_known(each)] for name, value in kept.items()}
    return {name: values for name, values in unknown.items() if values}


def _flatten(values):
    if isinstance(values, dict | list | tuple | set | frozenset):
        for value in values.values() if isinstance(values, dict) else values:
            yield from _flatten(value)
    else:
        yield values


def _is_known(value):
    """Tell whether a value is no constant, and comes from Keras, TensorFlow, kerasnet or the standard library."""
    if type(value) in _PLAIN:
        return True
    value = getattr(value, "python_function", value)  # of a tf.function
    if isinstance(value, functools.partial):
        return all(map(_is_known, _flatten([value.func, value.args, value.keywords])))
    if isinstance(value, types.MethodType):
        return _is_known(value.__func__) and _is_known(value.__self__)
    if isinstance(value, _FUNCTIONS):
        return is_own(value)
    if isinstance(value, np.generic | np.dtype):
        return True
    return is_own(type(value)) and not isinstance(value, _CONSTANTS)


def _compile_key(model):
    if not model.compiled:
        return None
    settings = {**model._compile_config.config, "optimizer": model.optimizer}
    settings |= {"run_eagerly": model.run_eagerly, "jit_compile": model.jit_compile}
    for name in ("loss", "metrics", "weighted_metrics"):
        for value in _flatten(settings[name]):
            if isinstance(value, str) and keras.saving.get_registered_object(value) is not None:
                raise NoKeyError(f"the {name} {value!r} is a registered object of a user")
    return key_of(settings)
