"""Base class of the estimators: from parameters and data to a trained network.

The steps of a fit, in this order:

1. ``_validated_data`` of ``_data.py`` validates the data and encodes the targets.
2. ``_network_to_train`` creates a ``Network``: a ``ModelSpec``, which follows from the parameters and the shape of the
   data, and a seed. A warm start and ``partial_fit`` reuse the weights of the fitted network.
3. ``Network.engine`` returns an engine: the compiled training step of this specification, shared by all fits with an
   equal specification, with the initial weights for this seed.
4. ``_validation_split`` of ``_data.py`` sets validation data aside, and ``_training`` collects the training settings.
5. ``train`` runs the epochs, equivalent to ``keras.Model.fit``, with callbacks, validation and checkpoints.
6. ``Network.after_training`` returns the fitted network: specification, trained weights and optimizer state.
"""

from __future__ import annotations

import contextlib
import os
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Self

import keras
import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions

from kerasnet.estimators._callbacks import (
    EpochTasks,
    check_callbacks_with_memory,
    check_no_learning_rates,
    make_callbacks,
    separate_logs,
)
from kerasnet.estimators._data import DataInput
from kerasnet.estimators._inputs import cast_to_input_dtypes, n_samples_of
from kerasnet.estimators._models import ModelOwner
from kerasnet.estimators._routing import did_you_mean
from kerasnet.estimators._sequences import PADDING
from kerasnet.estimators._sklearn_callbacks import CallbackSupportMixin, callback_context, with_callbacks
from kerasnet.estimators._targets import loss_names
from kerasnet.estimators._validation import (
    as_validation_data,
    normalize_sample_weight,
)
from kerasnet.training import AUGMENTATIONS, EpochMemory, learning_rates, n_batches
from kerasnet.training._engine import is_keras
from kerasnet.training._loop import Training, train
from kerasnet.training._network import Network
from kerasnet.training._resume import Checkpoints
from kerasnet.training._variables import follows_schedule
from kerasnet.training.memory import as_memory
from kerasnet.training.schedules import SCHEDULES

if TYPE_CHECKING:
    import numpy.typing as npt

_FIT_KEYWORDS = ("batch_size", "callbacks", "epochs", "validation_batch_size", "validation_split", "verbose")


