"""Parameters of the estimators, including the arguments of the model's builder."""

from __future__ import annotations

import copy
import functools
import inspect
import warnings
from numbers import Integral
from typing import Any, Self

import keras
from sklearn.base import clone
from sklearn.utils._param_validation import InvalidParameterError, validate_parameter_constraints

from kerasnet._documentation import DocumentedEstimator
from kerasnet.errors import UnknownModelError
from kerasnet.estimators._callbacks import CALLBACKS, copy_callbacks
from kerasnet.estimators._compiling import COMPILE_NAMES
from kerasnet.estimators._routing import did_you_mean, keras_parameter_errors
from kerasnet.models import registered_model
from kerasnet.models._weights import default_arguments
from kerasnet.training.memory import as_memory

# Arguments of builders that are never parameters of an estimator, since they follow from the data or the registry.
_GIVEN_TO_BUILDERS = ("input_shape", "n_outputs", "output_activation", "name", "meta", "params", "compile_kwargs")
_ROUTED = ("optimizer__", "loss__", "metrics__", "callbacks__", "compile__")
_ROUTED_NAMES = (
    "fit__batch_size",
    "fit__callbacks",
    "fit__epochs",
    "fit__validation_batch_size",
    "fit__validation_split",
    "fit__verbose",
    "predict__batch_size",  # predictions do not depend on it
    "predict__verbose",
    "validation_batch_size",
    "validation_split",
    *COMPILE_NAMES,
)

# Fitted attributes. Arguments of builders must not have these names.
_FITTED_ATTRIBUTES = (
    *("X_dtype_", "X_shape_", "autoencoder_", "callbacks_", "classes_", "feature_encoder_", "feature_names_in_"),
    *("history_", "input_shape_", "model_", "n_classes_", "n_features_in_", "n_iter_", "n_iter_from_memory_"),
    *("n_outputs_", "n_outputs_expected_", "offset_", "output_shape_", "sample_shape_", "target_encoder_"),
    *("target_mean_", "target_scale_", "target_type_", "vocabulary_size_", "y_dtype_", "y_ndim_"),
)


