"""Export of fitted estimators and pipelines."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from kerasnet._files import atomic_file, atomic_folder
from kerasnet.errors import ExportError
from kerasnet.exporting._packages import require

if TYPE_CHECKING:
    from kerasnet.exporting.agreement import Agreement

_SUFFIXES = {".onnx": "onnx", ".tflite": "tflite"}
_FORMATS = ("onnx", "tflite", "saved_model")


@overload
def export(
    estimator: Any,
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    verify: Any = None,
    quantize: None = None,
) -> float: ...


@overload
def export(
    estimator: Any,
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    verify: Any = None,
    quantize: Literal["int8"],
) -> Agreement: ...


def export(
    estimator: Any,
    path: str | os.PathLike[str],
    *,
    format: str | None = None,
    verify: Any = None,
    quantize: str | None = None,
) -> float | Agreement:
    """Export a fitted estimator or pipeline to a file that runs without kerasnet, and verify it.

    The file contains everything that `predict` does: preprocessing steps, division of uint8 images by 255, the network
    and the class labels. Before it is written, the exported model is run and compared with the estimator.

    Parameters
    ----------
    estimator : estimator
        A fitted classifier, regressor, autoencoder or feature extractor of kerasnet; for ONNX also a ``Pipeline``,
        ``ColumnTransformer`` or ``FeatureUnion`` of these and of scikit-learn's steps, or a fitted search, of which the
        ``best_estimator_`` is exported.
    path : str or path-like
        The file, or the folder of a SavedModel. Its folder must exist.
    format : {"onnx", "tflite", "saved_model"}, default=None
        The format. If None, it follows from the suffix of `path`: ".onnx" or ".tflite" (LiteRT).
    verify : array-like, data frame or list of sequences, default=None
        Samples on which the exported model is compared with the estimator. They also define the shape and dtype of its
        inputs: for images of dtype uint8 it takes bytes, otherwise floats in [0, 1]. If None, the inputs are those of
        ``fit``, and 64 samples are drawn at random.
    quantize : {"int8"}, default=None
        If "int8", the weights of networks are stored as 8-bit integers, for ONNX and LiteRT: files have about a quarter
        of the size, and predictions change a little. Real samples in `verify` show how much.

    Returns
    -------
    difference : float or Agreement
        The largest difference between the outputs of the exported model and of the estimator. Differences of a
        regressor are relative to the standard deviation of the targets or predictions (of networks without standardized
        targets, to at least half of the largest prediction), those of other outputs to standard deviations above 1. For
        a quantized model, an :class:`~kerasnet.exporting.Agreement` with the share of equal labels, or R² of other
        outputs.

    Raises
    ------
    NotFittedError
        If the estimator is not fitted.
    ExportError
        If a step cannot be exported; the message names it. Also if the exported model differs from the estimator:
        labels must be equal, and probabilities and other outputs equal up to a difference of 1e-5 (recurrent networks:
        1e-4), and up to the rounding of outputs of dtype float32 if it is less than 1e-3. For a quantized model, this
        is required before the quantization; then 98 % of labels must be equal, or R² of other outputs be 0.98 or more.
        Otherwise, no file is written.
    ImportError
        If the packages for ONNX are not installed: ``pip install "kerasnet[export]"``.
    OSError
        If the file cannot be written, or the folder of a SavedModel exists and is not empty.

    See Also
    --------
    load_exported : Predict with an exported ONNX file.
    kerasnet.save : Save an estimator, to load it into kerasnet again.

    Notes
    -----
    The inputs and outputs are named, and the number of samples is variable. The only input is called ``X``; for a
    pipeline that begins with a ``ColumnTransformer``, each column is an input of shape (n, 1) with the name of the
    column: strings stay strings, and all other columns are numbers. In a column of strings, ``""`` is a missing value.

    ONNX files of classifiers have the outputs ``label`` and ``probabilities``, as those of skl2onnx. Other outputs are
    ``variable`` (predictions of a regressor, features of a transformer), or ``reconstruction`` and ``code`` of an
    autoencoder. LiteRT and SavedModel have no labels as outputs, since they are not always numbers. Networks that were
    fitted with ``standardize_targets=True`` return float64, as the estimator does; only LiteRT has no float64.

    Token ids that are negative or beyond the vocabulary are treated as 1, an unknown token.

    A description of the model is stored in the metadata of ONNX files, with keys such as ``kerasnet.classes``,
    ``kerasnet.inputs`` and ``kerasnet.weights_sha256``. In LiteRT files, the files ``kerasnet.json`` and ``labels.txt``
    are appended as a ZIP archive, as is usual for this format. SavedModel folders contain them in ``assets.extra``.

    Examples
    --------
    >>> import os, tempfile
    >>> import kerasnet as kn
    >>> from kerasnet.datasets import load_mnist
    >>> X, y = load_mnist("test", n_samples=100, random_state=0, return_X_y=True)
    >>> classifier = kn.KerasNetClassifier.from_pretrained("lenet", "mnist")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "digits.onnx")
    ...     difference = kn.export(classifier, path, verify=X)
    ...     predictor = kn.load_exported(path)
    >>> difference < 1e-5
    True
    >>> bool((predictor.predict(X) == classifier.predict(X)).all())
    True
    """
    format = _format_of(path, format)
    if quantize not in (None, "int8"):
        raise ExportError(f'quantize must be None or "int8". Received: {quantize!r}.')
    if quantize and format == "saved_model":
        raise ExportError("A SavedModel cannot be quantized. Export to ONNX or LiteRT, or without quantize.")
    from kerasnet.exporting._describe import describe, fitted_model

    estimator = fitted_model(estimator)
    if format == "onnx":
        require("onnx", "onnxruntime", "skl2onnx", "tf2onnx")
    description, batches = describe(estimator, verify)
    if format == "onnx":
        return _export_onnx(estimator, path, description, batches, quantize)
    from kerasnet.exporting._tensorflow import check_single_network, export_saved_model, export_tflite

    check_single_network(estimator, format)
    if format == "tflite":
        content, result = export_tflite(estimator, description, batches, quantize)
        with atomic_file(path) as file:
            file.write(content)
        return result
    with atomic_folder(path) as folder:
        return export_saved_model(estimator, folder, description, batches)


def _export_onnx(estimator, path, description, batches, quantize):
    from kerasnet.exporting._onnx import onnx_of, with_metadata
    from kerasnet.exporting._quantization import quantize_weights
    from kerasnet.exporting._verification import measure_agreement, onnx_runner, verify_onnx

    model = onnx_of(estimator, description)
    result, allow_nan = verify_onnx(estimator, model.SerializeToString(), description, batches)
    description = dataclasses.replace(description, allow_nan=allow_nan)
    if quantize:
        quantize_weights(model, description)
        result = measure_agreement(estimator, description, batches, onnx_runner(model.SerializeToString()))
        description = description.quantized(result)
    content = with_metadata(model, description)
    with atomic_file(path) as file:
        file.write(content)
    return result


def _format_of(path, format):
    if format is None:
        suffix = Path(path).suffix.lower()
        if suffix not in _SUFFIXES:
            raise ExportError(
                f"path must end in .onnx or .tflite, or format must be one of {_FORMATS}. "
                f"Received: {os.fspath(path)!r}."
            )
        return _SUFFIXES[suffix]
    if format not in _FORMATS:
        raise ExportError(f"format must be one of {_FORMATS}. Received: {format!r}.")
    return format
