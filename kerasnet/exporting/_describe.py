"""Describe the inputs, task and classes of an estimator, and draw samples that it accepts."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import textwrap
import warnings

import numpy as np
from sklearn.base import is_classifier, is_regressor
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from kerasnet.errors import ExportError
from kerasnet.estimators import AutoencoderOutlierDetector
from kerasnet.estimators._base import KerasNetBase
from kerasnet.exporting._description import Description, Input
from kerasnet.exporting._networks import INPUT, described_input, hash_weights, is_recurrent, network_of
from kerasnet.exporting._samples import batches_of, draw_samples, error_of_prediction
from kerasnet.exporting._tables import describe_columns, draw_table
from kerasnet.features import TextVectorizer
from kerasnet.models import model_card, registered_model

MISSING = "<missing>"  # if the empty string is a category
_TOLERANCE, _RECURRENT_TOLERANCE = 1e-5, 1e-4


def fitted_model(estimator):
    """Return a fitted estimator, or the best estimator of a fitted search."""
    check_is_fitted(estimator)
    while hasattr(estimator, "best_estimator_"):
        estimator = estimator.best_estimator_
    return estimator


def describe(estimator, verify=None):
    """Describe an estimator.

    Parameters
    ----------
    estimator : estimator
        The fitted estimator.
    verify : array-like or data frame, default=None
        Samples in the form that the exported model takes. If None, the form of the training samples is used, and
        samples are drawn.

    Returns
    -------
    description : Description
    batches : Batches
        Samples for the verification.

    Raises
    ------
    ExportError
        If the form of the samples is unknown, or the estimator cannot be exported.
    """
    if verify is not None:
        _check_samples(estimator, verify)
    networks = [network_of(each) for each in networks_in(estimator)]
    fields = {
        "estimator": name_of(estimator),
        "task": _task(estimator),
        **_classes(estimator),
        "feature_names": _feature_names(estimator),
        "weights_sha256": hash_weights(networks) if networks else "",
        "kerasnet_version": importlib.metadata.version("kerasnet"),
    }
    _check_no_ensemble(estimator)
    first = _first_step(estimator)
    if isinstance(first, TextVectorizer):
        raise ExportError(
            "TextVectorizer cannot be exported: exported models do not take text. Export the other steps, such as "
            "pipeline[-1], and pass them the token ids that TextVectorizer returns."
        )
    if isinstance(first, ColumnTransformer):
        inputs, values = describe_columns(first, verify)
        X = draw_table(values, fields["feature_names"]) if verify is None else verify
        missing = MISSING if any("" in known for known in values if known.dtype == object) else ""
        description = Description(inputs=inputs, kind="table", missing=missing, **fields)
    elif isinstance(first, KerasNetBase):
        description = _describe_network(first, verify, fields)
        X = draw_samples(description, first) if verify is None else verify
    else:
        inputs = [_described_array(estimator, first, verify)]
        kind = "image" if len(inputs[0].shape) > 1 else "vector"
        description = Description(inputs=inputs, kind=kind, **fields)
        X = draw_samples(description, first) if verify is None else verify
    if verify is None and (error := error_of_prediction(estimator, X)):
        raise ExportError(
            f"{fields['estimator']} cannot predict samples that are drawn at random: {_short(error)} Pass verify=X, "
            "with samples as for predict."
        )
    tolerance = _RECURRENT_TOLERANCE if any(map(is_recurrent, networks)) else _TOLERANCE
    batches = batches_of(estimator, description, X, tolerance, are_drawn=verify is None)
    shape = _output_shape(estimator, X[:1]) if description.task == "regressor" else ()
    return dataclasses.replace(description, allow_nan=batches.with_missing is not None, output_shape=shape), batches


def _check_no_ensemble(estimator):
    for step in steps_in(estimator):
        members = step.get_params().values() if hasattr(step, "get_params") else ()
        if not isinstance(step, KerasNetBase) and any(isinstance(each, KerasNetBase) for each in members):
            raise ExportError(
                f"{type(step).__name__} cannot be exported. Networks of kerasnet can only be steps of "
                "pipelines, columns and unions. Export each fitted network or pipeline in it to its own file; in the "
                "place of TransformedTargetRegressor, use standardize_targets=True."
            )


def _check_samples(estimator, verify):
    if not hasattr(verify, "__len__") or not len(verify):
        raise ExportError(f"verify must contain samples as for predict, at least one. Received: {verify!r}.")
    if error := error_of_prediction(estimator, verify):
        raise ExportError(f"{name_of(estimator)} cannot predict the samples in verify: {_short(error)}")


def _short(error):
    return textwrap.shorten(str(error), 300, placeholder=" ...")


def _output_shape(estimator, X):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about samples that are drawn at random
        return np.shape(estimator.predict(X))[1:]


def networks_in(estimator):
    """Return the estimators of kerasnet in a pipeline."""
    return [step for step in steps_in(estimator) if isinstance(step, KerasNetBase)]


def steps_in(estimator):
    """Return the estimators and transformers in a pipeline, in columns and in unions; or the estimator itself."""
    steps = getattr(estimator, "steps", None) or getattr(estimator, "transformer_list", None)
    steps = steps or getattr(estimator, "transformers_", None)
    if not steps:
        return [estimator]
    return [inner for _, step, *_ in steps if hasattr(step, "get_params") for inner in steps_in(step)]


def name_of(estimator):
    """Return the class of an estimator; for a pipeline, those of its steps."""
    if isinstance(estimator, Pipeline):
        return " + ".join(name_of(step) for _, step in estimator.steps if step not in (None, "passthrough"))
    return type(estimator).__name__


def _first_step(estimator):
    while isinstance(estimator, Pipeline):
        steps = [step for _, step in estimator.steps if step not in (None, "passthrough")]
        if not steps:
            raise ExportError("The pipeline has no steps to export.")
        estimator = steps[0]
    return estimator


def last_step(estimator):
    """Return the last step of a pipeline, or of the pipeline that is its last step."""
    while isinstance(estimator, Pipeline):
        estimator = estimator.steps[-1][1]
    return estimator


def _task(estimator):
    if isinstance(last_step(estimator), AutoencoderOutlierDetector):
        raise ExportError("AutoencoderOutlierDetector cannot be exported. Export its autoencoder_.")
    if is_classifier(estimator):
        return "multilabel" if getattr(last_step(estimator), "_multilabel", False) else "classifier"
    if is_regressor(estimator):
        return "regressor"
    if hasattr(estimator, "reconstruct"):
        return "autoencoder"
    if hasattr(estimator, "transform"):
        return "transformer"
    raise ExportError(
        f"Only classifiers, regressors, transformers and autoencoders can be exported. Received: {name_of(estimator)}."
    )


def _classes(estimator):
    if not is_classifier(estimator):
        return {}
    classes = estimator.classes_
    if not isinstance(classes, np.ndarray):
        raise ExportError("Classifiers with several outputs cannot be exported. Fit one classifier for each output.")
    labels = classes.tolist()
    if not all(isinstance(label, str | int | float | bool) for label in labels):
        raise ExportError(f"Class labels must be strings, numbers or booleans. Received: {labels[:3]}.")
    return {"classes": labels, "classes_dtype": classes.dtype.str if classes.dtype.kind != "O" else "object"}


def _feature_names(estimator):
    names = getattr(estimator, "feature_names_in_", None)
    return None if names is None else [str(name) for name in names]


def _describe_network(network, verify, fields):
    samples = None
    if verify is not None and network._padding is None:
        samples = np.asarray(verify)
    described = described_input(network, samples)
    kind = network._input_kind or {3: "image", 2: "sequence"}.get(len(network.input_shape_), "vector")
    divides = network._divides_bytes
    expected = "bytes from 0 to 255" if described.dtype == "uint8" else "floats in [0, 1]" if divides else "numbers"
    expected = "token ids" if kind == "tokens" else expected
    return Description(
        inputs=[described],
        kind=kind,
        divides_bytes=divides,
        input_range=expected,
        padding=network._padding,
        card=_card(network.model),
        **fields,
    )


def _card(model):
    if not isinstance(model, str) or registered_model(model) is None:
        return None
    card = model_card(model)
    return {name: getattr(card, name) for name in ("name", "summary", "license", "reference", "preprocessing")}


def _described_array(estimator, first, verify):
    """Return the input of a pipeline that begins with a transformer of arrays."""
    if verify is not None:
        X = np.asarray(verify)
        if X.dtype.kind not in "biuf":
            raise _not_numbers(first)
        dtype = X.dtype.name if X.dtype in (np.uint8, np.float32) else "float64"
        return Input(INPUT, dtype, tuple(X.shape[1:]))
    if not hasattr(first, "n_features_in_") or _takes_images(first):
        raise ExportError(
            f"The shape and dtype of the samples do not follow from {type(first).__name__}. Pass verify=X, with "
            "samples as for predict."
        )
    if any(known.dtype.kind not in "biuf" for known in getattr(first, "categories_", ())):
        raise _not_numbers(first)
    return Input(INPUT, "float64", (int(first.n_features_in_),))


def _not_numbers(first):
    name = type(first).__name__
    return ExportError(
        f"{name} receives columns that are not numbers, which can only be exported for a table, with an input for each "
        f"column. Put it into a ColumnTransformer: make_column_transformer(({name}(), columns)), or begin with "
        "make_tabular_preprocessor()."
    )


def _takes_images(first):
    tags = first.__sklearn_tags__().input_tags
    return tags.three_d_array or tags.string
