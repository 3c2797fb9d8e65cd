"""Export fitted estimators to ONNX, LiteRT and SavedModel files, and predict with exported ONNX files.

Nothing is imported before its first use: :func:`load_exported` needs neither TensorFlow nor scikit-learn.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
