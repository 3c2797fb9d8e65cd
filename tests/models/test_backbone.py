"""Tests of backbones: preprocessing, image sizes and channels, trainable layers, and weights."""

import os
import shutil
import urllib.error
from pathlib import Path

import keras
import numpy as np
import pytest
from _longer import longer
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import kerasnet
from kerasnet import BackboneFeatures, KerasNetClassifier, build_backbone
from kerasnet.models.backbone import BACKBONES

MODULES = {
    "convnext_tiny": "convnext",
    "densenet121": "densenet",
    "efficientnet_v2_b0": "efficientnet_v2",
    "inception_v3": "inception_v3",
    "mobilenet": "mobilenet",
    "mobilenet_v2": "mobilenet_v2",
    "mobilenet_v3_small": "mobilenet_v3",
    "resnet50": "resnet",
    "resnet50_v2": "resnet_v2",
    "vgg16": "vgg16",
    "vgg19": "vgg19",
    "xception": "xception",
}
FAST = ("mobilenet", "vgg16")


def assert_preprocessing_matches_keras(name):
    shape = (80, 76, 3)
    model = build_backbone(shape, 3, backbone=name)
    network = model.get_layer(name)
    preprocessing = keras.Model(model.input, model.layers[model.layers.index(network) - 1].output)
    images = np.random.default_rng(0).random((2, *shape), dtype=np.float32)
    expected = getattr(keras.applications, MODULES[name]).preprocess_input(255 * images)
    np.testing.assert_allclose(preprocessing(images), expected, atol=1e-4)
    assert model.output_shape == (None, 3)
    assert BACKBONES[name].min_size <= 76


def small_network(*, include_top, input_tensor, input_shape, weights):
    """Replace a network of `keras.applications`, which takes seconds to build."""
    return keras.Model(input_tensor, keras.layers.Conv2D(2, 3)(input_tensor))


@pytest.mark.parametrize("name", BACKBONES)
def test_preprocessing_matches_keras(name, monkeypatch):
    monkeypatch.setattr(keras.applications, BACKBONES[name].function, small_network)
    assert_preprocessing_matches_keras(name)


@pytest.mark.parametrize("name", longer(BACKBONES, {*BACKBONES} - {*FAST}))
def test_preprocessing_of_full_networks_matches_keras(name):
    assert_preprocessing_matches_keras(name)


def test_grayscale_images_are_repeated_and_small_images_resized():
    gray = build_backbone((28, 28, 1), 2, backbone="mobilenet", layer="conv_pw_1_relu")
    color = build_backbone((28, 28, 3), 2, backbone="mobilenet", layer="conv_pw_1_relu")
    color.set_weights(gray.get_weights())
    images = np.random.default_rng(0).random((3, 28, 28, 1), dtype=np.float32)
    np.testing.assert_allclose(gray(images), color(np.repeat(images, 3, axis=3)), atol=1e-6)
    assert gray.get_layer("mobilenet").inputs[0].shape == (None, 32, 32, 3)
    before = [weight.numpy() for weight in gray.weights]
    np.testing.assert_array_equal(gray(images), gray(images, training=False))
    for weight, value in zip(gray.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)  # a plain call does not run in training mode


def test_batch_normalization_momentum_is_limited():
    network = build_backbone((32, 32, 3), 2, backbone="mobilenet_v2").get_layer("mobilenet_v2")
    momenta = {layer.momentum for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)}
    assert momenta == {0.9}


@pytest.mark.parametrize(("trainable", "n_layers"), [(True, None), (False, 0), (5, 5)])
def test_trainable_layers(trainable, n_layers):
    network = build_backbone((32, 32, 3), 2, backbone="mobilenet", trainable=trainable).get_layer("mobilenet")
    trainable_layers = [layer for layer in network.layers if layer.trainable]
    assert trainable_layers == (
        network.layers if n_layers is None else network.layers[len(network.layers) - n_layers :]
    )


@pytest.mark.exhaustive
def test_two_phases_of_fine_tuning(mnist):
    X, y = mnist
    X, y = X[:40], y[:40]
    network = KerasNetClassifier("backbone", trainable=False, epochs=1, random_state=0)
    untrained = [weight.numpy() for weight in network.initialize(X, y).model_.weights]
    head = [weight.numpy() for weight in network.fit(X, y).model_.weights]
    changed = [(before != after).any() for before, after in zip(untrained, head, strict=True)]
    assert changed[-2:] == [True, True]
    assert not any(changed[:-2])  # including the statistics of batch normalization
    network.set_params(trainable=True, learning_rate=1e-4, warm_start=True).fit(X, y)
    assert network.n_iter_ == 2
    assert (
        sum((before != after.numpy()).any() for before, after in zip(head, network.model_.weights, strict=True)) > 200
    )


