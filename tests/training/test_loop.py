"""Compare the training loop with single steps of Keras."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from _training import predict, train

from kerasnet.models import build_mlp
from kerasnet.training import n_batches


def make_model(optimizer="sgd"):
    keras.utils.set_random_seed(0)
    model = build_mlp((6,), 3, dense_units=(8,))
    model.compile(optimizer, "sparse_categorical_crossentropy")
    return model


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return rng.random((21, 6), dtype=np.float32), rng.integers(0, 3, 21)


@pytest.mark.parametrize(
    ("batch_size", "weighted"),
    [
        (4, False),
        (7, True),
        (-1, False),
        *(pytest.param(*case, marks=pytest.mark.exhaustive) for case in [(4, True), (7, False), (-1, True)]),
    ],
)
def test_epoch_equals_train_on_batch_over_shuffled_batches(data, batch_size, weighted):
    X, y = data
    weight = np.linspace(0.1, 2, len(X), dtype=np.float32) if weighted else None
    trained, oracle = make_model(), make_model()
    oracle.run_eagerly = True  # the same steps without tracing
    train(trained, X, y, weight, epochs=2, batch_size=batch_size, seed=5)
    size = len(X) if batch_size == -1 else batch_size
    for epoch in range(2):
        order = tf.random.experimental.stateless_shuffle(tf.range(len(X)), seed=[5, epoch]).numpy()
        assert sorted(order) == list(range(len(X)))
        for start in range(0, len(X), size):
            rows = order[start : start + size]
            oracle.train_on_batch(X[rows], y[rows], sample_weight=None if weight is None else weight[rows])
    for a, b in zip(trained.get_weights(), oracle.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_sample_order_depends_only_on_seed_and_epoch(data):
    X, y = data
    whole, halves = make_model(), make_model()
    train(whole, X, y, epochs=4, batch_size=4, seed=1)
    train(halves, X, y, epochs=2, batch_size=4, seed=1)
    train(halves, X, y, epochs=2, batch_size=4, seed=1, initial_epoch=2)
    for a, b in zip(whole.get_weights(), halves.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_different_seeds_give_different_orders(data):
    first, second = make_model(), make_model()
    for seed, model in enumerate((first, second)):
        train(model, *data, epochs=1, batch_size=4, seed=seed)
    assert any((a != b).any() for a, b in zip(first.get_weights(), second.get_weights(), strict=True))


def test_uint8_is_divided_by_255_in_training_and_prediction(data):
    _, y = data
    X = np.random.default_rng(1).integers(0, 256, (21, 6), dtype=np.uint8)
    from_bytes, from_floats = make_model(), make_model()
    train(from_bytes, X, y, epochs=2, batch_size=4, seed=0)
    train(from_floats, (X / 255).astype(np.float32), y, epochs=2, batch_size=4, seed=0)
    for a, b in zip(from_bytes.get_weights(), from_floats.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(predict(from_bytes, X), predict(from_bytes, (X / 255).astype(np.float32)))


class Recorder(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.rates = []

    def on_train_batch_end(self, batch, logs=None):
        self.rates.append(float(self.model.optimizer.learning_rate))


def test_each_step_uses_its_rate_and_the_optimizer_rate_is_restored(data):
    model, recorder = make_model(keras.optimizers.SGD(0.5)), Recorder()
    rates = np.linspace(0.1, 0.4, 6, dtype=np.float32)
    train(model, *data, epochs=2, batch_size=7, seed=0, rates=rates, callbacks=[recorder])
    np.testing.assert_array_equal(recorder.rates, rates)
    assert float(model.optimizer.learning_rate) == 0.5


def test_learning_rate_is_restored_after_an_error(data):
    class Failing(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise RuntimeError("in the middle")

    model = make_model(keras.optimizers.SGD(0.5))
    with pytest.raises(RuntimeError, match="in the middle"):
        train(model, *data, epochs=2, batch_size=7, seed=0, rates=np.full(6, 0.1), callbacks=[Failing()])
    assert float(model.optimizer.learning_rate) == 0.5


def test_learning_rate_schedule_of_the_optimizer_is_used(data):
    model = make_model(keras.optimizers.SGD(keras.optimizers.schedules.ExponentialDecay(0.5, 10, 0.9)))
    train(model, *data, epochs=1, batch_size=7, seed=0)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.5 * 0.9**0.3)


def test_prediction_in_batches_equals_prediction_at_once():
    X = np.random.default_rng(0).random((2500, 6), dtype=np.float32)
    model = make_model()
    np.testing.assert_allclose(predict(model, X), model(X), atol=1e-6)


def test_training_does_not_change_the_random_state_of_tensorflow(data):
    def draw(with_training):
        tf.random.set_seed(3)
        tf.random.uniform(())
        if with_training:
            train(model, *data, epochs=2, batch_size=4, seed=0)
        return float(tf.random.uniform(()))

    model = make_model()
    train(model, *data, epochs=1, batch_size=4, seed=0)  # trace the graph first
    assert draw(with_training=True) == draw(with_training=False)


@pytest.mark.parametrize(("n_samples", "batch_size", "expected"), [(10, 5, 2), (11, 5, 3), (4, 5, 1), (9, -1, 1)])
def test_n_batches(n_samples, batch_size, expected):
    assert n_batches(n_samples, batch_size) == expected
