"""The main job, as its users run it."""

import contextlib
import csv
import gzip
import io
import json
import os
import resource
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import _search
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import train_mnist
from _fresh import FreshProcess, run
from _longer import longer
from _run import TrainedModel
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, train_test_split

import kerasnet as kn

SCRIPT = Path(__file__).parents[2] / "scripts" / "train_mnist.py"
FILES = {
    "classification_report.txt",
    "confusion_matrix.png",
    "history.csv",
    "learning_curve.png",
    "metrics.json",
    "mistakes.png",
    "model.kerasnet",
}


@pytest.fixture(autouse=True)
def a_cache_of_their_own(monkeypatch, tmp_path_factory):
    """Keep the states of training out of the user's cache, and matplotlib's fonts where they are."""
    monkeypatch.setenv("MPLCONFIGDIR", matplotlib.get_configdir())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def main():
    return train_mnist.main


def one_line_of(capfd):
    """What a failing run says, apart from the progress bar and TensorFlow's own lines."""
    lines = [
        line
        for line in capfd.readouterr().err.splitlines()
        if line.strip() and not line.startswith(("epoch ", "WARNING: All log", "I0000", "W0000", "E0000"))
    ]
    assert len(lines) == 1, lines
    return lines[0]


WHOLE_RUN = ["--dataset", "digits", "--epochs", "4", "--seed", "1", "--target-accuracy", "0.5"]


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory):
    """The folder of a run, and what the command printed."""
    folder, printed = tmp_path_factory.mktemp("whole_run"), io.TextIOWrapper(io.BytesIO(), write_through=True)
    with pytest.MonkeyPatch.context() as patched, contextlib.redirect_stdout(printed):
        patched.setenv("XDG_CACHE_HOME", str(folder / "cache"))
        assert train_mnist.main([*WHOLE_RUN, "--output", str(folder / "runs" / "run")]) == 0
    return folder / "runs" / "run", printed.buffer.getvalue().decode()


