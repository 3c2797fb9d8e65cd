"""Conversion of fitted estimators and pipelines to ONNX."""

import functools
import textwrap

from sklearn.base import is_classifier

from kerasnet.errors import ExportError
from kerasnet.exporting import _nodes
from kerasnet.exporting._describe import last_step
from kerasnet.exporting._networks import INPUT
from kerasnet.exporting._packages import require, session_of
from kerasnet.exporting._preparation import SUPPORTED, leaves, not_supported, prepared
from kerasnet.exporting._tf2onnx import OPSET

OUTPUTS = {
    "autoencoder": ("reconstruction", "code"),
    "classifier": ("label", "probabilities"),
    "multilabel": ("label", "probabilities"),
}
_OPSETS = {"": OPSET, "ai.onnx.ml": 3}


def onnx_of(estimator, description):
    """Convert an estimator to ONNX.

    Parameters
    ----------
    estimator : estimator
        A fitted estimator, transformer or pipeline.
    description : Description
        The description of its inputs.

    Returns
    -------
    model : onnx.ModelProto
        The model.

    Raises
    ------
    ExportError
        If a step cannot be converted.
    """
    try:
        return _converted(estimator, description)
    except _ConversionError:  # skl2onnx supports many models for float32 only
        pass
    try:
        return _converted(estimator, description, (type(last_step(estimator)),))
    except _ConversionError as error:
        for step, path in leaves(prepared(estimator, description)[0]):
            if reason := _reason(step):
                hint = f"skl2onnx cannot convert it: {reason} Supported: {SUPPORTED}."
                raise not_supported(step, path, hint) from error
        raise ExportError(f"{description.estimator} cannot be exported to ONNX: {error}") from error


class _ConversionError(Exception):
    """Raised when skl2onnx cannot convert a model, or onnxruntime cannot load it."""


def _reason(step):
    """Return why skl2onnx cannot convert a step to a model that onnxruntime loads; None if it can."""
    types = [(INPUT, _nodes.tensor_type("float32", [None, step.n_features_in_]))]
    try:
        session_of(require("skl2onnx").convert_sklearn(step, "step", types, target_opset=_OPSETS).SerializeToString())
    except Exception as error:  # skl2onnx and onnxruntime raise any
        return textwrap.shorten(str(error), 200, placeholder=" ...")
    return None


def _converted(estimator, description, float32=()):
    skl2onnx = require("skl2onnx")
    root, node_types = prepared(estimator, description, float32)
    graphs, outputs = {}, OUTPUTS.get(description.task, ("variable",))
    if clashes := [each.name for each in description.inputs if each.name in outputs]:
        raise ExportError(f"Columns must not have the names of outputs. Rename before fit: {clashes}.")
    types = [(each.name, _nodes.tensor_type(each.dtype, [None, *each.shape])) for each in description.inputs]
    try:
        model = skl2onnx.convert_sklearn(
            root,
            initial_types=types,
            target_opset=_OPSETS,
            options=_options(root),
            custom_conversion_functions=dict.fromkeys(node_types, functools.partial(_nodes.convert, graphs)),
            custom_shape_calculators=dict.fromkeys(node_types, lambda operator: None),
            custom_parsers=dict.fromkeys(node_types, _nodes.parse),
        )
    except ExportError:
        raise
    except Exception as error:  # skl2onnx raises any
        raise _ConversionError(textwrap.shorten(str(error), 200, placeholder=" ...")) from error
    _nodes.replace_placeholders(model, graphs)
    if description.task == "classifier" and not hasattr(estimator, "predict_proba"):
        del model.graph.output[1:]  # scores, which are not probabilities
    _rename(model, [*model.graph.input, *model.graph.output], [*(each.name for each in description.inputs), *outputs])
    try:
        session_of(model.SerializeToString())
    except Exception as error:  # onnxruntime has no base class of its errors
        raise _ConversionError(str(error)) from error
    return model


def _rename(model, values, names):
    """Rename inputs and outputs; skl2onnx changes names with spaces, and has no fixed names of outputs."""
    changed = {each.name: name for each, name in zip(values, names, strict=False) if each.name != name}
    changed |= {name: f"kerasnet_{name}" for name in changed.values() if name not in changed}  # if it is in use
    for each in values:
        each.name = changed.get(each.name, each.name)
    for node in model.graph.node:
        node.input[:] = [changed.get(name, name) for name in node.input]
        node.output[:] = [changed.get(name, name) for name in node.output]


def _options(step):
    """Return the options of skl2onnx for the last step: probabilities of classifiers as an array."""
    step = last_step(step)
    if not is_classifier(step):
        return None
    return {id(step): {"zipmap": False} if hasattr(step, "predict_proba") else {}}


def with_metadata(model, description):
    """Return the content of an ONNX file with a description as metadata."""
    model.graph.name = description.estimator
    model.producer_name, model.producer_version = "kerasnet", description.kerasnet_version
    require("onnx.helper").set_model_props(model, description.as_metadata())
    return model.SerializeToString()
