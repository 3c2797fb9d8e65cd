"""Model cards: what is known of a model and of each set of weights that ships for it."""

import copy
import dataclasses
import inspect
import re

from kerasnet.models._registry import entry_of
from kerasnet.models._weights import records

_VALUE_RANGES = {"image": "floats in [0, 1]", "sequence": "floats, about -1 to 1", "vector": "floats, about -1 to 1"}
_PREPROCESSING = {
    "image": "bytes are divided by 255 (estimators do it themselves); RGB order",
    "sequence": "none",
    "vector": "none",
}
_LICENCE = "Apache-2.0"


@dataclasses.dataclass(frozen=True)
class WeightsCard:
    """What is known of a set of weights.

    Attributes
    ----------
    name : str
        The name for ``create_model(..., weights=name)``.
    arguments : dict
        What the builder was called with.
    input_shape : tuple of int
        The shape of one sample.
    value_range : str
        The values that the model takes.
    preprocessing : str
        What makes them from the data set.
    n_parameters : int
        The number of parameters.
    sha256 : str
        The hash of the file, hexadecimal.
    dtype : str
        How the file keeps the numbers; they are float32 in the model.
    n_bytes : int
        The size of the file.
    dataset : str
        The data set.
    trained_on, tested_on : str
        The splits.
    metric : str
        What was measured: "accuracy" or "mean squared error".
    value : float
        The figure, of the weights as they are in the file.
    seed : int
        The ``random_state`` of the training.
    epochs : int
        The number of epochs trained.
    recipe : str
        The command that makes the weights.
    seconds : float
        How long the training took.
    hardware : str
        On what machine.
    versions : dict of str to str
        With which packages.
    licence : str
        Of the weights, and of the data they were trained on.
    golden : tuple of tuple of float
        What the model gives for the first test samples: of each, at most ten of its outputs, equally spaced.
    """

    name: str
    arguments: dict = dataclasses.field(hash=False)
    input_shape: tuple[int, ...]
    value_range: str
    preprocessing: str
    n_parameters: int
    sha256: str
    dtype: str
    n_bytes: int
    dataset: str
    trained_on: str
    tested_on: str
    metric: str
    value: float
    seed: int
    epochs: int
    recipe: str
    seconds: float
    hardware: str
    versions: dict = dataclasses.field(hash=False)
    licence: str
    golden: tuple[tuple[float, ...], ...]


@dataclasses.dataclass(frozen=True)
class ModelCard:
    """What is known of a registered model.

    Attributes
    ----------
    name : str
        The name in the registry.
    builder : str
        The name of the function that builds it.
    summary : str
        What it is, in a line.
    input_kind : {"image", "sequence", "vector"}
        What one sample is.
    tasks : tuple of str
        What it can be trained for.
    input_shape : tuple of int or None
        The shape of one sample, by default; None where the builder has no default.
    value_range : str
        The values that it takes.
    preprocessing : str
        What makes them from raw data.
    n_parameters : int or None
        The number of parameters with the builder's defaults; None where it has none.
    licence : str or None
        Of the code; None for builders of your own.
    reference : str or None
        Where the architecture comes from.
    weights : dict of str to WeightsCard
        The sets of weights that ship with it, by name.
    """

    name: str
    builder: str
    summary: str
    input_kind: str
    tasks: tuple[str, ...]
    input_shape: tuple[int, ...] | None
    value_range: str
    preprocessing: str
    n_parameters: int | None
    licence: str | None
    reference: str | None
    weights: dict[str, WeightsCard] = dataclasses.field(hash=False)


def model_card(name):
    """Return what is known of a registered model and of its weights.

    Parameters
    ----------
    name : str
        One of :func:`kerasnet.models.list_models`.

    Returns
    -------
    ModelCard
        A frozen record.

    Raises
    ------
    UnknownModelError
        If no model of that name is registered; the message offers the close matches.

    Examples
    --------
    >>> from kerasnet.models import model_card
    >>> card = model_card("lenet")
    >>> card.n_parameters
    80346
    >>> card.weights["mnist"].metric, card.weights["mnist"].value > 0.99
    ('accuracy', True)
    """
    entry = entry_of(name)
    record = records().get(name) if entry.builder.__module__.startswith("kerasnet.") else None
    default = inspect.signature(entry.builder).parameters["input_shape"].default
    documentation = inspect.getdoc(entry.builder) or ""
    return ModelCard(
        name=entry.name,
        builder=entry.builder.__name__,
        summary=documentation.partition("\n")[0].removeprefix("Build ").rstrip("."),
        input_kind=entry.input_kind,
        tasks=entry.tasks,
        input_shape=tuple(default) if isinstance(default, tuple | list) else None,
        value_range=_VALUE_RANGES[entry.input_kind],
        preprocessing=_PREPROCESSING[entry.input_kind],
        n_parameters=_n_parameters(entry.builder, record),
        licence=_LICENCE if record else None,
        reference=_references(documentation),
        weights={each: _weights_card(each, about) for each, about in record["weights"].items()} if record else {},
    )


def _n_parameters(builder, record):
    if record:
        return record["n_parameters"]
    accepted = inspect.signature(builder).parameters.values()
    has_defaults = all(each.default is not each.empty for each in accepted if each.kind != each.VAR_KEYWORD)
    return builder().count_params() if has_defaults else None


def _weights_card(name, about):
    about = copy.deepcopy(about)  # what a reader of the card may do to it, the zoo does not see
    about["arguments"]["input_shape"] = about["input_shape"] = tuple(about["input_shape"])
    return WeightsCard(name=name, **{**about, "golden": tuple(map(tuple, about["golden"]))})


def _references(documentation):
    """Return the section of a numpydoc text that names its sources, as one line."""
    section = re.search(r"\nReferences\n-+\n(.*?)(?:\n\n\w+\n-+\n|\Z)", documentation, re.DOTALL)
    return " ".join(section[1].split()) if section else None
