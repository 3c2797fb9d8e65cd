"""Export of single networks to LiteRT and SavedModel."""

import json
import zipfile

import keras
import numpy as np
import pytest

import kerasnet as kn
from kerasnet.errors import ExportError


@pytest.fixture(scope="module")
def classifier(mnist):
    X, y = mnist
    return kn.CNNClassifier(filters=(2,), dense_units=(), epochs=1, random_state=0).fit(X, y.astype(str))


def test_litert_file_predicts_and_contains_the_labels(classifier, mnist, tmp_path):
    from kerasnet.training._litert import litert_runner

    path = tmp_path / "m.tflite"
    assert kn.export(classifier, path) < 1e-5
    X = mnist[0][:7]
    found = litert_runner(path.read_bytes())({"X": X})
    np.testing.assert_allclose(found["probabilities"], classifier.predict_proba(X), atol=1e-5)
    with zipfile.ZipFile(path) as archive:
        assert archive.read("labels.txt").decode().split() == classifier.classes_.tolist()
        assert json.loads(archive.read("kerasnet.json"))["inputs"][0]["dtype"] == "uint8"


def test_saved_model_predicts_and_contains_the_labels(classifier, mnist, tmp_path):
    folder = tmp_path / "m"
    assert kn.export(classifier, folder, format="saved_model") < 1e-5
    X = mnist[0][:7]
    found = keras.layers.TFSMLayer(str(folder), call_endpoint="serving_default")(X)
    np.testing.assert_allclose(found["probabilities"], classifier.predict_proba(X), atol=1e-5)
    assert (folder / "assets.extra" / "labels.txt").read_text().split() == classifier.classes_.tolist()
    with pytest.raises(FileExistsError):
        kn.export(classifier, folder, format="saved_model")


def test_recurrent_network_on_any_number_of_steps_is_rejected_by_litert(tmp_path):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(3 + number % 2, 2)) for number in range(30)]
    classifier = kn.SimpleRNNClassifier(units=(3,), random_state=0).initialize(X, [each[0, 0] > 0 for each in X])
    with pytest.raises(ExportError, match="Export them to ONNX or SavedModel"):
        kn.export(classifier, tmp_path / "m.tflite")
    assert not list(tmp_path.iterdir())


def test_recurrent_network_on_a_known_number_of_steps_is_unrolled_for_litert(tmp_path):
    from kerasnet.training._litert import litert_runner

    layers = keras.layers
    network = keras.Sequential([layers.Input((2, 2)), layers.Bidirectional(layers.LSTM(3)), layers.Dense(2, "softmax")])
    X = np.random.default_rng(0).normal(size=(20, 2, 2)).astype(np.float32)
    classifier = kn.KerasNetClassifier.from_keras(network)
    assert kn.export(classifier, tmp_path / "m.tflite") < 1e-5
    run = litert_runner((tmp_path / "m.tflite").read_bytes())
    np.testing.assert_allclose(run({"X": X})["probabilities"], classifier.predict_proba(X), atol=1e-5)
    assert not classifier.model_.layers[0].forward_layer.unroll, "the model of the estimator is not changed"


@pytest.mark.exhaustive
def test_quantized_litert_file_is_small_and_samples_do_not_depend_on_each_other(iris, tmp_path):
    from kerasnet.training._litert import litert_runner

    X, y = iris[0].astype(np.float32), iris[1]
    classifier = kn.KerasNetClassifier("mlp", dense_units=(100, 100), epochs=5, random_state=0).fit(X, y)
    kn.export(classifier, tmp_path / "float.tflite", verify=X)
    agreement = kn.export(classifier, tmp_path / "m.tflite", verify=X, quantize="int8")
    assert agreement.score >= 0.98
    assert agreement.n_samples == len(X)
    content = (tmp_path / "m.tflite").read_bytes()
    assert len(content) < (tmp_path / "float.tflite").stat().st_size / 2
    run = litert_runner(content)
    found = run({"X": X})["probabilities"]
    np.testing.assert_allclose(found, classifier.predict_proba(X), atol=agreement.difference + 1e-6)
    with_outlier = np.concatenate([X, 1000 * X[:1]])
    np.testing.assert_allclose(run({"X": with_outlier})["probabilities"][:-1], found, atol=1e-6)
    with zipfile.ZipFile(tmp_path / "m.tflite") as archive:
        quantization = json.loads(archive.read("kerasnet.json"))["quantization"]
    assert quantization == {"dtype": "int8", **agreement._asdict()}


def test_saved_model_cannot_be_quantized(classifier, tmp_path):
    with pytest.raises(ExportError, match="A SavedModel cannot be quantized. Export to ONNX or LiteRT"):
        kn.export(classifier, tmp_path / "m", format="saved_model", quantize="int8")
    with pytest.raises(ExportError, match='quantize must be None or "int8". Received: 4'):
        kn.export(classifier, tmp_path / "m.onnx", quantize=4)


@pytest.mark.exhaustive
def test_invalid_token_ids_are_unknown_in_all_formats(tmp_path):
    from kerasnet.training._litert import litert_runner

    X = np.random.default_rng(0).integers(0, 6, (30, 3)).astype(np.int32)
    classifier = kn.KerasNetClassifier("text_cnn", filters=2, embedding_units=2, epochs=1, vocabulary_size=6)
    classifier.fit(X, X[:, 0] > 2)
    expected = classifier.predict_proba([[1, 5, 1]])
    kn.export(classifier, tmp_path / "m.tflite")
    kn.export(classifier, tmp_path / "m", format="saved_model")
    layer = keras.layers.TFSMLayer(str(tmp_path / "m"), call_endpoint="serving_default")
    invalid = np.array([[-1, 5, 9]], np.int32)
    for found in (litert_runner((tmp_path / "m.tflite").read_bytes())({"X": invalid}), layer(invalid)):
        np.testing.assert_allclose(found["probabilities"], expected, atol=1e-5)
