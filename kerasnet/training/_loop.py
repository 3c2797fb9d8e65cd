"""The loop over epochs and batches."""

import contextlib
import math

import keras
import numpy as np
import tensorflow as tf

from kerasnet.errors import DivergenceError
from kerasnet.training.schedules import LearningRates

_PREDICT_BATCH = 1024


def train(
    model,
    X,
    y,
    sample_weight=None,
    *,
    epochs,
    batch_size,
    seed,
    rates=None,
    initial_epoch=0,
    validation_data=None,
    callbacks=(),
    verbose=0,
):
    """Train a compiled model.

    Arrays of dtype uint8 are images: they stay bytes in memory, and each batch is divided by 255 in the graph.

    Parameters
    ----------
    model : keras.Model
        Compiled. Its weights change.
    X, y : ndarray of shape (n_samples, ...)
        Inputs and targets.
    sample_weight : ndarray of shape (n_samples,), default=None
        The weight of each sample in the loss.
    epochs : int
        The number of epochs to train.
    batch_size : int
        The number of samples a step; -1 for all samples. The last batch of an epoch may be smaller.
    seed : int
        Decides the order of samples. The order in epoch *e* depends on ``(seed, e)`` alone.
    rates : ndarray of shape (epochs * n_batches,), default=None
        The learning rate of each step; see :func:`learning_rates`. The optimizer's own when None; it is back in
        place at the end.
    initial_epoch : int, default=0
        The number of epochs the model has seen before.
    validation_data : tuple (X, y) or (X, y, sample_weight), default=None
        Evaluated at the end of each epoch.
    callbacks : sequence of keras.callbacks.Callback, default=()
        Keras callbacks.
    verbose : {0, 1, 2}, default=0
        As in ``keras.Model.fit``.

    Raises
    ------
    DivergenceError
        If the loss of an epoch is NaN or infinite.
    """
    last_epoch = initial_epoch + epochs
    weights = () if sample_weight is None else (sample_weight,)
    batches = _shuffled_batches(
        (X, y, *weights), len(X) if batch_size == -1 else batch_size, seed, range(initial_epoch, last_epoch)
    )
    if validation_data is not None:
        validation_data = _batches(validation_data, _PREDICT_BATCH)
    with _rate_kept(model.optimizer):
        model.fit(
            batches,
            steps_per_epoch=n_batches(len(X), batch_size),
            initial_epoch=initial_epoch,
            epochs=last_epoch,
            validation_data=validation_data,
            shuffle=False,  # _shuffled_batches did it
            callbacks=[*([] if rates is None else [LearningRates(rates)]), *callbacks, _DivergenceGuard()],
            verbose=verbose,
        )


def n_batches(n_samples, batch_size):
    """Count the batches of an epoch.

    Parameters
    ----------
    n_samples : int
        The number of samples.
    batch_size : int
        The number of samples a batch; -1 for all samples.

    Returns
    -------
    int
        The last batch, which may be smaller, included.
    """
    return 1 if batch_size == -1 else math.ceil(n_samples / batch_size)


def predict(model, X):
    """Compute a model's outputs in batches.

    Parameters
    ----------
    model : keras.Model
        Built; or a function that computes outputs in the same way.
    X : ndarray of shape (n_samples, ...)
        Inputs; uint8 is divided by 255, as in :func:`train`.

    Returns
    -------
    outputs : ndarray of shape (n_samples, ...)
        The outputs of the model.
    """
    return np.concatenate(
        [
            model(_as_floats(tf.constant(X[start : start + _PREDICT_BATCH])), training=False)
            for start in range(0, len(X), _PREDICT_BATCH)
        ]
    )


class _DivergenceGuard(keras.callbacks.Callback):
    """End a training whose loss is no number any more."""

    def on_epoch_end(self, epoch, logs=None):
        if not math.isfinite(logs["loss"]):
            rate = float(self.model.optimizer.learning_rate)
            raise DivergenceError(
                f"Training diverged: the loss is {logs['loss']} in epoch {epoch + 1}, at a learning rate of {rate:g}. "
                "Try a smaller learning_rate, data scaled to about 1, or optimizer__clipnorm=1.0."
            )


@contextlib.contextmanager
def _rate_kept(optimizer):
    """Give an optimizer its learning rate back: callbacks change it, and a later training starts from it."""
    by_schedule = isinstance(optimizer._learning_rate, keras.optimizers.schedules.LearningRateSchedule)
    rate = None if by_schedule else float(optimizer.learning_rate)
    try:
        yield
    finally:
        if not by_schedule:
            optimizer.learning_rate = rate


def _shuffled_batches(arrays, batch_size, seed, epochs):
    """Return a dataset of all batches of all epochs, each epoch in an order of its own."""
    n_samples = len(arrays[0])

    def order(epoch):
        shuffled = tf.random.experimental.stateless_shuffle(tf.range(n_samples), seed=tf.stack([seed, epoch]))
        return tf.data.Dataset.from_tensor_slices(shuffled).batch(batch_size)

    every_epoch = tf.data.Dataset.range(epochs.start, epochs.stop, output_type=tf.int32)
    return _gather(arrays, every_epoch.flat_map(order))


def _batches(arrays, batch_size):
    return _gather(arrays, tf.data.Dataset.range(len(arrays[0])).batch(batch_size))


def _gather(arrays, batches_of_rows):
    tensors = [tf.constant(array) for array in arrays]

    def take(rows):
        return tuple(_as_floats(tf.gather(tensor, rows)) for tensor in tensors)

    return batches_of_rows.map(take).prefetch(tf.data.AUTOTUNE)


def _as_floats(batch):
    return tf.cast(batch, tf.float32) / 255 if batch.dtype == tf.uint8 else batch
