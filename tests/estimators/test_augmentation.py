"""Images that are moved about in training: anew in each epoch, decided by the seed, and never in predictions."""

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


def test_images_are_moved_not_changed_and_only_in_training(mnist):
    X = mnist[0][:50, ..., None] / np.float32(255)
    for name in AUGMENTATIONS:
        layer = make_augmentation(name)
        moved = layer(X, training=True).numpy()
        assert moved.shape == X.shape
        assert 0 <= moved.min() <= moved.max() <= 1 + 1e-6
        assert np.mean(np.abs(moved - X).max(axis=(1, 2, 3)) > 0.1) > 0.9
        np.testing.assert_allclose(moved.sum(), X.sum(), rtol=0.1 if "zoom" in name else 0.02)  # the ink stays
        np.testing.assert_array_equal(layer(X, training=False), X)
    rows, columns = (np.indices((28, 28))[axis][None, ..., None] for axis in (0, 1))
    moved = make_augmentation("shift")(X, training=True).numpy()
    for axis in (rows, columns):
        places = [(each * axis).sum(axis=(1, 2, 3)) / each.sum(axis=(1, 2, 3)) for each in (X, moved)]
        distance = np.abs(places[1] - places[0])
        assert 0.5 < distance.max() <= 0.08 * 28 + 0.1


def test_zoom_stretches_and_shrinks_by_a_tenth(mnist):
    X = mnist[0][:200, ..., None] / np.float32(255)
    zoomed = make_augmentation("shift_rotate_zoom").get_layer("zoom")(X, training=True).numpy()
    for axis in (1, 2):
        place = np.indices((28, 28))[axis - 1][None, ..., None]
        spreads = []
        for images in (X, zoomed):
            ink = images.sum(axis=(1, 2, 3))
            mean = (images * place).sum(axis=(1, 2, 3)) / ink
            spreads.append(np.sqrt((images * (place - mean[:, None, None, None]) ** 2).sum(axis=(1, 2, 3)) / ink))
        ratio = (spreads[1] / spreads[0])[spreads[0] > 3]  # strokes of a pixel or two become relatively wider
        assert 0.85 < ratio.min() < 0.95
        assert 1.05 < ratio.max() < 1.15


def test_it_is_decided_by_the_seed_and_the_epoch(mnist):
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
    for other in ({"augmentation": None}, {"augmentation": "shift"}, {"random_state": 1}):
        assert (weights(fit(mnist, **other)) != first).any()


def test_training_sees_moved_images_and_predictions_do_not(mnist):
    """The oracle: Keras' own training on images moved by hand."""
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


def test_a_resumed_fit_equals_an_uninterrupted_one(mnist, tmp_path):
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
        cv=2,
        refit=False,
        error_score="raise",
    )
    assert len(search.fit(X[:100], y[:100]).cv_results_["params"]) == 2


def test_a_regressor_takes_it_too(mnist):
    X, y = mnist
    regressor = KerasNetRegressor("cnn", filters=(4,), augmentation="shift", epochs=1, random_state=0).fit(
        X[:100], y[:100]
    )
    assert np.isfinite(regressor.predict(X[:5])).all()


def test_it_is_for_images_alone(mnist):
    X, y = mnist
    rows = X.reshape(len(X), -1) / 255
    with pytest.raises(ValueError, match=r"requires images of shape \(n, height, width, channels\).* the model 'mlp'"):
        KerasNetClassifier("mlp", augmentation="shift").fit(rows, y)
    with pytest.raises(ValueError, match="'augmentation' parameter"):
        CNNClassifier(augmentation="flip").fit(X, y)


def test_the_model_itself_is_the_builders(mnist):
    names = [layer.name for layer in fit(mnist).model_.layers]
    assert names == ["conv_1", "pool_1", "flatten", "dense_1", "output"]


class Brighter(keras.layers.Layer):
    """A layer that Keras cannot make again: it is not registered."""

    def call(self, images, training=False):
        return images + 0.1 if training else images


@pytest.mark.parametrize(
    ("augmentation", "message"),
    [
        (Brighter(), "cannot be copied, which each fit does. A layer of your own needs"),
        (
            keras.layers.RandomCrop(10, 10),
            r"change the shape of the images\. Expected: \(28, 28, 1\)\. Received: \(10, 10, 1\)",
        ),
    ],
)
def test_layers_that_cannot_serve_are_refused(mnist, augmentation, message):
    with pytest.raises(ValueError, match=message):
        fit(mnist, augmentation=augmentation)


@pytest.mark.parametrize("name", ["rotate", "shift_flip", 3, True, ["shift"]])
def test_an_unknown_augmentation_is_refused(name):
    with pytest.raises(ValueError, match="augmentation must be None, a Keras layer or one of .*shift_rotate_zoom"):
        make_augmentation(name)
