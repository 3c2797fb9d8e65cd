"""Tests of scripts/train_mnist.py."""

import contextlib
import csv
import gzip
import html
import io
import json
import os
import re
import resource
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import _mnist_results
import _search
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import train_mnist
from _fresh import FreshProcess, run
from _longer import longer
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, train_test_split

import kerasnet as kn
from kerasnet.cli._image_classifier import ImageClassifier

SCRIPT = Path(__file__).parents[2] / "scripts" / "train_mnist.py"
FILES = {
    "classification_report.txt",
    "confusion_matrix.png",
    "history.csv",
    "learning_curve.png",
    "metrics.json",
    "mistakes.png",
    "model.kerasnet",
    "report.html",
}


@pytest.fixture(autouse=True)
def temporary_cache(monkeypatch, tmp_path_factory):
    """Write checkpoints to a temporary cache, but keep matplotlib's font cache."""
    monkeypatch.setenv("MPLCONFIGDIR", matplotlib.get_configdir())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def main(monkeypatch):
    """Run the command without the time for the content of reports and figures, except in `complete_run`."""
    monkeypatch.setattr(kn, "make_report", lambda *arguments, **options: arguments[3].write_text(""))
    monkeypatch.setattr(_mnist_results, "save_figure", lambda figure, path: path.touch())
    return train_mnist.main


def error_line(capfd):
    """Return the error message, without the progress bar and TensorFlow's messages."""
    lines = [
        line
        for line in capfd.readouterr().err.splitlines()
        if line.strip() and not line.startswith(("epoch ", "WARNING: All log", "I0000", "W0000", "E0000"))
    ]
    assert len(lines) == 1, lines
    return lines[0]


COMPLETE_RUN = ["--dataset", "digits", "--epochs", "4", "--seed", "1", "--target-accuracy", "0.5"]


@pytest.fixture(scope="module")
def complete_run(tmp_path_factory):
    """Return the output folder of a run, and the printed text."""
    folder, printed = tmp_path_factory.mktemp("complete_run"), io.TextIOWrapper(io.BytesIO(), write_through=True)
    with pytest.MonkeyPatch.context() as patched, contextlib.redirect_stdout(printed):
        patched.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        assert train_mnist.main([*COMPLETE_RUN, "--output", str(folder / "runs" / "run")]) == 0
    return folder / "runs" / "run", printed.buffer.getvalue().decode()


