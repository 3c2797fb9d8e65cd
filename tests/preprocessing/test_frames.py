"""Tests that all kinds of data frames give the same results as pandas data frames with NumPy dtypes."""

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from _longer import longer
from sklearn.preprocessing import OneHotEncoder

from kerasnet.preprocessing import InterpolationImputer, OutlierClipper, make_tabular_preprocessor

NUMBERS = {
    "age": ("Int64", [20, 30, 40, 20, 35, 900]),
    "rooms": ("UInt8", [1, 2, 3, 2, 1, 200]),
    "price": ("Float64", [1.5, 2.25, -3.0, 0.5, 1.0, 1e6]),
    "size": ("Float32", [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]),
    "sold": ("Boolean", [True, False, True, True, False, True]),
}
CATEGORIES = {
    "city": ("String", ["a", "b", "a", "c", "b", "a"]),
    "grade": ("Enum", ["low", "high", "low", "low", "high", "low"]),
    "shop": ("Categorical", ["north", "south", "south", "north", "south", "south"]),
}
PLAIN = {"Float32": "float32", "Enum": "category", "Categorical": "category"}
NULLABLE = {"Boolean": "boolean", "String": "string", "Enum": "category", "Categorical": "category"}
ARROW = {"Int64": "int64", "UInt8": "uint8", "Float64": "double", "Float32": "float", "Boolean": "bool"}


def plain_pandas(columns):
    frame = pd.DataFrame({name: pd.Series(v, dtype=PLAIN.get(dtype)) for name, (dtype, v) in columns.items()})
    small = [name for name, (dtype, values) in columns.items() if dtype == "UInt8" and None not in values]
    return frame.astype(dict.fromkeys(small, "uint8"))


def nullable_pandas(columns):
    return pd.DataFrame(
        {name: pd.array(values, NULLABLE.get(dtype, dtype)) for name, (dtype, values) in columns.items()}
    )


def objects_with_na(columns):
    frame = plain_pandas(columns)
    names = [name for name, (dtype, _) in columns.items() if dtype in ("Boolean", "String")]
    for name in names:
        frame[name] = pd.Series(
            [pd.NA if value is None else value for value in columns[name][1]],
            dtype=object if None in columns[name][1] else None,
        )
    return frame


def arrow_pandas(columns):
    pytest.importorskip("pyarrow")
    return pd.DataFrame(
        {
            name: pd.Series(values, dtype=f"{ARROW.get(dtype, 'string')}[pyarrow]")
            for name, (dtype, values) in columns.items()
        }
    )


def polars(columns):
    enum = pl.Enum(["low", "high"])
    schema = {name: enum if dtype == "Enum" else getattr(pl, dtype) for name, (dtype, _) in columns.items()}
    return pl.DataFrame({name: values for name, (_, values) in columns.items()}, schema=schema)


KINDS = [polars, nullable_pandas, objects_with_na, arrow_pandas]
MISSING = [(), (1,), (0, 3)]


def set_missing(columns, rows):
    """Return columns whose values are missing in the given rows."""
    return {
        name: (dtype, [None if row in rows else value for row, value in enumerate(values)])
        for name, (dtype, values) in columns.items()
    }


def copy_of(frame):
    return frame.clone() if isinstance(frame, pl.DataFrame) else frame.copy()


OPTIONS = [
    {},
    {"categorical_columns": ["age", "size", "city"]},
    {"encoding": "ordinal", "imputation": "interpolate", "outliers": "iqr"},
    {"numeric_columns": ["sold", "size"]},
    {"numeric_columns": ["price"], "categorical_columns": ["sold", "shop"]},
    {"numeric_columns": [0, 3], "categorical_columns": [5]},
    {"categorical_columns": [], "imputation": None, "scaling": None},
]


