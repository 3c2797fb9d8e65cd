"""Conversion of the steps of tables to ONNX: imputers, encoders and clippers.

skl2onnx supports imputation of float32 and encoding of known categories. These nodes support float64, missing strings,
and all options of the encoders.
"""

from __future__ import annotations

import numpy as np
from sklearn.impute import SimpleImputer

from kerasnet.errors import ExportError
from kerasnet.exporting._nodes import Node, element_dtype, tensor_type

_ML = "ai.onnx.ml"


class IdentityNode(Node):
    """A step that does not change values in the exported model, such as a conversion of dtypes."""

    def add_operators(self, add, inputs, outputs):
        """Add an operator that returns its input."""
        add("Identity", inputs[0].full_name, to=outputs[0])


class CastNode(Node):
    """A conversion of the dtype before or after a step that computes in float32.

    Parameters
    ----------
    step : estimator
        The step.
    dtype : str
        The dtype of the output.
    """

    def __init__(self, step, dtype):
        super().__init__(step)
        self.dtype = dtype

    def output_types(self, inputs):
        """Return the name and type of the output."""
        return [("cast", tensor_type(self.dtype, inputs[0].type.shape))]

    def add_operators(self, add, inputs, outputs):
        """Add the conversion."""
        if element_dtype(inputs[0].type) == np.float64 and self.dtype == "float32":
            add.to_float32(inputs[0].full_name, to=outputs[0])
            return
        add.cast(inputs[0].full_name, self.dtype, to=outputs[0])


class ColumnsNode(Node):
    """The selection of columns by a ColumnTransformer that receives an array.

    Parameters
    ----------
    places : list of int
        The positions of the columns.
    """

    def __init__(self, places):
        super().__init__(None)
        self.places = places

    def add_operators(self, add, inputs, outputs):
        """Add the selection."""
        add("Gather", inputs[0].full_name, np.array(self.places, dtype=np.int64), axis=1, to=outputs[0])


class ClipperNode(Node):
    """An :class:`~kerasnet.preprocessing.OutlierClipper`."""

    def add_operators(self, add, inputs, outputs):
        """Add the comparisons with the limits."""
        value, dtype = inputs[0].full_name, element_dtype(inputs[0].type)
        low, high = (limits.astype(dtype) for limits in (self.step.lower_, self.step.upper_))
        is_low, is_high = add("Less", value, low), add("Greater", value, high)
        if self.step.action == "missing":
            add("Where", add("Or", is_low, is_high), np.array(np.nan, dtype), value, to=outputs[0])
        else:
            add("Where", is_high, high, add("Where", is_low, low, value), to=outputs[0])


class ImputerNode(Node):
    """A :class:`~sklearn.impute.SimpleImputer`.

    Parameters
    ----------
    step : SimpleImputer
        The fitted imputer.
    missing : str
        The string that represents a missing value.
    places : list of int, default=None
        The positions of the columns that the node receives. If None, all columns.
    """

    def __init__(self, step, missing, places=None):
        super().__init__(step)
        self.missing, self.places = missing, places

    def output_types(self, inputs):
        """Return the name and type of the output."""
        return [("variable", type(inputs[0].type)([None, None]))]

    def add_operators(self, add, inputs, outputs):
        """Add the replacement of missing values."""
        value, dtype, step = inputs[0].full_name, element_dtype(inputs[0].type), self.step
        statistics = step.statistics_ if self.places is None else step.statistics_[self.places]
        is_dropped = np.array([each is None or each != each for each in statistics], dtype=bool)
        if step.add_indicator or is_dropped.any():
            raise ExportError(
                "SimpleImputer with add_indicator=True, or with columns that were entirely missing in fit, cannot be "
                "exported. Set add_indicator=False and keep_empty_features=True."
            )
        is_string = dtype.kind == "O"
        fill = np.array([str(each) for each in statistics]) if is_string else statistics.astype(dtype)
        is_missing = _equals_string(add, value, self.missing) if is_string else add("IsNaN", value)
        add("Where", is_missing, fill.reshape(1, -1), value, to=outputs[0])


