"""Guarantees of all estimators: sample weights, containers, errors, unchanged inputs, random parameters."""

import copy
import warnings

import keras
import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
from _keras import outputs_of
from _longer import longer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning, NotFittedError

from kerasnet import Autoencoder, CNNClassifier, KerasNetClassifier, KerasNetRegressor, SimpleRNNClassifier
from kerasnet.errors import KerasNetError


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return (X - X.mean(axis=0)) / X.std(axis=0), y


def mlp(**params):
    return KerasNetClassifier("mlp", **{"epochs": 2, "optimizer": "sgd", "random_state": 0, **params})


# --- sample weights: exact with full batches, SGD and without batch normalization ---


FULL = {"batch_size": -1, "optimizer": "sgd", "learning_rate": 0.1, "epochs": 10, "random_state": 0}
BINARY = load_iris(return_X_y=True)[1] > 0
SCALED_SIZES = load_iris(return_X_y=True)[0] / 8  # about 1
TARGETS = {
    "classes": (KerasNetClassifier("mlp", **FULL), load_iris(return_X_y=True)[1]),
    "two classes": (KerasNetClassifier("mlp", **FULL), BINARY),
    "sequences": (KerasNetClassifier("simple_rnn", units=(4,), **FULL), load_iris(return_X_y=True)[1]),
    "multilabel": (KerasNetClassifier("mlp", **FULL), np.column_stack([BINARY, ~BINARY, BINARY]).astype(int)),
    "regression": (KerasNetRegressor("mlp", **FULL), SCALED_SIZES[:, 0]),
    "penalties": (KerasNetRegressor("mlp", l1=0.01, l2=0.01, **FULL), SCALED_SIZES[:, :2]),
}


def outputs(estimator, X):
    return getattr(estimator, "predict_proba", estimator.predict)(X)


@pytest.mark.parametrize("name", longer(TARGETS, ["regression", "sequences", "two classes"]))
@pytest.mark.parametrize("way", longer(["removed", "repeated"], ["removed"]))  # repeated weights include 0
def test_integer_weights_equal_repeated_samples(name, way, iris):
    estimator, y = TARGETS[name]
    X = iris[0]
    weight = np.random.default_rng(0).integers(0, 2 if way == "removed" else 4, len(y))
    weighted = outputs(clone(estimator).fit(X, y, sample_weight=weight), X)
    repeated = outputs(clone(estimator).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight, axis=0)), X)
    np.testing.assert_allclose(weighted, repeated, atol=1e-6)
    assert np.abs(weighted - outputs(clone(estimator).fit(X, y), X)).max() > 1e-3  # the weights have an effect


def test_sample_weights_of_an_autoencoder(iris):
    X = iris[0]
    weight = np.random.default_rng(0).integers(0, 4, len(X))
    coder = Autoencoder(code_units=3, output_activation="linear", **FULL)
    weighted = clone(coder).fit(X, sample_weight=weight).transform(X)
    np.testing.assert_allclose(weighted, clone(coder).fit(np.repeat(X, weight, axis=0)).transform(X), atol=1e-6)


# --- containers ---


CONTAINERS = {
    "list": lambda X: X.tolist(),
    "float32": lambda X: X.astype(np.float32),
    "fortran": np.asfortranarray,
    "pandas": lambda X: pd.DataFrame(X, columns=list("abcd")),
    "polars": lambda X: pl.DataFrame(X, schema=list("abcd")),
    "read-only": lambda X: np.frombuffer(X.tobytes()).reshape(X.shape),
}


@pytest.mark.parametrize("kind", CONTAINERS)
def test_containers_give_equal_predictions(kind, iris):
    X, y = iris
    expected = mlp().fit(X, y).predict_proba(X)
    given_X = CONTAINERS[kind](X)
    estimator = mlp().fit(given_X, list(y))
    np.testing.assert_allclose(estimator.predict_proba(given_X), expected, atol=1e-5)
    names = getattr(estimator, "feature_names_in_", None)
    assert (list(names) if names is not None else None) == (list("abcd") if kind in ("pandas", "polars") else None)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda X: X.rename(columns={"a": "z"}), "feature names should match"),
        (lambda X: X[["b", "a", "c", "d"]], "Feature names must be in the same order"),
        (lambda X: X[["a", "b", "c"]], "feature names should match"),
    ],
)
def test_different_columns_raise_scikit_learn_errors(make, message, iris):
    frame = pd.DataFrame(iris[0], columns=list("abcd"))
    with pytest.raises(ValueError, match=message):
        mlp().fit(frame, iris[1]).predict(make(frame))


