"""The training loop over epochs and batches."""

import contextlib
import math
import re
import time
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from kerasnet.errors import DivergenceError
from kerasnet.training._engine import is_keras
from kerasnet.training._resume import Checkpoints, TrainingState
from kerasnet.training._rows import RowSource
from kerasnet.training._variables import compile_config_of, describe_layers

_SECONDS_PER_CALL = 0.5  # target duration: Python handles Ctrl-C between calls only
_STEPS_PER_CALL = 64
_SET_BY_KERAS = {"history", "stop_training", "train_function", "test_function", "predict_function"}  # during training


class Training(NamedTuple):
    """The settings of a training.

    Attributes
    ----------
    epochs : int
        The number of epochs.
    batch_size : int
        The number of samples per step; -1 for all samples. The last batch of an epoch may be smaller.
    seed : int
        The seed of the order of samples. The order in epoch *e* depends on ``(seed, e)`` alone.
    rates : ndarray of shape (epochs * n_batches,), default=None
        The learning rate of each step; see :func:`learning_rates`. If None, the optimizer's learning rate is used.
    first_epoch : int, default=0
        The number of epochs that the model was trained for before.
    validation_batch_size : int, default=None
        The number of samples per validation batch, which some metrics depend on. If None, `batch_size` is used.
    callbacks : sequence of keras.callbacks.Callback, default=()
        The callbacks. Their ``model`` is that of the engine during training. If one of them has hooks for batches, each
        call runs one step only.
    verbose : {0, 1, 2}, default=0
        As in ``keras.Model.fit``.
    checkpoints : Checkpoints, default=None
        Stores and restores the state of the training.
    """

    epochs: int
    batch_size: int
    seed: int
    rates: Any = None
    first_epoch: int = 0
    validation_batch_size: int | None = None
    callbacks: Any = ()
    verbose: int = 0
    checkpoints: Checkpoints | None = None


def train(engine, data, training, validation_data=None):
    """Train an engine's model like ``keras.Model.fit``, with many steps per call of compiled code.

    Inputs of dtype uint8 are images: they stay uint8 in memory, and each batch is divided by 255 in the graph.

    Parameters
    ----------
    engine : Engine
        An engine in the state that training starts from.
    data : tuple (X, y) or (X, y, sample_weight)
        Arrays, or lists of arrays for multiple inputs or outputs. The loss of each sample is multiplied by its weight.
    training : Training
        The settings of the training.
    validation_data : tuple (X, y) or (X, y, sample_weight), default=None
        The data that is evaluated at the end of each epoch.

    Returns
    -------
    n_restored : int
        The number of epochs that were restored from a checkpoint.

    Raises
    ------
    ValueError
        If TensorFlow rejects the targets, such as a class index beyond the number of outputs; or if a training with
        checkpoints depends on something that has no cache key, such as a lambda.
    DivergenceError
        If the loss becomes NaN or infinite, which stops training at once; or if a weight is NaN or infinite at the end
        of an epoch.
    """
    run = _TrainingRun(engine, data, training, validation_data)
    callbacks = keras.callbacks.CallbackList(
        list(training.callbacks),
        add_progbar=training.verbose != 0,
        model=engine.model,
        verbose=training.verbose,
        epochs=training.first_epoch + training.epochs,
        steps=run.samples.n_steps,
    )
    if training.checkpoints is not None:
        training.checkpoints.open(engine, callbacks.callbacks, training, data, validation_data)
    try:
        return run.epochs(callbacks)
    except tf.errors.InvalidArgumentError as error:
        metric = re.search(r"metric_of_user_(\w+)/", error.message)
        what = f"The metric {metric[1]!r}" if metric else f"The loss, {engine.model.loss!r},"
        raise ValueError(
            f"TensorFlow could not compute a step. {what} must match the targets and outputs: targets are one column "
            'or one-hot rows, and class indices only for losses and metrics named "sparse...". '
            f"Received from TensorFlow: {error.message}"
        ) from error


