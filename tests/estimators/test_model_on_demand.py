"""``model_`` is built on demand; once it exists, the estimator uses it."""

import contextlib
import copy
import io
import pickle
import threading

import joblib
import keras
import numpy as np
import pytest
from _keras import outputs_of
from _longer import longer
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr
from sklearn.utils.validation import check_is_fitted

import kerasnet as kn
from kerasnet import KerasNetClassifier, KerasNetRegressor
from kerasnet.models import _registry, register_model
from kerasnet.training import clear_cache

BUILDS = []


def build_counted(input_shape=(4,), n_outputs=3, *, units=8, dropout=0.2, output_activation="softmax", name="counted"):
    BUILDS.append(name)
    return keras.Sequential(
        [
            keras.Input(input_shape, name="input"),
            keras.layers.Dense(units, "relu", name="hidden"),
            keras.layers.Dropout(dropout, name="dropout"),
            keras.layers.Dense(n_outputs, activation=output_activation, name="output"),
        ],
        name=name,
    )


@pytest.fixture(scope="module", autouse=True)
def _registered():
    register_model(
        "counted", input_kind="vector", tasks=("classification", "regression"), max_layers=lambda **arguments: 4
    )(build_counted)
    yield
    _registry._REGISTRY.pop("counted", None)


@pytest.fixture
def builds(iris):
    """Record builds, starting with compiled functions for the default parameters."""
    counted().fit(*iris)
    BUILDS.clear()
    return BUILDS


def counted(**parameters):
    settings = {"epochs": 2, "batch_size": 50, "optimizer": "sgd", "learning_rate": 0.1, "random_state": 0}
    return KerasNetClassifier("counted", **{**settings, **parameters})


def assert_equal_weights(first, second):
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


def save_and_load(estimator, tmp_path):
    kn.save(estimator, tmp_path / "saved.kerasnet")
    return kn.load(tmp_path / "saved.kerasnet")


def render_html(estimator):
    html = estimator_html_repr(estimator)
    assert type(estimator).__name__ in html
    estimator._repr_html_()
    estimator._repr_mimebundle_()


def print_and_repr(estimator):
    with contextlib.redirect_stdout(io.StringIO()):
        print(estimator)
    return repr(estimator)


USES = {
    "predict": lambda fitted, X, y: fitted.predict(X),
    "predict_proba": lambda fitted, X, y: fitted.predict_proba(X[:1]),
    "score": lambda fitted, X, y: fitted.score(X, y),
    "clone": lambda fitted, X, y: clone(fitted),
    "pickle": lambda fitted, X, y: pickle.loads(pickle.dumps(fitted)).predict(X),
    "copy": lambda fitted, X, y: copy.copy(fitted).predict(X),
    "deepcopy": lambda fitted, X, y: copy.deepcopy(fitted).predict(X),
    "representation": lambda fitted, X, y: print_and_repr(fitted),
    "HTML": lambda fitted, X, y: render_html(fitted),
    "HTML of a pipeline": lambda fitted, X, y: render_html(make_pipeline(StandardScaler(), fitted)),
    "hasattr": lambda fitted, X, y: hasattr(fitted, "predict") and hasattr(fitted, "transform"),
    "dir": lambda fitted, X, y: dir(fitted),
    "vars": lambda fitted, X, y: {**vars(fitted)},
    "check_is_fitted": lambda fitted, X, y: check_is_fitted(fitted),
    "get_params": lambda fitted, X, y: fitted.get_params(),
    "tags": lambda fitted, X, y: fitted.__sklearn_tags__(),
    "fitted attributes": lambda fitted, X, y: (fitted.classes_, fitted.history_, fitted.n_iter_, fitted.initialized_),
    "Keras callbacks": lambda fitted, X, y: fitted.set_params(callbacks=[keras.callbacks.TerminateOnNaN()]).fit(X, y),
    "partial_fit": lambda fitted, X, y: fitted.partial_fit(X, y),
    "warm start": lambda fitted, X, y: fitted.set_params(warm_start=True).fit(X, y),
    "early stopping": lambda fitted, X, y: fitted.set_params(early_stopping=True).fit(X, y),
}


