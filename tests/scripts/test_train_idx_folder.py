"""Tests of train_mnist.py and kerasnet predict with IDX folders such as EMNIST and KMNIST."""

import gzip
import json
import struct

import _mnist_results
import numpy as np
import pytest
import train_mnist
from PIL import Image

import kerasnet as kn
from kerasnet.cli import main


@pytest.fixture(autouse=True)
def temporary_cache(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(autouse=True)
def empty_reports_and_figures(monkeypatch):
    """Save the time for their content; see test_train_mnist.py."""
    monkeypatch.setattr(kn, "make_report", lambda *arguments, **options: arguments[3].write_text(""))
    monkeypatch.setattr(_mnist_results, "save_figure", lambda figure, path: path.touch())


def write_idx(folder, prefix, images, labels):
    folder.mkdir(exist_ok=True)
    for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
        header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
        content = header + array.astype(np.uint8).tobytes()
        (folder / f"{prefix}-{kind}-ubyte.gz").write_bytes(gzip.compress(content))


def bars(classes, n):
    """Return images of a bright bar, and labels given by the row of the bar."""
    labels = np.arange(n) % len(classes)
    images = np.zeros((n, 28, 28), np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 * label + 2 : 2 * label + 4, 4:24] = 255
    return images, np.asarray(classes)[labels]


def run_training(tmp_path, *arguments):
    """Run the command and return the output folder and the metrics."""
    output = tmp_path / "run"
    options = ["--model", "mlp", "--epochs", "15", "--batch-size", "8", "--output", str(output)]
    assert train_mnist.main([*arguments, *options]) == 0
    return output, json.loads((output / "metrics.json").read_text())


@pytest.mark.parametrize(
    "dataset",
    [[], ["--dataset", "emnist"], pytest.param(["--dataset", "emnist-letters"], marks=pytest.mark.exhaustive)],
)
def test_emnist_letters_are_transposed_and_predicted_by_name(tmp_path, capsys, dataset):
    folder = tmp_path / "emnist"
    for part, n in (("train", 60), ("test", 12)):
        images, labels = bars([1, 2, 26], n)
        write_idx(folder, f"emnist-letters-{part}", images.transpose(0, 2, 1), labels)
    output, metrics = run_training(tmp_path, *dataset, "--data", str(folder))
    assert (metrics["dataset"], metrics["accuracy"]) == ("emnist-letters", 1)
    assert kn.inspect(output / "model.kerasnet").metadata["class_names"] == ["a", "b", "z"]
    report = (output / "classification_report.txt").read_text()
    assert [line.split()[0] for line in report.splitlines()[2:5]] == ["a", "b", "z"]
    Image.fromarray(bars([1, 2, 26], 3)[0][2]).save(tmp_path / "z.png")
    capsys.readouterr()
    assert main(["predict", str(output), str(tmp_path / "z.png"), "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert found["class"] == "z"
    assert set(found["probabilities"]) == {"a", "b", "z"}


@pytest.mark.parametrize(
    ("dataset", "first"),
    [
        ([], "0"),
        (["--dataset", "kmnist"], "o"),
        pytest.param(["--dataset", "mnist"], "0", marks=pytest.mark.exhaustive),
    ],
)
def test_folders_in_mnist_format(tmp_path, dataset, first):
    folder = tmp_path / "data"
    for prefix, n in (("train", 100), ("t10k", 20)):
        write_idx(folder, prefix, *bars(range(10), n))
    output, metrics = run_training(tmp_path, *dataset, "--data", str(folder))
    assert metrics["dataset"] == (dataset[-1] if dataset else "idx")
    assert metrics["accuracy"] > 0.9
    assert kn.inspect(output / "model.kerasnet").metadata["class_names"][0] == first


def test_invalid_folders_print_errors(tmp_path, capfd):
    folder = tmp_path / "emnist"
    for split in ("digits", "mnist"):
        for part in ("train", "test"):
            write_idx(folder, f"emnist-{split}-{part}", *bars(range(10), 10))
    assert train_mnist.main(["--data", str(folder), "--output", str(tmp_path / "run")]) == 1
    assert "found emnist-digits, emnist-mnist. Select one by name" in capfd.readouterr().err
    write_idx(folder, "emnist-mnist-train", *bars(range(5), 10))
    options = ["--data", str(folder), "--dataset", "emnist-mnist", "--output", str(tmp_path / "run")]
    assert train_mnist.main(options) == 1
    assert "missing: ['5', '6', '7', '8', '9']" in capfd.readouterr().err
    with pytest.raises(SystemExit):
        train_mnist.main(["--dataset", "kmnist"])
    assert "requires the folder of its IDX files as --data" in capfd.readouterr().err
