"""Metrics and losses receive targets in the shape of the outputs; metric values equal scikit-learn's."""

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
def binary_data():
    X, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(X), y


@pytest.fixture(scope="module")
def multiclass_data():
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
    """A user-defined metric without the argument dtype."""

    def __init__(self, name="own"):
        super().__init__(name=name)
        self.right = self.add_weight(name="right", initializer="zeros")
        self.all = self.add_weight(name="all", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.right.assign_add(ops.sum(accuracy_of_rows(y_true, y_pred)))
        self.all.assign_add(ops.cast(ops.shape(y_true)[0], "float32"))

    def result(self):
        return self.right / self.all


def fit_and_evaluate(estimator, X, y):
    """Fit, and return the validation metrics of the last epoch."""
    history = estimator.fit(X, y, X_val=X, y_val=y).history_
    return {name.removeprefix("val_"): np.ravel(values[-1]) for name, values in history.items() if name[:4] == "val_"}


def test_binary_metrics_equal_scikit_learn(binary_data):
    X, y = binary_data
    names = ["accuracy", "AUC", "Precision", "Recall", "F1Score", "binary_accuracy", "binary_crossentropy"]
    names += ["sparse_categorical_accuracy", "categorical_crossentropy", "KLDivergence", "kl_divergence"]
    given = [*names, keras.metrics.F1Score(threshold=0.5, name="at_half"), keras.metrics.OneHotMeanIoU(2, name="iou")]
    given += [functools.partial(keras.metrics.categorical_accuracy)]
    given += [keras.metrics.F1Score(average, name=average) for average in ("macro", "weighted")]
    given += [keras.metrics.Precision(class_id=number, name=f"precision_{number}") for number in (0, 1)]
    classifier = KerasNetClassifier("mlp", **FULL, metrics=[*given, f1_of_one_column], epochs=9)
    found = fit_and_evaluate(classifier, X, y)
    predicted, probabilities = classifier.predict(X), classifier.predict_proba(X)
    accuracy, f1 = metrics.accuracy_score(y, predicted), metrics.f1_score(y, predicted)
    expected = {
        **dict.fromkeys(
            ("accuracy", "binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy"), accuracy
        ),
        **dict.fromkeys(("F1Score", "at_half", "f1_of_one_column"), f1),
        **dict.fromkeys(
            ("binary_crossentropy", "categorical_crossentropy", "KLDivergence", "kl_divergence"),
            metrics.log_loss(y, probabilities),
        ),
        **{average: metrics.f1_score(y, predicted, average=average) for average in ("macro", "weighted")},
        **{f"precision_{number}": metrics.precision_score(y, predicted, pos_label=number) for number in (0, 1)},
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
def test_multiclass_metrics_do_not_depend_on_the_loss(multiclass_data, loss):
    X, y = multiclass_data
    given = ["accuracy", "categorical_accuracy", "sparse_categorical_accuracy", "Precision"]
    given += ["F1Score", accuracy_of_rows, Accuracy, *(["AUC"] if loss is None else [])]
    given += [keras.metrics.MeanMetricWrapper(accuracy_of_rows, name="wrapped")]
    classifier = KerasNetClassifier(
        "mlp", loss=loss, metrics=given, epochs=9, optimizer="sgd", learning_rate=0.2, random_state=0
    )
    found = fit_and_evaluate(classifier, X, y)
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
    if loss is None:
        assert found["AUC"] == pytest.approx(metrics.roc_auc_score(one_hot.ravel(), probabilities.ravel()), abs=5e-3)


def test_multilabel_metrics(multiclass_data):
    X, y = make_multilabel_classification(200, n_features=8, n_classes=4, random_state=0)
    X = StandardScaler().fit_transform(X)
    classifier = KerasNetClassifier(
        "mlp", metrics=["accuracy", "F1Score"], epochs=20, learning_rate=0.01, random_state=0
    )
    found = fit_and_evaluate(classifier, X, y)
    predicted = classifier.predict(X)
    assert found["accuracy"] == pytest.approx((predicted == y).mean(), abs=1e-4)
    assert found["F1Score"] == pytest.approx(metrics.f1_score(y, predicted, average=None), abs=1e-4)


@pytest.mark.parametrize("n_classes", longer([2, 3], [3]))  # three classes: see test_outputs.py
def test_keras_metrics_receive_probabilities_for_logits(n_classes, binary_data, multiclass_data):
    def logits(input_shape, n_outputs, output_activation=None):
        return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(n_outputs)])

    X, y = binary_data if n_classes == 2 else multiclass_data
    loss = "binary_crossentropy" if n_classes == 2 else "sparse_categorical_crossentropy"
    parameters = {"loss": loss, "loss__from_logits": True, "metrics": ["accuracy", "F1Score"]}
    parameters["metrics"] += ["AUC"] if n_classes == 2 else []
    classifier = KerasNetClassifier(logits, epochs=5, optimizer="sgd", learning_rate=0.2, random_state=0, **parameters)
    found = fit_and_evaluate(classifier, X, y)
    average = "binary" if n_classes == 2 else None
    assert found["accuracy"] == pytest.approx(classifier.score(X, y), abs=1e-4)
    assert found["F1Score"] == pytest.approx(metrics.f1_score(y, classifier.predict(X), average=average), abs=1e-4)
    if n_classes == 2:
        assert found["AUC"] == pytest.approx(metrics.roc_auc_score(y, classifier.predict_proba(X)[:, 1]), abs=2e-3)


