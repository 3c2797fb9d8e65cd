"""Tests of preprocessing pipelines for tables: options, order of steps, columns, no data leakage."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.experimental import enable_iterative_imputer  # noqa: F401  # enables IterativeImputer
from sklearn.feature_selection import SelectKBest, f_classif, f_regression
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, RobustScaler, StandardScaler
from sklearn.utils import estimator_html_repr
from threadpoolctl import threadpool_limits

from kerasnet.preprocessing import OutlierClipper, make_tabular_preprocessor

NUMBERS = ["size", "count", "price"]
CATEGORIES = ["fresh", "sold", "color", "shop", "grade"]


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    with threadpool_limits(1):  # avoids busy waiting on small data
        yield


@pytest.fixture(scope="module")
def messy():
    """A table with missing values, outliers and all dtypes, and labels."""
    rng = np.random.default_rng(0)
    n = 120
    color = rng.choice(["red", "green", "blue"], size=n).astype(object)
    color[[3, 40]] = None
    color[[7, 80]] = np.nan
    X = pd.DataFrame(
        {
            "size": rng.normal(size=n),
            "count": pd.array(rng.integers(0, 9, size=n), dtype="Int64"),
            "fresh": rng.random(n) < 0.5,
            "price": pd.array(rng.lognormal(5, 2, size=n), dtype="Float64"),
            "sold": pd.array(rng.random(n) < 0.5, dtype="boolean"),
            "color": color,
            "shop": pd.array(rng.choice(["north", "south"], size=n), dtype="string"),
            "grade": pd.Categorical(rng.integers(1, 4, size=n)),
        },
        index=np.arange(n) + 1000,
    )
    X.iloc[::7, 0] = np.nan
    X.iloc[5, 0] = 1e6
    for position in (1, 3, 4, 6, 7):
        X.iloc[position::11, position] = None
    y = (X["size"].fillna(0) + (X["color"] == "red") + rng.normal(scale=0.3, size=n) > 0.5).astype(int)
    return X, y


@pytest.fixture(scope="module")
def unseen(messy):
    """A table with unknown categories and values outside of the training range."""
    X = messy[0].iloc[:6].copy()
    X["color"] = ["violet", "red", None, "green", "blue", "black"]
    X["shop"] = pd.array(["west", None, "north", "south", "north", "north"], dtype="string")
    X["grade"] = pd.Categorical([9, 1, 2, 3, None, 1])
    X.iloc[0, 0] = -1e9
    return X


def only_exhaustive(options):
    """Mark options that are defaults or covered by other cases."""
    return pytest.param(options, marks=pytest.mark.exhaustive)


OPTIONS = [
    {},
    *({"imputation": name} for name in ("iterative", "interpolate")),
    *(only_exhaustive({"imputation": name}) for name in ("mean", "most_frequent", "knn")),
    {"outliers": "iqr", "outlier_action": "clip"},
    *(only_exhaustive({"outliers": name, "outlier_action": "clip"}) for name in ("zscore", "quantile")),
    *(only_exhaustive({"outliers": name, "outlier_action": "missing"}) for name in ("iqr", "zscore", "quantile")),
    {"scaling": "robust"},
    *(only_exhaustive(each) for each in ({"scaling": "minmax"}, {"encoding": "ordinal"})),  # covered by the last case
    *({"selection": name} for name in ("variance", "mutual_info", "model")),
    {"selection": "univariate", "n_features": 4},
    *(only_exhaustive(each) for each in ({"selection": "univariate"}, {"selection": "model", "n_features": 4})),
    *(only_exhaustive(each) for each in ({"imputation": "median"}, {"scaling": "standard"}, {"encoding": "onehot"})),
    *(only_exhaustive(each) for each in ({"selection": None}, {"selection": "mutual_info", "n_features": 4})),
    {"imputation": "knn", "outliers": "iqr", "outlier_action": "missing", "scaling": "minmax", "encoding": "ordinal"},
]


@pytest.mark.filterwarnings("ignore:.*Early stopping criterion not reached", "ignore:lbfgs failed to converge")
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_options_end_to_end(messy, unseen, options):
    X, y = messy
    preprocessor = make_tabular_preprocessor(X, random_state=0, **options)
    pipeline = clone(Pipeline([("preprocessor", preprocessor), ("model", LogisticRegression())])).fit(X, y)
    assert set(np.unique(pipeline.predict(unseen))) <= {0, 1}
    fitted = pipeline["preprocessor"]
    transformed, names = fitted.transform(X), fitted.get_feature_names_out()
    assert isinstance(transformed, np.ndarray)
    assert transformed.dtype == np.float64
    assert transformed.shape == (len(X), len(names))
    assert np.isfinite(transformed).all()
    assert len(names) == options.get("n_features", len(names))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).transform(unseen), fitted.transform(unseen))
    frame = clone(fitted).set_output(transform="pandas").fit(X, y).transform(X)
    np.testing.assert_array_equal(frame, transformed)
    assert list(frame.columns) == list(names)
    assert frame.index.equals(X.index)
    assert "ColumnTransformer" in estimator_html_repr(fitted)


@pytest.mark.parametrize("selection", ["univariate", "mutual_info", "model"])
def test_selection_for_regression(selection):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(200, 5)), columns=list("abcde"))
    y = X["b"] * 3 + X["d"] + rng.normal(scale=0.1, size=200)
    preprocessor = make_tabular_preprocessor(X, selection=selection, n_features=2, task="regression", random_state=0)
    model = make_pipeline(preprocessor, Ridge()).fit(X, y)
    assert list(model[0].get_feature_names_out()) == ["b", "d"]
    assert model.score(X, y) > 0.95


def test_task_determines_the_score_function():
    for task, score in (("classification", f_classif), ("regression", f_regression)):
        assert make_tabular_preprocessor(selection="univariate", task=task)["selection"].score_func is score


def test_default_is_median_imputation_and_standard_scaling(messy):
    X, _ = messy
    transformed = make_tabular_preprocessor(X).set_output(transform="pandas").fit_transform(X)
    expected = X[NUMBERS].astype(float)
    expected = expected.fillna(expected.median())
    np.testing.assert_allclose(transformed[NUMBERS], (expected - expected.mean()) / expected.std(ddof=0))


def test_one_hot_columns_equal_those_of_pandas(messy, unseen):
    X, _ = messy
    preprocessor = make_tabular_preprocessor(X).set_output(transform="pandas").fit(X)
    names = [f"color_{name}" for name in ("blue", "green", "red")]
    expected = pd.get_dummies(X["color"].fillna(X["color"].mode()[0]), prefix="color", dtype=float)
    pd.testing.assert_frame_equal(preprocessor.transform(X)[names], expected)
    others = preprocessor.transform(unseen)
    assert others.loc[:, names].sum(axis=1).tolist() == [0, 1, 1, 1, 1, 0]  # violet and black are unknown
    assert [name for name in others if name.startswith("sold")] == ["sold_False", "sold_True"]


def test_ordinal_codes(messy, unseen):
    X, _ = messy
    preprocessor = make_tabular_preprocessor(X, encoding="ordinal").set_output(transform="pandas").fit(X)
    assert list(preprocessor.get_feature_names_out()) == NUMBERS + CATEGORIES
    codes, most_frequent = preprocessor.transform(unseen)["color"], X["color"].mode()[0]
    assert codes.tolist() == [-1, 2, ["blue", "green", "red"].index(most_frequent), 1, 0, -1]


def test_separate_category_for_missing_values(messy):
    X = messy[0][["size", "color"]]
    preprocessor = make_tabular_preprocessor(X).set_params(
        columns__categorical__imputation=SimpleImputer(strategy="constant", fill_value="missing")
    )
    assert preprocessor.fit(X).get_feature_names_out().tolist() == [
        "size", "color_blue", "color_green", "color_missing", "color_red"
    ]  # fmt: skip


def test_outliers_are_handled_before_imputation_and_scaling():
    X = pd.DataFrame({"a": [1.0, 2.0, 3.0, 4.0, np.nan, 1e9]})
    clip = make_tabular_preprocessor(X, outliers="iqr", scaling=None, imputation="mean")
    assert clip.fit_transform(X).ravel().tolist() == [1, 2, 3, 4, (10 + 7) / 5, 7]
    missing = make_tabular_preprocessor(
        X, outliers="iqr", outlier_action="missing", scaling="minmax", imputation="mean"
    )
    np.testing.assert_allclose(missing.fit_transform(X).ravel(), [0, 1 / 3, 2 / 3, 1, 0.5, 0.5])


def test_knn_imputation_uses_scaled_columns():
    rng = np.random.default_rng(0)
    a = rng.normal(size=60)
    X = pd.DataFrame({"a": a, "noise": rng.normal(scale=1e6, size=60), "b": a + 10})
    X = X.mask(rng.random(X.shape) < [0, 0, 0.3])
    transformed = make_tabular_preprocessor(X, imputation="knn").fit_transform(X)
    np.testing.assert_allclose(transformed, KNNImputer().fit_transform(StandardScaler().fit_transform(X)))


STEPS = {
    "mean": SimpleImputer(strategy="mean"),
    "median": SimpleImputer(strategy="median"),
    "most_frequent": SimpleImputer(strategy="most_frequent"),
    "iterative": IterativeImputer(random_state=0),
    "interpolate": FunctionTransformer(lambda X: X.interpolate(limit_direction="both")),
    "minmax": MinMaxScaler(),
    "standard": StandardScaler(),
    "robust": RobustScaler(),
    None: "passthrough",
}


@pytest.mark.parametrize("imputation", ["mean", "median", "most_frequent", "iterative", "interpolate"])
@pytest.mark.parametrize("scaling", ["minmax", "standard", "robust", None])
def test_numeric_output_equals_that_of_the_steps(messy, imputation, scaling):
    X = messy[0][NUMBERS].astype(float)
    preprocessor = make_tabular_preprocessor(X, imputation=imputation, scaling=scaling, random_state=0)
    expected = make_pipeline(STEPS[imputation], STEPS[scaling]).fit_transform(X)
    np.testing.assert_allclose(preprocessor.fit_transform(X), expected)


def test_outlier_clipper_is_cloned():
    clipper = OutlierClipper("quantile", quantiles=(0.1, 0.9), action="missing")
    step = make_tabular_preprocessor(outliers=clipper)["columns"].transformers[0][1]["outliers"]
    assert step is not clipper
    assert step.get_params() == clipper.get_params()


def test_output_dtype_is_float(messy):
    X, _ = messy
    transformed = make_tabular_preprocessor(X, imputation=None, scaling=None).fit_transform(X)
    assert transformed.dtype == np.float64
    np.testing.assert_array_equal(transformed[:, :3], X[NUMBERS].astype(float))
    X32 = X[["size"]].astype("float32")
    assert make_tabular_preprocessor(X32).fit_transform(X32).dtype == np.float32


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning", "ignore:Skipping features:UserWarning")
def test_entirely_missing_columns():
    X = pd.DataFrame({"a": [np.nan] * 4, "b": [1.0, 2, 3, 4], "c": pd.Series([None] * 4, dtype=object)})
    for imputation in ("mean", "median", "most_frequent", "knn", "interpolate"):
        preprocessor = make_tabular_preprocessor(X, imputation=imputation).fit(X)
        transformed = preprocessor.transform(X.assign(c=[None, "new", "new", None]))
        assert transformed.shape == (4, 3)
        np.testing.assert_array_equal(transformed[:, 0], 0)
        np.testing.assert_array_equal(transformed[:, 2], [1, 0, 0, 1])
    iterative = make_tabular_preprocessor(X, imputation="iterative", random_state=0).fit(X)
    assert iterative.get_feature_names_out().tolist() == ["b", "c_0"]
    variable = make_tabular_preprocessor(X, selection="variance").fit(X)
    assert variable.get_feature_names_out().tolist() == ["b"]


def test_preprocessor_is_fitted_on_training_rows_only(messy):
    X, y = messy
    preprocessor = make_tabular_preprocessor(
        X, outliers="quantile", imputation="mean", scaling="minmax", selection="univariate", n_features=5
    )
    pipeline = Pipeline([("preprocessor", preprocessor), ("model", LogisticRegression())])
    folds = KFold(4, shuffle=True, random_state=0)
    fitted = cross_validate(pipeline, X, y, cv=folds, return_estimator=True, error_score="raise")["estimator"]
    for (train, _), model in zip(folds.split(X), fitted, strict=True):
        numbers = X[NUMBERS].iloc[train].astype(float)
        steps = model["preprocessor"]["columns"].named_transformers_["numeric"]
        np.testing.assert_allclose(steps["outliers"].lower_, numbers.quantile(0.01))
        clipped = numbers.clip(numbers.quantile(0.01), numbers.quantile(0.99), axis=1)
        np.testing.assert_allclose(steps["imputation"].statistics_, clipped.mean())
        np.testing.assert_allclose(steps["scaling"].data_max_, clipped.max())
        expected = clone(preprocessor).fit(X.iloc[train], y.iloc[train])
        np.testing.assert_array_equal(model["preprocessor"]["selection"].scores_, expected["selection"].scores_)


GRIDS = [
    ("columns__numeric__outliers", ["passthrough", OutlierClipper()], {}),
    ("selection__k", [1, 3], {"selection": "univariate"}),
]
OTHER_GRIDS = [
    ("columns__numeric__outliers__factor", [1, 2], {"outliers": "iqr"}),
    ("selection", ["passthrough", SelectKBest(k=2)], {}),
    ("columns__categorical__encoding__min_frequency", [1, 30], {}),
    ("columns__numeric__imputation__n_neighbors", [1, 3], {"imputation": "knn"}),
    ("columns__numeric__imputation", [SimpleImputer(), KNNImputer()], {}),
    ("columns__numeric__scaling", [StandardScaler(), MinMaxScaler()], {"scaling": None}),
    ("selection__max_features", [1, 3], {"selection": "model", "n_features": 2, "random_state": 0}),
]
GRIDS = [
    *(pytest.param(*each, id=each[0]) for each in GRIDS),
    *(pytest.param(*each, id=each[0], marks=pytest.mark.exhaustive) for each in OTHER_GRIDS),
]


@pytest.mark.parametrize(("name", "values", "options"), GRIDS)
def test_parameters_and_steps_can_be_searched(messy, name, values, options):
    X, y = messy
    preprocessor = make_tabular_preprocessor(X, **options)
    before = estimator_html_repr(preprocessor).count("</div>")
    pipeline = Pipeline([("preprocessor", preprocessor), ("model", LogisticRegression(max_iter=1000))])
    search = GridSearchCV(pipeline, {f"preprocessor__{name}": values}, cv=2, error_score="raise").fit(X, y)
    best = search.best_params_[f"preprocessor__{name}"]
    actual = search.best_estimator_.get_params()[f"preprocessor__{name}"]
    assert type(actual) is type(best)
    assert isinstance(actual, str) or hasattr(actual, "fit") or actual == best
    assert estimator_html_repr(preprocessor).count("</div>") == before  # the original is not changed


def test_columns_by_dtype(messy):
    X, _ = messy
    columns = {name: columns for name, _, columns in make_tabular_preprocessor(X)["columns"].transformers}
    assert columns == {"numeric": NUMBERS, "categorical": CATEGORIES}
    fitted = make_tabular_preprocessor().fit(X)["columns"]
    assert fitted.transformers_[0][2] == NUMBERS
    assert fitted.transformers_[1][2] == CATEGORIES
    np.testing.assert_array_equal(fitted.transform(X), make_tabular_preprocessor(X).fit_transform(X))


def columns_of(*args, **kwargs):
    return [columns for _, _, columns in make_tabular_preprocessor(*args, **kwargs)["columns"].transformers]


def test_listed_columns(messy):
    X, y = messy
    assert columns_of(X, categorical_columns=["count"]) == [["size", "price"], ["count"]]
    assert columns_of(X, numeric_columns=["fresh", "size"]) == [["fresh", "size"], CATEGORIES[1:]]
    assert columns_of(X, numeric_columns=X.columns[:2], categorical_columns=[]) == [["size", "count"], []]
    assert columns_of(numeric_columns=np.array([0, 3]), categorical_columns=(1,)) == [[0, 3], [1]]
    fitted = make_tabular_preprocessor(categorical_columns=["count"]).fit(X, y)["columns"].transformers_
    assert [columns for name, _, columns in fitted if name != "remainder"] == [["size", "price"], ["count"]]


def test_positions_and_arrays():
    X = np.array([[1, "a", 2.5, True], [3, "b", None, False], [5, "a", 1.0, True]], dtype=object)
    assert columns_of(X) == [[0, 2], [1, 3]]
    assert columns_of(X, numeric_columns=[0]) == [[0], [1, 3]]
    expected = make_tabular_preprocessor(X).fit_transform(X)
    assert expected.shape == (3, 6)
    np.testing.assert_array_equal(make_tabular_preprocessor().fit_transform(X.tolist()), expected)
    numbered = pd.DataFrame({7: [1.0, 2.0], 5: ["a", "b"]})
    assert columns_of(numbered) == [[0], [1]]
    np.testing.assert_array_equal(make_tabular_preprocessor(numbered).fit_transform(numbered), [[-1, 1, 0], [1, 0, 1]])
    mixed = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]})
    assert columns_of(mixed, categorical_columns=[1]) == [[0], [1]]


def test_duplicate_feature_names():
    X = pd.DataFrame({"a_b": [1.0, 2.0], "a": ["b", "c"]})
    preprocessor = make_tabular_preprocessor(X).fit(X)
    with pytest.raises(ValueError, match="verbose_feature_names_out=True"):
        preprocessor.get_feature_names_out()
    preprocessor.set_params(columns__verbose_feature_names_out=True).fit(X)
    assert list(preprocessor.get_feature_names_out()) == ["numeric__a_b", "categorical__a_b", "categorical__a_c"]


@pytest.mark.parametrize(
    "dates",
    [
        pd.date_range("2020-01-01", periods=3),
        pd.date_range("2020-01-01", periods=3, tz="UTC"),
        pd.to_timedelta([1, 2, 3], unit="D"),
    ],
    ids=["dates", "dates with a time zone", "durations"],
)
def test_dates_raise(dates):
    X = pd.DataFrame({"size": [1.0, 2.0, 3.0], "day": dates})
    message = r"Received dates or durations in \['day'\]. Replace them"
    with pytest.raises(ValueError, match=message):
        make_tabular_preprocessor(X)
    for preprocessor in (make_tabular_preprocessor(), make_tabular_preprocessor(X, numeric_columns=["day", "size"])):
        with pytest.raises(ValueError, match=message):
            preprocessor.fit(X)
    without = make_tabular_preprocessor(X, numeric_columns=["size"], categorical_columns=[])
    assert without.fit_transform(X).shape == (3, 1)
    assert make_tabular_preprocessor(X, categorical_columns=["day"]).fit_transform(X).shape == (3, 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"imputation": "zero"}, r"imputation must be one of \('mean', .*'interpolate', None\). Received: 'zero'."),
        ({"outliers": "mad"}, "outliers must be one of .* Received: 'mad'."),
        ({"outlier_action": "drop"}, r"outlier_action must be one of \('clip', 'missing'\). Received: 'drop'."),
        ({"scaling": "max"}, "scaling must be one of .* Received: 'max'."),
        ({"encoding": "hash"}, r"encoding must be one of \('onehot', 'ordinal'\). Received: 'hash'."),
        ({"selection": "best"}, "selection must be one of .* Received: 'best'."),
        ({"task": "clustering"}, r"task must be one of \('classification', 'regression'\). Received: 'clustering'."),
        ({"n_features": 3}, "n_features requires selection to be one of .* Received: None."),
        ({"n_features": 3, "selection": "variance"}, "n_features requires selection"),
        ({"n_features": 0, "selection": "model"}, "n_features == 0, must be >= 1"),
        ({"numeric_columns": "a"}, "numeric_columns must be a list of names, or of positions from 0. Received: 'a'."),
        ({"numeric_columns": [-1]}, "positions from 0"),
        ({"categorical_columns": [True, False]}, "categorical_columns must be a list of names"),
        ({"numeric_columns": ["a"], "categorical_columns": [1]}, "either names or positions"),
        ({"numeric_columns": ["a", "b"], "categorical_columns": ["b"]}, r"Received duplicates: \['b'\]"),
        ({"numeric_columns": ["a", "a"]}, r"Received duplicates: \['a'\]"),
        ({"numeric_columns": ["a", "z"]}, r"Expected columns of X, \['a', 'b'\]. Received unknown columns: \['z'\]."),
        ({"categorical_columns": [2]}, r"Expected columns of X, \[0, 1\]. Received unknown columns: \[2\]."),
        ({"numeric_columns": [], "categorical_columns": []}, "at least one column"),
        ({"X": [1.0, 2.0]}, "Expected 2D array"),
    ],
    ids=str,
)
def test_invalid_arguments_raise_immediately(options, message):
    options = {"X": pd.DataFrame({"a": [1.0], "b": ["x"]}), **options}
    with pytest.raises(ValueError, match=message):
        make_tabular_preprocessor(**options)


def test_invalid_types_and_infinity_raise():
    with pytest.raises(TypeError, match="n_features must be an instance of int"):
        make_tabular_preprocessor(selection="univariate", n_features=0.5)
    with pytest.raises(ValueError, match="infinity"):
        make_tabular_preprocessor().fit([[np.inf], [1.0]])


def test_fitted_preprocessors_without_text_columns_have_an_html_representation():
    preprocessor = make_tabular_preprocessor().fit(np.arange(20.0).reshape(10, 2))
    assert "StandardScaler" in preprocessor._repr_html_()
    assert preprocessor.get_feature_names_out(["a", "b"]).tolist() == ["a", "b"]