def test_a_run_leaves_everything_in_one_folder(whole_run):
    output, printed = whole_run
    assert set(os.listdir(output)) == FILES
    assert os.listdir(output.parent) == ["run"]

    metrics = json.loads((output / "metrics.json").read_text())
    assert metrics["accuracy"] > 0.8
    assert metrics["n_test"] == 450
    assert metrics["n_train"] == 1347
    assert metrics["seed"] == metrics["parameters"]["random_state"] == 1
    assert metrics["n_iter"] == metrics["parameters"]["epochs"] == 4
    assert metrics["interrupted"] is False
    assert metrics["seconds"] > 0
    assert {"python", "kerasnet", "tensorflow", "keras", "scikit-learn"} <= set(metrics["versions"])

    with open(output / "history.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    assert float(rows[-1]["accuracy"]) == metrics["training"]["accuracy"]

    assert (output / "classification_report.txt").read_text() in printed
    for picture in FILES:
        if picture.endswith(".png"):
            assert plt.imread(output / picture).std() > 0.05, f"{picture} is blank"


def test_the_saved_model_is_the_one_that_was_evaluated(whole_run):
    output, _ = whole_run
    metrics, digits = json.loads((output / "metrics.json").read_text()), load_digits()
    _, X_test, _, y_test = train_test_split(
        digits.images / 16, digits.target, test_size=0.25, stratify=digits.target, random_state=1
    )
    loaded = kn.load(output / "model.kerasnet")
    assert loaded.score(X_test, y_test) == metrics["accuracy"]
    assert loaded.get_params() == {**metrics["parameters"], "filters": (32,), "dense_units": (128,)}
    assert kn.inspect(output / "model.kerasnet").metadata == {"dataset": "digits", "image_size": (8, 8)}


def test_a_seed_gives_the_same_run_again(main, whole_run, tmp_path):
    assert main([*WHOLE_RUN, "--output", str(tmp_path / "run")]) == 0
    first, second = (json.loads((output / "metrics.json").read_text()) for output in (whole_run[0], tmp_path / "run"))
    assert second["n_iter_from_memory"] == 0
    for name in ("accuracy", "log_loss", "training"):
        assert first[name] == second[name]


@pytest.mark.parametrize("model", longer(["cnn", "mlp", "simple_rnn"], ["cnn", "simple_rnn"]))
def test_every_classifier_takes_mnist(main, tmp_path, model):
    arguments = ["--model", model, "--limit", "300", "--epochs", "2", "--batch-size", "32"]
    assert (
        main([*arguments, "--learning-rate", "0.003", "--optimizer", "rmsprop", "--output", str(tmp_path / "run")]) == 0
    )
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["model"] == metrics["parameters"]["model"] == model
    assert metrics["n_train"] == 300
    assert metrics["n_test"] == 10_000
    assert metrics["accuracy"] > 0.25
    parameters = metrics["parameters"]
    assert (parameters["batch_size"], parameters["learning_rate"], parameters["optimizer"]) == (32, 0.003, "rmsprop")


@pytest.fixture
def fashion(tmp_path):
    """A folder in the format of Fashion-MNIST, with scikit-learn's digits as its 200 + 100 images."""
    folder, digits = tmp_path / "fashion", load_digits()
    folder.mkdir()
    images = np.pad(np.kron(digits.images, np.ones((3, 3))) * 15, ((0, 0), (2, 2), (2, 2))).astype(np.uint8)
    for prefix, rows in (("train", slice(200)), ("t10k", slice(200, 300))):
        for kind, array in (("images-idx3", images[rows]), ("labels-idx1", digits.target[rows].astype(np.uint8))):
            header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
            (folder / f"{prefix}-{kind}-ubyte.gz").write_bytes(gzip.compress(header + array.tobytes()))
    return folder


@pytest.mark.parametrize("model", longer(["cnn", "mlp"], ["cnn"]))
def test_fashion_mnist_is_read_from_files_of_ones_own(main, tmp_path, fashion, model):
    arguments = ["--dataset", "fashion_mnist", "--data", str(fashion), "--model", model, "--batch-size", "10"]
    assert main([*arguments, "--epochs", "4", "--output", str(tmp_path / "run")]) == 0
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["dataset"] == "fashion_mnist"
    assert (metrics["n_train"], metrics["n_test"]) == (200, 100)
    assert metrics["accuracy"] > 0.6


def test_broken_data_are_one_line_and_leave_nothing(main, tmp_path, fashion, capfd):
    (fashion / "t10k-labels-idx1-ubyte.gz").write_bytes(b"broken")
    arguments = ["--dataset", "fashion_mnist", "--data", str(fashion), "--output", str(tmp_path / "run")]
    assert main(arguments) == 1
    assert f"{fashion / 't10k-labels-idx1-ubyte.gz'}: offset 0: expected" in one_line_of(capfd)
    assert os.listdir(tmp_path) == ["fashion"]


def test_data_without_all_ten_classes_are_one_line(main, tmp_path, fashion, capfd):
    (fashion / "train-labels-idx1-ubyte.gz").write_bytes(struct.pack(">BBBBI", 0, 0, 8, 1, 200) + bytes([3, 7] * 100))
    arguments = ["--dataset", "fashion_mnist", "--data", str(fashion), "--output", str(tmp_path / "run")]
    assert main(arguments) == 1
    assert "Expected training images of all ten classes. Received: [3, 7]." in one_line_of(capfd)


@pytest.mark.parametrize("starts_workers", longer([False, True], [True]))
def test_a_search_keeps_its_results(main, tmp_path, capsys, monkeypatch, starts_workers):
    requested = []

    def search_in_this_process(*arguments, n_jobs, **options):
        requested.append(n_jobs)
        return GridSearchCV(*arguments, n_jobs=n_jobs if starts_workers else 1, **options)

    monkeypatch.setattr(_search, "GridSearchCV", search_in_this_process)
    grid = '{"epochs": [1, 2], "dense_units": [[4], [8]]}'
    options = ["--model", "mlp", "--limit", "200", "--grid", grid, "--cv", "2", "--n-jobs", "2"]
    arguments = ["--dataset", "digits", *options]
    assert main([*arguments, "--output", str(tmp_path / "run")]) == 0
    assert requested == [2]
    assert set(os.listdir(tmp_path / "run")) == FILES | {"search_results.csv"}
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["parameters"]["dense_units"] == metrics["best_params"]["dense_units"]
    with open(tmp_path / "run" / "search_results.csv") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4
    assert max(float(row["mean_test_score"]) for row in rows) == metrics["best_score"]
    assert "Best of the search" in capsys.readouterr().out


@pytest.mark.parametrize("features", longer(["hog", "hog+pixels", "hog+sift"], ["hog", "hog+sift"]))
def test_a_network_on_features(main, tmp_path, features):
    output = tmp_path / "run"
    arguments = ["--dataset", "digits", "--features", features, "--epochs", "5"]
    assert main([*arguments, "--output", str(output)]) == 0
    assert set(os.listdir(output)) == FILES
    metrics = json.loads((output / "metrics.json").read_text())
    assert (metrics["features"], metrics["model"]) == (features, "mlp")
    assert metrics["accuracy"] > 0.85

    # what is kept is what was evaluated
    digits = load_digits()
    _, X, _, y = train_test_split(
        digits.images / 16, digits.target, test_size=0.25, stratify=digits.target, random_state=0
    )
    assert log_loss(y, TrainedModel(output).predict_proba(X)) == pytest.approx(metrics["log_loss"], rel=1e-6)


def test_features_are_searched_together_with_the_network(main, tmp_path):
    grid = '{"features__hog__orientations": [1, 9], "learning_rate": [0.001, 0.01]}'
    options = ["--features", "hog", "--limit", "300", "--epochs", "5", "--cv", "2", "--grid", grid]
    arguments = ["--dataset", "digits", *options]
    assert main([*arguments, "--output", str(tmp_path / "run")]) == 0
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["best_params"]["features__hog__orientations"] == 9
    assert metrics["parameters"]["learning_rate"] == metrics["best_params"]["network__learning_rate"]
    assert kn.load(tmp_path / "run" / "model.kerasnet")["features"]["hog"].orientations == 9


def test_a_missed_target_is_status_1(main, tmp_path, capfd):
    """A reached one is status 0: see `whole_run`."""
    arguments = ["--dataset", "digits", "--epochs", "1", "--limit", "100"]
    assert main([*arguments, "--target-accuracy", "1.0", "--output", str(tmp_path / "missed")]) == 1
    assert "is below the target 1" in one_line_of(capfd)
    assert set(os.listdir(tmp_path / "missed")) == FILES


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "0"], "expected a whole number of at least 1, got '0'"),
        (["--epochs", "x"], "expected a whole number of at least 1, got 'x'"),
        (["--cv", "1"], "argument --cv: expected a whole number of at least 2, got '1'"),
        (["--seed", "-1"], "argument --seed: expected a whole number of at least 0, got '-1'"),
        (["--n-jobs", "0"], "argument --n-jobs: expected a whole number of at least 1, or -1, got '0'"),
        (["--target-accuracy", "nan"], "expected a number in [0, 1], got nan"),
        (["--learning-rate", "nan"], "expected a number above 0, got nan"),
        (["--model", "cn"], "invalid choice: 'cn'"),
        (["--grid", "{"], "expected JSON, got '{'"),
        (["--grid", "[1]"], "expected a JSON object of lists"),
        (["--nonsense"], "unrecognized arguments"),
        (["--features", "hog", "--model", "cnn"], "--features hog gives vectors; cnn takes images: try mlp"),
        (["--features", "hug"], "invalid choice: 'hug'"),
        (["--dataset", "digits", "--data", "folder"], "--data is for data sets of IDX files, not digits"),
        (["--dataset", "kmnist"], "give their folder as --data"),
        (["--scheduler", "tcp://127.0.0.1:1"], "--scheduler is for a search: give --grid-search or --grid, too"),
    ],
)
def test_bad_options_are_status_2(main, capsys, arguments, message):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--grid", '{"epoch": [1]}'], "did you mean 'epochs'?"),
        (["--features", "hog", "--grid", '{"features__hig__orientations": [1]}'], "hig"),
        (["--grid", '{"epochs": 1}'], "expected a list of values for 'epochs'. Received: 1"),
        (["--grid", '{"model": ["mlp"]}'], "choose it with --model"),
        (["--optimizer", "adm"], "adm"),
        (["--learning-rate", "1e30", "--optimizer", "sgd"], "Training diverged: the loss is"),
        (["--limit", "60001", "--dataset", "mnist"], "n_samples must be an int from 1 to 60000"),
        (["--limit", "5000"], "5000"),
        (["--memory", __file__], "Not a directory"),
        (["--grid", '{"epochs": [1]}', "--scheduler", "nonsense"], "expected the address of a Dask scheduler"),
    ],
)
def test_bad_values_are_one_line_and_leave_nothing(main, tmp_path, capfd, arguments, message):
    assert main(["--dataset", "digits", *arguments, "--output", str(tmp_path / "run")]) == 1
    line = one_line_of(capfd)
    assert line.startswith("train_mnist: ")
    assert message in line
    assert os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_made_is_one_line(main, tmp_path, capfd):
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    for output, message in (
        ("file/run", "is a file; a folder is needed there"),
        ("full", "is not an empty folder"),
    ):
        assert main(["--dataset", "digits", "--output", str(tmp_path / output)]) == 1
        assert message in one_line_of(capfd)
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
    """Start the script in a process that has the imports behind it, which are most of a short run's time."""
    return FreshProcess(SCRIPT, *arguments)


