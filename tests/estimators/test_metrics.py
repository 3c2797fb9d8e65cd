"""Metrics and losses see targets in the shape of the outputs; their values are scikit-learn's."""

import functools

import keras
import numpy as np
import pytest
from _longer import longer
from keras import ops
from sklearn import metrics
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, make_multilabel_classification
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from kerasnet import KerasNetClassifier, KerasNetRegressor


@pytest.fixture(scope="module")
def two_classes():
    X, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(X), y


@pytest.fixture(scope="module")
def three_classes():
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X), y


FULL = {"batch_size": -1, "optimizer": "sgd", "learning_rate": 0.2, "random_state": 0}


def f1_of_one_column(y_true, y_pred):
    assert y_true.shape[1:] == y_pred.shape[1:] == (1,)
    predicted = ops.round(y_pred)
    return 2 * ops.sum(y_true * predicted) / (ops.sum(y_true) + ops.sum(predicted))


def accuracy_of_rows(y_true, y_pred):
    assert y_true.shape[1:] == y_pred.shape[1:] == (3,)
    return ops.cast(ops.argmax(y_true, axis=-1) == ops.argmax(y_pred, axis=-1), "float32")


class Accuracy(keras.Metric):
    """A metric of a user's own, which takes no dtype."""

    def __init__(self, name="own"):
        super().__init__(name=name)
        self.right = self.add_weight(name="right", initializer="zeros")
        self.all = self.add_weight(name="all", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.right.assign_add(ops.sum(accuracy_of_rows(y_true, y_pred)))
        self.all.assign_add(ops.cast(ops.shape(y_true)[0], "float32"))

    def result(self):
        return self.right / self.all


def validated(estimator, X, y):
    """Fit, and return the last validation value of each metric."""
    history = estimator.fit(X, y, X_val=X, y_val=y).history_
    return {name.removeprefix("val_"): np.ravel(values[-1]) for name, values in history.items() if name[:4] == "val_"}


def test_metrics_of_two_classes_are_scikit_learns(two_classes):
    X, y = two_classes
    names = ["accuracy", "AUC", "Precision", "Recall", "F1Score", "binary_accuracy", "binary_crossentropy"]
    names += ["categorical_accuracy", "sparse_categorical_accuracy", "categorical_crossentropy"]
    given = [*names, keras.metrics.F1Score(threshold=0.5, name="at_half"), keras.metrics.OneHotMeanIoU(2, name="iou")]
    classifier = KerasNetClassifier("mlp", **FULL, metrics=[*given, f1_of_one_column], epochs=9)
    found = validated(classifier, X, y)
    predicted, probabilities = classifier.predict(X), classifier.predict_proba(X)
    accuracy, f1 = metrics.accuracy_score(y, predicted), metrics.f1_score(y, predicted)
    expected = {
        **dict.fromkeys(
            ("accuracy", "binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy"), accuracy
        ),
        **dict.fromkeys(("F1Score", "at_half", "f1_of_one_column"), f1),
        **dict.fromkeys(("binary_crossentropy", "categorical_crossentropy"), metrics.log_loss(y, probabilities)),
        "Precision": metrics.precision_score(y, predicted),
        "Recall": metrics.recall_score(y, predicted),
        "iou": metrics.jaccard_score(y, predicted, average="macro"),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-4), name
    assert found["AUC"] == pytest.approx(metrics.roc_auc_score(y, probabilities[:, 1]), abs=2e-3)


@pytest.mark.parametrize(
    "loss", longer([None, "categorical_crossentropy", "kl_divergence"], ["categorical_crossentropy"])
)
def test_metrics_of_three_classes_are_those_of_one_hot_targets_whatever_the_loss(three_classes, loss):
    X, y = three_classes
    given = ["accuracy", "categorical_accuracy", "sparse_categorical_accuracy", "AUC", "Precision", "F1Score"]
    given += [keras.metrics.categorical_crossentropy, accuracy_of_rows, Accuracy]
    given += [keras.metrics.MeanMetricWrapper(accuracy_of_rows, name="wrapped")]
    classifier = KerasNetClassifier(
        "mlp", loss=loss, metrics=given, epochs=9, optimizer="sgd", learning_rate=0.2, random_state=0
    )
    found = validated(classifier, X, y)
    one_hot, probabilities = np.eye(3)[y], classifier.predict_proba(X)
    accuracy = metrics.accuracy_score(y, classifier.predict(X))
    for name in (
        "accuracy",
        "categorical_accuracy",
        "sparse_categorical_accuracy",
        "accuracy_of_rows",
        "own",
        "wrapped",
    ):
        assert found[name] == pytest.approx(accuracy, abs=1e-4), name
    assert found["F1Score"] == pytest.approx(metrics.f1_score(y, classifier.predict(X), average=None), abs=1e-4)
    precision = metrics.precision_score(one_hot.ravel(), probabilities.ravel() > 0.5)
    assert found["Precision"] == pytest.approx(precision, abs=1e-4)
    assert found["AUC"] == pytest.approx(metrics.roc_auc_score(one_hot.ravel(), probabilities.ravel()), abs=5e-3)


def test_metrics_of_several_labels(three_classes):
    X, y = make_multilabel_classification(200, n_features=8, n_classes=4, random_state=0)
    X = StandardScaler().fit_transform(X)
    classifier = KerasNetClassifier(
        "mlp", metrics=["accuracy", "F1Score"], epochs=20, learning_rate=0.01, random_state=0
    )
    found = validated(classifier, X, y)
    predicted = classifier.predict(X)
    assert found["accuracy"] == pytest.approx((predicted == y).mean(), abs=1e-4)
    assert found["F1Score"] == pytest.approx(metrics.f1_score(y, predicted, average=None), abs=1e-4)


def test_keras_metrics_of_logits_see_probabilities(two_classes, three_classes):
    def logits(input_shape, n_outputs, output_activation=None):
        return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(n_outputs)])

    loss = {2: "binary_crossentropy", 3: "sparse_categorical_crossentropy"}
    for X, y in (two_classes, three_classes):
        n_classes = len(np.unique(y))
        parameters = {"loss": loss[n_classes], "loss__from_logits": True, "metrics": ["accuracy", "F1Score"]}
        parameters["metrics"] += ["AUC"] if n_classes == 2 else []
        classifier = KerasNetClassifier(
            logits, epochs=5, optimizer="sgd", learning_rate=0.2, random_state=0, **parameters
        )
        found = validated(classifier, X, y)
        average = "binary" if n_classes == 2 else None
        assert found["accuracy"] == pytest.approx(classifier.score(X, y), abs=1e-4)
        assert found["F1Score"] == pytest.approx(metrics.f1_score(y, classifier.predict(X), average=average), abs=1e-4)
        if n_classes == 2:
            assert found["AUC"] == pytest.approx(metrics.roc_auc_score(y, classifier.predict_proba(X)[:, 1]), abs=2e-3)


