"""Conversion of the steps of images to ONNX."""

from __future__ import annotations

import math

import numpy as np

from kerasnet.errors import ExportError
from kerasnet.exporting._nodes import Node, element_dtype, tensor_type

_EPSILON = 1e-5  # of kerasnet.features.hog


class HOGNode(Node):
    """A :class:`~kerasnet.features.HOGTransformer`.

    The stages are those of :func:`kerasnet.features.hog`. The bin of a gradient is found without an arctangent: an
    angle is at least that of an edge if the cross product of the edge and the gradient is not negative.
    """

    def output_types(self, inputs):
        """Return the name and type of the output."""
        dtype = "float64" if element_dtype(inputs[0].type) == np.float64 else "float32"
        return [("variable", tensor_type(dtype, [None, None]))]

    def add_operators(self, add, inputs, outputs):
        """Add the operators."""
        step, dtype = self.step, element_dtype(inputs[0].type)
        shape = tuple(step.image_shape or inputs[0].type.shape[1:])
        shape = (*shape, 1) if len(shape) == 2 else shape
        value = add("Reshape", inputs[0].full_name, np.array([-1, *shape]))
        result = np.float64 if dtype == np.float64 else np.float32
        if dtype == np.uint8:
            value = add.cast(value, np.float64)
        if step.transform_sqrt:
            value = add("Sqrt", value)
        cell = tuple(step.pixels_per_cell)
        n_cells = shape[0] // cell[0], shape[1] // cell[1]
        by_row, by_column = self._gradients(add, value, shape, (n_cells[0] * cell[0], n_cells[1] * cell[1]), dtype)
        histograms = self._histograms(add, by_row, by_column, n_cells, cell)
        self._normalized(add, add.cast(histograms, result), n_cells, result, outputs[0])

    def _gradients(self, add, value, shape, size, dtype):
        """Return the gradients of complete cells as float64 of shape (n, rows, columns, 1)."""
        gradients = []
        for axis in (1, 2):
            end = shape[axis - 1]
            difference = add(
                "Sub",
                add("Slice", value, *_ints([2], [end], [axis])),
                add("Slice", value, *_ints([0], [end - 2], [axis])),
            )
            pads = np.zeros((2, 4), np.int64)
            pads[:, axis] = 1
            padded = add("Pad", add.cast(difference, np.float64), pads.ravel())
            gradients.append(add("Slice", padded, *_ints([0, 0], size, [1, 2])))
        if shape[2] == 1:
            return gradients
        squares = add("Add", *(add("Mul", each, each) for each in gradients))
        magnitudes = add("Sqrt", squares)
        if dtype == np.float32:  # rounded as in the transformer, since equal magnitudes select the first channel
            magnitudes = add.cast(magnitudes, np.float32)
        strongest = add("ArgMax", magnitudes, axis=3, keepdims=1)
        return [add("GatherElements", each, strongest, axis=3) for each in gradients]

    def _histograms(self, add, by_row, by_column, n_cells, cell):
        """Return the histograms of shape (n, cell rows, cell columns, orientations) as float64."""
        orientations, zero = self.step.orientations, np.float64(0)
        edges = np.float32(180 / orientations) * np.arange(orientations + 1, dtype=np.float32)
        angles = np.deg2rad(edges[1:].astype(float))
        # Angles of 45, 90 and 135 degrees are the only ones of whole numbers that can be equal to an edge.
        cosines, sines = np.cos(angles).round(15), np.sin(angles).round(15)
        magnitudes = add("Sqrt", add("Add", add("Mul", by_row, by_row), add("Mul", by_column, by_column)))
        is_below = add("Less", by_row, zero)
        is_below = add("Or", is_below, add("And", add("Equal", by_row, zero), add("Less", by_column, zero)))
        sign = add("Where", is_below, np.float64(-1), np.float64(1))
        by_row, by_column = add("Mul", by_row, sign), add("Mul", by_column, sign)
        products = add("Sub", add("Mul", by_row, cosines), add("Mul", by_column, sines))
        reached = add.cast(add("GreaterOrEqual", products, zero), np.float64)
        if edges[-1] >= 180:  # no angle reaches the last edge
            reached = add("Mul", reached, np.array([1.0] * (orientations - 1) + [0.0]))
        begin = add("Concat", add("Add", add("Mul", magnitudes, zero), np.float64(1)), reached, axis=3)
        begin = add("Slice", begin, *_ints([0], [orientations], [3]))
        votes = add("Mul", magnitudes, add("Sub", begin, reached))
        votes = add("Reshape", votes, np.array([-1, n_cells[0], cell[0], n_cells[1], cell[1], orientations]))
        sums = add("ReduceSum", votes, np.array([2, 4]), keepdims=0)
        return add("Div", sums, np.float64(cell[0] * cell[1]))

    def _normalized(self, add, histograms, n_cells, dtype, output):
        """Add the normalization of overlapping blocks."""
        block, norm = tuple(self.step.cells_per_block), self.step.block_norm
        n_rows, n_columns = n_cells[0] - block[0] + 1, n_cells[1] - block[1] + 1
        cells = [
            add(
                "Unsqueeze",
                add("Slice", histograms, *_ints([row, column], [row + n_rows, column + n_columns], [1, 2])),
                np.array([3]),
            )
            for row in range(block[0])
            for column in range(block[1])
        ]
        blocks = add("Concat", *cells, axis=3) if len(cells) > 1 else cells[0]
        if norm in ("L1", "L1-sqrt"):
            sums = add("Add", add("ReduceSum", blocks, np.array([3, 4]), keepdims=1), dtype(_EPSILON))
            blocks = add("Div", blocks, sums)
            blocks = add("Sqrt", blocks) if norm == "L1-sqrt" else blocks
        else:
            blocks = _divided_by_norm(add, blocks, dtype)
            if norm == "L2-Hys":
                blocks = _divided_by_norm(add, add("Min", blocks, dtype(0.2)), dtype)
        n_features = n_rows * n_columns * math.prod(block) * self.step.orientations
        add("Reshape", blocks, np.array([-1, n_features]), to=output)


