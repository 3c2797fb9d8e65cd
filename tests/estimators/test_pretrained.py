"""Estimators with pretrained weights: fine-tuning and ``from_pretrained``."""

import numpy as np
import pytest
from _longer import longer
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import kerasnet as kn
from kerasnet.errors import CheckpointMismatchError, UnknownModelError

X, y = kn.datasets.load_mnist("test", n_samples=300, random_state=0, return_X_y=True)


def as_model_input(name):
    """Return images in the input format of a model."""
    kind = kn.models.registered_model(name).input_kind
    return X if kind == "image" else (X / 255).astype(np.float32)


CLASSIFIERS = kn.list_models(weights="mnist", task="classification")


@pytest.mark.parametrize("name", longer(CLASSIFIERS, {*CLASSIFIERS} - {"cnn", "lenet", "lstm", "simple_rnn"}))
def test_a_pretrained_classifier_equals_the_pretrained_model(name):
    classifier = kn.KerasNetClassifier.from_pretrained(name, "mnist")
    model, samples = kn.create_model(name, weights="mnist"), as_model_input(name)
    raw = model((samples.reshape(len(X), *model.input_shape[1:]) / (255 if samples.dtype == np.uint8 else 1))[:20])
    np.testing.assert_allclose(classifier.predict_proba(samples[:20]), raw, atol=1e-5)
    assert classifier.score(samples, y) > 0.94
    assert classifier.classes_.tolist() == list(range(10))
    assert (classifier.n_iter_, classifier.history_) == (0, {})
    assert classifier.model_.count_params() == kn.model_card(name).weights["mnist"].n_parameters


def test_a_pretrained_autoencoder_reconstructs():
    autoencoder = kn.Autoencoder.from_pretrained("autoencoder", "mnist")
    assert autoencoder.transform(X.reshape(-1, 784)).shape == (300, 128)
    assert -autoencoder.score(X.reshape(-1, 784)) < 0.003


def test_flattened_images_require_image_shape():
    classifier = kn.KerasNetClassifier.from_pretrained("lenet", "mnist", image_shape=(28, 28))
    assert classifier.score(X.reshape(-1, 784), y) > 0.98


def test_fine_tuning_with_different_classes_and_channels():
    few, images = y < 3, np.repeat(X[..., None], 3, axis=-1)
    classifier = kn.KerasNetClassifier("lenet", weights="mnist", epochs=5, learning_rate=0.003, random_state=0)
    assert classifier.fit(images[few], y[few]).score(images[few], y[few]) > 0.9
    assert classifier.model_.input_shape == (None, 28, 28, 3)
    assert classifier.classes_.tolist() == [0, 1, 2]


def test_fit_starts_from_the_pretrained_weights_each_time():
    classifier = kn.KerasNetClassifier.from_pretrained("lenet", "mnist", epochs=1, learning_rate=1e-9, random_state=0)
    scores = [classifier.fit(X, y).score(X, y), clone(classifier).fit(X, y).score(X, y)]
    assert min(scores) > 0.98


def test_defaults_are_the_arguments_that_the_weights_were_trained_with():
    classifier = kn.KerasNetClassifier("lstm")
    assert classifier.get_params()["units"] == (64,)
    assert classifier.set_params(weights="mnist").get_params()["units"] == (128,)
    assert clone(classifier).get_params() == classifier.get_params()
    assert classifier.set_params(units=(64,)).get_params()["units"] == (64,)
    with pytest.raises(CheckpointMismatchError, match="lstm_cell/kernel has shape"):
        classifier.fit(as_model_input("lstm"), y)


def test_weights_are_searched_and_epochs_restored(tmp_path):
    estimator = kn.KerasNetClassifier("lenet", epochs=1, random_state=0, memory=tmp_path)
    search = GridSearchCV(estimator, {"weights": [None, "mnist"]}, cv=2).fit(X, y)
    assert search.best_params_ == {"weights": "mnist"}
    again = clone(search.best_estimator_).fit(X, y)
    assert again.n_iter_from_memory_ == 1
    np.testing.assert_array_equal(again.predict_proba(X), search.predict_proba(X))


