"""Initial states with reused compiled code are bit-identical to those of a new model."""

import gc
import inspect
import random
import weakref

import keras
import numpy as np
import pytest
from _longer import longer
from sklearn.base import clone

from kerasnet import Autoencoder, KerasNetClassifier
from kerasnet.models import _registry, list_models, register_model
from kerasnet.training import clear_cache

SHAPES = {"image": (8, 8, 1), "sequence": (6, 4), "tokens": (6,), "vector": (12,)}
SLOW = ["backbone", "resnet_small", "attention", "lstm", "gru", "lenet", "text_cnn"]
SLOW += ["inception_time", "resnet1d", "lstm_fcn"]
SLOW += ["lite", "conv1d", "conv_autoencoder"]  # have the initializers of "cnn"
OPTIMIZERS = {
    "adam": {"optimizer": "adam"},
    "amsgrad": {"optimizer": "adam", "optimizer__amsgrad": True},
    "adagrad": {"optimizer": "adagrad"},
    "nadam": {"optimizer": "nadam"},
    "momentum": {"optimizer": "sgd", "optimizer__momentum": 0.9},
    "rmsprop": {"optimizer": "rmsprop", "optimizer__centered": True, "optimizer__momentum": 0.5},
    "adamw": {"optimizer": "adamw"},
    "ftrl": {"optimizer": "ftrl"},
    "lion": {"optimizer": "lion"},
    "adadelta": {"optimizer": "adadelta"},
    "adamax": {"optimizer": "adamax"},
    "accumulated gradients": {"optimizer": "sgd", "optimizer__gradient_accumulation_steps": 3},
    "moving average": {"optimizer": "sgd", "optimizer__use_ema": True, "optimizer__ema_overwrite_frequency": 2},
    "instance": {"optimizer": keras.optimizers.Adagrad(0.05, initial_accumulator_value=0.3)},
    "schedule": {"optimizer": keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5))},
}


@pytest.fixture
def register(no_compiled_code):
    """A decorator that registers a builder of vector models under the name "of_a_test"."""
    yield register_model("of_a_test", input_kind="vector", tasks=("classification",))
    _registry._REGISTRY.pop("of_a_test", None)


def mlp(**parameters):
    return KerasNetClassifier("mlp", **{"epochs": 2, "batch_size": 50, "random_state": 0, **parameters})


def variables(model):
    return {variable.path: np.asarray(variable.value) for variable in model.variables}


def assert_equal_variables(first, second):
    assert list(first) == list(second)
    for path in first:
        np.testing.assert_array_equal(first[path], second[path], err_msg=path)


def assert_reused_code_gives_equal_fits(estimator, X, y, seeds=(3, 4)):
    """Compare fits with multiple seeds that reuse compiled code with fits that compile again."""
    clear_cache()
    fits = [clone(estimator).set_params(random_state=seed).fit(X, y) for seed in seeds]
    for seed, each in zip(seeds[1:], fits[1:], strict=True):
        clear_cache()
        alone = clone(estimator).set_params(random_state=seed).fit(X, y)
        assert alone.history_ == each.history_
        np.testing.assert_array_equal(each.predict_proba(X), alone.predict_proba(X))
        assert_equal_variables(variables(each.model_), variables(alone.model_))


def samples_for(name):
    rng, kind = np.random.default_rng(0), _registry.registered_model(name).input_kind
    if kind == "tokens":
        return rng.integers(0, 20, (24, *SHAPES[kind])), np.arange(24) % 3
    shape = (16, 16, 1) if name == "lenet" else SHAPES[kind]
    return rng.random((24, *shape), dtype=np.float32), np.arange(24) % 3


@pytest.mark.parametrize("name", longer(list_models(), SLOW))
def test_initial_weights_of_registered_models_equal_a_real_build(name):
    X, y = samples_for(name)
    if name in list_models(task="reconstruction"):
        estimator, of_samples = Autoencoder(**({"model": name} if name != "autoencoder" else {})), "transform"
    else:
        others = {"weights": None, "architecture": "mobilenet_v2"} if name == "backbone" else {}
        accepted = inspect.signature(_registry.registered_model(name).builder).parameters
        others = {argument: value for argument, value in others.items() if argument in accepted}
        if name == "backbone":
            X = np.random.default_rng(0).random((6, 32, 32, 3), dtype=np.float32)
            y = np.arange(6) % 3
        estimator, of_samples = KerasNetClassifier(name, **others), "predict_proba"
    used, built = {}, {}
    for seed in (7, 8):
        used[seed] = clone(estimator).set_params(random_state=seed).initialize(X, y)
        outputs = getattr(used[seed], of_samples)(X)  # weights from an engine
        clear_cache()
        built[seed] = clone(estimator).set_params(random_state=seed).initialize(X, y)
        assert_equal_variables(variables(built[seed].model_), variables(used[seed].model_))
        np.testing.assert_array_equal(getattr(built[seed], of_samples)(X), outputs)


