"""User-defined builders are called once per fit; only equal networks share a compiled function."""

import gc
import weakref

import keras
import numpy as np
import pytest
from _keras import outputs_of
from _longer import longer
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from kerasnet import KerasNetClassifier, KerasNetRegressor


@pytest.fixture
def traced(monkeypatch, no_compiled_code):
    """Return a list that records each compilation of a training step with a hidden dense layer."""
    calls, original = [], keras.layers.Dense.call

    def call(self, inputs, training=None):
        if not isinstance(inputs, keras.KerasTensor) and training and self.name == "hidden":
            calls.append(self.units)
        return original(self, inputs)

    monkeypatch.setattr(keras.layers.Dense, "call", call)
    return calls


def sequential(*layers, n_outputs=3, hidden="relu", last="softmax"):
    return keras.Sequential(
        [
            keras.Input((4,), name="input"),
            *[make() for make in layers],
            keras.layers.Dense(8, hidden, name="hidden"),
            keras.layers.Dense(n_outputs, last, name="output"),
        ],
        name="of_a_user",
    )


def estimator(builder, **parameters):
    settings = {"epochs": 1, "batch_size": -1, "optimizer": "sgd", "learning_rate": 0.1, "random_state": 0}
    return KerasNetClassifier(builder, **{**settings, **parameters})


def make_builder(make):
    """Return a new builder that returns ``make()``."""
    return lambda input_shape, n_outputs: make()


@pytest.mark.parametrize("shares_code", [True, False], ids=["Keras layers", "Lambda layer"])
def test_builder_is_called_once_per_fit(shares_code, iris):
    models = []

    def build(input_shape, n_outputs):
        extra = [] if shares_code else [lambda: keras.layers.Lambda(lambda values: 2 * values)]
        models.append(sequential(*extra))
        return models[-1]

    X, y = iris
    for n_fits in (1, 2):
        fitted = estimator(build, epochs=2, random_state=n_fits).fit(X, y)
        assert len(models) == n_fits
        assert fitted.model_ is models[-1]
        outputs = fitted.predict_proba(X)
        np.testing.assert_allclose(outputs_of(models[-1], X), outputs, rtol=1e-5, atol=1e-6)
        fitted.partial_fit(X, y)
        assert fitted.model_ is models[-1]
        assert not np.array_equal(fitted.predict_proba(X), outputs)
        np.testing.assert_allclose(outputs_of(models[-1], X), fitted.predict_proba(X), rtol=1e-5, atol=1e-6)
        fitted.score(X, y)
        repr(fitted)
        clone(fitted)
        assert len(models) == n_fits


