"""Tests of the builders: architectures, layer names, and invalid arguments."""

import inspect
import json

import keras
import numpy as np
import pytest
from _longer import longer

from kerasnet.models import (
    build_autoencoder,
    build_cnn,
    build_conv1d,
    build_conv_autoencoder,
    build_inception_time,
    build_lite,
    build_lstm_fcn,
    build_mlp,
    build_resnet1d,
    build_simple_rnn,
    create_model,
    list_models,
    registered_model,
)


@pytest.mark.parametrize(
    ("builder", "n_parameters"),
    [  # counted by hand
        (build_cnn, (3 * 3 * 1 + 1) * 32 + (13 * 13 * 32 + 1) * 128 + (128 + 1) * 10),
        (build_simple_rnn, (32 + 64 + 1) * 64 + (64 + 1) * 10),
        (build_autoencoder, (784 + 1) * 128 + (128 + 1) * 784),
        (build_mlp, (784 + 1) * 128 + (128 + 1) * 10),
    ],
)
def test_default_number_of_parameters(builder, n_parameters):
    assert builder().count_params() == n_parameters


def test_default_number_of_parameters_of_specified_models():
    assert [build().count_params() for build in (build_cnn, build_simple_rnn, build_autoencoder)] == [
        693_962,
        6_858,
        201_616,
    ]


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("cnn", ["conv_1", "pool_1", "flatten", "dense_1", "output"]),
        ("simple_rnn", ["rnn_1", "output"]),
        ("mlp", ["dense_1", "output"]),
        ("autoencoder", ["input", "code", "reconstruction"]),
    ],
)
def test_layer_names(name, layers):
    assert [layer.name for layer in create_model(name).layers] == layers


def test_model_classes():
    assert type(build_cnn()) is type(build_simple_rnn()) is type(build_mlp()) is keras.Sequential
    assert isinstance(build_autoencoder(), keras.Model)
    assert not isinstance(build_autoencoder(), keras.Sequential)


@pytest.mark.parametrize("name", list_models())
def test_names_are_the_same_in_every_build(name):
    arguments = inspect.signature(registered_model(name).builder).parameters
    options = {"dropout": 0.5, "l2": 0.1, "backbone": "mobilenet"}
    options = {option: value for option, value in options.items() if option in arguments}
    first, second = (create_model(name, **options) for _ in range(2))
    assert [layer.name for layer in first.layers] == [layer.name for layer in second.layers]
    assert [weight.path for weight in first.weights] == [weight.path for weight in second.weights]
    assert first.name == second.name == name


@pytest.mark.parametrize("name", longer(list_models(), ["backbone"]))
def test_model_is_rebuilt_from_name_and_json_arguments(name):
    arguments = {
        argument.name: argument.default
        for argument in inspect.signature(registered_model(name).builder).parameters.values()
    }
    rebuilt = create_model(name, **json.loads(json.dumps(arguments)))
    assert rebuilt.get_config() == create_model(name).get_config()


def test_one_layer_per_tuple_entry():
    model = build_cnn(filters=(8, 16), dense_units=(32, 16), dropout=0.25)
    assert [layer.name for layer in model.layers] == [
        "conv_1",
        "pool_1",
        "conv_dropout_1",
        "conv_2",
        "pool_2",
        "conv_dropout_2",
        "flatten",
        "dense_1",
        "dropout_1",
        "dense_2",
        "dropout_2",
        "output",
    ]
    assert build_simple_rnn(units=(8, 4)).get_layer("rnn_1").output.shape == (None, 10, 8)
    assert [layer.name for layer in build_mlp(dense_units=()).layers] == ["output"]


@pytest.mark.parametrize(
    ("builder", "n_kernels"),
    [(build_cnn, 3), (build_mlp, 2), (build_simple_rnn, 3)],
)
def test_all_kernels_are_regularized(builder, n_kernels):
    model = builder(l1=0.01, l2=0.1)
    kernels = [weight.numpy() for weight in model.weights if weight.path.endswith("kernel")]
    assert len(kernels) == n_kernels
    expected = sum(0.01 * np.abs(kernel).sum() + 0.1 * (kernel**2).sum() for kernel in kernels)
    np.testing.assert_allclose(sum(map(float, model.losses)), expected, rtol=1e-5)


def test_multidimensional_inputs_are_flattened_and_reshaped():
    assert build_mlp((28, 28)).output_shape == (None, 10)
    autoencoder = build_autoencoder((8, 6, 3), code_units=4)
    assert autoencoder.output_shape == (None, 8, 6, 3)
    assert autoencoder.get_layer("code").output.shape == (None, 4)


def test_too_small_images_error_names_the_layer():
    message = (
        r"Layer 'pool_2' needs at least 5 x 5 pixels, but its input has 3 x 3\. "
        r"Use fewer blocks \(len\(filters\) is 6\), a smaller kernel_size or pool_size, or larger images"
    )
    with pytest.raises(ValueError, match=message):
        build_cnn((28, 28, 1), filters=(8,) * 6, pool_size=5)
    with pytest.raises(ValueError, match=r"Layer 'conv_4' needs at least 3 x 3 pixels.* has 1 x 1"):
        build_cnn((28, 28, 1), filters=(8,) * 6)


