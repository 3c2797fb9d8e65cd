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
        value, dtype = inputs[0].full_name, element_dtype(inputs[0].type)
        training = self.step._fit_X.astype(np.float64)
        self._check(training)
        n_present, means = (~np.isnan(training)).sum(axis=0), np.nanmean(training, axis=0, keepdims=True)
        is_missing = add("IsNaN", value)
        has_missing = add("ReduceMax", add.cast(is_missing, np.int64), np.array([1]), keepdims=0)
        number = add("Mul", has_missing, add("CumSum", has_missing, np.array(0)))  # 0 is the row of means
        rows = add("Compress", add.cast(value, np.float64), add.cast(has_missing, bool), axis=0)
        rows, training = add("Concat", means, rows, axis=0), add.constant(training)
        distances = self._distances(add, rows, training)
        columns = [
            self._column(add, distances, training, place, n, means[0, place]) for place, n in enumerate(n_present)
        ]
        imputed = add("Gather", add("Concat", *columns, axis=1), number, axis=0)
        add("Where", is_missing, add.cast(imputed, dtype), value, to=outputs[0])

    def _check(self, training):
        step = self.step
        is_default = (step.weights, step.metric, step.add_indicator) == ("uniform", "nan_euclidean", False)
        if not is_default or step.missing_values == step.missing_values or np.isnan(training).all(axis=0).any():
            raise ExportError(
                "KNNImputer with weights, metric, missing_values or add_indicator other than the defaults, or with "
                "columns that were entirely missing in fit, cannot be exported. Use SimpleImputer."
            )

    def _distances(self, add, rows, training):
        """Add the distances from training samples, infinity if no feature is present in both, as scikit-learn does."""
        n_features, zero = self.step._fit_X.shape[1], np.float64(0)
        (missing, values, squares), (missing_known, known, known_squares) = (
            self._parts(add, numbers) for numbers in (rows, add("Transpose", training, perm=[1, 0]))
        )
        present, present_known = (add("Sub", np.float64(1), each) for each in (missing, missing_known))
        distances = add("Mul", add("MatMul", values, known), np.float64(-2))
        distances = add("Add", distances, add("MatMul", squares, present_known))
        distances = add("Add", distances, add("MatMul", present, known_squares))
        n_present = add("MatMul", present, present_known)
        mean = add("Div", add("Max", distances, zero), add("Max", n_present, np.float64(1)))
        distance = add("Sqrt", add("Mul", mean, np.float64(n_features)))
        return add("Where", add("Greater", n_present, zero), distance, np.float64(np.inf))

    def _parts(self, add, numbers):
        """Add whether numbers are missing, as 0 and 1, the numbers with 0 for missing ones, and their squares."""
        is_missing = add("IsNaN", numbers)
        values = add("Where", is_missing, np.float64(0), numbers)
        return add.cast(is_missing, np.float64), values, add("Mul", values, values)

    def _column(self, add, distances, training, place, n_present, mean):
        """Add the mean of a column over the nearest training samples that have it; over all if none has a distance."""
        zero, one, infinity = np.float64(0), np.float64(1), np.float64(np.inf)
        values = add("Gather", training, np.array(place), axis=1)
        distances = add("Where", add("IsNaN", values), infinity, distances)
        n_neighbors = np.array([min(self.step.n_neighbors, n_present)])
        nearest, index = add.several("TopK", 2, distances, n_neighbors, axis=1, largest=0)
        is_neighbor = add("Not", add("IsInf", nearest))
        total = add("ReduceSum", add.cast(is_neighbor, np.float64), np.array([1]))
        chosen = add("Where", is_neighbor, add("Gather", values, index), zero)
        has_neighbor = add("Greater", total, zero)
        found = add("Div", add("ReduceSum", chosen, np.array([1])), add("Max", total, one))
        return add("Where", has_neighbor, found, np.float64(mean))
