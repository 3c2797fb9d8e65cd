"""A bounded pool of engines, reused by trainings of the same specification."""

import threading

from kerasnet.models import registered_model

_MAX_ENGINES = 8

_engines: list[tuple] = []  # pairs (key, engine), the most recently used last
_lock = threading.Lock()


def clear_cache() -> None:
    """Clear the in-memory cache of compiled training functions.

    kerasnet caches the compiled functions of the eight most recently trained models, so that further fits with the
    same architecture, loss and optimizer need no compilation. After a call of this function, the next fit compiles
    again. Fitted estimators keep the compiled functions that they need for prediction.

    See Also
    --------
    EpochMemory : An on-disk cache of trained epochs, which this function does not change.

    Examples
    --------
    >>> from kerasnet.training import clear_cache
    >>> clear_cache()
    """
    with _lock:
        _engines.clear()


def take_engine(key):
    """Remove an engine with this key from the pool and return it; None if there is none."""
    with _lock:
        for place in reversed(range(len(_engines))):
            if _engines[place][0] == key:
                return _engines.pop(place)[1]
    return None


def find_engine(key):
    """Return an engine with this key for predictions, without removing it from the pool; None if there is none."""
    with _lock:
        return next((engine for other, engine in reversed(_engines) if other == key), None)


def put_engine(key, engine):
    """Add an engine to the pool; remove the least recently used one, and those of builders that were replaced."""
    with _lock:
        _engines.append((key, engine))
        _engines[:] = [(other, each) for other, each in _engines if _is_current(each)][-_MAX_ENGINES:]


def _is_current(engine):
    """Return whether new models of an engine's specification, if it has one, would equal its model."""
    return engine.initial is None or (engine.initial.is_pure and registered_model(engine.initial.builder) is not None)
