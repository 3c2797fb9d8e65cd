"""Which engine serves which model, and the engines that wait for their next one."""

import contextlib
import functools
import gc
import inspect
import threading
import time
import types

import keras
import numpy as np
import tensorflow as tf

from kerasnet.training._engine import Engine, follows_schedule, is_keras, read, write
from kerasnet.training._identity import attributes_of, is_plain, package_of

_MAX_WAITING = 8
_NOTED_IN_TRAINING = {"history", "stop_training", "train_function", "test_function", "predict_function"}  # by Keras
_MAX_GARBAGE = 2**24  # bytes

_waiting = []  # pairs (fingerprint, engine), the one used last at the end
_lock = threading.Lock()
_trained_bytes = 0
_next_collection = 0.0  # as time.perf_counter tells it


def clear_cache():
    """Forget the compiled code that waits for the next fit.

    kerasnet keeps the compiled code of the eight networks trained last, so that the next network of the same
    architecture, loss and optimizer trains at once. After this call the next fit compiles anew. Fitted models
    keep what they need for predictions.

    Examples
    --------
    >>> from kerasnet.training import clear_cache
    >>> clear_cache()
    """
    with _lock:
        _waiting.clear()


@contextlib.contextmanager
def borrowed_engine(model, data, twin=None, recipe=None, optimizer_state=None, augmentation=None):
    """Lend an engine in the state of `model`, and hand the state back to `model` at the end.

    When the block fails, all is as it was before, except that Ctrl-C keeps what was trained. Without `twin`, or
    with variables that Keras does not know, a model cannot share an engine, and gets one that works on itself.

    Parameters
    ----------
    model : keras.Model
        Built and compiled.
    data : tuple of tensors
        What it is trained on. Engines differ by its dtypes and by the shape of a sample.
    twin : callable, default=None
        Returns another compiled model of the same architecture.
    recipe : object, default=None
        What `twin` makes its model from: a builder and the builder's arguments. Models of equal recipes share an
        engine, if they also look alike.
    optimizer_state : list, default=None
        Where the state of the optimizer is kept, see :func:`kerasnet.training.train`.
    augmentation : keras.layers.Layer, default=None
        What inputs go through in training.
    """
    _collect_dead_models(model)
    key = engine = None
    if twin is not None and _can_share(model) and (augmentation is None or _can_share(augmentation)):
        samples = [(tensor.shape[1:], tensor.dtype) for tensor in tf.nest.flatten(data)]
        key = _fingerprint((recipe, looks(model), samples, None if augmentation is None else _layers_of(augmentation)))
        engine = _take_waiting(key) or _engine_like(model, twin, augmentation)
    engine = engine or Engine(model, augmentation)
    shared = engine.model is not model
    in_model = optimizer_state is None or not shared
    if in_model:
        model.optimizer.build(model.trainable_variables)
        own = model.optimizer.variables
        if optimizer_state and [value.shape for value in optimizer_state] == [variable.shape for variable in own]:
            write(own, optimizer_state)  # not after a layer was frozen
    weights = read(model.variables)
    moments = read(model.optimizer.variables) if in_model else optimizer_state or engine.new_optimizer
    if shared:
        write(engine.model.variables, weights)
        write(engine.model.optimizer.variables, moments)
        if not follows_schedule(model.optimizer):
            engine.model.optimizer.learning_rate = float(model.optimizer.learning_rate)
    n_steps = int(engine.model.optimizer.iterations)
    remember_engine(model, engine)
    attributes = set(vars(engine.model))

    def hand_back():
        if shared:
            write(model.variables, read(engine.model.variables))
            _build_metrics(model, data)
        if optimizer_state is not None:
            optimizer_state[:] = read(engine.model.optimizer.variables)
        elif shared:
            write(model.optimizer.variables, read(engine.model.optimizer.variables))

    try:
        yield engine
    except KeyboardInterrupt:
        if int(engine.model.optimizer.iterations) > n_steps:
            hand_back()
        raise
    except BaseException:
        if not shared:
            write(model.variables, weights)
            write(model.optimizer.variables, moments)
        raise
    else:
        hand_back()
    finally:
        if shared:
            _move_attributes(engine.model, model, vars(engine.model).keys() - attributes - _NOTED_IN_TRAINING)
        if shared and not engine.changed:
            _put_waiting(key, engine)


