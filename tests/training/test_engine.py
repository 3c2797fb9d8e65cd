"""Compare the engine with Keras: steps, callbacks and validation; models must not share state."""

import csv
import threading

import keras
import numpy as np
import pytest
import tensorflow as tf
from _longer import longer
from _training import predict, seeded, train
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from kerasnet.errors import DivergenceError
from kerasnet.models import create_model, list_models
from kerasnet.models._registry import registered_model
from kerasnet.training import _engine, _loop, _pool, _predict, clear_cache

SHAPES = {"image": (8, 8, 1), "sequence": (6, 4), "tokens": (6,), "vector": (12,)}


def order(seed, epoch, n_samples):
    return tf.random.experimental.stateless_shuffle(tf.range(n_samples), seed=[seed, epoch]).numpy()


def train_on_batches(model, X, y, weight, batch_size, epochs, seed):
    model.run_eagerly = True  # the same steps without tracing
    for epoch in range(epochs):
        rows = order(seed, epoch, len(X))
        for start in range(0, len(X), batch_size):
            batch = rows[start : start + batch_size]
            labels = {name: values[batch] for name, values in y.items()} if isinstance(y, dict) else y[batch]
            model.train_on_batch(X[batch], labels, sample_weight=None if weight is None else weight[batch])


def assert_same_state(first, second, atol=1e-6):
    ours, theirs = ([*model.variables, *model.optimizer.variables] for model in (first, second))
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine.numpy(), other.numpy(), atol=atol, err_msg=mine.path)


def network(*layers, outputs=3, shape=(12,), optimizer="adam", metrics=("accuracy",)):
    def build():
        model = keras.Sequential([keras.Input(shape), *(layer() for layer in layers)])
        model.add(keras.layers.Dense(outputs, activation="softmax"))
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=[*metrics])
        return model

    return build


def fast_network(*layers):
    """A network whose training steps are compiled fast."""
    return network(*layers, optimizer="sgd", metrics=())


def dense(**arguments):
    return lambda: keras.layers.Dense(8, activation="relu", **arguments)


class CustomLoss(keras.losses.Loss):
    def call(self, y_true, y_pred):
        return keras.ops.mean((keras.ops.one_hot(keras.ops.cast(y_true, "int32"), 3) - y_pred) ** 4, axis=-1)


class MeanConfidence(keras.metrics.Mean):
    def update_state(self, y_true, y_pred, sample_weight=None):
        return super().update_state(keras.ops.max(y_pred, axis=-1), sample_weight)


def two_outputs():
    inputs = keras.Input((12,))
    hidden = keras.layers.Dense(8, activation="relu")(inputs)
    label = keras.layers.Dense(3, activation="softmax", name="label")(hidden)
    number = keras.layers.Dense(1, name="number")(hidden)
    model = keras.Model(inputs, {"label": label, "number": number})
    model.compile(
        "adam",
        {"label": "sparse_categorical_crossentropy", "number": "mse"},
        loss_weights={"label": 1.0, "number": 0.3},
    )
    return model


def custom_loss_and_metric():
    model = network(dense())()
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), CustomLoss(), metrics=["accuracy", MeanConfidence()])
    return model


class CustomTrainStep(keras.Model):
    """A model with a custom training step that returns logs that are not metrics."""

    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(3, activation="softmax")

    def call(self, inputs):
        return self.dense(inputs)

    def train_step(self, data):
        X, y, _ = keras.utils.unpack_x_y_sample_weight(data)
        with tf.GradientTape() as tape:
            loss = keras.ops.mean(keras.losses.sparse_categorical_crossentropy(y, self(X, training=True)))
        self.optimizer.apply(tape.gradient(loss, self.trainable_weights), self.trainable_weights)
        return {"loss": loss, "twice": 2 * loss}


def custom_train_step():
    model = CustomTrainStep()
    model(np.zeros((1, 12)))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return model