def test_column_vector_of_labels_issues_a_warning(iris):
    with pytest.warns(DataConversionWarning, match="A column-vector y was passed"):
        mlp().fit(iris[0], iris[1].reshape(-1, 1))


INVALID_X = [
    (lambda X: X * np.nan, "Input X contains NaN"),
    (lambda X: np.where(X > 0, np.inf, X), "contains infinity"),
    (lambda X: X[:0], r"Found array with 0 sample\(s\)"),
    (lambda X: X[:, :0], r"Found array with 0 feature\(s\)"),
    (lambda X: X[:, 0], "Expected 2D array, got 1D array"),
    (lambda X: X[0, 0], "Expected 2D array, got scalar"),
    (lambda X: X[:, :3], "X has 3 features, but .* is expecting 4 features"),
    (lambda X: X.astype(str) + "x", "not compatible with arrays of bytes/strings"),
    (lambda X: X + 1j, "Complex data not supported"),
    (lambda X: scipy.sparse.csr_matrix(X[:, :3]), "X has 3 features, but .* is expecting 4 features"),
]


@pytest.mark.parametrize(("make", "message"), INVALID_X, ids=[message[:20] for _, message in INVALID_X])
@pytest.mark.parametrize(
    "estimator",
    [
        mlp(),
        pytest.param(KerasNetRegressor("mlp", epochs=1), marks=pytest.mark.exhaustive),  # the same validation
        SimpleRNNClassifier(units=(4,), epochs=1),
    ],
)
def test_invalid_X_raises_scikit_learn_errors(estimator, make, message, iris):
    X, y = iris
    bad = make(X)
    fitted = clone(estimator).fit(X, y)
    with pytest.raises((ValueError, TypeError), match=message):
        fitted.predict(bad)
    if "expecting 4" not in message:
        with pytest.raises((ValueError, TypeError), match=message):
            clone(estimator).fit(bad, y[: np.shape(bad)[0] if np.ndim(bad) else 1])
    with pytest.raises(NotFittedError):
        clone(estimator).predict(X)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.r_[np.nan, np.zeros(149)], "Input y contains NaN"),
        (np.zeros(149), "inconsistent numbers of samples"),
        (np.zeros(150), "Received: only one class, 0"),
        (None, "requires y to be passed"),
    ],
)
def test_invalid_y_raises_scikit_learn_errors(y, message, iris):
    with pytest.raises(ValueError, match=message):
        mlp().fit(iris[0], y)


# --- all errors are reported together ---


def test_all_unknown_parameters_are_reported_together():
    with pytest.raises(TypeError, match=r"'epoch' \(did you mean 'epochs'.*'filter' \(did you mean 'filters'"):
        CNNClassifier(epoch=1, filter=(3,))
    with pytest.raises(ValueError, match=r"'epoch' \(did you mean 'epochs'.*'filter' \(did you mean 'filters'"):
        CNNClassifier().set_params(epoch=1, filter=(3,))


def test_all_invalid_values_are_reported_together(iris):
    wrong = mlp(epochs=0, batch_size="x", optimizer="adm", loss="spars_categorical_crossentropy", tol=-1)
    with pytest.raises(ValueError, match="epochs") as caught:
        wrong.fit(*iris)
    message = str(caught.value)
    for part in (
        "'epochs' parameter of KerasNetClassifier must be an int in the range [1, inf). Got 0",
        "'batch_size' parameter",
        "'tol' parameter",
        "Could not interpret optimizer identifier 'adm' (did you mean 'adam'?)",
        "(did you mean 'sparse_categorical_crossentropy'?)",
    ):
        assert part in message


def test_arguments_of_optimizers_and_losses_are_validated(iris):
    wrong = mlp(
        optimizer="sgd", optimizer__momentm=0.9, loss=keras.losses.SparseCategoricalCrossentropy, loss__logits=1
    )
    with pytest.raises(ValueError, match=r"optimizer__momentm") as caught:
        wrong.fit(*iris)
    assert "SGD has no argument 'momentm' (did you mean 'momentum'?)" in str(caught.value)
    assert "SparseCategoricalCrossentropy has no argument 'logits' (did you mean 'from_logits'?)" in str(caught.value)


