"""Describe estimators that have a network, for an archive."""

import copy
import os

import keras
import numpy as np
from sklearn.base import BaseEstimator

from kerasnet import estimators
from kerasnet.estimators._ready_made import with_registered_model
from kerasnet.models import registered_model
from kerasnet.persistence._plain import find_oversized, to_json

ESTIMATORS = {name: getattr(estimators, name) for name in estimators.__all__}
SAVED_PRIVATE_ATTRIBUTES = (
    "_columns",
    "_first_epoch",
    "_input_kind",
    "_multilabel",
    "_padding",
    "_sklearn_output_config",
)
_DERIVED_ATTRIBUTES = ("target_encoder_",)
_COMPUTED_ARGUMENTS = ("meta", "compile_kwargs")  # arguments of builders that an estimator computes
_CALLBACKS = ("callbacks", "fit__callbacks")
_REMEDIES = {
    "model": "Use the name of a registered model, or a function defined with def, each with a different name",
    "optimizer": 'Use its name and parameters, such as optimizer="sgd", optimizer__momentum=0.9, and fit again',
    "loss": 'Use its name and parameters, such as loss="Huber", loss__delta=0.5, and fit again',
    "metrics": "Use names or classes, and fit again",
    "classes_": "Class labels must be numbers, strings or booleans",
}


class NetworkWriter:
    """Collects the descriptions and arrays of networks for an archive.

    Parameters
    ----------
    include_optimizer : bool
        Whether to save the state of optimizers.

    Attributes
    ----------
    entries : list of dict
        The entries of the manifest: class, model, arguments and parameters of each network.
    states : list of dict
        The learned attributes of each network, without weights.
    weights : dict of str to ndarray
        The values of all variables of the models.
    optimizer : dict of str to ndarray
        The states of the optimizers.
    left_out : set of str
        The names of parameters that are set but not saved.
    """

    def __init__(self, include_optimizer):
        self.include_optimizer = include_optimizer
        self.entries, self.states, self.weights, self.optimizer, self.left_out = [], [], {}, {}, set()

    def add(self, estimator):
        """Add an estimator and return its number."""
        kind = type(estimator).__name__
        if ESTIMATORS.get(kind) is not type(estimator):
            raise TypeError(
                f"kn.save supports the estimators {', '.join(ESTIMATORS)}, but not their subclasses, because archives "
                f"contain no code. Received: {kind}."
            )
        if isinstance(estimator.model, keras.Model) and estimator.initialized_:
            estimator = with_registered_model(estimator)
        if message := estimator._invalid_parameters_message(estimator._explicit(), estimator.model):
            raise ValueError(message)
        number = len(self.entries)
        self.entries.append(None)
        self.states.append({})
        state = estimator.__getstate__()
        names = {*type(estimator).__signature__.parameters, *estimator._explicit()}
        requests = state.get("_metadata_request")
        parameters = {name: value for name, value in state.items() if name in names}
        self.left_out |= {name for name in _CALLBACKS if parameters.get(name)}
        entry = {
            "class": kind,
            "model": _describe_builder(estimator, estimator.model),
            "parameters": self._parameters(estimator, parameters),
            "requests": {} if requests is None else requests_to_dict(requests),
            "fit": None,
        }
        for name, value in state.items():
            if name not in names and name[0] != "_" and name[-1] != "_":
                raise ValueError(
                    f"kn.save saves parameters and learned attributes. Received: the attribute {name!r} of {kind}, "
                    "which is neither. Delete it, or pass it to kn.save as metadata."
                )
            if name not in names and (
                (name not in _DERIVED_ATTRIBUTES and name[0] != "_") or name in SAVED_PRIVATE_ATTRIBUTES
            ):
                linked = {"network": self.add(value)} if isinstance(value, BaseEstimator) else None
                self.states[number][name] = linked or self._json(estimator, name, value)
        if (network := getattr(estimator, "_network", None)) is not None:
            entry["fit"] = self._add_model(number, estimator, network)
        self.entries[number] = entry
        return number

    def _add_model(self, number, estimator, network):
        if not network.is_as_compiled:
            raise ValueError(
                f"kn.save saves models that were built and compiled by {type(estimator).__name__}. Received: a model "
                "that was assigned to model_ or compiled by the user. Pass its builder as model= and fit again."
            )
        spec, state, model = network.spec, network.state(), network.any_model
        arguments = {name: value for name, value in spec.arguments.items() if name not in _COMPUTED_ARGUMENTS}
        if "params" in arguments:
            arguments["params"] = _without_local_parameters(arguments["params"])
        for position, (variable, value) in enumerate(zip(model.variables, state["values"], strict=True)):
            if not is_finite(value):
                raise ValueError(f"kn.save saves finite weights. Received: NaN or infinity in {variable.path}.")
            self.weights[f"{number}/{position}/{variable.path}"] = value
        optimizer = state["optimizer"] if self.include_optimizer else []
        if optimizer and [value.shape for value in optimizer] != [
            tuple(each.shape) for each in new_optimizer(model).variables
        ]:
            raise ValueError(
                "The state of the optimizer does not match the trainable variables of the model, as after freezing a "
                "layer. Set include_optimizer=False, or fit again."
            )
        self.optimizer.update((f"{number}/{position}", value) for position, value in enumerate(optimizer))
        return {
            "model": _describe_builder(estimator, spec.builder, spec.builder),
            "arguments": self._all_json(estimator, arguments),
            "offered": [name for name in spec.arguments if name in _COMPUTED_ARGUMENTS],
            "parameters": self._parameters(estimator, spec.compiling.parameters),
            "dtype_policy": spec.dtype_policy,
            "seed": network.seed,
            "trainable": state["trainable"],
            "optimizer": bool(optimizer),
        }

    def _parameters(self, estimator, parameters):
        """Return parameters as JSON values, without memory and callbacks, and with seeds for random states."""
        return self._all_json(estimator, _without_local_parameters(parameters))

    def _all_json(self, estimator, values):
        packed = {name: self._json(estimator, name, value) for name, value in values.items()}
        if message := find_oversized(values):
            raise ValueError(f"kn.save cannot save the parameters of {type(estimator).__name__}: {message}")
        return packed

    def _json(self, estimator, name, value):
        try:
            return to_json(os.fspath(value) if isinstance(value, os.PathLike) else value)
        except TypeError as error:
            remedy = _REMEDIES.get(name.removeprefix("fit__").partition("__")[0], "Set it to plain values or None")
            raise ValueError(
                f"kn.save supports plain values, but {error} in {name!r} of {type(estimator).__name__}. {remedy}."
            ) from None


