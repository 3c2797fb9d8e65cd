"""Estimators of networks: what an archive says of them."""

import copy
import os

import keras
import numpy as np
from sklearn.base import BaseEstimator

from kerasnet import estimators
from kerasnet.estimators._ready_made import with_registered_model
from kerasnet.models import registered_model
from kerasnet.persistence._plain import complaint_about, to_json

KINDS = {name: getattr(estimators, name) for name in estimators.__all__}
PRIVATE = (
    "_columns",
    "_first_epoch",
    "_input_kind",
    "_multilabel",
    "_padding",
    "_sklearn_output_config",
)  # attributes that are kept all the same
_LEFT_OUT = ("target_encoder_",)
_OFFERED = ("meta", "compile_kwargs")  # arguments that an estimator computes
_CALLBACKS = ("callbacks", "fit__callbacks")
_REMEDIES = {
    "model": "Give the name of a registered model, or a function defined with def, each under a name of its own",
    "optimizer": 'Give its name, and its parameters as optimizer="sgd", optimizer__momentum=0.9; then fit again',
    "loss": 'Give its name, and its parameters as loss="Huber", loss__delta=0.5; then fit again',
    "metrics": "Give names or classes; then fit again",
    "classes_": "Labels must be numbers, texts or booleans",
}


class NetworkWriter:
    """Gathers what an archive says of networks.

    Parameters
    ----------
    include_optimizer : bool
        Whether the states of optimizers are kept.

    Attributes
    ----------
    entries : list of dict
        For the manifest: class, model, arguments and parameters of each network.
    states : list of dict
        What they learned beside weights.
    weights : dict of str to ndarray
        The values of all variables of the models.
    optimizer : dict of str to ndarray
        The states of optimizers.
    left_out : set of str
        Names of parameters that are set and were not kept.
    """

    def __init__(self, include_optimizer):
        self.include_optimizer = include_optimizer
        self.entries, self.states, self.weights, self.optimizer, self.left_out = [], [], {}, {}, set()

    def add(self, estimator):
        """Add an estimator and return its number."""
        kind = type(estimator).__name__
        if KINDS.get(kind) is not type(estimator):
            raise TypeError(
                f"kn.save keeps no {kind}, only estimators of kerasnet's own: {', '.join(KINDS)}. Subclasses are code, "
                "which a file does not hold."
            )
        if isinstance(estimator.model, keras.Model) and estimator.initialized_:
            estimator = with_registered_model(estimator)
        if complaint := estimator._complaint_about(estimator._explicit(), estimator.model):
            raise ValueError(complaint)
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
            "requests": {} if requests is None else described_requests(requests),
            "fit": None,
        }
        for name, value in state.items():
            if name not in names and name[0] != "_" and name[-1] != "_":
                raise ValueError(
                    f"kn.save keeps parameters and what was learned. Received: the attribute {name!r} of {kind}, which "
                    "is neither. Delete it, or give it to kn.save as metadata."
                )
            if name not in names and ((name not in _LEFT_OUT and name[0] != "_") or name in PRIVATE):
                kept = {"network": self.add(value)} if isinstance(value, BaseEstimator) else None
                self.states[number][name] = kept or self._json(estimator, name, value)
        if (network := getattr(estimator, "_network", None)) is not None:
            entry["fit"] = self._add_model(number, estimator, network)
        self.entries[number] = entry
        return number

    def _add_model(self, number, estimator, network):
        if not network.is_as_compiled:
            raise ValueError(
                f"kn.save keeps models that {type(estimator).__name__} has built and compiled itself. Received: one "
                "that was put into model_ or compiled by hand. Give its builder as model=, and fit."
            )
        spec, state, model = network.spec, network.state(), network.any_model
        arguments = {name: value for name, value in spec.arguments.items() if name not in _OFFERED}
        if "params" in arguments:
            arguments["params"] = _without_what_is_for_training_here(arguments["params"])
        for position, (variable, value) in enumerate(zip(model.variables, state["values"], strict=True)):
            if not is_finite(value):
                raise ValueError(f"kn.save keeps finite weights. Received: NaN or infinity in {variable.path}.")
            self.weights[f"{number}/{position}/{variable.path}"] = value
        optimizer = state["optimizer"] if self.include_optimizer else []
        if optimizer and [value.shape for value in optimizer] != [
            tuple(each.shape) for each in new_optimizer(model).variables
        ]:
            raise ValueError(
                "The state of the optimizer belongs to other trainable variables than the model has now, as after "
                "freezing a layer. Set include_optimizer=False, or train once more."
            )
        self.optimizer.update((f"{number}/{position}", value) for position, value in enumerate(optimizer))
        return {
            "model": _describe_builder(estimator, spec.builder, spec.builder),
            "arguments": self._all_json(estimator, arguments),
            "offered": [name for name in spec.arguments if name in _OFFERED],
            "parameters": self._parameters(estimator, spec.compiling.parameters),
            "dtype_policy": spec.dtype_policy,
            "seed": network.seed,
            "trainable": state["trainable"],
            "optimizer": bool(optimizer),
        }

    def _parameters(self, estimator, parameters):
        """Return parameters as they are kept: without what is for training here alone, and with seeds."""
        return self._all_json(estimator, _without_what_is_for_training_here(parameters))

    def _all_json(self, estimator, values):
        packed = {name: self._json(estimator, name, value) for name, value in values.items()}
        if complaint := complaint_about(values):
            raise ValueError(f"kn.save cannot keep the parameters of {type(estimator).__name__}: {complaint}")
        return packed

    def _json(self, estimator, name, value):
        try:
            return to_json(os.fspath(value) if isinstance(value, os.PathLike) else value)
        except TypeError as error:
            remedy = _REMEDIES.get(name.removeprefix("fit__").partition("__")[0], "Set it to plain values or None")
            raise ValueError(
                f"kn.save keeps plain values, but {error} in {name!r} of {type(estimator).__name__}. {remedy}."
            ) from None


