"""Tests of ``kerasnet report``: which data a model is evaluated on, in which format, and the file."""

import gzip
import struct
import sys
import types

import numpy as np
import pytest
from PIL import Image
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

import kerasnet as kn
from kerasnet.cli import main
from kerasnet.datasets import load_mnist
from kerasnet.features import ImageFiles, ImagePreprocessor


@pytest.fixture
def evaluated(monkeypatch):
    """Arguments of the calls of `make_report`, which writes nothing."""
    calls = []

    def make_report(
        estimator, X, y=None, path="report.html", *, title=None, class_names=None, images=None, command=None
    ):
        given = {"title": title, "names": class_names, "images": images, "command": command}
        calls.append({"estimator": estimator, "X": X, "y": y, "path": path, **given})

    monkeypatch.setitem(sys.modules, "kerasnet.report", types.SimpleNamespace(make_report=make_report))
    return calls


@pytest.fixture(scope="module")
def idx_folder(tmp_path_factory):
    """A folder of EMNIST letters: 6 test images of "a", "b" and "z"."""
    folder = tmp_path_factory.mktemp("letters")
    for part in ("train", "test"):
        images, labels = load_mnist(n_samples=6, random_state=0).data, np.array([1, 2, 26] * 2)
        for kind, array in (("images-idx3", images.transpose(0, 2, 1)), ("labels-idx1", labels)):
            header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
            content = gzip.compress(header + array.astype(np.uint8).tobytes())
            (folder / f"emnist-letters-{part}-{kind}-ubyte.gz").write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def image_folder(tmp_path_factory):
    """A folder of 6 color images in the subfolders "cat" and "dog"."""
    folder = tmp_path_factory.mktemp("animals")
    for number in range(6):
        path = folder / ("cat", "dog")[number % 2] / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (20, 30), (40 * number, 100, 10)).save(path)
    return folder


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """The path of a CSV file with a column that is the sum of the other two."""
    path = tmp_path_factory.mktemp("tables") / "sums.csv"
    path.write_text("\n".join(["a;b;sum", *(f"{n};{n % 7};{n + n % 7}" for n in range(30))]))
    return path


def save(estimator, folder, **metadata):
    kn.save(estimator, folder / "model.kerasnet", metadata=metadata)
    return str(folder / "model.kerasnet")


@pytest.mark.parametrize(
    ("model", "shape", "largest"), [("lenet", (28, 28, 1), 255), ("lstm", (28, 28), 1), ("autoencoder", (784,), 255)]
)
def test_pretrained_models_are_evaluated_on_the_test_images(evaluated, capsys, model, shape, largest):
    assert main(["report", model, "--output", "here.html", "--title", "A <title>"]) == 0
    assert capsys.readouterr().out == "here.html\n"
    (call,) = evaluated
    assert (call["X"].shape, call["X"].max()) == ((10_000, *shape), largest)
    assert call["y"].tolist() == load_mnist("test").target.tolist()
    assert (call["path"], call["title"]) == ("here.html", "A <title>")
    assert call["command"] == f"kerasnet report {model} --output=here.html '--title=A <title>'"
    assert call["images"].shape == (10_000, 28, 28)
    assert call["names"] is None, "names are the classes"
    if model != "autoencoder":
        assert call["estimator"].score(call["X"][:100], call["y"][:100]) > 0.95
    else:
        assert call["estimator"].reconstruct(call["X"][:2]).shape == (2, 784)


def test_idx_folders_have_the_classes_of_the_training(evaluated, idx_folder, tmp_path, capsys):
    X, y = load_mnist(n_samples=30, random_state=0).data.reshape(30, -1) / 255, np.arange(30) % 3
    model = save(LinearSVC(dual=True).fit(X, y), tmp_path, dataset="emnist-letters", class_names=["a", "b", "z"])
    assert main(["report", model, "--data", str(idx_folder), "--subset", "all"]) == 0
    (call,) = evaluated
    assert call["X"].shape == (12, 784)
    assert call["X"].max() == 1
    assert call["y"].tolist() == [0, 1, 2] * 4
    assert call["names"] == ["a", "b", "z"]
    model = save(LinearSVC(dual=True).fit(X, y), tmp_path, dataset="emnist-letters", class_names=["a", "b", "c"])
    assert main(["report", model, "--data", str(idx_folder)]) == 1
    assert "expected images of the classes a, b, c. Received: z." in capsys.readouterr().err


def test_image_folders_are_read_as_the_model_does(evaluated, image_folder, tmp_path):
    paths, y = kn.datasets.load_image_folder(image_folder, return_X_y=True)
    labels = np.array(["cat", "dog"])[y]
    pipeline = make_pipeline(ImagePreprocessor((8, 6), color_mode="rgb", flatten=True), LinearSVC()).fit(paths, labels)
    network = kn.KerasNetClassifier("cnn", filters=2, dense_units=2, epochs=1, random_state=0)
    network.initialize(kn.features.prepare_images(paths, (8, 6), color_mode="rgb", dtype="uint8"), labels)
    for estimator, kind in ((pipeline, ImageFiles), (network, np.ndarray)):
        assert main(["report", save(estimator, tmp_path), "--data", str(image_folder)]) == 0
        call = evaluated.pop()
        assert isinstance(call["X"], kind)
        assert call["X"].shape == (6, 8, 6, 3)
        assert call["y"].tolist() == labels.tolist()
        expected = estimator.predict(paths) if estimator is pipeline else estimator.predict(np.asarray(call["X"]))
        assert call["estimator"].predict(call["X"]).tolist() == expected.tolist()


