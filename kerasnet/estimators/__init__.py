"""The scikit-learn face of models."""

from kerasnet.estimators.any_model import KerasNetClassifier
from kerasnet.estimators.cnn import CNNClassifier
from kerasnet.estimators.simple_rnn import SimpleRNNClassifier

__all__ = ["CNNClassifier", "KerasNetClassifier", "SimpleRNNClassifier"]
