"""Classifiers as scikit-learn estimators: labels, probabilities, seeds, folds."""

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import warnings
import zipfile
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
import tensorflow as tf
from _longer import longer
from sklearn.base import clone, is_classifier
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.metrics import ConfusionMatrixDisplay, classification_report
from sklearn.model_selection import GridSearchCV, StratifiedKFold, check_cv, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from kerasnet.errors import DivergenceError
from kerasnet.estimators import CNNClassifier, KerasNetClassifier, SimpleRNNClassifier
from kerasnet.training._loop import train


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return X.astype(np.float32), y


def mlp(**params):
    settings = {"epochs": 2, "dense_units": (8,), "optimizer": "sgd", "learning_rate": 0.1, "random_state": 0}
    return KerasNetClassifier("mlp", **{**settings, **params})


def cnn(**params):
    settings = {"filters": (4,), "dense_units": (16,), "epochs": 1, "optimizer": "sgd", "learning_rate": 0.1}
    return CNNClassifier(**{"random_state": 0, **settings, **params})


def same_weights(first, second):
    pairs = zip(first.model_.get_weights(), second.model_.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def test_is_classifier_and_folds_are_stratified(iris):
    X, y = iris
    estimator = CNNClassifier(epochs=1)
    assert is_classifier(estimator)
    assert isinstance(check_cv(5, y, classifier=is_classifier(estimator)), StratifiedKFold)
    # the labels are sorted: the test samples of two unstratified folds would have a class without training samples
    assert cross_val_score(mlp(epochs=30), X, y, cv=2).min() > 0.5


LABELS = {
    "int": np.array([3, 7, 11]),
    "negative": np.array([-2, 0, 5]),
    "str": np.array(["cat", "dog", "eel"]),
    "object": np.array(["a", "bb", "ccc"], dtype=object),
    "float": np.array([0.0, 1.0, 2.0]),
    "bool": np.array([False, True]),
    "two strings": np.array(["no", "yes"]),
}


@pytest.mark.parametrize("kind", longer(LABELS, ["negative", "two strings"]))
def test_predicted_labels_have_the_type_of_y(iris, kind):
    X, y = iris
    names = LABELS[kind]
    rows = y < len(names)
    labels = names[y[rows]]
    estimator = mlp(epochs=30).fit(X[rows], labels)
    np.testing.assert_array_equal(estimator.classes_, names)
    predicted = estimator.predict(X[rows])
    assert predicted.dtype == labels.dtype
    assert estimator.score(X[rows], labels) > 0.8
    probabilities = estimator.predict_proba(X[rows])
    assert probabilities.shape == (rows.sum(), len(names))
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(names[probabilities.argmax(axis=1)], predicted)


def test_probabilities_of_one_sample_are_2d(iris):
    X, y = iris
    for n_classes in (2, 3):
        estimator = mlp().fit(X[y < n_classes], y[y < n_classes])
        assert estimator.predict_proba(X[:1]).shape == (1, n_classes)
        assert estimator.predict(X[:1]).shape == (1,)


def test_binary_classifier_has_one_output_unless_the_loss_requires_two(iris):
    X, y = iris[0][:100], iris[1][:100]
    assert mlp().fit(X, y).model_.output_shape == (None, 1)
    two = mlp(loss="sparse_categorical_crossentropy").fit(X, y)
    assert two.model_.output_shape == (None, 2)
    assert two.predict_proba(X[:3]).shape == (3, 2)


def test_roc_auc_scorer_for_two_classes(iris):
    X, y = iris[0][50:], iris[1][50:]
    pipeline = make_pipeline(StandardScaler(), mlp(epochs=20))
    assert cross_val_score(pipeline, X, y, cv=2, scoring="roc_auc").min() > 0.9


def test_balanced_class_weight_improves_recall_of_the_rare_class(iris):
    X, y = iris
    rows = np.r_[50:100, 100:105]
    params = {"epochs": 40}
    plain = mlp(**params).fit(X[rows], y[rows]).predict_proba(X[rows])[50:, 1].mean()
    balanced = mlp(class_weight="balanced", **params).fit(X[rows], y[rows]).predict_proba(X[rows])[50:, 1].mean()
    assert balanced > plain + 0.1


def test_categorical_losses_receive_one_hot_targets(iris):
    X, y = iris
    sparse = mlp(loss="sparse_categorical_crossentropy", early_stopping=True).fit(X, y)
    one_hot = mlp(loss="categorical_crossentropy", early_stopping=True).fit(X, y)
    np.testing.assert_allclose(one_hot.history_["loss"], sparse.history_["loss"], rtol=1e-4)
    np.testing.assert_allclose(one_hot.history_["val_loss"], sparse.history_["val_loss"], rtol=1e-4)


LOSSES = [None, "categorical_crossentropy", "sparse_categorical_crossentropy", "mse"]


@pytest.mark.parametrize("loss", longer(LOSSES, LOSSES[2:]))  # None is the sparse loss; mse has one-hot targets as well
def test_zero_weight_equals_removing_the_sample(iris, loss):
    X, y = iris
    full_batch = {"batch_size": -1, "epochs": 3, "loss": loss}
    keep = np.arange(len(y)) % 3 != 0
    weighted = mlp(**full_batch).fit(X, y, sample_weight=keep.astype(float))
    removed = mlp(**full_batch).fit(X[keep], y[keep])
    for a, b in zip(weighted.model_.get_weights(), removed.model_.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


LEARNING_LOSSES = ["mse", "kl_divergence", "categorical_focal_crossentropy"]  # all have one-hot targets


@pytest.mark.parametrize("loss", longer(LEARNING_LOSSES, LEARNING_LOSSES[1:]))
@pytest.mark.parametrize("batch_size", longer([10, 32], [32]))  # 10 is also the number of classes
def test_all_classification_losses_learn(digits, loss, batch_size):
    X, y = digits[0][:600], digits[1][:600]
    assert (
        mlp(loss=loss, epochs=10, batch_size=batch_size, optimizer="adam", learning_rate=0.02).fit(X, y).score(X, y)
        > 0.75
    )


def build_softmax(input_shape, n_outputs):
    layers = [keras.Input(input_shape), keras.layers.Dense(n_outputs, activation="softmax")]
    return keras.Sequential(layers)


def build_sigmoid(input_shape):
    return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(1, activation="sigmoid")])


