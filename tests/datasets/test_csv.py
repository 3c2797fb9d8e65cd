"""Tests of loading CSV files: dtypes, missing values, exact numbers and errors."""

import csv
import math
import random
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
        "integer": [-(2**63), 0, 2**63 - 1],
        "large": np.array([0, 1, 2**64 - 1], dtype="uint64"),
        "number": [0.1, -1e-300, 12345.678901234567],
        "some": [1.5, np.nan, 3.0],
        "none": [np.nan, np.nan, np.nan],
        "flag": [True, False, True],
        "text": pd.Series(['a "quoted" one', "two\nlines", "with, comma"], dtype="str"),
        "label": pd.Series(["dog", "cat", "dog"], dtype="str"),
    }
)


def test_pandas_round_trip_keeps_dtypes(tmp_path):
    TABLE.to_csv(tmp_path / "table.csv", index=False)
    table = load_csv(tmp_path / "table.csv")
    pd.testing.assert_frame_equal(table.data, TABLE.drop(columns="label"))
    pd.testing.assert_series_equal(table.target, TABLE["label"])
    assert table.feature_names == ["integer", "large", "number", "some", "none", "flag", "text"]
    assert table.target_names.tolist() == ["cat", "dog"]
    assert "3 rows and 7 features" in table.DESCR
    X, y = load_csv(str(tmp_path / "table.csv"), return_X_y=True)
    pd.testing.assert_frame_equal(X, table.data)
    pd.testing.assert_series_equal(y, table.target)


def test_numbers_equal_those_parsed_by_python(write):
    generator = np.random.default_rng(0)
    texts = [repr(float(x)) for x in generator.standard_normal(1000) * 10.0 ** generator.integers(-300, 300, 1000)]
    path = write("x,label\n" + "".join(f"{text},{row}\n" for row, text in enumerate(texts)))
    assert load_csv(path).data["x"].tolist() == [float(text) for text in texts]


@pytest.mark.parametrize("missing", ["", "NA", "N/A", "NaN", "nan", "NULL", "null", '""'])
def test_missing_values_in_numeric_columns(write, missing):
    table = load_csv(write(f"a,label\n1,x\n{missing},y\n3,x\n"))
    np.testing.assert_array_equal(table.data["a"], [1.0, np.nan, 3.0])
    assert table.data["a"].dtype == np.float64


def test_only_empty_fields_are_missing_in_text_columns(write):
    table = load_csv(write("country,label\nNA,x\n,y\nnull,x\nDE,y\n"))
    assert table.data["country"].isna().tolist() == [False, True, False, False]
    assert table.data["country"].dropna().tolist() == ["NA", "null", "DE"]


def test_boolean_column_with_a_missing_value(write):
    column = load_csv(write("a,label\ntrue,x\n,y\nFALSE,x\n")).data["a"]
    assert column.isna().tolist() == [False, True, False]
    assert column[0] is True
    assert column[2] is False


def test_text_columns_are_not_converted(write):
    path = write("code,ticket,label\n007,17,x\n010,A 5,y\n,18,x\n")
    table = load_csv(path, text_columns=["code", "ticket"])
    assert table.data["code"].dropna().tolist() == ["007", "010"]
    assert table.data["code"].isna().tolist() == [False, False, True]
    assert table.data["ticket"].tolist() == ["17", "A 5", "18"]


def test_column_with_half_numbers_is_text(write):
    assert load_csv(write("a,label\n1,x\nb,y\n")).data["a"].tolist() == ["1", "b"]


@pytest.mark.parametrize(
    ("labels", "dtype"), [(["3", "5"], "int64"), (["0.5", "2"], "float64"), (["true", "false"], "bool")]
)
def test_dtypes_of_labels(write, labels, dtype):
    table = load_csv(write(f"a,y\n1,{labels[0]}\n2,{labels[1]}\n"), target="y")
    assert table.target.dtype == dtype
    assert table.target.name == "y"
    assert table.target_names is None


