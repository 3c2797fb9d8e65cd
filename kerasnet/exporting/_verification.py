"""Compare an exported model with the estimator."""

import contextlib
import warnings

import numpy as np
from sklearn.impute import KNNImputer

from kerasnet.errors import ExportError
from kerasnet.estimators._base import KerasNetBase
from kerasnet.exporting._describe import last_step, steps_in
from kerasnet.exporting._inputs import as_inputs, has_missing_values, run_in_batches
from kerasnet.exporting._packages import session_of
from kerasnet.exporting.agreement import agreement_of

_NETWORK_PRECISION = 0.5  # the smallest scale of the outputs of networks, which compute in float32, relative to values
_FEW_SAMPLES, _SPREAD_OF_FEW = 30, 0.01  # the spread of few samples is at least this part of the largest value
_FLOAT32_ROUNDING = 16 * np.finfo(np.float32).eps
_MAX_ROUNDING = 1e-3  # relative to the scale of an output
_TIES = (
    "KNNImputer chooses among training samples at equal distances in an order that files cannot reproduce. If columns "
    'have few different values, use another imputation, such as "median".'
)
_FLOAT32_HINT = (
    " This file returns float32, which has seven digits, too few for values that are large compared with their "
    "standard deviation. Subtract a constant from the targets before fit, or export a network that was fitted with "
    "standardize_targets=True to ONNX or SavedModel, which return float64."
)


