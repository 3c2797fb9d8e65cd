"""Parameters as scikit-learn wants them, where some are named only by the builder of a model."""

import copy
import difflib
import functools
import inspect
from numbers import Integral

import keras
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import InvalidParameterError, validate_parameter_constraints

from kerasnet.errors import UnknownModelError
from kerasnet.estimators._scikeras import route_params
from kerasnet.models import registered_model
from kerasnet.training import as_memory

# What the data decide, or the registry; never parameters of an estimator.
_GIVEN_TO_BUILDERS = ("input_shape", "n_outputs", "output_activation", "name", "meta", "params", "compile_kwargs")
_ROUTED = ("optimizer__", "loss__", "metrics__", "callbacks__", "compile__")
_ROUTED_NAMES = (
    "fit__batch_size",
    "fit__callbacks",
    "fit__epochs",
    "fit__validation_split",
    "fit__verbose",
    "predict__batch_size",  # predictions do not depend on it
    "predict__verbose",
)


class EstimatorParameters(BaseEstimator):
    """Constructor, ``get_params``, ``set_params`` and ``clone`` of every estimator.

    There are three kinds of parameters: those in the constructor's signature; the arguments of the model's
    builder, which are in that signature only for estimators of one architecture; and routed ones such as
    ``optimizer__momentum``. Of the last two kinds only values that were given explicitly are stored.
    """

    model = None  # the registered name or the builder; estimators of one architecture set it for their class

    def __init_subclass__(cls, **keywords):
        """Show the named parameters as the signature: scikit-learn takes the name of ``**others`` for one of them."""
        super().__init_subclass__(**keywords)
        arguments = list(inspect.signature(cls.__init__).parameters.values())[1:]
        cls.__signature__ = inspect.Signature([each for each in arguments if each.kind != each.VAR_KEYWORD])

    def _store_parameters(self, arguments):
        """Store the constructor's ``locals()``; refuse names that nothing takes."""
        arguments = {name: value for name, value in arguments.items() if name not in ("self", "__class__")}
        others = arguments.pop("others")
        signature = type(self).__signature__.parameters.values()  # a subclass may take what it then forgets to store
        vars(self).update({argument.name: argument.default for argument in signature}, **arguments)
        if complaint := self._complaint_about(others, self.model):
            raise TypeError(complaint)
        vars(self).update(others)

    def get_params(self, deep=True):
        """Get the parameters, those of the model's builder included.

        Parameters
        ----------
        deep : bool, default=True
            Also those of parameters that are estimators themselves.

        Returns
        -------
        params : dict
            Values by name.
        """
        defaults = {
            name: argument.default
            for name, argument in _arguments_for_users(self._builder(self.model)).items()
            if argument.default is not argument.empty and argument.kind != argument.VAR_KEYWORD
        }
        return {**defaults, **super().get_params(deep=deep), **self._explicit()}

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
        if complaint := self._complaint_about({**self._explicit(), **params}, params.get("model", self.model)):
            raise ValueError(complaint)
        vars(self).update(params)
        return self

    def __sklearn_clone__(self):
        """Clone without making the defaults of today's builder explicit values of the clone."""
        twin = super().__sklearn_clone__()
        for name in twin._explicit().keys() - self._explicit().keys():
            delattr(twin, name)
        return twin

    def _builder(self, model):
        """Return the builder of a model; None when there is none, which `fit` refuses."""
        if hasattr(self, "_keras_build_fn"):  # a subclass may be its own builder, as in SciKeras
            return self._keras_build_fn
        try:
            builder = builder_of(model)
        except UnknownModelError:
            return None
        return builder if callable(builder) else None

    def _explicit(self):
        """Return the stored parameters that are not in the constructor's signature."""
        named = self._get_param_names()
        return {
            name: value
            for name, value in vars(self).items()
            if name not in named and not name.startswith("_") and not name.endswith("_")
        }

    def _complaint_about(self, names, model):
        """Say which of `names` nothing takes when the model is `model`; None if all are taken."""
        if set(names) - set(self._get_param_names()):
            builder_of(model)  # an unknown model is the better complaint
        arguments = _arguments_for_users(self._builder(model))
        if any(argument.kind == argument.VAR_KEYWORD for argument in arguments.values()):
            return None
        named = {name for kind in type(self).__mro__ for name in getattr(kind, "_get_param_names", tuple)()}
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

    def _validate_params(self):
        """Refuse invalid values, all of them at once."""
        complaints = []
        for name, value in self.get_params(deep=False).items():
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
        complaints += self._complaints_about_keras()
        if complaints:
            raise InvalidParameterError("\n".join(complaints))

    def _complaints_about_keras(self):
        """Say which names of optimizers, losses and their parameters Keras does not know."""
        for kind, module, base in (
            ("optimizer", keras.optimizers, keras.optimizers.Optimizer),
            ("loss", keras.losses, keras.losses.Loss),
        ):
            given = getattr(self, kind, None)
            if isinstance(given, str):
                try:
                    given = module.get(given)
                except ValueError:
                    yield (
                        f"The {kind!r} parameter of {type(self).__name__} must be a name that Keras knows, a class or "
                        f"an instance. Got {given!r} instead{nearest(given, _names_in(module))}."
                    )
                    continue
                given = given if inspect.isfunction(given) else type(given)
            if given is None and (routed := [name for name in self._explicit() if name.startswith(f"{kind}__")]):
                yield f"{', '.join(routed)} are for a {kind} that is given as a class, but {kind} is None."
            if inspect.isclass(given) and issubclass(given, base):
                valid = _arguments_of(given)
                for name in route_params(self._explicit(), kind, pass_filter=(), strict=True).keys() - valid:
                    yield (
                        f"{given.__name__} takes no parameter {name!r}{nearest(name, valid)}, which "
                        f"{kind}__{name} is for. Valid parameters: {', '.join(sorted(valid))}."
                    )


def builder_of(model):
    """Return the function that builds `model`: a registered name, that function itself, or a model to be copied."""
    if isinstance(model, keras.Model):
        return functools.partial(copy_of, model)
    return registered_model(model).builder if isinstance(model, str) else model


def copy_of(model):
    """Return a copy of a Keras model, with its weights, compiled as it is."""
    return copy.deepcopy(model)


def nearest(name, valid):
    """Return a hint at the valid name most like a wrong one, or nothing."""
    close = difflib.get_close_matches(name, valid, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _arguments_for_users(builder):
    """Return the arguments of a builder that users may set, as ``inspect.Parameter`` by name."""
    if builder is None:
        return {}
    arguments = inspect.signature(builder).parameters
    return {name: argument for name, argument in arguments.items() if name not in _GIVEN_TO_BUILDERS}


def _names_in(module):
    """Return the names by which Keras finds what a module of its face holds."""
    public = [name for name in dir(module) if name[0] != "_" and name not in ("get", "serialize", "deserialize")]
    return public + [name.lower() for name in public]


def _arguments_of(kind):
    """Return the names of what the constructors of a class and of its bases take."""
    taken = [inspect.signature(base).parameters.values() for base in kind.__mro__ if "__init__" in vars(base)]
    return {argument.name for each in taken for argument in each if argument.kind != argument.VAR_KEYWORD}
