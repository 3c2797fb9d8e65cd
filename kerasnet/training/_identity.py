"""Descriptions of values that are equal across processes, for cache keys."""

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
    CONFIGURABLE,
    NoKeyError,
    constructor_arguments,
    is_module_attribute,
    layer_arguments,
    schedule_of,
    undescribed_parts,
)

_DESCRIBED_BY_NAME = (types.MemberDescriptorType, types.GetSetDescriptorType, np.ufunc)
_DESCRIBED_BY_REPR = (np.dtype, tf.DType, tf.TensorShape, range, slice, complex, types.EllipsisType)
_MODULE_VALUES = (np.ndarray, set, frozenset, types.ModuleType)
_START_TIME = time.time()
_DIGEST_CACHE_SIZE = 100
_digest_cache = {}  # digests of lazy arrays by the fingerprints of their files


def digest(described):
    """Return a hash of a description."""
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:32]


def identify(what, value, remedy=""):
    """Describe a value by plain values, so that equal descriptions imply equal behavior in every process.

    ================================== =================================================================================
    value                              described by
    ================================== =================================================================================
    arrays and eager tensors           content
    Keras variables                    shape and dtype
    Keras losses, optimizers, ...      class and constructor arguments
    layers                             class, configuration, and functions and constants missing from the configuration
    installed modules, their contents  name and version of the package
    user-defined functions             module, qualified name, source text, and the values that they read: defaults,
                                       closure, partial arguments, global names, modules imported in their bodies
    user-defined classes               their functions and attributes, and their bases
    user-defined modules               source text, plain values, arrays, and the functions and classes of other modules
    other objects                      class and attributes
    ================================== =================================================================================

    Values that functions read by other means are ignored: ``globals``, ``sys.modules``, files, environment variables,
    and the attributes of objects among the globals of user-defined modules. Functions defined in a notebook have no
    source text in worker processes, and raise an error there.

    Parameters
    ----------
    what : str
        The role of the value, for error messages.
    value : object
        A value that training depends on.
    remedy : str, default=""
        An additional remedy for the error message.

    Returns
    -------
    description : object
        A value that ``json.dumps`` accepts.

    Raises
    ------
    ValueError
        If the value cannot be described, such as a lambda, a function without source text, or an open file.
    """
    try:
        return _describe(value, ())
    except (NoKeyError, RecursionError) as error:
        raise ValueError(
            f"memory= needs a cache key for {what}, but {error}. Define functions and classes with `def` and `class` "
            f"in a module, script or notebook, with plain values and arrays as attributes{remedy}, or set memory=None."
        ) from None


def _describe(value, path):
    """Describe a value; `path` holds the ids of the values that contain it."""
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
        return _describe_array(value)
    if isinstance(value, LazyArray):
        return ["array", value.dtype.name, value.dtype.str, list(value.shape), _content_digest(value)]
    if isinstance(value, dict):
        entries = ([repr(_describe(name, path)), _describe(entry, path)] for name, entry in value.items())
        return [_qualified_name(kind), sorted(entries, key=operator.itemgetter(0))]
    if isinstance(value, list | tuple):
        return [_qualified_name(kind), *(_describe(entry, path) for entry in value)]
    if isinstance(value, set | frozenset):
        return ["set", *sorted((_describe(entry, path) for entry in value), key=json.dumps)]
    if isinstance(value, _DESCRIBED_BY_NAME):
        return ["named", type(value).__name__, value.__name__]
    if isinstance(value, types.ModuleType):
        return _describe_module(value, path)
    if isinstance(value, enum.Enum):
        return ["enum", _describe(kind, path), value.name]
    if isinstance(value, (*_DESCRIBED_BY_REPR, bytes, str, int, float, os.PathLike)):
        return [_qualified_name(kind), repr(value)]
    if isinstance(value, type):
        return _describe_class(value, path)
    return _describe_callable(value, path) or _describe_object(value, path)


def _describe_callable(value, path):
    """Describe a function, method or wrapper of one; return None for anything else."""
    if isinstance(value, types.FunctionType):
        return _describe_function(value, path)
    if isinstance(value, types.BuiltinFunctionType):  # includes methods of built-in types, such as dict.get
        owner = None if isinstance(value.__self__, types.ModuleType) else _describe(value.__self__, path)
        return ["builtin", value.__module__, value.__qualname__, owner]
    if isinstance(value, types.MethodType):
        return ["method", _describe(value.__self__, path), _describe(value.__func__, path)]
    if isinstance(value, functools.partial):
        return ["partial", *(_describe(part, path) for part in (value.func, value.args, value.keywords, vars(value)))]
    if isinstance(value, property | staticmethod | classmethod | functools.cached_property):
        parts = [getattr(value, name, None) for name in ("fget", "fset", "__func__", "func")]
        return [_qualified_name(type(value)), *(_describe(part, path) for part in parts)]
    if isinstance(value, tf.types.experimental.PolymorphicFunction):
        return ["tf.function", _describe(value.python_function, path)]
    return None


