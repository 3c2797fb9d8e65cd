"""Tests that loaders reject invalid files with a message about what was expected and found."""

import gzip
import io
import os
import struct

import numpy as np
import pytest

from kerasnet.datasets import load_csv, load_fashion_mnist, load_image_folder, read_idx
from kerasnet.errors import DataFormatError, UnsafeFileError


def idx_of(code, shape, content, zeros=b"\0\0"):
    return zeros + struct.pack(f">BB{len(shape)}I", code, len(shape), *shape) + content


GOOD_IDX = idx_of(0x08, (2, 3), bytes(range(6)))
COMPRESSED_IDX = gzip.compress(GOOD_IDX)

BAD_IDX = {
    "empty": (b"", DataFormatError, "offset 0: expected 00 00, type and dimensions, found nothing"),
    "three bytes": (GOOD_IDX[:3], DataFormatError, "offset 0: expected 00 00.*, found 00 00 08"),
    "text": (b"hello, world", DataFormatError, "offset 0: expected 00 00.*, found 68 65 6c 6c"),
    "little-endian magic": (b"\x02\x08\0\0" + GOOD_IDX[4:], DataFormatError, "offset 0: .*, found 02 08 00 00"),
    "unknown type": (idx_of(0x0A, (1,), b"\0"), DataFormatError, "offset 2: expected a type among 08, 09.*, found 0a"),
    "no dimensions": (idx_of(0x08, (), b"\0"), DataFormatError, "offset 3: expected 1 to 64 dimensions, found 0"),
    "255 dimensions": (
        idx_of(0x08, (1,) * 255, b"\0"),
        DataFormatError,
        "offset 3: expected 1 to 64 dimensions, found 255",
    ),
    "truncated header": (GOOD_IDX[:10], DataFormatError, "offset 4: expected 2 lengths of 4 bytes, found 6 bytes"),
    "only a header": (GOOD_IDX[:12], DataFormatError, r"offset 12: expected 6 bytes for uint8\[2, 3\], found only 0"),
    "truncated data": (GOOD_IDX[:-1], DataFormatError, r"offset 12: expected 6 bytes .*, found only 5"),
    "too long": (GOOD_IDX + b"\0", DataFormatError, "offset 12: expected 6 bytes .*, found more"),
    "truncated number": (
        idx_of(0x0D, (2,), bytes(7)),
        DataFormatError,
        r"expected 8 bytes for float32\[2\], found only 7",
    ),
    "huge shape": (idx_of(0x08, (2**32 - 1,) * 3, b""), UnsafeFileError, "is larger than 1000000000 bytes"),
    "huge size in bytes": (idx_of(0x0E, (2**27,), b""), UnsafeFileError, r"float64\[134217728\] is larger"),
    "huge shape of an empty array": (idx_of(0x08, (0, 2**32 - 1, 2**32 - 1), b""), UnsafeFileError, "is larger than"),
    "compressed and truncated": (COMPRESSED_IDX[:-9], DataFormatError, "expected a valid gzip file"),
    "compressed with a truncated header": (COMPRESSED_IDX[:5], DataFormatError, "expected a valid gzip file"),
    "compressed with a wrong checksum": (
        COMPRESSED_IDX[:-8] + b"\0\0\0\0" + COMPRESSED_IDX[-4:],
        DataFormatError,
        "expected a valid gzip file, found: CRC check failed",
    ),
    "compressed by an unknown method": (
        b"\x1f\x8b\x07" + COMPRESSED_IDX[3:],
        DataFormatError,
        "Unknown compression method",
    ),
    "compressed with invalid data": (
        COMPRESSED_IDX[:10] + b"\xff" * 20,
        DataFormatError,
        "expected a valid gzip file, found: Error -3",
    ),
    "compressed with trailing data": (COMPRESSED_IDX + b"garbage", DataFormatError, "expected a valid gzip file"),
    "compressed text": (gzip.compress(b"hello, world"), DataFormatError, "offset 0: expected 00 00"),
    "zip bomb": (gzip.compress(GOOD_IDX + bytes(10**7)), DataFormatError, "offset 12: expected 6 bytes .*, found more"),
}

IMAGES, LABELS = np.zeros((3, 28, 28), dtype=np.uint8), np.array([0, 1, 2], dtype=np.uint8)


def npz_of(images=IMAGES, labels=LABELS, **others):
    content = io.BytesIO()
    np.savez_compressed(content, **{"x_train": images, "y_train": labels, **others})
    return content.getvalue()


