"""The specification of a model: the one answer to "which model is this?"."""

import dataclasses
from collections.abc import Callable

import keras

from kerasnet.models import registered_model
from kerasnet.training._building import build_scope, refuse_shared_layers
from kerasnet.training._fork import refuse_forked_process
from kerasnet.training._identity import identify
from kerasnet.training._keys import NoKeyError, key_of


@dataclasses.dataclass(frozen=True, eq=False)
class ModelSpec:
    """What a compiled model is made from.

    Attributes
    ----------
    builder : callable
        Returns a new ``keras.Model``. A registered builder is a pure function of its arguments.
    arguments : dict
        The arguments of the builder.
    compiling : object
        How the model is compiled: ``compiling.compile(model)``, ``compiling.check(model)``, ``compiling.key()``,
        ``compiling.resolved()`` and ``compiling.learning_rate``.
    input_shape : tuple of int, or a list or dict of them
        The shape of one sample, for models that are not built by their builder.
    input_dtype : str, default=None
        The dtype of samples, for such models; Keras' default when None.
    augmentation : str or keras.layers.Layer, default=None
        See :func:`kerasnet.training.make_augmentation`.
    dtype_policy : str, default="float32"
        Keras' dtype policy during the build.
    """

    builder: Callable
    arguments: dict
    compiling: object
    input_shape: object
    input_dtype: str | None = None
    augmentation: object = None
    dtype_policy: str = "float32"

    @property
    def is_registered(self):
        """Whether the builder is in the registry."""
        return registered_model(self.builder) is not None

    def without_pretrained_weights(self):
        """Return the specification of the same architecture with initial weights, for weights that are known."""
        if self.is_registered and self.arguments.get("weights") is not None:
            return dataclasses.replace(self, arguments={**self.arguments, "weights": None})
        return self

    def key(self):
        """Return a hashable that is equal for specifications of equal models; None where this cannot be known.

        Equal are specifications that differ in no more than their learning rate.
        """
        if not self.is_registered:
            return None
        try:
            arguments = keras.tree.flatten(self.arguments)
            drawn = [vars(each).get("seed") for each in arguments if isinstance(each, keras.initializers.Initializer)]
            described = key_of([self.arguments, drawn, self.compiling.key(), self.augmentation])
        except NoKeyError:
            return None
        settings = (keras.config.floatx(), keras.config.epsilon(), keras.config.image_data_format())
        return self.builder, self.dtype_policy, settings, described

    def describe(self):
        """Describe the specification for ``json.dumps``, equally in every process.

        Raises
        ------
        ValueError
            If other processes cannot know a part of it again, such as a lambda.
        """
        return [
            identify("the builder of the model", self.builder),
            identify("the arguments of the builder", self.arguments),
            *self.describe_training(),
        ]

    def describe_training(self):
        """Describe all but builder and arguments, in the same way."""
        settings = sorted(self.compiling.resolved().items())
        return [
            *([name, identify(f"{name} of the model", value)] for name, value in settings),
            identify("the augmentation", self.augmentation),
            [self.dtype_policy, keras.config.image_data_format()],
        ]

    def build(self, seed):
        """Build and compile a model, whose initial weights depend on `seed` alone.

        Returns
        -------
        model : keras.Model
            Built and compiled.
        record : BuildRecord
            The random numbers that were drawn.
        """
        refuse_forked_process()
        with build_scope(seed, self.dtype_policy) as record:
            model = self.builder(**self.arguments)
            if not isinstance(model, keras.Model):
                raise TypeError(f"{self.builder!r} must return a keras.Model. Received: {model!r}.")
            self._check_input(model)
            if not model.built:
                model(keras.ops.zeros((1, *self.input_shape), dtype=self.input_dtype))
            record.compiled_by_builder = model.compiled
            self.compiling.check(model)
            if not model.compiled:
                self.compiling.compile(model)
        if not self.is_registered:
            refuse_shared_layers(model, self.arguments, record)
        return model, record

    def _check_input(self, model):
        """Refuse a model for samples of another shape; where the number of axes differs, Keras may add one."""
        expected, shape = getattr(model, "input_shape", None), self.input_shape
        if isinstance(shape, list) and len(shape) == 1:
            (shape,) = shape  # a list of the one input
        if isinstance(expected, tuple) and len(expected) == len(shape) + 1:
            pairs = zip(expected[1:], shape, strict=True)
            if any(size is not None and size != given for size, given in pairs):
                raise ValueError(
                    f"The model takes samples of shape {expected[1:]}. Received: samples of shape {shape}."
                )
