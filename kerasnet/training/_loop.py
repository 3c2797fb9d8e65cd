"""The loop over epochs and batches."""

import contextlib
import math
import re
import time

import keras
import numpy as np
import tensorflow as tf

from kerasnet.errors import DivergenceError
from kerasnet.training._cache import borrowed_engine, looks, remembered_engine
from kerasnet.training._engine import follows_schedule, is_keras
from kerasnet.training._fork import refuse_forked_process
from kerasnet.training._resume import Known, Resumable

_SECONDS_A_CALL = 0.5  # Python sees Ctrl-C between calls
_STEPS_A_CALL = 64
_LARGEST_BATCH = 512
_VALUES_A_BATCH = 2**22
_ROWS_ALIKE = 24  # rows of a product are computed in sixes or eights, by processor; what is left over, by other code
_VALUES_OF_A_SMALL_SAMPLE = 128  # computing 24 of them takes hardly longer than one


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
    validation_batch_size=None,
    callbacks=(),
    verbose=0,
    twin=None,
    recipe=None,
    optimizer_state=None,
    memory=None,
    augmentation=None,
):
    """Train a compiled model, as ``keras.Model.fit`` would, in compiled code that serves the next model too.

    Arrays of dtype uint8 are images: they stay bytes in memory, and each batch is divided by 255 in the graph.

    Parameters
    ----------
    model : keras.Model
        Built and compiled. It is as before when training fails; Ctrl-C keeps what was trained.
    X, y : ndarray of shape (n_samples, ...), or a list of them for several inputs or outputs
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
    validation_batch_size : int, default=None
        The number of validation samples a batch, which some metrics depend on; `batch_size` when None.
    callbacks : sequence of keras.callbacks.Callback, default=()
        Keras callbacks. During training their ``model`` is another one, of the same architecture and in the state
        of the training; afterwards it is `model`. One that acts on batches has training go step by step.
    verbose : {0, 1, 2}, default=0
        As in ``keras.Model.fit``.
    twin : callable, default=None
        Returns another compiled model of the same architecture, which compiled code can be made for and kept. When
        None, the code is for `model` alone.
    recipe : object, default=None
        What `twin` makes its model from: a builder and the builder's arguments. Compiled code is shared between
        models of equal recipes which look alike too.
    optimizer_state : list, default=None
        Keeps the state of the optimizer, as tensors, outside of `model`, whose own optimizer then gives no more than
        the learning rate: empty for a new optimizer, and filled for the next training at the end. When None, the
        state is that of `model.optimizer`.
    memory : EpochMemory, default=None
        Where the states of trainings are kept; epochs that it knows are not trained again.
    augmentation : keras.layers.Layer, default=None
        What images go through in training; bytes are divided by 255 before. What its random layers draw in epoch *e*
        depends on ``(seed, e)`` alone.

    Returns
    -------
    n_known : int
        The number of epochs that were not trained, because `memory` knows them.

    Raises
    ------
    ValueError
        If TensorFlow refuses the targets, such as a class beyond the outputs; or if `memory` cannot tell what the
        training depends on, such as a lambda, or cannot keep what a callback knows.
    DivergenceError
        If the loss becomes NaN or infinite, which ends training at once, or a weight at the end of an epoch.
    """
    arrays = (X, y) if sample_weight is None else (X, y, sample_weight)
    settings = {"the data": arrays, "the validation data": validation_data, "the learning rates": rates}
    settings |= {
        "validation_batch_size": validation_batch_size or batch_size,
        "batch_size": batch_size,
        "the seed": seed,
        "the first epoch": initial_epoch,
    }
    if augmentation is not None:
        settings["the augmentation"] = list(augmentation._flatten_layers())
    refuse_forked_process()
    data = _tensors(arrays)
    if validation_data is not None:
        validation_data = _tensors(validation_data)
    lent = borrowed_engine(model, data, twin, recipe, optimizer_state, augmentation)
    with _rate_kept(model.optimizer), lent as engine:
        run = _Run(engine, data, batch_size, seed, rates, validation_data, validation_batch_size)
        epochs = range(initial_epoch, initial_epoch + epochs)
        callbacks = keras.callbacks.CallbackList(
            list(callbacks),
            add_progbar=verbose != 0,
            model=engine.model,
            verbose=verbose,
            epochs=epochs.stop,
            steps=run.n_steps,
        )
        states = None
        if memory is not None:
            states = Resumable(memory, engine, callbacks.callbacks, settings, len(epochs))
        try:
            return run.epochs(epochs, callbacks, states)
        except tf.errors.InvalidArgumentError as error:
            metric = re.search(r"metric_of_user_(\w+)/", error.message)
            what = f"The metric {metric[1]!r}" if metric else f"The loss, {model.loss!r},"
            raise ValueError(
                f"TensorFlow could not compute a step. {what} must be one for such targets and outputs: one column, or "
                'one-hot rows; only what is called "sparse..." gets class indices. '
                f"TensorFlow says: {error.message}"
            ) from error
        finally:
            _replace(engine.model, model, callbacks.callbacks)


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


