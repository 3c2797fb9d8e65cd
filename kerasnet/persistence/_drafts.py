"""Estimators of networks: building them anew from what an archive says of them."""

import math
import re

import keras
import numpy as np
from sklearn.utils._metadata_requests import MetadataRequest

from kerasnet._formats import is_kept_as, parse_npz
from kerasnet.errors import CheckpointMismatchError, CorruptFileError, KerasNetError, UnknownModelError, UnsafeFileError
from kerasnet.estimators._build_scope import at_most
from kerasnet.estimators._building import Recipe, SavedModel
from kerasnet.models import build_backbone, registered_model
from kerasnet.persistence._container import MANIFEST, OPTIMIZER, STATE, WEIGHTS
from kerasnet.persistence._networks import KINDS, PRIVATE, is_finite, new_optimizer
from kerasnet.persistence._plain import all_in, complaint_about, from_json

_FITTED = {"input_shape_": tuple, "history_": dict, "n_iter_": int}
_NOT_LEARNED = ("callbacks_", "feature_encoder_", "model_", "target_encoder_")
_DTYPE_POLICIES = ("float32", "float64", "float16", "bfloat16", "mixed_float16", "mixed_bfloat16")
_MORE_LAYERS = 64  # than arrays, at most
_MAX_LAYERS = 2000
_NUMBERS_OF_LAYERS = ("depth", "n_blocks")  # arguments of builders
_MORE_BYTES = 2**22  # than weights, at most, for metrics
_MORE_BYTES_OF_BACKBONES = 2**27  # for the layers behind the one that a backbone ends at, which are built all the same
_MORE_BYTES_OF_OWN = 2**26  # for what builders of the caller's own make beside


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
    networks : dict of int to estimator
        By their places in `entries`, without those that others are made of.

    Raises
    ------
    KerasNetError
        As of :func:`kerasnet.load`.
    """
    drafts = [
        _Draft(path, number, entry, state, builders)
        for number, (entry, state) in enumerate(zip(entries, states, strict=True))
    ]
    sizes = {"max_bytes": limits.max_bytes, "max_members": limits.max_members, "stored": True}
    where = f"{path}: {WEIGHTS}"

    def build(headers):
        n_values = sum(math.prod(shape) for _, shape in headers.values())
        if n_values > limits.max_parameters:
            raise UnsafeFileError(
                f"{where}: {n_values} parameters are more than max_parameters={limits.max_parameters}."
            )
        own = any(draft.is_own for draft in drafts)
        n_bytes = sum(math.prod(shape) * dtype.itemsize for dtype, shape in headers.values())
        n_layers = min(sum(math.prod(shape) > 0 for _, shape in headers.values()) + _MORE_LAYERS, _MAX_LAYERS)
        more = _MORE_BYTES_OF_BACKBONES if any(draft.is_cut for draft in drafts) else _MORE_BYTES
        with at_most(4 * n_bytes + _MORE_BYTES_OF_OWN if own else n_bytes + more):
            for draft in drafts:
                n_layers -= draft.n_layers
                if n_layers < 0:
                    raise UnsafeFileError(f"{where}: {len(headers)} arrays are too few for so many layers.")
                draft.build(limits.max_parameters)
                mine = {name: each for name, each in headers.items() if name.startswith(f"{draft.number}/")}
                _compare(mine, draft.weights, where)
        _compare(headers, {name: each for draft in drafts for name, each in draft.weights.items()}, where)

    arrays = parse_npz(members.pop(WEIGHTS), where, like=build, **sizes)
    networks = [draft.fill(arrays, where) for draft in drafts]
    if OPTIMIZER in members:
        where = f"{path}: {OPTIMIZER}"
        states = {name: each for draft in drafts for name, each in draft.optimizer_variables().items()}
        arrays = parse_npz(members[OPTIMIZER], where, like=lambda headers: _compare(headers, states, where), **sizes)
        for draft in drafts:
            draft.fill_optimizer(arrays, where)
    linked = [number for draft in drafts for number in draft.link(networks)]
    return {number: network for number, network in enumerate(networks) if number not in linked}


class _Draft:
    """A network of an archive that is being read."""

    def __init__(self, path, number, entry, state, builders):
        self.where, self.number, self.builders = f"{path}: network {number}", number, builders
        self.links, self.weights, self.optimizer = {}, {}, {}
        self.recipe, self.is_own, self.with_optimizer = None, False, False
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
        parameters = self._values(entry["parameters"])
        if strange := [name for name in ("memory", "callbacks", "fit__callbacks") if parameters.get(name) is not None]:
            raise UnsafeFileError(f"{self.where}: expected neither memory nor callbacks, found {strange}.")
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
        if not own:
            try:
                builder = registered_model(str(name)).builder
                self.is_own = self.is_own or not builder.__module__.startswith("kerasnet.")
                return (name if given_as == "name" else builder), builder
            except UnknownModelError as error:
                complaint = str(error)
        else:
            complaint = f"Its model comes from the function {name!r}."
        by_their_own_names = {getattr(each, "__name__", None): each for each in self.builders.values()}
        builder = {**by_their_own_names, **self.builders}.get(name)
        if builder is None:
            hint = f"For a builder of your own: kn.load(path, builders={{{name!r}: function}})."
            raise UnknownModelError(f"{self.where}: {complaint} {hint}")
        self.is_own = True
        return builder, builder

    def _set_state(self, state):
        kind = type(self.estimator)
        for name, packed in state.items():
            learned = re.fullmatch(r"[a-z]\w*_", name, re.ASCII | re.IGNORECASE) and name not in _NOT_LEARNED
            if name not in PRIVATE and not learned:
                raise ValueError(f"the attribute {name!r}")
            if isinstance(packed, dict) and "network" in packed:
                self.links[name] = packed["network"]
            elif name in PRIVATE or not hasattr(kind, name):
                vars(self.estimator)[name] = from_json(packed, self.where)

    def _read_fit(self, model, arguments, offered, parameters, dtype_policy, seed, trainable, optimizer):
        fitted = vars(self.estimator)
        for name, kind in _FITTED.items():
            if not isinstance(fitted[name], kind):
                raise ValueError(f"{name} {fitted[name]!r:.100}")
        arguments, parameters = self._values(arguments), self._values(parameters)
        padding = fitted.get("_padding")
        if type(padding) not in (float, type(None)):
            raise ValueError(f"the padding {padding!r:.100}")
        sizes = fitted["input_shape_"] if padding is None else fitted["input_shape_"][1:]  # behind any number of steps
        if not all(type(size) is int and size > 0 for size in sizes):
            raise ValueError(f"samples of shape {fitted['input_shape_']!r:.100}")
        if tuple(arguments.get("input_shape", fitted["input_shape_"])) != fitted["input_shape_"]:
            raise ValueError(f"samples of shape {fitted['input_shape_']} for a model of {arguments['input_shape']}")
        given, builder = self._find_model(**model)
        if "model" in self.estimator._get_param_names():
            parameters["model"] = given
        if complaint := self.estimator._complaint_about(parameters, given):
            raise ValueError(complaint)
        if type(seed) is not int or not 0 <= seed < 2**32:
            raise ValueError(f"the seed {seed!r:.100}")
        if dtype_policy not in _DTYPE_POLICIES:
            raise ValueError(f"the dtype policy {dtype_policy!r:.100}")
        self.recipe, self.offered = Recipe(builder, arguments, parameters, seed, dtype_policy), list(offered)
        self.trainable = [bool(each) for each in trainable]
        self.with_optimizer = bool(optimizer)

    def _values(self, packed):
        values = {str(name): from_json(value, self.where) for name, value in packed.items()}
        if complaint := complaint_about(values):
            raise UnsafeFileError(f"{self.where}: {complaint}")
        return values

    @property
    def is_cut(self):
        """Whether the model is a part of a backbone."""
        return (
            self.recipe is not None
            and self.recipe.builder is build_backbone
            and bool(self.recipe.arguments.get("layer"))
        )

    @property
    def n_layers(self):
        """How many layers the arguments may stand for; none for builders of the caller's own."""
        if self.recipe is None or self.is_own:
            return 0
        layers = [value for name, value in self.recipe.arguments.items() if name != "input_shape"]
        counts = [self.recipe.arguments.get(name, 0) for name in _NUMBERS_OF_LAYERS]
        return sum(len([*all_in(value)]) for value in layers) + sum(max(n, 0) for n in counts if type(n) is int)

    def build(self, max_parameters):
        """Build the model; note which arrays belong to it."""
        if self.recipe is None:
            return
        if math.prod(size for size in self.estimator.input_shape_ if size is not None) > max_parameters:
            raise UnsafeFileError(
                f"{self.where}: samples of shape {self.estimator.input_shape_} have more than "
                f"max_parameters={max_parameters} values."
            )
        try:
            as_in_fit = self.estimator._as_in_fit(self.recipe)
            offers = as_in_fit._offered()
            self.recipe.arguments.update((name, offers[name]()) for name in self.offered)
            self.model = as_in_fit._new_model(self.recipe.seed, self.recipe)
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
        values = [_as_saved(arrays.pop(name), variable, f"{where}: {name}") for name, variable in self.weights.items()]
        try:
            SavedModel(self.recipe, values, self.trainable).fill(self.model)
        except ValueError as error:
            raise CorruptFileError(f"{self.where}: expected a flag for each layer, found {self.trainable}.") from error
        vars(self.estimator).update(model_=self.model, _optimizer_state=[])
        return self.estimator

    def optimizer_variables(self):
        """Return the variables that the state of the model's optimizer takes, by the names of their arrays."""
        if self.with_optimizer:
            variables = new_optimizer(self.model).variables
            self.optimizer = {f"{self.number}/{position}": variable for position, variable in enumerate(variables)}
        return self.optimizer

    def fill_optimizer(self, arrays, where):
        """Give the estimator the state of its optimizer."""
        if self.with_optimizer:
            values = [_as_saved(arrays[name], each, f"{where}: {name}") for name, each in self.optimizer.items()]
            self.estimator._optimizer_state = [keras.ops.convert_to_tensor(value) for value in values]

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
        if not is_kept_as(found, dtype) or found_shape != shape:
            raise CheckpointMismatchError(
                f"{where}: {name}: expected {dtype}{list(shape)}, found {found}{list(found_shape)}."
            )


def _as_saved(array, variable, where):
    """Return an array in the dtype of a variable; files do not know bfloat16 and its like by name."""
    value = array.view(np.dtype(variable.dtype))
    if not is_finite(value):
        raise CorruptFileError(f"{where}: expected finite numbers, found NaN or infinity.")
    return value


def metadata_request(estimator, requests):
    """Return what the estimator asks metadata routing for, from parameters and their aliases by method."""
    made = MetadataRequest(owner=estimator)
    for method, asked in requests.items():
        for name, alias in asked.items():
            getattr(made, method).add_request(param=name, alias=alias)
    return made
