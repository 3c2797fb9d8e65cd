"""Identification of the registered builder and the arguments that build a given Keras model."""

import inspect
import re

from kerasnet.models._registry import list_models, registered_model

_CONVOLUTIONS = ("conv", "encoder_conv")
_FIRST_CONVOLUTIONS = ("module_1_conv_1", "multiplexed_1")  # of models whose convolutions have the same filters
_RECURRENT = ("rnn", "lstm", "gru")


def recognize_model(model):
    """Identify the registered builder and the arguments that build the architecture of a model.

    Parameters
    ----------
    model : keras.Model
        Model with one input and one output.

    Returns
    -------
    name : str or None
        Name of the registered model; None if no registered builder builds this architecture.
    arguments : dict
        Arguments of the builder, read from the layer configurations; empty if `name` is None. The builder returns a
        model with the same configuration.
    """
    candidates = _read_arguments(model)
    expected = _without_trainable(model.get_config())
    for name in list_models():
        builder = registered_model(name).builder
        accepted = inspect.signature(builder).parameters
        arguments = {key: value for key, value in candidates.items() if key in accepted}
        if name != "backbone" and _builds(builder, arguments, expected):
            return name, arguments
    return None, {}


def _builds(builder, arguments, expected):
    try:
        return _without_trainable(builder(**arguments).get_config()) == expected
    except (TypeError, ValueError):  # arguments of another architecture
        return False


def _without_trainable(config):
    """Return a configuration without the `trainable` flags of the layers."""
    if isinstance(config, dict):
        return {key: _without_trainable(value) for key, value in config.items() if key != "trainable"}
    if isinstance(config, list | tuple):
        return [_without_trainable(value) for value in config]
    return config


def _read_arguments(model):
    """Return builder arguments by name, read from the layer configurations of a model."""
    configs = {layer.name: layer.get_config() for layer in model.layers}

    def read(key, *names):
        return next((configs[name][key] for name in names if key in configs.get(name, {})), None)

    def sizes(key, *prefixes):
        return tuple(
            configs[f"{prefix}_{position}"][key]
            for prefix in prefixes
            for position in range(1, len(configs) + 1)
            if key in configs.get(f"{prefix}_{position}", {})
        )

    def size(value):
        return value[0] if isinstance(value, list | tuple) else value

    embedding_dropout = configs.pop("embedding_dropout", {}).get("rate", 0.0)
    filters = sizes("filters", *_CONVOLUTIONS) or tuple(
        config["filters"] for name, config in configs.items() if re.fullmatch(r"block_\d+_conv_1", name)
    )
    kernel_sizes, of_block = (
        tuple(map(size, sizes("kernel_size", *prefixes))) for prefixes in (_CONVOLUTIONS, ("block_1_conv",))
    )
    n_outputs = tuple(model.output_shape)[1:]
    regularizer = (read("kernel_regularizer", "output") or {}).get("config", {})
    n_blocks = sum(name.startswith("stage_1") and name.endswith("sum") for name in configs)
    arguments = {
        "activation": read(
            "activation",
            *("activation_1", "stem_activation", "block_1", "module_1"),
            *("conv_1", "encoder_conv_1", "dense_1", "dense_1_1", "code"),
        ),
        "code_activation": read("activation", "code"),
        "code_units": read("units", "code"),
        "dense_units": sizes("units", "dense"),
        "depth": sum(bool(re.fullmatch(r"module_\d+", name)) for name in configs) or 6 * n_blocks + 2,
        "dimension_shuffle": "dimension_shuffle" in configs,
        "dropout": next((config["rate"] for config in configs.values() if "rate" in config), 0.0),
        "embedding_dropout": embedding_dropout,
        "embedding_units": read("units", "embedding") or read("output_dim", "embedding"),
        "feed_forward_units": read("units", "dense_1_1"),
        "filters": read("filters", *_FIRST_CONVOLUTIONS) or filters,
        "frequency_scale": read("frequency_scale", "embedding"),
        "input_shape": tuple(model.input_shape)[1:],
        "kernel_size": (
            size(read("kernel_size", *_FIRST_CONVOLUTIONS))
            or of_block
            or (kernel_sizes[0] if len(set(kernel_sizes)) == 1 else kernel_sizes or None)
        ),
        "l1": regularizer.get("l1", 0.0),
        "l2": regularizer.get("l2", 0.0),
        "lstm_units": read("units", "lstm"),
        "mask_value": read("mask_value", "mask"),
        "n_blocks": len(sizes("num_heads", "attention")),
        "n_frequencies": read("n_frequencies", "embedding"),
        "n_heads": read("num_heads", "attention_1"),
        "n_outputs": n_outputs[0] if len(n_outputs) == 1 else None,
        "name": model.name,
        "output_activation": read("activation", "output", "reconstruction"),
        "pool_size": size(read("pool_size", "pool_1")),
        "units": sizes("units", *_RECURRENT),
        "vocabulary_size": read("input_dim", "embedding"),
        "width": read("filters", "stem"),
    }
    return {key: value for key, value in arguments.items() if value is not None}
