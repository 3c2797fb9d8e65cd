"""Frames out of the transformers: every configured output holds the values of the default one."""

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
    "text alone": {"c": TEXTS},
    "all of one text column missing": {"c": [None] * N, "d": TEXTS},
    "booleans with missing values": {"c": [True, None, False] * 8, "x": [*range(N)]},
    "numbers with missing values": {"x": [None, 1.5, 2.5] * 8},
    "everything": {"x": [1, None, 3] * 8, "y": [0.5, 1.0, 99.0] * 8, "c": TEXTS, "d": [True, False, None] * 8},
}
FRAMES = {"pandas": pd.DataFrame, "polars": pl.DataFrame}
KINDS = {**FRAMES, "nullable pandas": lambda table: pd.DataFrame(table).convert_dtypes()}
OPTIONS = [
    {"encoding": "ordinal", "imputation": "knn"},
    {"imputation": "interpolate", "outliers": "iqr", "outlier_action": "missing"},
    {"imputation": "iterative", "selection": "variance", "random_state": 0},
]


def outputs(estimator, output, X):
    """Yield what an estimator returns when the output is set on it, and when it is set for all estimators."""
    for configured, general in ((clone(estimator).set_output(transform=output), "default"), (clone(estimator), output)):
        with config_context(transform_output=general):
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
def test_preprocessor_has_the_same_values_in_every_output(table, kind, output):
    assert_outputs(make_tabular_preprocessor(), output, kind(table))


@pytest.mark.filterwarnings("ignore:.*Early stopping criterion not reached", "ignore:Skipping features:UserWarning")
@pytest.mark.parametrize("output", ["polars", "pandas", "default"])
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_options_have_the_same_values_in_every_output(kind, output, options):
    assert_outputs(make_tabular_preprocessor(**options), output, kind(TABLES["everything"]))


@pytest.mark.parametrize("output", ["polars", "pandas", "default"])
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_missing_text_as_a_category_in_every_output(kind, output):
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
def test_transformers_have_the_same_values_in_every_output(transformer, n_columns, kind, output):
    columns = {"x": [1, None, 3] * 8, "y": [0.5, 1.0, 99.0] * 8}
    assert_outputs(transformer, output, kind(dict([*columns.items()][:n_columns])))


def test_output_set_after_the_fit():
    X = pd.DataFrame(TABLES["everything"])
    preprocessor = make_tabular_preprocessor(X).fit(X)
    expected = preprocessor.transform(X)
    for output, frame in FRAMES.items():
        transformed = preprocessor.set_output(transform=output).transform(X)
        assert isinstance(transformed, frame)
        np.testing.assert_array_equal(transformed, expected)
