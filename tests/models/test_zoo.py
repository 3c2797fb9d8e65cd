"""What every entry of the zoo keeps: one harness for all that is registered, a user's own builder among them."""

import inspect
import itertools
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from _longer import longer

import kerasnet
from kerasnet.errors import CheckpointMismatchError
from kerasnet.models import _registry, _weights, create_model, list_models, model_card, register_model, registered_model

SHAPES = {
    "image": [(28, 28, 1), (20, 16, 3)],
    "sequence": [(10, 32), (28, 28), (None, 3)],
    "vector": [(784,), (5,)],
}
# A softmax does not change when all its inputs do: biases of keys have no gradient.
WITHOUT_GRADIENT = "key/bias"


def build_logistic(input_shape=(6,), n_outputs=10, *, output_activation="softmax", name="logistic"):
    output = keras.layers.Dense(n_outputs, activation=output_activation, name="output")
    return keras.Sequential([keras.Input(input_shape, name="input"), output], name=name)


@pytest.fixture(autouse=True)
def without_documented_examples(monkeypatch):
    """Forget what the example of register_model has registered, if it ran in this process before."""
    entries = {name: entry for name, entry in _registry._REGISTRY.items() if name != "logistic"}
    monkeypatch.setattr(_registry, "_REGISTRY", entries)


@pytest.fixture
def with_logistic(without_documented_examples):
    register_model("logistic", input_kind="vector", tasks=("classification",))(build_logistic)


@pytest.mark.parametrize("name", [*list_models(), "logistic"])
def test_an_entry_builds_computes_and_learns(name, with_logistic):
    entry = registered_model(name)
    has_outputs = "n_outputs" in inspect.signature(entry.builder).parameters
    for shape, n_outputs in zip(SHAPES[entry.input_kind], itertools.cycle((2, 10)), strict=False):
        arguments = {"n_outputs": n_outputs, "output_activation": "linear"} if has_outputs else {}
        model = create_model(name, input_shape=shape, **arguments)
        assert not model.compiled
        samples = np.random.default_rng(0).random((4, *(size or 7 for size in shape)), dtype=np.float32)
        target = tf.ones((4, n_outputs) if has_outputs else samples.shape)
        with tf.GradientTape() as tape:
            outputs = model(samples, training=True)
            loss = tf.reduce_mean(tf.square(outputs - 2 * target))
        assert outputs.shape == target.shape
        assert np.isfinite(outputs).all()
        gradients = tape.gradient(loss, [weight.value for weight in model.trainable_weights])
        assert gradients
        for weight, gradient in zip(model.trainable_weights, gradients, strict=True):
            assert gradient is not None, weight.path
            assert np.isfinite(gradient).all(), weight.path
            assert np.any(gradient) or weight.path.endswith(WITHOUT_GRADIENT), weight.path


@pytest.mark.parametrize("name", [*list_models(), "logistic"])
def test_the_card_says_what_the_builder_builds(name, with_logistic):
    card, entry = model_card(name), registered_model(name)
    assert card.n_parameters == create_model(name).count_params()
    assert (card.name, card.builder, card.tasks) == (name, entry.builder.__name__, entry.tasks)
    assert card.input_shape == inspect.signature(entry.builder).parameters["input_shape"].default
    if name != "logistic":
        assert card.reference or name == "mlp"
        assert card.licence == "Apache-2.0"
    with pytest.raises(AttributeError):
        card.name = "another"


def test_the_numbers_of_parameters_are_those_counted_by_hand():
    def convolution(size, n_in, n_out):  # without bias, with batch normalisation: two of four are trained
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
    expected = {
        "lenet": lenet,
        "resnet_small": resnet,
        "lstm": lstm,
        "gru": gru,
        "conv1d": conv1d,
        "attention": attention,
    }
    assert {name: create_model(name).count_params() for name in expected} == expected


def test_the_registry_holds_the_public_builders():
    public = {name.removeprefix("build_") for name in kerasnet.__all__ if name.startswith("build_")}
    assert public == set(list_models()) == {name.removeprefix("build_") for name in _public_in_models()}


def _public_in_models():
    return [name for name in kerasnet.models.__all__ if name.startswith("build_")]


def computed(name, dataset, images):
    """Return inputs made of bytes, as the card says, and what the shipped network makes of them."""
    about = model_card(name).weights[dataset]
    model = create_model(name, weights=dataset)
    assert model.count_params() == about.n_parameters
    X = (images / np.float32(255)).reshape(-1, *about.input_shape)
    return X, model.predict(X, verbose=0, batch_size=500)


@pytest.mark.parametrize("name", longer(list_models(weights="mnist"), ["attention", "cnn", "lstm", "resnet_small"]))
def test_shipped_weights_reach_the_figure_of_their_card(name):
    digits = kerasnet.datasets.load_mnist("test")
    X, outputs = computed(name, "mnist", digits.data)
    about = model_card(name).weights["mnist"]
    if about.metric == "accuracy":
        value = np.mean(outputs.argmax(axis=1) == digits.target)
    else:
        value = np.mean(np.square(outputs - X, dtype=float))
    assert value == pytest.approx(about.value, abs=2e-4)  # another machine rounds otherwise
    assert FLOORS[name](value)


