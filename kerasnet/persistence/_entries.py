"""Networks as an archive describes them, validated before anything is built."""

import re
from collections.abc import Callable
from typing import NamedTuple

from sklearn.base import BaseEstimator
from sklearn.utils.metadata_routing import MetadataRequest

from kerasnet.errors import CorruptFileError, KerasNetError, UnknownModelError, UnsafeFileError
from kerasnet.models import registered_model
from kerasnet.persistence._container import MANIFEST, STATE
from kerasnet.persistence._networks import KINDS, PRIVATE
from kerasnet.persistence._plain import complaint_about, from_json

_FITTED = {"input_shape_": tuple, "history_": dict, "n_iter_": int}
_NOT_LEARNED = ("callbacks_", "feature_encoder_", "model_", "target_encoder_")
_DTYPE_POLICIES = ("float32", "float64", "float16", "bfloat16", "mixed_float16", "mixed_bfloat16")


class FitEntry(NamedTuple):
    """What a model was built from, and what is restored beside its weights."""

    builder: Callable
    arguments: dict  # of the builder
    offered: list  # names of arguments that the estimator computes, such as "meta"
    parameters: dict  # of the estimator, at its fit
    seed: int
    dtype_policy: str
    trainable: list  # a flag for each layer
    has_optimizer_state: bool


class NetworkEntry(NamedTuple):
    """An estimator without its model, and what its model is built from."""

    where: str  # for messages
    number: int  # its arrays are named f"{number}/..."
    estimator: BaseEstimator
    linked: dict  # attribute -> number of the network that belongs there
    fit: FitEntry | None  # None for an estimator that is not fitted


def parse_network(path, number, entry, state, builders):
    """Validate what an archive says of a network.

    Parameters
    ----------
    path : str or path-like
        The archive, for messages.
    number : int
        The position of the network in the archive.
    entry, state : dict
        As :class:`NetworkWriter` writes them, but from an untrusted file.
    builders : dict of str to callable
        The caller's own builders, by name.

    Returns
    -------
    NetworkEntry
        With an estimator that has its parameters and learned attributes, except for its model.

    Raises
    ------
    KerasNetError
        As of :func:`kerasnet.load`.
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
            f"{path}: {MANIFEST} and {STATE}: expected what kn.save says of an estimator, found: {error!r}."
        ) from error
    return NetworkEntry(where, number, estimator, linked, fit)


def _new_estimator(entry, where, builders):
    """Return an estimator with the parameters of an entry."""
    kind = KINDS.get(entry["class"])
    if kind is None:
        raise UnsafeFileError(f"{where}: expected a class among {sorted(KINDS)}, found {entry['class']!r}.")
    parameters = _parse_values(entry["parameters"], where)
    if strange := [name for name in ("memory", "callbacks", "fit__callbacks") if parameters.get(name) is not None]:
        raise UnsafeFileError(f"{where}: expected neither memory nor callbacks, found {strange}.")
    model, _ = _find_model(where, builders, **entry["model"])
    if "model" in kind.__signature__.parameters:
        parameters["model"] = model
    elif kind.model != model:
        raise ValueError(f"{kind.__name__} with the model {model!r}")
    estimator = kind(**parameters)
    if entry["requests"]:
        estimator._metadata_request = metadata_request(estimator, entry["requests"])
    return estimator


def _find_model(where, builders, *, name, given_as, own):
    """Return the parameter `model` of an estimator, and the builder that it stands for."""
    if not own:
        try:
            builder = registered_model(str(name)).builder
            return (name if given_as == "name" else builder), builder
        except UnknownModelError as error:
            complaint = str(error)
    else:
        complaint = f"Its model comes from the function {name!r}."
    by_function_name = {getattr(each, "__name__", None): each for each in builders.values()}
    builder = {**by_function_name, **builders}.get(name)
    if builder is None:
        hint = f"For a builder of your own: kn.load(path, builders={{{name!r}: function}})."
        raise UnknownModelError(f"{where}: {complaint} {hint}")
    return builder, builder


def _set_attributes(estimator, state, where):
    """Give an estimator its learned attributes; return the numbers of the networks that are among them."""
    linked = {}
    for name, packed in state.items():
        learned = re.fullmatch(r"[a-z]\w*_", name, re.ASCII | re.IGNORECASE) and name not in _NOT_LEARNED
        if name not in PRIVATE and not learned:
            raise ValueError(f"the attribute {name!r}")
        if isinstance(packed, dict) and "network" in packed:
            linked[name] = packed["network"]
        elif name in PRIVATE or not hasattr(type(estimator), name):
            vars(estimator)[name] = from_json(packed, where)
    return linked


def _parse_fit(
    estimator, where, builders, *, model, arguments, offered, parameters, dtype_policy, seed, trainable, optimizer
):
    """Validate what the model of a fitted estimator is built from."""
    arguments, parameters = _parse_values(arguments, where), _parse_values(parameters, where)
    _check_samples(vars(estimator), arguments)
    given, builder = _find_model(where, builders, **model)
    if "model" in type(estimator).__signature__.parameters:
        parameters["model"] = given
    if complaint := estimator._complaint_about(parameters, given):
        raise ValueError(complaint)
    if type(seed) is not int or not 0 <= seed < 2**32:
        raise ValueError(f"the seed {seed!r:.100}")
    if dtype_policy not in _DTYPE_POLICIES:
        raise ValueError(f"the dtype policy {dtype_policy!r:.100}")
    flags = [bool(each) for each in trainable]
    return FitEntry(builder, arguments, list(offered), parameters, seed, dtype_policy, flags, bool(optimizer))


def _check_samples(fitted, arguments):
    """Refuse learned attributes or arguments that describe no samples, or different ones."""
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
    """Return plain values by name; refuse those that could cost much more than they take in a file."""
    values = {str(name): from_json(value, where) for name, value in packed.items()}
    if complaint := complaint_about(values):
        raise UnsafeFileError(f"{where}: {complaint}")
    return values


def metadata_request(estimator, requests):
    """Return the metadata requests of an estimator, from parameters and their aliases by method."""
    made = MetadataRequest(owner=estimator)
    for method, asked in requests.items():
        for name, alias in asked.items():
            getattr(made, method).add_request(param=name, alias=alias)
    return made