def _build_metrics(model, data):
    """Let a model that was compiled but never trained itself list its metrics, as one does after Keras' fit."""
    metrics = model._compile_metrics
    if metrics is not None and not metrics.built and getattr(model, "outputs", None):
        outputs = [tf.zeros([1, *(size or 1 for size in each.shape[1:])]) for each in model.outputs]
        targets = tf.nest.map_structure(lambda tensor: tensor[:1], data[1])
        metrics.build(targets, outputs[0] if len(outputs) == 1 else outputs)


def _move_attributes(source, model, names):
    """Give a model what callbacks have set on the engine's, which later trainings are not to see."""
    for name in names:
        setattr(model, name, getattr(source, name))
        delattr(source, name)


def remember_engine(model, engine):
    """Note which engine computes the outputs of a model."""
    vars(model)["_kerasnet_engine"] = engine  # not by setattr: Keras would track it


def hand_on(model, other):
    """Give another model of the same architecture the state of `model`, and its compiled predictions.

    Parameters
    ----------
    model, other : keras.Model
        Built. Of `other`, all variables change.
    """
    write(other.variables, read(model.variables))
    remember_engine(other, remembered_engine(model))


def remembered_engine(model):
    """Return the engine that computes the outputs of a model: that of its training, or one of its own."""
    if "_kerasnet_engine" not in vars(model):
        remember_engine(model, Engine(model))
    return vars(model)["_kerasnet_engine"]


def _collect_dead_models(model):
    """Have Python collect its garbage when models of 16 MB have been trained, in a fifth of the time at most.

    A Keras model is full of reference cycles. Python looks for those by the number of objects alone, so that a search
    leaves some forty dead models, weights and all, before it does.
    """
    global _trained_bytes, _next_collection
    _trained_bytes += sum(value.dtype.size * value.shape.num_elements() for value in read(model.variables))
    started = time.perf_counter()
    if _trained_bytes > _MAX_GARBAGE and started > _next_collection:
        gc.collect()
        ended = time.perf_counter()
        _trained_bytes, _next_collection = 0, ended + 4 * (ended - started)


def _take_waiting(key):
    with _lock:
        for place in reversed(range(len(_waiting))):
            if _waiting[place][0] == key:
                return _waiting.pop(place)[1]
    return None


def _put_waiting(key, engine):
    with _lock:
        _waiting.append((key, engine))
        del _waiting[:-_MAX_WAITING]


def _engine_like(model, twin, augmentation):
    """Make an engine; None when what `twin` makes is not a twin, as after a change of the model by hand."""
    other = twin()
    if looks(other) != looks(model):
        return None
    other.optimizer.build(other.trainable_variables)
    engine = Engine(other, augmentation)
    engine.new_optimizer = read(other.optimizer.variables)
    remember_engine(other, engine)
    return engine


def _can_share(model):
    """Tell whether all that a model computes with is in what the engine compares, or is handed on.

    Not so are constants, such as those of an adapted ``Normalization`` or an array in a layer of somebody's own,
    functions, which may read anything, and variables that Keras does not know.
    """
    for layer in model._flatten_layers():
        kept = [*arguments_of_operations(layer)]
        if not isinstance(layer, keras.Model) or not is_keras(type(layer)):
            kept += [value for name, value in vars(layer).items() if not name.startswith("_kerasnet")]
        if isinstance(layer, keras.layers.Lambda) or any(map(_is_constant, tf.nest.flatten([*map(_plain, kept)]))):
            return False
        try:
            layer.get_config()
        except (NotImplementedError, TypeError, ValueError):
            return False
    return True


def arguments_of_operations(model):
    """Yield what the operations of a functional model are called with."""
    for operation in getattr(model, "operations", ()):
        for node in operation._inbound_nodes:
            yield from (node.arguments.args, node.arguments.kwargs)


def _plain(value):
    """Return a container as Python's own, for it to be looked into; anything else as it is."""
    if isinstance(value, dict):
        return [_plain(entry) for entry in value.values()]
    return [_plain(entry) for entry in value] if isinstance(value, list | tuple) else value


def _is_constant(value):
    return isinstance(value, tf.Tensor | tf.Variable | tf.Module | np.ndarray)


def looks(model):
    """Return the fingerprint of all that can be seen of a model and of how it was compiled."""
    variables = [(variable.shape, variable.dtype, variable.trainable) for variable in model.variables]
    optimizer, settings = model.optimizer, settings_of(model.optimizer)
    kind = type(optimizer) if _config_says_all(type(optimizer)) else optimizer
    compiled = {name: value for name, value in model._compile_config.config.items() if name != "optimizer"}
    return _fingerprint((_layers_of(model), variables, kind, settings, compiled))


