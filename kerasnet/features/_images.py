"""Validation of images and chunked computation, shared by the feature extractors."""

import math
from numbers import Integral
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

_PIXELS_PER_CHUNK = 2**17  # temporary arrays of this size fit into the processor's cache


def check_images(images: Any, name: str = "images") -> np.ndarray:
    """Return images as an array of shape (n, h, w) or (n, h, w, c), uint8, float32 or float64."""
    images = check_array(images, dtype="numeric", allow_nd=True, ensure_2d=False, input_name=name)
    if images.ndim not in (3, 4) or 0 in images.shape:
        raise ValueError(
            f"Expected {name} of shape (n, height, width) or (n, height, width, channels). "
            f"Received: shape {images.shape}. Use images[np.newaxis] for a single image. Reshape flattened rows with "
            "rows.reshape(-1, height, width), or set image_shape=(height, width) in a transformer."
        )
    if images.dtype == np.uint8 or images.dtype in (np.float32, np.float64):
        return images
    return images.astype(np.float32 if images.dtype == np.float16 else np.float64)


def validate_images(transformer, X, reset):
    """Return the images in X. Flattened rows are reshaped to the transformer's `image_shape`."""
    X = validate_data(transformer, X, reset=reset, dtype="numeric", allow_nd=True)
    if transformer.image_shape is None:
        if X.ndim == 2:
            raise ValueError(
                f"{type(transformer).__name__} expects images of shape (n, height, width[, channels]). Received: X of "
                f"shape {X.shape}. Reshape your data, or set image_shape=(height, width[, channels])."
            )
        return check_images(X, "X")
    shape = tuple(transformer.image_shape)
    if len(shape) not in (2, 3) or not all(isinstance(size, Integral) and size > 0 for size in shape):
        raise ValueError(f"image_shape must be (height, width[, channels]). Received: {transformer.image_shape!r}.")
    if X.shape[1:] != shape and (X.ndim != 2 or X.shape[1] != math.prod(shape)):
        raise ValueError(
            f"{type(transformer).__name__} has image_shape={shape} and expects rows of {math.prod(shape)} values or "
            f"images of this shape. Received: X of shape {X.shape}."
        )
    return check_images(X.reshape(len(X), *shape), "X")


def run_in_chunks(function, images, n_jobs):
    """Call ``function(start, stop)`` for each chunk of the images, in threads."""
    chunk_size = max(1, _PIXELS_PER_CHUNK // math.prod(images.shape[1:]))
    starts = range(0, len(images), chunk_size)
    Parallel(n_jobs=n_jobs, prefer="threads", require="sharedmem")(
        delayed(function)(start, min(start + chunk_size, len(images))) for start in starts
    )


def check_pair(value, name):
    """Return a pair of positive integers."""
    values = tuple(value) if np.iterable(value) else ()
    if len(values) != 2 or not all(isinstance(item, Integral) and item >= 1 for item in values):
        raise ValueError(f"{name} must be a tuple of two positive integers, (rows, columns). Received: {value!r}.")
    return int(values[0]), int(values[1])
