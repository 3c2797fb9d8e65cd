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
    return kn.CNNClassifier(filters=(2,), epochs=1, random_state=0).fit(X, y.astype(str))


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


def test_recurrent_network_is_rejected_by_litert(tmp_path):
    X = np.random.default_rng(0).normal(size=(30, 4, 2))
    classifier = kn.SimpleRNNClassifier(units=(3,), epochs=1, random_state=0).fit(X, X[:, 0, 0] > 0)
    with pytest.raises(ExportError, match="Export them to ONNX or SavedModel"):
        kn.export(classifier, tmp_path / "m.tflite")
    assert not list(tmp_path.iterdir())
