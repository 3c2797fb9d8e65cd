"""Examples of SciKeras' documentation with the import changed, and equality with SciKeras."""

import pickle

import keras
import numpy as np
import pytest
from _longer import longer
from scikeras.wrappers import KerasClassifier as SciKerasClassifier
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    load_iris,
    make_classification,
    make_moons,
    make_regression,
)
from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import GridSearchCV, ShuffleSplit
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, LabelEncoder, StandardScaler

from kerasnet import KerasNetClassifier, KerasNetRegressor, load, save
from kerasnet import KerasNetClassifier as KerasClassifier
from kerasnet import KerasNetRegressor as KerasRegressor


@pytest.fixture
def data():
    return make_classification(300, 20, n_informative=10, random_state=0)


# --- basic usage ---


def get_clf(meta, hidden_layer_sizes, dropout):
    model = keras.models.Sequential()
    model.add(keras.layers.Input(shape=(meta["n_features_in_"],)))
    for hidden_layer_size in hidden_layer_sizes:
        model.add(keras.layers.Dense(hidden_layer_size, activation="relu"))
        model.add(keras.layers.Dropout(dropout))
    model.add(keras.layers.Dense(1, activation="sigmoid"))
    return model


def get_reg(meta, hidden_layer_sizes, dropout):
    model = keras.models.Sequential()
    model.add(keras.layers.Input(shape=(meta["n_features_in_"],)))
    for hidden_layer_size in hidden_layer_sizes:
        model.add(keras.layers.Dense(hidden_layer_size, activation="relu"))
        model.add(keras.layers.Dropout(dropout))
    model.add(keras.layers.Dense(1))
    return model


def test_classifier_with_meta_argument(data):
    X, y = data
    arguments = {"loss": "binary_crossentropy", "hidden_layer_sizes": (100,), "dropout": 0.5, "random_state": 0}
    clf = KerasClassifier(model=get_clf, **arguments)
    clf.fit(X, y)
    assert clf.predict(X[:5]).shape == (5,)
    assert clf.predict_proba(X[:5]).shape == (5, 2)
    assert clf.score(X, y) > 0.8
    pipe = Pipeline([("scale", StandardScaler()), ("clf", clf)])
    assert pipe.fit(X, y).score(X, y) > 0.8


def test_pickled_regressor_and_its_model_as_parameter(tmp_path):
    X, y = make_regression(300, 20, n_informative=10, random_state=0)
    reg = KerasRegressor(
        model=get_reg, loss="mse", metrics=[keras.metrics.R2Score], hidden_layer_sizes=(100,), dropout=0.5
    )
    expected = reg.fit(X, y).predict(X)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(reg)).predict(X), expected)
    reg.model_.save(tmp_path / "model.keras")
    reg_new = KerasRegressor(keras.models.load_model(tmp_path / "model.keras"))
    reg_new.initialize(X, y)
    np.testing.assert_allclose(reg_new.predict(X), expected, rtol=1e-5)


class MaxValLoss(keras.callbacks.Callback):
    def __init__(self, monitor, threshold):
        super().__init__()
        self.monitor = monitor
        self.threshold = threshold

    def on_epoch_end(self, epoch, logs=None):
        if logs[self.monitor] > self.threshold:
            self.model.stop_training = True


def test_callback_with_validation_split():
    X, y = make_moons(n_samples=100, noise=0.2, random_state=0)
    arguments = {
        "model": get_clf,
        "loss": "binary_crossentropy",
        "dropout": 0.5,
        "hidden_layer_sizes": (100,),
        "metrics": ["binary_accuracy"],
        "fit__validation_split": 0.2,
        "epochs": 20,
        "verbose": False,
        "random_state": 0,
    }
    free = KerasClassifier(**arguments).fit(X, y)
    assert len(free.history_["val_binary_accuracy"]) == 20
    stopped = KerasClassifier(**arguments, callbacks=[MaxValLoss("val_binary_accuracy", 0.75)]).fit(X, y)
    assert len(stopped.history_["loss"]) < 20
    assert stopped.history_["val_binary_accuracy"][-1] > 0.75


