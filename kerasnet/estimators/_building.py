"""From parameters and what is known of the data to a compiled model, and through pickles."""

import collections
import contextlib
import copy
import inspect
import math
import random
import threading
import typing

import keras
import numpy as np
from keras.src.backend.common import global_state
from keras.src.losses.losses import LossFunctionWrapper
from keras.src.random import seed_generator

from kerasnet.errors import UnsafeFileError
from kerasnet.estimators._parameters import EstimatorParameters, builder_of
from kerasnet.estimators._scikeras import compile_arguments, route_params
from kerasnet.models import build_backbone

_BUILD_LOCK = threading.Lock()
_BOUND_LOCK = threading.Lock()


class Recipe(typing.NamedTuple):
    """What a model is made from."""

    builder: typing.Callable
    arguments: dict
    parameters: dict  # of the estimator; what its loss and optimizer come from
    seed: int | None = None


class ModelBuilding(EstimatorParameters):
    """The part of an estimator that builds models, and that rebuilds them from pickles.

    Its subclasses say which outputs and which loss fit the targets.
    """

    def __getstate__(self):
        """Return what pickles and copies keep: of the model its recipe and the values of its variables."""
        state = dict(super().__getstate__())
        state.pop("callbacks_", None)  # they may hold anything, such as open files
        if recipe := vars(state.get("model_", object)).get("_kerasnet_recipe"):
            values = [variable.value.numpy() for variable in self.model_.variables]
            state["model_"] = SavedModel(recipe, values, [layer.trainable for layer in self.model_._flatten_layers()])
        return state

    def __setstate__(self, state):
        """Build the model anew, and give it its values."""
        super().__setstate__(state)
        if isinstance(saved := state.get("model_"), SavedModel):
            self.model_ = self._as_in_fit(saved.recipe)._new_model(saved.recipe.seed, saved.recipe)
            saved.fill(self.model_)

    def _seed_of_model(self):
        """Return what the model was built with, which a builder may have drawn constants with."""
        return getattr(vars(self.model_).get("_kerasnet_recipe"), "seed", 0)

    def __copy__(self):
        """Copy without a copy of the model."""
        twin = type(self).__new__(type(self))
        vars(twin).update(vars(self))
        return twin

    def _twin(self):
        """Build and compile another model like `model_`, whose weights are to come from there."""
        return self._new_model(self._seed_of_model(), self._recipe())

    def _new_model(self, seed, recipe=None):
        """Build and compile a model; its initial weights depend on `seed` alone.

        A `recipe` is given when the weights are to come from another model or from a file. Then none are loaded.
        """
        starts_anew = recipe is None
        recipe = (recipe or self._recipe())._replace(seed=seed)
        builder = self._builder(self.model) or builder_of(self.model)
        arguments = recipe.arguments
        if builder is build_backbone and not starts_anew:
            arguments = {**arguments, "weights": None}
        with _fresh_start(seed):
            model = builder(**arguments)
            if not isinstance(model, keras.Model):
                raise TypeError(f"{builder!r} must return a keras.Model. Received: {model!r}.")
            self._check_input(model)
            if not model.built:
                model(keras.ops.zeros((1, *self.input_shape_)))
            if self.target_encoder is None:
                self._check_model(model)
            if not model.compiled:  # a builder may do it itself
                model.compile(**self._compile_arguments(model))
        vars(model)["_kerasnet_recipe"] = recipe  # not by setattr: Keras would track it
        return model

    def _as_in_fit(self, recipe):
        """Return a copy with the parameters that the model was made with, which may have changed since."""
        twin = copy.copy(self)
        for name in twin._explicit().keys() - recipe.parameters.keys():
            delattr(twin, name)
        vars(twin).update(recipe.parameters)
        return twin

    def _check_input(self, model):
        """Refuse a model for samples of another shape; where the number of axes differs, Keras may add one."""
        expected = getattr(model, "input_shape", None)
        if isinstance(expected, tuple) and len(expected) == len(self.input_shape_) + 1:
            pairs = zip(expected[1:], self.input_shape_, strict=True)
            if any(size is not None and size != given for size, given in pairs):
                raise ValueError(
                    f"The model takes samples of shape {expected[1:]}. Received: samples of shape {self.input_shape_}."
                )

    def _output_shape(self, model):
        """Return the shape of a model's outputs, which models of one's own class do not keep."""
        try:
            return model.output_shape
        except AttributeError:
            return model.compute_output_spec(keras.KerasTensor((None, *self.input_shape_))).shape

    def _recipe(self):
        """Return what a model is made from."""
        builder = self._builder(self.model) or builder_of(self.model)
        given = {"input_shape": self.input_shape_, **(self._outputs() if self.target_encoder is None else {})}
        accepted = inspect.signature(builder).parameters
        if any(argument.kind == argument.VAR_KEYWORD for argument in accepted.values()):
            accepted = {**accepted, **given, **self._explicit(), **route_params(self._explicit(), "model", ())}
        params = self.get_params(deep=False)
        given.update((name, value) for name, value in params.items() if "__" not in name)
        given.update(route_params(params, "model", pass_filter=(), strict=True))
        given.update((name, make()) for name, make in self._offered().items() if name in accepted)
        if self._padding is not None:
            given["mask_value"] = self._padding
        arguments = {name: value for name, value in given.items() if name in accepted}
        return Recipe(builder, arguments, {**super().get_params(deep=False), **self._explicit()})

    def _offered(self):
        """Return what makes the arguments that builders made for SciKeras may ask for."""
        return {"meta": self._metadata, "params": self.get_params, "compile_kwargs": self._compile_arguments}

    def _metadata(self):
        """Return what builders made for SciKeras are told about the data."""
        later = ("model_", "history_", "callbacks_", "n_iter_", "input_shape_", "feature_encoder_", "target_encoder_")
        return {name: value for name, value in vars(self).items() if name[-1] == "_" != name[0] and name not in later}

    def _compile_arguments(self, model=None):
        """Return what to compile with; without a model, which decides it, without a default loss."""
        arguments = compile_arguments(self.get_params(deep=False))
        # Keras divides by the batch size; divided by the sum of weights, weight 0 is a removed sample
        if self.loss is None and model is not None and self.target_encoder is None:
            arguments["loss"] = self._default_loss(model)(reduction="mean_with_sample_weight")
        elif isinstance(self.loss, str) and not isinstance(arguments["loss"], keras.losses.Loss):
            arguments["loss"] = LossFunctionWrapper(
                arguments["loss"], name=self.loss, reduction="mean_with_sample_weight"
            )
        optimizer = arguments["optimizer"]
        if not isinstance(optimizer, keras.optimizers.Optimizer):
            raise TypeError(
                "optimizer must be the name, the class or an instance of a Keras optimizer. "
                f"Received: {self.optimizer!r}."
            )
        if optimizer is self.optimizer:  # an instance: its own rate, and its state stays its own
            arguments["optimizer"] = type(optimizer).from_config(optimizer.get_config())
        elif not hasattr(self, "optimizer__learning_rate"):
            optimizer.learning_rate = self.learning_rate
        return arguments


