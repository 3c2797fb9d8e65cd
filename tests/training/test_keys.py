"""Keys are equal exactly for values and models that can share compiled code; other values have no key."""

import functools
import inspect
import pathlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from _longer import longer
from _training import seeded

from kerasnet.estimators._metrics import ClassOutputs, adapt_metrics
from kerasnet.training._keys import NoKeyError, constructor_arguments, key_of, model_key

ONE_OF_EACH = [
    *(None, True, 1, 1.0, 0.0, -0.0, float("nan"), float("inf"), 1j, "1", b"1", (), [], (1,), [1], {1}, frozenset([1])),
    *({1: 1}, {"1": 1}, {1: 1.0}, ..., range(2), slice(2), slice(None, 2, 1), pathlib.PurePosixPath("1")),
    *(np.float32(1), np.float64(1), np.int64(1), np.bool_(True), np.str_("1"), np.dtype("f4"), np.dtype(">f4")),
    *(np.ones(2), np.ones(2, "f4"), np.ones((2, 1)), np.array([1.0, np.nan]), np.array(["a", "b"])),
    *(tf.float32, tf.float64, tf.TensorShape(None), tf.TensorShape([None, 1]), tf.TensorShape([1])),
    *(keras.losses.Huber, keras.losses.mean_squared_error, keras.activations.relu, tf.nn.relu, len),
    *(functools.partial(keras.losses.huber, delta=delta) for delta in (0.1, 0.2)),
    *(keras.losses.Huber(0.1), keras.losses.Huber(0.2), keras.regularizers.L2(0.1), keras.DTypePolicy("float16")),
]


def copy_value(value):
    """Return an equal value that consists of different objects, where Python creates them."""
    if isinstance(value, list | tuple | set | frozenset):
        return type(value)(copy_value(each) for each in value)
    if isinstance(value, dict):
        return {copy_value(name): copy_value(each) for name, each in value.items()}
    if isinstance(value, functools.partial):
        return functools.partial(value.func, **value.keywords)
    if isinstance(value, keras.losses.Huber):
        return keras.losses.Huber(value._fn_kwargs["delta"])
    return value.copy() if isinstance(value, np.ndarray) else float(repr(value)) if type(value) is float else value


def test_equivalent_values_and_only_those_have_equal_keys():
    keys = [key_of(value) for value in ONE_OF_EACH]
    assert len(set(keys)) == len(ONE_OF_EACH)
    assert keys == [key_of(copy_value(value)) for value in ONE_OF_EACH]
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1})


def test_recursive_values_have_keys():
    lists = [[1], [1], [2]]
    for each in lists:
        each.append(each)
    first, second, third = map(key_of, lists)
    assert first == second != third


def user_function(y_true, y_pred):
    return keras.ops.mean(y_pred, axis=-1)


@functools.wraps(keras.losses.mean_squared_error)
def wrapped_loss(y_true, y_pred):
    return 3 * keras.losses.mean_squared_error(y_true, y_pred)