@pytest.mark.parametrize("line_break", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_line_breaks_and_byte_order_marks(write, line_break, encoding):
    table = load_csv(write(line_break.join(["größe,label", "", "1,ä", "2,b"]), encoding))
    assert table.feature_names == ["größe"]
    assert table.target.tolist() == ["ä", "b"]


def test_blank_lines_with_carriage_returns_are_skipped(write):
    data = load_csv(write("a,label,b\ru,1,5\r\r,2,6\rv,1,7\r")).data
    assert data["a"].isna().tolist() == [False, True, False]
    assert data["b"].tolist() == [5, 6, 7]
    np.testing.assert_array_equal(load_csv(write("a,label\n1,x\n\r,y\n3,z\n")).data["a"], [1, np.nan, 3])


def test_line_breaks_in_quoted_fields_are_kept(write):
    texts = ["one\r\ntwo", "one\rtwo", "one\ntwo", "\r\n\r\n"]
    path = write("a,label\r\n" + "".join(f'"{text}",{row}\r\n' for row, text in enumerate(texts)))
    assert load_csv(path).data["a"].tolist() == texts


def test_error_message_has_the_line_of_the_file(write):
    path = write('a,b,label\n1,"two\nlines",x\n\n2,b,y\n3,b,y\noops,b,x\n')
    with pytest.raises(DataFormatError, match=r"line 7: column 'a': expected a number as in most rows, found 'oops'"):
        load_csv(path)


def test_integers_with_missing_values_are_exact(write):
    assert load_csv(write(f"a,label\n{2**53},x\n,y\n")).data["a"][0] == 2**53


@pytest.mark.parametrize("other", ["0.5", "NA"])
def test_integers_in_float_columns_are_exact_or_raise(write, other):
    exact = [2**53, -(2**53), 2**53 + 2, 2**62]
    rows = "".join(f"{number},x\n" for number in exact)
    assert load_csv(write(f"a,label\n{rows}{other},y\n")).data["a"][:4].tolist() == exact
    for number in (2**53 + 1, -(2**53) - 1, 2**62 + 1):
        with pytest.raises(DataFormatError, match=f"line 6: .* integer that float64 represents .*found '{number}'"):
            load_csv(write(f"a,label\n{rows}{number},x\n{other},y\n"))


def test_only_zeros_are_read_as_0(write):
    assert load_csv(write("a,label\n0.0,x\n-0e5,y\n5e-324,x\n0E-400,x\n")).data["a"].tolist() == [0, 0, 5e-324, 0]


def test_length_of_fields_is_not_limited(write):
    path = write(f"a,label\n{'long' * 100_000},x\nshort,y\n")
    limit = csv.field_size_limit()
    with ThreadPoolExecutor(4) as pool:
        for table in pool.map(load_csv, [path] * 8):
            assert table.data["a"].str.len().tolist() == [400_000, 5]
    assert csv.field_size_limit() == limit, "the global limit is restored"
    with pytest.raises(DataFormatError, match="line 3: expected 2 fields, found 1"):
        load_csv(write(f"a,label\n{'long' * 100_000},x\nshort\n"))
    assert csv.field_size_limit() == limit


def test_max_bytes_limits_the_size_of_the_file(write):
    path = write("a,label\n1,x\n2,y\n")
    assert len(load_csv(path, max_bytes=16).data) == 2
    with pytest.raises(UnsafeFileError, match="larger than 15 bytes"):
        load_csv(path, max_bytes=15)


def random_number(generator):
    """Return a number as a string with signs, spaces, leading zeros, long fractions and exponents."""
    digits = "".join(generator.choices("0123456789", k=generator.randint(1, generator.choice([3, 12]))))
    text = generator.choice(["", "+", "-", " ", " -", " +"]) + "0" * generator.choice([0, 0, 1, 5, 20]) + digits
    if generator.random() < 0.8:
        fraction = generator.choices("0123456789", k=generator.randint(0, generator.choice([3, 20, 200])))
        text += "." + "0" * generator.choice([0, 0, 1, 10, 30]) + "".join(fraction)
    if generator.random() < 0.4:
        text += generator.choice("eE") + generator.choice(["", "+", "-"]) + str(generator.randint(0, 200))
    return text + generator.choice(["", " "])


@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize(("sep", "decimal"), [(",", "."), (";", ","), ("\t", ".")])
def test_random_numbers_equal_those_parsed_by_python(write, sep, decimal, quote):
    generator = random.Random(0)
    texts = [random_number(generator) for _ in range(8000)]
    rows = "".join(f"{quote}{text.replace('.', decimal)}{quote}{sep}{row}\n" for row, text in enumerate(texts))
    column = load_csv(write(f"a{sep}label\n{rows}"), sep=sep, decimal=decimal).data["a"]
    wrong = [(text, value) for text, value in zip(texts, column, strict=True) if value != float(text)]
    assert not wrong, wrong[:5]


@pytest.mark.parametrize(
    "text",
    [
        "000000000010084566",
        "0.00000000000001953",
        "0.000000000000000001234567",
        "+1e-30",
        "+0.10653123125962795",
        "+6976975899246046803.88 ",
        "0." + "0" * 300 + "1",
        "1" + "0" * 300 + ".",
        "5e-324",
        "1.7976931348623157e308",
        ".5",
        "5.",
        "1e05",
    ],
)
@pytest.mark.parametrize("other", ["1.5", ""], ids=["with a number", "with a missing value"])
def test_numbers_are_parsed_as_by_float(write, text, other):
    if other or math.log2(abs(float(text))) < 1000:
        assert load_csv(write(f"a,label\n{text},x\n{other},y\n")).data["a"][0] == float(text)


@pytest.mark.parametrize("text", ["1_000", "0x10", "1e", "1 2", "++1", "- 1", "1,5"])
def test_invalid_numbers_raise(write, text):
    with pytest.raises(DataFormatError, match="line 2: column 'a': expected a number as in most rows"):
        load_csv(write(f'a,label\n"{text}",x\n1.5,y\n2.5,x\n'))


def test_plus_signs_in_text_are_kept(write):
    phones = ["+49 30 1", "+1 2", "a +5", "+"]
    rows = "".join(f"{phone},{row}\n" for row, phone in enumerate(phones))
    assert load_csv(write(f"+a,label\n{rows}")).data["+a"].tolist() == phones


def test_sep_and_decimal(write):
    path = write("a;b;label\n1,5;x.y;3\n-2,25e1;z;4\n", encoding="utf-8")
    X, y = load_csv(path, return_X_y=True, sep=";", decimal=",")
    assert X["a"].tolist() == [1.5, -22.5]
    assert X["b"].tolist() == ["x.y", "z"]
    assert y.tolist() == [3, 4]
    assert load_csv(write("a¦label\n1.5¦x\n2¦y\n"), sep="¦").data["a"].tolist() == [1.5, 2]


def test_point_is_invalid_when_decimal_is_a_comma(write):
    with pytest.raises(DataFormatError, match=r"line 3: .*a number as in most rows, found '1\.234'"):
        load_csv(write("a;label\n1,5;x\n1.234;y\n2,5;x\n"), sep=";", decimal=",")


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-16-le", "utf-8-sig", "UTF8", None])
def test_encodings(write, encoding):
    path = write("größe,label\n1.5,ä\n2.5,ö\n", encoding or "utf-8")
    table = load_csv(path, encoding=encoding)
    assert table.feature_names == ["größe"]
    assert table.target.tolist() == ["ä", "ö"]


def test_wrong_encoding_raises_and_suggests_encoding(write):
    with pytest.raises(DataFormatError, match="line 2: expected text in UTF-8, .* Set encoding"):
        load_csv(write("a,label\n1,ä\n2,b\n", "latin-1"))


def test_na_values(write):
    path = write("a,b,label\n-999,?,x\n2,-,y\n3,c,x\n")
    data = load_csv(path, na_values=[-999, "?"]).data
    np.testing.assert_array_equal(data["a"], [np.nan, 2, 3])
    assert data["b"].isna().tolist() == [True, False, False]
    data = load_csv(path, na_values={"b": "-"}).data
    assert data["a"].tolist() == [-999, 2, 3]
    assert data["b"].isna().tolist() == [False, True, False]


def test_columns_are_numbered_without_header(write):
    path = write("5,0.5,cat\n7,1.5,dog\n")
    table = load_csv(path, 2, header=None)
    assert table.feature_names == [0, 1]
    assert table.data[0].tolist() == [5, 7]
    assert table.target.tolist() == ["cat", "dog"]
    with pytest.raises(DataFormatError, match="expected a column 'label', .* set target to the position of the labels"):
        load_csv(path, header=None)


def test_index_col_equals_that_of_pandas(tmp_path):
    frame = TABLE.drop(columns=["none", "some"]).set_index(pd.Index(["r", "s", "t"]))
    frame.to_csv(tmp_path / "table.csv")
    X, y = load_csv(tmp_path / "table.csv", return_X_y=True, index_col=0)
    pd.testing.assert_frame_equal(X, frame.drop(columns="label"))
    pd.testing.assert_series_equal(y, frame["label"])
    frame.rename_axis("id").to_csv(tmp_path / "table.csv")
    X = load_csv(tmp_path / "table.csv", index_col=["id", 4]).data
    assert X.index.names == ["id", "flag"]


@pytest.mark.parametrize("return_X_y", [False, True])
def test_file_without_labels(write, return_X_y):
    loaded = load_csv(write("a\n1\n\n2\n"), target=None, return_X_y=return_X_y)
    X, y = loaded if return_X_y else (loaded.data, loaded.target)
    assert X["a"].tolist() == [1, 2]
    assert y is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sep": ";;"}, "sep must be one character"),
        ({"sep": None}, "sep must be one character. Received: None"),
        ({"decimal": ","}, "sep and decimal must be different"),
        ({"decimal": "e"}, "decimal must be a punctuation mark"),
        ({"header": 1}, "header must be 'infer' or 0"),
        ({"encoding": "utf-9"}, "encoding must be the name of a text encoding in Python. Received: 'utf-9'"),
        ({"index_col": "c"}, "index_col must be columns of the file"),
        ({"index_col": 7}, "index_col must be columns of the file"),
        ({"index_col": "label"}, "target must not be an index column"),
        ({"na_values": {"c": "x"}}, "na_values must have columns of the file"),
    ],
)
def test_invalid_parameters_raise(write, options, message):
    with pytest.raises(ValueError, match=message):
        load_csv(write("a,label\n1,x\n2,y\n"), **options)


