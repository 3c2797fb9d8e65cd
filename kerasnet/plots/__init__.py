"""Plots in the form of scikit-learn displays."""

from kerasnet.plots.embedding import EmbeddingDisplay
from kerasnet.plots.error_matrix import ErrorMatrixDisplay
from kerasnet.plots.filter import FilterDisplay
from kerasnet.plots.grid_search import GridSearchDisplay
from kerasnet.plots.hog import HOGDisplay
from kerasnet.plots.keypoint import KeypointDisplay
from kerasnet.plots.model_comparison import ModelComparisonDisplay
from kerasnet.plots.prediction_grid import PredictionGridDisplay
from kerasnet.plots.reconstruction import ReconstructionDisplay
from kerasnet.plots.saliency import SaliencyDisplay
from kerasnet.plots.training_curve import TrainingCurveDisplay

__all__ = [
    "EmbeddingDisplay",
    "ErrorMatrixDisplay",
    "FilterDisplay",
    "GridSearchDisplay",
    "HOGDisplay",
    "KeypointDisplay",
    "ModelComparisonDisplay",
    "PredictionGridDisplay",
    "ReconstructionDisplay",
    "SaliencyDisplay",
    "TrainingCurveDisplay",
]