class _TrainingRun:
    """The epochs of one training."""

    def __init__(self, engine, data, training, validation_data):
        self.engine, self.training, self.steps_per_call = engine, training, _STEPS_PER_CALL
        self.samples, self.validation_samples = RowSource(data, training.batch_size), None
        if validation_data is not None:
            batch_size = training.validation_batch_size or training.batch_size
            self.validation_samples = RowSource(validation_data, batch_size)
        self.rates = None
        if training.rates is not None:
            self.rates = np.reshape(training.rates, (-1, self.samples.n_steps)).astype(np.float32)

    def epochs(self, callbacks):
        """Run all epochs, or until a callback stops training; return the number of restored epochs."""
        model, n_epochs, checkpoints = self.engine.model, self.training.epochs, self.training.checkpoints
        model.stop_training = False
        attributes = vars(model).keys() | _SET_BY_KERAS
        before = self._describe_if_changeable(callbacks)
        try:
            callbacks.on_train_begin()
            state = TrainingState() if checkpoints is None else checkpoints.restore(n_epochs)
            logs = state.logs
            for number in range(state.n_epochs, 0 if state.stopped else n_epochs):
                epoch = self.training.first_epoch + number
                model.reset_metrics()
                callbacks.on_epoch_begin(epoch)
                if number == state.n_epochs and self._describe_if_changeable(callbacks) != before:
                    self.engine.clear_graphs()  # like Keras, which traces at the first batch
                    self.engine.changed = True
                logs = self.train(epoch, None if self.rates is None else self.rates[number], callbacks)
                self._check_weights(epoch)
                if self.validation_samples is not None:
                    logs |= {f"val_{name}": value for name, value in self.evaluate(callbacks).items()}
                callbacks.on_epoch_end(epoch, logs)
                # a checkpoint would be incomplete for a model that a callback has changed
                if checkpoints is not None and self._describe_if_changeable(callbacks) == before:
                    at_end = model.stop_training or number == n_epochs - 1
                    checkpoints.store(TrainingState(number + 1, model.stop_training, logs), at_end=at_end)
                if model.stop_training:
                    break
        finally:
            changed = self._describe_if_changeable(callbacks) != before or vars(model).keys() - attributes
            self.engine.changed |= bool(changed) or _hold_layers_of(model, callbacks.callbacks)
        model.optimizer.finalize_variable_values(model.trainable_weights)
        callbacks.on_train_end(logs)
        return state.n_epochs

    def _describe_if_changeable(self, callbacks):
        """Describe the model if a callback may change it; return None otherwise."""
        is_changeable = not all(
            is_keras(type(callback)) or getattr(callback, "changes_nothing", False) for callback in callbacks.callbacks
        )
        return _describe_model(self.engine.model) if is_changeable else None

    def train(self, epoch, rates, callbacks):
        """Run the steps of an epoch and return its logs."""
        seed, n_samples = self.training.seed, self.samples.n_samples
        order = tf.random.experimental.stateless_shuffle(tf.range(n_samples), seed=tf.stack([seed, epoch]))
        self.engine.reseed(seed, epoch)
        logs = {}
        with contextlib.closing(self.samples.windows(order)) as windows:
            for first, last, data, order_in_window in windows:
                window_rates = None if rates is None else rates[first:last]
                logs = self._train_window(epoch, first, last, data, order_in_window, window_rates, callbacks)
                if self.engine.model.stop_training:
                    break
        return logs

    def _train_window(self, epoch, start, end, data, order, rates, callbacks):
        """Run the steps from `start` to `end` (excluded) on the samples of a window; return the current logs."""
        model, optimizer = self.engine.model, self.engine.model.optimizer
        per_batch = _has_batch_hooks(callbacks, "train") or model.stop_training
        one_by_one, logs = per_batch or not self.engine.uses_keras_steps, {}
        first, n_steps = 0, end - start
        while first < n_steps:
            last = first + 1 if one_by_one else min(first + self.steps_per_call, n_steps)
            if rates is not None:
                optimizer.learning_rate = rates[first]
            if per_batch:
                callbacks.on_train_batch_begin(start + first)
            rate = float(optimizer.learning_rate)
            step_rates = np.full(last - first, rate, np.float32) if rates is None or per_batch else rates[first:last]
            started = time.perf_counter()
            n_done, logs = self.engine.train(data, order, step_rates, self.samples.batch_size, first, last)
            self._adjust_steps_per_call(time.perf_counter() - started, last - first)
            logs = {name: float(value) if np.ndim(value) == 0 else np.array(value) for name, value in logs.items()}
            if not math.isfinite(logs.get("loss", 0)):
                where = f"at step {start + first + n_done} of {self.samples.n_steps}"
                raise _divergence_error(f"the loss is {logs['loss']}", epoch, where, step_rates[n_done - 1])
            if per_batch:
                callbacks.on_train_batch_end(start + first, logs)
            if model.stop_training:
                break
            first = last
        return logs

    def evaluate(self, callbacks):
        """Evaluate the validation data and return the logs."""
        per_batch = _has_batch_hooks(callbacks, "test")
        stride = 1 if per_batch or not self.engine.uses_keras_steps else _STEPS_PER_CALL
        batch_size = self.validation_samples.batch_size
        self.engine.model.reset_metrics()
        callbacks.on_test_begin()
        logs = {}
        for start, end, data, _ in self.validation_samples.windows():
            for first in range(start, end, stride):
                if per_batch:
                    callbacks.on_test_batch_begin(first)
                last = min(first + stride, end)
                logs = self.engine.evaluate(data, batch_size, first - start, last - start)
                if per_batch:
                    callbacks.on_test_batch_end(first, logs)
        callbacks.on_test_end(logs)
        return logs

    def _check_weights(self, epoch):
        model = self.engine.model
        if not self.engine.weights_are_finite():
            rate = float(model.optimizer.learning_rate)
            raise _divergence_error("weights are NaN or infinite", epoch, "after its last step", rate)

    def _adjust_steps_per_call(self, seconds, n_steps):
        """Set the number of steps of the next call, at most eight times that of the last one."""
        self.steps_per_call = max(1, int(n_steps * min(_SECONDS_PER_CALL / seconds, 8)))