class SavedModel(typing.NamedTuple):
    """A model in a file."""

    recipe: Recipe
    values: list
    trainable: list

    def fill(self, model):
        """Give a new model of the same recipe its values."""
        for variable, value in zip(model.variables, self.values, strict=True):
            variable.assign(value)
        for layer, trainable in zip(model._flatten_layers(), self.trainable, strict=True):
            layer.trainable = trainable


@contextlib.contextmanager
def _fresh_start(seed):
    """Seed what models are built from, start Keras' automatic names anew, and give all back as it was.

    Keras' initialisers and dropout layers draw their seeds from Python's ``random`` when they are made. Here they get
    a generator of this thread's own, since other threads, such as those of a Dask worker, draw from the global one at
    any time. A user's builder may ask Python or NumPy. Both are global, hence the lock. Layers without a name of their
    own are numbered through for the whole process: then no two models would look alike to the engine, and TensorFlow
    keeps memory for each name it ever saw.
    """
    with _BUILD_LOCK:
        states = random.getstate(), np.random.get_state()
        names = global_state.get_global_attribute("object_name_uids")
        try:
            seed_generator.python_random = _OwnOfThread(seed)
            random.seed(seed)
            np.random.seed(seed)
            global_state.set_global_attribute("object_name_uids", collections.defaultdict(int))
            yield
        finally:
            seed_generator.python_random = random
            random.setstate(states[0])
            np.random.set_state(states[1])
            global_state.set_global_attribute("object_name_uids", names)


class _OwnOfThread:
    """What Keras draws seeds from: a generator for the thread that made this, Python's global one for all others."""

    def __init__(self, seed):
        self._thread, self._own = threading.get_ident(), random.Random(seed)

    def randint(self, low, high):
        return (self._own if threading.get_ident() == self._thread else random).randint(low, high)


@contextlib.contextmanager
def at_most(n_bytes):
    """Have this thread make Keras variables of no more than `n_bytes` in all; it is asked before memory is."""
    original, thread, left = keras.Variable._initialize_with_initializer, threading.get_ident(), n_bytes

    def initialize(variable, initializer):
        nonlocal left
        if threading.get_ident() == thread:
            left -= math.prod(variable.shape) * np.dtype(variable.dtype).itemsize
            if left < 0:
                raise UnsafeFileError(
                    f"{variable.path!r} of shape {tuple(variable.shape)} would make the model larger than its weights, "
                    f"for which there are {n_bytes} bytes."
                )
        original(variable, initializer)

    with _BOUND_LOCK:
        keras.Variable._initialize_with_initializer = initialize
        try:
            yield
        finally:
            keras.Variable._initialize_with_initializer = original