def test_image_size_check_agrees_with_keras():
    for size in range(3, 14):
        for pool_size in (1, 2, 3):
            layers = [keras.Input((size, size, 1))]
            for _ in range(2):
                layers += [keras.layers.Conv2D(2, 3), keras.layers.MaxPooling2D(pool_size)]
            try:
                shape = keras.Sequential(layers).output_shape
                is_valid = min(shape[1:]) > 0
            except ValueError:
                is_valid = False
            if is_valid:
                assert build_cnn((size, size, 1), filters=(2, 2), pool_size=pool_size).built
            else:
                with pytest.raises(ValueError, match=r"Layer '(conv|pool)_\d' needs at least"):
                    build_cnn((size, size, 1), filters=(2, 2), pool_size=pool_size)


@pytest.mark.parametrize(
    ("builder", "arguments", "message"),
    [
        (
            build_cnn,
            {"input_shape": (28, 28)},
            r"must be \(height, width, channels\).*Received: \(28, 28\)",
        ),
        (build_cnn, {"filters": 0}, r"filters must be a positive int, or a tuple.*Received: 0"),
        (build_cnn, {"filters": (0,)}, r"filters must be"),
        (build_conv_autoencoder, {"filters": ()}, r"filters must have at least one entry"),
        (build_cnn, {"n_outputs": 0}, r"n_outputs must be a positive int. Received: 0"),
        (build_cnn, {"n_outputs": True}, r"n_outputs must be a positive int. Received: True"),
        (build_cnn, {"kernel_size": 2.5}, r"kernel_size must be"),
        (build_conv1d, {"kernel_size": (8, 5)}, r"kernel_size must be .*: 3 entries. Received: \(8, 5\)"),
        (build_lite, {"kernel_size": 3}, r"kernel_size must be at least 4. Received: 3"),
        (build_inception_time, {"kernel_size": 3}, r"kernel_size must be at least 4. Received: 3"),
        (build_lite, {"mask_value": np.nan}, r"mask_value must be a finite number or None. Received: nan"),
        (build_resnet1d, {"kernel_size": ()}, r"kernel_size must have at least one entry"),
        (build_lstm_fcn, {"input_shape": (None, 2), "dimension_shuffle": True}, r"needs sequences of one length"),
        (build_cnn, {"dropout": 1.0}, r"dropout must be a number in \[0, 1\). Received: 1.0"),
        (build_mlp, {"l1": -1}, r"l1 must be a number of at least 0. Received: -1"),
        (build_mlp, {"input_shape": ()}, r"input_shape must be a tuple of sizes"),
        (build_simple_rnn, {"input_shape": (10,)}, r"input_shape must be \(steps, features\)"),
        (build_simple_rnn, {"units": ()}, r"units must have at least one entry"),
        (build_autoencoder, {"code_units": -1}, r"code_units must be a positive int"),
        (build_autoencoder, {"input_shape": 784}, r"input_shape must be a tuple of sizes.*Received: 784"),
    ],
)
def test_invalid_arguments_raise(builder, arguments, message):
    with pytest.raises(ValueError, match=message):
        builder(**arguments)


@pytest.mark.parametrize("name", ["cnn", "lenet", "mlp", "conv1d", "conv_autoencoder", "simple_rnn", "lstm", "gru"])
def test_int_equals_tuple_of_one(name):
    accepted = inspect.signature(registered_model(name).builder).parameters
    for argument in {"filters", "units", "dense_units"} & accepted.keys():
        from_int, from_tuple = (create_model(name, **{argument: value}).get_config() for value in (5, (5,)))
        assert from_int == from_tuple


def test_builders_share_one_signature():
    for name in list_models():
        first, *others = inspect.signature(registered_model(name).builder).parameters.values()
        assert first.name == "input_shape"
        if "n_outputs" in (names := [parameter.name for parameter in others]):
            assert names[0] == "n_outputs"
            assert "output_activation" in names
        assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in others if parameter.name != "n_outputs")
        assert next(parameter for parameter in others if parameter.name == "weights").default is None
        assert others[-1].default == name


def test_custom_filters_of_lite_equal_separate_convolutions():
    """Compare the single convolution with one convolution per filter; peaks as in the paper's formula."""
    X = np.random.default_rng(0).normal(size=(2, 70, 3)).astype(np.float32)
    model = build_lite((70, 3), 2)
    found = model.get_layer("custom_filters")(X)
    signs = [(-1.0) ** np.arange(1, length + 1) for length in (2, 4, 8, 16, 32, 64)]
    filters = [*signs, *(-each for each in signs), [-1, -1, 2, 2, -1, -1]]
    filters.append([-1 / 4, -1, -1, -1 / 4, 1 / 2, 2, 2, 1 / 2, -1 / 4, -1, -1, -1 / 4])
    for number, values in enumerate(filters):
        kernel = np.repeat(np.array(values, np.float32)[:, None, None], 3, axis=1)
        expected = keras.ops.conv(X, kernel, padding="same")
        np.testing.assert_allclose(found[..., number : number + 1], expected, atol=1e-4)
    assert not model.get_layer("custom_filters").trainable_weights
