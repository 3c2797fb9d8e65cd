"""What a value is, told in words that are the same in every process."""

import contextlib
import dis
import enum
import functools
import hashlib
import inspect
import io
import json
import operator
import os
import re
import reprlib
import sys
import sysconfig
import types
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

_NAMED = (types.MemberDescriptorType, types.GetSetDescriptorType, np.ufunc)
_WRITTEN = (np.dtype, tf.DType, tf.TensorShape, enum.Enum, range, slice, complex, types.EllipsisType)


def digest(described):
    """Return a short name for a description, different for all that differ."""
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:32]


def identify(what, value, remedy=""):
    """Describe a value by plain values, such that equal descriptions mean equal behaviour.

    Arrays are described by their content, Keras' variables by shape and dtype alone, Keras objects by class and
    configuration, other objects by class and attributes, and functions and classes of a user's own by their code and
    by the global names which that uses.

    Parameters
    ----------
    what : str
        What the value is, for messages.
    value : object
        Anything that a training depends on.
    remedy : str, default=""
        One more way out, for the message.

    Returns
    -------
    description : object
        For ``json.dumps``.

    Raises
    ------
    ValueError
        If there is no such description, as for lambdas, local functions and open files.
    """
    try:
        return _describe(value, ())
    except (_WithoutIdentityError, RecursionError) as error:
        raise ValueError(
            f"memory= must know {what} again in other processes, but {error}. Write functions and classes with "
            f"`def` and `class` at the top level of a module or notebook, with plain values and arrays as what they "
            f"keep{remedy}, or set memory=None."
        ) from None


class _WithoutIdentityError(Exception):
    """The message is a clause that says which value it is, and why."""


def _describe(value, path):
    """Describe a value; `path` holds the ids of what it is part of."""
    kind = type(value)
    if value is None or kind in (bool, int, float, str):
        return value
    if id(value) in path:
        return ["again", _name(kind)]
    path = (*path, id(value))
    if isinstance(value, keras.Variable):
        return ["variable", list(value.shape), value.dtype]
    if isinstance(value, np.ndarray | np.generic | tf.Tensor):
        return _array(value)
    if isinstance(value, dict):
        return [
            _name(kind),
            sorted(([repr(name), _describe(entry, path)] for name, entry in value.items()), key=operator.itemgetter(0)),
        ]
    if isinstance(value, list | tuple):
        return [_name(kind), *(_describe(entry, path) for entry in value)]
    if isinstance(value, set | frozenset):
        return ["set", *sorted((_describe(entry, path) for entry in value), key=json.dumps)]
    if isinstance(value, _NAMED):
        return ["named", type(value).__name__, value.__name__]
    if isinstance(value, types.ModuleType):
        return _module(value, path)
    if isinstance(value, _WRITTEN):
        return [_name(kind), repr(value)]
    if isinstance(value, bytes | str | int | float):
        return [_name(kind), repr(value)]
    if isinstance(value, type):
        return _class(value, path)
    return _callable(value, path) or _object(value, path)


def _callable(value, path):
    """Describe a function in one of its forms; None for anything else."""
    if isinstance(value, types.FunctionType):
        return _function(value, path)
    if isinstance(value, types.BuiltinFunctionType):  # also a method of a dict and the like
        owner = None if isinstance(value.__self__, types.ModuleType) else _describe(value.__self__, path)
        return ["builtin", value.__module__, value.__qualname__, owner]
    if isinstance(value, types.MethodType):
        return ["method", _describe(value.__self__, path), _describe(value.__func__, path)]
    if isinstance(value, functools.partial):
        return ["partial", *(_describe(part, path) for part in (value.func, value.args, value.keywords))]
    if isinstance(value, property | staticmethod | classmethod):
        parts = [getattr(value, name, None) for name in ("fget", "fset", "__func__")]
        return [_name(type(value)), *(_describe(part, path) for part in parts)]
    if isinstance(value, tf.types.experimental.PolymorphicFunction):
        return ["tf.function", _describe(value.python_function, path)]
    return None


def _array(value):
    value = np.asarray(value, order="C")
    if value.dtype.hasobject:
        raise _WithoutIdentityError(f"an array of dtype {value.dtype} holds Python objects")
    return [
        "array",
        value.dtype.name,
        value.dtype.str,
        list(value.shape),
        hashlib.sha256(value.reshape(-1).view(np.uint8)).hexdigest(),
    ]


def _module(module, path):
    """Describe an installed package by its version, and a module of a user's own by its file and plain values."""
    if (version := _version_of(module.__name__.partition(".")[0])) is not None:
        return ["module", module.__name__, version]
    with contextlib.suppress(AttributeError, OSError, TypeError):
        content = hashlib.sha256(Path(module.__file__).read_bytes()).hexdigest()
        kept = {
            name: value
            for name, value in vars(module).items()
            if not name.startswith("__") and (is_plain(value) or isinstance(value, np.ndarray | set | types.ModuleType))
        }
        return ["module", module.__name__, content, _describe(kept, path)]
    raise _WithoutIdentityError(f"the module {module.__name__} has no file")


