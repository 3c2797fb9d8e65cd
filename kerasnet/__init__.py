"""kerasnet: a Keras model zoo whose every model is also a scikit-learn estimator.

Importing this package is cheap: sub-packages and the names below are loaded when they are first used, and
TensorFlow only with the first name that needs it.
"""

import importlib

__version__ = "0.1.0"

_HOME_OF = {
    "Autoencoder": "kerasnet.estimators",
    "AutoencoderOutlierDetector": "kerasnet.estimators",
    "BackboneFeatures": "kerasnet.estimators",
    "CNNClassifier": "kerasnet.estimators",
    "KerasNetClassifier": "kerasnet.estimators",
    "KerasNetRegressor": "kerasnet.estimators",
    "ModelCard": "kerasnet.models",
    "NeuralNetwork": "kerasnet.numpy_network",
    "SimpleRNNClassifier": "kerasnet.estimators",
    "WeightsCard": "kerasnet.models",
    "build_attention": "kerasnet.models",
    "build_autoencoder": "kerasnet.models",
    "build_backbone": "kerasnet.models",
    "build_cnn": "kerasnet.models",
    "build_conv1d": "kerasnet.models",
    "build_conv_autoencoder": "kerasnet.models",
    "build_gru": "kerasnet.models",
    "build_lenet": "kerasnet.models",
    "build_lstm": "kerasnet.models",
    "build_mlp": "kerasnet.models",
    "build_resnet_small": "kerasnet.models",
    "build_simple_rnn": "kerasnet.models",
    "create_model": "kerasnet.models",
    "inspect": "kerasnet.persistence",
    "list_models": "kerasnet.models",
    "load": "kerasnet.persistence",
    "model_card": "kerasnet.models",
    "register_model": "kerasnet.models",
    "save": "kerasnet.persistence",
}
_ROOMS = (
    "datasets",
    "errors",
    "estimators",
    "features",
    "models",
    "numpy_network",
    "persistence",
    "plots",
    "preprocessing",
    "training",
)

__all__ = [*_HOME_OF, *_ROOMS, "__version__"]


def __getattr__(name):
    if name in _HOME_OF:
        return getattr(importlib.import_module(_HOME_OF[name]), name)
    if name in _ROOMS:
        return importlib.import_module(f"kerasnet.{name}")
    raise AttributeError(f"module 'kerasnet' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
