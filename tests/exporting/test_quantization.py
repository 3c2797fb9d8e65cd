"""Weights as int8 in ONNX files."""

import json

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import kerasnet as kn
from kerasnet.errors import ExportError
from kerasnet.exporting import Agreement, _quantization
from kerasnet.exporting.agreement import agreement_of

onnx = pytest.importorskip("onnx", reason="the extra export is not installed")
pytest.importorskip("onnxruntime", reason="the extra export is not installed")


@pytest.fixture(scope="module")
def quantized(mnist, tmp_path_factory):
    classifier = kn.KerasNetClassifier.from_pretrained("lenet", "mnist")
    path = tmp_path_factory.mktemp("quantized") / "lenet.onnx"
    return classifier, path, kn.export(classifier, path, verify=mnist[0], quantize="int8")


def test_weights_of_convolutions_and_dense_layers_are_int8(quantized, mnist):
    classifier, path, agreement = quantized
    X, y = mnist
    assert path.stat().st_size < 100_000  # as float32: 327 kB
    model = kn.load_exported(path)
    found = model.predict(X)
    assert agreement.score == (found == classifier.predict(X)).mean()
    assert agreement.n_samples == len(X)
    difference = np.abs(model.predict_proba(X) - classifier.predict_proba(X)).max()
    assert agreement.difference == pytest.approx(difference, abs=1e-6)
    assert 1e-5 < difference < 0.1
    assert abs(model.score(X, y) - classifier.score(X, y)) <= 1 - agreement.score
    assert model.description.quantization == {"dtype": "int8", **agreement._asdict()}


def test_predictions_do_not_depend_on_other_samples(iris, tmp_path):
    X, y = iris
    network = kn.KerasNetClassifier("mlp", dense_units=(64, 64), epochs=3, random_state=0)
    pipeline = make_pipeline(StandardScaler(), network).fit(X, y)
    kn.export(pipeline, tmp_path / "m.onnx", verify=X, quantize="int8")
    model = kn.load_exported(tmp_path / "m.onnx")
    with_outlier = np.concatenate([X, 1000 * X[:1]])
    np.testing.assert_allclose(model.predict_proba(with_outlier)[:-1], model.predict_proba(X), atol=1e-6)


@pytest.mark.exhaustive
def test_each_output_of_a_layer_has_its_own_scale(tmp_path):
    X = np.random.default_rng(0).normal(size=(200, 30)).astype(np.float32)
    y = X[:, :2] * [1, 1000]
    regressor = kn.KerasNetRegressor("mlp", dense_units=(64,), epochs=20, random_state=0).fit(X, y)
    assert kn.export(regressor, tmp_path / "m.onnx", verify=X, quantize="int8").score > 0.999
    found, expected = kn.load_exported(tmp_path / "m.onnx").predict(X), regressor.predict(X)
    assert (np.abs(found - expected).mean(axis=0) < 0.02 * expected.std(axis=0)).all()


@pytest.mark.exhaustive
def test_weights_in_the_body_of_a_loop_are_int8(tmp_path):
    X = np.random.default_rng(0).normal(size=(40, 4, 2)).astype(np.float32)
    classifier = kn.SimpleRNNClassifier(units=(64,), epochs=1, random_state=0).fit(X, X[:, 0, 0] > 0)
    kn.export(classifier, tmp_path / "m.onnx", verify=X, quantize="int8")
    weights = [
        each for graph in _graphs(onnx.load(tmp_path / "m.onnx").graph) for each in graph.initializer if each.dims[1:]
    ]
    assert any(list(each.dims) == [64, 64] and each.data_type == onnx.TensorProto.INT8 for each in weights)


def _graphs(graph):
    return [graph, *(inner for each in _quantization._subgraphs(graph) for inner in _graphs(each))]


def test_bad_agreement_is_an_error_and_leaves_no_file(mnist, tmp_path, monkeypatch):
    classifier = kn.KerasNetClassifier.from_pretrained("lenet", "mnist")
    round_numbers = np.rint
    monkeypatch.setattr(
        _quantization.np, "rint", lambda values: round_numbers(values / 127) * 127
    )  # one of three values
    with pytest.raises(ExportError, match=r"labels agree on a share of 0\.\d+, at least 0.98 is required \(on 100 sam"):
        kn.export(classifier, tmp_path / "m.onnx", verify=mnist[0][:100], quantize="int8")
    assert not list(tmp_path.iterdir())


def test_estimators_without_large_weights_are_rejected(iris, tmp_path):
    with pytest.raises(ExportError, match=r"LogisticRegression has none, or .* Export without quantize"):
        kn.export(LogisticRegression(max_iter=500).fit(*iris), tmp_path / "m.onnx", verify=iris[0], quantize="int8")


def test_agreement_of_labels_and_of_numbers():
    probabilities = np.array([[0.9, 0.1], [0.4, 0.6]] * 50)
    labels = np.array(["a", "b"] * 50)
    changed = probabilities.copy()
    changed[0] = [0.3, 0.7]
    expected = {"label": labels, "probabilities": probabilities}
    for found in ({"probabilities": changed}, {"label": np.array(["b", *labels[1:]]), "probabilities": changed}):
        agreement = agreement_of(expected, found, {"probabilities": 1}, are_drawn=False)
        assert agreement == (0.99, pytest.approx(0.6), 100)
    numbers = np.arange(4.0).reshape(4, 1)
    assert agreement_of({"variable": numbers}, {"variable": numbers}, {"variable": 1}, are_drawn=False) == Agreement(
        1, 0, 4
    )
    with pytest.raises(ExportError, match=r"outputs agree with a score \(R²\) of 0.8.* drawn at random; pass verify=X"):
        agreement_of({"variable": numbers}, {"variable": numbers + 0.5}, {"variable": 1}, are_drawn=True)


def test_command_line_reports_the_agreement(tmp_path, capsys):
    from kerasnet.cli import main

    path = tmp_path / "m.onnx"
    assert main(["export", "lenet", str(path), "--quantize", "int8"]) == 0
    assert "% of labels equal on 1,000 samples, largest difference" in capsys.readouterr().out
    metadata = {each.key: each.value for each in onnx.load(path).metadata_props}
    assert json.loads(metadata["kerasnet.quantization"])["n_samples"] == 1000