class Subclassed(keras.Model):
    """A subclassed model, which does not store shapes."""

    def __init__(self, n_outputs):
        super().__init__()
        self.hidden = keras.layers.Dense(8, activation="relu")
        self.head = keras.layers.Dense(n_outputs, activation="softmax")

    def call(self, inputs):
        return self.head(self.hidden(inputs))


def test_subclassed_models_and_models_without_input_layer(iris):
    unbuilt = keras.Sequential([keras.layers.Dense(3, activation="softmax")])
    built = keras.Sequential([keras.Input((4,)), *unbuilt.layers])
    for model in (lambda n_outputs: Subclassed(n_outputs), unbuilt, built):
        classifier = KerasNetClassifier(model, epochs=30, optimizer="sgd", learning_rate=0.2, random_state=0).fit(*iris)
        assert classifier.score(*iris) > 0.8
    with pytest.raises(ValueError, match="must have 3 outputs .* output shape \\(None, 2\\)"):
        KerasNetClassifier(lambda: Subclassed(2)).fit(*iris)


class Projection(keras.layers.Layer):
    """A layer with a constant that is missing in its config."""

    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.matrix = np.random.normal(size=(4, 8)).astype("float32")

    def call(self, inputs):
        return keras.ops.matmul(inputs, self.matrix)


class LayerWithoutConfig(keras.layers.Layer):
    """A layer without a config."""

    def __init__(self, scale):
        super().__init__()
        self.scale = scale

    def call(self, inputs):
        return inputs * self.scale["factor"]


SCALE = 1.0


def times_scale(inputs):
    return inputs * SCALE


def build_with_constant_in_graph(input_shape):
    inputs = keras.Input(input_shape)
    matrix = np.random.normal(size=(4, 8)).astype("float32")
    hidden = keras.ops.tanh(keras.ops.matmul(inputs, matrix))
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(hidden))


def make_builder(make):
    layers = lambda: [keras.Input((4,)), make(), keras.layers.Dense(3, activation="softmax")]  # noqa: E731
    return lambda: keras.Sequential(layers())


BUILDERS = {
    "constant in a layer": make_builder(Projection),
    "constant in the graph": build_with_constant_in_graph,
    "layer without config": make_builder(lambda: LayerWithoutConfig({"factor": 2.0})),
    "a function": make_builder(lambda: keras.layers.Lambda(times_scale)),
}


@pytest.mark.parametrize("name", longer(BUILDERS, ["layer without config", "a function"]))
def test_state_that_is_missing_in_configs_is_used(name, iris):
    X, y = iris
    for seed in (0, 1):
        classifier = KerasNetClassifier(BUILDERS[name], epochs=1, optimizer="sgd", random_state=seed).fit(X, y)
        np.testing.assert_allclose(classifier.predict_proba(X), outputs_of(classifier.model_, X), atol=1e-6)
        copied = copy.deepcopy(classifier)
        assert np.array_equal(copied.predict_proba(X), classifier.predict_proba(X))
    before = classifier.predict_proba(X)
    again = classifier.set_params(warm_start=True, learning_rate=1e-12, random_state=5).fit(X, y)
    np.testing.assert_allclose(again.predict_proba(X), before, atol=1e-5)


@pytest.mark.exhaustive  # see test_user_builders_share_code.py, adapted layer, and test_builders_of_users.py, constants
def test_globals_and_adapted_layers_are_those_of_the_current_fit(iris, monkeypatch):
    X, y = iris
    data = [X]

    def build():
        normalization = keras.layers.Normalization()
        normalization.adapt(data[0])
        return keras.Sequential([keras.Input((4,)), normalization, keras.layers.Dense(3, activation="softmax")])

    first = KerasNetClassifier(build, epochs=2, random_state=0).fit(X, y).history_["loss"]
    data[0] = X * 100 + 50
    second = KerasNetClassifier(build, epochs=2, random_state=0).fit(data[0], y).history_["loss"]
    np.testing.assert_allclose(first, second, rtol=1e-3)
    function = BUILDERS["a function"]
    first = KerasNetClassifier(function, epochs=1, random_state=0).fit(X, y).history_["loss"]
    monkeypatch.setattr(f"{__name__}.SCALE", 50.0)
    assert KerasNetClassifier(function, epochs=1, random_state=0).fit(X, y).history_["loss"][0] > 3 * first[0]


