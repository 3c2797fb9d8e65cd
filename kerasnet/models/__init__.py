"""Builders: pure functions that return an uncompiled ``keras.Model``, and the registry of their names."""

from kerasnet.models._registry import create_model, list_models, register_model, registered_model
from kerasnet.models.autoencoder import build_autoencoder
from kerasnet.models.cnn import build_cnn
from kerasnet.models.mlp import build_mlp
from kerasnet.models.simple_rnn import build_simple_rnn

__all__ = [
    "build_autoencoder",
    "build_cnn",
    "build_mlp",
    "build_simple_rnn",
    "create_model",
    "list_models",
    "register_model",
    "registered_model",
]