@pytest.mark.parametrize("rows", longer(MISSING, [(1,)]), ids=str)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("options", "pass_X"),
    [
        *(pytest.param(each, True, id=f"{each}-with X") for each in OPTIONS),
        *(pytest.param(each, False, id=f"{each}-without X") for each in OPTIONS[:2]),
        *(pytest.param(each, False, id=f"{each}-without X", marks=pytest.mark.exhaustive) for each in OPTIONS[2:]),
    ],
)
def test_preprocessor_equals_that_for_plain_pandas(kind, rows, options, pass_X):
    columns = set_missing(NUMBERS | CATEGORIES, rows)
    plain, frame = plain_pandas(columns), kind(columns)
    before = copy_of(frame)
    expected = make_tabular_preprocessor(**options).fit(plain)
    fitted = make_tabular_preprocessor(frame if pass_X else None, **options).fit(frame)
    assert fitted.get_feature_names_out().tolist() == expected.get_feature_names_out().tolist()
    result = fitted.transform(frame)
    assert result.dtype == expected.transform(plain).dtype
    np.testing.assert_array_equal(result, expected.transform(plain))
    np.testing.assert_array_equal(fitted.transform(plain), result)  # fitted on one kind of frame, applied to another
    assert frame.equals(before)


@pytest.mark.parametrize("rows", MISSING, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_columns_by_dtype(kind, rows):
    columns = set_missing(NUMBERS | CATEGORIES, rows)
    transformers = make_tabular_preprocessor(kind(columns))["columns"].transformers
    assert [names for _, _, names in transformers] == [[*NUMBERS][:4], ["sold", *CATEGORIES]]


@pytest.mark.parametrize("rows", longer(MISSING, [(1,)]), ids=str)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("names", [*([name] for name in NUMBERS), [*NUMBERS], ["size", "rooms"]], ids=str)
@pytest.mark.parametrize("transformer", [InterpolationImputer(), OutlierClipper(), OutlierClipper(action="missing")])
def test_transformers_equal_those_for_plain_arrays(transformer, names, kind, rows):
    columns = set_missing({name: NUMBERS[name] for name in names}, rows)
    frame = kind(columns)
    before = copy_of(frame)
    dtype = np.float32 if names == ["size"] or (names == ["size", "rooms"] and not rows) else np.float64
    plain = plain_pandas(columns).astype(dtype).to_numpy()
    expected = transformer.fit_transform(plain)
    result = transformer.fit_transform(frame)
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, expected)
    assert transformer.feature_names_in_.tolist() == names
    assert frame.equals(before)


def test_integer_category_names_do_not_depend_on_missing_values():
    columns = {"age": ("Int64", [20, None, 30, 20]), "mark": ("Float64", [1.5, 1.0, None, 1.5])}
    for kind in (plain_pandas, nullable_pandas, polars):
        preprocessor = make_tabular_preprocessor(categorical_columns=["age", "mark"]).fit(kind(columns))
        assert preprocessor.get_feature_names_out().tolist() == ["age_20", "age_30", "mark_1.0", "mark_1.5"]
        complete = preprocessor.transform(pl.DataFrame({"age": [30], "mark": [1]}))
        np.testing.assert_array_equal(complete, [[0, 1, 1, 0]])


@pytest.mark.parametrize("kind", [polars, nullable_pandas])
def test_large_integers_are_distinct_categories(kind):
    frame = kind({"id": ("UInt64", [2**63, 2**63 + 1, None, 2**63])})
    names = make_tabular_preprocessor(categorical_columns=["id"]).fit(frame).get_feature_names_out()
    assert names.tolist() == [f"id_{2**63}", f"id_{2**63 + 1}"]


@pytest.mark.parametrize("dtype", ["Int8", "Int128", "UInt128", "Decimal", "Float16", "UInt64"])
@pytest.mark.parametrize("values", [[1, 2, 4], [1, None, 4]], ids=str)
def test_all_numeric_polars_dtypes_are_numeric(dtype, values):
    frame = pl.DataFrame({"a": pl.Series(values).cast(pl.Decimal(10, 2) if dtype == "Decimal" else getattr(pl, dtype))})
    plain = pd.DataFrame({"a": values}, dtype=float)
    for imputation in ("median", "interpolate"):
        expected = make_tabular_preprocessor(imputation=imputation).fit_transform(plain)
        result = make_tabular_preprocessor(frame, imputation=imputation).fit_transform(frame)
        np.testing.assert_allclose(result, expected)