def test_output_folder(complete_run):
    output, printed = complete_run
    assert set(os.listdir(output)) == FILES
    assert os.listdir(output.parent) == ["run"]

    metrics = json.loads((output / "metrics.json").read_text())
    assert metrics["accuracy"] > 0.8
    assert metrics["n_test"] == 450
    assert (metrics["n_train"], metrics["n_validation"]) == (1280, 67)
    assert metrics["seed"] == metrics["parameters"]["random_state"] == 1
    assert metrics["n_iter"] == metrics["parameters"]["epochs"] == 4
    assert metrics["interrupted"] is False
    assert metrics["seconds"] > 0
    assert {"python", "kerasnet", "tensorflow", "keras", "scikit-learn"} <= set(metrics["versions"])

    with open(output / "history.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    assert float(rows[-1]["accuracy"]) == metrics["training"]["accuracy"]
    assert float(rows[-1]["val_loss"]) == metrics["training"]["val_loss"]

    report = html.unescape((output / "report.html").read_text())
    assert "<title>cnn on digits</title>" in report
    assert f'<p class="value">{metrics["accuracy"]:.2%}'.removesuffix("%") in report
    assert re.search(r"Learning curve of the loss in 4 epochs: .* validation ", report)
    assert "python scripts/train_mnist.py --dataset digits --epochs 4 --seed 1" in report
    assert report.count("<img ") >= 20

    assert (output / "classification_report.txt").read_text() in printed
    for name in FILES:
        if name.endswith(".png"):
            assert plt.imread(output / name).std() > 0.05, f"{name} is blank"


def test_saved_model_equals_the_evaluated_model(complete_run):
    output, _ = complete_run
    metrics, digits = json.loads((output / "metrics.json").read_text()), load_digits()
    _, X_test, _, y_test = train_test_split(
        digits.images / 16, digits.target, test_size=0.25, stratify=digits.target, random_state=1
    )
    loaded = kn.load(output / "model.kerasnet")
    assert loaded.score(X_test, y_test) == metrics["accuracy"]
    assert loaded.get_params() == {**metrics["parameters"], "filters": (32,), "dense_units": (128,)}
    assert kn.inspect(output / "model.kerasnet").metadata == {"dataset": "digits", "image_size": (8, 8)}


def test_runs_with_the_same_seed_are_equal(main, complete_run, tmp_path):
    assert main([*COMPLETE_RUN, "--output", str(tmp_path / "run")]) == 0
    first, second = (
        json.loads((output / "metrics.json").read_text()) for output in (complete_run[0], tmp_path / "run")
    )
    assert second["n_iter_from_memory"] == 0
    for name in ("accuracy", "log_loss", "training"):
        assert first[name] == second[name]


@pytest.mark.parametrize("model", longer(["cnn", "mlp", "simple_rnn"], ["cnn", "simple_rnn"]))
def test_training_on_mnist(main, tmp_path, model):
    arguments = ["--model", model, "--limit", "300", "--epochs", "2", "--batch-size", "32"]
    assert (
        main([*arguments, "--learning-rate", "0.003", "--optimizer", "rmsprop", "--output", str(tmp_path / "run")]) == 0
    )
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["model"] == metrics["parameters"]["model"] == model
    assert (metrics["n_train"], metrics["n_validation"]) == (285, 15)
    assert metrics["n_test"] == 10_000
    assert metrics["accuracy"] > 0.25
    parameters = metrics["parameters"]
    assert (parameters["batch_size"], parameters["learning_rate"], parameters["optimizer"]) == (32, 0.003, "rmsprop")


@pytest.fixture
def fashion(tmp_path):
    """Return a folder in Fashion-MNIST format with 200 training and 100 test images of scikit-learn's digits."""
    folder, digits = tmp_path / "fashion", load_digits()
    folder.mkdir()
    images = np.pad(np.kron(digits.images, np.ones((3, 3))) * 15, ((0, 0), (2, 2), (2, 2))).astype(np.uint8)
    for prefix, rows in (("train", slice(200)), ("t10k", slice(200, 300))):
        for kind, array in (("images-idx3", images[rows]), ("labels-idx1", digits.target[rows].astype(np.uint8))):
            header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
            (folder / f"{prefix}-{kind}-ubyte.gz").write_bytes(gzip.compress(header + array.tobytes()))
    return folder


@pytest.mark.parametrize("model", longer(["cnn", "mlp"], ["cnn"]))
def test_fashion_mnist_from_a_folder(main, tmp_path, fashion, model):
    arguments = ["--dataset", "fashion_mnist", "--data", str(fashion), "--model", model, "--batch-size", "10"]
    assert main([*arguments, "--epochs", "4", "--output", str(tmp_path / "run")]) == 0
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["dataset"] == "fashion_mnist"
    assert (metrics["n_train"], metrics["n_validation"], metrics["n_test"]) == (190, 10, 100)
    assert metrics["accuracy"] > 0.6


def test_corrupted_data_print_one_line_and_write_no_files(main, tmp_path, fashion, capfd):
    (fashion / "t10k-labels-idx1-ubyte.gz").write_bytes(b"corrupted")
    arguments = ["--dataset", "fashion_mnist", "--data", str(fashion), "--output", str(tmp_path / "run")]
    assert main(arguments) == 1
    assert f"{fashion / 't10k-labels-idx1-ubyte.gz'}: offset 0: expected" in error_line(capfd)
    assert os.listdir(tmp_path) == ["fashion"]


def test_missing_classes_print_one_line(main, tmp_path, fashion, capfd):
    (fashion / "train-labels-idx1-ubyte.gz").write_bytes(struct.pack(">BBBBI", 0, 0, 8, 1, 200) + bytes([3, 7] * 100))
    arguments = ["--dataset", "fashion_mnist", "--data", str(fashion), "--output", str(tmp_path / "run")]
    assert main(arguments) == 1
    assert "Expected training images of all ten classes. Received classes: [3, 7]." in error_line(capfd)


def test_parameters_and_early_stopping(main, tmp_path):
    options = [
        "--set",
        "dense_units=[16]",
        "--set",
        "n_iter_no_change=1",
        "--set",
        "tol=10",
        "--set",
        'optimizer="sgd"',
    ]
    arguments = ["--dataset", "digits", "--model", "mlp", "--validation-fraction", "0.2", "--early-stopping", *options]
    assert main([*arguments, "--output", str(tmp_path / "run")]) == 0
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    parameters = metrics["parameters"]
    assert (parameters["dense_units"], parameters["optimizer"], parameters["early_stopping"]) == ([16], "sgd", True)
    assert metrics["n_iter"] == 2, "the loss does not improve by 10 in the second epoch"
    assert (metrics["n_train"], metrics["n_validation"]) == (1078, 269)


def test_parameters_of_features(main, tmp_path):
    options = ["--set", "features__hog__orientations=4", "--set", "dense_units=[8]", "--validation-fraction", "0"]
    arguments = ["--dataset", "digits", "--features", "hog", "--epochs", "1", *options]
    assert main([*arguments, "--output", str(tmp_path / "run")]) == 0
    pipeline = kn.load(tmp_path / "run" / "model.kerasnet")
    assert (pipeline["features"]["hog"].orientations, pipeline[-1].dense_units) == (4, [8])
    assert set(pipeline[-1].history_) == {"loss", "accuracy"}


@pytest.mark.parametrize("use_workers", longer([False, True], [True]))
def test_grid_search_results(main, tmp_path, capsys, monkeypatch, use_workers):
    requested = []

    def search_in_this_process(*arguments, n_jobs, **options):
        requested.append(n_jobs)
        return GridSearchCV(*arguments, n_jobs=n_jobs if use_workers else 1, **options)

    monkeypatch.setattr(_search, "GridSearchCV", search_in_this_process)
    grid = '{"epochs": [1, 2], "learning_rate": [0.001, 0.01]}'
    options = ["--model", "mlp", "--limit", "200", "--grid", grid, "--cv", "2", "--n-jobs", "2"]
    arguments = ["--dataset", "digits", *options]
    assert main([*arguments, "--output", str(tmp_path / "run")]) == 0
    assert requested == [2]
    assert set(os.listdir(tmp_path / "run")) == FILES | {"search_results.csv"}
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["parameters"]["learning_rate"] == metrics["best_params"]["learning_rate"]
    with open(tmp_path / "run" / "search_results.csv") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    assert max(float(row["mean_test_score"]) for row in rows) == metrics["best_score"]
    assert "Best parameters: " in capsys.readouterr().out


@pytest.mark.parametrize("features", longer(["hog", "hog+pixels", "hog+sift"], ["hog", "hog+sift"]))
def test_training_on_features(main, tmp_path, features):
    output = tmp_path / "run"
    arguments = ["--dataset", "digits", "--features", features, "--epochs", "5"]
    assert main([*arguments, "--output", str(output)]) == 0
    assert set(os.listdir(output)) == FILES
    metrics = json.loads((output / "metrics.json").read_text())
    assert (metrics["features"], metrics["model"]) == (features, "mlp")
    assert metrics["accuracy"] > (0.7 if features == "hog" else 0.85)  # 36 features of 8 x 8 pixels

    # the saved model equals the evaluated model
    digits = load_digits()
    _, X, _, y = train_test_split(
        digits.images / 16, digits.target, test_size=0.25, stratify=digits.target, random_state=0
    )
    assert log_loss(y, ImageClassifier.load(str(output)).predict_proba(X)) == pytest.approx(
        metrics["log_loss"], rel=1e-6
    )


def test_grid_search_over_features_and_network(main, tmp_path):
    grid = '{"features__hog__orientations": [1, 9], "learning_rate": [0.001, 0.01]}'
    options = ["--features", "hog", "--limit", "300", "--epochs", "5", "--cv", "2", "--grid", grid]
    arguments = ["--dataset", "digits", *options]
    assert main([*arguments, "--output", str(tmp_path / "run")]) == 0
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["best_params"]["features__hog__orientations"] == 9
    assert metrics["parameters"]["learning_rate"] == metrics["best_params"]["network__learning_rate"]
    assert kn.load(tmp_path / "run" / "model.kerasnet")["features"]["hog"].orientations == 9


def test_missed_target_accuracy_exits_with_status_1(main, tmp_path, capfd):  # see `complete_run` for status 0
    arguments = ["--dataset", "digits", "--epochs", "1", "--limit", "100"]
    assert main([*arguments, "--target-accuracy", "1.0", "--output", str(tmp_path / "missed")]) == 1
    assert "is below the target 1" in error_line(capfd)
    assert set(os.listdir(tmp_path / "missed")) == FILES


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "0"], "expected an integer of at least 1, got '0'"),
        (["--epochs", "x"], "expected an integer of at least 1, got 'x'"),
        (["--cv", "1"], "argument --cv: expected an integer of at least 2, got '1'"),
        (["--seed", "-1"], "argument --seed: expected an integer of at least 0, got '-1'"),
        (["--n-jobs", "0"], "argument --n-jobs: expected an integer of at least 1, or -1, got '0'"),
        (["--target-accuracy", "nan"], "expected a number in [0, 1], got nan"),
        (["--learning-rate", "nan"], "expected a positive number, got nan"),
        (["--model", "cn"], "invalid choice: 'cn'"),
        (["--grid", "{"], "expected JSON, got '{'"),
        (["--grid", "[1]"], "expected a JSON object of lists"),
        (["--nonsense"], "unrecognized arguments"),
        (["--features", "hog", "--model", "cnn"], "--features hog returns vectors, but --model cnn expects images"),
        (["--features", "hug"], "invalid choice: 'hug'"),
        (["--dataset", "digits", "--data", "folder"], "--data is not supported with --dataset digits"),
        (["--dataset", "kmnist"], "requires the folder of its IDX files as --data"),
        (["--scheduler", "tcp://127.0.0.1:1"], "--scheduler requires --grid-search or --grid"),
        (["--set", "dropout"], "expected NAME=JSON, got 'dropout'"),
        (["--set", "optimizer=sgd"], "write text in double quotes, as in 'optimizer=\"sgd\"'"),
        (["--set", "random_state=1"], "--set random_state is not supported; use --seed"),
        (["--set", "validation_fraction=0.3"], "--set validation_fraction is not supported; use --validation-fraction"),
        (["--set", "epochs=2", "--epochs", "1"], "--set epochs and --epochs set the same parameter"),
        (["--early-stopping", "--validation-fraction", "0"], "--early-stopping requires a --validation-fraction"),
        (["--validation-fraction", "1"], "no training images would be left"),
    ],
)
def test_invalid_options_exit_with_status_2(main, capsys, arguments, message):
    with pytest.raises(SystemExit) as exit_info:
        main(arguments)
    assert exit_info.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--grid", '{"epoch": [1]}'], "did you mean 'epochs'?"),
        (["--features", "hog", "--grid", '{"features__hig__orientations": [1]}'], "hig"),
        (["--grid", '{"epochs": 1}'], "expected a list of values for 'epochs'. Received: 1"),
        (["--grid", '{"model": ["mlp"]}'], "choose the model with --model"),
        (["--set", "dropot=0.1"], "did you mean 'dropout'?"),
        (["--set", "epochs=0"], "epochs"),
        (["--limit", "20", "--early-stopping"], "at least two training images and one validation image of each of 10"),
        (["--optimizer", "adm"], "adm"),
        (["--learning-rate", "1e30", "--optimizer", "sgd"], "Training diverged: the loss is"),
        (["--limit", "60001", "--dataset", "mnist"], "n_samples must be an int from 1 to 60000"),
        (["--limit", "5000"], "5000"),
        (["--memory", __file__], "Not a directory"),
        (["--grid", '{"epochs": [1]}', "--scheduler", "nonsense"], "no Dask scheduler found at 'nonsense'"),
    ],
)
def test_invalid_values_print_one_line_and_write_no_files(main, tmp_path, capfd, arguments, message):
    assert main(["--dataset", "digits", *arguments, "--output", str(tmp_path / "run")]) == 1
    line = error_line(capfd)
    assert line.startswith("train_mnist: ")
    assert message in line
    assert os.listdir(tmp_path) == []


