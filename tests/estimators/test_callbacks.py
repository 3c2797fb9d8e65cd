"""Callbacks are copied for each fit, but the objects that they refer to are shared."""

import threading

import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import cross_val_score

from kerasnet import KerasNetClassifier
from kerasnet.training import clear_cache


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


def mlp(**parameters):
    return KerasNetClassifier("mlp", **{"epochs": 3, "optimizer": "sgd", "random_state": 0, **parameters})


class Recorder(keras.callbacks.Callback):
    """A callback with a counter and references to objects of the user."""

    def __init__(self, sink, tracker=None):
        super().__init__()
        self.sink, self.tracker, self.count = sink, tracker, 0

    def on_epoch_end(self, epoch, logs=None):
        self.count += 1
        self.sink.append(logs["loss"])


class Pruned(Exception):
    """Like ``optuna.TrialPruned``."""


class Trial:
    """Like a trial of an in-memory study of Optuna, which cannot be copied."""

    def __init__(self, n_epochs):
        self.lock, self.n_epochs, self.reported = threading.Lock(), n_epochs, {}

    def report(self, value, step):
        with self.lock:
            self.reported[step] = value

    def should_prune(self):
        return len(self.reported) == self.n_epochs


class Prune(keras.callbacks.Callback):
    """Like ``optuna_integration.KerasPruningCallback``."""

    def __init__(self, trial):
        super().__init__()
        self.trial = trial

    def on_epoch_end(self, epoch, logs=None):
        self.trial.report(logs["accuracy"], step=epoch)
        if self.trial.should_prune():
            raise Pruned


@pytest.mark.parametrize("wrap", [lambda each: each, lambda each: [each], lambda each: {"mine": [each]}])
def test_objects_referenced_by_callbacks_are_not_copied(wrap, iris):
    sink, tracker = [], threading.Lock()
    estimator = mlp(callbacks=wrap(Recorder(sink, tracker)))
    for fitted in (estimator.fit(*iris), clone(estimator).fit(*iris)):
        assert fitted.callbacks_[0].sink is sink
        assert fitted.callbacks_[0].tracker is tracker
    assert len(sink) == 6


def test_callback_counters_are_not_shared_by_fits(iris):
    recorder = Recorder([])
    estimator = mlp(callbacks=[recorder]).fit(*iris)
    first = estimator.callbacks_[0]
    assert (estimator.fit(*iris).callbacks_[0].count, first.count, recorder.count) == (3, 3, 0)
    assert clone(estimator).callbacks[0] is not recorder


def test_folds_do_not_share_early_stopping_state(iris):
    stopping = keras.callbacks.EarlyStopping("loss", patience=2, min_delta=10.0)
    histories = []
    recorder = Recorder(histories)
    cross_val_score(mlp(callbacks=[stopping, recorder], epochs=9), *iris, cv=3, error_score="raise")
    assert len(histories) == 3 * 3
    assert stopping.wait == 0


def test_pruning_callback(iris):
    trial = Trial(2)
    estimator = mlp(epochs=9).fit(*iris)
    fitted = estimator.model_
    with pytest.raises(Pruned):
        estimator.set_params(callbacks=[Prune(trial)]).fit(*iris)
    assert sorted(trial.reported) == [0, 1]
    assert estimator.model_ is fitted
    with pytest.raises(Pruned):
        clone(mlp(callbacks=[Prune(Trial(1))])).fit(*iris)


def test_callbacks_as_fit_keyword(iris):
    sink = []
    estimator = mlp().fit(*iris, callbacks=[Recorder(sink)], epochs=2)
    assert len(sink) == estimator.n_iter_ == 2
    assert estimator.fit(*iris).n_iter_ == 3
    assert len(sink) == 2


class Marker(keras.callbacks.Callback):
    """Store the model under another name, and set an attribute of the model."""

    def set_model(self, model):
        super().set_model(model)
        self.network = model

    def on_train_begin(self, logs=None):
        self.found = hasattr(self.model, "note")
        self.model.note = "a note"