def _without_local_parameters(parameters):
    return {
        name: draw_seed(value) if is_random(value) else value
        for name, value in parameters.items()
        if name not in ("model", "memory", *_CALLBACKS)
    }


def requests_to_dict(requests):
    """Return the metadata requests of an estimator as a dict of methods to dicts of parameters and aliases."""
    by_method = {method: part.requests for method, part in vars(requests).items() if method != "owner"}
    return {method: parameters for method, parameters in by_method.items() if parameters}


def _describe_builder(estimator, model, builder=None):
    """Return the name by which :func:`kerasnet.load` finds a model."""
    entry = registered_model(model)
    name = entry.name if entry else getattr(model, "__name__", None)
    if not str(name).isidentifier() or isinstance(model, keras.Model):
        raise ValueError(
            f"kn.save saves the name of a model, and {model!r} of {type(estimator).__name__} has no name. "
            f"{_REMEDIES['model']}."
        )
    same_name = entry is None and getattr(estimator.model, "__name__", None) == name
    if same_name and builder is not None and estimator.model is not builder:
        raise ValueError(f"The model was built by a different function {name!r} than that in model=. Fit again.")
    return {"name": name, "given_as": "name" if isinstance(model, str) else "function", "own": entry is None}


def new_optimizer(model):
    """Return a new optimizer with the model's settings, built for its trainable variables."""
    optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
    optimizer.build(model.trainable_variables)
    return optimizer


def is_random(value):
    """Return whether a value is a random state, which is saved as a seed."""
    return isinstance(value, np.random.RandomState | np.random.Generator)


def draw_seed(random_state):
    """Return a seed drawn from a copy of a random state."""
    copied = copy.deepcopy(random_state)
    draw = copied.integers if isinstance(copied, np.random.Generator) else copied.randint
    return int(draw(np.iinfo(np.int32).max))


def is_finite(array):
    """Return whether all numbers of an array are finite."""
    return array.dtype.kind not in "fV" or bool(np.isfinite(array.astype(np.float32, copy=False)).all())