def _divergence_error(what, epoch, where, rate):
    return DivergenceError(
        f"Training diverged: {what} in epoch {epoch + 1}, {where}, at a learning rate of {rate:g}. "
        "Try a smaller learning_rate, data scaled to about 1, or optimizer__clipnorm=1.0."
    )


def replace_model(model, other, holder, seen=()):
    """Replace `model` with `other` in a callback or container, and in the callbacks and containers that it holds."""
    if any(holder is each for each in seen):
        return
    entries = vars(holder) if isinstance(holder, keras.callbacks.Callback) else holder
    for name, value in list(entries.items() if isinstance(entries, dict) else enumerate(entries)):
        if value is model:
            entries[name] = other
        elif type(value) in (list, dict) or isinstance(value, keras.callbacks.Callback):
            replace_model(model, other, value, (*seen, holder))


def _hold_layers_of(model, callbacks):
    """Return whether callbacks hold layers of a model, or another model with some of its layers."""
    of_model = {id(variable) for variable in model.variables}
    held = [value for callback in callbacks for value in vars(callback).values() if value is not model]
    layers = [value for value in held if isinstance(value, keras.layers.Layer)]
    return any(id(variable) in of_model for layer in layers for variable in layer.variables)


def _describe_model(model):
    """Return the settings that compiled code depends on and that a callback may change."""
    optimizer = {name: value for name, value in model.optimizer.get_config().items() if name != "learning_rate"}
    return describe_layers(model), id(compile_config_of(model)), id(model.optimizer), repr(optimizer)


def _has_batch_hooks(callbacks, mode):
    """Return whether a callback must be called before or after each batch."""
    hooks = [f"on_{mode}_batch_begin", f"on_{mode}_batch_end"]
    if mode == "train":
        hooks += ["on_batch_begin", "on_batch_end"]
    return any(
        getattr(getattr(callback, hook), "__func__", None) is not getattr(keras.callbacks.Callback, hook)
        for callback in callbacks.callbacks
        for hook in hooks
        if not _ignores_batches(callback)
    )


def _ignores_batches(callback):
    """Return whether a callback of Keras has hooks for batches that do nothing with its current settings."""
    kind = type(callback)
    return (kind is keras.callbacks.ModelCheckpoint and callback.save_freq == "epoch") or (
        kind is keras.callbacks.ProgbarLogger and callback.verbose == 2
    )