def _layers_of(model):
    return [(type(layer), layer.get_config(), _plain_attributes(layer)) for layer in model._flatten_layers()]


def settings_of(optimizer):
    """Return the configuration of an optimizer, without its name and what is part of its state."""
    settings = {name: value for name, value in optimizer.get_config().items() if name != "name"}
    if not follows_schedule(optimizer):
        settings.pop("learning_rate", None)  # a variable
    if inner := getattr(optimizer, "inner_optimizer", None):  # which the outer one scales losses for
        settings["inner_optimizer"] = [type(inner), settings_of(inner)]
    return settings


def _plain_attributes(value):
    """Return what a Keras object keeps beside its configuration, as far as it can be compared."""
    return {name: entry for name, entry in attributes_of(value).items() if is_plain(entry)}


def _fingerprint(value):
    """Return something that is equal for values which say the same, and for no others.

    Plain values, containers and arrays are compared by content; Keras objects by type and configuration, unless
    their class keeps something out of it; everything else by identity. A function or class is the same as long as
    the constants are, which it reads from its module or from what encloses it: compiled code keeps them.
    """
    kind = type(value)
    if isinstance(value, _Itself):  # in a fingerprint that is part of another
        return value
    if isinstance(value, type | types.FunctionType):
        return _Itself(value), _constants_of(value)
    if isinstance(value, dict):
        return kind, tuple(sorted((repr(name), _fingerprint(entry)) for name, entry in value.items()))
    if isinstance(value, list | tuple):
        return kind, tuple(map(_fingerprint, value))
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return kind, value.shape, value.dtype, value.tobytes()
    if isinstance(value, types.MethodType) and hasattr(value.__self__, "get_params"):  # of an estimator
        return kind, value.__func__, _fingerprint(value.__self__.get_params(deep=False))
    if isinstance(value, functools.partial):
        return kind, _fingerprint((value.func, value.args, value.keywords))
    if _config_says_all(kind):
        return kind, _fingerprint((value.get_config(), _plain_attributes(value)))
    if isinstance(value, str | bytes | int | float | None | np.generic | tf.DType | tf.TensorShape):
        return kind, value
    if package_of(kind) is None and hasattr(value, "__dict__"):  # of a user's class: what it keeps may change
        kept = {name: entry for name, entry in attributes_of(value).items() if is_constant(entry)}
        return _Itself(value), _constants_of(kind), _fingerprint(kept)
    return _Itself(value)


def is_constant(value):
    """Tell whether a value is plain, an array of numbers, or consists of such."""
    if isinstance(value, dict | list | tuple):
        return all(map(is_constant, value.values() if isinstance(value, dict) else value))
    return is_plain(value) or (isinstance(value, np.ndarray | np.generic) and not value.dtype.hasobject)


def _constants_of(code, seen=()):
    """Return what a user's function, or the methods of a class, read from outside: constants, also through helpers."""
    if package_of(code) is not None or code in seen:
        return ()
    if isinstance(code, type):
        kinds = [kind for kind in code.__mro__ if package_of(kind) is None]
        functions = [getattr(each, "__func__", each) for kind in kinds for each in vars(kind).values()]
    else:
        functions = [code, *(code.__defaults__ or ()), *(code.__kwdefaults__ or {}).values()]
    constants = {}
    for function in functions:
        if not isinstance(function, types.FunctionType):
            continue
        names = inspect.getclosurevars(function)
        for name, value in {**names.globals, **names.nonlocals}.items():
            if is_constant(value):
                constants[function.__qualname__, name] = _fingerprint(value)
            elif isinstance(value, types.FunctionType | type):
                constants[function.__qualname__, name] = _constants_of(value, (*seen, code))
    return tuple(sorted(constants.items(), key=repr))


def _config_says_all(kind):
    """Tell whether each class that adds to the constructor of a Keras object also adds to its configuration."""
    return hasattr(kind, "get_config") and all(
        "get_config" in vars(base) or base.__module__.partition(".")[0] in ("builtins", "keras", "tensorflow")
        for base in kind.__mro__
        if "__init__" in vars(base)
    )


class _Itself:
    """Equal to itself alone; keeps the value alive, so that no other gets its place in memory."""

    __hash__ = None

    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return isinstance(other, _Itself) and self.value is other.value