def test_wrong_separator_raises_and_suggests_sep(write):
    with pytest.raises(DataFormatError, match=r"found \['a;label'\]. If the fields are separated by ';', set sep=';'"):
        load_csv(write("a;label\n1;x\n2;y\n"))


@pytest.mark.parametrize("text", ['5" disk', 'a"b', "x'y", ' "q"', "two\nlines", '""', "\r", "a;b"])
def test_quoted_fields_equal_those_of_the_csv_module(write, text):
    quoted = text if text in ('5" disk', 'a"b', ' "q"') else '"' + text.replace('"', '""') + '"'
    path = write(f"a,label\n{quoted},x\n+5,y\nz,x\n")
    with open(path, newline="") as file:
        expected = [row[0] for row in csv.reader(file)][1:]
    assert load_csv(path).data["a"].tolist() == expected


def test_rows_with_a_wrong_number_of_fields_raise(write):
    good = "a,b,label\n" + '1,"x,\ny",0\n' * 3
    assert load_csv(write(good + "1,2,1\n")).data["b"].tolist() == ["x,\ny"] * 3 + ["2"]
    for row in ("1,2", "1,2,3,4", '"1,2",3', ""):
        with pytest.raises(DataFormatError, match="line 8: expected 3 fields|expected at least two classes"):
            load_csv(write(good + row + "\n"))
