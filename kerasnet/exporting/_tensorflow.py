"""Export of single networks to LiteRT and SavedModel."""

import contextlib
import io
import json
import os
import tempfile
import warnings
import zipfile

import keras
import numpy as np

from kerasnet.errors import ExportError
from kerasnet.estimators._base import KerasNetBase
from kerasnet.exporting._networks import inference_model
from kerasnet.exporting._verification import measure_agreement, verify
from kerasnet.training._litert import QUANTIZED, litert_runner


def check_single_network(estimator, format):
    """Raise an error for estimators that can only be exported to ONNX."""
    if not isinstance(estimator, KerasNetBase):
        raise ExportError(
            f"format={format!r} is for single estimators of kerasnet. Received: {type(estimator).__name__}. Export "
            "pipelines to ONNX."
        )


def export_tflite(estimator, description, batches, quantize):
    """Convert an estimator to LiteRT.

    Parameters
    ----------
    estimator : estimator
        A fitted estimator of kerasnet.
    description : Description
        The description of its inputs.
    batches : Batches
        Samples for the verification.
    quantize : bool
        Whether to store the weights as int8.

    Returns
    -------
    content : bytes
        The LiteRT file, with ``kerasnet.json`` and ``labels.txt`` appended as a ZIP archive.
    result : float or Agreement
        The largest difference of a number, or the agreement of a quantized model.
    """
    content = _tflite_of(estimator, description)
    try:
        result = verify(estimator, description, batches.samples, batches.tolerance, litert_runner(content))
    except ExportError as error:
        if "Select TensorFlow op" not in str(error):
            raise
        raise ExportError(
            f"LiteRT has no operators for parts of this {description.estimator}: recurrent layers on sequences of "
            "any length and masked sequences cannot be exported to .tflite. Export them to ONNX or SavedModel."
        ) from error
    if quantize:
        content = _tflite_of(estimator, description, **QUANTIZED)
        result = measure_agreement(estimator, description, batches, litert_runner(content))
        description = description.quantized(result)
    return content + _zip(_texts(description)), result


def _tflite_of(estimator, description, **options):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.tflite")
        _export_model(estimator, description, path, "litert", **options)
        with open(path, "rb") as file:
            return file.read()


def export_saved_model(estimator, folder, description, batches):
    """Write an estimator to a folder as a SavedModel.

    Parameters
    ----------
    estimator : estimator
        A fitted estimator of kerasnet.
    folder : path-like
        The empty folder.
    description : Description
        The description of its inputs.
    batches : Batches
        Samples for the verification.

    Returns
    -------
    difference : float
        The largest difference of a number.
    """
    _export_model(estimator, description, str(folder), "tf_saved_model")
    layer = keras.layers.TFSMLayer(str(folder), call_endpoint="serve")

    def run(inputs):
        return {name: np.asarray(values) for name, values in layer(*inputs.values()).items()}

    difference = verify(estimator, description, batches.samples, batches.tolerance, run)
    extra = folder / "assets.extra"  # the folder for files that TensorFlow does not read
    with zipfile.ZipFile(io.BytesIO(_zip(_texts(description)))) as archive:
        archive.extractall(extra)
    return difference


def _export_model(estimator, description, path, format, **options):
    model = inference_model(estimator, description.inputs[0], for_litert=format == "litert")
    shape = [2 if size is None else size for size in model.inputs[0].shape]
    model(np.zeros(shape, description.inputs[0].dtype))  # Keras exports models that have run
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            model.export(path, format=format, verbose=False, **options)
    except Exception as error:  # the converters raise any
        raise ExportError(f"Keras cannot export the model {model.name!r} to {format}: {error}") from error


def _texts(description):
    """Return the files that describe a model, by name."""
    metadata = {name.removeprefix("kerasnet."): json.loads(text) for name, text in description.as_metadata().items()}
    texts = {"kerasnet.json": json.dumps(metadata, indent=2)}
    if description.classes is not None:
        texts["labels.txt"] = "".join(f"{label}\n" for label in description.classes)
    return texts


def _zip(texts):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in texts.items():
            archive.writestr(zipfile.ZipInfo(name), text)
    return buffer.getvalue()
