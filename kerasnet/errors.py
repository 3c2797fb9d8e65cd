"""Exceptions raised by kerasnet.

Each message says what was expected, what was received and how to fix it. Where scikit-learn defines an error for a
situation (``NotFittedError``, messages about shapes and dtypes), that error is raised instead.
"""


class KerasNetError(ValueError):
    """Base class of all errors defined by kerasnet."""


class DataFormatError(KerasNetError):
    """Raised when the content of a file does not match its format."""


class ImageDecodeError(KerasNetError):
    """Raised when an image is missing, truncated, too large, or not an image."""


class UnsafeFileError(KerasNetError):
    """Raised when a file contains code or unsafe paths, or exceeds a size limit."""


class CorruptFileError(KerasNetError):
    """Raised when a file is damaged: its checksum, sizes or structure are inconsistent."""


class CheckpointMismatchError(KerasNetError):
    """Raised when a checkpoint or set of weights does not match the model."""


class DivergenceError(KerasNetError):
    """Raised when the training loss or the weights become NaN or infinite."""


class UnknownModelError(KerasNetError):
    """Raised when no model is registered under the requested name."""


class ExportError(KerasNetError):
    """Raised when an estimator cannot be exported, or when the exported model differs from it."""
