"""One handwritten digit, found on a photograph or a drawing."""

import cv2
import numpy as np

from kerasnet.errors import ImageDecodeError, KerasNetError
from kerasnet.features._strokes import find_digits
from kerasnet.features.image import _name, _read

_WORKING_SIDE = 640
_POLARITIES = ("dark-on-light", "light-on-dark")
_CENTER = 14  # the mean of MNIST's centers of mass, in rows and in columns
_THICKNESS = 2.0, 3.4  # of MNIST's strokes, where digits have 20 pixels


def extract_digit(image, *, polarity="auto", return_polarity=False, max_pixels=64_000_000):
    """Find the digit on a photograph or a drawing and return it as MNIST has it.

    1. The background is a morphological closing that is larger than any stroke. Ink is what is darker, relative to
       the background; so a shadow or the edge of a page is no ink.
    2. The lines of lined and squared paper are removed, and what touches the edge of the image.
    3. Connected components are strokes if they are elongated and darker than all that surrounds them. Strokes that
       are close to each other are one digit.
    4. The strokes are drawn with the thickness that they have in MNIST, 20 pixels high or wide, with the center of
       mass in the middle.

    Light digits on a dark background are found in the inverted image.

    Parameters
    ----------
    image : str, path-like, bytes or ndarray
        A file, its content, or an array, as :func:`kerasnet.features.prepare_images` takes them. What is transparent
        lies on white or black, whichever differs more from the colours drawn.
    polarity : {"auto", "dark-on-light", "light-on-dark"}, default="auto"
        Whether the digit is darker or lighter than its background. "auto" looks for both and takes what is more
        clearly made of strokes.
    return_polarity : bool, default=False
        Return the polarity of the digit as well.
    max_pixels : int, default=64_000_000
        The largest number of pixels of a file that is decoded.

    Returns
    -------
    digit : ndarray of shape (28, 28), float32 in [0, 1]
        Bright on black.
    polarity : str, if `return_polarity`
        "dark-on-light" or "light-on-dark".

    Raises
    ------
    KerasNetError
        If no digit or more than one is found. Digits that touch the edge of the image, or are lower than 4 % of its
        longer side, are not found.
    ImageDecodeError
        If a file cannot be decoded.
    ValueError
        If a parameter or an array is not as described.

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
    gray = _working_size(read_gray(image, max_pixels=max_pixels))
    found = {}
    for name in _POLARITIES if polarity == "auto" else (polarity,):
        digits = find_digits(gray if name == "dark-on-light" else 1 - gray)
        if digits:
            found[name] = digits
    if not found:
        raise KerasNetError(
            f"no digit found{_name(image)}: expected one digit, darker or lighter than its background, that does "
            "not touch the edge of the image."
        )
    polarity = max(found, key=lambda name: max(strength for _, strength in found[name]))
    if len(found[polarity]) > 1:
        raise KerasNetError(
            f"expected one digit, found {len(found[polarity])}{_name(image)}. Crop the image to one digit."
        )
    digit = _as_in_mnist(found[polarity][0][0])
    return (digit, polarity) if return_polarity else digit


def read_gray(image, *, max_pixels=64_000_000):
    """Decode one image to grey, float32 in [0, 1].

    What is transparent lies on white or black, whichever differs more from the colours drawn: ink of any colour on a
    transparent canvas stays visible.

    Parameters
    ----------
    image : str, path-like, bytes or ndarray
        As for :func:`extract_digit`.
    max_pixels : int, default=64_000_000
        The largest number of pixels of a file that is decoded.

    Returns
    -------
    gray : ndarray of shape (height, width), float32 in [0, 1]
        A new array.

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
        pixels = _read(image, max_pixels)
    except ValueError as error:
        kind = ImageDecodeError if isinstance(error, ImageDecodeError) else ValueError
        raise kind(f"image{_name(image)}: {error}") from error
    pixels = pixels.astype(np.float32) / np.float32(255 if pixels.dtype == np.uint8 else 1)
    if pixels.shape[-1] == 1:
        return pixels[..., 0]
    gray = cv2.cvtColor(np.ascontiguousarray(pixels[..., :3]), cv2.COLOR_RGB2GRAY)
    if pixels.shape[-1] == 3:
        return gray
    opacity = pixels[..., 3]
    drawn = gray[opacity > 0.5 * opacity.max()]
    background = 1 if drawn.size == 0 or np.median(drawn) < 0.5 else 0
    return opacity * gray + (1 - opacity) * background


def _working_size(gray):
    factor = _WORKING_SIDE / max(gray.shape)
    size = [max(1, round(side * factor)) for side in gray.shape[::-1]]
    return cv2.resize(gray, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)


def _as_in_mnist(mask):
    """Draw a mask 20 pixels high or wide, its strokes as thick as MNIST's, its mass in the middle of 28 x 28."""
    left, top, width, height = cv2.boundingRect(mask)
    pixel = max(height, width) / 20  # of the result
    mask = np.pad(mask[top : top + height, left : left + width], 2 + int(_THICKNESS[0] * pixel))
    inside, outside = (cv2.distanceTransform(each, cv2.DIST_L2, 5) for each in (mask, 1 - mask))
    ridge = inside[(inside >= cv2.dilate(inside, np.ones((3, 3)))) & (inside > 0)]
    thickness = 2 * np.median(ridge) - 0.5
    missing = np.clip(thickness, _THICKNESS[0] * pixel, _THICKNESS[1] * pixel) - thickness
    digit = np.clip(missing / 2 + np.where(mask, inside, 1 - outside), 0, 1).astype(np.float32)
    left, top, width, height = cv2.boundingRect((digit > 0.5).astype(np.uint8))
    factor = 20 / max(height, width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    digit = cv2.resize(digit[top : top + height, left : left + width], size, interpolation=cv2.INTER_AREA)
    moments = cv2.moments(digit)
    shift = [_CENTER - moments["m10"] / moments["m00"], _CENTER - moments["m01"] / moments["m00"]]
    centered = cv2.warpAffine(digit, np.float32([[1, 0, shift[0]], [0, 1, shift[1]]]), (28, 28))
    return np.clip(centered, 0, 1)  # OpenCV rounds beyond 1
