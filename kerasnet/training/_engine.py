"""Compiled training, evaluation and prediction steps of a Keras model."""

import contextlib
import functools
import math

import keras
import numpy as np
import tensorflow as tf
from keras.src.backend.common import global_state

from kerasnet.training._initial_state import InitialState
from kerasnet.training._variables import compile_config_of, follows_schedule, read_variables, write_variables
from kerasnet.training.augmentation import make_augmentation, reseed


class Engine:
    """A compiled Keras model with its training, evaluation and prediction steps as TensorFlow graphs.

    Graphs are traced once and used for all models of the same specification. To train a model, its state is copied
    into the engine's model, steps are run, and the state is copied back. For predictions, the weights are arguments of
    the graph. Therefore any number of estimators can share an engine.

    Parameters
    ----------
    model : keras.Model
        A built and compiled model, used by this engine only.
    augmentation : str or keras.layers.Layer, default=None
        The data augmentation of the inputs in training; see :func:`kerasnet.training.make_augmentation`.
    initial : InitialState, default=None
        Computes the initial state of new models, if the model has a specification.
    """

    def __init__(self, model, augmentation=None, initial=None):
        self.model, self.augmentation, self.initial = model, make_augmentation(augmentation), initial
        self.compile_config = compile_config_of(model)
        self.changed = False  # whether a callback has changed the model
        self.batch = None  # one sample of zeros with the shapes and dtypes of the training data
        self.traced_layers = None  # describe_layers of the model when it was traced, if it belongs to a network
        self.unseeded = keras.random.SeedGenerator(0, name="unseeded")  # for random layers without a seed
        self._graphs = {}

    @classmethod
    def from_spec(cls, spec, seed):
        """Build the model of a specification with initial weights for `seed`, and return its engine."""
        model, record = spec.build(seed)
        model.optimizer.build(model.trainable_variables)
        return cls(model, spec.augmentation, InitialState(spec, seed, model, record))

    @functools.cached_property
    def initial_optimizer_state(self):
        """The values of the optimizer's variables before the first step."""
        if self.initial is not None:
            return self.initial.optimizer
        self.model.optimizer.build(self.model.trainable_variables)
        return read_variables(self.model.optimizer.variables)

    @functools.cached_property
    def n_activations(self):
        """The number of values in the largest layer output for one sample, among the layers with a known output."""
        sizes = [1]
        for layer in self.model._flatten_layers():
            with contextlib.suppress(AttributeError, ValueError):  # a subclassed model, or a layer that is called twice
                sizes += [math.prod(size or 1 for size in each.shape[1:]) for each in tf.nest.flatten(layer.output)]
        return max(sizes)

    @property
    def uses_keras_steps(self):
        """Whether the model has Keras' own steps, which can run many per call; custom steps may return any logs."""
        kind = type(self.model)
        return all(map(is_keras, (kind.train_step, kind.test_step, kind.compute_metrics)))

    def clear_graphs(self):
        """Delete all graphs, so that they are traced again after a change of the model."""
        self._graphs.clear()

    def state(self):
        """Return copies of the values of the model's variables and of the optimizer's variables."""
        return read_variables(self.model.variables), read_variables(self.model.optimizer.variables)

    def predict(self, X):
        """Compute the outputs of the model with its current weights."""
        return tf.nest.map_structure(np.asarray, self.outputs(read_variables(self.model.variables), whole_model, X))

    def weights_are_finite(self):
        """Return whether all trainable weights are finite."""
        if "finite" not in self._graphs:
            weights = self.model.trainable_weights
            self._graphs["finite"] = self._compiled(
                lambda: tf.reduce_all([tf.reduce_all(tf.math.is_finite(weight.value)) for weight in weights])
            )
        return bool(self._graphs["finite"]())

    def load(self, variables, optimizer, learning_rate=None):
        """Set the state of the model and of the optimizer.

        The optimizer is reset if `optimizer` does not match its variables, as after a layer was frozen.
        """
        initial = self.initial_optimizer_state
        matches = [value.shape for value in optimizer] == [value.shape for value in initial]
        write_variables(self.model.variables, variables)
        write_variables(self.model.optimizer.variables, optimizer if matches else initial)
        if learning_rate is not None:
            self.model.optimizer.learning_rate = learning_rate

    def train(self, data, order, rates, batch_size, first, last):
        """Run training steps in one call, until the loss becomes NaN or infinite.

        Parameters
        ----------
        data : tuple (X, y) or (X, y, sample_weight) of tensors
            The samples.
        order : tensor of shape (n_samples,), dtype int32
            The sample indices in the order of training.
        rates : ndarray of shape (last - first,), dtype float32
            The learning rate of each step. Ignored if the optimizer has a Keras learning rate schedule.
        batch_size : int
            The number of samples per step. The last step of an epoch may have fewer.
        first, last : int
            The range of steps, excluding `last`.

        Returns
        -------
        n_steps : int
            The number of steps run.
        logs : dict of str to float
            Loss and metrics since the last reset.
        """
        with self._seeded_generator():
            steps = self._get_graph(self._make_training_graph, data)
            n_steps, logs = steps(tf.nest.flatten(data), order, rates, batch_size, first, last)
        return int(n_steps), logs

    def evaluate(self, data, batch_size, first, last):
        """Evaluate the batches from `first` to `last` (excluded); return loss and metrics since the last reset."""
        with self._seeded_generator():
            steps = self._get_graph(self._make_evaluation_graph, data)
            return steps(tf.nest.flatten(data), batch_size, first, last)

    def reseed(self, seed, epoch):
        """Seed the augmentation and the random layers without a seed for an epoch."""
        if self.augmentation is not None:
            reseed(self.augmentation, seed, epoch)
        (drawn,) = np.random.SeedSequence([seed, epoch]).generate_state(1)
        self.unseeded.state.assign(np.array([drawn, 1], np.uint32))

    def outputs(self, values, part, X):
        """Compute the outputs of the model, or of a part of it.

        Parameters
        ----------
        values : list of tensors
            The values used in place of the model's variables.
        part : callable
            A function that takes the model and returns the callable to compute: the model, or some of its layers.
        X : tensor of shape (n_samples, ...), or a list of them
            The samples.

        Returns
        -------
        outputs : tensor of shape (n_samples, ...), or a list of them
            The outputs of the part.
        """
        X = tf.nest.map_structure(tf.constant, X)
        specs = _specs_of(X)
        key = part, tuple(tf.nest.flatten(specs))
        if key not in self._graphs:
            self._graphs[key] = self._make_prediction_graph(part, specs)
        return self._graphs[key](values, X)

    @contextlib.contextmanager
    def _seeded_generator(self):
        """Use the engine's generator for random layers without a seed, in place of Keras' global generator."""
        before = global_state.get_global_attribute(_UNSEEDED)
        global_state.set_global_attribute(_UNSEEDED, self.unseeded)
        try:
            yield
        finally:
            global_state.set_global_attribute(_UNSEEDED, before)

    def _get_graph(self, make, data):
        """Return the graph that `make` builds for the shapes and dtypes of `data`, traced at the first call."""
        specs = _specs_of(data)
        key = make, tuple(tf.nest.flatten(specs))
        if key not in self._graphs:
            self.batch = tf.nest.map_structure(lambda tensor: tf.zeros_like(scale_uint8(tensor[:1])), data)
            self.model._symbolic_build(data_batch=self.batch)
            self._graphs[key] = make(specs)
        return self._graphs[key]

    def _make_training_graph(self, specs):
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

            if not self.uses_keras_steps:
                return 1, step(first)
            end = tf.while_loop(
                lambda number: (number < last) & tf.math.is_finite(model.metrics[0].total),
                lambda number: _after(step(number), number + 1),
                [first],
                parallel_iterations=1,
            )[0]
            return end - first, model.get_metrics_result()

        return self._compiled(steps, tf.nest.flatten(specs), _ORDER, _RATES, *3 * [_NUMBER])

    def _make_evaluation_graph(self, specs):
        model, test_step = self.model, self._one_step(self.model.test_step)

        def steps(flat_data, batch_size, first, last):
            data = tf.nest.pack_sequence_as(specs, flat_data)
            n_samples = tf.shape(flat_data[0])[0]

            def step(number):
                rows = tf.range(number * batch_size, tf.minimum((number + 1) * batch_size, n_samples))
                return test_step(_take(data, rows))

            if not self.uses_keras_steps:
                return step(first)
            tf.while_loop(
                lambda number: number < last,
                lambda number: _after(step(number), number + 1),
                [first],
                parallel_iterations=1,
            )
            return model.get_metrics_result()

        return self._compiled(steps, tf.nest.flatten(specs), *3 * [_NUMBER])

    def _make_prediction_graph(self, part, X_spec):
        model = self.model

        def apply(values, X):
            with (
                keras.StatelessScope(state_mapping=list(zip(model.variables, values, strict=True))),
                self._seeded_generator(),
            ):
                outputs = part(model)(tf.nest.map_structure(scale_uint8, X), training=False)
            return tf.nest.map_structure(_as_float32, outputs)

        return self._compiled(
            apply, [tf.TensorSpec(variable.shape, variable.dtype) for variable in model.variables], X_spec
        )

    def _one_step(self, step):
        """Return a step of the model, compiled by XLA if the model has ``jit_compile=True``."""
        by_xla = compile_config_of(self.model).config["jit_compile"] is True and not self.model.run_eagerly
        return tf.function(step, jit_compile=True, autograph=False) if by_xla else step

    def _compiled(self, function, *signature):
        """Return a function compiled to a graph. It has a tenth of the call overhead of ``tf.function``."""
        if self.model.run_eagerly:  # set by a builder for debugging
            return function
        graph = tf.function(function, input_signature=signature, autograph=False).get_concrete_function()
        dtypes = [output.dtype for output in graph.outputs]

        def call(*arguments):
            arguments = [*tf.nest.flatten(arguments), *graph.captured_inputs]
            outputs = tf.raw_ops.StatefulPartitionedCall(args=arguments, Tout=dtypes, f=graph)
            return tf.nest.pack_sequence_as(graph.structured_outputs, outputs)

        return call


