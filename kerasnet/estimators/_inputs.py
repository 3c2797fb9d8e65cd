"""From what callers pass as X to what a model of an input kind takes."""

import functools
import math
import warnings

import keras
import numpy as np
from sklearn.utils import assert_all_finite

from kerasnet._lazy_array import LazyArray
from kerasnet.training import make_augmentation

_CHUNK = 2**25  # bytes that are read at once


def as_model_input(X, input_kind, image_shape, owner):
    """Bring validated data into the shape and dtype that a model takes.

    Parameters
    ----------
    X : ndarray of shape (n_samples, ...)
        Numeric.
    input_kind : {"image", "sequence", "vector"} or None
        What the model takes; None leaves the shape alone.
    image_shape : tuple (height, width[, channels]) or None
        The shape of images that come as flattened rows.
    owner : str
        The name of the estimator, for messages.

    Returns
    -------
    X : ndarray
        Images (n, height, width, channels), uint8 or float32; sequences (n, steps, features) or vectors
        (n, features), float32.
    """
    if image_shape is not None and input_kind != "image":
        raise ValueError(f"image_shape is for models of images, but {owner} takes input of kind {input_kind!r}.")
    if input_kind == "image":
        return _as_images(X, image_shape, owner)
    if input_kind == "sequence":
        X = _as_sequences(X, owner)
    elif input_kind == "vector":
        X = in_shape(X, (-1,))
    return as_float32(X) if input_kind is not None else as_numbers(X)


def n_samples_of(X):
    """Return the number of samples in an array, or in a list of arrays for several inputs."""
    return len(keras.tree.flatten(X)[0])


def by_rows(convert):
    """Let a function that converts an array also accept a `LazyArray`, whose rows it converts when they are read."""

    @functools.wraps(convert)
    def of_any(values, *arguments):
        if isinstance(values, LazyArray):
            return values.map_rows(convert, *arguments)
        return convert(values, *arguments)

    return of_any


def chunks_of(X):
    """Yield an array in memory as one chunk, and a `LazyArray` in chunks that are read one after the other."""
    yield from X.chunks(_CHUNK) if isinstance(X, LazyArray) else (X,)


def limits_of(X):
    """Return the smallest and the largest value of an array, or of a `LazyArray`, which is read for it."""
    smallest, largest = zip(*((chunk.min(), chunk.max()) for chunk in chunks_of(X)), strict=True)
    return min(smallest), max(largest)


@by_rows
def in_shape(X, shape):
    """Return samples, each in another shape."""
    return X.reshape(len(X), *shape)


@by_rows
def as_float32(values, name="X"):
    """Convert validated numbers to float32; refuse those that are too large for it."""
    if values.dtype == np.float32:
        return values
    with np.errstate(over="ignore"):
        values = values.astype(np.float32)
    assert_all_finite(values, input_name=name)
    return values


@by_rows
def as_numbers(values):
    """Return integers and float64 as they are, for the model to decide; uint8 as int32, since they are no images."""
    if values.dtype == np.uint8:
        return values.astype(np.int32)
    return values if values.dtype.kind in "iu" or values.dtype == np.float64 else as_float32(values)


def integers_as_inputs(model, X):
    """Convert numbers to what the inputs of a model take: to integers, or to float32.

    Parameters
    ----------
    model : keras.Model
        Built. A model that does not tell its inputs gets integers as they are, as in Keras.
    X : ndarray, or a list or dict of them
        Bytes, which are images, stay bytes.

    Returns
    -------
    X : ndarray, or a list or dict of them
    """
    inputs = getattr(model, "inputs", None) or []
    arrays = keras.tree.flatten(X)
    if len(inputs) != len(arrays):
        return keras.tree.map_structure(lambda array: array if array.dtype.kind in "iu" else as_float32(array), X)
    dtypes = [keras.backend.standardize_dtype(each.dtype) for each in inputs]
    if isinstance(X, dict):
        by_name = {each.name: dtype for each, dtype in zip(inputs, dtypes, strict=True)}
        return {name: _as_input(array, by_name.get(name, "float32")) for name, array in X.items()}
    return keras.tree.pack_sequence_as(X, [*map(_as_input, arrays, dtypes)])


