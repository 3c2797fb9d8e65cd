"""Outputs of classifiers: one-hot targets, logits and invalid probabilities."""

import keras
import numpy as np
import pytest
from _longer import longer
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.preprocessing import StandardScaler

import kerasnet as kn
from kerasnet import KerasNetClassifier


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X), y


def build(input_shape, n_outputs, activation="softmax"):
    return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(n_outputs, activation)])


def build_logits(input_shape, n_outputs):
    return build(input_shape, n_outputs, None)


def build_one_logit(input_shape):
    return build(input_shape, 1, None)


def build_compiled(input_shape, n_outputs):
    model = build(input_shape, n_outputs)
    model.compile(keras.optimizers.Adam(0.05), "categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.mark.parametrize(
    "loss",
    longer(
        ["categorical_crossentropy", "CategoricalFocalCrossentropy", "sparse_categorical_crossentropy"],
        ["CategoricalFocalCrossentropy"],
    ),
)
def test_one_hot_targets_with_categorical_loss_are_single_label(loss, iris):
    X, y = iris
    one_hot = np.eye(3, dtype=int)[y]
    given = {"loss": loss, "epochs": 30, "optimizer": "sgd", "learning_rate": 0.2, "random_state": 0}
    classifier = KerasNetClassifier("mlp", **given).fit(X, one_hot)
    assert (classifier.predict(X).sum(axis=1) == 1).all()
    assert classifier.score(X, one_hot) > 0.9
    np.testing.assert_allclose(classifier.predict_proba(X).sum(axis=1), 1, atol=1e-5)
    by_number = KerasNetClassifier("mlp", **given).fit(X, y)
    np.testing.assert_array_equal(by_number.predict_proba(X), classifier.predict_proba(X))


def test_one_hot_targets_of_a_compiling_builder(iris):
    X, y = iris
    one_hot = np.eye(3, dtype=int)[y]
    classifier = KerasNetClassifier(build_compiled, epochs=20, random_state=0).fit(X, one_hot)
    assert (classifier.predict(X).sum(axis=1) == 1).all()
    assert classifier.score(X, one_hot) > 0.9
    held_out = KerasNetClassifier(build_compiled, epochs=3, early_stopping=True, random_state=0).fit(X, one_hot)
    assert len(held_out.history_["val_loss"]) == 3


def test_categorical_loss_rejects_multilabel_rows(iris):
    X, y = iris
    multilabel = np.c_[np.eye(3, dtype=int)[y][:, :2], np.ones(len(y), int)]
    with pytest.raises(ValueError, match=r"exactly one label per sample. Received: y with 1 to 2 labels per row"):
        KerasNetClassifier("mlp", loss="categorical_crossentropy", epochs=1).fit(X, multilabel)
    assert KerasNetClassifier("mlp", epochs=1).fit(X, multilabel).predict(X).shape == (150, 3)


def test_softmax_for_multilabel_targets_raises_an_error(iris):
    X, y = iris
    with pytest.raises(ValueError, match='set loss="categorical_crossentropy"'):
        KerasNetClassifier(build, epochs=1).fit(X, np.eye(3, dtype=int)[y])


def compiled_without_from_logits(input_shape, n_outputs):
    model = build_logits(input_shape, n_outputs)
    model.compile("adam", "sparse_categorical_crossentropy")
    return model


class SubclassedLogits(keras.Model):
    """A subclassed model with logits as outputs."""

    def __init__(self, n_outputs):
        super().__init__()
        self.softmax_named = keras.layers.Dense(n_outputs, name="softmax")

    def call(self, inputs):
        return self.softmax_named(inputs)


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        (build_logits, {}),
        (build_logits, {"loss": "sparse_categorical_crossentropy"}),
        (build_logits, {"loss": "categorical_crossentropy"}),
        (compiled_without_from_logits, {}),
        (lambda n_outputs: SubclassedLogits(n_outputs), {}),
        (lambda input_shape, n_outputs: build(input_shape, n_outputs, "sigmoid"), {}),
    ],
)
def test_invalid_probabilities_raise_an_error_before_training(model, parameters, iris):
    estimator = KerasNetClassifier(model, epochs=1, random_state=0, **parameters)
    with pytest.raises(ValueError, match=r"must be probabilities\. .*softmax.*from_logits=True"):
        estimator.fit(*iris)
    assert not hasattr(estimator, "model_")


