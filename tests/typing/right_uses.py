"""User code that uses every public name with the right types. mypy accepts it; it is never run."""

from pathlib import Path
from typing import Any, assert_type

import numpy as np
import numpy.typing as npt

import kerasnet as kn

Images = npt.NDArray[np.uint8]


def builders() -> list[Any]:
    card: kn.ModelCard = kn.model_card("lenet")
    assert_type(kn.list_models(task="classification", weights="mnist"), list[str])
    return [
        card,
        kn.WeightsCard,
        kn.create_model("lenet", weights="mnist"),
        kn.build_attention(input_shape=(10, 32), n_outputs=3),
        kn.build_autoencoder(input_shape=(28, 28)),
        kn.build_backbone(input_shape=(96, 96, 3), n_outputs=2, weights=None),
        kn.build_cnn(input_shape=(28, 28, 1), n_outputs=10, filters=(32, 64), dropout=0.25),
        kn.build_conv1d(input_shape=(10, 32), n_outputs=3, filters=(8, 4), kernel_size=(8, 5)),
        kn.build_conv_autoencoder(input_shape=(28, 28, 1)),
        kn.build_gru(input_shape=(10, 32), n_outputs=3, units=16),
        kn.build_inception_time(input_shape=(10, 32), n_outputs=3, depth=3),
        kn.build_lenet(input_shape=(28, 28, 1), n_outputs=10),
        kn.build_lite(input_shape=(None, 32), n_outputs=3, mask_value=-1.0),
        kn.build_lstm(input_shape=(10, 32), n_outputs=3, units=(16, 16)),
        kn.build_lstm_fcn(input_shape=(10, 32), n_outputs=3, dimension_shuffle=True),
        kn.build_mlp(input_shape=(4,), n_outputs=3, dense_units=(8,), dropout=0),
        kn.build_real_mlp(input_shape=(4,), n_outputs=3, frequency_scale=0.5),
        kn.build_resnet1d(input_shape=(10, 32), n_outputs=3, filters=(8, 8)),
        kn.build_resnet_small(input_shape=(28, 28, 1), n_outputs=10),
        kn.build_simple_rnn(input_shape=(10, 32), n_outputs=3),
        kn.build_text_cnn(input_shape=(None,), n_outputs=2, vocabulary_size=1000),
    ]


@kn.register_model("linear", input_kind="vector", tasks=("classification",))
def build_linear(input_shape: tuple[int, ...], n_outputs: int, *, output_activation: str = "softmax") -> Any:
    return kn.build_mlp(input_shape, n_outputs, dense_units=(), output_activation=output_activation)


def estimators(X: Images, y: npt.NDArray[np.int64], rows: kn.datasets.LazyArray) -> list[Any]:
    classifier: kn.CNNClassifier = kn.CNNClassifier(epochs=2, learning_rate=0.01, random_state=0).fit(X, y)
    classifier.fit(rows, y, sample_weight=[1.0, 2.0])
    detector: kn.AutoencoderOutlierDetector = kn.AutoencoderOutlierDetector(contamination=0.1).fit(X)
    return [
        classifier.predict(X),
        classifier.predict_proba(X.tolist()),
        classifier.score(X, y),
        detector.predict(X),
        kn.Autoencoder(code_units=8).fit_transform(X),
        kn.BackboneFeatures(weights=None).fit(X).transform(X),
        kn.KerasNetClassifier("mlp", dense_units=(8,), optimizer__momentum=0.9).partial_fit(X, y, classes=[0, 1]),
        kn.KerasNetRegressor(build_linear, memory="folder", random_state=0).fit(X, y / 2, X_val=X, y_val=y / 2),
        kn.SimpleRNNClassifier(units=8).fit(list(X), y).history_,
        kn.make_tabular_pipeline(X, task="regression", random_state=0, dropout=0.1).fit(X, y / 2),
        kn.KerasNetRegressor("mlp", standardize_targets=True).fit(X, y / 2).target_mean_,
    ]


