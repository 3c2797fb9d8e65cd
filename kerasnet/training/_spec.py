"""The specification of a model: builder, arguments and compile settings."""

import dataclasses
from collections.abc import Callable

import keras

from kerasnet.models import registered_model
from kerasnet.training._building import build_scope, reject_shared_weights
from kerasnet.training._fork import check_not_forked
from kerasnet.training._identity import identify
from kerasnet.training._keys import NoKeyError, key_of


@dataclasses.dataclass(frozen=True, eq=False)
class ModelSpec:
    """The specification of a compiled model.

    Attributes
    ----------
    builder : callable
        A function that returns a new ``keras.Model``. A registered builder is a pure function of its arguments.
    arguments : dict
        The arguments of the builder.
    compiling : object
        The compile settings, with ``compiling.compile(model)``, ``compiling.check(model)``, ``compiling.key()``,
        ``compiling.resolved()`` and ``compiling.learning_rate``.
    input_shape : tuple of int, or a list or dict of them
        The shape of one sample, for models that their builder returns unbuilt.
    input_dtype : str, default=None
        The dtype of samples, for models that their builder returns unbuilt. If None, Keras' default is used.
    augmentation : str or keras.layers.Layer, default=None
        The data augmentation; see :func:`kerasnet.training.make_augmentation`.
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
        """Return the specification with ``weights=None``, for models whose weights are set after the build."""
        if self.is_registered and self.arguments.get("weights") is not None:
            return dataclasses.replace(self, arguments={**self.arguments, "weights": None})
        return self

    def key(self):
        """Return a hashable key that is equal for specifications of equal models; None if there is no such key.

        The learning rate is not part of the key.
        """
        if not self.is_registered:
            return None
        try:
            arguments = keras.tree.flatten(self.arguments)
            seeds = [vars(each).get("seed") for each in arguments if isinstance(each, keras.initializers.Initializer)]
            described = key_of([self.arguments, seeds, self.compiling.key(), self.augmentation])
        except NoKeyError:
            return None
        settings = (keras.config.floatx(), keras.config.epsilon(), keras.config.image_data_format())
        return self.builder, self.dtype_policy, settings, described

    def describe(self):
        """Describe the specification by values for ``json.dumps`` that are equal across processes.

        Raises
        ------
        ValueError
            If a part of the specification cannot be described, such as a lambda.
        """
        return [
            identify("the builder of the model", self.builder),
            identify("the arguments of the builder", self.arguments),
            *self.describe_training(),
        ]

    def describe_training(self):
        """Describe the specification without builder and arguments."""
        settings = sorted(self.compiling.resolved().items())
        return [
            *([name, identify(f"{name} of the model", value)] for name, value in settings),
            identify("the augmentation", self.augmentation),
            [self.dtype_policy, keras.config.image_data_format()],
        ]

    def build(self, seed):
        """Build and compile a model with initial weights that depend on `seed` alone.

        Returns
        -------
        model : keras.Model
            The built and compiled model.
        record : BuildRecord
            The seeds and initializers of the build.
        """
        check_not_forked()
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
            reject_shared_weights(model, self.arguments, record)
        return model, record

    def _check_input(self, model):
        """Raise an error if the model takes another sample shape. If the number of axes differs, Keras may add one."""
        expected, shape = getattr(model, "input_shape", None), self.input_shape
        if isinstance(shape, list) and len(shape) == 1:
            (shape,) = shape  # a list with the only input
        if isinstance(expected, tuple) and len(expected) == len(shape) + 1:
            pairs = zip(expected[1:], shape, strict=True)
            if any(size is not None and size != received for size, received in pairs):
                raise ValueError(
                    f"The model takes samples of shape {expected[1:]}. Received: samples of shape {shape}."
                )