def npz_without_labels():
    content = io.BytesIO()
    np.savez(content, x_train=IMAGES)
    return content.getvalue()


BAD_NPZ = {
    "empty": (lambda: b"", DataFormatError, "expected an npz file of arrays"),
    "text": (lambda: b"hello, world", DataFormatError, "expected an npz file of arrays"),
    "truncated": (lambda: npz_of()[:-30], DataFormatError, "expected an npz file of arrays"),
    "no labels": (npz_without_labels, DataFormatError, r"expected arrays \['y_train'\], found only \['x_train'\]"),
    "float images": (
        lambda: npz_of(IMAGES / 255),
        DataFormatError,
        r"x_train: expected images as uint8\[n, 28, 28\], found float64\[3, 28, 28\]",
    ),
    "int64 images": (lambda: npz_of(IMAGES + np.int64(300)), DataFormatError, "x_train: .*found int64"),
    "wrong shape": (lambda: npz_of(IMAGES[:, :27]), DataFormatError, r"x_train: .*found uint8\[3, 27, 28\]"),
    "flat images": (lambda: npz_of(IMAGES.reshape(3, 784)), DataFormatError, r"found uint8\[3, 784\]"),
    "fewer labels": (
        lambda: npz_of(labels=LABELS[:2]),
        DataFormatError,
        "y_train: expected 3 labels, one for each image, found 2",
    ),
    "label 10": (
        lambda: npz_of(labels=np.array([0, 10, 1])),
        DataFormatError,
        "y_train: label 1: expected a class from 0 to 9, found 10",
    ),
    "negative label": (lambda: npz_of(labels=np.array([0, 1, -1])), DataFormatError, "label 2: .*found -1"),
    "label beyond int64": (
        lambda: npz_of(labels=np.array([2**64 - 1, 0, 1], dtype=np.uint64)),
        DataFormatError,
        "label 0: .*found 18446744073709551615",
    ),
    "NaN label": (lambda: npz_of(labels=np.array([0, 1, np.nan])), DataFormatError, r"as integers\[n\], found float64"),
    "text labels": (lambda: npz_of(labels=np.array(["0", "1", "2"])), DataFormatError, r"as integers\[n\], found <U1"),
    "one-hot labels": (lambda: npz_of(labels=np.eye(3, dtype=int)), DataFormatError, r"found int64\[3, 3\]"),
    "no images": (lambda: npz_of(IMAGES[:0], LABELS[:0]), DataFormatError, r"at least two classes, found \[\]"),
    "one class": (lambda: npz_of(labels=LABELS * 0), DataFormatError, r"at least two classes, found \[0\]"),
    "pickled labels": (lambda: npz_of(labels=np.array([{}] * 3)), UnsafeFileError, "Python objects"),
    "zip bomb": (lambda: npz_of(np.zeros(100_000_001, dtype=np.uint8)), UnsafeFileError, "more than 100000000"),
}

IMAGE_FILE, LABEL_FILE = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"
GOOD_FOLDER = {
    IMAGE_FILE: gzip.compress(idx_of(0x08, (3, 28, 28), bytes(3 * 784))),
    LABEL_FILE: gzip.compress(idx_of(0x08, (3,), b"\0\1\2")),
}
BAD_IDX_FOLDER = {  # the invalid file, its content, and the message
    "truncated images": (IMAGE_FILE, GOOD_FOLDER[IMAGE_FILE][:-5], "expected a valid gzip file"),
    "labels instead of images": (IMAGE_FILE, GOOD_FOLDER[LABEL_FILE], r"expected images as .*found uint8\[3\]"),
    "images instead of labels": (LABEL_FILE, GOOD_FOLDER[IMAGE_FILE], r"expected labels as .*found uint8\[3, 28, 28\]"),
    "too many labels": (LABEL_FILE, idx_of(0x08, (4,), b"\0\1\2\3"), "expected 3 labels, one for each image, found 4"),
    "label 255": (LABEL_FILE, idx_of(0x08, (3,), b"\0\1\xff"), "label 2: expected a class from 0 to 9, found 255"),
    "signed images": (IMAGE_FILE, idx_of(0x09, (3, 28, 28), bytes(3 * 784)), "expected images as uint8.*found int8"),
}

