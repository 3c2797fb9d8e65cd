"""Data augmentation: random in each epoch, reproducible by the seed, and without effect on predictions."""

import keras
import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

from kerasnet import CNNClassifier, KerasNetClassifier, KerasNetRegressor
from kerasnet.training import AUGMENTATIONS, make_augmentation
from kerasnet.training.augmentation import reseed

SMALL = {"filters": (4,), "dense_units": (8,), "random_state": 0}


def fit(mnist, **parameters):
    X, y = mnist
    settings = {"augmentation": "shift_rotate", "epochs": 2, "optimizer": "sgd", "learning_rate": 0.1}
    return CNNClassifier(**{**SMALL, **settings, **parameters}).fit(X[:200], y[:200])


def weights(classifier):
    return np.concatenate([weight.numpy().ravel() for weight in classifier.model_.weights])


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_images_are_transformed_in_training_only(mnist, name):
    X = mnist[0][:50, ..., None] / np.float32(255)
    layer = make_augmentation(name)
    transformed = layer(X, training=True).numpy()
    assert transformed.shape == X.shape
    assert 0 <= transformed.min() <= transformed.max() <= 1 + 1e-6
    assert np.mean(np.abs(transformed - X).max(axis=(1, 2, 3)) > 0.1) > (0.3 if name == "flip" else 0.9)
    np.testing.assert_allclose(transformed.sum(), X.sum(), rtol=0.1 if "zoom" in name else 0.02)
    np.testing.assert_array_equal(layer(X, training=False), X)


def test_shifts_are_at_most_eight_percent(mnist):
    X = mnist[0][:50, ..., None] / np.float32(255)
    shifted = make_augmentation("shift")(X, training=True).numpy()
    for axis in (1, 2):
        place = np.indices((28, 28))[axis - 1][None, ..., None]
        centers = [(each * place).sum(axis=(1, 2, 3)) / each.sum(axis=(1, 2, 3)) for each in (X, shifted)]
        distance = np.abs(centers[1] - centers[0])
        assert 0.5 < distance.max() <= 0.08 * 28 + 0.1


def test_flip_mirrors_half_of_the_images(mnist):
    X = mnist[0][:400, ..., None] / np.float32(255)
    flipped = make_augmentation("flip")(X, training=True).numpy()
    mirrored = (flipped == X[:, :, ::-1]).all(axis=(1, 2, 3))
    assert (mirrored | (flipped == X).all(axis=(1, 2, 3))).all()
    assert 0.4 < mirrored.mean() < 0.6


def test_shift_flip_is_a_shift_and_a_flip():
    assert [layer.name for layer in make_augmentation("shift_flip").layers] == ["shift", "flip"]


def test_zoom_stretches_and_shrinks_by_up_to_ten_percent(mnist):
    X = mnist[0][:200, ..., None] / np.float32(255)
    zoomed = make_augmentation("shift_rotate_zoom").get_layer("zoom")(X, training=True).numpy()
    for axis in (1, 2):
        place = np.indices((28, 28))[axis - 1][None, ..., None]
        spreads = []
        for images in (X, zoomed):
            ink = images.sum(axis=(1, 2, 3))
            mean = (images * place).sum(axis=(1, 2, 3)) / ink
            spreads.append(np.sqrt((images * (place - mean[:, None, None, None]) ** 2).sum(axis=(1, 2, 3)) / ink))
        ratio = (spreads[1] / spreads[0])[spreads[0] > 3]  # thin strokes widen by more
        assert 0.85 < ratio.min() < 0.95
        assert 1.05 < ratio.max() < 1.15


def test_transformations_depend_on_the_seed_and_the_epoch(mnist):
    X = mnist[0][:20, ..., None] / np.float32(255)
    layer = make_augmentation("shift_rotate")

    def drawn(seed, epoch):
        reseed(layer, seed, epoch)
        return layer(X, training=True).numpy()

    np.testing.assert_array_equal(drawn(0, 1), drawn(0, 1))
    assert (drawn(0, 1) != drawn(0, 2)).any()
    assert (drawn(0, 1) != drawn(1, 1)).any()


def test_fits_are_reproducible_and_differ_by_augmentation(mnist):
    first = weights(fit(mnist))
    np.testing.assert_array_equal(weights(fit(mnist)), first)
    for other in ({"augmentation": "shift"}, {"random_state": 1}):
        assert (weights(fit(mnist, **other)) != first).any()