@pytest.mark.parametrize("dtype", [pl.Null, pl.String, pl.Boolean, pl.Int64, pl.Float32])
def test_polars_columns_without_values(dtype):
    frame = pl.DataFrame({"a": pl.Series([None] * 3, dtype=dtype), "b": [1, 2, 3]})
    numeric = dtype.is_numeric()
    transformers = make_tabular_preprocessor(frame)["columns"].transformers
    assert [names for _, _, names in transformers] == ([["a", "b"], []] if numeric else [["b"], ["a"]])
    assert make_tabular_preprocessor(scaling=None).fit_transform(frame).sum() == (6 if numeric else 9)


DAYS = [datetime.date(2020, 1, day) for day in (1, 2, 3)]
TIMES = [datetime.datetime(2020, 1, day) for day in (1, 2, 3)]
DURATIONS = [datetime.timedelta(days=day) for day in (1, 2, 3)]
DATES = {
    "periods": pd.Series(pd.period_range("2020", periods=3)),
    "times": pd.Series([datetime.time(hour) for hour in range(3)]),
    "polars times": pl.Series([datetime.time(hour) for hour in range(3)]),
    "polars dates": pl.Series(DAYS),
    "polars dates, one missing": pl.Series([None, *DAYS[1:]]),
    "polars dates, all missing": pl.Series([None] * 3, dtype=pl.Date),
    "polars datetimes": pl.Series(TIMES),
    "polars datetimes with a time zone": pl.Series(TIMES).dt.replace_time_zone("UTC"),
    "polars durations": pl.Series(DURATIONS),
    "pandas date objects": pd.Series(DAYS),
    "pandas date objects, one missing": pd.Series([None, *DAYS[1:]], dtype=object),
    "pandas datetimes": pd.Series(TIMES),
    "pandas datetime objects": pd.Series(TIMES, dtype=object),
    "pandas datetimes with a time zone": pd.Series(TIMES).dt.tz_localize("UTC"),
    "pandas durations": pd.Series(DURATIONS),
}


@pytest.mark.parametrize("dates", DATES.values(), ids=DATES)
def test_dates_and_durations_raise(dates):
    frame = (pl if isinstance(dates, pl.Series) else pd).DataFrame({"day": dates, "x": [1, 2, 3]})
    message = r"Expected columns of numbers, .* Received dates or durations in \['day'\]"
    with pytest.raises(ValueError, match=message):
        make_tabular_preprocessor(frame)
    for transformer in (
        make_tabular_preprocessor(),
        make_tabular_preprocessor(numeric_columns=["day"]),
        InterpolationImputer(),
        OutlierClipper(),
    ):
        with pytest.raises(ValueError, match=message):
            transformer.fit(frame)
    assert make_tabular_preprocessor(frame, numeric_columns=["x"], categorical_columns=[]).fit_transform(
        frame
    ).shape == (3, 1)
    assert make_tabular_preprocessor(frame, categorical_columns=["day"]).fit(frame).n_features_in_ == 2


@pytest.mark.parametrize("dtype", ["datetime64[s]", "timedelta64[s]"])
def test_arrays_of_dates_raise(dtype):
    dates = np.arange(3).astype(dtype)[:, None]
    for transformer in (make_tabular_preprocessor(), InterpolationImputer(), OutlierClipper()):
        with pytest.raises(ValueError, match=r"Received dates or durations in \[0\]"):
            transformer.fit(dates)


