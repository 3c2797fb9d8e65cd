"""The parameter ``memory``: restored epochs, cache keys and unsupported objects."""

import os
import pickle
import random
import signal
import sys

import joblib
import keras
import numpy as np
import pytest
from _cluster import wait_for
from _fresh import FreshProcess
from _longer import longer
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import kerasnet
from kerasnet import (
    Autoencoder,
    AutoencoderOutlierDetector,
    CNNClassifier,
    KerasNetClassifier,
    KerasNetRegressor,
    SimpleRNNClassifier,
)
from kerasnet.training import EpochMemory, _resume, clear_cache

DIGITS = load_digits()
X, Y = DIGITS.images[:200] / 16, DIGITS.target[:200]
EPOCHS = []  # numbers of the trained epochs


class Count(keras.callbacks.Callback):
    changes_nothing = True

    def on_epoch_end(self, epoch, logs=None):
        EPOCHS.append(epoch)


@pytest.fixture(autouse=True)
def reset_epochs():
    EPOCHS.clear()


ESTIMATORS = {
    "cnn": CNNClassifier(filters=(4,), dense_units=(8,), dropout=0.2, early_stopping=True),
    "rnn": SimpleRNNClassifier(units=(8,), optimizer="sgd", class_weight="balanced"),
    "classifier": KerasNetClassifier("mlp", dense_units=(8,), optimizer="sgd", optimizer__momentum=0.9),
    "regressor": KerasNetRegressor("mlp", dense_units=(8,)),
    "autoencoder": Autoencoder(code_units=4),
    "detector": AutoencoderOutlierDetector(code_units=4),
}


def same(first, second):
    models = [getattr(each, "autoencoder_", each) for each in (first, second)]
    pairs = zip(*(each.model_.get_weights() for each in models), strict=True)
    return models[0].history_ == models[1].history_ and all(np.array_equal(one, other) for one, other in pairs)


@pytest.mark.parametrize("name", longer(ESTIMATORS, ["rnn", "regressor", "autoencoder"]))
def test_more_epochs_resume_from_the_checkpoint(name, tmp_path):
    estimator = clone(ESTIMATORS[name]).set_params(random_state=0, callbacks=[Count()])
    straight = clone(estimator).set_params(epochs=5).fit(X, Y)
    EPOCHS.clear()
    estimator.set_params(memory=str(tmp_path), epochs=2).fit(X, Y)
    resumed = clone(estimator).set_params(epochs=5).fit(X, Y)
    again = pickle.loads(pickle.dumps(clone(resumed))).fit(X, Y)
    assert EPOCHS == [0, 1, 2, 3, 4]
    assert same(resumed, straight)
    assert same(again, straight)


def test_training_after_a_restored_fit_equals_training_after_a_trained_fit(tmp_path):
    def after(memory):
        network = KerasNetClassifier("mlp", epochs=2, memory=memory, random_state=0, warm_start=True)
        network.fit(X, Y).partial_fit(X, Y)
        history = dict(network.history_)
        return network.fit(X, Y), history

    straight, history = after(None)
    after(tmp_path)
    restored, restored_history = after(tmp_path)
    assert restored.n_iter_from_memory_ == 2
    assert restored.n_iter_ == 5
    assert restored_history == history
    assert same(restored, straight)


def fitted(folder, X=X, Y=Y, sample_weight=None, **parameters):
    network = KerasNetClassifier(memory=folder, **({"epochs": 2, "optimizer": "sgd", "random_state": 0} | parameters))
    return network.fit(X, Y, sample_weight=sample_weight)


