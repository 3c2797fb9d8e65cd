"""Parse and validate the descriptions of networks in an archive, before models are built."""

import re
from collections.abc import Callable
from typing import NamedTuple

from sklearn.base import BaseEstimator
from sklearn.utils.metadata_routing import MetadataRequest

from kerasnet.errors import CorruptFileError, KerasNetError, UnknownModelError, UnsafeFileError
from kerasnet.models import registered_model
from kerasnet.persistence._container import MANIFEST, STATE
from kerasnet.persistence._networks import ESTIMATORS, SAVED_PRIVATE_ATTRIBUTES
from kerasnet.persistence._plain import find_oversized, from_json

_FITTED = {"input_shape_": tuple, "history_": dict, "n_iter_": int}
_NOT_LOADED = ("callbacks_", "feature_encoder_", "model_", "target_encoder_")
_DTYPE_POLICIES = ("float32", "float64", "float16", "bfloat16", "mixed_float16", "mixed_bfloat16")


class FitEntry(NamedTuple):
    """The specification of a fitted model, and the state to restore in addition to its weights."""

    builder: Callable
    arguments: dict  # of the builder
    offered: list  # names of arguments that the estimator computes, such as "meta"
    parameters: dict  # of the estimator at the time of fit
    seed: int
    dtype_policy: str
    trainable: list  # a flag for each layer
    has_optimizer_state: bool


class NetworkEntry(NamedTuple):
    """An estimator without its model, and the specification of its model."""

    where: str  # for error messages
    number: int  # the prefix of its arrays is f"{number}/"
    estimator: BaseEstimator
    linked: dict  # attribute -> number of the network to assign to it
    fit: FitEntry | None  # None for an unfitted estimator


def parse_network(path, number, entry, state, builders):
    """Parse and validate the description of a network in an archive.

    Parameters
    ----------
    path : str or path-like
        The archive, for error messages.
    number : int
        The position of the network in the archive.
    entry, state : dict
        The description that :class:`NetworkWriter` writes, from an untrusted file.
    builders : dict of str to callable
        User-defined builders by name.

    Returns
    -------
    NetworkEntry
        An estimator with its parameters and learned attributes, without its model, and the specification of the model.

    Raises
    ------
    KerasNetError
        As in :func:`kerasnet.load`.
    """
    where = f"{path}: network {number}"
    try:
        estimator = _new_estimator(entry, where, builders)
        linked = _set_attributes(estimator, state, where)
        fit = None if entry["fit"] is None else _parse_fit(estimator, where, builders, **entry["fit"])
    except KerasNetError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise CorruptFileError(
            f"{path}: {MANIFEST} and {STATE}: expected an estimator as kn.save describes it, found: {error!r}."
        ) from error
    return NetworkEntry(where, number, estimator, linked, fit)


def _new_estimator(entry, where, builders):
    """Create an estimator with the parameters of an entry."""
    kind = ESTIMATORS.get(entry["class"])
    if kind is None:
        raise UnsafeFileError(f"{where}: expected a class among {sorted(ESTIMATORS)}, found {entry['class']!r}.")
    parameters = _parse_values(entry["parameters"], where)
    if unexpected := [name for name in ("memory", "callbacks", "fit__callbacks") if parameters.get(name) is not None]:
        raise UnsafeFileError(f"{where}: expected neither memory nor callbacks, found {unexpected}.")
    model, _ = _find_model(where, builders, **entry["model"])
    if "model" in kind.__signature__.parameters:
        parameters["model"] = model
    elif kind.model != model:
        raise ValueError(f"{kind.__name__} with the model {model!r}")
    estimator = kind(**parameters)
    if entry["requests"]:
        estimator._metadata_request = requests_from_dict(estimator, entry["requests"])
    return estimator


def _find_model(where, builders, *, name, given_as, own):
    """Return the parameter `model` of an estimator, and its builder."""
    if not own:
        try:
            builder = registered_model(str(name)).builder
            return (name if given_as == "name" else builder), builder
        except UnknownModelError as error:
            message = str(error)
    else:
        message = f"The model was built by the function {name!r}, which is not registered."
    by_function_name = {getattr(each, "__name__", None): each for each in builders.values()}
    builder = {**by_function_name, **builders}.get(name)
    if builder is None:
        hint = f"To pass a builder: kn.load(path, builders={{{name!r}: function}})."
        raise UnknownModelError(f"{where}: {message} {hint}")
    return builder, builder


def _set_attributes(estimator, state, where):
    """Set the learned attributes of an estimator; return the attributes that are networks, with their numbers."""
    linked = {}
    for name, packed in state.items():
        learned = re.fullmatch(r"[a-z]\w*_", name, re.ASCII | re.IGNORECASE) and name not in _NOT_LOADED
        if name not in SAVED_PRIVATE_ATTRIBUTES and not learned:
            raise ValueError(f"the attribute {name!r}")
        if isinstance(packed, dict) and "network" in packed:
            linked[name] = packed["network"]
        elif name in SAVED_PRIVATE_ATTRIBUTES or not hasattr(type(estimator), name):
            vars(estimator)[name] = from_json(packed, where)
    return linked


def _parse_fit(
    estimator, where, builders, *, model, arguments, offered, parameters, dtype_policy, seed, trainable, optimizer
):
    """Parse and validate the specification of a fitted model."""
    arguments, parameters = _parse_values(arguments, where), _parse_values(parameters, where)
    _check_samples(vars(estimator), arguments)
    given, builder = _find_model(where, builders, **model)
    if "model" in type(estimator).__signature__.parameters:
        parameters["model"] = given
    if message := estimator._invalid_parameters_message(parameters, given):
        raise ValueError(message)
    if type(seed) is not int or not 0 <= seed < 2**32:
        raise ValueError(f"the seed {seed!r:.100}")
    if dtype_policy not in _DTYPE_POLICIES:
        raise ValueError(f"the dtype policy {dtype_policy!r:.100}")
    flags = [bool(each) for each in trainable]
    return FitEntry(builder, arguments, list(offered), parameters, seed, dtype_policy, flags, bool(optimizer))


def _check_samples(fitted, arguments):
    """Raise an error if the learned attributes or the arguments have an invalid sample shape, or different ones."""
    for name, kind in _FITTED.items():
        if not isinstance(fitted[name], kind):
            raise ValueError(f"{name} {fitted[name]!r:.100}")
    padding, shape = fitted.get("_padding"), fitted["input_shape_"]
    if type(padding) not in (float, type(None)):
        raise ValueError(f"the padding {padding!r:.100}")
    sizes = shape if padding is None else shape[1:]  # padded sequences have any number of steps
    if not all(type(size) is int and size > 0 for size in sizes):
        raise ValueError(f"samples of shape {shape!r:.100}")
    if tuple(arguments.get("input_shape", shape)) != shape:
        raise ValueError(f"samples of shape {shape} for a model of {arguments['input_shape']}")


def _parse_values(packed, where):
    """Parse plain values by name; raise an error for values that could need far more resources than their file size."""
    values = {str(name): from_json(value, where) for name, value in packed.items()}
    if message := find_oversized(values):
        raise UnsafeFileError(f"{where}: {message}")
    return values


def requests_from_dict(estimator, requests):
    """Return the metadata requests of an estimator from a dict of methods to dicts of parameters and aliases."""
    result = MetadataRequest(owner=estimator)
    for method, parameters in requests.items():
        for name, alias in parameters.items():
            getattr(result, method).add_request(param=name, alias=alias)
    return result
