"""Load the networks of an archive: check limits, build models, compare them with the file, then read arrays."""

import collections
import inspect
import math
from typing import NamedTuple

import keras
import numpy as np

from kerasnet._formats import is_kept_as, parse_npz, read_headers
from kerasnet.errors import CheckpointMismatchError, CorruptFileError, UnsafeFileError
from kerasnet.models import registered_model
from kerasnet.persistence._container import OPTIMIZER, WEIGHTS
from kerasnet.persistence._entries import parse_network
from kerasnet.persistence._networks import is_finite, new_optimizer
from kerasnet.training._building import BuildRecord, limit_variable_bytes
from kerasnet.training._network import Network
from kerasnet.training._spec import ModelSpec

_FEW_LAYERS = 512  # allowed for any number of arrays, because some backbones end at an early layer
_LAYERS_PER_ARRAY = 2  # maximum in larger models
_MAX_LAYERS = 2000  # of all models in an archive
_METRIC_BYTES = 2**22  # for the variables of metrics, which are not in the file
_UNDECLARED_FACTOR, _UNDECLARED_BYTES = 4, 2**26  # for builders without declared bounds


def read_networks(path, entries, states, members, builders, limits):
    """Rebuild the networks of an archive.

    Parameters
    ----------
    path : str or path-like
        The archive, for error messages.
    entries, states : list of dict
        The descriptions that :class:`NetworkWriter` writes, from an untrusted file.
    members : dict of str to bytes
        The members of the archive.
    builders : dict of str to callable
        User-defined builders by name.
    limits : Limits
        The limits for reading the file.

    Returns
    -------
    networks : dict of int to estimator
        The estimators by their position in `entries`, without those that are attributes of other estimators.

    Raises
    ------
    KerasNetError
        As in :func:`kerasnet.load`.
    """
    pairs = zip(entries, states, strict=True)
    networks = [parse_network(path, number, *pair, builders) for number, pair in enumerate(pairs)]
    fitted = [network for network in networks if network.fit is not None]
    where, max_members = f"{path}: {WEIGHTS}", limits.max_members

    headers = _group_by_network(read_headers(members[WEIGHTS], where, max_members=max_members), fitted, where)
    max_bytes = _check_limits(fitted, headers, limits, where)
    built = _build_models(fitted, headers, max_bytes, where)
    arrays = parse_npz(members.pop(WEIGHTS), where, max_bytes=limits.max_bytes, max_members=max_members, stored=True)
    for network, each in zip(fitted, built, strict=True):
        _restore_weights(network, each, arrays, where)

    if OPTIMIZER in members:
        where = f"{path}: {OPTIMIZER}"
        variables = _optimizer_variables(fitted, built)
        _check_arrays(read_headers(members[OPTIMIZER], where, max_members=max_members), variables, where)
        arrays = parse_npz(members[OPTIMIZER], where, max_bytes=limits.max_bytes, max_members=max_members, stored=True)
        _restore_optimizers(fitted, variables, arrays, where)
    linked = _link_networks(networks)
    return {network.number: network.estimator for network in networks if network.number not in linked}


def _group_by_network(headers, networks, where):
    """Return the array headers of each network, by its number; raise an error for other arrays."""
    grouped = collections.defaultdict(dict)
    for name, header in headers.items():
        grouped[name.partition("/")[0]][name] = header
    if extra := grouped.keys() - {str(network.number) for network in networks}:
        names = sorted(name for key in extra for name in grouped[key])
        raise CheckpointMismatchError(f"{where}: expected the arrays of the model and no others, found {names[:5]}.")
    return {network.number: grouped[str(network.number)] for network in networks}


def _check_limits(networks, headers, limits, where):
    """Raise an error if the models would be too large, before building them; return the byte limit of the variables."""
    everything = [header for each in headers.values() for header in each.values()]
    n_parameters = sum(math.prod(shape) for _, shape in everything)
    if n_parameters > limits.max_parameters:
        raise UnsafeFileError(
            f"{where}: {n_parameters} parameters are more than max_parameters={limits.max_parameters}."
        )
    for network in networks:
        shape = network.estimator.input_shape_
        if math.prod(size for size in shape if size is not None) > limits.max_parameters:
            raise UnsafeFileError(
                f"{network.where}: samples of shape {shape} have more than max_parameters={limits.max_parameters} "
                "values."
            )
    bounds = [_upper_bounds(network) for network in networks]
    _check_layers(networks, [n_layers for n_layers, _ in bounds], headers, where)
    n_bytes = sum(math.prod(shape) * dtype.itemsize for dtype, shape in everything)
    factor = _UNDECLARED_FACTOR if any(n_layers is None for n_layers, _ in bounds) else 1
    return factor * n_bytes + max([_METRIC_BYTES, *(n_unused_bytes for _, n_unused_bytes in bounds)])