def test_callback_model_is_the_fitted_model_after_fit(iris):
    fits = [mlp(callbacks=[Marker()]).fit(*iris) for _ in range(2)]
    for fitted in fits:
        (callback,) = fitted.callbacks_
        assert callback.model is fitted.model_
        assert callback.network is fitted.model_
        assert fitted.model_.note == "a note"
        assert not callback.found
    np.testing.assert_array_equal(fits[0].predict_proba(iris[0]), fits[1].predict_proba(iris[0]))
    assert not hasattr(mlp().fit(*iris).model_, "note")


def test_attributes_set_in_a_failed_fit_do_not_persist(iris):
    class Fails(Marker):
        def on_epoch_end(self, epoch, logs=None):
            raise RuntimeError("stop")

    clear_cache()
    mlp().fit(*iris)
    with pytest.raises(RuntimeError, match="stop"):
        mlp(callbacks=[Fails()]).fit(*iris)
    assert not mlp(callbacks=[Marker()]).fit(*iris).callbacks_[0].found


def test_lists_of_callbacks_are_restored_from_checkpoints_in_place(iris, tmp_path):
    def fit(sink):
        return mlp(callbacks=[Recorder(sink, "plain")], memory=tmp_path).fit(*iris)

    first, second = [], []
    fit(first)
    assert fit(second).n_iter_from_memory_ == 3
    assert first == second
    assert len(second) == 3


class Wrapper(keras.callbacks.Callback):
    """Store the model in another callback and in containers, and call a bound method of itself."""

    def __init__(self):
        super().__init__()
        self.inner, self.seen, self.count = keras.callbacks.LambdaCallback(), {"models": []}, 0
        self.step = self.add

    def add(self):
        self.count += 1

    def set_model(self, model):
        super().set_model(model)
        self.inner.set_model(model)
        self.seen["models"].append(model)

    def on_epoch_end(self, epoch, logs=None):
        self.step()


def test_nested_callbacks_refer_to_the_fitted_model(iris):
    wrapper = Wrapper()
    fitted = mlp(callbacks=[wrapper]).fit(*iris)
    (callback,) = fitted.callbacks_
    assert callback.inner.model is fitted.model_
    assert callback.seen["models"] == [fitted.model_]
    assert (callback.count, wrapper.count) == (3, 0)


def test_plateaus_and_best_training_loss_of_published_recipes(iris, tmp_path):
    """The weights are those of a fit that ends with the best epoch, also if the fit is resumed."""
    X, y = iris
    halve = keras.callbacks.ReduceLROnPlateau("loss", factor=0.5, patience=3, min_lr=0.1)
    best = keras.callbacks.EarlyStopping("loss", patience=100, restore_best_weights=True)
    parameters = {"learning_rate": 0.4, "callbacks": [halve, best]}
    classifier = mlp(epochs=30, **parameters).fit(X, y)
    losses, rates = (np.array(classifier.history_[name]) for name in ("loss", "learning_rate"))
    assert len(losses) == 30
    np.testing.assert_allclose(np.unique(rates), [0.1, 0.2, 0.4], rtol=1e-6)
    assert losses.argmin() < 29
    until_best = mlp(epochs=int(losses.argmin()) + 1, **parameters).fit(X, y)
    np.testing.assert_array_equal(classifier.predict_proba(X), until_best.predict_proba(X))
    mlp(epochs=20, memory=tmp_path, **parameters).fit(X, y)
    resumed = mlp(epochs=30, memory=tmp_path, **parameters).fit(X, y)
    assert resumed.n_iter_from_memory_ == 20
    np.testing.assert_array_equal(classifier.predict_proba(X), resumed.predict_proba(X))


@pytest.mark.parametrize(
    "callback", [keras.callbacks.ReduceLROnPlateau(), keras.callbacks.LearningRateScheduler(lambda epoch: 0.1)]
)
def test_callbacks_that_a_schedule_would_overwrite_raise(iris, callback):
    with pytest.raises(ValueError, match=f'{type(callback).__name__} would have no effect.*="constant"'):
        mlp(learning_rate_schedule="cosine", callbacks=[callback]).fit(*iris)