def _describe_array(value):
    try:
        value = np.asarray(value, order="C")
    except NotImplementedError:
        raise NoKeyError(f"{reprlib.repr(value)} is part of a graph") from None
    if value.dtype.hasobject:
        raise NoKeyError(f"an array of dtype {value.dtype} contains Python objects")
    content = hashlib.sha256(value.reshape(-1).view(np.uint8)).hexdigest()
    return ["array", value.dtype.name, value.dtype.str, list(value.shape), content]


def _content_digest(rows):
    """Return the digest of a `LazyArray`, equal to that of the same array in memory; cached for files."""
    before = rows.fingerprint()
    cached = None if before is None else _digest_cache.get((before, rows.shape, rows.dtype))
    if cached is not None:
        return cached
    hashed = hashlib.sha256()
    for chunk in rows.chunks(2**25):
        hashed.update(np.ascontiguousarray(chunk).reshape(-1).view(np.uint8))
    if before is not None and before == rows.fingerprint():
        if len(_digest_cache) >= _DIGEST_CACHE_SIZE:
            del _digest_cache[next(iter(_digest_cache))]
        _digest_cache[before, rows.shape, rows.dtype] = hashed.hexdigest()
    return hashed.hexdigest()


def _describe_module(module, path):
    if (version := _version_of(module.__name__)) is not None:
        return ["module", module.__name__, version]
    file = getattr(module, "__file__", None)
    if file is None or not os.path.isfile(file):
        raise NoKeyError(f"the module {module.__name__} has no file")
    values, text = {}, Path(file).read_bytes()
    for name, value in vars(module).items():
        is_code = isinstance(value, types.FunctionType | type)
        if is_code and value.__module__ == module.__name__:
            if isinstance(value, types.FunctionType):
                _check_file_unchanged(value.__code__)
        elif not name.startswith("__") and (is_code or isinstance(value, _MODULE_VALUES) or is_plain(value)):
            values[name] = value
    return ["module", module.__name__, hashlib.sha256(text).hexdigest(), _describe(values, path)]


def _describe_function(function, path):
    if (version := _version_of(function.__globals__.get("__name__"))) is not None:
        is_plain_function = is_module_attribute(function) and _version_of(function.__module__) is not None
        enclosed = () if is_plain_function else inspect.getclosurevars(function).nonlocals
        return ["function", _qualified_name(function), version, _describe(enclosed, path)]
    text = _source_text(function)
    attributes = {name: value for name, value in vars(function).items() if name != "__wrapped__"}
    parts = (function.__defaults__, function.__kwdefaults__, attributes, _values_read_by(function, text))
    return ["function", _qualified_name(function), text, *(_describe(part, path) for part in parts)]


def _source_text(function):
    """Return the source text of a function; for a wrapper, not that of the wrapped function."""
    code = function.__code__
    if code.co_name == "<lambda>":
        raise NoKeyError(f"{_qualified_name(function)} is a lambda")
    moved = not os.path.isfile(code.co_filename) and code.co_filename not in linecache.cache
    if moved:  # cloudpickle omits file names from what it sends to workers
        code = code.replace(co_filename=function.__globals__.get("__file__") or "<unknown>")
    try:
        text = inspect.getsource(code)
    except (OSError, TypeError, SyntaxError):
        text = ""
    if not text or (moved and not _is_in_file(code)):
        raise NoKeyError(f"the source text of {_qualified_name(function)} cannot be read")
    _check_file_unchanged(code)
    return textwrap.dedent(text)


def _check_file_unchanged(code):
    """Raise NoKeyError if the file of a function was changed after its import, so that the source text may differ."""
    file = Path(code.co_filename)
    if file.is_file() and file.stat().st_mtime > _START_TIME and not _is_in_file(code):
        raise NoKeyError(f"{file} was changed after {code.co_qualname} was imported from it; restart Python")


def _is_in_file(code):
    """Return whether the file of a function contains the same code at the same place."""
    try:
        pending = [compile(Path(code.co_filename).read_bytes(), code.co_filename, "exec")]
    except SyntaxError:
        return False
    for each in pending:
        pending += [value for value in each.co_consts if isinstance(value, types.CodeType)]
    return code in pending


