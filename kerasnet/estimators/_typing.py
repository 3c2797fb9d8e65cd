"""Type aliases of estimator parameters, for type checkers only."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import joblib
import keras
import numpy as np

from kerasnet.training import EpochMemory

Augmentation: TypeAlias = str | keras.layers.Layer | None
Callbacks: TypeAlias = (
    type[keras.callbacks.Callback] | keras.callbacks.Callback | Sequence[Any] | Mapping[str, Any] | None
)
ClassWeight: TypeAlias = str | Mapping[Any, float] | Sequence[Mapping[int, float]] | None
Loss: TypeAlias = (
    str | type[keras.losses.Loss] | keras.losses.Loss | Callable[..., Any] | list[Any] | dict[str, Any] | None
)
Memory: TypeAlias = str | os.PathLike[str] | EpochMemory | joblib.Memory | None
Metrics: TypeAlias = (
    str | type[keras.Metric] | keras.Metric | Callable[..., Any] | Sequence[Any] | Mapping[str, Any] | None
)
Model: TypeAlias = str | Callable[..., keras.Model] | keras.Model
Optimizer: TypeAlias = str | type[keras.optimizers.Optimizer] | keras.optimizers.Optimizer
RandomState: TypeAlias = int | np.random.RandomState | None
Shape: TypeAlias = Sequence[int | None]
