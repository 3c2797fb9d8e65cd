"""From what callers pass as X to what a model of an input kind takes."""

import math
import warnings

import keras
import numpy as np
from sklearn.utils import assert_all_finite


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
        X = X.reshape(len(X), -1)
    return as_float32(X)


def n_samples_of(X):
    """Return the number of samples in an array, or in a list of arrays for several inputs."""
    return len(keras.tree.flatten(X)[0])


def as_float32(values, name="X"):
    """Convert validated numbers to float32; refuse those that are too large for it."""
    if values.dtype == np.float32:
        return values
    with np.errstate(over="ignore"):
        values = values.astype(np.float32)
    assert_all_finite(values, input_name=name)
    return values


def _as_images(X, image_shape, owner):
    if image_shape is not None:
        X = _in_image_shape(X, image_shape, owner)
    if X.ndim == 3:
        X = X[..., np.newaxis]
    if X.ndim != 4:
        raise ValueError(
            f"{owner} expects images of shape (n, height, width) or (n, height, width, channels). "
            f"Received: X of shape {X.shape}. For flattened rows give image_shape, such as "
            "image_shape=(28, 28, 1)."
        )
    if X.dtype == np.uint8:
        return X  # divided by 255 in the graph
    X = as_float32(X)
    if X.max() > 1:
        warnings.warn(
            f"{owner} expects float images in [0, 1] and does not rescale them; the maximum here is "
            f"{X.max():g}. Divide X by 255, or pass it as uint8, which is divided by 255.",
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
    return X.reshape(len(X), *shape)


def _as_sequences(X, owner):
    if X.ndim == 2:
        X = X[..., np.newaxis]
    if X.ndim != 3:
        raise ValueError(
            f"{owner} expects sequences of shape (n, steps, features), or (n, steps) with one feature. "
            f"Received: X of shape {X.shape}."
        )
    return X
