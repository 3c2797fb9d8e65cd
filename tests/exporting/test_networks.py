"""Export of single networks to ONNX, and predictions with the exported files."""

import json
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pandas as pd
import pytest
from _longer import longer
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.metrics import ConfusionMatrixDisplay, get_scorer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder
from sklearn.svm import LinearSVC

import kerasnet as kn
from kerasnet.errors import DataFormatError, ExportError
from kerasnet.exporting import _nodes

onnxruntime = pytest.importorskip("onnxruntime", reason="the extra export is not installed")
pytest.importorskip("tf2onnx", reason="the extra export is not installed")


@pytest.fixture(scope="module")
def lenet():
    return kn.KerasNetClassifier.from_pretrained("lenet", "mnist")


@pytest.fixture(scope="module")
def lenet_file(lenet, tmp_path_factory):
    path = tmp_path_factory.mktemp("exported") / "lenet.onnx"
    assert kn.export(lenet, path) < 1e-5
    return path


@pytest.fixture(scope="module")
def iris_classifier(iris):
    X, y = iris
    return kn.KerasNetClassifier("mlp", dense_units=(8,), epochs=3, random_state=0).fit(
        X, np.array(["a", "bé", "c"])[y]
    )


def exported(estimator, path, **arguments):
    kn.export(estimator, path, **arguments)
    return kn.load_exported(path)


def test_exported_pretrained_network_predicts_bytes(lenet, lenet_file, mnist):
    X, _ = mnist
    model = kn.load_exported(lenet_file)
    np.testing.assert_array_equal(model.predict(X), lenet.predict(X))
    np.testing.assert_allclose(model.predict_proba(X), lenet.predict_proba(X), atol=1e-5)
    assert model.predict(X).dtype == lenet.predict(X).dtype
    np.testing.assert_array_equal(model.predict(X[..., np.newaxis]), model.predict(X))  # one channel or none
    np.testing.assert_array_equal(model.predict(X[:1]), model.predict(X)[:1])  # any number of samples


def test_file_has_named_inputs_and_outputs_and_metadata(lenet_file):
    session = onnxruntime.InferenceSession(lenet_file)
    assert [(each.name, each.type) for each in session.get_inputs()] == [("X", "tensor(uint8)")]
    assert [each.name for each in session.get_outputs()] == ["label", "probabilities"]
    assert not isinstance(session.get_inputs()[0].shape[0], int)
    metadata = {key: json.loads(text) for key, text in session.get_modelmeta().custom_metadata_map.items()}
    assert metadata["kerasnet.kerasnet_version"] == kn.__version__
    assert metadata["kerasnet.classes"] == list(range(10))
    assert metadata["kerasnet.input_range"] == "bytes from 0 to 255"
    assert metadata["kerasnet.card"]["name"] == "lenet"
    assert len(metadata["kerasnet.weights_sha256"]) == 64
    operators = {node.op_type for node in pytest.importorskip("onnx").load(lenet_file).graph.node}
    assert not operators & {"Dropout", "BatchNormalization", "RandomUniformLike"}


def test_verify_defines_the_dtype_of_the_input(lenet, mnist, tmp_path):
    X = (mnist[0] / 255).astype(np.float32)
    model = exported(lenet, tmp_path / "m.onnx", verify=X)
    assert model.description.inputs[0].dtype == "float32"
    np.testing.assert_allclose(model.predict_proba(X), lenet.predict_proba(X), atol=1e-5)
    np.testing.assert_allclose(model.predict_proba(mnist[0]), lenet.predict_proba(mnist[0]), atol=1e-5)


def test_labels_are_strings(iris_classifier, iris, tmp_path):
    model = exported(iris_classifier, tmp_path / "m.onnx")
    np.testing.assert_array_equal(model.predict(iris[0]), iris_classifier.predict(iris[0]))
    assert model.classes_.tolist() == ["a", "bé", "c"]
    assert model.classes_.dtype == iris_classifier.classes_.dtype


TARGETS = {
    "binary": lambda y: y > 0,
    "floats": lambda y: y * 1.0,
    "multilabel": lambda y: np.column_stack([y > 0, y > 1]).astype(int),
}