def _without_what_is_for_training_here(parameters):
    return {
        name: as_seed(value) if is_random(value) else value
        for name, value in parameters.items()
        if name not in ("model", "memory", *_CALLBACKS)
    }


def described_requests(requests):
    """Return the metadata requests of an estimator as plain values: parameters and their aliases, by method."""
    by_method = {method: part.requests for method, part in vars(requests).items() if method != "owner"}
    return {method: asked for method, asked in by_method.items() if asked}


def _describe_builder(estimator, model, builder=None):
    """Return by which name `model` is found again."""
    entry = registered_model(model)
    name = entry.name if entry else getattr(model, "__name__", None)
    if not str(name).isidentifier() or isinstance(model, keras.Model):
        raise ValueError(
            f"kn.save keeps the name of a model, and {model!r} of {type(estimator).__name__} has none. "
            f"{_REMEDIES['model']}."
        )
    same_name = entry is None and getattr(estimator.model, "__name__", None) == name
    if same_name and builder is not None and estimator.model is not builder:
        raise ValueError(f"The model was built by another function {name!r} than that in model=. Fit again.")
    return {"name": name, "given_as": "name" if isinstance(model, str) else "function", "own": entry is None}


def new_optimizer(model):
    """Return an optimizer like the model's, with a state for each variable that is trained."""
    optimizer = type(model.optimizer).from_config(model.optimizer.get_config())
    optimizer.build(model.trainable_variables)
    return optimizer


def is_random(value):
    """Tell whether a value is a random state, of which a seed is kept."""
    return isinstance(value, np.random.RandomState | np.random.Generator)


def as_seed(random_state):
    """Return a seed for a random state, which stays as it is."""
    twin = copy.deepcopy(random_state)
    draw = twin.integers if isinstance(twin, np.random.Generator) else twin.randint
    return int(draw(np.iinfo(np.int32).max))


def is_finite(array):
    """Tell whether an array of numbers has neither NaN nor infinity."""
    return array.dtype.kind not in "fV" or bool(np.isfinite(array.astype(np.float32, copy=False)).all())