def test_invalid_output_folder_prints_one_line(main, tmp_path, capfd):
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    for output, message in (
        ("file/run", "is a file; a folder is needed there"),
        ("full", "is not an empty folder"),
    ):
        assert main(["--dataset", "digits", "--output", str(tmp_path / output)]) == 1
        assert message in error_line(capfd)
    assert (tmp_path / "full" / "mine.txt").read_text() == "mine"
    assert sorted(os.listdir(tmp_path)) == ["file", "full"]


ENDLESS = ["--dataset", "digits", "--model", "mlp", "--limit", "200", "--epochs", "100000"]


def run_script(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-u", str(SCRIPT), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def start_script(*arguments):
    """Start the script in a process that has already imported the packages, to save time."""
    return FreshProcess(SCRIPT, *arguments)


def last_line(process):
    _, error = process.communicate(timeout=120)
    assert "Traceback" not in error, error
    return error.strip().splitlines()[-1]


@pytest.mark.filterwarnings("ignore::UserWarning")  # the checkpoint cannot be written either
def test_full_disk_prints_one_line_and_writes_no_files(main, tmp_path, capfd):
    arguments = ["--dataset", "digits", "--epochs", "1", "--limit", "100", "--output", str(tmp_path / "run")]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        assert main(arguments) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert error_line(capfd).startswith("train_mnist: ")
    assert os.listdir(tmp_path) == []


def test_closed_stdout_does_not_stop_the_run(main, tmp_path, monkeypatch):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as stdout:  # closing raises an error if there is text in the buffer
        monkeypatch.setattr(sys, "stdout", stdout)
        assert main(["--dataset", "digits", "--epochs", "1", "--limit", "100", "--output", str(tmp_path / "run")]) == 0
    assert set(os.listdir(tmp_path / "run")) == FILES


@pytest.mark.exhaustive
def test_output_folder_with_unprintable_characters(tmp_path):
    environment = {**os.environ, "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    output = tmp_path / "ünï ☃"
    process = run_script(
        "--dataset", "digits", "--epochs", "1", "--limit", "100", "--output", str(output), env=environment
    )
    process.communicate(timeout=120)
    assert process.returncode == 0
    assert set(os.listdir(output)) == FILES


@pytest.mark.parametrize("library", longer(["multiarray", "tensorflow"], ["tensorflow"]))
def test_ctrl_c_during_imports_prints_no_traceback(tmp_path, library):
    process = run_script("--limit", "100", "--epochs", "500", "--output", str(tmp_path / "run"))
    while library not in Path(f"/proc/{process.pid}/maps").read_text():
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=120)
    assert process.returncode in (-signal.SIGINT, 130), "a shell shows 130 for both"
    assert "Traceback" not in error
    assert not [name for name in os.listdir(tmp_path) if not name.endswith(".tmp")]


@pytest.mark.exhaustive
def test_repeated_ctrl_c_does_not_interrupt_saving(tmp_path):
    process = start_script(*ENDLESS, "--output", str(tmp_path / "run"))
    interrupt_after_a_checkpoint(process)
    for _ in range(4):
        time.sleep(0.4)
        process.send_signal(signal.SIGINT)
    last_line(process)
    assert process.returncode == 130
    assert set(os.listdir(tmp_path / "run")) == FILES


def wait_for_a_checkpoint(process):
    """Wait until the first checkpoint has been written."""
    while not list(Path(os.environ["XDG_CACHE_HOME"]).rglob("*.npz")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


def interrupt_after_a_checkpoint(process, number=signal.SIGINT):
    """Send a signal after the first checkpoint."""
    assert " images of " in process.first_line()
    wait_for_a_checkpoint(process)
    process.send_signal(number)


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.exhaustive)])
def test_interrupted_run_saves_the_model(tmp_path, number):
    process = start_script(*ENDLESS, "--output", str(tmp_path / "run"))
    interrupt_after_a_checkpoint(process, number)
    line = last_line(process)
    assert process.returncode == 130
    assert set(os.listdir(tmp_path / "run")) == FILES
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["interrupted"] is True
    assert 0 < metrics["n_iter"] < 100_000
    assert f"interrupted after {metrics['n_iter']} epochs; the model was saved" in line
    loaded = kn.load(tmp_path / "run" / "model.kerasnet")
    assert loaded.n_iter_ == metrics["n_iter"]
    digits = load_digits()
    _, X_test, _, y_test = train_test_split(
        digits.images / 16, digits.target, test_size=0.25, stratify=digits.target, random_state=0
    )
    assert loaded.score(X_test, y_test) == pytest.approx(metrics["accuracy"], abs=1e-3)


