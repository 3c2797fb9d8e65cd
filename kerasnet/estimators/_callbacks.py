"""Keras' callbacks, a copy for each fit, and those of scikit-learn."""

import copy
import types

import keras

from kerasnet.estimators._scikeras import route_params, unflatten_params

CALLBACKS = ("callbacks", "fit__callbacks")  # parameters


def fresh_callbacks(callbacks, parameters):
    """Make the Keras callbacks of one fit.

    Parameters
    ----------
    callbacks : class or instance of keras.callbacks.Callback, list or dict of them, or None
        As a user gave them. Of instances shallow copies are made: fits do not share the numbers that a callback keeps,
        and what it refers to, such as a list or a file, stays the user's.
    parameters : dict
        All parameters of the estimator; those named ``callbacks__<name>`` are for callbacks given as classes.

    Returns
    -------
    callbacks : list of keras.callbacks.Callback
        New ones.
    """
    routed = route_params(parameters, destination="callbacks", pass_filter=set())
    given = [] if callbacks is None else copy_callbacks(callbacks)
    made = _flat(unflatten_params(items=given, params=routed))
    if strange := [callback for callback in made if not isinstance(callback, keras.callbacks.Callback)]:
        raise TypeError(f"callbacks must be Keras callbacks, as instances or classes. Received: {strange}.")
    return made


def copy_callbacks(callbacks):
    """Return callbacks in the same lists and dicts, with a shallow copy of each instance."""
    if isinstance(callbacks, dict):
        return {name: copy_callbacks(callback) for name, callback in callbacks.items()}
    if isinstance(callbacks, list | tuple):
        return type(callbacks)(map(copy_callbacks, callbacks))
    copied = copy.copy(callbacks)
    if isinstance(callbacks, keras.callbacks.Callback):
        for name, value in vars(callbacks).items():
            if isinstance(value, types.MethodType) and value.__self__ is callbacks:  # counts for the copy from now on
                vars(copied)[name] = types.MethodType(value.__func__, copied)
    return copied


class EpochTasks(keras.callbacks.Callback):
    """Tells scikit-learn's callbacks of the epochs of a fit.

    Parameters
    ----------
    estimator : estimator
        The one that is being fitted.
    context : sklearn.callback.CallbackContext
        Of the whole fit.
    data : dict
        ``X``, ``y`` and ``metadata`` for scikit-learn's callbacks.
    """

    changes_nothing = True

    def __init__(self, estimator, context, data):
        super().__init__()
        self.estimator, self.context, self.data = estimator, context, data

    def on_epoch_begin(self, epoch, logs=None):
        """Begin a task."""
        self.task = self.context.subcontext(task_name="epoch")
        self.task.call_on_fit_task_begin(estimator=self.estimator, **self.data)

    def on_epoch_end(self, epoch, logs=None):
        """End it, and training too when a callback wants that."""
        stop = self.task.call_on_fit_task_end(
            estimator=self.estimator,
            reconstruction_attributes=lambda: self.estimator._fitted_so_far(epoch + 1),
            **self.data,
        )
        if stop:
            self.model.stop_training = True


def refuse_unknown_callbacks(callbacks):
    """Refuse callbacks of scikit-learn's kind that may end training by what they alone know, which memory cannot keep.

    Parameters
    ----------
    callbacks : sequence
        What ``set_callbacks`` was given.
    """
    for callback in callbacks:
        if type(callback).__module__.partition(".")[0] != "sklearn":
            raise ValueError(
                f"memory= cannot keep what {callback!r} knows, which may end training. Beside memory= only "
                "scikit-learn's own callbacks can be set. Set memory=None."
            )


def _flat(callbacks):
    """Return callbacks as a list, whatever list or dict they are in."""
    if isinstance(callbacks, dict):
        callbacks = list(callbacks.values())
    if isinstance(callbacks, list | tuple):
        return [each for entry in callbacks for each in _flat(entry)]
    return [] if callbacks is None else [callbacks]
