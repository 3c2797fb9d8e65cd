"""Values in an archive: plain ones, and the names of classes and functions that are Keras' own."""

import inspect
from numbers import Real

import keras
import numpy as np

from kerasnet._values import array_from_json, array_to_json, pack, unpack
from kerasnet.errors import UnsafeFileError

_OF_KERAS = {"losses": keras.losses, "metrics": keras.metrics, "optimizers": keras.optimizers}
_NO_VALUES = ("deserialize", "get", "serialize")
_MAX_TEXT = 1000  # of a parameter or an argument
_MAX_ROUTED = 10**6  # of numbers for losses and metrics, such as thresholds
_MAX_METRICS = 100
_CONFIG = {"class_name", "config"}  # what Keras makes objects of, importing what they name


def to_json(value):
    """Return a value as JSON has it; raise TypeError where it is neither plain nor Keras' own."""
    return pack(value, array_to_json, _name_in_keras)


def from_json(packed, where):
    """Return the value that :func:`to_json` made something of; refuse what Keras would make objects of.

    Raises
    ------
    UnsafeFileError
        If there is a configuration of an object.
    ValueError, TypeError, LookupError, ArithmeticError
        If `to_json` cannot have made this.
    """
    value = unpack(packed, array_from_json, _found_in_keras)
    if any(isinstance(each, dict) and each.keys() >= _CONFIG for each in [value, *all_in(value)]):
        raise UnsafeFileError(f"{where}: expected plain values, found a configuration of a Keras object.")
    return value


def complaint_about(values):
    """Say which named parameters or arguments could cost much more than they take in a file; None for none."""
    if any(isinstance(each, str) and len(each) > _MAX_TEXT for each in all_in(values)):
        return f"expected texts of at most {_MAX_TEXT} characters, found longer ones."
    routed = [value for name, value in values.items() if name.startswith(("metrics__", "loss__", "compile__"))]
    if any(isinstance(each, Real) and abs(each) > _MAX_ROUTED for each in routed):
        return f"expected numbers up to {_MAX_ROUTED} for losses and metrics, found larger ones."
    if len([*all_in([values.get("metrics"), *routed])]) > _MAX_METRICS:
        return f"expected at most {_MAX_METRICS} metrics, found more."
    return None


def all_in(value):
    """Yield all that containers hold, at every depth."""
    for entry in _entries_of(value):
        yield entry
        yield from all_in(entry)


def _entries_of(value):
    """Return what a container of plain values holds; nothing for other values."""
    if isinstance(value, dict):
        return [*value, *value.values()]
    if isinstance(value, np.ndarray):
        return value.tolist() if value.dtype.hasobject else ()
    return value if isinstance(value, list | tuple | set) else ()


def _name_in_keras(value):
    name = getattr(value, "__name__", None)
    if isinstance(name, str):
        for module in _OF_KERAS:
            if _is_offered(module, name) and getattr(_OF_KERAS[module], name) is value:
                return {"keras": [module, name]}
    return None


def _found_in_keras(kind, value):
    module, name = value
    if kind != "keras" or not _is_offered(module, name):
        raise ValueError(f"the kind {kind!r} of {value!r:.100}")
    return getattr(_OF_KERAS[module], name)


def _is_offered(module, name):
    found = vars(_OF_KERAS[module]).get(name)
    return name not in _NO_VALUES and (inspect.isclass(found) or inspect.isfunction(found))
