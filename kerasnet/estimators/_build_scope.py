"""What a model is built in: seeds, names and precision of its own, and bounds."""

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

_BUILD_LOCK = threading.Lock()
_BOUND_LOCK = threading.Lock()
_GLOBALS = ("object_name_uids", "global_seed_generator")  # of Keras


@contextlib.contextmanager
def fresh_start(seed, dtype_policy):
    """Seed what models are built from, start Keras' automatic names again, and give all back as it was.

    Keras' initialisers and dropout layers draw their seeds from Python's ``random`` when they are made. Here they get
    a generator of this thread's own, since other threads, such as those of a Dask worker, draw from the global one at
    any time. A user's builder may ask Python or NumPy. Both are global, hence the lock. Layers without a name of their
    own are numbered through for the whole process: then no two models would look alike to the engine, and TensorFlow
    keeps memory for each name it ever saw.
    """
    with _BUILD_LOCK:
        states = random.getstate(), np.random.get_state()
        before = {name: global_state.get_global_attribute(name) for name in _GLOBALS}
        policy = keras.config.dtype_policy()
        try:
            keras.config.set_dtype_policy(dtype_policy)
            seed_generator.python_random = _OwnOfThread(seed)
            random.seed(seed)
            np.random.seed(seed)
            global_state.set_global_attribute("object_name_uids", collections.defaultdict(int))
            global_state.set_global_attribute("global_seed_generator", None)  # the next one is seeded from here
            yield
        finally:
            seed_generator.python_random = random
            random.setstate(states[0])
            np.random.set_state(states[1])
            for name, value in before.items():
                global_state.set_global_attribute(name, value)
            keras.config.set_dtype_policy(policy)


def refuse_shared_layers(model, arguments):
    """Refuse a model with trainable weights that a builder did not make, but took from outside.

    Parameters
    ----------
    model : keras.Model
        What the builder returned.
    arguments : dict
        What it was given.

    Raises
    ------
    ValueError
        If weights that are trained were part of an earlier model, or of a layer among the arguments.
    """
    given = [each for each in keras.tree.flatten(list(arguments.values())) if isinstance(each, keras.layers.Layer)]
    outside = {id(variable) for layer in given for variable in layer.trainable_variables}
    for variable in model.trainable_variables:
        if id(variable) in outside or vars(variable).get("_kerasnet_built") == id(variable):
            raise ValueError(
                f"The builder of {model.name!r} takes the weights {variable.path!r} from outside. All its models would "
                "share them, and each fit would change those of the others. Create the layer inside the builder, or "
                "set its trainable = False."
            )
        vars(variable)["_kerasnet_built"] = id(variable)


class _OwnOfThread:
    """What Keras draws seeds from: a generator for the thread that made this, Python's global one for all others."""

    def __init__(self, seed):
        self._thread, self._own = threading.get_ident(), random.Random(seed)

    def randint(self, low, high):
        return (self._own if threading.get_ident() == self._thread else random).randint(low, high)


@contextlib.contextmanager
def at_most(n_bytes):
    """Have this thread make Keras variables of no more than `n_bytes` in all; it is asked before memory is."""
    original, thread, left = keras.Variable._initialize_with_initializer, threading.get_ident(), n_bytes

    def initialize(variable, initializer):
        nonlocal left
        if threading.get_ident() == thread:
            left -= math.prod(variable.shape) * np.dtype(variable.dtype).itemsize
            if left < 0:
                raise UnsafeFileError(
                    f"{variable.path!r} of shape {tuple(variable.shape)} would make the model larger than its weights, "
                    f"for which there are {n_bytes} bytes."
                )
        original(variable, initializer)

    with _BOUND_LOCK:
        keras.Variable._initialize_with_initializer = initialize
        try:
            yield
        finally:
            keras.Variable._initialize_with_initializer = original