@pytest.mark.parametrize("name", longer(["mlp", "cnn"], ["cnn"]))
def test_initial_weights_for_multiple_seeds_from_one_engine(name):
    X, y = samples_for(name)
    estimators = [KerasNetClassifier(name, random_state=seed).initialize(X, y) for seed in range(2)]
    outputs = [each.predict_proba(X) for each in estimators]
    for seed, (each, from_engine) in enumerate(zip(estimators, outputs, strict=True)):
        clear_cache()
        alone = KerasNetClassifier(name, random_state=seed).initialize(X, y)
        expected = variables(alone.model_)  # accessed first, so that the model is built
        assert_equal_variables(variables(each.model_), expected)
        np.testing.assert_array_equal(from_engine, alone.predict_proba(X))
    assert not np.array_equal(outputs[0], outputs[1])


# slots that start at zero, as in adam
EXHAUSTIVE_OPTIMIZERS = [
    "adam",  # used in the other tests
    "adagrad",  # like "instance"
    "nadam",  # has a variable that starts at a constant, too
    "accumulated gradients", "amsgrad", "momentum", "adamw", "adadelta", "adamax", "rmsprop", "ftrl", "lion", "schedule"
]  # fmt: skip


@pytest.mark.parametrize("name", longer(OPTIMIZERS, EXHAUSTIVE_OPTIMIZERS))
def test_every_optimizer_starts_from_its_initial_state(name, iris):
    assert_reused_code_gives_equal_fits(mlp(**OPTIMIZERS[name]), *iris)


@pytest.mark.parametrize("name", longer(["mlp", "cnn", "gru", "lstm", "conv1d"], ["cnn", "gru", "lstm", "conv1d"]))
def test_dropout_equals_that_of_a_new_model(name):
    X, y = samples_for(name)
    dropout = {
        argument: 0.4
        for argument in inspect.signature(_registry.registered_model(name).builder).parameters
        if "dropout" in argument
    }
    assert dropout
    assert_reused_code_gives_equal_fits(KerasNetClassifier(name, epochs=2, batch_size=8, **dropout), X, y)


def test_augmentation_early_stopping_and_schedules_with_reused_code(digits):
    X, y = (part[:120] for part in digits)
    estimator = KerasNetClassifier(
        "cnn",
        filters=(4,),
        augmentation="shift",
        early_stopping=True,
        n_iter_no_change=1,
        learning_rate_schedule="cosine",
        epochs=3,
    )
    assert_reused_code_gives_equal_fits(estimator, X, y)


def test_reused_code_uses_the_learning_rate_of_the_fit(iris):
    slow, fast, slow_again = (mlp(learning_rate=rate).fit(*iris).predict_proba(iris[0]) for rate in (0.001, 0.1, 0.001))
    np.testing.assert_array_equal(slow, slow_again)
    clear_cache()
    np.testing.assert_array_equal(fast, mlp(learning_rate=0.1).fit(*iris).predict_proba(iris[0]))


def build_plain(input_shape, n_outputs, output_activation, *hidden, name="of_a_test"):
    output = keras.layers.Dense(n_outputs, activation=output_activation, name="output")
    return keras.Sequential([keras.Input(input_shape), *hidden, output], name=name)


def numpy_random_numbers(input_shape=(4,), n_outputs=3, *, output_activation="softmax", name="of_a_test"):
    constant = keras.initializers.Constant(float(np.random.rand()))
    return build_plain(
        input_shape, n_outputs, output_activation, keras.layers.Dense(5, "relu", bias_initializer=constant)
    )


def python_random_numbers(input_shape=(4,), n_outputs=3, *, output_activation="softmax", name="of_a_test"):
    constant = keras.initializers.Constant(random.random())
    return build_plain(
        input_shape, n_outputs, output_activation, keras.layers.Dense(5, "relu", bias_initializer=constant)
    )


