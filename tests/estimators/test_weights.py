"""The effect of sample and class weights does not depend on the batch."""

import numpy as np
import pytest
from _longer import longer
from sklearn.datasets import load_diabetes, load_iris, make_classification, make_multilabel_classification
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import log_loss
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

from kerasnet import Autoencoder, AutoencoderOutlierDetector, KerasNetClassifier, KerasNetRegressor

SGD = {"optimizer": "sgd", "learning_rate": 0.1, "random_state": 0}


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X).astype(np.float32), y


def imbalanced(rate, n_samples):
    X, y = make_classification(
        n_samples, 20, n_informative=6, weights=[1 - rate], class_sep=0.8, flip_y=0.01, random_state=0
    )
    return StandardScaler().fit_transform(X).astype(np.float32), y


def linear(**parameters):
    return KerasNetClassifier("mlp", dense_units=(), random_state=0, **parameters)


@pytest.mark.parametrize("rate", longer([0.01, 0.05, 0.2], [0.01, 0.2]))
@pytest.mark.parametrize("batch_size", longer([32, -1], [-1]))
def test_balanced_class_weights_match_logistic_regression(rate, batch_size):
    X, y = imbalanced(rate, 8000 if rate < 0.05 else 4000)
    expected = LogisticRegression(class_weight="balanced").fit(X, y).predict(X).mean()
    # the learning rate decreases to 0, so that the result does not depend on the last batches
    parameters = {"epochs": 15, "learning_rate": 0.003} if batch_size > 0 else {"epochs": 400, "learning_rate": 0.05}
    classifier = linear(class_weight="balanced", batch_size=batch_size, learning_rate_schedule="cosine", **parameters)
    assert classifier.fit(X, y).predict(X).mean() == pytest.approx(expected, rel=0.15)