recurrent = {"shape": (6, 2)}
CASES = {
    "dropout": network(dense(), lambda: keras.layers.Dropout(0.5)),
    # no bias: its gradient is 0 except for rounding errors, which Adam would amplify
    "batch normalization": network(dense(use_bias=False), keras.layers.BatchNormalization),
    "noise": network(lambda: keras.layers.GaussianNoise(0.3), dense()),
    "regularizers": network(dense(kernel_regularizer=keras.regularizers.L1L2(0.01, 0.01))),
    "recurrent dropout": network(lambda: keras.layers.LSTM(5, dropout=0.3, recurrent_dropout=0.2), **recurrent),
    "simple recurrent": network(lambda: keras.layers.SimpleRNN(5, dropout=0.3, recurrent_dropout=0.2), **recurrent),
    "gru": network(lambda: keras.layers.GRU(5), **recurrent),
    "two outputs": two_outputs,
    "custom loss and metric": custom_loss_and_metric,
    "custom training step": custom_train_step,
}
OPTIMIZERS = {
    "adam": lambda: keras.optimizers.Adam(0.01, amsgrad=True),
    "sgd": lambda: keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
    "adagrad": lambda: keras.optimizers.Adagrad(0.05),
    "rmsprop": lambda: keras.optimizers.RMSprop(0.01, centered=True),
    "nadam": lambda: keras.optimizers.Nadam(0.01),
    "moving average": lambda: keras.optimizers.SGD(0.05, use_ema=True, ema_overwrite_frequency=2),
    "accumulation": lambda: keras.optimizers.SGD(0.05, gradient_accumulation_steps=2),
    "clipping": lambda: keras.optimizers.SGD(0.5, clipnorm=0.1, weight_decay=0.01),
    "schedule": lambda: keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5)),
}


def samples(shape=(12,), n_samples=21):
    rng = np.random.default_rng(0)
    return rng.random((n_samples, *shape), dtype=np.float32), rng.integers(0, 3, n_samples)


AUTOENCODERS = list_models(task="reconstruction")


SMALL = {  # networks for small images, or with fewer layers: see DEEP
    "cnn": {"filters": (4,), "dense_units": (8,)},
    "inception_time": {"depth": 2, "filters": 4},
    "lenet": {"kernel_size": 3, "pool_size": 1},
    "resnet1d": {"filters": (8,)},
}


def build_registered(name):
    def build():
        outputs = {} if name in AUTOENCODERS else {"n_outputs": 3}
        shape = SHAPES[registered_model(name).input_kind]
        model = create_model(name, input_shape=shape, **outputs, **SMALL.get(name, {}))
        model.compile(
            "adam", "mse" if name in AUTOENCODERS else "sparse_categorical_crossentropy", metrics=["accuracy"]
        )
        return model

    return build


# Adam normalizes small gradients, so that rounding errors grow with the number of layers: to 4e-6 in the residual
# network, 1e-5 in attention (the gradient of key biases is rounding only), and too far with the 155 of a backbone.
DEEP = {"attention": 5e-5, "resnet_small": 5e-5, "lenet": 5e-5, "conv_autoencoder": 5e-5}
WEIGHTED = ["cnn", "simple_rnn", "dropout", "regularizers", "custom loss and metric"]


LONGER = [*(name for name in list_models() if name not in ("cnn", "lstm", "backbone"))]


def check_epochs(name, build, weighted=False):
    ours, oracle = seeded(build), seeded(build)
    X, y = samples((12,) if name == "custom training step" else oracle.input_shape[1:])
    X = (50 * X).astype(np.int32) if name == "text_cnn" else X
    y = {**dict.fromkeys(AUTOENCODERS, X), "two outputs": {"label": y, "number": X[:, :1]}}.get(name, y)
    weight = np.linspace(0, 2, len(X), dtype=np.float32) if weighted else None
    train(ours, X, y, weight, epochs=2, batch_size=8, seed=3)
    train_on_batches(oracle, X, y, weight, 8, 2, 3)
    assert_same_state(ours, oracle, DEEP.get(name, 1e-6))


@pytest.mark.parametrize("name", longer([name for name in list_models() if name != "backbone"], [*LONGER, "lstm"]))
def test_epochs_of_registered_models_equal_train_on_batch(name):
    check_epochs(name, build_registered(name))


EXHAUSTIVE_CASES = [
    *("noise", "gru", "recurrent dropout"),  # like "dropout" and "simple recurrent"
    *("regularizers", "custom loss and metric"),  # in the next test, with sample weights
]


@pytest.mark.parametrize("name", longer(CASES, EXHAUSTIVE_CASES))
def test_epochs_equal_train_on_batch(name):
    check_epochs(name, CASES[name])


