"""Build Keras models reproducibly, limit their size, and reject models that share weights."""

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

BUILD_LOCK = threading.RLock()  # reentrant, because a builder may access model_ of another estimator
_KERAS_GLOBALS = ("object_name_uids", "global_seed_generator")


class BuildRecord:
    """Record the seeds and initializers of a build, so that initial weights can be computed without a build.

    Parameters
    ----------
    seed : int
        The seed of the build.

    Attributes
    ----------
    seeds : list of int
        The seeds drawn by Keras' initializers and random layers, in order.
    initializers : dict of int to (keras.Variable, callable)
        The initializer of each variable, keyed by the id of the variable.
    used_global_generators : bool
        Whether the builder drew from the global generators of Python or NumPy.
    compiled_by_builder : bool
        Whether the builder compiled its model.
    """

    def __init__(self, seed):
        self.seeds, self.initializers = [], {}
        self.used_global_generators = self.compiled_by_builder = False
        self._thread, self._generator = threading.get_ident(), random.Random(seed)

    def record_initializer(self, variable, initializer, shape, dtype):
        """Record the initializer of a variable."""
        self.initializers[id(variable)] = variable, initializer

    def randint(self, low, high):
        """Draw a seed in place of ``random.randint``, which other threads continue to use."""
        if threading.get_ident() != self._thread:
            return random.randint(low, high)
        self.seeds.append(self._generator.randint(low, high))
        return self.seeds[-1]


def draw_seeds(seed, n_seeds):
    """Return the first `n_seeds` seeds that are drawn in a build with `seed`."""
    record = BuildRecord(seed)
    return [record.randint(1, int(1e9)) for _ in range(n_seeds)]  # the range of Keras' make_default_seed


@contextlib.contextmanager
def build_scope(seed, dtype_policy):
    """Seed all random generators, reset Keras' automatic layer names, and restore both on exit.

    Keras' initializers and dropout layers draw their seeds from Python's ``random`` when they are created. Here they
    draw from a generator of the current thread, because other threads, such as those of a Dask worker, may use the
    global one at any time. A builder may use Python's or NumPy's generator. Both are global, hence the lock.

    Keras numbers unnamed layers across the process. Without a reset, no two models would have equal configurations,
    and TensorFlow would use memory for each new name.

    Parameters
    ----------
    seed : int
        The seed of the build.
    dtype_policy : str
        Keras' dtype policy during the build.

    Yields
    ------
    record : BuildRecord
        The seeds and initializers of the build.
    """
    record = BuildRecord(seed)
    with BUILD_LOCK, _observe_variables(record.record_initializer):
        states = random.getstate(), np.random.get_state()
        before = {name: global_state.get_global_attribute(name) for name in _KERAS_GLOBALS}
        policy, original_random = keras.config.dtype_policy(), seed_generator.python_random
        try:
            keras.config.set_dtype_policy(dtype_policy)
            seed_generator.python_random = record
            random.seed(seed)
            np.random.seed(seed)
            global_state.set_global_attribute("object_name_uids", collections.defaultdict(int))
            global_state.set_global_attribute("global_seed_generator", None)  # Keras seeds a new one from the record
            state_after_seeding = _global_generator_state()
            yield record
            record.used_global_generators = _global_generator_state() != state_after_seeding
        finally:
            seed_generator.python_random = original_random
            random.setstate(states[0])
            np.random.set_state(states[1])
            for name, value in before.items():
                global_state.set_global_attribute(name, value)
            keras.config.set_dtype_policy(policy)


def _global_generator_state():
    _, key, position, *_ = np.random.get_state()
    return random.getstate(), int(key[0]), position


@contextlib.contextmanager
def _observe_variables(observe):
    """Call ``observe(variable, initializer, shape, dtype)`` before each Keras variable created in this thread."""
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


def limit_variable_bytes(n_bytes):
    """Return a context manager that limits the total size of the Keras variables created in this thread.

    The size of a variable is checked before its memory is allocated.

    Parameters
    ----------
    n_bytes : int
        The maximum total size.

    Raises
    ------
    UnsafeFileError
        If a variable would exceed the limit.
    """
    left = n_bytes

    def check(variable, initializer, shape, dtype):
        nonlocal left
        if shape is None:
            return  # the initial value is an existing array
        left -= math.prod(shape) * np.dtype(keras.backend.standardize_dtype(dtype)).itemsize
        if left < 0:
            raise UnsafeFileError(
                f"A variable of shape {tuple(shape)} would exceed the {n_bytes} bytes that the variables of the model "
                "may take."
            )

    return _observe_variables(check)


def reject_shared_weights(model, arguments, record):
    """Raise an error if a model has trainable weights that its builder did not create.

    Parameters
    ----------
    model : keras.Model
        The model that the builder returned.
    arguments : dict
        The arguments of the builder.
    record : BuildRecord
        The record of the build.

    Raises
    ------
    ValueError
        If trainable weights existed before the build, or belong to a layer among the arguments.
    """
    layers = [each for each in keras.tree.flatten(list(arguments.values())) if isinstance(each, keras.layers.Layer)]
    shared = {id(variable) for layer in layers for variable in layer.trainable_variables}
    for variable in model.trainable_variables:
        if id(variable) in shared or id(variable) not in record.initializers:
            raise ValueError(
                f"The builder of {model.name!r} takes the weights {variable.path!r} from outside: they existed before "
                "the model was built. All models of this builder would share them, and each fit would change the "
                "others. Create the layer inside the builder, or set its trainable = False."
            )