DIFFERENT_FITS = {
    "data": {"X": X + 1e-6},
    "labels": {"Y": Y[::-1]},
    "dtype": {"X": (X * 16).astype(np.uint8)},
    "weights": {"sample_weight": np.ones(len(X))},
    "class weights": {"class_weight": {0: 2.0}},
    "validation": {"early_stopping": True},
    "seed": {"random_state": 1},
    "batch size": {"batch_size": 31},
    "rate": {"learning_rate": 0.01},
    "schedule": {"learning_rate_schedule": "cosine"},
    "optimizer": {"optimizer": "adam"},
    "optimizer's setting": {"optimizer__momentum": 0.8},
    "loss": {"loss": "categorical_crossentropy"},
    "metrics": {"metrics": ["accuracy", "sparse_top_k_categorical_accuracy"]},
    "architecture": {"dense_units": (64,)},
    "activation": {"activation": "tanh"},
    "penalty": {"l2": 0.1},
    "dropout": {"dropout": 0.5},
    "callback": {"callbacks": [keras.callbacks.EarlyStopping("loss")]},
    "eager": {"compile__run_eagerly": True},
}
EQUAL_FITS = {
    "memory": {},
    "verbosity": {"verbose": 2},
    "fewer epochs than in the checkpoint, at the end of a fit": {"epochs": 1},
    "callbacks that change nothing": {"callbacks": [keras.callbacks.TerminateOnNaN(), Count()]},
    "spelling": {"optimizer": keras.optimizers.SGD, "learning_rate": 1e-3, "callbacks": []},
    "memory's form": {"random_state": np.int64(0)},
    "builder": {"model": kerasnet.build_mlp},
}


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("memory")
    for epochs in (1, 2):
        fitted(folder, epochs=epochs)
    return folder


# other arguments of the builder: as in "architecture"; all kinds of values: tests/training/test_identity.py
@pytest.mark.parametrize("name", longer(DIFFERENT_FITS, ["activation", "penalty", "dropout", "optimizer's setting"]))
def test_different_fit_is_trained(checkpoints, name):
    assert fitted(checkpoints, **DIFFERENT_FITS[name]).n_iter_from_memory_ == 0


@pytest.mark.parametrize("name", EQUAL_FITS)
def test_equal_fit_is_restored(checkpoints, name):
    options = dict(EQUAL_FITS[name])
    settings = {"epochs": 2, "optimizer": "sgd", "random_state": 0}
    network = KerasNetClassifier(options.pop("model", "mlp"), **(settings | options))
    network.set_params(memory=joblib.Memory(checkpoints, verbose=0)).fit(X, Y)
    assert network.n_iter_from_memory_ == network.epochs == network.n_iter_


def test_cache_key_includes_epochs_if_the_schedule_depends_on_them(tmp_path):
    def restored_epochs(epochs):
        return fitted(tmp_path, epochs=epochs, learning_rate_schedule="one_cycle").n_iter_from_memory_

    assert [restored_epochs(epochs) for epochs in (2, 3, 2, 3)] == [0, 0, 2, 3]


def test_cache_key_includes_the_number_of_threads(checkpoints, monkeypatch):
    monkeypatch.setattr(_resume, "n_threads", lambda: 77)
    assert fitted(checkpoints, epochs=1).n_iter_from_memory_ == 0


POWER = 2.0


def power_loss(y_true, y_pred):
    return keras.ops.mean(keras.ops.abs(keras.ops.cast(y_true, "float32") - y_pred) ** POWER, axis=-1)


class PowerLoss(keras.losses.Loss):
    def __init__(self, power=2.0):
        super().__init__(reduction="mean_with_sample_weight")
        self.power = power

    def call(self, y_true, y_pred):
        return keras.ops.mean(keras.ops.abs(y_true - y_pred) ** self.power, axis=-1)


class Scaled(keras.layers.Layer):
    """A layer with an incomplete config."""

    def __init__(self, factor=1.0, **others):
        super().__init__(**others)
        self.factor = factor

    def get_config(self):
        return {}

    def call(self, values):
        return values * self.factor


def build_scaled(input_shape, n_outputs, factor=1.0):
    layers = [keras.Input(input_shape), Scaled(factor), keras.layers.Dense(n_outputs, activation="softmax")]
    return keras.Sequential(layers)


def halve(epoch, rate):
    return rate / 2


class Store(keras.callbacks.Callback):
    def __init__(self, what=None):
        super().__init__()
        self.what = what


def test_cache_key_covers_code_and_constants_of_functions(tmp_path, monkeypatch):
    def weights(memory):
        network = KerasNetRegressor("mlp", epochs=2, optimizer="sgd", loss=power_loss, memory=memory, random_state=0)
        network.fit(X, Y / 9)
        return network.n_iter_from_memory_, network.model_.get_weights()[0]

    first = weights(tmp_path)
    assert (first[0], weights(tmp_path)[0]) == (0, 2)
    monkeypatch.setattr(sys.modules[__name__], "POWER", 4.0)
    n_restored, changed = weights(tmp_path)
    assert n_restored == 0
    assert not np.array_equal(changed, first[1]), "the compiled function must not be shared"
    np.testing.assert_array_equal(changed, weights(None)[1])


