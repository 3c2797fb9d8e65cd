"""JPEG files. OpenCV decodes those for which its result is equal to Pillow's. Pillow is the reference."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from kerasnet._image_files import _plain_jpeg, decode_image
from kerasnet.errors import ImageDecodeError

MAX_PIXELS = 10_000
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def jpeg(mode="RGB", size=(40, 30), seed=0, **options):
    """Return the content of a JPEG file with smooth shapes and noise."""
    width, height = size
    rng = np.random.default_rng(seed)
    waves = np.sin(np.arange(height)[:, None, None] / 5 + np.arange(width)[:, None] / 7 + np.arange(4))
    values = (waves * 90 + rng.normal(128, 20, (height, width, 4))).clip(0, 255).astype(np.uint8)
    image = Image.fromarray(values[..., 0] if mode == "L" else values[..., : len(mode)], mode)
    file = io.BytesIO()
    image.save(file, "JPEG", **options)
    return file.getvalue()


def decode_with_pillow(content):
    return np.asarray(Image.open(io.BytesIO(content)))


OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "quality": st.integers(1, 100),
        "subsampling": st.sampled_from(["4:4:4", "4:2:2", "4:2:0"]),
        "progressive": st.booleans(),
        "optimize": st.booleans(),
        "restart_marker_blocks": st.integers(1, 3),
        "comment": st.just(b"a comment"),
        "icc_profile": st.just(PROFILE),
        "dpi": st.just((72, 72)),
    },
)


@given(st.sampled_from(["L", "RGB"]), st.tuples(st.integers(1, 70), st.integers(1, 70)), OPTIONS, st.integers(0, 9))
def test_plain_files_are_decoded_as_in_pillow(mode, size, options, seed):
    content = jpeg(mode, size, seed, **options)
    decoded, expected = decode_image(content, MAX_PIXELS), decode_with_pillow(content)
    assert (decoded.shape, decoded.dtype) == (expected.shape, np.uint8)
    np.testing.assert_array_equal(decoded, expected)
    assert _plain_jpeg(content, MAX_PIXELS) is not None


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_bytearray_and_memoryview(kind):
    content = jpeg()
    np.testing.assert_array_equal(decode_image(kind(content), MAX_PIXELS), decode_with_pillow(content))


def exif(orientation):
    data = Image.Exif()
    data[0x0112] = orientation
    return data


@pytest.mark.parametrize(
    "content",
    [
        jpeg("CMYK"),
        jpeg(keep_rgb=True),
        jpeg(exif=exif(1)),
        jpeg(exif=exif(6)),
        jpeg() + b"\0",
        jpeg()[:-2],
        jpeg()[:100],
        b"\xff\xd8\xff\xd9",
    ],
    ids=["CMYK", "RGB", "EXIF", "rotated", "trailing bytes", "no end marker", "truncated", "empty"],
)
def test_other_files_are_left_to_pillow(content):
    assert _plain_jpeg(content, MAX_PIXELS) is None


def test_max_pixels():
    content = jpeg(size=(100, 100))
    assert decode_image(content, 10_000).shape == (100, 100, 3)
    with pytest.raises(ImageDecodeError, match="expected at most 9999 pixels, found 100 x 100"):
        decode_image(content, 9_999)


@given(st.integers(0, 1), st.data())
def test_corrupted_files_are_decoded_as_in_pillow_or_raise(progressive, data):
    """A corrupted header may be accepted by only one of the libraries. If both accept it, the pixels are equal."""
    content = bytearray(jpeg(progressive=progressive))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(2, len(content) - 3))] = data.draw(st.integers(0, 255))
    try:
        decoded = decode_image(bytes(content), MAX_PIXELS)
        expected = decode_with_pillow(bytes(content))
    except (ImageDecodeError, OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return
    if expected.ndim == 2 or expected.shape[-1] == 3:
        np.testing.assert_array_equal(decoded, expected)
