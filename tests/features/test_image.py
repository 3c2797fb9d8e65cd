"""Preprocessing of image files and arrays, and errors for files that cannot be read."""

import io
import os
import struct
import zlib

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from kerasnet.errors import ImageDecodeError
from kerasnet.features import ImagePreprocessor, prepare_images

RNG = np.random.default_rng(0)
GRAY = RNG.integers(0, 256, (28, 28), dtype=np.uint8)
RGB = RNG.integers(0, 256, (28, 28, 3), dtype=np.uint8)
LUMA = np.array([0.299, 0.587, 0.114])


def encoded(image, format="PNG", **options):
    file = io.BytesIO()
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    image.save(file, format, **options)
    return file.getvalue()


def png_header(width, height, depth=8, color=0):
    """Return a PNG file with a header but no pixels."""
    chunks = b""
    for name, content in ((b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)), (b"IDAT", b"")):
        chunks += struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
    return b"\x89PNG\r\n\x1a\n" + chunks


def rotated_by_exif(image):
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees clockwise
    return encoded(image, "PNG", exif=exif)


ALPHA = np.dstack([RGB, RNG.integers(0, 256, (28, 28), dtype=np.uint8)])
ON_WHITE = ALPHA[..., :3] * (ALPHA[..., 3:] / 255) + 255 - ALPHA[..., 3:]
SIXTEEN = RNG.integers(0, 2**16, (28, 28), dtype=np.uint16)
PALETTE = Image.fromarray(RGB).quantize(16)
FRAMES = [Image.fromarray(GRAY), Image.fromarray(255 - GRAY)]
FLAT_BOMB = encoded(np.zeros((9000, 9000), np.uint8))  # 80 KB, 81 million pixels

GOOD = {
    "gray png": (encoded(GRAY), GRAY),
    "rgb png": (encoded(RGB), RGB @ LUMA),
    "bmp": (encoded(RGB, "BMP"), RGB @ LUMA),
    "tiff": (encoded(RGB, "TIFF"), RGB @ LUMA),
    "ppm": (encoded(RGB, "PPM"), RGB @ LUMA),
    "lossless webp": (encoded(RGB, "WEBP", lossless=True), RGB @ LUMA),
    "alpha": (encoded(ALPHA), ON_WHITE @ LUMA),
    "gray with alpha": (encoded(Image.merge("LA", [Image.fromarray(GRAY)] * 2)), GRAY * (GRAY / 255.0) + 255 - GRAY),
    "16 bits": (encoded(SIXTEEN), SIXTEEN / 257),
    "16-bit tiff": (encoded(SIXTEEN, "TIFF"), SIXTEEN / 257),
    "1 bit": (encoded(Image.fromarray(GRAY > 99)), (GRAY > 99) * 255.0),
    "palette": (encoded(PALETTE), np.asarray(PALETTE.convert("RGB")) @ LUMA),
    "animated gif": (encoded(FRAMES[0], "GIF", save_all=True, append_images=FRAMES[1:]), GRAY),
    "animated png": (encoded(FRAMES[0], save_all=True, append_images=FRAMES[1:]), GRAY),
    "rotated by exif": (rotated_by_exif(GRAY), np.rot90(GRAY, -1)),
    "1 x 1": (encoded(GRAY[:1, :1]), np.full((28, 28), GRAY[0, 0])),
    "flat": (encoded(np.full((50, 50), 7, np.uint8)), np.full((28, 28), 7)),
    "interlaced gif": (encoded(GRAY, "GIF", interlace=1), GRAY),
    "array": (GRAY, GRAY),
    "array of floats": (GRAY / 255, GRAY),
    "array of integers": (GRAY.astype(np.int64), GRAY),
    "array of bool": (GRAY > 99, (GRAY > 99) * 255.0),
    "array of 16 bits": (SIXTEEN, SIXTEEN / 257),
    "array with one channel": (GRAY[..., None], GRAY),
    "not contiguous": (np.asfortranarray(RGB), RGB @ LUMA),
    "memoryview": (memoryview(encoded(GRAY)), GRAY),
    "bytes after the end": (encoded(GRAY) + b"more", GRAY),
}
BROKEN = {
    "empty": b"",
    "garbage": RNG.bytes(1000),
    "text": b"not an image",
    "truncated png": encoded(RGB)[:-900],
    "truncated jpeg": encoded(RGB, "JPEG")[:-300],
    "truncated webp": encoded(RGB, "WEBP")[:-100],
    "truncated tiff": encoded(RGB, "TIFF")[:-500],
    "truncated gif": encoded(GRAY, "GIF")[:-300],
    "truncated bmp": encoded(RGB, "BMP")[:-300],
    "header only": png_header(28, 28),
    "huge header": png_header(2**31 - 1, 2**31 - 1),
    "wide header": png_header(64_000_001, 1),
    "no size": png_header(0, 0),
    "unknown depth": png_header(28, 28, depth=7),
    "bomb": FLAT_BOMB,
    "corrupted data": encoded(RGB)[:200] + b"\xff" * 50 + encoded(RGB)[250:],
    "floats in a tiff": encoded(np.zeros((28, 28), np.float32), "TIFF"),
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
}


