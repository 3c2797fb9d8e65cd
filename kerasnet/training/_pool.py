"""Engines that wait for the next training of the same specification."""

import threading

from kerasnet.models import registered_model

_MAX_WAITING = 8

_waiting = []  # pairs (key, engine), the one used last at the end
_lock = threading.Lock()


def clear_cache():
    """Drop the compiled code that is kept for further fits.

    kerasnet keeps the compiled code of the eight networks trained last, so that the next fit of the same architecture,
    loss and optimizer starts without compiling. After this call the next fit compiles again. Fitted estimators keep
    what they need for predictions.

    Examples
    --------
    >>> from kerasnet.training import clear_cache
    >>> clear_cache()
    """
    with _lock:
        _waiting.clear()


def take_engine(key):
    """Take the engine of a key out of the pool; None if there is none."""
    with _lock:
        for place in reversed(range(len(_waiting))):
            if _waiting[place][0] == key:
                return _waiting.pop(place)[1]
    return None


def find_engine(key):
    """Return an engine of a key for predictions, which leave it in the pool; None if there is none."""
    with _lock:
        return next((engine for other, engine in reversed(_waiting) if other == key), None)


def put_engine(key, engine):
    """Put an engine into the pool, in place of the one that has waited longest, and of those of builders of before."""
    with _lock:
        _waiting.append((key, engine))
        _waiting[:] = [(other, each) for other, each in _waiting if _is_current(each)][-_MAX_WAITING:]


def _is_current(engine):
    """Tell whether further models of an engine's specification, if it has one, equal those of its builder."""
    return engine.initial is None or (engine.initial.is_pure and registered_model(engine.initial.builder) is not None)