@pytest.mark.parametrize(
    ("name", "dataset"), [(name, dataset) for name in list_models() for dataset in model_card(name).weights]
)
def test_shipped_weights_give_the_outputs_of_their_card(name, dataset):
    about = model_card(name).weights[dataset]
    assert _weights.file_of(name, dataset).stat().st_size == about.n_bytes
    if dataset == "mnist":
        assert FLOORS[name](about.value)
        images = kerasnet.datasets.load_mnist("test").data
    else:  # the first three of Fashion-MNIST's test images, which the package has not
        images = np.load(Path(__file__).with_name("fashion_mnist_test_3.npz"))["X"]
    _, outputs = computed(name, dataset, images[: len(about.golden)])
    golden = [each.reshape(-1)[:: -(-each.size // 10)] for each in outputs]
    np.testing.assert_allclose(golden, about.golden, atol=1e-3)


FLOORS = {  # what the zoo promises
    "attention": lambda value: value >= 0.98,
    "autoencoder": lambda value: value <= 0.004,
    "cnn": lambda value: value >= 0.987,
    "lenet": lambda value: value >= 0.993,
    "lstm": lambda value: value >= 0.987,
    "resnet_small": lambda value: value >= 0.996,
    "simple_rnn": lambda value: value >= 0.965,
}


def test_all_promised_weights_ship_and_are_small():
    assert list_models(weights="mnist") == list_models(weights=True) == sorted(FLOORS)
    assert list_models(weights="fashion_mnist") == ["lenet"]
    assert "mlp" in list_models(weights=False)
    files = list(_weights.FOLDER.glob("*.npz"))
    assert sum(path.stat().st_size for path in files) <= 8_000_000
    known = {_weights.file_of(name, each) for name in list_models() for each in model_card(name).weights}
    assert set(files) == known


def test_other_outputs_are_new_and_the_rest_is_kept():
    trained, model = (create_model("lenet", weights="mnist", n_outputs=n) for n in (10, 3))
    for one, other in zip(trained.weights[:-2], model.weights[:-2], strict=True):
        np.testing.assert_array_equal(one, other)
    assert model.weights[-2].shape == (128, 3)
    assert np.std(model.weights[-2]) > 0


def test_a_grey_image_in_three_equal_channels_gives_what_the_grey_image_gives(mnist):
    X = mnist[0][:20, ..., None] / np.float32(255)
    for name in ("lenet", "cnn", "resnet_small"):
        grey, colour = (create_model(name, weights="mnist", input_shape=(28, 28, n)) for n in (1, 3))
        np.testing.assert_allclose(colour(np.repeat(X, 3, axis=3)), grey(X), atol=1e-4)


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
        ("lstm", {"weights": "mnist", "input_shape": (28, 20)}, CheckpointMismatchError, "do not fit"),
    ],
)
def test_weights_that_do_not_fit_are_refused(name, arguments, error, message):
    with pytest.raises(error, match=message):
        create_model(name, **arguments)


def test_damaged_weights_are_refused(tmp_path, monkeypatch):
    content = bytearray(_weights.file_of("simple_rnn", "mnist").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "simple_rnn-mnist.npz").write_bytes(content)
    monkeypatch.setattr(_weights, "file_of", lambda name, weights: tmp_path / f"{name}-{weights}.npz")
    with pytest.raises(kerasnet.errors.CorruptFileError, match="simple_rnn-mnist"):
        create_model("simple_rnn", weights="mnist")


def test_a_card_is_the_readers_own_and_has_a_hash():
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
def test_a_model_named_as_one_of_its_layers_takes_its_weights(model, layer):
    one, other = (create_model(model, weights="mnist", name=name) for name in (layer, model))
    for mine, theirs in zip(one.weights, other.weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_images_of_any_size_take_weights_of_networks_that_average():
    assert create_model("resnet_small", weights="mnist", input_shape=(40, 33, 1)).output_shape == (None, 10)


def test_an_estimator_goes_on_from_shipped_weights(mnist):
    X, y = mnist
    model = create_model("lenet", weights="mnist")
    classifier = kerasnet.KerasNetClassifier(model, epochs=1, learning_rate=1e-4, random_state=0)
    assert classifier.fit(X[:200] / 255, y[:200]).score(X[200:] / 255, y[200:]) > 0.98


def test_a_ready_made_model_given_bytes_says_that_it_takes_them_as_they_are(mnist):
    X, y = mnist
    model = create_model("lenet", weights="mnist")
    with pytest.warns(UserWarning, match="X has dtype uint8 and is not divided by 255 for 'lenet'"):
        kerasnet.KerasNetClassifier(model, epochs=1, random_state=0).fit(X[:200, ..., None], y[:200])
    scaled = keras.Sequential([keras.Input((28, 28, 1)), keras.layers.Rescaling(1 / 255), model])
    classifier = kerasnet.KerasNetClassifier(scaled, epochs=1, learning_rate=1e-6, random_state=0)
    assert classifier.fit(X[:200, ..., None], y[:200]).score(X[200:, ..., None], y[200:]) > 0.98
