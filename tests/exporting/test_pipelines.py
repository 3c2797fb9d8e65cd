"""Export of pipelines to ONNX."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    AdaBoostRegressor,
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
)
from sklearn.feature_selection import SelectKBest
from sklearn.impute import KNNImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    StandardScaler,
)
from sklearn.svm import SVC, LinearSVC

import kerasnet as kn
from kerasnet.errors import ExportError
from kerasnet.features import HOGTransformer, ImagePreprocessor, SIFTTransformer, TextVectorizer
from kerasnet.preprocessing import make_tabular_preprocessor

pytest.importorskip("onnxruntime", reason="the extra export is not installed")
pytest.importorskip("skl2onnx", reason="the extra export is not installed")


def exported(estimator, path, **arguments):
    kn.export(estimator, path, **arguments)
    return kn.load_exported(path)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    n = 120
    X = pd.DataFrame(
        {
            "size": rng.normal(1e6, 1e5, n),
            "weight": rng.normal(size=n),
            "age": rng.integers(0, 90, n),
            "color": rng.choice(["red", "blue", "grün"], n),
            "flag": rng.random(n) > 0.5,
            "two words": rng.choice(["a", "b"], n, p=[0.9, 0.1]),
        }
    )
    y = np.where((X["weight"] > 0) & (X["color"] == "red"), "yes", "no")
    X.loc[::10, "size"] = np.nan
    X.loc[3::11, "color"] = None
    X.loc[5, "weight"] = 1e5
    return X, y


HOG = {
    "default": {},
    "edges at 45 degrees": {"orientations": 8, "pixels_per_cell": (4, 4)},
    "not square": {"orientations": 7, "pixels_per_cell": (5, 6), "cells_per_block": (1, 3)},
    "L1": {"block_norm": "L1"},
    "L1-sqrt": {"block_norm": "L1-sqrt"},
    "L2": {"block_norm": "L2"},
}


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
@pytest.mark.parametrize("name", HOG)
def test_hog_features_are_equal(name, dtype, mnist, tmp_path):
    X = mnist[0][:60] if dtype == "uint8" else (mnist[0][:60] / 255).astype(dtype)
    transformer = HOGTransformer(**HOG[name]).fit(X)
    model = exported(transformer, tmp_path / "m.onnx", verify=X)
    expected = transformer.transform(X)
    assert model.transform(X).dtype == expected.dtype
    np.testing.assert_allclose(model.transform(X), expected, atol=1e-6)


def test_hog_of_roots_of_values(mnist, tmp_path):
    X = (mnist[0][:60] / 255).astype(np.float32)
    transformer = HOGTransformer(transform_sqrt=True).fit(X)
    model = exported(transformer, tmp_path / "m.onnx", verify=X)
    np.testing.assert_allclose(model.transform(X), transformer.transform(X), atol=1e-6)


def test_hog_of_color_images_uses_the_strongest_channel(mnist, tmp_path):
    X = np.stack([mnist[0][:60], mnist[0][:60, ::-1], mnist[0][60:120]], axis=-1)
    transformer = HOGTransformer().fit(X)
    model = exported(transformer, tmp_path / "m.onnx", verify=X)
    np.testing.assert_allclose(model.transform(X), transformer.transform(X), atol=1e-6)


def test_hog_and_network_become_one_file(mnist, tmp_path):
    X, y = mnist
    network = kn.KerasNetClassifier("mlp", dense_units=(8,), epochs=1, random_state=0)
    pipeline = make_pipeline(HOGTransformer(), network).fit(X, y)
    model = exported(pipeline, tmp_path / "m.onnx", verify=X[:100])
    np.testing.assert_array_equal(model.predict(X), pipeline.predict(X))
    np.testing.assert_allclose(model.predict_proba(X), pipeline.predict_proba(X), atol=1e-5)
    assert model.description.inputs[0].dtype == "uint8"


TABLES = {
    "defaults": {},
    "clipped, ordinal": {"outliers": "iqr", "encoding": "ordinal", "scaling": "robust"},
    "outliers become missing": {"outliers": "zscore", "outlier_action": "missing", "scaling": "minmax"},
    "selection": {"selection": "univariate", "n_features": 4, "imputation": "most_frequent"},
}


@pytest.mark.parametrize(
    ("name", "has_samples"),
    [
        *((name, True) for name in TABLES),
        ("defaults", False),
        *(pytest.param(name, False, marks=pytest.mark.exhaustive) for name in TABLES if name != "defaults"),
    ],
)
def test_tables_with_strings_and_missing_values(name, has_samples, table, tmp_path):
    X, y = table
    pipeline = make_pipeline(make_tabular_preprocessor(**TABLES[name]), LogisticRegression()).fit(X, y)
    model = exported(pipeline, tmp_path / "m.onnx", **({"verify": X} if has_samples else {}))
    np.testing.assert_array_equal(model.predict(X), pipeline.predict(X))
    np.testing.assert_allclose(model.predict_proba(X), pipeline.predict_proba(X), atol=1e-5)
    other = X.assign(color="a color that was never seen", size=np.nan)
    np.testing.assert_allclose(model.predict_proba(other), pipeline.predict_proba(other), atol=1e-5)
    dtypes = {each.name: each.dtype for each in model.description.inputs}
    assert (dtypes["color"], dtypes["two words"], dtypes["size"]) == ("string", "string", "float64")
    assert model.predict(X[X.columns[::-1]]).tolist() == pipeline.predict(X).tolist()  # columns by name


def test_empty_string_is_an_unknown_category_and_not_missing(table, tmp_path):
    X, y = table
    pipeline = make_pipeline(make_tabular_preprocessor(), LogisticRegression()).fit(X, y)
    model = exported(pipeline, tmp_path / "m.onnx")
    other = X.assign(color="")
    np.testing.assert_allclose(model.predict_proba(other), pipeline.predict_proba(other), atol=1e-5)


def test_missing_values_of_nullable_columns(table, tmp_path):
    X, y = table[0].astype({"color": "string", "size": "Float64"}), table[1]
    pipeline = make_pipeline(make_tabular_preprocessor(), LogisticRegression()).fit(X, y)
    model = exported(pipeline, tmp_path / "m.onnx", verify=X)
    np.testing.assert_allclose(model.predict_proba(X), pipeline.predict_proba(X), atol=1e-5)


def test_columns_with_names_of_outputs_are_rejected(table, tmp_path):
    X, y = table[0].rename(columns={"weight": "label"}), table[1]
    pipeline = make_pipeline(make_tabular_preprocessor(), LogisticRegression()).fit(X, y)
    with pytest.raises(ExportError, match=r"names of outputs. Rename before fit: \['label'\]"):
        kn.export(pipeline, tmp_path / "m.onnx")


def test_table_and_network_become_one_file(table, tmp_path):
    X, y = table
    network = kn.KerasNetClassifier("mlp", dense_units=(8,), epochs=1, random_state=0)
    pipeline = make_pipeline(make_tabular_preprocessor(X), network).fit(X, y)
    model = exported(pipeline, tmp_path / "m.onnx")
    np.testing.assert_array_equal(model.predict(X), pipeline.predict(X))
    np.testing.assert_allclose(model.predict_proba(X), pipeline.predict_proba(X), atol=1e-5)


def test_unknown_category_is_an_error_if_the_encoder_does_not_support_it(table, tmp_path):
    X = table[0][["age", "two words"]]
    columns = make_column_transformer((StandardScaler(), ["age"]), (OneHotEncoder(drop="first"), ["two words"]))
    pipeline = make_pipeline(columns, LogisticRegression()).fit(X, table[1])
    model = exported(pipeline, tmp_path / "m.onnx")
    np.testing.assert_array_equal(model.predict(X), pipeline.predict(X))
    with pytest.raises(ValueError, match="unknown category"):
        model.predict(X.assign(**{"two words": "c"}))


def test_encoder_options(table, tmp_path):
    X = table[0][["color", "flag", "age"]].fillna({"color": "red"})
    encoders = make_column_transformer(
        (OneHotEncoder(min_frequency=40, handle_unknown="infrequent_if_exist"), ["color"]),
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), ["flag", "age"]),
    ).fit(X)
    model = exported(encoders, tmp_path / "m.onnx", verify=X)
    np.testing.assert_array_equal(model.transform(X), encoders.transform(X))
    np.testing.assert_array_equal(model.transform(X.assign(age=1000)), encoders.transform(X.assign(age=1000)))


PIPELINES = {
    "scaler and PCA": make_pipeline(StandardScaler(), PCA(3), LogisticRegression()),
    "selection": make_pipeline(MinMaxScaler(), SelectKBest(k=3), LogisticRegression()),
    "union": make_pipeline(make_union(StandardScaler(), PCA(2)), LogisticRegression()),
    "polynomial": make_pipeline(StandardScaler(), PolynomialFeatures(2), LogisticRegression()),
    "forest": RandomForestClassifier(10, random_state=0),
    "scaled extra trees": make_pipeline(StandardScaler(), ExtraTreesClassifier(10, random_state=0)),
    "without probabilities": make_pipeline(StandardScaler(), LinearSVC()),
}


@pytest.mark.parametrize("name", PIPELINES)
def test_pipelines_of_scikit_learn(name, tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 6)) + 1e7  # float32 has 8 digits, too few for these columns
    pipeline = PIPELINES[name].fit(X, np.where(X[:, 0] > 1e7, "a", "b"))
    model = exported(pipeline, tmp_path / "m.onnx")
    np.testing.assert_array_equal(model.predict(X), pipeline.predict(X))
    if hasattr(pipeline, "predict_proba"):
        np.testing.assert_allclose(model.predict_proba(X), pipeline.predict_proba(X), atol=1e-5)


def test_network_between_other_steps_and_regressors(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 6))
    pipeline = make_pipeline(MinMaxScaler(), kn.Autoencoder(code_units=3, epochs=1, random_state=0), Ridge())
    model = exported(pipeline.fit(X, X[:, :2]), tmp_path / "m.onnx")
    np.testing.assert_allclose(model.predict(X), pipeline.predict(X), atol=1e-5)
    forest = RandomForestRegressor(5, random_state=0).fit(X, X[:, 0])
    model = exported(forest, tmp_path / "m.onnx", verify=X)
    np.testing.assert_allclose(model.predict(X), forest.predict(X), atol=1e-5)
    assert model.predict(X).shape == (100,)


@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("regressor", [Ridge(), RandomForestRegressor(5, random_state=0)])
def test_regressors_with_several_targets(regressor, n_outputs, tmp_path):
    X = np.random.default_rng(0).normal(size=(60, 4))
    y = X[:, :n_outputs].squeeze()
    model = exported(regressor.fit(X, y), tmp_path / "m.onnx")
    np.testing.assert_allclose(model.predict(X), regressor.predict(X), atol=1e-5)
    assert model.predict(X).shape == y.shape


@pytest.mark.parametrize(("color_mode", "dtype", "flatten"), [("grayscale", "float32", True), ("rgb", "uint8", False)])
def test_images_of_the_right_size(color_mode, dtype, flatten, mnist, tmp_path):
    X = np.stack([mnist[0][:50], mnist[0][50:100], mnist[0][100:150]], axis=-1)
    X = X if color_mode == "grayscale" else X[..., :1]
    transformer = ImagePreprocessor(image_size=(28, 28), color_mode=color_mode, dtype=dtype, flatten=flatten).fit(X)
    model = exported(transformer, tmp_path / "m.onnx", verify=X)
    np.testing.assert_allclose(model.transform(X), transformer.transform(X), atol=1e-6)


def test_networks_in_ensembles_and_outputs_of_strings_are_rejected(table, tmp_path):
    X = np.random.default_rng(0).normal(size=(40, 3))
    network = kn.KerasNetClassifier("mlp", dense_units=(2,), epochs=1, random_state=0)
    X = pd.DataFrame(X, columns=["a", "b", "c"])
    pipeline = make_pipeline(make_column_transformer((StandardScaler(), ["a"])), network)
    ensemble = VotingClassifier([("pipeline", pipeline)]).fit(X, X["a"] > 0)
    with pytest.raises(ExportError, match="VotingClassifier cannot be exported. Networks of kerasnet can only"):
        kn.export(ensemble, tmp_path / "m.onnx")
    columns = make_column_transformer(("passthrough", ["two words"])).fit(table[0])
    with pytest.raises(ExportError, match="The estimator returns strings"):
        kn.export(columns, tmp_path / "m.onnx", verify=table[0])


def test_unsupported_steps_are_named(mnist, table, tmp_path):
    X, y = mnist[0][:60], mnist[1][:60]
    pipeline = make_pipeline(SIFTTransformer(n_words=4, grid=2), LogisticRegression()).fit(X, y)
    with pytest.raises(ExportError, match=r"SIFTTransformer \(step 'sifttransformer'\) cannot .* Supported: networks"):
        kn.export(pipeline, tmp_path / "m.onnx", verify=X)
    preprocessor = make_tabular_preprocessor(imputation="interpolate").fit(table[0])
    texts = make_pipeline(TextVectorizer(), LogisticRegression())
    with pytest.raises(ExportError, match=r"TextVectorizer cannot be exported: exported models do not take text"):
        kn.export(texts.fit(["a b", "c"], [0, 1]), tmp_path / "m.onnx")
    with pytest.raises(ExportError, match=r"InterpolationImputer \(step 'columns__numeric__imputation'\) cannot"):
        kn.export(preprocessor, tmp_path / "m.onnx")
    pipeline = make_pipeline(ImagePreprocessor(image_size=(14, 14), flatten=True), LogisticRegression()).fit(X, y)
    with pytest.raises(ExportError, match="Resize the images before the pipeline"):
        kn.export(pipeline, tmp_path / "m.onnx", verify=X)
    with pytest.raises(ExportError, match=r"do not follow from HOGTransformer. Pass verify=X"):
        kn.export(HOGTransformer().fit(X), tmp_path / "m.onnx")
    with pytest.raises(ExportError, match="is for single estimators"):
        kn.export(pipeline, tmp_path / "m.tflite", verify=X)
    assert not list(tmp_path.iterdir())


def test_normalizer_is_rejected_since_its_conversion_has_no_answer_for_rows_of_zeros(tmp_path):
    X, y = load_iris(return_X_y=True)
    pipeline = make_pipeline(Normalizer(), LogisticRegression()).fit(X, y)
    with pytest.raises(ExportError, match=r"Normalizer \(step 'normalizer'\) cannot be exported to ONNX\. .*zero"):
        kn.export(pipeline, tmp_path / "model.onnx")
    assert not any(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore:Attribute `prob:FutureWarning")  # read by skl2onnx
@pytest.mark.parametrize("model", [SVC(), AdaBoostRegressor(n_estimators=3, random_state=0)])
def test_models_that_skl2onnx_supports_for_float32_only(model, tmp_path):
    X, y = load_iris(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), model).fit(X, y)
    found = exported(pipeline, tmp_path / "m.onnx", verify=X)
    np.testing.assert_allclose(found.predict(X), pipeline.predict(X), atol=1e-5)
    assert found.description.inputs[0].dtype == "float64"


def test_step_that_skl2onnx_cannot_convert_is_named(tmp_path):
    X, y = load_iris(return_X_y=True)
    voting = VotingClassifier([("one", LogisticRegression())], flatten_transform=True)
    for step in (voting, HistGradientBoostingClassifier(max_iter=2)):
        pipeline = make_pipeline(StandardScaler(), step).fit(X, y)
        name = type(step).__name__
        with pytest.raises(ExportError, match=rf"{name} \(step '{name.lower()}'\) cannot .* Supported: networks"):
            kn.export(pipeline, tmp_path / "m.onnx", verify=X)


def test_columns_of_an_array_behind_another_step(tmp_path):
    X, y = load_iris(return_X_y=True)
    columns = make_column_transformer(
        (PCA(1), [3, 0]), ("passthrough", [1]), ("drop", [2]), (OneHotEncoder(handle_unknown="ignore"), [2])
    )
    pipeline = make_pipeline(MinMaxScaler(), columns, LogisticRegression()).fit(X, y)
    model = exported(pipeline, tmp_path / "m.onnx", verify=X)
    np.testing.assert_allclose(model.predict_proba(X), pipeline.predict_proba(X), atol=1e-5)


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
@pytest.mark.parametrize(
    ("is_network", "has_columns"),
    [
        (True, False),
        (False, True),
        *(pytest.param(each, each, marks=pytest.mark.exhaustive) for each in (True, False)),
    ],
)
def test_values_too_large_for_float32_are_rejected(is_network, has_columns, tmp_path):
    X, y = load_iris(return_X_y=True)
    step = make_column_transformer((StandardScaler(), [0, 1])) if has_columns else StandardScaler()
    network = kn.KerasNetClassifier("mlp", dense_units=(4,), epochs=1, random_state=0)
    pipeline = make_pipeline(step, network if is_network else RandomForestClassifier(3, random_state=0)).fit(X, y)
    model = exported(pipeline, tmp_path / "m.onnx")
    for value in (1e300, -1e300):
        wrong = X[:3].copy()
        wrong[1, 0] = value
        for each in (pipeline, model):
            with pytest.raises(ValueError, match="too large for"):
                each.predict(wrong)


def test_encoder_of_strings_outside_of_columns_is_rejected(table, tmp_path):
    X, y = table[0][["color", "two words"]].fillna("red"), table[1]
    pipeline = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(X, y)
    for verify in (None, X):
        with pytest.raises(ExportError, match=r"Put it into a ColumnTransformer: make_column_transformer"):
            kn.export(pipeline, tmp_path / "m.onnx", verify=verify)


def test_differences_are_measured_relative_to_the_spread_of_targets(tmp_path):
    X = np.random.default_rng(0).normal(size=(60, 3))
    forest = RandomForestRegressor(5, random_state=0)  # float32 in ONNX files
    with pytest.raises(ExportError, match="Subtract a constant from the targets before fit"):
        kn.export(forest.fit(X, 1.7e9 + 60 * X[:, 0]), tmp_path / "m.onnx", verify=X)
    for regressor, scale in ((forest, 1e6), (forest, 1e-6), (Ridge(), 60)):
        y = scale * X[:, 0] + (1.7e9 if regressor is not forest else 0)
        regressor.fit(X, y)
        for verify in (X, X[:1]):
            model = exported(regressor, tmp_path / "m.onnx", verify=verify)
        assert np.abs(model.predict(X) - regressor.predict(X)).max() < 1e-5 * scale
    constant = exported(regressor.fit(X, np.full(60, 5.0)), tmp_path / "m.onnx", verify=X)
    np.testing.assert_allclose(constant.predict(X), 5)


def test_polars_tables_with_missing_values(tmp_path):
    polars = pytest.importorskip("polars")
    X = polars.DataFrame({"size": np.arange(40.0), "age": range(40), "kind": ["a", "b"] * 20})
    missing = polars.when(polars.int_range(40) % 3 > 0)
    X_missing = X.with_columns(missing.then(polars.col(name)).alias(name) for name in X.columns)
    pipeline = make_pipeline(make_tabular_preprocessor(), LogisticRegression()).fit(X, ["u", "v"] * 20)
    for verify in (X, X_missing):
        model = exported(pipeline, tmp_path / "m.onnx", verify=verify)
        np.testing.assert_allclose(model.predict_proba(X_missing), pipeline.predict_proba(X_missing), atol=1e-5)


@pytest.mark.parametrize(
    ("n_columns", "options", "dtype"),
    [(1, {}, "float64"), (4, {}, "float64"), (4, {}, "float32"), (4, {"n_neighbors": 100}, "float64")],
)
def test_imputation_by_neighbors(n_columns, options, dtype, tmp_path):
    rng = np.random.default_rng(0)
    mean = 1000 if dtype == "float64" else 0
    X, X_new = (rng.normal(mean, size=(n, n_columns)).astype(dtype) for n in (60, 20))
    for each in (X, X_new):
        each[rng.random(each.shape) < 0.3] = np.nan
    X_new[3] = np.nan
    imputer = KNNImputer(**options).fit(X)
    model = exported(imputer, tmp_path / "m.onnx", verify=X_new)
    atol = 0 if dtype == "float64" else 1e-6
    np.testing.assert_allclose(model.transform(X_new), imputer.transform(X_new), atol=atol)
    np.testing.assert_allclose(model.transform(X_new[:1]), imputer.transform(X_new[:1]), atol=atol)
    with pytest.raises(ExportError, match="KNNImputer with weights, .* cannot be exported. Use SimpleImputer"):
        kn.export(KNNImputer(add_indicator=True).fit(X), tmp_path / "m.onnx", verify=X_new)


def test_imputation_by_neighbors_at_equal_distances_is_rejected(tmp_path):
    X = np.random.default_rng(0).integers(0, 3, (200, 3)).astype(float)
    pipeline = make_pipeline(make_tabular_preprocessor(imputation="knn"), Ridge()).fit(X, X[:, 0])
    for estimator in (pipeline, KNNImputer().fit(X)):
        with pytest.raises(ExportError, match="KNNImputer chooses among training samples at equal distances"):
            kn.export(estimator, tmp_path / "m.onnx")
