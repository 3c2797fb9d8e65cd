"""SIFT descriptors, compared with OpenCV, and their encoding."""

import cv2
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

from kerasnet.datasets import load_mnist
from kerasnet.features import SIFTTransformer, sift


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    with threadpool_limits(1):  # avoids busy waiting on small data
        yield


def test_keypoints_and_descriptors_equal_opencv(mnist):
    X = mnist[0][:50]
    keypoints, descriptors = sift(X, enlarge=4, n_jobs=2)
    assert sum(map(len, keypoints)) > 100
    for image, actual_keypoints, actual_descriptors in zip(X, keypoints, descriptors, strict=True):
        enlarged = cv2.resize(image, (112, 112), interpolation=cv2.INTER_CUBIC)
        points, expected = cv2.SIFT_create().detectAndCompute(enlarged, None)
        np.testing.assert_array_equal(actual_descriptors, np.zeros((0, 128)) if expected is None else expected)
        opencv_keypoints = np.array(
            [((p.pt[0] + 0.5) / 4 - 0.5, (p.pt[1] + 0.5) / 4 - 0.5, p.size / 4, p.angle) for p in points]
        )
        np.testing.assert_allclose(actual_keypoints, opencv_keypoints.reshape(-1, 4), atol=1e-4)


def test_grid_descriptors_equal_opencv(mnist):
    X = mnist[0][:20]
    keypoints, descriptors = sift(X, grid=(4, 7), keypoint_size=5)
    xs, ys = np.meshgrid(np.arange(7) * 4 + 1.5, np.arange(4) * 7 + 3.0)
    expected = np.column_stack([xs.ravel(), ys.ravel(), np.full(28, 5), np.zeros(28)])
    for image, actual_keypoints, actual_descriptors in zip(X, keypoints, descriptors, strict=True):
        np.testing.assert_allclose(actual_keypoints, expected, atol=1e-5)
        opencv_keypoints = [
            cv2.KeyPoint(float(x), float(y), 5.0, 0.0) for x, y in zip(xs.ravel(), ys.ravel(), strict=True)
        ]
        np.testing.assert_array_equal(actual_descriptors, cv2.SIFT_create().compute(image, opencv_keypoints)[1])


def test_color_images_and_floats_are_converted(mnist):
    X = mnist[0][:5]
    expected = sift(X, grid=3)[1]
    for converted in (X / 255, (X / 255).astype(np.float32), X[..., None], np.repeat(X[..., None], 3, axis=3)):
        np.testing.assert_array_equal(sift(converted, grid=3)[1], expected)


SHAPES = [(1, 1), (1, 40), (28, 28)]


@pytest.mark.parametrize(
    ("encoding", "grid", "shape"),
    [
        *(("vlad", grid, shape) for grid in (None, 3) for shape in SHAPES),
        *(
            pytest.param("bag_of_words", grid, shape, marks=() if shape == (28, 28) else pytest.mark.exhaustive)
            for grid in (None, 3)
            for shape in SHAPES
        ),
    ],
)
def test_features_of_constant_and_tiny_images_are_finite(encoding, grid, shape):
    flat = np.full((5, *shape), 77, dtype=np.uint8)
    transformer = SIFTTransformer(4, encoding=encoding, grid=grid, random_state=0)
    features = transformer.fit_transform(flat)
    assert np.isfinite(features).all()
    assert features.shape == (5, len(transformer.get_feature_names_out()))


def test_features_of_images_without_keypoints_are_zeros(mnist):
    transformer = SIFTTransformer(4, grid=None, enlarge=4, random_state=0).fit(mnist[0][:30])
    features = transformer.transform(np.concatenate([np.zeros((1, 28, 28), np.uint8), mnist[0][:10]]))
    assert not features[0].any()
    np.testing.assert_allclose(np.linalg.norm(features, axis=1).max(), 1, rtol=1e-6)


