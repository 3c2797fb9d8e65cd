"""Fitted estimators from trained Keras models."""

import pickle

import keras
import numpy as np
import pytest
from _keras import outputs_of
from _longer import longer
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

import kerasnet as kn

RNG = np.random.default_rng(0)
X = RNG.random((60, 4), np.float32)


def network(n_outputs=3, activation="softmax", *more):
    """Build a network that no registered builder builds."""
    layers = [keras.Input((4,)), keras.layers.Dense(5, "relu"), keras.layers.Dense(n_outputs, activation), *more]
    return keras.Sequential(layers)


@pytest.mark.parametrize("classes", [["a", "b", "c"], ["c", "a", "b"], [30, 10, 20], None])
def test_probabilities_belong_to_their_classes(classes):
    model = kn.build_mlp((4,), 3)
    classifier = kn.KerasNetClassifier.from_keras(model, classes=classes)
    expected, labels = outputs_of(model, X), np.arange(3) if classes is None else np.array(classes)
    order = np.argsort(labels)
    np.testing.assert_allclose(classifier.predict_proba(X), expected[:, order], atol=1e-6)
    np.testing.assert_array_equal(classifier.predict(X), labels[expected.argmax(axis=1)])
    np.testing.assert_array_equal(classifier.classes_, np.sort(labels))
    np.testing.assert_allclose(classifier.predict_log_proba(X), np.log(expected[:, order]), atol=1e-5)
    assert classifier.score(X, classifier.predict(X)) == 1


@pytest.mark.parametrize("classes", [["cat", "dog"], ["dog", "cat"]])
@pytest.mark.parametrize("from_logits", [False, True])
def test_one_output_is_the_probability_of_the_second_class(classes, from_logits):
    model = network(1, "linear" if from_logits else "sigmoid")
    model.compile(loss=keras.losses.BinaryCrossentropy(from_logits=from_logits))
    classifier = kn.KerasNetClassifier.from_keras(model, classes=classes)
    raw = outputs_of(model, X)[:, 0]
    expected = 1 / (1 + np.exp(-raw)) if from_logits else raw
    second = classifier.predict_proba(X)[:, classifier.classes_.tolist().index(classes[1])]
    np.testing.assert_allclose(second, expected, atol=1e-6)


def test_classes_are_reordered_before_a_softmax_layer():
    model = network(3, "linear", keras.layers.Softmax())
    classifier = kn.KerasNetClassifier.from_keras(model, classes=["c", "b", "a"])
    np.testing.assert_allclose(classifier.predict_proba(X)[:, ::-1], outputs_of(model, X), atol=1e-6)


def test_outputs_that_cannot_be_reordered_are_rejected():
    model = network(3, "linear", keras.layers.LayerNormalization(), keras.layers.Softmax())
    with pytest.raises(ValueError, match=r"sorted classes.*cannot be reordered.*\['c', 'b', 'a'\]"):
        kn.KerasNetClassifier.from_keras(model, classes=["c", "b", "a"])


def test_logits_require_a_loss_with_from_logits():
    model = network(3, "linear")
    with pytest.raises(ValueError, match="from_logits=True"):
        kn.KerasNetClassifier.from_keras(model).predict_proba(X)
    loss = {"loss": "SparseCategoricalCrossentropy", "loss__from_logits": True}
    classifier = kn.KerasNetClassifier.from_keras(model, **loss)
    expected = keras.ops.softmax(outputs_of(model, X))
    np.testing.assert_allclose(classifier.predict_proba(X), expected, atol=1e-6)


def test_multilabel_outputs_are_detected():
    model = network(3, "sigmoid")
    model.compile(loss="binary_crossentropy")
    for each in (model, network(3, "sigmoid")):
        classifier = kn.KerasNetClassifier.from_keras(each)
        np.testing.assert_array_equal(classifier.predict(X), outputs_of(each, X) > 0.5)
        with pytest.raises(ValueError, match="are multilabel"):
            kn.KerasNetClassifier.from_keras(each, classes=["a", "b", "c"])


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_regressors_predict_the_outputs(n_outputs, tmp_path):
    model = kn.build_mlp((4,), n_outputs, output_activation="linear")
    regressor = kn.KerasNetRegressor.from_keras(model)
    expected = outputs_of(model, X)
    np.testing.assert_allclose(regressor.predict(X), expected[:, 0] if n_outputs == 1 else expected, rtol=1e-5)
    kn.save(regressor, tmp_path / "model.kerasnet")
    np.testing.assert_array_equal(kn.load(tmp_path / "model.kerasnet").predict(X), regressor.predict(X))


def test_model_of_the_user_is_not_changed():
    model = network()
    model.compile("sgd", "sparse_categorical_crossentropy")
    before = [value.copy() for value in model.get_weights()]
    classifier = kn.KerasNetClassifier.from_keras(model, classes=[2, 1, 0], epochs=1)
    labels = classifier.predict(X)
    classifier.partial_fit(X, labels).fit(X, RNG.integers(0, 3, 60))
    assert clone(classifier).fit(X, RNG.integers(0, 3, 60)).n_iter_ == 1
    for value, now in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(now, value)
    uncompiled = network()
    kn.KerasNetClassifier.from_keras(uncompiled)
    assert not uncompiled.compiled


def test_trained_model_can_be_calibrated_and_pickled():
    classifier = kn.KerasNetClassifier.from_keras(network(), classes=["a", "b", "c"])
    calibrated = CalibratedClassifierCV(FrozenEstimator(classifier)).fit(X, np.array(["a", "b", "c"] * 20))
    assert calibrated.predict_proba(X).shape == (60, 3)
    copied = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(copied.predict_proba(X), classifier.predict_proba(X))


