"""Tests of OutlierClipper against quantiles of pandas and z-scores of SciPy."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.exceptions import NotFittedError

from kerasnet.preprocessing import OutlierClipper


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.standard_t(2, size=(200, 3)) * [1, 10, 100] + [0, 5, -50], columns=["a", "b", "c"])
    return X.mask(rng.random(X.shape) < 0.1)


def test_iqr_limits_equal_those_of_pandas(table):
    clipper = OutlierClipper("iqr", factor=2).fit(table)
    first, third = table.quantile(0.25), table.quantile(0.75)
    np.testing.assert_allclose(clipper.lower_, first - 2 * (third - first))
    np.testing.assert_allclose(clipper.upper_, third + 2 * (third - first))


@pytest.mark.parametrize(("method", "factor"), [("iqr", 1.5), ("zscore", 3)])
def test_default_factors(table, method, factor):
    default, explicit = OutlierClipper(method).fit(table), OutlierClipper(method, factor=factor).fit(table)
    np.testing.assert_array_equal(default.lower_, explicit.lower_)
    np.testing.assert_array_equal(default.upper_, explicit.upper_)


@pytest.mark.parametrize("factor", [3, 0.7])
def test_zscore_outliers_equal_those_of_scipy(table, factor):
    transformed = OutlierClipper("zscore", factor=factor, action="missing").fit_transform(table)
    is_outlier = np.abs(stats.zscore(table.to_numpy(), nan_policy="omit")) > factor
    assert is_outlier.any()
    np.testing.assert_array_equal(np.isnan(transformed), is_outlier | table.isna())


def test_quantile_limits_equal_those_of_pandas(table):
    clipper = OutlierClipper("quantile").fit(table)
    np.testing.assert_allclose(clipper.lower_, table.quantile(0.01))
    np.testing.assert_allclose(clipper.upper_, table.quantile(0.99))
    clipper.set_params(quantiles=[0, 0.5]).fit(table)
    np.testing.assert_allclose(clipper.lower_, table.min())
    np.testing.assert_allclose(clipper.upper_, table.median())


@pytest.mark.parametrize("method", ["iqr", "zscore", "quantile"])
def test_clipping_equals_that_of_pandas_and_keeps_nan(table, method):
    before = table.copy()
    clipper = OutlierClipper(method)
    clipped = clipper.fit_transform(table)
    pd.testing.assert_frame_equal(table, before)
    assert (clipped != table.to_numpy()).sum() > table.isna().sum().sum()
    np.testing.assert_array_equal(clipped, table.clip(clipper.lower_, clipper.upper_, axis=1))


def test_limits_are_computed_in_fit():
    clipper = OutlierClipper(action="clip").fit([[1.0], [2.0], [3.0], [4.0]])
    np.testing.assert_array_equal(
        clipper.transform([[-1000.0], [2.5], [1000.0], [np.nan]]).ravel(), [-0.5, 2.5, 5.5, np.nan]
    )
    clipper.set_params(action="missing")
    np.testing.assert_array_equal(
        clipper.transform([[-1000.0], [2.5], [5.5], [5.6]]).ravel(), [np.nan, 2.5, 5.5, np.nan]
    )


@pytest.mark.parametrize("method", ["iqr", "zscore"])
@pytest.mark.parametrize("action", ["clip", "missing"])
def test_columns_without_spread_have_no_limits(method, action):
    X = np.full((3, 2), 0.1)  # the computed mean of three values 0.1 is not 0.1
    X[:, 1] = np.nan
    clipper = OutlierClipper(method, factor=1e-3, action=action).fit(X)
    np.testing.assert_array_equal(clipper.transform(X), X)
    np.testing.assert_array_equal([clipper.lower_, clipper.upper_], [[-np.inf] * 2, [np.inf] * 2])
    np.testing.assert_array_equal(clipper.transform([[7.0, 8.0]]), [[7, 8]])


def test_iqr_keeps_an_imbalanced_binary_feature():
    X = np.repeat([[0.0], [1.0]], [95, 5], axis=0)
    np.testing.assert_array_equal(OutlierClipper().fit_transform(X), X)


@pytest.mark.filterwarnings("error")
def test_quantiles_of_a_column_of_nan():
    clipper = OutlierClipper("quantile").fit([[np.nan, 1.0], [np.nan, 2.0]])
    np.testing.assert_array_equal(clipper.transform([[5.0, np.nan]]), [[5, np.nan]])


@pytest.mark.parametrize("action", ["clip", "missing"])
@pytest.mark.parametrize(("dtype", "expected"), [("float32", "float32"), ("float64", "float64"), ("int8", "float64")])
def test_dtypes(action, dtype, expected):
    X = np.array([[1], [2], [3], [4], [100]], dtype=dtype)
    clipped = OutlierClipper(action=action).fit_transform(X)
    assert clipped.dtype == expected
    assert np.isnan(clipped[-1, 0]) if action == "missing" else clipped[-1, 0] == 7


def test_names_and_pandas_output(table):
    clipper = OutlierClipper().set_output(transform="pandas").fit(table)
    assert list(clipper.get_feature_names_out()) == list(clipper.feature_names_in_) == ["a", "b", "c"]
    clipped = clipper.transform(table)
    assert list(clipped.columns) == ["a", "b", "c"]
    assert clipped.index.equals(table.index)


def test_nullable_columns():
    X = pd.DataFrame({"n": pd.array([1, 2, 3, None, 100], dtype="Int64")})
    np.testing.assert_array_equal(OutlierClipper().fit(X).transform(X).ravel()[:4], [1, 2, 3, np.nan])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"method": "mad"}, r"method must be one of \('iqr', 'zscore', 'quantile'\). Received: 'mad'."),
        ({"action": "drop"}, r"action must be one of \('clip', 'missing'\). Received: 'drop'."),
        ({"factor": 0}, "factor == 0, must be > 0"),
        ({"quantiles": (0.9, 0.1)}, r"quantiles must be two numbers .*Received: \(0.9, 0.1\)"),
        ({"quantiles": (1, 99)}, "quantiles must be two numbers"),
        ({"quantiles": 0.5}, "quantiles must be two numbers"),
        ({"quantiles": ("low", "high")}, "quantiles must be two numbers"),
        ({"quantiles": (np.nan, 0.5)}, "quantiles must be two numbers"),
    ],
    ids=str,
)
def test_invalid_parameters_raise_in_fit(parameters, message):
    with pytest.raises(ValueError, match=message):
        OutlierClipper(**parameters).fit([[1.0], [2.0]])


def test_other_errors():
    with pytest.raises(TypeError, match="factor must be an instance of float"):
        OutlierClipper(factor="1.5").fit([[1.0], [2.0]])
    with pytest.raises(ValueError, match="infinity"):
        OutlierClipper().fit([[1.0], [np.inf]])
    with pytest.raises(NotFittedError):
        OutlierClipper().transform([[1.0]])
