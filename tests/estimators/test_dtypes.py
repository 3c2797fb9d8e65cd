"""Mixed precision, integer inputs, and uint8 data that are not images."""

import pickle

import keras
import numpy as np
import pytest
from _keras import outputs_of
from _longer import longer
from sklearn.datasets import load_iris
from sklearn.metrics import roc_auc_score
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import kerasnet as kn
from kerasnet import Autoencoder, KerasNetClassifier, KerasNetRegressor

IDS = np.arange(20_000_000, 20_000_008)  # float32 can represent every second one


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X), y


POLICIES = ["mixed_float16", "mixed_bfloat16"]


@pytest.fixture(params=longer(POLICIES, ["mixed_bfloat16"]))
def policy(request):
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy("float32")


def test_mixed_precision_trains_and_predicts_float32(policy, iris):
    X, y = iris
    classifier = KerasNetClassifier("mlp", epochs=20, optimizer="sgd", learning_rate=0.2, random_state=0).fit(X, y)
    probabilities = classifier.predict_proba(X)
    assert probabilities.dtype == np.float32
    assert roc_auc_score(y, probabilities, multi_class="ovr") > 0.95  # requires rows that add up to 1
    assert classifier.partial_fit(X, y).n_iter_ == 21
    regressor = KerasNetRegressor(
        "mlp", epochs=2, optimizer="sgd", learning_rate_schedule="cosine", random_state=0
    ).fit(X, X[:, 0])
    assert np.isfinite(regressor.predict(X)).all()
    autoencoder = Autoencoder(code_units=2, output_activation="linear", epochs=1, optimizer="sgd", random_state=0).fit(
        X
    )
    assert autoencoder.transform(X).dtype == autoencoder.reconstruct(X).dtype == np.float32


def test_mixed_precision_resumes_from_checkpoint(policy, iris, tmp_path):
    plain = KerasNetClassifier("mlp", epochs=4, random_state=0).fit(*iris)
    resumed = KerasNetClassifier("mlp", epochs=2, random_state=0, memory=tmp_path).fit(*iris)
    assert resumed.set_params(epochs=4).fit(*iris).n_iter_from_memory_ == 2
    np.testing.assert_array_equal(plain.predict_proba(iris[0]), resumed.predict_proba(iris[0]))


def test_mixed_precision_estimators_load_under_any_policy(policy, iris, tmp_path):
    X, y = iris
    classifier = KerasNetClassifier("mlp", epochs=2, random_state=0).fit(X, y)
    expected, pickled = classifier.predict_proba(X), pickle.dumps(classifier)
    kn.save(classifier, tmp_path / "mixed.kerasnet", include_optimizer=True)
    keras.config.set_dtype_policy("float32")
    for loaded in (pickle.loads(pickled), kn.load(tmp_path / "mixed.kerasnet")):
        np.testing.assert_array_equal(loaded.predict_proba(X), expected)
        assert loaded.model_.dtype_policy.name == policy
    assert keras.config.dtype_policy().name == "float32"


def test_loss_scale_optimizer(iris):
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.01))
    classifier = KerasNetClassifier("mlp", optimizer=optimizer, epochs=20, random_state=0).fit(*iris)
    assert classifier.score(*iris) > 0.9
    assert KerasNetClassifier("mlp", optimizer=optimizer, learning_rate_schedule="cosine", epochs=1).fit(*iris)


class SubclassedModel(keras.Model):
    """A model with unknown input dtypes."""

    def __init__(self, n_outputs, output_activation):
        super().__init__()
        self.steps = [
            keras.layers.IntegerLookup(vocabulary=IDS.tolist()),
            keras.layers.Embedding(10, 4),
            keras.layers.Flatten(),
            keras.layers.Dense(n_outputs, output_activation),
        ]

    def call(self, inputs):
        for step in self.steps:
            inputs = step(inputs)
        return inputs


def build_functional(n_outputs, output_activation):
    inputs = keras.Input((1,), dtype="int64")
    codes = keras.layers.Embedding(8, 4)(inputs - int(IDS[0]))
    return keras.Model(inputs, keras.layers.Dense(n_outputs, output_activation)(keras.layers.Flatten()(codes)))


def build_subclassed(n_outputs, output_activation):
    return SubclassedModel(n_outputs, output_activation)


