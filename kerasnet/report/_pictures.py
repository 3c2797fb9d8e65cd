"""Pictures of samples that are images."""

import base64
import io

import numpy as np
from PIL import Image

from kerasnet.features import ImagePreprocessor
from kerasnet.report._page import Picture, clean

_MAX_SIZE = 160  # pixels; larger images are reduced


def find_images(subject, images):
    """Return a function from row numbers to images, or None if the samples are not images.

    Parameters
    ----------
    subject : Subject
        The estimator and the data.
    images : array-like of shape (n_samples, height, width[, channels]) or None
        Images to show instead of the samples.

    Returns
    -------
    images_of_rows : callable or None
        The function.
    """
    X, first, final = subject.X, subject.steps[0][1], subject.final
    if images is not None:
        if np.shape(images)[:1] != (subject.n,) or not is_image_shape(np.shape(images)):
            raise ValueError(
                f"images must have the shape ({subject.n}, height, width) or ({subject.n}, height, width, channels), "
                f"for {subject.n} samples. Received: shape {np.shape(images)}."
            )
        return lambda rows: np.asarray(images[rows])
    shape = tuple(getattr(X, "shape", ()))
    if len(shape) < 3 and isinstance(first, ImagePreprocessor) and not first.flatten and not hasattr(X, "iloc"):
        return lambda rows: np.asarray(first.transform([X[row] for row in rows]))
    flat = getattr(final, "image_shape", None) or getattr(first, "image_shape", None)
    if len(shape) == 2 and flat is not None:
        return lambda rows: np.asarray(X[rows]).reshape(len(rows), *flat)
    if not is_image_shape(shape) or (getattr(final, "_input_kind", None) == "sequence" and X.dtype != np.uint8):
        return None
    return lambda rows: np.asarray(X[rows])


def is_image_shape(shape):
    """Return whether an array of this shape contains grayscale, RGB or RGBA images."""
    return (len(shape) == 3 or (len(shape) == 4 and shape[3] in (1, 3, 4))) and 0 not in shape


def make_pictures(images, captions):
    """Return a picture of each image, with lines of text.

    Parameters
    ----------
    images : ndarray of shape (n, height, width) or (n, height, width, channels)
        uint8, or floats; floats outside of [0, 1] are rescaled together.
    captions : list of list of str
        Lines below each image, which are the text alternative, too.

    Returns
    -------
    pictures : list of Picture
    """
    if images.dtype != np.uint8 and len(images):
        images = np.nan_to_num(images.astype(float))
        low, high = min(images.min(), 0), max(images.max(), 1)
        images = np.rint((images - low) / (high - low) * 255).astype(np.uint8)
    return [
        Picture(png(image), f"Image: {', '.join(map(clean, lines))}", [*map(clean, lines)], max(image.shape[:2]) <= 64)
        for image, lines in zip(images, captions, strict=True)
    ]


def png(image):
    """Return an image of dtype uint8 as a data URI."""
    picture = Image.fromarray(image[..., 0] if image.ndim == 3 and image.shape[2] == 1 else image)
    picture.thumbnail((_MAX_SIZE, _MAX_SIZE))
    file = io.BytesIO()
    picture.save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