def files(estimator: kn.CNNClassifier, path: Path) -> list[Any]:
    kn.save(estimator, path, metadata={"license": "Apache-2.0"})
    kn.save(estimator, str(path), include_optimizer=True)
    try:
        return [kn.load(path, builders={"linear": build_linear}), kn.inspect(str(path), max_bytes=1000)]
    except (kn.errors.UnsafeFileError, kn.errors.CorruptFileError) as error:
        error_of_the_package: kn.errors.KerasNetError = error
        return [error_of_the_package, kn.persistence.load(path, max_parameters=10)]


def reports(estimator: kn.CNNClassifier, X: Images, path: Path) -> list[Path]:
    names, notes = ["a", "b"], {"training time": "12 s"}
    first = kn.make_report(estimator, X, [0, 1], path, title="Digits", class_names=names, images=X, notes=notes)
    return [first, kn.report.make_report(estimator, X, command="python train.py")]


def exported(classifier: kn.CNNClassifier, X: npt.NDArray[np.uint8], path: Path) -> npt.NDArray[Any]:
    assert_type(kn.export(classifier, path, verify=X), float)
    kn.export(classifier, path, format="saved_model")
    agreement = kn.export(classifier, path, verify=X, quantize="int8")
    assert_type(agreement, kn.exporting.Agreement)
    assert_type(kn.load_exported(path).score(X, X[:, 0, 0]), float)
    model: kn.ExportedModel = kn.load_exported(path)
    assert_type(kn.exporting.load_exported(path), kn.ExportedModel)
    return model.predict_proba(X)


def network(X: npt.NDArray[np.float64], y: list[int]) -> float:
    learner: kn.NeuralNetwork = kn.NeuralNetwork(4, (8, 8), 3, random_state=0).fit(X, y, epochs=2)
    assert_type(kn.numpy_network.NeuralNetwork, type[kn.NeuralNetwork])
    return learner.backward(X, y, learning_rate=0.1)


def other_modules(paths: list[Path]) -> list[Any]:
    X, y = kn.datasets.load_mnist(n_samples=500, random_state=0, return_X_y=True)
    table, target = kn.datasets.load_csv("table.csv", return_X_y=True, target="label")
    series = kn.datasets.load_ucr("series.ts", data_format="channels_first")
    files = kn.features.ImageFiles(paths, size=(96, 96), channels=3)
    rates = kn.training.learning_rates("cosine", 0.01, 100)
    assert_type(kn.training.n_batches(100, 32), int)
    return [
        series,
        kn.datasets.read_idx(paths[0]),
        kn.demo.make_app(["lenet", *paths], onnxruntime_web=paths[0], hosts=["example.com"]),
        kn.estimators.CNNClassifier(memory=kn.training.EpochMemory(paths[0], max_bytes=1000)).fit(files, y),
        kn.features.HOGTransformer(orientations=9).fit(X).transform(X),
        kn.features.TextVectorizer(sequence_length=50).fit(["one", "two"]).transform(["one"]),
        kn.features.hog(X, pixels_per_cell=(8, 8)),
        kn.features.prepare_images(["digit.png", *X], image_size=(28, 28)),
        kn.models.list_models(),
        kn.plots.ErrorMatrixDisplay.from_predictions([0, 1], [1, 1]).shares,
        kn.plots.TrainingCurveDisplay.from_history({"loss": [0.2, 0.1]}).figure_,
        kn.plots.FilterDisplay.from_estimator(kn.create_model("lenet"), layer="conv_2").axes_,
        kn.plots.SaliencyDisplay.from_estimator(kn.create_model("lenet"), X, y, method="grad_cam").maps.max(),
        kn.plots.GridSearchDisplay.from_estimator(object(), X, y, kind="learning_curves").figure_,
        kn.plots.ModelComparisonDisplay.from_cards("mnist", x="latency").best_,
        kn.plots.ModelComparisonDisplay.from_estimators({"lenet": object()}, X, y).ax_,
        kn.preprocessing.make_tabular_preprocessor().fit(table, target),
        kn.preprocessing.OutlierClipper().fit_transform(table),
        rates.max(),
        kn.__version__.split("."),
    ]
