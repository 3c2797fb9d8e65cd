"""Tensors of layers in the graph of a Sequential or functional model."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np


def all_layers(layer: keras.layers.Layer) -> Iterator[keras.layers.Layer]:
    """Yield the layers of a model and of its nested models, from input to output; yield another layer as it is."""
    if not isinstance(layer, keras.Model):
        yield layer
        return
    for each in layer.layers:
        yield from all_layers(each)


def graph_tensors(model: keras.Model) -> dict[keras.layers.Layer, tuple[Any, Any]]:
    """Return the symbolic input and output of the direct layers of a model; the input of an input layer is None.

    ``layer.output`` may belong to another model: to the first one that calls the layer, or, for a nested model, to that
    model itself.
    """
    graph = keras.Model(model.inputs[0], model.outputs[0])
    nodes = itertools.chain.from_iterable(graph._nodes_by_depth.values())
    return {node.operation: (next(iter(node.input_tensors), None), node.output_tensors[0]) for node in nodes}


def layer_output(model: keras.Model, layer: keras.layers.Layer, X: np.ndarray) -> np.ndarray:
    """Compute the output of a layer of a model with one input, or of a layer of a nested model."""
    tensors = graph_tensors(model)
    if layer in tensors:
        return np.asarray(keras.Model(model.inputs[0], tensors[layer][1])(X, training=False), np.float32)
    outer = next(each for each in model.layers if layer in all_layers(each))
    return layer_output(outer, layer, keras.Model(model.inputs[0], tensors[outer][0])(X, training=False))
