"""Tests of the IDX reader with all types, with and without compression."""

import gzip
import struct

import numpy as np
import pytest

from kerasnet.datasets import read_idx
from kerasnet.errors import DataFormatError, UnsafeFileError

TYPES = {  # code: format character of struct, dtype, and values that include the limits of its range
    0x08: ("B", "uint8", [0, 1, 200, 255]),
    0x09: ("b", "int8", [-128, -1, 0, 127]),
    0x0B: ("h", "int16", [-(2**15), -2, 258, 2**15 - 1]),
    0x0C: ("i", "int32", [-(2**31), -2, 258, 2**31 - 1]),
    0x0D: ("f", "float32", [-1.5, 0.0, 2.0**-140, float("inf")]),
    0x0E: ("d", "float64", [-1.5, 0.1, 5e-324, 1.7e308]),
}


def idx_of(code, character, shape, values):
    header = struct.pack(f">BBBB{len(shape)}I", 0, 0, code, len(shape), *shape)
    return header + struct.pack(f">{len(values)}{character}", *values)


@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["uncompressed", "compressed"])
@pytest.mark.parametrize("code", TYPES, ids=lambda code: TYPES[code][1])
def test_all_types_are_read_in_native_byte_order(tmp_path, code, compress):
    character, dtype, values = TYPES[code]
    (tmp_path / "a.idx").write_bytes(compress(idx_of(code, character, (2, 2), values)))
    array = read_idx(tmp_path / "a.idx")
    np.testing.assert_array_equal(array, np.array(values, dtype).reshape(2, 2), strict=True)
    assert array.dtype.isnative
    assert array.flags.writeable


@pytest.mark.parametrize("shape", [(6,), (2, 3), (1, 2, 3), (1, 1, 2, 3), (0,), (0, 28, 28)])
def test_shapes_are_read(tmp_path, shape):
    values = range(int(np.prod(shape)))
    (tmp_path / "a.idx").write_bytes(idx_of(0x08, "B", shape, values))
    expected = np.array(values, np.uint8).reshape(shape)
    np.testing.assert_array_equal(read_idx(str(tmp_path / "a.idx")), expected, strict=True)


def test_compression_is_detected_by_content_not_by_name(tmp_path):
    content = idx_of(0x08, "B", (3,), [1, 2, 3])
    (tmp_path / "uncompressed.gz").write_bytes(content)
    (tmp_path / "compressed.idx").write_bytes(gzip.compress(content))
    for name in ("uncompressed.gz", "compressed.idx"):
        assert read_idx(tmp_path / name).tolist() == [1, 2, 3]


def test_max_bytes_limits_the_decompressed_array(tmp_path):
    (tmp_path / "a.idx").write_bytes(gzip.compress(idx_of(0x0B, "h", (50,), range(50))))
    assert len(read_idx(tmp_path / "a.idx", max_bytes=100)) == 50
    with pytest.raises(UnsafeFileError, match=r"int16\[50\] is larger than 99 bytes"):
        read_idx(tmp_path / "a.idx", max_bytes=99)


def test_decompression_stops_at_the_size_in_the_header(tmp_path, monkeypatch):
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(idx_of(0x08, "B", (3,), [1, 2, 3]) + bytes(50_000_000)))
    chunks = []
    read = gzip._GzipReader.read
    monkeypatch.setattr(gzip._GzipReader, "read", lambda *args: chunks.append(read(*args)) or chunks[-1])
    with pytest.raises(DataFormatError, match=r"offset 8: expected 3 bytes for uint8\[3\], found more"):
        read_idx(tmp_path / "bomb.gz")
    assert 0 < sum(map(len, chunks)) < 1_000_000


def test_missing_file_raises_file_not_found(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_idx(tmp_path / "nowhere.idx")
