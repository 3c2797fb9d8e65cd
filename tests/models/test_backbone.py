"""Backbones: preprocessing inside, grey and small images, what is trained, and weights that are not there."""

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
ONE_OF_EACH_SCALING = ("densenet121", "efficientnet_v2_b0", "mobilenet", "vgg16")


def assert_preprocessing_is_that_of_keras(name):
    shape = (80, 76, 3)
    model = build_backbone(shape, 3, backbone=name)
    network = model.get_layer(name)
    before = keras.Model(model.input, model.layers[model.layers.index(network) - 1].output)
    images = np.random.default_rng(0).random((2, *shape), dtype=np.float32)
    expected = getattr(keras.applications, MODULES[name]).preprocess_input(255 * images)
    np.testing.assert_allclose(before(images), expected, atol=1e-4)
    assert model.output_shape == (None, 3)
    assert BACKBONES[name].smallest <= 76


def small_network(*, include_top, input_tensor, input_shape, weights):
    """Stand in for a network of `keras.applications`, which takes seconds to build."""
    return keras.Model(input_tensor, keras.layers.Conv2D(2, 3)(input_tensor))


@pytest.mark.parametrize("name", BACKBONES)
def test_the_preprocessing_inside_is_that_of_keras(name, monkeypatch):
    monkeypatch.setattr(keras.applications, BACKBONES[name].function, small_network)
    assert_preprocessing_is_that_of_keras(name)


@pytest.mark.parametrize("name", longer(BACKBONES, {*BACKBONES} - {*ONE_OF_EACH_SCALING}))
def test_networks_are_built_behind_the_preprocessing_of_keras(name):
    assert_preprocessing_is_that_of_keras(name)


def test_one_backbone_of_each_scaling_is_always_built():
    scalings = [BACKBONES[name].scaling for name in ONE_OF_EACH_SCALING]
    assert sorted(scalings) == sorted({about.scaling for about in BACKBONES.values()})


def test_grey_images_are_repeated_and_small_ones_enlarged():
    grey = build_backbone((28, 28, 1), 2, backbone="mobilenet", layer="conv_pw_2_relu")
    colour = build_backbone((28, 28, 3), 2, backbone="mobilenet", layer="conv_pw_2_relu")
    colour.set_weights(grey.get_weights())
    images = np.random.default_rng(0).random((3, 28, 28, 1), dtype=np.float32)
    np.testing.assert_allclose(grey(images), colour(np.repeat(images, 3, axis=3)), atol=1e-6)
    assert grey.get_layer("mobilenet").inputs[0].shape == (None, 32, 32, 3)
    before = [weight.numpy() for weight in grey.weights]
    np.testing.assert_array_equal(grey(images), grey(images, training=False))
    for weight, value in zip(grey.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)  # a plain call trains nothing


def test_statistics_follow_within_some_tens_of_steps():
    network = build_backbone((32, 32, 3), 2, backbone="mobilenet_v2").get_layer("mobilenet_v2")
    momenta = {each.momentum for each in network.layers if isinstance(each, keras.layers.BatchNormalization)}
    assert momenta == {0.9}


@pytest.mark.parametrize(("trainable", "n_layers"), [(True, None), (False, 0), (5, 5)])
def test_what_is_trained(trainable, n_layers):
    network = build_backbone((32, 32, 3), 2, backbone="mobilenet", trainable=trainable).get_layer("mobilenet")
    trained = [layer for layer in network.layers if layer.trainable]
    assert trained == (network.layers if n_layers is None else network.layers[len(network.layers) - n_layers :])


@pytest.mark.exhaustive
def test_two_phases_of_fine_tuning(mnist):
    X, y = mnist
    X, y = X[:40], y[:40]
    network = KerasNetClassifier("backbone", trainable=False, epochs=1, random_state=0)
    untrained = [weight.numpy() for weight in network.initialize(X, y).model_.weights]
    head = [weight.numpy() for weight in network.fit(X, y).model_.weights]
    moved = [(one != other).any() for one, other in zip(untrained, head, strict=True)]
    assert moved[-2:] == [True, True]
    assert not any(moved[:-2])  # statistics of batch normalisation among them
    network.set_params(trainable=True, learning_rate=1e-4, warm_start=True).fit(X, y)
    assert network.n_iter_ == 2
    assert sum((one != other.numpy()).any() for one, other in zip(head, network.model_.weights, strict=True)) > 200


@pytest.fixture(scope="module")
def donor(tmp_path_factory):
    """A MobileNet without top, and the file of its weights."""
    network = build_backbone((32, 32, 3), None, backbone="mobilenet").get_layer("mobilenet")
    path = tmp_path_factory.mktemp("donor") / "donor.weights.h5"
    network.save_weights(path)
    return network, path


