"""CSV tables keep their types and their missing values."""

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


def number_text(generator):
    """Return a number as files have it: signs, blanks, leading zeros, long fractions, exponents."""
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
def test_numbers_of_any_form_equal_those_of_python(write, sep, decimal, quote):
    generator = random.Random(0)
    texts = [number_text(generator) for _ in range(20_000)]
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
@pytest.mark.parametrize("column_with", ["a number", "a missing value"])
def test_a_number_is_what_float_reads(write, text, column_with):
    other = "1.5" if column_with == "a number" else ""
    if column_with == "a number" or math.log2(abs(float(text))) < 1000:
        assert load_csv(write(f"a,label\n{text},x\n{other},y\n")).data["a"][0] == float(text)


@pytest.mark.parametrize("text", ["1_000", "0x10", "1e", "1 2", "++1", "- 1", "1,5"])
def test_what_is_no_number_is_refused_among_numbers(write, text):
    with pytest.raises(DataFormatError, match="line 2: column 'a': expected a number as in most rows"):
        load_csv(write(f'a,label\n"{text}",x\n1.5,y\n2.5,x\n'))


def test_a_plus_in_text_stays(write):
    phones = ["+49 30 1", "+1 2", "a +5", "+"]
    rows = "".join(f"{phone},{row}\n" for row, phone in enumerate(phones))
    assert load_csv(write(f"+a,label\n{rows}")).data["+a"].tolist() == phones


def test_separators_and_decimal_marks_are_those_of_the_file(write):
    path = write("a;b;label\n1,5;x.y;3\n-2,25e1;z;4\n", encoding="utf-8")
    X, y = load_csv(path, return_X_y=True, sep=";", decimal=",")
    assert X["a"].tolist() == [1.5, -22.5]
    assert X["b"].tolist() == ["x.y", "z"]
    assert y.tolist() == [3, 4]
    assert load_csv(write("a¦label\n1.5¦x\n2¦y\n"), sep="¦").data["a"].tolist() == [1.5, 2]


def test_a_point_is_no_decimal_mark_where_a_comma_is(write):
    with pytest.raises(DataFormatError, match=r"line 3: .*a number as in most rows, found '1\.234'"):
        load_csv(write("a;label\n1,5;x\n1.234;y\n2,5;x\n"), sep=";", decimal=",")


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-16", "utf-16-le", "utf-8-sig", "UTF8", None])
def test_encodings_are_those_that_python_knows(write, encoding):
    path = write("größe,label\n1.5,ä\n2.5,ö\n", encoding or "utf-8")
    table = load_csv(path, encoding=encoding)
    assert table.feature_names == ["größe"]
    assert table.target.tolist() == ["ä", "ö"]


def test_another_encoding_is_named_with_the_remedy(write):
    with pytest.raises(DataFormatError, match="line 2: expected text in UTF-8, .* Give encoding="):
        load_csv(write("a,label\n1,ä\n2,b\n", "latin-1"))


def test_values_can_be_declared_missing(write):
    path = write("a,b,label\n-999,?,x\n2,-,y\n3,c,x\n")
    data = load_csv(path, na_values=[-999, "?"]).data
    np.testing.assert_array_equal(data["a"], [np.nan, 2, 3])
    assert data["b"].isna().tolist() == [True, False, False]
    data = load_csv(path, na_values={"b": "-"}).data
    assert data["a"].tolist() == [-999, 2, 3]
    assert data["b"].isna().tolist() == [False, True, False]


def test_a_file_without_a_header_has_numbered_columns(write):
    path = write("5,0.5,cat\n7,1.5,dog\n")
    table = load_csv(path, 2, header=None)
    assert table.feature_names == [0, 1]
    assert table.data[0].tolist() == [5, 7]
    assert table.target.tolist() == ["cat", "dog"]
    with pytest.raises(DataFormatError, match="expected a column 'label', .* give the position of the labels"):
        load_csv(path, header=None)


def test_an_index_is_that_of_pandas(tmp_path):
    frame = TABLE.drop(columns=["none", "some"]).set_index(pd.Index(["r", "s", "t"]))
    frame.to_csv(tmp_path / "table.csv")
    X, y = load_csv(tmp_path / "table.csv", return_X_y=True, index_col=0)
    pd.testing.assert_frame_equal(X, frame.drop(columns="label"))
    pd.testing.assert_series_equal(y, frame["label"])
    frame.rename_axis("id").to_csv(tmp_path / "table.csv")
    X = load_csv(tmp_path / "table.csv", index_col=["id", 4]).data
    assert X.index.names == ["id", "flag"]


@pytest.mark.parametrize("return_X_y", [False, True])
def test_a_file_without_labels_has_no_target(write, return_X_y):
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
        ({"encoding": "utf-9"}, "encoding must be a text encoding that Python knows. Received: 'utf-9'"),
        ({"index_col": "c"}, "index_col must be columns of the file"),
        ({"index_col": 7}, "index_col must be columns of the file"),
        ({"index_col": "label"}, "target must not be a column of the index"),
        ({"na_values": {"c": "x"}}, "na_values must name columns of the file"),
    ],
)
def test_wrong_parameters_are_refused(write, options, message):
    with pytest.raises(ValueError, match=message):
        load_csv(write("a,label\n1,x\n2,y\n"), **options)


def test_a_wrong_separator_is_named(write):
    with pytest.raises(DataFormatError, match=r"found \['a;label'\]. If ';' separates the fields, give sep=';'"):
        load_csv(write("a;label\n1;x\n2;y\n"))


@pytest.mark.parametrize("text", ['5" disk', 'a"b', "x'y", ' "q"', "two\nlines", '""', "\r", "a;b"])
def test_texts_with_quotes_equal_those_of_the_csv_module(write, text):
    quoted = text if text in ('5" disk', 'a"b', ' "q"') else '"' + text.replace('"', '""') + '"'
    path = write(f"a,label\n{quoted},x\n+5,y\nz,x\n")
    with open(path, newline="") as file:
        expected = [row[0] for row in csv.reader(file)][1:]
    assert load_csv(path).data["a"].tolist() == expected


def test_the_fields_of_each_row_are_counted(write):
    good = "a,b,label\n" + '1,"x,\ny",0\n' * 3
    assert load_csv(write(good + "1,2,1\n")).data["b"].tolist() == ["x,\ny"] * 3 + ["2"]
    for row in ("1,2", "1,2,3,4", '"1,2",3', ""):
        with pytest.raises(DataFormatError, match="line 8: expected 3 fields|expected at least two classes"):
            load_csv(write(good + row + "\n"))
