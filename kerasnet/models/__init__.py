"""Builders of uncompiled Keras models, the model registry, model cards and pretrained weights."""

from kerasnet.models._cards import ModelCard, WeightsCard, model_card
from kerasnet.models._registry import create_model, list_models, register_model, registered_model
from kerasnet.models.attention import build_attention
from kerasnet.models.autoencoder import build_autoencoder, build_conv_autoencoder
from kerasnet.models.backbone import build_backbone
from kerasnet.models.cnn import build_cnn, build_lenet
from kerasnet.models.conv1d import build_conv1d
from kerasnet.models.inception_time import build_inception_time
from kerasnet.models.lite import build_lite
from kerasnet.models.lstm_fcn import build_lstm_fcn
from kerasnet.models.mlp import build_mlp
from kerasnet.models.real_mlp import build_real_mlp
from kerasnet.models.recurrent import build_gru, build_lstm, build_simple_rnn
from kerasnet.models.resnet import build_resnet_small
from kerasnet.models.resnet1d import build_resnet1d
from kerasnet.models.text_cnn import build_text_cnn

__all__ = [
    "ModelCard",
    "WeightsCard",
    "build_attention",
    "build_autoencoder",
    "build_backbone",
    "build_cnn",
    "build_conv1d",
    "build_conv_autoencoder",
    "build_gru",
    "build_inception_time",
    "build_lenet",
    "build_lite",
    "build_lstm",
    "build_lstm_fcn",
    "build_mlp",
    "build_real_mlp",
    "build_resnet1d",
    "build_resnet_small",
    "build_simple_rnn",
    "build_text_cnn",
    "create_model",
    "list_models",
    "model_card",
    "register_model",
    "registered_model",
]