def test_grid_search_over_routed_parameters(data):
    X, y = data
    clf = KerasClassifier(
        model=get_clf,
        loss="binary_crossentropy",
        optimizer="adam",
        optimizer__learning_rate=0.1,
        model__hidden_layer_sizes=(100,),
        model__dropout=0.5,
        fit__epochs=3,
        verbose=False,
    )
    params = {
        "optimizer__learning_rate": [0.01],
        "model__hidden_layer_sizes": [(100,), (50, 50)],
        "model__dropout": [0.5],
    }
    search = GridSearchCV(clf, params, scoring="accuracy", cv=2).fit(X, y)
    assert search.best_score_ > 0.75
    best = search.best_estimator_
    assert len(best.model_.layers) == 2 * len(search.best_params_["model__hidden_layer_sizes"]) + 1
    assert best.n_iter_ == 3
    assert float(best.model_.optimizer.learning_rate) == pytest.approx(search.best_params_["optimizer__learning_rate"])


# --- MLPClassifier and MLPRegressor ---


def get_clf_model(hidden_layer_sizes, meta, compile_kwargs):
    model = keras.Sequential()
    model.add(keras.layers.Input(shape=(meta["n_features_in_"],)))
    for hidden_layer_size in hidden_layer_sizes:
        model.add(keras.layers.Dense(hidden_layer_size, activation="relu"))
    if meta["target_type_"] == "binary":
        n_output_units, output_activation, loss = 1, "sigmoid", "binary_crossentropy"
    else:
        assert meta["target_type_"] == "multiclass"
        n_output_units, output_activation, loss = meta["n_classes_"], "softmax", "sparse_categorical_crossentropy"
    model.add(keras.layers.Dense(n_output_units, activation=output_activation))
    model.compile(loss=loss, optimizer=compile_kwargs["optimizer"])
    return model


MLP = {
    "model": get_clf_model,
    "hidden_layer_sizes": (100,),
    "optimizer": "adam",
    "optimizer__learning_rate": 0.001,
    "verbose": 0,
    "random_state": 0,
}


@pytest.mark.parametrize("n_classes", longer([2, 3], [2]))  # two classes: see the subclasses
def test_builder_compiles_the_model(n_classes):
    X, y = make_classification(n_informative=4, n_classes=n_classes, random_state=0)
    assert KerasClassifier(**MLP, epochs=50).fit(X, y).score(X, y) > 0.7


@pytest.mark.exhaustive  # see test_in_scikit_learn.py
def test_ensembles():
    X, y = make_moons(random_state=0)
    clf = KerasClassifier(**MLP, epochs=5)
    first, second, *_ = AdaBoostClassifier(clf, n_estimators=2, random_state=0).fit(X, y).estimators_
    assert not np.array_equal(first.model_.get_weights()[0], second.model_.get_weights()[0])
    assert BaggingClassifier(clf, n_estimators=2, random_state=0).fit(X, y).score(X, y) > 0.6