@pytest.mark.parametrize("name", USES)
def test_fitted_estimator_methods_do_not_build_the_model(name, iris):
    fitted = counted().fit(*iris)
    BUILDS.clear()
    USES[name](fitted, *iris)
    assert not BUILDS


def test_save_does_not_build_and_load_builds_once(iris, builds, tmp_path):
    fitted = counted().fit(*iris)
    kn.save(fitted, tmp_path / "saved.kerasnet")
    assert not builds
    loaded = kn.load(tmp_path / "saved.kerasnet")
    assert len(builds) == 1
    np.testing.assert_array_equal(loaded.predict_proba(iris[0]), fitted.predict_proba(iris[0]))
    assert len(builds) == 1


def test_number_of_builds_for_different_seeds(iris, no_compiled_code):
    BUILDS.clear()
    for seed, expected in [(0, 1), (0, 1), (1, 2), (2, 2), (0, 2), (3, 2)]:
        counted(random_state=seed).fit(*iris)
        assert len(BUILDS) == expected
    counted(random_state=9, learning_rate=0.1, batch_size=10, epochs=1).fit(*iris)
    assert len(BUILDS) == 2


def test_search_builds_once_per_architecture(iris, builds):
    cross_val_score(counted(epochs=1), *iris, cv=3)
    assert not builds
    search = GridSearchCV(counted(epochs=1), {"learning_rate": [0.1, 0.01], "units": [8, 9]}, cv=2)
    search.fit(*iris).predict(iris[0])
    assert len(builds) == 1  # of the network with 9 units
    repr(search)
    estimator_html_repr(search)
    pickle.loads(pickle.dumps(search)).predict(iris[0])
    assert len(builds) == 1


def test_model_is_built_once(iris, builds):
    fitted = counted().fit(*iris)
    model = fitted.model_
    assert isinstance(model, keras.Model)
    assert len(builds) == 1
    assert fitted.model_ is model
    fitted.predict(iris[0])
    pickle.dumps(fitted)
    assert fitted.model_ is model
    fitted.partial_fit(*iris)
    assert fitted.model_ is model
    assert len(builds) == 1


def test_threads_get_the_same_model(iris):
    fitted, barrier, models = counted().fit(*iris), threading.Barrier(4), []

    def access():
        barrier.wait()
        models.append(fitted.model_)

    threads = [threading.Thread(target=access) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(model) for model in models}) == 1
    assert models[0] is fitted.model_


def test_model_predictions_equal_estimator_predictions(iris):
    X, y = iris
    fitted = counted().fit(X, y)
    expected = fitted.predict_proba(X)
    for outputs in (fitted.model_.predict(X, verbose=0), outputs_of(fitted.model_, X)):
        np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(fitted.predict_proba(X), expected)
    loss, accuracy = fitted.set_params(metrics=["accuracy"]).fit(X, y).model_.evaluate(X, y, verbose=0)
    assert accuracy == pytest.approx(fitted.score(X, y))
    assert np.isfinite(loss)


def test_unfitted_estimator_has_no_model(builds):
    estimator = counted()
    assert not hasattr(estimator, "model_")
    with pytest.raises(AttributeError):
        _ = estimator.model_
    for use in (
        lambda: estimator.model_,
        lambda: check_is_fitted(estimator),
        lambda: estimator.predict(np.ones((2, 4))),
    ):
        with pytest.raises(NotFittedError, match=r"fit"):
            use()
    assert not builds


def test_pickle_does_not_depend_on_access_to_the_model(iris):
    fitted = counted().fit(*iris)
    before = pickle.dumps(fitted)
    _ = fitted.model_
    assert pickle.dumps(fitted) == before
    fitted.predict(iris[0])
    assert pickle.dumps(fitted) == before


def test_pickle_of_initialized_estimator_does_not_depend_on_access_to_the_model(iris):
    initialized = counted().initialize(*iris)
    before = pickle.dumps(initialized)
    _ = initialized.model_
    assert pickle.dumps(initialized) == before


