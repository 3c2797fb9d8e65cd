"""What all estimators share: from parameters and data to a trained network.

A fit validates the data and encodes the targets (``_validated_data``). Parameters and data give the specification of a
model, and with a seed a network (``_network_to_train``). The network lends an engine: the compiled steps of this
specification, with the weights of a new model with this seed (``Network.engine``). The engine trains as
``keras.Model.fit`` would, with callbacks, validation and checkpoints (``train``). What the fit leaves is a network
again: the specification, the trained weights, and the state of the optimizer (``Network.after_training``).
"""

import contextlib
import os
from numbers import Integral, Real

import keras
import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted

from kerasnet.estimators._callbacks import EpochTasks, fresh_callbacks, refuse_unknown_callbacks
from kerasnet.estimators._inputs import (
    as_model_input,
    as_numbers,
    check_augmentation,
    integers_as_inputs,
    n_samples_of,
    warn_of_bytes,
    warn_of_large_values,
)
from kerasnet.estimators._models import ModelOwner
from kerasnet.estimators._routing import nearest
from kerasnet.estimators._sequences import PADDING, SequenceInput
from kerasnet.estimators._sklearn_callbacks import CallbackSupportMixin, callback_context, with_callbacks
from kerasnet.estimators._targets import names_of_losses
from kerasnet.estimators._validation import (
    as_validation_data,
    check_sample_weight,
    hold_out,
    hold_out_last,
    refuse_another_dtype,
    with_mean_weight_of_1,
)
from kerasnet.models._weights import default_arguments
from kerasnet.training import AUGMENTATIONS, EpochMemory, learning_rates, n_batches
from kerasnet.training._engine import is_keras
from kerasnet.training._loop import Training, train
from kerasnet.training._network import Network
from kerasnet.training._resume import Checkpoints
from kerasnet.training._variables import follows_schedule
from kerasnet.training.memory import as_memory
from kerasnet.training.schedules import SCHEDULES

_KEYWORDS = ("batch_size", "callbacks", "epochs", "validation_batch_size", "validation_split", "verbose")  # of fit


