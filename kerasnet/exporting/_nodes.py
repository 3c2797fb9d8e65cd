"""Steps of a pipeline that kerasnet converts to ONNX itself; skl2onnx converts the other steps."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator

from kerasnet.exporting._description import Input
from kerasnet.exporting._networks import described_input, inference_model
from kerasnet.exporting._packages import require
from kerasnet.exporting._tf2onnx import OPSET, onnx_of_keras

PLACEHOLDER = "kerasnet"  # domain of operators that stand for a network
NETWORK = "kerasnet_network"  # names of the weights of networks start with it


class Node(BaseEstimator):
    """A step of a pipeline that takes the place of a fitted step during the conversion.

    Parameters
    ----------
    step : estimator
        The fitted step.
    """

    def __init__(self, step):
        self.step = step

    def output_types(self, inputs):
        """Return the names and skl2onnx types of the outputs for variables."""
        return [("variable", type(inputs[0].type)([None, None]))]

    def add_operators(self, add, inputs, outputs):
        """Add operators to the graph.

        Parameters
        ----------
        add : Operators
            A function that adds operators.
        inputs : list of Variable
            The variables of the graph that this step receives.
        outputs : list of str
            The names of the outputs that must be computed.
        """
        raise NotImplementedError


class Operators:
    """Add operators to a graph: ``add("Sub", left, right)`` returns the name of the result.

    Inputs are names, or arrays, which become constants.
    """

    def __init__(self, scope, container, graphs):
        self._scope, self._container, self._graphs = scope, container, graphs

    def __call__(self, operator, *inputs, to=None, domain="", **attributes):
        """Add an operator and return the name of its output, which is `to` if given."""
        return self.several(operator, 1, *inputs, to=None if to is None else [to], domain=domain, **attributes)[0]

    def several(self, operator, n_outputs, *inputs, to=None, domain="", **attributes):
        """Add an operator with several outputs and return their names, which are `to` if given."""
        outputs = to or [self._scope.get_unique_variable_name(f"kerasnet_{operator.lower()}") for _ in range(n_outputs)]
        names = [each if isinstance(each, str) else self.constant(each) for each in inputs]
        name = self._scope.get_unique_operator_name(operator)
        self._container.add_node(operator, names, outputs, op_domain=domain, name=name, **attributes)
        return outputs

    def constant(self, value):
        """Add a constant and return its name."""
        helper = require("onnx.numpy_helper")
        name, value = self._scope.get_unique_variable_name("kerasnet_constant"), np.asarray(value)
        value = value.astype(object) if value.dtype.kind == "U" else value
        self._container.initializers.append(helper.from_array(value, name))
        return name

    def to_float32(self, value, to=None):
        """Convert float64 to float32, which is an error at run time for values that become infinite.

        scikit-learn and kerasnet raise an error for them, too. An index that does not exist is the error in ONNX.
        """
        is_infinite = self("Greater", self("Abs", value), np.float64(np.finfo(np.float32).max))
        index = self("ReduceMax", self.cast(is_infinite, np.int32), keepdims=0)
        return self("Add", self.cast(value, np.float32), self("Gather", np.zeros(1, np.float32), index), to=to)

    def cast(self, value, dtype, to=None):
        """Convert the elements of a tensor to a NumPy dtype."""
        helper = require("onnx.helper")
        output = self._scope.get_unique_variable_name("kerasnet_cast") if to is None else to
        element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        name = self._scope.get_unique_operator_name("Cast")
        self._container.add_node("Cast", [value], [output], name=name, to=element)
        return output

    def graph(self, model, inputs):
        """Add the graph of an ONNX model, and return the names of its outputs.

        A placeholder is added, which :func:`replace_placeholders` replaces: skl2onnx sorts operators, and does not
        support the optional inputs of some.

        Parameters
        ----------
        model : onnx.ModelProto
            The model.
        inputs : dict of str to str
            The names of its inputs, mapped to names in this graph.

        Returns
        -------
        outputs : dict of str to str
            The names of its outputs, mapped to names in this graph.
        """
        compose = require("onnx.compose")
        name = self._scope.get_unique_variable_name(NETWORK)
        outputs = {each.name: f"{name}/{each.name}" for each in model.graph.output}
        self._graphs[name] = compose.add_prefix(model, f"{name}/"), {f"{name}/{key}": inputs[key] for key in inputs}
        self._container.add_node(
            name, [*inputs.values()], [*outputs.values()], op_domain=PLACEHOLDER, op_version=1, name=name
        )
        return outputs


def replace_placeholders(model, graphs):
    """Replace the placeholders in an ONNX model by the graphs of networks."""
    helper = require("onnx.helper")
    nodes = list(model.graph.node)
    del model.graph.node[:]
    for node in nodes:
        if node.domain != PLACEHOLDER:
            model.graph.node.append(node)
            continue
        network, inputs = graphs[node.op_type]
        model.graph.node.extend(helper.make_node("Identity", [value], [name]) for name, value in inputs.items())
        model.graph.node.extend(network.graph.node)
        model.graph.initializer.extend(network.graph.initializer)
    kept = [each for each in model.opset_import if each.domain != PLACEHOLDER]
    del model.opset_import[:]
    model.opset_import.extend(kept)


class NetworkNode(Node):
    """A network of kerasnet.

    Parameters
    ----------
    step : estimator
        The fitted estimator.
    as_transformer : bool
        Whether the output of ``transform`` is needed, for a step that is not the last one.
    """

    def __init__(self, step, as_transformer=False):
        super().__init__(step)
        self.as_transformer = as_transformer

    def output_types(self, inputs):
        """Return the names and types of the outputs."""
        types = require("skl2onnx.common.data_types")
        step, numbers = self.step, types.FloatTensorType([None, None])
        if hasattr(step, "predict_proba"):
            label = [None, len(step.classes_)] if step._multilabel else [None]
            return [("label", label_type(step.classes_.dtype)(label)), ("probabilities", numbers)]
        if hasattr(step, "reconstruct") and not self.as_transformer:
            shape = [None, *step.sample_shape_]
            return [("reconstruction", types.FloatTensorType(shape)), ("code", numbers)]
        return [("variable", types.DoubleTensorType([None, None]) if hasattr(step, "target_scale_") else numbers)]

    def add_operators(self, add, inputs, outputs):
        """Add the operators of the network."""
        described = described_input(self.step)
        element = element_dtype(inputs[0].type)
        shape = inputs[0].type.shape
        if len(shape) > 2 or (len(shape) == 2 and shape[1] is not None):
            described = Input(described.name, described.dtype, tuple(shape[1:]))
        if (described.dtype == "uint8") != (element == np.uint8) and self.step._divides_bytes:
            described = Input(described.name, "uint8" if element == np.uint8 else "float32", described.shape)
        value = inputs[0].full_name
        if element == np.float64 and described.dtype == "float32":
            value = add.to_float32(value)
        elif element != np.dtype(described.dtype):
            value = add.cast(value, described.dtype)
        model = inference_model(self.step, described)
        found = add.graph(onnx_of_keras(model), {described.name: value})
        if "probabilities" in found:
            self._add_label(add, found["probabilities"], outputs[0])
            add("Identity", found["probabilities"], to=outputs[1])
        elif self.as_transformer and "code" in found:
            add("Identity", found["code"], to=outputs[0])
        else:
            for name, output in zip(sorted(found, reverse=True), outputs, strict=True):  # reconstruction, code
                add("Identity", found[name], to=output)

    def _add_label(self, add, probabilities, output):
        form = self.step._class_outputs()
        if not form.one_label:
            add.cast(add("Greater", probabilities, np.float32(0.5)), np.int64, to=output)
            return
        index = add("ArgMax", probabilities, axis=1, keepdims=0)
        labels = self.step.classes_
        if self.step._multilabel:
            labels = np.eye(len(labels), dtype=np.int64)
        elif labels.dtype.kind in "iu":
            labels = labels.astype(np.int64)
        add("Gather", labels, index, to=output, axis=0)


def label_type(dtype):
    """Return the skl2onnx type of class labels."""
    types = require("skl2onnx.common.data_types")
    by_kind = {"b": types.BooleanTensorType, "f": types.DoubleTensorType, "i": types.Int64TensorType}
    return {**by_kind, "u": types.Int64TensorType}.get(dtype.kind, types.StringTensorType)


def tensor_type(dtype, shape):
    """Return the skl2onnx type of a tensor of a NumPy dtype or "string"."""
    types = require("skl2onnx.common.data_types")
    name = {"float32": "Float", "float64": "Double", "uint8": "UInt8", "int32": "Int32", "int64": "Int64"}.get(
        str(dtype), "String"
    )
    return getattr(types, f"{name}TensorType")(list(shape))


def element_dtype(type_):
    """Return the NumPy dtype of the elements of a skl2onnx type; object for strings."""
    types = require("skl2onnx.common.data_types")
    for dtype in ("float32", "float64", "uint8", "int32", "int64"):
        if type(type_) is type(tensor_type(dtype, [])):
            return np.dtype(dtype)
    return np.dtype(bool) if isinstance(type_, types.BooleanTensorType) else np.dtype(object)


def parse(scope, node, inputs, custom_parsers=None):
    """Declare a node and its outputs for skl2onnx."""
    operator = scope.declare_local_operator(type(node).__name__, node)
    operator.inputs = inputs
    for name, type_ in node.output_types(inputs):
        operator.outputs.append(scope.declare_local_variable(name, type_))
    return list(operator.outputs)


def convert(graphs, scope, operator, container):
    """Convert a node for skl2onnx; graphs of networks are stored in the dict `graphs`."""
    container.node_domain_version_pair_sets.add(("", OPSET))
    outputs = [each.full_name for each in operator.outputs]
    operator.raw_operator.add_operators(Operators(scope, container, graphs), list(operator.inputs), outputs)
