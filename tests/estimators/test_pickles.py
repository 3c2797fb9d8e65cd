"""Fitted estimators in pickle, copy, joblib, worker processes and fresh processes."""

import copy
import json
import os
import pickle
import sys
import textwrap

import _fresh
import joblib
import keras
import numpy as np
import pytest
from _longer import longer
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.pipeline import make_pipeline

from kerasnet import (
    Autoencoder,
    AutoencoderOutlierDetector,
    CNNClassifier,
    KerasNetClassifier,
    KerasNetRegressor,
    SimpleRNNClassifier,
)
from kerasnet.datasets import LazyArray

DIGITS = load_digits()
X, Y = DIGITS.images[:300] / 16, DIGITS.target[:300]

ESTIMATORS = {
    "cnn": CNNClassifier(filters=(4,), dense_units=(8,), dropout=0.2, epochs=2, random_state=0),
    "rnn": SimpleRNNClassifier(units=(8,), epochs=2, random_state=0),
    "optimizer, loss and callback as instances": KerasNetClassifier(
        "mlp",
        optimizer=keras.optimizers.SGD(0.1, momentum=0.9),
        loss=keras.losses.SparseCategoricalCrossentropy(),
        callbacks=[keras.callbacks.EarlyStopping("loss")],
        epochs=2,
    ),
    "regressor": KerasNetRegressor("mlp", epochs=2, early_stopping=True, random_state=0),
    "autoencoder": Autoencoder(code_units=4, epochs=2, random_state=0),
    "detector": AutoencoderOutlierDetector(code_units=4, epochs=2, random_state=0),
    "pipeline": make_pipeline(Autoencoder(code_units=4, epochs=1), KerasNetClassifier("mlp", epochs=1)),
}


def outputs(estimator):
    methods = ("predict_proba", "decision_function", "transform", "predict")
    return getattr(estimator, next(method for method in methods if hasattr(estimator, method)))(X)


@pytest.fixture(scope="module")
def fitted():
    class Fitted(dict):
        def __missing__(self, name):
            self[name] = clone(ESTIMATORS[name]).fit(X, Y)
            return self[name]

    return Fitted()


def dump_and_load(estimator, folder):
    joblib.dump(estimator, folder / "estimator.joblib")
    return joblib.load(folder / "estimator.joblib")


