"""Samples as scikit-learn takes them, and beside these lists of sequences of different lengths, which are padded."""

import inspect
import warnings

import numpy as np
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import validate_data

from kerasnet.estimators._inputs import as_float32
from kerasnet.estimators._parameters import builder_of
from kerasnet.estimators._validation import validate_samples

PADDING = float(np.finfo(np.float32).min)  # where `mask_value` names no other; the lowest there is


class SequenceInput:
    """The part of an estimator that validates samples, in whichever of these forms they come."""

    _padding = None  # what is behind the end of sequences, when they are of different lengths
    _columns = None  # of sequences that are frames
    _target_checks = {}  # noqa: RUF012 - options of scikit-learn's validation of y

    def _validated(self, X, y="no_validation", *, reset):
        """Return X, or X and y, as arrays."""
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
        """Return frames of steps with their columns in the order of the first frame in fit; anything else as it is."""
        if not isinstance(X, list | tuple) or not X or not all(hasattr(each, "columns") for each in X):
            return X
        if reset or self._columns is None:
            self._columns = list(X[0].columns)
        other = [number for number, each in enumerate(X) if list(each.columns) != self._columns]
        if not other:
            return X
        if all(sorted(map(str, X[number].columns)) == sorted(map(str, self._columns)) for number in other):
            warnings.warn(
                f"The columns of {len(other)} of {len(X)} sequences are in another order than {self._columns}, such as "
                f"those of number {other[0]}: {list(X[other[0]].columns)}. They are taken by name.",
                stacklevel=2,
            )
            return [each[self._columns] for each in X]
        raise ValueError(
            f"All sequences must have the columns {self._columns}. "
            f"Received: {list(X[other[0]].columns)} in number {other[0]}."
        )

    def _as_ragged(self, X, reset):
        """Return sequences of any length as a list of arrays; None for anything else."""
        if self.feature_encoder is not None:
            return None
        if reset:
            self._padding = None
        takes_any = self._padding is not None
        if takes_any and isinstance(X, list | tuple | np.ndarray) and not len(X):
            raise ValueError("Expected sequences, as a list of arrays of shape (steps, features). Received: none.")
        if not are_sequences(X) and not (takes_any and isinstance(X, np.ndarray)):
            return None
        mask_value = self._settings().get("mask_value")
        takes_masks = "mask_value" in inspect.signature(self._builder(self.model) or builder_of(self.model)).parameters
        are_meant = takes_any or mask_value is not None or are_sequences(X, without_doubt=True)
        if not (takes_masks and are_meant) and len({len(each) for each in X}) == 1:
            return None
        if not takes_masks:
            raise ValueError(
                f"X holds samples of different lengths, which {self.model!r} does not take, since its builder has no "
                "argument mask_value. Models of sequences do: lstm, gru, conv1d, attention and simple_rnn."
            )
        if not reset and not takes_any:
            raise ValueError(
                f"{type(self).__name__} was fitted on sequences of shape {self.input_shape_} and takes no others. "
                "For it to take any length, fit it on a list of arrays (steps, features), or set mask_value."
            )
        if reset:
            self._padding = PADDING if mask_value is None else float(mask_value)
        return as_sequences(X)

    def _padded(self, sequences, reset):
        """Validate the steps of all sequences; return these as one array."""
        steps = validate_data(self, np.concatenate(sequences), reset=reset)
        ends = np.cumsum([len(each) for each in sequences])[:-1]
        return padded(np.split(as_float32(steps), ends), self._padding)


def are_sequences(X, *, without_doubt=False):
    """Tell whether X is a list of sequences; with `without_doubt`, not one that could as well be nested for an array.

    Parameters
    ----------
    X : object
        Of lists, tuples, object arrays and pandas Series the members are looked at; all else holds no sequences.
    without_doubt : bool, default=False
        Whether lists do not count whose members are lists, or arrays of one axis.

    Returns
    -------
    are_sequences : bool
        Of any lengths.
    """
    is_list = isinstance(X, list | tuple)
    if not is_list and not (isinstance(getattr(X, "dtype", None), np.dtypes.ObjectDType) and X.ndim == 1):
        return False
    least = 2 if without_doubt and is_list else 1
    axes = [np.ndim(each) if hasattr(each, "ndim") else isinstance(each, list | tuple) for each in X]
    return len(axes) > 0 and min(axes) >= least


def as_sequences(X):
    """Return sequences as a list of arrays (steps, features); those of one axis have one feature."""
    if empty := [number for number, each in enumerate(X) if not len(each)]:
        raise ValueError(f"Sequences need at least one step. Received: none in {empty[:5]}. Leave these samples out.")
    sequences = [np.asarray(each) for each in X]
    sequences = [each[:, np.newaxis] if each.ndim == 1 else each for each in sequences]
    shapes = sorted({each.shape[1:] for each in sequences})
    if len(shapes) > 1 or len(shapes[0]) != 1:
        raise ValueError(
            "A list of sequences must hold arrays of shape (steps, features), all with the same features. "
            f"Received: steps of shapes {shapes}."
        )
    return sequences


def padded(sequences, value):
    """Return sequences as one array (n, steps, features), with `value` behind the end of the shorter ones."""
    X = np.full((len(sequences), max(map(len, sequences)), sequences[0].shape[1]), value, np.float32)
    for row, sequence in zip(X, sequences, strict=True):
        row[: len(sequence)] = sequence
    return X