@pytest.mark.parametrize(
    "column",
    [
        np.array([1.5, None, 2, 1.5], dtype=object),
        pd.Series([1.5, None, 2, 1.5], dtype=object),
        pd.Series([Decimal("1.5"), None, Decimal(2), Decimal("1.5")]),
        pl.Series([Decimal("1.5"), None, Decimal(2), Decimal("1.5")]),
    ],
)
def test_python_numbers_are_numeric(column):
    frame = (pl if isinstance(column, pl.Series) else pd).DataFrame({"x": column})
    frame = column[:, None] if isinstance(column, np.ndarray) else frame
    expected = make_tabular_preprocessor().fit_transform(np.array([[1.5], [np.nan], [2], [1.5]]))
    np.testing.assert_array_equal(make_tabular_preprocessor().fit_transform(frame), expected)
    preprocessor = make_tabular_preprocessor(categorical_columns=[0]).fit(frame)
    assert [name.partition("_")[2] for name in preprocessor.get_feature_names_out()] == ["1.5", "2.0"]


def test_python_integers_are_numeric_and_exact_categories():
    frame = pd.DataFrame({"x": pd.Series([2**53, None, 2**53 + 1], dtype=object)})
    assert make_tabular_preprocessor().fit_transform(frame).shape == (3, 1)
    names = make_tabular_preprocessor(categorical_columns=["x"]).fit(frame).get_feature_names_out()
    assert names.tolist() == [f"x_{2**53}", f"x_{2**53 + 1}"]


def test_categorical_columns_of_many_values_raise_a_warning():
    frame = pd.DataFrame({"name": [f"name {number}" for number in range(1001)], "age": np.arange(1001)})
    with pytest.warns(UserWarning, match="column 'name' has 1001 different values.* Drop it if it identifies rows"):
        make_tabular_preprocessor(frame)
    make_tabular_preprocessor(frame, categorical_columns=["name"])
    make_tabular_preprocessor(frame, encoding="ordinal")
    make_tabular_preprocessor(frame[1:])


def test_polars_datetime_categories_equal_those_of_pandas():
    times = pd.Series(TIMES).dt.tz_localize("Europe/Berlin")
    frame = pl.DataFrame({"t": pl.Series(TIMES).dt.replace_time_zone("Europe/Berlin")})
    names = [
        make_tabular_preprocessor(categorical_columns=["t"]).fit(X).get_feature_names_out().tolist()
        for X in (pd.DataFrame({"t": times}), frame)
    ]
    assert names[0] == names[1]


@pytest.mark.parametrize("imputation", ["mean", "median", "most_frequent", "knn", "iterative", "interpolate", None])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("n_columns", [1, 3])
def test_read_only_arrays_are_not_changed(imputation, dtype, n_columns):
    X = np.random.default_rng(0).normal(size=(20, n_columns)).astype(dtype)
    X[2, 0], X[3, 0] = np.nan, 1e6
    X.flags.writeable = False
    before = X.copy()
    options = {"imputation": imputation, "outliers": "iqr", "outlier_action": "missing", "random_state": 0}
    preprocessor = make_tabular_preprocessor(X, **options).set_params(columns__numeric__scaling__copy=False)
    expected = make_tabular_preprocessor(**options).fit_transform(before.copy())
    np.testing.assert_allclose(preprocessor.fit_transform(X), expected, rtol=1e-5)
    writable = before.copy()
    preprocessor.fit_transform(writable)
    for transformer in (InterpolationImputer(), OutlierClipper(), OutlierClipper(action="missing")):
        transformer.fit_transform(X)
        transformer.fit_transform(writable)
    np.testing.assert_array_equal(X, before)
    np.testing.assert_array_equal(writable, before)


def test_one_hot_columns_equal_those_of_onehotencoder():
    columns = {"city": CATEGORIES["city"], "sold": NUMBERS["sold"]}
    expected = OneHotEncoder(sparse_output=False).fit_transform(plain_pandas(columns))
    for kind in (plain_pandas, nullable_pandas, polars):
        np.testing.assert_array_equal(make_tabular_preprocessor().fit_transform(kind(columns)), expected)
