"""kerasnet: a Keras model zoo whose every model is also a scikit-learn estimator.

Importing this package is cheap: sub-packages and public names are loaded when they are first used, and TensorFlow only
with the first name that needs it. The names are listed in ``__init__.pyi``, which type checkers and editors read, too.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
