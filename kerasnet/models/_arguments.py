"""Validation of builder arguments."""

import math
from numbers import Integral, Real

import keras

from kerasnet.models._layers import PaddingMask, SequenceMask, TokenEmbedding

_MIN_VOCABULARY_SIZE = 2  # padding and unknown tokens


def check_input_shape(input_shape, axes=None):
    """Return `input_shape` as a tuple of ints, with one size per name in `axes`; with any number of sizes for None.

    The size of the axis "steps" may be None.
    """
    shape = tuple(input_shape) if isinstance(input_shape, tuple | list) else ()
    has_valid_length = len(shape) >= 1 if axes is None else len(shape) == len(axes)
    has_variable_length = axes is not None and axes[0] == "steps" and shape[:1] == (None,)
    if not has_valid_length or not all(map(is_positive_int, shape[has_variable_length:])):
        expected = "a tuple of sizes" if axes is None else f"({', '.join(axes)}{',' * (len(axes) == 1)})"
        raise ValueError(f"input_shape must be {expected}, positive ints. Received: {input_shape!r}.")
    return tuple(size if size is None else int(size) for size in shape)


def check_size(name, value):
    """Return `value` as a positive int."""
    if not is_positive_int(value):
        raise ValueError(f"{name} must be a positive int. Received: {value!r}.")
    return int(value)


def check_sizes(name, values):
    """Return `values` as a tuple of positive ints, one per layer; an int stands for a single layer."""
    sizes = (values,) if is_positive_int(values) else values
    if not isinstance(sizes, tuple | list) or not all(map(is_positive_int, sizes)):
        raise ValueError(
            f"{name} must be a positive int, or a tuple of positive ints with one entry per layer, such as (64,). "
            f"Received: {values!r}."
        )
    return tuple(map(int, sizes))


def check_sizes_per_layer(name, values, n_layers):
    """Return `values` as a tuple of `n_layers` positive ints; an int is the size in every layer."""
    sizes = (values,) * n_layers if is_positive_int(values) else check_sizes(name, values)
    if len(sizes) != n_layers:
        raise ValueError(
            f"{name} must be a positive int, or a tuple with one entry per layer: {n_layers} entries. "
            f"Received: {values!r}."
        )
    return tuple(map(int, sizes))


def count_layers(name, values):
    """Return the number of layers that `values` defines."""
    return len(check_sizes(name, values))


def dropout_layers(rate, name):
    """Return a list with one dropout layer, or an empty list if `rate` is 0."""
    if not isinstance(rate, Real) or not 0 <= rate < 1:
        raise ValueError(f"dropout must be a number in [0, 1). Received: {rate!r}.")
    return [keras.layers.Dropout(rate, name=name)] if rate else []


def masking_layers(mask_value):
    """Return a list with one masking layer, or an empty list if `mask_value` is None."""
    mask_value = check_mask_value(mask_value)
    return [] if mask_value is None else [keras.layers.Masking(mask_value, name="mask")]


def check_mask_value(mask_value):
    """Return `mask_value` as a float or None."""
    if mask_value is None:
        return None
    if not isinstance(mask_value, Real) or not math.isfinite(mask_value):
        raise ValueError(f"mask_value must be a finite number or None. Received: {mask_value!r}.")
    return float(mask_value)


def embedding_layer(vocabulary_size, embedding_units, scale=0.05, mask_zero=True):
    """Return an embedding layer with initial weights that are uniform in [-`scale`, `scale`].

    With `mask_zero`, it returns a mask of padding (0), as in Keras.
    """
    if check_size("vocabulary_size", vocabulary_size) < _MIN_VOCABULARY_SIZE:
        raise ValueError(
            "vocabulary_size must be at least 2: the ids 0 and 1 are padding and unknown tokens. "
            f"Received: {vocabulary_size}."
        )
    return TokenEmbedding(
        int(vocabulary_size),
        check_size("embedding_units", embedding_units),
        embeddings_initializer=keras.initializers.RandomUniform(-scale, scale),
        mask_zero=mask_zero,
        name="embedding",
    )


def sequence_layers(input_shape, mask_value, vocabulary_size, embedding_units, mask_zero=True):
    """Return the first layers of a network for sequences: input and masking layer, or input and embedding of tokens."""
    if vocabulary_size is None:
        return [
            keras.Input(check_input_shape(input_shape, ("steps", "features")), name="input"),
            *masking_layers(mask_value),
        ]
    if mask_value is not None:
        raise ValueError(
            f"mask_value applies to floats; token ids are padded with 0. Received: mask_value={mask_value!r} and "
            f"vocabulary_size={vocabulary_size!r}. Leave out one of them."
        )
    shape = check_input_shape(input_shape, ("steps",))
    embedding = embedding_layer(vocabulary_size, embedding_units, mask_zero=mask_zero)
    return [keras.Input(shape, dtype="int32", name="input"), embedding]


def sequence_inputs(input_shape, mask_value, vocabulary_size, embedding_units):
    """Return the input of a functional model for sequences, the sequences with zeros at masked steps, and the mask.

    Tokens are embedded. The mask is None if no steps are masked. Otherwise it is a tensor that is True at steps that
    are not masked, to be passed to layers explicitly: implicit masks of Keras add layers without fixed names to a
    functional model.
    """
    if vocabulary_size is not None:
        inputs, embedding = sequence_layers(input_shape, mask_value, vocabulary_size, embedding_units, mask_zero=False)
        return inputs, embedding(inputs), PaddingMask(name="mask")(inputs)
    inputs = keras.Input(check_input_shape(input_shape, ("steps", "features")), name="input")
    mask_value = check_mask_value(mask_value)
    return inputs, *((inputs, None) if mask_value is None else SequenceMask(mask_value, name="mask")(inputs))


def make_regularizer(l1, l2):
    """Return the kernel regularizer, or None if both factors are 0."""
    for name, value in (("l1", l1), ("l2", l2)):
        if not isinstance(value, Real) or value < 0:
            raise ValueError(f"{name} must be a number of at least 0. Received: {value!r}.")
    return keras.regularizers.L1L2(l1, l2) if l1 or l2 else None


def is_positive_int(value):
    """Return whether `value` is an int of at least 1; bool is not accepted."""
    return isinstance(value, Integral) and not isinstance(value, bool) and value >= 1