@pytest.mark.parametrize("name", GOOD)
def test_formats_and_modes(name):
    source, expected = GOOD[name]
    (image,) = prepare_images([source])
    assert image.dtype == np.float32
    np.testing.assert_allclose(image * 255, expected, atol=1.01)  # intermediate results are rounded to bytes
    (image,) = prepare_images([source], dtype="uint8")
    np.testing.assert_allclose(image, expected, atol=1.01)


@pytest.mark.parametrize("name", BROKEN)
def test_unreadable_images_raise(name, tmp_path):
    with pytest.raises(ImageDecodeError, match=r"images\[1\]: expected"):
        prepare_images([GRAY, BROKEN[name]])
    path = tmp_path / "broken.png"
    path.write_bytes(BROKEN[name])
    with pytest.raises(ImageDecodeError, match=r"images\[0\], '.*broken\.png': expected"):
        ImagePreprocessor().fit_transform([path])


def test_cmyk():
    cmyk = Image.fromarray(RGB).convert("CMYK")
    (image,) = prepare_images([encoded(cmyk, "TIFF")], color_mode="rgb", dtype="uint8")
    np.testing.assert_allclose(image.astype(int), np.asarray(cmyk.convert("RGB")), atol=1)


def test_jpeg_is_nearly_lossless_for_smooth_images():
    smooth = np.linspace(0, 255, 28 * 28).reshape(28, 28).astype(np.uint8)
    (image,) = prepare_images([encoded(smooth, "JPEG", quality=95)], dtype="uint8")
    np.testing.assert_allclose(image.astype(int), smooth, atol=6)


def test_unusual_file_names(tmp_path):
    wrong_suffix, not_utf8 = tmp_path / "a.jpg", os.fsencode(tmp_path) + b"/\xff\xfe.png"
    for path in (wrong_suffix, not_utf8):
        with open(path, "wb") as file:
            file.write(encoded(GRAY))
    images = prepare_images([str(wrong_suffix), os.fsdecode(not_utf8)], dtype="uint8")
    np.testing.assert_array_equal(images, [GRAY, GRAY])
    for path in (tmp_path, tmp_path / "missing.png", os.fsdecode(os.fsencode(tmp_path) + b"/\xff")):
        with pytest.raises(ImageDecodeError, match=r"images\[0\], '.*': expected an image file, found"):
            prepare_images([path])


def test_unreadable_images_are_skipped(tmp_path):
    sources = [GRAY, BROKEN["garbage"], tmp_path / "missing.png", RGB]
    with pytest.warns(UserWarning, match="2 of 4 images were skipped:\n.*valid image.*\n.*missing.png"):
        images, skipped = prepare_images(sources, on_error="skip", return_skipped=True, n_jobs=2)
    assert images.shape == (2, 28, 28)
    assert [number for number, _ in skipped] == [1, 2]
    with pytest.warns(UserWarning, match="1 of 1 images were skipped"):
        assert prepare_images([b""], on_error="skip", color_mode="rgb").shape == (0, 28, 28, 3)
    assert prepare_images([]).shape == (0, 28, 28)