@pytest.mark.parametrize("kind", TARGETS)
def test_all_kinds_of_labels(kind, iris, tmp_path):
    X, y = iris
    classifier = kn.KerasNetClassifier("mlp", dense_units=(4,), random_state=0).initialize(X, TARGETS[kind](y))
    model = exported(classifier, tmp_path / "m.onnx")
    np.testing.assert_array_equal(model.predict(X), classifier.predict(X))
    assert model.predict(X).dtype == classifier.predict(X).dtype
    np.testing.assert_allclose(model.predict_proba(X), classifier.predict_proba(X), atol=1e-5)


def test_logits_become_probabilities(iris, tmp_path):
    X, y = iris
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    classifier = kn.KerasNetClassifier("mlp", loss=loss, dense_units=(4,), random_state=0).initialize(X, y)
    model = exported(classifier, tmp_path / "m.onnx")
    np.testing.assert_allclose(model.predict_proba(X), classifier.predict_proba(X), atol=1e-5)


# networks with one output are also exported in the next test
@pytest.mark.parametrize("n_outputs", longer([1, 2], [1]))
def test_regressor(n_outputs, iris, tmp_path):
    X = iris[0].astype(np.float64)
    y = X[:, :n_outputs].squeeze() * 100
    regressor = kn.KerasNetRegressor("mlp", dense_units=(4,), random_state=0).initialize(X, y)
    model = exported(regressor, tmp_path / "m.onnx")
    np.testing.assert_allclose(model.predict(X), regressor.predict(X), rtol=1e-5)
    assert model.predict(X).shape == y.shape


def test_pipeline_for_tables_with_standardized_targets(iris, tmp_path):
    X, y = pd.DataFrame(iris[0]).add_prefix("size_"), 1000 + 500 * iris[0][:, 0].astype(float)
    X["kind"] = np.where(iris[1] == 2, "virginica", "other")
    pipeline = kn.make_tabular_pipeline(X, task="regression", epochs=1, dense_units=(4,), random_state=0).fit(X, y)
    model = exported(pipeline, tmp_path / "m.onnx")
    np.testing.assert_allclose(model.predict(X), pipeline.predict(X), rtol=1e-5)


def test_autoencoder_has_reconstruction_and_code(mnist, tmp_path):
    X = mnist[0].reshape(len(mnist[0]), -1)
    autoencoder = kn.Autoencoder.from_pretrained("autoencoder", "mnist")
    model = exported(autoencoder, tmp_path / "m.onnx")
    np.testing.assert_allclose(model.reconstruct(X), autoencoder.reconstruct(X), atol=1e-5)
    np.testing.assert_allclose(model.transform(X), autoencoder.transform(X), rtol=1e-4, atol=1e-4)


def test_flattened_rows(mnist, tmp_path):
    X, y = mnist[0].reshape(len(mnist[0]), -1), mnist[1]
    classifier = kn.CNNClassifier(filters=(2,), image_shape=(28, 28), random_state=0).initialize(X, y)
    model = exported(classifier, tmp_path / "m.onnx")
    np.testing.assert_array_equal(model.predict(X), classifier.predict(X))
    np.testing.assert_array_equal(model.predict(mnist[0]), classifier.predict(X))


def test_sequences_of_different_lengths(tmp_path):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(3 + number % 4, 2)) for number in range(40)]
    y = [each[0, 0] > 0 for each in X]
    classifier = kn.KerasNetClassifier("conv1d", filters=(4,), random_state=0).initialize(X, y)
    model = exported(classifier, tmp_path / "m.onnx")
    np.testing.assert_array_equal(model.predict(X), classifier.predict(X))
    np.testing.assert_allclose(model.predict_proba(X[:3]), classifier.predict_proba(X[:3]), atol=1e-5)


@keras.saving.register_keras_serializable(package="tests")
class Squares(keras.layers.Layer):
    def call(self, inputs):
        return keras.ops.square(inputs)


def test_layers_of_users_are_exported_and_augmentation_is_not(tmp_path):
    layers = keras.layers
    network = keras.Sequential(
        [layers.Input((6, 6, 1)), layers.RandomFlip(seed=0), Squares(), layers.Flatten(), layers.Dense(2, "softmax")]
    )
    X = np.random.default_rng(0).random((20, 6, 6, 1)).astype(np.float32)
    classifier = kn.KerasNetClassifier.from_keras(network)
    model = exported(classifier, tmp_path / "m.onnx")
    np.testing.assert_allclose(model.predict_proba(X), classifier.predict_proba(X), atol=1e-5)