def test_second_fit_does_not_change_the_earlier_model(iris):
    fitted = counted().fit(*iris)
    model, weights = fitted.model_, fitted.model_.get_weights()
    fitted.set_params(random_state=1).fit(*iris)
    counted(random_state=2).fit(*iris)
    assert fitted.model_ is not model
    assert_equal_weights(model.get_weights(), weights)


def test_failed_fit_does_not_change_the_model(iris):
    fitted = counted().fit(*iris)
    outputs, model = fitted.predict_proba(iris[0]), fitted.model_
    with pytest.raises(ValueError, match="diverged"):
        fitted.set_params(learning_rate=1e30, epochs=20).fit(*iris)
    assert fitted.model_ is model
    np.testing.assert_array_equal(fitted.predict_proba(iris[0]), outputs)


COPIES = {
    "itself": lambda estimator, tmp_path: estimator,
    "pickle": lambda estimator, tmp_path: pickle.loads(pickle.dumps(estimator)),
    "copy": lambda estimator, tmp_path: copy.copy(estimator),
    "deepcopy": lambda estimator, tmp_path: copy.deepcopy(estimator),
    "archive": save_and_load,
}
copies = pytest.mark.parametrize("way", COPIES)


@copies
@pytest.mark.parametrize("predict_first", [True, False], ids=["after predict", "before predict"])
def test_manually_set_weights_are_copied(way, predict_first, iris, tmp_path):
    X, y = iris
    fitted = counted().fit(X, y)
    if predict_first:
        fitted.predict(X)
    fitted.model_.set_weights([3 * weight for weight in fitted.model_.get_weights()])
    copied = COPIES[way](fitted, tmp_path)
    expected = outputs_of(fitted.model_, X)
    np.testing.assert_allclose(copied.predict_proba(X), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(outputs_of(copied.model_, X), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("access_model", [True, False], ids=["with model", "without model"])
@pytest.mark.parametrize("way", [name for name in COPIES if name != "archive"])  # without the optimizer state
def test_partial_fit_of_a_copy_equals_the_original(way, access_model, iris, tmp_path):
    fitted = counted(optimizer="adam", learning_rate=0.01).fit(*iris)
    if access_model:
        fitted.model_.set_weights([2 * weight for weight in fitted.model_.get_weights()])
    copied = COPIES[way](copy.deepcopy(fitted), tmp_path)
    if access_model:
        _ = copied.model_
    outputs = copied.partial_fit(*iris).predict_proba(iris[0])
    np.testing.assert_array_equal(outputs, fitted.partial_fit(*iris).predict_proba(iris[0]))


@copies
def test_frozen_layers_stay_frozen(way, iris, tmp_path):
    fitted = counted().fit(*iris)
    fitted.model_.get_layer("hidden").trainable = False
    kernel = fitted.model_.get_layer("hidden").kernel.numpy()
    output = fitted.model_.get_layer("output").kernel.numpy()
    copied = COPIES[way](fitted, tmp_path)
    copied.partial_fit(*iris)  # before model_ is accessed
    assert not copied.model_.get_layer("hidden").trainable
    np.testing.assert_array_equal(copied.model_.get_layer("hidden").kernel.numpy(), kernel)
    assert not np.array_equal(copied.model_.get_layer("output").kernel.numpy(), output)
    other = counted().fit(*iris).partial_fit(*iris)  # shares no state
    assert other.model_.get_layer("hidden").trainable
    assert not np.array_equal(other.model_.get_layer("hidden").kernel.numpy(), kernel)


def keras_training_step(model, optimizer, X, y, loss="sparse_categorical_crossentropy"):
    """Return the weights of a copy of a model after one full-batch training step of Keras, without dropout."""
    oracle = keras.models.clone_model(model)
    oracle.set_weights(model.get_weights())
    oracle.compile(optimizer, loss, run_eagerly=True)
    oracle.train_on_batch(X, y)
    return oracle.get_weights()


def without_dropout(**parameters):
    return KerasNetClassifier(
        "mlp", **{"dense_units": (6,), "epochs": 3, "batch_size": -1, "random_state": 0, **parameters}
    )


def sparse_user_defined_loss(y_true, y_pred):
    return 7 * keras.losses.sparse_categorical_crossentropy(y_true, y_pred)


COMPILE_CHANGES = {
    "learning rate": (lambda: keras.optimizers.Adam(0.3), "sparse_categorical_crossentropy"),
    "optimizer with equal variables": (
        lambda: keras.optimizers.Adamax(0.1),
        "sparse_categorical_crossentropy",
    ),
    "optimizer with other variables": (
        lambda: keras.optimizers.SGD(0.5),
        "sparse_categorical_crossentropy",
    ),
    "loss": (lambda: keras.optimizers.SGD(0.5), keras.losses.SparseCategoricalCrossentropy(ignore_class=1)),
    "user-defined loss": (lambda: keras.optimizers.SGD(0.5), sparse_user_defined_loss),
}


@pytest.mark.parametrize("name", longer(COMPILE_CHANGES, ["learning rate", "optimizer with other variables"]))
def test_manually_compiled_model_is_trained_as_in_keras(name, iris, tmp_path):
    X, y = iris
    make_optimizer, loss = COMPILE_CHANGES[name]
    fitted = without_dropout().fit(X, y)
    expected = keras_training_step(fitted.model_, make_optimizer(), X, y, loss)
    fitted.model_.compile(make_optimizer(), loss)
    for way in ("pickle", "deepcopy", "copy", "itself") if name == "loss" else ("pickle", "itself"):
        copied = COPIES[way](fitted, tmp_path)
        copied.partial_fit(X, y)
        for ours, theirs in zip(copied.model_.get_weights(), expected, strict=True):
            # Adam amplifies rounding errors of small gradients
            np.testing.assert_allclose(ours, theirs, atol=2e-4, err_msg=way)


def assert_equal_or_rejected(fitted, tmp_path, outputs, X):
    """Check that a loaded archive predicts equally, or that saving raises an error about the model."""
    message = None
    try:
        loaded = save_and_load(fitted, tmp_path)
    except ValueError as error:
        message = str(error)
    if message is None:
        np.testing.assert_array_equal(loaded.predict_proba(X), outputs)
    else:
        assert "model" in message


def test_archive_of_a_manually_compiled_model_is_equal_or_rejected(iris, tmp_path):
    X, y = iris
    fitted = without_dropout().fit(X, y)
    fitted.model_.compile(keras.optimizers.SGD(0.5), "sparse_categorical_crossentropy")
    outputs = fitted.predict_proba(X)
    assert_equal_or_rejected(fitted, tmp_path, outputs, X)


@pytest.mark.parametrize("way", ["itself", "pickle", "deepcopy", "copy"])
def test_manually_set_learning_rate_is_used(way, iris, tmp_path):
    X, y = iris
    fitted = without_dropout(optimizer="sgd", learning_rate=0.1).fit(X, y)
    expected = keras_training_step(fitted.model_, keras.optimizers.SGD(2.0), X, y)
    fitted.model_.optimizer.learning_rate = 2.0
    copied = COPIES[way](fitted, tmp_path)
    copied.partial_fit(X, y)
    for ours, theirs in zip(copied.model_.get_weights(), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_optimizer_state_does_not_depend_on_access_to_the_model(iris):
    outputs = []
    for access_model in (False, True):
        fitted = counted(optimizer="adam", learning_rate=0.05).fit(*iris)
        for _ in range(2):
            if access_model:
                _ = fitted.model_
            fitted.partial_fit(*iris)
        outputs.append(fitted.predict_proba(iris[0]))
    np.testing.assert_array_equal(*outputs)


def replacement_model():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(5, "tanh"), keras.layers.Dense(3, "softmax")])
    model.compile(keras.optimizers.SGD(0.5), "sparse_categorical_crossentropy")
    return model


@pytest.mark.parametrize("way", longer(["itself", "pickle", "deepcopy", "copy"], ["deepcopy", "copy"]))
def test_replaced_model_is_used(way, iris, tmp_path):
    X, y = iris
    fitted = counted(batch_size=-1).fit(X, y)
    fitted.model_ = model = replacement_model()
    assert fitted.model_ is model
    expected = keras_training_step(model, keras.optimizers.SGD(0.5), X, y)
    copied = COPIES[way](fitted, tmp_path)
    np.testing.assert_allclose(copied.predict_proba(X), outputs_of(model, X), rtol=1e-5, atol=1e-6)
    copied.partial_fit(X, y)
    for ours, theirs in zip(copied.model_.get_weights(), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    if way == "itself":
        assert fitted.model_ is model


def test_archive_of_a_replaced_model_is_equal_or_rejected(iris, tmp_path):
    fitted = counted().fit(*iris)
    fitted.model_ = replacement_model()
    assert_equal_or_rejected(fitted, tmp_path, fitted.predict_proba(iris[0]), iris[0])


def test_training_by_keras_is_used(iris):
    X, y = iris
    fitted = counted().fit(X, y)
    fitted.predict(X)
    fitted.model_.fit(X, y, epochs=2, verbose=0)
    np.testing.assert_allclose(fitted.predict_proba(X), outputs_of(fitted.model_, X), rtol=1e-5, atol=1e-6)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))