def test_size_padding_and_channel_order():
    red = np.zeros((10, 20, 3), np.uint8)
    red[..., 0] = 255
    (padded,) = prepare_images([red], (20, 20), color_mode="rgb", fill_value=1)
    np.testing.assert_array_equal(padded[5:15], np.broadcast_to([1, 0, 0], (10, 20, 3)))
    assert (padded[:5] == 1).all()
    assert (padded[15:] == 1).all()
    (stretched,) = prepare_images([red], (20, 20), color_mode="rgb", pad_to_aspect_ratio=False)
    assert (stretched == [1, 0, 0]).all()
    (gray,) = prepare_images([red], (10, 20))
    np.testing.assert_allclose(gray, 0.299, atol=0.003)


@pytest.mark.parametrize("interpolation", ["area", "nearest", "bilinear", "bicubic", "lanczos4"])
@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_interpolations_stay_in_range(interpolation, dtype):
    source = (RNG.random((13, 17)) > 0.5).astype(np.float32)
    sources = [source, (source * 255).astype(np.uint8)]
    images = prepare_images(sources, (40, 40), interpolation=interpolation, dtype=dtype)
    assert images.dtype == dtype
    assert images.min() >= 0
    assert images.max() <= (255 if dtype == "uint8" else 1)


def test_halving_averages_four_pixels():
    expected = GRAY.reshape(14, 2, 14, 2).mean(axis=(1, 3)) / 255
    (image,) = prepare_images([GRAY / 255], (14, 14))
    np.testing.assert_allclose(image, expected, atol=1e-6)


def test_deskewing_reduces_the_mixed_moment(mnist):
    images = prepare_images(mnist[0], deskew=True)

    def skew(image):
        moments = cv2.moments(np.ascontiguousarray(image))
        return abs(moments["mu11"] / moments["mu02"])

    before = np.mean([skew(image) for image in prepare_images(mnist[0])])
    assert np.mean([skew(image) for image in images]) < before / 10
    np.testing.assert_allclose(images.mean(), mnist[0].mean() / 255, rtol=0.03)
    flat = prepare_images([np.zeros((28, 28))], deskew=True)
    assert not flat.any()


def test_mnist_is_unchanged(mnist, capsys):
    X = mnist[0]
    np.testing.assert_array_equal(prepare_images(X, n_jobs=2), (X / 255).astype(np.float32))
    np.testing.assert_array_equal(ImagePreprocessor(dtype="uint8").transform(X), X)
    rows = ImagePreprocessor(flatten=True, verbose=1).fit(X)
    np.testing.assert_array_equal(rows.transform(X), (X.reshape(500, -1) / 255).astype(np.float32))
    assert "Preparing images" in capsys.readouterr().out
    assert len(rows.get_feature_names_out()) == 784
    assert rows.set_output(transform="pandas").transform(X[:3]).shape == (3, 784)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("one.png",), "Expected a sequence of images or paths. Received: a single str"),
        (([GRAY.astype(float)],), r"floats in \[0, 1\]. Received: float64 from 0.0 to 255.0"),
        (([GRAY.astype(np.int16) - 300],), "Received: int16 from"),
        (([np.full((3, 3), np.nan)],), "Received: float64 from nan"),
        (([GRAY[0]],), r"Received: an array of shape \(28,\)"),
        (([RGB[..., :2]],), "1, 3 or 4"),
        (([None],), "dtype object"),
        (([GRAY], 28), "image_size must be a tuple of two positive integers"),
    ],
)
def test_invalid_images_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        prepare_images(*arguments)


