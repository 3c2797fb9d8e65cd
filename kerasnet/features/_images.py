"""What the features ask of images, and how they are handed out in chunks."""

import math
from numbers import Integral

import numpy as np
from joblib import Parallel, delayed
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

_PIXELS_A_CHUNK = 2**17  # what is computed on the way stays in the processor's cache


def check_images(images, name="images"):
    """Return images as an array of (n, h, w) or (n, h, w, c), uint8 or floats; anything else is an error."""
    images = check_array(images, dtype="numeric", allow_nd=True, ensure_2d=False, input_name=name)
    if images.ndim not in (3, 4) or 0 in images.shape:
        raise ValueError(
            f"Expected {name} of shape (n, height, width) or (n, height, width, channels). "
            f"Received: shape {images.shape}. A single image is images[np.newaxis]; flattened rows are "
            "rows.reshape(-1, height, width), or image_shape=(height, width) of a transformer."
        )
    if images.dtype == np.uint8 or images.dtype in (np.float32, np.float64):
        return images
    return images.astype(np.float32 if images.dtype == np.float16 else np.float64)


def validated_images(transformer, X, reset):
    """Return the images that a transformer was given as images or, with its `image_shape`, as flattened rows."""
    X = validate_data(transformer, X, reset=reset, dtype="numeric", allow_nd=True)
    if transformer.image_shape is None:
        if X.ndim == 2:
            raise ValueError(
                f"{type(transformer).__name__} expects images of shape (n, height, width[, channels]). Received: X of "
                f"shape {X.shape}. Reshape your data, or give image_shape=(height, width[, channels])."
            )
        return check_images(X, "X")
    shape = tuple(transformer.image_shape)
    if len(shape) not in (2, 3) or not all(isinstance(side, Integral) and side > 0 for side in shape):
        raise ValueError(f"image_shape must be (height, width[, channels]). Received: {transformer.image_shape!r}.")
    if X.shape[1:] != shape and (X.ndim != 2 or X.shape[1] != math.prod(shape)):
        raise ValueError(
            f"{type(transformer).__name__} has image_shape={shape} and expects rows of {math.prod(shape)} values or "
            f"images of that shape. Received: X of shape {X.shape}."
        )
    return check_images(X.reshape(len(X), *shape), "X")


def in_chunks(function, images, n_jobs):
    """Call ``function(start, stop)`` for all chunks of images, in threads."""
    length = max(1, _PIXELS_A_CHUNK // math.prod(images.shape[1:]))
    starts = range(0, len(images), length)
    Parallel(n_jobs=n_jobs, prefer="threads", require="sharedmem")(
        delayed(function)(start, min(start + length, len(images))) for start in starts
    )


def pair(value, name):
    """Return two positive whole numbers."""
    values = tuple(value) if np.iterable(value) else ()
    if len(values) != 2 or not all(isinstance(each, Integral) and each >= 1 for each in values):
        raise ValueError(f"{name} must be two whole numbers of at least 1, (rows, columns). Received: {value!r}.")
    return int(values[0]), int(values[1])