def last_line(process):
    _, error = process.communicate(timeout=120)
    assert "Traceback" not in error, error
    return error.strip().splitlines()[-1]


@pytest.mark.filterwarnings("ignore::UserWarning")  # the checkpoint does not fit either
def test_a_full_disk_is_one_line_and_leaves_nothing(main, tmp_path, capfd):
    arguments = ["--dataset", "digits", "--epochs", "1", "--limit", "100", "--output", str(tmp_path / "run")]
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        assert main(arguments) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert one_line_of(capfd).startswith("train_mnist: ")
    assert os.listdir(tmp_path) == []


def test_a_reader_that_goes_away_loses_no_run(main, tmp_path, monkeypatch):
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as stdout:  # closing it raises if the script has left text in its buffer
        monkeypatch.setattr(sys, "stdout", stdout)
        assert main(["--dataset", "digits", "--epochs", "1", "--limit", "100", "--output", str(tmp_path / "run")]) == 0
    assert set(os.listdir(tmp_path / "run")) == FILES


@pytest.mark.exhaustive
def test_a_name_that_the_terminal_cannot_show_is_no_failure(tmp_path):
    environment = {**os.environ, "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    output = tmp_path / "ünï ☃"
    process = run_script(
        "--dataset", "digits", "--epochs", "1", "--limit", "100", "--output", str(output), env=environment
    )
    process.communicate(timeout=120)
    assert process.returncode == 0
    assert set(os.listdir(output)) == FILES


@pytest.mark.parametrize("library", ["multiarray", "tensorflow"])
def test_ctrl_c_before_training_shows_no_traceback(tmp_path, library):
    """While NumPy is imported, and while TensorFlow is."""
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
def test_a_second_ctrl_c_does_not_lose_what_is_being_saved(tmp_path):
    process = start_script(*ENDLESS, "--output", str(tmp_path / "run"))
    interrupt_after_a_checkpoint(process)
    for _ in range(4):
        time.sleep(0.4)
        process.send_signal(signal.SIGINT)
    last_line(process)
    assert process.returncode == 130
    assert set(os.listdir(tmp_path / "run")) == FILES


def wait_for_a_checkpoint(process):
    """Wait until the first checkpoint of a run is in the cache."""
    while not list(Path(os.environ["XDG_CACHE_HOME"]).rglob("*.npz")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)


def interrupt_after_a_checkpoint(process, number=signal.SIGINT):
    """Send Ctrl-C, or another signal, while the run trains."""
    assert " images of " in process.first_line()
    wait_for_a_checkpoint(process)
    process.send_signal(number)


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.exhaustive)])
def test_ctrl_c_and_sigterm_keep_what_was_trained(tmp_path, number):
    process = start_script(*ENDLESS, "--output", str(tmp_path / "run"))
    interrupt_after_a_checkpoint(process, number)
    line = last_line(process)
    assert process.returncode == 130
    assert set(os.listdir(tmp_path / "run")) == FILES
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["interrupted"] is True
    assert 0 < metrics["n_iter"] < 100_000
    assert f"interrupted after {metrics['n_iter']} whole epochs; what was trained is kept" in line
    kept = kn.load(tmp_path / "run" / "model.kerasnet")
    assert kept.n_iter_ == metrics["n_iter"]
    digits = load_digits()
    _, X_test, _, y_test = train_test_split(
        digits.images / 16, digits.target, test_size=0.25, stratify=digits.target, random_state=0
    )
    assert kept.score(X_test, y_test) == pytest.approx(metrics["accuracy"], abs=1e-3)


