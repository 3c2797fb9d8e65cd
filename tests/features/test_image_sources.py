"""16-bit, rotated and transparent images from files and Pillow, and tables passed as images."""

import io
import struct
import zlib

import numpy as np
import pandas as pd
import PIL
import polars as pl
import pytest
from PIL import Image

from kerasnet.errors import ImageDecodeError
from kerasnet.features import ImagePreprocessor, prepare_images

RNG = np.random.default_rng(0)
SIZE = (20, 30)
GRAY = RNG.integers(0, 256, SIZE, dtype=np.uint8)
RGB = RNG.integers(0, 256, (*SIZE, 3), dtype=np.uint8)


def prepared(source, size=SIZE, **options):
    return prepare_images([source], size, dtype="uint8", **options)[0].astype(int)


def encoded(image, format="PNG", **options):
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


@pytest.mark.parametrize("maxval", [1, 100, 255, 256, 1023, 4095, 65535])
@pytest.mark.parametrize("magic", ["P2", "P3", "P5", "P6"])
def test_netpbm_files_of_any_depth(magic, maxval):
    colors = magic in ("P3", "P6")
    values = RNG.integers(0, maxval + 1, (*SIZE, 3) if colors else SIZE)
    content = values.astype(">u2" if maxval > 255 else "u1").tobytes()
    if magic in ("P2", "P3"):
        content = " ".join(map(str, values.ravel())).encode()
    content = f"{magic} {SIZE[1]} {SIZE[0]} {maxval}\n".encode() + content
    expected = values / maxval * 255
    for source in (content, Image.open(io.BytesIO(content))):
        image = prepare_images([source], SIZE, color_mode="rgb")[0] * 255
        np.testing.assert_allclose(image, np.broadcast_to(expected.reshape(*SIZE, -1), (*SIZE, 3)), atol=0.51)


def tags(*entries):
    """Return EXIF data with entries (tag, type, count, value) of 12 bytes."""
    content = b"MM\0\x2a" + struct.pack(">IH", 8, len(entries))
    return content + b"".join(struct.pack(">HHI4s", *entry) for entry in entries) + bytes(4)


ROTATED = (0x0112, 3, 1, b"\0\6\0\0")  # rotate by 90 degrees clockwise
UNREADABLE_EXIF = {
    "no header": b"\0\x08\0\2\1\x12\0\3" + bytes(20),
    "truncated header": b"MM",
    "directory outside": b"MM\0\x2a" + struct.pack(">I", 9999),
    "orientation as text": tags((0x0112, 2, 2, b"6\0\0\0")),
    "orientation outside": tags((0x0112, 3, 2**31, b"\0\6\0\0")),
    "orientation unknown": tags((0x0112, 3, 1, b"\0\x63\0\0")),
}
READABLE_EXIF = {
    "valid": tags(ROTATED),
    "other entry unknown": tags(ROTATED, (0x9999, 77, 1, bytes(4))),
    "other entry outside": tags((0x010F, 2, 500, struct.pack(">I", 60000)), ROTATED),
    "directory of a camera outside": tags(ROTATED, (0x8769, 4, 1, struct.pack(">I", 60000))),
}
if int(PIL.__version__.partition(".")[0]) < 13:  # older versions of Pillow then read no entry
    UNREADABLE_EXIF["other entry outside"] = READABLE_EXIF.pop("other entry outside")


def chunk(name, content):
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def with_exif(format, exif):
    image = Image.fromarray(GRAY)
    if format == "PNG":
        content = encoded(image)
        return content[:33] + chunk(b"eXIf", exif) + content[33:]  # after the signature and IHDR
    options = {"lossless": True} if format == "WEBP" else {"quality": 100}
    return encoded(image, format, exif=b"Exif\0\0" + exif, **options)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("format", ["PNG", "WEBP", "JPEG"])