def build_compiled(input_shape, n_outputs):
    model = build_softmax(input_shape, n_outputs)
    model.compile(keras.optimizers.Adam(0.05), "categorical_crossentropy")
    return model


@pytest.mark.parametrize(
    ("build", "loss"),
    [
        *((build, None) for build in (build_softmax, build_sigmoid, build_compiled)),
        *(pytest.param(build, "mse", marks=pytest.mark.exhaustive) for build in (build_softmax, build_sigmoid)),
        (build_compiled, "mse"),
    ],
)
def test_user_defined_builders_learn_two_classes(iris, build, loss):
    X, y = iris[0][:100], iris[1][:100]
    if build is build_compiled and loss is not None:
        with pytest.raises(ValueError, match="loss='mse' but model compiled with categorical_crossentropy"):
            KerasNetClassifier(build, loss=loss).fit(X, y)
        return
    estimator = KerasNetClassifier(build, loss=loss, epochs=20, learning_rate=0.05, random_state=0).fit(X, y)
    assert estimator.score(X, y) == 1
    assert estimator.predict_proba(X).shape == (100, 2)
    assert set(estimator.predict(X)) == {0, 1}


def test_uint8_images_equal_images_divided_by_255(mnist):
    X, y = mnist
    from_bytes = cnn().fit(X, y)
    from_floats = cnn().fit(X / 255, y)
    assert same_weights(from_bytes, from_floats)
    np.testing.assert_array_equal(from_bytes.predict_proba(X), from_bytes.predict_proba(X / 255))


def test_floats_above_1_issue_a_warning(mnist):
    X, y = mnist
    with pytest.warns(UserWarning, match=r"float images in \[0, 1\].*maximum here is 255.*pass it as uint8"):
        cnn().fit(X.astype(float), y)


