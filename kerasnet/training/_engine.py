"""Compiled steps: a Keras model and the graphs that train, evaluate and apply it."""

import contextlib
import functools
import math

import keras
import numpy as np
import tensorflow as tf
from keras.src.backend.common import global_state

from kerasnet.training._initial_state import InitialState
from kerasnet.training._variables import compiled_as, follows_schedule, read, write
from kerasnet.training.augmentation import make_augmentation, reseed


class Engine:
    """A compiled Keras model with its steps as graphs, traced once and used for every model of the same specification.

    To train a model, its state is written into the engine's model, steps are run, and the state is read back. For
    predictions the weights are arguments of the graph. So any number of estimators share an engine.

    Parameters
    ----------
    model : keras.Model
        Built and compiled. It belongs to the engine.
    augmentation : str or keras.layers.Layer, default=None
        What inputs go through in training; see :func:`kerasnet.training.make_augmentation`.
    initial : InitialState, default=None
        The states that a new model would have, where there is a specification of it.
    """

    def __init__(self, model, augmentation=None, initial=None):
        self.model, self.augmentation, self.initial = model, make_augmentation(augmentation), initial
        self.compiled_as = compiled_as(model)
        self.changed = False  # by a callback
        self.batch = None  # a batch of zeros like those that were trained on
        self.traced_for = None  # trainable flags, of an engine for a model of somebody else
        self.unseeded = keras.random.SeedGenerator(0, name="unseeded")  # for layers that draw without a seed
        self._graphs = {}

    @classmethod
    def of(cls, spec, seed):
        """Build the model of a specification and return its engine, in the state of a new model with this seed."""
        model, record = spec.build(seed)
        model.optimizer.build(model.trainable_variables)
        return cls(model, spec.augmentation, InitialState(spec, seed, model, record))

    @functools.cached_property
    def new_optimizer(self):
        """The state of the model's optimizer before its first step."""
        if self.initial is not None:
            return self.initial.optimizer
        self.model.optimizer.build(self.model.trainable_variables)
        return read(self.model.optimizer.variables)

    @functools.cached_property
    def n_activations(self):
        """The size of the largest output of a layer for one sample, where layers tell it."""
        sizes = [1]
        for layer in self.model._flatten_layers():
            with contextlib.suppress(AttributeError, ValueError):  # a subclassed model, or a layer that is used twice
                sizes += [math.prod(size or 1 for size in each.shape[1:]) for each in tf.nest.flatten(layer.output)]
        return max(sizes)

    @property
    def steps_are_keras_own(self):
        """Whether many steps fit into one call: not for a model with steps of its own, whose logs may be anything."""
        kind = type(self.model)
        return all(map(is_keras, (kind.train_step, kind.test_step, kind.compute_metrics)))

    def forget_graphs(self):
        """Trace all graphs again, because the model has changed."""
        self._graphs.clear()

    def state(self):
        """Return copies of the values of all variables of the model, and of its optimizer."""
        return read(self.model.variables), read(self.model.optimizer.variables)

    def predict(self, X):
        """Compute the outputs of the model for some samples, with its weights as they are."""
        return tf.nest.map_structure(np.asarray, self.outputs(read(self.model.variables), whole, X))

    def weights_are_finite(self):
        """Tell whether no trained weight is NaN or infinite."""
        if "finite" not in self._graphs:
            weights = self.model.trainable_weights
            self._graphs["finite"] = self._compiled(
                lambda: tf.reduce_all([tf.reduce_all(tf.math.is_finite(weight.value)) for weight in weights])
            )
        return bool(self._graphs["finite"]())

    def load(self, variables, optimizer, learning_rate=None):
        """Bring model and optimizer into a state; an optimizer of other variables becomes a new one."""
        new = self.new_optimizer
        fits = [value.shape for value in optimizer] == [value.shape for value in new]  # not after a layer was frozen
        write(self.model.variables, variables)
        write(self.model.optimizer.variables, optimizer if fits else new)
        if learning_rate is not None:
            self.model.optimizer.learning_rate = learning_rate

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
            The number of samples in a step; the last step of an epoch may have fewer.
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
        """Seed random layers without a seed, and those of the augmentation, for an epoch."""
        if self.augmentation is not None:
            reseed(self.augmentation, seed, epoch)
        (drawn,) = np.random.SeedSequence([seed, epoch]).generate_state(1)
        self.unseeded.state.assign(np.array([drawn, 1], np.uint32))

    def outputs(self, values, part, X):
        """Compute the outputs of a part of the model, or of all of it.

        Parameters
        ----------
        values : list of tensors
            Used in place of the model's variables.
        part : callable
            Takes the model and returns what is called: the model, or some of its layers.
        X : tensor of shape (n_samples, ...), or a list of them
            Samples.

        Returns
        -------
        outputs : tensor of shape (n_samples, ...), or a list of them
            The outputs of the part.
        """
        X = tf.nest.map_structure(tf.constant, X)
        specs = _specs_of(X)
        key = part, tuple(tf.nest.flatten(specs))
        if key not in self._graphs:
            self._graphs[key] = self._application(part, specs)
        return self._graphs[key](values, X)

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
        specs = _specs_of(data)
        key = make, tuple(tf.nest.flatten(specs))
        if key not in self._graphs:
            self.batch = tf.nest.map_structure(lambda tensor: tf.zeros_like(as_floats(tensor[:1])), data)
            self.model._symbolic_build(data_batch=self.batch)
            self._graphs[key] = make(specs)
        return self._graphs[key]

    def _training(self, specs):
        model = self.model
        sets_rate, train_step = not follows_schedule(model.optimizer), self._one_step(model.train_step)

        def steps(flat_data, order, rates, batch_size, first, last):
            data = tf.nest.pack_sequence_as(specs, flat_data)

            def step(number):
                if sets_rate:
                    model.optimizer.learning_rate = rates[number - first]
                X, *others = _take(data, order[number * batch_size : (number + 1) * batch_size])
                if self.augmentation is not None:
                    X = self.augmentation(X, training=True)
                return train_step((X, *others))

            if not self.steps_are_keras_own:
                return 1, step(first)
            end = tf.while_loop(
                lambda number: (number < last) & tf.math.is_finite(model.metrics[0].total),
                lambda number: _after(step(number), number + 1),
                [first],
                parallel_iterations=1,
            )[0]
            return end - first, model.get_metrics_result()

        return self._compiled(steps, tf.nest.flatten(specs), _ORDER, _RATES, *3 * [_NUMBER])

    def _evaluation(self, specs):
        model, test_step = self.model, self._one_step(self.model.test_step)

        def steps(flat_data, batch_size, first, last):
            data = tf.nest.pack_sequence_as(specs, flat_data)
            n_samples = tf.shape(flat_data[0])[0]

            def step(number):
                rows = tf.range(number * batch_size, tf.minimum((number + 1) * batch_size, n_samples))
                return test_step(_take(data, rows))

            if not self.steps_are_keras_own:
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
            with keras.StatelessScope(state_mapping=list(zip(model.variables, values, strict=True))), self._drawing():
                outputs = part(model)(tf.nest.map_structure(as_floats, X), training=False)
            return tf.nest.map_structure(_in_full_precision, outputs)

        return self._compiled(
            apply, [tf.TensorSpec(variable.shape, variable.dtype) for variable in model.variables], X_spec
        )

    def _one_step(self, step):
        """Return a step of the model, compiled by XLA where ``jit_compile=True`` asks for it."""
        by_xla = compiled_as(self.model).config["jit_compile"] is True and not self.model.run_eagerly
        return tf.function(step, jit_compile=True, autograph=False) if by_xla else step

    def _compiled(self, function, *signature):
        """Return a function as a graph; a call of it takes a tenth of the time that a call of ``tf.function`` takes."""
        if self.model.run_eagerly:  # a builder asked for it, to debug
            return function
        graph = tf.function(function, input_signature=signature, autograph=False).get_concrete_function()
        dtypes = [output.dtype for output in graph.outputs]

        def call(*arguments):
            arguments = [*tf.nest.flatten(arguments), *graph.captured_inputs]
            outputs = tf.raw_ops.StatefulPartitionedCall(args=arguments, Tout=dtypes, f=graph)
            return tf.nest.pack_sequence_as(graph.structured_outputs, outputs)

        return call


def whole(model):
    """Return the model: the part of it that computes its outputs."""
    return model


def as_floats(batch):
    """Divide bytes by 255; return anything else as it is."""
    return tf.cast(batch, tf.float32) / _divisor() if batch.dtype == tf.uint8 else batch


def _specs_of(data):
    return tf.nest.map_structure(lambda tensor: tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype), data)


def _in_full_precision(outputs):
    """Return outputs of a policy of half precision as float32."""
    return tf.cast(outputs, tf.float32) if outputs.dtype in (tf.float16, tf.bfloat16) else outputs


def is_keras(thing):
    """Tell whether a class or a function is Keras' own."""
    return (thing.__module__ or "").partition(".")[0] == "keras"


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