@pytest.mark.parametrize("name", longer(WEIGHTED, ["cnn", "simple_rnn", "dropout"]))
def test_weighted_epochs_equal_train_on_batch(name):
    check_epochs(name, CASES.get(name) or build_registered(name), weighted=True)


# Adam, and SGD with momentum, train in the tests above.
EXHAUSTIVE_OPTIMIZERS = ["adam", "sgd", "adagrad", "rmsprop", "nadam", "moving average", "clipping"]


@pytest.mark.parametrize("name", longer(OPTIMIZERS, EXHAUSTIVE_OPTIMIZERS))
def test_every_optimizer_equals_train_on_batch(name):
    def build():
        model = network(dense())()
        model.compile(OPTIMIZERS[name](), "sparse_categorical_crossentropy")
        return model

    X, y = samples()
    ours, oracle = seeded(build), seeded(build)
    train(ours, X, y, epochs=2, batch_size=8, seed=3)
    train_on_batches(oracle, X, y, None, 8, 2, 3)
    oracle.optimizer.finalize_variable_values(oracle.trainable_weights)
    assert_same_state(ours, oracle)


def build_small():
    return network(dense(), lambda: keras.layers.Dropout(0.2))()


def through_keras(model, X, y, callbacks, epochs=4, batch_size=8, seed=3, validation_data=None):
    """Train with ``keras.Model.fit``, with the samples in the order of the engine."""
    model.run_eagerly = True
    batches = [
        order(seed, epoch, len(X))[start : start + batch_size] for epoch in range(epochs) for start in range(0, 21, 8)
    ]
    dataset = tf.data.Dataset.from_generator(
        lambda: ((X[rows], y[rows]) for rows in batches),
        output_signature=(tf.TensorSpec((None, 12)), tf.TensorSpec((None,), tf.int64)),
    )
    model.fit(
        dataset,
        epochs=epochs,
        steps_per_epoch=3,
        callbacks=callbacks,
        verbose=0,
        validation_data=validation_data,
        validation_batch_size=batch_size,
        shuffle=False,
    )


