"""Estimators of networks: what an archive says of them, and building them anew from that."""

import math

import keras
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils._metadata_requests import MetadataRequest

from kerasnet import estimators
from kerasnet._files import parse_npz
from kerasnet._values import array_from_json, array_to_json, pack, unpack
from kerasnet.errors import CheckpointMismatchError, CorruptFileError, KerasNetError, UnknownModelError, UnsafeFileError
from kerasnet.estimators._building import Recipe, SavedModel, at_most
from kerasnet.models import registered_model
from kerasnet.persistence._container import MANIFEST, OPTIMIZER, STATE, WEIGHTS

KINDS = {name: getattr(estimators, name) for name in estimators.__all__}
_COMPILED = ("optimizer", "loss", "metrics", "learning_rate")
_ROUTED = ("optimizer__", "loss__", "metrics__", "compile__")
_LEFT_OUT = ("model_", "callbacks_", "_optimizer_state", "_skl_callbacks", "_metadata_request", "_sklearn_version")
_PRIVATE = ("_multilabel", "_sklearn_output_config")
_CONFIG = {"class_name", "config"}  # what Keras makes objects of, importing what they name
_MORE_LAYERS = 64  # than arrays, at most
_MORE_VALUES = 10_000  # than weights, at most, for metrics and optimizer of a model
_FITTED = {"input_shape_": tuple, "history_": dict, "n_iter_": int}
_REMEDIES = {
    "model": "Give the name of a registered model, or a function defined with def",
    "optimizer": 'Give its name, and its parameters as optimizer="sgd", optimizer__momentum=0.9; then fit again',
    "loss": 'Give its name, and its parameters as loss="Huber", loss__delta=0.5; then fit again',
    "metrics": "Give names; then fit again",
    "callbacks": "They are for training alone: set_params(callbacks=None) first",
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
    """

    def __init__(self, include_optimizer):
        self.include_optimizer = include_optimizer
        self.entries, self.states, self.weights, self.optimizer = [], [], {}, {}

    def add(self, estimator):
        """Add an estimator and return its number."""
        kind = type(estimator).__name__
        if KINDS.get(kind) is not type(estimator):
            raise TypeError(
                f"kn.save keeps no {kind}, only estimators of kerasnet's own: {', '.join(KINDS)}. Subclasses are code, "
                "which a file does not hold."
            )
        number = len(self.entries)
        self.entries.append(None)
        self.states.append({})
        state = estimator.__getstate__()
        names = [*estimator._get_param_names(), *estimator._explicit()]
        entry = {
            "class": kind,
            "model": _describe_builder(estimator, estimator.model),
            "parameters": {
                name: self._plain(estimator, name, _parameter(name, value))
                for name, value in state.items()
                if name in names and name != "model"
            },
            "requests": _requests(estimator),
            "fit": None,
        }
        for name, value in state.items():
            if name not in names and ((name not in _LEFT_OUT and name[0] != "_") or name in _PRIVATE):
                kept = {"network": self.add(value)} if isinstance(value, BaseEstimator) else None
                self.states[number][name] = kept or self._plain(estimator, name, value)
        if "model_" in state:
            entry["fit"] = self._add_model(number, estimator, state["model_"])
        self.entries[number] = entry
        return number

    def _add_model(self, number, estimator, saved):
        if not isinstance(saved, SavedModel):
            raise ValueError(
                f"kn.save keeps models that {type(estimator).__name__} has built itself. Received: one that was put "
                "into model_ by hand. Give its builder as model=, and fit."
            )
        recipe, offered = saved.recipe, estimator._offered()
        compiled = {name: value for name, value in recipe.parameters.items() if _is_for_compile(name)}
        for position, (variable, value) in enumerate(zip(estimator.model_.variables, saved.values, strict=True)):
            if not _is_finite(value):
                raise ValueError(f"kn.save keeps finite weights. Received: NaN or infinity in {variable.path}.")
            self.weights[f"{number}/{position}/{variable.path}"] = value
        if self.include_optimizer:
            for position, value in enumerate(estimator._optimizer_state):
                self.optimizer[f"{number}/{position}"] = value.numpy()
        return {
            "model": _describe_builder(estimator, recipe.parameters.get("model", estimator.model)),
            "arguments": {
                name: self._plain(estimator, name, value)
                for name, value in recipe.arguments.items()
                if name not in offered
            },
            "offered": [name for name in recipe.arguments if name in offered],
            "compiled": {name: self._plain(estimator, name, _parameter(name, v)) for name, v in compiled.items()},
            "seed": recipe.seed,
            "trainable": saved.trainable,
        }

    def _plain(self, estimator, name, value):
        try:
            return pack(value, array_to_json)
        except TypeError as error:
            remedy = _REMEDIES.get(name.removeprefix("fit__").partition("__")[0], "Set it to plain values or None")
            raise ValueError(
                f"kn.save keeps plain values, but {error} in {name!r} of {type(estimator).__name__}. {remedy}."
            ) from None


def _describe_builder(estimator, model):
    """Return by which name `model` is found again."""
    given_as = "name" if isinstance(model, str) else "function"
    entry = registered_model(model)
    name = entry.name if entry else getattr(model, "__name__", None)
    if not str(name).isidentifier() or isinstance(model, keras.Model):
        raise ValueError(
            f"kn.save keeps the name of a model, and {model!r} of {type(estimator).__name__} has none. "
            f"{_REMEDIES['model']}."
        )
    return {"name": name, "given_as": given_as, "own": entry is None}


def _parameter(name, value):
    """Return a parameter as it is kept: seeds for random states, Keras' names for what it offers by name."""
    if name == "memory":
        return None  # a folder of this machine
    if isinstance(value, np.random.RandomState):
        return as_seed(value)
    module = {"optimizer": keras.optimizers, "loss": keras.losses, "metrics": keras.metrics}.get(name)

    def as_name(each):
        own_name = getattr(each, "__name__", None)
        return own_name if own_name is not None and getattr(module, own_name, None) is each else each

    return value if module is None else keras.tree.map_structure(as_name, value)


def as_seed(random_state):
    """Return a seed for a random state, which stays as it is."""
    twin = np.random.RandomState()
    twin.set_state(random_state.get_state())
    return int(twin.randint(np.iinfo(np.int32).max))


def _requests(estimator):
    """Return what the estimator asks metadata routing for, by method."""
    given = vars(estimator).get("_metadata_request")
    return given._serialize() if given is not None else {}


def metadata_request(estimator, requests):
    """Return what :func:`_requests` described, for the estimator."""
    made = MetadataRequest(owner=estimator)
    for method, asked in requests.items():
        for name, alias in asked.items():
            getattr(made, method).add_request(param=name, alias=alias)
    return made


def _is_for_compile(name):
    return name in _COMPILED or name.startswith(_ROUTED)


def _is_finite(array):
    return array.dtype.kind not in "fV" or bool(np.isfinite(array.astype(np.float32, copy=False)).all())


def read_networks(path, entries, states, members, builders, limits):
    """Build the networks of an archive anew.

    Parameters
    ----------
    path : str or path-like
        The archive, for messages.
    entries, states : list of dict
        As :class:`NetworkWriter` made them, or as somebody wants us to believe.
    members : dict of str to bytes
        Those of the archive.
    builders : dict of str to callable
        Builders of the caller's own, by name.
    limits : Limits
        What the file may ask for.

    Returns
    -------
    networks : list of estimators
        In the order of `entries`, without those that others are made of.

    Raises
    ------
    KerasNetError
        As of :func:`kerasnet.load`.
    """
    drafts = [
        _Draft(path, number, entry, state, builders)
        for number, (entry, state) in enumerate(zip(entries, states, strict=True))
    ]
    sizes = {"max_bytes": limits.max_bytes, "max_members": limits.max_members}
    where = f"{path}: {WEIGHTS}"

    def build(headers):
        n_values = sum(math.prod(shape) for _, shape in headers.values())
        if n_values > limits.max_parameters:
            raise UnsafeFileError(
                f"{where}: {n_values} parameters are more than max_parameters={limits.max_parameters}."
            )
        with at_most(n_values + _MORE_VALUES * len(drafts)):
            for draft in drafts:
                draft.build(len(headers), limits.max_parameters)
        _compare(headers, {name: each for draft in drafts for name, each in draft.weights.items()}, where)

    arrays = parse_npz(members[WEIGHTS], where, like=build, **sizes)
    networks = [draft.fill(arrays, where) for draft in drafts]
    if OPTIMIZER in members:
        where = f"{path}: {OPTIMIZER}"
        states = {name: each for draft in drafts for name, each in draft.optimizer_variables().items()}
        arrays = parse_npz(members[OPTIMIZER], where, like=lambda headers: _compare(headers, states, where), **sizes)
        for draft in drafts:
            draft.fill_optimizer(arrays)
    linked = [number for draft in drafts for number in draft.link(networks)]
    return [network for number, network in enumerate(networks) if number not in linked]


class _Draft:
    """A network of an archive that is being read."""

    def __init__(self, path, number, entry, state, builders):
        self.where, self.number, self.builders = f"{path}: network {number}", number, builders
        self.links, self.weights, self.optimizer, self.recipe = {}, {}, {}, None
        try:
            self.estimator = self._unfitted(entry)
            self._set_state(state)
            if entry["fit"] is not None:
                self._read_fit(**entry["fit"])
        except KerasNetError:
            raise
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise CorruptFileError(
                f"{path}: {MANIFEST} and {STATE}: expected what kn.save says of an estimator, found: {error!r}."
            ) from error

    def _unfitted(self, entry):
        kind = KINDS.get(entry["class"])
        if kind is None:
            raise UnsafeFileError(f"{self.where}: expected a class among {sorted(KINDS)}, found {entry['class']!r}.")
        parameters = self._plain(entry["parameters"])
        if parameters.get("memory") is not None or parameters.get("callbacks"):
            raise UnsafeFileError(f"{self.where}: expected neither memory nor callbacks, found {parameters!r:.200}.")
        model, _ = self._find_model(**entry["model"])
        if "model" in kind._get_param_names():
            parameters["model"] = model
        elif kind.model != model:
            raise ValueError(f"{kind.__name__} with the model {model!r}")
        estimator = kind(**parameters)
        if entry["requests"]:
            estimator._metadata_request = metadata_request(estimator, entry["requests"])
        return estimator

    def _find_model(self, name, given_as, own):
        """Return the parameter `model`, and its builder."""
        for key, builder in self.builders.items():
            if name in (key, getattr(builder, "__name__", None)):
                return builder, builder
        hint = f"For a builder of your own: kn.load(path, builders={{{name!r}: function}})."
        if own:
            raise UnknownModelError(f"{self.where}: its model comes from the function {name!r}. {hint}")
        try:
            builder = registered_model(str(name)).builder
        except UnknownModelError as error:
            raise UnknownModelError(f"{self.where}: {error} {hint}") from None
        return (name if given_as == "name" else builder), builder

    def _set_state(self, state):
        kind = type(self.estimator)
        for name, packed in state.items():
            if name not in _PRIVATE and (not name.endswith("_") or name.startswith("_") or not name.isidentifier()):
                raise ValueError(f"the attribute {name!r}")
            if isinstance(packed, dict) and "network" in packed:
                self.links[name] = packed["network"]
            elif name in _PRIVATE or not hasattr(kind, name):
                vars(self.estimator)[name] = unpack(packed, array_from_json)

    def _read_fit(self, model, arguments, offered, compiled, seed, trainable):
        fitted = vars(self.estimator)
        for name, kind in _FITTED.items():
            if not isinstance(fitted[name], kind):
                raise ValueError(f"{name} {fitted[name]!r:.100}")
        arguments, compiled = self._plain(arguments), self._plain(compiled)
        if tuple(arguments.get("input_shape", fitted["input_shape_"])) != fitted["input_shape_"]:
            raise ValueError(f"samples of shape {fitted['input_shape_']} for a model of {arguments['input_shape']}")
        if strange := [name for name in compiled if not _is_for_compile(name)]:
            raise ValueError(f"parameters {strange} for compile")
        given, builder = self._find_model(**model)
        if "model" in self.estimator._get_param_names():
            compiled["model"] = given
        self.recipe = Recipe(builder, arguments, compiled, None if seed is None else int(seed))
        offers = self.estimator._as_in_fit(self.recipe)._offered()
        arguments.update((name, offers[name]()) for name in offered)
        self.trainable = [bool(each) for each in trainable]

    def _plain(self, packed):
        """Return named values; refuse what Keras would make objects of."""
        values = {str(name): unpack(value, array_from_json) for name, value in packed.items()}
        level = list(values.values())
        while level:
            if any(isinstance(value, dict) and _CONFIG & value.keys() for value in level):
                raise UnsafeFileError(f"{self.where}: expected plain values, found a configuration of a Keras object.")
            level = [
                entry
                for value in level
                if isinstance(value, dict | list | tuple | set)
                for entry in (value.values() if isinstance(value, dict) else value)
            ]
        return values

    def build(self, n_arrays, max_parameters):
        """Build the model; note which arrays belong to it."""
        if self.recipe is None:
            return
        layers = [value for name, value in self.recipe.arguments.items() if name != "input_shape"]
        if (n_layers := _n_entries(layers)) > n_arrays + _MORE_LAYERS:
            raise UnsafeFileError(f"{self.where}: {n_layers} values for layers are too many for {n_arrays} arrays.")
        if math.prod(self.estimator.input_shape_) > max_parameters:
            raise UnsafeFileError(
                f"{self.where}: samples of shape {self.estimator.input_shape_} have more than "
                f"max_parameters={max_parameters} values."
            )
        try:
            self.model = self.estimator._as_in_fit(self.recipe)._new_model(self.recipe.seed, self.recipe)
        except UnsafeFileError as error:
            raise UnsafeFileError(f"{self.where}: {error}") from None
        except Exception as error:  # whatever a builder raises
            raise CheckpointMismatchError(
                f"{self.where}: its model cannot be built from what the file says: {error}"
            ) from error
        for position, variable in enumerate(self.model.variables):
            self.weights[f"{self.number}/{position}/{variable.path}"] = variable

    def fill(self, arrays, where):
        """Return the estimator, its model with its weights."""
        if self.recipe is None:
            return self.estimator
        values = [_as_saved(arrays[name], variable) for name, variable in self.weights.items()]
        for name, value in zip(self.weights, values, strict=True):
            if not _is_finite(value):
                raise CorruptFileError(f"{where}: {name}: expected finite numbers, found NaN or infinity.")
        try:
            SavedModel(self.recipe, values, self.trainable).fill(self.model)
        except ValueError as error:
            raise CorruptFileError(f"{self.where}: expected a flag for each layer, found {self.trainable}.") from error
        vars(self.estimator).update(model_=self.model, _optimizer_state=[])
        return self.estimator

    def optimizer_variables(self):
        """Return the variables that the state of the model's optimizer takes, by the names of their arrays."""
        if self.recipe is not None:
            optimizer = type(self.model.optimizer).from_config(self.model.optimizer.get_config())
            optimizer.build(self.model.trainable_variables)
            self.optimizer = {f"{self.number}/{n}": variable for n, variable in enumerate(optimizer.variables)}
        return self.optimizer

    def fill_optimizer(self, arrays):
        """Give the estimator the state of its optimizer."""
        values = [_as_saved(arrays[name], variable) for name, variable in self.optimizer.items()]
        vars(self.estimator)["_optimizer_state"] = [keras.ops.convert_to_tensor(value) for value in values]

    def link(self, networks):
        """Give the estimator the others that it is made of, and return their numbers."""
        for name, number in self.links.items():
            if type(number) is not int or not self.number < number < len(networks):
                raise CorruptFileError(f"{self.where}: {name}: expected a network after this one, found {number!r}.")
            vars(self.estimator)[name] = networks[number]
        return self.links.values()


def _compare(headers, expected, where):
    """Refuse arrays that are not those of the models' variables."""
    if missing := sorted(expected.keys() - headers.keys()):
        raise CheckpointMismatchError(f"{where}: expected the arrays of the model, did not find {missing[:5]}.")
    if extra := sorted(headers.keys() - expected.keys()):
        raise CheckpointMismatchError(f"{where}: expected the arrays of the model and no others, found {extra[:5]}.")
    for name, variable in expected.items():
        (found, found_shape), dtype, shape = headers[name], np.dtype(variable.dtype), tuple(variable.shape)
        same = found == dtype or (found.kind == dtype.kind == "V" and found.itemsize == dtype.itemsize)
        if not same or found_shape != shape:
            raise CheckpointMismatchError(
                f"{where}: {name}: expected {dtype}{list(shape)}, found {found}{list(found_shape)}."
            )


def _as_saved(array, variable):
    """Return an array in the dtype of a variable; files do not know bfloat16 and its like by name."""
    return array.view(np.dtype(variable.dtype))


def _n_entries(value):
    if isinstance(value, dict):
        value = list(value.values())
    return sum(1 + _n_entries(entry) for entry in value) if isinstance(value, list | tuple | set) else 0
