"""Extraction of a handwritten digit from a photograph or a drawing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from kerasnet.errors import ImageDecodeError, KerasNetError
from kerasnet.features._strokes import find_digits, find_drawn_digits
from kerasnet.features.image import format_path, read_image

if TYPE_CHECKING:
    import numpy.typing as npt

    from kerasnet.features.image import ImageSource


_WORKING_SIZES = {"paper": (640, 640), "uniform": (256, 640)}  # minimum and maximum of the longer side in pixels
_POLARITIES = ("dark-on-light", "light-on-dark")
_CENTER = 14  # mean center of mass of MNIST's images, for rows and columns
_THICKNESS = 2.0, 3.4  # range of MNIST's stroke thickness in pixels, for digits of 20 pixels


def extract_digit(
    image: ImageSource,
    *,
    polarity: str = "auto",
    background: str = "paper",
    return_polarity: bool = False,
    max_pixels: int = 64_000_000,
) -> npt.NDArray[np.float32] | tuple[npt.NDArray[np.float32], str]:
    """Extract a handwritten digit from a photograph or a drawing, in the format of MNIST.

    1. The background is estimated by a morphological closing with a kernel that is larger than any stroke. Ink is
       darker than the background, relative to its brightness, so shadows and the edges of a page are not ink.
    2. The lines of lined and squared paper are removed, and so is ink that touches the edge of the image.
    3. Connected components are strokes if they are elongated and darker than their surroundings. Strokes that are
       close to each other form one digit.
    4. The digit is drawn with the stroke thickness of MNIST, scaled to 20 pixels, and centered by its center of mass.

    Light digits on a dark background are detected in the inverted image.

    Parameters
    ----------
    image : str, path-like, bytes, PIL.Image.Image or array-like
        Path or content of a file, a Pillow image, or an array, as accepted by
        :func:`kerasnet.features.prepare_images`. Transparent images are blended with white or black, whichever has
        the higher contrast to the drawing.
    polarity : {"auto", "dark-on-light", "light-on-dark"}, default="auto"
        Whether the digit is darker or lighter than its background. "auto" tries both and selects the one with the
        clearer strokes.
    background : {"paper", "uniform"}, default="paper"
        "paper" is any background, such as paper in a photograph. "uniform" is a background of a single color, as in a
        drawing made on a screen. Steps 1 and 2 are then omitted, which takes a fraction of the time.
    return_polarity : bool, default=False
        Whether to return the polarity of the digit as well.
    max_pixels : int, default=64_000_000
        Maximum number of pixels of a file. Larger images are not decoded.

    Returns
    -------
    digit : ndarray of shape (28, 28), dtype float32
        Bright digit on black, values in [0, 1].
    polarity : {"dark-on-light", "light-on-dark"}
        Polarity of the digit. Returned only if `return_polarity` is True.

    Raises
    ------
    KerasNetError
        If no digit or more than one digit is found. Digits that touch the edge of the image or whose height is less
        than 4 % of its longer side are not detected.
    ImageDecodeError
        If a file cannot be decoded.
    ValueError
        If a parameter or an array is invalid.

    Examples
    --------
    >>> import cv2
    >>> import numpy as np
    >>> from kerasnet.features import extract_digit
    >>> page = np.full((600, 400), 230, dtype=np.uint8)
    >>> page = cv2.putText(page, "7", (120, 400), cv2.FONT_HERSHEY_SIMPLEX, 8, 40, thickness=9)
    >>> digit, polarity = extract_digit(page, return_polarity=True)
    >>> digit.shape, polarity
    ((28, 28), 'dark-on-light')
    """
    if polarity not in ("auto", *_POLARITIES):
        raise ValueError(f"polarity must be one of {('auto', *_POLARITIES)}. Received: {polarity!r}.")
    if background not in _WORKING_SIZES:
        raise ValueError(f"background must be one of {tuple(_WORKING_SIZES)}. Received: {background!r}.")
    gray = _resize(read_gray(image, max_pixels=max_pixels), _WORKING_SIZES[background])
    find = find_digits if background == "paper" else find_drawn_digits
    found = {}
    for name in _POLARITIES if polarity == "auto" else (polarity,):
        digits = find(gray if name == "dark-on-light" else 1 - gray)
        if digits:
            found[name] = digits
    if not found:
        raise KerasNetError(
            f"no digit found{format_path(image)}: expected strokes that are darker or lighter than the background, "
            "have at least 4 % of the height of the image, and do not touch its edge."
        )
    polarity = max(found, key=lambda name: max(strength for _, strength in found[name]))
    if len(found[polarity]) > 1:
        raise KerasNetError(
            f"expected one digit, found {len(found[polarity])}{format_path(image)}. Crop the image to one digit."
        )
    digit = _normalize_like_mnist(found[polarity][0][0])
    return (digit, polarity) if return_polarity else digit


def read_gray(image: ImageSource, *, max_pixels: int = 64_000_000) -> npt.NDArray[np.float32]:
    """Read an image as a grayscale array.

    Transparent images are blended with white or black, whichever has the higher contrast to the drawing. Ink of any
    color on a transparent canvas remains visible.

    Parameters
    ----------
    image : str, path-like, bytes, PIL.Image.Image or array-like
        See :func:`extract_digit`.
    max_pixels : int, default=64_000_000
        Maximum number of pixels of a file. Larger images are not decoded.

    Returns
    -------
    gray : ndarray of shape (height, width), dtype float32
        New array with values in [0, 1].

    Raises
    ------
    ImageDecodeError
        If a file cannot be decoded.
    ValueError
        If an array is invalid.

    Examples
    --------
    >>> import numpy as np
    >>> from kerasnet.features.digits import read_gray
    >>> canvas = np.zeros((2, 2, 4), dtype=np.uint8)
    >>> canvas[0] = 255  # white ink
    >>> read_gray(canvas)
    array([[1., 1.],
           [0., 0.]], dtype=float32)
    """
    try:
        pixels = read_image(image, max_pixels)
    except ValueError as error:
        kind = ImageDecodeError if isinstance(error, ImageDecodeError) else ValueError
        raise kind(f"image{format_path(image)}: {error}") from error
    pixels = pixels.astype(np.float32) / np.float32(255 if pixels.dtype == np.uint8 else 1)
    if pixels.shape[-1] == 1:
        return pixels[..., 0]
    gray = cv2.cvtColor(np.ascontiguousarray(pixels[..., :3]), cv2.COLOR_RGB2GRAY)
    if pixels.shape[-1] == 3:
        return gray.astype(np.float32, copy=False)
    opacity = pixels[..., 3]
    drawn = gray[opacity > 0.5 * opacity.max()]
    background = 1 if drawn.size == 0 or np.median(drawn) < 0.5 else 0
    return opacity * gray + (1 - opacity) * background


def _resize(gray, working_size):
    factor = np.clip(max(gray.shape), *working_size) / max(gray.shape)
    if factor == 1:
        return gray
    size = [max(1, round(length * factor)) for length in gray.shape[::-1]]
    return cv2.resize(gray, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)


def _normalize_like_mnist(mask):
    """Draw a mask with MNIST's stroke thickness, scaled to 20 pixels and centered in an image of 28 x 28."""
    left, top, width, height = cv2.boundingRect(mask)
    scale = max(height, width) / 20  # pixels of the mask per pixel of the result
    mask = np.pad(mask[top : top + height, left : left + width], 2 + int(_THICKNESS[0] * scale))
    inside, outside = (cv2.distanceTransform(region, cv2.DIST_L2, 5) for region in (mask, 1 - mask))
    ridge = inside[(inside >= cv2.dilate(inside, np.ones((3, 3)))) & (inside > 0)]
    thickness = 2 * np.median(ridge) - 0.5
    added = np.clip(thickness, _THICKNESS[0] * scale, _THICKNESS[1] * scale) - thickness
    digit = np.clip(added / 2 + np.where(mask, inside, 1 - outside), 0, 1).astype(np.float32)
    left, top, width, height = cv2.boundingRect((digit > 0.5).astype(np.uint8))
    factor = 20 / max(height, width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    digit = cv2.resize(digit[top : top + height, left : left + width], size, interpolation=cv2.INTER_AREA)
    rows, columns = np.indices(digit.shape)  # OpenCV's moments take an array of two columns for a list of points
    shift = [_CENTER - np.average(positions, weights=digit) for positions in (columns, rows)]
    centered = cv2.warpAffine(digit, np.float32([[1, 0, shift[0]], [0, 1, shift[1]]]), (28, 28))
    return np.clip(centered, 0, 1)  # OpenCV's rounding can exceed 1