def test_training_uses_transformed_images_and_predictions_do_not(mnist):
    """Compare with Keras on images that are transformed before."""
    X, y = mnist[0][:32], mnist[1][:32]
    classifier = fit((X, y), epochs=1, batch_size=-1, optimizer="sgd", learning_rate=0.1)
    start = CNNClassifier(filters=(4,), dense_units=(8,), optimizer="sgd", learning_rate=0.1, random_state=0)
    model = start.initialize(X, y).model_
    seed = np.random.RandomState(0).randint(np.iinfo(np.int32).max)
    order = np.asarray(
        keras.src.backend.tensorflow.random.tf.random.experimental.stateless_shuffle(range(32), [seed, 0])
    )
    layer = make_augmentation("shift_rotate")
    reseed(layer, seed, 0)
    model.train_on_batch(layer(X[order, ..., None] / np.float32(255), training=True), y[order])
    for one, other in zip(classifier.model_.weights, model.weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    np.testing.assert_array_equal(classifier.predict_proba(X), classifier.predict_proba(X))


def test_resumed_fit_equals_uninterrupted_fit(mnist, tmp_path):
    whole = fit(mnist, epochs=3)
    fit(mnist, epochs=1, memory=tmp_path)
    resumed = fit(mnist, epochs=3, memory=tmp_path)
    assert resumed.n_iter_from_memory_ == 1
    np.testing.assert_array_equal(weights(resumed), weights(whole))
    assert fit(mnist, epochs=3, memory=tmp_path, augmentation="shift").n_iter_from_memory_ == 0


def test_a_keras_layer_is_copied_and_can_be_searched_over(mnist):
    layer = keras.layers.RandomZoom(0.2)
    before = [variable.numpy() for variable in layer.variables]
    first = weights(fit(mnist, augmentation=layer))
    np.testing.assert_array_equal(weights(fit(mnist, augmentation=layer)), first)
    assert (weights(fit(mnist, augmentation=None)) != first).any()
    for variable, value in zip(layer.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    X, y = mnist
    search = GridSearchCV(
        CNNClassifier(**SMALL, epochs=1, optimizer="sgd"),
        {"augmentation": ["shift", layer]},
        cv=[(range(50), range(50, 100))],
        refit=False,
        error_score="raise",
    )
    assert len(search.fit(X[:100], y[:100]).cv_results_["params"]) == 2


def test_regressors_support_augmentation(mnist):
    X, y = mnist
    regressor = KerasNetRegressor("cnn", **SMALL, augmentation="shift", epochs=1).fit(X[:100], y[:100])
    assert np.isfinite(regressor.predict(X[:5])).all()


def test_augmentation_of_other_inputs_raises_an_error(mnist):
    X, y = mnist
    rows = X.reshape(len(X), -1) / 255
    with pytest.raises(ValueError, match=r"requires images of shape \(n, height, width, channels\).* the model 'mlp'"):
        KerasNetClassifier("mlp", augmentation="shift").fit(rows, y)
    with pytest.raises(ValueError, match="'augmentation' parameter"):
        CNNClassifier(augmentation="mirror").fit(X, y)


def test_the_model_has_no_augmentation_layers(mnist):
    names = [layer.name for layer in fit(mnist).model_.layers]
    assert names == ["conv_1", "pool_1", "flatten", "dense_1", "output"]


class Brighter(keras.layers.Layer):
    """A layer that is not registered, so Keras cannot copy it."""

    def call(self, images, training=False):
        return images + 0.1 if training else images


@pytest.mark.parametrize(
    ("augmentation", "message"),
    [
        (Brighter(), "cannot be copied, but each fit uses a copy. A custom layer needs"),
        (
            keras.layers.RandomCrop(10, 10),
            r"change the shape of the images\. Expected: \(28, 28, 1\)\. Received: \(10, 10, 1\)",
        ),
    ],
)
def test_unsupported_layers_raise_an_error(mnist, augmentation, message):
    with pytest.raises(ValueError, match=message):
        fit(mnist, augmentation=augmentation)


@pytest.mark.parametrize("name", ["rotate", "flip_shift", 3, True, ["shift"]])
def test_an_unknown_augmentation_raises_an_error(name):
    with pytest.raises(ValueError, match="augmentation must be None, a Keras layer or one of .*shift_rotate_zoom"):
        make_augmentation(name)