class KerasNetBase(CallbackSupportMixin, DataInput, ModelOwner):
    """Base class of the estimators. Subclasses define the targets, the outputs and the default loss."""

    history_: dict[str, list[float]]  # loss and metrics after each epoch
    _first_epoch = 0  # first epoch of the last call of fit; above 0 after a warm start
    _fit_keywords: dict[str, Any] = {}  # noqa: RUF012 - never changed; values of parameters for a single call of fit

    _parameter_constraints = {  # noqa: RUF012 - defined by scikit-learn
        "model": [str, callable, None],  # None for subclasses with a method that builds the model
        "epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left"), Options(Integral, {-1})],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "learning_rate_schedule": [StrOptions(set(SCHEDULES))],
        "optimizer": [str, type, keras.optimizers.Optimizer, None],  # None is rejected together with unknown names
        "loss": [str, callable, keras.losses.Loss, list, dict, None],
        "metrics": [str, list, tuple, dict, type, callable, keras.Metric, None],
        "callbacks": [list, dict, callable, keras.callbacks.Callback, None],
        "class_weight": [dict, list, StrOptions({"balanced"}), None],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "standardize_targets": ["boolean"],
        "warm_start": ["boolean"],
        "memory": [str, os.PathLike, EpochMemory, HasMethods("cache"), None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "image_shape": [tuple, list, None],
        "mask_value": [Interval(Real, PADDING, -PADDING, closed="both"), None],
        "vocabulary_size": [Interval(Integral, 2, None, closed="left"), StrOptions({"auto"}), None],
        "augmentation": [StrOptions(set(AUGMENTATIONS)), keras.layers.Layer, None],
        "validation_split": [Interval(Real, 0, 1, closed="left"), None],
        "validation_batch_size": [Interval(Integral, 1, None, closed="left"), Options(Integral, {-1}), None],
    }

    def __sklearn_tags__(self):
        """Return the tags of the estimator."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    @property
    def current_epoch(self) -> int:
        """Number of epochs trained since the start of the last call of :meth:`fit`; 0 before it."""
        return getattr(self, "n_iter_", 0) - self._first_epoch

    @property
    def initialized_(self) -> bool:
        """Whether the model has been built."""
        return self._network is not None

    def initialize(self, X: npt.ArrayLike, y: npt.ArrayLike | None) -> Self:
        """Build the model without training it.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples, as for ``fit``.
        y : array-like of shape (n_samples,)
            Targets, as for ``fit``.

        Returns
        -------
        self
            The estimator, with an untrained ``model_``.
        """
        self._check_parameters()
        with unchanged_on_error(self):
            X, y, _ = self._validated_data(X, y, None, reset=True)
            self._network = Network(self._spec(), self._draw_seed())
            cast_to_input_dtypes(self._network.any_model, X)
            self.history_, self.n_iter_ = {}, 0
        return self

    @with_callbacks
    def _fit(self, X, y, sample_weight, X_val=None, y_val=None, *, partial=False, classes=None):
        """Fit the model; if `partial`, train the current network for one epoch, with its optimizer state."""
        self._check_parameters()
        memory = None if partial else as_memory(self.memory)
        if memory is not None:
            check_callbacks_with_memory(getattr(self, "_skl_callbacks", ()))
        epochs = 1 if partial else self._fit_parameter("epochs")
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        for_callbacks = {"X": X, "y": y, "metadata": weights}
        context = callback_context(self, epochs)
        context.call_on_fit_task_begin(estimator=self, **for_callbacks)
        with unchanged_on_error(self):
            callbacks = make_callbacks(self._fit_parameter("callbacks"), self._settings())
            tasks = [EpochTasks(self, context, for_callbacks)] if hasattr(self, "_skl_callbacks") else []
            seed, continues = self._draw_seed(), (partial or self.warm_start) and self._network is not None
            X, y, sample_weight = self._validated_data(X, y, sample_weight, reset=not continues, classes=classes)
            self._network = self._network_to_train(seed, continues=continues, partial=partial)
            if not continues:
                self.history_, self.n_iter_ = {}, 0
            if not partial:
                self._first_epoch = self.n_iter_
            with self._network.engine() as engine:
                X = cast_to_input_dtypes(engine.model, X)
                self._check_outputs(X, lambda some: np.asarray(self.model_(some, training=False), np.float32))
                data = self._validation_split(X, y, sample_weight, X_val, y_val, seed)
                if not partial:
                    data = [*map(normalize_sample_weight, data, ("", "of the validation data "))]
                training = self._training(engine, data[0], epochs, seed, [*callbacks, *tasks], partial=partial)
                if memory is not None:
                    training = training._replace(checkpoints=Checkpoints(memory, self._network.describe))
                separate_logs(callbacks, self, self._callbacks[0] if continues and self._callbacks else ())
                interrupted = self._train(engine, training, *data)
                self._check_outputs(X, engine.predict)
                self._network = self._network.after_training(engine)
            self._store_callbacks(callbacks, engine.model)
        context.call_on_fit_task_end(estimator=self, reconstruction_attributes={}, **for_callbacks)
        if interrupted is not None:
            raise interrupted
        return self

    def _draw_seed(self):
        return check_random_state(self.random_state).randint(np.iinfo(np.int32).max)

    def _network_to_train(self, seed, *, continues, partial):
        """Return the network to train: a new network, or one with the weights of the previous fit."""
        if not continues:
            return Network(self._spec(), seed)
        if partial:
            return self._network.unshared()
        spec = self._spec().without_pretrained_weights()
        return Network(spec, self._network.seed).with_weights_of(self._network)

    def _training(self, engine, data, epochs, seed, callbacks, *, partial):
        """Return the training settings."""
        optimizer, batch_size = engine.model.optimizer, self._fit_parameter("batch_size")
        schedule, rates = "constant" if partial else self.learning_rate_schedule, None
        if schedule != "constant":
            if follows_schedule(optimizer):
                raise ValueError(
                    f"The optimizer has a learning rate schedule, and learning_rate_schedule={schedule!r} is set. Set "
                    'learning_rate_schedule="constant", or set the learning rate of the optimizer to a number.'
                )
            check_no_learning_rates(callbacks, schedule)
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
            validation_batch_size=self._fit_parameter("validation_batch_size"),
            callbacks=[*callbacks, *self._early_stopping(), history],
            verbose=int(self._fit_parameter("verbose")),
        )

    def _train(self, engine, training, data, validation_data):
        """Train and record the history; return the KeyboardInterrupt that stopped training, if any."""
        loss, interrupted = engine.model.loss, None
        if not loss_names(loss):
            raise ValueError(
                f"You must provide a loss: {type(self).__name__} cannot train a model that is compiled with "
                f"loss={loss!r}. Set loss=None for the default loss, or compile the model with a loss."
            )
        n_steps = int(engine.model.optimizer.iterations)
        try:
            data, validation_data = (self._convert_targets(engine.model, part) for part in (data, validation_data))
            self.n_iter_from_memory_ = train(engine, data, training, validation_data)
        except KeyboardInterrupt as error:
            if int(engine.model.optimizer.iterations) == n_steps:
                raise  # nothing was trained; keep the previous network
            interrupted = error
        self.n_iter_ = len(self.history_.get("loss", ()))
        return interrupted

    def _convert_targets(self, model, data):
        """Convert the targets to the format of the model's loss; drop sample weights that are None."""
        if data is None:
            return None
        X, y, *weights = data
        y = self._targets_for_loss(y, model) if self.target_encoder is None else y
        return X, y, *(each for each in weights if each is not None)

    def _store_callbacks(self, callbacks, trained_model):
        """Store the callbacks of the fit; set ``model`` of user-defined callbacks to ``model_`` immediately."""
        self._callbacks = callbacks, trained_model
        if not all(is_keras(type(each)) for each in callbacks):
            _ = self.callbacks_

    def _targets_for_loss(self, y, model):
        """Return the targets in the format of the loss of a compiled model."""
        return y

    def _fit_parameter(self, name):
        """Return a parameter of the fit, which ``fit__<name>`` and keywords of the call of fit override."""
        given = {**self._explicit(), **{f"fit__{each}": value for each, value in self._fit_keywords.items()}}
        return given.get(f"fit__{name}", getattr(self, name, None))

    def _fit_with_keywords(self, keywords, X, y, sample_weight, X_val=None, y_val=None):
        """Fit with keywords that override parameters for this call, as in SciKeras and Keras."""
        keywords = dict(keywords)
        if "validation_data" in keywords:
            X_val, y_val, *weights = as_validation_data(keywords.pop("validation_data"), y is None)
            keywords |= {"validation_sample_weight": weights[0]} if weights else {}
        if unknown := sorted(keywords.keys() - {*_FIT_KEYWORDS, "validation_sample_weight"}):
            described = [f"{name!r}{did_you_mean(name, _FIT_KEYWORDS)}" for name in unknown]
            raise TypeError(
                f"{type(self).__name__}.fit got an unexpected keyword {', '.join(described)}. "
                f"Valid keywords: {', '.join(_FIT_KEYWORDS)}, validation_data."
            )
        if keywords:
            self._fit_keywords = keywords
        try:
            return self._fit(X, y, sample_weight, X_val, y_val)
        finally:
            vars(self).pop("_fit_keywords", None)

    def _check_outputs(self, X, predict):
        """Raise an error if the outputs for training samples, computed by `predict`, are invalid."""

    def _early_stopping(self):
        """Return the early stopping callback in a list, which is empty if `early_stopping` is False."""
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

    def _intermediate_attributes(self, n_iter):
        """Return the fitted attributes after `n_iter` epochs, during a fit."""
        history = {name: list(values) for name, values in self.history_.items()}
        return {"_network": self._network.snapshot(), "n_iter_": n_iter, "history_": history}

    def _predict_raw(self, X, finish=None):
        """Return the outputs of the model, or the result of `finish` for them."""
        samples = self._check_samples(X)
        return self._network.predict(samples, finish=finish)


@contextlib.contextmanager
def unchanged_on_error(estimator):
    """Restore the attributes of the estimator if the block raises an error."""
    before = vars(estimator).copy()
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