class MLPClassifier(KerasClassifier):
    def __init__(
        self,
        hidden_layer_sizes=(100,),
        optimizer="adam",
        optimizer__learning_rate=0.001,
        epochs=200,
        verbose=0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.hidden_layer_sizes = hidden_layer_sizes
        self.optimizer = optimizer
        self.epochs = epochs
        self.verbose = verbose

    def _keras_build_fn(self, compile_kwargs):
        model = keras.Sequential()
        model.add(keras.layers.Input(shape=(self.n_features_in_,)))
        for hidden_layer_size in self.hidden_layer_sizes:
            model.add(keras.layers.Dense(hidden_layer_size, activation="relu"))
        if self.target_type_ == "binary":
            n_output_units, output_activation, loss = 1, "sigmoid", "binary_crossentropy"
        else:
            n_output_units, output_activation, loss = self.n_classes_, "softmax", "sparse_categorical_crossentropy"
        model.add(keras.layers.Dense(n_output_units, activation=output_activation))
        model.compile(loss=loss, optimizer=compile_kwargs["optimizer"])
        return model


class MLPRegressor(KerasRegressor):
    def __init__(self, hidden_layer_sizes=(100,), optimizer="adam", epochs=200, verbose=0, **kwargs):
        super().__init__(**kwargs)
        self.hidden_layer_sizes = hidden_layer_sizes
        self.optimizer = optimizer
        self.epochs = epochs
        self.verbose = verbose

    def _keras_build_fn(self, compile_kwargs):
        model = keras.Sequential()
        model.add(keras.layers.Input(shape=(self.n_features_in_,)))
        for hidden_layer_size in self.hidden_layer_sizes:
            model.add(keras.layers.Dense(hidden_layer_size, activation="relu"))
        model.add(keras.layers.Dense(1))
        model.compile(loss="mse", optimizer=compile_kwargs["optimizer"])
        return model


def test_subclasses_with_builder_method():
    X, y = make_classification(random_state=0)
    clf = MLPClassifier(epochs=20, random_state=0).fit(X, y)
    assert clf.score(X, y) > 0.7
    cloned = clone(clf).set_params(hidden_layer_sizes=(7, 3), batch_size=16).fit(X, y)
    assert [layer.units for layer in cloned.model_.layers] == [7, 3, 1]
    assert np.array_equal(pickle.loads(pickle.dumps(cloned)).predict_proba(X), cloned.predict_proba(X))
    grid, folds = {"hidden_layer_sizes": [(7, 3), (100,)]}, ShuffleSplit(1, random_state=0)
    search = GridSearchCV(MLPClassifier(epochs=5), grid, cv=folds).fit(X, y)
    assert len(search.cv_results_["params"]) == 2
    line = np.arange(100).reshape(-1, 1) / 50
    assert MLPRegressor(epochs=60, random_state=0).fit(line, line[:, 0]).score(line, line[:, 0]) > 0.8


# --- data transformers ---


class MultiOutputTransformer(TransformerMixin, BaseEstimator):
    def fit(self, y):
        self.bin_encoder_ = LabelEncoder().fit(y[:, 0])
        self.cat_encoder_ = LabelEncoder().fit(y[:, 1])
        self.n_classes_ = [self.bin_encoder_.classes_.size, self.cat_encoder_.classes_.size]
        self.n_outputs_expected_ = 2
        return self

    def transform(self, y):
        return [self.bin_encoder_.transform(y[:, 0]), self.cat_encoder_.transform(y[:, 1])]

    def inverse_transform(self, y, return_proba=False):
        if return_proba:
            return np.column_stack(y)
        y_bin = (y[0] > 0.5).astype(int).reshape(-1)
        y_cat = np.argmax(y[1], axis=1)
        return np.column_stack([self.bin_encoder_.inverse_transform(y_bin), self.cat_encoder_.inverse_transform(y_cat)])

    def get_metadata(self):
        return {"n_classes_": self.n_classes_, "n_outputs_expected_": self.n_outputs_expected_}


class MultiOutputClassifier(KerasClassifier):
    @property
    def target_encoder(self):
        return MultiOutputTransformer()

    def score(self, X, y):
        predicted = self.predict(X)
        return np.mean([accuracy_score(y[:, column], predicted[:, column]) for column in (0, 1)])


def get_two_output_clf(meta):
    inputs = keras.layers.Input(shape=(meta["n_features_in_"],))
    hidden = keras.layers.Dense(100, activation="relu")(inputs)
    out_bin = keras.layers.Dense(1, activation="sigmoid")(hidden)
    out_cat = keras.layers.Dense(meta["n_classes_"][1], activation="softmax")(hidden)
    model = keras.Model(inputs=inputs, outputs=[out_bin, out_cat])
    model.compile(loss=["binary_crossentropy", "sparse_categorical_crossentropy"])
    return model


def test_two_outputs_through_a_target_encoder():
    X, digit = load_digits(return_X_y=True)
    y = np.column_stack([digit % 2, digit])
    clf = MultiOutputClassifier(model=get_two_output_clf, random_state=0, early_stopping=True)
    clf.fit(X / 16, y)
    assert clf.score(X / 16, y) > 0.9
    assert clf.n_classes_ == [2, 10]
    assert clf.predict(X / 16).shape == y.shape
    assert clf.predict_proba(X / 16).shape == (len(X), 11)
    assert np.array_equal(pickle.loads(pickle.dumps(clf)).predict(X / 16), clf.predict(X / 16))


class MultiInputRegressor(KerasRegressor):
    @property
    def feature_encoder(self):
        return FunctionTransformer(func=lambda X: [X[:, 0], X[:, 1]])


def get_reg_model():
    inputs = [keras.layers.Input(shape=(1,)), keras.layers.Input(shape=(1,))]
    hidden = [keras.layers.Dense(units, activation="relu")(each) for units, each in zip((100, 50), inputs, strict=True)]
    model = keras.Model(inputs=inputs, outputs=keras.layers.Dense(1)(keras.layers.Concatenate(axis=-1)(hidden)))
    model.compile(loss="mse")
    return model


def test_two_inputs_through_a_feature_encoder():
    X = np.random.default_rng(0).random((200, 2))
    y = X.sum(axis=1)
    reg = MultiInputRegressor(model=get_reg_model, random_state=0, epochs=20).fit(X, y)
    assert reg.score(X, y) > 0.9
    assert reg.predict(X[:1]).shape == (1,)


def test_multiple_losses_with_routed_parameters():
    X, digit = load_digits(return_X_y=True)

    class Raw(MultiOutputClassifier):
        """Without a loss that is set by the builder."""

    def build(meta):
        model = get_two_output_clf(meta)
        return keras.Model(model.inputs, model.outputs)

    clf = Raw(
        build,
        loss=[keras.losses.BinaryCrossentropy, keras.losses.SparseCategoricalCrossentropy],
        loss__reduction="sum",
        loss__1__reduction="sum_over_batch_size",
        metrics=None,
        epochs=2,
    ).fit(X[:200] / 16, np.column_stack([digit % 2, digit])[:200])
    assert [loss.reduction for loss in clf.model_.loss] == ["sum", "sum_over_batch_size"]


# --- the same results ---


def test_results_equal_those_of_scikeras():
    """Full batches make the order of samples irrelevant; a compiled model determines the initial weights."""
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)

    def prebuilt():
        keras.utils.set_random_seed(0)
        model = get_clf({"n_features_in_": 30}, (8,), 0.0)
        model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "binary_crossentropy", metrics=["accuracy"])
        return model

    theirs = SciKerasClassifier(prebuilt(), batch_size=len(X), epochs=5, verbose=0).fit(X, y)
    given = prebuilt()
    before = given.get_weights()
    ours = KerasClassifier(given, batch_size=-1, epochs=5).fit(X, y)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-5)
    np.testing.assert_allclose(ours.history_["loss"], theirs.history_["loss"], atol=1e-5)
    for old, now in zip(before, given.get_weights(), strict=True):  # the model of the user is not trained
        np.testing.assert_array_equal(old, now)
    assert ours.current_epoch == theirs.current_epoch == 5
    assert ours.initialized_


