"""Tests that all configured outputs contain the same values as the default output."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
from _longer import longer
from sklearn import config_context
from sklearn.base import clone
from sklearn.impute import SimpleImputer

from kerasnet.preprocessing import InterpolationImputer, OutlierClipper, make_tabular_preprocessor

N = 24
TEXTS = [None, "b", "a"] * 8
TABLES = {
    "text with missing values": {"c": TEXTS, "x": [*range(N)]},
    "text first, missing later": {"c": ["a", "b", None] * 8, "x": [*range(N)]},
    "only text": {"c": TEXTS},
    "entirely missing text column": {"c": [None] * N, "d": TEXTS},
    "booleans with missing values": {"c": [True, None, False] * 8, "x": [*range(N)]},
    "numbers with missing values": {"x": [None, 1.5, 2.5] * 8},
    "all dtypes": {"x": [1, None, 3] * 8, "y": [0.5, 1.0, 99.0] * 8, "c": TEXTS, "d": [True, False, None] * 8},
}
FRAMES = {"pandas": pd.DataFrame, "polars": pl.DataFrame}
KINDS = {**FRAMES, "nullable pandas": lambda table: pd.DataFrame(table).convert_dtypes()}
OPTIONS = [
    {"encoding": "ordinal", "imputation": "knn"},
    {"imputation": "interpolate", "outliers": "iqr", "outlier_action": "missing"},
    {"imputation": "iterative", "selection": "variance", "random_state": 0},
]


def outputs(estimator, output, X):
    """Yield outputs of an estimator with the output configured by ``set_output``, and by the global configuration."""
    for configured, global_output in (
        (clone(estimator).set_output(transform=output), "default"),
        (clone(estimator), output),
    ):
        with config_context(transform_output=global_output):
            yield configured.fit_transform(X), configured.transform(X), configured.get_feature_names_out()


def assert_outputs(estimator, output, X):
    expected = clone(estimator).fit_transform(X)
    assert isinstance(expected, np.ndarray)
    for fitted, transformed, names in outputs(estimator, output, X):
        assert isinstance(transformed, FRAMES.get(output, np.ndarray))
        np.testing.assert_array_equal(transformed, expected)
        np.testing.assert_array_equal(fitted, expected)
        if output in FRAMES:
            assert list(transformed.columns) == list(names)


@pytest.mark.parametrize("output", longer(["polars", "pandas", "default"], ["default"]))
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_preprocessor_has_the_same_values_in_all_outputs(table, kind, output):
    assert_outputs(make_tabular_preprocessor(), output, kind(table))


@pytest.mark.filterwarnings("ignore:.*Early stopping criterion not reached", "ignore:Skipping features:UserWarning")
@pytest.mark.parametrize("output", ["polars", "pandas", "default"])
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_options_have_the_same_values_in_all_outputs(kind, output, options):
    assert_outputs(make_tabular_preprocessor(**options), output, kind(TABLES["all dtypes"]))


@pytest.mark.parametrize("output", ["polars", "pandas", "default"])
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_separate_category_for_missing_text_in_all_outputs(kind, output):
    X = kind(TABLES["text with missing values"])
    preprocessor = make_tabular_preprocessor(X).set_params(
        columns__categorical__imputation=SimpleImputer(strategy="constant", fill_value="missing")
    )
    assert_outputs(preprocessor, output, X)
    names = preprocessor.set_output(transform=output).fit(X).get_feature_names_out()
    assert list(names) == ["x", "c_a", "c_b", "c_missing"]


@pytest.mark.parametrize("output", longer(["polars", "pandas", "default"], ["default"]))
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("transformer", [InterpolationImputer(), OutlierClipper(), OutlierClipper(action="missing")])
@pytest.mark.parametrize("n_columns", [1, 2])
def test_transformers_have_the_same_values_in_all_outputs(transformer, n_columns, kind, output):
    columns = {"x": [1, None, 3] * 8, "y": [0.5, 1.0, 99.0] * 8}
    assert_outputs(transformer, output, kind(dict([*columns.items()][:n_columns])))


def test_set_output_after_fit():
    X = pd.DataFrame(TABLES["all dtypes"])
    preprocessor = make_tabular_preprocessor(X).fit(X)
    expected = preprocessor.transform(X)
    for output, frame in FRAMES.items():
        transformed = preprocessor.set_output(transform=output).transform(X)
        assert isinstance(transformed, frame)
        np.testing.assert_array_equal(transformed, expected)
