"""The network for tables against a computation with NumPy."""

import keras
import numpy as np
import pytest

from kerasnet.models import build_real_mlp
from kerasnet.models._tabular_layers import SmoothClipping


def test_outputs_match_the_formulas():
    rng = np.random.default_rng(0)
    model = build_real_mlp((3,), 2, n_frequencies=4, dense_units=5, activation="relu", output_activation="linear")
    model.set_weights([rng.normal(size=weight.shape) for weight in model.weights])
    frequencies, phases, mixing, shift, scale, kernel, bias, output_kernel, output_bias = model.get_weights()
    X = rng.normal(scale=3, size=(6, 3))

    clipped = X / np.sqrt(1 + (X / 3) ** 2)
    waves = np.cos(0.1 * (2 * np.pi * frequencies * clipped[..., None] + phases))
    sums = 0.1 * (np.stack([waves[:, j] @ mixing[j] for j in range(3)], axis=1) + shift)
    features = np.concatenate([clipped[..., None], sums], axis=2).reshape(6, 12) * (1 + 6 * scale)
    hidden = np.maximum(features @ kernel / np.sqrt(12) + 0.1 * bias, 0)
    expected = hidden @ output_kernel / np.sqrt(5) + 0.1 * output_bias
    np.testing.assert_allclose(model(X.astype(np.float32)), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_large_numbers_are_clipped(dtype):
    X = np.array([[-1, -1e3, -6e4], [1, 1e3, 6e4]] if dtype == "float16" else [[-1, -1e20, -3e38], [1, 1e20, 3e38]])
    clipped = keras.ops.convert_to_numpy(SmoothClipping(dtype=dtype)(X.astype(dtype)))
    small = 1 / np.sqrt(1 + 1 / 9)
    np.testing.assert_allclose(clipped, [[-small, -3, -3], [small, 3, 3]], rtol=1e-3 if dtype == "float16" else 1e-6)


@pytest.mark.parametrize("frequency_scale", [0, -1.0, np.inf, "large"])
def test_invalid_frequency_scale_raises(frequency_scale):
    with pytest.raises(ValueError, match="frequency_scale must be a positive number. Received"):
        build_real_mlp(frequency_scale=frequency_scale)
