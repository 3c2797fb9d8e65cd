"""Descriptions of values that are equal in every process, for the keys of checkpoints."""

import ast
import contextlib
import dataclasses
import enum
import functools
import hashlib
import importlib
import inspect
import io
import json
import linecache
import operator
import os
import reprlib
import symtable
import sys
import sysconfig
import textwrap
import time
import types
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from kerasnet._lazy_array import LazyArray
from kerasnet.training._keys import (
    CONFIGURED,
    NoKeyError,
    constructor_arguments,
    is_found,
    layer_arguments,
    schedule_of,
    unknown_in,
)

_NAMED = (types.MemberDescriptorType, types.GetSetDescriptorType, np.ufunc)
_WRITTEN = (np.dtype, tf.DType, tf.TensorShape, range, slice, complex, types.EllipsisType)
_KEPT_BY_MODULES = (np.ndarray, set, frozenset, types.ModuleType)
_STARTED = time.time()
_N_CONTENTS = 100
_contents = {}  # digests of rows in files, by what changes when the files do


def digest(described):
    """Return a short name for a description, different for all that differ."""
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:32]


def identify(what, value, remedy=""):
    """Describe a value by plain values, such that equal descriptions mean equal behaviour in every process.

    ================================== =================================================================================
    value                              described by
    ================================== =================================================================================
    arrays and eager tensors           content
    Keras' variables                   shape and dtype
    Keras' losses, optimizers, ...     class and constructor arguments
    layers                             class and configuration, with functions and constants that it leaves out
    installed modules, their contents  name and version of the package
    functions of the user              module, qualified name, source text, and the values that they read: defaults,
                                       closure, partial arguments, global names, modules imported in their bodies
    classes of the user                their functions and attributes, and their bases
    modules of the user                source text, plain values, arrays, and the functions and classes of other modules
    other objects                      class and attributes
    ================================== =================================================================================

    Not seen is what functions read by other means: names that they look up by ``globals`` or ``sys.modules``, files,
    environment variables, and what objects among the global values of the user's modules keep. Functions of a notebook
    have no source text in worker processes, and are refused there.

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
        If there is no such description, as for lambdas, functions without source text, and open files.
    """
    try:
        return _describe(value, ())
    except (NoKeyError, RecursionError) as error:
        raise ValueError(
            f"memory= must recognize {what} in other processes, but {error}. Define functions and classes with `def` "
            f"and `class` in a module, script or notebook, with plain values and arrays as what they keep{remedy}, or "
            "set memory=None."
        ) from None


def _describe(value, path):
    """Describe a value; `path` holds the ids of what it is part of."""
    kind = type(value)
    if value is None or kind in (bool, int, float, str):
        return value
    if id(value) in path:
        return ["again", len(path) - path.index(id(value))]
    path = (*path, id(value))
    if isinstance(value, keras.Variable):
        return ["variable", list(value.shape), value.dtype]
    if isinstance(value, keras.KerasTensor):
        return ["symbolic tensor", list(value.shape), value.dtype]
    if isinstance(value, np.ndarray | np.generic | tf.Tensor):
        return _array(value)
    if isinstance(value, LazyArray):
        return ["array", value.dtype.name, value.dtype.str, list(value.shape), _content(value)]
    if isinstance(value, dict):
        entries = ([repr(_describe(name, path)), _describe(entry, path)] for name, entry in value.items())
        return [_name(kind), sorted(entries, key=operator.itemgetter(0))]
    if isinstance(value, list | tuple):
        return [_name(kind), *(_describe(entry, path) for entry in value)]
    if isinstance(value, set | frozenset):
        return ["set", *sorted((_describe(entry, path) for entry in value), key=json.dumps)]
    if isinstance(value, _NAMED):
        return ["named", type(value).__name__, value.__name__]
    if isinstance(value, types.ModuleType):
        return _module(value, path)
    if isinstance(value, enum.Enum):
        return ["enum", _describe(kind, path), value.name]
    if isinstance(value, (*_WRITTEN, bytes, str, int, float, os.PathLike)):
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
        return ["partial", *(_describe(part, path) for part in (value.func, value.args, value.keywords, vars(value)))]
    if isinstance(value, property | staticmethod | classmethod | functools.cached_property):
        parts = [getattr(value, name, None) for name in ("fget", "fset", "__func__", "func")]
        return [_name(type(value)), *(_describe(part, path) for part in parts)]
    if isinstance(value, tf.types.experimental.PolymorphicFunction):
        return ["tf.function", _describe(value.python_function, path)]
    return None


def _array(value):
    try:
        value = np.asarray(value, order="C")
    except NotImplementedError:
        raise NoKeyError(f"{reprlib.repr(value)} is part of a graph") from None
    if value.dtype.hasobject:
        raise NoKeyError(f"an array of dtype {value.dtype} contains Python objects")
    content = hashlib.sha256(value.reshape(-1).view(np.uint8)).hexdigest()
    return ["array", value.dtype.name, value.dtype.str, list(value.shape), content]


