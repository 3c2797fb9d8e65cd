"""Parameters as scikit-learn wants them, where some are named only by the builder of a model."""

import copy
import functools
import inspect
import warnings
from numbers import Integral
from typing import Any

import keras
from sklearn.base import BaseEstimator, clone
from sklearn.utils._param_validation import InvalidParameterError, validate_parameter_constraints

from kerasnet.errors import UnknownModelError
from kerasnet.estimators._callbacks import CALLBACKS, copy_callbacks
from kerasnet.estimators._compiling import COMPILE_NAMES
from kerasnet.estimators._routing import complaints_about_keras, nearest
from kerasnet.models import registered_model
from kerasnet.models._weights import default_arguments
from kerasnet.training.memory import as_memory

# What the data decide, or the registry; never parameters of an estimator.
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


# Attributes that fits set, which builders' arguments would get in the way of.
_LEARNED = (
    *("X_dtype_", "X_shape_", "autoencoder_", "callbacks_", "classes_", "feature_encoder_", "feature_names_in_"),
    *("history_", "input_shape_", "model_", "n_classes_", "n_features_in_", "n_iter_", "n_iter_from_memory_"),
    *("n_outputs_", "n_outputs_expected_", "offset_", "output_shape_", "sample_shape_", "target_encoder_"),
    *("target_type_", "y_dtype_", "y_ndim_"),
)