@pytest.mark.parametrize("name", [*UNREADABLE_EXIF, *READABLE_EXIF])
def test_only_readable_exif_orientations_are_applied(format, name):
    content = with_exif(format, {**UNREADABLE_EXIF, **READABLE_EXIF}[name])
    expected = np.rot90(GRAY, -1) if name in READABLE_EXIF else GRAY
    for source in (content, Image.open(io.BytesIO(content))):
        np.testing.assert_allclose(prepared(source, expected.shape), expected, atol=3 if format == "JPEG" else 0)


def test_png_with_invalid_exif_text():
    content = encoded(Image.fromarray(GRAY))
    content = content[:33] + chunk(b"tEXt", b"Raw profile type exif\0\nexif\n  4\nzzzz") + content[33:]
    np.testing.assert_array_equal(prepared(content), GRAY)


def test_tiff_with_invalid_exif():
    image = Image.fromarray(GRAY)
    content = encoded(image, "TIFF", tiffinfo={0x0112: 6})
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0)
    assert entry in content
    np.testing.assert_array_equal(prepared(content, SIZE[::-1]), np.rot90(GRAY, -1))
    invalid = content.replace(entry, struct.pack("<HHI4s", 0x0112, 2, 2, b"6\0\0\0"))
    np.testing.assert_array_equal(prepared(invalid), GRAY)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientations_of_pillow_images(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.open(io.BytesIO(encoded(Image.fromarray(RGB), exif=exif)))
    rotated = np.rot90(RGB, {3: 2, 4: 2, 5: -1, 6: -1, 7: 1, 8: 1}.get(orientation, 0))
    expected = rotated[:, ::-1] if orientation in (2, 4, 5, 7) else rotated
    np.testing.assert_array_equal(prepared(image, expected.shape[:2], color_mode="rgb"), expected)
    assert image.size == SIZE[::-1], "the input image is not modified"


def palette():
    return Image.fromarray(RGB).quantize(8)


def pillow_images():
    """Return pairs of a Pillow image and its colors blended with white."""
    alpha = RNG.integers(0, 256, SIZE, dtype=np.uint8)
    opacity = alpha[..., None] / 255
    gray, rgb, a = Image.fromarray(GRAY), Image.fromarray(RGB), Image.fromarray(alpha)
    transparent = palette()
    transparent.info["transparency"] = 3
    indices = np.asarray(transparent)
    colors = np.asarray(palette().convert("RGB"))
    deep = RNG.integers(0, 2**16, SIZE, dtype=np.uint16)
    cmyk, ycbcr, hsv = (rgb.convert(mode) for mode in ("CMYK", "YCbCr", "HSV"))
    rgba, la = rgb.copy(), Image.merge("LA", [gray, a])
    rgba.putalpha(a)
    hidden_gray = gray.copy()
    hidden_gray.info["transparency"] = int(GRAY[0, 0])
    return {
        "1": (Image.fromarray(GRAY > 99), (GRAY > 99) * 255),
        "L": (gray, GRAY),
        "L with a transparent level": (hidden_gray, np.where(GRAY[0, 0] == GRAY, 255, GRAY)),
        "P": (palette(), colors),
        "P with transparency": (transparent, np.where(indices[..., None] == 3, 255, colors)),
        "PA": (rgba.convert("PA"), None),
        "RGB": (rgb, RGB),
        "RGBX": (rgb.convert("RGBX"), RGB),
        "RGBA": (rgba, RGB * opacity + 255 * (1 - opacity)),
        "RGBa": (rgba.convert("RGBa"), RGB * opacity + 255 * (1 - opacity)),
        "LA": (la, (GRAY[..., None] * opacity + 255 * (1 - opacity))),
        "La": (la.convert("La"), (GRAY[..., None] * opacity + 255 * (1 - opacity))),
        "CMYK": (cmyk, RGB),
        "YCbCr": (ycbcr, RGB),
        "HSV": (hsv, np.asarray(hsv.convert("RGB"))),
        "I;16": (Image.fromarray(deep), deep / 257),
        "I;16B": (Image.frombytes("I;16B", SIZE[::-1], deep.astype(">u2").tobytes()), deep / 257),
    }


@pytest.mark.parametrize("name", pillow_images())
def test_pillow_images_of_all_modes(name):
    image, expected = pillow_images()[name]
    result = prepared(image, color_mode="rgb")
    if expected is None:
        expected = prepared(np.asarray(image.convert("RGBA")), color_mode="rgb")
    expected = np.asarray(expected, dtype=float)
    np.testing.assert_allclose(
        result, np.broadcast_to(expected.reshape(*SIZE, -1), (*SIZE, 3)), atol=3.01
    )  # YCbCr rounds twice
    gray = prepared(image)
    np.testing.assert_allclose(gray, result @ [0.299, 0.587, 0.114], atol=1.01)
    np.testing.assert_array_equal(ImagePreprocessor(SIZE, dtype="uint8").fit_transform([image])[0], gray)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_pillow_images_equal_their_files(mode):
    image = Image.fromarray(RGB).convert("RGB" if mode == "I;16" else mode)
    if mode == "I;16":
        image = Image.fromarray(RNG.integers(0, 2**16, SIZE, dtype=np.uint16))
    content = encoded(image)
    expected = prepared(content, color_mode="rgb")
    for source in (image, Image.open(io.BytesIO(content))):
        np.testing.assert_array_equal(prepared(source, color_mode="rgb"), expected)


def test_transparent_gray_level_of_16_bits():
    deep = RNG.integers(0, 2**16, SIZE, dtype=np.uint16)
    content = encoded(Image.fromarray(deep))
    content = content[:33] + chunk(b"tRNS", deep[:1, 0].astype(">u2").tobytes()) + content[33:]
    np.testing.assert_allclose(prepared(content), np.where(deep == deep[0, 0], 255, deep / 257), atol=1)


@pytest.mark.parametrize("mode", ["I", "F"])
def test_pillow_images_without_a_range_raise(mode):
    with pytest.raises(ImageDecodeError, match=rf"images\[1\]: expected 8 or 16 bits.* \(mode {mode}\).*Rescale"):
        prepare_images([GRAY, Image.new(mode, (4, 4))])


def test_unreadable_pillow_images_raise(tmp_path):
    path = tmp_path / "image.png"
    Image.fromarray(RGB).save(path)
    with Image.open(path) as closed:
        pass
    truncated = Image.open(io.BytesIO(path.read_bytes()[:-900]))
    for image in (closed, truncated):
        with pytest.raises(ImageDecodeError, match=r"images\[0\]: expected a valid"):
            prepare_images([image])
    with pytest.raises(ImageDecodeError, match="at most 100 pixels, found 30 x 20"):
        prepare_images([Image.fromarray(RGB)], max_pixels=100)
    with pytest.raises(ValueError, match="Expected a sequence of images or paths. Received: a single Image"):
        prepare_images(Image.fromarray(RGB))


@pytest.mark.parametrize("table", [pd.DataFrame, pl.DataFrame, dict])
def test_tables_raise(table):
    images = table({"path": ["a.png", "b.png"], "label": ["a", "b"]})
    for prepare in (prepare_images, ImagePreprocessor().fit_transform):
        with pytest.raises(ValueError, match=r'Expected a sequence of images.*(DataFrame|dict).*images\["path"\]'):
            prepare(images)


@pytest.mark.parametrize("column", [list, np.array, pd.Series, pl.Series, pd.Index, tuple])
def test_columns_of_paths_are_accepted(tmp_path, column):
    paths = [str(tmp_path / f"{number}.png") for number in range(2)]
    for path, image in zip(paths, (GRAY, 255 - GRAY), strict=True):
        Image.fromarray(image).save(path)
    images = prepare_images(column(paths), SIZE, dtype="uint8")
    np.testing.assert_array_equal(images, [GRAY, 255 - GRAY])
