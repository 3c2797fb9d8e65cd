"""Tests of scripts/predict.py."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import predict
import pytest
import train_mnist

import kerasnet as kn
from kerasnet.datasets import load_mnist

SCRIPT = Path(__file__).parents[2] / "scripts" / "predict.py"
SIZES = ((480, 640), (640, 480), (300, 900))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return the output folder of a network trained on HOG features of 2,000 images."""
    folder = tmp_path_factory.mktemp("runs") / "hog"
    assert train_mnist.main(["--features", "hog", "--limit", "2000", "--epochs", "5", "--output", str(folder)]) == 0
    return str(folder)


def photograph(digit, size, rng):
    """Return an image of the digit at a random position on shaded, noisy paper."""
    page, side = np.zeros(size), rng.integers(120, 260)
    row, column = rng.integers(0, size[0] - side), rng.integers(0, size[1] - side)
    page[row : row + side, column : column + side] = (
        cv2.resize(digit, (side, side), interpolation=cv2.INTER_CUBIC) / 255
    )
    paper = 230 - 40 * np.linspace(0, 1, size[1])
    return np.clip(paper * (1 - page) + 50 * page + rng.normal(0, 6, size), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Return the paths of 24 dark-on-light images, and their labels."""
    folder, rng = tmp_path_factory.mktemp("photographs"), np.random.default_rng(0)
    X, y = load_mnist("test", n_samples=24, random_state=1, return_X_y=True)
    paths = [str(folder / f"{number}.{('jpg', 'png')[number % 2]}") for number in range(len(X))]
    for number, (path, digit) in enumerate(zip(paths, X, strict=True)):
        cv2.imwrite(path, photograph(digit, SIZES[number % 3], rng))
    return paths, y


def predictions(capsys, *arguments):
    """Run the command and return its JSON output."""
    assert predict.main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_predictions_for_photographs(run, photographs, capsys):
    paths, y = photographs
    results = predictions(capsys, run, *paths)
    assert [result["image"] for result in results] == paths
    assert {result["polarity"] for result in results} == {"dark-on-light"}
    assert np.mean([result["class"] == label for result, label in zip(results, y, strict=True)]) >= 0.9
    for result in results:
        assert (
            result["probabilities"][str(result["class"])]
            == result["probability"]
            == max(result["probabilities"].values())
        )
        assert sum(result["probabilities"].values()) == pytest.approx(1)


def test_predictions_for_light_on_dark_images(run, photographs, capsys, tmp_path):
    paths, y = photographs[0][:12], photographs[1][:12]
    boards = [str(tmp_path / Path(path).with_suffix(".png").name) for path in paths]
    for path, board in zip(paths, boards, strict=True):
        cv2.imwrite(board, 255 - cv2.imread(path))
    results = predictions(capsys, run, *boards)
    assert {result["polarity"] for result in results} == {"light-on-dark"}
    assert np.mean([result["class"] == label for result, label in zip(results, y, strict=True)]) >= 0.9


def test_polarity_and_as_is_options(run, tmp_path, capsys):
    X, y = load_mnist("test", n_samples=50, random_state=0, return_X_y=True)
    paths = [str(tmp_path / f"{number}.png") for number in range(len(X))]
    for path, digit in zip(paths, X, strict=True):
        cv2.imwrite(path, 255 - digit)
    results = predictions(capsys, run, *paths, "--polarity", "dark-on-light", "--as-is")
    assert np.mean([result["class"] == label for result, label in zip(results, y, strict=True)]) >= 0.9
    inverted = predictions(capsys, run, *paths, "--polarity", "light-on-dark", "--as-is")
    assert {result["polarity"] for result in inverted} == {"light-on-dark"}
    assert [result["probabilities"] for result in inverted] != [result["probabilities"] for result in results]


def test_text_output_and_errors_for_unreadable_files(run, photographs, tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("no image")
    paths = [photographs[0][0], str(tmp_path / "notes.txt"), str(tmp_path / "missing.png"), photographs[0][1]]
    assert predict.main([run, *paths]) == 1
    out, error = capsys.readouterr()
    assert [line.split(": ")[0] for line in out.splitlines()] == [paths[0], paths[3]]
    notes, missing = error.splitlines()
    assert notes.startswith("predict: ")
    assert "notes.txt" in notes
    assert "found: something else" in notes
    assert "missing.png" in missing


def test_images_without_exactly_one_digit_print_errors(run, photographs, tmp_path, capsys):
    paths, y = photographs
    two = np.hstack([cv2.resize(cv2.imread(path, cv2.IMREAD_GRAYSCALE), (480, 480)) for path in paths[:2]])
    pages = {"flat": np.full((50, 50), 200, np.uint8), "one": np.zeros((1, 1), np.uint8), "two": two}
    for name, image in pages.items():
        cv2.imwrite(str(tmp_path / f"{name}.png"), image)
    bad = [str(tmp_path / f"{name}.png") for name in pages]
    assert predict.main([run, *bad, paths[0], "--json"]) == 1
    out, error = capsys.readouterr()
    assert [(result["image"], result["class"]) for result in json.loads(out)] == [(paths[0], y[0])]
    flat, one, several = error.splitlines()
    for line, path in ((flat, bad[0]), (one, bad[1])):
        assert line.startswith(f"predict: no digit found, {path!r}: expected one digit")
    assert several.startswith(f"predict: expected one digit, found 2, {bad[2]!r}")


def test_empty_images_print_errors_with_as_is(run, tmp_path, capsys):
    noise = np.random.default_rng(0).normal(200, 4, (600, 450))
    for name, image in (("flat", np.zeros((50, 50))), ("noise", noise), ("transparent", np.zeros((50, 50, 4)))):
        cv2.imwrite(str(tmp_path / f"{name}.png"), image.astype(np.uint8))
        assert predict.main([run, str(tmp_path / f"{name}.png"), "--as-is"]) == 1
        assert "no digit found" in capsys.readouterr().err


def test_white_ink_on_transparent_background_with_as_is(run, tmp_path, capsys):
    X, y = load_mnist("test", n_samples=20, random_state=0, return_X_y=True)
    paths = [str(tmp_path / f"{number}.png") for number in range(len(X))]
    for path, digit in zip(paths, X, strict=True):
        cv2.imwrite(path, np.dstack([np.full((28, 28, 3), 255, np.uint8), digit]))
    results = predictions(capsys, run, *paths, "--as-is")
    assert {result["polarity"] for result in results} == {"light-on-dark"}
    assert np.mean([result["class"] == label for result, label in zip(results, y, strict=True)]) >= 0.9


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "No such file or directory"),
        (lambda path: path.write_text("{}"), "expected a .kerasnet archive, found b'{}' at its beginning"),
        (lambda path: kn.save(kn.CNNClassifier(), path), "expected a model of train_mnist.py"),
        (
            lambda path: path.write_bytes(saved_bytes(path)[:-100]),
            "expected a .kerasnet archive, found something else at its",
        ),
    ],
    ids=["empty folder", "JSON", "another archive", "truncated"],
)
def test_invalid_model_prints_one_line(tmp_path, capsys, make, message):
    make(tmp_path / "model.kerasnet")
    assert predict.main([str(tmp_path), "image.png"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert "model.kerasnet" in line


def saved_bytes(path):
    kn.save(kn.CNNClassifier(), path)
    return path.read_bytes()


def test_path_of_the_archive_is_accepted(run, photographs, tmp_path, capsys):
    shutil.copy(Path(run) / "model.kerasnet", tmp_path / "mine.kerasnet")
    paths = photographs[0][:4]
    assert predictions(capsys, str(tmp_path / "mine.kerasnet"), *paths) == predictions(capsys, run, *paths)


@pytest.mark.exhaustive
def test_command_line(run, photographs):
    path = photographs[0][0]
    environment = {**os.environ, "PYTHONPATH": str(SCRIPT.parents[1])}
    done = subprocess.run([sys.executable, SCRIPT, run, path], capture_output=True, text=True, env=environment)
    assert done.returncode == 0
    assert done.stdout.startswith(f"{path}: ")
    assert done.stdout.endswith("%)\n")