INTEGERS = [
    (build_functional, np.uint32),
    (build_subclassed, np.int64),
    pytest.param(build_functional, np.int64, marks=pytest.mark.exhaustive),  # as in the test of whole floats
    pytest.param(build_functional, np.int32, marks=pytest.mark.exhaustive),
    pytest.param(build_subclassed, np.int32, marks=pytest.mark.exhaustive),
    pytest.param(build_subclassed, np.uint32, marks=pytest.mark.exhaustive),
]


@pytest.mark.parametrize(("model", "dtype"), INTEGERS)
def test_integer_inputs_are_not_cast(model, dtype):
    X = np.random.default_rng(0).choice(IDS, 400)[:, np.newaxis].astype(dtype)
    y = X[:, 0] % 2
    classifier = KerasNetClassifier(model, epochs=30, learning_rate=0.05, random_state=0)
    assert classifier.fit(X, y, X_val=X, y_val=y).history_["val_accuracy"][-1] == classifier.score(X, y) == 1
    assert len(np.unique(classifier.predict_proba(IDS[:, np.newaxis].astype(dtype))[:, 1])) > 2
    assert pickle.loads(pickle.dumps(classifier)).score(X, y) == 1


def test_integers_for_multiple_inputs():
    X = np.random.default_rng(0).choice(IDS, 300)[:, np.newaxis]

    class TwoInputs(KerasNetClassifier):
        @property
        def feature_encoder(self):
            return FunctionTransformer(lambda X: {"ids": X, "size": X / X.max()})

    def build():
        ids, size = keras.Input((1,), dtype="int64", name="ids"), keras.Input((1,), name="size")
        codes = keras.layers.Flatten()(keras.layers.Embedding(8, 4)(ids - int(IDS[0])))
        outputs = keras.layers.Dense(1, "sigmoid")(keras.layers.Concatenate()([codes, size]))
        return keras.Model({"ids": ids, "size": size}, outputs)

    y = X[:, 0] % 2
    assert TwoInputs(build, epochs=30, learning_rate=0.05, random_state=0).fit(X, y).score(X, y) == 1


def test_integers_are_cast_for_float_inputs(iris):
    X, y = (iris[0] * 100).astype(np.int64), iris[1]

    def build(input_shape, n_outputs):
        return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(n_outputs, "softmax")])

    integers, floats = (
        KerasNetClassifier(build, epochs=1, random_state=0).fit(each, y) for each in (X, X.astype(float))
    )
    np.testing.assert_array_equal(integers.predict_proba(X), floats.predict_proba(X.astype(float)))


def test_encoded_uint8_targets_are_not_divided_by_255(iris):
    X, y = iris

    class Uint8Targets(KerasNetClassifier):
        @property
        def target_encoder(self):
            return FunctionTransformer(lambda y: np.asarray(y).astype(np.uint8))

    def build(input_shape):
        return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(3, activation="softmax")])

    given = {"loss": "sparse_categorical_crossentropy", "epochs": 20, "optimizer": "sgd", "learning_rate": 0.5}
    classifier = Uint8Targets(build, random_state=0, early_stopping=True, **given).fit(X, y)
    assert (outputs_of(classifier.model_, X).argmax(axis=1) == y).mean() > 0.8


NOT_STOPPED = pytest.param({}, marks=pytest.mark.exhaustive)  # see test_autoencoder.py


@pytest.mark.parametrize("parameters", [NOT_STOPPED, {"early_stopping": True}])
def test_autoencoder_targets_of_uint8_samples_are_divided_by_255(parameters, mnist):
    X = mnist[0][:200]
    given = {"code_units": 8, "epochs": 2, "random_state": 0, **parameters}
    of_bytes, of_floats = Autoencoder(**given).fit(X), Autoencoder(**given).fit((X / 255).astype(np.float32))
    np.testing.assert_allclose(of_bytes.history_["loss"], of_floats.history_["loss"], rtol=1e-4)
    np.testing.assert_allclose(of_bytes.reconstruct(X), of_floats.reconstruct((X / 255).astype(np.float32)), atol=1e-3)


def test_whole_floats_are_cast_for_integer_inputs():
    X = np.random.default_rng(0).choice(IDS, 400)[:, np.newaxis]
    y = X[:, 0] % 2
    classifier = KerasNetClassifier(build_functional, epochs=30, learning_rate=0.05, random_state=0).fit(X, y)
    assert classifier.score(X.astype(np.float64), y) == 1
    with pytest.raises(ValueError, match="expects integers. Received: X of dtype float64 with fractional values"):
        classifier.predict(X + 0.5)