class ImageNode(Node):
    """An :class:`~kerasnet.features.ImagePreprocessor`, for images that are arrays of the right size."""

    def output_types(self, inputs):
        """Return the name and type of the output."""
        height, width = self.step.image_size
        shape = [height, width, 3] if self.step.color_mode == "rgb" else [height, width]
        return [
            ("variable", tensor_type(self.step.dtype, [None, *([math.prod(shape)] if self.step.flatten else shape)]))
        ]

    def add_operators(self, add, inputs, outputs):
        """Add the conversion of colors and of the dtype."""
        step, dtype, shape = self.step, element_dtype(inputs[0].type), tuple(inputs[0].type.shape[1:])
        n_channels = shape[2] if len(shape) == 3 else 1
        if step.deskew or shape[:2] != tuple(step.image_size) or n_channels not in (1, 3):
            raise ExportError(
                "ImagePreprocessor can be exported for arrays of its image_size with 1 or 3 channels, and without "
                f"deskew. Received: image_size={tuple(step.image_size)}, deskew={step.deskew}, and arrays of shape "
                f"{shape}. Resize the images before the pipeline."
            )
        if dtype == np.float64:
            raise ExportError("ImagePreprocessor can be exported for arrays of dtype uint8 or float32.")
        value = add("Reshape", inputs[0].full_name, np.array([-1, *shape[:2], n_channels]))
        if step.color_mode == "grayscale" and n_channels == 3:
            value = _gray(add, value, dtype)
        elif step.color_mode == "rgb" and n_channels == 1:
            value = add("Concat", value, value, value, axis=3)
        if dtype == np.float32:
            value = add("Clip", value, np.float32(0), np.float32(1))
        if dtype == np.uint8 and step.dtype == "float32":
            value = add("Div", add.cast(value, np.float32), np.float32(255))
        elif dtype == np.float32 and step.dtype == "uint8":
            value = add.cast(add("Round", add("Mul", value, np.float32(255))), np.uint8)
        add("Reshape", value, np.array([-1, *self.output_types(inputs)[0][1].shape[1:]]), to=outputs[0])


def _gray(add, value, dtype):
    """Return the brightness as OpenCV computes it: with weights of 15 bits for bytes."""
    if dtype == np.uint8:
        sums = add(
            "ReduceSum", add("Mul", add.cast(value, np.int32), np.array([9798, 19235, 3735], np.int32)), np.array([3])
        )
        return add.cast(add("Div", add("Add", sums, np.int32(1 << 14)), np.int32(1 << 15)), np.uint8)
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    return add("ReduceSum", add("Mul", value, weights), np.array([3]))


def _divided_by_norm(add, blocks, dtype):
    squares = add("ReduceSum", add("Mul", blocks, blocks), np.array([3, 4]), keepdims=1)
    return add("Div", blocks, add("Sqrt", add("Add", squares, dtype(_EPSILON**2))))


def _ints(*values):
    return [np.array(each, np.int64) for each in values]
