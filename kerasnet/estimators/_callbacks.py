"""Keras callbacks, copied for each fit, and scikit-learn callbacks."""

import copy
import types
from pathlib import Path

import keras

from kerasnet._files import atomic_file, numbered_folder
from kerasnet._values import without_addresses
from kerasnet.estimators._scikeras import route_params, unflatten_params

CALLBACKS = ("callbacks", "fit__callbacks")  # names of parameters


def make_callbacks(callbacks, parameters):
    """Create the Keras callbacks of one fit.

    Parameters
    ----------
    callbacks : class or instance of keras.callbacks.Callback, list or dict of them, or None
        Callbacks as given by the user. Instances are copied shallowly: fits do not share the counters of a callback,
        but they share the objects that it refers to, such as a list or a file.
    parameters : dict
        All parameters of the estimator. Those named ``callbacks__<name>`` are passed to callbacks given as classes.

    Returns
    -------
    callbacks : list of keras.callbacks.Callback
        New callbacks.
    """
    routed = route_params(parameters, destination="callbacks", pass_filter=set())
    given = [] if callbacks is None else copy_callbacks(callbacks)
    created = _flatten(unflatten_params(items=given, params=routed))
    if invalid := [callback for callback in created if not isinstance(callback, keras.callbacks.Callback)]:
        raise TypeError(f"callbacks must be Keras callbacks, as instances or classes. Received: {invalid}.")
    return created


def copy_callbacks(callbacks):
    """Copy callbacks shallowly, keeping the structure of lists and dicts."""
    if isinstance(callbacks, dict):
        return {name: copy_callbacks(callback) for name, callback in callbacks.items()}
    if isinstance(callbacks, list | tuple):
        return type(callbacks)(map(copy_callbacks, callbacks))
    copied = copy.copy(callbacks)
    if isinstance(callbacks, keras.callbacks.Callback):
        for name, value in vars(callbacks).items():
            if isinstance(value, types.MethodType) and value.__self__ is callbacks:  # rebind to the copy
                vars(copied)[name] = types.MethodType(value.__func__, copied)
    return copied


def check_no_learning_rates(callbacks, schedule):
    """Raise an error for callbacks that set the learning rate of each epoch, which a schedule would overwrite."""
    kinds = keras.callbacks.LearningRateScheduler | keras.callbacks.ReduceLROnPlateau
    if found := [type(callback).__name__ for callback in callbacks if isinstance(callback, kinds)]:
        raise ValueError(
            f"{' and '.join(found)} would have no effect, since learning_rate_schedule={schedule!r} sets the learning "
            'rate of each step. Set learning_rate_schedule="constant", or leave out the callback.'
        )


def separate_logs(callbacks, estimator, previous=()):
    """Let each TensorBoard callback of a fit write to a subfolder of its own: "fit-1", "fit-2", ... of ``log_dir``.

    The file "parameters.txt" in this folder contains the parameters of the estimator. A ``log_dir`` that is not in the
    file system, such as "gs://bucket/logs", stays unchanged.

    Parameters
    ----------
    callbacks : list of keras.callbacks.Callback
        Callbacks of the fit, whose ``log_dir`` is changed.
    estimator : estimator
        The estimator that is fitted.
    previous : sequence of keras.callbacks.Callback, default=()
        Callbacks of the fit that is continued. Their folders are used again.
    """
    known = {Path(each.log_dir).parent: each.log_dir for each in previous if _is_tensorboard(each)}
    for callback in filter(_is_tensorboard, callbacks):
        folder = known.get(Path(callback.log_dir))
        if folder is None:
            folder = numbered_folder(callback.log_dir, "fit-")
            lines = [f"{name}={value!r}\n" for name, value in estimator.get_params(deep=False).items()]
            with atomic_file(folder / "parameters.txt", durable=False) as file:
                file.write(without_addresses("".join(lines)).encode())
        callback.log_dir = str(folder)


def _is_tensorboard(callback):
    return type(callback) is keras.callbacks.TensorBoard and "://" not in callback.log_dir


class EpochTasks(keras.callbacks.Callback):
    """Report the epochs of a fit to scikit-learn callbacks.

    Parameters
    ----------
    estimator : estimator
        The estimator that is being fitted.
    context : sklearn.callback.CallbackContext
        Context of the fit.
    data : dict
        ``X``, ``y`` and ``metadata`` for scikit-learn callbacks.
    """

    changes_nothing = True

    def __init__(self, estimator, context, data):
        super().__init__()
        self.estimator, self.context, self.data = estimator, context, data

    def on_epoch_begin(self, epoch, logs=None):
        """Begin the task of an epoch."""
        self.task = self.context.subcontext(task_name="epoch")
        self.task.call_on_fit_task_begin(estimator=self.estimator, **self.data)

    def on_epoch_end(self, epoch, logs=None):
        """End the task; stop training if a callback requests it."""
        stop = self.task.call_on_fit_task_end(
            estimator=self.estimator,
            reconstruction_attributes=lambda: self.estimator._intermediate_attributes(epoch + 1),
            **self.data,
        )
        if stop:
            self.model.stop_training = True


def check_callbacks_with_memory(callbacks):
    """Raise an error for user-defined scikit-learn callbacks: checkpoints do not include their state.

    Parameters
    ----------
    callbacks : sequence
        Callbacks passed to ``set_callbacks``.
    """
    for callback in callbacks:
        if type(callback).__module__.partition(".")[0] != "sklearn":
            raise ValueError(
                "memory= supports only scikit-learn's own callbacks: checkpoints do not include the state of other "
                f"callbacks, which may stop training. Received: {callback!r}. Set memory=None."
            )


def _flatten(callbacks):
    """Flatten nested lists and dicts of callbacks to a list."""
    if isinstance(callbacks, dict):
        callbacks = list(callbacks.values())
    if isinstance(callbacks, list | tuple):
        return [each for entry in callbacks for each in _flatten(entry)]
    return [] if callbacks is None else [callbacks]