def random_dropout_rate(input_shape=(4,), n_outputs=3, *, output_activation="softmax", name="of_a_test"):
    dropout = keras.layers.Dropout(random.choice([0.1, 0.3, 0.5, 0.7]))
    return build_plain(input_shape, n_outputs, output_activation, keras.layers.Dense(16, "relu"), dropout)


def keras_random_numbers(input_shape=(4,), n_outputs=3, *, output_activation="softmax", name="of_a_test"):
    bias = np.asarray(keras.random.uniform((5,)))

    def initialize(shape, dtype=None):
        return keras.ops.convert_to_tensor(bias)

    return build_plain(
        input_shape, n_outputs, output_activation, keras.layers.Dense(5, "relu", bias_initializer=initialize)
    )


def initializer_in_a_closure(input_shape=(4,), n_outputs=3, *, output_activation="softmax", name="of_a_test"):
    inner = keras.initializers.RandomNormal()

    def initialize(shape, dtype=None):
        return 2 * inner(shape, dtype=dtype)

    return build_plain(
        input_shape, n_outputs, output_activation, keras.layers.Dense(5, "relu", kernel_initializer=initialize)
    )


class Doubled(keras.initializers.Initializer):
    """An initializer with a seed that Keras draws, which counts its calls."""

    def __init__(self):
        self.seed = keras.src.random.seed_generator.make_default_seed()
        self.n_calls = 0

    def __call__(self, shape, dtype=None):
        self.n_calls += 1
        return self.n_calls * keras.random.normal(shape, seed=self.seed, dtype=dtype)

    def clone(self):
        return self


def stateful_initializer(input_shape=(4,), n_outputs=3, *, output_activation="softmax", name="of_a_test"):
    shared = Doubled()
    return build_plain(
        input_shape,
        n_outputs,
        output_activation,
        keras.layers.Dense(5, "relu", kernel_initializer=shared),
        keras.layers.Dense(5, "relu", kernel_initializer=shared),
    )


class Noise(keras.layers.Layer):
    """Noise from a seed generator that is part of the layer's state."""

    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.generator = keras.random.SeedGenerator(name="of_noise")
        self.places = keras.random.SeedGenerator(seed=11)

    def build(self, shape):
        self.scale = self.add_weight(shape=shape[1:], initializer="random_uniform", name="scale")
        self.count = self.add_weight(shape=(), initializer="zeros", trainable=False, name="count")

    def call(self, inputs, training=None):
        if not training:
            return inputs * (1 + self.scale)
        self.count.assign_add(1.0)
        noise = keras.random.normal(keras.ops.shape(inputs), seed=self.generator)
        return inputs * (1 + self.scale) + 0.3 * noise * self.count


def custom_seed_generator(input_shape=(4,), n_outputs=3, *, output_activation="softmax", name="of_a_test"):
    return build_plain(input_shape, n_outputs, output_activation, Noise(), keras.layers.Dense(5, "relu"))


FIXED_WEIGHTS = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)


def fixed_weights(input_shape=(4,), n_outputs=3, *, output_activation="softmax", name="of_a_test"):
    model = build_plain(
        input_shape, n_outputs, output_activation, keras.layers.Dense(6, "relu"), keras.layers.BatchNormalization()
    )
    model.layers[0].set_weights([FIXED_WEIGHTS, np.ones(6, np.float32)])
    return model


def initializer_shared_by_two_layers(input_shape=(4,), n_outputs=3, *, output_activation="softmax", name="of_a_test"):
    shared = keras.initializers.GlorotUniform(seed=random.randint(1, 10**6))
    hidden = [keras.layers.Dense(4, "relu", kernel_initializer=shared) for _ in range(2)]
    return build_plain(input_shape, n_outputs, output_activation, *hidden)


def weights_scaled_after_the_build(input_shape=(4,), n_outputs=3, *, output_activation="softmax", name="of_a_test"):
    model = build_plain(input_shape, n_outputs, output_activation, keras.layers.Dense(6, "relu"))
    model.set_weights([2 * weight for weight in model.get_weights()])
    return model


BUILDERS = [
    numpy_random_numbers,
    python_random_numbers,
    random_dropout_rate,
    keras_random_numbers,
    initializer_in_a_closure,
    stateful_initializer,
    custom_seed_generator,
    fixed_weights,
    initializer_shared_by_two_layers,
    weights_scaled_after_the_build,
]


