"""Routed parameters, such as ``optimizer__momentum``, that nothing takes."""

import difflib
import inspect

import keras

from kerasnet.estimators._compiling import CLASS_OF
from kerasnet.estimators._metrics import SHORTHANDS

_MODULES = {"optimizer": keras.optimizers, "loss": keras.losses, "metrics": keras.metrics}
_NOUNS = {"optimizer": "an optimizer", "loss": "a loss", "metrics": "metrics", "callbacks": "callbacks"}
_GIVEN_AS_PARAMETERS = ("self", "optimizer", "loss", "metrics")


def nearest(name, valid):
    """Return a hint at the valid name most like a wrong one, or nothing."""
    close = difflib.get_close_matches(name, valid, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def complaints_about_keras(owner, params):
    """Say which names of optimizers, losses, metrics and of their parameters Keras does not know.

    Parameters
    ----------
    owner : str
        The name of the estimator's class, for messages.
    params : dict
        All parameters of the estimator.

    Yields
    ------
    complaint : str
        One for each wrong name.
    """
    if params.get("optimizer", "") is None:
        yield f"{owner} must be given an optimizer. Could not interpret optimizer identifier: None."
    for kind in ("optimizer", "loss", "metrics", "callbacks"):
        given = params.get(kind)
        complaints = [*_unknown_names(owner, kind, given)]
        yield from complaints
        if not complaints:
            prefix = f"{kind}__"
            for name in params:
                if name.startswith(prefix):
                    yield from _complaints_about(name, name.removeprefix(prefix), given, kind)
    for name in ("weighted_metrics", "compile__weighted_metrics"):
        yield from _unknown_names(owner, "metrics", params.get(name))
    taken = [name for name in inspect.signature(keras.Model.compile).parameters if name not in _GIVEN_AS_PARAMETERS]
    for name in params:
        if name.startswith("compile__") and (argument := name.removeprefix("compile__")) not in taken:
            remedy = f" Set {argument!r} itself." if argument in _GIVEN_AS_PARAMETERS else ""
            yield (
                f"keras.Model.compile takes no parameter {argument!r}{nearest(argument, taken)}, which {name} is for."
                f"{remedy} Valid parameters: {', '.join(sorted(taken))}."
            )


def _unknown_names(owner, kind, given):
    module = _MODULES.get(kind)
    for name in keras.tree.flatten(given) if module else ():
        if not isinstance(name, str) or (kind == "metrics" and name in SHORTHANDS):
            continue
        try:
            CLASS_OF[kind](name)
        except ValueError:
            yield (
                f"The {kind!r} parameter of {owner} must be a name that Keras knows, a class or an instance. "
                f"Could not interpret {kind.removesuffix('s') if kind == 'metrics' else kind} identifier {name!r}"
                f"{nearest(name, _names_in(module))}."
            )


def _complaints_about(name, routed, given, kind):
    """Say why nothing takes a routed parameter, if nothing does; `routed` is what remains of its name."""
    if given is None:
        yield f"{name} is for {_NOUNS[kind]} given by name or as a class, but {kind} is None."
        return
    if isinstance(given, list | tuple | dict):
        entries = given if isinstance(given, dict) else {str(place): entry for place, entry in enumerate(given)}
        key, _, rest = routed.partition("__")
        if rest and key in entries:
            yield from _complaints_about(name, rest, entries[key], kind)
        elif rest and key.isdigit():
            yield f"{name} is for an entry {key} of {kind}, which has {len(entries)}."
        else:
            for entry in entries.values():
                yield from _complaints_about(name, routed, entry, kind)
        return
    if isinstance(given, str) and not (kind == "metrics" and given in SHORTHANDS):
        given = CLASS_OF[kind](given)
    if not inspect.isclass(given):
        shown = repr(given) if isinstance(given, str) else getattr(given, "__name__", type(given).__name__)
        yield (
            f"{name} is for {_NOUNS[kind]} given by name or as a class: {kind}={shown} does not accept parameters "
            "because it's not a class. Give its class, or set the parameter where you create it."
        )
        return
    argument, valid = routed.partition("__")[0], _arguments_of(given)
    if valid is not None and argument not in valid and not argument.isdigit():
        yield (
            f"{given.__name__} takes no parameter {argument!r}{nearest(argument, valid)}, which "
            f"{name} is for. Valid parameters: {', '.join(sorted(valid))}."
        )


def _names_in(module):
    """Return the names by which Keras finds what one of its modules holds."""
    public = [name for name in dir(module) if name[0] != "_" and name not in ("get", "serialize", "deserialize")]
    return public + [name.lower() for name in public]


def _arguments_of(kind):
    """Return the names of what the constructors of a class and of its bases take; None where a user's takes any."""
    own = inspect.signature(kind.__init__).parameters.values()
    if not kind.__module__.startswith("keras.") and any(each.kind == each.VAR_KEYWORD for each in own):
        return None
    taken = [inspect.signature(base).parameters.values() for base in kind.__mro__ if "__init__" in vars(base)]
    return {
        argument.name
        for each in taken
        for argument in each
        if argument.kind not in (argument.VAR_KEYWORD, argument.VAR_POSITIONAL)
    }