BAD_CSV = {
    "empty": (b"", "line 1: expected a header and rows, found an empty file"),
    "blank lines": (b"\n\n", "line 3: expected a header and rows, found an empty file"),
    "only a header": (b"a,label\n", "line 2: expected a header and rows, found only a header"),
    "no label column": (b"a,b\n1,2\n", r"line 1: expected a column 'label', found \['a', 'b'\]"),
    "semicolons": (b"a;label\n1;x\n", r"line 1: expected a column 'label', found \['a;label'\]"),
    "only a label column": (b"label\nx\ny\n", "line 1: expected columns other than 'label', found none"),
    "unnamed column": (b",label\n1,x\n", r"line 1: expected a name for each column, found \['', 'label'\]"),
    "duplicate column": (b"a,a,label\n1,2,x\n", "line 1: expected unique column names, found"),
    "too few fields": (b"a,b,label\n1,2,x\n1,y\n", "line 3: expected 3 fields, found 2"),
    "too many fields": (b"a,label\n1,x\n2,3,y\n", "line 3: expected 2 fields, found 3"),
    "decimal comma": (b"a,label\n1,x\n2,5,y\n", "line 3: expected 2 fields, found 3"),
    "row of spaces": (b"a,label\n1,x\n  \n2,y\n", "line 3: expected 2 fields, found 1"),
    "unclosed quote": (b'a,label\n1,x\n"2,y\n3,x\n', "line 3: expected valid CSV, found: unexpected end of data"),
    "text after a quoted field": (b'a,label\n"1"2,x\n', "line 2: expected valid CSV"),
    "very long number": (
        b"a,label\n1,x\n2,x\n" + b"2" * 200_000 + b",y\n",
        r"line 4: .*expected a number as in most rows, found '2{12}\.\.\.2{13}'",
    ),
    "blank row between carriage returns": (b"a,label\r\r,\r", "line 3: expected a label in 'label', found none"),
    "text in a numeric column": (
        b"a,label\n1,x\n2,y\noops,x\n",
        r"line 4: column 'a': expected a number as in most rows, found 'oops'.*set text_columns=\['a'\]",
    ),
    "number with a unit": (b"a,label\n1,x\n2 cm,y\n3,x\n", "line 3: column 'a': .*found '2 cm'"),
    "spaces in a numeric column": (b"a,label\n1,x\n ,y\n3,x\n", "line 3: column 'a': .*found ' '"),
    "number out of range for float64": (
        b"a,label\n1.5,x\n1e999,y\n",
        "line 3: column 'a': expected a finite number, found '1e999'",
    ),
    "infinity": (b"a,label\n1.5,x\n-inf,y\n", "line 3: column 'a': expected a finite number, found '-inf'"),
    "number that underflows to 0": (
        b"a,label\n1.5,x\n-0.1e-400,y\n",
        "line 3: column 'a': expected a number that does not underflow to 0, found '-0.1e-400'",
    ),
    "integer of more than 64 bits": (
        b"a,label\n1,x\n18446744073709551616,y\n",
        "line 3: column 'a': expected an integer of at most 64 bits, found '18446744073709551616'",
    ),
    "integer that float64 cannot represent exactly": (
        b"a,label\n9007199254740993,x\n,y\n",
        "line 2: column 'a': expected an integer that float64 represents exactly, .*, found '9007199254740993'",
    ),
    "missing label": (b"a,label\n1,x\n2,\n", "line 3: expected a label in 'label', found none"),
    "one class": (b"a,label\n1,x\n2,x\n", "expected at least two classes in 'label', found only 'x'"),
    "Latin-1": ("a,label\n1,é\n".encode("latin-1"), "line 2: expected text in UTF-8, found the byte e9 at offset 10"),
    "UTF-16": ("a,label\n1,x\n".encode("utf-16"), "line 1: expected text in UTF-8, found the byte ff at offset 0"),
    "null byte": (b"a,label\n1\x002,x\n", "line 2: expected text in UTF-8, found the byte 00 at offset 9"),
    "compressed": (
        gzip.compress(b"a,label\n1,x\n2,y\n"),
        "expected text in UTF-8, found the byte 8b at offset 1",
    ),
}


def add_nothing(folder):
    pass


def add_image(folder, name, content=b"P5 1 1 255 x"):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def two_classes_and(add):
    def make(folder):
        add_image(folder, "cat/1.png")
        add_image(folder, "dog/1.png")
        add(folder)

    return make