def _values_read_by(function, text):
    """Return the global, enclosed and imported values that a function reads, by name."""
    text = f"if True:\n{text}" if text[0].isspace() else text  # multiline strings may prevent textwrap.dedent
    names, tables = set(), symtable.symtable(text, "", "exec").get_children()
    for table in tables:
        names |= {symbol.get_name() for symbol in table.get_symbols() if symbol.is_global()}
        tables += table.get_children()
    enclosed = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    read = {name: function.__globals__[name] for name in (names - enclosed.keys()) & function.__globals__.keys()}
    for name, cell in enclosed.items():
        if name != "__class__":  # the class that contains the function
            try:
                read[f"enclosed {name}"] = cell.cell_contents
            except ValueError:
                raise NoKeyError(f"{name!r}, which {_qualified_name(function)} reads, has no value yet") from None
    for node in ast.walk(ast.parse(text)):
        imported = [each.name for each in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            package = function.__globals__.get("__package__")
            imported = [importlib.util.resolve_name("." * node.level + (node.module or ""), package)]
        for name in imported:
            with contextlib.suppress(ImportError):
                read[f"import {name}"] = importlib.import_module(name)
    return read


def _describe_class(kind, path):
    if (version := _version_of(kind.__module__)) is not None:
        return ["class", _qualified_name(kind), version]
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
        members["dataclass"] = [repr(kind.__dataclass_params__), *map(_describe_field, dataclasses.fields(kind))]
    return ["class", _qualified_name(kind), _describe(kind.__bases__, path), _describe(members, path)]


def _is_generated(value):
    """Return whether a function of a dataclass was generated from its fields."""
    return isinstance(value, types.FunctionType) and "__create_fn__" in inspect.unwrap(value).__code__.co_qualname


def _describe_field(field):
    missing = type(dataclasses.MISSING)  # unpickling creates a new instance
    defaults = [() if isinstance(each, missing) else (each,) for each in (field.default, field.default_factory)]
    return [field.name, field.init, bool(field.kw_only), *defaults]


def _describe_object(value, path):
    kind, parts = type(value), attributes_of(value)
    installed = _version_of(kind.__module__) is not None
    if installed and isinstance(value, CONFIGURABLE):
        overridden = {name: entry for name, entry in vars(value).items() if callable(entry) and hasattr(kind, name)}
        parts = [constructor_arguments(value), overridden]
    elif installed and isinstance(value, keras.layers.Layer):
        vocabulary = value.get_vocabulary() if hasattr(value, "get_vocabulary") else None  # of an adapted layer
        parts = [_config_without_names(value), layer_arguments(value), undescribed_parts(value), vocabulary]
    elif _is_opaque(value):
        raise NoKeyError(f"the attributes of {reprlib.repr(value)} cannot be described")
    elif isinstance(value, (keras.layers.Layer, *CONFIGURABLE)):
        parts = [_config_without_names(value), parts]
    return ["object", _describe(kind, path), _describe(parts, path)]


def _is_opaque(value):
    """Return whether an object may have state that is not among its attributes."""
    is_stdlib = (type(value).__module__ or "").partition(".")[0] in sys.stdlib_module_names
    return is_stdlib or not hasattr(value, "__dict__") or isinstance(value, tf.Variable | tf.Module | io.IOBase)


def _config_without_names(value):
    """Return the configuration of a Keras object, without numbered names and constant learning rates."""
    try:
        configuration = dict(value.get_config())
    except (AttributeError, NotImplementedError, TypeError, ValueError):  # its attributes are described instead
        return None
    if isinstance(value, keras.losses.Loss | keras.optimizers.Optimizer):
        configuration.pop("name", None)
    if isinstance(value, keras.optimizers.Optimizer):
        configuration["learning_rate"] = schedule_of(value)
    return configuration


def attributes_of(value):
    """Return the attributes of an object, without those that Keras sets on every object of this type."""
    standard = next((names for kind, names in _standard_attributes().items() if isinstance(value, kind)), ())
    return {
        name: entry
        for name, entry in getattr(value, "__dict__", {}).items()
        if name not in standard
        and not name.startswith("_self_")
        and not isinstance(entry, keras.layers.Layer)  # described separately
    }


@functools.cache
def _standard_attributes():
    name = "example"  # without a name, Keras would increment its counters
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
    """Return whether a value is a number, a string or None, or a container of these."""
    if isinstance(value, dict):
        return all(map(is_plain, value.values()))
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    return isinstance(value, str | int | float | None)


def _version_of(name):
    """Return the version of the installed package that a module belongs to; None for user-defined modules."""
    return _version_of_package((name or "").partition(".")[0])


@functools.cache
def _version_of_package(root):
    module = sys.modules.get(root)
    folders = [os.path.join(sysconfig.get_path(name), "") for name in ("purelib", "platlib")]
    place = getattr(module, "__file__", None) or ""
    installed = root in sys.stdlib_module_names or root == "kerasnet" or place.startswith(tuple(folders))
    return str(getattr(module, "__version__", "")) if installed and root != "__main__" else None


def _qualified_name(obj):
    module = "__main__" if obj.__module__ == "__mp_main__" else obj.__module__  # in multiprocessing workers
    return f"{module}.{obj.__qualname__}"