EXHAUSTIVE_BUILDERS = [
    python_random_numbers,
    keras_random_numbers,
    stateful_initializer,
    fixed_weights,
    initializer_shared_by_two_layers,
    weights_scaled_after_the_build,
]


@pytest.mark.parametrize("builder", longer(BUILDERS, EXHAUSTIVE_BUILDERS), ids=lambda builder: builder.__name__)
def test_registered_builders_with_custom_random_numbers(builder, register, iris):
    register(builder)
    # some builders rarely draw different values: the dropout rates for these seeds differ
    seeds = (3, 5) if builder is random_dropout_rate else (3, 4)
    assert_reused_code_gives_equal_fits(KerasNetClassifier("of_a_test", epochs=2, batch_size=50), *iris, seeds)


def test_initializers_as_arguments_keep_their_seeds(register, iris):
    @register
    def build(input_shape=(4,), n_outputs=3, *, initializer="zeros", output_activation="softmax", name="of_a_test"):
        model = build_plain(input_shape, n_outputs, output_activation)
        model.layers[0].kernel.assign(initializer((*input_shape, n_outputs)))
        return model

    def outputs(initializer):
        estimator = KerasNetClassifier("of_a_test", initializer=initializer, epochs=1, random_state=0)
        return estimator.fit(*iris).predict_proba(iris[0])

    first, second = (keras.initializers.RandomNormal(stddev=0.5) for _ in range(2))
    outputs(first)
    reused = outputs(second)
    clear_cache()
    np.testing.assert_array_equal(reused, outputs(second))


@pytest.mark.parametrize("kind", longer(["mutable argument", "numpy argument"], ["mutable argument"]))
def test_arguments_changed_in_place_take_effect(kind, register, iris):
    @register
    def build(input_shape=(4,), n_outputs=3, *, bias=None, output_activation="softmax", name="of_a_test"):
        value = float(np.sum(bias))
        hidden = keras.layers.Dense(5, "relu", bias_initializer=keras.initializers.Constant(value))
        return build_plain(input_shape, n_outputs, output_activation, hidden)

    bias = [0.5] if kind == "mutable argument" else np.array([0.5])

    def fitted():
        return KerasNetClassifier("of_a_test", bias=bias, epochs=1, batch_size=50, random_state=0).fit(*iris)

    before = fitted().predict_proba(iris[0])
    first = fitted()
    bias[0] = 3.0
    second = fitted().predict_proba(iris[0])
    clear_cache()
    np.testing.assert_array_equal(second, fitted().predict_proba(iris[0]))
    assert not np.array_equal(second, before)
    np.testing.assert_array_equal(first.predict_proba(iris[0]), before)


@pytest.fixture
def keras_globals():
    policy, floatx, epsilon = keras.config.dtype_policy(), keras.config.floatx(), keras.config.epsilon()
    image_data_format = keras.config.image_data_format()
    yield
    keras.config.set_floatx(floatx)
    keras.config.set_epsilon(epsilon)
    keras.config.set_image_data_format(image_data_format)
    keras.config.set_dtype_policy(policy)


def set_float64():
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")


GLOBALS = {
    "dtype policy": lambda: keras.config.set_dtype_policy("mixed_bfloat16"),
    "scaled losses": lambda: keras.config.set_dtype_policy("mixed_float16"),
    "floatx": set_float64,
    "epsilon": lambda: keras.config.set_epsilon(0.05),
}


# the code for "floatx" is also compiled under another policy
@pytest.mark.parametrize("name", longer(GLOBALS, ["scaled losses", "floatx"]))
def test_compiled_code_is_not_shared_across_global_settings_of_keras(name, iris, keras_globals):
    estimator = mlp(loss="poisson", learning_rate=0.01)  # uses epsilon
    usual = clone(estimator).fit(*iris)
    outputs = usual.predict_proba(iris[0])
    GLOBALS[name]()
    clone(estimator).set_params(random_state=1).fit(*iris)
    other = clone(estimator).fit(*iris)  # with the code that has just been compiled
    assert other.model_.dtype_policy.name == keras.config.dtype_policy().name
    clear_cache()
    alone = clone(estimator).fit(*iris)
    np.testing.assert_array_equal(other.predict_proba(iris[0]), alone.predict_proba(iris[0]))
    assert not np.array_equal(other.predict_proba(iris[0]), outputs)
    np.testing.assert_array_equal(usual.predict_proba(iris[0]), outputs)  # with these global settings, too