BAD_IMAGE_FOLDERS = {
    "no classes": (add_nothing, r"expected a folder for each of at least two classes, found \[\]"),
    "one class": (lambda folder: add_image(folder, "cat/1.png"), r"at least two classes, found \['cat'\]"),
    "class without images": (
        two_classes_and(lambda folder: (folder / "eel").mkdir()),
        "eel: expected at least one image of the class, found none",
    ),
    "image outside the class folders": (
        two_classes_and(lambda folder: add_image(folder, "1.png")),
        "1.png: expected images only in class folders",
    ),
    "empty image": (
        two_classes_and(lambda folder: add_image(folder, "dog/2.png", b"")),
        "dog/2.png: expected an image, found an empty file",
    ),
    "text file in a class folder": (
        two_classes_and(lambda folder: add_image(folder, "dog/notes.txt")),
        r"dog/notes.txt: expected an image file \(.bmp, ",
    ),
    "pipe instead of an image": (
        two_classes_and(lambda folder: os.mkfifo(folder / "dog/2.png")),
        "dog/2.png: expected an image file",
    ),
    "link to itself": (
        two_classes_and(lambda folder: (folder / "eel").symlink_to("eel")),
        "eel: expected a file or folder, found a loop of symbolic links",
    ),
    "link to the parent folder": (
        two_classes_and(lambda folder: (folder / "dog/parent").symlink_to("..")),
        "dog/parent: expected each folder once, found a symbolic link to .*, already visited",
    ),
    "links between class folders": (
        two_classes_and(
            lambda folder: [(folder / "dog/a").symlink_to("../cat"), (folder / "cat/b").symlink_to("../dog")]
        ),
        "expected each folder once, found a symbolic link to",
    ),
    "class folder with two names": (
        two_classes_and(lambda folder: (folder / "hound").symlink_to("dog")),
        "hound: expected each folder once, .*symbolic link to .*dog",
    ),
    "broken link": (
        two_classes_and(lambda folder: (folder / "dog/2.png").symlink_to("gone.png")),
        "dog/2.png: expected a file or folder, found a broken symbolic link",
    ),
}


def assert_rejected(load, path, error, message):
    with pytest.raises(error, match=message) as caught:
        load(path)
    assert type(caught.value) is error
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", BAD_IDX)
def test_invalid_idx_file_raises(tmp_path, name):
    content, error, message = BAD_IDX[name]
    (tmp_path / "bad.idx").write_bytes(content)
    assert_rejected(read_idx, tmp_path / "bad.idx", error, message)


@pytest.mark.parametrize("name", BAD_NPZ)
def test_invalid_npz_file_raises(tmp_path, name):
    make, error, message = BAD_NPZ[name]
    (tmp_path / "bad.npz").write_bytes(make())
    assert_rejected(lambda path: load_fashion_mnist(path=path), tmp_path / "bad.npz", error, message)


@pytest.mark.parametrize("name", BAD_IDX_FOLDER)
def test_invalid_file_in_a_folder_of_idx_files_raises(tmp_path, name):
    invalid, content, message = BAD_IDX_FOLDER[name]
    for file, good in GOOD_FOLDER.items():
        (tmp_path / file).write_bytes(good)
    assert len(load_fashion_mnist(path=tmp_path).data) == 3
    (tmp_path / invalid).write_bytes(content)
    assert_rejected(lambda path: load_fashion_mnist(path=path.parent), tmp_path / invalid, DataFormatError, message)


@pytest.mark.parametrize("name", BAD_CSV)
def test_invalid_csv_file_raises(tmp_path, name):
    content, message = BAD_CSV[name]
    (tmp_path / "bad.csv").write_bytes(content)
    assert_rejected(load_csv, tmp_path / "bad.csv", DataFormatError, message)


@pytest.mark.parametrize("name", BAD_IMAGE_FOLDERS)
def test_invalid_image_folder_raises(tmp_path, name):
    make, message = BAD_IMAGE_FOLDERS[name]
    make(tmp_path)
    assert_rejected(load_image_folder, tmp_path, DataFormatError, message)


def test_the_original_files_are_valid(tmp_path):
    (tmp_path / "good.idx").write_bytes(COMPRESSED_IDX)
    assert read_idx(tmp_path / "good.idx").tolist() == [[0, 1, 2], [3, 4, 5]]
    (tmp_path / "good.npz").write_bytes(npz_of())
    assert load_fashion_mnist(path=tmp_path / "good.npz").target.tolist() == [0, 1, 2]
    (tmp_path / "images").mkdir()
    two_classes_and(add_nothing)(tmp_path / "images")
    assert len(load_image_folder(tmp_path / "images").data) == 2


def test_number_of_invalid_files():
    assert sum(map(len, (BAD_IDX, BAD_NPZ, BAD_IDX_FOLDER, BAD_CSV, BAD_IMAGE_FOLDERS))) == 90