@pytest.fixture(scope="module")
def mobilenet(tmp_path_factory):
    """Return a MobileNet without its top layers, and the path of its weights."""
    network = build_backbone((32, 32, 3), None, backbone="mobilenet").get_layer("mobilenet")
    path = tmp_path_factory.mktemp("mobilenet") / "mobilenet.weights.h5"
    network.save_weights(path)
    return network, path


def test_weights_file_is_not_needed_after_the_first_fit(mobilenet, tmp_path, mnist):
    X, y = mnist[0][:30], mnist[1][:30]
    expected_network, path = mobilenet[0], shutil.copy(mobilenet[1], tmp_path)
    network = build_backbone((40, 40, 3), 2, backbone="mobilenet", weights=path).get_layer("mobilenet")
    for weight, expected_weight in zip(network.weights, expected_network.weights, strict=True):
        np.testing.assert_array_equal(weight, expected_weight)
    parameters = {"backbone": "mobilenet", "layer": "conv_pw_1_relu", "weights": path, "trainable": False}
    classifier = KerasNetClassifier("backbone", **parameters, epochs=1, random_state=0).fit(X, y)
    expected = classifier.predict_proba(X)
    kerasnet.save(classifier, tmp_path / "tuned.kerasnet")
    os.unlink(path)
    loaded = kerasnet.load(tmp_path / "tuned.kerasnet")
    np.testing.assert_array_equal(loaded.predict_proba(X), expected)
    loaded.set_params(warm_start=True, epochs=1).fit(X, y)  # warm start without the file
    assert len(loaded.history_["loss"]) == 2


