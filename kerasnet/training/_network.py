"""A network: the specification of a model, its weights, and the state of its optimizer."""

import contextlib
import copy

import keras
import numpy as np
import tensorflow as tf

from kerasnet.training._building import BUILD_LOCK, build_scope
from kerasnet.training._engine import Engine, whole
from kerasnet.training._fork import refuse_forked_process
from kerasnet.training._identity import digest, identify
from kerasnet.training._keys import NoKeyError, key_of, model_key
from kerasnet.training._pool import find_engine, put_engine, take_engine
from kerasnet.training._predict import predict_in_batches
from kerasnet.training._variables import compiled_as, describe_layers, learning_rate_of, read, write


class Network:
    """The specification of a model, its weights, and the state of its optimizer.

    Where a specification has a key, the weights are values, and a Keras model is built when somebody asks for
    :attr:`model`. In all other cases, such as builders of users, a fit trains a model. Once there is a model, its
    weights, its trainable flags and how it is compiled count.

    Parameters
    ----------
    spec : ModelSpec or None
        None for a model of unknown origin.
    seed : int, default=0
        The seed of the initial weights.
    values : list of tensors or ndarrays, default=None
        The values of all variables of the model; those of a new model when None.
    trainable : list of bool, default=None
        A flag for each layer; as the builder sets them when None.
    optimizer : list of tensors or ndarrays, default=()
        The state of the optimizer; that of a new one when empty.
    learning_rate : float, default=None
        That of the optimizer; as the specification says when None.
    compiled_by_hand : dict, default=None
        The arguments of a further ``compile`` of the model, if there was one.
    model : keras.Model, default=None
        A model with these weights; `values` and `trainable` do not count then.
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
        self.is_shared = False  # with a copy of the estimator
        self._values, self._trainable, self._rate_by_hand, self._model = values, trainable, learning_rate, model
        self._compiled_by_hand = compiled_by_hand
        self._key = None if spec is None or compiled_by_hand else spec.key()
        self._batch = None  # like those that were trained on
        self._engine = self._record = self._compiled_as = self._as_built = None
        self._optimized_as = compiled_as(model)  # when the state of the optimizer came to be

    @classmethod
    def restored(cls, spec, seed, built, *, values, trainable):
        """Return a network with values from a file, and the model that was built to compare them with.

        Parameters
        ----------
        spec : ModelSpec
            Of the model.
        seed : int
            The seed that it was built with.
        built : tuple (model, record)
            What ``spec.build(seed)`` returned.
        values : list of ndarrays
            The values of its variables.
        trainable : list of bool
            A flag for each layer.

        Raises
        ------
        ValueError
            If there are more or fewer flags than layers.
        """
        if len(trainable) != len(trainable_flags(built[0])):
            raise ValueError(f"{len(trainable)} flags for {len(trainable_flags(built[0]))} layers")
        network = cls(spec, seed, values=values, trainable=trainable)
        if network._key is None:
            network._adopt(*built)
        else:
            network._engine = Engine(built[0], spec.augmentation)
        return network

    @property
    def model(self):
        """The Keras model, the same at each access."""
        with BUILD_LOCK:
            if self._model is None:
                self._adopt(*self._spec_to_build().build(self.seed))
        if self._batch is not None and self._model.compiled:
            self._model._symbolic_build(data_batch=self._batch)  # for it to list its metrics, as after Keras' fit
            self._batch = None
        return self._model

    @property
    def has_model(self):
        """Whether there is a Keras model already."""
        return self._model is not None

    def _adopt(self, model, record):
        """Take a new model of this specification for that of this network."""
        self._compiled_as, self._as_built, self._record = compiled_as(model), describe_layers(model), record
        if self._compiled_by_hand is not None:
            model.compile(**self._compiled_by_hand)
        if self._rate_by_hand is not None:
            model.optimizer.learning_rate = self._rate_by_hand
        self._optimized_as = compiled_as(model)
        if self._values is not None:
            write(model.variables, self._values)
        for layer, trainable in zip(model._flatten_layers(), self._trainable or (), strict=bool(self._trainable)):
            layer.trainable = trainable
        self._model, self._values, self._trainable = model, None, None

    @property
    def any_model(self):
        """A model of this specification, for all but its weights and its state."""
        if self._model is None and self._key is not None:
            return self._engine_for_predictions().model
        return self.model

    @property
    def is_as_compiled(self):
        """Whether the specification still says how the model is compiled."""
        if self.spec is None or self._compiled_by_hand is not None:
            return False
        return self._model is None or compiled_as(self._model) is self._compiled_as

    def predict(self, X, part=whole, finish=None):
        """Compute the outputs of the model, or of a part of it, in batches.

        Parameters
        ----------
        X : ndarray of shape (n_samples, ...), or a list of them for several inputs
            Inputs; uint8 is divided by 255.
        part : callable, default=whole
            Takes the model and returns what is called with `X`, such as a function that runs some of its layers. Code
            is compiled for each function once.
        finish : callable, default=None
            Takes the outputs for some samples and returns what is kept of them, with one row for each.

        Returns
        -------
        outputs : ndarray of shape (n_samples, ...), or a list of them for several outputs
            The outputs, or what `finish` makes of them.
        """
        refuse_forked_process()
        engine = self._engine_for_predictions()
        return predict_in_batches(engine, self._own_values(), part, X, finish)

    @contextlib.contextmanager
    def engine(self):
        """Lend an engine in the state of this network, which nobody else has meanwhile."""
        refuse_forked_process()
        lent = self._engine_without_model() if self._model is None and self._key is not None else None
        key, engine = lent or self._engine_of_model()
        self._engine, own = engine, engine.model is self._model
        before, rate = (engine.state(), learning_rate_of(self._model.optimizer)) if own else (None, None)
        try:
            yield engine
        except BaseException:
            if own:
                engine.load(*before)
            raise
        finally:
            if not own and not engine.changed:
                put_engine(key, engine)
            if rate is not None:  # callbacks change it, and a further training starts from it
                self._model.optimizer.learning_rate = rate

    def after_training(self, engine):
        """Return the network that an engine has made of this one."""
        values, optimizer = engine.state()
        if engine.changed:  # by a callback: its model is the one that was trained
            record = self._record if engine.initial is None else engine.initial.record
            made = {"_model": engine.model, "_compiled_as": engine.compiled_as, "_record": record}
            made |= {"_values": None, "_trainable": None}
        elif self._model is None:
            made = {"_values": values}
        else:
            made = {}
            if engine.model is not self._model:
                write(self._model.variables, values)
        trained = self._with(optimizer=optimizer, is_shared=False, _batch=engine.batch, **made)
        trained._optimized_as = compiled_as(trained._model)
        return trained

    def snapshot(self):
        """Return a network with the values that the engine lent last has at this moment."""
        values, optimizer = self._engine.state()
        taken = Network(self.spec, self.seed, values=values, optimizer=optimizer, learning_rate=self._rate())
        taken._trainable, taken._engine = trainable_flags(self._engine.model), self._engine
        return taken

    def describe(self, engine):
        """Describe what the model is and which weights training starts from, equally in every process.

        Parameters
        ----------
        engine : Engine
            In the state of this network.

        Returns
        -------
        description : list
            For ``json.dumps``.

        Raises
        ------
        ValueError
            If other processes cannot know it again, such as a lambda.
        """
        if self._model is None and self._values is None:
            start = [engine.initial.digest(self.seed)]
        else:
            start = [digest(identify("the weights", read(engine.model.variables)))]
        start += [learning_rate_of(engine.model.optimizer), trainable_flags(engine.model)]
        if self._model is not None and self._key is None:
            with contextlib.suppress(NoKeyError):
                model_key(self._model)  # where there is a key, the configuration tells everything
                return [*self._describe_configuration(), start]
        return [*self.spec.describe(), start]

    def _describe_configuration(self):
        model = self._model
        yield identify("the layers of the model", [[type(each), each.get_config()] for each in model._flatten_layers()])
        if self.spec is not None and self.is_as_compiled and not self._record.compiled_by_builder:
            yield from self.spec.describe_training()
        else:
            yield identify("the settings of the model", {**compiled_as(model).config, "optimizer": model.optimizer})

    def with_weights_of(self, other):
        """Return a network of this specification that starts from the weights of another one.

        Raises
        ------
        ValueError
            If the weights have other shapes.
        """
        old, new = other._weights(other._own_values()), self._weights(self._own_values())
        shapes = [[tuple(value.shape) for value in each.values()] for each in (old, new)]
        if shapes[0] != shapes[1]:
            raise ValueError(
                "warm_start=True continues from the weights of the last fit, but the architecture has changed since. "
                f"Expected weights of shapes {shapes[0]}, received {shapes[1]}. Set warm_start=False to start again."
            )
        values = list(self._own_values())
        for place, value in zip(new, old.values(), strict=True):
            values[place] = value
        if self._model is None:
            return self._with(_values=values)
        write(self._model.variables, values)
        return self

    def _weights(self, values):
        """Return the weights among the values of variables, by their places."""
        model = self.any_model
        weights = {id(weight) for weight in model.weights}
        variables = zip(model.variables, values, strict=True)
        return {place: value for place, (variable, value) in enumerate(variables) if id(variable) in weights}

    def unshared(self):
        """Return this network, or a copy of it where a copy of the estimator has it too."""
        return copy.deepcopy(self) if self.is_shared and self._model is not None else self

    def _own_values(self):
        """Return the values of all variables."""
        if self._model is None and self._values is None:
            if self._key is None:
                _ = self.model
            else:
                with self.engine() as engine:
                    self._values = None if self._model else engine.state()[0]
        if self._model is not None:
            return read(self._model.variables)
        if any(isinstance(value, np.ndarray) for value in self._values):  # from a file
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
                    self._engine = Engine.of(spec, self.seed)
                    put_engine(spec.key(), self._engine)
            else:
                self._engine = Engine(self.model)
        return self._engine

    def _engine_without_model(self):
        """Take or make an engine, and return it with its key; None if the model must be built.

        That is for initial weights that only a build can tell, and for layers that were frozen by hand.
        """
        spec = self._spec_to_build()
        key = spec.key()
        engine = take_engine(key) or Engine.of(spec, self.seed)
        values = engine.initial.variables(self.seed) if self._values is None else self._values
        if values is None or self._trainable not in (None, trainable_flags(engine.model)):
            put_engine(key, engine)
            return None
        engine.load(values, self.optimizer, self._rate())
        return key, engine

    def _engine_of_model(self):
        """Take or make an engine for the model; without a key it works on the model itself."""
        model, engine, key = self.model, None, self._key_of_model()
        if key is not None:
            engine = take_engine(key) or self._engine_like(model, key)
        if engine is None:
            engine = self._own_engine(model)
            key = None
        optimizer = self.optimizer if compiled_as(model) is self._optimized_as else ()  # not after a further compile
        if not optimizer and model.optimizer.built:  # by a builder that has trained its model
            optimizer = read(model.optimizer.variables)
        engine.load(read(model.variables), optimizer, learning_rate_of(model.optimizer))
        return key, engine

    def _own_engine(self, model):
        """Return an engine that works on the model itself: the last one, unless the model has changed since."""
        engine, description = self._engine, describe_layers(model)
        is_current = engine is not None and engine.model is model and not engine.changed
        if not is_current or engine.compiled_as is not compiled_as(model) or engine.traced_for != description:
            engine = Engine(model, None if self.spec is None else self.spec.augmentation)
            engine.traced_for = description
        return engine

    def _key_of_model(self):
        if self._key is not None and self.is_as_compiled and describe_layers(self._model) == self._as_built:
            return self.spec.key()  # under the globals of now
        try:
            augmentation = None if self.spec is None else key_of(self.spec.augmentation)
            return "model", model_key(self._model), augmentation
        except NoKeyError:
            return None

    def _engine_like(self, model, key):
        """Make an engine with a model like this one; None where Keras cannot copy it."""
        if key[0] != "model":
            return Engine.of(self.spec, self.seed)
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

    def _rate(self):
        """Return the learning rate that training starts with; None where the optimizer follows a schedule."""
        if self._model is not None:
            return learning_rate_of(self._model.optimizer)
        rate = self.spec.compiling.learning_rate if self._rate_by_hand is None else self._rate_by_hand
        return None if rate is None else float(np.float32(rate))

    def _with(self, **attributes):
        """Return a network with the same model, if there is one, and some other attributes."""
        other = Network.__new__(Network)
        vars(other).update(vars(self), **attributes)
        return other

    def state(self):
        """Return the arguments of an equal network: the model itself only where there is no specification of it."""
        optimizer = [np.asarray(value) for value in self.optimizer]
        if self._model is not None and compiled_as(self._model) is not self._optimized_as:
            optimizer = []
        if self.spec is None:
            return {"spec": None, "seed": self.seed, "optimizer": optimizer, "model": self._model}
        compiled = self._compiled_by_hand
        if self._model is not None and not self.is_as_compiled:
            new_optimizer = type(self._model.optimizer).from_config(self._model.optimizer.get_config())
            compiled = {**compiled_as(self._model).config, "optimizer": new_optimizer}
        is_unused = self._model is None and self._values is not None
        values = [np.asarray(value) for value in (self._values if is_unused else self._own_values())]
        flags = trainable_flags(self.any_model) if self._trainable is None else self._trainable
        described = {"spec": self.spec, "seed": self.seed, "values": values, "trainable": flags, "optimizer": optimizer}
        return {**described, "learning_rate": self._rate(), "compiled_by_hand": compiled}

    def __getstate__(self):
        """Return what pickles hold."""
        return self.state()

    def __setstate__(self, state):
        """Keep specification and values; a model is built when it is asked for."""
        self.__init__(**state)


def trainable_flags(model):
    """Return whether each layer is trainable."""
    return [layer.trainable for layer in model._flatten_layers()]