WAYS = {
    "pickle": lambda estimator, folder: pickle.loads(pickle.dumps(estimator)),
    "deepcopy": lambda estimator, folder: copy.deepcopy(estimator),
    "copy": lambda estimator, folder: copy.copy(estimator),
    "joblib": dump_and_load,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", longer(ESTIMATORS, ["rnn"]))  # as cnn
def test_copies_predict_the_same(name, way, fitted, tmp_path):
    copied = WAYS[way](fitted[name], tmp_path)
    assert copied is not fitted[name]
    assert np.array_equal(outputs(copied), outputs(fitted[name]))


def test_deep_copy_copies_and_shallow_copy_shares_the_model(fitted):
    original = fitted["cnn"]
    before = outputs(original)
    deep, shallow = copy.deepcopy(original), copy.copy(original)
    assert shallow.model_ is original.model_
    deep.partial_fit(X, Y)
    assert np.array_equal(outputs(original), before)
    assert not np.array_equal(outputs(deep), before)


def test_copy_continues_training_like_the_original():
    original = KerasNetClassifier("mlp", dropout=0.3, epochs=2, random_state=0).fit(X, Y)
    copied = pickle.loads(pickle.dumps(original))
    assert np.array_equal(outputs(original.partial_fit(X, Y)), outputs(copied.partial_fit(X, Y)))
    assert original.history_ == copied.history_


def test_parameters_set_after_the_fit_do_not_change_the_model(fitted):
    original = copy.copy(fitted["cnn"]).set_params(filters=(9,), dense_units=(7, 5), loss="nonsense")
    copied = pickle.loads(pickle.dumps(original))
    assert copied.filters == (9,)
    assert copied.loss == "nonsense"
    assert np.array_equal(outputs(copied), outputs(original))


class Network(KerasNetClassifier):
    """A subclass that builds its own model, as in SciKeras."""

    def __init__(self, units=4, **others):
        super().__init__(**others)
        self.units = units

    def _keras_build_fn(self):
        layers = [keras.Input((8, 8)), keras.layers.Flatten(), keras.layers.Dense(self.units)]
        return keras.Sequential([*layers, keras.layers.Dense(10, activation="softmax")])


def test_parameters_set_after_the_fit_do_not_change_a_subclass_with_builder_method():
    original = Network(units=6, epochs=1, optimizer="sgd", random_state=0).fit(X, Y).set_params(units=3)
    for way in ("pickle", "deepcopy"):
        copied = WAYS[way](original, None)
        assert np.array_equal(outputs(copied), outputs(original))
    assert copied.fit(X, Y).model_.layers[1].units == 3


def test_frozen_layers_stay_frozen(fitted):
    original = copy.deepcopy(fitted["cnn"])
    original.model_.get_layer("conv_1").trainable = False
    copied = pickle.loads(pickle.dumps(original))
    kernel = copied.model_.get_layer("conv_1").kernel.value.numpy()
    copied.partial_fit(X, Y)
    assert np.array_equal(copied.model_.get_layer("conv_1").kernel.value.numpy(), kernel)


def test_manually_set_weights_and_models_are_pickled(fitted):
    original = copy.deepcopy(fitted["cnn"])
    original.model_.set_weights([weight * 0.5 for weight in original.model_.get_weights()])
    assert np.array_equal(outputs(pickle.loads(pickle.dumps(original))), outputs(original))
    original.model_ = keras.Sequential(
        [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10, "softmax")]
    )
    copied = pickle.loads(pickle.dumps(original))
    assert len(copied.model_.layers) == 2
    assert np.array_equal(outputs(copied), outputs(original))


def test_unfitted_estimators_can_be_pickled():
    copied = pickle.loads(pickle.dumps(ESTIMATORS["cnn"]))
    assert copied.get_params() == ESTIMATORS["cnn"].get_params()
    assert not hasattr(copied, "model_")


@keras.saving.register_keras_serializable("tests")
class Doubled(keras.layers.Layer):
    """A registered user-defined layer."""

    def call(self, inputs):
        return 2 * inputs


def build_with_user_layer(input_shape, n_outputs, output_activation="softmax"):
    layers = [keras.Input(input_shape), keras.layers.Flatten(), Doubled()]
    return keras.Sequential([*layers, keras.layers.Dense(n_outputs, activation=output_activation)])


def test_user_defined_layers_are_pickled(tmp_path):
    estimator = KerasNetClassifier(build_with_user_layer, epochs=1, optimizer="sgd", random_state=0).fit(X, Y)
    for way in ("pickle", "deepcopy"):
        assert np.array_equal(outputs(WAYS[way](estimator, tmp_path)), outputs(estimator))
    given = KerasNetClassifier(build_with_user_layer((8, 8), 10), epochs=1, optimizer="sgd", random_state=0).fit(X, Y)
    assert np.array_equal(outputs(WAYS["pickle"](given, tmp_path)), outputs(given))


