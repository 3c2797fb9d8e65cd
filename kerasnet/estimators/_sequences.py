"""Validation of samples, including lists of sequences of different lengths, which are padded."""

import inspect
import warnings
from typing import Any

import numpy as np
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import validate_data

from kerasnet.estimators._inputs import as_float32
from kerasnet.estimators._parameters import get_builder
from kerasnet.estimators._tokens import check_not_text
from kerasnet.estimators._validation import validate_samples
from kerasnet.models import list_models

PADDING = float(np.finfo(np.float32).min)  # default padding value if `mask_value` is None


class SequenceInput:
    """Mixin class that validates arrays and lists of sequences."""

    _padding = None  # padding value, if the estimator was fitted on sequences of different lengths
    _columns = None  # column names, if sequences are data frames
    _target_checks: dict[str, Any] = {}  # noqa: RUF012 - arguments for validate_data of y

    def _validated(self, X, y="no_validation", *, reset):
        """Validate X, or X and y; return arrays."""
        X = self._with_columns_in_order(X, reset)
        without_y, sequences = isinstance(y, str), self._as_ragged(X, reset)
        if sequences is None:
            checks = {} if without_y else self._target_checks
            return validate_samples(self, X, y, reset=reset, **checks)
        X = self._padded(sequences, reset)
        if without_y:
            return X
        y = validate_data(self, y=y, reset=False, **self._target_checks)
        check_consistent_length(X, y)
        return X, y

    def _with_columns_in_order(self, X, reset):
        """Reorder the columns of data frames to the order of the first one in fit; return all else unchanged."""
        if not isinstance(X, list | tuple) or not X or not all(hasattr(each, "columns") for each in X):
            return X
        if reset or self._columns is None:
            self._columns = list(X[0].columns)
        other = [number for number, each in enumerate(X) if list(each.columns) != self._columns]
        if not other:
            return X
        if all(sorted(map(str, X[number].columns)) == sorted(map(str, self._columns)) for number in other):
            warnings.warn(
                f"The columns of {len(other)} of {len(X)} sequences are not in the order {self._columns}, and are "
                f"reordered by name. First of these sequences: number {other[0]}, {list(X[other[0]].columns)}.",
                stacklevel=2,
            )
            return [each[self._columns] for each in X]
        raise ValueError(
            f"All sequences must have the columns {self._columns}. "
            f"Received: {list(X[other[0]].columns)} in sequence {other[0]}."
        )

    def _as_ragged(self, X, reset):
        """Return sequences of different lengths as a list of arrays; None for other data."""
        if self.feature_encoder is not None:
            return None
        if reset:
            self._padding = None
        takes_tokens = self._kind_of_input() == "tokens"
        check_not_text(X, type(self).__name__, takes_tokens=takes_tokens)
        is_ragged = self._padding is not None
        if is_ragged and isinstance(X, list | tuple | np.ndarray) and not len(X):
            raise ValueError("Expected a list of arrays of shape (steps, features). Received: an empty list.")
        if is_ragged and isinstance(X, np.ndarray) and X.ndim == 2 and X.shape[1] == self.n_features_in_ > 1:
            raise ValueError(
                "Expected a list of arrays of shape (steps, features). Received: one array of shape "
                f"{X.shape}. Pass a single sequence as a list: [sequence]."
            )
        if not are_sequences(X) and not (is_ragged and isinstance(X, np.ndarray)):
            return None
        if takes_tokens:
            if len({len(each) for each in X}) > 1:
                raise ValueError(
                    "Texts must have the same number of token ids. Received: different lengths. Pad them with 0 at the "
                    "end, as TextVectorizer does."
                )
            return None
        mask_value = self._settings().get("mask_value")
        builder = self._builder(self.model) or get_builder(self.model)
        supports_masking = "mask_value" in inspect.signature(builder).parameters
        is_sequence_data = is_ragged or mask_value is not None or are_sequences(X, strict=True)
        if not (supports_masking and is_sequence_data) and len({len(each) for each in X}) == 1:
            return None
        if not supports_masking:
            raise ValueError(
                f"X contains sequences of different lengths, but the builder of {self.model!r} has no argument "
                f"mask_value. Use a sequence model: {', '.join(list_models(input_kind='sequence'))}."
            )
        if not reset and not is_ragged:
            raise ValueError(
                f"{type(self).__name__} was fitted on sequences of shape {self.input_shape_}. To support different "
                "lengths, fit it on a list of arrays of shape (steps, features), or set mask_value."
            )
        if reset:
            self._padding = PADDING if mask_value is None else float(mask_value)
        return as_sequences(X)

    def _padded(self, sequences, reset):
        """Validate the sequences; return them as one padded array."""
        steps = validate_data(self, np.concatenate(sequences), reset=reset)
        ends = np.cumsum([len(each) for each in sequences])[:-1]
        return padded(np.split(as_float32(steps), ends), self._padding)


def are_sequences(X, *, strict=False):
    """Return whether X is a list of sequences.

    Parameters
    ----------
    X : object
        Lists, tuples, object arrays and pandas Series may contain sequences; other objects do not.
    strict : bool, default=False
        If True, lists of lists and of one-dimensional arrays are treated as array-likes, not as sequences.

    Returns
    -------
    are_sequences : bool
        Whether X contains sequences, of equal or different lengths.
    """
    is_list = isinstance(X, list | tuple)
    if not is_list and not (isinstance(getattr(X, "dtype", None), np.dtypes.ObjectDType) and X.ndim == 1):
        return False
    least = 2 if strict and is_list else 1
    axes = [len(each.shape) if hasattr(each, "shape") else isinstance(each, list | tuple) for each in X]
    return len(axes) > 0 and min(axes) >= least


def as_sequences(X):
    """Convert sequences to a list of arrays of shape (steps, features); one-dimensional ones have one feature."""
    if empty := [number for number, each in enumerate(X) if not len(each)]:
        raise ValueError(f"Sequences must have at least one step. Received: empty sequences {empty[:5]}. Remove them.")
    sequences = [np.asarray(each) for each in X]
    sequences = [each[:, np.newaxis] if each.ndim == 1 else each for each in sequences]
    shapes = sorted({each.shape[1:] for each in sequences})
    if len(shapes) > 1 or len(shapes[0]) != 1:
        raise ValueError(
            "Sequences must be arrays of shape (steps, features) with the same number of features. "
            f"Received: steps of shapes {shapes}."
        )
    return sequences


def padded(sequences, value):
    """Pad sequences with `value` at the end; return one array of shape (n, steps, features)."""
    X = np.full((len(sequences), max(map(len, sequences)), sequences[0].shape[1]), value, np.float32)
    for row, sequence in zip(X, sequences, strict=True):
        row[: len(sequence)] = sequence
    return X
