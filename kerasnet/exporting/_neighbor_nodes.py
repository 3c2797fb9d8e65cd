"""Conversion of the imputation by nearest neighbors to ONNX.

skl2onnx supports it for float32, without samples in which all values are missing, and for two columns or more.
"""

import numpy as np

from kerasnet.errors import ExportError
from kerasnet.exporting._nodes import Node, element_dtype


class KNNImputerNode(Node):
    """A :class:`~sklearn.impute.KNNImputer`."""

    def add_operators(self, add, inputs, outputs):
        """Add the search for neighbors, for the samples with missing values and the mean of the training samples."""
        value, dtype, known = inputs[0].full_name, element_dtype(inputs[0].type), self.step._fit_X
        self._check(known)
        present, means = ~np.isnan(known), np.nanmean(known, axis=0, keepdims=True)
        is_missing = add("IsNaN", value)
        has_missing = add("ReduceMax", add.cast(is_missing, np.int64), np.array([1]), keepdims=0)
        number = add("Mul", has_missing, add("CumSum", has_missing, np.array(0)))  # 0 is the row of means
        rows = add("Compress", add.cast(value, np.float64), add.cast(has_missing, bool), axis=0)
        rows = add("Concat", means, rows, axis=0)
        distances = self._distances(add, rows, np.where(present, known, 0), present.astype(float))
        columns = [
            self._column(add, distances, known[has_column, place], np.flatnonzero(has_column), means[0, place])
            for place, has_column in enumerate(present.T)
        ]
        imputed = add("Gather", add("Concat", *columns, axis=1), number, axis=0)
        add("Where", is_missing, add.cast(imputed, dtype), value, to=outputs[0])

    def _check(self, known):
        step = self.step
        is_default = (step.weights, step.metric, step.add_indicator) == ("uniform", "nan_euclidean", False)
        if not is_default or step.missing_values == step.missing_values or np.isnan(known).all(axis=0).any():
            raise ExportError(
                "KNNImputer with weights, metric, missing_values or add_indicator other than the defaults, or with "
                "columns that were entirely missing in fit, cannot be exported. Use SimpleImputer."
            )

    def _distances(self, add, rows, known, present):
        """Add the distances from training samples, infinity if no feature is present in both, as scikit-learn does."""
        is_missing, zero = add("IsNaN", rows), np.float64(0)
        filled = add("Where", is_missing, zero, rows)
        squares = add("Mul", filled, filled)
        distances = add("Mul", add("MatMul", filled, known.T), np.float64(-2))
        distances = add("Add", distances, add("ReduceSum", squares, np.array([1])))
        distances = add("Max", add("Add", distances, (known**2).sum(axis=1)), zero)
        distances = add("Sub", distances, add("MatMul", squares, 1 - present.T))
        distances = add("Sub", distances, add("MatMul", add.cast(is_missing, np.float64), known.T**2))
        n_present = add("MatMul", add.cast(add("Not", is_missing), np.float64), present.T)
        mean = add("Div", add("Max", distances, zero), add("Max", n_present, np.float64(1)))
        distance = add("Sqrt", add("Mul", mean, np.float64(known.shape[1])))
        return add("Where", add("Greater", n_present, np.float64(0)), distance, np.float64(np.inf))

    def _column(self, add, distances, values, places, mean):
        """Add the mean of a column over the nearest training samples that have it; over all if none has a distance."""
        zero, one = np.float64(0), np.float64(1)
        distances = add("Gather", distances, places, axis=1)
        n_neighbors = np.array([min(self.step.n_neighbors, len(places))])
        nearest, index = add.several("TopK", 2, distances, n_neighbors, axis=1, largest=0)
        weights = add("Where", add("IsInf", nearest), zero, one)
        total = add("ReduceSum", weights, np.array([1]))
        weighted = add("ReduceSum", add("Mul", weights, add("Gather", values, index)), np.array([1]))
        has_neighbor = add("Greater", total, zero)
        return add(
            "Where", has_neighbor, add("Div", weighted, add("Where", has_neighbor, total, one)), np.float64(mean)
        )
