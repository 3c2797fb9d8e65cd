"""Preprocess tabular data: outliers, missing values, scaling, encoding and feature selection, without TensorFlow."""

from kerasnet.preprocessing.interpolation import InterpolationImputer
from kerasnet.preprocessing.outliers import OutlierClipper
from kerasnet.preprocessing.tabular import make_tabular_preprocessor

__all__ = ["InterpolationImputer", "OutlierClipper", "make_tabular_preprocessor"]