class EstimatorParameters(BaseEstimator):
    """Constructor, ``get_params``, ``set_params`` and ``clone`` of every estimator.

    There are three kinds of parameters: those in the constructor's signature; the arguments of the model's
    builder, which are in that signature only for estimators of one architecture; and routed ones such as
    ``optimizer__momentum``. Of the last two kinds only values that were given explicitly are stored.
    """

    model: Any = None  # the registered name or the builder; estimators of one architecture set it for their class
    __signature__ = inspect.Signature()

    _others = ()  # names of the stored parameters that are not in the constructor's signature
    _given = ()  # those of them that were given to the own constructor of a subclass
    _own_constructor = False  # whether a class outside of kerasnet defines it

    def __init_subclass__(cls, **keywords):
        """Show the named parameters as the signature: scikit-learn takes the name of ``**others`` for one of them."""
        super().__init_subclass__(**keywords)
        arguments = list(inspect.signature(cls.__init__).parameters.values())[1:]
        cls._takes_others = any(each.kind == each.VAR_KEYWORD for each in arguments)
        named = [each for each in arguments if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)]
        cls.__signature__ = inspect.Signature(named)
        if "__init__" in vars(cls):
            cls._own_constructor = cls.__module__.partition(".")[0] != "kerasnet"

    def __new__(cls, *args, **keywords):
        """Note what is given to the constructor of a subclass beyond its signature."""
        self = super().__new__(cls)
        if cls._own_constructor:
            self._given = tuple(name for name in keywords if name not in cls.__signature__.parameters)
        return self

    def _store_parameters(self, arguments):
        """Store the constructor's ``locals()``; refuse names that nothing takes."""
        arguments = {name: value for name, value in arguments.items() if name not in ("self", "__class__")}
        others = arguments.pop("others")
        if "build_fn" in others and "model" in arguments:
            arguments["model"] = others.pop("build_fn")  # as SciKeras' users may call it
        signature = type(self).__signature__.parameters.values()  # a subclass may take what it then forgets to store
        vars(self).update({argument.name: argument.default for argument in signature}, **arguments)
        if complaint := self._complaint_about(others, self.model):
            raise TypeError(complaint)
        self._add_others(others)

    def _add_others(self, others):
        vars(self).update(others)
        if added := tuple(name for name in others if name not in self._others):
            self._others = (*self._others, *added)

    def _keep_others(self, names):
        """Forget the stored parameters beyond the signature that are not among `names`."""
        for name in set(self._others) - set(names):
            delattr(self, name)
        if self._others:
            self._others = tuple(name for name in self._others if name in names)

    def get_params(self, deep=True):
        """Get the parameters, those of the model's builder included.

        Parameters
        ----------
        deep : bool, default=True
            Also the builder's arguments that have their default values, and the parameters of parameters that are
            estimators themselves.

        Returns
        -------
        params : dict
            Values by name. Of a subclass with a constructor of its own, the parameters of that.
        """
        params = super().get_params(deep=deep)
        if self._own_constructor:
            return {**params, **{name: getattr(self, name) for name in self._given}}
        if deep:
            return {**self._builder_defaults(), **params, **self._explicit()}
        return {**params, **self._not_default()}

    def set_params(self, **params):
        """Set parameters.

        Parameters
        ----------
        **params
            Values by name. ``model`` is applied first, so that its builder's arguments can be set with it.

        Returns
        -------
        self
            This estimator.

        Raises
        ------
        ValueError
            If nothing takes a name; nothing is set then.
        """
        if self._own_constructor:
            self._construct_with(params)
            return self
        if complaint := self._complaint_about({**self._explicit(), **params}, params.get("model", self.model)):
            raise ValueError(complaint)
        named = type(self).__signature__.parameters
        vars(self).update((name, value) for name, value in params.items() if name in named)
        self._add_others({name: value for name, value in params.items() if name not in named})
        return self

    def _construct_with(self, params):
        """Let the constructor of a subclass derive from new values what it derives from them."""
        given = self.get_params(deep=False)
        valid = sorted(type(self).__signature__.parameters)
        if not self._takes_others and (unknown := sorted(params.keys() - set(valid))):
            described = [f"{name!r}{nearest(name, valid)}" for name in unknown]
            raise ValueError(
                f"{type(self).__name__} takes no parameter {', '.join(described)}. "
                f"Valid parameters: {', '.join(valid)}."
            )
        try:
            before, after = (vars(type(self)(**values)) for values in (given, {**given, **params}))
        except TypeError as error:
            raise ValueError(str(error)) from error
        vars(self).update((name, v) for name, v in after.items() if name not in before or v is not before[name])

    def __sklearn_clone__(self):
        """Clone with shallow copies of callbacks, and with the same losses.

        What a callback refers to, such as a list or a trial of Optuna, is the user's. Losses have no state, and a copy
        of one is made from its configuration, from which Keras leaves out some arguments, such as ``Huber``'s delta.
        """
        source, params = copy.copy(self), self.get_params(deep=False)
        callbacks = {name: params[name] for name in CALLBACKS if params.get(name) is not None}
        losses = {name: value for name, value in params.items() if isinstance(value, keras.losses.Loss)}
        vars(source).update(dict.fromkeys([*callbacks, *losses]))
        cloned = super(EstimatorParameters, source).__sklearn_clone__()
        vars(cloned).update(losses, **{name: copy_callbacks(value) for name, value in callbacks.items()})
        if not self._own_constructor:
            same = self._explicit().keys() - self._not_default().keys()
            cloned._add_others({name: clone(getattr(self, name), safe=False) for name in self._others if name in same})
        return cloned

    def _settings(self):
        """Return all that models are built and trained by: also what a subclass's constructor sets."""
        return {**self._builder_defaults(), **self._stored()}

    def _stored(self):
        """Return the stored parameters of this class and its bases."""
        named = self._parameters_of_bases()
        return {name: getattr(self, name) for name in named if hasattr(self, name)} | self._explicit()

    def _parameters_of_bases(self):
        """Return the names of the parameters of this class and its bases."""
        kinds = [kind for kind in type(self).__mro__ if issubclass(kind, EstimatorParameters)]
        return {name for kind in kinds for name in kind.__signature__.parameters}

    def _explicit(self):
        """Return the stored parameters that are not in the constructor's signature."""
        return {name: getattr(self, name) for name in self._others}

    def _not_default(self):
        """Return the explicit parameters without those that have the default value of the builder's argument."""
        defaults = self._builder_defaults()
        return {
            name: value
            for name, value in self._explicit().items()
            if name not in defaults or repr(value) != repr(defaults[name])
        }

    def _builder_defaults(self):
        """Return the defaults of the builder's arguments, or those that pretrained weights were trained with."""
        defaults = {
            name: argument.default
            for name, argument in arguments_for_users(self._builder(self.model)).items()
            if argument.default is not argument.empty and argument.kind != argument.VAR_KEYWORD
        }
        weights = vars(self).get("weights")
        if weights is not None and (entry := self._registry_entry()) is not None:
            pretrained = default_arguments(entry.name, weights)
            defaults |= {name: value for name, value in pretrained.items() if name in defaults}
        return defaults

    def _own_builder(self):
        """Return the method by which a subclass is its own builder, as in SciKeras; None if it is not."""
        return getattr(self, "_keras_build_fn", None) or (self.__call__ if callable(self) else None)

    def _registry_entry(self):
        """Return the registry's entry of the model; None for a user's builder or model."""
        return None if self._own_builder() else registered_model(self.model)

    def _builder(self, model):
        """Return the builder of a model; None when there is none, which `fit` refuses."""
        if own := self._own_builder():
            return own
        try:
            builder = builder_of(model)
        except UnknownModelError:
            return None
        return builder if callable(builder) else None

    def _complaint_about(self, names, model):
        """Say which of `names` nothing takes when the model is `model`; None if all are taken."""
        named = self._parameters_of_bases()
        if set(names) - named and not self._own_builder():
            builder_of(model)  # an unknown model is the better complaint
        arguments = arguments_for_users(self._builder(model))
        taken = [name for name in names if name in _LEARNED or callable(getattr(type(self), name, None))]
        if taken := [name for name in taken if name not in named]:
            return (
                f"{type(self).__name__} has attributes and methods {', '.join(map(repr, taken))} of its own. Give "
                "these arguments of the builder as model__<name>, or rename them."
            )
        if any(argument.kind == argument.VAR_KEYWORD for argument in arguments.values()):
            return None
        names = [name for name in names if name.removeprefix("model__") not in arguments]
        valid = {*named, *arguments}
        unknown = [name for name in names if name not in {*valid, *_ROUTED_NAMES} and not name.startswith(_ROUTED)]
        if not unknown:
            return None
        routed = [*_ROUTED_NAMES, *(f"model__{argument}" for argument in arguments)]
        described = [f"{name!r}{nearest(name, routed if '__' in name else valid)}" for name in unknown]
        return (
            f"{type(self).__name__} (model {getattr(model, '__name__', model)!r}) takes no parameter "
            f"{', '.join(described)}. Valid parameters: {', '.join(sorted(valid))}."
        )

    def _check_parameters(self):
        """Refuse invalid values, all of them at once."""
        complaints = []
        for name, value in [*self._settings().items(), *getattr(self, "_of_this_call", {}).items()]:
            name = name.removeprefix("fit__")
            try:
                validate_parameter_constraints(self._parameter_constraints, {name: value}, type(self).__name__)
            except InvalidParameterError as error:
                complaints.append(str(error))
        if not complaints and as_memory(self.memory) is not None and not isinstance(self.random_state, Integral):
            complaints.append(
                f"The 'memory' parameter of {type(self).__name__} needs fits that can be repeated: set 'random_state' "
                f"to an int. Got random_state={self.random_state!r} instead."
            )
        complaints += complaints_about_keras(type(self).__name__, self._settings())
        complaints += self._complaints_about_model()
        if complaints:
            raise InvalidParameterError("\n".join(complaints))

    def _complaints_about_model(self):
        own, default = self._own_builder(), inspect.signature(type(self)).parameters.get("model")
        if own is None and not isinstance(self.model, str) and not callable(self.model):
            yield (
                f"``model`` must be the name of a registered model, a function that returns a keras.Model, or a "
                f"keras.Model. Got {self.model!r} instead."
            )
        if own is not None and default is not None and self.model not in (None, default.default):
            yield (
                f"A class that is its own builder cannot implement ``{own.__name__}`` and be given model="
                f"{self.model!r}. Leave out one of them."
            )


def builder_of(model):
    """Return the function that builds `model`: a registered name, that function itself, or a model to be copied."""
    if isinstance(model, keras.Model):
        return functools.partial(copy_of, model)
    return registered_model(model).builder if isinstance(model, str) else model


def copy_of(model):
    """Return a copy of a Keras model, with its weights, compiled as it is."""
    with warnings.catch_warnings():  # the optimizer of a model that was never trained has no state to copy
        warnings.filterwarnings("ignore", "Skipping variable loading for optimizer", UserWarning)
        return copy.deepcopy(model)


def arguments_for_users(builder):
    """Return the arguments of a builder that users may set, as ``inspect.Parameter`` by name."""
    return {} if builder is None else _arguments_of(builder)


@functools.lru_cache(maxsize=64)
def _arguments_of(builder):
    arguments = inspect.signature(builder).parameters
    return {name: argument for name, argument in arguments.items() if name not in _GIVEN_TO_BUILDERS}
