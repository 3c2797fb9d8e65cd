"""Text to sequences of token ids."""

from __future__ import annotations

import collections
import json
import re
from collections.abc import Callable, Collection, Iterable
from numbers import Integral
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_is_fitted

from kerasnet._documentation import DocumentedEstimator

_PADDING, UNKNOWN = 0, 1
_N_RESERVED = 2  # the ids of padding and unknown tokens


class TextVectorizer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, DocumentedEstimator):
    r"""Transform texts to sequences of token ids, for networks with an embedding layer.

    The most frequent tokens of the training texts have the ids 2, 3, ... in order of decreasing frequency. 0 is padding
    at the end, and 1 is an unknown token.

    Parameters
    ----------
    max_tokens : int or None, default=20000
        Maximum number of ids, including the ids of padding and unknown tokens. None for no limit.
    sequence_length : int or None, default=None
        Number of ids per text. Longer texts are truncated, and shorter ones are padded. If None, the number of tokens
        in the longest training text.
    token_pattern : str, default=r"\w+|[^\w\s]"
        Regular expression of a token, as in :func:`re.findall`. By default, words and punctuation marks are tokens.
        Ignored if `tokenizer` is given.
    tokenizer : callable, default=None
        Function that splits a text into tokens, which are strings.
    lowercase : bool, default=True
        Whether to convert texts to lowercase first.
    min_frequency : int, default=1
        Minimum number of occurrences of a token in the training texts. Less frequent tokens are unknown.

    Attributes
    ----------
    vocabulary_ : dict of str to int
        Ids of the tokens.
    sequence_length_ : int
        Number of ids per text.

    See Also
    --------
    sklearn.feature_extraction.text.TfidfVectorizer : Weighted counts of words, for linear models.
    kerasnet.models.build_text_cnn : Network for token ids.

    Notes
    -----
    Texts are given as a list, an array, a pandas or polars Series, or a data frame with one column. In a
    :class:`~sklearn.compose.ColumnTransformer`, select the column by name or as a list with one name.

    Examples
    --------
    >>> from kerasnet.features import TextVectorizer
    >>> vectorizer = TextVectorizer().fit(["What is a list?", "What is it"])
    >>> vectorizer.transform(["Is a tuple a list?"])
    array([[2, 5, 1, 5, 7]], dtype=int32)
    >>> vectorizer.vocabulary_
    {'is': 2, 'what': 3, '?': 4, 'a': 5, 'it': 6, 'list': 7}
    """

    def __init__(
        self,
        max_tokens: int | None = 20_000,
        sequence_length: int | None = None,
        *,
        token_pattern: str = r"\w+|[^\w\s]",
        tokenizer: Callable[[str], Iterable[str]] | None = None,
        lowercase: bool = True,
        min_frequency: int = 1,
    ) -> None:
        self.max_tokens = max_tokens
        self.sequence_length = sequence_length
        self.token_pattern = token_pattern
        self.tokenizer = tokenizer
        self.lowercase = lowercase
        self.min_frequency = min_frequency

    def fit(self, X: Collection[str], y: Any = None) -> Self:
        """Learn the vocabulary and the sequence length.

        Parameters
        ----------
        X : array-like of shape (n_samples,) or (n_samples, 1)
            Texts.
        y : None
            Ignored.

        Returns
        -------
        self : object
            Fitted transformer.

        Raises
        ------
        ValueError
            If a text is missing or not a string, if there are no tokens, or if a parameter is invalid.
        TypeError
            If `tokenizer` is not callable, or returns tokens that are not strings.
        """
        self._check_parameters()
        counts: collections.Counter[str] = collections.Counter()
        longest = 0
        for tokens in map(self._tokenizer(), as_texts(X)):
            if not all(isinstance(invalid := token, str) for token in tokens):
                raise TypeError(
                    f"tokenizer must return strings. Received a token of {type(invalid).__name__}: {invalid!r:.100}. "
                    "Convert it, for example with str(token) or ' '.join(token)."
                )
            counts.update(tokens)
            longest = max(longest, len(tokens))
        frequent = [token for token, n in counts.items() if n >= self.min_frequency]
        if not frequent:
            raise ValueError(
                f"The vocabulary is empty: no token occurs at least min_frequency={self.min_frequency} times. "
                f"Received: {sum(counts.values())} tokens. Check the texts, token_pattern and tokenizer."
            )
        frequent.sort(key=lambda token: (-counts[token], token))
        kept = frequent if self.max_tokens is None else frequent[: self.max_tokens - _N_RESERVED]
        self.vocabulary_ = {token: number for number, token in enumerate(kept, start=_N_RESERVED)}
        self.sequence_length_ = longest if self.sequence_length is None else int(self.sequence_length)
        self._n_features_out = self.sequence_length_
        return self

    def transform(self, X: Collection[str]) -> npt.NDArray[np.int32]:
        """Transform texts to token ids.

        Parameters
        ----------
        X : array-like of shape (n_samples,) or (n_samples, 1)
            Texts.

        Returns
        -------
        ids : ndarray of shape (n_samples, sequence_length), dtype int32
            Token ids: 0 is padding, and 1 is an unknown token.

        Raises
        ------
        ValueError
            If a text is missing or not a string.
        """
        check_is_fitted(self)
        texts, length, id_of = as_texts(X), self.sequence_length_, self.vocabulary_.get
        ids = np.full((len(texts), length), _PADDING, np.int32)
        for row, tokens in zip(ids, map(self._tokenizer(), texts), strict=True):
            kept = [id_of(token, UNKNOWN) for token in tokens[:length]]
            row[: len(kept)] = kept
        return ids

    def _tokenizer(self):
        """Return a function that splits a text into tokens."""
        split = re.compile(self.token_pattern).findall if self.tokenizer is None else self.tokenizer
        return (lambda text: list(split(text.lower()))) if self.lowercase else (lambda text: list(split(text)))

    def _check_parameters(self):
        if self.max_tokens is not None:
            check_scalar(self.max_tokens, "max_tokens", Integral, min_val=_N_RESERVED + 1)
        if self.sequence_length is not None:
            check_scalar(self.sequence_length, "sequence_length", Integral, min_val=1)
        check_scalar(self.min_frequency, "min_frequency", Integral, min_val=1)
        if self.tokenizer is not None:
            if not callable(self.tokenizer):
                raise TypeError(f"tokenizer must be a function that returns tokens. Received: {self.tokenizer!r}.")
            return
        try:
            n_groups = re.compile(self.token_pattern).groups
        except (TypeError, re.error) as error:
            raise ValueError(
                f"token_pattern must be a regular expression. Received: {self.token_pattern!r} ({error})."
            ) from error
        if n_groups > 1:
            raise ValueError(
                "token_pattern must have at most one capturing group, which is the token. "
                f"Received: {self.token_pattern!r}."
            )

    def __getstate__(self):
        """Return the state. The vocabulary is one string, which archives store in less space than a dict."""
        state = dict(super().__getstate__())
        if "vocabulary_" in state:
            state["vocabulary_"] = json.dumps(list(state["vocabulary_"]))
        return state

    def __setstate__(self, state):
        """Restore the state."""
        state = dict(state)
        if "vocabulary_" in state:
            tokens = json.loads(state["vocabulary_"])
            state["vocabulary_"] = {str(token): number for number, token in enumerate(tokens, start=_N_RESERVED)}
        super().__setstate__(state)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags


