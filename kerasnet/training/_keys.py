"""Keys of values and of Keras models. Models with equal keys can share compiled code within a process."""

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

LIBRARIES = ("keras", "kerasnet", "tensorflow")  # their functions and classes depend on their arguments alone
_PLAIN = (type(None), bool, int, str, bytes, range, type(...))
_FUNCTIONS = (type, types.FunctionType, types.BuiltinFunctionType)
# Keras classes whose instances are defined by their constructor arguments
CONFIGURABLE = (
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
# Attributes that outputs do not depend on: wrappers that Keras adds to each layer, and compile settings
_IGNORED_ATTRIBUTES = {
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
    """Raised for a value that has no key. The message is a clause that names the value."""


def key_of(value):
    """Return a hashable key that is equal for equivalent values only.

    Supported are

    - plain values, Python containers, NumPy arrays and scalars, dtypes and shapes;
    - functions and classes of Keras, TensorFlow and kerasnet, compared by identity;
    - Keras' losses, metrics, optimizers, schedules, initializers, regularizers, constraints and dtype policies,
      compared by class and constructor arguments;
    - partial functions and bound methods of these.

    Types are part of the key: 1, 1.0 and True differ. Names of losses and optimizers and constant learning rates are
    not part of the key.

    Parameters
    ----------
    value : object
        The value.

    Returns
    -------
    key : hashable
        The key.

    Raises
    ------
    NoKeyError
        For other values, such as user-defined functions, classes and objects, tensors, variables, layers and models.
    """
    return _key(value, ())


def _key(value, path):
    """Return the key of a value; `path` holds the ids of the values that contain it."""
    kind = type(value)
    if kind in _PLAIN:
        return kind, value
    if kind in (float, complex):
        return kind, repr(value)  # distinguishes 0.0 from -0.0, and is equal for NaN
    if id(value) in path:
        return "contains itself", len(path) - path.index(id(value))
    path = (*path, id(value))
    if kind is np.ndarray or isinstance(value, np.generic):
        return _array_key(value)
    if kind is slice:
        return kind, *(_key(part, path) for part in (value.start, value.stop, value.step))
    if isinstance(value, list | tuple) and is_library_object(kind):
        return kind, tuple(_key(part, path) for part in value)
    if isinstance(value, set | frozenset) and is_library_object(kind):
        return kind, frozenset(_key(part, path) for part in value)
    if isinstance(value, dict) and is_library_object(kind):
        return kind, frozenset((_key(name, path), _key(part, path)) for name, part in value.items())
    if isinstance(value, tf.TensorShape):
        return kind, None if value.rank is None else tuple(value.as_list())
    if isinstance(value, np.dtype | tf.DType) or (isinstance(value, pathlib.PurePath) and is_library_object(kind)):
        return kind, value
    if isinstance(value, functools.partial):
        return kind, *(_key(part, path) for part in (value.func, value.args, value.keywords, vars(value)))
    if isinstance(value, types.MethodType):
        return kind, _key(value.__func__, path), _key(value.__self__, path)
    if isinstance(value, _FUNCTIONS) and is_library_object(value):
        return value
    if isinstance(value, CONFIGURABLE) and is_library_object(kind):
        overridden = {name: part for name, part in vars(value).items() if callable(part) and hasattr(kind, name)}
        return kind, _key(constructor_arguments(value), path), _key(overridden, path)
    raise NoKeyError(f"{reprlib.repr(value)} cannot be compared with other values")


def _array_key(value):
    if value.dtype.hasobject:
        raise NoKeyError(f"an array of dtype {value.dtype} contains Python objects")
    return type(value), value.dtype, value.shape, hashlib.sha256(value.tobytes()).digest()


def is_library_object(obj):
    """Return whether a class or a function is part of the standard library, Keras, TensorFlow or kerasnet."""
    root = (obj.__module__ or "").partition(".")[0]
    return (root in LIBRARIES or root in sys.stdlib_module_names) and (
        not isinstance(obj, types.FunctionType) or is_module_attribute(obj)
    )


def is_module_attribute(function):
    """Return whether a function is the one of that name in its module; decorators copy names to other functions."""
    found = sys.modules.get(function.__module__)
    for name in function.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is function


def constructor_arguments(obj):
    """Return the constructor arguments of a Keras object.

    Some configurations are incomplete: that of ``Huber`` has no delta. The current values of attributes are used.
    Other attributes that a user has set are ignored.

    Parameters
    ----------
    obj : object
        A loss, metric, optimizer, learning rate schedule, initializer, regularizer, constraint or dtype policy of
        Keras.

    Returns
    -------
    arguments : dict
        The arguments, without names of losses and optimizers, which Keras numbers, and without constant learning
        rates, which are variables.

    Raises
    ------
    NoKeyError
        If the value of an argument cannot be determined.
    """
    config, attributes = _config_of(obj), vars(obj)
    arguments = dict(attributes.get("_fn_kwargs", {}))
    left_out = {"name"} if isinstance(obj, keras.losses.Loss | keras.optimizers.Optimizer) else set()
    if isinstance(obj, keras.optimizers.Optimizer):
        left_out.add("learning_rate")
        arguments["learning_rate"] = schedule_of(obj)
        arguments["exclude_from_weight_decay"] = _without_weight_decay(obj)
    for name in _parameters(type(obj)) - left_out - arguments.keys():
        value = config.get(name, _MISSING)
        if value is _MISSING or (isinstance(value, dict) and "class_name" in value):  # serialized
            value = attributes.get(name, attributes.get(f"_{name}", value))
        if value is _MISSING:
            raise NoKeyError(f"the argument {name!r} of {reprlib.repr(obj)} cannot be determined")
        arguments[name] = np.asarray(value) if tf.is_tensor(value) and hasattr(value, "numpy") else value
    return arguments


_MISSING = object()


def schedule_of(optimizer):
    """Return the learning rate schedule of an optimizer; None if the learning rate is constant, and so a variable."""
    rate = vars(optimizer).get("_learning_rate")
    return rate if callable(rate) and not isinstance(rate, keras.Variable) else None


def _config_of(obj):
    try:
        return obj.get_config()
    except NotImplementedError:
        return {}


def _without_weight_decay(optimizer):
    """Return the variable names passed to the optimizer's ``exclude_from_weight_decay``, sorted; None if not called."""
    if getattr(optimizer, "_exclude_from_weight_decay", None):
        raise NoKeyError(f"{reprlib.repr(optimizer)} excludes variables of one model from weight decay")
    pattern = getattr(optimizer, "_exclude_from_weight_decay_pattern", None)
    return pattern and sorted(pattern.pattern.split("|"))


@functools.cache
def _parameters(kind):
    """Return the names of the constructor's parameters, including those passed to base classes by ``**kwargs``."""
    names = set()
    for base in kind.__mro__:
        if "__init__" in vars(base):
            parameters = list(inspect.signature(base.__init__).parameters.values())[1:]
            names |= {each.name for each in parameters if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)}
            if not any(each.kind is each.VAR_KEYWORD for each in parameters):
                break
    return names


def model_key(model):
    """Return a key that is equal for models that can share compiled code for training and prediction.

    Parameters
    ----------
    model : keras.Model
        A built and compiled model.

    Returns
    -------
    key : hashable
        The key of the classes and configurations of all layers, the shapes, dtypes and trainability of all variables,
        and the compile settings. Weights and constant learning rates are not part of the key.

    Raises
    ------
    NoKeyError
        If the model is not fully defined by its configuration: user-defined classes or functions, ``Lambda``, layers
        that are adapted to data, constants.
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
    if not is_library_object(kind):
        raise NoKeyError(f"the layer {layer.name!r} is of the class {kind.__qualname__}, which is not part of Keras")
    if isinstance(layer, keras.layers.Lambda | keras.layers.TFSMLayer) or hasattr(layer, "adapt"):
        raise NoKeyError(f"the layer {layer.name!r} is not defined by its configuration")
    for owner, values in undescribed_parts(layer).items():
        raise NoKeyError(
            f"{owner} of {layer.name!r} is {reprlib.repr(values[0])}, which is not part of its configuration"
        )
    try:
        config = layer.get_config()
    except (NotImplementedError, TypeError, ValueError) as error:
        raise NoKeyError(f"the layer {layer.name!r} has no configuration") from error
    return kind, key_of(config), key_of(layer_arguments(layer))


def layer_arguments(layer):
    """Return the constructor arguments of a Keras layer that are functions or missing from its configuration."""
    if isinstance(layer, keras.Model):
        return {}
    attributes, config = vars(layer), layer.get_config()
    arguments = {name: attributes.get(name, attributes.get(f"_{name}")) for name in _parameters(type(layer))}
    return {
        name: value
        for name, value in arguments.items()
        if (name not in config or callable(value)) and not isinstance(value, keras.layers.Layer | keras.KerasTensor)
    }


def undescribed_parts(layer):
    """Return the constants and user-defined objects of a Keras layer that its configuration does not include.

    Parameters
    ----------
    layer : keras.layers.Layer
        An instance of a Keras class.

    Returns
    -------
    parts : dict of str to list
        Constants, and user-defined functions and objects, by the attribute or operation that they belong to.
    """
    values = {
        f"the attribute {name!r}": value
        for name, value in vars(layer).items()
        if name not in _IGNORED_ATTRIBUTES and not name.startswith("_self_")  # added by TensorFlow
    }
    for operation in getattr(layer, "operations", ()):
        values[f"an argument of {operation.name!r}"] = [
            {} if isinstance(operation, keras.layers.Layer) else vars(operation),
            *((node.arguments.args, node.arguments.kwargs) for node in operation._inbound_nodes),
        ]
    parts = {name: [each for each in _flatten(value) if not _is_described(each)] for name, value in values.items()}
    return {name: undescribed for name, undescribed in parts.items() if undescribed}


def _flatten(values):
    if isinstance(values, dict | list | tuple | set | frozenset):
        for value in values.values() if isinstance(values, dict) else values:
            yield from _flatten(value)
    else:
        yield values


def _is_described(value):
    """Return whether a value is not a constant, and comes from Keras, TensorFlow, kerasnet or the standard library."""
    if type(value) in _PLAIN:
        return True
    value = getattr(value, "python_function", value)  # unwrap a tf.function
    if isinstance(value, functools.partial):
        return all(map(_is_described, _flatten([value.func, value.args, value.keywords])))
    if isinstance(value, types.MethodType):
        return _is_described(value.__func__) and _is_described(value.__self__)
    if isinstance(value, _FUNCTIONS):
        return is_library_object(value)
    if isinstance(value, np.generic | np.dtype):
        return True
    return is_library_object(type(value)) and not isinstance(value, _CONSTANTS)


def _compile_key(model):
    if not model.compiled:
        return None
    settings = {**model._compile_config.config, "optimizer": model.optimizer}
    settings |= {"run_eagerly": model.run_eagerly, "jit_compile": model.jit_compile}
    for name in ("loss", "metrics", "weighted_metrics"):
        for value in _flatten(settings[name]):
            if isinstance(value, str) and keras.saving.get_registered_object(value) is not None:
                raise NoKeyError(f"the {name} {value!r} is a registered user-defined object")
    return key_of(settings)