@pytest.fixture
def offline(monkeypatch, tmp_path):
    def fail(*args, **kwargs):
        raise urllib.error.URLError("no network")

    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", fail)
    monkeypatch.setattr("keras.src.utils.file_utils.config.keras_home", lambda: str(tmp_path), raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.parametrize(
    "name", longer(["mobilenet_v2", "resnet50", "vgg16", "efficientnet_v2_b0"], ["resnet50", "efficientnet_v2_b0"])
)
def test_failed_download_error_names_url_file_and_folder(name, offline):
    message = (
        rf"weights of {name} cannot be downloaded from https://\S+\. "
        r"Download the file \S+\.h5 elsewhere and put it into .*models"
    )
    with pytest.raises(OSError, match=message):
        build_backbone((224, 224, 3), backbone=name, weights="imagenet")


@pytest.mark.filterwarnings("error::UserWarning")  # Keras otherwise warns once per layer
def test_invalid_arguments_raise(mobilenet, tmp_path):
    (tmp_path / "other.h5").write_bytes(b"no weights")
    shutil.copy(mobilenet[1], tmp_path / "other.weights.h5")
    for arguments, message in [
        ({"backbone": "mobilnet_v2"}, r"backbone must be one of .*Did you mean 'mobilenet_v2'\?"),
        ({"input_shape": (32, 32, 4)}, r"images with 3 channels or 1\. Received: input_shape=\(32, 32, 4\)"),
        ({"pooling": "sum"}, r'pooling must be "avg", "max" or None\. Received: \'sum\''),
        (
            {"backbone": "mobilenet", "layer": "conv_pw_6_rel"},
            r"no layer 'conv_pw_6_rel'\. Did you mean: conv_pw_6_relu",
        ),
        (
            {"trainable": -1},
            r"trainable must be True, False, or the number of last layers to train, a positive int\. Received: -1",
        ),
        ({"n_outputs": 0}, "n_outputs must be a positive int"),
        (
            {"backbone": "mobilenet", "weights": tmp_path / "other.h5"},
            r"other\.h5: expected weights of mobilenet without its top layers",
        ),
        (
            {"backbone": "vgg16", "weights": tmp_path / "other.weights.h5"},
            r"other\.weights\.h5: expected weights of vgg16",
        ),
    ]:
        with pytest.raises(ValueError, match=message):
            build_backbone(**{"input_shape": (32, 32, 3), **arguments})
    with pytest.raises(FileNotFoundError, match=r"Not found: 'missing\.h5'"):
        build_backbone(input_shape=(32, 32, 3), weights="missing.h5")


def test_features_equal_the_model_outputs_and_work_in_a_pipeline(mnist, tmp_path):
    X, y = mnist[0][:60], mnist[1][:60]
    parameters = {"backbone": "mobilenet", "weights": None, "layer": "conv_pw_1_relu", "random_state": 0}
    pipeline = make_pipeline(BackboneFeatures(**parameters), LogisticRegression(max_iter=1000)).fit(X, y)
    features = pipeline[0].transform(X)
    assert features.dtype == np.float32
    expected = pipeline[0].model_(X[..., None] / np.float32(255))
    np.testing.assert_allclose(features, expected, atol=1e-5)
    np.testing.assert_allclose(pipeline[0].transform(X[..., None] / 255), features, atol=1e-5)
    np.testing.assert_array_equal(clone(pipeline[0]).fit(X).transform(X), features)  # same random_state
    assert list(pipeline[0].get_feature_names_out()[:2]) == ["backbonefeatures0", "backbonefeatures1"]
    assert set(pipeline[0].get_params()) == {"backbone", "weights", "layer", "pooling", "image_shape", "random_state"}
    kerasnet.save(pipeline, tmp_path / "features.kerasnet")
    np.testing.assert_array_equal(
        kerasnet.load(tmp_path / "features.kerasnet").predict_proba(X), pipeline.predict_proba(X)
    )


@pytest.mark.parametrize(
    ("arguments", "n_features"),
    [
        ({"backbone": "mobilenet", "layer": "conv_pw_1_relu", "pooling": None}, 16 * 16 * 64),
        ({"backbone": "mobilenet", "layer": "conv_pw_1_relu", "pooling": "max"}, 64),
        pytest.param({"backbone": "vgg16", "pooling": None}, 512, marks=pytest.mark.exhaustive),
        pytest.param({"layer": "block_1_expand_relu"}, 96, marks=pytest.mark.exhaustive),
        pytest.param({"backbone": "vgg16", "pooling": "max"}, 512, marks=pytest.mark.exhaustive),
    ],
)
def test_intermediate_and_pooled_features(arguments, n_features, mnist, tmp_path):
    transformer = BackboneFeatures(**{"weights": None, "random_state": 0, **arguments}).fit(mnist[0][:4])
    assert transformer.transform(mnist[0][:4]).shape == (4, n_features)
    rows = mnist[0][:4].reshape(4, -1)
    flat = clone(transformer).set_params(image_shape=(28, 28)).fit(rows)
    np.testing.assert_array_equal(flat.transform(rows), transformer.transform(mnist[0][:4]))
    kerasnet.save(transformer, tmp_path / "features.kerasnet")
    loaded = kerasnet.load(tmp_path / "features.kerasnet")
    np.testing.assert_array_equal(loaded.transform(mnist[0][:4]), transformer.transform(mnist[0][:4]))


def test_backbone_features_invalid_input_raises(mnist):
    with pytest.raises(ValueError, match="'pooling' parameter of BackboneFeatures"):
        BackboneFeatures(pooling="sum").fit(mnist[0])
    with pytest.raises(ValueError, match="expects images of shape"):
        BackboneFeatures(weights=None).fit(np.ones((3, 784)))


def test_backbone_features_rejects_parameters_of_classifiers(tmp_path):
    transformer = BackboneFeatures("mobilenet", weights=None, layer="conv_pw_1_relu", random_state=0)
    for name in ("trainable", "dropout", "fit__epochs", "optimizer__x"):
        with pytest.raises(ValueError, match=f"Invalid parameter '{name.partition('__')[0]}'"):
            transformer.set_params(**{name: 1})
    X = np.zeros((2, 32, 32, 3), np.uint8)
    assert transformer.initialize(X, [0, 1]).transform(X).shape == (2, 64)


def test_weights_path_is_stored_as_string(mobilenet, tmp_path):
    path = Path(shutil.copy(mobilenet[1], tmp_path))
    X = np.zeros((2, 32, 32, 3), np.uint8)
    transformer = BackboneFeatures("mobilenet", layer="conv_pw_1_relu", weights=path).fit(X)
    kerasnet.save(transformer, tmp_path / "features.kerasnet")
    path.unlink()
    loaded = kerasnet.load(tmp_path / "features.kerasnet")
    assert loaded.weights == str(path)
    np.testing.assert_array_equal(loaded.transform(X), transformer.transform(X))


def test_trainable_accepts_numpy_bool():
    for trainable in np.array([True, False]):
        model, expected = (
            build_backbone((32, 32, 3), backbone="vgg16", trainable=value) for value in (trainable, bool(trainable))
        )
        assert len(model.trainable_weights) == len(expected.trainable_weights)
