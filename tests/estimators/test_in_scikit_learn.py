"""The estimators in scikit-learn's meta-estimators and tools, on real data."""

import keras
import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from _longer import longer
from sklearn import set_config
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
)
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import ConfusionMatrixDisplay, accuracy_score
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_val_predict,
    learning_curve,
    train_test_split,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from kerasnet import Autoencoder, AutoencoderOutlierDetector, CNNClassifier, KerasNetClassifier, KerasNetRegressor

mpl.use("Agg")


def split(X, y):
    return train_test_split(X, y, random_state=0, stratify=y)


@pytest.fixture(scope="module")
def cancer():
    return split(*load_breast_cancer(return_X_y=True))


@pytest.fixture(scope="module")
def wine():
    return split(*load_wine(return_X_y=True))


@pytest.fixture(scope="module")
def digits():
    digits = load_digits()
    return split(digits.images / 16, digits.target)


@pytest.fixture
def routing():
    set_config(enable_metadata_routing=True)
    yield
    set_config(enable_metadata_routing=False)


def mlp(**params):
    settings = {"epochs": 15, "optimizer": "sgd", "learning_rate": 0.2, "random_state": 0}
    return KerasNetClassifier("mlp", **{**settings, **params})


def cnn(**params):
    return CNNClassifier(**{"filters": (8,), "dense_units": (32,), "learning_rate": 0.005, "random_state": 0, **params})


def scaled(**params):
    return make_pipeline(StandardScaler(), mlp(**params))


@pytest.mark.parametrize("data", longer(["cancer", "wine"], ["cancer"]))
def test_calibration(data, request):
    X, X_test, y, y_test = request.getfixturevalue(data)
    calibrated = CalibratedClassifierCV(scaled(), cv=3).fit(X, y)
    assert calibrated.score(X_test, y_test) > 0.93
    assert len(calibrated.calibrated_classifiers_) == 3


def test_voting_and_stacking(wine):
    X, X_test, y, y_test = wine
    members = [("network", scaled()), ("linear", make_pipeline(StandardScaler(), LogisticRegression()))]
    assert VotingClassifier(members, voting="soft").fit(X, y).score(X_test, y_test) > 0.93
    stacked = StackingClassifier(members, cv=3).fit(X, y)
    assert stacked.score(X_test, y_test) > 0.93
    assert stacked.transform(X_test).shape == (len(X_test), 6)


def test_stacking_of_regressors():
    X, y = load_diabetes(return_X_y=True)
    network = TransformedTargetRegressor(
        KerasNetRegressor("mlp", epochs=10, random_state=0), transformer=StandardScaler()
    )
    stacked = StackingRegressor([("network", network), ("ridge", RidgeCV())], cv=3).fit(X[:300], y[:300])
    assert stacked.score(X[300:], y[300:]) > 0.35


def test_bagging(digits):
    X, X_test, y, y_test = digits
    rows = X.reshape(len(X), -1), X_test.reshape(len(X_test), -1)
    bagged = BaggingClassifier(mlp(random_state=None), n_estimators=3, max_samples=0.5, random_state=0).fit(rows[0], y)
    assert bagged.score(rows[1], y_test) > 0.9
    first, second = (each.model_.get_weights()[0] for each in bagged.estimators_[:2])
    assert not np.array_equal(first, second)


@pytest.mark.exhaustive  # as bagging, which also passes sample weights
def test_boosting(cancer):
    X, X_test, y, y_test = cancer
    scaler = StandardScaler().fit(X)
    boosted = AdaBoostClassifier(mlp(epochs=3), n_estimators=3, random_state=0).fit(scaler.transform(X), y)
    assert boosted.score(scaler.transform(X_test), y_test) > 0.93


@pytest.mark.exhaustive  # as the other meta-estimators
def test_one_vs_rest(wine):
    X, X_test, y, y_test = wine
    each = OneVsRestClassifier(scaled()).fit(X, y)
    assert len(each.estimators_) == 3
    assert each.score(X_test, y_test) > 0.93


def test_multi_output_classifier(digits):
    X, X_test, y, y_test = digits
    rows, rows_test = X.reshape(len(X), -1), X_test.reshape(len(X_test), -1)
    classifier = MultiOutputClassifier(mlp()).fit(rows, np.column_stack([y, y % 2]))
    assert (classifier.predict(rows_test) == np.column_stack([y_test, y_test % 2])).mean(axis=0).min() > 0.93


def test_permutation_importance(cancer):
    X, _, y, _ = cancer
    X = np.column_stack([y + np.random.default_rng(0).normal(0, 0.3, len(y)), X[:, :2] * 0])
    importance = permutation_importance(mlp().fit(X, y), X, y, n_repeats=3, random_state=0)
    assert importance.importances_mean[0] > 0.2
    assert (importance.importances_mean[1:] == 0).all()


