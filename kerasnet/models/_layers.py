"""Layers for masked sequences that Keras does not provide."""

import keras
import numpy as np
from keras import ops

_LOWEST = -3e4  # finite, also in float16: ONNX models multiply it by 0


@keras.saving.register_keras_serializable(package="kerasnet")
class SequenceMask(keras.layers.Layer):
    """Return the sequences with zeros at masked steps, and the mask, which is True at steps that are not masked."""

    def __init__(self, mask_value, **kwargs):
        super().__init__(**kwargs)
        self.mask_value = mask_value

    def call(self, inputs):
        """Compute the sequences and the mask."""
        mask = ops.any(ops.not_equal(inputs, self.mask_value), axis=-1)
        return ops.where(mask[..., None], inputs, ops.zeros_like(inputs)), mask

    def get_config(self):
        """Return the configuration."""
        return {**super().get_config(), "mask_value": self.mask_value}


@keras.saving.register_keras_serializable(package="kerasnet")
class MaskedConv1D(keras.layers.Conv1D):
    """1D convolution that treats masked steps as zeros, like its zero padding, and propagates the mask."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.supports_masking = True

    def call(self, inputs, mask=None):
        """Apply the convolution."""
        return super().call(_zero_masked_steps(inputs, mask))


@keras.saving.register_keras_serializable(package="kerasnet")
class MaskedSeparableConv1D(keras.layers.SeparableConv1D):
    """Separable 1D convolution that treats masked steps as zeros, like its zero padding, and propagates the mask."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.supports_masking = True

    def call(self, inputs, mask=None):
        """Apply the convolution."""
        return super().call(_zero_masked_steps(inputs, mask))


@keras.saving.register_keras_serializable(package="kerasnet")
class SlidingMaximum1D(keras.layers.MaxPooling1D):
    """Maximum over the unmasked steps of windows with stride 1; propagates the mask."""

    def __init__(self, pool_size, **kwargs):
        super().__init__(pool_size, **{"strides": 1, "padding": "same", **kwargs})
        self.supports_masking = True

    def call(self, inputs, mask=None):
        """Compute the maximum."""
        if mask is not None:
            inputs = ops.where(mask[..., None], inputs, np.finfo(keras.backend.floatx()).min)
        return super().call(inputs)


@keras.saving.register_keras_serializable(package="kerasnet")
class MaskedAveragePooling1D(keras.layers.GlobalAveragePooling1D):
    """Global average over the unmasked steps; 0 if all steps are masked."""

    def call(self, inputs, mask=None):
        """Compute the average."""
        if mask is None:
            return super().call(inputs)
        n_steps = ops.sum(ops.cast(mask, inputs.dtype), axis=1, keepdims=True)
        return ops.sum(_zero_masked_steps(inputs, mask), axis=1) / ops.maximum(n_steps, 1)


@keras.saving.register_keras_serializable(package="kerasnet")
class TokenEmbedding(keras.layers.Embedding):
    """Embedding that masks padding; the mask has a fixed name, unlike that of Keras in functional models."""

    def compute_mask(self, inputs, mask=None):
        """Return whether tokens are not padding."""
        return PaddingMask(name="mask")(inputs) if self.mask_zero else None


@keras.saving.register_keras_serializable(package="kerasnet")
class PaddingMask(keras.layers.Layer):
    """Return whether token ids are not 0, which is padding."""

    def call(self, inputs):
        """Compute the mask."""
        return ops.not_equal(inputs, 0)

    def compute_output_spec(self, inputs):
        """Return the shape and dtype of the mask."""
        return keras.KerasTensor(inputs.shape, dtype="bool")


@keras.saving.register_keras_serializable(package="kerasnet")
class MaskedMaxPooling1D(keras.layers.GlobalMaxPooling1D):
    """Global maximum over the unmasked steps; 0 if all steps are masked."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.supports_masking = True

    def call(self, inputs, mask=None):
        """Compute the maximum."""
        if mask is None:
            return super().call(inputs)
        unmasked = mask[..., None]
        largest = ops.max(ops.where(unmasked, inputs, _LOWEST), axis=1)
        return ops.where(ops.any(unmasked, axis=1), largest, 0.0)

    def compute_mask(self, inputs, mask=None):
        """Return no mask, since the output has no steps."""


@keras.saving.register_keras_serializable(package="kerasnet")
class SinusoidalPositions(keras.layers.Layer):
    """Add sinusoidal positional encodings to sequences of any length."""

    def __init__(self, **kwargs):  # Keras includes `name` in the config only if the argument is called kwargs
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs):
        """Add the positional encodings."""
        steps, units = ops.shape(inputs)[1], inputs.shape[2]
        frequencies = ops.power(10_000.0, -ops.arange(0, units, 2, dtype="float32") / units)
        angles = ops.arange(steps, dtype="float32")[:, None] * frequencies[None]
        positions = ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=1)[:, :units]
        return inputs + ops.cast(positions, inputs.dtype)

    def compute_output_shape(self, input_shape):
        """Return the input shape."""
        return input_shape


def _zero_masked_steps(inputs, mask):
    return inputs if mask is None else inputs * ops.cast(mask, inputs.dtype)[..., None]
