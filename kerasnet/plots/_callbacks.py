"""Keras callbacks of estimators that are fitted again. Importing this module imports TensorFlow."""

from __future__ import annotations

from typing import Any

import keras

from kerasnet.estimators._callbacks import CALLBACKS
from kerasnet.training._resume import is_passive


class NoCallback(keras.callbacks.Callback):
    """A callback that does nothing, and accepts the parameters of any other."""

    changes_nothing = True

    def __init__(self, **ignored: Any) -> None:
        super().__init__()


def disable_passive_callbacks(estimator: Any) -> None:
    """Replace the callbacks of an estimator that do not affect training, such as ``TensorBoard``."""
    given = estimator.get_params(deep=False)
    estimator.set_params(**{name: _without_passive(given[name]) for name in CALLBACKS if name in given})
    if hasattr(estimator, "set_callbacks"):  # scikit-learn 1.9
        estimator.set_callbacks()


def _without_passive(callbacks: Any) -> Any:
    """Replace passive callbacks in lists and dicts, to which the names of parameters such as "callbacks__0" refer."""
    if isinstance(callbacks, dict):
        return {name: _without_passive(callback) for name, callback in callbacks.items()}
    if isinstance(callbacks, list | tuple):
        return type(callbacks)(map(_without_passive, callbacks))
    if not is_passive(callbacks):
        return callbacks
    return NoCallback if isinstance(callbacks, type) else NoCallback()
