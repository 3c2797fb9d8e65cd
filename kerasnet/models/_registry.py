"""Model registry: register, list and create models by name."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import operator
import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from kerasnet.errors import UnknownModelError
from kerasnet.models import _weights

if TYPE_CHECKING:
    import keras

_Builder = TypeVar("_Builder", bound=Callable[..., Any])

_INPUT_KINDS = ("image", "sequence", "tokens", "vector")
_TASKS = ("classification", "regression", "reconstruction")
_REGISTRY: dict[str, RegisteredModel] = {}


@dataclasses.dataclass(frozen=True)
class RegisteredModel:
    """Registry entry of a model.

    Attributes
    ----------
    name : str
        Name of the model.
    builder : callable
        Function that returns an uncompiled ``keras.Model``.
    input_kind : {"image", "sequence", "tokens", "vector"}
        Kind of input. The shape of one sample is (height, width, channels), (steps, features), (steps,) or
        (features,).
    tasks : tuple of str
        Tasks that the model supports, such as "classification".
    max_layers, max_unused_bytes : callable or None
        Upper bounds declared in :func:`register_model`.
    """

    name: str
    builder: Callable[..., keras.Model]
    input_kind: str
    tasks: tuple[str, ...]
    max_layers: Callable[..., int] | None = None
    max_unused_bytes: Callable[..., int] | None = None

    def upper_bounds(self, arguments: dict[str, Any]) -> tuple[int | None, int]:
        """Compute the declared upper bounds for given arguments, without calling the builder.

        Parameters
        ----------
        arguments : dict
            Arguments of the builder. Missing arguments have their default value.

        Returns
        -------
        n_layers : int or None
            Maximum number of layers, including nested layers; None if no bound is declared.
        n_unused_bytes : int
            Maximum size in bytes of variables that are created but not part of the model.

        Raises
        ------
        Exception
            If the builder does not accept the arguments, or they have an invalid type.
        """
        if self.max_layers is None:
            return None, 0
        bound = inspect.signature(self.builder).bind_partial(**arguments)
        bound.apply_defaults()
        n_layers = operator.index(self.max_layers(**bound.arguments))
        unused = self.max_unused_bytes
        return n_layers, 0 if unused is None else operator.index(unused(**bound.arguments))


def register_model(
    name: str,
    *,
    input_kind: str,
    tasks: Sequence[str],
    max_layers: Callable[..., int] | None = None,
    max_unused_bytes: Callable[..., int] | None = None,
) -> Callable[[_Builder], _Builder]:
    """Return a decorator that registers a builder under a name.

    Parameters
    ----------
    name : str
        Name of the model in :func:`create_model` and ``KerasNetClassifier(model=name)``.
    input_kind : {"image", "sequence", "tokens", "vector"}
        Kind of input. The shape of one sample is (height, width, channels), (steps, features), (steps,) or
        (features,).
    tasks : sequence of str
        Tasks that the model supports, such as ``("classification", "regression")``.
    max_layers : callable, default=None
        Function that returns an upper bound on the number of layers, including nested layers. It receives the arguments
        of the builder as keyword arguments and must not build anything. :func:`kerasnet.load` calls it before building
        a model, and rejects the file if it contains weights for far fewer layers. If None, only the size of the
        variables is limited.
    max_unused_bytes : callable, default=None
        Function that returns an upper bound on the size, in bytes, of variables that the builder creates but that are
        not part of the model. It receives the same arguments. If None, the bound is 0. Ignored if `max_layers` is None.

    Returns
    -------
    decorator : callable
        Decorator that registers a builder and returns it unchanged.

    Raises
    ------
    ValueError
        If the name is already registered for another function, or if `input_kind` or `tasks` is invalid. A function
        with the same module and qualified name replaces the registered one, as when a notebook cell is run twice.
    TypeError
        If the builder is not a function with an argument ``input_shape``, or a bound is not callable.

    Notes
    -----
    The argument ``weights`` of a registered builder is reserved for pretrained weights. :func:`kerasnet.load` sets it
    to None and reads the weights from the file.

    Models are registered per process. Worker processes, such as those of a search with ``n_jobs=2``, must import the
    module that registers the model. For a builder that is defined in a notebook, pass the function instead of its name.

    Examples
    --------
    >>> import keras
    >>> from kerasnet.models import create_model, register_model
    >>> @register_model("logistic", input_kind="vector", tasks=("classification",), max_layers=lambda **_: 2)
    ... def build_logistic(input_shape=(784,), n_outputs=10, *, output_activation="softmax", name="logistic"):
    ...     output = keras.layers.Dense(n_outputs, activation=output_activation, name="output")
    ...     return keras.Sequential([keras.Input(input_shape, name="input"), output], name=name)
    >>> create_model("logistic").count_params()
    7850
    """
    if input_kind not in _INPUT_KINDS:
        raise ValueError(f"input_kind must be one of {list(_INPUT_KINDS)}. Received: {input_kind!r}.")
    if isinstance(tasks, str):
        raise ValueError(f"tasks must be a sequence of names, such as ({tasks!r},). Received: {tasks!r}.")
    for bound_name, bound in (("max_layers", max_layers), ("max_unused_bytes", max_unused_bytes)):
        if bound is not None and not callable(bound):
            raise TypeError(
                f"{bound_name} must be a function of the builder's arguments, or None. Received: {bound!r}."
            )

    def register(builder: _Builder) -> _Builder:
        if not hasattr(builder, "__qualname__") or "input_shape" not in inspect.signature(builder).parameters:
            raise TypeError(f"A builder must be a function with an argument input_shape. Received: {builder!r}.")
        registered = _REGISTRY[name].builder if name in _REGISTRY else builder
        if (registered.__module__, registered.__qualname__) != (builder.__module__, builder.__qualname__):
            raise ValueError(
                f"The model name {name!r} is already registered for {registered.__module__}.{registered.__qualname__}. "
                "Choose another name."
            )
        _REGISTRY[name] = RegisteredModel(name, builder, input_kind, tuple(tasks), max_layers, max_unused_bytes)
        return builder

    return register


def registered_model(model: str | Callable[..., Any]) -> RegisteredModel | None:
    """Return the registry entry of a model.

    Parameters
    ----------
    model : str or callable
        Name of a registered model, or its builder.

    Returns
    -------
    RegisteredModel or None
        The registry entry; None if the builder is not registered.

    Raises
    ------
    UnknownModelError
        If no model with this name is registered. The message lists close matches.
    """
    if not isinstance(model, str):
        return next((entry for entry in _REGISTRY.values() if entry.builder is model), None)
    if model not in _REGISTRY:
        close = difflib.get_close_matches(model, _REGISTRY)
        hint = f"Did you mean: {', '.join(close)}?" if close else f"Registered models: {', '.join(list_models())}."
        raise UnknownModelError(f"No model {model!r} is registered. {hint}")
    return _REGISTRY[model]


def entry_of(name):
    """Return the registry entry of a model name."""
    if not isinstance(name, str):
        raise UnknownModelError(
            f"Expected the name of a registered model: {', '.join(list_models())}. Received: {name!r}."
        )
    return registered_model(name)


def list_models(
    *, task: str | None = None, input_kind: str | None = None, weights: bool | str | None = None
) -> list[str]:
    """List the names of the registered models.

    Parameters
    ----------
    task : str, default=None
        List only models that support this task: "classification", "regression" or "reconstruction".
    input_kind : {"image", "sequence", "tokens", "vector"}, default=None
        List only models for this kind of input.
    weights : bool or str, default=None
        If True, list only models with pretrained weights; if False, only models without. A name such as "mnist" lists
        only models with these pretrained weights.

    Returns
    -------
    names : list of str
        Sorted names of the models.

    Raises
    ------
    ValueError
        If the task, kind of input or name of pretrained weights is unknown.

    Examples
    --------
    >>> from kerasnet.models import list_models
    >>> list_models(task="classification", input_kind="image")
    ['backbone', 'cnn', 'lenet', 'resnet_small']
    """
    entries = _REGISTRY.values()
    sets = {entry.name: set(_weights.sets_of(entry.name)) for entry in entries}
    for parameter, value, valid in (
        ("task", task, {*_TASKS}.union(*(entry.tasks for entry in entries))),
        ("input_kind", input_kind, _INPUT_KINDS),
        ("weights", weights, {True, False}.union(*sets.values())),
    ):
        if value is not None and value not in list(valid):
            raise ValueError(f"{parameter} must be None or one of {sorted(valid, key=str)}. Received: {value!r}.")
    return sorted(
        entry.name
        for entry in entries
        if (task is None or task in entry.tasks)
        and (input_kind is None or input_kind == entry.input_kind)
        and (weights is None or weights in {*sets[entry.name], bool(sets[entry.name])})
    )


def create_model(name: str, /, *, weights: str | os.PathLike[str] | None = None, **arguments: Any) -> keras.Model:
    """Create a registered model by name.

    Parameters
    ----------
    name : str
        Name of the model; see :func:`list_models`.
    weights : str, default=None
        Name of the pretrained weights to load, such as "mnist"; see ``model_card(name).weights``. The other arguments
        then default to those of the pretrained model. If ``n_outputs`` differs, the output layer is randomly
        initialized. If the number of channels differs, the weights of the first layer are distributed evenly over the
        channels: images with equal channels give the same outputs as the grayscale image. For "backbone", see
        :func:`build_backbone`. If None, all weights are randomly initialized.
    **arguments
        Arguments of the builder, such as ``input_shape``, ``n_outputs`` and the ``name`` of the model.

    Returns
    -------
    keras.Model
        Uncompiled model.

    Raises
    ------
    UnknownModelError
        If no model with this name is registered. The message lists close matches.
    ValueError
        If the model has no pretrained weights with this name.
    CheckpointMismatchError
        If the pretrained weights do not fit the architecture.

    Examples
    --------
    >>> from kerasnet.datasets import load_mnist
    >>> from kerasnet.models import create_model
    >>> create_model("cnn", input_shape=(28, 28, 1), n_outputs=10).count_params()
    693962
    >>> digits = load_mnist("test")
    >>> model = create_model("lenet", weights="mnist")
    >>> probabilities = model(digits.data[:5, ..., None] / 255).numpy()
    >>> bool((probabilities.argmax(axis=1) == digits.target[:5]).all())
    True
    """
    builder = entry_of(name).builder
    if weights is None:
        return builder(**arguments)
    if "weights" not in inspect.signature(builder).parameters:
        raise ValueError(
            f"The builder of {name!r} does not accept the argument weights. Received: weights={weights!r}."
        )
    return builder(weights=weights, **{**_weights.default_arguments(name, weights), **arguments})