def test_sample_weights_equal_class_weights():
    X, y = imbalanced(0.05, 1000)
    by_class = linear(class_weight="balanced", epochs=2).fit(X, y)
    by_sample = linear(epochs=2).fit(X, y, sample_weight=compute_sample_weight("balanced", y))
    np.testing.assert_allclose(by_class.predict_proba(X), by_sample.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize("batch_size", [32, -1])
def test_scale_of_sample_weights_does_not_change_a_fit(iris, batch_size):
    X, y = iris
    weight = np.where(y == 0, 4.0, 1.0)
    one, thousand = (
        KerasNetClassifier("mlp", epochs=2, batch_size=batch_size, **SGD).fit(X, y, sample_weight=factor * weight)
        for factor in (1, 1024)
    )
    np.testing.assert_allclose(one.predict_proba(X), thousand.predict_proba(X), atol=1e-5)


def test_fit_minimizes_the_weighted_mean_loss(iris):
    X, y = iris
    weight = np.where(y == 0, 5.0, 0.5)
    classifier = KerasNetClassifier("mlp", epochs=1, batch_size=-1, **{**SGD, "learning_rate": 1e-9})
    loss = classifier.fit(X, y, sample_weight=weight).history_["loss"][0]
    assert loss == pytest.approx(log_loss(y, classifier.predict_proba(X), sample_weight=weight), rel=1e-4)


def test_early_stopping_validation_loss_is_weighted(iris):
    X, y = iris
    parameters = {"early_stopping": True, "epochs": 2, **SGD}
    plain = KerasNetClassifier("mlp", **parameters).fit(X, y)
    same = KerasNetClassifier("mlp", **parameters).fit(X, y, sample_weight=np.full(len(y), 7.0))
    np.testing.assert_allclose(plain.history_["val_loss"], same.history_["val_loss"], rtol=1e-5)
    weighted = KerasNetClassifier("mlp", class_weight={0: 9.0}, **parameters).fit(X, y)
    assert abs(weighted.history_["val_loss"][0] - plain.history_["val_loss"][0]) > 1e-3


def test_samples_of_weight_0_do_not_affect_balanced_class_weights(iris):
    X, y = iris
    keep = np.r_[0:10, 50:100, 100:150]
    weight = np.zeros(len(y))
    weight[keep] = 1
    parameters = {"class_weight": "balanced", "batch_size": -1, "epochs": 3, **SGD}
    zero = KerasNetClassifier("mlp", **parameters).fit(X, y, sample_weight=weight)
    removed = KerasNetClassifier("mlp", **parameters).fit(X[keep], y[keep])
    np.testing.assert_allclose(zero.predict_proba(X), removed.predict_proba(X), atol=1e-5)


def test_weighted_regressor_reaches_weighted_least_squares_in_small_batches():
    X, y = load_diabetes(return_X_y=True)
    X, y = StandardScaler().fit_transform(X), (y - y.mean()) / y.std()
    rare = np.arange(len(y)) % 50 == 0
    y = np.where(rare, y + 3, y)
    weight = np.where(rare, 49.0, 1.0)
    expected = LinearRegression().fit(X, y, sample_weight=weight).predict(X)
    regressor = KerasNetRegressor(
        "mlp",
        dense_units=(),
        epochs=60,
        batch_size=16,
        learning_rate=0.01,
        learning_rate_schedule="cosine",
        random_state=0,
    )
    predicted = regressor.fit(X, y, sample_weight=weight).predict(X)
    assert np.abs(predicted - expected).mean() < 0.25
    assert np.abs(regressor.fit(X, y).predict(X) - expected).mean() > 0.6


@pytest.mark.parametrize("kind", [Autoencoder, AutoencoderOutlierDetector])
def test_scale_of_sample_weights_does_not_change_an_autoencoder(kind, iris):
    X, y = iris
    estimators = [
        kind(code_units=2, output_activation="linear", epochs=2, **SGD).fit(X, sample_weight=factor * (1.0 + y))
        for factor in (1, 64)
    ]
    one, many = (getattr(each, "autoencoder_", each).reconstruct(X) for each in estimators)
    np.testing.assert_allclose(one, many, atol=1e-5)


@pytest.mark.parametrize("make", [KerasNetClassifier, KerasNetRegressor, Autoencoder])
def test_zero_weights_raise_an_error_and_keep_the_fit(make, iris):
    X, y = iris
    X = (X - X.min()) / (X.max() - X.min())
    estimator = make(epochs=1, **SGD).fit(X, y)
    fitted = estimator.model_
    with pytest.raises(ValueError, match="non-zero"):
        estimator.fit(X, y, sample_weight=np.zeros(len(y)))
    if make is KerasNetClassifier:
        with pytest.raises(ValueError, match="At least one sample must have a weight above 0"):
            estimator.set_params(class_weight=dict.fromkeys(range(3), 0)).fit(X, y)
    assert estimator.model_ is fitted


def test_partial_fit_does_not_scale_weights(iris):
    X, y = iris
    parameters = {"batch_size": -1, **SGD}
    doubled = KerasNetClassifier("mlp", **parameters).partial_fit(X, y, sample_weight=np.full(len(y), 2.0))
    faster = KerasNetClassifier("mlp", **{**parameters, "learning_rate": 0.2}).partial_fit(X, y)
    np.testing.assert_allclose(doubled.predict_proba(X), faster.predict_proba(X), atol=1e-5)


def test_class_weights_of_partial_fit_for_classes_missing_in_a_chunk(iris):
    X, y = iris
    named = KerasNetClassifier("mlp", class_weight={2: 5.0}, **SGD)
    named.partial_fit(X[y < 2], y[y < 2], classes=[0, 1, 2])
    plain = KerasNetClassifier("mlp", **SGD).partial_fit(X[y < 2], y[y < 2], classes=[0, 1, 2])
    np.testing.assert_array_equal(named.predict_proba(X), plain.predict_proba(X))
    only_rare = KerasNetClassifier("mlp", class_weight=[{1: 2.0}, {0: 2.0}], **SGD)
    only_rare.partial_fit(X, np.c_[y == 0, y == 1].astype(int))
    only_rare.partial_fit(X[y == 2], np.zeros((50, 2), int))


def test_partial_fit_rejects_balanced_class_weight(iris):
    with pytest.raises(ValueError, match="compute_class_weight"):
        KerasNetClassifier("mlp", class_weight="balanced").partial_fit(*iris)


@pytest.mark.parametrize("class_weight", ["balanced", [{0: 1.0, 1: 3.0}] * 4])
def test_multilabel_class_weights_equal_scikit_learn(class_weight):
    X, y = make_multilabel_classification(200, n_features=8, n_classes=4, random_state=0)
    X = StandardScaler().fit_transform(X)
    parameters = {"batch_size": -1, "epochs": 3, **SGD}
    by_class = KerasNetClassifier("mlp", class_weight=class_weight, **parameters).fit(X, y)
    by_sample = KerasNetClassifier("mlp", **parameters).fit(X, y, sample_weight=compute_sample_weight(class_weight, y))
    np.testing.assert_allclose(by_class.predict_proba(X), by_sample.predict_proba(X), atol=1e-5)


@pytest.mark.parametrize("class_weight", [{0: 1, 1: 2}, [{0: 1, 1: 2}] * 3])
def test_incompatible_class_weights_raise_an_error(class_weight, iris):
    X, y = make_multilabel_classification(50, n_classes=4, random_state=0)
    with pytest.raises(ValueError, match="list of 4 dicts, one for each label"):
        KerasNetClassifier("mlp", class_weight=class_weight, epochs=1).fit(X, y)
    with pytest.raises(ValueError, match="must be a dict or 'balanced' for single-label targets"):
        KerasNetClassifier("mlp", class_weight=[{0: 1}], epochs=1).fit(*iris)
