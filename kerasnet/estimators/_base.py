"""What all estimators share: from parameters and data to a trained model."""

import contextlib
import os
from numbers import Integral, Real

import keras
import numpy as np
from sklearn.callback import CallbackSupportMixin, with_callbacks
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from kerasnet.estimators._building import ModelBuilding, names_of_losses
from kerasnet.estimators._callbacks import EpochTasks, fresh_callbacks, refuse_unknown_callbacks
from kerasnet.estimators._inputs import (
    as_model_input,
    as_numbers,
    check_augmentation,
    integers_as_inputs,
    n_samples_of,
    warn_of_bytes,
)
from kerasnet.estimators._routing import nearest
from kerasnet.estimators._sequences import PADDING, SequenceInput
from kerasnet.estimators._validation import (
    as_validation_data,
    hold_out,
    hold_out_last,
    refuse_another_dtype,
    with_mean_weight_of_1,
)
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

_KEYWORDS = ("batch_size", "callbacks", "epochs", "validation_batch_size", "validation_split", "verbose")  # of fit


class KerasNetBase(CallbackSupportMixin, SequenceInput, ModelBuilding):
    """Base of the estimators; its subclasses say what a target is and which outputs and loss fit it."""

    image_shape = augmentation = None
    _input_kind = None  # that of a registered model
    _first_epoch = 0  # of the last whole fit; above 0 after a warm start
    _of_this_call = {}  # noqa: RUF012 - never changed; parameters that a call of fit gives other values
    target_encoder = feature_encoder = None  # a subclass may make them properties that return transformers

    _parameter_constraints = {  # noqa: RUF012 - scikit-learn's name and form
        "model": [str, callable, None],  # None for subclasses that are their own builders
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left"), Options(Integral, {-1})],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "learning_rate_schedule": [StrOptions(set(SCHEDULES))],
        "optimizer": [str, type, keras.optimizers.Optimizer, None],  # None is refused with the other names
        "loss": [str, callable, keras.losses.Loss, list, dict, None],
        "metrics": [str, list, tuple, dict, type, callable, keras.Metric, None],
        "callbacks": [list, dict, callable, keras.callbacks.Callback, None],
        "class_weight": [dict, list, StrOptions({"balanced"}), None],
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
        "validation_split": [Interval(Real, 0, 1, closed="left"), None],
        "validation_batch_size": [Interval(Integral, 1, None, closed="left"), Options(Integral, {-1}), None],
    }

    @property
    def _divides_bytes(self):
        """Whether uint8 is divided by 255."""
        return self._input_kind == "image"

    @property
    def current_epoch(self):
        """The number of epochs trained since the last whole fit began, 0 before :meth:`fit`."""
        return getattr(self, "n_iter_", 0) - self._first_epoch

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
            self.callbacks_ = fresh_callbacks(self._for_fit("callbacks"), self._settings())
            keep_model = (partial or self.warm_start) and hasattr(self, "model_")
            X, y, sample_weight, seed = self._begin(
                X, y, sample_weight, keep_model=keep_model, copy_model=not partial, classes=classes
            )
            if not partial:
                self._first_epoch = self.n_iter_
            data, validation_data = self._validation_split(X, y, sample_weight, X_val, y_val, seed)
            if not partial:
                data = with_mean_weight_of_1(data)
                validation_data = with_mean_weight_of_1(validation_data, "of the validation data ")
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
            self._check_outputs(X, is_trained=True)
        context.call_on_fit_task_end(estimator=self, reconstruction_attributes={}, **for_callbacks)
        if interrupted is not None:
            raise interrupted
        return self

    def _train(self, X, y, sample_weight, validation_data, *, epochs, schedule, seed, tasks, memory):
        """Run epochs and record them; return the KeyboardInterrupt that ended them early, if one did."""
        if not names_of_losses(self.model_.loss):
            raise ValueError(
                f"You must provide a loss: {type(self).__name__} cannot train a model that is compiled with "
                f"loss={self.model_.loss!r}. Set loss=None for the default, or compile the model with one."
            )
        rates, interrupted, batch_size = None, None, self._for_fit("batch_size")
        as_wanted = self._as_loss_wants if self.target_encoder is None else lambda y: y
        if validation_data is not None:
            X_val, y_val, *weight_val = validation_data
            validation_data = X_val, as_wanted(y_val), *(each for each in weight_val if each is not None)
        y = as_wanted(y)
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
                validation_batch_size=self._for_fit("validation_batch_size"),
                callbacks=[*self.callbacks_, *self._early_stopping(), history, *tasks],
                verbose=int(self._for_fit("verbose")),
                twin=self._twin,
                recipe=self._recipe()[:2],
                optimizer_state=self._optimizer_state,
                memory=memory,
                augmentation=make_augmentation(self.augmentation),
            )
        except KeyboardInterrupt as error:
            if not self._optimizer_state:
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
        if keep_model:
            refuse_another_dtype(self, "X", X, self.X_dtype_, divides_bytes=self._divides_bytes)
            if y is not None:
                refuse_another_dtype(self, "y", np.asarray(y), self.y_dtype_, n_axes=self.y_ndim_)
        X, y = self._check_data(X, y, reset=not keep_model, classes=classes)
        check_augmentation(self.augmentation, X, self.model, type(self).__name__)
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
            if not keep_model:
                X = integers_as_inputs(model, X)
                self._check_outputs(X)
        else:
            self._own_model()
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
            self.n_outputs_expected_ = 1
            self.y_dtype_, self.y_ndim_, self.target_type_ = y.dtype, y.ndim, type_of_target(y)
            if classes is not None and self.target_type_ in ("binary", "multiclass"):
                self.target_type_ = type_of_target(classes)
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
        if reset:
            self.X_dtype_, self.X_shape_ = X.dtype, X.shape
        if self.feature_encoder is None:
            X = self._as_model_input(X, reset)
        else:
            X = keras.tree.map_structure(as_numbers, self._encoded_by("feature_encoder", X, reset))
        shape = keras.tree.map_structure(lambda array: array.shape[1:], X)
        if self._padding is not None:
            shape = (None, shape[1])  # of any length
        if not reset:
            X = integers_as_inputs(self.model_, X)
        if reset:
            self.input_shape_ = shape
        elif shape != self.input_shape_:
            raise ValueError(
                f"{type(self).__name__} was fitted on samples of shape {self.input_shape_}, and is expecting "
                f"{len(self.X_shape_)} dimensions in X. Received: samples of shape {shape}."
            )
        return X

    def _as_model_input(self, X, reset):
        if reset:  # what the registry says later does not change a fitted model
            entry = self._registry_entry()
            self._input_kind = entry.input_kind if entry else None
            warn_of_bytes(X, self.model, type(self).__name__)
        return as_model_input(X, self._input_kind, self.image_shape, type(self).__name__)

    def _for_fit(self, name):
        """Return a parameter, or what ``fit__<name>`` or a keyword of the call of fit says instead."""
        given = {**self._explicit(), **{f"fit__{each}": value for each, value in self._of_this_call.items()}}
        return given.get(f"fit__{name}", getattr(self, name, None))

    def _fit_with(self, keywords, X, y, sample_weight, X_val=None, y_val=None):
        """Fit with other values of some parameters for this call, as SciKeras and Keras let users give them."""
        keywords = dict(keywords)
        if "validation_data" in keywords:
            X_val, y_val, *weights = as_validation_data(keywords.pop("validation_data"), y is None)
            keywords |= {"validation_sample_weight": weights[0]} if weights else {}
        if unknown := sorted(keywords.keys() - {*_KEYWORDS, "validation_sample_weight"}):
            described = [f"{name!r}{nearest(name, _KEYWORDS)}" for name in unknown]
            raise TypeError(
                f"{type(self).__name__}.fit takes no keyword {', '.join(described)}. "
                f"Valid keywords: {', '.join(_KEYWORDS)}, validation_data."
            )
        if keywords:
            self._of_this_call = keywords
        try:
            return self._fit(X, y, sample_weight, X_val, y_val)
        finally:
            vars(self).pop("_of_this_call", None)

    def _check_model(self, model):
        """Refuse a model whose outputs do not fit the targets."""

    def _check_outputs(self, X, *, is_trained=False):
        """Refuse a model whose outputs for training samples are not what they are taken for."""

    def _validation_split(self, X, y, sample_weight, X_val, y_val, seed):
        """Return the training data and what is evaluated after each epoch, if anything."""
        if (X_val is None) != (y_val is None) and self.__sklearn_tags__().target_tags.required:
            raise ValueError("X_val and y_val belong together: give both or neither.")
        data = X, y, sample_weight
        if X_val is not None:
            weights = self._of_this_call.get("validation_sample_weight")
            if weights is not None:
                weights = _check_sample_weight(weights, X_val, dtype=np.float32, ensure_non_negative=True)
            return data, (*self._check_data(X_val, y_val, reset=False), weights)
        last_part = self._for_fit("validation_split") or 0
        if self.early_stopping and not last_part:
            strata = self._strata(y) if self.target_encoder is None else None
            return hold_out(data, self.validation_fraction, strata, seed)
        return hold_out_last(data, last_part) if last_part else (data, None)

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
