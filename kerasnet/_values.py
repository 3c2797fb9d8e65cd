"""Plain values as JSON: tuples, sets, dicts with keys of any kind, and NumPy's arrays, scalars and dtypes, too."""

import reprlib

import numpy as np

_MAX_BYTES = 2**24  # of an array within JSON
_CONTAINERS = {"list": list, "tuple": tuple, "set": set}


def pack(value, keep):
    """Return a value as JSON has it.

    Parameters
    ----------
    value : object
        None, a bool, int, float or str, a dtype, an array or scalar of NumPy's without Python objects, or an object
        with a method ``numpy`` that gives one; or a list, tuple, set or dict of such values.
    keep : callable
        Takes an array and returns what it is found by, as JSON has it.

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
    if value is None or kind in (bool, int, float, str):
        return value
    if isinstance(value, np.dtype) and not value.fields and value.subdtype is None:
        return {"dtype": value.str}
    if not isinstance(value, type) and not isinstance(value, np.ndarray) and callable(getattr(value, "numpy", None)):
        value = value.numpy()
    if isinstance(value, np.ndarray | np.generic) and not value.dtype.hasobject:
        return {"scalar" if isinstance(value, np.generic) else "array": keep(np.asarray(value))}
    if isinstance(value, np.ndarray) and value.ndim == 1:
        return {"objects": [pack(entry, keep) for entry in value]}
    if isinstance(value, dict):
        return {"dict": [[pack(name, keep), pack(entry, keep)] for name, entry in value.items()]}
    for name, container in _CONTAINERS.items():
        if isinstance(value, container):
            return {name: [pack(entry, keep) for entry in value]}
    raise TypeError(f"there is {reprlib.repr(value)}")


def unpack(packed, find):
    """Return the value that :func:`pack` made something of.

    Parameters
    ----------
    packed : object
        What `pack` returned, from a file of any origin.
    find : callable
        Takes what `keep` returned and returns the array.

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
        return packed
    ((kind, value),) = packed.items()
    if kind == "dtype":
        dtype = np.dtype(value)
        if dtype.str != value:
            raise ValueError(f"the dtype {value!r}")
        return dtype
    if kind == "array":
        return find(value)
    if kind == "scalar":
        return find(value)[()]
    entries = value if isinstance(value, list) else [value]
    if kind == "dict":
        return {unpack(name, find): unpack(entry, find) for name, entry in entries}
    if kind == "objects":
        array = np.empty(len(entries), object)
        array[:] = [unpack(entry, find) for entry in entries]
        return array
    return _CONTAINERS[kind](unpack(entry, find) for entry in entries)


def array_to_json(array):
    """Return dtype, shape and values of a small array of numbers, booleans or texts, for :func:`pack`."""
    if array.dtype.kind not in "biufU" or array.nbytes > _MAX_BYTES:
        raise TypeError(f"there is an array of {array.dtype}{list(array.shape)}")
    return [array.dtype.str, list(array.shape), array.ravel().tolist()]


def array_from_json(described):
    """Return the array that :func:`array_to_json` described."""
    name, shape, values = described
    dtype = np.dtype(name)
    if dtype.kind not in "biufU" or dtype.itemsize * len(values) > _MAX_BYTES:
        raise ValueError(f"{len(values)} values of {dtype}")
    array = np.array(values, dtype)
    if array.ndim != 1 or (array.tolist() != values and dtype.kind != "f"):
        raise ValueError(f"values that are not of {dtype}")
    return array.reshape(shape)