def test_channel_axis_and_flattened_rows_do_not_change_the_fit(mnist):
    X, y = mnist[0][:100], mnist[1][:100]
    plain = cnn().fit(X, y)
    rows = cnn(image_shape=(28, 28)).fit(X.reshape(100, -1), y)
    assert plain.input_shape_ == rows.input_shape_ == (28, 28, 1)
    assert same_weights(plain, rows)
    np.testing.assert_array_equal(plain.predict_proba(X[..., np.newaxis]), rows.predict_proba(X.reshape(100, -1)))


def test_color_images(mnist):
    X, y = mnist[0][:100], mnist[1][:100]
    color = np.stack([X, X, X], axis=-1)
    assert cnn().initialize(color, y).model_.input_shape == (None, 28, 28, 3)
    rows = cnn(image_shape=(28, 28, 3)).initialize(color.reshape(100, -1), y)
    assert rows.model_.input_shape == (None, 28, 28, 3)


def test_sequences_with_one_feature_can_be_2d(digits):
    X, y = digits
    flat = SimpleRNNClassifier(units=(4,)).initialize(X[:50].reshape(50, -1), y[:50])
    assert flat.model_.input_shape == (None, 64, 1)
    assert SimpleRNNClassifier(units=(4,)).initialize(X[:50], y[:50]).model_.input_shape == (None, 8, 8)


INVALID_DATA = [
    (CNNClassifier(), np.zeros((20, 784)), r"CNNClassifier expects images of shape .*image_shape=\(28, 28, 1\)"),
    (CNNClassifier(image_shape=(5, 5)), np.zeros((20, 784)), r"expects rows of 25 values"),
    (CNNClassifier(image_shape=(784,)), np.zeros((20, 784)), r"image_shape must be \(height, width\[, channels\]\)"),
    (KerasNetClassifier("mlp", image_shape=(2, 2)), np.zeros((20, 4)), r"image_shape requires an image model"),
    (SimpleRNNClassifier(), np.zeros((20, 4, 4, 4)), r"expects sequences of shape \(n, steps, features\)"),
    (CNNClassifier(), np.full((20, 8, 8), np.nan), r"Input X contains NaN"),
    (CNNClassifier(), np.zeros((0, 8, 8)), r"Found array with 0 sample"),
    (CNNClassifier(), np.zeros((19, 8, 8)), r"inconsistent numbers of samples"),
    (CNNClassifier(filters=(8,) * 3), np.zeros((20, 8, 8)), r"Layer 'pool_2' needs at least"),
]


@pytest.mark.parametrize(("estimator", "X", "message"), INVALID_DATA, ids=[message for *_, message in INVALID_DATA])
def test_data_of_unsupported_shape_raise_an_error(estimator, X, message):
    with pytest.raises(ValueError, match=message):
        clone(estimator).fit(X, np.arange(20) % 2)


def test_samples_of_a_different_shape_raise_an_error_after_fit(mnist):
    X, y = mnist[0][:50], mnist[1][:50]
    estimator = cnn().fit(X, y)
    with pytest.raises(ValueError, match=r"fitted on samples of shape \(28, 28, 1\).*\(28, 20, 1\)"):
        estimator.predict(X[:, :, :20])
    with pytest.raises(ValueError, match="X has 20 features, but CNNClassifier is expecting 28 features"):
        estimator.predict(X[:, :20])


def test_single_class_raises_an_error(iris):
    with pytest.raises(ValueError, match="at least 2 classes. Received: only one class, 0"):
        mlp().fit(iris[0][:50], iris[1][:50])


def test_unfitted_estimators_raise_not_fitted_error(iris):
    for method in ("predict", "predict_proba"):
        with pytest.raises(NotFittedError):
            getattr(mlp(), method)(iris[0])


def test_attributes_after_fit(mnist):
    X, y = mnist
    estimator = cnn(epochs=3).fit(X, y, X_val=X[:50], y_val=y[:50])
    assert isinstance(estimator.model_, keras.Model)
    assert estimator.n_iter_ == 3
    assert set(estimator.history_) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert all(isinstance(value, float) for values in estimator.history_.values() for value in values)
    assert {len(values) for values in estimator.history_.values()} == {3}
    assert estimator.n_features_in_ == 28
    assert not hasattr(estimator, "feature_names_in_")