def test_fit_of_an_equal_network_does_not_change_an_earlier_model(iris):
    build = make_builder(sequential)
    first = estimator(build).fit(*iris)
    weights, outputs = first.model_.get_weights(), first.predict_proba(iris[0])
    estimator(build, random_state=1, epochs=3).fit(*iris).partial_fit(*iris)
    for before, after in zip(weights, first.model_.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    np.testing.assert_array_equal(first.predict_proba(iris[0]), outputs)


def test_equal_networks_of_different_builders_share_compiled_functions(iris, traced):
    for seed in range(3):
        estimator(make_builder(sequential), random_state=seed, learning_rate=0.01 * (seed + 1)).fit(*iris)
    assert len(traced) == 1


class Scale(keras.layers.Layer):
    """A user-defined layer with a factor that is missing in its config."""

    def __init__(self, factor):
        super().__init__(name="scale")
        self.factor = factor

    def call(self, inputs):
        return inputs * self.factor


def adapted(scale):
    def make():
        layer = keras.layers.Normalization(name="adapted")
        layer.adapt(scale * np.arange(40.0).reshape(10, 4))
        return layer

    return make


def scale_by(factor):
    return lambda: keras.layers.Lambda(lambda values: factor * values, name="scale")


def functional(factor):
    inputs = keras.Input((4,), name="input")
    hidden = keras.layers.Dense(8, "relu", name="hidden")(inputs * factor)
    return keras.Model(inputs, keras.layers.Dense(3, "softmax", name="output")(hidden), name="of_a_user")


def compiled(loss="sparse_categorical_crossentropy", make_optimizer=lambda: keras.optimizers.SGD(0.5), **arguments):
    model = sequential()
    model.compile(make_optimizer(), loss, **arguments)
    return model


def make_scaled_loss(factor):
    def sparse_user_defined_loss(y_true, y_pred):
        return factor * keras.losses.sparse_categorical_crossentropy(y_true, y_pred)

    return sparse_user_defined_loss


def cross_entropy(**arguments):
    return keras.losses.SparseCategoricalCrossentropy(**arguments)


def with_variable(name, value):
    """Return a model with a changed attribute of a variable, which is missing in configs."""
    model = sequential()
    setattr(model.get_layer("hidden").kernel, name, value)
    return model


def with_attribute(name, value):
    """Return a model with an attribute of a layer that is set after building."""
    model = sequential()
    setattr(model.get_layer("hidden"), name, value)
    return model


def optimizer_excluding(names):
    def make():
        optimizer = keras.optimizers.AdamW(0.1, weight_decay=2.0)
        optimizer.exclude_from_weight_decay(var_names=names)
        return optimizer

    return make


def frozen(name):
    model = sequential()
    model.get_layer(name).trainable = False
    return model


def trained_before(n_steps):
    model = compiled(make_optimizer=lambda: keras.optimizers.Adam(0.1))
    X = np.linspace(0, 1, 40, dtype=np.float32).reshape(10, 4)
    model.run_eagerly = True
    for _ in range(n_steps):
        model.train_on_batch(X, np.arange(10) % 3)
    model.run_eagerly = False
    return model


PAIRS = {
    "activation": (lambda: sequential(hidden="relu"), lambda: sequential(hidden="tanh")),
    "user-defined layer": (lambda: sequential(lambda: Scale(1.0)), lambda: sequential(lambda: Scale(-3.0))),
    "Lambda": (lambda: sequential(scale_by(1.0)), lambda: sequential(scale_by(-3.0))),
    "adapted layer": (lambda: sequential(adapted(1.0)), lambda: sequential(adapted(0.01))),
    "rescaling": (
        lambda: sequential(lambda: keras.layers.Rescaling(1.0)),
        lambda: sequential(lambda: keras.layers.Rescaling(-3.0)),
    ),
    "constant in a functional model": (lambda: functional(1.0), lambda: functional(-3.0)),
    "array in a functional model": (
        lambda: functional(np.ones(4, np.float32)),
        lambda: functional(np.arange(4, dtype=np.float32)),
    ),
    "user-defined activation": (
        lambda: sequential(hidden=lambda values: values),
        lambda: sequential(hidden=lambda values: -3 * values),
    ),
    "loss": (lambda: compiled(), lambda: compiled(cross_entropy(ignore_class=1))),
    "user-defined loss": (lambda: compiled(make_scaled_loss(1.0)), lambda: compiled(make_scaled_loss(-1.0))),
    "loss weights": (lambda: compiled(loss_weights=[1.0]), lambda: compiled(loss_weights=[-1.0])),
    "optimizer": (lambda: compiled(), lambda: compiled(make_optimizer=lambda: keras.optimizers.Adam(0.5))),
    "argument of an optimizer": (
        lambda: compiled(make_optimizer=lambda: keras.optimizers.SGD(0.5, clipnorm=None)),
        lambda: compiled(make_optimizer=lambda: keras.optimizers.SGD(0.5, clipnorm=1e-3)),
    ),
    "weight decay of some variables": (
        lambda: compiled(make_optimizer=optimizer_excluding(["bias"])),
        lambda: compiled(make_optimizer=optimizer_excluding(["kernel"])),
    ),
    "schedule": (
        lambda: compiled(make_optimizer=lambda: keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.5, 2))),
        lambda: compiled(make_optimizer=lambda: keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.5, 90))),
    ),
    "frozen layer": (lambda: frozen("hidden"), lambda: frozen("output")),
    "constraint of a variable": (
        lambda: with_variable("constraint", None),
        lambda: with_variable("constraint", keras.constraints.NonNeg()),
    ),
    "regularizer of a variable": (
        lambda: with_variable("regularizer", None),
        lambda: with_variable("regularizer", keras.regularizers.L2(5.0)),
    ),
    "regularizer set on a built layer": (
        lambda: with_attribute("kernel_regularizer", None),
        lambda: with_attribute("kernel_regularizer", keras.regularizers.L2(5.0)),
    ),
    "activation set on a built layer": (
        lambda: with_attribute("activation", keras.activations.relu),
        lambda: with_attribute("activation", keras.activations.tanh),
    ),
    "optimizer with state": (lambda: trained_before(0), lambda: trained_before(5)),
}


def keras_training_steps(make, X, y, n_steps, seed):
    """Return the outputs after full-batch training steps of Keras, from the initial weights of a fit."""
    started = []

    def build(input_shape, n_outputs):
        started.append(make())
        return started[-1]

    estimator(build, optimizer="sgd", learning_rate=0.5, random_state=seed).initialize(X, y)
    (model,) = started
    model.run_eagerly = True
    for _ in range(n_steps):
        model.train_on_batch(X, y)
    return outputs_of(model, X)


ALWAYS_TESTED = {"user-defined loss", "adapted layer", "optimizer with state"}


@pytest.mark.parametrize("name", longer(PAIRS, PAIRS.keys() - ALWAYS_TESTED))  # all keys: tests/training/test_keys.py
def test_different_networks_are_trained_as_in_keras(name, iris):
    X, y = iris
    first, second = PAIRS[name]
    for seed, make in enumerate((first, second, first)):
        fitted = estimator(make_builder(make), epochs=3, learning_rate=0.5, random_state=seed).fit(X, y)
        np.testing.assert_allclose(
            fitted.predict_proba(X), outputs_of(fitted.model_, X), rtol=1e-5, atol=1e-6, err_msg=str(seed)
        )
        expected = keras_training_steps(make, X, y, 3, seed)
        np.testing.assert_allclose(fitted.predict_proba(X), expected, atol=1e-4, err_msg=str(seed))