def test_bidirectional_network_is_exported_equally(tmp_path):
    layers = keras.layers
    network = keras.Sequential([layers.Input((5, 2)), layers.Bidirectional(layers.LSTM(3)), layers.Dense(2, "softmax")])
    X = np.random.default_rng(0).normal(size=(20, 5, 2)).astype(np.float32)
    classifier = kn.KerasNetClassifier.from_keras(network)
    model = exported(classifier, tmp_path / "m.onnx")
    np.testing.assert_allclose(model.predict_proba(X), classifier.predict_proba(X), atol=1e-4)


def test_search_exports_its_best_estimator(iris, tmp_path):
    X, y = iris
    search = GridSearchCV(kn.KerasNetClassifier("mlp", epochs=1, random_state=0), {"dense_units": [(3,)]}, cv=2).fit(
        X, y
    )
    model = exported(search, tmp_path / "m.onnx")
    np.testing.assert_array_equal(model.predict(X), search.predict(X))


def test_export_does_not_change_the_estimator(iris_classifier, tmp_path):
    before = vars(iris_classifier).copy()
    kn.export(iris_classifier, tmp_path / "m.onnx")
    assert vars(iris_classifier) == before
    assert not iris_classifier._network.has_model


def test_differing_model_is_not_written(iris_classifier, tmp_path, monkeypatch):
    right = _nodes.inference_model

    def wrong(*arguments):
        model = right(*arguments)
        model.layers[-1].set_weights(
            [each + 0.01 * np.arange(each.size).reshape(each.shape) for each in model.layers[-1].get_weights()]
        )
        return model

    monkeypatch.setattr(_nodes, "inference_model", wrong)
    path = tmp_path / "m.onnx"
    path.write_bytes(b"earlier file")
    with pytest.raises(
        ExportError, match=r"differs from the estimator: probabilities of \d+ of 64 samples. For sample"
    ):
        kn.export(iris_classifier, path)
    assert path.read_bytes() == b"earlier file"
    assert [each.name for each in tmp_path.iterdir()] == ["m.onnx"]


def test_nothing_is_exported_from_half_precision_and_unfitted_estimators(iris, tmp_path):
    with pytest.raises(NotFittedError):
        kn.export(kn.KerasNetClassifier(), tmp_path / "m.onnx")
    network = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(3, "softmax", dtype="mixed_bfloat16")])
    with pytest.raises(ExportError, match="Set the dtype policy to 'float32'"):
        kn.export(kn.KerasNetClassifier.from_keras(network), tmp_path / "m.onnx")
    detector = kn.AutoencoderOutlierDetector(code_units=2, epochs=1).fit(iris[0])
    with pytest.raises(ExportError, match="Export its autoencoder_"):
        kn.export(detector, tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_path_and_format_are_checked(iris_classifier, tmp_path):
    with pytest.raises(ExportError, match=r"must end in .onnx or .tflite"):
        kn.export(iris_classifier, tmp_path / "model.h5")
    with pytest.raises(ExportError, match="format must be one of"):
        kn.export(iris_classifier, tmp_path / "model", format="torch")


def test_missing_package_is_named(iris_classifier, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ImportError, match=r'skl2onnx is required .* pip install "kerasnet\[export\]"'):
        kn.export(iris_classifier, tmp_path / "m.onnx")


def test_invalid_samples_are_rejected(lenet_file, iris_classifier, mnist, tmp_path):
    model = kn.load_exported(lenet_file)
    with pytest.raises(ValueError, match="minimum of 1 is required"):
        model.predict(mnist[0][:0])
    with pytest.raises(ValueError, match="takes images of dtype uint8, from 0 to 255. Received: X of dtype float64"):
        model.predict(mnist[0] / 255)
    with pytest.raises(
        ValueError, match=r"Expected X of shape \(n_samples, 28, 28, 1\). Received: X of shape \(500, 14, 56\)"
    ):
        model.predict(mnist[0].reshape(500, 14, 56))
    model = exported(iris_classifier, tmp_path / "m.onnx")
    with pytest.raises(ValueError, match="contains NaN"):
        model.predict([[1, 2, 3, np.nan]])
    with pytest.raises(ValueError, match="infinity or a value too large"):
        model.predict([[1, 2, 3, 1e300]])
    with pytest.raises(ValueError, match="Expected numbers"):
        model.predict([["a", "b", "c", "d"]])
    with pytest.raises(AttributeError, match="has no method 'transform'"):
        model.transform([[1, 2, 3, 4]])


def test_other_files_are_rejected(tmp_path):
    onnx = pytest.importorskip("onnx")
    with pytest.raises(FileNotFoundError):
        kn.load_exported(tmp_path / "missing.onnx")
    (tmp_path / "m.onnx").write_bytes(b"not a model")
    with pytest.raises(DataFormatError, match="expected an ONNX file that onnxruntime can run"):
        kn.load_exported(tmp_path / "m.onnx")
    value = onnx.helper.make_tensor_value_info("a", onnx.TensorProto.FLOAT, [1])
    other = onnx.helper.make_tensor_value_info("b", onnx.TensorProto.FLOAT, [1])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["a"], ["b"])], "other", [value], [other])
    onnx.save(
        onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8),
        tmp_path / "o.onnx",
    )
    with pytest.raises(DataFormatError, match="written by kn.export"):
        kn.load_exported(tmp_path / "o.onnx")


