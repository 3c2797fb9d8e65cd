"""Parameters as scikit-learn wants them, where some are named only by the builder of a model."""

import difflib
import inspect

from sklearn.base import BaseEstimator

from kerasnet.errors import UnknownModelError
from kerasnet.models import registered_model

# What the data decide, or the registry; never parameters of an estimator.
_GIVEN_TO_BUILDERS = ("input_shape", "n_outputs", "output_activation", "name")
_ROUTED = ("optimizer", "loss", "metrics", "callbacks")


class EstimatorParameters(BaseEstimator):
    """Constructor, ``get_params``, ``set_params`` and ``clone`` of every estimator, left of SciKeras' BaseWrapper.

    There are three kinds of parameters: those in the constructor's signature; the arguments of the model's
    builder, which are in that signature only for estimators of one architecture; and routed ones such as
    ``optimizer__momentum``. Of the last two kinds only values that were given explicitly are stored.
    """

    # of which SciKeras would list instance attributes instead
    _get_param_names = classmethod(BaseEstimator._get_param_names.__func__)
    __repr__ = BaseEstimator.__repr__

    model = None  # the registered name or the builder; estimators of one architecture set it for their class

    def _store_parameters(self, arguments):
        """Store the constructor's ``locals()``; refuse names that nothing takes."""
        arguments = {name: value for name, value in arguments.items() if name not in ("self", "__class__")}
        others = arguments.pop("others")
        vars(self).update(arguments)
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
            for name, argument in _builder_arguments(self.model).items()
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
        if names:
            builder_of(model)  # an unknown model is the better complaint
        arguments = _builder_arguments(model)
        if any(argument.kind == argument.VAR_KEYWORD for argument in arguments.values()):
            return None
        valid = {*self._get_param_names(), *arguments}
        unknown = [name for name in names if name not in valid and name.partition("__")[0] not in _ROUTED]
        if not unknown:
            return None
        described = [f"{name!r}{_nearest(name, valid)}" for name in unknown]
        return (
            f"{type(self).__name__} (model {getattr(model, '__name__', model)!r}) takes no parameter "
            f"{', '.join(described)}. Valid parameters: {', '.join(sorted(valid))}."
        )


def builder_of(model):
    """Return the function that builds `model`, which is a registered name or that function."""
    return registered_model(model).builder if isinstance(model, str) else model


def _builder_arguments(model):
    """Return the arguments of the builder that users may set, as ``inspect.Parameter`` by name."""
    try:
        arguments = inspect.signature(builder_of(model)).parameters
    except (UnknownModelError, TypeError, ValueError):
        return {}  # no builder: `fit` refuses the model
    return {name: argument for name, argument in arguments.items() if name not in _GIVEN_TO_BUILDERS}


def _nearest(name, valid):
    close = difflib.get_close_matches(name, valid, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
