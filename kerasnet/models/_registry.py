"""The registry: models by name, so that they can be listed, searched over, and rebuilt from plain values."""

import dataclasses
import difflib
import inspect
import operator
from collections.abc import Callable

from kerasnet.errors import UnknownModelError
from kerasnet.models import _weights

_INPUT_KINDS = ("image", "sequence", "vector")
_TASKS = ("classification", "regression", "reconstruction")
_REGISTRY = {}


@dataclasses.dataclass(frozen=True)
class RegisteredModel:
    """What the registry knows of a model.

    Attributes
    ----------
    name : str
        The name it is created by.
    builder : callable
        The function that returns the uncompiled ``keras.Model``.
    input_kind : {"image", "sequence", "vector"}
        What one sample is: (height, width, channels), (steps, features) or (features,).
    tasks : tuple of str
        What it can be trained for, such as "classification".
    max_layers, max_unused_bytes : callable or None
        Upper bounds of what the builder creates, as declared in :func:`register_model`.
    """

    name: str
    builder: Callable
    input_kind: str
    tasks: tuple[str, ...]
    max_layers: Callable | None = None
    max_unused_bytes: Callable | None = None

    def upper_bounds(self, arguments):
        """Return the declared upper bounds for a call of the builder, without calling it.

        Parameters
        ----------
        arguments : dict
            Arguments of the builder; its defaults are used for the others.

        Returns
        -------
        n_layers : int or None
            The largest number of layers, nested ones included; None if no bound is declared.
        n_unused_bytes : int
            The largest size of variables that are created but are not part of the model.

        Raises
        ------
        Exception
            If the arguments are not those of the builder, or of other types than it takes.
        """
        if self.max_layers is None:
            return None, 0
        bound = inspect.signature(self.builder).bind_partial(**arguments)
        bound.apply_defaults()
        n_layers = operator.index(self.max_layers(**bound.arguments))
        unused = self.max_unused_bytes
        return n_layers, 0 if unused is None else operator.index(unused(**bound.arguments))


def register_model(name, *, input_kind, tasks, max_layers=None, max_unused_bytes=None):
    """Register a builder under a name; a decorator.

    Parameters
    ----------
    name : str
        The name for :func:`create_model` and for ``KerasNetClassifier(model=name)``.
    input_kind : {"image", "sequence", "vector"}
        What one sample is: (height, width, channels), (steps, features) or (features,).
    tasks : sequence of str
        What the model can be trained for, such as ``("classification", "regression")``.
    max_layers : callable, default=None
        A function of the builder's arguments, passed by keyword, that returns an upper bound of the number of layers,
        nested ones included. It is plain arithmetic and builds nothing. :func:`kerasnet.load` calls it before it builds
        a model, and refuses arguments that ask for far more layers than the file has weights for. When None, only the
        size of the variables is limited.
    max_unused_bytes : callable, default=None
        A function of the builder's arguments like `max_layers`, for builders that create layers that are not part of
        the model: an upper bound of the size of their variables, in bytes. No variables when None. Without `max_layers`
        it has no effect.

    Returns
    -------
    decorator : callable
        Registers a builder and returns it unchanged.

    Raises
    ------
    ValueError
        If the name is taken by another function, or `input_kind` is unknown. A function of the same module and
        qualified name replaces the earlier one, as when a notebook cell is run twice.
    TypeError
        If the builder is no function with an argument ``input_shape``, or a bound is no function.

    Notes
    -----
    An argument ``weights`` of a registered builder is for pretrained weights: :func:`kerasnet.load` always sets it to
    None, and takes the weights from the file.

    Another process, such as a worker of a search with ``n_jobs=2``, knows a name only if it imports the module that
    registers it. For a builder written in a notebook give the search the builder itself, not its name.

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
    for what, bound in (("max_layers", max_layers), ("max_unused_bytes", max_unused_bytes)):
        if bound is not None and not callable(bound):
            raise TypeError(f"{what} must be a function of the builder's arguments, or None. Received: {bound!r}.")

    def register(builder):
        if not hasattr(builder, "__qualname__") or "input_shape" not in inspect.signature(builder).parameters:
            raise TypeError(f"A builder is a function with an argument input_shape. Received: {builder!r}.")
        taken = _REGISTRY[name].builder if name in _REGISTRY else builder
        if (taken.__module__, taken.__qualname__) != (builder.__module__, builder.__qualname__):
            raise ValueError(
                f"The model name {name!r} is taken by {taken.__module__}.{taken.__qualname__}. Choose another."
            )
        _REGISTRY[name] = RegisteredModel(name, builder, input_kind, tuple(tasks), max_layers, max_unused_bytes)
        return builder

    return register


def registered_model(model):
    """Find the registry's entry of a model.

    Parameters
    ----------
    model : str or callable
        The name of a registered model, or its builder.

    Returns
    -------
    RegisteredModel or None
        The entry; None for a builder that is not registered.

    Raises
    ------
    UnknownModelError
        If no model of that name is registered; the message offers the close matches.
    """
    if not isinstance(model, str):
        return next((entry for entry in _REGISTRY.values() if entry.builder is model), None)
    if model not in _REGISTRY:
        close = difflib.get_close_matches(model, _REGISTRY) or list_models()
        raise UnknownModelError(f"No model {model!r} is registered. Did you mean: {', '.join(close)}?")
    return _REGISTRY[model]


def entry_of(name):
    """Return the registry's entry of a name; refuse anything else."""
    if not isinstance(name, str):
        raise UnknownModelError(f"Expected the name of a registered model: {', '.join(list_models())}. Got {name!r}.")
    return registered_model(name)


