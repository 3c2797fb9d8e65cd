"""Compiled steps: a private model and the graphs that train, evaluate and apply it."""

import contextlib
import functools

import keras
import numpy as np
import tensorflow as tf
from keras.src.backend.common import global_state

from kerasnet.training.augmentation import reseed


class Engine:
    """A model with its steps as graphs, traced once and used for every model of the same architecture.

    A further model is trained by writing its state into the engine's, running steps, and reading that back. What it
    computes is asked for with its own variables in place of the engine's. So any number of models share an engine.

    Parameters
    ----------
    model : keras.Model
        Compiled, if it shall be trained. It belongs to the engine.
    augmentation : keras.layers.Layer, default=None
        What inputs go through in training. It belongs to the engine, too.
    """

    def __init__(self, model, augmentation=None):
        self.model, self.augmentation = model, augmentation
        self.new_optimizer = []  # the state of an optimizer that has done nothing yet
        self.changed = False  # whether a callback made another model of it
        self.description = None  # of the model, for its states to be found again
        self.unseeded = keras.random.SeedGenerator(0, name="unseeded")  # what layers draw from that have no seed
        self._graphs = {}

    def forget_graphs(self):
        """Have everything traced anew, because the model has changed."""
        self.changed = True
        self._graphs.clear()

    def describe(self, description):
        """Note what the model is and reads; trace anew if that is not what there was when it was traced."""
        if self.description != description:
            self._graphs.clear()
        self.description = description

    @property
    def loops(self):
        """Whether many steps fit into a call: not when the model has steps of its own, whose logs may be anything."""
        kind = type(self.model)
        return all(map(is_keras, (kind.train_step, kind.test_step, kind.compute_metrics)))

    def train(self, data, order, rates, batch_size, first, last):
        """Run some steps of an epoch, or fewer when the loss becomes NaN or infinite.

        Parameters
        ----------
        data : tuple (X, y) or (X, y, sample_weight) of tensors
            All samples.
        order : tensor of shape (n_samples,), dtype int32
            The order in which the epoch visits them.
        rates : ndarray of shape (last - first,), dtype float32
            The learning rate of each step; without effect when the optimizer follows a schedule of its own.
        batch_size : int
            The number of samples a step; the last step of an epoch may have fewer.
        first, last : int
            The steps to run, without `last`.

        Returns
        -------
        n_steps : int
            The number of steps run.
        logs : dict of str to float
            Loss and metrics since they were reset.
        """
        with self._drawing():
            steps = self._graph(self._training, data)
            n_steps, logs = steps(tf.nest.flatten(data), order, rates, batch_size, first, last)
        return int(n_steps), logs

    def evaluate(self, data, batch_size, first, last):
        """Evaluate some batches, in their order; return loss and metrics since they were reset."""
        with self._drawing():
            return self._graph(self._evaluation, data)(tf.nest.flatten(data), batch_size, first, last)

    def reseed(self, seed, epoch):
        """Let random layers without a seed, and those of the augmentation, draw what belongs to an epoch."""
        if self.augmentation is not None:
            reseed(self.augmentation, seed, epoch)
        (drawn,) = np.random.SeedSequence([seed, epoch]).generate_state(1)
        self.unseeded.state.assign(np.array([drawn, 1], np.uint32))

    def outputs(self, model, part, X):
        """Compute what a part of `model`, or the whole of it, gives for samples.

        Parameters
        ----------
        model : keras.Model
            Of the engine's architecture; its variables are used.
        part : callable
            Takes the model and returns what shall be called: the model, or some of its layers.
        X : tensor of shape (n_samples, ...), or a list of them
            Samples.

        Returns
        -------
        outputs : tensor of shape (n_samples, ...), or a list of them
            What the part gives.
        """
        specs = tf.nest.map_structure(lambda tensor: tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype), X)
        key = part, tuple(tf.nest.flatten(specs))
        if key not in self._graphs:
            self._graphs[key] = self._application(part, specs)
        with self._drawing():
            return self._graphs[key]([variable.value for variable in model.variables], X)

    @contextlib.contextmanager
    def _drawing(self):
        """Let ``keras.random`` draw without a seed from the engine's generator, in place of the process' own."""
        before = global_state.get_global_attribute(_UNSEEDED)
        global_state.set_global_attribute(_UNSEEDED, self.unseeded)
        try:
            yield
        finally:
            global_state.set_global_attribute(_UNSEEDED, before)

    def _graph(self, make, data):
        specs = tf.nest.map_structure(lambda tensor: tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype), data)
        key = make, tuple(tf.nest.flatten(specs))
        if key not in self._graphs:
            self.model._symbolic_build(data_batch=tf.nest.map_structure(lambda tensor: as_floats(tensor[:1]), data))
            self._graphs[key] = make(specs)
        return self._graphs[key]

    def _training(self, specs):
        model = self.model
        sets_rate = not follows_schedule(model.optimizer)

        def steps(flat_data, order, rates, batch_size, first, last):
            data = tf.nest.pack_sequence_as(specs, flat_data)

            def step(number):
                if sets_rate:
                    model.optimizer.learning_rate = rates[number - first]
                X, *others = _take(data, order[number * batch_size : (number + 1) * batch_size])
                if self.augmentation is not None:
                    X = self.augmentation(X, training=True)
                return model.train_step((X, *others))

            if not self.loops:
                return 1, step(first)
            end = tf.while_loop(
                lambda number: (number < last) & tf.math.is_finite(model._loss_tracker.total),
                lambda number: _after(step(number), number + 1),
                [first],
                parallel_iterations=1,
            )[0]
            return end - first, model.get_metrics_result()

        return self._compiled(steps, tf.nest.flatten(specs), _ORDER, _RATES, *3 * [_NUMBER])

    def _evaluation(self, specs):
        model = self.model

        def steps(flat_data, batch_size, first, last):
            data = tf.nest.pack_sequence_as(specs, flat_data)
            n_samples = tf.shape(flat_data[0])[0]

            def step(number):
                rows = tf.range(number * batch_size, tf.minimum((number + 1) * batch_size, n_samples))
                return model.test_step(_take(data, rows))

            if not self.loops:
                return step(first)
            tf.while_loop(
                lambda number: number < last,
                lambda number: _after(step(number), number + 1),
                [first],
                parallel_iterations=1,
            )
            return model.get_metrics_result()

        return self._compiled(steps, tf.nest.flatten(specs), *3 * [_NUMBER])

    def _application(self, part, X_spec):
        model = self.model

        def apply(values, X):
            with keras.StatelessScope(state_mapping=list(zip(model.variables, values, strict=True))):
                outputs = part(model)(tf.nest.map_structure(as_floats, X), training=False)
            return tf.nest.map_structure(_in_full_precision, outputs)

        return self._compiled(
            apply, [tf.TensorSpec(variable.shape, variable.dtype) for variable in model.variables], X_spec
        )

    def _compiled(self, function, *signature):
        if self.model.run_eagerly:  # a builder asked for it, to look inside
            return function
        graph = tf.function(function, input_signature=signature, autograph=False)
        graph._omit_frequent_tracing_warning = True  # one for each architecture is meant
        return graph


