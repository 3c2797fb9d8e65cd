"""SciKeras' parameter routing.

Importing SciKeras changes how Keras classes are pickled and copied in the whole process. These changes are undone here;
the estimators pickle their models themselves.
"""

import keras

_KERAS_CLASSES = keras.Model, keras.losses.Loss, keras.metrics.Metric, keras.optimizers.Optimizer
_before = [vars(kind).copy() for kind in _KERAS_CLASSES]

from scikeras._utils import (  # noqa: E402
    route_params,
    try_to_convert_strings_to_classes,
    unflatten_params,
)
from scikeras.utils import loss_name  # noqa: E402

for kind, before in zip(_KERAS_CLASSES, _before, strict=True):
    for name in vars(kind).keys() - before.keys():
        delattr(kind, name)

__all__ = ["loss_name", "route_params", "try_to_convert_strings_to_classes", "unflatten_params"]