def test_weights_from_a_file_are_read_once_and_never_from_an_archive(donor, tmp_path, mnist):
    X, y = mnist[0][:30], mnist[1][:30]
    donor, path = donor[0], shutil.copy(donor[1], tmp_path)
    network = build_backbone((40, 40, 3), 2, backbone="mobilenet", weights=path).get_layer("mobilenet")
    for one, other in zip(network.weights, donor.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    about = {"backbone": "mobilenet", "layer": "conv_pw_2_relu", "weights": path, "trainable": False}
    classifier = KerasNetClassifier("backbone", **about, epochs=1, random_state=0).fit(X, y)
    expected = classifier.predict_proba(X)
    kerasnet.save(classifier, tmp_path / "tuned.kerasnet")
    os.unlink(path)
    loaded = kerasnet.load(tmp_path / "tuned.kerasnet")
    np.testing.assert_array_equal(loaded.predict_proba(X), expected)
    loaded.set_params(warm_start=True, epochs=1).fit(X, y)  # a warm start continues without the file
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
def test_weights_that_cannot_be_downloaded_are_named_with_their_place(name, offline):
    message = (
        rf"weights of {name} cannot be downloaded from https://\S+\. Expected the file \S+\.h5: put it into .*models"
    )
    with pytest.raises(OSError, match=message):
        build_backbone((224, 224, 3), backbone=name, weights="imagenet")


@pytest.mark.filterwarnings("error::UserWarning")  # one error tells more than a page of warnings
def test_bad_arguments_are_refused(donor, tmp_path):
    (tmp_path / "other.h5").write_bytes(b"no weights")
    shutil.copy(donor[1], tmp_path / "other.weights.h5")
    for arguments, message in [
        ({"backbone": "mobilnet_v2"}, r"backbone must be one of .*Did you mean 'mobilenet_v2'\?"),
        ({"input_shape": (32, 32, 4)}, r"of 3 channels, or of one\. Received: input_shape=\(32, 32, 4\)"),
        ({"pooling": "sum"}, r'pooling must be "avg", "max" or None\. Received: \'sum\''),
        ({"layer": "block_6_expand_rel"}, r"no layer 'block_6_expand_rel'\. Did you mean: block_6_expand_relu"),
        ({"trainable": -1}, r"trainable must be True, False or a number of layers\. Received: -1"),
        ({"n_outputs": 0}, "n_outputs must be a positive int"),
        ({"weights": tmp_path / "other.h5"}, r"other\.h5: expected weights of mobilenet_v2 without top"),
        (
            {"backbone": "vgg16", "weights": tmp_path / "other.weights.h5"},
            r"other\.weights\.h5: expected weights of vgg16",
        ),
    ]:
        with pytest.raises(ValueError, match=message):
            build_backbone(**{"input_shape": (32, 32, 3), **arguments})
    with pytest.raises(FileNotFoundError, match=r"There is no file 'nowhere\.h5'"):
        build_backbone(input_shape=(32, 32, 3), weights="nowhere.h5")


def test_features_are_those_of_the_network_and_go_into_any_classifier(mnist, tmp_path):
    X, y = mnist[0][:60], mnist[1][:60]
    about = {"backbone": "mobilenet", "weights": None, "layer": "conv_pw_2_relu", "random_state": 0}
    pipeline = make_pipeline(BackboneFeatures(**about), LogisticRegression(max_iter=1000)).fit(X, y)
    features = pipeline[0].transform(X)
    assert features.dtype == np.float32
    expected = pipeline[0].model_(X[..., None] / np.float32(255))
    np.testing.assert_allclose(features, expected, atol=1e-5)
    np.testing.assert_allclose(pipeline[0].transform(X[..., None] / 255), features, atol=1e-5)
    np.testing.assert_array_equal(clone(pipeline[0]).fit(X).transform(X), features)  # the seed decides
    assert list(pipeline[0].get_feature_names_out()[:2]) == ["backbonefeatures0", "backbonefeatures1"]
    assert set(pipeline[0].get_params()) == {"backbone", "weights", "layer", "pooling", "image_shape", "random_state"}
    kerasnet.save(pipeline, tmp_path / "features.kerasnet")
    np.testing.assert_array_equal(
        kerasnet.load(tmp_path / "features.kerasnet").predict_proba(X), pipeline.predict_proba(X)
    )


@pytest.mark.parametrize(
    ("arguments", "n_features"),
    [
        ({"backbone": "vgg16", "pooling": None}, 512),
        pytest.param({"layer": "block_1_expand_relu"}, 96, marks=pytest.mark.exhaustive),  # pooled as in other tests
        ({"backbone": "mobilenet", "layer": "conv_pw_1_relu", "pooling": None}, 16 * 16 * 64),
        ({"backbone": "vgg16", "pooling": "max"}, 512),
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


def test_features_refuse_what_they_cannot_take(mnist):
    with pytest.raises(ValueError, match="'pooling' parameter of BackboneFeatures"):
        BackboneFeatures(pooling="sum").fit(mnist[0])
    with pytest.raises(ValueError, match="expects images of shape"):
        BackboneFeatures(weights=None).fit(np.ones((3, 784)))
    assert not Path("nowhere.h5").exists()


def test_the_transformer_has_only_its_own_parameters(tmp_path):
    transformer = BackboneFeatures(weights=None, layer="block_1_expand_relu", random_state=0)
    for name in ("trainable", "dropout", "fit__epochs", "optimizer__x"):
        with pytest.raises(ValueError, match=f"Invalid parameter '{name.partition('__')[0]}'"):
            transformer.set_params(**{name: 1})
    X = np.zeros((2, 32, 32, 3), np.uint8)
    assert transformer.initialize(X, [0, 1]).transform(X).shape == (2, 96)


def test_a_path_of_weights_is_kept_as_a_text(donor, tmp_path):
    path = Path(shutil.copy(donor[1], tmp_path))
    X = np.zeros((2, 32, 32, 3), np.uint8)
    transformer = BackboneFeatures("mobilenet", layer="conv_pw_2_relu", weights=path).fit(X)
    kerasnet.save(transformer, tmp_path / "features.kerasnet")
    path.unlink()
    loaded = kerasnet.load(tmp_path / "features.kerasnet")
    assert loaded.weights == str(path)
    np.testing.assert_array_equal(loaded.transform(X), transformer.transform(X))


def test_numpy_tells_what_is_trained_as_python_does():
    for trainable in np.array([True, False]):
        ours, theirs = (
            build_backbone((32, 32, 3), backbone="vgg16", trainable=each) for each in (trainable, bool(trainable))
        )
        assert len(ours.trainable_weights) == len(theirs.trainable_weights)
