"""Validate routed parameters, such as ``optimizer__momentum``."""

import difflib
import inspect

import keras

from kerasnet.estimators._compiling import CLASS_OF
from kerasnet.estimators._metrics import SHORTHANDS

_MODULES = {"optimizer": keras.optimizers, "loss": keras.losses, "metrics": keras.metrics}
_NOUNS = {"optimizer": "an optimizer", "loss": "a loss", "metrics": "metrics", "callbacks": "callbacks"}
_GIVEN_AS_PARAMETERS = ("self", "optimizer", "loss", "metrics")


def did_you_mean(name, valid):
    """Return a suggestion of the closest valid name, or an empty string."""
    close = difflib.get_close_matches(name, valid, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def keras_parameter_errors(owner, params):
    """Find unknown names of optimizers, losses, metrics and their arguments.

    Parameters
    ----------
    owner : str
        Name of the estimator's class, for error messages.
    params : dict
        All parameters of the estimator.

    Yields
    ------
    message : str
        One error message per unknown name.
    """
    if params.get("optimizer", "") is None:
        yield f"{owner} requires an optimizer. Could not interpret optimizer identifier: None."
    for kind in ("optimizer", "loss", "metrics", "callbacks"):
        given = params.get(kind)
        errors = [*_unknown_name_errors(owner, kind, given)]
        yield from errors
        if not errors:
            prefix = f"{kind}__"
            for name in params:
                if name.startswith(prefix):
                    yield from _routed_parameter_errors(name, name.removeprefix(prefix), given, kind)
    for name in ("weighted_metrics", "compile__weighted_metrics"):
        yield from _unknown_name_errors(owner, "metrics", params.get(name))
    accepted = [name for name in inspect.signature(keras.Model.compile).parameters if name not in _GIVEN_AS_PARAMETERS]
    for name in params:
        if name.startswith("compile__") and (argument := name.removeprefix("compile__")) not in accepted:
            remedy = f" Set {argument!r} itself." if argument in _GIVEN_AS_PARAMETERS else ""
            yield (
                f"{name}: keras.Model.compile has no argument {argument!r}{did_you_mean(argument, accepted)}.{remedy} "
                f"Valid arguments: {', '.join(sorted(accepted))}."
            )


def _unknown_name_errors(owner, kind, given):
    module = _MODULES.get(kind)
    for name in keras.tree.flatten(given) if module else ():
        if not isinstance(name, str) or (kind == "metrics" and name in SHORTHANDS):
            continue
        try:
            CLASS_OF[kind](name)
        except ValueError:
            yield (
                f"The {kind!r} parameter of {owner} must be a name known to Keras, a class or an instance. "
                f"Could not interpret {kind.removesuffix('s') if kind == 'metrics' else kind} identifier {name!r}"
                f"{did_you_mean(name, _names_in(module))}."
            )


def _routed_parameter_errors(name, routed, given, kind):
    """Explain why a routed parameter is invalid; `routed` is the part of its name that is not resolved yet."""
    if given is None:
        yield f"{name} requires {_NOUNS[kind]} given by name or class. Received: {kind}=None."
        return
    if isinstance(given, list | tuple | dict):
        entries = given if isinstance(given, dict) else {str(place): entry for place, entry in enumerate(given)}
        key, _, rest = routed.partition("__")
        if rest and key in entries:
            yield from _routed_parameter_errors(name, rest, entries[key], kind)
        elif rest and key.isdigit():
            yield f"{name} refers to entry {key} of {kind}, which has {len(entries)} entries."
        else:
            for entry in entries.values():
                yield from _routed_parameter_errors(name, routed, entry, kind)
        return
    if isinstance(given, str) and not (kind == "metrics" and given in SHORTHANDS):
        given = CLASS_OF[kind](given)
    if not inspect.isclass(given):
        shown = repr(given) if isinstance(given, str) else getattr(given, "__name__", type(given).__name__)
        yield (
            f"{name} requires {_NOUNS[kind]} given by name or class: {kind}={shown} does not accept parameters because "
            "it's not a class. Pass its class, or set the parameter when you create it."
        )
        return
    argument, valid = routed.partition("__")[0], _arguments_of(given)
    if valid is not None and argument not in valid and not argument.isdigit():
        yield (
            f"{name}: {given.__name__} has no argument {argument!r}{did_you_mean(argument, valid)}. "
            f"Valid arguments: {', '.join(sorted(valid))}."
        )


def _names_in(module):
    """Return the names of classes and functions that ``module.get`` accepts."""
    public = [name for name in dir(module) if name[0] != "_" and name not in ("get", "serialize", "deserialize")]
    return public + [name.lower() for name in public]


def _arguments_of(kind):
    """Return the arguments of the constructors of a class and its bases; None if a user-defined one accepts any."""
    own = inspect.signature(kind.__init__).parameters.values()
    if not kind.__module__.startswith("keras.") and any(each.kind == each.VAR_KEYWORD for each in own):
        return None
    signatures = [inspect.signature(base).parameters.values() for base in kind.__mro__ if "__init__" in vars(base)]
    return {
        argument.name
        for arguments in signatures
        for argument in arguments
        if argument.kind not in (argument.VAR_KEYWORD, argument.VAR_POSITIONAL)
    }