def as_floats(batch):
    """Divide bytes by 255; return anything else as it is."""
    return tf.cast(batch, tf.float32) / _divisor() if batch.dtype == tf.uint8 else batch


def _in_full_precision(outputs):
    """Return outputs of a policy of half precision as float32."""
    return tf.cast(outputs, tf.float32) if outputs.dtype in (tf.float16, tf.bfloat16) else outputs


def read(variables):
    """Return the values of Keras variables."""
    return [variable.value.read_value() for variable in variables]


def write(variables, values):
    """Give Keras variables values that were read from others like them."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def is_keras(thing):
    """Tell whether a class or a function comes with Keras."""
    return (thing.__module__ or "").partition(".")[0] == "keras"


def follows_schedule(optimizer):
    """Tell whether an optimizer computes its learning rate itself, so that nobody can set it."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)  # of one that scales losses, for mixed precision
    return isinstance(inner._learning_rate, keras.optimizers.schedules.LearningRateSchedule)


_UNSEEDED = "global_seed_generator"  # Keras' name
_ORDER = tf.TensorSpec([None], tf.int32)
_RATES = tf.TensorSpec([None], tf.float32)
_NUMBER = tf.TensorSpec([], tf.int32)


@functools.cache
def _divisor():
    """Return 255 as an eager tensor: of a constant, graphs make a product with 1/255, which rounds otherwise."""
    with tf.init_scope():
        return tf.constant(255.0)


def _take(data, rows):
    return tf.nest.map_structure(lambda tensor: as_floats(tf.gather(tensor, rows)), data)


def _after(_, value):
    """Return `value`; the first argument is evaluated for what it does to variables."""
    return [value]