def whole(model):
    """Return the model: the part of it that computes its outputs."""
    return model


def predict(model, X, part=whole):
    """Compute a model's outputs in batches, in compiled code.

    Parameters
    ----------
    model : keras.Model
        Built. Its weights are those of now, however they came about.
    X : ndarray of shape (n_samples, ...), or a list of them for several inputs
        Inputs; uint8 is divided by 255, as in :func:`train`.
    part : callable, default=whole
        Takes a model and returns what shall be called with `X`, such as a function that runs some of its layers. Code
        is compiled for each function once.

    Returns
    -------
    outputs : ndarray of shape (n_samples, ...), or a list of them for several outputs
        The outputs of the model, or of its part.
    """
    refuse_forked_process()
    engine, (first, *_) = remembered_engine(model), tf.nest.flatten(X)
    size = _batch_size_without_training(first)
    alike = _ROWS_ALIKE if math.prod(first.shape[1:]) <= _VALUES_OF_A_SMALL_SAMPLE else 2
    size -= size % alike
    outputs = []
    for start in range(0, len(first), size):
        end = min(start + size, len(first))
        missing = (start - end) % alike
        rows = [*range(start, end), *[start] * missing] if missing else slice(start, end)
        batch = tf.nest.map_structure(lambda array, rows=rows: tf.constant(array[rows]), X)
        outputs.append(engine.outputs(model, part, batch))
    return tf.nest.map_structure(lambda *batches: np.concatenate(batches)[: len(first)], *outputs)


class _Run:
    """The epochs of one training."""

    def __init__(self, engine, data, batch_size, seed, rates, validation_data, validation_batch_size):
        self.engine, self.data, self.seed, self.validation_data = engine, data, seed, validation_data
        self.validation_batch_size = validation_batch_size or batch_size
        self.n_samples = len(tf.nest.flatten(data)[0])
        self.batch_size = self.n_samples if batch_size == -1 else batch_size
        self.n_steps = n_batches(self.n_samples, self.batch_size)
        self.rates = None if rates is None else np.reshape(rates, (-1, self.n_steps))
        self.steps_a_call = _STEPS_A_CALL

    def epochs(self, epochs, callbacks, states):
        """Run epochs until they are done or a callback stops them; return how many of them were known."""
        model = self.engine.model
        model.stop_training = False
        before = self._looks_if_watched(callbacks)
        try:
            callbacks.on_train_begin()
            known = Known() if states is None else states.resume(len(epochs))
            logs = known.logs
            for number, epoch in enumerate(epochs):
                if number < known.n_epochs or known.stopped:
                    continue
                model.reset_metrics()
                callbacks.on_epoch_begin(epoch)
                if number == known.n_epochs and self._looks_if_watched(callbacks) != before:
                    self.engine.forget_graphs()  # as Keras, which traces at the first batch
                logs = self.train(epoch, None if self.rates is None else self.rates[number], callbacks)
                self._check_weights(epoch)
                if self.validation_data is not None:
                    logs |= {f"val_{name}": value for name, value in self.evaluate(callbacks).items()}
                callbacks.on_epoch_end(epoch, logs)
                # of a model that a callback has changed, a state would not be all that there is
                if states is not None and self._looks_if_watched(callbacks) == before:
                    reached = Known(number + 1, model.stop_training, logs)
                    states.keep(reached, at_end=model.stop_training or epoch == epochs[-1])
                if model.stop_training:
                    break
        finally:
            self.engine.changed |= self._looks_if_watched(callbacks) != before
        model.optimizer.finalize_variable_values(model.trainable_weights)
        callbacks.on_train_end(logs)
        return known.n_epochs

    def _looks_if_watched(self, callbacks):
        """Return what the model looks like, if there is a callback that might change it."""
        watched = not all(
            is_keras(type(callback)) or getattr(callback, "changes_nothing", False) for callback in callbacks.callbacks
        )
        return (looks(self.engine.model), id(self.engine.model.optimizer)) if watched else None

    def train(self, epoch, rates, callbacks):
        """Run the steps of an epoch; return its logs."""
        model, optimizer = self.engine.model, self.engine.model.optimizer
        order = tf.random.experimental.stateless_shuffle(tf.range(self.n_samples), seed=tf.stack([self.seed, epoch]))
        self.engine.reseed(self.seed, epoch)
        each = _acts_on_batches(callbacks, "train") or model.stop_training
        first, logs = 0, {}
        while first < self.n_steps:
            last = first + 1 if each or not self.engine.loops else min(first + self.steps_a_call, self.n_steps)
            if rates is not None:
                optimizer.learning_rate = rates[first]
            if each:
                callbacks.on_train_batch_begin(first)
            rate = float(optimizer.learning_rate)
            of_steps = np.full(last - first, rate, np.float32) if rates is None or each else rates[first:last]
            started = time.perf_counter()
            n_done, logs = self.engine.train(self.data, order, of_steps, self.batch_size, first, last)
            self._set_pace(time.perf_counter() - started, last - first)
            logs = {name: float(value) if np.ndim(value) == 0 else np.array(value) for name, value in logs.items()}
            if not math.isfinite(logs.get("loss", 0)):
                where = f"at step {first + n_done} of {self.n_steps}"
                raise _diverged(f"the loss is {logs['loss']}", epoch, where, of_steps[n_done - 1])
            if each:
                callbacks.on_train_batch_end(first, logs)
            if model.stop_training:
                break
            first = last
        return logs

    def evaluate(self, callbacks):
        """Evaluate the validation data; return the logs."""
        samples = tf.nest.flatten(self.validation_data)[0]
        batch_size = len(samples) if self.validation_batch_size == -1 else self.validation_batch_size
        n_steps = n_batches(len(samples), batch_size)
        each = _acts_on_batches(callbacks, "test")
        self.engine.model.reset_metrics()
        callbacks.on_test_begin()
        logs, stride = {}, 1 if each or not self.engine.loops else _STEPS_A_CALL
        for first in range(0, n_steps, stride):
            if each:
                callbacks.on_test_batch_begin(first)
            logs = self.engine.evaluate(self.validation_data, batch_size, first, min(first + stride, n_steps))
            if each:
                callbacks.on_test_batch_end(first, logs)
        callbacks.on_test_end(logs)
        return logs

    def _check_weights(self, epoch):
        model = self.engine.model
        if not all(tf.reduce_all(tf.math.is_finite(weight.value)) for weight in model.trainable_weights):
            rate = float(model.optimizer.learning_rate)
            raise _diverged("weights are NaN or infinite", epoch, "after its last step", rate)

    def _set_pace(self, seconds, n_steps):
        """Choose the number of steps of the next call, at most eight times that of this one."""
        self.steps_a_call = max(1, int(n_steps * min(_SECONDS_A_CALL / seconds, 8)))