def _function(function, path):
    if (package := package_of(function)) is not None:
        return ["function", _name(function), package]
    if "<" in function.__qualname__:
        raise _WithoutIdentityError(f"{_name(function)} is a lambda or is written inside of a function")
    names = _names_after(function.__code__, ("LOAD_GLOBAL", "LOAD_NAME")) & function.__globals__.keys()
    outside = {name: function.__globals__[name] for name in names}
    outside |= {f"import {name}": sys.modules.get(name) for name in _names_after(function.__code__, ("IMPORT_NAME",))}
    outside |= {f"its {name}": value for name, value in vars(function).items() if name != "__wrapped__"}
    parts = (function.__defaults__, function.__kwdefaults__, outside, inspect.getclosurevars(function).nonlocals)
    return ["function", _name(function), _code(function.__code__), *(_describe(part, path) for part in parts)]


def _code(code):
    """Return the hash of what a function does, whatever file and line it stands in."""

    def constant(value):
        if isinstance(value, types.CodeType):
            return _code(value)
        return sorted(map(repr, value)) if isinstance(value, frozenset) else repr(value)

    parts = [code.co_code.hex(), [constant(value) for value in code.co_consts], code.co_names, code.co_varnames]
    return digest([*parts, code.co_freevars, code.co_cellvars])


def _names_after(code, operations):
    """Return the names that some operations have in the code of a function, or of a function in it."""
    names = {each.argval for each in dis.get_instructions(code) if each.opname in operations}
    inner = [value for value in code.co_consts if isinstance(value, types.CodeType)]
    return names.union(*(_names_after(each, operations) for each in inner))


def _class(kind, path):
    if (package := package_of(kind)) is not None:
        return ["class", _name(kind), package]
    if "<" in kind.__qualname__:
        raise _WithoutIdentityError(f"the class {_name(kind)} is written inside of a function")
    members = {
        name: value
        for name, value in vars(kind).items()
        if isinstance(value, types.FunctionType) or not (name.startswith("__") or name == "_abc_impl")
    }
    return ["class", _name(kind), _describe(kind.__bases__, path), _describe(members, path)]


def _object(value, path):
    kind = type(value)
    described = _describe(kind, path)
    opaque = not hasattr(value, "__dict__") or _root(kind) in sys.stdlib_module_names
    if opaque or isinstance(value, tf.Variable | tf.Module | io.IOBase):
        raise _WithoutIdentityError(f"what {reprlib.repr(value)} keeps cannot be told")
    return ["object", described, _describe(_configuration(value), path), _describe(attributes_of(value), path)]


def attributes_of(value):
    """Return what an object keeps beside its configuration, without what Keras notes in each object of its kind.

    Of Keras' own objects these are plain values, of which some configurations tell not all (``Huber``), and what users
    gave them.
    """
    is_of_frameworks = _root(type(value)) in ("keras", "tensorflow")
    return {
        name: entry
        for name, entry in vars(value).items()
        if name not in _bookkeeping(value)
        and not name.startswith(("_self_", "_kerasnet"))
        and not isinstance(entry, keras.layers.Layer)  # they are told one by one
        and (not is_of_frameworks or is_plain(entry) or _is_of_users(entry))
    }


def is_plain(value):
    """Tell whether a value is a number, a string or None, or consists of such."""
    if isinstance(value, dict):
        return all(map(is_plain, value.values()))
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    return isinstance(value, str | int | float | None)


def _configuration(value):
    try:
        configuration = dict(value.get_config())
    except (AttributeError, NotImplementedError, TypeError, ValueError):  # its attributes say it, too
        return None
    if isinstance(value, keras.losses.Loss) and isinstance(configuration.get("name"), str):
        configuration["name"] = re.sub(r"_\d+$", "", configuration["name"])  # counts the losses of a process
    return configuration


def _bookkeeping(value):
    """Return the names of what Keras notes in an object of its kinds, and that makes no difference."""
    if isinstance(value, keras.losses.Loss):
        return ("name",)  # which is in its configuration
    return next((names for kind, names in _noted().items() if isinstance(value, kind)), ())


@functools.cache
def _noted():
    name = "bare"  # automatic names are counted
    model, optimizer = keras.Sequential(name=name), keras.optimizers.Optimizer(0.0, name=name)
    model.compile(optimizer, "mse")
    told = {"activity_regularizer", "_dtype_policy", "_dtype"}
    return {
        keras.Model: {*vars(model), "history"} - told,
        keras.layers.Layer: {*vars(keras.layers.Layer(name=name))} - told,
        keras.optimizers.Optimizer: {*vars(optimizer)},
        keras.metrics.Metric: {*vars(keras.metrics.Metric(name=name))} - told,
        keras.callbacks.Callback: {*vars(keras.callbacks.Callback())},
    }


def _is_of_users(value):
    if isinstance(value, types.MethodType):
        return _is_of_users(value.__func__) or _is_of_users(value.__self__)
    if isinstance(value, tf.types.experimental.PolymorphicFunction):
        return _is_of_users(value.python_function)
    kind = value if isinstance(value, types.FunctionType) else type(value)
    return isinstance(value, functools.partial | types.BuiltinFunctionType) or package_of(kind) is None


def _root(thing):
    return (thing.__module__ or "").partition(".")[0]


def package_of(thing):
    """Return the version of the installed package that a function or class is of; None when it is a user's own."""
    return _version_of(_root(thing))


@functools.cache
def _version_of(root):
    module = sys.modules.get(root)
    folders = [os.path.join(sysconfig.get_path(name), "") for name in ("purelib", "platlib")]
    place = getattr(module, "__file__", None) or ""
    installed = root in sys.stdlib_module_names or root == "kerasnet" or place.startswith(tuple(folders))
    return str(getattr(module, "__version__", "")) if installed and root != "__main__" else None


def _name(thing):
    return f"{thing.__module__}.{thing.__qualname__}"