class Freeze(keras.callbacks.Callback):
    """A callback that changes its model."""

    def on_train_begin(self, logs=None):
        self.model.layers[0].trainable = False
        self.model.optimizer.clipnorm = 1e-6


class Recompile(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.compile("sgd", "sparse_categorical_crossentropy")


@pytest.mark.exhaustive  # see test_model_on_demand.py
def test_changes_by_a_callback_apply_to_its_fit_only(iris):
    frozen = mlp(callbacks=[Freeze]).fit(*iris).history_  # in a new or a reused compiled function
    plain = mlp().fit(*iris).history_
    assert plain != frozen
    assert mlp(callbacks=[Freeze]).fit(*iris).history_ == frozen
    assert mlp().fit(*iris).history_ == plain
    mlp(epochs=1, callbacks=[Recompile]).fit(*iris)
    assert mlp().fit(*iris).history_ == plain


def test_history_contains_values_of_callbacks_and_metrics(iris):
    callbacks = [
        keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5),
        keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: logs.update(mine=epoch)),
    ]
    history = mlp(callbacks=callbacks, metrics=["f1_score"], loss="categorical_crossentropy").fit(*iris).history_
    np.testing.assert_allclose(history["learning_rate"], [0.0005, 0.00025])
    assert history["mine"] == [0, 1]
    assert [each.shape for each in history["f1_score"]] == [(3,), (3,)]


def test_different_classes_in_a_later_partial_fit_raise_an_error(iris):
    classifier = mlp().partial_fit(*iris, classes=[0, 1, 2]).partial_fit(*iris, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="is not the same as on last call"):
        classifier.partial_fit(*iris, classes=[0, 1, 2, 3])


def test_metric_instances_are_copied(iris):
    metric = keras.metrics.SparseCategoricalAccuracy(name="mine")
    assert "mine" in mlp(metrics=[metric]).fit(*iris).history_
    assert float(metric.count.value) == 0


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"model": keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)])}, r"samples of shape \(5,\)"),
        (
            {"loss__label_smoothing": 0.1},
            "loss__label_smoothing requires a loss given by name or class. Received: loss=None",
        ),
        ({"fit__epochs": 0}, "'epochs' parameter of .* Got 0"),
        ({"fit__validation_split": 1.5}, "'validation_split' parameter .* Got 1.5"),
        (
            {
                "optimizer": keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 100)),
                "learning_rate_schedule": "cosine",
            },
            "optimizer has a learning rate schedule",
        ),
    ],
    ids=["shape", "loss", "epochs", "split", "schedule"],
)
def test_incompatible_parameters_raise_an_error(params, message, iris):
    with pytest.raises(ValueError, match=message):
        KerasNetClassifier(**{"epochs": 1, **params}).fit(*iris)


def test_incompatible_losses_and_negative_weights_raise_errors(iris):
    with pytest.raises(ValueError, match="The loss, .*sparse_categorical.* must match the targets"):
        KerasNetRegressor(loss="sparse_categorical_crossentropy", epochs=1).fit(iris[0], iris[0][:, 0] + 5)
    with pytest.raises(ValueError, match="Negative values in data passed to `sample_weight`"):
        mlp().fit(*iris, sample_weight=-np.ones(len(iris[1])))


# --- inputs and parameters ---


def test_inputs_and_parameters_are_not_changed(iris):
    X, y = (array.copy() for array in iris)
    weight, class_weight = np.linspace(0, 2, len(y)), {0: 1.0, 1: 2.0, 2: 0.5}
    metrics, callbacks = ["accuracy"], [keras.callbacks.EarlyStopping("loss")]
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    estimator = mlp(
        class_weight=class_weight, metrics=metrics, callbacks=callbacks, optimizer=optimizer, early_stopping=True
    )
    params = estimator.get_params()
    before = copy.deepcopy((X, y, weight, class_weight, metrics, vars(callbacks[0]), optimizer.get_config()))
    estimator.fit(X, y, sample_weight=weight)
    estimator.predict(X)
    after = (X, y, weight, class_weight, metrics, vars(callbacks[0]), optimizer.get_config())
    for old, new in zip(before, after, strict=True):
        np.testing.assert_equal(new, old)
    assert not optimizer.built
    assert all(estimator.get_params()[name] is value for name, value in params.items())


