"""Token ids as inputs: the size of the vocabulary, and ids beyond it."""

import warnings
from collections.abc import Collection, Mapping

import numpy as np

from kerasnet.estimators._inputs import accepts_lazy_arrays, iter_chunks

_UNKNOWN = 1
_MAX_LEARNED_SIZE = 2**24


class TokenInput:
    """Mixin class for models of token ids: registered for them, or sequence models with a vocabulary."""

    _warned_about_tokens = False  # whether the warning about unknown tokens was issued since the last fit

    def _kind_of_input(self):
        """Return the input kind of the model: "tokens" also for a sequence model with a vocabulary."""
        entry = self._registry_entry()
        kind = entry.input_kind if entry else None
        has_vocabulary = kind == "sequence" and self._settings().get("vocabulary_size") is not None
        return "tokens" if has_vocabulary else kind

    def _as_tokens(self, X, reset):
        """Return known token ids. In a fit, the size of the vocabulary is learned, unless it is a parameter."""
        owner = type(self).__name__
        largest = _largest_id(X, owner)
        if reset:
            given = self._settings().get("vocabulary_size")
            self.vocabulary_size_ = _size_for(largest, owner) if given in (None, "auto") else given
            self._warned_about_tokens = False
        if largest >= self.vocabulary_size_ and not self._warned_about_tokens:
            warnings.warn(
                f"X contains token ids up to {largest}, but {owner} has vocabulary_size={self.vocabulary_size_}. Ids "
                f"of at least {self.vocabulary_size_} are treated as {_UNKNOWN}, an unknown token. This warning is "
                "issued once after each fit.",
                stacklevel=2,
            )
            self._warned_about_tokens = True
        return _as_known_tokens(X, self.vocabulary_size_)


def check_not_text(X, owner, *, takes_tokens):
    """Raise an error if X contains strings instead of numbers or token ids."""
    if hasattr(X, "columns"):
        first = next(iter(np.asarray(X[:1], dtype=object).ravel()), None) if takes_tokens else None
    else:
        first = next(iter(X), None) if isinstance(X, Collection) and not isinstance(X, Mapping) else None
    if isinstance(first, str):
        raise ValueError(
            f"{owner} expects {'token ids' if takes_tokens else 'numbers'}. Received: strings. For text, put a "
            "TextVectorizer in front of a model for tokens, such as make_pipeline(TextVectorizer(), "
            'KerasNetClassifier("text_cnn")). For paths of images, use kerasnet.features.ImageFiles.'
        )


def _largest_id(X, owner):
    """Return the largest token id; raise an error if X contains other numbers than integers of at least 0."""
    largest = 0
    for chunk in iter_chunks(X):
        if chunk.dtype.kind == "f" and not (chunk == np.rint(chunk)).all():
            raise ValueError(f"{owner} expects token ids, integers. Received: X with fractional values.")
        if chunk.min() < 0:
            raise ValueError(f"{owner} expects token ids of at least 0. Received: X with the minimum {chunk.min():g}.")
        largest = max(largest, int(chunk.max()))
    return largest


def _size_for(largest, owner):
    """Return the size of a vocabulary with this largest id; raise an error if it is implausible."""
    if largest >= _MAX_LEARNED_SIZE:
        raise ValueError(
            f"{owner} has one embedding per token id up to the largest one. Received: X with ids up to {largest}. "
            "Number the tokens consecutively, as TextVectorizer does, or set vocabulary_size."
        )
    return max(largest, _UNKNOWN) + 1


@accepts_lazy_arrays
def _as_known_tokens(X, vocabulary_size):
    """Convert token ids to int32, and replace those beyond the vocabulary by 1, the id of unknown tokens."""
    return np.where(np.less(X, vocabulary_size), X, _UNKNOWN).astype(np.int32)