def test_feature_names_in():
    frame, y = load_iris(return_X_y=True, as_frame=True)
    pipeline = make_pipeline(StandardScaler().set_output(transform="pandas"), mlp(epochs=60)).fit(frame, y)
    np.testing.assert_array_equal(pipeline[-1].feature_names_in_, frame.columns)
    assert pipeline.score(frame, y) > 0.85


def test_validation_metrics_equal_the_score(iris):
    X, y = iris
    estimator = mlp(epochs=3).fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    assert estimator.history_["val_accuracy"][-1] == pytest.approx(estimator.score(X[1::2], y[1::2]))
    with pytest.raises(ValueError, match="give both or neither"):
        mlp().fit(X, y, X_val=X)
    with pytest.raises(ValueError, match="Found unknown categories"):
        mlp().fit(X[:100], y[:100], X_val=X, y_val=y)


def test_early_stopping_restores_the_best_weights(iris):
    X, y = iris
    held_out = {"X_val": X[1::2], "y_val": y[1::2]}
    estimator = mlp(epochs=60, early_stopping=True, n_iter_no_change=2, tol=0, learning_rate=0.5)
    estimator.fit(X[::2], y[::2], **held_out)
    losses = estimator.history_["val_loss"]
    assert estimator.n_iter_ == len(losses) == np.argmin(losses) + 1 + 2 < 60
    probabilities = estimator.predict_proba(X[1::2])[np.arange(75), y[1::2]]
    assert -np.log(probabilities).mean() == pytest.approx(min(losses), rel=1e-3)


def test_early_stopping_split_is_stratified_and_seeded(iris, monkeypatch):
    seen = []

    def watched(engine, data, training, validation_data):
        seen.append(validation_data)
        return train(engine, data, training, validation_data)

    monkeypatch.setattr("kerasnet.estimators._base.train", watched)
    for seed in (0, 0, 1):
        mlp(epochs=1, early_stopping=True, validation_fraction=0.2, random_state=seed).fit(*iris)
    assert [np.bincount(labels).tolist() for _, labels in seen] == [[10, 10, 10]] * 3
    np.testing.assert_array_equal(seen[0][0], seen[1][0])
    assert not np.array_equal(seen[0][0], seen[2][0])


def test_sample_and_class_weights_multiply_and_inputs_are_not_changed(iris):
    X, y = iris
    weight = np.where(y == 0, 2.0, 1.0)
    class_weight = {0: 1.0, 1: 3.0, 2: 0.5}
    given = X.copy(), y.copy(), weight.copy(), dict(class_weight)
    both = mlp(class_weight=class_weight).fit(X, y, sample_weight=weight)
    product = mlp().fit(X, y, sample_weight=weight * np.array([1.0, 3.0, 0.5])[y])
    assert same_weights(both, product)
    for before, after in zip(given, (X, y, weight, class_weight), strict=True):
        np.testing.assert_array_equal(before, after)
    assert not same_weights(both, mlp().fit(X, y))


def test_fits_without_seed_use_the_seed_of_numpy(iris):
    first, second = (mlp(random_state=None).fit(*iris) for _ in range(2))
    assert not same_weights(first, second)
    fits = []
    for _ in range(2):
        np.random.seed(5)
        fits.append(mlp(random_state=None).fit(*iris))
    assert same_weights(*fits)


def test_random_state_instance_advances(iris):
    state = np.random.RandomState(0)
    first, second = (mlp(random_state=state).fit(*iris) for _ in range(2))
    assert not same_weights(first, second)


def global_state():
    from tensorflow.python.eager import context
    from tensorflow.python.framework import config

    return {
        "random": random.getstate(),
        "numpy": [part.tolist() if isinstance(part, np.ndarray) else part for part in np.random.get_state()],
        "tensorflow": (context.global_seed(), context.context()._rng.getstate() if context.global_seed() else None),
        "keras": keras.utils.get_random_seed() if hasattr(keras.utils, "get_random_seed") else None,
        "determinism": config.is_op_determinism_enabled(),
        "environment": dict(os.environ),
        "floatx": keras.config.floatx(),
        "policy": keras.config.dtype_policy().name,
    }


