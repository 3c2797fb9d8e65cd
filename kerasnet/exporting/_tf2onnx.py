"""Conversion of Keras models to ONNX with tf2onnx. Only this module uses it."""

import logging
import os
import tempfile
import warnings

import keras
import numpy as np

from kerasnet.errors import ExportError
from kerasnet.exporting._packages import require

OPSET = 18  # the highest that tf2onnx supports


def onnx_of_keras(model):
    """Convert a functional Keras model with one input to ONNX.

    Parameters
    ----------
    model : keras.Model
        The model, with outputs in a dict.

    Returns
    -------
    converted : onnx.ModelProto
        The model, with inputs and outputs named as in `model`.

    Raises
    ------
    ExportError
        If the model contains an operation that tf2onnx cannot convert.
    """
    onnx, _ = require("onnx", "tf2onnx")
    shape = [2 if size is None else size for size in model.inputs[0].shape]
    model(np.zeros(shape, keras.backend.standardize_dtype(model.inputs[0].dtype)))  # Keras exports models that have run
    messages, logger = _Errors(), logging.getLogger("tf2onnx")
    logger.addHandler(messages)
    try:
        with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
            warnings.simplefilter("ignore")  # about NumPy, from the code of Keras for tf2onnx
            path = os.path.join(folder, "model.onnx")
            model.export(path, format="onnx", verbose=False, opset_version=OPSET)
            converted = onnx.load(path)
    except Exception as error:  # tf2onnx raises any
        raise ExportError(f"tf2onnx cannot convert the model {model.name!r} to ONNX: {error}") from error
    finally:
        logger.removeHandler(messages)
    if messages.texts:
        raise ExportError(f"tf2onnx cannot convert the model {model.name!r} to ONNX: {'; '.join(messages.texts)}")
    return converted


class _Errors(logging.Handler):
    """Collects the errors that tf2onnx logs instead of raising them."""

    def __init__(self):
        super().__init__(logging.ERROR)
        self.texts = []

    def emit(self, record):
        """Store a message."""
        self.texts.append(record.getMessage())