IN_FRESH_PROCESSES = """
    import json, os, pickle, sys
    import keras, numpy as np, pandas as pd
    from joblib import Parallel, delayed, parallel_config
    from joblib.externals.loky import get_reusable_executor
    from sklearn.base import clone
    from sklearn.model_selection import GridSearchCV

    def build(input_shape, n_outputs, units=4, output_activation="softmax"):
        layers = [keras.Input(input_shape), keras.layers.Flatten(), keras.layers.Dense(units)]
        return keras.Sequential([*layers, keras.layers.Dense(n_outputs, activation=output_activation)])

    def threads():
        import tensorflow as tf
        import kerasnet.estimators

        config = tf.config.threading
        return config.get_intra_op_parallelism_threads(), config.get_inter_op_parallelism_threads()

    def outputs(estimator, X):
        return estimator.predict_proba(X)

    def open_pickle(path):
        kinds = keras.Model, keras.losses.Loss, keras.metrics.Metric, keras.optimizers.Optimizer
        before, is_clean = [vars(kind).copy() for kind in kinds], "kerasnet" not in sys.modules
        estimator, X, Y, expected, rows = pickle.load(open(path, "rb"))
        is_equal = np.array_equal(outputs(estimator, X), expected)
        import kerasnet.estimators, scikeras

        is_unchanged = [dict(vars(kind)) for kind in kinds] == before
        return is_clean, is_equal, is_unchanged, estimator.get_params()["dense_units"], estimator.classes_.tolist()

    if __name__ == "__main__":
        import kerasnet.estimators

        found = {}
        estimator, X, Y, expected, rows = pickle.load(open(sys.argv[1], "rb"))

        def search(**grid):
            given = {"epochs": 2, "optimizer": "sgd", "learning_rate": 0.1, "random_state": 0}
            classifier = kerasnet.KerasNetClassifier(**given)
            done = GridSearchCV(classifier, grid, cv=2, refit=False, error_score="raise").fit(X, Y)
            return done.cv_results_["mean_test_score"].tolist()

        here = threads()
        with parallel_config("loky", n_jobs=2, inner_max_num_threads=os.cpu_count()):  # joblib's default is 1
            found["opened"] = Parallel()([delayed(open_pickle)(sys.argv[1])])[0]
            found["threads in workers"] = Parallel()(delayed(threads)() for _ in range(2))
            tasks = [delayed(outputs)(estimator, X), delayed(clone(estimator).fit)(X, Y)]
            more_tasks = [delayed(outputs)(estimator, rows), delayed(clone(estimator).fit)(rows, Y)]
            predicted, there, predicted_from_file, from_file = Parallel()(tasks + more_tasks)
            if hasattr(estimator, "set_callbacks"):  # scikit-learn 1.9
                from sklearn.callback import ScoringMonitor

                monitor = ScoringMonitor(scoring="accuracy")
                watched = clone(estimator).set_params(early_stopping=True).set_callbacks(monitor)
                GridSearchCV(watched, {"learning_rate": [0.01, 0.1]}, cv=2).fit(X, Y)
                log = pd.DataFrame(monitor.get_logs(select="all")[0].data)
                epochs = log[log["task_name"] == "epoch"]
                found["monitored epochs"] = epochs.groupby("parent_task_id_path").size().tolist()
            anonymous = lambda input_shape, n_outputs, units=4: build(input_shape, n_outputs, units)
            found["searches"] = search(model=[build], units=[1, 16]), search(model=[anonymous], units=[16])
        found["predicted in a worker"] = np.array_equal(predicted, expected)
        found["fitted in a worker"] = np.array_equal(outputs(there, X), expected)
        found["predicted from a file"] = np.array_equal(predicted_from_file, expected)
        found["fitted from a file"] = np.array_equal(outputs(from_file, X), expected)
        found["threads are unchanged"] = threads() == here
        found["scores"] = search(model=[build], units=[1, 16])
        print(json.dumps(found))
        get_reusable_executor().shutdown()  # as at the exit of a process that is not a fork
"""


