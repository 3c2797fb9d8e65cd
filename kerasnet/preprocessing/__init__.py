"""Tabular preparation: imputing, outliers, scaling, selection. No TensorFlow here."""

from kerasnet.preprocessing.interpolation import InterpolationImputer
from kerasnet.preprocessing.outliers import OutlierClipper
from kerasnet.preprocessing.tabular import make_tabular_preprocessor

__all__ = ["InterpolationImputer", "OutlierClipper", "make_tabular_preprocessor"]