@pytest.mark.parametrize(("key", "text"), [("format", "2"), ("inputs", "[]"), ("classes_dtype", '"nonsense"')])
def test_invalid_descriptions_are_rejected(key, text, lenet_file, tmp_path):
    onnx = pytest.importorskip("onnx")
    model = onnx.load(lenet_file)
    for entry in model.metadata_props:
        entry.value = text if entry.key == f"kerasnet.{key}" else entry.value
    onnx.save(model, tmp_path / "m.onnx")
    with pytest.raises(DataFormatError, match="without a valid description"):
        kn.load_exported(tmp_path / "m.onnx")


def test_exported_model_works_in_scikit_learn(lenet_file, lenet, mnist):
    X, y = mnist
    model = kn.load_exported(lenet_file)
    pipeline = make_pipeline(FunctionTransformer(), model).fit(X, y)
    np.testing.assert_array_equal(pipeline.predict(X[:50]), lenet.predict(X[:50]))
    assert is_classifier(model)
    assert clone(model) is model
    assert get_scorer("accuracy")(model, X, y) == get_scorer("accuracy")(lenet, X, y) == model.score(X, y)
    ConfusionMatrixDisplay.from_estimator(model, X, y)


def test_pickled_model_and_several_threads_predict_equally(lenet_file, mnist):
    model = kn.load_exported(lenet_file)
    expected = model.predict_proba(mnist[0])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict_proba(mnist[0]), expected)
    with ThreadPoolExecutor(8) as threads:
        for found in threads.map(model.predict_proba, [mnist[0]] * 16):
            np.testing.assert_array_equal(found, expected)


def test_exported_model_has_the_methods_of_the_estimator(lenet_file, mnist, tmp_path):
    names = ["predict", "predict_proba", "score", "transform", "reconstruct"]
    X = mnist[0].reshape(len(mnist[0]), -1)
    X_train, y = X[:100] / 255, X[:100, :2].astype(float) + np.arange(100)[:, np.newaxis]
    svm = make_pipeline(FunctionTransformer(), LinearSVC()).fit(X_train, mnist[1][:100])
    regressor = Ridge().fit(X_train, y)
    autoencoder = kn.Autoencoder.from_pretrained("autoencoder", "mnist")
    models = {
        "classifier": kn.load_exported(lenet_file),
        "without probabilities": exported(svm, tmp_path / "m.onnx", verify=X_train),
        "regressor": exported(regressor, tmp_path / "m.onnx", verify=X_train),
        "autoencoder": exported(autoencoder, tmp_path / "m.onnx"),
    }
    assert {name: [each for each in names if hasattr(model, each)] for name, model in models.items()} == {
        "classifier": ["predict", "predict_proba", "score"],
        "without probabilities": ["predict", "score"],
        "regressor": ["predict", "score"],
        "autoencoder": ["transform", "reconstruct"],
    }
    assert models["regressor"].score(X_train, y) == pytest.approx(regressor.score(X_train, y))
    assert "Predict class labels or targets" in kn.ExportedModel.predict.__doc__


