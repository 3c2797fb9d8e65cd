"""Tests of loading time series from .ts, .tsv and .arff files."""

from pathlib import Path

import numpy as np
import pytest

from kerasnet.datasets import load_ucr
from kerasnet.errors import DataFormatError, UnsafeFileError

DATA = Path(__file__).parents[3] / "shared" / "data" / "series"
NAN = np.nan

TS = "#about\n@problemName p\n@univariate true\n@equalLength true\n@seriesLength 3\n@classLabel true a b\n@data\n"
UNEQUAL_TS = "@univariate false\n@dimensions 2\n@equalLength false\n@classLabel true a b\n@data\n"
ARFF = "%about\n@relation r\n@attribute x0 numeric\n@attribute 'x 1' numeric\n@attribute class {a,'b c'}\n@data\n"
RELATIONAL = (
    "@relation r\n@attribute bag relational\n@attribute x0 numeric\n@attribute x1 numeric\n@end bag\n"
    "@attribute class {a,b}\n@data\n"
)


@pytest.fixture
def write(tmp_path):
    def write(suffix, text):
        (tmp_path / f"series{suffix}").write_bytes(text.encode() if isinstance(text, str) else text)
        return tmp_path / f"series{suffix}"

    return write


@pytest.mark.parametrize(
    ("suffix", "text", "expected", "labels"),
    [
        (".ts", TS + "1,2,3:a\r\n\n4,?,NaN:b\n", [[[1], [2], [3]], [[4], [NAN], [NAN]]], ["a", "b"]),
        (".ts", UNEQUAL_TS + "1,2:3,4:b\n5:6:a", [[[1, 3], [2, 4]], [[5, 6]]], ["b", "a"]),
        (".ts", "@classLabel false\n@data\n1,2\n3,4:", [[[1], [2]], [[3], [4]]], None),
        (
            ".ts",
            "@targetLabel\ttrue\t\n@classLabel\tfalse\tx\n@data\n1:0.1\n2:16777217",
            [[[1]], [[2]]],
            [0.1, 16777217.0],
        ),
        (".tsv", "1\t1.5\t2\n-1\tNaN\t4\n", [[[1.5], [2]], [[NAN], [4]]], ["1", "-1"]),
        (".tsv", "1\t1\tNaN\tNaN\n2\t3\t4\tNaN\n", [[[1]], [[3], [4]]], ["1", "2"]),
        (".arff", ARFF + "1,2,a\n%no\n?,4,'b c'\n", [[[1], [2]], [[NAN], [4]]], ["a", "b c"]),
        (".arff", RELATIONAL + "'1,2\\n3,4',a\n\"5,?\\n6,?\",b\n", [[[1, 3], [2, 4]], [[5, 6]]], ["a", "b"]),
    ],
)
def test_series_and_labels(write, suffix, text, expected, labels):
    path = write(suffix, text)
    X, y = load_ucr(path, return_X_y=True)
    assert isinstance(X, np.ndarray) == (len({len(each) for each in expected}) == 1)
    assert all(each.dtype == np.float32 and each.flags["C_CONTIGUOUS"] for each in X)
    for series, values in zip(X, expected, strict=True):
        np.testing.assert_array_equal(series, np.array(values, np.float32))
    assert y is None if labels is None else y.tolist() == labels
    for series, transposed in zip(X, load_ucr(path, data_format="channels_first").data, strict=True):
        np.testing.assert_array_equal(transposed, series.T)


def test_bunch_has_class_names_and_comments(write):
    series = load_ucr(write(".ts", TS + "1,2,3:b\n4,5,6:a\n"))
    assert (series.data.shape, series.target.tolist()) == ((2, 3, 1), ["b", "a"])
    assert (series.target_names.tolist(), series.DESCR) == (["a", "b"], "about")


