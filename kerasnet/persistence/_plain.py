"""Convert plain values, and names of Keras classes and functions, to JSON values and back."""

import inspect
from numbers import Real

import keras
import numpy as np

from kerasnet._values import array_from_json, array_to_json, pack, unpack
from kerasnet.errors import UnsafeFileError

_KERAS_MODULES = {"losses": keras.losses, "metrics": keras.metrics, "optimizers": keras.optimizers}
_EXCLUDED_NAMES = ("deserialize", "get", "serialize")
_MAX_TEXT_LENGTH = 1000  # of a parameter or an argument
_MAX_ROUTED_NUMBER = 10**6  # of parameters of losses and metrics, such as the number of thresholds
_MAX_METRICS = 100
_CONFIG = {"class_name", "config"}  # Keras deserializes dicts with these keys, and imports the class


def to_json(value):
    """Convert a value to JSON values; raise TypeError if it is neither plain nor an object of Keras."""
    return pack(value, array_to_json, _keras_name_of)


def from_json(packed, where):
    """Convert JSON values of :func:`to_json` back; raise an error for values that Keras would deserialize.

    Raises
    ------
    UnsafeFileError
        If a value is the configuration of a Keras object.
    ValueError, TypeError, LookupError, ArithmeticError
        If the value was not written by `to_json`.
    """
    value = unpack(packed, array_from_json, _find_in_keras)
    if any(isinstance(each, dict) and each.keys() >= _CONFIG for each in [value, *iterate_nested(value)]):
        raise UnsafeFileError(f"{where}: expected plain values, found the configuration of a Keras object.")
    return value


def find_oversized(values):
    """Return an error message if parameters could need far more resources than their file size; None otherwise."""
    if any(isinstance(each, str) and len(each) > _MAX_TEXT_LENGTH for each in iterate_nested(values)):
        return f"expected strings of at most {_MAX_TEXT_LENGTH} characters, found longer ones."
    routed = [value for name, value in values.items() if name.startswith(("metrics__", "loss__", "compile__"))]
    if any(isinstance(each, Real) and abs(each) > _MAX_ROUTED_NUMBER for each in routed):
        return f"expected numbers of at most {_MAX_ROUTED_NUMBER} for losses and metrics, found larger ones."
    if len([*iterate_nested([values.get("metrics"), *routed])]) > _MAX_METRICS:
        return f"expected at most {_MAX_METRICS} metrics, found more."
    return None


def iterate_nested(value):
    """Yield all items of nested containers."""
    for entry in _items_of(value):
        yield entry
        yield from iterate_nested(entry)


def _items_of(value):
    """Return the items of a container of plain values; nothing for other values."""
    if isinstance(value, dict):
        return [*value, *value.values()]
    if isinstance(value, np.ndarray):
        return value.tolist() if value.dtype.hasobject else ()
    return value if isinstance(value, list | tuple | set) else ()


def _keras_name_of(value):
    name = getattr(value, "__name__", None)
    if isinstance(name, str):
        for module in _KERAS_MODULES:
            if _is_public(module, name) and getattr(_KERAS_MODULES[module], name) is value:
                return {"keras": [module, name]}
    return None


def _find_in_keras(kind, value):
    module, name = value
    if kind != "keras" or not _is_public(module, name):
        raise ValueError(f"the kind {kind!r} of {value!r:.100}")
    return getattr(_KERAS_MODULES[module], name)


def _is_public(module, name):
    found = vars(_KERAS_MODULES[module]).get(name)
    return name not in _EXCLUDED_NAMES and (inspect.isclass(found) or inspect.isfunction(found))
