"""Tests of the identification of builders and arguments from Keras models."""

import keras
import numpy as np
import pytest

import kerasnet as kn
from kerasnet.models._recognition import recognize_model

CASES = [
    ("attention", {"n_blocks": 1, "embedding_units": 8, "n_heads": 2, "feed_forward_units": 5}),
    ("attention", {"n_blocks": 1, "embedding_units": 4, "n_heads": 1, "mask_value": -1.0}),
    ("autoencoder", {"input_shape": (6,), "code_units": 3, "output_activation": "linear"}),
    ("cnn", {"input_shape": (12, 10, 1), "filters": (2, 3), "dense_units": (5, 4), "dropout": 0.2, "l1": 0.1}),
    ("cnn", {"input_shape": (6, 5, 1), "filters": (), "dense_units": (4,)}),
    ("conv1d", {"filters": 4, "kernel_size": 3, "activation": "tanh"}),
    ("conv_autoencoder", {"filters": 3, "code_activation": "relu", "code_units": 7}),
    ("conv1d", {"filters": (4, 5), "kernel_size": (3, 2)}),
    ("gru", {"units": (4, 3), "mask_value": -1.0}),
    ("inception_time", {"depth": 4, "filters": 3, "kernel_size": 8, "activation": "tanh", "mask_value": 0.0}),
    ("lenet", {"filters": 4, "activation": "tanh", "n_outputs": 3}),
    ("lite", {"filters": 3, "kernel_size": 8, "dropout": 0.2, "l2": 0.1}),
    ("lstm", {"units": 5, "input_shape": (None, 3), "l2": 0.1}),
    ("lstm_fcn", {"lstm_units": 3, "dimension_shuffle": True, "filters": (4, 5), "kernel_size": 3, "dropout": 0.5}),
    ("mlp", {"input_shape": (4,), "n_outputs": 1, "output_activation": "sigmoid"}),
    ("real_mlp", {"input_shape": (4,), "n_frequencies": 2, "frequency_scale": 0.5, "dense_units": 5}),
    ("resnet1d", {"filters": (4, 4), "kernel_size": (3, 3), "activation": "tanh"}),
    ("resnet_small", {"depth": 14, "width": 4, "dropout": 0.3}),
    ("simple_rnn", {"units": 3, "dropout": 0.1}),
    (
        "text_cnn",
        {"vocabulary_size": 20, "filters": (4, 3), "kernel_size": (2, 3), "embedding_dropout": 0.0, "l2": 0.1},
    ),
]


def test_all_registered_models_are_tested():
    assert {name for name, _ in CASES} == set(kn.list_models()) - {"backbone"}


@pytest.mark.parametrize(("name", "arguments"), CASES, ids=[name for name, _ in CASES])
def test_recognized_arguments_build_an_equal_model(name, arguments, tmp_path):
    model = kn.create_model(name, **arguments)
    model.layers[-1].trainable = False
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    recognized_name, recognized_arguments = recognize_model(loaded)
    assert recognized_name == name
    rebuilt = kn.create_model(recognized_name, **recognized_arguments)
    rebuilt.set_weights(loaded.get_weights())
    X = np.random.default_rng(0).random((2, *(size or 5 for size in model.input_shape[1:])), np.float32)
    np.testing.assert_array_equal(rebuilt(X), loaded(X))
    for key, value in arguments.items():
        assert recognized_arguments[key] in (value, (value,)), key


@pytest.mark.parametrize("given", ["attention", "gru"])
def test_tokens_of_sequence_models_are_recognized(given):
    model = kn.create_model(given, input_shape=(None,), vocabulary_size=20, embedding_units=4)
    name, arguments = recognize_model(model)
    assert name == given
    assert arguments["vocabulary_size"] == 20
    assert arguments["embedding_units"] == 4


def test_unknown_architecture_is_not_recognized():
    layers = [keras.Input((4,), name="input"), keras.layers.Dense(3, name="output")]
    assert recognize_model(keras.Sequential(layers, name="other"))[0] == "mlp"  # without hidden layers
    assert recognize_model(keras.Sequential([*layers, keras.layers.Softmax()])) == (None, {})