class EncoderNode(Node):
    """A :class:`~sklearn.preprocessing.OneHotEncoder` or :class:`~sklearn.preprocessing.OrdinalEncoder`.

    The encoder itself encodes each of its categories and an unknown one; the exported model looks the results up.

    Parameters
    ----------
    step : encoder
        The fitted encoder.
    missing : str
        The string that represents a missing value.
    dtype : str
        The dtype of the output.
    places : list of int, default=None
        The positions of the columns that the node receives. If None, all columns.
    """

    def __init__(self, step, missing, dtype, places=None):
        super().__init__(step)
        self.missing, self.dtype, self.places = missing, dtype, places

    def output_types(self, inputs):
        """Return the name and type of the output."""
        return [("variable", tensor_type(self.dtype, [None, None]))]

    def add_operators(self, add, inputs, outputs):
        """Add a lookup for each column."""
        value, is_string = inputs[0].full_name, element_dtype(inputs[0].type).kind == "O"
        parts, tables = [], encoded_categories(self.step)
        for number, place in enumerate(range(len(tables)) if self.places is None else self.places):
            column = add("Gather", value, np.array([number]), axis=1)
            categories, table = self.step.categories_[place], tables[place]
            if is_string:
                index = self._index_of_string(add, column, categories)
            else:
                index = _index_of_number(add, column, categories, element_dtype(inputs[0].type))
            parts.append(add("Gather", table.astype(self.dtype), index, axis=0))
        add("Concat", *parts, axis=1, to=outputs[0])

    def _index_of_string(self, add, column, categories):
        names = [self.missing if each is None or each != each else str(each) for each in categories]
        numbers = list(range(len(names)))
        index = add(
            "LabelEncoder", column, domain=_ML, keys_strings=names, values_int64s=numbers, default_int64=len(names)
        )
        return add("Reshape", index, np.array([-1]))


def encoded_categories(encoder):
    """Return a table for each column: the code of each category and, last, of an unknown one if it is supported."""
    first = np.array([known[0] for known in encoder.categories_], dtype=object)
    supports_unknown = encoder.handle_unknown != "error"
    variants = []
    for place, known in enumerate(encoder.categories_):
        values = [*known, *([_unknown(known)] if supports_unknown else [])]
        rows = np.tile(first, (len(values), 1))
        rows[:, place] = values
        variants.append(_encoded(encoder, rows))
    tables, start = [], 0
    for place, codes in enumerate(variants):
        width = _width(encoder, place)
        tables.append(codes[:, start : start + width])
        start += width
    return tables


def _encoded(encoder, rows):
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the unknown category, and the names of columns
        codes = encoder.transform(rows)
    return np.asarray(codes.toarray() if hasattr(codes, "toarray") else codes, dtype=np.float64)


def _unknown(known):
    """Return a value that is not among known categories."""
    if any(isinstance(each, str) for each in known):
        return "".join(each for each in known if isinstance(each, str)) + "?"
    return float(np.nanmax(known.astype(float))) + 1


def _width(encoder, place):
    """Return the number of output columns of an input column."""
    if not hasattr(encoder, "drop_idx_"):
        return 1
    infrequent = encoder.infrequent_categories_[place] if hasattr(encoder, "infrequent_categories_") else None
    n_categories = len(encoder.categories_[place])
    if infrequent is not None:
        n_categories -= len(infrequent) - 1
    is_dropped = encoder.drop_idx_ is not None and encoder.drop_idx_[place] is not None
    return n_categories - is_dropped


def _index_of_number(add, column, categories, dtype):
    """Return the indices of numbers among categories; unknown ones have the index after the last."""
    known = categories.astype(dtype).reshape(1, -1)
    matches = add("Equal", column, known)
    if np.isnan(known).any():
        matches = add("Or", matches, add("And", add("IsNaN", column), np.isnan(known)))
    matches = add.cast(matches, np.float32)
    is_unknown = add("Sub", np.float32(1), add("ReduceMax", matches, np.array([1]), keepdims=1))
    return add("ArgMax", add("Concat", matches, is_unknown, axis=1), axis=1, keepdims=0)


def _equals_string(add, value, text):
    found = add("LabelEncoder", value, domain=_ML, keys_strings=[text], values_int64s=[1], default_int64=0)
    return add.cast(found, bool)


def is_simple_imputer_of_missing_values(step):
    """Return whether a step is a SimpleImputer for NaN."""
    return isinstance(step, SimpleImputer) and (
        step.missing_values is None or step.missing_values != step.missing_values
    )
