"""Texts are transformed to token ids."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.utils.estimator_checks import parametrize_with_checks

import kerasnet as kn
from kerasnet.features import TextVectorizer

TEXTS = ["What is a list?", "What is IT", "é is 3.5 x"]


@parametrize_with_checks([TextVectorizer()])
def test_scikit_learn_estimator_checks(estimator, check):
    check(estimator)


def test_ids_follow_frequency_and_texts_are_padded_or_truncated():
    vectorizer = TextVectorizer()
    ids = vectorizer.fit_transform(TEXTS)
    assert ids.dtype == np.int32
    assert list(vectorizer.vocabulary_) == ["is", "what", ".", "3", "5", "?", "a", "it", "list", "x", "é"]
    assert list(vectorizer.vocabulary_.values()) == list(range(2, 13))
    np.testing.assert_array_equal(ids, [[3, 2, 8, 10, 7, 0], [3, 2, 9, 0, 0, 0], [12, 2, 5, 4, 6, 11]])
    np.testing.assert_array_equal(
        vectorizer.transform(["", "new LIST", "? " * 9])[:, :3], [[0] * 3, [1, 10, 0], [7] * 3]
    )
    assert TextVectorizer(sequence_length=2).fit_transform(TEXTS).tolist() == [[3, 2], [3, 2], [12, 2]]


def test_parameters_limit_the_vocabulary_and_define_tokens():
    assert list(TextVectorizer(max_tokens=4).fit(TEXTS).vocabulary_) == ["is", "what"]
    assert list(TextVectorizer(min_frequency=2).fit(TEXTS).vocabulary_) == ["is", "what"]
    assert "IT" in TextVectorizer(lowercase=False).fit(TEXTS).vocabulary_
    assert "list?" in TextVectorizer(token_pattern=r"\S+").fit(TEXTS).vocabulary_
    assert list(TextVectorizer(tokenizer=list).fit(["aba"]).vocabulary_) == ["a", "b"]
    assert TextVectorizer(tokenizer=reversed).fit_transform(["aba c"]).tolist() == [[5, 3, 2, 4, 2]]


@pytest.mark.parametrize(
    "convert",
    [
        tuple,
        np.array,
        lambda texts: np.array(texts, object)[:, None],
        pd.Series,
        lambda texts: pd.Series(texts, dtype="string"),
        lambda texts: pd.DataFrame({"text": texts}),
        pl.Series,
        lambda texts: pl.DataFrame({"text": texts}),
    ],
)
def test_collections_of_texts_are_equivalent(convert):
    expected = TextVectorizer().fit_transform(TEXTS)
    np.testing.assert_array_equal(TextVectorizer().fit_transform(convert(TEXTS)), expected)


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("one text", "Expected a list, array, Series or data frame of texts. Received: str 'one text'"),
        (iter(TEXTS), "Received: list_iterator"),
        ([], "at least one text"),
        (["a", None], r"Text 1 is missing \(None\). Remove missing texts, or replace them with ''"),
        (pd.Series(["a", np.nan]), "Text 1 is missing"),
        (pd.Series(["a", pd.NA], dtype="string"), "Text 1 is missing"),
        (pl.Series(["a", None]), "Text 1 is missing"),
        (["a", 5], "Expected strings. Received: int 5 at position 1"),
        ([b"a"], "Text 0 is bytes. Decode it first"),
        (pd.DataFrame({"a": TEXTS, "b": TEXTS}), r"one column of texts. Received: shape \(3, 2\)"),
    ],
)
def test_invalid_texts_raise_an_error(texts, message):
    for method in (TextVectorizer().fit, TextVectorizer().fit(TEXTS).transform):
        with pytest.raises(ValueError, match=message):
            method(texts)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"max_tokens": 2}, "max_tokens == 2, must be >= 3"),
        ({"sequence_length": 0}, "sequence_length == 0, must be >= 1"),
        ({"min_frequency": 9}, "The vocabulary is empty: no token occurs at least min_frequency=9 times"),
        ({"token_pattern": "(a)(b)"}, "at most one capturing group"),
        ({"token_pattern": "("}, r"token_pattern must be a regular expression. Received: '\('"),
        ({"tokenizer": "split"}, "tokenizer must be a function that returns tokens. Received: 'split'"),
        ({"tokenizer": lambda text: [(text, text)]}, "tokenizer must return strings. Received a token of tuple"),
        ({"tokenizer": lambda text: [[text]]}, "tokenizer must return strings. Received a token of list: "),
    ],
)
def test_invalid_parameters_raise_an_error(parameters, message):
    with pytest.raises((TypeError, ValueError), match=message):
        TextVectorizer(**parameters).fit(TEXTS)


def test_feature_names_and_columns():
    frame = pd.DataFrame({"text": TEXTS, "number": [1, 2, 3]})
    columns = make_column_transformer((TextVectorizer(sequence_length=2), "text"), ("passthrough", ["number"]))
    assert columns.fit_transform(frame).tolist() == [[3, 2, 1], [3, 2, 2], [12, 2, 3]]
    assert columns.get_feature_names_out().tolist()[:2] == [
        "textvectorizer__textvectorizer0",
        "textvectorizer__textvectorizer1",
    ]


def test_large_vocabularies_are_saved_and_pickled(tmp_path):
    vectorizer = TextVectorizer(None).fit([" ".join(f"word{number}" for number in range(26_000)), '\0 "[é\ud800'])
    kn.save(vectorizer, tmp_path / "v.kerasnet")
    for loaded in (kn.load(tmp_path / "v.kerasnet"), pickle.loads(pickle.dumps(vectorizer))):
        assert loaded.vocabulary_ == vectorizer.vocabulary_
        np.testing.assert_array_equal(loaded.transform(["word5 é new"]), vectorizer.transform(["word5 é new"]))
    assert not hasattr(clone(loaded), "vocabulary_")
    with pytest.raises(TypeError, match="tokenizer|function|list"):
        kn.save(TextVectorizer(tokenizer=str.split).fit(TEXTS), tmp_path / "f.kerasnet")
