"""Read and write Keras variables, and read the settings of compiled models."""

import keras


def read_variables(variables):
    """Return copies of the values of Keras variables."""
    return [variable.value.read_value() for variable in variables]


def write_variables(variables, values):
    """Assign values to Keras variables of the same shapes."""
    for variable, value in zip(variables, values, strict=True):
        variable.value.assign(value, read_value=False)


def follows_schedule(optimizer):
    """Return whether an optimizer has a learning rate schedule, so that its learning rate cannot be set."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)  # of a LossScaleOptimizer, for mixed precision
    return isinstance(inner._learning_rate, keras.optimizers.schedules.LearningRateSchedule)


def learning_rate_of(optimizer):
    """Return the learning rate of an optimizer; None if it has a learning rate schedule."""
    return None if follows_schedule(optimizer) else float(optimizer.learning_rate)


def compile_config_of(model):
    """Return the compile settings of a model, a new object after each call of ``compile``; None if not compiled."""
    return getattr(model, "_compile_config", None)


def describe_layers(model):
    """Return the settings of layers and variables that a user can change and that compiled code depends on."""
    layers, variables = [], [(each.trainable, id(each.regularizer), id(each.constraint)) for each in model.variables]
    for layer in model._flatten_layers():
        try:
            config = repr(layer.get_config())
        except (NotImplementedError, TypeError, ValueError):
            config = None
        layers.append((id(layer), layer.trainable, config))
    return layers, variables
