"""The exception family of kerasnet.

Every error says what was expected, what was received and what to do. Where scikit-learn has its own error for
a thing (``NotFittedError``, shape and dtype messages), that one is raised instead.
"""


class KerasNetError(ValueError):
    """The parent of all errors that kerasnet raises itself."""


class DataFormatError(KerasNetError):
    """The content of a file is not what its format says."""


class ImageDecodeError(KerasNetError):
    """An image cannot be decoded: missing, truncated, or not an image."""


class UnsafeFileError(KerasNetError):
    """A file asks for more than a file may: code, paths outside, or more memory than its limit."""


class CorruptFileError(KerasNetError):
    """A file is damaged: its checksum, sizes or structure do not agree."""


class CheckpointMismatchError(KerasNetError):
    """A saved state belongs to another model than the one it is loaded into."""


class DivergenceError(KerasNetError):
    """The training loss became NaN or infinite."""


class UnknownModelError(KerasNetError):
    """No model of that name is registered."""
