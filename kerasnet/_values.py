"""Plain values as JSON: tuples, sets, dicts with keys of any kind, and NumPy's arrays, scalars and dtypes, too."""

import functools
import math
import re
import reprlib

import numpy as np

_MAX_BYTES = 2**24  # of an array within JSON
_MAX_BITS = 64  # of an int: larger ones can be made to have the same hash
_MAX_AXES = 32
_MAX_DEPTH = 25
_MAX_NAME = 20
_CONTAINERS = {"list": list, "tuple": tuple, "set": set}


def pack(value, keep, special=None, depth=0):
    """Return a value as JSON has it.

    Parameters
    ----------
    value : object
        None, a bool, int, float or str, a dtype, an array or scalar of NumPy's without Python objects, or an object
        with a method ``numpy`` that gives one; or a list, tuple, set or dict of such values.
    keep : callable
        Takes an array and returns what it is found by, as JSON has it.
    special : callable, default=None
        Takes a value of any other kind and returns a dict of one entry, which names the kind, or None.
    depth : int, default=0
        How deep the value is nested in others.

    Returns
    -------
    object
        None, a bool, int, float or str; for all else a dict of one entry, which names the kind.

    Raises
    ------
    TypeError
        If there is another kind of value; the message ends with it.
    """
    kind = type(value)
    if value is None or kind in (bool, float, str) or (kind is int and value.bit_length() <= _MAX_BITS):
        return value
    if special is not None and (packed := special(value)) is not None:
        return packed
    if depth > _MAX_DEPTH:
        raise TypeError("there is nesting without an end")
    inner = functools.partial(pack, keep=keep, special=special, depth=depth + 1)
    if isinstance(value, np.dtype) and not value.fields and value.subdtype is None:
        return {"dtype": value.str}
    if not isinstance(value, type | np.ndarray) and callable(getattr(value, "numpy", None)):
        value = value.numpy()
    if isinstance(value, np.ndarray | np.generic) and not value.dtype.hasobject:
        return {"scalar" if isinstance(value, np.generic) else "array": keep(np.asarray(value))}
    if isinstance(value, np.ndarray) and value.ndim == 1:
        return {"objects": [*map(inner, value)]}
    if isinstance(value, dict):
        return {"dict": [[inner(name), inner(entry)] for name, entry in value.items()]}
    for name, container in _CONTAINERS.items():
        if isinstance(value, container):
            return {name: [*map(inner, value)]}
    raise TypeError(f"there is {reprlib.repr(value)}")


def unpack(packed, find, special=None):
    """Return the value that :func:`pack` made something of.

    Parameters
    ----------
    packed : object
        What `pack` returned, from a file of any origin.
    find : callable
        Takes what `keep` returned and returns the array.
    special : callable, default=None
        Takes name and description of a kind of the caller's own, and returns the value.

    Returns
    -------
    object
        The value.

    Raises
    ------
    ValueError, TypeError, LookupError, ArithmeticError
        If `pack` cannot have made this.
    """
    if not isinstance(packed, dict):
        if isinstance(packed, list):
            raise ValueError("a list without a kind")
        if isinstance(packed, int) and packed.bit_length() > _MAX_BITS:
            raise ValueError("an int of many digits")
        return packed
    inner = functools.partial(unpack, find=find, special=special)
    ((kind, value),) = packed.items()
    if kind == "dtype":
        if not isinstance(value, str) or len(value) > _MAX_NAME:
            raise ValueError(f"the dtype {value!r:.100}")
        dtype = np.dtype(value)
        if dtype.str != value:
            raise ValueError(f"the dtype {value!r}")
        return dtype
    if kind == "array":
        return find(value)
    if kind == "scalar":
        return find(value)[()]
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
    """Return dtype, shape and values of a small array of numbers, booleans or texts, for :func:`pack`."""
    values = array.ravel().tolist() if _is_for_json(array.dtype) and array.nbytes <= _MAX_BYTES else None
    if values is None or (array.dtype.kind == "U" and array.dtype.itemsize // 4 > _widest(values)):
        raise TypeError(f"there is an array of {array.dtype}{list(array.shape)}")
    return [array.dtype.str, list(array.shape), values]


def array_from_json(described):
    """Return the array that :func:`array_to_json` described."""
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
        raise ValueError(f"{dtype} for shorter texts")
    array = np.array(values, dtype)
    if array.tolist() != values and dtype.kind != "f":
        raise ValueError(f"values that are not of {dtype}")
    return array.reshape(shape)


def _widest(values):
    """Return how wide a dtype of texts may be, so that files pay for the memory of their arrays."""
    return max(64, 4 * max(map(len, filter(None, values)), default=0)) if all(map(_is_text, values)) else math.inf


def _is_text(value):
    return isinstance(value, str)


def _is_for_json(dtype):
    return dtype.kind == "U" or (dtype.kind in "biuf" and dtype.itemsize <= 8)
