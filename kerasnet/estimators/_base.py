"""What all estimators share: from parameters and data to a trained model."""

import contextlib
import os
import warnings
from numbers import Integral, Real

import keras
import numpy as np
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from kerasnet.estimators._building import ModelBuilding
from kerasnet.estimators._callbacks import EpochTasks, fresh_callbacks, refuse_unknown_callbacks
from kerasnet.estimators._inputs import as_float32, as_model_input, n_samples_of
from kerasnet.estimators._sequences import PADDING, SequenceInput
from kerasnet.models import registered_model
from kerasnet.training import (
    AUGMENTATIONS,
    EpochMemory,
    as_memory,
    follows_schedule,
    hand_on,
    learning_rates,
    make_augmentation,
    n_batches,
    predict,
    train,
)
from kerasnet.training.schedules import SCHEDULES


class KerasNetBase(CallbackSupportMixin, SequenceInput, ModelBuilding):
    """Base of the estimators; its subclasses say what a target is and which outputs and loss fit it."""

    image_shape = augmentation = None
    target_encoder = feature_encoder = None  # a subclass may make them properties that return transformers

    _parameter_constraints = {  # noqa: RUF012 - scikit-learn's name and form
        "model": [str, callable],
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left"), Options(Integral, {-1})],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "learning_rate_schedule": [StrOptions(set(SCHEDULES))],
        "optimizer": [str, type, keras.optimizers.Optimizer],
        "loss": [str, callable, keras.losses.Loss, list, dict, None],
        "metrics": [str, list, dict, None],
        "callbacks": [list, dict, callable, keras.callbacks.Callback, None],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "memory": [str, os.PathLike, EpochMemory, HasMethods("cache"), None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "image_shape": [tuple, list, None],
        "mask_value": [Interval(Real, PADDING, -PADDING, closed="both"), None],
        "augmentation": [StrOptions(set(AUGMENTATIONS)), keras.layers.Layer, None],
        "validation_split": [Interval(Real, 0, 1, closed="left")],  # only as fit__validation_split
    }

    @property
    def current_epoch(self):
        """The number of epochs trained so far, 0 before :meth:`fit`."""
        return getattr(self, "n_iter_", 0)

    @property
    def initialized_(self):
        """Whether there is a model, trained or not."""
        return hasattr(self, "model_")

    def initialize(self, X, y):
        """Build the model for some data without training it.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, as for ``fit``.
        y : array-like of shape (n_samples,)
            Targets, as for ``fit``.

        Returns
        -------
        self
            This estimator, with an untrained ``model_``.
        """
        self._validate_params()
        with unchanged_on_error(self):
            self._begin(X, y, None, keep_model=False)
        return self

    @with_callbacks
    def _fit(self, X, y, sample_weight, X_val=None, y_val=None, *, partial=False, classes=None):
        """Train; for `partial`, one more epoch of the model there is, with the state of its optimizer."""
        self._validate_params()
        memory = None if partial else as_memory(self.memory)
        if memory is not None:
            refuse_unknown_callbacks(getattr(self, "_skl_callbacks", ()))
        epochs, schedule = (1, "constant") if partial else (self._for_fit("epochs"), self.learning_rate_schedule)
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        for_callbacks = {"X": X, "y": y, "metadata": weights}
        context = self._init_callback_context(max_subtasks=epochs)
        context.call_on_fit_task_begin(estimator=self, **for_callbacks)
        with unchanged_on_error(self):
            self.callbacks_ = fresh_callbacks(self._for_fit("callbacks"), self.get_params())
            keep_model = (partial or self.warm_start) and hasattr(self, "model_")
            X, y, sample_weight, seed = self._begin(
                X, y, sample_weight, keep_model=keep_model, copy_model=not partial, classes=classes
            )
            data, validation_data = self._validation_split(X, y, sample_weight, X_val, y_val, seed)
            tasks = [EpochTasks(self, context, for_callbacks)] if hasattr(self, "_skl_callbacks") else []
            interrupted = self._train(
                *data,
                validation_data,
                epochs=epochs,
                schedule=schedule,
                seed=seed,
                tasks=tasks,
                memory=memory,
            )
        context.call_on_fit_task_end(estimator=self, reconstruction_attributes={}, **for_callbacks)
        if interrupted is not None:
            raise interrupted
        return self

    def _train(self, X, y, sample_weight, validation_data, *, epochs, schedule, seed, tasks, memory):
        """Run epochs and record them; return the KeyboardInterrupt that ended them early, if one did."""
        rates, interrupted, batch_size = None, None, self._for_fit("batch_size")
        if self.target_encoder is None:
            y = self._as_loss_wants(y)
            if validation_data is not None:
                X_val, y_val, *weight_val = validation_data
                validation_data = X_val, self._as_loss_wants(y_val), *weight_val
        if schedule != "constant":
            if follows_schedule(self.model_.optimizer):
                raise ValueError(
                    f"The optimizer brings a schedule of its own, and learning_rate_schedule={schedule!r} is another. "
                    'Keep one of them: set learning_rate_schedule="constant", or give the optimizer a number.'
                )
            rate = float(self.model_.optimizer.learning_rate)
            rates = learning_rates(schedule, rate, epochs * n_batches(n_samples_of(X), batch_size))
        history = keras.callbacks.History()
        history.history = self.history_ = {key: list(values) for key, values in self.history_.items()}
        try:
            self.n_iter_from_memory_ = train(
                self.model_,
                X,
                y,
                sample_weight,
                epochs=epochs,
                batch_size=batch_size,
                seed=seed,
                rates=rates,
                initial_epoch=self.n_iter_,
                validation_data=validation_data,
                callbacks=[*self.callbacks_, *self._early_stopping(), history, *tasks],
                verbose=int(self._for_fit("verbose")),
                twin=self._twin,
                recipe=self._recipe()[:2],
                optimizer_state=self._optimizer_state,
                memory=memory,
                augmentation=make_augmentation(self.augmentation),
            )
        except KeyboardInterrupt as error:
            if not self._optimizer_state or not int(self._optimizer_state[0]):  # the number of steps
                raise  # nothing was trained: the earlier model stays
            interrupted = error
        self.n_iter_ = len(self.history_.get("loss", ()))
        return interrupted

    def _begin(self, X, y, sample_weight, *, keep_model, copy_model=True, classes=None):
        """Validate the data and build the model; return the data as the model takes them, and the seed.

        With `keep_model` the data must fit the model there is, and its weights stay: in a copy, so that a fit
        that fails changes nothing, or (`copy_model` False) in place.
        """
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        X, y = self._check_data(X, y, reset=not keep_model, classes=classes)
        self._check_augmentation(X)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(
                sample_weight, keras.tree.flatten(X)[0], dtype=np.float32, ensure_non_negative=True
            )
        if self.target_encoder is None:
            sample_weight = self._weigh(y, sample_weight)
        if not keep_model:
            self.history_, self.n_iter_ = {}, 0
        if copy_model or not keep_model:
            model = self._twin() if keep_model else self._new_model(seed)
            if keep_model:
                self._hand_on_weights(model)
            self.model_, self._optimizer_state = model, []  # outside: Python is slow to free models
        return X, y, sample_weight, seed

    def _hand_on_weights(self, model):
        old, new = ([weight.shape for weight in each.weights] for each in (self.model_, model))
        if old != new:
            raise ValueError(
                "warm_start=True goes on with the weights of the last fit, but the architecture has changed since. "
                f"Expected weights of shapes {old}, received {new}. Set warm_start=False for a new start."
            )
        model.set_weights(self.model_.get_weights())

    def _check_data(self, X, y, reset, classes=None):
        """Validate samples and targets; return them as the model takes them."""
        X, y = self._validated(X, y, reset=reset)
        if reset:
            self.X_dtype_, self.X_shape_, self.n_outputs_expected_ = X.dtype, X.shape, 1
            self.y_dtype_, self.y_ndim_, self.target_type_ = y.dtype, y.ndim, type_of_target(y)
        if self.target_encoder is None:
            y = self._encode_target(y, reset=reset, classes=classes)
        else:
            y = self._encoded_by("target_encoder", y, reset)
        return self._as_input(X, reset=reset), y

    def _encoded_by(self, name, values, reset):
        """Return what the encoder of a subclass makes of X or y."""
        if reset:
            encoder = getattr(self, name).fit(values)
            vars(self).update({f"{name}_": encoder, **getattr(encoder, "get_metadata", dict)()})
        return getattr(self, f"{name}_").transform(values)

    def _as_loss_wants(self, y):
        """Return targets in the form that the compiled model's loss takes."""
        return y

    def _strata(self, y):
        """Return what a split of the data keeps the proportions of, if anything."""
        return None  # noqa: RET501 - a value

    def _weigh(self, y, sample_weight):
        """Return the weight of each sample in the loss, or None."""
        return sample_weight

    def _as_input(self, X, reset):
        if self.feature_encoder is None:
            X = self._as_model_input(X, reset)
        else:
            X = keras.tree.map_structure(as_float32, self._encoded_by("feature_encoder", X, reset))
        shape = keras.tree.map_structure(lambda array: array.shape[1:], X)
        if self._padding is not None:
            shape = (None, shape[1])  # of any length
        if reset:
            self.input_shape_ = shape
        elif shape != self.input_shape_:
            raise ValueError(
                f"{type(self).__name__} was fitted on samples of shape {self.input_shape_}. "
                f"Received: samples of shape {shape}."
            )
        return X

    def _as_model_input(self, X, reset):
        if reset:  # what the registry says later does not change a fitted model
            entry = None if hasattr(self, "_keras_build_fn") else registered_model(self.model)
            self._input_kind = entry.input_kind if entry else None
            self._warn_of_bytes(X)
        return as_model_input(X, self._input_kind, self.image_shape, type(self).__name__)

    def _warn_of_bytes(self, X):
        """Say that a ready-made model is given bytes as they are."""
        is_ready_made = isinstance(self.model, keras.Model) and not any(
            isinstance(layer, keras.layers.Rescaling | keras.layers.Normalization)
            for layer in self.model._flatten_layers()
        )
        if is_ready_made and X.dtype == np.uint8 and X.ndim > 2:
            warnings.warn(
                f"X holds bytes, and the model {self.model.name!r} takes them as they are: only models that are given "
                f"by name or by their builder, to {type(self).__name__} as model=, have bytes divided by 255. Divide X "
                "by 255, or put a Rescaling layer into the model.",
                stacklevel=2,
            )

    def _check_augmentation(self, X):
        """Refuse an augmentation of anything but images, and one that changes their shape."""
        if self.augmentation is None:
            return
        if getattr(X, "ndim", None) != 4:
            shape = keras.tree.map_structure(np.shape, X)
            raise ValueError(
                f"augmentation={self.augmentation!r} is for images (n, height, width, channels), but the model "
                f"{self.model!r} of {type(self).__name__} takes X of shape {shape}. Set augmentation=None."
            )
        if not isinstance(self.augmentation, str):
            image = np.zeros((1, *X.shape[1:]), np.float32)
            augmented = make_augmentation(self.augmentation)(image, training=True)
            if augmented.shape != image.shape:
                raise ValueError(
                    f"augmentation={self.augmentation!r} must keep the shape of images. Expected {image.shape[1:]}, "
                    f"received {tuple(augmented.shape[1:])}."
                )

    def _for_fit(self, name):
        """Return a parameter, or what ``fit__<name>`` says instead."""
        return getattr(self, f"fit__{name}", getattr(self, name))

    def _check_model(self, model):
        """Refuse a model whose outputs do not fit the targets."""

    def _validation_split(self, X, y, sample_weight, X_val, y_val, seed):
        """Return the training data and what is evaluated after each epoch, if anything."""
        if (X_val is None) != (y_val is None) and self.__sklearn_tags__().target_tags.required:
            raise ValueError("X_val and y_val belong together: give both or neither.")
        if X_val is not None:
            return (X, y, sample_weight), self._check_data(X_val, y_val, reset=False)
        n_samples, last_part = n_samples_of(X), getattr(self, "fit__validation_split", 0)
        if self.early_stopping:
            strata = self._strata(y) if self.target_encoder is None else None
            rows, rows_val = train_test_split(
                np.arange(n_samples), test_size=self.validation_fraction, stratify=strata, random_state=seed
            )
        elif last_part:  # as Keras splits
            rows, rows_val = np.split(np.arange(n_samples), [int(n_samples * (1 - last_part))])
        else:
            return (X, y, sample_weight), None
        data = (X, y) if sample_weight is None else (X, y, sample_weight)
        train_part, val_part = (
            keras.tree.map_structure(lambda array, part=part: array[part], data) for part in (rows, rows_val)
        )
        return (*train_part, None)[:3], val_part

    def _early_stopping(self):
        """Return the callback that the parameters ask for, if they do."""
        if not self.early_stopping:
            return []
        return [
            keras.callbacks.EarlyStopping(
                monitor="val_loss",
                mode="min",
                min_delta=self.tol,
                patience=self.n_iter_no_change,
                restore_best_weights=True,
            )
        ]

    def _fitted_so_far(self, model, n_iter):
        """Return the attributes of an estimator that was fitted for `n_iter` epochs, in which `model` came to be."""
        twin = self._twin()
        hand_on(model, twin)
        history = {name: list(values) for name, values in self.history_.items()}
        return {"model_": twin, "n_iter_": n_iter, "history_": history, "_optimizer_state": []}

    def _default_loss(self, model):
        """Return the class of the loss that fits targets and the model's outputs."""
        return keras.losses.MeanSquaredError

    def _predict_raw(self, X):
        """Return the outputs of the model for each sample."""
        samples = self._check_samples(X)
        return predict(self.model_, samples)

    def _check_samples(self, X):
        """Validate samples given to a fitted estimator; return them as the model takes them."""
        check_is_fitted(self, "model_")
        return self._as_input(self._validated(X, reset=False), reset=False)


@contextlib.contextmanager
def unchanged_on_error(estimator):
    """Give back the estimator's attributes as they were when the block fails."""
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
