"""CSV tables keep their types and their missing values."""

import csv
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from kerasnet.datasets import load_csv
from kerasnet.errors import DataFormatError, UnsafeFileError


@pytest.fixture
def write(tmp_path):
    def write(text, encoding="utf-8"):
        (tmp_path / "table.csv").write_bytes(text.encode(encoding))
        return tmp_path / "table.csv"

    return write


TABLE = pd.DataFrame(
    {
        "whole": [-(2**63), 0, 2**63 - 1],
        "large": np.array([0, 1, 2**64 - 1], dtype="uint64"),
        "number": [0.1, -1e-300, 12345.678901234567],
        "some": [1.5, np.nan, 3.0],
        "none": [np.nan, np.nan, np.nan],
        "flag": [True, False, True],
        "text": pd.Series(['a "quoted" one', "two\nlines", "with, comma"], dtype="str"),
        "label": pd.Series(["dog", "cat", "dog"], dtype="str"),
    }
)


def test_what_pandas_wrote_comes_back_with_its_types(tmp_path):
    TABLE.to_csv(tmp_path / "table.csv", index=False)
    table = load_csv(tmp_path / "table.csv")
    pd.testing.assert_frame_equal(table.data, TABLE.drop(columns="label"))
    pd.testing.assert_series_equal(table.target, TABLE["label"])
    assert table.feature_names == ["whole", "large", "number", "some", "none", "flag", "text"]
    assert table.target_names.tolist() == ["cat", "dog"]
    assert "3 rows and 7 features" in table.DESCR
    X, y = load_csv(str(tmp_path / "table.csv"), return_X_y=True)
    pd.testing.assert_frame_equal(X, table.data)
    pd.testing.assert_series_equal(y, table.target)


def test_numbers_equal_those_of_python(write):
    generator = np.random.default_rng(0)
    texts = [repr(float(x)) for x in generator.standard_normal(1000) * 10.0 ** generator.integers(-300, 300, 1000)]
    path = write("x,label\n" + "".join(f"{text},{row}\n" for row, text in enumerate(texts)))
    assert load_csv(path).data["x"].tolist() == [float(text) for text in texts]


@pytest.mark.parametrize("missing", ["", "NA", "N/A", "NaN", "nan", "NULL", "null", '""'])
def test_missing_values_stay_missing(write, missing):
    table = load_csv(write(f"a,label\n1,x\n{missing},y\n3,x\n"))
    np.testing.assert_array_equal(table.data["a"], [1.0, np.nan, 3.0])
    assert table.data["a"].dtype == np.float64


def test_among_texts_only_an_empty_field_is_missing(write):
    table = load_csv(write("country,label\nNA,x\n,y\nnull,x\nDE,y\n"))
    assert table.data["country"].isna().tolist() == [False, True, False, False]
    assert table.data["country"].dropna().tolist() == ["NA", "null", "DE"]


def test_booleans_with_a_missing_one_are_booleans_and_a_missing_one(write):
    column = load_csv(write("a,label\ntrue,x\n,y\nFALSE,x\n")).data["a"]
    assert column.isna().tolist() == [False, True, False]
    assert column[0] is True
    assert column[2] is False


def test_columns_named_as_text_stay_as_they_are(write):
    path = write("code,ticket,label\n007,17,x\n010,A 5,y\n,18,x\n")
    table = load_csv(path, text_columns=["code", "ticket"])
    assert table.data["code"].dropna().tolist() == ["007", "010"]
    assert table.data["code"].isna().tolist() == [False, False, True]
    assert table.data["ticket"].tolist() == ["17", "A 5", "18"]


def test_a_column_of_half_numbers_is_text(write):
    assert load_csv(write("a,label\n1,x\nb,y\n")).data["a"].tolist() == ["1", "b"]


@pytest.mark.parametrize(
    ("labels", "dtype"), [(["3", "5"], "int64"), (["0.5", "2"], "float64"), (["true", "false"], "bool")]
)
def test_labels_have_types_too(write, labels, dtype):
    table = load_csv(write(f"a,y\n1,{labels[0]}\n2,{labels[1]}\n"), target="y")
    assert table.target.dtype == dtype
    assert table.target.name == "y"
    assert table.target_names is None


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_line_ends_and_byte_order_marks_do_not_matter(write, end, encoding):
    table = load_csv(write(end.join(["größe,label", "", "1,ä", "2,b"]), encoding))
    assert table.feature_names == ["größe"]
    assert table.target.tolist() == ["ä", "b"]


def test_blank_lines_between_carriage_returns_shift_no_field(write):
    data = load_csv(write("a,label,b\ru,1,5\r\r,2,6\rv,1,7\r")).data
    assert data["a"].isna().tolist() == [False, True, False]
    assert data["b"].tolist() == [5, 6, 7]
    np.testing.assert_array_equal(load_csv(write("a,label\n1,x\n\r,y\n3,z\n")).data["a"], [1, np.nan, 3])


def test_line_ends_in_quotes_stay_as_they_are(write):
    texts = ["one\r\ntwo", "one\rtwo", "one\ntwo", "\r\n\r\n"]
    path = write("a,label\r\n" + "".join(f'"{text}",{row}\r\n' for row, text in enumerate(texts)))
    assert load_csv(path).data["a"].tolist() == texts


def test_the_line_named_is_that_of_the_file(write):
    path = write('a,b,label\n1,"two\nlines",x\n\n2,b,y\n3,b,y\noops,b,x\n')
    with pytest.raises(DataFormatError, match=r"line 7: column 'a': expected a number as in most rows, found 'oops'"):
        load_csv(path)


def test_whole_numbers_beside_missing_ones_are_exact(write):
    assert load_csv(write(f"a,label\n{2**53},x\n,y\n")).data["a"][0] == 2**53


@pytest.mark.parametrize("other", ["0.5", "NA"])
def test_whole_numbers_in_a_float_column_are_exact_or_refused(write, other):
    exact = [2**53, -(2**53), 2**53 + 2, 2**62]
    rows = "".join(f"{number},x\n" for number in exact)
    assert load_csv(write(f"a,label\n{rows}{other},y\n")).data["a"][:4].tolist() == exact
    for number in (2**53 + 1, -(2**53) - 1, 2**62 + 1):
        with pytest.raises(DataFormatError, match=f"line 6: .* whole number that float64 holds, .*found '{number}'"):
            load_csv(write(f"a,label\n{rows}{number},x\n{other},y\n"))


def test_nothing_but_0_is_0(write):
    assert load_csv(write("a,label\n0.0,x\n-0e5,y\n5e-324,x\n0E-400,x\n")).data["a"].tolist() == [0, 0, 5e-324, 0]


def test_fields_are_as_long_as_the_file_allows(write):
    path = write(f"a,label\n{'long' * 100_000},x\nshort,y\n")
    limit = csv.field_size_limit()
    with ThreadPoolExecutor(4) as pool:
        for table in pool.map(load_csv, [path] * 8):
            assert table.data["a"].str.len().tolist() == [400_000, 5]
    assert csv.field_size_limit() == limit, "a setting of the whole process"
    with pytest.raises(DataFormatError, match="line 3: expected 2 fields, found 1"):
        load_csv(write(f"a,label\n{'long' * 100_000},x\nshort\n"))
    assert csv.field_size_limit() == limit


def test_max_bytes_bounds_the_file(write):
    path = write("a,label\n1,x\n2,y\n")
    assert len(load_csv(path, max_bytes=16).data) == 2
    with pytest.raises(UnsafeFileError, match="larger than 15 bytes"):
        load_csv(path, max_bytes=15)
