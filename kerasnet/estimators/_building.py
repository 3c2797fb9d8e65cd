"""From parameters and what is known of the data to a compiled model, and through pickles."""

import copy
import inspect
import typing

import keras
import numpy as np

from kerasnet.estimators._build_scope import fresh_start, refuse_shared_layers
from kerasnet.estimators._compiling import compile_arguments
from kerasnet.estimators._metrics import adapt_metrics, inner_function
from kerasnet.estimators._parameters import EstimatorParameters, builder_of
from kerasnet.estimators._scikeras import loss_name, route_params
from kerasnet.models import build_backbone
from kerasnet.training import hand_on, refuse_forked_process


class Recipe(typing.NamedTuple):
    """What a model is made from."""

    builder: typing.Callable
    arguments: dict
    parameters: dict  # of the estimator; what its loss and optimizer come from
    seed: int | None = None
    dtype_policy: str = "float32"


class ModelBuilding(EstimatorParameters):
    """The part of an estimator that builds models, and that rebuilds them from pickles.

    Its subclasses say which outputs and which loss fit the targets.
    """

    def __getstate__(self):
        """Return what pickles and copies keep: of the model its recipe and the values of its variables."""
        state = dict(super().__getstate__())
        state.pop("callbacks_", None)  # they may hold anything, such as open files
        if self.target_encoder is None:
            state.pop("target_encoder_", None)  # of classes_
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
        """Copy without a copy of the model, which is then trained in place by neither of the two."""
        copied = type(self).__new__(type(self))
        vars(copied).update(vars(self))
        if isinstance(vars(self).get("model_"), keras.Model):
            vars(self.model_)["_kerasnet_shared"] = True
        return copied

    def _own_model(self):
        """Take a copy of the model where it is shared with a copy of the estimator, before it is trained in place."""
        self._optimizer_state = list(self._optimizer_state)
        if vars(self.model_).get("_kerasnet_shared"):
            model = self._twin()
            hand_on(self.model_, model)
            self.model_ = model

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
        refuse_forked_process()
        with fresh_start(seed, recipe.dtype_policy):
            model = builder(**arguments)
            if not isinstance(model, keras.Model):
                raise TypeError(f"{builder!r} must return a keras.Model. Received: {model!r}.")
            self._check_input(model)
            if not model.built:
                model(keras.ops.zeros((1, *self.input_shape_), dtype=self._input_dtype()))
            if self.target_encoder is None:
                self._check_model(model)
            if not model.compiled:  # a builder may do it itself
                model.compile(**self._compile_arguments(model))
            elif not isinstance(self.model, keras.Model):
                self._check_compiled_loss(model)
        if not isinstance(self.model, keras.Model) and self._registry_entry() is None:
            refuse_shared_layers(model, arguments)
        vars(model)["_kerasnet_recipe"] = recipe  # not by setattr: Keras would track it
        return model

    def _check_compiled_loss(self, model):
        """Refuse a loss that is another than the one that a builder compiled its model with."""
        given, compiled = names_of_losses(self.loss), names_of_losses(model.loss)
        if given and given != compiled:
            raise ValueError(
                f"loss={self.loss!r} but model compiled with {', '.join(compiled)}: a builder that compiles its model "
                "decides its loss. Leave out one of the two."
            )

    def _input_dtype(self):
        """Return the dtype of samples for a model that has no inputs yet."""
        dtype = getattr(self, "X_dtype_", np.dtype(np.float32))
        return dtype.name if dtype.kind in "iu" and self._input_kind is None else None

    def _as_in_fit(self, recipe):
        """Return a copy with the parameters that the model was made with, which may have changed since."""
        twin = copy.copy(self)
        twin._keep_others(recipe.parameters)
        named = twin._stored().keys() - set(twin._others)
        vars(twin).update((name, value) for name, value in recipe.parameters.items() if name in named)
        twin._add_others({name: value for name, value in recipe.parameters.items() if name not in named})
        return twin

    def _check_input(self, model):
        """Refuse a model for samples of another shape; where the number of axes differs, Keras may add one."""
        expected, shape = getattr(model, "input_shape", None), self.input_shape_
        if isinstance(shape, list) and len(shape) == 1:
            (shape,) = shape  # a list of the one input
        if isinstance(expected, tuple) and len(expected) == len(shape) + 1:
            pairs = zip(expected[1:], shape, strict=True)
            if any(size is not None and size != given for size, given in pairs):
                raise ValueError(
                    f"The model takes samples of shape {expected[1:]}. Received: samples of shape {shape}."
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
        params = self._settings()
        given.update((name, value) for name, value in params.items() if "__" not in name)
        given.update(route_params(params, "model", pass_filter=(), strict=True))
        given.update((name, make()) for name, make in self._offered().items() if name in accepted)
        if self._padding is not None:
            given["mask_value"] = self._padding
        arguments = {name: value for name, value in given.items() if name in accepted}
        return Recipe(builder, arguments, self._stored(), None, keras.config.dtype_policy().name)

    def _offered(self):
        """Return what makes the arguments that builders made for SciKeras may ask for."""
        return {"meta": self._metadata, "params": self.get_params, "compile_kwargs": self._compile_arguments}

    def _metadata(self):
        """Return what builders made for SciKeras are told about the data."""
        later = ("model_", "history_", "callbacks_", "n_iter_", "input_shape_", "feature_encoder_", "target_encoder_")
        return {name: value for name, value in vars(self).items() if name[-1] == "_" != name[0] and name not in later}

    def _compile_arguments(self, model=None):
        """Return what to compile with; without a model, which decides it, without a default loss."""
        arguments = compile_arguments(self._settings())
        if model is not None:
            if self.loss is None and self.target_encoder is None:
                arguments["loss"] = self._default_loss(model)()
            outputs = getattr(model, "output_names", ())
            if len(outputs) > 1 and is_flat(self.metrics, len(outputs)):  # each output has its own
                arguments["metrics"] = {name: compile_arguments(self._settings())["metrics"] for name in outputs}
            for kind in {"metrics", "weighted_metrics"} & arguments.keys():
                arguments[kind] = adapt_metrics(arguments[kind], self._class_outputs(model, arguments["loss"]))
        elif (n_outputs := getattr(self, "n_outputs_expected_", 1)) > 1 and is_flat(self.metrics, n_outputs):
            arguments["metrics"] = None  # the builder knows for which of its outputs they are
        optimizer = arguments["optimizer"]
        if not isinstance(optimizer, keras.optimizers.Optimizer):
            raise TypeError(
                "optimizer must be the name, the class or an instance of a Keras optimizer. "
                f"Received: {self.optimizer!r}."
            )
        if optimizer is self.optimizer:  # an instance: its own rate, and its state stays its own
            arguments["optimizer"] = type(optimizer).from_config(optimizer.get_config())
        elif "optimizer__learning_rate" not in self._explicit():
            optimizer.learning_rate = self.learning_rate
        return arguments

    def _class_outputs(self, model, loss):
        """Return how a classifier reads the outputs of a model; None where targets have the shape of the outputs."""
        return None  # noqa: RET501 - a value


def is_flat(metrics, n_outputs):
    """Tell whether metrics are not given for each output of a model with several outputs."""
    is_list = isinstance(metrics, list | tuple)
    return not isinstance(metrics, list | tuple | dict | None) or (
        is_list and len(metrics) != n_outputs and not any(isinstance(each, list | tuple) for each in metrics)
    )


def names_of_losses(losses):
    """Return the full names of losses; of those that wrap a function, the name of that."""
    flat = [each for each in keras.tree.flatten(losses) if each is not None]
    return [loss_name(inner_function(getattr(each, "fn", each))) for each in flat]


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