def test_metrics_of_a_regressor_are_scikit_learns():
    X, y = load_diabetes(return_X_y=True)
    y = (y - y.mean()) / y.std()
    regressor = KerasNetRegressor("mlp", metrics=["R2Score", "mae", lambda t, p: t * p], epochs=5, random_state=0)
    found = validated(regressor, X, y)
    assert found["R2Score"] == pytest.approx(regressor.score(X, y), abs=1e-4)
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(y, regressor.predict(X)), abs=1e-4)


def test_validation_batches_are_of_batch_size_as_in_keras(two_classes):
    X, y = two_classes

    def rows(y_true, y_pred):
        return ops.cast(ops.shape(y_true)[0], "float32")

    def validated_rows(**parameters):
        classifier = KerasNetClassifier("mlp", metrics=[rows], epochs=1, optimizer="sgd", **parameters)
        return validated(classifier, X[:100], y[:100])["rows"]

    assert validated_rows(batch_size=50) == 50
    assert validated_rows(batch_size=-1) == 100
    assert validated_rows(batch_size=50, fit__validation_batch_size=25) == 25


def test_weighted_metrics_are_right_too(three_classes):
    X, y = three_classes
    classifier = KerasNetClassifier("mlp", compile__weighted_metrics=["categorical_accuracy"], epochs=3, random_state=0)
    assert validated(classifier, X, y)["categorical_accuracy"] == pytest.approx(classifier.score(X, y), abs=1e-4)