@pytest.fixture(scope="module")
def fresh_process_results(tmp_path_factory):
    """Unpickle in one of the two workers of a script and use both, only once: each worker imports TensorFlow."""
    folder = tmp_path_factory.mktemp("fresh")
    script, opened = folder / "search.py", folder / "estimator.pickle"
    script.write_text(textwrap.dedent(IN_FRESH_PROCESSES))
    classifier = KerasNetClassifier("mlp", dense_units=(16,), epochs=2, optimizer="sgd", random_state=0).fit(X, Y)
    np.save(folder / "x.npy", X)
    rows = LazyArray(np.load(folder / "x.npy", mmap_mode="r"))
    opened.write_bytes(pickle.dumps((classifier, X, Y, outputs(classifier), rows)))
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": os.pathsep.join(sys.path)}
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"):
        environment.pop(name, None)
    done = _fresh.run(script, opened, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_unpickling_in_a_fresh_process_does_not_change_keras(fresh_process_results):
    is_clean, is_equal, is_unchanged, units, classes = fresh_process_results["opened"]
    assert is_clean, "kerasnet was imported before the estimator was unpickled"
    assert is_equal
    assert units == [16]
    assert classes == list(range(10))
    assert is_unchanged


def test_workers_fit_and_predict_like_the_main_process(fresh_process_results):
    assert fresh_process_results["threads in workers"] == 2 * [[os.cpu_count()] * 2]
    assert fresh_process_results["threads are unchanged"]
    assert fresh_process_results["predicted in a worker"]
    assert fresh_process_results["fitted in a worker"]


def test_workers_read_data_from_disk(fresh_process_results):
    assert fresh_process_results["predicted from a file"]
    assert fresh_process_results["fitted from a file"]


def test_scoring_monitor_records_each_epoch_of_a_parallel_search(fresh_process_results, sklearn_callbacks):
    assert fresh_process_results["monitored epochs"] == 5 * [2]  # 2 x 2 fits and the refit


def test_builders_in_main_and_lambdas_work_in_a_parallel_search(fresh_process_results):
    score_1_unit, score_16_units = fresh_process_results["scores"]
    assert score_16_units > score_1_unit
    builder_in_main, lambda_builder = fresh_process_results["searches"]
    np.testing.assert_allclose(builder_in_main, [score_1_unit, score_16_units], atol=0.01)
    np.testing.assert_allclose(lambda_builder, [score_16_units], atol=0.01)


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


@pytest.mark.parametrize("further", ["fit", "partial_fit", "warm fit"])
def test_training_a_shallow_copy_does_not_change_the_original(further, iris):
    original = KerasNetClassifier("mlp", epochs=1, random_state=0).partial_fit(*iris)
    copied = copy.copy(original)
    before = original.predict_proba(iris[0])
    if further == "warm fit":
        copied.set_params(warm_start=True)
    (copied.partial_fit if further == "partial_fit" else copied.fit)(*iris)
    np.testing.assert_array_equal(original.predict_proba(iris[0]), before)
    after = copied.predict_proba(iris[0])
    assert further == "fit" or not np.array_equal(after, before)
    original.partial_fit(*iris)
    np.testing.assert_array_equal(copied.predict_proba(iris[0]), after)
    if further == "partial_fit":  # equal training with separate optimizers
        np.testing.assert_array_equal(original.predict_proba(iris[0]), after)


def build_with_lambda(input_shape, n_outputs):
    layers = [keras.layers.Lambda(lambda values: values), keras.layers.BatchNormalization()]
    return keras.Sequential([keras.Input(input_shape), *layers, keras.layers.Dense(n_outputs, "softmax")])


@pytest.mark.parametrize("model", ["mlp", build_with_lambda])
def test_failed_partial_fit_changes_nothing(model, iris):
    class Fails(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 2:
                raise RuntimeError("in the middle")

    estimator, other = (KerasNetClassifier(model, random_state=0).partial_fit(*iris) for _ in range(2))
    before = estimator.model_.get_weights()
    with pytest.raises(RuntimeError, match="in the middle"):
        estimator.set_params(callbacks=[Fails()]).partial_fit(*iris)
    for old, new in zip(before, estimator.model_.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert len(estimator.history_["loss"]) == estimator.n_iter_ == 1
    estimator.set_params(callbacks=None).partial_fit(*iris)
    np.testing.assert_array_equal(estimator.predict_proba(iris[0]), other.partial_fit(*iris).predict_proba(iris[0]))
