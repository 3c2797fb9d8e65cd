"""The description of an exported model: its inputs, task and classes, stored as metadata of the file."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np

FORMAT = 1
TABLE_TYPES = {"float64": np.float64, "float32": np.float32, "string": object}


@dataclasses.dataclass(frozen=True)
class Input:
    """An input of an exported model: all samples, or one column of a table.

    Attributes
    ----------
    name : str
        The name of the input.
    dtype : str
        The NumPy dtype, or "string".
    shape : tuple of int or None
        The shape of one sample; None for any size.
    """

    name: str
    dtype: str
    shape: tuple


@dataclasses.dataclass(frozen=True)
class Description:
    """What an exported model expects and returns.

    Attributes
    ----------
    estimator : str
        The class of the exported estimator; for a pipeline, the classes of its steps.
    task : {"classifier", "multilabel", "regressor", "transformer", "autoencoder"}
        What the model does.
    inputs : list of Input
        One input for all samples, or one for each column of a table.
    kind : {"image", "sequence", "vector", "table"}
        The kind of a sample.
    divides_bytes : bool
        Whether images of dtype uint8 are divided by 255, either in the model or before it.
    input_range : str
        The values that the model expects.
    allow_nan : bool
        Whether missing values (NaN) are supported.
    missing : str
        The string that represents a missing value in inputs of strings.
    padding : float or None
        The value that pads shorter sequences at the end.
    feature_names : list of str or None
        The names of the columns in the order of the inputs.
    classes : list or None
        The class labels in the order of the probabilities.
    classes_dtype : str
        The NumPy dtype of the labels.
    output_shape : tuple of int
        The shape of the prediction of a regressor for one sample.
    card : dict or None
        The model card of a registered model: name, summary, license and reference.
    weights_sha256 : str
        The hash of the values of all weights.
    kerasnet_version : str
        The version that wrote the file.
    quantization : dict or None
        For a quantized model, the dtype of the weights and the fields of its :class:`Agreement` with the estimator.
    """

    estimator: str
    task: str
    inputs: list[Input]
    kind: str
    divides_bytes: bool = False
    input_range: str = ""
    allow_nan: bool = False
    missing: str = ""
    padding: float | None = None
    feature_names: list[str] | None = None
    classes: list | None = None
    classes_dtype: str = "object"
    output_shape: tuple = ()
    card: dict[str, Any] | None = None
    weights_sha256: str = ""
    kerasnet_version: str = ""
    quantization: dict[str, Any] | None = None

    def quantized(self, agreement):
        """Return the description of the quantized model."""
        return dataclasses.replace(self, quantization={"dtype": "int8", **agreement._asdict()})

    def as_metadata(self):
        """Return the description as a dict of str to JSON."""
        fields = {"format": FORMAT, **dataclasses.asdict(self)}
        return {f"kerasnet.{name}": json.dumps(value) for name, value in fields.items()}

    @classmethod
    def from_metadata(cls, metadata):
        """Return the description in a dict of str to JSON.

        Raises
        ------
        KeyError, TypeError, ValueError
            If a field is missing or invalid, or a newer version of kerasnet wrote it.
        """
        if (version := json.loads(metadata["kerasnet.format"])) != FORMAT:
            raise ValueError(f"format {version} of the description; this version of kerasnet reads {FORMAT}")
        values = {each.name: json.loads(metadata[f"kerasnet.{each.name}"]) for each in dataclasses.fields(cls)}
        inputs = [Input(each["name"], each["dtype"], tuple(each["shape"])) for each in values.pop("inputs")]
        return cls(**{**values, "inputs": inputs, "output_shape": tuple(values["output_shape"])})

    @property
    def labels(self):
        """The class labels as an array."""
        return np.array(self.classes, dtype=self.classes_dtype)

    @property
    def is_table(self):
        """Whether each column is an input."""
        return self.kind == "table"
