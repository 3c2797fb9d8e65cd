"""Values of Keras variables, and what an optimizer says of its learning rate."""

import keras


def read(variables):
    """Return copies of the values of Keras variables."""
    return [variable.value.read_value() for variable in variables]


def write(variables, values):
    """Give Keras variables values of equal shapes."""
    for variable, value in zip(variables, values, strict=True):
        variable.value.assign(value, read_value=False)


def follows_schedule(optimizer):
    """Tell whether an optimizer computes its learning rate itself, so that nobody can set it."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)  # of one that scales losses, for mixed precision
    return isinstance(inner._learning_rate, keras.optimizers.schedules.LearningRateSchedule)


def learning_rate_of(optimizer):
    """Return the learning rate of an optimizer; None where it follows a schedule."""
    return None if follows_schedule(optimizer) else float(optimizer.learning_rate)


def compiled_as(model):
    """Return an object that is another one after each call of a model's ``compile``; None before the first."""
    return getattr(model, "_compile_config", None)


def describe_layers(model):
    """Return what compiled code depends on and may be changed by hand, of layers and of variables."""
    layers, variables = [], [(each.trainable, id(each.regularizer), id(each.constraint)) for each in model.variables]
    for layer in model._flatten_layers():
        try:
            config = repr(layer.get_config())
        except (NotImplementedError, TypeError, ValueError):
            config = None
        layers.append((id(layer), layer.trainable, config))
    return layers, variables
