"""Keras' callbacks, made anew for each fit, and those of scikit-learn."""

import copy

import keras

from kerasnet.estimators._scikeras import route_params, unflatten_params


def fresh_callbacks(callbacks, parameters):
    """Make the Keras callbacks of one fit.

    Parameters
    ----------
    callbacks : class or instance of keras.callbacks.Callback, list or dict of them, or None
        As a user gave them. Instances are copied, so that neither fits nor clones share what a callback remembers.
    parameters : dict
        All parameters of the estimator; those named ``callbacks__<name>`` are for callbacks given as classes.

    Returns
    -------
    callbacks : list of keras.callbacks.Callback
        New ones.
    """
    routed = route_params(parameters, destination="callbacks", pass_filter=set())
    given = {id(callback) for callback in _flat(callbacks)}
    made = _flat(unflatten_params(items=[] if callbacks is None else callbacks, params=routed))
    if strange := [callback for callback in made if not isinstance(callback, keras.callbacks.Callback)]:
        raise TypeError(f"callbacks must be Keras callbacks, as instances or classes. Received: {strange}.")
    return [_copied(callback) if id(callback) in given else callback for callback in made]


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
            reconstruction_attributes=lambda: self.estimator._fitted_so_far(self.model, epoch + 1),
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


def _copied(callback):
    models = {id(model): model for model in (callback.model,) if model is not None}  # not those of an earlier use
    try:
        return copy.deepcopy(callback, models)
    except Exception as error:
        raise TypeError(
            f"Each fit needs a callback of its own, and {callback!r} cannot be copied: {error}. "
            f"Give the class instead, callbacks=[{type(callback).__name__}], and its parameters as callbacks__<name>."
        ) from error