def test_manually_set_dropout_rate_is_used(iris):
    X, y = iris
    fitted, plain = (counted(batch_size=-1, learning_rate=0.5).fit(X, y) for _ in range(2))
    fitted.model_.get_layer("dropout").rate = 0.0
    oracle = fitted.model_
    expected = [weight.copy() for weight in oracle.get_weights()]
    with_rate_0 = keras.models.clone_model(oracle)
    with_rate_0.set_weights(expected)
    with_rate_0.compile(keras.optimizers.SGD(0.5), "sparse_categorical_crossentropy", run_eagerly=True)
    with_rate_0.train_on_batch(X, y)
    fitted.partial_fit(X, y)
    for ours, theirs in zip(fitted.model_.get_weights(), with_rate_0.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    plain.partial_fit(X, y)


def test_model_of_regressor_and_binary_classifier(iris):
    X, y = iris
    regressor = KerasNetRegressor("counted", epochs=1, random_state=0).fit(X, y.astype(float))
    np.testing.assert_allclose(outputs_of(regressor.model_, X).ravel(), regressor.predict(X), rtol=1e-5, atol=1e-6)
    classifier = counted().fit(X, y > 0)
    np.testing.assert_allclose(
        outputs_of(classifier.model_, X).ravel(), classifier.predict_proba(X)[:, 1], rtol=1e-5, atol=1e-6
    )


@pytest.mark.exhaustive  # fits in threads: see test_classifiers.py
@pytest.mark.parametrize("kind", ["user-defined", "cnn"])
def test_search_scores_in_threads_are_equal(kind, iris, digits):
    X, y = iris
    estimator = counted(epochs=2)
    grid = {"learning_rate": [0.1, 0.01], "dropout": [0.2, 0.5], "random_state": [0, 1]}
    if kind == "cnn":
        X, y = (part[:90] for part in digits)
        estimator = KerasNetClassifier("cnn", filters=(3,), dropout=0.3, epochs=1, batch_size=16)
        grid = {"dropout": [0.3, 0.5], "random_state": [0, 1]}
    scores = []
    for n_jobs in (1, 2):
        clear_cache()
        with joblib.parallel_config("threading", n_jobs=n_jobs):
            search = GridSearchCV(estimator, grid, cv=2, scoring="neg_log_loss").fit(X, y)
        scores.append(
            search.cv_results_["split0_test_score"].tolist() + search.cv_results_["split1_test_score"].tolist()
        )
        scores[-1].append(search.predict_proba(X).tolist())
    assert scores[0] == scores[1]


class Silent(keras.callbacks.Callback):
    """A user-defined callback that does nothing."""


def test_callbacks_refer_to_the_fitted_model(iris):
    given = [keras.callbacks.EarlyStopping("loss"), Silent(), keras.callbacks.ReduceLROnPlateau("loss")]
    fitted = counted(callbacks=given).fit(*iris)
    assert len(fitted.callbacks_) == 3
    assert all(callback.model is fitted.model_ for callback in fitted.callbacks_)
    only_keras = counted(callbacks=given[:1]).fit(*iris)
    counted(random_state=1).fit(*iris)  # with the same compiled function
    assert only_keras.callbacks_[0].model is only_keras.model_
    np.testing.assert_allclose(
        outputs_of(only_keras.callbacks_[0].model, iris[0]), only_keras.predict_proba(iris[0]), rtol=1e-5, atol=1e-6
    )


class Recompile(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.model.get_layer("hidden").trainable = False
        self.model.compile(keras.optimizers.SGD(0.5), "sparse_categorical_crossentropy")
        self.model.make_train_function()  # required by Keras


class FreezeLayer(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.model.get_layer("hidden").trainable = False


class NoDropout(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.model.get_layer("dropout").rate = 0.0


class ChangeMomentum(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.model.optimizer.momentum = 0.0


class Clip(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.model.optimizer.clipvalue = 1e-9


class Penalize(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.model.get_layer("hidden").kernel.regularizer = keras.regularizers.L2(10.0)


class FreezeVariable(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.model.get_layer("hidden").bias.trainable = False


CHANGES = [Recompile, FreezeLayer, NoDropout, ChangeMomentum, Clip, Penalize, FreezeVariable]


@pytest.mark.parametrize("reuses_code", longer([True, False], [False]), ids=["reused function", "new function"])
@pytest.mark.parametrize(  # Clip: like ChangeMomentum; frozen layers: see below; attributes of variables: test_keys.py
    "change", longer(CHANGES, [Clip, FreezeLayer, Penalize, FreezeVariable]), ids=lambda change: change.__name__
)
def test_callbacks_that_change_the_model_work_as_in_keras(change, reuses_code, iris):
    X, y = iris
    estimator = counted(
        batch_size=-1,
        epochs=3,
        optimizer__momentum=0.9,
        dropout=0.5 if change is NoDropout else 0.0,  # random values depend on the batch size
    )
    oracle = clone(estimator).initialize(X, y).model_
    oracle.run_eagerly = True
    oracle.fit(X, y, epochs=3, batch_size=len(X), shuffle=False, verbose=0, callbacks=[change()])
    if not reuses_code:
        clear_cache()
    unchanged = clone(estimator).fit(X, y).predict_proba(X)
    if not reuses_code:
        clear_cache()
    fitted = clone(estimator).set_params(callbacks=[change()]).fit(X, y)
    for ours, theirs in zip(fitted.model_.get_weights(), oracle.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    outputs = fitted.predict_proba(X)
    np.testing.assert_allclose(outputs, outputs_of(fitted.model_, X), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(clone(estimator).fit(X, y).predict_proba(X), unchanged)
    np.testing.assert_array_equal(fitted.predict_proba(X), outputs)


class StoreSubmodel(keras.callbacks.Callback):
    """Create a submodel of the model, to record activations."""

    def on_train_begin(self, logs=None):
        self.submodel = keras.Model(self.model.inputs, self.model.get_layer("hidden").output)


def test_submodel_stored_by_a_callback_keeps_its_weights(iris):
    X, y = iris
    fitted = counted(callbacks=[StoreSubmodel()]).fit(X, y)
    hidden = keras.Model(fitted.model_.inputs, fitted.model_.get_layer("hidden").output)
    counted(random_state=1, epochs=5).fit(X, y)  # with the same compiled function
    outputs, expected = (each.predict(X, verbose=0) for each in (fitted.callbacks_[0].submodel, hidden))
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-6)


def test_model_changed_by_a_callback_is_trained_and_copied(iris):
    X, y = iris
    fitted = counted(epochs=1, callbacks=[FreezeLayer()]).fit(X, y).set_params(callbacks=None)
    kernel = fitted.model_.get_layer("hidden").kernel.numpy()
    for each in (pickle.loads(pickle.dumps(fitted)), fitted):
        output = each.model_.get_layer("output").kernel.numpy()
        each.partial_fit(X, y)
        np.testing.assert_array_equal(each.model_.get_layer("hidden").kernel.numpy(), kernel)
        assert not np.array_equal(each.model_.get_layer("output").kernel.numpy(), output)