def _content(rows):
    """Return the digest of the rows of a `LazyArray`, that of the same array in memory; remembered for files."""
    before = rows.fingerprint()
    known = None if before is None else _contents.get((before, rows.shape, rows.dtype))
    if known is not None:
        return known
    hashed = hashlib.sha256()
    for chunk in rows.chunks(2**25):
        hashed.update(np.ascontiguousarray(chunk).reshape(-1).view(np.uint8))
    if before is not None and before == rows.fingerprint():
        if len(_contents) >= _N_CONTENTS:
            del _contents[next(iter(_contents))]
        _contents[before, rows.shape, rows.dtype] = hashed.hexdigest()
    return hashed.hexdigest()


def _module(module, path):
    if (version := _version_of(module.__name__)) is not None:
        return ["module", module.__name__, version]
    file = getattr(module, "__file__", None)
    if file is None or not os.path.isfile(file):
        raise NoKeyError(f"the module {module.__name__} has no file")
    kept, text = {}, Path(file).read_bytes()
    for name, value in vars(module).items():
        is_code = isinstance(value, types.FunctionType | type)
        if is_code and value.__module__ == module.__name__:
            if isinstance(value, types.FunctionType):
                _refuse_changed_file(value.__code__)
        elif not name.startswith("__") and (is_code or isinstance(value, _KEPT_BY_MODULES) or is_plain(value)):
            kept[name] = value
    return ["module", module.__name__, hashlib.sha256(text).hexdigest(), _describe(kept, path)]


def _function(function, path):
    if (version := _version_of(function.__globals__.get("__name__"))) is not None:
        is_plain_function = is_found(function) and _version_of(function.__module__) is not None
        enclosed = () if is_plain_function else inspect.getclosurevars(function).nonlocals
        return ["function", _name(function), version, _describe(enclosed, path)]
    text = _source(function)
    own = {name: value for name, value in vars(function).items() if name != "__wrapped__"}
    parts = (function.__defaults__, function.__kwdefaults__, own, _read_by(function, text))
    return ["function", _name(function), text, *(_describe(part, path) for part in parts)]


def _source(function):
    """Return the source text of a function, that of a wrapper and not of what it wraps."""
    code = function.__code__
    if code.co_name == "<lambda>":
        raise NoKeyError(f"{_name(function)} is a lambda")
    moved = not os.path.isfile(code.co_filename) and code.co_filename not in linecache.cache
    if moved:  # cloudpickle leaves the names of files out of what it sends to workers
        code = code.replace(co_filename=function.__globals__.get("__file__") or "<unknown>")
    try:
        text = inspect.getsource(code)
    except (OSError, TypeError, SyntaxError):
        text = ""
    if not text or (moved and not _is_in_file(code)):
        raise NoKeyError(f"the source text of {_name(function)} cannot be read")
    _refuse_changed_file(code)
    return textwrap.dedent(text)


def _refuse_changed_file(code):
    """Raise NoKeyError if the file of a function was changed after its import, so that it shows another function."""
    file = Path(code.co_filename)
    if file.is_file() and file.stat().st_mtime > _STARTED and not _is_in_file(code):
        raise NoKeyError(f"{file} was changed after {code.co_qualname} was imported from it; start Python again")


def _is_in_file(code):
    """Tell whether the file of a function contains it, as it is and where it was."""
    try:
        pending = [compile(Path(code.co_filename).read_bytes(), code.co_filename, "exec")]
    except SyntaxError:
        return False
    for each in pending:
        pending += [value for value in each.co_consts if isinstance(value, types.CodeType)]
    return code in pending