def test_ctrl_c_in_a_search_ends_it(tmp_path):
    grid = '{"epochs": [1, 100000], "learning_rate": [0.1, 0.01]}'
    process = start_script(*ENDLESS[:-2], "--grid", grid, "--cv", "2", "--output", str(tmp_path / "run"))
    interrupt_after_a_checkpoint(process)
    assert last_line(process) == "train_mnist: interrupted; the same search goes on from what was trained"
    assert process.returncode == 130
    assert os.listdir(tmp_path) == []


KILLED = """
import os, signal, sys
import train_mnist
from kerasnet.training import EpochMemory, _resume

write, _resume._SECONDS_BETWEEN = EpochMemory._write, 0

def write_and_die(self, *arguments, **options):
    write(self, *arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)

EpochMemory._write = write_and_die
train_mnist.main(sys.argv[1:])
"""


def test_a_killed_run_is_resumed_and_ends_as_an_undisturbed_one(main, tmp_path):
    arguments = ["--dataset", "digits", "--limit", "300", "--epochs", "4"]
    assert run("-c", KILLED, *arguments, "--output", tmp_path / "killed").returncode == -signal.SIGKILL
    assert not (tmp_path / "killed").exists()
    assert main([*arguments, "--resume", "--output", str(tmp_path / "resumed")]) == 0
    assert main([*arguments, "--output", str(tmp_path / "undisturbed")]) == 0
    resumed, undisturbed = (
        json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("resumed", "undisturbed")
    )
    assert 0 < resumed["n_iter_from_memory"] < 4
    assert undisturbed["n_iter_from_memory"] == 0
    assert (resumed["accuracy"], resumed["log_loss"]) == (undisturbed["accuracy"], undisturbed["log_loss"])
    history = (tmp_path / "undisturbed" / "history.csv").read_text()
    assert (tmp_path / "resumed" / "history.csv").read_text() == history


def test_a_folder_of_states_serves_the_next_run(main, tmp_path, capsys):
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
    assert "Of 3 epochs 2 were known and not trained again." in capsys.readouterr().out
    assert str(tmp_path) not in (tmp_path / "second" / "metrics.json").read_text()


@pytest.mark.exhaustive
def test_a_search_runs_on_a_cluster(cluster, tmp_path):
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
    assert "Best of the search" in out
    assert len(list((tmp_path / "memory").rglob("*.npz"))) == 2 * 2 + 1, "two folds of each, and the best on all"


def test_a_cache_that_cannot_be_written_costs_no_run(main, tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    arguments = ["--dataset", "digits", "--epochs", "1", "--limit", "100"]
    assert main([*arguments, "--output", str(tmp_path / "run")]) == 0
    assert "This run cannot be resumed" in capsys.readouterr().out
    assert main([*arguments, "--resume", "--output", str(tmp_path / "resumed")]) == 1
