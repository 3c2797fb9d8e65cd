"""Building Keras models: seeds, names and precision of their own, bounds on size, weights that must not be shared."""

import collections
import contextlib
import math
import random
import threading

import keras
import numpy as np
from keras.src.backend.common import global_state
from keras.src.random import seed_generator

from kerasnet.errors import UnsafeFileError

BUILD_LOCK = threading.RLock()  # a builder may ask for the model_ of another estimator
_GLOBALS = ("object_name_uids", "global_seed_generator")  # of Keras


class BuildRecord:
    """What happened in a build that is needed to repeat its random numbers without building.

    Attributes
    ----------
    seeds : list of int
        The seeds that Keras' initializers and random layers drew, in order.
    initializers : dict of int to (keras.Variable, callable)
        The initializer of each variable, by the id of the variable.
    used_global_generators : bool
        Whether the builder drew from the generators of Python or NumPy itself.
    compiled_by_builder : bool
        Whether the builder compiled its model.
    """

    def __init__(self, seed):
        self.seeds, self.initializers = [], {}
        self.used_global_generators = self.compiled_by_builder = False
        self._thread, self._generator = threading.get_ident(), random.Random(seed)

    def note(self, variable, initializer, shape, dtype):
        """Note that a variable is created."""
        self.initializers[id(variable)] = variable, initializer

    def randint(self, low, high):
        """Draw a seed, as Keras asks Python's ``random`` for it; other threads draw from that."""
        if threading.get_ident() != self._thread:
            return random.randint(low, high)
        self.seeds.append(self._generator.randint(low, high))
        return self.seeds[-1]


def draw_seeds(seed, n_seeds):
    """Return the seeds that a build with another `seed` draws."""
    record = BuildRecord(seed)
    return [record.randint(1, int(1e9)) for _ in range(n_seeds)]  # the range of Keras' make_default_seed


@contextlib.contextmanager
def build_scope(seed, dtype_policy):
    """Seed everything that models are built from, restart Keras' automatic names, and restore both afterwards.

    Keras' initializers and dropout layers draw their seeds from Python's ``random`` when they are created. Here they
    draw from a generator of this thread, because other threads, such as those of a Dask worker, may use the global one
    at any time. A builder may use Python's or NumPy's generator; both are global, hence the lock. Keras numbers layers
    without a name through the whole process: then no two models would have equal configurations, and TensorFlow keeps
    memory for each name that it ever saw.

    Yields
    ------
    record : BuildRecord
        The random numbers that were drawn.
    """
    record = BuildRecord(seed)
    with BUILD_LOCK, _variables_observed(record.note):
        states = random.getstate(), np.random.get_state()
        before = {name: global_state.get_global_attribute(name) for name in _GLOBALS}
        policy, drawn_from = keras.config.dtype_policy(), seed_generator.python_random
        try:
            keras.config.set_dtype_policy(dtype_policy)
            seed_generator.python_random = record
            random.seed(seed)
            np.random.seed(seed)
            global_state.set_global_attribute("object_name_uids", collections.defaultdict(int))
            global_state.set_global_attribute("global_seed_generator", None)  # the next one is seeded by the record
            seeded = _position_of_generators()
            yield record
            record.used_global_generators = _position_of_generators() != seeded
        finally:
            seed_generator.python_random = drawn_from
            random.setstate(states[0])
            np.random.set_state(states[1])
            for name, value in before.items():
                global_state.set_global_attribute(name, value)
            keras.config.set_dtype_policy(policy)


def _position_of_generators():
    _, key, position, *_ = np.random.get_state()
    return random.getstate(), int(key[0]), position


@contextlib.contextmanager
def _variables_observed(observe):
    """Call ``observe(variable, initializer, shape, dtype)`` before this thread creates a Keras variable."""
    original, thread = keras.Variable.__init__, threading.get_ident()

    def initialize(variable, initializer, shape=None, dtype=None, *arguments, **keywords):
        if threading.get_ident() == thread:
            observe(variable, initializer, shape, dtype)
        original(variable, initializer, shape, dtype, *arguments, **keywords)

    with BUILD_LOCK:
        keras.Variable.__init__ = initialize
        try:
            yield
        finally:
            keras.Variable.__init__ = original


def at_most(n_bytes):
    """Return a context in which this thread creates Keras variables of no more than `n_bytes` in all.

    The size of a variable is checked before its memory is allocated.
    """
    left = n_bytes

    def check(variable, initializer, shape, dtype):
        nonlocal left
        if shape is None:
            return  # of an array that there is
        left -= math.prod(shape) * np.dtype(keras.backend.standardize_dtype(dtype)).itemsize
        if left < 0:
            raise UnsafeFileError(
                f"A variable of shape {tuple(shape)} would make the model larger than its weights, for which there are "
                f"{n_bytes} bytes."
            )

    return _variables_observed(check)


def refuse_shared_layers(model, arguments, record):
    """Refuse a model with trainable weights that its builder did not create.

    Parameters
    ----------
    model : keras.Model
        What the builder returned.
    arguments : dict
        What it was given.
    record : BuildRecord
        What it has created.

    Raises
    ------
    ValueError
        If weights that are trained existed before, or belong to a layer among the arguments.
    """
    given = [each for each in keras.tree.flatten(list(arguments.values())) if isinstance(each, keras.layers.Layer)]
    outside = {id(variable) for layer in given for variable in layer.trainable_variables}
    for variable in model.trainable_variables:
        if id(variable) in outside or id(variable) not in record.initializers:
            raise ValueError(
                f"The builder of {model.name!r} takes the weights {variable.path!r} from outside. All its models would "
                "share them, and each fit would change those of the others. Create the layer inside the builder, or "
                "set its trainable = False."
            )
