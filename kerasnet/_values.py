"""Convert plain values to JSON: also tuples, sets, dicts with any keys, and NumPy arrays, scalars and dtypes.

Other objects are shown as text without memory addresses.
"""

import functools
import math
import re
import reprlib

import numpy as np

_MAX_BYTES = 2**24  # of an array in JSON
_MAX_BITS = 64  # of an int: larger ones can be crafted to have equal hashes
_MAX_AXES = 32
_MAX_DEPTH = 25
_MAX_NAME = 20  # characters of the name of a dtype
_CONTAINERS = {"list": list, "tuple": tuple, "set": set}


def pack(value, store_array, special=None, depth=0):
    """Convert a value to JSON types.

    Parameters
    ----------
    value : object
        None, a bool, int, float or str, a dtype, a NumPy array or scalar without Python objects, or an object with a
        method ``numpy`` that returns one; or a list, tuple, set or dict of such values.
    store_array : callable
        Stores an array and returns a JSON value that identifies it.
    special : callable, default=None
        Converts values of other types to a dict with one item, whose key is the type; returns None for types that it
        does not support.
    depth : int, default=0
        The nesting depth of the value.

    Returns
    -------
    object
        None, a bool, int, float or str; for all other types, a dict with one item, whose key is the type.

    Raises
    ------
    TypeError
        If a value is of an unsupported type. The message ends with the value.
    """
    kind = type(value)
    if value is None or kind in (bool, float, str) or (kind is int and value.bit_length() <= _MAX_BITS):
        return value
    if special is not None and (packed := special(value)) is not None:
        return packed
    if depth > _MAX_DEPTH:
        raise TypeError(f"there are values nested more than {_MAX_DEPTH} levels deep")
    inner = functools.partial(pack, store_array=store_array, special=special, depth=depth + 1)
    if isinstance(value, np.dtype) and not value.fields and value.subdtype is None:
        return {"dtype": value.str}
    if not isinstance(value, type | np.ndarray) and callable(getattr(value, "numpy", None)):
        value = value.numpy()
    if isinstance(value, np.ndarray | np.generic) and not value.dtype.hasobject:
        return {"scalar" if isinstance(value, np.generic) else "array": store_array(np.asarray(value))}
    if isinstance(value, np.ndarray) and value.ndim == 1:
        return {"objects": [*map(inner, value)]}
    if isinstance(value, dict):
        return {"dict": [[inner(name), inner(entry)] for name, entry in value.items()]}
    for name, container in _CONTAINERS.items():
        if isinstance(value, container):
            return {name: [*map(inner, value)]}
    raise TypeError(f"there is {reprlib.repr(value)}")


def unpack(packed, load_array, special=None):
    """Convert the output of :func:`pack` back to the original value.

    Parameters
    ----------
    packed : object
        Output of `pack`, possibly read from an untrusted file.
    load_array : callable
        Takes the return value of `store_array` and returns the array.
    special : callable, default=None
        Takes the key and value of a dict that the `special` of `pack` returned, and returns the original value.

    Returns
    -------
    object
        The original value.

    Raises
    ------
    ValueError, TypeError, LookupError, ArithmeticError
        If `packed` is not valid output of `pack`.
    """
    if not isinstance(packed, dict):
        if isinstance(packed, list):
            raise ValueError("a list without a kind")
        if isinstance(packed, int) and packed.bit_length() > _MAX_BITS:
            raise ValueError(f"an int of more than {_MAX_BITS} bits")
        return packed
    inner = functools.partial(unpack, load_array=load_array, special=special)
    ((kind, value),) = packed.items()
    if kind == "dtype":
        if not isinstance(value, str) or len(value) > _MAX_NAME:
            raise ValueError(f"the dtype {value!r:.100}")
        dtype = np.dtype(value)
        if dtype.str != value:
            raise ValueError(f"the dtype {value!r}")
        return dtype
    if kind == "array":
        return load_array(value)
    if kind == "scalar":
        return load_array(value)[()]
    if not isinstance(value, list):
        raise ValueError(f"{kind} {value!r:.100}")
    if kind == "dict":
        return {inner(name): inner(entry) for name, entry in value}
    if kind == "objects":
        array = np.empty(len(value), object)
        array[:] = [*map(inner, value)]
        return array
    if kind in _CONTAINERS:
        return _CONTAINERS[kind](map(inner, value))
    if special is None:
        raise ValueError(f"the kind {kind!r}")
    return special(kind, value)


def array_to_json(array):
    """Return dtype, shape and values of a small array of numbers, booleans or strings, for :func:`pack`."""
    values = array.ravel().tolist() if _is_for_json(array.dtype) and array.nbytes <= _MAX_BYTES else None
    if values is None or (array.dtype.kind == "U" and array.dtype.itemsize // 4 > _widest(values)):
        raise TypeError(f"there is an array of {array.dtype}{list(array.shape)}")
    return [array.dtype.str, list(array.shape), values]


def array_from_json(described):
    """Convert the output of :func:`array_to_json` back to an array."""
    name, shape, values = described
    if not isinstance(name, str) or not re.fullmatch(r"[<>|=]([biuf][1248]|U[1-9]\d{0,5})", name):
        raise ValueError(f"the dtype {name!r:.100}")
    dtype = np.dtype(name)
    if len(shape) > _MAX_AXES or not all(type(size) is int and size >= 0 for size in shape):
        raise ValueError(f"the shape {shape!r:.100}")
    longest = dtype.itemsize // 4 if dtype.kind == "U" else 0
    if (
        len(values) != math.prod(shape)
        or dtype.itemsize * len(values) > _MAX_BYTES
        or not all(isinstance(each, str) and len(each) <= longest for each in values if dtype.kind == "U")
        or not all(type(each) in (bool, int, float) for each in values if dtype.kind != "U")
    ):
        raise ValueError(f"{len(values)} values for {dtype}{shape!r:.100}")
    if longest > _widest(values):
        raise ValueError(f"{dtype} for shorter strings")
    array = np.array(values, dtype)
    if array.tolist() != values and dtype.kind != "f":
        raise ValueError(f"values that are not of {dtype}")
    return array.reshape(shape)


def without_addresses(text):
    """Return the representation of an object with names instead of memory addresses."""
    text = re.sub(r"<(?:[\w.<>]+\.)?(\w+) object at 0x\w+>", r"\1(...)", text)
    return re.sub(r"<function ([\w.<>]+) at 0x\w+>", r"\1", text)


def _widest(values):
    """Return the largest allowed width of a string dtype, so that a small file cannot allocate a large array."""
    return max(64, 4 * max(map(len, filter(None, values)), default=0)) if all(map(_is_text, values)) else math.inf


def _is_text(value):
    return isinstance(value, str)


def _is_for_json(dtype):
    return dtype.kind == "U" or (dtype.kind in "biuf" and dtype.itemsize <= 8)
