"""Checks of builders' arguments, one for each kind of value."""

import math
from numbers import Integral, Real

import keras


def check_input_shape(input_shape, axes=None):
    """Return `input_shape` as a tuple of sizes: one for each name in `axes`, or any number of them for None.

    The number of "steps" may be None.
    """
    shape = tuple(input_shape) if isinstance(input_shape, tuple | list) else ()
    right_length = len(shape) >= 1 if axes is None else len(shape) == len(axes)
    open_ended = axes is not None and axes[0] == "steps" and shape[:1] == (None,)
    if not right_length or not all(map(is_positive_int, shape[open_ended:])):
        expected = "a tuple of sizes" if axes is None else f"({', '.join(axes)})"
        raise ValueError(f"input_shape must be {expected}, positive ints. Received: {input_shape!r}.")
    return tuple(size if size is None else int(size) for size in shape)


def check_size(name, value):
    """Return `value` as an int of at least 1."""
    if not is_positive_int(value):
        raise ValueError(f"{name} must be a positive int. Received: {value!r}.")
    return int(value)


def check_sizes(name, values):
    """Return `values` as a tuple of ints of at least 1, one for each layer; an int is one layer."""
    sizes = (values,) if is_positive_int(values) else values
    if not isinstance(sizes, tuple | list) or not all(map(is_positive_int, sizes)):
        raise ValueError(
            f"{name} must be a positive int, or a tuple of them with one for each layer, such as (64,). "
            f"Received: {values!r}."
        )
    return tuple(map(int, sizes))


def count(name, values):
    """Return the number of layers that `values` gives sizes for."""
    return len(check_sizes(name, values))


def hidden_dropout(rate, name):
    """Return the dropout layer to put behind a hidden layer, in a list; an empty list when `rate` is 0."""
    if not isinstance(rate, Real) or not 0 <= rate < 1:
        raise ValueError(f"dropout must be a number in [0, 1). Received: {rate!r}.")
    return [keras.layers.Dropout(rate, name=name)] if rate else []


def mask_layer(mask_value):
    """Return the layer that has padded steps skipped, in a list; an empty list when `mask_value` is None."""
    if mask_value is None:
        return []
    if not isinstance(mask_value, Real) or not math.isfinite(mask_value):
        raise ValueError(f"mask_value must be a finite number or None. Received: {mask_value!r}.")
    return [keras.layers.Masking(float(mask_value), name="mask")]


def kernel_penalty(l1, l2):
    """Return the regulariser for kernels; None when both penalties are 0."""
    for name, value in (("l1", l1), ("l2", l2)):
        if not isinstance(value, Real) or value < 0:
            raise ValueError(f"{name} must be a number of at least 0. Received: {value!r}.")
    return keras.regularizers.L1L2(l1, l2) if l1 or l2 else None


def is_positive_int(value):
    """Tell whether a value is a whole number of at least 1."""
    return isinstance(value, Integral) and not isinstance(value, bool) and value >= 1