@by_rows
def _as_input(array, dtype):
    if array.dtype == np.uint8:
        return array
    if "int" not in dtype:
        return as_float32(array)
    if array.dtype.kind == "f" and not (array == np.rint(array)).all():
        raise ValueError(f"The model takes integers. Received: X of dtype {array.dtype} with fractions.")
    return array.astype(dtype)


def warn_of_bytes(X, model, owner):
    """Warn that a ready-made model gets bytes as they are."""
    is_ready_made = isinstance(model, keras.Model) and not any(
        isinstance(layer, keras.layers.Rescaling | keras.layers.Normalization) for layer in model._flatten_layers()
    )
    if is_ready_made and X.dtype == np.uint8 and X.ndim > 2:
        warnings.warn(
            f"X holds bytes, and the model {model.name!r} takes them as they are: only models that are given by name "
            f"or by their builder, to {owner} as model=, have bytes divided by 255. Divide X by 255, or put a "
            "Rescaling layer into the model.",
            stacklevel=2,
        )


def warn_of_large_values(X, weights, owner):
    """Warn that samples are not in the range that pretrained weights were trained on."""
    _, largest = limits_of(X)
    if largest > 1:
        warnings.warn(
            f"The pretrained weights {weights!r} of {owner} expect values in [0, 1]; the maximum here is {largest:g}. "
            "Divide X by 255.",
            stacklevel=2,
        )


def check_augmentation(augmentation, X, model, owner):
    """Refuse an augmentation of anything but images, and one that changes their shape."""
    if augmentation is None:
        return
    if getattr(X, "ndim", None) != 4:
        shape = keras.tree.map_structure(np.shape, X)
        raise ValueError(
            f"augmentation={augmentation!r} is for images (n, height, width, channels), but the model {model!r} of "
            f"{owner} takes X of shape {shape}. Set augmentation=None."
        )
    if not isinstance(augmentation, str):
        image = np.zeros((1, *X.shape[1:]), np.float32)
        augmented = make_augmentation(augmentation)(image, training=True)
        if augmented.shape != image.shape:
            raise ValueError(
                f"augmentation={augmentation!r} must keep the shape of images. Expected {image.shape[1:]}, received "
                f"{tuple(augmented.shape[1:])}."
            )


def _as_images(X, image_shape, owner):
    if image_shape is not None:
        X = _in_image_shape(X, image_shape, owner)
    if X.ndim == 3:
        X = in_shape(X, (*X.shape[1:], 1))
    if X.ndim != 4:
        raise ValueError(
            f"{owner} expects images of shape (n, height, width) or (n, height, width, channels). "
            f"Received: X of shape {X.shape}. For flattened rows give image_shape, such as "
            "image_shape=(28, 28, 1)."
        )
    if X.dtype == np.uint8:
        return X  # divided by 255 in the graph
    X = as_float32(X)
    _, largest = limits_of(X)
    if largest > 1:
        warnings.warn(
            f"{owner} expects float images in [0, 1] and does not rescale them; the maximum here is "
            f"{largest:g}. Divide X by 255, or pass it as uint8, which is divided by 255.",
            stacklevel=2,
        )
    return X


def _in_image_shape(X, image_shape, owner):
    shape = tuple(image_shape)
    if len(shape) == 2:
        shape = (*shape, 1)
    if len(shape) != 3:
        raise ValueError(f"image_shape must be (height, width[, channels]). Received: {image_shape!r}.")
    matches = X.ndim == 2 and X.shape[1] == math.prod(shape)
    matches = matches or X.shape[1:] == shape or (*X.shape[1:], 1) == shape
    if not matches:
        raise ValueError(
            f"{owner} has image_shape={image_shape!r} and expects rows of {math.prod(shape)} values or images "
            f"of that shape. Received: X of shape {X.shape}."
        )
    return in_shape(X, shape)


def _as_sequences(X, owner):
    if X.ndim == 2:
        X = in_shape(X, (*X.shape[1:], 1))
    if X.ndim != 3:
        raise ValueError(
            f"{owner} expects sequences of shape (n, steps, features), or (n, steps) with one feature. "
            f"Received: X of shape {X.shape}."
        )
    if X.shape[1] == 1 and X.shape[2] > 1:
        warnings.warn(
            f"X of shape {X.shape} holds sequences of one step with {X.shape[2]} features, since {owner} takes "
            f"(n, steps, features). For {X.shape[2]} steps with one feature give X.reshape({len(X)}, {X.shape[2]}, 1).",
            stacklevel=2,
        )
    return X