@pytest.mark.exhaustive  # as other cross-validations
def test_learning_curve(digits):
    X, _, y, _ = digits
    _, _, scores = learning_curve(cnn(epochs=4), X, y, train_sizes=[0.1, 1.0], cv=2)
    first, last = scores.mean(axis=1)
    assert first < last
    assert last > 0.85


@pytest.mark.exhaustive  # stacking also computes them
def test_cross_validated_predictions(wine):
    X, _, y, _ = wine
    probabilities = cross_val_predict(scaled(), X, y, cv=3, method="predict_proba")
    assert probabilities.shape == (len(X), 3)
    assert accuracy_score(y, probabilities.argmax(axis=1)) > 0.9


@pytest.mark.exhaustive  # as other searches
def test_random_search(wine):
    X, X_test, y, y_test = wine
    search = RandomizedSearchCV(
        scaled(epochs=8),
        {"kerasnetclassifier__dense_units": [(128,), (16,)], "kerasnetclassifier__batch_size": [8, 32]},
        n_iter=3,
        cv=2,
        random_state=0,
    ).fit(X, y)
    assert search.score(X_test, y_test) > 0.9


def test_halving_search_over_epochs(digits):
    X, X_test, y, y_test = digits
    search = HalvingGridSearchCV(
        cnn(),
        {"learning_rate": [0.0001, 0.001, 0.01]},
        resource="epochs",
        max_resources=9,
        min_resources=1,
        cv=2,
        random_state=0,
    ).fit(X, y)
    assert search.n_resources_ == [1, 3]
    assert search.best_params_["epochs"] == 3
    assert search.score(X_test, y_test) > 0.9


@pytest.mark.exhaustive  # as calibration
def test_tuned_threshold(cancer):
    X, X_test, y, y_test = cancer
    tuned = TunedThresholdClassifierCV(scaled(epochs=5), scoring="balanced_accuracy", cv=3).fit(X, y)
    assert 0 < tuned.best_threshold_ < 1
    assert tuned.score(X_test, y_test) > 0.93


def test_column_transformer_with_data_frame(wine):
    frame = load_wine(as_frame=True).frame.assign(strong=lambda wine: np.where(wine["alcohol"] > 13, "yes", "no"))
    X, y = frame.drop(columns="target"), frame["target"].map({0: "A", 1: "B", 2: "C"})
    prepared = ColumnTransformer([("all", MinMaxScaler(), list(X.columns[:-1]))], remainder="drop")
    pipeline = make_pipeline(prepared.set_output(transform="pandas"), mlp()).fit(X, y)
    assert pipeline.score(X, y) > 0.95
    assert list(pipeline[-1].feature_names_in_) == [f"all__{name}" for name in X.columns[:-1]]
    assert set(pipeline.predict(X)) == {"A", "B", "C"}


def test_confusion_matrix(digits):
    X, X_test, y, y_test = digits
    display = ConfusionMatrixDisplay.from_estimator(cnn(epochs=3).fit(X, y), X_test, y_test)
    assert display.confusion_matrix.sum() == len(y_test)


def test_multilabel_classification():
    X, y = load_digits(return_X_y=True)
    properties = np.column_stack([y % 2 == 0, y > 4, np.isin(y, [0, 6, 8, 9])]).astype(int)  # even, large, with a hole
    X, X_test, given, expected = train_test_split(X / 16, properties, random_state=0)
    classifier = mlp(optimizer="adam", learning_rate=0.01).fit(X, given)
    assert classifier.predict_proba(X_test).shape == (len(X_test), 3)
    assert set(np.unique(classifier.predict(X_test))) == {0, 1}
    assert classifier.score(X_test, expected) > 0.9  # subset accuracy
    assert classifier.history_["accuracy"][-1] > 0.97
    assert list(classifier.classes_) == [0, 1, 2]
    with pytest.raises(ValueError, match="multiclass-multioutput y"):
        classifier.fit(X, given * [[1, 2, 3]])


# --- metadata routing ---


def test_sample_weights_are_routed_through_pipeline_and_search(routing, cancer):
    X, _, y, _ = cancer
    weight = np.random.default_rng(0).uniform(0, 3, len(y))
    network = mlp(epochs=3).set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
    pipeline = make_pipeline(StandardScaler().set_fit_request(sample_weight=False), network)
    search = GridSearchCV(pipeline, {"kerasnetclassifier__epochs": [3]}, cv=2).fit(X, y, sample_weight=weight)
    scores = []
    for train, test in StratifiedKFold(2).split(X, y):
        scaler, alone = StandardScaler().fit(X[train]), clone(network)
        alone.fit(scaler.transform(X[train]), y[train], sample_weight=weight[train])
        predicted = alone.predict(scaler.transform(X[test]))
        scores.append(accuracy_score(y[test], predicted, sample_weight=weight[test]))
    assert search.best_score_ == pytest.approx(np.mean(scores), abs=1e-12)