# --- random shapes, dtypes, labels and parameters: a fit or a documented error ---


def mostly_valid(valid, *invalid):
    """Draw valid values, and sometimes an invalid one."""
    return st.one_of(*5 * [st.sampled_from(valid)], st.sampled_from([*valid, *invalid]))


DTYPES = st.sampled_from(["float64", "float32", "float16", "int64", "int8", "uint8", "uint16", "bool"])
SHAPES = st.lists(st.integers(1, 9), min_size=1, max_size=3)
LABELS = mostly_valid([[0, 1], [0, 1, 2], ["a", "b"], [True, False], [-1, 5, 10**9], [0.0, 1.0]], ["x"], [2])
LOSSES = [None, "sparse_categorical_crossentropy", "categorical_crossentropy", "mse", "hinge"]
PARAMS = st.fixed_dictionaries(
    {},
    optional={
        "batch_size": mostly_valid([-1, 1, 3, 10**6], 0, 2.5, None),
        "learning_rate": mostly_valid([1e-3, 1e-30, 1.0], 0, -1, np.nan, 1e30),
        "optimizer": mostly_valid(["adam", "SGD", "rmsprop", "adagrad", "lion", keras.optimizers.Nadam], "nonsense"),
        "learning_rate_schedule": mostly_valid(["constant", "cosine", "one_cycle"], "none"),
        "early_stopping": st.booleans(),
        "validation_fraction": mostly_valid([0.1, 0.5], 0.99, 0, 1),
        "class_weight": mostly_valid([None, "balanced"], {0: 2.0}, "heavy"),
        "loss": mostly_valid(LOSSES, "nonsense"),
        "metrics": mostly_valid([None, "accuracy", ["accuracy", "mse"], []], "nonsense"),
        "random_state": mostly_valid([None, 0, 2**31 - 1], "seed"),
        "epochs": mostly_valid([1, 2], 0),
    },
)
MODELS = mostly_valid(["mlp", "simple_rnn", "cnn"], "autoencoder", "unknown")
DOCUMENTED = (ValueError, TypeError, KerasNetError)
PROFILE = {"deadline": None, "suppress_health_check": list(HealthCheck), "derandomize": True, "database": None}


def check_fit_or_error(kind, model, n_samples, shape, dtype, labels, params, seed):
    """Fit and predict; check the results. Only documented errors are allowed."""
    rng = np.random.default_rng(seed)
    X = (rng.random((n_samples, *shape)) * 3).astype(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", (UserWarning, ConvergenceWarning, DataConversionWarning))
        if kind is KerasNetRegressor:
            y = rng.normal(size=(n_samples, len(labels))) if len(labels) > 1 else rng.normal(size=n_samples)
            params = {name: value for name, value in params.items() if name != "class_weight"}
        else:
            y = np.array(labels)[rng.integers(0, len(labels), n_samples)]
        try:
            estimator = kind(model, **{"epochs": 1, **params}).fit(X, y)
        except DOCUMENTED:
            return
        predicted = estimator.predict(X)
        assert len(predicted) == n_samples
        if kind is KerasNetClassifier:
            assert np.isin(predicted, y).all()
            probabilities = estimator.predict_proba(X)
            assert probabilities.shape == (n_samples, len(np.unique(y)))
            assert probabilities.dtype == np.float32
        else:
            assert predicted.shape == y.shape
        assert len(estimator.history_["loss"]) == estimator.n_iter_


DRAWN = (MODELS, st.integers(2, 30), SHAPES, DTYPES, LABELS, PARAMS, st.integers(0, 99))


@pytest.mark.parametrize("kind", longer([KerasNetClassifier, KerasNetRegressor], [KerasNetRegressor]))
@settings(max_examples=8, **PROFILE)
@given(st.tuples(*DRAWN))
def test_random_data_and_parameters_fit_or_raise_documented_errors(kind, drawn):
    check_fit_or_error(kind, *drawn)


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", [KerasNetClassifier, KerasNetRegressor])
@settings(max_examples=200, **PROFILE)
@given(st.tuples(*DRAWN))
def test_more_random_data_and_parameters_fit_or_raise_documented_errors(kind, drawn):
    check_fit_or_error(kind, *drawn)