def test_compiled_code_of_partial_fit_under_different_settings_is_not_reused(iris, keras_globals):
    fitted = mlp(loss="poisson").fit(*iris)
    _ = fitted.model_
    clear_cache()
    epsilon = keras.config.epsilon()
    keras.config.set_epsilon(0.5)
    fitted.partial_fit(*iris)
    keras.config.set_epsilon(epsilon)
    after = mlp(loss="poisson").fit(*iris).predict_proba(iris[0])
    clear_cache()
    np.testing.assert_array_equal(after, mlp(loss="poisson").fit(*iris).predict_proba(iris[0]))


@pytest.mark.exhaustive  # the test above compares outputs
@pytest.mark.parametrize("name", ["dtype policy", "scaled losses", "floatx"])
def test_initial_states_under_different_global_settings(name, iris, keras_globals):
    GLOBALS[name]()
    assert_reused_code_gives_equal_fits(mlp(), *iris)


def test_builder_registered_again_replaces_the_old_one(iris):
    cell = """
@register_model("from_two_cells", input_kind="vector", tasks=("classification",))
def build(input_shape=(4,), n_outputs=3, *, units=4, output_activation="softmax", name="from_two_cells"):
    hidden = keras.layers.Dense(units, activation={activation!r}, name="hidden")
    output = keras.layers.Dense(n_outputs, activation=output_activation, name="output")
    return keras.Sequential([keras.Input(input_shape), hidden, output], name=name)
"""

    def run_cell(activation):
        exec(
            cell.format(activation=activation),
            {"register_model": register_model, "keras": keras, "__name__": "__main__"},
        )

    def estimator(seed=0):
        return KerasNetClassifier("from_two_cells", epochs=1, random_state=seed)

    try:
        run_cell("relu")
        before, untouched = estimator().fit(*iris), estimator(1).fit(*iris)
        outputs, others = before.predict_proba(iris[0]), untouched.predict_proba(iris[0])
        run_cell("tanh")
        after = estimator().fit(*iris)
        assert after.model_.get_layer("hidden").activation is keras.activations.tanh
        np.testing.assert_allclose(after.predict_proba(iris[0]), after.model_(iris[0]), rtol=1e-5, atol=1e-6)
        clear_cache()
        np.testing.assert_array_equal(after.predict_proba(iris[0]), estimator().fit(*iris).predict_proba(iris[0]))
        np.testing.assert_array_equal(before.predict_proba(iris[0]), outputs)
        np.testing.assert_array_equal(untouched.predict_proba(iris[0]), others)
        assert before.model_.get_layer("hidden").activation is keras.activations.relu
        before.partial_fit(*iris)
        untouched.partial_fit(*iris)  # model_ has not been built
        assert untouched.model_.get_layer("hidden").activation is keras.activations.relu
    finally:
        _registry._REGISTRY.pop("from_two_cells", None)


def test_xla_gives_close_results_and_is_off_by_default(iris):
    X, y = iris
    estimator = mlp(epochs=3)
    default, off, on = (
        clone(estimator).set_params(**given).fit(X, y)
        for given in ({}, {"compile__jit_compile": False}, {"compile__jit_compile": True})
    )
    np.testing.assert_array_equal(default.predict_proba(X), off.predict_proba(X))
    for plain, by_xla in zip(off.model_.get_weights(), on.model_.get_weights(), strict=True):
        np.testing.assert_allclose(plain, by_xla, atol=1e-5 * max(1, np.abs(plain).max()))
    assert on.model_.jit_compile is True
    after = clone(estimator).fit(X, y)
    np.testing.assert_array_equal(default.predict_proba(X), after.predict_proba(X))


def test_fits_of_a_registered_model_do_not_leak_models(iris):
    X, y = iris

    def live_models():
        return sum(keras.Model in type(each).__mro__ for each in gc.get_objects())

    kept = [mlp(epochs=1, random_state=seed).fit(X, y) for seed in range(2)]
    gc.collect()
    gc.disable()
    try:
        before = live_models()
        for seed in range(2, 6):
            fitted = mlp(epochs=1, random_state=seed).fit(X, y)
            fitted.predict(X[:3])
            if seed % 2:
                kept.append(fitted)
        assert live_models() == before
    finally:
        gc.enable()


def test_deleted_estimator_frees_its_model(iris):
    fitted = mlp(epochs=1).fit(*iris)
    model = weakref.ref(fitted.model_)
    fitted.predict(iris[0])
    del fitted
    gc.collect()
    assert model() is None
