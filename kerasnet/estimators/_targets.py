"""What the outputs of a model are for: which outputs, which loss and which metrics fit the targets."""

import dataclasses

import keras

from kerasnet.estimators._metrics import OF_DISTRIBUTIONS, ClassOutputs, inner_function
from kerasnet.estimators._scikeras import loss_name
from kerasnet.models import list_models


@dataclasses.dataclass(frozen=True)
class Targets:
    """Targets that an encoder of a subclass makes, of which nothing else is known.

    Attributes
    ----------
    input_shape : tuple of int, or a list or dict of them
        The shape of one sample.
    n_outputs : int, default=1
        The number of outputs that the model has.
    """

    input_shape: object = None
    n_outputs: int = 1

    def builder_arguments(self, takes_activation):
        """Return the arguments that tell a builder about its outputs."""
        return {}

    def check(self, model):
        """Refuse a model whose outputs do not fit the targets."""

    def default_loss(self, model):
        """Return the class of the loss that fits targets and outputs; None where that is not known."""
        return None  # noqa: RET501 - a value

    def class_outputs(self, model, loss):
        """Return how a classifier reads the outputs of a model; None where targets have the shape of the outputs."""
        return None  # noqa: RET501 - a value

    def output_shape(self, model):
        """Return the shape of a model's outputs, which subclassed models do not keep."""
        try:
            return model.output_shape
        except AttributeError:
            return model.compute_output_spec(keras.KerasTensor((None, *self.input_shape))).shape


@dataclasses.dataclass(frozen=True)
class Numbers(Targets):
    """Targets of a regressor; `n_columns` numbers for each sample."""

    n_columns: int = 1

    def builder_arguments(self, takes_activation):
        """Return the arguments that tell a builder about its outputs."""
        return {"n_outputs": self.n_columns, "output_activation": "linear"}

    def check(self, model):
        """Refuse a model whose outputs do not fit the targets."""
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
class Reconstructions(Targets):
    """Targets of an autoencoder: its samples."""

    def check(self, model):
        """Refuse a model without a layer "code"."""
        if "code" not in [layer.name for layer in model.layers]:
            raise ValueError(
                f"The model of Autoencoder must have a layer 'code'. Received: {model!r}. Registered "
                f"are {', '.join(list_models(task='reconstruction'))}."
            )

    def default_loss(self, model):
        """Return the mean squared error."""
        return keras.losses.MeanSquaredError


@dataclasses.dataclass(frozen=True)
class Features(Targets):
    """No targets: the model computes features, and is not trained."""

    def builder_arguments(self, takes_activation):
        """Return the arguments that tell a builder about its outputs."""
        return {"n_outputs": None}


@dataclasses.dataclass(frozen=True)
class Classes(Targets):
    """Targets of a classifier.

    Attributes
    ----------
    n_classes : int, default=2
        The number of classes, or of labels of multilabel targets.
    multilabel : bool, default=False
        Whether the targets are an indicator matrix.
    asks_for_one_label : bool, default=False
        Whether the loss that is given compares distributions over classes, of which each sample has one.
    """

    n_classes: int = 2
    multilabel: bool = False
    asks_for_one_label: bool = False

    @property
    def may_have_one_output(self):
        """Whether one sigmoid output serves: for two classes, unless the loss takes an output for each."""
        return self.n_classes == 2 and not self.multilabel and not self.asks_for_one_label

    def builder_arguments(self, takes_activation):
        """Return the arguments that tell a builder about its outputs."""
        if self.multilabel and not self.asks_for_one_label:
            return {"n_outputs": self.n_classes, "output_activation": "sigmoid"}
        if self.may_have_one_output and takes_activation:
            return {"n_outputs": 1, "output_activation": "sigmoid"}
        return {"n_outputs": self.n_classes, "output_activation": "softmax"}

    def check(self, model):
        """Refuse a model whose outputs do not fit the classes."""
        shape, expected = self.output_shape(model), {self.n_classes} | ({1} if self.may_have_one_output else set())
        if len(shape) != 2 or shape[1] not in expected:
            raise ValueError(
                f"The model must have {' or '.join(map(str, sorted(expected)))} outputs for the "
                f"{self.n_classes} classes of y. Received: a model of output shape {shape}."
            )

    def default_loss(self, model):
        """Return the cross-entropy for the outputs of a model."""
        if self.multilabel or self.output_shape(model)[1] == 1:
            return keras.losses.BinaryCrossentropy
        return keras.losses.SparseCategoricalCrossentropy

    def class_outputs(self, model, loss):
        """Return how the outputs of a model are read under a loss."""
        loss = keras.tree.flatten(loss)[0]
        name = "".join(names_of_losses(loss))
        return ClassOutputs(
            n_outputs=self.output_shape(model)[1],
            one_label=not self.multilabel or is_of_one_label(name),
            sparse=name.startswith("sparse_"),
            from_logits=bool(getattr(loss, "from_logits", getattr(loss, "keywords", {}).get("from_logits"))),
        )


def names_of_losses(losses):
    """Return the full names of losses; of those that wrap a function, the name of that."""
    flat = [each for each in keras.tree.flatten(losses) if each is not None]
    return [loss_name(inner_function(getattr(each, "fn", each))) for each in flat]


def asks_for_one_label(losses):
    """Tell whether losses are for the probabilities of classes of which each sample has one."""
    return any(map(is_of_one_label, names_of_losses(losses)))


def is_of_one_label(loss):
    """Tell, by its name, whether a loss compares distributions over classes of which each sample has one."""
    return "categorical" in loss or loss.replace("_", "") in OF_DISTRIBUTIONS
