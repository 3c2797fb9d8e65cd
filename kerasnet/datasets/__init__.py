"""Data sets: loaded as arrays, without TensorFlow."""

from kerasnet.datasets._mnist import load_mnist

__all__ = ["load_mnist"]