@pytest.mark.parametrize("seeded", longer([False, True], [False]))
def test_seeded_fit_does_not_change_global_state(iris, seeded):
    if seeded:
        keras.utils.set_random_seed(11)
        tf.random.uniform(())
    before = global_state()
    mlp(dropout=0.3, early_stopping=True, epochs=3).fit(*iris).predict(iris[0])
    assert global_state() == before


@pytest.mark.exhaustive  # the test above checks that op determinism stays off
def test_unseeded_keras_fit_works_after_a_seeded_fit(iris):
    """SciKeras does not reset op determinism, and this fails with 'Random ops require a seed'."""
    code = textwrap.dedent("""
        import numpy as np, tensorflow as tf, kerasnet
        X, y = np.random.rand(40, 4), np.arange(40) % 2
        kerasnet.KerasNetClassifier("mlp", dropout=0.5, epochs=1, random_state=0).fit(X, y)
        kerasnet.KerasNetClassifier("mlp", dropout=0.5, epochs=1).fit(X, y)
        print(tf.random.uniform(()).shape)
    """)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "()\n"


def test_fit_is_silent_by_default(mnist, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        estimator = cnn(early_stopping=True, learning_rate_schedule="one_cycle").fit(*mnist)
        estimator.predict_proba(mnist[0])
    out, err = capfd.readouterr()
    assert out == ""
    assert not [
        line for line in err.splitlines() if not line.startswith(("WARNING: All log", "I0000", "W0000", "E0000"))
    ]


def test_verbose_prints_progress(iris, capfd):
    mlp(verbose=2).fit(*iris)
    assert "Epoch 2/2" in capfd.readouterr().out


def test_schedules_do_not_change_the_learning_rate_of_the_optimizer(iris):
    constant = mlp(epochs=4).fit(*iris)
    for schedule in ("cosine", "one_cycle"):
        scheduled = mlp(epochs=4, learning_rate_schedule=schedule).fit(*iris)
        assert not same_weights(constant, scheduled)
        assert float(scheduled.model_.optimizer.learning_rate) == pytest.approx(0.1)


def test_optimizer_by_name_class_and_instance(iris):
    by_name = mlp(optimizer="sgd", optimizer__momentum=0.9, learning_rate=0.05).fit(*iris)
    by_class = mlp(optimizer=keras.optimizers.SGD, optimizer__momentum=0.9, learning_rate=0.05).fit(*iris)
    instance = keras.optimizers.SGD(0.05, momentum=0.9)
    by_instance = mlp(optimizer=instance)
    assert same_weights(by_name, by_class)
    for _ in range(2):  # the instance has no state between fits
        assert same_weights(by_name, by_instance.fit(*iris))
    assert same_weights(by_name, clone(by_instance).fit(*iris))
    routed = mlp(optimizer="sgd", optimizer__momentum=0.9, optimizer__learning_rate=0.05).fit(*iris)
    assert same_weights(by_name, routed)


class Counter(keras.callbacks.Callback):
    def __init__(self, start=0):
        super().__init__()
        self.count = start

    def on_epoch_end(self, epoch, logs=None):
        self.count += 1


def test_callbacks_by_instance_and_class(iris):
    for given in ([Counter(5)], Counter(5), {"mine": [Counter(5)]}):
        assert mlp(callbacks=given).fit(*iris).callbacks_[0].count == 7
    assert mlp(callbacks=[Counter], callbacks__start=1).fit(*iris).callbacks_[0].count == 3
    stopping = mlp(callbacks=keras.callbacks.EarlyStopping, callbacks__monitor="loss", callbacks__patience=0, epochs=9)
    assert stopping.set_params(callbacks__min_delta=10.0).fit(*iris).n_iter_ == 2


def test_each_fit_copies_the_callbacks(iris):
    counter = Counter()
    estimator = mlp(callbacks=[counter]).fit(*iris)
    first = estimator.callbacks_[0]
    assert (estimator.fit(*iris).callbacks_[0].count, first.count, counter.count) == (2, 2, 0)
    assert estimator.callbacks == [counter]
    assert clone(estimator.set_params(callbacks=[first])).fit(*iris).callbacks_[0].count == 4


def test_metrics_are_recorded(iris):
    assert set(mlp(metrics=None).fit(*iris).history_) == {"loss"}
    top = mlp(metrics=["accuracy", keras.metrics.SparseTopKCategoricalAccuracy], metrics__k=2)
    assert len(mlp(metrics=["accuracy", "sparse_top_k_categorical_accuracy"]).fit(*iris).history_) == 3
    assert top.get_params()["metrics__k"] == 2


def test_warm_start_continues_from_the_weights(iris):
    X, y = iris
    estimator = mlp(warm_start=True, epochs=3).fit(X, y)
    first = estimator.model_
    weights = first.get_weights()
    estimator.fit(X, y)
    assert estimator.n_iter_ == len(estimator.history_["loss"]) == 6
    whole = mlp(epochs=6).fit(X, y)
    assert same_weights(estimator, whole)  # gradient descent has no other state
    assert all(np.array_equal(a, b) for a, b in zip(weights, first.get_weights(), strict=True))
    with pytest.raises(ValueError, match="Found unknown categories"):
        estimator.fit(X, y + 1)
    assert estimator.n_iter_ == 6


def test_partial_fit_continues_with_the_optimizer_state(iris):
    X, y = iris
    whole = mlp(epochs=3, optimizer__momentum=0.9).fit(X, y)
    parts = mlp(optimizer__momentum=0.9)
    for _ in range(3):
        parts.partial_fit(X, y, classes=[0, 1, 2])
    assert same_weights(whole, parts)
    assert parts.n_iter_ == 3
    chunks = mlp()
    for start in range(0, 150, 50):  # one class per call
        chunks.partial_fit(X[start : start + 50], y[start : start + 50], classes=np.arange(3))
    assert chunks.predict_proba(X).shape == (150, 3)
    with pytest.raises(ValueError, match="early_stopping=False"):
        mlp(early_stopping=True).partial_fit(X, y)


def test_initialize_builds_the_model_without_training(iris):
    estimator = mlp().initialize(*iris)
    assert estimator.n_iter_ == 0
    assert estimator.predict(iris[0]).shape == (150,)


def test_failing_callback_does_not_change_the_fitted_model(iris):
    class Failing(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise RuntimeError("in the middle")

    estimator = mlp(epochs=2).fit(*iris)
    before = {name: value for name, value in vars(estimator).items() if name.endswith("_")}
    expected = estimator.predict_proba(iris[0])
    estimator.set_params(callbacks=[Failing()])
    with pytest.raises(RuntimeError, match="in the middle"):
        estimator.fit(*iris)
    assert {name: value for name, value in vars(estimator).items() if name.endswith("_")} == before
    np.testing.assert_array_equal(estimator.predict_proba(iris[0]), expected)


def test_diverged_fit_raises_an_error_and_keeps_the_fitted_model(iris):
    estimator = mlp(epochs=2).fit(*iris)
    expected = estimator.predict_proba(iris[0])
    estimator.set_params(learning_rate=1e30, epochs=50)
    with pytest.raises(
        DivergenceError, match=r"the loss is (nan|inf) in epoch 1, at step \d of 5, at a learning rate of 1e\+30"
    ):
        estimator.fit(*iris)
    np.testing.assert_array_equal(estimator.predict_proba(iris[0]), expected)


def test_invalid_callbacks_raise_an_error(iris):
    with pytest.raises(TypeError, match=r"callbacks must be Keras callbacks.*Received: \['x'\]"):
        mlp(callbacks=["x"]).fit(*iris)


def test_warm_start_requires_the_same_architecture(iris):
    estimator = mlp(warm_start=True).fit(*iris).set_params(dense_units=(3,))
    with pytest.raises(ValueError, match="the architecture has changed.*Set warm_start=False"):
        estimator.fit(*iris)


class InterruptAt(keras.callbacks.Callback):
    """Send SIGINT to the process."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_keeps_what_was_trained(iris):
    X, y = iris
    estimator = mlp(epochs=5, callbacks=[InterruptAt(2)])
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(X, y)
    assert estimator.n_iter_ == 2
    assert same_weights(estimator, mlp(epochs=2).fit(X, y))


def test_ctrl_c_before_the_first_step_keeps_the_fitted_model(iris):
    estimator = mlp(epochs=2).fit(*iris)
    model = estimator.model_
    estimator.set_params(callbacks=[InterruptAt(0)])
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(*iris)
    assert estimator.model_ is model


def modules_in(config):
    """Return the modules of the classes in the config of a saved model."""
    if isinstance(config, list):
        return set().union(*map(modules_in, config))
    if isinstance(config, dict):
        return ({config.get("module")} - {None}) | modules_in(list(config.values()))
    return set()


def test_saved_keras_model_contains_only_keras_classes(iris, tmp_path):
    estimator = mlp(learning_rate_schedule="cosine").fit(*iris)
    estimator.model_.save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        modules = modules_in(json.loads(archive.read("config.json")))
    assert modules
    assert {module.partition(".")[0] for module in modules} == {"keras"}
    expected = estimator.predict_proba(np.ones((1, 4)))
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded.predict(np.ones((1, 4)), verbose=0), expected, atol=1e-6)


@pytest.mark.exhaustive
def test_model_is_saved_and_loaded_by_keras(iris, tmp_path):
    estimator = mlp(learning_rate_schedule="cosine").fit(*iris)
    estimator.model_.save(tmp_path / "model.keras")
    code = f"""
import keras, numpy as np
model = keras.models.load_model({str(tmp_path / "model.keras")!r})
print(model.predict(np.ones((1, 4)), verbose=0).tolist())
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    expected = estimator.predict_proba(np.ones((1, 4)))
    np.testing.assert_allclose(json.loads(out), expected, atol=1e-6)


def test_scikit_learn_displays(iris):
    estimator = mlp().fit(*iris)
    assert ConfusionMatrixDisplay.from_estimator(estimator, *iris).confusion_matrix.sum() == 150


@pytest.mark.exhaustive  # tests/test_docs.py runs the grid search of the README
def test_documented_grid_search(mnist):
    X_train, X_test, y_train, y_test = mnist[0][:50], mnist[0][50:100], mnist[1][:50], mnist[1][50:100]
    from kerasnet import CNNClassifier as CNN

    model = CNN()
    param_grid = {"epochs": [1, 2], "batch_size": [32, 64], "learning_rate": [0.001]}  # a part of the documented grid
    grid_search = GridSearchCV(model, param_grid, cv=2)
    grid_search.fit(X_train, y_train)
    report = classification_report(y_test, grid_search.predict(X_test), zero_division=0)
    assert "accuracy" in report
    assert set(grid_search.best_params_) == {"epochs", "batch_size", "learning_rate"}
    assert 0 <= grid_search.best_score_ <= 1


SEARCH = """
import json, os
from sklearn.model_selection import GridSearchCV
from kerasnet import CNNClassifier
from kerasnet.datasets import load_mnist

X, y = load_mnist(n_samples={n_samples}, random_state=0, return_X_y=True)
grid = {grid}
scores = {{}}
for n_jobs in (1, 2):
    search = GridSearchCV(CNNClassifier(random_state=0), grid, cv={cv}, n_jobs=n_jobs, refit=False).fit(X, y)
    scores[n_jobs] = [search.cv_results_[f"split{{fold}}_test_score"].tolist() for fold in range({cv})]
print(json.dumps(scores))
"""


def sequential_and_parallel_scores(grid, n_samples, cv):
    environment = {**os.environ, "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    code = SEARCH.format(grid=grid, n_samples=n_samples, cv=cv)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.exhaustive
def test_parallel_search_scores_equal_sequential_scores():
    grid = {"epochs": [1, 2], "learning_rate": [0.001, 0.01]}
    scores = sequential_and_parallel_scores(grid, n_samples=200, cv=2)
    assert scores["1"] == scores["2"]
    assert len(set(scores["1"][0])) > 1


@pytest.mark.exhaustive
def test_parallel_search_scores_equal_sequential_scores_on_the_documented_grid():
    grid = {"epochs": [1, 2, 3], "batch_size": [32, 64, 128], "learning_rate": [0.001, 0.01, 0.1]}
    scores = sequential_and_parallel_scores(grid, n_samples=500, cv=5)
    assert scores["1"] == scores["2"]
    assert len(scores["1"][0]) == 27


def test_model_keeps_its_weights_after_the_estimator_is_deleted(iris):
    X, y = iris
    model = mlp().fit(X, y).model_
    weights = model.get_weights()
    for seed in range(3):
        mlp(random_state=seed + 1).fit(X, y)
    for before, after in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_manually_set_weights_are_used(iris):
    X, y = iris
    first, second = mlp().fit(X, y), mlp(random_state=7).fit(X, y)
    first.model_.set_weights(second.model_.get_weights())
    np.testing.assert_array_equal(first.predict_proba(X), second.predict_proba(X))


def test_fits_are_reproducible_with_the_same_seed(iris):
    X, y = iris
    first, second, other = (mlp(dropout=0.3, random_state=seed).fit(X, y) for seed in (0, 0, 1))
    assert same_weights(first, second)
    assert not same_weights(first, other)


def test_fits_in_threads_equal_sequential_fits(iris):
    with ThreadPoolExecutor(2) as threads:
        at_once = list(threads.map(lambda seed: mlp(dropout=0.3, random_state=seed).fit(*iris), range(6)))
    for seed, estimator in enumerate(at_once):
        for a, b in zip(
            estimator.model_.get_weights(),
            mlp(dropout=0.3, random_state=seed).fit(*iris).model_.get_weights(),
            strict=True,
        ):
            np.testing.assert_allclose(a, b, atol=1e-6)


def run_in_thread(function):
    thread = threading.Thread(target=function)
    thread.start()
    thread.join()


def test_random_draws_in_other_threads_do_not_change_a_fit(iris):
    def build(input_shape, n_outputs, output_activation, elsewhere):
        layers = [keras.Input(input_shape), keras.layers.Dense(4, "relu"), keras.layers.Dropout(0.3)]
        run_in_thread(elsewhere)  # as in threads of a Dask worker
        return keras.Sequential([*layers, keras.layers.Dense(n_outputs, output_activation)])

    def weights(elsewhere):
        network = KerasNetClassifier(build, model__elsewhere=elsewhere, epochs=2, random_state=0)
        return network.fit(*iris).model_.get_weights()

    expected = weights(int)
    for elsewhere in (random.random, lambda: keras.layers.Dense(3).build((None, 2))):
        for a, b in zip(weights(elsewhere), expected, strict=True):
            np.testing.assert_array_equal(a, b)


def test_automatic_layer_names_do_not_change_the_network(iris, monkeypatch):
    traced, original = [], keras.layers.Dense.call

    def call(self, inputs, training=None):
        if training and not isinstance(inputs, keras.KerasTensor) and self.units == 4:
            traced.append(self.name)
        return original(self, inputs)

    def build(input_shape, n_outputs, output_activation):
        layers = [keras.layers.Dense(4), keras.layers.Dense(n_outputs, output_activation)]
        return keras.Sequential([keras.Input(input_shape), *layers])

    monkeypatch.setattr(keras.layers.Dense, "call", call)
    names = [KerasNetClassifier(build, epochs=1).fit(*iris).model_.layers[0].name for _ in range(3)]
    assert names == ["dense"] * 3
    assert traced == ["dense"]
    assert keras.layers.Dense(1).name != keras.layers.Dense(1).name  # the name counters of the process advance


def test_diverged_partial_fit_keeps_the_fitted_model(iris):
    X, y = iris
    estimator = mlp().fit(X, y)
    expected = estimator.predict_proba(X)
    with pytest.raises(DivergenceError):
        estimator.partial_fit(X * 1e30, y)
    np.testing.assert_array_equal(estimator.predict_proba(X), expected)


@pytest.mark.parametrize("method", ["fit", "predict"])
def test_values_too_large_for_float32_raise_an_error(iris, method):
    X, y = iris
    X = X.astype(float)
    estimator = mlp().fit(X, y)
    with pytest.raises(ValueError, match="too large for dtype"):
        getattr(estimator, method)(*([X * 1e300, y] if method == "fit" else [X * 1e300]))


def test_invalid_optimizer_raises_an_error(iris):
    with pytest.raises(TypeError, match="optimizer must be the name, the class or an instance of a Keras optimizer"):
        mlp(optimizer=dict).fit(*iris)