def as_texts(X):
    """Return texts as a list of strings.

    Parameters
    ----------
    X : collection of str, or array or data frame with one column
        The texts.

    Returns
    -------
    texts : list of str

    Raises
    ------
    ValueError
        If X is empty or a single string, if it has multiple columns, or if a text is missing or not a string.
    """
    if isinstance(X, str | bytes) or not hasattr(X, "__len__"):
        raise ValueError(
            f"Expected a list, array, Series or data frame of texts. Received: {type(X).__name__} {X!r:.100}."
        )
    if getattr(X, "ndim", 1) != 1 or hasattr(X, "columns"):
        X = np.asarray(X, dtype=object)
        if X.ndim != 2 or X.shape[1] != 1:
            raise ValueError(
                f"Expected texts of shape (n_samples,) or one column of texts. Received: shape {X.shape}. Select a "
                "column, or use one TextVectorizer per column in a ColumnTransformer."
            )
        X = X[:, 0]
    texts = list(X)
    if not texts:
        raise ValueError("Expected at least one text. Received: an empty collection.")
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(_invalid_text_message(number, text))
    return texts


def _invalid_text_message(number, text):
    if isinstance(text, bytes):
        return f"Text {number} is bytes. Decode it first, for example with text.decode('utf-8')."
    if text is None or str(text) in ("<NA>", "NaT", "nan"):
        return f"Text {number} is missing ({text!r}). Remove missing texts, or replace them with ''."
    return f"Expected strings. Received: {type(text).__name__} {text!r:.100} at position {number}."