def test_statistics_of_normalization_and_other_constant_tensors_are_exported(iris, tmp_path):
    X = iris[0].astype(np.float32)
    normalization = keras.layers.Normalization(mean=X.mean(axis=0), variance=X.var(axis=0))
    network = keras.Sequential([keras.layers.Input((4,)), normalization, keras.layers.Dense(3, "softmax")])
    classifier = kn.KerasNetClassifier.from_keras(network)
    assert kn.export(classifier, tmp_path / "m.onnx", verify=X) < 1e-5
    assert keras.ops.is_tensor(classifier.model_.layers[0].mean), "the model of the estimator is not changed"


def test_samples_for_the_verification_are_checked(iris_classifier, iris, tmp_path):
    for verify in ([], iris[0][:0], 5):
        with pytest.raises(ExportError, match="verify must contain samples as for predict, at least one. Received"):
            kn.export(iris_classifier, tmp_path / "m.onnx", verify=verify)
    with pytest.raises(ExportError, match="cannot predict the samples in verify: X has 3 features"):
        kn.export(iris_classifier, tmp_path / "m.onnx", verify=iris[0][:, :3])
    encoder = OneHotEncoder().fit(iris[1].reshape(-1, 1))
    with pytest.raises(
        ExportError, match="OneHotEncoder cannot predict samples .* unknown categories .* Pass verify=X"
    ):
        kn.export(encoder, tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


def test_loading_and_predicting_imports_neither_tensorflow_nor_scikit_learn(lenet_file):
    code = (
        "import sys, numpy as np, kerasnet as kn\n"
        f"model = kn.load_exported({str(lenet_file)!r})\n"
        "assert model.predict(np.zeros((2, 28, 28), np.uint8)).shape == (2,)\n"
        "assert callable(kn.export)\n"
        "print({'tensorflow', 'keras', 'sklearn', 'pandas', 'scipy', 'onnx'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "set()", result.stderr


def test_command_line_exports_and_names_errors(tmp_path, capsys):
    from kerasnet.cli import main

    path = tmp_path / "lenet.onnx"
    assert main(["export", "lenet", str(path)]) == 0
    assert capsys.readouterr().out.startswith(f"{path}: largest difference ")
    assert kn.load_exported(path).description.inputs[0].dtype == "uint8"
    assert main(["export", "lenet", str(tmp_path / "lenet.h5")]) == 1
    assert "path must end in .onnx or .tflite" in capsys.readouterr().err


def test_standardized_targets_keep_the_precision_of_float64(tmp_path):
    X = np.random.default_rng(0).normal(size=(60, 3))
    scales = np.array([60, 1e6, 1e-6])  # around 1.7e9, as times in seconds, and around zero
    regressor = kn.KerasNetRegressor(
        "mlp", dense_units=(4,), epochs=1, standardize_targets=True, batch_size=20, random_state=0
    ).fit(X, [1.7e9, 0, 0] + scales * X)
    model = exported(regressor, tmp_path / "m.onnx", verify=X)
    assert np.abs((model.predict(X) - regressor.predict(X)) / scales).max() < 1e-5
    assert model.session.get_outputs()[0].type == "tensor(double)"
    with pytest.raises(ExportError, match=r"returns float32, .* too few for values that are large compared with"):
        kn.export(regressor, tmp_path / "m.tflite", verify=X)
    regressor.target_mean_[0] = 1e4
    assert kn.export(regressor, tmp_path / "m.tflite", verify=X) < 1e-3, "the rounding of float32 is accepted"


@pytest.mark.filterwarnings("ignore:X contains token ids up to 7")
def test_token_ids_beyond_the_vocabulary_are_unknown(tmp_path):
    X = np.random.default_rng(0).integers(0, 6, (30, 3))
    network = kn.KerasNetClassifier("text_cnn", filters=2, embedding_units=2, epochs=1, vocabulary_size=6)
    classifier = network.fit(X, X[:, 0] > 2)
    model = exported(classifier, tmp_path / "m.onnx", verify=[[7, 5, 2]])
    X = np.array([[6, 5, 2**32 + 5], [1, 5, 1]])
    np.testing.assert_allclose(model.predict_proba(X), classifier.predict_proba(X[[1, 1]]), atol=1e-5)
    with pytest.raises(ValueError, match="Expected token ids of at least 0. Received: X with the minimum -1"):
        model.predict([[-1, 5, 1]])
    found = model.session.run(["probabilities"], {"X": np.array([[-1, 5, 9]], np.int32)})[0]
    np.testing.assert_allclose(found, classifier.predict_proba(X[1:]), atol=1e-5)
