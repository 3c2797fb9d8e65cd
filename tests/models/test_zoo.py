"""Common tests of all registered models, including a custom builder."""

import inspect
import itertools
import math
import os
from pathlib import Path

import keras
import numpy as np
import pooch
import pytest
import tensorflow as tf
from _longer import longer
from sklearn.metrics import accuracy_score, confusion_matrix

import kerasnet
from kerasnet.errors import CheckpointMismatchError
from kerasnet.models import _registry, _weights, create_model, list_models, model_card, register_model, registered_model

SHAPES = {
    "image": [(28, 28, 1), (20, 16, 3)],
    "sequence": [(10, 32), (None, 3)],
    "tokens": [(None,), (7,)],
    "vector": [(784,), (5,)],
}
# A softmax is invariant to a constant added to all inputs, so the biases of keys have no gradient.
WITHOUT_GRADIENT = "key/bias"


def build_logistic(input_shape=(6,), n_outputs=10, *, output_activation="softmax", name="logistic"):
    output = keras.layers.Dense(n_outputs, activation=output_activation, name="output")
    return keras.Sequential([keras.Input(input_shape, name="input"), output], name=name)


@pytest.fixture(autouse=True)
def without_documented_examples(monkeypatch):
    """Remove the model that the example of register_model registers in the same process."""
    entries = {name: entry for name, entry in _registry._REGISTRY.items() if name != "logistic"}
    monkeypatch.setattr(_registry, "_REGISTRY", entries)


@pytest.fixture
def with_logistic(without_documented_examples):
    register_model("logistic", input_kind="vector", tasks=("classification",))(build_logistic)


@pytest.mark.parametrize("name", longer([*list_models(), "logistic"], ["backbone"]))
def test_a_registered_model_builds_predicts_and_has_gradients(name, with_logistic):
    entry = registered_model(name)
    has_outputs = "n_outputs" in inspect.signature(entry.builder).parameters
    for shape, n_outputs in zip(SHAPES[entry.input_kind], itertools.cycle((2, 10)), strict=False):
        arguments = {"n_outputs": n_outputs, "output_activation": "linear"} if has_outputs else {}
        model = create_model(name, input_shape=shape, **arguments)
        assert not model.compiled
        samples = np.random.default_rng(0).random((4, *(size or 7 for size in shape)), dtype=np.float32)
        if entry.input_kind == "tokens":
            samples = (50 * samples).astype(np.int32)
        target = tf.ones((4, n_outputs) if has_outputs else samples.shape)
        with tf.GradientTape() as tape:
            outputs = model(samples, training=True)
            loss = tf.reduce_mean(tf.square(outputs - 2 * target))
        assert outputs.shape == target.shape
        assert np.isfinite(outputs).all()
        gradients = tape.gradient(loss, [weight.value for weight in model.trainable_weights])
        gradients = [each if each is None else tf.convert_to_tensor(each) for each in gradients]  # dense
        assert gradients
        for weight, gradient in zip(model.trainable_weights, gradients, strict=True):
            assert gradient is not None, weight.path
            assert np.isfinite(gradient).all(), weight.path
            assert np.any(gradient) or weight.path.endswith(WITHOUT_GRADIENT), weight.path


@pytest.mark.parametrize("name", [*list_models(), "logistic"])
def test_the_card_matches_the_builder(name, with_logistic):
    card, entry = model_card(name), registered_model(name)
    assert card.n_parameters == create_model(name).count_params()
    assert (card.name, card.builder, card.tasks) == (name, entry.builder.__name__, entry.tasks)
    assert card.input_shape == inspect.signature(entry.builder).parameters["input_shape"].default
    if name != "logistic":
        assert card.reference or name == "mlp"
        assert card.license == "Apache-2.0"
    with pytest.raises(AttributeError):
        card.name = "another"