@pytest.mark.exhaustive  # see tests/training/test_keys.py
def test_each_network_uses_its_dropout_rate(iris):
    X, y = iris
    outputs = []
    for rate in (0.1, 0.9, 0.1):
        build = make_builder(lambda rate=rate: sequential(lambda: keras.layers.Dropout(rate, name="dropout")))
        outputs.append(estimator(build, epochs=3, learning_rate=0.1).fit(X, y).predict_proba(X))
    np.testing.assert_array_equal(outputs[0], outputs[2])
    assert not np.allclose(outputs[0], outputs[1], atol=1e-3)


@pytest.mark.exhaustive  # see tests/training/test_keys.py
def test_loss_arguments_missing_in_configs_are_used(iris):
    X, y = iris
    outputs = {}
    for delta in (0.01, 1.0, 0.01):
        fitted = KerasNetRegressor(
            make_builder(lambda: sequential(n_outputs=1, last="linear")),
            loss=keras.losses.Huber(delta),
            optimizer="sgd",
            learning_rate=0.1,
            epochs=2,
            random_state=0,
        ).fit(X, y)
        outputs.setdefault(delta, []).append(fitted.predict(X))
    np.testing.assert_array_equal(*outputs[0.01])
    assert not np.allclose(outputs[0.01][0], outputs[1.0][0], atol=1e-3)
    np.testing.assert_array_equal(clone(fitted).fit(X, y).predict(X), outputs[0.01][0])


@pytest.mark.exhaustive  # see tests/training/test_keys.py
def test_metric_arguments_are_used(iris):
    X, y = iris

    def history(k):
        metric = keras.metrics.SparseTopKCategoricalAccuracy(k=k, name="top")
        return estimator(make_builder(sequential), metrics=[metric], epochs=2).fit(X, y).history_["top"]

    assert history(3) == [1.0, 1.0]
    assert history(1)[0] < 1
    assert history(3) == [1.0, 1.0]


def test_fits_record_their_own_metrics_and_losses(iris):
    X, y = iris
    build = make_builder(sequential)
    recorded = [
        set(estimator(build, metrics=metrics).fit(X, y).history_)
        for metrics in (None, ["accuracy"], ["accuracy", "mse"], None)
    ]
    assert recorded[0] == recorded[3] == {"loss"}
    assert recorded[1] == {"loss", "accuracy"}
    assert recorded[2] == {"loss", "accuracy", "mse"}


@pytest.mark.parametrize("in_search", [False, True], ids=["fit", "search"])
def test_builder_can_use_the_model_of_another_estimator(in_search, iris):
    X, y = iris
    base = KerasNetClassifier("mlp", dense_units=(6,), epochs=1, random_state=0).fit(X, y)
    expected = clone(base).fit(X, y).model_.layers[0].get_weights()
    read = []

    def build(input_shape, n_outputs):
        model = sequential()
        kernel, bias = base.model_.layers[0].get_weights()
        read.append((kernel, bias))
        return model

    if in_search:
        GridSearchCV(estimator(build), {"learning_rate": [0.1, 0.01]}, cv=2).fit(X, y)
        assert len(read) == 5
    else:
        estimator(build).fit(X, y)
        assert len(read) == 1
    for weights in read:
        for one, other in zip(weights, expected, strict=True):
            np.testing.assert_array_equal(one, other)


def test_initial_weights_depend_on_the_seed_of_the_fit_only(iris):
    X, y = iris
    base = KerasNetClassifier("mlp", dense_units=(6,), epochs=1, random_state=0).fit(X, y)

    def build(input_shape, n_outputs):
        _ = base.model_  # the first fit builds it here
        return sequential()

    fits = [estimator(build, random_state=5).fit(X, y).predict_proba(X) for _ in range(2)]
    plain = estimator(make_builder(sequential), random_state=5).fit(X, y)
    np.testing.assert_array_equal(*fits)
    np.testing.assert_array_equal(fits[0], plain.predict_proba(X))


def test_builder_can_fit_another_estimator(iris):
    X, y = iris

    def build(input_shape, n_outputs):
        inner = KerasNetClassifier("mlp", dense_units=(6,), epochs=1, random_state=0).fit(X, y)
        model = sequential()
        model.get_layer("output").bias.assign(inner.model_.layers[-1].bias)
        return model

    fits = [estimator(build).fit(X, y) for _ in range(2)]
    np.testing.assert_array_equal(*(each.predict_proba(X) for each in fits))


def test_models_are_freed_with_their_estimators(iris):
    models = []

    def build(input_shape, n_outputs):
        model = sequential()
        models.append(weakref.ref(model))
        return model

    for seed in range(4):
        estimator(build, random_state=seed).fit(*iris).predict(iris[0])
    gc.collect()
    assert sum(each() is not None for each in models) <= 1