def test_validation_data_are_transformed_by_the_pipeline(routing, cancer):
    X, X_val, y, y_val = cancer
    network = mlp(epochs=3).set_fit_request(X_val=True, y_val=True)
    pipeline = Pipeline([("scale", StandardScaler()), ("network", network)], transform_input=["X_val"])
    pipeline.fit(X, y, X_val=X_val, y_val=y_val)
    scaler = StandardScaler().fit(X)
    alone = clone(network).fit(scaler.transform(X), y, X_val=scaler.transform(X_val), y_val=y_val)
    assert pipeline[-1].history_ == alone.history_
    assert len(alone.history_["val_loss"]) == 3


# --- scikit-learn callbacks ---


def test_scoring_monitor_records_each_epoch(digits, sklearn_callbacks):
    X, _, y, _ = digits
    monitor = sklearn_callbacks.ScoringMonitor(scoring="accuracy")
    network = cnn(epochs=3).set_callbacks(monitor).fit(X, y)
    log = pd.DataFrame(monitor.get_logs().data)
    epochs = log[log["task_name"] == "epoch"]
    assert list(epochs["task_id"]) == [0, 1, 2]
    alone = [cnn(epochs=n).fit(X, y).score(X, y) for n in (1, 2, 3)]
    assert list(epochs["accuracy"]) == alone
    assert log[log["task_name"] == "fit"]["accuracy"].item() == network.score(X, y) == alone[-1]


@pytest.mark.parametrize("n_jobs", longer([1, 2], [2]))  # in workers: see test_pickles.py
def test_scoring_monitor_records_each_fit_and_epoch_of_a_search(n_jobs, wine, sklearn_callbacks):
    X, _, y, _ = wine
    monitor = sklearn_callbacks.ScoringMonitor(scoring="accuracy")
    network = mlp(epochs=2, early_stopping=True).set_callbacks(monitor)
    GridSearchCV(network, {"learning_rate": [0.01, 0.1]}, cv=2, n_jobs=n_jobs).fit(X, y)
    log = pd.DataFrame(monitor.get_logs(select="all")[0].data)
    epochs = log[log["task_name"] == "epoch"]
    assert epochs.groupby("parent_task_id_path").size().tolist() == 5 * [2]  # 2 x 2 fits and the refit


def test_progress_bar_shows_epochs_of_a_search(wine, capsys, sklearn_callbacks):
    X, _, y, _ = wine
    search = GridSearchCV(mlp(epochs=2), {"learning_rate": [0.01, 0.1]}, cv=2)
    search.set_callbacks(sklearn_callbacks.ProgressBar()).fit(X, y)
    shown = capsys.readouterr().out
    assert "GridSearchCV" in shown
    assert "KerasNetClassifier" in shown


class StopAfter:
    """A scikit-learn callback that stops a fit."""

    def __init__(self, n_epochs):
        self.n_epochs, self.begun, self.torn_down = n_epochs, [], 0

    def setup(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        self.begun.append(context.task_name)

    def on_fit_task_end(self, estimator, context):
        return context.task_name == "epoch" and context.task_id + 1 == self.n_epochs

    def teardown(self, estimator, context):
        self.torn_down += 1


def test_callback_can_stop_a_fit(wine, sklearn_callbacks):
    X, _, y, _ = wine
    stop = StopAfter(3)
    assert mlp(epochs=9).set_callbacks(stop).fit(X, y).n_iter_ == 3
    assert stop.begun == ["fit", "epoch", "epoch", "epoch"]
    assert stop.torn_down == 1


def test_callback_is_torn_down_after_an_error(wine, sklearn_callbacks):
    X, _, y, _ = wine
    stop = StopAfter(3)
    with pytest.raises(ValueError, match="NaN"):
        mlp().set_callbacks(stop).fit(X * np.nan, y)
    assert stop.torn_down == 1


@pytest.mark.parametrize("kind", [Autoencoder, AutoencoderOutlierDetector])
def test_callbacks_of_autoencoders(kind, digits, sklearn_callbacks):
    stop = StopAfter(2)
    estimator = kind(code_units=4, epochs=5, random_state=0).set_callbacks(stop).fit(digits[0])
    assert stop.begun.count("epoch") == getattr(estimator, "autoencoder_", estimator).n_iter_ == 2


def test_estimators_passed_to_callbacks_are_not_changed(wine, sklearn_callbacks):
    """Later epochs do not change an estimator that a callback has stored."""
    X, _, y, _ = wine
    stored = []

    class Keep(StopAfter):
        def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
            stored.append(fitted_estimator)

    final = mlp(epochs=3).set_callbacks(Keep(0)).fit(X, y)
    assert [each.n_iter_ for each in stored] == [1, 2, 3, 3]
    first = mlp(epochs=1).fit(X, y)
    assert np.array_equal(stored[0].predict_proba(X), first.predict_proba(X))
    assert np.array_equal(stored[2].predict_proba(X), final.predict_proba(X))
    assert isinstance(stored[0].model_, keras.Model)