def test_numbers_of_parameters_match_a_count_by_hand():
    def convolution(size, n_in, n_out):  # without bias, with batch normalization (four values per filter)
        return size * n_in * n_out + 4 * n_out

    lenet = convolution(25, 1, 16) + convolution(25, 16, 32) + (4 * 4 * 32 + 1) * 128 + 129 * 10
    resnet = convolution(9, 1, 16) + 2 * convolution(9, 16, 16)
    for width in (32, 64):
        resnet += convolution(9, width // 2, width) + convolution(9, width, width) + convolution(1, width // 2, width)
    resnet += 65 * 10
    lstm, gru = 4 * (32 + 64 + 1) * 64 + 650, 3 * (32 + 64 + 2) * 64 + 650
    conv1d = convolution(5, 32, 64) + convolution(5, 64, 128) + convolution(5, 128, 64) + 650
    block = 4 * (64 * 64 + 64) + 2 * 2 * 64 + (64 * 128 + 128) + (128 * 64 + 64)
    attention = 33 * 64 + 2 * block + 2 * 64 + 650
    resnet1d = convolution(1, 32, 64) + convolution(1, 64, 128) + 4 * 128 + 129 * 10
    for n_in, width in ((32, 64), (64, 128), (128, 128)):
        resnet1d += convolution(8, n_in, width) + convolution(5, width, width) + convolution(3, width, width)
    inception = 32 * 32 + 5 * 128 * 32 + 6 * ((40 + 20 + 10) * 32 * 32 + 4 * 128) + 32 * 32 + 5 * 128 * 32
    inception += convolution(1, 32, 128) + convolution(1, 128, 128) + 129 * 10
    fcn = convolution(8, 32, 128) + convolution(5, 128, 256) + convolution(3, 256, 128)
    lite = (40 + 20 + 10) * 32 * 32 + 96 * 32 * 17 + 4 * 113
    lite += 20 * 113 + convolution(1, 113, 32) + 10 * 32 + convolution(1, 32, 32) + 33 * 10
    expected = {
        "inception_time": inception,
        "lite": lite,
        "lstm_fcn": 4 * (32 + 8 + 1) * 8 + fcn + 137 * 10,
        "resnet1d": resnet1d,
        "lenet": lenet,
        "resnet_small": resnet,
        "lstm": lstm,
        "gru": gru,
        "conv1d": conv1d,
        "attention": attention,
    }
    assert {name: create_model(name).count_params() for name in expected} == expected
    published = create_model("conv1d", filters=(128, 256, 128), kernel_size=(8, 5, 3))
    assert published.count_params() == fcn + 129 * 10
    trainable = create_model("lite", input_shape=(150, 1), n_outputs=2).trainable_weights
    assert sum(math.prod(weight.shape) for weight in trainable) == 9814 + 33 * 2  # paper, without the output layer


def test_the_registry_holds_the_public_builders():
    public = {name.removeprefix("build_") for name in kerasnet.__all__ if name.startswith("build_")}
    assert public == set(list_models()) == {name.removeprefix("build_") for name in _public_in_models()}


def _public_in_models():
    return [name for name in kerasnet.models.__all__ if name.startswith("build_")]


def predict(name, dataset, images):
    """Return the inputs that the card describes, and the outputs of the pretrained model."""
    about = model_card(name).weights[dataset]
    model = create_model(name, weights=dataset)
    assert model.count_params() == about.n_parameters
    X = (images / np.float32(255)).reshape(-1, *about.input_shape)
    return X, model.predict(X, verbose=0, batch_size=500)


def load_test_images(dataset):
    if dataset == "mnist":
        return kerasnet.datasets.load_mnist("test")
    downloaded = Path(os.environ.get("KERASNET_DATA", pooch.os_cache("kerasnet"))) / "fashion_mnist"
    debian = Path("/usr/share/datasets/fashion-mnist")  # of the package dataset-fashion-mnist
    for folder in (downloaded, debian):
        if folder.is_dir():
            return kerasnet.datasets.load_fashion_mnist("test", path=folder)
    return pytest.skip(f"Fashion-MNIST is neither in {downloaded} nor in {debian}")


BOUNDS = {  # of the values on the test images
    ("attention", "mnist"): lambda value: value >= 0.98,
    ("autoencoder", "mnist"): lambda value: value <= 0.004,
    ("cnn", "mnist"): lambda value: value >= 0.987,
    ("lenet", "fashion_mnist"): lambda value: value >= 0.92,
    ("lenet", "mnist"): lambda value: value >= 0.993,
    ("lstm", "mnist"): lambda value: value >= 0.987,
    ("resnet_small", "fashion_mnist"): lambda value: value >= 0.93,
    ("resnet_small", "mnist"): lambda value: value >= 0.996,
    ("simple_rnn", "mnist"): lambda value: value >= 0.965,
}


SLOW = [
    ("lenet", "fashion_mnist"),
    *(each for each in BOUNDS if each[0] in ("attention", "cnn", "lstm", "resnet_small")),
]


@pytest.mark.parametrize("pretrained", longer(list(BOUNDS), SLOW))
def test_pretrained_weights_have_the_figures_of_their_card(pretrained):
    name, dataset = pretrained
    test = load_test_images(dataset)
    X, outputs = predict(name, dataset, test.data)
    about = model_card(name).weights[dataset]
    if about.metric == "mean squared error":
        value = np.mean(np.square(outputs - X, dtype=float))
    else:
        predicted = outputs.argmax(axis=1)
        value = accuracy_score(test.target, predicted)
        matrix, names = confusion_matrix(test.target, predicted), test.target_names.tolist()
        np.fill_diagonal(matrix, 0)
        largest = np.sort(matrix, axis=None)[::-1][: len(about.confused)]
        np.testing.assert_allclose([n for _, _, n in about.confused], largest, atol=2)
        for true, predicted_as, n in about.confused:
            assert matrix[names.index(true), names.index(predicted_as)] == pytest.approx(n, abs=2)
        assert calibration_error(outputs, test.target) == pytest.approx(about.calibration_error, abs=5e-4)
    assert value == pytest.approx(about.value, abs=2e-4)  # rounding differs between machines
    assert BOUNDS[name, dataset](value)


def calibration_error(probabilities, y, n_bins=15):
    """Compute the expected calibration error from sums per bin of NumPy's histogram."""
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == y
    gaps, _ = np.histogram(confidence, np.linspace(0, 1, n_bins + 1), weights=confidence - correct)
    return np.abs(gaps).sum() / len(y)


@pytest.mark.parametrize(
    ("name", "dataset"), [(name, dataset) for name in list_models() for dataset in model_card(name).weights]
)
def test_pretrained_weights_give_the_outputs_of_their_card(name, dataset):
    about = model_card(name).weights[dataset]
    assert _weights.file_of(name, dataset).stat().st_size == about.n_bytes
    assert BOUNDS[name, dataset](about.value)
    if dataset == "mnist":
        images = kerasnet.datasets.load_mnist("test").data
    else:  # the first three test images of Fashion-MNIST, which is not part of the package
        images = np.load(Path(__file__).with_name("fashion_mnist_test_3.npz"))["X"]
    _, outputs = predict(name, dataset, images[: len(about.golden)])
    golden = [each.reshape(-1)[:: -(-each.size // 10)] for each in outputs]
    np.testing.assert_allclose(golden, about.golden, atol=1e-3)


@pytest.mark.parametrize(("name", "dataset"), list(BOUNDS))
def test_cards_describe_predictions_and_use(name, dataset):
    about = model_card(name).weights[dataset]
    model = create_model(name, weights=dataset)
    assert about.latency_ms > 0
    assert about.memory_bytes > 4 * model.count_params()
    assert about.measured_on
    assert about.license.startswith("Apache-2.0; trained on data under ")
    assert about.intended_use
    assert about.limitations
    if about.metric == "accuracy":
        counts = [n for _, _, n in about.confused]
        assert counts == sorted(counts, reverse=True)
        assert sum(counts) <= round((1 - about.value) * 10_000)
        assert all(true != predicted for true, predicted, _ in about.confused)


def test_all_pretrained_weights_are_in_the_package_and_small():
    for dataset in ("mnist", "fashion_mnist"):
        assert list_models(weights=dataset) == [name for name, each in BOUNDS if each == dataset]
    assert list_models(weights=True) == sorted({name for name, _ in BOUNDS})
    assert "mlp" in list_models(weights=False)
    files = list(_weights.FOLDER.glob("*.npz"))
    assert sum(path.stat().st_size for path in files) <= 8_000_000
    known = {_weights.file_of(name, each) for name in list_models() for each in model_card(name).weights}
    assert set(files) == known


def test_another_number_of_outputs_keeps_all_other_weights():
    trained, model = (create_model("lenet", weights="mnist", n_outputs=n) for n in (10, 3))
    for one, other in zip(trained.weights[:-2], model.weights[:-2], strict=True):
        np.testing.assert_array_equal(one, other)
    assert model.weights[-2].shape == (128, 3)
    assert np.std(model.weights[-2]) > 0


def test_three_equal_channels_give_the_outputs_of_the_grayscale_image(mnist):
    X = mnist[0][:20, ..., None] / np.float32(255)
    for name in ("lenet", "cnn", "resnet_small"):
        gray, color = (create_model(name, weights="mnist", input_shape=(28, 28, n)) for n in (1, 3))
        np.testing.assert_allclose(color(np.repeat(X, 3, axis=3)), gray(X), atol=1e-4)


@pytest.mark.parametrize(
    ("name", "arguments", "error", "message"),
    [
        (
            "lenet",
            {"weights": "cifar"},
            ValueError,
            r"weights of the model 'lenet' must be None or .*'mnist'\. Received: 'cifar'",
        ),
        ("mlp", {"weights": "mnist"}, ValueError, r"weights of the model 'mlp' must be None\. Received"),
        ("lenet", {"weights": ["mnist"]}, ValueError, r"Received: \['mnist'\]"),
        (5, {}, kerasnet.errors.UnknownModelError, "Expected the name of a registered model: .*lenet.* Received: 5"),
        (kerasnet.build_lenet, {}, kerasnet.errors.UnknownModelError, "Expected the name"),
        ("lenet", {"weights": "mnist", "filters": (8, 32)}, CheckpointMismatchError, "conv_1/kernel has shape"),
        ("cnn", {"weights": "mnist", "filters": (32, 32)}, CheckpointMismatchError, "do not fit this architecture"),
        ("lenet", {"weights": "mnist", "input_shape": (32, 32, 1)}, CheckpointMismatchError, "dense_1/kernel"),
        ("lenet", {"weights": "mnist", "activation": "tanh"}, CheckpointMismatchError, "with activation='relu'"),
        ("lstm", {"weights": "mnist", "input_shape": (28, 20)}, CheckpointMismatchError, "do not fit"),
    ],
)
def test_weights_that_do_not_fit_raise_an_error(name, arguments, error, message):
    with pytest.raises(error, match=message):
        create_model(name, **arguments)


def test_corrupted_weights_raise_an_error(tmp_path, monkeypatch):
    content = bytearray(_weights.file_of("simple_rnn", "mnist").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "simple_rnn-mnist.npz").write_bytes(content)
    monkeypatch.setattr(_weights, "file_of", lambda name, weights: tmp_path / f"{name}-{weights}.npz")
    with pytest.raises(kerasnet.errors.CorruptFileError, match="simple_rnn-mnist"):
        create_model("simple_rnn", weights="mnist")


def test_a_card_is_a_copy_and_hashable():
    card = model_card("lenet")
    card.weights["mnist"].arguments["n_outputs"] = 3
    card.weights["mnist"].versions.clear()
    card.weights.clear()
    about = model_card("lenet").weights["mnist"]
    assert create_model("lenet", weights="mnist").output_shape == (None, 10)
    assert about.arguments["input_shape"] == (28, 28, 1)
    assert about.versions
    assert hash(model_card("lenet")) == hash(card)


@pytest.mark.parametrize(("model", "layer"), [("resnet_small", "stem"), ("attention", "embedding")])
def test_a_model_with_the_name_of_a_layer_loads_its_weights(model, layer):
    one, other = (create_model(model, weights="mnist", name=name) for name in (layer, model))
    for mine, theirs in zip(one.weights, other.weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_pretrained_resnet_accepts_images_of_any_size():
    assert create_model("resnet_small", weights="mnist", input_shape=(40, 33, 1)).output_shape == (None, 10)


def test_an_estimator_fine_tunes_pretrained_weights(mnist):
    X, y = mnist
    lenet = create_model("lenet", weights="mnist")
    scaled = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Rescaling(1 / 255), lenet])
    classifier = kerasnet.KerasNetClassifier(scaled, epochs=1, learning_rate=1e-4, random_state=0)
    assert classifier.fit(X[:200, ..., None], y[:200]).score(X[200:, ..., None], y[200:]) > 0.98


def test_bytes_for_a_keras_model_raise_a_warning(mnist):
    X, y = mnist
    output = keras.layers.Dense(10, activation="softmax")
    linear = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Flatten(), output], name="linear")
    with pytest.warns(UserWarning, match="X has dtype uint8 and is not divided by 255 for 'linear'"):
        kerasnet.KerasNetClassifier(linear, epochs=1, random_state=0).fit(X[:200, ..., None], y[:200])