def test_an_error_names_the_metric_not_the_loss(three_classes):
    def broken(y_true, y_pred):
        return ops.matmul(y_true, y_pred)

    with pytest.raises(ValueError, match="The metric 'broken' cannot be computed from targets of shape"):
        KerasNetClassifier("mlp", metrics=[broken], epochs=1).fit(*three_classes)
    with pytest.raises(ValueError, match=r"The metric 'mean_io_u' .* sparse_y_pred=False, or use OneHotMeanIoU"):
        KerasNetClassifier("mlp", metrics=[keras.metrics.MeanIoU(3)], epochs=1).fit(*three_classes)


def test_losses_of_one_output_see_one_column_of_floats(two_classes):
    seen = []

    def loss(y_true, y_pred):
        seen.append((tuple(y_true.shape[1:]), tuple(y_pred.shape[1:]), keras.backend.standardize_dtype(y_true.dtype)))
        return keras.losses.binary_crossentropy(y_true, y_pred)

    assert KerasNetClassifier("mlp", loss=loss, epochs=9, random_state=0).fit(*two_classes).score(*two_classes) > 0.9
    assert {*seen} == {((1,), (1,), "float32")}


def test_several_outputs_have_the_default_metric_each(three_classes):
    X, y = three_classes

    class TwoHeads(KerasNetClassifier):
        @property
        def target_encoder(self):
            return FunctionTransformer(lambda y: [y[:, 0], y[:, 1].astype("float32")])

    def build(input_shape):
        inputs = keras.Input(input_shape)
        heads = keras.layers.Dense(3, "softmax", name="species"), keras.layers.Dense(1, "sigmoid", name="first")
        return keras.Model(inputs, [head(inputs) for head in heads])

    losses = ["sparse_categorical_crossentropy", "binary_crossentropy"]
    estimator = TwoHeads(build, loss=losses, epochs=9, learning_rate=0.1, random_state=0).fit(X, np.c_[y, y == 0])
    species, first = (outputs.numpy() for outputs in estimator.model_(X.astype(np.float32)))
    scores = estimator.model_.evaluate(X, [y, (y == 0).astype("float32")], verbose=0, return_dict=True)
    assert scores["species_accuracy"] == pytest.approx((species.argmax(axis=1) == y).mean(), abs=1e-4)
    assert scores["first_accuracy"] == pytest.approx(((first[:, 0] > 0.5) == (y == 0)).mean(), abs=1e-4)
    assert {"species_accuracy", "first_accuracy"} <= estimator.history_.keys()


@pytest.mark.parametrize(
    ("loss", "parameters"),
    [("sparse_categorical_crossentropy", {"loss__from_logits": False}), ("SparseCategoricalCrossentropy", {})],
)
def test_names_of_losses_take_parameters(loss, parameters, three_classes):
    named = KerasNetClassifier("mlp", loss=loss, epochs=2, optimizer="sgd", random_state=0, **parameters).fit(
        *three_classes
    )
    plain = KerasNetClassifier("mlp", epochs=2, optimizer="sgd", random_state=0).fit(*three_classes)
    np.testing.assert_array_equal(named.predict_proba(three_classes[0]), plain.predict_proba(three_classes[0]))