def test_unknown_routed_names_raise_errors():
    with pytest.raises(TypeError, match=r"'fit__epoch' \(did you mean 'fit__epochs'\?\), 'predict__steps'"):
        KerasClassifier(get_clf, fit__epoch=3, predict__steps=2, predict__batch_size=100)
    with pytest.raises(TypeError, match=r"'model__dropot' \(did you mean 'model__dropout'"):
        KerasClassifier(get_clf, model__dropot=0.5)


def test_builder_with_var_keyword_receives_model_arguments(data):
    seen = {}

    def build(**arguments):
        seen.update(arguments)
        return get_clf({"n_features_in_": 20}, (4,), 0)

    KerasClassifier(build, model__h=9).initialize(*data)
    assert seen["h"] == 9


@pytest.mark.parametrize("n_classes", longer([2, 3], [3]))  # three classes: see test_outputs.py
def test_logits_are_converted_to_probabilities(n_classes):
    X, y = make_classification(n_informative=4, n_classes=n_classes, random_state=0)
    loss = keras.losses.BinaryCrossentropy if n_classes == 2 else keras.losses.SparseCategoricalCrossentropy

    def build():
        return keras.Sequential([keras.Input((20,)), keras.layers.Dense(n_classes - (n_classes == 2))])

    clf = KerasClassifier(build, loss=loss, loss__from_logits=True, epochs=20, learning_rate=0.05).fit(X, y)
    probabilities = clf.predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)
    assert probabilities.min() >= 0
    logits = clf.model_(X.astype(np.float32)).numpy()
    expected = (logits[:, 0] > 0).astype(int) if n_classes == 2 else logits.argmax(axis=1)
    assert np.array_equal(clf.predict(X), expected)


