"""User-defined builders: external layers, random layers without seed, models registered twice."""

import keras
import numpy as np
import pytest
from _longer import longer
from sklearn.base import clone
from sklearn.datasets import load_iris

from kerasnet import KerasNetClassifier, KerasNetRegressor
from kerasnet.models import _registry, create_model, register_model


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


def base(trainable=True):
    layers = [keras.Input((4,)), keras.layers.Dense(16, "relu"), keras.layers.Dense(8, "relu")]
    model = keras.Sequential(layers)
    model.trainable = trainable
    return model


def builder_with_layer(layer, *, shares_code=True):
    """Return a builder that uses an external layer."""

    def build(input_shape, n_outputs):
        own = [] if shares_code else [keras.layers.Lambda(lambda values: values)]
        return keras.Sequential([keras.Input(input_shape), *own, layer, keras.layers.Dense(n_outputs, "softmax")])

    return build


@pytest.mark.parametrize("shares_code", [True, False])
def test_external_trainable_layers_raise_an_error_in_the_first_fit(shares_code, iris):
    layer = base()
    before = layer.get_weights()
    estimator = KerasNetClassifier(
        builder_with_layer(layer, shares_code=shares_code), epochs=1, optimizer="sgd", random_state=0
    )
    with pytest.raises(ValueError, match=r"takes the weights .* from outside.*trainable = False"):
        estimator.fit(*iris)
    for old, new in zip(before, layer.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def build_sequential(input_shape, n_outputs, layers=()):
    return keras.Sequential([keras.Input(input_shape), *layers])


def test_layers_as_parameters_raise_an_error(iris):
    layers = [keras.layers.Dense(16, "relu"), keras.layers.Dense(3, "softmax")]
    with pytest.raises(ValueError, match="from outside"):
        KerasNetClassifier(build_sequential, layers=layers, epochs=1).fit(*iris)


def test_frozen_shared_layers_are_supported(iris):
    frozen = base(trainable=False)
    build = builder_with_layer(frozen)
    before = frozen.get_weights()
    fits = [KerasNetClassifier(build, epochs=2, optimizer="sgd", random_state=0).fit(*iris) for _ in range(2)]
    np.testing.assert_array_equal(*(each.predict_proba(iris[0]) for each in fits))
    for old, new in zip(before, frozen.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_fitted_keras_model_as_model_parameter(iris):
    def build(input_shape, n_outputs):
        return build_sequential(input_shape, n_outputs, new_layers())

    fitted = KerasNetClassifier(build, epochs=1).fit(*iris)
    further = KerasNetClassifier(fitted.model_, epochs=1, optimizer="sgd", random_state=0)
    further.fit(*iris)
    np.testing.assert_array_equal(further.predict(iris[0]), clone(further).fit(*iris).predict(iris[0]))


def new_layers():
    return [keras.layers.Dense(3, "softmax")]


class Noise(keras.layers.Layer):
    """A random layer without a seed."""

    def call(self, inputs, training=None):
        return inputs + keras.random.normal(keras.ops.shape(inputs)) if training else inputs


def build_noisy(input_shape, n_outputs):
    return keras.Sequential([keras.Input(input_shape), Noise(), keras.layers.Dense(n_outputs, "softmax")])


def test_random_layers_without_seed_are_reproducible(iris, tmp_path):
    X, y = iris

    def probabilities(seed=0, **parameters):
        return (
            KerasNetClassifier(build_noisy, optimizer="sgd", random_state=seed, **{"epochs": 4, **parameters})
            .fit(X, y)
            .predict_proba(X)
        )

    first = probabilities()
    keras.random.normal((3,))  # advances the global generator
    np.testing.assert_array_equal(first, probabilities())
    assert not np.array_equal(first, probabilities(seed=1))
    probabilities(epochs=2, memory=tmp_path)
    np.testing.assert_array_equal(first, probabilities(memory=tmp_path))


def test_fit_does_not_change_the_random_state_of_keras(iris):
    keras.utils.set_random_seed(0)
    expected = keras.random.normal((2, 3))[1]
    keras.utils.set_random_seed(0)
    KerasNetClassifier(build_noisy, epochs=1, optimizer="sgd", random_state=0).fit(*iris)
    np.testing.assert_array_equal(keras.random.normal((2, 3))[1], expected)


def test_initializers_without_seed_are_reproducible(iris):
    def build(input_shape, n_outputs):
        def initialize(shape, dtype=None):
            return keras.random.normal(shape, dtype=dtype)

        layer = keras.layers.Dense(n_outputs, "softmax", kernel_initializer=initialize)
        return keras.Sequential([keras.Input(input_shape), layer])

    fits = [KerasNetClassifier(build, epochs=1, optimizer="sgd", random_state=0).fit(*iris) for _ in range(2)]
    np.testing.assert_array_equal(*(each.predict_proba(iris[0]) for each in fits))


CELL = """
@register_model("from_a_cell", input_kind="vector", tasks=("classification",))
def build_from_a_cell(input_shape=(4,), n_outputs=3, *, output_activation="softmax", name="from_a_cell"):
    output = keras.layers.Dense(n_outputs, activation=output_activation, name={name!r})
    return keras.Sequential([keras.Input(input_shape), output], name=name)
"""


def test_notebook_cell_can_register_a_model_twice(iris):
    try:
        for name in ("first", "second"):
            exec(CELL.format(name=name), {"register_model": register_model, "keras": keras, "__name__": "__main__"})
            assert create_model("from_a_cell").layers[-1].name == name
            fitted = KerasNetClassifier("from_a_cell", epochs=1, optimizer="sgd", random_state=0).fit(*iris)
            assert fitted.model_.layers[-1].name == name
    finally:
        _registry._REGISTRY.pop("from_a_cell", None)


class Weights(keras.layers.Layer):
    """A layer with an external variable."""

    def __init__(self, variable, **arguments):
        super().__init__(**arguments)
        self.variable = variable

    def call(self, inputs):
        return inputs @ self.variable


def test_external_trainable_variable_raises_an_error(iris):
    variable = keras.Variable(np.ones((4, 3), np.float32))

    def build(input_shape):
        return keras.Sequential([keras.Input(input_shape), Weights(variable), keras.layers.Softmax()])

    first = KerasNetClassifier(build, epochs=1, optimizer="sgd", random_state=0)
    with pytest.raises(ValueError, match="from outside"):
        [first.fit(*iris), KerasNetClassifier(build, epochs=1).fit(*iris)]


CONSTANTS = {"list": [1.0], "array": np.ones(1, np.float32)}


def factor():
    return CONSTANTS["list"][0] * CONSTANTS["array"][0]


def scaled_error(y_true, y_pred):
    return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1) * factor()


class ScaledError(keras.losses.Loss):
    """A loss with a list that is changed between fits."""

    def __init__(self):
        super().__init__()
        self.factors = [1.0]

    def call(self, y_true, y_pred):
        return keras.ops.mean(keras.ops.square(y_true - y_pred), axis=-1) * self.factors[0]


def test_compiled_function_is_not_reused_if_constants_change(iris, monkeypatch):
    def loss_of(loss):
        estimator = KerasNetRegressor("mlp", loss=loss, epochs=1, batch_size=-1, optimizer="sgd", random_state=0)
        return estimator.fit(*iris).history_["loss"][0]

    before = loss_of(scaled_error)
    monkeypatch.setitem(CONSTANTS, "list", [3.0])
    monkeypatch.setitem(CONSTANTS, "array", np.full(1, 2.0, np.float32))
    assert loss_of(scaled_error) == pytest.approx(6 * before)
    instance = ScaledError()
    before = loss_of(instance)
    instance.factors = [5.0]
    assert loss_of(instance) == pytest.approx(5 * before)


class Scaling(keras.layers.Layer):
    """A layer that reads a module constant in another method."""

    def call(self, inputs):
        return inputs * self.read()

    def read(self):
        return CONSTANTS["list"][0]


def test_predictions_do_not_depend_on_earlier_fits(iris, monkeypatch):
    def build(input_shape, n_outputs):
        return keras.Sequential([keras.Input(input_shape), Scaling(), keras.layers.Dense(n_outputs, "softmax")])

    KerasNetClassifier(build, epochs=1, optimizer="sgd", random_state=0).fit(*iris)
    monkeypatch.setitem(CONSTANTS, "list", [0.5])
    fitted = KerasNetClassifier(build, epochs=1, optimizer="sgd", random_state=0).fit(*iris)
    np.testing.assert_allclose(fitted.predict_proba(iris[0]), fitted.model_(iris[0].astype(np.float32)), atol=1e-5)


@pytest.mark.parametrize("name", longer(["n_features_in_", "n_iter_", "predict"], ["n_iter_"]))
def test_builder_arguments_named_like_attributes_must_be_routed(name, iris):
    code = f"def build(input_shape, n_outputs, {name}=3):\n    return make(input_shape, n_outputs, {name})"

    def make(input_shape, n_outputs, units):
        layers = [keras.layers.Dense(units), keras.layers.Dense(n_outputs, "softmax")]
        return keras.Sequential([keras.Input(input_shape), *layers])

    scope = {"make": make, "__name__": "builders"}
    exec(code, scope)
    with pytest.raises(TypeError, match=rf"methods named '{name}'. Pass these arguments .* as model__<name>"):
        KerasNetClassifier(scope["build"], **{name: 5})
    routed = KerasNetClassifier(scope["build"], epochs=1, **{f"model__{name}": 5})
    assert clone(routed).initialize(*iris).model_.layers[0].units == 5
