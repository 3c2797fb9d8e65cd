"""Layers for padded sequences, where Keras has none."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="kerasnet")
class MaskedConv1D(keras.layers.Conv1D):
    """A convolution that takes padded steps for zeros, as it takes what lies beyond the ends, and hands the mask on."""

    def __init__(self, *args, **arguments):
        super().__init__(*args, **arguments)
        self.supports_masking = True

    def call(self, inputs, mask=None):
        """Convolve."""
        return super().call(_without_padding(inputs, mask))


@keras.saving.register_keras_serializable(package="kerasnet")
class MaskedAveragePooling1D(keras.layers.GlobalAveragePooling1D):
    """The average over the steps that are no padding; 0 where there is none."""

    def call(self, inputs, mask=None):
        """Average."""
        if mask is None:
            return super().call(inputs)
        n_steps = ops.sum(ops.cast(mask, inputs.dtype), axis=1, keepdims=True)
        return ops.sum(_without_padding(inputs, mask), axis=1) / ops.maximum(n_steps, 1)


@keras.saving.register_keras_serializable(package="kerasnet")
class SinusoidalPositions(keras.layers.Layer):
    """Adds to each step what tells its place: sines and cosines of falling frequency; for sequences of any length."""

    def __init__(self, **kwargs):  # by this name Keras knows that `name` belongs to its configuration
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs):
        """Add the positions."""
        steps, units = ops.shape(inputs)[1], inputs.shape[2]
        frequencies = ops.power(10_000.0, -ops.arange(0, units, 2, dtype="float32") / units)
        angles = ops.arange(steps, dtype="float32")[:, None] * frequencies[None]
        positions = ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=1)[:, :units]
        return inputs + ops.cast(positions, inputs.dtype)

    def compute_output_shape(self, input_shape):
        """Return the shape of the inputs."""
        return input_shape


def _without_padding(inputs, mask):
    return inputs if mask is None else inputs * ops.cast(mask, inputs.dtype)[..., None]
