"""Model cards: facts about a model and its pretrained weights."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import re

from kerasnet.models._registry import entry_of
from kerasnet.models._weights import records

_VALUE_RANGES = {
    "image": "floats in [0, 1]",
    "sequence": "floats, about -1 to 1",
    "tokens": "token ids: 0 is padding, 1 an unknown token",
    "vector": "floats, about -1 to 1",
}
_PREPROCESSING = {
    "image": "bytes are divided by 255 (by estimators automatically); RGB order",
    "sequence": "none",
    "tokens": "text is converted to token ids by TextVectorizer",
    "vector": "none",
}
_LICENSE = "Apache-2.0"
_DATASETS = {
    "fashion_mnist": {
        "license": f"{_LICENSE}; trained on data under MIT",
        "intended_use": "teaching, benchmarks, and fine-tuning on small grayscale images of clothing",
        "limitations": (
            "Trained on centered images of 28 x 28 pixels with a black background. Photographs, other backgrounds and "
            "other articles need fine-tuning: any image is assigned to one of the ten classes. Not evaluated for "
            "decisions about people or products."
        ),
    },
    "mnist": {
        "license": f"{_LICENSE}; trained on data under CC BY-SA 3.0",
        "intended_use": "teaching, benchmarks, and fine-tuning on images of handwritten characters",
        "limitations": (
            "Trained on centered, size-normalized digits of 28 x 28 pixels, white on black, by writers in the USA. "
            "Dark digits on a light background must be inverted first. Any image is treated as one digit. Evaluate on "
            "your own data before reading forms, checks or addresses."
        ),
    },
}


@dataclasses.dataclass(frozen=True)
class WeightsCard:
    """Facts about a set of pretrained weights.

    Attributes
    ----------
    name : str
        The name for ``create_model(..., weights=name)``.
    arguments : dict
        The arguments of the builder.
    input_shape : tuple of int
        The shape of one sample.
    value_range : str
        The range of the input values.
    preprocessing : str
        How the input values are computed from the data set.
    n_parameters : int
        The number of parameters.
    sha256 : str
        The hash of the file, in hexadecimal.
    dtype : str
        The dtype of the values in the file; they are float32 in the model.
    n_bytes : int
        The size of the file.
    dataset : str
        The data set.
    trained_on, tested_on : str
        The training and the test samples.
    metric : str
        The metric: "accuracy" or "mean squared error".
    value : float
        The value of the metric on the test samples.
    confused : tuple of tuple (str, str, int)
        The five most frequent errors on the test samples: true class, predicted class and number of samples. Empty for
        an autoencoder.
    calibration_error : float or None
        The expected calibration error on the test samples, in [0, 1], with 15 bins of equal width. None for an
        autoencoder.
    latency_ms : float
        The median time of ``predict_on_batch`` for one sample, in milliseconds. Other programs may have been running.
    memory_bytes : int
        The size of the weights and of the outputs of all layers for one sample, as float32.
    measured_on : str
        The machine on which `latency_ms` was measured.
    seed : int
        The ``random_state`` of the training.
    epochs : int
        The number of training epochs.
    recipe : str
        The command that trains the weights.
    seconds : float
        The training time.
    hardware : str
        The machine on which the weights were trained.
    versions : dict of str to str
        The versions of Python and of the packages used for training.
    license : str
        The license of the weights, and of the data that they were trained on.
    intended_use : str
        What the weights are for.
    limitations : str
        When predictions are not reliable.
    golden : tuple of tuple of float
        The outputs for the first test samples: for each, at most ten equally spaced values.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On calibration of modern neural networks", ICML, 1321-1330, 2017.
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
    confused: tuple[tuple[str, str, int], ...]
    calibration_error: float | None
    latency_ms: float
    memory_bytes: int
    measured_on: str
    seed: int
    epochs: int
    recipe: str
    seconds: float
    hardware: str
    versions: dict = dataclasses.field(hash=False)
    license: str
    intended_use: str
    limitations: str
    golden: tuple[tuple[float, ...], ...]


@dataclasses.dataclass(frozen=True)
class ModelCard:
    """Facts about a registered model.

    Attributes
    ----------
    name : str
        The name in the registry.
    builder : str
        The name of the function that builds it.
    summary : str
        A one-line description.
    input_kind : {"image", "sequence", "tokens", "vector"}
        The kind of one sample.
    tasks : tuple of str
        What the model can be trained for.
    input_shape : tuple of int or None
        The default shape of one sample; None if the builder has no default.
    value_range : str
        The range of the input values.
    preprocessing : str
        How the input values are computed from raw data.
    n_parameters : int or None
        The number of parameters with the builder's defaults; None if some arguments have no default.
    license : str or None
        The license of the code; None for custom builders.
    reference : str or None
        The publication of the architecture.
    weights : dict of str to WeightsCard
        The sets of pretrained weights, by name.
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
    license: str | None
    reference: str | None
    weights: dict[str, WeightsCard] = dataclasses.field(hash=False)


def model_card(name: str) -> ModelCard:
    """Return the facts about a registered model and its pretrained weights.

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
        If no model of that name is registered; the message suggests similar names.

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
        license=_LICENSE if record else None,
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
    about = copy.deepcopy(about)  # records are cached, and a user may change the card's dicts
    about["arguments"]["input_shape"] = about["input_shape"] = tuple(about["input_shape"])
    about |= {field: tuple(map(tuple, about[field])) for field in ("confused", "golden")}
    return WeightsCard(name=name, **about, **_DATASETS[about["dataset"]])


def _references(documentation):
    """Return the References section of a numpydoc docstring, as one line."""
    section = re.search(r"\nReferences\n-+\n(.*?)(?:\n\n\w+\n-+\n|\Z)", documentation, re.DOTALL)
    return " ".join(section[1].split()) if section else None