def _diverged(what, epoch, where, rate):
    return DivergenceError(
        f"Training diverged: {what} in epoch {epoch + 1}, {where}, at a learning rate of {rate:g}. "
        "Try a smaller learning_rate, data scaled to about 1, or optimizer__clipnorm=1.0."
    )


def _replace(model, other, holder, seen=()):
    """Let callbacks refer to another model than that of the engine, also in containers and callbacks that they keep."""
    if any(holder is each for each in seen):
        return
    kept = vars(holder) if isinstance(holder, keras.callbacks.Callback) else holder
    for name, value in list(kept.items() if isinstance(kept, dict) else enumerate(kept)):
        if value is model:
            kept[name] = other
        elif type(value) in (list, dict) or isinstance(value, keras.callbacks.Callback):
            _replace(model, other, value, (*seen, holder))


def _acts_on_batches(callbacks, mode):
    """Tell whether a callback wants to be called before or after each batch."""
    hooks = [f"on_{mode}_batch_begin", f"on_{mode}_batch_end"]
    if mode == "train":
        hooks += ["on_batch_begin", "on_batch_end"]
    return any(
        getattr(getattr(callback, hook), "__func__", None) is not getattr(keras.callbacks.Callback, hook)
        for callback in callbacks.callbacks
        for hook in hooks
        if not _acts_on_epochs_alone(callback)
    )


def _acts_on_epochs_alone(callback):
    """Know Keras' callbacks that have hooks for batches and, as they are set, do nothing there."""
    kind = type(callback)
    return (kind is keras.callbacks.ModelCheckpoint and callback.save_freq == "epoch") or (
        kind is keras.callbacks.ProgbarLogger and callback.verbose == 2
    )


def _batch_size_without_training(samples):
    return max(2, min(_LARGEST_BATCH, _VALUES_A_BATCH // max(1, math.prod(samples.shape[1:]))))


def _tensors(arrays):
    """Return data as tensors; of bytes, only inputs are images."""
    X, *others = arrays
    inputs = tf.nest.flatten(X)

    def constant(array):
        is_input = any(array is each for each in inputs)
        return tf.constant(array if is_input or array.dtype != np.uint8 else array.astype(np.int32))

    return (tf.nest.map_structure(tf.constant, X), *(tf.nest.map_structure(constant, each) for each in others))


@contextlib.contextmanager
def _rate_kept(optimizer):
    """Give an optimizer its learning rate back: callbacks change it, and a later training starts from it."""
    rate = None if follows_schedule(optimizer) else float(optimizer.learning_rate)
    try:
        yield
    finally:
        if rate is not None:
            optimizer.learning_rate = rate