class Steep(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return y_pred


class Numbers(list):
    pass


NO_KEYS = {
    "function": user_function,
    "lambda": lambda: 1,
    "wrapper of a function of Keras": wrapped_loss,
    "partial": functools.partial(user_function, 1),
    "argument": functools.partial(keras.losses.huber, delta=user_function),
    "metric of a function": keras.metrics.MeanMetricWrapper(user_function),
    "class": Steep,
    "loss": Steep(),
    "method": Steep().call,
    "subclass of list": Numbers([1]),
    "tensor": tf.ones(2),
    "variable": tf.Variable(1.0),
    "variable of Keras": keras.Variable(1.0),
    "layer": keras.layers.Dense(1),
    "array of objects": np.array([user_function]),
    "tf.function": tf.function(user_function),
    "custom gradient": tf.custom_gradient(user_function),
    "method of a dict": {}.get,
    "schedule": keras.optimizers.SGD(lambda: 0.1),
    "variables without weight decay": keras.optimizers.AdamW(),
}
NO_KEYS["variables without weight decay"].exclude_from_weight_decay([keras.Variable(1.0)])


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")  # on purpose
@pytest.mark.parametrize("name", NO_KEYS)
def test_user_defined_and_stateful_objects_have_no_key(name):
    with pytest.raises(NoKeyError):
        key_of([{"a": NO_KEYS[name]}])


MODULES = [keras.losses, keras.metrics, keras.optimizers, keras.optimizers.schedules, keras.regularizers]
MODULES += [keras.constraints, keras.initializers, keras.dtype_policies]
CLASSES = {kind for module in MODULES for kind in vars(module).values() if inspect.isclass(kind)}
SCHEDULES = [keras.optimizers.schedules.ExponentialDecay(0.1, 3, rate) for rate in (0.5, 0.6)]
# values to try for parameters; for others, values depend on the type of the default
VALUES = {
    "average": ["micro"],
    "boundaries": [[1, 2], [1, 3]],
    "class_aggregation": ["variance_weighted_average"],
    "curve": ["PR"],
    "default_policy": ["float32", "float16"],
    "distribution": ["uniform"],
    "dtype": ["float64"],
    "exclude_layers": [["a"]],
    "fn": [keras.losses.mean_squared_error, keras.losses.mean_absolute_error],
    "inner_optimizer": [keras.optimizers.SGD(), keras.optimizers.SGD(momentum=0.5)],
    "input_axes": [[0]],
    "label_weights": [[1.0, 2.0]],
    "learning_rate": SCHEDULES,
    "mode": ["columns", "fan_out"],
    "num_classes": [2, 3],
    "name": ["mixed_float16", "float16"],
    "output_axes": [[0]],
    "policy_map": [{"a": keras.DTypePolicy("float16")}],
    "reduction": ["sum"],
    "scaling": ["spectrum"],
    "seed": [7],
    "side": ["imag"],
    "source_name": ["float16", "bfloat16"],
    "summation_method": ["majoring"],
    "target_class_ids": [[0], [1]],
    "thresholds": [[0.3, 0.6]],
    "values": [[1.0, 2.0, 3.0], [1.0, 2.0, 4.0]],
    "window": ["hamming"],
}


MODES = {"AWQ": ["awq/4/-1", "awq/4/8"], "GPTQ": ["gptq/4/-1", "gptq/8/-1"], "Int4": ["int4/-1", "int4/8"]}
MODES |= {"Quantized": ["int8", "int4"], "QuantizedFloat8": ["float8"]}


def candidates(kind, parameter):
    """Return values that differ from the default of a parameter; two for a required parameter."""
    if parameter.name == "mode" and issubclass(kind, keras.DTypePolicy):
        return MODES[kind.__name__.removesuffix("DTypePolicy")]
    if parameter.name in VALUES:
        return VALUES[parameter.name]
    if isinstance(parameter.default, bool):
        return [not parameter.default]
    if parameter.default in (None, parameter.empty):
        return [0.25, 0.5, 2, 3]
    return [parameter.default / 2 if parameter.default else 0.5, parameter.default + 1]


def parameters_of(kind):
    """Return the parameters of a constructor, or of the Keras constructor that it passes all arguments to."""
    constructor = next(vars(base)["__init__"] for base in kind.__mro__ if "__init__" in vars(base))
    parameters = [*inspect.signature(constructor).parameters.values()][1:]
    return [each for each in parameters if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)]


def variants(kind):
    """Yield constructor arguments that differ in one argument each; None for the defaults."""
    parameters = parameters_of(kind)
    base = {each.name: candidates(kind, each)[0] for each in parameters if each.default is each.empty}
    if issubclass(kind, keras.Metric):
        base["name"] = "metric"  # Keras numbers automatic names, which are part of the logs
    yield None, base
    for parameter in parameters:
        required = parameter.default is parameter.empty
        for value in candidates(kind, parameter)[required:]:
            arguments = base | {parameter.name: value}
            arguments |= {"multi_label": True} if parameter.name == "num_labels" else {}
            try:
                kind(**arguments)
            except (TypeError, ValueError):
                continue
            yield parameter.name, arguments
            break
        else:
            assert (kind.__name__, parameter.name) == (
                "QuantizedFloat8DTypePolicy",
                "mode",
            )  # which has only one valid value