def _read_by(function, text):
    """Return the values that the body of a function reads from outside, by name."""
    text = f"if True:\n{text}" if text[0].isspace() else text  # strings of several lines may keep it from dedenting
    names, tables = set(), symtable.symtable(text, "", "exec").get_children()
    for table in tables:
        names |= {symbol.get_name() for symbol in table.get_symbols() if symbol.is_global()}
        tables += table.get_children()
    enclosed = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    read = {name: function.__globals__[name] for name in (names - enclosed.keys()) & function.__globals__.keys()}
    for name, cell in enclosed.items():
        if name != "__class__":  # the class that is described
            try:
                read[f"enclosed {name}"] = cell.cell_contents
            except ValueError:
                raise NoKeyError(f"{name!r}, which {_name(function)} reads, has no value yet") from None
    for node in ast.walk(ast.parse(text)):
        imported = [each.name for each in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            package = function.__globals__.get("__package__")
            imported = [importlib.util.resolve_name("." * node.level + (node.module or ""), package)]
        for name in imported:
            with contextlib.suppress(ImportError):
                read[f"import {name}"] = importlib.import_module(name)
    return read


def _class(kind, path):
    if (version := _version_of(kind.__module__)) is not None:
        return ["class", _name(kind), version]
    members = {
        name: value
        for name, value in vars(kind).items()
        if isinstance(value, types.FunctionType) or not (name.startswith("__") or name == "_abc_impl")
    }
    if issubclass(kind, enum.Enum):
        members = {name: value for name, value in members.items() if isinstance(value, types.FunctionType)}
        members["members"] = {each.name: each.value for each in kind}
    if dataclasses.is_dataclass(kind):
        members = {name: value for name, value in members.items() if not _is_generated(value)}
        members["dataclass"] = [repr(kind.__dataclass_params__), *map(_field, dataclasses.fields(kind))]
    return ["class", _name(kind), _describe(kind.__bases__, path), _describe(members, path)]


def _is_generated(value):
    """Tell whether a function of a dataclass follows from its fields."""
    return isinstance(value, types.FunctionType) and "__create_fn__" in inspect.unwrap(value).__code__.co_qualname


def _field(field):
    missing = type(dataclasses.MISSING)  # of which unpickling makes another object
    defaults = [() if isinstance(each, missing) else (each,) for each in (field.default, field.default_factory)]
    return [field.name, field.init, bool(field.kw_only), *defaults]


def _object(value, path):
    kind, kept = type(value), attributes_of(value)
    installed = _version_of(kind.__module__) is not None
    if installed and isinstance(value, CONFIGURED):
        overridden = {name: entry for name, entry in vars(value).items() if callable(entry) and hasattr(kind, name)}
        kept = [constructor_arguments(value), overridden]
    elif installed and isinstance(value, keras.layers.Layer):
        vocabulary = value.get_vocabulary() if hasattr(value, "get_vocabulary") else None  # of an adapted layer
        kept = [_configuration(value), layer_arguments(value), unknown_in(value), vocabulary]
    elif _is_opaque(value):
        raise NoKeyError(f"what {reprlib.repr(value)} keeps cannot be described")
    elif isinstance(value, (keras.layers.Layer, *CONFIGURED)):
        kept = [_configuration(value), kept]
    return ["object", _describe(kind, path), _describe(kept, path)]


def _is_opaque(value):
    of_python = (type(value).__module__ or "").partition(".")[0] in sys.stdlib_module_names
    return of_python or not hasattr(value, "__dict__") or isinstance(value, tf.Variable | tf.Module | io.IOBase)


def _configuration(value):
    """Return the configuration of a Keras object, without names that Keras counts and rates that are variables."""
    try:
        configuration = dict(value.get_config())
    except (AttributeError, NotImplementedError, TypeError, ValueError):  # its attributes are described as well
        return None
    if isinstance(value, keras.losses.Loss | keras.optimizers.Optimizer):
        configuration.pop("name", None)
    if isinstance(value, keras.optimizers.Optimizer):
        configuration["learning_rate"] = schedule_of(value)
    return configuration


def attributes_of(value):
    """Return the attributes of an object, without those that Keras sets on each object of its kind."""
    noted = next((names for kind, names in _noted().items() if isinstance(value, kind)), ())
    return {
        name: entry
        for name, entry in getattr(value, "__dict__", {}).items()
        if name not in noted
        and not name.startswith("_self_")
        and not isinstance(entry, keras.layers.Layer)  # they are described one by one
    }


@functools.cache
def _noted():
    name = "bare"  # automatic names are counted
    model, optimizer = keras.Sequential(name=name), keras.optimizers.Optimizer(0.0, name=name)
    model.compile(optimizer, "mse")
    settings = {"activity_regularizer", "_dtype_policy", "_dtype"}
    return {
        keras.Model: {*vars(model), "history"} - settings,
        keras.layers.Layer: {*vars(keras.layers.Layer(name=name))} - settings,
        keras.losses.Loss: {"name"},
        keras.optimizers.Optimizer: {*vars(optimizer)} - constructor_arguments(optimizer).keys(),
        keras.metrics.Metric: {*vars(keras.metrics.Metric(name=name))} - settings,
        keras.callbacks.Callback: {*vars(keras.callbacks.Callback())},
    }


def is_plain(value):
    """Tell whether a value is a number, a string or None, or consists of such."""
    if isinstance(value, dict):
        return all(map(is_plain, value.values()))
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    return isinstance(value, str | int | float | None)


def _version_of(name):
    """Return the version of the installed package that a module is part of; None for modules of the user."""
    return _version_of_package((name or "").partition(".")[0])


@functools.cache
def _version_of_package(root):
    module = sys.modules.get(root)
    folders = [os.path.join(sysconfig.get_path(name), "") for name in ("purelib", "platlib")]
    place = getattr(module, "__file__", None) or ""
    installed = root in sys.stdlib_module_names or root == "kerasnet" or place.startswith(tuple(folders))
    return str(getattr(module, "__version__", "")) if installed and root != "__main__" else None


def _name(thing):
    module = "__main__" if thing.__module__ == "__mp_main__" else thing.__module__  # in processes of multiprocessing
    return f"{module}.{thing.__qualname__}"