@pytest.mark.parametrize(
    "option",
    [
        {"color_mode": "bgr"},
        {"interpolation": "magic"},
        {"dtype": "float64"},
        {"fill_value": 2},
        {"max_pixels": 0},
        {"on_error": "ignore"},
    ],
)
def test_invalid_options_raise(option):
    with pytest.raises(ValueError, match=next(iter(option))):
        prepare_images([GRAY], **option)


def mean_of(source):
    return prepare_images([source], (40, 60)).mean()


@pytest.mark.parametrize("largest", [255, 1023, 4095, 65535])
@pytest.mark.parametrize(("magic", "channels"), [("P5", 1), ("P6", 3)])
def test_netpbm_files_of_any_depth_are_scaled_to_1(magic, channels, largest):
    ramp = np.tile(np.linspace(0, largest, 60).round(), (40, 1))
    pixels = np.repeat(ramp[..., np.newaxis], channels, axis=-1).astype("u1" if largest < 256 else ">u2")
    content = f"{magic}\n60 40\n{largest}\n".encode() + pixels.tobytes()
    (image,) = prepare_images([content], (40, 60))
    np.testing.assert_allclose(image, ramp / largest, atol=1.1 / 255)


INVALID_EXIF = b"Exif\0\0\0\x08\0\x02\x01\x12\0\x03" + bytes(20)


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "JPEG"])
def test_invalid_exif_data_is_ignored(file_format):
    gray = np.tile(np.linspace(0, 255, 60).astype(np.uint8), (40, 1))
    content = io.BytesIO()
    Image.fromarray(gray).convert("RGB").save(content, file_format, exif=INVALID_EXIF)
    assert mean_of(content.getvalue()) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "LAB", "LA", "PA", "RGBa"])
def test_pillow_images_equal_their_rgb_pixels(mode):
    page = Image.new("RGB", (60, 40), (255, 255, 255))
    page.paste((0, 0, 0), (5, 5, 20, 35))
    expected = prepare_images([np.asarray(page)], (40, 60))
    np.testing.assert_allclose(prepare_images([page.convert(mode)], (40, 60)), expected, atol=3 / 255)


def test_transparent_palette_is_blended_with_white():
    image = Image.new("P", (60, 40), 0)
    image.putpalette([0, 0, 0, 255, 0, 0])
    image.info["transparency"] = 0
    assert mean_of(image) == 1


def test_16_bit_pillow_images_are_scaled_to_1():
    ramp = np.tile(np.linspace(0, 65535, 60).astype(np.uint16), (40, 1))
    np.testing.assert_allclose(prepare_images([Image.fromarray(ramp)], (40, 60))[0], ramp / 65535, atol=1e-6)


def test_pillow_images_are_rotated_by_exif_orientation():
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees clockwise
    content = io.BytesIO()
    pixels = np.zeros((40, 60), dtype=np.uint8)
    pixels[:20] = 255
    Image.fromarray(pixels).save(content, "PNG", exif=exif)
    (from_file,) = prepare_images([content.getvalue()], (60, 40))
    (from_pillow,) = prepare_images([Image.open(content)], (60, 40))
    np.testing.assert_array_equal(from_file, np.rot90(pixels, -1) / np.float32(255))
    np.testing.assert_array_equal(from_pillow, from_file)


@pytest.mark.parametrize("mode", ["I", "F"])
def test_pillow_images_without_a_known_range_raise(mode):
    with pytest.raises(ImageDecodeError, match=r"images\[0\]: expected"):
        mean_of(Image.new(mode, (60, 40)))


def test_data_frame_raises_but_its_column_of_paths_is_accepted(tmp_path):
    Image.new("L", (60, 40), 255).save(tmp_path / "1.png")
    frame = pd.DataFrame({"path": [str(tmp_path / "1.png")] * 2}, index=[7, 9])
    assert prepare_images(frame["path"], (40, 60)).mean() == 1
    with pytest.raises(ValueError, match=r"Received: pandas\..*DataFrame. Pass the column of paths"):
        prepare_images(frame, (40, 60))
    with pytest.raises(ValueError, match="a single Image"):
        prepare_images(Image.new("L", (60, 40)), (40, 60))
