"""Train Keras models with compiled steps; the only test module that uses private functions of kerasnet.training."""

import contextlib

import keras

from kerasnet.training._building import build_scope
from kerasnet.training._loop import Training, replace_model
from kerasnet.training._loop import train as train_engine
from kerasnet.training._network import Network
from kerasnet.training._resume import Checkpoints
from kerasnet.training._variables import write_variables


def seeded(build):
    """Call `build` with fixed seeds and automatic names."""
    with build_scope(0, keras.config.dtype_policy().name):
        return build()


def train(model, X, y, sample_weight=None, *, validation_data=None, memory=None, initial_epoch=0, **settings):
    """Train a compiled model in place, like ``keras.Model.fit``; return the number of restored epochs."""
    model.optimizer.build(model.trainable_variables)
    network = Network(None, model=model, optimizer=[each.value for each in model.optimizer.variables])
    data = (X, y) if sample_weight is None else (X, y, sample_weight)
    training = Training(first_epoch=initial_epoch, **settings)
    if memory is not None:
        training = training._replace(checkpoints=Checkpoints(memory, network.describe))
    interrupted = n_restored = None
    with network.engine() as engine, _callbacks_restored(engine, model, training.callbacks):
        try:
            n_restored = train_engine(engine, data, training, validation_data)
        except KeyboardInterrupt as error:
            interrupted = error
        rate = None if callable(model.optimizer._learning_rate) else float(model.optimizer.learning_rate)
        network = network.after_training(engine)
        write_variables(model.optimizer.variables, network.optimizer)
        if rate is not None:
            model.optimizer.learning_rate = rate
    if interrupted is not None:
        raise interrupted
    return n_restored


@contextlib.contextmanager
def _callbacks_restored(engine, model, callbacks):
    """Replace the engine's model in callbacks with `model` at the end."""
    try:
        yield
    finally:
        replace_model(engine.model, model, list(callbacks))


def predict(model, X, **options):
    """Compute the outputs of a model, or of a part of it, with compiled code."""
    return Network(None, model=model).predict(X, **options)
