"""Layers for tables that Keras does not provide.

The layers multiply their weights by constant factors. With optimizers such as Adam, whose steps do not depend on the
scale of the gradients, this multiplies the learning rate of these weights by the factor.
"""

import math

import keras
from keras import ops

_LIMIT = 3.0
_LARGEST, _LARGEST_IN_FLOAT16 = 1e6, 700.0  # clipping beyond these values does not change rounded results
_SCALE_FACTOR = 6.0
_BIAS_FACTOR = _EMBEDDING_FACTOR = 0.1
_EMBEDDING_UNITS = 3  # per feature
_INITIAL_EMBEDDING = 0.1  # small, so that a network is smooth before it is trained


@keras.saving.register_keras_serializable(package="kerasnet")
class SmoothClipping(keras.layers.Layer):
    """Map numbers smoothly and monotonically to (-3, 3); numbers near 0 are almost unchanged."""

    def call(self, inputs):
        """Clip the values."""
        largest = _LARGEST_IN_FLOAT16 if inputs.dtype == "float16" else _LARGEST  # larger squares overflow
        inputs = ops.clip(inputs, -largest, largest)
        return inputs / ops.sqrt(1 + ops.square(inputs / _LIMIT))

    def compute_output_shape(self, input_shape):
        """Return the input shape."""
        return input_shape


@keras.saving.register_keras_serializable(package="kerasnet")
class FeatureScaling(keras.layers.Layer):
    """Multiply each feature by a learnable weight, initially 1."""

    def build(self, input_shape):
        """Create the weights."""
        self.scale = self.add_weight(shape=input_shape[-1:], initializer="zeros", name="scale")

    def call(self, inputs):
        """Scale the features."""
        return inputs * (1 + _SCALE_FACTOR * self.scale)

    def compute_output_shape(self, input_shape):
        """Return the input shape."""
        return input_shape


@keras.saving.register_keras_serializable(package="kerasnet")
class NTKDense(keras.layers.Layer):
    """Dense layer in neural tangent parametrization: weights of unit variance, divided by the root of their number.

    The same learning rate is then suitable for layers of all sizes.
    """

    def __init__(self, units, activation=None, initial_scale=1.0, **kwargs):
        super().__init__(**kwargs)
        self.units, self.activation = units, keras.activations.get(activation)
        self.initial_scale = initial_scale  # standard deviation of the initial weights and biases

    def build(self, input_shape):
        """Create the weights."""
        normal = keras.initializers.RandomNormal
        self.kernel = self.add_weight(
            shape=(input_shape[-1], self.units), initializer=normal(stddev=self.initial_scale), name="kernel"
        )
        self.bias = self.add_weight(
            shape=(self.units,), initializer=normal(stddev=self.initial_scale / _BIAS_FACTOR), name="bias"
        )

    def call(self, inputs):
        """Apply the layer."""
        outputs = ops.matmul(inputs, self.kernel) / math.sqrt(self.kernel.shape[0])
        return self.activation(outputs + _BIAS_FACTOR * self.bias)

    def compute_output_shape(self, input_shape):
        """Return the shape of the outputs."""
        return (*input_shape[:-1], self.units)

    def get_config(self):
        """Return the arguments of the constructor."""
        activation = keras.activations.serialize(self.activation)
        own = {"units": self.units, "activation": activation, "initial_scale": self.initial_scale}
        return {**super().get_config(), **own}


@keras.saving.register_keras_serializable(package="kerasnet")
class PeriodicEmbedding(keras.layers.Layer):
    """Replace each feature by itself and a linear map of cosines of it, with learnable frequencies and phases."""

    def __init__(self, n_frequencies, frequency_scale, **kwargs):
        super().__init__(**kwargs)
        self.n_frequencies, self.frequency_scale = n_frequencies, frequency_scale

    def build(self, input_shape):
        """Create the weights."""
        n_features, initial = input_shape[-1], keras.initializers
        limit = _INITIAL_EMBEDDING / math.sqrt(self.n_frequencies) / _EMBEDDING_FACTOR
        phase = math.pi / _EMBEDDING_FACTOR
        shape = n_features, self.n_frequencies
        self.frequencies = self.add_weight(
            shape=shape,
            initializer=initial.RandomNormal(stddev=self.frequency_scale / _EMBEDDING_FACTOR),
            name="frequencies",
        )
        self.phases = self.add_weight(shape=shape, initializer=initial.RandomUniform(-phase, phase), name="phases")
        self.kernel = self.add_weight(
            shape=(*shape, _EMBEDDING_UNITS), initializer=initial.RandomUniform(-limit, limit), name="kernel"
        )
        self.bias = self.add_weight(
            shape=(n_features, _EMBEDDING_UNITS), initializer=initial.RandomUniform(-limit, limit), name="bias"
        )

    def call(self, inputs):
        """Embed the features."""
        values = inputs[..., None]
        waves = ops.cos(_EMBEDDING_FACTOR * (2 * math.pi * self.frequencies * values + self.phases))
        embedded = _EMBEDDING_FACTOR * (ops.einsum("bfk,fku->bfu", waves, self.kernel) + self.bias)
        return ops.reshape(ops.concatenate([values, embedded], axis=2), (-1, inputs.shape[1] * (1 + _EMBEDDING_UNITS)))

    def compute_output_shape(self, input_shape):
        """Return the shape of the embedded features."""
        return (input_shape[0], input_shape[1] * (1 + _EMBEDDING_UNITS))

    def get_config(self):
        """Return the arguments of the constructor."""
        return {
            **super().get_config(),
            "n_frequencies": self.n_frequencies,
            "frequency_scale": self.frequency_scale,
        }