def list_models(*, task=None, input_kind=None, weights=None):
    """List the names of the registered models.

    Parameters
    ----------
    task : str, default=None
        Only models for this task: "classification", "regression" or "reconstruction".
    input_kind : {"image", "sequence", "vector"}, default=None
        Only models for this kind of input.
    weights : bool or str, default=None
        True for only models that have weights in the package, False for only those that have none; the name of a set,
        such as "mnist", for only models that have this one.

    Returns
    -------
    names : list of str
        Sorted.

    Raises
    ------
    ValueError
        If no model can be for such a task, kind of input or set of weights.

    Examples
    --------
    >>> from kerasnet.models import list_models
    >>> list_models(task="classification", input_kind="image")
    ['backbone', 'cnn', 'lenet', 'resnet_small']
    """
    entries = _REGISTRY.values()
    sets = {entry.name: set(_weights.sets_of(entry.name)) for entry in entries}
    for what, value, known in (
        ("task", task, {*_TASKS}.union(*(entry.tasks for entry in entries))),
        ("input_kind", input_kind, _INPUT_KINDS),
        ("weights", weights, {True, False}.union(*sets.values())),
    ):
        if value is not None and value not in list(known):
            raise ValueError(f"{what} must be None or one of {sorted(known, key=str)}. Received: {value!r}.")
    return sorted(
        entry.name
        for entry in entries
        if (task is None or task in entry.tasks)
        and (input_kind is None or input_kind == entry.input_kind)
        and (weights is None or weights in {*sets[entry.name], bool(sets[entry.name])})
    )


def create_model(name, /, *, weights=None, **arguments):
    """Create a registered model by name.

    Parameters
    ----------
    name : str
        One of :func:`list_models`.
    weights : str, default=None
        The name of a set of pretrained weights, such as "mnist"; see ``model_card(name).weights``. The defaults of the
        other arguments are then those that the weights were trained with. With another ``n_outputs`` the outputs keep
        their initial weights; for images with another number of channels the first kernel is spread over them, so that
        images with equal channels give the same outputs as the grayscale image. For "backbone", see
        :func:`build_backbone`.
    **arguments
        The arguments of its builder, such as ``input_shape``, ``n_outputs`` and the ``name`` of the model.

    Returns
    -------
    keras.Model
        Uncompiled.

    Raises
    ------
    UnknownModelError
        If no model of that name is registered; the message offers the close matches.
    ValueError
        If the model has no such set of pretrained weights.
    CheckpointMismatchError
        If the weights do not fit the architecture.

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
        raise ValueError(f"The builder of {name!r} has no argument weights. Received: weights={weights!r}.")
    return builder(weights=weights, **{**_weights.default_arguments(name, weights), **arguments})