def test_scikeras_arguments_of_builders(data):
    X, y = data
    seen = {}

    def build(meta, params, compile_kwargs, units=3):
        seen.update(meta=meta, params=params, compile_kwargs=compile_kwargs)
        return get_clf(meta, (units,), 0)

    labels = np.array(["no", "yes"])[y]
    KerasClassifier(build, loss="binary_crossentropy", model__units=5, optimizer="sgd", epochs=1).fit(X, labels)
    theirs = SciKerasClassifier(build, loss="binary_crossentropy", model__units=5, epochs=1, verbose=0)
    ours = seen.copy()
    theirs.fit(X, labels)
    names = {"X_shape_", "X_dtype_", "y_dtype_", "y_ndim_", "target_type_", "n_classes_", "n_features_in_"}
    names |= {"n_outputs_", "n_outputs_expected_"}
    assert {name: ours["meta"][name] for name in names} == {name: seen["meta"][name] for name in names}
    assert list(ours["meta"]["classes_"]) == list(seen["meta"]["classes_"])
    assert ours["params"]["model__units"] == 5
    assert isinstance(ours["compile_kwargs"]["optimizer"], keras.optimizers.SGD)
    assert isinstance(ours["compile_kwargs"]["loss"], keras.losses.Loss)


def build_for_keywords(input_shape, n_outputs):
    return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(n_outputs, activation="softmax")])


def test_fit_keywords_apply_to_one_call():
    X, y = load_iris(return_X_y=True)
    classifier = KerasNetClassifier(build_for_keywords, epochs=3, random_state=0)
    assert classifier.fit(X, y, epochs=2, batch_size=50, validation_split=0.2).n_iter_ == 2
    assert "val_loss" in classifier.history_
    assert classifier.fit(X, y, validation_data=(X, y)).n_iter_ == 3
    assert classifier.history_["val_accuracy"][-1] == pytest.approx(classifier.score(X, y), abs=1e-4)
    weighted = classifier.fit(X, y, validation_data=(X, y, 1.0 + y)).history_["val_loss"][-1]
    expected = log_loss(y, classifier.predict_proba(X), sample_weight=1.0 + y)
    assert weighted == pytest.approx(expected, rel=1e-4)
    with pytest.raises(ValueError, match=r"validation_data must be a tuple \(X, y\)"):
        classifier.fit(X, y, validation_data=X)
    assert "val_loss" not in classifier.fit(X, y).history_
    with pytest.raises(TypeError, match=r"fit got an unexpected keyword 'epoch' \(did you mean 'epochs'\?\)"):
        classifier.fit(X, y, epoch=2)
    with pytest.raises(ValueError, match="epochs"):
        classifier.fit(X, y, epochs=0)
    assert classifier.get_params()["epochs"] == 3


def test_validation_split_uses_the_last_samples():
    X, y = load_iris(return_X_y=True)
    shuffled = np.random.default_rng(0).permutation(150)
    X, y = X[shuffled], y[shuffled]
    parameters = {"epochs": 2, "random_state": 0}
    for name in ("validation_split", "fit__validation_split"):
        split = KerasNetClassifier("mlp", early_stopping=True, **{name: 0.2}, **parameters).fit(X, y)
        given = KerasNetClassifier("mlp", early_stopping=True, **parameters).fit(
            X[:120], y[:120], X_val=X[120:], y_val=y[120:]
        )
        np.testing.assert_array_equal(split.history_["val_loss"], given.history_["val_loss"])