SWEPT = sorted(
    (kind for kind in CLASSES if kind.__name__ not in ("OptimizerMap", "MultiOptimizer", "Optimizer")), key=repr
)


@pytest.mark.parametrize("kind", SWEPT, ids=lambda kind: kind.__name__)
def test_each_constructor_argument_of_keras_classes_is_part_of_the_key(kind):
    counted = {key_of(kind(**arguments)) for _, arguments in variants(kind)}
    copy_value = [key_of(kind(**arguments)) for _, arguments in variants(kind)]
    without = {"name"} & {each.name for each in parameters_of(kind)}
    if not issubclass(kind, keras.losses.Loss | keras.optimizers.Optimizer):
        without = set()
    assert set(copy_value) == counted
    assert len(counted) == len(copy_value) - len(without)


def test_automatic_names_and_constant_learning_rates_are_not_part_of_the_key():
    assert keras.losses.Huber(name=None).name != keras.losses.Huber(name=None).name
    assert key_of(keras.losses.Huber(name=None)) == key_of(keras.losses.Huber(name=None))
    assert key_of(keras.optimizers.SGD(0.1)) == key_of(keras.optimizers.SGD(0.2))
    inner = [keras.optimizers.SGD(rate) for rate in (0.1, 0.2)]
    assert len({key_of(keras.optimizers.LossScaleOptimizer(each)) for each in inner}) == 1
    assert constructor_arguments(keras.optimizers.SGD(0.1))["learning_rate"] is None


def test_exclusion_from_weight_decay_is_part_of_the_key():
    def optimizer(*names):
        built_layers = keras.optimizers.AdamW()
        built_layers.exclude_from_weight_decay(var_names=names)
        return built_layers

    assert key_of(optimizer("bias", "gamma")) == key_of(optimizer("gamma", "bias")) != key_of(optimizer("bias"))


def network(*layers, shape=(4,), trainable=True, **compile_settings):
    def build():
        built_layers = [layer() for layer in layers] or [keras.layers.Dense(3, activation="relu")]
        model = keras.Sequential([keras.Input(shape), *built_layers])
        model.trainable = trainable
        model.compile(**{"optimizer": "adam", "loss": "mse", **compile_settings})
        return model

    return lambda: seeded(build)


def functional(function):
    def build():
        inputs = keras.Input((4,))
        model = keras.Model(inputs, function(inputs))
        model.compile("adam", "mse")
        return model

    return lambda: seeded(build)


def dense(**settings):
    return network(lambda: keras.layers.Dense(3, **settings))


def with_shared_kernel(first, second):
    """Build four layers, two of which share a kernel."""

    def build():
        model = network(*[lambda: keras.layers.Dense(4, use_bias=False)] * 4)()
        layer = model.layers[second]
        layer._tracker.unlock()
        layer._trainable_variables.clear()
        layer._kernel = model.layers[first]._kernel
        return model

    return build


def with_changed_model(change):
    def build():
        model = network()()
        change(model)
        return model

    return build


OUTPUTS = ClassOutputs(n_outputs=3, one_label=True, sparse=True, from_logits=False)


def with_metrics(*kinds, **arguments):
    def build():
        metrics = [kind(**arguments) if inspect.isclass(kind) else kind for kind in kinds]
        return network(metrics=adapt_metrics(metrics, OUTPUTS))()

    return build


