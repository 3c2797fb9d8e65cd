"""Parts of networks for time series."""

from keras import layers

from kerasnet.models._layers import MaskedConv1D


def convolution(values, mask, filters, kernel_size, name, regularizer, **options):
    """Apply a convolution without bias that keeps the number of steps."""
    layer = MaskedConv1D(
        filters, kernel_size, padding="same", use_bias=False, kernel_regularizer=regularizer, name=name, **options
    )
    return layer(values, mask=mask)


def normalized(values, mask, name):
    """Apply batch normalization, with a momentum for trainings of few steps."""
    return layers.BatchNormalization(momentum=0.9, name=name)(values, mask=mask)