def test_compile_arguments_and_build_fn_are_parameters():
    X, y = load_iris(return_X_y=True)
    eager = KerasNetClassifier(build_fn=build_for_keywords, run_eagerly=True, epochs=1, random_state=0)
    assert clone(eager).fit(X, y).model_.run_eagerly
    assert eager.get_params()["model"] is build_for_keywords
    with pytest.raises(TypeError, match="'validation_fracton'.*'validation_fraction'"):
        KerasNetClassifier(validation_fracton=0.1)


def test_subclass_with_call_method_builds_the_model():
    X, y = load_iris(return_X_y=True)

    class ByCall(KerasNetClassifier):
        def __init__(self, model=None, hidden=4, **others):
            super().__init__(model, **others)
            self.hidden = hidden

        def __call__(self, hidden, meta):
            assert meta["n_classes_"] == 3
            layers = [keras.layers.Dense(hidden, "relu"), keras.layers.Dense(3, "softmax")]
            return keras.Sequential([keras.Input(meta["X_shape_"][1:]), *layers])

    initialized = clone(ByCall(hidden=7)).initialize(X, y)
    assert initialized.model_.layers[0].units == 7
    with pytest.raises(ValueError, match="builds its own model. Received: model="):
        ByCall(build_for_keywords, epochs=1).fit(X, y)


def test_target_encoder_is_kept_by_partial_fit():
    X, y = load_iris(return_X_y=True)
    names = np.array(["a", "b", "c"])[y]
    classifier = KerasNetClassifier("mlp", random_state=0).partial_fit(X, names)
    encoder = classifier.target_encoder_
    assert encoder.transform(["c", "a"]).tolist() == [2, 0]
    assert classifier.partial_fit(X, names).target_encoder_ is encoder
    assert pickle.loads(pickle.dumps(classifier)).target_encoder_.classes_.tolist() == ["a", "b", "c"]


@pytest.mark.parametrize("kind", [KerasNetClassifier, KerasNetRegressor])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y: (X, y.astype(np.float64)), "Got y with dtype float64"),
        (lambda X, y: (X, y[:, np.newaxis]), "y has 2 dimensions, but .* is expecting 1 dimensions in y"),
        (lambda X, y: (X.astype(np.float64), y), "Got X with dtype float64"),
    ],
)
def test_partial_fit_rejects_data_of_a_different_dtype(kind, change, message):
    X, y = load_iris(return_X_y=True)
    X = X.astype(np.int64)
    estimator = kind("mlp", random_state=0).partial_fit(X, y).partial_fit(X, y.astype(np.uint8))
    before = estimator.predict(X)
    with pytest.raises(ValueError, match=message):
        estimator.partial_fit(*change(X, y))
    np.testing.assert_array_equal(estimator.predict(X), before)


def test_partial_fit_rejects_uint8_after_floats(mnist):
    X, y = mnist[0][:50], mnist[1][:50]
    estimator = KerasNetClassifier("cnn", filters=(4,), dense_units=(8,), random_state=0).partial_fit(X, y)
    with pytest.raises(
        ValueError, match="Got X with dtype float32, but KerasNetClassifier was fitted on X of dtype uint8"
    ):
        estimator.partial_fit((X / 255).astype(np.float32), y)


def test_metrics_names_of_the_fitted_model():
    X, y = load_iris(return_X_y=True)
    fitted = KerasNetClassifier("mlp", metrics=["accuracy", "AUC"], epochs=1).fit(X, y)
    assert fitted.model_.get_metrics_result().keys() == {"AUC", "accuracy", "loss"}


@pytest.mark.parametrize("warm_start", [False, True])
def test_current_epoch_counts_from_the_last_fit(warm_start, tmp_path):
    X, y = load_iris(return_X_y=True)
    classifier = KerasNetClassifier("mlp", epochs=2, warm_start=warm_start, random_state=0)
    assert classifier.current_epoch == 0
    for expected in (2, 2):
        assert classifier.fit(X, y).current_epoch == expected
    assert classifier.partial_fit(X, y).current_epoch == 3
    save(classifier, tmp_path / "a.kerasnet")
    assert load(tmp_path / "a.kerasnet").current_epoch == 3