def expected_encoding(images, vocabulary, encoding):
    """Compute VLAD or bag of words by definition, one descriptor at a time."""
    rows = []
    for descriptors in sift(images, grid=8, enlarge=2)[1]:
        vector = np.zeros((len(vocabulary), 128 if encoding == "vlad" else 1))
        for descriptor in descriptors.astype(float):
            descriptor = np.sqrt(descriptor / max(descriptor.sum(), 1))
            word = np.linalg.norm(vocabulary - descriptor, axis=1).argmin()
            vector[word] += descriptor - vocabulary[word] if encoding == "vlad" else 1
        vector = np.sign(vector) * np.sqrt(np.abs(vector)) if encoding == "vlad" else vector
        rows.append(vector.ravel() / np.linalg.norm(vector))
    return np.array(rows)


@pytest.mark.parametrize("encoding", ["vlad", "bag_of_words"])
def test_encoding_equals_its_definition(mnist, encoding):
    X = mnist[0][:10]
    transformer = SIFTTransformer(5, encoding=encoding, random_state=0).fit(X)
    np.testing.assert_allclose(
        transformer.transform(X), expected_encoding(X, transformer.vocabulary_, encoding), atol=2e-3
    )


def test_random_state_is_reproducible_for_any_number_of_threads(mnist):
    X = mnist[0][:20]
    first = SIFTTransformer(4, max_descriptors=200, random_state=0).fit_transform(X)
    again = SIFTTransformer(4, max_descriptors=200, random_state=0, n_jobs=2).fit_transform(X)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(SIFTTransformer(4, max_descriptors=200, random_state=1).fit_transform(X), first)


@pytest.mark.parametrize(
    ("n_samples", "n_test", "min_accuracy"),
    [(300, 150, 0.9), pytest.param(1000, 500, 0.94, marks=pytest.mark.exhaustive)],
)
def test_classification_of_digits(n_samples, n_test, min_accuracy):
    X, y = load_mnist(n_samples=n_samples, random_state=0, return_X_y=True)
    X_test, y_test = load_mnist("test", n_samples=n_test, random_state=0, return_X_y=True)
    classifier = make_pipeline(SIFTTransformer(random_state=0, n_jobs=2), LinearSVC()).fit(X, y)
    assert classifier.score(X_test, y_test) > min_accuracy


def test_flattened_rows_feature_names_and_unfitted_transformer(mnist):
    X = mnist[0][:10]
    transformer = SIFTTransformer(2, random_state=0)
    with pytest.raises(NotFittedError):
        transformer.transform(X)
    expected = transformer.fit_transform(X)
    rows = clone(transformer).set_params(image_shape=(28, 28)).fit_transform(X.reshape(10, -1))
    np.testing.assert_array_equal(rows, expected)
    assert list(transformer.get_feature_names_out()[:2]) == ["sifttransformer0", "sifttransformer1"]
    assert transformer.set_output(transform="pandas").transform(X).shape == (10, 256)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"encoding": "fisher"}, "encoding must be one of"),
        ({"n_words": 0}, "n_words == 0, must be >= 1"),
        ({"max_descriptors": 3}, "max_descriptors == 3, must be >= 16"),
        ({"grid": 0}, "grid must be a tuple of two positive integers"),
        ({"grid": "dense"}, "grid must be a tuple of two positive integers"),
        ({"grid": None, "keypoint_size": 3}, "keypoint_size requires a grid. Received: keypoint_size=3"),
        ({"keypoint_size": -1}, "keypoint_size == -1, must be > 0"),
        ({"enlarge": 0}, "enlarge == 0, must be > 0"),
        ({"enlarge": np.inf}, "enlarge must be finite"),
    ],
)
def test_invalid_parameters_raise(mnist, parameters, message):
    with pytest.raises(ValueError, match=message):
        SIFTTransformer(**parameters).fit(mnist[0][:5])


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.full((1, 9, 9), 200), "or floats in .*Received: float64 from 200 to 200"),
        (np.zeros((1, 9, 9, 2)), "Expected grayscale or RGB images. Received: images with 2 channels"),
        (np.zeros((9, 9)), "Expected images of shape"),
    ],
)
def test_invalid_images_raise(images, message):
    with pytest.raises(ValueError, match=message):
        sift(images)