def test_single_logit_requires_a_loss_with_from_logits():
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    with pytest.raises(ValueError, match=r"sigmoid.*BinaryCrossentropy\(from_logits=True\)"):
        KerasNetClassifier(build_one_logit).fit(X, y)
    named = {"loss": "binary_crossentropy", "loss__from_logits": True}
    classifier = KerasNetClassifier(build_one_logit, epochs=20, random_state=0, **named).fit(X, y)
    probabilities = classifier.predict_proba(X)
    assert 0 <= probabilities.min() < probabilities.max() <= 1
    assert classifier.score(X, y) > 0.9


def test_predict_proba_with_a_different_loss_raises_an_error(iris):
    classifier = KerasNetClassifier(
        build_logits, loss="categorical_hinge", epochs=20, learning_rate=0.05, random_state=0
    )
    assert classifier.fit(*iris).score(*iris) > 0.8
    with pytest.raises(ValueError, match="must be probabilities"):
        classifier.predict_proba(iris[0])


def test_loss_different_from_the_compiled_loss_raises_an_error(iris):
    with pytest.raises(ValueError, match="loss='mse' but model compiled with categorical_crossentropy"):
        KerasNetClassifier(build_compiled, loss="mse").fit(*iris)


def test_model_compiled_without_loss_raises_an_error(iris):
    def build_without(input_shape, n_outputs):
        model = build(input_shape, n_outputs)
        model.compile("adam")
        return model

    with pytest.raises(ValueError, match="must provide a loss"):
        KerasNetClassifier(build_without).fit(*iris)


@pytest.mark.parametrize(
    "initial",
    [
        {"kernel_initializer": "zeros"},
        pytest.param({"bias_initializer": keras.initializers.Constant(0.5)}, marks=pytest.mark.exhaustive),
    ],
)
def test_logits_that_are_valid_probabilities_at_first_raise_an_error_after_training(initial):
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)

    def build_quiet(input_shape):
        kernel = keras.initializers.RandomUniform(0, 1e-4, seed=1)
        return keras.Sequential(
            [keras.Input(input_shape), keras.layers.Dense(1, **{"kernel_initializer": kernel, **initial})]
        )

    estimator = KerasNetClassifier(build_quiet, epochs=5, learning_rate=0.05, random_state=0)
    with pytest.raises(ValueError, match="must be probabilities"):
        estimator.fit(X, y)
    assert not hasattr(estimator, "model_")


@pytest.mark.parametrize("n_classes", longer([2, 3], [2]))  # two classes of a builder: see above
def test_registered_models_return_logits_for_a_loss_of_logits(n_classes, iris, tmp_path):
    X, y = iris
    X, y = X[y < n_classes], y[y < n_classes]
    loss = "BinaryCrossentropy" if n_classes == 2 else "SparseCategoricalCrossentropy"
    settings = {"dense_units": 8, "epochs": 3, "random_state": 0}
    expected = KerasNetClassifier("mlp", **settings).fit(X, y).predict_proba(X)
    classifiers = [
        KerasNetClassifier("mlp", loss=loss, loss__from_logits=True, **settings),
        KerasNetClassifier("mlp", loss=getattr(keras.losses, loss)(from_logits=True), **settings),
    ]
    for classifier in classifiers:
        probabilities = classifier.fit(X, y).predict_proba(X)
        np.testing.assert_allclose(probabilities, expected, atol=1e-5)
        assert classifier.model_.layers[-1].activation is keras.activations.linear
    kn.save(classifiers[0], tmp_path / "model.kerasnet")
    loaded = kn.load(tmp_path / "model.kerasnet")
    np.testing.assert_array_equal(loaded.predict_proba(X), classifiers[0].predict_proba(X))


@pytest.mark.parametrize("values", [(1, 2), (-1, 1)])
def test_multilabel_targets_other_than_0_and_1_raise(values, iris):
    X, y = iris
    targets = np.where(np.stack([y > 0, y > 1], axis=1), values[1], values[0])
    with pytest.raises(ValueError, match=rf"must contain only 0 and 1\. Received: \[{values[0]}, {values[1]}\]"):
        KerasNetClassifier("mlp").fit(X, targets)