def test_interrupted_search_exits(tmp_path):
    grid = '{"epochs": [1, 100000], "learning_rate": [0.1, 0.01]}'
    process = start_script(*ENDLESS[:-2], "--grid", grid, "--cv", "2", "--output", str(tmp_path / "run"))
    interrupt_after_a_checkpoint(process)
    assert last_line(process) == (
        "train_mnist: interrupted; run the same search again to continue from its checkpoints"
    )
    assert process.returncode == 130
    assert os.listdir(tmp_path) == []


TRAIN_AND_KILL = """
import os, signal, sys
import train_mnist
from kerasnet.training import EpochMemory, _resume

write, _resume._SECONDS_BETWEEN = EpochMemory._write, 0

def write_and_kill(self, *arguments, **options):
    write(self, *arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)

EpochMemory._write = write_and_kill
train_mnist.main(sys.argv[1:])
"""


def test_resumed_run_equals_uninterrupted_run(main, tmp_path):
    arguments = ["--dataset", "digits", "--limit", "300", "--epochs", "4"]
    assert run("-c", TRAIN_AND_KILL, *arguments, "--output", tmp_path / "killed").returncode == -signal.SIGKILL
    assert not (tmp_path / "killed").exists()
    assert main([*arguments, "--resume", "--output", str(tmp_path / "resumed")]) == 0
    assert main([*arguments, "--output", str(tmp_path / "uninterrupted")]) == 0
    resumed, uninterrupted = (
        json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("resumed", "uninterrupted")
    )
    assert 0 < resumed["n_iter_from_memory"] < 4
    assert uninterrupted["n_iter_from_memory"] == 0
    assert (resumed["accuracy"], resumed["log_loss"]) == (uninterrupted["accuracy"], uninterrupted["log_loss"])
    history = (tmp_path / "uninterrupted" / "history.csv").read_text()
    assert (tmp_path / "resumed" / "history.csv").read_text() == history