@pytest.mark.parametrize("is_tuned", [False, True])
def test_pretrained_estimators_are_saved(tmp_path, is_tuned):
    classifier = kn.KerasNetClassifier.from_pretrained("lenet", "mnist", epochs=1, random_state=0)
    if is_tuned:
        classifier.fit(X[:50], y[:50])
    kn.save(classifier, tmp_path / "model.kerasnet")
    loaded = kn.load(tmp_path / "model.kerasnet")
    np.testing.assert_array_equal(loaded.predict_proba(X), classifier.predict_proba(X))
    assert loaded.get_params() == {**classifier.get_params(), "callbacks": None}


def test_values_outside_the_pretrained_range_issue_a_warning():
    classifier = kn.KerasNetClassifier.from_pretrained("simple_rnn", "mnist")
    with pytest.warns(UserWarning, match=r"'mnist' of KerasNetClassifier expect values in \[0, 1\].* 255\. Divide X"):
        classifier.predict(X[:5])


@pytest.mark.parametrize(
    ("name", "weights", "error", "message"),
    [
        ("lenet", "cifar", ValueError, r"weights of the model 'lenet' must be None or .*'mnist'\. Received: 'cifar'"),
        ("mlp", "mnist", ValueError, r"'mlp' must be None.*list_models\(weights=True\)"),
        ("lenett", "mnist", UnknownModelError, "Did you mean: lenet"),
    ],
)
def test_unknown_models_and_weights_are_rejected(name, weights, error, message):
    with pytest.raises(error, match=message):
        kn.KerasNetClassifier.from_pretrained(name, weights)
    with pytest.raises((error, TypeError), match=message):
        kn.KerasNetClassifier(name, weights=weights).fit(X, y)


def test_images_of_a_different_size_are_rejected():
    with pytest.raises(CheckpointMismatchError, match=r"dense_1/kernel.*samples of shape \(28, 28, 1\)"):
        kn.KerasNetClassifier("lenet", weights="mnist").fit(X[:, :20, :20], y)
    with pytest.raises(ValueError, match="expecting|shape"):
        kn.KerasNetClassifier.from_pretrained("lenet", "mnist").predict(X[:, :20, :20])


@pytest.mark.parametrize(("estimator", "name"), [(kn.CNNClassifier, "cnn"), (kn.SimpleRNNClassifier, "simple_rnn")])
def test_estimators_with_a_fixed_architecture_take_weights(estimator, name):
    tuned = estimator(weights="mnist", epochs=1, learning_rate=1e-9, random_state=0).fit(as_model_input(name), y)
    assert tuned.score(as_model_input(name), y) > 0.94
    assert clone(tuned).get_params()["weights"] == "mnist"


def test_autoencoders_and_classifiers_are_not_mixed_up():
    with pytest.raises(ValueError, match="does not support the model 'autoencoder'.* Use Autoencoder"):
        kn.KerasNetClassifier.from_pretrained("autoencoder", "mnist")
    with pytest.raises(ValueError, match="does not support the model 'lenet'.* Use KerasNetClassifier"):
        kn.Autoencoder.from_pretrained("lenet", "mnist")


@pytest.mark.parametrize(
    ("shape", "message"),
    [((2, 28, 28, 3), r"\(28, 28, 3\).*color_mode="), ((2, 28, 32), r"\(28, 32, 1\).*image_size=")],
)
def test_images_of_another_shape_raise_an_error_that_names_the_conversion(shape, message):
    classifier = kn.KerasNetClassifier.from_pretrained("lenet", "mnist")
    with pytest.raises(ValueError, match=rf"fitted on samples of shape \(28, 28, 1\)\. Received: .*{message}"):
        classifier.predict(np.zeros(shape, np.uint8))
