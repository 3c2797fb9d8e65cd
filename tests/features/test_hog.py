"""HOG features, compared with scikit-image."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from skimage.feature import hog as skimage_hog

from kerasnet.features import HOGTransformer, hog


def skimage_features(images, orientations, cell, block, norm, sqrt):
    channel_axis = -1 if images.ndim == 4 else None
    return np.array(
        [
            skimage_hog(image, orientations, cell, block, norm, False, sqrt, channel_axis=channel_axis)
            for image in images
        ]
    )


@st.composite
def cases(draw):
    cell = draw(st.tuples(st.integers(1, 9), st.integers(1, 9)))
    block = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    height, width = (
        max(2, pixels * cells + draw(st.integers(0, 12))) for pixels, cells in zip(cell, block, strict=True)
    )
    channels = draw(st.sampled_from([(), (1,), (2,), (3,), (4,)]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = (draw(st.integers(1, 3)), height, width, *channels)
    levels = draw(st.sampled_from([2, 3, 17, 256]))  # few levels produce ties and gradients at the edges of bins
    images = (rng.integers(0, levels, shape) * (255 // (levels - 1))).astype(np.uint8)
    dtype = draw(st.sampled_from([np.uint8, np.float32, np.float64, np.int64]))
    if dtype in (np.float32, np.float64):
        images = images / 255 if draw(st.booleans()) else rng.random(shape)
    parameters = draw(
        st.tuples(
            st.integers(1, 40),
            st.just(cell),
            st.just(block),
            st.sampled_from(["L1", "L1-sqrt", "L2", "L2-Hys"]),
            st.booleans(),
        )
    )
    return images.astype(dtype), parameters


def assert_equal_to_skimage(case):
    images, parameters = case
    np.testing.assert_allclose(hog(images, *parameters), skimage_features(images, *parameters), rtol=0, atol=1e-6)


def has_angle_near_bin_edge(images, parameters):
    """Return whether the bin of a gradient depends on rounding.

    The last bit of NumPy's angles depends on their position in an array, so scikit-image's bins do, too. Multiples of
    45 degrees are not affected.
    """
    values = np.sqrt(images, dtype=float) if parameters[-1] else images.astype(float)
    by_row, by_column = np.zeros(values.shape), np.zeros(values.shape)
    by_row[:, 1:-1] = values[:, 2:] - values[:, :-2]
    by_column[:, :, 1:-1] = values[:, :, 2:] - values[:, :, :-2]
    angles = np.rad2deg(np.arctan2(by_row, by_column)) % 180
    width = 180 / parameters[0]
    near = np.abs(angles - np.rint(angles / width) * width) < 1e-9
    return (near & (angles % 45 != 0)).any()


@settings(max_examples=150, deadline=None)
@given(cases())
def test_features_equal_skimage(case):
    assume(not has_angle_near_bin_edge(*case))
    assert_equal_to_skimage(case)


@pytest.mark.exhaustive
@settings(max_examples=5000, deadline=None)
@given(cases())
def test_features_equal_skimage_in_many_cases(case):
    assume(not has_angle_near_bin_edge(*case))
    assert_equal_to_skimage(case)


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_features_of_mnist_in_several_chunks_and_threads(mnist, dtype):
    X = mnist[0] if dtype == "uint8" else (mnist[0] / 255).astype(dtype)
    expected = skimage_features(X, 9, (4, 4), (2, 2), "L2-Hys", False)
    for n_jobs in (None, 2):
        features = hog(X, pixels_per_cell=(4, 4), n_jobs=n_jobs)
        np.testing.assert_allclose(features, expected, rtol=0, atol=1e-6)
    assert features.dtype == (np.float64 if dtype == "float64" else np.float32)


def test_gradient_rounded_to_180_degrees_is_ignored_as_in_skimage():
    images = np.zeros((1, 8, 8))
    images[:, :, 1::2] = np.arange(4)
    images[:, 2:, :] -= 1e-20
    images[:, 4] = -3e-17
    case = images, (9, (4, 4), (1, 1), "L1", False)
    assert_equal_to_skimage(case)


@pytest.mark.parametrize("size", [1e-30, 1e-9, 1e9, 1e16])
@pytest.mark.parametrize("shape", [(2, 16, 16), (2, 16, 16, 3)], ids=["gray", "color"])
def test_very_small_and_large_values(size, shape):
    images = (np.random.default_rng(0).random(shape) * size).astype(np.float32)
    with np.errstate(all="raise", under="ignore"):
        assert_equal_to_skimage((images, (9, (4, 4), (2, 2), "L2-Hys", False)))


def test_features_of_large_images_equal_skimage():
    images = np.random.default_rng(0).integers(0, 256, (2, 700, 900), dtype=np.uint8)
    assert_equal_to_skimage((images, (9, (8, 8), (2, 2), "L2-Hys", False)))


@pytest.mark.parametrize(
    ("images", "parameters", "message"),
    [
        (np.zeros((28, 28)), {}, r"shape \(n, height, width\).*Received: shape \(28, 28\)"),
        (np.zeros((2, 8, 8)), {}, "at least 16 rows and 16 columns.*Received: 8 x 8"),
        (np.full((1, 28, 28), np.nan), {}, "NaN"),
        (np.zeros((0, 28, 28)), {}, "minimum of 1 is required"),
        (np.array([["a"]]), {}, "dtype='numeric'"),
        (np.zeros((1, 28, 28)), {"block_norm": "L3"}, "block_norm must be one of"),
        (np.zeros((1, 28, 28)), {"orientations": 0}, "orientations == 0, must be >= 1"),
        (np.zeros((1, 28, 28)), {"pixels_per_cell": 8}, r"two positive integers.*Received: 8"),
        (np.zeros((1, 28, 28)), {"cells_per_block": (0, 2)}, "a tuple of two positive integers"),
        (np.full((1, 28, 28), -1.0), {"transform_sqrt": True}, "without negative values.*Received: minimum -1"),
        (
            np.full((1, 28, 28, 3), 1e17, np.float32),
            {},
            r"values of float32 between -2e\+16 and 2e\+16. Received: 1e\+17",
        ),
        (np.full((1, 28, 28), -1e160), {}, r"values of float64 .* Received: -1e\+160"),
    ],
)
def test_invalid_images_and_parameters_raise(images, parameters, message):
    with pytest.raises(ValueError, match=message):
        hog(images, **parameters)


def test_transformer_equals_function(mnist):
    X, _ = mnist
    transformer = HOGTransformer(pixels_per_cell=(7, 7), n_jobs=2)
    expected = hog(X, pixels_per_cell=(7, 7))
    np.testing.assert_array_equal(transformer.transform(X), expected)  # stateless
    np.testing.assert_array_equal(transformer.fit_transform(X), expected)
    rows = HOGTransformer(pixels_per_cell=(7, 7), image_shape=(28, 28)).fit_transform(X.reshape(500, -1))
    np.testing.assert_array_equal(rows, expected)
    names = transformer.get_feature_names_out()
    assert len(names) == expected.shape[1]
    assert names[0] == "hogtransformer0"
    assert transformer.set_output(transform="pandas").transform(X).shape == expected.shape


def test_flattened_rows_require_image_shape(mnist):
    rows = mnist[0].reshape(500, -1)
    with pytest.raises(ValueError, match="set image_shape"):
        HOGTransformer().fit(rows)
    with pytest.raises(ValueError, match="expects rows of 783 values"):
        HOGTransformer(image_shape=(27, 29)).fit(rows)
    with pytest.raises(ValueError, match="image_shape must be"):
        HOGTransformer(image_shape=(784,)).fit(rows)


@pytest.mark.parametrize("channels", [(), (3,)])
def test_visualization_equals_skimage(channels):
    X = np.random.default_rng(0).random((2, 16, 24, *channels))
    visualizations = HOGTransformer(8, (4, 4), (1, 1)).visualize(X)
    options = {"visualize": True, "channel_axis": -1 if channels else None}
    expected = [skimage_hog(image, 8, (4, 4), (1, 1), "L2-Hys", **options)[1] for image in X]
    np.testing.assert_array_equal(visualizations, expected)


@pytest.mark.exhaustive
def test_memory_overhead_for_a_million_images(tmp_path):
    import subprocess
    import sys

    code = """
import resource, numpy as np
from kerasnet.datasets import load_mnist
from kerasnet.features import HOGTransformer
digits = load_mnist().data
HOGTransformer().transform(digits[:1000])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
images = np.tile(digits, (17, 1, 1))[:1_000_000]
features = HOGTransformer().transform(images)
assert len(features) == 1_000_000
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print((after - before) * 1024 - images.nbytes - features.nbytes)
"""
    extra = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert int(extra) < 300e6
