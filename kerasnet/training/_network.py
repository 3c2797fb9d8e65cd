"""A network: the specification of a model, its weights, and the state of its optimizer."""

import contextlib
import copy

import keras
import numpy as np
import tensorflow as tf

from kerasnet.training._building import BUILD_LOCK, build_scope
from kerasnet.training._engine import Engine, whole_model
from kerasnet.training._fork import check_not_forked
from kerasnet.training._identity import digest, identify
from kerasnet.training._keys import NoKeyError, key_of, model_key
from kerasnet.training._pool import find_engine, put_engine, take_engine
from kerasnet.training._predict import predict_in_batches
from kerasnet.training._variables import (
    compile_config_of,
    describe_layers,
    learning_rate_of,
    read_variables,
    write_variables,
)


class Network:
    """The specification of a model, its weights, and the state of its optimizer.

    If the specification has a key, the weights are stored as values, and a Keras model is built on the first access to
    :attr:`model`. Otherwise, as for unregistered builders, the network has a Keras model from the first fit on. The
    weights, trainable flags and compile settings of a model take precedence over those stored here.

    Parameters
    ----------
    spec : ModelSpec or None
        The specification; None for a model without one.
    seed : int, default=0
        The seed of the initial weights.
    values : list of tensors or ndarrays, default=None
        The values of all variables of the model. If None, those of a new model are used.
    trainable : list of bool, default=None
        A flag for each layer. If None, the flags are set by the builder.
    optimizer : list of tensors or ndarrays, default=()
        The state of the optimizer. If empty, that of a new optimizer is used.
    learning_rate : float, default=None
        The learning rate of the optimizer. If None, that of the specification is used.
    compiled_by_hand : dict, default=None
        The arguments of ``model.compile``, if the model was compiled by the user.
    model : keras.Model, default=None
        The Keras model. If given, `values` and `trainable` are ignored.
    """

    def __init__(
        self,
        spec,
        seed=0,
        *,
        values=None,
        trainable=None,
        optimizer=(),
        learning_rate=None,
        compiled_by_hand=None,
        model=None,
    ):
        self.spec, self.seed, self.optimizer = spec, seed, list(optimizer)
        self.is_shared = False  # whether a copy of the estimator refers to this network, too
        self._values, self._trainable, self._model = values, trainable, model
        self._learning_rate_by_hand, self._compiled_by_hand = learning_rate, compiled_by_hand
        self._key = None if spec is None or compiled_by_hand else spec.key()
        self._batch = None  # an example batch with the shapes and dtypes of the training data
        self._engine = self._record = self._config_at_build = self._layers_at_build = None
        self._optimizer_config = compile_config_of(model)  # the compile settings that the optimizer state belongs to

    @classmethod
    def restored(cls, spec, seed, built, *, values, trainable):
        """Return a network with values from a file, using a model that was built to validate them.

        Parameters
        ----------
        spec : ModelSpec
            The specification of the model.
        seed : int
            The seed that the model was built with.
        built : tuple (model, record)
            The result of ``spec.build(seed)``.
        values : list of ndarrays
            The values of the variables.
        trainable : list of bool
            A flag for each layer.

        Returns
        -------
        network : Network
            The network.

        Raises
        ------
        ValueError
            If the number of flags is not the number of layers.
        """
        if len(trainable) != len(trainable_flags(built[0])):
            raise ValueError(f"{len(trainable)} flags for {len(trainable_flags(built[0]))} layers")
        network = cls(spec, seed, values=values, trainable=trainable)
        if network._key is None:
            network._set_model(*built)
        else:
            network._engine = Engine(built[0], spec.augmentation)
        return network

    @property
    def model(self):
        """The Keras model, the same at each access."""
        with BUILD_LOCK:
            if self._model is None:
                self._set_model(*self._spec_to_build().build(self.seed))
        if self._batch is not None and self._model.compiled:
            self._model._symbolic_build(data_batch=self._batch)  # creates the metrics, as Keras' fit does
            self._batch = None
        return self._model

    @property
    def has_model(self):
        """Whether the Keras model has been built."""
        return self._model is not None

    def _set_model(self, model, record):
        """Set a newly built model of this specification as the model of this network."""
        self._config_at_build, self._layers_at_build, self._record = (
            compile_config_of(model),
            describe_layers(model),
            record,
        )
        if self._compiled_by_hand is not None:
            model.compile(**self._compiled_by_hand)
        if self._learning_rate_by_hand is not None:
            model.optimizer.learning_rate = self._learning_rate_by_hand
        self._optimizer_config = compile_config_of(model)
        if self._values is not None:
            write_variables(model.variables, self._values)
        for layer, trainable in zip(model._flatten_layers(), self._trainable or (), strict=bool(self._trainable)):
            layer.trainable = trainable
        self._model, self._values, self._trainable = model, None, None

    @property
    def any_model(self):
        """A model of this specification with arbitrary weights and state, for its other attributes."""
        if self._model is None and self._key is not None:
            return self._engine_for_predictions().model
        return self.model

    @property
    def is_as_compiled(self):
        """Whether the model is compiled as in its specification."""
        if self.spec is None or self._compiled_by_hand is not None:
            return False
        return self._model is None or compile_config_of(self._model) is self._config_at_build

    def predict(self, X, part=whole_model, finish=None):
        """Compute the outputs of the model, or of a part of it, in batches.

        Parameters
        ----------
        X : ndarray of shape (n_samples, ...), or a list of them for multiple inputs
            The inputs; uint8 is divided by 255.
        part : callable, default=whole_model
            A function that takes the model and returns the callable to compute, such as a function that runs some of
            its layers. Code is compiled once for each `part`.
        finish : callable, default=None
            A function that is applied to the outputs of each batch and returns one row per sample.

        Returns
        -------
        outputs : ndarray of shape (n_samples, ...), or a list of them for multiple outputs
            The outputs, or the results of `finish`.
        """
        check_not_forked()
        engine = self._engine_for_predictions()
        return predict_in_batches(engine, self._current_values(), part, X, finish)

    @contextlib.contextmanager
    def engine(self):
        """Yield an engine in the state of this network, for exclusive use in a ``with`` block."""
        check_not_forked()
        taken = self._engine_without_model() if self._model is None and self._key is not None else None
        key, engine = taken or self._engine_of_model()
        self._engine, is_own_model = engine, engine.model is self._model
        before, rate = (engine.state(), learning_rate_of(self._model.optimizer)) if is_own_model else (None, None)
        try:
            yield engine
        except BaseException:
            if is_own_model:
                engine.load(*before)
            raise
        finally:
            if not is_own_model and not engine.changed:
                put_engine(key, engine)
            if rate is not None:  # callbacks may change it, and the next training starts from it
                self._model.optimizer.learning_rate = rate

    def after_training(self, engine):
        """Return this network in the state of an engine after training."""
        values, optimizer = engine.state()
        if engine.changed:  # by a callback: use the model of the engine
            record = self._record if engine.initial is None else engine.initial.record
            changes = {"_model": engine.model, "_config_at_build": engine.compile_config, "_record": record}
            changes |= {"_values": None, "_trainable": None}
        elif self._model is None:
            changes = {"_values": values}
        else:
            changes = {}
            if engine.model is not self._model:
                write_variables(self._model.variables, values)
        trained = self._with(optimizer=optimizer, is_shared=False, _batch=engine.batch, **changes)
        trained._optimizer_config = compile_config_of(trained._model)
        return trained

    def snapshot(self):
        """Return a network in the current state of the engine that trains this one."""
        values, optimizer = self._engine.state()
        taken = Network(
            self.spec, self.seed, values=values, optimizer=optimizer, learning_rate=self._initial_learning_rate()
        )
        taken._trainable, taken._engine = trainable_flags(self._engine.model), self._engine
        return taken

    def describe(self, engine):
        """Describe the model and its weights before training, for cache keys.

        Parameters
        ----------
        engine : Engine
            An engine in the state of this network.

        Returns
        -------
        description : list
            Values for ``json.dumps`` that are equal across processes.

        Raises
        ------
        ValueError
            If a part of the model cannot be described, such as a lambda.
        """
        if self._model is None and self._values is None:
            start = [engine.initial.digest(self.seed)]
        else:
            start = [digest(identify("the weights", read_variables(engine.model.variables)))]
        start += [learning_rate_of(engine.model.optimizer), trainable_flags(engine.model)]
        if self._model is not None and self._key is None:
            with contextlib.suppress(NoKeyError):
                model_key(self._model)  # if there is a key, the configuration is complete
                return [*self._describe_configuration(), start]
        return [*self.spec.describe(), start]

    def _describe_configuration(self):
        model = self._model
        yield identify("the layers of the model", [[type(each), each.get_config()] for each in model._flatten_layers()])
        if self.spec is not None and self.is_as_compiled and not self._record.compiled_by_builder:
            yield from self.spec.describe_training()
        else:
            yield identify(
                "the settings of the model", {**compile_config_of(model).config, "optimizer": model.optimizer}
            )

    def with_weights_of(self, other):
        """Return a network with this specification and the weights of another network.

        Raises
        ------
        ValueError
            If the shapes of the weights differ.
        """
        old, new = other._weights(other._current_values()), self._weights(self._current_values())
        shapes = [[tuple(value.shape) for value in each.values()] for each in (old, new)]
        if shapes[0] != shapes[1]:
            raise ValueError(
                "warm_start=True continues from the weights of the last fit, but the architecture has changed. "
                f"Expected weights of shapes {shapes[0]}, received {shapes[1]}. Set warm_start=False to start from new "
                "weights."
            )
        values = list(self._current_values())
        for place, value in zip(new, old.values(), strict=True):
            values[place] = value
        if self._model is None:
            return self._with(_values=values)
        write_variables(self._model.variables, values)
        return self

    def _weights(self, values):
        """Return the values of weights among the values of variables, by position."""
        model = self.any_model
        weights = {id(weight) for weight in model.weights}
        variables = zip(model.variables, values, strict=True)
        return {place: value for place, (variable, value) in enumerate(variables) if id(variable) in weights}

    def unshared(self):
        """Return this network, or a copy if a copy of the estimator shares its model."""
        return copy.deepcopy(self) if self.is_shared and self._model is not None else self

    def _current_values(self):
        """Return the current values of all variables."""
        if self._model is None and self._values is None:
            if self._key is None:
                _ = self.model
            else:
                with self.engine() as engine:
                    self._values = None if self._model else engine.state()[0]
        if self._model is not None:
            return read_variables(self._model.variables)
        if any(isinstance(value, np.ndarray) for value in self._values):  # from a pickle or an archive
            self._values = [tf.constant(value) for value in self._values]
        return self._values

    def _spec_to_build(self):
        return self.spec if self._values is None else self.spec.without_pretrained_weights()

    def _engine_for_predictions(self):
        if self._engine is None:
            if self._model is None and self._key is not None:
                spec = self._spec_to_build()
                self._engine = find_engine(self._key) or find_engine(spec.key())
                if self._engine is None:
                    self._engine = Engine.from_spec(spec, self.seed)
                    put_engine(spec.key(), self._engine)
            else:
                self._engine = Engine(self.model)
        return self._engine

    def _engine_without_model(self):
        """Take an engine from the pool or create one, and return its key and it; None if the model must be built.

        The model must be built if its initial weights cannot be computed, or if the user has frozen layers.
        """
        spec = self._spec_to_build()
        key = spec.key()
        engine = take_engine(key) or Engine.from_spec(spec, self.seed)
        values = engine.initial.variables(self.seed) if self._values is None else self._values
        if values is None or self._trainable not in (None, trainable_flags(engine.model)):
            put_engine(key, engine)
            return None
        engine.load(values, self.optimizer, self._initial_learning_rate())
        return key, engine

    def _engine_of_model(self):
        """Take an engine from the pool or create one, and return its key and it.

        Without a key, the engine trains the model of this network itself.
        """
        model, engine, key = self.model, None, self._key_of_model()
        if key is not None:
            engine = take_engine(key) or self._engine_with_copy(model, key)
        if engine is None:
            engine = self._own_engine(model)
            key = None
        is_same_optimizer = compile_config_of(model) is self._optimizer_config  # False if compiled again
        optimizer = self.optimizer if is_same_optimizer else ()
        if not optimizer and model.optimizer.built:  # the builder has trained the model
            optimizer = read_variables(model.optimizer.variables)
        engine.load(read_variables(model.variables), optimizer, learning_rate_of(model.optimizer))
        return key, engine

    def _own_engine(self, model):
        """Return an engine that trains the model itself: the last one, unless the model has changed."""
        engine, description = self._engine, describe_layers(model)
        is_current = engine is not None and engine.model is model and not engine.changed
        if (
            not is_current
            or engine.compile_config is not compile_config_of(model)
            or engine.traced_layers != description
        ):
            engine = Engine(model, None if self.spec is None else self.spec.augmentation)
            engine.traced_layers = description
        return engine

    def _key_of_model(self):
        if self._key is not None and self.is_as_compiled and describe_layers(self._model) == self._layers_at_build:
            return self.spec.key()  # with Keras' current global settings
        try:
            augmentation = None if self.spec is None else key_of(self.spec.augmentation)
            return "model", model_key(self._model), augmentation
        except NoKeyError:
            return None

    def _engine_with_copy(self, model, key):
        """Create an engine with a copy of the model; return None if Keras cannot copy it."""
        if key[0] != "model":
            return Engine.from_spec(self.spec, self.seed)
        try:
            with build_scope(self.seed, model.dtype_policy.name):
                other = keras.models.clone_model(model)
                if not self.is_as_compiled or self._record.compiled_by_builder:
                    other.compile_from_config(model.get_compile_config())
                else:
                    self.spec.compiling.compile(other)
            for layer, like in zip(other._flatten_layers(), model._flatten_layers(), strict=True):
                layer.trainable = like.trainable
            if model_key(other) != key[1]:
                return None
        except (NoKeyError, NotImplementedError, TypeError, ValueError):
            return None
        return Engine(other, None if self.spec is None else self.spec.augmentation)

    def _initial_learning_rate(self):
        """Return the learning rate at the start of training; None if the optimizer has a learning rate schedule."""
        if self._model is not None:
            return learning_rate_of(self._model.optimizer)
        rate = self.spec.compiling.learning_rate if self._learning_rate_by_hand is None else self._learning_rate_by_hand
        return None if rate is None else float(np.float32(rate))

    def _with(self, **attributes):
        """Return a copy of this network that shares its model, with some attributes replaced."""
        other = Network.__new__(Network)
        vars(other).update(vars(self), **attributes)
        return other

    def state(self):
        """Return the constructor arguments of an equal network, with the model only if there is no specification."""
        optimizer = [np.asarray(value) for value in self.optimizer]
        if self._model is not None and compile_config_of(self._model) is not self._optimizer_config:
            optimizer = []
        if self.spec is None:
            return {"spec": None, "seed": self.seed, "optimizer": optimizer, "model": self._model}
        compiled = self._compiled_by_hand
        if self._model is not None and not self.is_as_compiled:
            new_optimizer = type(self._model.optimizer).from_config(self._model.optimizer.get_config())
            compiled = {**compile_config_of(self._model).config, "optimizer": new_optimizer}
        has_values_only = self._model is None and self._values is not None
        values = [np.asarray(value) for value in (self._values if has_values_only else self._current_values())]
        flags = trainable_flags(self.any_model) if self._trainable is None else self._trainable
        described = {"spec": self.spec, "seed": self.seed, "values": values, "trainable": flags, "optimizer": optimizer}
        return {**described, "learning_rate": self._initial_learning_rate(), "compiled_by_hand": compiled}

    def __getstate__(self):
        """Return the state to pickle."""
        return self.state()

    def __setstate__(self, state):
        """Restore specification and values; a model is built on demand."""
        self.__init__(**state)


def trainable_flags(model):
    """Return the trainable flag of each layer."""
    return [layer.trainable for layer in model._flatten_layers()]
