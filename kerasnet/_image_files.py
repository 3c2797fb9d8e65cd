"""Decode image files and Pillow images to arrays, within size limits."""

import io
import math
import struct
import zlib

import cv2
import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from kerasnet._files import read_bytes
from kerasnet.errors import ImageDecodeError, UnsafeFileError

_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
_MAX_BYTES = 2**28
_DECODING_ERRORS = (OSError, ValueError, SyntaxError, EOFError, struct.error, zlib.error, Image.DecompressionBombError)
# JPEG segments: Huffman tables, quantization tables, restart interval, JFIF, ICC profile, comment; not EXIF (0xE1)
_HEADER_SEGMENTS = (0xC4, 0xDB, 0xDD, 0xE0, 0xE2, 0xFE)
_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_image_file(path, max_pixels):
    """Decode an image file.

    Parameters
    ----------
    path : str or path-like
        The file, of at most 256 MiB.
    max_pixels : int
        The maximum number of pixels.

    Returns
    -------
    ndarray of shape (height, width) or (height, width, 3 or 4), uint8 or uint16
        Grayscale, RGB or RGBA.

    Raises
    ------
    ImageDecodeError
        If the file cannot be read, is not a valid image, or is too large.
    """
    try:
        content = read_bytes(path, max_bytes=_MAX_BYTES)
    except (OSError, UnsafeFileError) as error:
        raise ImageDecodeError(f"expected an image file, found: {error}.") from error
    return decode_image(content, max_pixels)


def decode_image(content, max_pixels):
    """Decode the content of an image file; see :func:`read_image_file`."""
    pixels = _plain_jpeg(content, max_pixels)
    if pixels is not None:
        return pixels
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            return image_pixels(image, max_pixels)
    except ImageDecodeError:
        raise
    except _DECODING_ERRORS as error:
        formats = ", ".join(_FORMATS)
        found = "something else" if isinstance(error, UnidentifiedImageError) else str(error) or type(error).__name__
        raise ImageDecodeError(f"expected a valid image ({formats}), found: {found}.") from error


def _plain_jpeg(content, max_pixels):
    """Decode a complete grayscale or color JPEG without EXIF data with OpenCV; return None for all other files.

    The pixels are the same as with Pillow, because both call libjpeg. However, Pillow parses the header in Python, so
    threads that decode small images with it wait for each other.
    """
    if content[:2] != b"\xff\xd8" or content[-2:] != b"\xff\xd9":
        return None
    position = 2
    try:
        while True:
            start, marker, length = struct.unpack_from(">BBH", content, position)
            if marker in (0xC0, 0xC2):  # start of frame: baseline, progressive
                break
            if start != 0xFF or marker not in _HEADER_SEGMENTS:
                return None
            position += 2 + length
        bits, height, width, n_channels = struct.unpack_from(">BHHB", content, position + 4)
        if start != 0xFF or bits != 8 or n_channels not in (1, 3) or not 0 < height * width <= max_pixels:
            return None
        flags = cv2.IMREAD_GRAYSCALE if n_channels == 1 else cv2.IMREAD_COLOR_RGB
        return cv2.imdecode(np.frombuffer(content, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION)
    except (struct.error, cv2.error):
        return None


def image_pixels(image, max_pixels):
    """Return the pixels of a Pillow image, rotated as its EXIF data says; see :func:`read_image_file`.

    The image is not modified.
    """
    if math.prod(image.size) > max_pixels:
        raise ImageDecodeError(
            f"expected at most {max_pixels} pixels, found {image.width} x {image.height}. "
            "Increase max_pixels, or use a smaller image."
        )
    try:
        image.load()
        mode = "I;16" if image.mode == "I" and image.format == "PPM" else image.mode  # Pillow scales PGM to 16 bits
        method = _TRANSPOSITIONS.get(_orientation(image))
        image = image if method is None else image.transpose(method)
        if mode.startswith("I;16"):
            return _sixteen_bits(image)
        if mode in ("I", "F"):
            raise ImageDecodeError(
                f"expected 8 or 16 bits per channel, found 32 bits (mode {mode}), which have no fixed range. "
                "Rescale the pixels to [0, 1] and pass an array of floats."
            )
        if mode == "La":  # Pillow converts premultiplied grayscale only to LA
            image = image.convert("LA")
        if image.has_transparency_data:
            return np.asarray(image.convert("RGBA"))
        return np.asarray(image.convert("L" if mode in ("1", "L") else "RGB"))
    except ImageDecodeError:
        raise
    except (*_DECODING_ERRORS, AssertionError) as error:  # AssertionError: closed before it was read
        raise ImageDecodeError(
            f"expected a valid and open image, found: {str(error) or type(error).__name__}."
        ) from error


def _orientation(image):
    """Return the EXIF orientation; None if it is missing or the EXIF data is malformed."""
    try:
        return image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # malformed metadata makes Pillow raise many types; the pixels are valid
        return None


def _sixteen_bits(image):
    gray = np.asarray(image).astype(np.uint16)
    transparent = image.info.get("transparency")  # PNG can mark one gray level as transparent
    if transparent is None:
        return gray
    return np.dstack([gray, gray, gray, np.where(gray == transparent, 0, 65535).astype(np.uint16)])