@pytest.mark.parametrize("name", longer(["cnn", "lenet", "simple_rnn", "mlp"], ["lenet"]))
def test_networks_of_registered_builders_are_saved(name, tmp_path):
    model = kn.create_model(name, n_outputs=3)
    model.compile("adam", "sparse_categorical_crossentropy")
    samples = RNG.random((4, *model.input_shape[1:]), np.float32)
    classifier = kn.KerasNetClassifier.from_keras(model, classes=["c", "b", "a"])
    kn.save(classifier, tmp_path / "model.kerasnet")
    loaded = kn.load(tmp_path / "model.kerasnet")
    assert loaded.model == name
    np.testing.assert_array_equal(loaded.predict_proba(samples), classifier.predict_proba(samples))


def test_other_networks_are_not_saved(tmp_path):
    with pytest.raises(ValueError, match="no registered builder builds the network of 'sequential"):
        kn.save(kn.KerasNetClassifier.from_keras(network()), tmp_path / "model.kerasnet")
    model = kn.build_mlp((4,), 3, output_activation="linear")
    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    with pytest.raises(ValueError, match="Pass this loss to from_keras by name"):
        kn.save(kn.KerasNetClassifier.from_keras(model), tmp_path / "model.kerasnet")
    loss = {"loss": "SparseCategoricalCrossentropy", "loss__from_logits": True}
    classifier = kn.KerasNetClassifier.from_keras(model, **loss)
    kn.save(classifier, tmp_path / "model.kerasnet")
    np.testing.assert_array_equal(kn.load(tmp_path / "model.kerasnet").predict_proba(X), classifier.predict_proba(X))


def test_inputs_of_unknown_size_require_input_shape():
    model = kn.build_lstm((None, 2), 3)
    with pytest.raises(ValueError, match=r"expects samples of shape \(None, 2\).*Set input_shape"):
        kn.KerasNetClassifier.from_keras(model)
    classifier = kn.KerasNetClassifier.from_keras(model, input_shape=(7, 2))
    assert classifier.predict(np.zeros((3, 7, 2), np.float32)).shape == (3,)


def test_uint8_images_issue_a_warning():
    classifier = kn.KerasNetClassifier.from_keras(kn.build_cnn((8, 8, 1), 2, filters=(2,), output_activation="softmax"))
    with pytest.warns(UserWarning, match="X has dtype uint8"):
        classifier.predict(np.zeros((2, 8, 8, 1), np.uint8))


class Subclass(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = keras.layers.Dense(3, activation="softmax")

    def call(self, values):
        return self.dense(values)


def two_outputs():
    model = network()
    return keras.Model(model.inputs, [model.outputs[0], model.outputs[0]])


@pytest.mark.parametrize(
    ("model", "classes", "error", "message"),
    [
        (kn.build_mlp, None, TypeError, "must be a trained keras.Model. Received: <function"),
        (network, ["a", "b"], ValueError, r"classes must contain 3 different labels.*Received: \['a', 'b'\]"),
        (network, ["a", "a", "b"], ValueError, "different labels"),
        (lambda: keras.Sequential([keras.layers.Dense(3)]), None, ValueError, "Call a sequential model once"),
        (Subclass, None, ValueError, "is a subclass of keras.Model"),
        (two_outputs, None, ValueError, r"Select an output with keras.Model\(model.inputs, model.outputs\[0\]\)"),
        (network, [None, "a", "b"], ValueError, "Unknown label type"),
        (network, [0.5, 1, 2], ValueError, "Unknown label type: continuous"),
        (lambda: keras.Sequential([keras.Input((4, 2)), keras.layers.Dense(3)]), None, ValueError, "outputs of shape"),
    ],
)
def test_unsuitable_models_are_rejected(model, classes, error, message):
    with pytest.raises(error, match=message):
        kn.KerasNetClassifier.from_keras(model if error is TypeError else model(), classes=classes)


def test_integer_inputs_are_not_divided_by_255():
    layers = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(3, "softmax")]
    model = keras.Sequential([keras.Input((4, 4, 1), dtype="uint8"), *layers])
    images = RNG.integers(0, 256, (20, 4, 4, 1)).astype(np.uint8)
    classifier = kn.KerasNetClassifier.from_keras(model)
    np.testing.assert_allclose(classifier.predict_proba(images), model.predict(images, verbose=0), atol=1e-6)


def test_parameters_of_an_uncompiled_model_can_be_changed():
    y = RNG.integers(0, 3, 60)
    classifier = kn.KerasNetClassifier.from_keras(network(), epochs=3, random_state=0)
    losses = classifier.set_params(learning_rate=1e-12).fit(X, y).history_["loss"]
    np.testing.assert_allclose(losses, losses[0], rtol=1e-5)
    losses = classifier.set_params(optimizer="sgd", learning_rate=0.01).fit(X, y).history_["loss"]
    assert losses[-1] < losses[0] - 1e-4
    assert isinstance(classifier.model_.optimizer, keras.optimizers.SGD)


def dense_used_twice():
    inputs, dense = keras.Input((4,)), keras.layers.Dense(3)
    hidden = dense(keras.layers.Dense(3)(inputs))
    return keras.Model(inputs, keras.layers.Softmax()(dense(hidden)))


@pytest.mark.parametrize(
    ("model", "classes"),
    [(dense_used_twice, "cab"), (lambda: network(1, "relu", keras.layers.Activation("sigmoid")), "ba")],
    ids=["Dense layer used twice", "not symmetric"],
)
def test_outputs_are_only_reordered_where_this_is_equivalent(model, classes):
    with pytest.raises(ValueError, match="cannot be reordered"):
        kn.KerasNetClassifier.from_keras(model(), classes=list(classes))
