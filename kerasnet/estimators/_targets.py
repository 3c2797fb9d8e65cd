"""Types of targets, with the outputs, default loss and output format for each."""

import dataclasses

import keras

from kerasnet.estimators._metrics import DISTRIBUTION_NAMES, ClassOutputs, inner_function
from kerasnet.estimators._scikeras import loss_name
from kerasnet.models import list_models


@dataclasses.dataclass(frozen=True)
class Targets:
    """Targets of an unknown type, as returned by the target encoder of a subclass.

    Attributes
    ----------
    input_shape : tuple of int, or a list or dict of them
        Shape of one sample.
    n_outputs : int, default=1
        Number of outputs of the model.
    """

    input_shape: object = None
    n_outputs: int = 1

    def builder_arguments(self, takes_activation):
        """Return the arguments of a builder for the outputs."""
        return {}

    def check(self, model):
        """Raise an error if the outputs of a model do not match the targets."""

    def default_loss(self, model):
        """Return the class of the default loss; None if unknown."""
        return None  # noqa: RET501 - a value

    def class_outputs(self, model, loss):
        """Return the format of a classifier's outputs; None for other models."""
        return None  # noqa: RET501 - a value

    def output_shape(self, model):
        """Return the output shape of a model, which subclassed models do not store."""
        try:
            return model.output_shape
        except AttributeError:
            return model.compute_output_spec(keras.KerasTensor((None, *self.input_shape))).shape


@dataclasses.dataclass(frozen=True)
class RegressionTargets(Targets):
    """Targets of a regressor: `n_columns` numbers per sample."""

    n_columns: int = 1

    def builder_arguments(self, takes_activation):
        """Return the arguments of a builder for the outputs."""
        return {"n_outputs": self.n_columns, "output_activation": "linear"}

    def check(self, model):
        """Raise an error if the outputs of a model do not match the targets."""
        expected, found = (None, self.n_columns), tuple(self.output_shape(model))
        if found != expected:
            raise ValueError(
                f"The model must have an output shape of {expected} for these targets. "
                f"Received: a model of output shape {found}."
            )

    def default_loss(self, model):
        """Return the mean squared error."""
        return keras.losses.MeanSquaredError


@dataclasses.dataclass(frozen=True)
class ReconstructionTargets(Targets):
    """Targets of an autoencoder: the samples."""

    def check(self, model):
        """Raise an error if a model has no layer named "code"."""
        if "code" not in [layer.name for layer in model.layers]:
            raise ValueError(
                f"The model of Autoencoder must have a layer named 'code'. Received: {model!r}. Registered "
                f"autoencoders: {', '.join(list_models(task='reconstruction'))}."
            )

    def default_loss(self, model):
        """Return the mean squared error."""
        return keras.losses.MeanSquaredError


@dataclasses.dataclass(frozen=True)
class FeatureTargets(Targets):
    """No targets, for a model that computes features and is not trained."""

    def builder_arguments(self, takes_activation):
        """Return the arguments of a builder for the outputs."""
        return {"n_outputs": None}


@dataclasses.dataclass(frozen=True)
class ClassificationTargets(Targets):
    """Targets of a classifier.

    Attributes
    ----------
    n_classes : int, default=2
        Number of classes, or number of labels of multilabel targets.
    multilabel : bool, default=False
        Whether the targets are a multilabel indicator matrix.
    expects_single_label : bool, default=False
        Whether the loss compares probability distributions over classes, with one label per sample.
    from_logits : bool, default=False
        Whether the loss expects logits, so that builders return models without an activation of the outputs.
    """

    n_classes: int = 2
    multilabel: bool = False
    expects_single_label: bool = False
    from_logits: bool = False

    @property
    def allows_single_output(self):
        """Whether one sigmoid output is sufficient: for two classes, unless the loss requires one output per class."""
        return self.n_classes == 2 and not self.multilabel and not self.expects_single_label

    def builder_arguments(self, takes_activation):
        """Return the arguments of a builder for the outputs."""
        is_single_output = self.allows_single_output and takes_activation
        are_independent = is_single_output or (self.multilabel and not self.expects_single_label)
        activation = "linear" if self.from_logits else "sigmoid" if are_independent else "softmax"
        return {"n_outputs": 1 if is_single_output else self.n_classes, "output_activation": activation}

    def check(self, model):
        """Raise an error if the outputs of a model do not match the classes."""
        shape, expected = self.output_shape(model), {self.n_classes} | ({1} if self.allows_single_output else set())
        if len(shape) != 2 or shape[1] not in expected:
            raise ValueError(
                f"The model must have {' or '.join(map(str, sorted(expected)))} outputs for the "
                f"{self.n_classes} classes of y. Received: a model of output shape {shape}."
            )

    def default_loss(self, model):
        """Return the class of the cross-entropy for the outputs of a model."""
        if self.multilabel or self.output_shape(model)[1] == 1:
            return keras.losses.BinaryCrossentropy
        return keras.losses.SparseCategoricalCrossentropy

    def class_outputs(self, model, loss):
        """Return the format of the outputs of a model for a loss."""
        loss = keras.tree.flatten(loss)[0]
        name = "".join(loss_names(loss))
        return ClassOutputs(
            n_outputs=self.output_shape(model)[1],
            one_label=not self.multilabel or is_single_label_loss(name),
            sparse=name.startswith("sparse_"),
            from_logits=expects_logits(loss),
        )


def loss_names(losses):
    """Return the full names of losses; for losses that wrap a function, the name of the function."""
    flat = [each for each in keras.tree.flatten(losses) if each is not None]
    return [loss_name(inner_function(getattr(each, "fn", each))) for each in flat]


def expects_logits(loss):
    """Return whether a loss, an object of Keras or a partial function, expects logits."""
    return bool(getattr(loss, "from_logits", getattr(loss, "keywords", {}).get("from_logits")))


def expects_single_label(losses):
    """Return whether losses require exactly one label per sample."""
    return any(map(is_single_label_loss, loss_names(losses)))


def is_single_label_loss(loss):
    """Return whether a loss, given by name, requires exactly one label per sample."""
    return "categorical" in loss or loss.replace("_", "") in DISTRIBUTION_NAMES