def test_cache_key_covers_attributes_of_objects(tmp_path):
    def restored(**parameters):
        defaults = {"model": "mlp", "epochs": 2, "optimizer": "sgd", "memory": tmp_path, "random_state": 0}
        return KerasNetClassifier(**(defaults | parameters)).fit(X.reshape(200, -1), Y).n_iter_from_memory_

    assert [restored(loss=PowerLoss(power)) for power in (2.0, 3.0, 2.0)] == [0, 0, 2]
    assert [restored(model=build_scaled, factor=factor) for factor in (1.0, 2.0, 1.0)] == [0, 0, 2]
    assert [restored(callbacks=[keras.callbacks.LearningRateScheduler(halve)]) for _ in range(2)] == [0, 2]
    assert [restored(callbacks=[Store(what)]) for what in ([1], [2], [1])] == [0, 0, 2]
    assert [restored(callbacks=[local_class()]) for _ in range(2)] == [0, 2]
    with pytest.raises(ValueError, match="the builder of the model.* is a lambda"):
        restored(model=lambda input_shape, n_outputs: build_scaled(input_shape, n_outputs, 3.0))


class OpenFile(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.log = None

    def on_train_begin(self, logs=None):
        self.log = open(os.devnull)  # noqa: SIM115

    def on_train_end(self, logs=None):
        self.log.close()


class Wrapped:
    """A callable with an attribute name that Keras also uses."""

    def __init__(self, params):
        self.params, self.__name__ = params, "wrapped"

    def __call__(self, y_true, y_pred):
        return self.params["scale"] * keras.losses.categorical_crossentropy(y_true, y_pred)


class Decay(keras.callbacks.Callback):
    """A callback that depends on the number of epochs."""

    def on_epoch_begin(self, epoch, logs=None):
        self.model.optimizer.learning_rate = 0.05 * (1 - epoch / self.params["epochs"])


def restored_epochs(tmp_path, *fits):
    return [fitted(tmp_path, **{"dense_units": (8,), **parameters}).n_iter_from_memory_ for parameters in fits]


def test_cache_key_covers_attributes_of_callables(tmp_path):
    assert restored_epochs(tmp_path, *({"loss": Wrapped({"scale": scale})} for scale in (1.0, 3.0, 1.0))) == [0, 0, 2]
    schedules = [{"callbacks": [keras.callbacks.LearningRateScheduler({0: rate, 1: rate}.get)]} for rate in (0.1, 0.2)]
    assert restored_epochs(tmp_path, *schedules, schedules[0]) == [0, 0, 2]


def test_cache_key_covers_file_and_values_of_user_modules(tmp_path, monkeypatch):
    (tmp_path / "user_scales.py").write_text("SCALE = 1.0")
    monkeypatch.syspath_prepend(tmp_path)
    import user_scales

    monkeypatch.setitem(globals(), "scales", user_scales)
    assert restored_epochs(tmp_path, *2 * [{"loss": loss_from_module}]) == [0, 2]
    user_scales.SCALE = 3.0
    assert restored_epochs(tmp_path, {"loss": loss_from_module}) == [0]
    changed = fitted(None, dense_units=(8,), loss=loss_from_module)
    clear_cache()
    fresh = fitted(None, dense_units=(8,), loss=loss_from_module)
    assert same(fitted(tmp_path, dense_units=(8,), loss=loss_from_module), fresh)
    assert same(changed, fitted(tmp_path, dense_units=(8,), loss=loss_from_module))


def loss_from_module(y_true, y_pred):
    return scales.SCALE * keras.losses.categorical_crossentropy(y_true, y_pred)  # noqa: F821


@pytest.mark.parametrize("callback", [Decay(), keras.callbacks.SwapEMAWeights(swap_on_epoch=True)], ids=type)
def test_cache_key_includes_epochs_if_callbacks_use_them(callback, tmp_path):
    parameters = {"optimizer__use_ema": True, "callbacks": [callback], "dense_units": (8,)}
    fitted(tmp_path, **parameters)
    longer = fitted(tmp_path, epochs=4, **parameters)
    assert longer.n_iter_from_memory_ == 0
    assert same(longer, fitted(None, epochs=4, **parameters))
    assert same(fitted(tmp_path, epochs=4, **parameters), longer)


def local_class():
    class Local(keras.callbacks.Callback):
        pass

    return Local()


UNSUPPORTED = {
    "lambda as loss": ({"loss": lambda y_true, y_pred: keras.ops.mean(y_pred, axis=-1)}, "loss of the model"),
    "lambda in a callback": (
        {"callbacks": [keras.callbacks.LearningRateScheduler(lambda epoch: 0.1)]},
        "the callback LearningRateScheduler",
    ),
    "open file": ({"callbacks": [OpenFile]}, "the callback OpenFile.*changes_nothing = True.*memory=None"),
    "lambda in a layer": (
        {
            "model": lambda input_shape, n_outputs: keras.Sequential(
                [
                    keras.Input(input_shape),
                    keras.layers.Lambda(lambda values: values, name="secret"),
                    keras.layers.Flatten(),
                    keras.layers.Dense(n_outputs, activation="softmax"),
                ]
            )
        },
        "the builder of the model.* is a lambda",
    ),
    "BackupAndRestore": ({"callbacks": [keras.callbacks.BackupAndRestore("backup")]}, "leave out BackupAndRestore"),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_objects_without_stable_key_raise_an_error(name, tmp_path):
    parameters, message = UNSUPPORTED[name]
    with pytest.raises(ValueError, match=message):
        KerasNetClassifier(**({"model": "mlp", "epochs": 2, "random_state": 0, "memory": tmp_path} | parameters)).fit(
            X, Y
        )
    assert not list(tmp_path.rglob("*.npz"))


@pytest.mark.parametrize("random_state", [None, np.random.RandomState(0)])
@pytest.mark.parametrize("cls", [CNNClassifier, AutoencoderOutlierDetector])
def test_memory_requires_int_random_state(cls, random_state, tmp_path):
    with pytest.raises(ValueError, match=r"'memory'.*set 'random_state' to an int"):
        cls(memory=tmp_path, random_state=random_state).fit(X, Y)
    small = {"code_units": 4} if cls is AutoencoderOutlierDetector else {"filters": (4,), "dense_units": (8,)}
    cls(memory=joblib.Memory(None), random_state=random_state, epochs=1, **small).fit(X, Y)


def test_invalid_memory_raises_an_error():
    with pytest.raises(ValueError, match="The 'memory' parameter of CNNClassifier must be"):
        CNNClassifier(memory=3, random_state=0).fit(X, Y)


def test_scikit_learn_callbacks_with_memory(tmp_path, sklearn_callbacks):
    callbacks = sklearn_callbacks.ProgressBar(), sklearn_callbacks.ScoringMonitor(scoring="accuracy")
    network = KerasNetClassifier("mlp", epochs=2, memory=tmp_path, random_state=0).set_callbacks(*callbacks)
    network.fit(X, Y)
    network.set_params(epochs=5).fit(X, Y)
    assert network.n_iter_from_memory_ == 2
    assert same(network, KerasNetClassifier("mlp", epochs=5, random_state=0).fit(X, Y))

    class Stop:
        def setup(self, estimator, context): ...

        def teardown(self, estimator, context): ...

        def on_fit_task_begin(self, context, **data): ...

        def on_fit_task_end(self, context, **data):
            return True

    with pytest.raises(ValueError, match="only scikit-learn's own callbacks"):
        network.set_callbacks(Stop()).fit(X, Y)


def test_search_trains_each_epoch_once(tmp_path):
    grid = {"epochs": [1, 3]}
    network = KerasNetClassifier("mlp", dense_units=(8,), callbacks=[Count()], random_state=0)
    straight = GridSearchCV(network, grid, cv=2, refit=False).fit(X, Y)
    assert len(EPOCHS) == 2 * (1 + 3)
    for n_epochs in (2 * 3, 0):
        EPOCHS.clear()
        search = GridSearchCV(clone(network).set_params(memory=tmp_path), grid, cv=2, refit=False).fit(X, Y)
        assert len(EPOCHS) == n_epochs
        for fold in ("split0_test_score", "split1_test_score"):
            np.testing.assert_array_equal(search.cv_results_[fold], straight.cv_results_[fold])


def test_halving_search_trains_each_epoch_once(tmp_path):
    network = KerasNetClassifier("mlp", dense_units=(8,), callbacks=[Count()], memory=tmp_path, random_state=0)
    grid = {"learning_rate": [1e-3, 1e-2]}
    settings = {"resource": "epochs", "min_resources": 1, "max_resources": 2, "factor": 2, "random_state": 0, "cv": 2}
    search = HalvingGridSearchCV(network, grid, refit=False, **settings).fit(X, Y)
    assert search.n_resources_ == [1, 2]
    assert search.n_candidates_ == [2, 1]
    assert len(EPOCHS) == 2 * (2 * 1 + 1 * 1)


def test_pipeline_can_use_the_same_directory(tmp_path):
    network = KerasNetClassifier("mlp", epochs=2, callbacks=[Count()], memory=tmp_path, random_state=0)
    pipeline = make_pipeline(StandardScaler(), network, memory=str(tmp_path))
    grid = {"kerasnetclassifier__epochs": [1, 2]}
    GridSearchCV(pipeline, grid, cv=2, refit=False).fit(X.reshape(200, -1), Y)
    assert len(EPOCHS) == 4
    assert {path.name for path in tmp_path.iterdir()} >= {"joblib", "kerasnet-states"}


def test_no_global_state_changes(tmp_path):
    def global_state():
        return random.getstate(), [np.array(part).tolist() for part in np.random.get_state()]

    keras.layers.Flatten()  # the first name in a process has no number
    before, number = global_state(), int(keras.layers.Flatten().name.rpartition("_")[2])
    fitted(tmp_path)
    assert global_state() == before
    assert keras.layers.Flatten().name == f"flatten_{number + 1}"


def build_with_slices(input_shape, n_outputs):
    inputs = keras.Input(input_shape)
    hidden = keras.ops.concatenate([inputs[..., :3], 2 * inputs[:, 3:]], axis=-1)
    return keras.Model(inputs, keras.layers.Dense(n_outputs, activation="softmax")(hidden))


def test_cache_key_covers_operations_and_their_constants(tmp_path):
    flat = X.reshape(200, -1)
    assert [fitted(tmp_path, flat, model=build_with_slices).n_iter_from_memory_ for _ in range(2)] == [0, 2]


def test_memory_parameter_is_not_changed(tmp_path):
    memory = EpochMemory(tmp_path, max_bytes=10**6)
    network = clone(CNNClassifier(memory=memory))
    assert repr(network.memory) == repr(memory)
    assert f"memory={memory!r}" in repr(network)


def search_over_epochs(memory):
    network = CNNClassifier(filters=(4,), dense_units=(8,), dropout=0.2, random_state=0, memory=memory)
    grid = {"epochs": [2, 10, 20], "learning_rate": [0.001, 0.01]}
    return GridSearchCV(network, grid, cv=2, refit=False).fit(X, Y)


@pytest.mark.parametrize("n_kills", [1, pytest.param(5, marks=pytest.mark.exhaustive)])
def test_scores_of_a_repeatedly_killed_search_are_equal(n_kills, tmp_path):
    memory = tmp_path / "memory"
    code = f"import test_resumed_fits; test_resumed_fits.search_over_epochs({str(memory)!r}); print('whole')"
    n_before = 0
    for _ in range(n_kills):
        process = FreshProcess("-c", code)
        wait_for(lambda p=process, n=n_before: p.poll() is not None or n_checkpoints(memory) > n)
        process.send_signal(signal.SIGKILL)
        out, err = process.communicate()
        assert process.returncode == -signal.SIGKILL, err
        assert out == "", "the search ended before it was killed"
        n_before = n_checkpoints(memory)
    assert n_before
    expected, resumed = search_over_epochs(None).cv_results_, search_over_epochs(memory).cv_results_
    for name in ("split0_test_score", "split1_test_score"):
        np.testing.assert_array_equal(expected[name], resumed[name])
    assert not list(memory.rglob("*.tmp"))


def n_checkpoints(memory):
    return len([*memory.rglob("*.npz")])