LAYERS = keras.layers
MUST_SHARE = {
    "sequential": network(),
    "functional": functional(lambda x: LAYERS.Dense(3)(2 * x)[..., 0] + 1),
    "images": network(lambda: LAYERS.Conv2D(2, 3), LAYERS.BatchNormalization, LAYERS.Flatten, shape=(8, 8, 1)),
    "recurrent": network(lambda: LAYERS.Bidirectional(LAYERS.SimpleRNN(3, dropout=0.1)), shape=(3, 2)),
    "attention": functional(lambda x: LAYERS.MultiHeadAttention(1, 2)(*2 * [LAYERS.Reshape((2, 2))(x)])),
    "augmentation": network(lambda: LAYERS.RandomFlip(seed=0), shape=(8, 8, 1)),
    "hashing": network(lambda: LAYERS.Hashing(5), shape=(1,)),
    "regularizers": dense(kernel_regularizer="l2", activity_regularizer="l1", kernel_constraint="max_norm"),
    "nested": network(lambda: keras.Sequential([keras.Input((4,)), LAYERS.Dense(2)])),
    "activations of TensorFlow": dense(activation=tf.nn.silu),
    "metrics": with_metrics("accuracy", keras.metrics.AUC, name="auc"),
    "functions as metrics": with_metrics(keras.metrics.mean_absolute_error),
    "loss": network(loss=keras.losses.Huber(0.1)),
    "learning rate": network(optimizer=keras.optimizers.SGD(0.1)),
    "mixed precision": dense(dtype="mixed_float16"),
    "not compiled": with_changed_model(lambda model: setattr(model, "compiled", False)),
}


@pytest.mark.parametrize("name", MUST_SHARE)
def test_equal_models_have_equal_keys(name):
    first, second = MUST_SHARE[name](), MUST_SHARE[name]()
    key = model_key(first)
    assert key == model_key(second)
    if name == "learning rate":
        second.optimizer.learning_rate = 0.2
        assert key == model_key(second)


TRAINED = ["sequential", "regularizers", "functional", "recurrent"]


@pytest.mark.parametrize("name", longer(TRAINED, ["regularizers", "functional"]))
def test_training_and_prediction_do_not_change_the_key(name):
    model = MUST_SHARE[name]()
    key, X = model_key(model), np.ones((2, *model.input_shape[1:]))
    model.fit(X, np.ones(model.compute_output_shape(X.shape)), verbose=0)
    model.predict(X, verbose=0)
    assert key == model_key(model)


MUST_DIFFER = {
    "units": (dense(), network(lambda: LAYERS.Dense(4))),
    "activation": (dense(activation="relu"), dense(activation="tanh")),
    "functions with the same name": (dense(activation=tf.nn.silu), dense(activation=keras.activations.silu)),
    "regularizer": (dense(kernel_regularizer=keras.regularizers.L2(0.1)), dense(kernel_regularizer="l2")),
    "shape": (network(), network(shape=(5,))),
    "dtype": (dense(dtype="float16"), dense(dtype="float32")),
    "frozen": (network(), network(trainable=False)),
    "constant": (functional(lambda x: 2 * x), functional(lambda x: 3 * x)),
    "order": (functional(lambda x: keras.ops.tanh(2 * x)), functional(lambda x: 2 * keras.ops.tanh(x))),
    "shared weights": (with_shared_kernel(0, 1), with_shared_kernel(0, 2)),
    "argument missing from the configuration": (
        dense(),
        dense(autocast=False),
    ),
    "loss": (network(loss="mse"), network(loss="mae")),
    "argument of a loss": (network(loss=keras.losses.Huber(0.1)), network(loss=keras.losses.Huber(0.2))),
    "optimizer": (network(optimizer="sgd"), network(optimizer="adam")),
    "argument of an optimizer": tuple(
        network(optimizer=keras.optimizers.SGD(momentum=momentum)) for momentum in (0.1, 0.2)
    ),
    "schedule": tuple(network(optimizer=keras.optimizers.SGD(schedule)) for schedule in SCHEDULES),
    "metric": (with_metrics("accuracy"), with_metrics("crossentropy")),
    "argument of a metric": tuple(with_metrics(keras.metrics.TopKCategoricalAccuracy, name="top", k=k) for k in (1, 2)),
    "adapted metric": (
        with_metrics(keras.metrics.AUC, name="auc"),
        network(metrics=[keras.metrics.AUC(name="auc")]),
    ),
    "weighted metrics": (network(metrics=["mae"]), network(weighted_metrics=["mae"])),
    "run_eagerly": (network(), network(run_eagerly=True)),
    "run_eagerly set after compile": (network(), with_changed_model(lambda model: setattr(model, "run_eagerly", True))),
    "XLA": (network(), network(jit_compile=True)),
}