def test_memory_restores_epochs_in_the_next_run(main, tmp_path, capsys):
    arguments = [
        "--dataset",
        "digits",
        "--limit",
        "100",
        "--learning-rate-schedule",
        "constant",
        "--memory",
        str(tmp_path / "memory"),
    ]
    main([*arguments, "--epochs", "2", "--output", str(tmp_path / "first")])
    main([*arguments, "--epochs", "3", "--output", str(tmp_path / "second")])
    assert "2 of 3 epochs were restored from a checkpoint." in capsys.readouterr().out
    assert str(tmp_path) not in (tmp_path / "second" / "metrics.json").read_text()


@pytest.mark.exhaustive
def test_grid_search_on_a_dask_cluster(cluster, tmp_path):
    arguments = [
        "--dataset",
        "digits",
        "--grid",
        '{"epochs": [1, 2]}',
        "--cv",
        "2",
        "--memory",
        str(tmp_path / "memory"),
    ]
    process = run_script(*arguments, "--scheduler", cluster.address, "--output", str(tmp_path / "run"))
    out, error = process.communicate(timeout=240)
    assert process.returncode == 0, error
    assert "Best parameters: " in out
    assert len(list((tmp_path / "memory").rglob("*.npz"))) == 2 * 2 + 1, (
        "one checkpoint per candidate and fold, and one of the refit"
    )


def test_unwritable_cache_does_not_stop_the_run(main, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    arguments = ["--dataset", "digits", "--epochs", "1", "--limit", "100"]
    assert main([*arguments, "--output", str(tmp_path / "run")]) == 0
    assert "This run cannot be resumed" in capsys.readouterr().out
    assert main([*arguments, "--resume", "--output", str(tmp_path / "resumed")]) == 1