def test_regression_metrics_equal_scikit_learn():
    X, y = load_diabetes(return_X_y=True)
    y = (y - y.mean()) / y.std()
    regressor = KerasNetRegressor("mlp", metrics=["R2Score", "mae", lambda t, p: t * p], epochs=5, random_state=0)
    found = fit_and_evaluate(regressor, X, y)
    assert found["R2Score"] == pytest.approx(regressor.score(X, y), abs=1e-4)
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(y, regressor.predict(X)), abs=1e-4)


def test_validation_uses_batch_size_as_in_keras(binary_data):
    X, y = binary_data

    def rows(y_true, y_pred):
        return ops.cast(ops.shape(y_true)[0], "float32")

    def validation_batch_sizes(**parameters):
        classifier = KerasNetClassifier("mlp", metrics=[rows], epochs=1, optimizer="sgd", **parameters)
        return fit_and_evaluate(classifier, X[:100], y[:100])["rows"]

    assert validation_batch_sizes(batch_size=50) == 50
    assert validation_batch_sizes(batch_size=-1) == 100
    assert validation_batch_sizes(batch_size=50, fit__validation_batch_size=25) == 25


def test_weighted_metrics(multiclass_data):
    X, y = multiclass_data
    classifier = KerasNetClassifier("mlp", compile__weighted_metrics=["categorical_accuracy"], epochs=3, random_state=0)
    assert fit_and_evaluate(classifier, X, y)["categorical_accuracy"] == pytest.approx(classifier.score(X, y), abs=1e-4)


def test_metric_errors_name_the_metric(multiclass_data):
    def broken(y_true, y_pred):
        return ops.matmul(y_true, y_pred)

    with pytest.raises(ValueError, match="The metric 'broken' cannot be computed from targets of shape"):
        KerasNetClassifier("mlp", metrics=[broken], epochs=1).fit(*multiclass_data)
    with pytest.raises(ValueError, match=r"The metric 'mean_io_u' .* sparse_y_pred=False, or use OneHotMeanIoU"):
        KerasNetClassifier("mlp", metrics=[keras.metrics.MeanIoU(3)], epochs=1).fit(*multiclass_data)