class KerasNetBase(CallbackSupportMixin, SequenceInput, ModelOwner):
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

    def __sklearn_tags__(self):
        """Tell scikit-learn what the estimator can do."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

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
        return self._network is not None

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
        self._check_parameters()
        with unchanged_on_error(self):
            X, y, _ = self._validated_data(X, y, None, reset=True)
            self._network = Network(self._spec(), self._draw_seed())
            integers_as_inputs(self._network.any_model, X)
            self.history_, self.n_iter_ = {}, 0
        return self

    @with_callbacks
    def _fit(self, X, y, sample_weight, X_val=None, y_val=None, *, partial=False, classes=None):
        """Train; for `partial`, one more epoch of the network there is, with the state of its optimizer."""
        self._check_parameters()
        memory = None if partial else as_memory(self.memory)
        if memory is not None:
            refuse_unknown_callbacks(getattr(self, "_skl_callbacks", ()))
        epochs = 1 if partial else self._for_fit("epochs")
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        for_callbacks = {"X": X, "y": y, "metadata": weights}
        context = callback_context(self, epochs)
        context.call_on_fit_task_begin(estimator=self, **for_callbacks)
        with unchanged_on_error(self):
            callbacks = fresh_callbacks(self._for_fit("callbacks"), self._settings())
            tasks = [EpochTasks(self, context, for_callbacks)] if hasattr(self, "_skl_callbacks") else []
            seed, continues = self._draw_seed(), (partial or self.warm_start) and self._network is not None
            X, y, sample_weight = self._validated_data(X, y, sample_weight, reset=not continues, classes=classes)
            self._network = self._network_to_train(seed, continues=continues, partial=partial)
            if not continues:
                self.history_, self.n_iter_ = {}, 0
            if not partial:
                self._first_epoch = self.n_iter_
            with self._network.engine() as engine:
                X = integers_as_inputs(engine.model, X)
                self._check_outputs(X, lambda some: np.asarray(self.model_(some, training=False), np.float32))
                data = self._validation_split(X, y, sample_weight, X_val, y_val, seed)
                if not partial:
                    data = [*map(with_mean_weight_of_1, data, ("", "of the validation data "))]
                training = self._training(engine, data[0], epochs, seed, [*callbacks, *tasks], partial=partial)
                if memory is not None:
                    training = training._replace(checkpoints=Checkpoints(memory, self._network.describe))
                interrupted = self._train(engine, training, *data)
                self._check_outputs(X, engine.predict)
                self._network = self._network.after_training(engine)
            self._hand_over(callbacks, engine.model)
        context.call_on_fit_task_end(estimator=self, reconstruction_attributes={}, **for_callbacks)
        if interrupted is not None:
            raise interrupted
        return self

    def _draw_seed(self):
        return check_random_state(self.random_state).randint(np.iinfo(np.int32).max)

    def _validated_data(self, X, y, sample_weight, *, reset, classes=None):
        """Validate the data; return samples, encoded targets and weights."""
        if not reset:
            refuse_another_dtype(self, "X", X, self.X_dtype_, divides_bytes=self._divides_bytes)
            if y is not None:
                refuse_another_dtype(self, "y", np.asarray(y), self.y_dtype_, n_axes=self.y_ndim_)
        X, y = self._check_data(X, y, reset=reset, classes=classes)
        check_augmentation(self.augmentation, X, self.model, type(self).__name__)
        if sample_weight is not None:
            sample_weight = check_sample_weight(sample_weight, n_samples_of(X))
        if self.target_encoder is None:
            sample_weight = self._weigh(y, sample_weight)
        return X, y, sample_weight

    def _network_to_train(self, seed, *, continues, partial):
        """Return the network that training starts from: a new one, or one with the weights of the last fit."""
        if not continues:
            return Network(self._spec(), seed)
        if partial:
            return self._network.unshared()
        spec = self._spec().without_pretrained_weights()
        return Network(spec, self._network.seed).with_weights_of(self._network)

    def _training(self, engine, data, epochs, seed, callbacks, *, partial):
        """Return how the network is trained."""
        optimizer, batch_size = engine.model.optimizer, self._for_fit("batch_size")
        schedule, rates = "constant" if partial else self.learning_rate_schedule, None
        if schedule != "constant":
            if follows_schedule(optimizer):
                raise ValueError(
                    f"The optimizer brings a schedule of its own, and learning_rate_schedule={schedule!r} is another. "
                    'Keep one of them: set learning_rate_schedule="constant", or give the optimizer a number.'
                )
            n_steps = epochs * n_batches(n_samples_of(data[0]), batch_size)
            rates = learning_rates(schedule, float(optimizer.learning_rate), n_steps)
        history = keras.callbacks.History()
        history.history = self.history_ = {key: list(values) for key, values in self.history_.items()}
        return Training(
            epochs=epochs,
            batch_size=batch_size,
            seed=seed,
            rates=rates,
            first_epoch=self.n_iter_,
            validation_batch_size=self._for_fit("validation_batch_size"),
            callbacks=[*callbacks, *self._early_stopping(), history],
            verbose=int(self._for_fit("verbose")),
        )

    def _train(self, engine, training, data, validation_data):
        """Run epochs and record them; return the KeyboardInterrupt that ended them early, if one did."""
        loss, interrupted = engine.model.loss, None
        if not names_of_losses(loss):
            raise ValueError(
                f"You must provide a loss: {type(self).__name__} cannot train a model that is compiled with "
                f"loss={loss!r}. Set loss=None for the default, or compile the model with one."
            )
        n_steps = int(engine.model.optimizer.iterations)
        try:
            self.n_iter_from_memory_ = train(
                engine, self._for_loss(engine.model, data), training, self._for_loss(engine.model, validation_data)
            )
        except KeyboardInterrupt as error:
            if int(engine.model.optimizer.iterations) == n_steps:
                raise  # nothing was trained: the earlier network stays
            interrupted = error
        self.n_iter_ = len(self.history_.get("loss", ()))
        return interrupted

    def _for_loss(self, model, data):
        """Return data with targets in the form that the model's loss takes, and without weights that are None."""
        if data is None:
            return None
        X, y, *weights = data
        y = self._as_loss_wants(y, model) if self.target_encoder is None else y
        return X, y, *(each for each in weights if each is not None)

    def _hand_over(self, callbacks, trained_in):
        """Keep the callbacks of a fit, and let those of users refer to ``model_`` at once."""
        self._callbacks = callbacks, trained_in
        if not all(is_keras(type(each)) for each in callbacks):
            _ = self.callbacks_

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

    def _as_loss_wants(self, y, model):
        """Return targets in the form that the loss of a compiled model takes."""
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
            X = integers_as_inputs(self._network.any_model, X)
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
        if reset or X.dtype != self.X_dtype_:
            warn_of_bytes(X, self.model, type(self).__name__)
        X = as_model_input(X, self._input_kind, self.image_shape, type(self).__name__)
        weights, entry = self._settings().get("weights"), self._registry_entry()
        if entry and entry.input_kind != "image" and default_arguments(entry.name, weights):
            warn_of_large_values(X, weights, type(self).__name__)
        return X

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

    def _check_outputs(self, X, predict):
        """Refuse a model whose outputs for training samples, by `predict`, are not what they are taken for."""

    def _validation_split(self, X, y, sample_weight, X_val, y_val, seed):
        """Return the training data and what is evaluated after each epoch, if anything."""
        if (X_val is None) != (y_val is None) and self.__sklearn_tags__().target_tags.required:
            raise ValueError("X_val and y_val belong together: give both or neither.")
        data = X, y, sample_weight
        if X_val is not None:
            weights = self._of_this_call.get("validation_sample_weight")
            if weights is not None:
                weights = check_sample_weight(weights, len(y_val))
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

    def _fitted_so_far(self, n_iter):
        """Return the attributes of an estimator that was fitted for `n_iter` epochs, in the middle of a fit."""
        history = {name: list(values) for name, values in self.history_.items()}
        return {"_network": self._network.snapshot(), "n_iter_": n_iter, "history_": history}

    def _predict_raw(self, X, finish=None):
        """Return the outputs of the model for each sample, or what `finish` makes of them."""
        samples = self._check_samples(X)
        return self._network.predict(samples, finish=finish)

    def _check_samples(self, X):
        """Validate samples given to a fitted estimator; return them as the model takes them."""
        check_is_fitted(self)
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