def _upper_bounds(network):
    """Return the declared upper bounds of the number of layers (None if undeclared) and of bytes not in the file."""
    registered = registered_model(network.fit.builder)
    if registered is None or registered.max_layers is None:
        return None, _UNDECLARED_BYTES
    try:
        n_layers, n_unused_bytes = registered.upper_bounds(network.fit.arguments)
    except Exception as error:  # invalid arguments of the builder
        raise _cannot_be_built(network, error) from error
    return max(n_layers, 0), n_unused_bytes


def _check_layers(networks, n_layers, headers, where):
    """Raise an error if the arguments ask for far more layers than there are arrays in the file."""
    for network, n in zip(networks, n_layers, strict=True):
        n_arrays = sum(math.prod(shape) > 0 for _, shape in headers[network.number].values())
        if n is not None and n > max(_FEW_LAYERS, _LAYERS_PER_ARRAY * n_arrays):
            raise UnsafeFileError(
                f"{network.where}: expected weights for up to {n} layers, which the arguments ask for, "
                f"found only {n_arrays} arrays."
            )
    if (total := sum(n or 0 for n in n_layers)) > _MAX_LAYERS:
        raise UnsafeFileError(f"{where}: expected models with at most {_MAX_LAYERS} layers, found up to {total}.")


def _build_models(networks, headers, max_bytes, where):
    """Build the models within a total of `max_bytes`, and compare their variables with the arrays in the file."""
    built = []
    with limit_variable_bytes(max_bytes):
        for network in networks:
            built.append(_build_model(network))
            _check_arrays(headers[network.number], _variables_by_name(network, built[-1].model), where)
    return built


class _BuiltModel(NamedTuple):
    spec: ModelSpec
    model: keras.Model
    record: BuildRecord


def _build_model(network):
    """Build the model of a network from its arguments, with initial weights."""
    fit = network.fit
    try:
        offered = network.estimator._scikeras_arguments()
        arguments = {**_without_pretrained_weights(fit), **{name: offered[name]() for name in fit.offered}}
        compiling = network.estimator._compile_settings(fit.parameters)
        spec = network.estimator._spec_from(fit.builder, arguments, compiling, fit.dtype_policy)
        return _BuiltModel(spec, *spec.build(fit.seed))
    except UnsafeFileError as error:
        raise UnsafeFileError(f"{network.where}: {error}") from None
    except Exception as error:  # whatever a builder raises
        raise _cannot_be_built(network, error) from error


def _without_pretrained_weights(fit):
    """Return the arguments of a builder, with ``weights=None`` for registered ones: the weights are in the archive."""
    arguments = dict(fit.arguments)
    if registered_model(fit.builder) and "weights" in {*arguments, *inspect.signature(fit.builder).parameters}:
        arguments["weights"] = None
    return arguments


def _cannot_be_built(network, error):
    return CheckpointMismatchError(f"{network.where}: the model cannot be built from the file: {error}")


def _variables_by_name(network, model):
    """Return the variables of a model by the names of their arrays."""
    return {
        f"{network.number}/{position}/{variable.path}": variable for position, variable in enumerate(model.variables)
    }


def _check_arrays(headers, expected, where):
    """Raise an error if the names, dtypes and shapes of the arrays are not those of the variables."""
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


def _restore_weights(network, built, arrays, where):
    """Set the network of an estimator, with the weights from the archive."""
    variables = _variables_by_name(network, built.model)
    values = [_as_dtype_of(arrays[name], variable, f"{where}: {name}") for name, variable in variables.items()]
    try:
        restored = Network.restored(
            built.spec, network.fit.seed, built[1:], values=values, trainable=network.fit.trainable
        )
    except ValueError as error:
        raise CorruptFileError(f"{network.where}: expected a trainable flag for each layer, found {error}.") from error
    network.estimator._network = restored


def _optimizer_variables(networks, built):
    """Return the variables of the optimizers with a state in the archive, by the names of their arrays."""
    return {
        f"{network.number}/{position}": variable
        for network, each in zip(networks, built, strict=True)
        if network.fit.has_optimizer_state
        for position, variable in enumerate(new_optimizer(each.model).variables)
    }


def _restore_optimizers(networks, variables, arrays, where):
    """Set the state of the optimizers."""
    states = {str(network.number): network.estimator._network.optimizer for network in networks}
    for name, variable in variables.items():
        value = _as_dtype_of(arrays[name], variable, f"{where}: {name}")
        states[name.partition("/")[0]].append(value)


def _as_dtype_of(array, variable, where):
    """Return an array in the dtype of a variable; ``.npz`` files have no name for some dtypes, such as bfloat16."""
    value = array.view(np.dtype(variable.dtype))
    if not is_finite(value):
        raise CorruptFileError(f"{where}: expected finite numbers, found NaN or infinity.")
    return value


def _link_networks(networks):
    """Assign networks that are attributes of other estimators, and return their numbers."""
    linked = set()
    for network in networks:
        for name, number in network.linked.items():
            if type(number) is not int or not network.number < number < len(networks):
                raise CorruptFileError(f"{network.where}: {name}: expected a network after this one, found {number!r}.")
            vars(network.estimator)[name] = networks[number].estimator
            linked.add(number)
    return linked