def whole_model(model):
    """Return the model; the default `part` of :meth:`Engine.outputs`."""
    return model


def scale_uint8(batch):
    """Divide uint8 by 255; return other dtypes unchanged."""
    return tf.cast(batch, tf.float32) / _divisor() if batch.dtype == tf.uint8 else batch


def _specs_of(data):
    return tf.nest.map_structure(lambda tensor: tf.TensorSpec([None, *tensor.shape[1:]], tensor.dtype), data)


def _as_float32(outputs):
    """Convert half-precision outputs to float32."""
    return tf.cast(outputs, tf.float32) if outputs.dtype in (tf.float16, tf.bfloat16) else outputs


def is_keras(obj):
    """Return whether a class or a function is defined in Keras."""
    return (obj.__module__ or "").partition(".")[0] == "keras"


_UNSEEDED = "global_seed_generator"  # Keras' name
_ORDER = tf.TensorSpec([None], tf.int32)
_RATES = tf.TensorSpec([None], tf.float32)
_NUMBER = tf.TensorSpec([], tf.int32)


@functools.cache
def _divisor():
    """Return 255 as an eager tensor. Graphs replace division by a constant with a product, which rounds differently."""
    with tf.init_scope():
        return tf.constant(255.0)


def _take(data, rows):
    return tf.nest.map_structure(lambda tensor: scale_uint8(tf.gather(tensor, rows)), data)


def _after(_, value):
    """Return `value`; the first argument is evaluated for its side effects."""
    return [value]