class EstimatorParameters(DocumentedEstimator):
    """Constructor, ``get_params``, ``set_params`` and ``clone`` of every estimator.

    There are three kinds of parameters: parameters in the signature of the constructor, arguments of the model's
    builder, and routed parameters such as ``optimizer__momentum``. Estimators with a fixed architecture have the
    builder's arguments in their signature. Otherwise, the last two kinds are stored only if they are set explicitly.
    """

    model: Any = None  # registered name or builder; a class attribute of estimators with a fixed architecture
    __signature__ = inspect.Signature()

    _others: tuple[str, ...] = ()  # names of stored parameters that are not in the constructor's signature
    _given: tuple[str, ...] = ()  # names of parameters passed to a user's subclass beyond its signature
    _has_own_constructor = False  # whether the constructor is defined by a user's subclass

    def __init_subclass__(cls, **keywords):
        """Set the signature without ``**others``, which scikit-learn would treat as a parameter."""
        super().__init_subclass__(**keywords)
        arguments = list(inspect.signature(cls.__init__).parameters.values())[1:]
        cls._takes_others = any(each.kind == each.VAR_KEYWORD for each in arguments)
        named = [each for each in arguments if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)]
        cls.__signature__ = inspect.Signature(named)
        if "__init__" in vars(cls):
            cls._has_own_constructor = cls.__module__.partition(".")[0] != "kerasnet"

    def __new__(cls, *args, **keywords):
        """Record the names of parameters that are passed to a user's subclass beyond its signature."""
        self = super().__new__(cls)
        if cls._has_own_constructor:
            self._given = tuple(name for name in keywords if name not in cls.__signature__.parameters)
        return self

    def _store_parameters(self, arguments):
        """Store the constructor's ``locals()``; raise an error for unknown names."""
        arguments = {name: value for name, value in arguments.items() if name not in ("self", "__class__")}
        others = arguments.pop("others")
        if "build_fn" in others and "model" in arguments:
            arguments["model"] = others.pop("build_fn")  # SciKeras' name
        signature = type(self).__signature__.parameters.values()  # a subclass may not store all of its parameters
        vars(self).update({argument.name: argument.default for argument in signature}, **arguments)
        if message := self._invalid_parameters_message(others, self.model):
            raise TypeError(message)
        self._add_others(others)

    def _add_others(self, others):
        vars(self).update(others)
        if added := tuple(name for name in others if name not in self._others):
            self._others = (*self._others, *added)

    def _keep_others(self, names):
        """Delete the stored parameters outside of the signature that are not in `names`."""
        for name in set(self._others) - set(names):
            delattr(self, name)
        if self._others:
            self._others = tuple(name for name in self._others if name in names)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get the parameters, including the arguments of the model's builder.

        Parameters
        ----------
        deep : bool, default=True
            If True, include the builder's arguments with default values, and the parameters of nested estimators.

        Returns
        -------
        params : dict
            Parameter names mapped to their values. For a subclass that defines a constructor, its parameters.
        """
        params = super().get_params(deep=deep)
        if self._has_own_constructor:
            return {**params, **{name: getattr(self, name) for name in self._given}}
        if deep:
            return {**self._builder_defaults(), **params, **self._explicit()}
        return {**params, **self._not_default()}

    def set_params(self, **params: Any) -> Self:
        """Set parameters.

        Parameters
        ----------
        **params
            Estimator parameters. ``model`` is set first, so that arguments of its builder can be set together with it.

        Returns
        -------
        self
            The estimator.

        Raises
        ------
        ValueError
            If a parameter does not exist. No parameter is set in this case.
        """
        if self._has_own_constructor:
            self._construct_with(params)
            return self
        if message := self._invalid_parameters_message({**self._explicit(), **params}, params.get("model", self.model)):
            raise ValueError(message)
        named = type(self).__signature__.parameters
        self.__dict__.update((name, value) for name, value in params.items() if name in named)
        self._add_others({name: value for name, value in params.items() if name not in named})
        return self

    def _construct_with(self, params):
        """Set parameters by calling the constructor of a subclass, which may derive attributes from them."""
        given = self.get_params(deep=False)
        valid = sorted(type(self).__signature__.parameters)
        if not self._takes_others and (unknown := sorted(params.keys() - set(valid))):
            described = [f"{name!r}{did_you_mean(name, valid)}" for name in unknown]
            raise ValueError(
                f"{type(self).__name__} has no parameter {', '.join(described)}. Valid parameters: {', '.join(valid)}."
            )
        try:
            before, after = (vars(type(self)(**values)) for values in (given, {**given, **params}))
        except TypeError as error:
            raise ValueError(str(error)) from error
        vars(self).update((name, v) for name, v in after.items() if name not in before or v is not before[name])

    def __sklearn_clone__(self):
        """Clone with shallow copies of callbacks, and with the same losses.

        The objects that a callback refers to, such as a list or a trial of Optuna, are shared. Losses are stateless,
        and cannot always be copied: some configs of Keras are incomplete, for example without the delta of ``Huber``.
        """
        source, params = copy.copy(self), self.get_params(deep=False)
        callbacks = {name: params[name] for name in CALLBACKS if params.get(name) is not None}
        losses = {name: value for name, value in params.items() if isinstance(value, keras.losses.Loss)}
        vars(source).update(dict.fromkeys([*callbacks, *losses]))
        cloned = super(EstimatorParameters, source).__sklearn_clone__()
        vars(cloned).update(losses, **{name: copy_callbacks(value) for name, value in callbacks.items()})
        if not self._has_own_constructor:
            same = self._explicit().keys() - self._not_default().keys()
            cloned._add_others({name: clone(getattr(self, name), safe=False) for name in self._others if name in same})
        return cloned

    def _settings(self):
        """Return all parameters for building and training models, including those set by a subclass."""
        return {**self._builder_defaults(), **self._stored()}

    def _stored(self):
        """Return the stored parameters of this class and its base classes."""
        named = self._parameters_of_bases()
        return {name: getattr(self, name) for name in named if hasattr(self, name)} | self._explicit()

    def _parameters_of_bases(self):
        """Return the names of the parameters of this class and its base classes."""
        kinds = [kind for kind in type(self).__mro__ if issubclass(kind, EstimatorParameters)]
        return {name for kind in kinds for name in kind.__signature__.parameters}

    def _explicit(self):
        """Return the stored parameters that are not in the constructor's signature."""
        return {name: getattr(self, name) for name in self._others}

    def _not_default(self):
        """Return the explicit parameters that differ from the defaults of the builder's arguments."""
        defaults = self._builder_defaults()
        return {
            name: value
            for name, value in self._explicit().items()
            if name not in defaults or repr(value) != repr(defaults[name])
        }

    def _builder_defaults(self):
        """Return the defaults of the builder's arguments; with pretrained weights, those they were trained with."""
        defaults = {
            name: argument.default
            for name, argument in user_arguments(self._builder(self.model)).items()
            if argument.default is not argument.empty and argument.kind != argument.VAR_KEYWORD
        }
        return defaults | {name: value for name, value in self._pretrained_arguments().items() if name in defaults}

    def _pretrained_arguments(self):
        """Return the builder arguments that the pretrained weights were trained with; empty without such weights."""
        weights = vars(self).get("weights")
        entry = None if weights is None else self._registry_entry()
        return {} if entry is None else default_arguments(entry.name, weights)

    def _method_builder(self):
        """Return the method of a subclass that builds the model, as in SciKeras, or None."""
        return getattr(self, "_keras_build_fn", None) or (self.__call__ if callable(self) else None)

    def _registry_entry(self):
        """Return the registry entry of the model; None for a builder or model of the user."""
        return None if self._method_builder() else registered_model(self.model)

    def _builder(self, model):
        """Return the builder of a model; None if there is none, which raises an error in `fit`."""
        if own := self._method_builder():
            return own
        try:
            builder = get_builder(model)
        except UnknownModelError:
            return None
        return builder if callable(builder) else None

    def _invalid_parameters_message(self, names, model):
        """Return an error message if `names` contains invalid parameters for `model`, else None."""
        named = self._parameters_of_bases()
        if set(names) - named and not self._method_builder():
            get_builder(model)  # raises an error for an unknown model
        arguments = user_arguments(self._builder(model))
        reserved = [name for name in names if name in _FITTED_ATTRIBUTES or callable(getattr(type(self), name, None))]
        if reserved := [name for name in reserved if name not in named]:
            return (
                f"{type(self).__name__} has attributes or methods named {', '.join(map(repr, reserved))}. Pass these "
                "arguments of the builder as model__<name>, or rename them."
            )
        if any(argument.kind == argument.VAR_KEYWORD for argument in arguments.values()):
            return None
        names = [name for name in names if name.removeprefix("model__") not in arguments]
        valid = {*named, *arguments}
        unknown = [name for name in names if name not in {*valid, *_ROUTED_NAMES} and not name.startswith(_ROUTED)]
        if not unknown:
            return None
        routed = [*_ROUTED_NAMES, *(f"model__{argument}" for argument in arguments)]
        described = [f"{name!r}{did_you_mean(name, routed if '__' in name else valid)}" for name in unknown]
        return (
            f"{type(self).__name__} (model {getattr(model, '__name__', model)!r}) has no parameter "
            f"{', '.join(described)}. Valid parameters: {', '.join(sorted(valid))}."
        )

    def _check_parameters(self):
        """Validate the parameters; raise one error for all invalid values."""
        errors = []
        for name, value in [*self._settings().items(), *getattr(self, "_fit_keywords", {}).items()]:
            name = name.removeprefix("fit__")
            try:
                validate_parameter_constraints(self._parameter_constraints, {name: value}, type(self).__name__)
            except InvalidParameterError as error:
                errors.append(str(error))
        if not errors and as_memory(self.memory) is not None and not isinstance(self.random_state, Integral):
            errors.append(
                f"The 'memory' parameter of {type(self).__name__} requires reproducible fits: set 'random_state' to an "
                f"int. Got random_state={self.random_state!r} instead."
            )
        errors += keras_parameter_errors(type(self).__name__, self._settings())
        errors += self._model_parameter_errors()
        if errors:
            raise InvalidParameterError("\n".join(errors))

    def _model_parameter_errors(self):
        own, default = self._method_builder(), inspect.signature(type(self)).parameters.get("model")
        if own is None and not isinstance(self.model, str) and not callable(self.model):
            yield (
                f"``model`` must be the name of a registered model, a function that returns a keras.Model, or a "
                f"keras.Model. Got {self.model!r} instead."
            )
        if own is not None and default is not None and self.model not in (None, default.default):
            yield (
                f"A class that implements ``{own.__name__}`` builds its own model. Received: model={self.model!r}. "
                "Remove one of the two."
            )


def get_builder(model):
    """Return the builder of `model`: a registered name, a builder, or a Keras model, which is copied."""
    if isinstance(model, keras.Model):
        return functools.partial(copy_model, model)
    return registered_model(model).builder if isinstance(model, str) else model


def copy_model(model):
    """Return a copy of a Keras model with its weights and compile settings."""
    with warnings.catch_warnings():  # the optimizer of an untrained model has no state
        warnings.filterwarnings("ignore", "Skipping variable loading for optimizer", UserWarning)
        return copy.deepcopy(model)


def user_arguments(builder):
    """Return the arguments of a builder that users can set: a dict of ``inspect.Parameter``."""
    return {} if builder is None else _arguments_of(builder)


@functools.lru_cache(maxsize=64)
def _arguments_of(builder):
    arguments = inspect.signature(builder).parameters
    return {name: argument for name, argument in arguments.items() if name not in _GIVEN_TO_BUILDERS}