def expected_outputs(estimator, description, X):
    """Return what an estimator predicts: a dict with the names of the outputs of the exported model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about samples that are drawn at random
        if description.task in ("classifier", "multilabel"):
            found = {"label": np.asarray(estimator.predict(X))}
            with contextlib.suppress(AttributeError):
                found["probabilities"] = np.asarray(estimator.predict_proba(X))
            return found
        if description.task == "regressor":
            return {"variable": np.asarray(estimator.predict(X)).reshape(len(X), -1)}
        if description.task == "autoencoder":
            return {"reconstruction": estimator.reconstruct(X), "code": estimator.transform(X)}
        transformed = estimator.transform(X)
        return {"variable": np.asarray(transformed.toarray() if hasattr(transformed, "toarray") else transformed)}


def scales_of(estimator, description, expected):
    """Return the scales of outputs, relative to which differences are measured.

    Parameters
    ----------
    estimator : estimator
        The estimator.
    description : Description
        The description of the model.
    expected : dict of str to ndarray
        What the estimator predicts.

    Returns
    -------
    scales : dict of str to ndarray
        For each output of numbers, the scales of its columns. For a regressor, the standard deviation of the targets
        if the estimator knows it, otherwise of the predictions; for networks without standardized targets, which
        compute in float32, at least half of the largest prediction. For other outputs, standard deviations of at least
        1.
    """
    return {
        name: np.maximum(_scale_of(estimator, description, values), np.finfo(np.float64).tiny)
        for name, values in expected.items()
        if name != "label"
    }


def _scale_of(estimator, description, values):
    last, is_regressor = last_step(estimator), description.task == "regressor"
    if is_regressor and hasattr(last, "target_scale_"):
        return last.target_scale_
    try:
        numbers = values.astype(np.float64)
    except ValueError as error:
        raise ExportError(
            f"Only outputs of numbers can be exported. The estimator returns strings: {error}."
        ) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about columns in which all values are missing
        spread, largest = np.nanstd(numbers, axis=0), np.nanmax(np.abs(numbers), axis=0)
    if len(numbers) < _FEW_SAMPLES:
        spread = np.fmax(spread, _SPREAD_OF_FEW * largest)
    is_constant = spread <= 1e-9 * largest
    scale = np.where(is_constant, largest, spread) if is_regressor else np.fmax(1, spread)
    if (is_regressor and isinstance(last, KerasNetBase)) or values.dtype == np.float32:
        scale = np.fmax(scale, _NETWORK_PRECISION * np.fmax(1, largest))
    return scale


def compare(expected, found, scales, tolerance):
    """Compare outputs.

    Parameters
    ----------
    expected : dict of str to ndarray
        The outputs of the estimator.
    found : dict of str to ndarray
        The outputs of the exported model, some of those in `expected`.
    scales : dict of str to ndarray
        The scales of the outputs.
    tolerance : float
        The largest difference that is accepted, relative to the scale of an output. Outputs of dtype float32 may also
        differ by their rounding, up to 0.001. Labels must be equal, unless the probabilities of the two classes are
        equal up to this tolerance.

    Returns
    -------
    difference : float
        The largest difference of a number, relative to the scale of its output.

    Raises
    ------
    ExportError
        If the outputs differ.
    """
    largest = 0.0
    for name in sorted(found, key="label".__eq__):  # labels last: differing probabilities explain differing labels
        if found[name].shape != expected[name].shape:
            raise ExportError(
                f"The exported model returns {name} of shape {found[name].shape}; expected {expected[name].shape}."
            )
        if name == "label":
            _compare_labels(expected, found[name], tolerance)
        else:
            largest = max(largest, _compare_numbers(name, expected[name], found[name], scales[name], tolerance))
    return largest


def _compare_numbers(name, expected, found, scale, tolerance):
    is_float32 = found.dtype == np.float32
    expected, found = expected.astype(np.float64), found.astype(np.float64)
    differences = np.abs(expected - found) / scale
    differences[np.isnan(expected) & np.isnan(found)] = 0
    rounding = _FLOAT32_ROUNDING * np.abs(expected) / scale if is_float32 else 0.0
    too_large = ~(differences <= np.fmax(tolerance, np.fmin(rounding, _MAX_ROUNDING)))
    if too_large.any():
        place = np.unravel_index(np.argmax(np.where(too_large, np.nan_to_num(differences, nan=np.inf), 0)), found.shape)
        n_samples = too_large.reshape(len(found), -1).any(axis=1).sum()
        raise ExportError(
            f"The exported model differs from the estimator: {name} of {n_samples} of {len(found)} samples. For sample "
            f"{place[0]}, the estimator returns {expected[place]:.12g}, the exported model {found[place]:.12g}; the "
            f"tolerance is {tolerance:g}, relative to {np.broadcast_to(scale, found.shape)[place]:.3g}."
            f"{_FLOAT32_HINT if np.max(rounding) > _MAX_ROUNDING else ''} No file was written."
        )
    return float(differences.max(initial=0))


def _compare_labels(expected, found, tolerance):
    labels, probabilities = expected["label"], expected.get("probabilities")
    differs = labels.astype(str) != found.astype(str) if labels.dtype.kind not in "iufb" else labels != found
    rows = np.flatnonzero(differs.reshape(len(labels), -1).any(axis=1))
    if probabilities is not None and len(rows):
        rows = [row for row in rows if not _is_tie(probabilities[row], labels.ndim > 1, tolerance)]
    if len(rows):
        raise ExportError(
            f"The exported model differs from the estimator: labels of {len(rows)} of {len(labels)} samples. For "
            f"sample {rows[0]}, the estimator returns {labels[rows[0]]!r}, the exported model {found[rows[0]]!r}. No "
            "file was written."
        )


def _is_tie(probabilities, multilabel, tolerance):
    if multilabel:
        return np.abs(probabilities - 0.5).min() <= tolerance
    second, first = np.sort(probabilities)[-2:]
    return first - second <= tolerance


def verify_onnx(estimator, content, description, batches):
    """Compare an ONNX model with an estimator.

    Parameters
    ----------
    estimator : estimator
        The estimator.
    content : bytes
        The ONNX file.
    description : Description
        The description of the model.
    batches : Batches
        Samples.

    Returns
    -------
    difference : float
        The largest difference of a number.
    allow_nan : bool
        Whether missing values are supported.

    Raises
    ------
    ExportError
        If onnxruntime cannot run the model, or the outputs differ.
    """
    run = onnx_runner(content)
    difference = verify(estimator, description, batches.samples, batches.tolerance, run)
    if batches.with_missing is None:
        return difference, False
    try:
        verify(estimator, description, [batches.with_missing], batches.tolerance, run)
    except ExportError:
        has_missing = has_missing_values(as_inputs(description, batches.samples[0]), description.missing)
        if has_missing or _imputes_by_neighbors(estimator):
            raise
        return difference, False
    return difference, True


def onnx_runner(content):
    """Return a function that runs an ONNX file: it takes a dict of inputs and returns a dict of outputs."""
    session = session_of(content)
    names = [each.name for each in session.get_outputs()]
    return lambda inputs: dict(zip(names, session.run(names, inputs), strict=True))


def verify(estimator, description, samples, tolerance, run):
    """Compare the outputs of a function with those of an estimator.

    Parameters
    ----------
    estimator : estimator
        The estimator.
    description : Description
        The description of the model.
    samples : list of array-likes
        Batches of samples.
    tolerance : float
        The largest difference that is accepted.
    run : callable
        A function that takes a dict of inputs and returns a dict of outputs.

    Returns
    -------
    difference : float
        The largest difference of a number.

    Raises
    ------
    ExportError
        If the function fails, or the outputs differ.
    """
    scales, largest = {}, 0.0
    for X in samples:
        expected = expected_outputs(estimator, description, X)
        scales = scales or scales_of(estimator, description, expected)  # those of the first batch, which is the largest
        found = _outputs(description, X, run)
        try:
            largest = max(largest, compare(expected, found, scales, tolerance))
        except ExportError as error:
            if _imputes_by_neighbors(estimator):
                raise ExportError(f"{error} {_TIES}") from error
            raise
    return largest


def measure_agreement(estimator, description, batches, run):
    """Return the :class:`Agreement` of a quantized model with an estimator.

    The parameters are those of :func:`verify`, with a Batches object as `batches`, of which the first is predicted.
    """
    X = batches.samples[0]
    expected = expected_outputs(estimator, description, X)
    scales = scales_of(estimator, description, expected)
    return agreement_of(expected, _outputs(description, X, run), scales, batches.are_drawn)


def _imputes_by_neighbors(estimator):
    return any(isinstance(step, KNNImputer) for step in steps_in(estimator))


def _outputs(description, X, run):
    inputs = as_inputs(description, X)
    try:
        return run_in_batches(run, inputs)
    except Exception as error:  # onnxruntime, LiteRT and TensorFlow have no common base class of errors
        raise ExportError(f"The exported {description.estimator} cannot predict: {error}") from error
