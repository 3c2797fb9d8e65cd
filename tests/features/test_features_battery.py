"""scikit-learn's estimator checks for transformers of images."""

import numpy as np
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import validate_data
from threadpoolctl import threadpool_limits

from kerasnet.features import HOGTransformer, ImagePreprocessor, SIFTTransformer


class OnRows:
    """Mixin that converts rows of arbitrary numbers to images, since the estimator checks use 2d data.

    Images have eight columns and values in (0, 1), and are padded with zeros.
    """

    def _validate_images(self, X, reset):
        X = validate_data(self, X, reset=reset, dtype="numeric")
        dtype = X.dtype if X.dtype == np.float32 else np.float64
        images = np.zeros((len(X), max(8, -(-X.shape[1] // 8)) * 8), dtype=dtype)
        images[:, : X.shape[1]] = 1 / (1 + np.exp(-np.clip(X.astype(float), -30, 30)))
        return self._convert(images.reshape(len(X), -1, 8))

    def _convert(self, images):
        return images

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = False
        tags.input_tags.two_d_array = True
        return tags


class HOGOfRows(OnRows, HOGTransformer):
    def __init__(self, orientations=9, pixels_per_cell=(4, 4), cells_per_block=(2, 2), n_jobs=None):
        super().__init__(orientations, pixels_per_cell, cells_per_block, n_jobs=n_jobs)


class SIFTOfRows(OnRows, SIFTTransformer):
    def __init__(self, n_words=3, encoding="vlad", grid=2, random_state=None):
        super().__init__(n_words, encoding=encoding, grid=grid, random_state=random_state)

    def _convert(self, images):
        return np.rint(images * 255).astype(np.uint8)


@parametrize_with_checks(
    [HOGOfRows(), SIFTOfRows(), SIFTOfRows(encoding="bag_of_words"), HOGTransformer(), ImagePreprocessor()]
)
def test_scikit_learn_estimator_checks(estimator, check):
    with threadpool_limits(1):  # avoids busy waiting of k-means' threads on small data
        check(estimator)
