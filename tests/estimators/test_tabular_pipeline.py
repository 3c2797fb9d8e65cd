"""Pipelines for tables, and standardized targets."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.preprocessing import StandardScaler

import kerasnet as kn
from kerasnet import KerasNetClassifier, KerasNetRegressor, make_tabular_pipeline
from kerasnet.estimators._validation import hold_out


def mixed_table(n_samples=120):
    """Return a table of numbers and categories with missing values, and numeric targets that depend on both."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"size": rng.normal(size=n_samples), "color": rng.choice(["red", "blue"], n_samples)})
    y = 1000 + 200 * X["size"] + 300 * (X["color"] == "red")
    X.loc[::10, "size"] = X.loc[5::10, "color"] = np.nan
    return X, y


@pytest.mark.exhaustive  # the example of make_tabular_pipeline fits the same pipeline
def test_default_regression_of_diabetes_keeps_its_figure():
    X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=100)
    pipeline = make_tabular_pipeline(X, task="regression", random_state=100).fit(X_train, y_train)
    assert pipeline.score(X_test, y_test) > 0.48


def test_default_classification_of_breast_cancer_keeps_its_figure():
    X, y = load_breast_cancer(return_X_y=True, as_frame=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=100)
    pipeline = make_tabular_pipeline(X, random_state=100).fit(X_train, y_train)
    assert roc_auc_score(y_test, pipeline.predict_proba(X_test)[:, 1]) > 0.99


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_missing_values_and_categories_in_searches_and_archives(task, tmp_path):
    X, y = mixed_table()
    y = y if task == "regression" else np.where(y > 1000, "large", "small")
    pipeline = make_tabular_pipeline(X, task=task, random_state=0, epochs=2, dense_units=8)
    grid = {"network__dropout": [0.3]}
    best = GridSearchCV(clone(pipeline), grid, cv=2, error_score="raise").fit(X, y).best_estimator_
    assert best["network"].dropout == 0.3
    kn.save(best, tmp_path / "table.kerasnet")
    np.testing.assert_array_equal(kn.load(tmp_path / "table.kerasnet").predict(X), best.predict(X))


def test_other_models_and_given_parameters_take_precedence():
    network = make_tabular_pipeline(model="mlp", task="regression", epochs=3, dense_units=(4,))["network"]
    assert (network.epochs, network.dense_units, network.learning_rate) == (3, (4,), 0.001)
    assert make_tabular_pipeline(learning_rate=0.1)["network"].learning_rate == 0.1
    X, y = mixed_table()
    for optimizer in ({"optimizer": "sgd"}, {"optimizer__clipnorm": 1.0}):
        make_tabular_pipeline(epochs=1, dense_units=4, task="regression", **optimizer).fit(X, y)


def test_invalid_arguments_raise():
    with pytest.raises(ValueError, match=r"task must be one of .*'regression'.* Received: 'ranking'"):
        make_tabular_pipeline(task="ranking")
    with pytest.raises(TypeError, match="no parameter 'dropot' .did you mean 'dropout'"):
        make_tabular_pipeline(dropot=0.1)
    with pytest.raises(
        TypeError, match=r"parameters \['imputation'\], which belong to the preprocessor.*task='classification', imput"
    ):
        make_tabular_pipeline(imputation="knn")
    with pytest.raises(kn.errors.UnknownModelError, match="Did you mean: real_mlp"):
        make_tabular_pipeline(model="realmlp")


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_standardized_targets_equal_those_of_scikit_learn(n_outputs):
    X, y = load_diabetes(return_X_y=True)
    y = y if n_outputs == 1 else np.column_stack([y, -1000 * y])
    ours = KerasNetRegressor("mlp", standardize_targets=True, epochs=2, random_state=0).fit(X, y)
    theirs = TransformedTargetRegressor(
        KerasNetRegressor("mlp", epochs=2, random_state=0), transformer=StandardScaler()
    ).fit(X, y)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-4)
    ours.partial_fit(X[:50], y[:50])  # with the mean of the first fit
    np.testing.assert_allclose(ours.target_mean_, y.mean(axis=0).reshape(-1))


def test_constant_targets_are_predicted():
    X = np.random.default_rng(0).normal(size=(20, 10))
    regressor = KerasNetRegressor("mlp", standardize_targets=True, epochs=1, random_state=0).fit(X, np.full(20, 7e6))
    np.testing.assert_allclose(regressor.predict(X), 7e6, rtol=1e-5)
    regressor.set_params(standardize_targets=False).fit(X, np.zeros(20))
    assert not hasattr(regressor, "target_mean_")


@pytest.mark.parametrize("labels", [["rare"] + ["a", "b"] * 20, [*range(13)] * 3 + [13, 13]])
def test_rare_classes_are_learned_with_early_stopping(labels):
    """The only sample of a class is in the training part; with many classes, the validation part is a random one."""
    X = np.random.default_rng(0).normal(size=(41, 2)).astype(np.float32)
    network = KerasNetClassifier("mlp", dense_units=4, early_stopping=True, validation_fraction=0.2, epochs=2)
    assert len(network.fit(X, labels).classes_) == len(set(labels))
    train, held_out = hold_out((X, X, None), 0.2, np.unique(labels, return_inverse=True)[1], seed=0)
    assert (len(train[0]), len(held_out[0])) == (32, 9) if len(set(labels)) > 9 else (33, 8)
    assert labels[0] != "rare" or (train[0] == X[0]).all(axis=1).any()
