"""Feature extractors in pipelines, unions and grid searches."""

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from kerasnet.estimators import KerasNetClassifier
from kerasnet.features import HOGTransformer, ImagePreprocessor, SIFTTransformer, hog

SIFT = SIFTTransformer(n_words=4, grid=4, random_state=0)


@pytest.mark.parametrize("flat", [False, True])
def test_feature_union_of_hog_sift_and_pixels(mnist, flat):
    X = mnist[0][:20]
    image_shape = (28, 28) if flat else None
    union = FeatureUnion(
        [("hog", HOGTransformer(image_shape=image_shape)), ("sift", clone(SIFT).set_params(image_shape=image_shape))]
    )
    if not flat:
        union = FeatureUnion([*union.transformer_list, ("pixels", ImagePreprocessor((14, 14), flatten=True))])
    features = union.fit_transform(X.reshape(len(X), -1) if flat else X)
    parts = [hog(X), clone(SIFT).fit_transform(X)]
    if not flat:
        parts.append(ImagePreprocessor((14, 14)).transform(X).reshape(len(X), -1))
    np.testing.assert_array_equal(features, np.hstack(parts))
    names = union.get_feature_names_out()
    assert len(names) == features.shape[1] == len(set(names))
    assert names[0] == "hog__hogtransformer0"


def test_grid_search_over_hog_and_network(mnist):
    X, y = mnist
    network = KerasNetClassifier("mlp", epochs=15, batch_size=100, learning_rate=0.02, random_state=0)
    pipeline = make_pipeline(HOGTransformer(), network)
    candidates = {(14, 14): (16,), (4, 4): (64,)}
    grid = [
        {"hogtransformer__pixels_per_cell": [pixels], "kerasnetclassifier__dense_units": [units]}
        for pixels, units in candidates.items()
    ]
    search = GridSearchCV(pipeline, grid, cv=2).fit(X[:400], y[:400])
    assert search.best_params_["hogtransformer__pixels_per_cell"] == (4, 4)
    assert search.score(X[400:], y[400:]) > 0.8
    assert (
        search.best_estimator_[-1].model_.layers[0].units == search.best_params_["kerasnetclassifier__dense_units"][0]
    )


CALLS = []


def record_call(X):
    CALLS.append(len(X))
    return X


def test_cached_features_are_computed_once_per_fold(mnist, tmp_path):
    X, y = (array[:90] for array in mnist)
    CALLS.clear()
    pipeline = make_pipeline(
        FunctionTransformer(record_call),
        HOGTransformer(),
        LogisticRegression(),
        memory=joblib.Memory(tmp_path, verbose=0),
    )
    search = GridSearchCV(pipeline, {"logisticregression__C": [0.1, 1]}, cv=3, refit=False, error_score="raise")
    search.fit(X, y)
    assert CALLS.count(60) == 3  # once per fold, not per candidate
    assert CALLS.count(30) == 6  # scoring is not cached by scikit-learn


def test_pandas_output(mnist):
    X, _ = mnist
    frame = HOGTransformer().set_output(transform="pandas").fit_transform(X[:5])
    assert list(frame.columns[:2]) == ["hogtransformer0", "hogtransformer1"]
    assert frame.shape == (5, 144)