class Recorder(keras.callbacks.Callback):
    """Record every call."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def _note(self, hook, number=None, logs=None):
        rate = round(float(self.model.optimizer.learning_rate), 6)
        self.calls.append((hook, number, rate, {name: round(value, 5) for name, value in (logs or {}).items()}))


for _hook in ("epoch_begin", "epoch_end", "train_batch_begin", "train_batch_end", "test_batch_begin", "test_batch_end"):
    setattr(Recorder, f"on_{_hook}", lambda self, number, logs=None, hook=_hook: self._note(hook, number, logs))
for _hook in ("train_begin", "train_end", "test_begin", "test_end"):
    setattr(Recorder, f"on_{_hook}", lambda self, logs=None, hook=_hook: self._note(hook, None, logs))


class SetLearningRate(keras.callbacks.Callback):
    def on_train_batch_begin(self, batch, logs=None):
        self.model.optimizer.learning_rate = 0.01 / (batch + 1)


class StopInEpoch(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        self.model.stop_training = batch == 1


CALLBACKS = {
    "early stopping": lambda folder: keras.callbacks.EarlyStopping(
        monitor="val_loss", mode="max", patience=1, restore_best_weights=True
    ),
    "checkpoint": lambda folder: keras.callbacks.ModelCheckpoint(folder / "{epoch}.weights.h5", save_weights_only=True),
    "checkpoint by batch": lambda folder: keras.callbacks.ModelCheckpoint(
        folder / "{epoch}-{batch}.weights.h5", save_weights_only=True, save_freq=2
    ),
    "rate by epoch": lambda folder: keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5),
    "plateau": lambda folder: keras.callbacks.ReduceLROnPlateau(monitor="loss", mode="max", patience=1, factor=0.1),
    "csv": lambda folder: keras.callbacks.CSVLogger(folder / "log.csv"),
    "lambda": lambda folder: keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: None),
    "rate by batch": lambda folder: SetLearningRate(),
    "stop in an epoch": lambda folder: StopInEpoch(),
}


@pytest.mark.parametrize(
    "name", longer(CALLBACKS, ["checkpoint by batch", "plateau", "csv", "lambda", "rate by batch"])
)
def test_callbacks_behave_as_in_keras(name, tmp_path):
    X, y = samples()
    ours, oracle = seeded(build_small), seeded(build_small)
    histories, folders = [], []
    for model, run in ((ours, "engine"), (oracle, "keras")):
        folder = tmp_path / run
        folder.mkdir()
        folders.append(folder)
        recorder, history = Recorder(), keras.callbacks.History()
        callbacks = [CALLBACKS[name](folder), recorder, history]
        if model is ours:
            train(
                *(model, X, y),
                epochs=4,
                batch_size=8,
                seed=3,
                callbacks=callbacks,
                validation_data=(X, y),
            )
        else:
            through_keras(model, X, y, callbacks, validation_data=(X, y))
        histories.append((history.history, recorder.calls, callbacks))
    (ours_history, ours_calls, ours_callbacks), (keras_history, keras_calls, _) = histories
    assert list(ours_history) == list(keras_history)
    for key, values in keras_history.items():
        np.testing.assert_allclose(ours_history[key], values, rtol=1e-4, atol=1e-6, err_msg=key)
    assert [call[:3] for call in ours_calls] == [call[:3] for call in keras_calls]
    for mine, theirs in zip(ours_calls, keras_calls, strict=True):
        assert mine[3] == pytest.approx(theirs[3], abs=1e-4)
    for mine, theirs in zip(ours.weights, oracle.weights, strict=True):
        np.testing.assert_allclose(mine.numpy(), theirs.numpy(), atol=1e-6)
    ours_files, keras_files = (sorted(path.name for path in folder.iterdir()) for folder in folders)
    assert ours_files == keras_files
    for file in ours_files:
        if file.endswith(".weights.h5"):
            ours.load_weights(folders[0] / file)
            oracle.load_weights(folders[1] / file)
            for mine, theirs in zip(ours.weights, oracle.weights, strict=True):
                np.testing.assert_allclose(mine.numpy(), theirs.numpy(), atol=1e-6)
        else:
            rows = [list(csv.DictReader((folder / file).read_text().splitlines())) for folder in folders]
            assert [row["epoch"] for row in rows[0]] == [row["epoch"] for row in rows[1]]
    assert all(callback.model is ours for callback in ours_callbacks)


def test_tensorboard_writes_the_same_records_as_in_keras(tmp_path):
    X, y = samples()
    scalars = []
    for train_function in (train, through_keras):
        folder, model = tmp_path / train_function.__name__, seeded(build_small)
        board = keras.callbacks.TensorBoard(folder, histogram_freq=1, write_graph=False, update_freq=2)
        train_function(model, X, y, epochs=3, batch_size=8, seed=3, callbacks=[board], validation_data=(X, y))
        found = {}
        for part in ("train", "validation"):
            events = EventAccumulator(str(folder / part)).Reload()
            for tag in events.Tags()["tensors"]:
                found[part, tag] = [(each.step, tf.make_ndarray(each.tensor_proto)) for each in events.Tensors(tag)]
        scalars.append(found)
    ours, theirs = scalars
    assert ours.keys() == theirs.keys()
    assert ("train", "epoch_loss") in ours
    assert ("train", "batch_loss") in ours
    for tag, records in theirs.items():
        assert [step for step, _ in ours[tag]] == [step for step, _ in records], tag
        for (_, mine), (_, other) in zip(ours[tag], records, strict=True):
            np.testing.assert_allclose(mine, other, atol=1e-5, err_msg=str(tag))


def test_an_epoch_is_one_call_without_batch_hooks(monkeypatch):
    calls = []
    original = _engine.Engine.train
    monkeypatch.setattr(_engine.Engine, "train", lambda self, *a: calls.append(a[-2:]) or original(self, *a))
    monkeypatch.setattr(_loop, "_SECONDS_PER_CALL", 60)  # also on a slow machine
    X, y = samples()
    model = seeded(build_small)
    train(model, X, y, epochs=3, batch_size=8, seed=0)
    assert calls == [(0, 3)] * 3
    del calls[:]
    train(model, X, y, epochs=1, batch_size=8, seed=0, callbacks=[SetLearningRate()])
    assert calls == [(0, 1), (1, 2), (2, 3)]


@pytest.fixture
def traced_units(monkeypatch, no_compiled_code):
    """A list to which an entry is added whenever training steps of a network with a dense layer are compiled."""
    calls, original = [], keras.layers.Dense.call

    def call(self, inputs, training=None):
        if not isinstance(inputs, keras.KerasTensor) and training and self.activation is keras.activations.relu:
            calls.append(self.units)
        return original(self, inputs)

    monkeypatch.setattr(keras.layers.Dense, "call", call)
    return calls


def test_no_retracing_for_different_rates_batch_sizes_samples_or_weights(traced_units):
    X, y = samples()
    for n_samples, batch_size, rates in (
        (21, 8, None),
        (21, 4, None),
        (16, -1, np.full(2, 0.1)),
        (10, 3, np.full(8, 0.3)),
    ):
        for seed in range(2):
            model = seeded(build_small)
            model.set_weights([weight + seed for weight in model.get_weights()])
            model.optimizer.learning_rate = 0.1 * (seed + 1)
            train(model, X[:n_samples], y[:n_samples], epochs=2, batch_size=batch_size, seed=seed, rates=rates)
            assert traced_units == [8]


def test_run_eagerly_runs_python_in_each_step():
    calls = []

    class Watched(keras.layers.Dense):
        def call(self, inputs, training=None):
            calls.append(tf.executing_eagerly() and training)
            return super().call(inputs)

    def build(eagerly):
        model = network(lambda: Watched(8))()
        model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=eagerly)
        return model

    X, y = samples()
    eager, compiled = seeded(lambda: build(True)), seeded(lambda: build(False))
    del calls[:]
    train(eager, X, y, epochs=2, batch_size=8, seed=0)
    assert calls.count(True) == 6
    train(compiled, X, y, epochs=2, batch_size=8, seed=0)
    assert calls.count(True) == 6
    assert_same_state(eager, compiled)
    np.testing.assert_allclose(predict(eager, X), predict(compiled, X), atol=1e-6)


def test_stopping_at_the_start_of_an_epoch_runs_one_step_as_in_keras():
    X, y = samples()
    stop = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: setattr(stop.model, "stop_training", epoch == 1)
    )
    for train_function in (train, through_keras):
        model, history = seeded(build_small), keras.callbacks.History()
        train_function(model, X, y, epochs=4, batch_size=8, seed=3, callbacks=[stop, history])
        assert len(history.history["loss"]) == 2
        assert int(model.optimizer.iterations) == 4


def test_multiple_inputs_as_a_list():
    def build():
        inputs = [keras.Input((12,)), keras.Input((12,))]
        outputs = keras.layers.Dense(3, activation="softmax")(keras.layers.Add()(inputs))
        model = keras.Model(inputs, outputs)
        model.compile("sgd", "sparse_categorical_crossentropy")
        return model

    X, y = samples()
    ours, oracle = seeded(build), seeded(build)
    train(ours, [X, 2 * X], y, epochs=1, batch_size=-1, seed=0)
    oracle.train_on_batch([X, 2 * X], y)
    assert_same_state(ours, oracle)


def test_models_with_the_same_architecture_do_not_share_weights():
    X, y = samples()
    kept = seeded(build_small)
    train(kept, X, y, epochs=2, batch_size=8, seed=0)
    weights, outputs = kept.get_weights(), predict(kept, X)
    other = build_small()
    train(other, X, y, epochs=2, batch_size=8, seed=1)
    assert not np.array_equal(predict(other, X), outputs)
    np.testing.assert_array_equal(predict(kept, X), outputs)
    for before, after in zip(weights, kept.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    kept.set_weights(other.get_weights())
    np.testing.assert_array_equal(predict(kept, X), predict(other, X))


def test_training_in_threads_equals_sequential_training():
    X, y = samples()
    models = [seeded(build_small) for _ in range(6)]

    def run(model, seed):
        train(model, X, y, epochs=5, batch_size=4, seed=seed)

    for seed, model in enumerate(models[:3]):
        run(model, seed)
    threads = [threading.Thread(target=run, args=(model, seed)) for seed, model in enumerate(models[3:])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for serial, threaded in zip(models[:3], models[3:], strict=True):
        assert_same_state(serial, threaded)


def test_nested_training_is_independent():
    X, y = samples()
    inner, outer, alone = (seeded(build_small) for _ in range(3))

    class Nested(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 0:
                train(inner, X, y, epochs=1, batch_size=8, seed=9)

    train(outer, X, y, epochs=2, batch_size=8, seed=0, callbacks=[Nested()])
    train(alone, X, y, epochs=2, batch_size=8, seed=0)
    assert_same_state(outer, alone)


class Scale(keras.layers.Layer):
    """A layer with a factor that is not part of its configuration."""

    def __init__(self, factor=1.0, **arguments):
        super().__init__(**arguments)
        self.factor = factor

    def call(self, inputs):
        return inputs * self.factor

    def get_config(self):
        return super().get_config()


class ScaleByFirst(Scale):
    def call(self, inputs):
        return inputs * self.factor[0]


class HiddenVariable(keras.layers.Layer):
    """A layer with a variable that Keras does not track."""

    def __init__(self, value):
        super().__init__()
        self.secrets = [tf.Variable(value)]

    def call(self, inputs):
        return inputs * self.secrets[0]


class Steep(keras.losses.Loss):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def call(self, y_true, y_pred):
        return self.factor * keras.losses.sparse_categorical_crossentropy(y_true, y_pred)


def with_loss(factor):
    def build():
        model = network(dense())()
        model.compile("sgd", Steep(factor))
        return model

    return build


def with_huber(delta):
    def build():
        model = keras.Sequential([keras.Input((12,)), keras.layers.Dense(1)])
        model.compile("sgd", keras.losses.Huber(delta))  # its configuration does not include delta
        return model

    return build


PAIRS = {
    "configuration left out": (fast_network(lambda: Scale(1.0)), fast_network(lambda: Scale(3.0))),
    "list left out of it": (fast_network(lambda: ScaleByFirst([1.0])), fast_network(lambda: ScaleByFirst([3.0]))),
    "untracked variable": (fast_network(lambda: HiddenVariable(1.0)), fast_network(lambda: HiddenVariable(3.0))),
    "activation": (fast_network(dense()), fast_network(lambda: keras.layers.Dense(8, activation="tanh"))),
    "loss": (with_loss(1.0), with_loss(5.0)),
    "a loss of Keras": (with_huber(0.01), with_huber(1.0)),
}


@pytest.mark.parametrize("name", longer(PAIRS, ["configuration left out", "activation", "loss"]))
def test_different_models_do_not_share_compiled_code(name):
    first, second = PAIRS[name]
    X, y = samples()
    for build in (first, second, first):
        model, oracle = seeded(build), seeded(build)
        train(model, X, y, epochs=1, batch_size=8, seed=0)
        train_on_batches(oracle, X, y, None, 8, 1, 0)
        assert_same_state(model, oracle)
        np.testing.assert_allclose(predict(model, X), oracle(X), atol=1e-6)


def test_trainable_flags_set_by_the_user_are_respected():
    X, y = samples()
    model, oracle = seeded(build_small), seeded(build_small)
    for each in (model, oracle):
        each.layers[0].trainable = False
    train(model, X, y, epochs=2, batch_size=8, seed=0)
    train_on_batches(oracle, X, y, None, 8, 2, 0)
    assert_same_state(model, oracle)


@pytest.mark.parametrize("shared", [True, False])
def test_failed_or_diverged_training_restores_the_model(shared):
    X, y = samples()
    # the code of the network with a scale is never shared; the expected network has the same outputs
    same = build_small if shared else fast_network(dense())
    model = seeded(build_small if shared else fast_network(dense(), lambda: Scale(1.0)))
    expected = seeded(same)
    for each in (model, expected):
        train(each, X, y, epochs=1, batch_size=8, seed=0)

    def fail(epoch, logs):
        raise RuntimeError("on purpose")

    failing = keras.callbacks.LambdaCallback(on_epoch_end=fail)
    with pytest.raises(RuntimeError, match="on purpose"):
        train(model, X, y, epochs=2, batch_size=8, seed=0, callbacks=[failing])
    assert_same_state(model, expected, atol=0)
    with pytest.raises(DivergenceError, match=r"the loss is (nan|inf) in epoch 1, at step [12] of 3"):
        train(model, X * 1e38, y, epochs=2, batch_size=8, seed=0)
    assert_same_state(model, expected, atol=0)
    train(model, X, y, epochs=1, batch_size=8, seed=0, initial_epoch=1)
    train(expected, X, y, epochs=1, batch_size=8, seed=0, initial_epoch=1)
    assert_same_state(model, expected)


def test_infinite_weights_raise_divergence_error():
    def build():
        model = keras.Sequential([keras.Input((12,)), keras.layers.Dense(8), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(1e38), "mse")
        return model

    X, _ = samples()
    with pytest.raises(DivergenceError, match="weights are NaN or infinite in epoch 1, after its last step"):
        train(build(), X, X[:, :1] * 100, epochs=1, batch_size=-1, seed=0)


def test_divergence_is_detected_within_the_epoch():
    X, y = samples(n_samples=400)
    X[100:] = np.inf
    steps = []
    model = seeded(network(outputs=3))
    original = _engine.Engine.train

    def watched(self, *arguments):
        n_steps, logs = original(self, *arguments)
        steps.append(n_steps)
        return n_steps, logs

    with pytest.MonkeyPatch.context() as patch, pytest.raises(DivergenceError, match=r"at step \d of 100"):
        patch.setattr(_engine.Engine, "train", watched)
        train(model, X, y, epochs=2, batch_size=4, seed=0)
    assert steps[0] < 10


def test_engine_pool_is_bounded_and_clear_cache_empties_it(traced_units, monkeypatch):
    monkeypatch.setattr(_pool, "_MAX_ENGINES", 2)
    X, y = samples()

    def train_network_of(units):
        build = fast_network(lambda: keras.layers.Dense(units, activation="relu"))
        train(seeded(build), X, y, epochs=1, batch_size=8, seed=0)

    for units in (3, 4, 5, 4, 5):
        train_network_of(units)
    assert traced_units == [3, 4, 5]
    train_network_of(3)
    train_network_of(5)
    assert traced_units == [3, 4, 5, 3]
    clear_cache()
    train_network_of(5)
    assert traced_units == [3, 4, 5, 3, 5]


def test_predictions_do_not_depend_on_the_batch_size():
    model = seeded(build_small)
    X = np.random.default_rng(0).random((1100, 12), dtype=np.float32)
    expected = model.predict(X, verbose=0)
    for n_samples in (1, 2, 511, 512, 513, 1100):
        np.testing.assert_allclose(predict(model, X[:n_samples]), expected[:n_samples], atol=1e-6)


@pytest.mark.parametrize(
    ("n_samples", "largest"),
    [
        (3, 512),
        (8, 512),
        (61, 50),  # two batches
        *(pytest.param(*case, marks=pytest.mark.exhaustive) for case in [(3, 50), (8, 50), (61, 512)]),
    ],
)
def test_prediction_does_not_depend_on_the_position_of_the_sample(n_samples, largest, monkeypatch):
    monkeypatch.setattr(_predict, "_MAX_VALUES_PER_BATCH", largest * 12)
    model = seeded(build_small)
    rng = np.random.default_rng(0)
    X = rng.random((n_samples, 12), dtype=np.float32)
    expected = predict(model, X)
    assert expected.shape == (n_samples, *model.output_shape[1:])
    np.testing.assert_allclose(expected, model(X), atol=1e-6)
    for order in [rng.permutation(n_samples) for _ in range(4)]:
        np.testing.assert_array_equal(predict(model, X[order]), expected[order])
    rows = range(0, n_samples, 1 + n_samples // 10)
    alone = np.concatenate([predict(model, X[[row]]) for row in rows])
    np.testing.assert_allclose(alone, expected[rows], atol=1e-7)


@pytest.mark.parametrize(
    ("n_values", "n_samples", "sizes"),
    [(12, 1, [24]), (12, 601, [624]), (200, 1, [2]), (200, 25, [26]), (200, 601, [602])],
)
def test_batches_of_large_samples_are_padded_less(n_values, n_samples, sizes):
    model = keras.Sequential([keras.Input((n_values,)), keras.layers.Dense(1)])

    def size_of_batch(_):
        return lambda X, training: tf.repeat(tf.shape(X)[0], tf.shape(X)[0])

    found = predict(model, np.ones((n_samples, n_values), np.float32), part=size_of_batch)
    np.testing.assert_array_equal(found, np.repeat(sizes, sizes)[:n_samples])
