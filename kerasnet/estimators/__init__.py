"""scikit-learn estimators of Keras models."""

from kerasnet.estimators.autoencoder import Autoencoder
from kerasnet.estimators.backbone_features import BackboneFeatures
from kerasnet.estimators.classifier import KerasNetClassifier
from kerasnet.estimators.cnn import CNNClassifier
from kerasnet.estimators.outlier_detector import AutoencoderOutlierDetector
from kerasnet.estimators.regressor import KerasNetRegressor
from kerasnet.estimators.simple_rnn import SimpleRNNClassifier
from kerasnet.estimators.tabular import make_tabular_pipeline

__all__ = [
    "Autoencoder",
    "AutoencoderOutlierDetector",
    "BackboneFeatures",
    "CNNClassifier",
    "KerasNetClassifier",
    "KerasNetRegressor",
    "SimpleRNNClassifier",
    "make_tabular_pipeline",
]
