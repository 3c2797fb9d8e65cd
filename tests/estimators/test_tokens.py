"""Token ids as inputs of estimators."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

import kerasnet as kn
from kerasnet.datasets import LazyArray
from kerasnet.estimators import _validation
from kerasnet.features import TextVectorizer
from kerasnet.models import create_model, list_models

NEUTRAL, WORDS = (
    ["the", "a", "film", "was", "it", "and", "plot"],
    {"neg": ["bad", "poor", "awful", "dull"], "pos": ["good", "fine"]},
)
SMALL = {"embedding_units": 8, "epochs": 10, "learning_rate": 0.02, "random_state": 0}
SMALLER = {
    "attention": {"n_heads": 2, "n_blocks": 1, "feed_forward_units": 4},
    "conv1d": {"filters": 4},
    "text_cnn": {"filters": 8, "kernel_size": (1, 2)},
}
RECURRENT = ("gru", "lstm", "simple_rnn")


@pytest.fixture(scope="module")
def reviews():
    """Return 80 short texts, their labels and their token ids."""
    rng, y = np.random.default_rng(0), np.array(["neg", "pos"] * 40)
    texts = [" ".join(rng.permutation([*rng.choice(NEUTRAL, 5), *rng.choice(WORDS[label], 2)])) for label in y]
    return texts, y, TextVectorizer().fit_transform(texts)


def classifier(name="text_cnn", **parameters):
    vocabulary = {} if name == "text_cnn" else {"vocabulary_size": "auto"}
    default = {"units": 4} if name in RECURRENT else SMALLER[name]
    return kn.KerasNetClassifier(name, **{**SMALL, **default, **vocabulary, **parameters})


@pytest.mark.parametrize("name", [*list_models(input_kind="tokens"), *list_models(input_kind="sequence")])
def test_padding_does_not_change_outputs(name):
    """Padding has no effect, and a text without tokens has finite outputs."""
    small = {"depth": 3, "filters": 4} if name == "inception_time" else {}
    model = create_model(name, input_shape=(None,), n_outputs=3, vocabulary_size=20, **small)
    tokens = np.random.default_rng(0).integers(1, 20, (3, 6))
    np.testing.assert_allclose(model(np.pad(tokens, ((0, 0), (0, 4)))), model(tokens), atol=1e-6)
    assert np.isfinite(model(np.zeros((1, 4)))).all()
    assert model.inputs[0].dtype == "int32"


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("text_cnn", {"input_shape": (5, 2)}, r"input_shape must be \(steps,\).*Received: \(5, 2\)"),
        (
            "text_cnn",
            {"filters": (2, 3, 4), "kernel_size": (2, 3)},
            "filters and kernel_size must have the same number",
        ),
        ("text_cnn", {"filters": (), "kernel_size": ()}, "filters and kernel_size must have the same number"),
        ("text_cnn", {"vocabulary_size": 1}, "vocabulary_size must be at least 2: the ids 0 and 1 are padding"),
        ("gru", {"vocabulary_size": 9}, r"input_shape must be \(steps,\)"),
        ("gru", {"vocabulary_size": 9, "mask_value": 0.0}, "mask_value applies to floats; token ids are padded with 0"),
    ],
)
def test_invalid_arguments_raise_an_error(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        create_model(name, **arguments)


def test_text_cnn_equals_a_computation_by_hand():
    model = create_model("text_cnn", n_outputs=2, vocabulary_size=9, embedding_units=3, filters=4, kernel_size=(2, 3))
    tokens = np.array([[5, 2, 8, 0, 0]])
    embedding, *weights = [weight.numpy() for weight in model.weights]
    steps, maxima = embedding[tokens[0, :3]], []
    for kernel, bias in (weights[:2], weights[2:4]):
        padded = np.pad(steps, (((len(kernel) - 1) // 2, len(kernel) // 2), (0, 0)))
        windows = [(padded[start : start + len(kernel), :, None] * kernel).sum((0, 1)) + bias for start in range(3)]
        maxima.append(np.maximum(windows, 0).max(axis=0))
    logits = np.concatenate(maxima) @ weights[4] + weights[5]
    np.testing.assert_allclose(model(tokens)[0], np.exp(logits) / np.exp(logits).sum(), atol=1e-6)


def test_pipelines_learn_the_vocabulary_and_are_saved_pickled_and_searched(reviews, tmp_path):
    texts, y, _ = reviews
    pipeline = make_pipeline(TextVectorizer(), classifier()).fit(texts[:60], y[:60])
    assert pipeline.score(texts[60:], y[60:]) > 0.8
    assert pipeline[-1].vocabulary_size_ == len(pipeline[0].vocabulary_) + 2
    expected = pipeline.predict_proba(texts)
    kn.save(pipeline, tmp_path / "p.kerasnet")
    for same in (
        kn.load(tmp_path / "p.kerasnet"),
        pickle.loads(pickle.dumps(pipeline)),
        clone(pipeline).fit(texts[:60], y[:60]),
    ):
        np.testing.assert_array_equal(same.predict_proba(texts), expected)
    grid = {"textvectorizer__max_tokens": [4, None], "kerasnetclassifier__vocabulary_size": [30]}  # one architecture
    search = GridSearchCV(pipeline, grid, cv=2).fit(texts, y)
    assert search.best_params_["textvectorizer__max_tokens"] is None


@pytest.mark.parametrize(
    "name", ["gru", *(pytest.param(each, marks=pytest.mark.exhaustive) for each in ("attention", "conv1d"))]
)
def test_sequence_models_take_tokens(name, reviews):
    _, y, ids = reviews
    fitted = classifier(name).fit(ids, y)
    assert fitted.score(ids, y) > 0.8
    assert (fitted.vocabulary_size_, fitted.input_shape_) == (ids.max() + 1, (7,))
    assert fitted.model_.get_layer("embedding").output_dim == 8
    assert clone(fitted).get_params()["vocabulary_size"] == "auto"


def test_larger_ids_are_unknown_with_one_warning(reviews):
    _, y, ids = reviews
    fitted = classifier(epochs=1).fit(ids, y)
    larger, unknown = ids.astype(np.int64), ids.copy()
    larger[0, :2], unknown[0, :2] = (ids.max() + 1, 2**40), 1
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        np.testing.assert_array_equal(fitted.predict_proba(larger), fitted.predict_proba(unknown))
        fitted.predict(larger)
    assert [str(each.message).partition(", an unknown")[0][-16:] for each in caught] == ["are treated as 1"]
    with pytest.warns(UserWarning, match="vocabulary_size=5. Ids of at least 5 are treated as 1"):
        assert classifier(epochs=1, vocabulary_size=5).fit(ids, y).vocabulary_size_ == 5


def test_streamed_rows_and_checkpoints_do_not_change_results(reviews, tmp_path, monkeypatch):
    _, y, ids = reviews
    expected = classifier("gru", epochs=3).fit(ids, y).predict_proba(ids)
    monkeypatch.setattr(_validation, "_READ_AT_ONCE", 0)
    lazy = LazyArray(ids)
    streamed = classifier("gru", epochs=3).fit(lazy, y)
    np.testing.assert_allclose(streamed.predict_proba(lazy), expected, atol=1e-6)
    classifier("gru", epochs=2, memory=tmp_path).fit(ids, y)
    resumed = classifier("gru", epochs=3, memory=tmp_path).fit(ids, y)
    assert resumed.n_iter_from_memory_ == 2
    np.testing.assert_array_equal(resumed.predict_proba(ids), expected)


@pytest.mark.parametrize(
    ("convert", "message"),
    [
        (lambda ids: ids / 2, "expects token ids, integers. Received: X with fractional values"),
        (lambda ids: -ids, "expects token ids of at least 0. Received: X with the minimum -"),
        (lambda ids: ids[..., None], r"expects token ids of shape \(n, steps\)"),
        (lambda ids: ids.astype(np.int64) * 10**8, "one embedding per token id up to the largest one"),
        (lambda ids: [row[: 3 + number % 2] for number, row in enumerate(ids)], "the same number of token ids"),
        (lambda ids: ["some text"] * len(ids), r"Received: strings. For text, put a TextVectorizer in front"),
        (
            lambda ids: pd.DataFrame({"text": ["some text"] * len(ids)}),
            "Received: strings. For text, put a TextVectori",
        ),
    ],
)
def test_invalid_tokens_raise_an_error(convert, message, reviews):
    _, y, ids = reviews
    with pytest.raises(ValueError, match=message):
        classifier(epochs=1).fit(convert(ids), y)
    with pytest.raises(ValueError, match="'vocabulary_size' parameter .* must be"):
        classifier(vocabulary_size="all").fit(ids, y)


def test_integers_of_sequence_models_without_vocabulary_raise_a_warning(reviews):
    _, y, ids = reviews
    with pytest.warns(UserWarning, match='integers, which KerasNetClassifier uses as numbers.* vocabulary_size="auto"'):
        kn.KerasNetClassifier("gru", units=2).initialize(ids, y)


@pytest.mark.exhaustive
def test_exported_networks_take_token_ids(reviews, tmp_path):
    _, y, ids = reviews
    ids = ids.copy()
    fitted = classifier(epochs=1).fit(ids, y)
    ids[0] = 0  # a text without tokens
    kn.export(fitted, tmp_path / "m.onnx")
    exported = kn.load_exported(tmp_path / "m.onnx")
    assert exported.description.inputs[0].dtype == "int32"
    np.testing.assert_allclose(exported.predict_proba(ids), fitted.predict_proba(ids), atol=1e-6)