@pytest.mark.parametrize(
    ("suffix", "text", "message"),
    [
        (".ts", "", "line 1: expected '@data', found the end of the file"),
        (".ts", "1,2:a\n", "line 1: expected '@data' before the series, found '1,2:a'"),
        (".ts", TS, "expected at least one series, found none"),
        (".ts", TS + "1,2:a\n", "line 8: expected 3 steps, found 2"),
        (".ts", TS + "1,2,3:4,5,6:a\n", "line 8: expected 1 dimensions, found 2"),
        (".ts", TS + "1,2,3:c\n", r"line 8: expected a label among \['a', 'b'\], found 'c'"),
        (".ts", TS + "1,2,3:\n", "line 8: expected a label, found none"),
        (".ts", TS + "1,2,3\n", "line 8: expected a series, ':' and a label"),
        (".ts", TS + "1,x,3:a\n", "line 8: expected a number, '[?]' or 'NaN', found 'x'"),
        (".ts", TS + "1,,3:a\n", "line 8: expected a number"),
        (".ts", TS + "1,1e39,3:a\n", "line 8: expected finite numbers in the range of float32, found '1e39'"),
        (".ts", UNEQUAL_TS + "1,2:3:a\n", r"line 6: .*same length, found lengths \[2, 1\]"),
        (".ts", "@equalLength true\n@classLabel true\n@data\n1,2:a\n1:a\n", "line 5: expected 2 steps, found 1"),
        (
            ".ts",
            "@dimensions 0\n@classLabel false\n@data\n",
            "expected a positive number after '@dimensions', found '0'",
        ),
        (
            ".ts",
            "@univariate maybe\n@classLabel false\n@data\n",
            "expected true or false after '@univariate', found 'maybe'",
        ),
        (".ts", "@timeStamps true\n@classLabel true\n@data\n(0,1):a\n", "expected series without time stamps"),
        (".ts", TS + "1,1_0,3:a\n", "line 8: expected a number, '[?]' or 'NaN', found '1_0'"),
        (".ts", "@targetLabel true\n@data\n1:?\n", "line 3: expected a label, found none"),
        (".ts", "@targetLabel true\n@data\n1:7,5\n", "line 3: expected a number, '[?]' or 'NaN', found '7,5'"),
        (".ts", "@targetLabel true\n@data\n1:inf\n", "line 3: expected a finite number as target, found 'inf'"),
        (".ts", "@univariate true\n@data\n1,2:a\n", "line 2: expected '@classLabel' or '@targetLabel' before '@data'"),
        (".tsv", "1 2 3\n", "line 1: expected a label and numbers, separated by tabs"),
        (".tsv", "1\t0,5\t0,6\n", "line 1: expected a label and numbers, separated by tabs"),
        (".tsv", "1\tNaN\tNaN\n", "line 1: expected a series, found only missing values"),
        (".tsv", b"1\t2\n\xff\t3\n", "line 2: expected text in UTF-8"),
        (".arff", ARFF + "1,a\n", "line 7: expected 2 steps, found 1"),
        (".arff", ARFF + "1\n", "line 7: expected a series and a label"),
        (".arff", RELATIONAL + "1,2,a\n", "line 8: expected a quoted series and a label"),
        (".arff", "@attribute class {a}\n@data\na\n", "expected attributes of the steps"),
        (".arff", "@attribute x\n@data\n", "line 1: expected '@attribute', a name and a type"),
        (".arff", "@relation r\n1,2,a\n", "line 2: expected '@attribute' or '@data' before the series"),
    ],
)
def test_broken_files_raise(write, suffix, text, message):
    with pytest.raises(DataFormatError, match=message):
        load_ucr(write(suffix, text))


def test_invalid_arguments_raise(write):
    path = write(".ts", TS + "1,2,3:a\n")
    with pytest.raises(ValueError, match=r"data_format must be .* Received: 'aeon'"):
        load_ucr(path, data_format="aeon")
    with pytest.raises(ValueError, match=r"suffix of path must be one of \['.ts', '.tsv', '.arff'\]"):
        load_ucr(path.with_suffix(".csv"))
    with pytest.raises(UnsafeFileError, match="larger than 9 bytes"):
        load_ucr(path, max_bytes=9)


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no data in {DATA}")
@pytest.mark.parametrize(
    ("name", "n_samples", "n_steps", "n_dimensions"),
    [("GunPoint_TRAIN", 50, {150}, 1), ("BasicMotions_TEST", 40, {100}, 6), ("JapaneseVowels_TEST", 370, {7, 29}, 12)],
)
def test_files_of_the_archives(name, n_samples, n_steps, n_dimensions):
    X, y = load_ucr(DATA / f"{name}.ts", return_X_y=True)
    lengths = [len(each) for each in X]
    assert (len(X), len(y), {min(lengths), max(lengths)}) == (n_samples, n_samples, n_steps)
    assert {each.shape[1] for each in X} == {n_dimensions}