def save_digits(folder, names, images, labels):
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = folder / names[label] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)


def test_folders_of_digits_are_matched_by_name_and_prepared_as_for_predictions(evaluated, tmp_path, capsys):
    X, y = load_mnist("test", n_samples=60, random_state=0, return_X_y=True)
    few = np.isin(y, [3, 5]) & (np.arange(60) < 25)
    save_digits(tmp_path / "digits", "0123456789", 255 - X[few], y[few])
    assert main(["report", "lenet", "--data", str(tmp_path / "digits")]) == 0
    assert main(["report", "lenet", "--data", str(tmp_path / "digits"), "--as-is"]) == 0
    prepared, raw = evaluated
    assert set(prepared["y"]) == {3, 5}
    assert prepared["estimator"].score(prepared["X"], prepared["y"]) == 1
    assert raw["X"].mean() > 200, "not inverted"
    assert raw["command"].endswith(" --as-is")
    words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    save_digits(tmp_path / "words", words, X[:4], y[:4])
    assert main(["report", "lenet", "--data", str(tmp_path / "words")]) == 1
    assert "expected images of the classes 0, 1, 2, 3" in capsys.readouterr().err
    forest = RandomForestClassifier(5, random_state=0).fit(X.reshape(len(X), -1) / 255, y)
    named = save(forest, tmp_path, dataset="mnist", image_size=[28, 28], class_names=words)
    assert main(["report", named, "--data", str(tmp_path / "words")]) == 0
    assert sorted(set(evaluated[-1]["y"])) == sorted(set(y[:4]))
    assert main(["report", named]) == 0
    assert evaluated[-1]["names"] == words
    assert main(["report", save(forest, tmp_path, image_size=[20, 20]), "--data", str(tmp_path / "words")]) == 1
    assert "20 x 20 pixels have 400 values, but the classifier takes 784" in capsys.readouterr().err


def test_tables_with_and_without_targets(evaluated, table, tmp_path, capsys):
    X, y = kn.datasets.load_csv(table, "sum", return_X_y=True, sep=";")
    model = save(LinearRegression().fit(X, y), tmp_path)
    assert main(["report", model, "--data", str(table), "--sep", ";", "--target", "sum"]) == 0
    assert main(["report", model, "--data", str(table), "--sep", ";"]) == 1
    assert "pass --target COLUMN" in capsys.readouterr().err
    model = save(kn.AutoencoderOutlierDetector(code_units=1, epochs=1).fit(X / 29), tmp_path)
    assert main(["report", model, "--data", str(table), "--sep", ";"]) == 0
    first, second = evaluated
    assert (first["X"].columns.tolist(), first["y"].tolist(), first["names"]) == (["a", "b"], y.tolist(), None)
    assert (second["X"].columns.tolist(), second["y"]) == (["a", "b", "sum"], None)


def test_columns_of_a_table_are_in_the_order_of_the_training(evaluated, table, tmp_path):
    X, y = kn.datasets.load_csv(table, "sum", return_X_y=True, sep=";")
    model = save(LinearRegression().fit(X[["b", "a"]], y), tmp_path)
    assert main(["report", model, "--data", str(table), "--sep", ";", "--target", "sum"]) == 0
    assert evaluated[0]["X"].columns.tolist() == ["b", "a"]


def test_images_of_a_data_set_have_the_size_of_the_training(evaluated, tmp_path):
    X, y = load_mnist(n_samples=40, random_state=0, return_X_y=True)
    network = kn.KerasNetClassifier("cnn", filters=(2,), dense_units=(), epochs=1, random_state=0)
    model = save(network.initialize(X[:, ::2, ::2], y), tmp_path, dataset="mnist", image_size=[14, 14])
    assert main(["report", model]) == 0
    assert (evaluated[0]["X"].shape, evaluated[0]["X"].dtype) == ((10_000, 14, 14), np.uint8)
    assert evaluated[0]["estimator"].predict(evaluated[0]["X"][:2]).shape == (2,)


def test_unsuitable_options_print_one_line(evaluated, table, image_folder, tmp_path, capsys):
    X, y = kn.datasets.load_csv(table, "sum", return_X_y=True, sep=";")
    model = save(LinearRegression().fit(X, y), tmp_path)
    for options, message in (
        ([], "expected the data to evaluate the model on: pass --data PATH."),
        (["--data", str(table), "--subset", "test"], "--subset does not apply to these data."),
        (["--dataset", "mnist", "--target", "a"], "--target does not apply to these data."),
        (["--data", str(image_folder), "--subset", "test"], "--subset does not apply to these data."),
        (["--dataset", "kmnist"], "expected the data to evaluate the model on, kmnist: pass --data PATH."),
        (["--data", str(tmp_path / "missing")], "No such file or directory"),
        (["--dataset", "mnist", "--data", str(image_folder)], "expected IDX files of mnist"),
    ):
        assert main(["report", model, *options]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("kerasnet report: ")
        assert message in line
    assert not evaluated


def test_report_is_written(table, tmp_path):
    X, y = kn.datasets.load_csv(table, "sum", return_X_y=True, sep=";")
    model, output = save(LinearRegression().fit(X, y), tmp_path), tmp_path / "sums.html"
    options = ["--data", str(table), "--sep", ";", "--target", "sum", "--output", str(output), "--title", "Sums"]
    assert main(["report", model, *options]) == 0
    assert "<title>Sums</title>" in output.read_text()
