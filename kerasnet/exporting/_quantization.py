"""Weights of ONNX models as int8.

onnxruntime's own dynamic quantization has one scale for the activations of all samples in a batch, so that an outlier
changes the predictions of the other samples, and its integer convolutions are several times slower than float32.
Therefore only the weights are quantized: onnxruntime converts them to float32 once, when it loads the model.
"""

import numpy as np

from kerasnet.errors import ExportError
from kerasnet.exporting._nodes import NETWORK
from kerasnet.exporting._packages import require

MIN_SIZE = 1000
# For each operator, the axes that are summed over: the weights along these axes have a common scale.
_SUMMED = {
    "Conv": lambda n_axes: tuple(range(1, n_axes)),
    "Gather": lambda n_axes: (-1,),
    "GRU": lambda n_axes: (-1,),
    "LSTM": lambda n_axes: (-1,),
    "MatMul": lambda n_axes: (-2,),
}


def quantize_weights(model, description):
    """Replace the large weights of networks in an ONNX model by int8 values and scales, in place.

    Parameters
    ----------
    model : onnx.ModelProto
        The model.
    description : Description
        The description of the model.

    Raises
    ------
    ExportError
        If there are no large weights of networks.
    """
    size = model.ByteSize()
    _quantize_graph(model.graph)
    if not model.ByteSize() < 0.9 * size:
        raise ExportError(
            f'quantize="int8" makes networks smaller, with weights of {MIN_SIZE:,} numbers or more. '
            f"{description.estimator} has none, or they are a small part of it. Export without quantize."
        )


def _quantize_graph(graph):
    helper, numpy_helper = require("onnx.helper", "onnx.numpy_helper")
    added = []
    for tensor in [each for each in graph.initializer if each.name.startswith(NETWORK)]:
        values = numpy_helper.to_array(tensor)
        operators = _operators_of(tensor.name, graph)
        if values.dtype != np.float32 or values.size < MIN_SIZE or len(operators) != 1 or not operators <= set(_SUMMED):
            continue
        axes = _SUMMED[operators.pop()](values.ndim)
        largest = np.abs(values).max(axis=axes, keepdims=True)
        scale = np.where(largest > 0, largest, 1).astype(np.float32) / np.float32(127)
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(np.rint(values / scale).astype(np.int8), f"{name}_int8"))
        graph.initializer.append(numpy_helper.from_array(scale, f"{name}_scale"))
        added += [
            helper.make_node("Cast", [f"{name}_int8"], [f"{name}_float32"], to=1),
            helper.make_node("Mul", [f"{name}_float32", f"{name}_scale"], [name]),
        ]
    nodes = [*added, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    for inner in _subgraphs(graph):
        _quantize_graph(inner)


def _operators_of(name, graph):
    """Return the types of the operators that take a value; in a loop, those of its body that do."""
    found = set()
    for node in graph.node:
        for place, each in enumerate(node.input):
            if each == name and node.op_type == "Loop":
                (body,) = (attribute.g for attribute in node.attribute if attribute.name == "body")
                found |= _operators_of(body.input[place].name, body)
            elif each == name:
                found.add(node.op_type)
    return found.union(*(_operators_of(name, inner) for inner in _subgraphs(graph)))


def _subgraphs(graph):
    """Return the bodies of loops."""
    return [attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")]