@pytest.mark.parametrize("name", MUST_DIFFER)
def test_different_models_have_different_keys(name):
    first, second = MUST_DIFFER[name]
    assert model_key(first()) != model_key(second())


@pytest.mark.parametrize("setting", ["floatx", "epsilon", "image_data_format"])
def test_global_settings_of_keras_are_part_of_the_key(setting, monkeypatch):
    model = network()()
    key = model_key(model)
    monkeypatch.setattr(keras.config, setting, lambda: {"floatx": "float16", "epsilon": 1e-3}.get(setting, "other"))
    assert model_key(model) != key


class CustomDense(keras.layers.Dense):
    pass


class CustomModel(keras.Sequential):
    pass


class CustomRegularizer(keras.regularizers.Regularizer):
    def __call__(self, x):
        return 0.0

    def get_config(self):
        return {}


class CustomOperation(keras.Operation):
    def call(self, x):
        return 2 * x

    def compute_output_spec(self, x):
        return keras.KerasTensor(x.shape, x.dtype)


def relu(x):
    return 5 * x


def adapted():
    layer = keras.layers.Normalization()
    layer.adapt(np.arange(8.0).reshape(2, 4))
    return layer


def custom_model():
    model = CustomModel([keras.Input((4,)), keras.layers.Dense(3)])
    model.compile("adam", "mse")
    return model


MODELS_WITHOUT_KEY = {
    "custom layer": network(lambda: CustomDense(3)),
    "custom model": custom_model,
    "nested custom layer": network(lambda: LAYERS.TimeDistributed(CustomDense(3)), shape=(3, 2)),
    "Lambda": network(lambda: LAYERS.Lambda(abs)),
    "adapted": network(adapted),
    "lookup": network(lambda: LAYERS.IntegerLookup(vocabulary=[1, 2]), shape=(1,)),
    "function named like a Keras activation": dense(activation=relu),
    "tf.function": dense(activation=tf.function(relu)),
    "activation of recurrent cells": network(lambda: LAYERS.GRU(2, activation=relu), shape=(3, 2)),
    "initializer": dense(kernel_initializer=lambda shape, dtype=None: tf.ones(shape, dtype)),
    "regularizer": dense(kernel_regularizer=CustomRegularizer()),
    "array in an operation": functional(lambda x: x + np.ones(4, "float32")),
    "tensor in an operation": functional(lambda x: x + tf.ones(4)),
    "custom operation": functional(CustomOperation()),
    "function in an operation": functional(lambda x: keras.ops.vectorized_map(relu, x)),
    "array in a layer": with_changed_model(lambda model: setattr(model.layers[0], "table", np.ones(2))),
    "variable in a layer": with_changed_model(lambda model: setattr(model.layers[0], "table", [tf.Variable(1.0)])),
    "method of a layer": with_changed_model(lambda model: setattr(model.layers[0], "call", relu)),
    "method of a model": with_changed_model(lambda model: setattr(model, "train_step", relu)),
    "loss": network(loss=user_function),
    "custom loss": network(loss=Steep()),
    "metric": network(metrics=["mae", user_function]),
    "metric of an output": network(metrics={"dense": [user_function]}),
    "adapted metric": with_metrics(user_function),
    "optimizer": network(optimizer=type("Mine", (keras.optimizers.SGD,), {"__module__": __name__})()),
}


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")  # on purpose
@pytest.mark.parametrize("name", MODELS_WITHOUT_KEY)
def test_models_not_defined_by_their_configuration_have_no_key(name):
    model = MODELS_WITHOUT_KEY[name]()
    with pytest.raises(NoKeyError):
        model_key(model)


def test_names_of_registered_losses_and_metrics_have_no_key():
    with keras.saving.custom_object_scope({"mse": user_function}):
        for settings in ({"loss": "mse"}, {"loss": "mae", "metrics": ["mse"]}):
            model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
            model.compile("adam", **settings)
            with pytest.raises(NoKeyError, match="registered user-defined object"):
                model_key(model)
    model_key(model)