def test_losses_of_one_output_receive_one_column_of_floats(binary_data):
    seen = []

    def loss(y_true, y_pred):
        seen.append((tuple(y_true.shape[1:]), tuple(y_pred.shape[1:]), keras.backend.standardize_dtype(y_true.dtype)))
        return keras.losses.binary_crossentropy(y_true, y_pred)

    assert KerasNetClassifier("mlp", loss=loss, epochs=9, random_state=0).fit(*binary_data).score(*binary_data) > 0.9
    assert {*seen} == {((1,), (1,), "float32")}


def test_multiple_outputs_have_separate_default_metrics(multiclass_data):
    X, y = multiclass_data

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


FUNCTION_NAME = ("sparse_categorical_crossentropy", {"loss__from_logits": False})  # as in the next test


@pytest.mark.parametrize(
    ("loss", "parameters"),
    [pytest.param(*FUNCTION_NAME, marks=pytest.mark.exhaustive), ("SparseCategoricalCrossentropy", {})],
)
def test_routed_parameters_of_losses_by_name(loss, parameters, multiclass_data):
    named = KerasNetClassifier("mlp", loss=loss, epochs=2, optimizer="sgd", random_state=0, **parameters).fit(
        *multiclass_data
    )
    plain = KerasNetClassifier("mlp", epochs=2, optimizer="sgd", random_state=0).fit(*multiclass_data)
    np.testing.assert_array_equal(named.predict_proba(multiclass_data[0]), plain.predict_proba(multiclass_data[0]))


def test_routed_parameters_of_losses_by_function_name():
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


def test_metric_functions_with_the_same_name_are_different_metrics(multiclass_data):
    def make(value):
        def constant(y_true, y_pred):
            return ops.zeros_like(y_pred) + value

        return constant

    functions = [make(value) for value in (1.0, 2.0, 3.0)]
    given = [*functions[:2], keras.metrics.MeanMetricWrapper(functions[2], name="constant")]
    for value, metric in zip((1.0, 2.0, 3.0), given, strict=True):
        classifier = KerasNetClassifier("mlp", metrics=[metric], epochs=1, optimizer="sgd", random_state=0).fit(
            *multiclass_data
        )
        assert classifier.history_["constant"] == [value]


DISTRIBUTION_LOSSES = ["KLDivergence", "kl_divergence", "cosine_similarity"]


@pytest.mark.parametrize("loss", longer(DISTRIBUTION_LOSSES, DISTRIBUTION_LOSSES[1:]))
def test_distribution_losses_learn_two_classes(loss, binary_data):
    X, y = binary_data
    assert KerasNetClassifier("mlp", loss=loss, epochs=5, random_state=0).fit(X, y).score(X, y) > 0.9


METRICS = [keras.metrics.Precision, ("Precision", "accuracy"), keras.metrics.binary_accuracy]


@pytest.mark.parametrize("given", longer(METRICS, METRICS[2:]))
def test_metrics_as_single_object_or_tuple(given, binary_data):
    assert len(KerasNetClassifier("mlp", metrics=given, epochs=1, optimizer="sgd").fit(*binary_data).history_) > 1


def test_run_time_errors_name_the_metric(multiclass_data):
    def of_indices(y_true, y_pred):
        return keras.metrics.sparse_categorical_accuracy(y_true, y_pred)

    with pytest.raises(ValueError, match="The metric 'of_indices' must match the targets"):
        KerasNetClassifier("mlp", metrics=[of_indices], epochs=1).fit(*multiclass_data)


def test_partial_function_as_loss(multiclass_data):
    def build(input_shape, n_outputs):
        return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(n_outputs)])

    loss = functools.partial(keras.losses.sparse_categorical_crossentropy, from_logits=True)
    classifier = KerasNetClassifier(build, loss=loss, epochs=20, learning_rate=0.05, random_state=0)
    classifier.fit(*multiclass_data)
    assert classifier.score(*multiclass_data) > 0.9
    np.testing.assert_allclose(classifier.predict_proba(multiclass_data[0]).sum(axis=1), 1, atol=1e-5)