def test_the_name_of_a_function_takes_the_parameters_of_its_loss():
    X, y = load_diabetes(return_X_y=True)
    fits = [
        KerasNetRegressor("mlp", epochs=2, optimizer="sgd", random_state=0, **given).fit(X, y).predict(X)
        for given in (
            {"loss": "huber", "loss__delta": 0.3},
            {"loss": keras.losses.Huber(delta=0.3)},
            {"loss": "huber"},
        )
    ]
    np.testing.assert_array_equal(fits[0], fits[1])
    assert not np.array_equal(fits[0], fits[2])


def test_two_functions_of_one_name_are_two_metrics(three_classes):
    def make(value):
        def constant(y_true, y_pred):
            return ops.zeros_like(y_pred) + value

        return constant

    for value in (1.0, 2.0):
        for metric in (make(value), keras.metrics.MeanMetricWrapper(make(value), name="constant")):
            classifier = KerasNetClassifier("mlp", metrics=[metric], epochs=1, optimizer="sgd", random_state=0).fit(
                *three_classes
            )
            assert classifier.history_["constant"] == [value]


def test_metrics_of_distributions_and_averages_are_scikit_learns_for_two_classes(two_classes):
    X, y = two_classes
    given = [
        "KLDivergence",
        "kl_divergence",
        *(keras.metrics.F1Score(each, name=each) for each in ("macro", "weighted")),
    ]
    given += [keras.metrics.Precision(class_id=number, name=f"precision_{number}") for number in (0, 1)]
    given += [functools.partial(keras.metrics.categorical_accuracy)]
    classifier = KerasNetClassifier("mlp", metrics=given, epochs=2, **FULL)
    found = validated(classifier, X, y)
    predicted = classifier.predict(X)
    for name in ("KLDivergence", "kl_divergence"):
        assert found[name] == pytest.approx(metrics.log_loss(y, classifier.predict_proba(X)), abs=1e-4)
    for name in ("macro", "weighted"):
        assert found[name] == pytest.approx(metrics.f1_score(y, predicted, average=name), abs=1e-4)
    for number in (0, 1):
        expected = metrics.precision_score(y, predicted, pos_label=number)
        assert found[f"precision_{number}"] == pytest.approx(expected, abs=1e-4)
    assert found["categorical_accuracy"] == pytest.approx(metrics.accuracy_score(y, predicted), abs=1e-4)


@pytest.mark.parametrize("loss", longer(["kl_divergence", "KLDivergence", "cosine_similarity"], ["kl_divergence"]))
def test_losses_of_distributions_learn_two_classes(loss, two_classes):
    X, y = two_classes
    assert KerasNetClassifier("mlp", loss=loss, epochs=5, random_state=0).fit(X, y).score(X, y) > 0.9


@pytest.mark.parametrize("given", [keras.metrics.AUC, ("AUC", "accuracy"), keras.metrics.binary_accuracy])
def test_metrics_may_be_single_or_in_a_tuple(given, two_classes):
    assert len(KerasNetClassifier("mlp", metrics=given, epochs=1, optimizer="sgd").fit(*two_classes).history_) > 1


def test_a_metric_that_fails_while_it_runs_is_named(three_classes):
    def of_indices(y_true, y_pred):
        return keras.metrics.sparse_categorical_accuracy(y_true, y_pred)

    with pytest.raises(ValueError, match="The metric 'of_indices' must match the targets"):
        KerasNetClassifier("mlp", metrics=[of_indices], epochs=1).fit(*three_classes)


def test_partial_functions_are_losses(three_classes):
    def build(input_shape, n_outputs):
        return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(n_outputs)])

    loss = functools.partial(keras.losses.sparse_categorical_crossentropy, from_logits=True)
    classifier = KerasNetClassifier(build, loss=loss, epochs=20, learning_rate=0.05, random_state=0).fit(*three_classes)
    assert classifier.score(*three_classes) > 0.9
    np.testing.assert_allclose(classifier.predict_proba(three_classes[0]).sum(axis=1), 1, atol=1e-5)
