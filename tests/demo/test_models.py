"""Models of the demo page: pretrained weights, archives, and files that are not classifiers of digits."""

import socket

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import kerasnet as kn
from kerasnet.demo import serve
from kerasnet.demo._models import hog_cells, load_digit_models
from kerasnet.features import HOGTransformer, prepare_images


@pytest.fixture(scope="module")
def seven():
    return kn.datasets.load_mnist("test").data[0] / np.float32(255)


def test_names_select_models_and_files_add_models(mnist, tmp_path):
    X, y = mnist
    small = prepare_images(X[y < 5], (14, 14))
    classifier = kn.KerasNetClassifier("mlp", dense_units=(), epochs=1, random_state=0)
    kn.save(classifier.fit(small, y[y < 5]), tmp_path / "lenet", metadata={"image_size": [14, 14]})
    own, lenet = load_digit_models(["lenet", str(tmp_path / "lenet")])
    assert (lenet.name, own.name) == ("lenet", f"{tmp_path.name}/lenet")
    assert (lenet.n_parameters, own.n_parameters) == (80346, 14 * 14 * 5 + 5)
    assert lenet.accuracy > 0.99
    assert own.accuracy is None
    probabilities = own.predict(X[0] / np.float32(255))
    expected = classifier.predict_proba(prepare_images(X[:1] / 255, (14, 14)))[0]
    np.testing.assert_allclose(probabilities[:5], expected, atol=1e-6)
    assert probabilities[5:] == [None] * 5
    assert own.saliency(X[0] / np.float32(255)).shape == (14, 14)


def test_pipelines_and_flattened_rows_are_supported_without_saliency(mnist, seven, tmp_path):
    X, y = mnist
    kn.save(make_pipeline(HOGTransformer(), LogisticRegression()).fit(X / 255, y), tmp_path / "pipeline.kerasnet")
    rows = kn.KerasNetClassifier("mlp", epochs=3, random_state=0).fit(X.reshape(-1, 784), y)
    kn.save(rows, tmp_path / "rows.kerasnet")
    pipeline, rows, _ = load_digit_models([tmp_path / "pipeline.kerasnet", tmp_path / "rows.kerasnet", "lenet"])
    assert np.argmax(pipeline.predict(seven)) == np.argmax(rows.predict(seven)) == 7
    assert pipeline.saliency(seven) is None
    assert rows.saliency(seven).shape == (28, 28)


def test_saliency_of_a_model_of_rows_is_constant_within_rows(seven):
    (model,) = load_digit_models(["simple_rnn"])
    saliency = model.saliency(seven)
    assert saliency.shape == (28, 28)
    assert (saliency == saliency[:, :1]).all()
    assert len(np.unique(saliency)) > 10


def test_hog_cells_are_proportional_to_the_visualized_histograms(seven):
    transformer = HOGTransformer(pixels_per_cell=(4, 4), cells_per_block=(7, 7), block_norm="L2")
    cells = hog_cells(seven)
    assert cells.shape == (7, 7, 9)
    assert cells.max() == 1
    features = transformer.fit_transform(seven[np.newaxis]).reshape(7, 7, 9)
    np.testing.assert_allclose(cells, features / features.max(), rtol=1e-5)
    assert not hog_cells(np.zeros((28, 28), np.float32)).any()


def test_files_that_are_not_classifiers_of_digits_raise(mnist, tmp_path):
    X, y = mnist
    letters = kn.KerasNetClassifier("mlp", epochs=1).fit(X, np.array(list("abcdefghij"))[y])
    kn.save(letters, tmp_path / "letters.kerasnet")
    with pytest.raises(kn.errors.KerasNetError, match=r"classes among the digits.*'a', 'b'"):
        load_digit_models([tmp_path / "letters.kerasnet"])
    small = kn.KerasNetClassifier("mlp", epochs=1).fit(X[:, ::2, ::2], y)
    kn.save(small, tmp_path / "small.kerasnet")
    with pytest.raises(kn.errors.KerasNetError, match=r"28 x 28 pixels.*image_size"):
        load_digit_models([tmp_path / "small.kerasnet", "lenet"])
    with pytest.raises(FileNotFoundError, match=r"lenett: expected a .kerasnet or .onnx file.* attention, cnn, lenet"):
        load_digit_models(["lenett"])
    with pytest.raises(TypeError, match="must be a list"):
        load_digit_models("lenet")


def test_a_port_in_use_raises_before_models_are_loaded():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(OSError, match=rf"cannot listen on 127.0.0.1, port {port}: .* Set port=0"):
            serve(["missing"], port=port, open_browser=False)
    with pytest.raises(ValueError, match="range 0 to 65535"):
        serve(["missing"], port=70_000, open_browser=False)
