"""Tests of InterpolationImputer against pandas."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from kerasnet.preprocessing import InterpolationImputer


@pytest.fixture
def series():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(100, 4)).cumsum(axis=0), columns=list("abcd"))
    X = X.mask(rng.random(X.shape) < [0.1, 0.5, 0.9, 0])
    X.iloc[:3, 0] = X.iloc[-4:, 1] = np.nan
    return X


def test_imputed_values_equal_those_of_pandas(series):
    before = series.copy()
    filled = InterpolationImputer().fit_transform(series)
    pd.testing.assert_frame_equal(series, before)
    np.testing.assert_allclose(filled, series.interpolate(limit_direction="both"))
    np.testing.assert_array_equal(filled[series.notna()], series.to_numpy()[series.notna()])


def test_arrays_are_not_changed(series):
    X = series.to_numpy(copy=True)
    before = X.copy()
    assert not np.isnan(InterpolationImputer().fit_transform(X)).any()
    np.testing.assert_array_equal(X, before)


def test_missing_columns_in_transform_are_filled_with_medians(series):
    imputer = InterpolationImputer().fit(series)
    np.testing.assert_allclose(imputer.statistics_, series.median())
    np.testing.assert_allclose(imputer.transform(series * np.nan), [series.median()] * len(series))
    mixed = imputer.transform(series.assign(a=np.nan, d=7.0).iloc[:2])
    np.testing.assert_allclose(mixed[:, [0, 3]], [[series["a"].median(), 7]] * 2)


@pytest.mark.filterwarnings("error")
def test_missing_columns_in_fit_are_kept():
    imputer = InterpolationImputer().fit([[np.nan, 1.0], [np.nan, 3.0]])
    np.testing.assert_array_equal(imputer.statistics_, [0, 2])
    np.testing.assert_array_equal(imputer.transform([[np.nan, np.nan]]), [[0, 2]])
    np.testing.assert_array_equal(imputer.transform([[4.0, 5.0], [np.nan, np.nan], [6.0, 7.0]])[1], [5, 6])


@pytest.mark.parametrize(
    ("dtype", "expected"), [("float32", "float32"), ("float64", "float64"), ("float16", "float64")]
)
def test_dtypes(dtype, expected):
    filled = InterpolationImputer().fit_transform(np.array([[0], [np.nan], [1]], dtype=dtype))
    assert filled.dtype == expected
    assert filled[1, 0] == 0.5


def test_nullable_columns_names_and_pandas_output():
    X = pd.DataFrame({"n": pd.array([1, None, 4], dtype="Int64"), "x": [0.0, 2.0, np.nan]}, index=[5, 6, 7])
    filled = InterpolationImputer().set_output(transform="pandas").fit_transform(X)
    pd.testing.assert_frame_equal(filled, pd.DataFrame({"n": [1, 2.5, 4], "x": [0.0, 2, 2]}, index=[5, 6, 7]))


def test_errors(series):
    with pytest.raises(NotFittedError):
        InterpolationImputer().transform(series)
    with pytest.raises(ValueError, match="infinity"):
        InterpolationImputer().fit([[np.inf]])
    with pytest.raises(ValueError, match="feature names should match"):
        InterpolationImputer().fit(series).transform(series.rename(columns={"a": "z"}))


@pytest.mark.parametrize("dtype", ["float64", "float32", "Int64", "Int8", "Float64", "Float32", "boolean"])
def test_nullable_columns_are_imputed_and_not_changed(dtype):
    values = [1, np.nan, 0] if dtype.startswith("float") else pd.array([1, None, 0], dtype=dtype)
    X = pd.DataFrame({"a": pd.Series(values, dtype=dtype)})
    before = X.copy()
    np.testing.assert_array_equal(InterpolationImputer().fit_transform(X).ravel(), [1, 0.5, 0])
    pd.testing.assert_frame_equal(X, before)
