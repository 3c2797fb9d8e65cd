"""Tests of ``kerasnet predict``."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import train_mnist
from _fresh import run as run_process
from PIL import Image
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

import kerasnet as kn
from kerasnet.cli import main
from kerasnet.datasets import load_mnist
from kerasnet.features import ImagePreprocessor, TextVectorizer

ROOT = Path(__file__).parents[2]
SIZES = ((480, 640), (640, 480), (300, 900))


def load_few_test_images(subset, n_samples=None, random_state=None):
    return load_mnist(subset, 500 if subset == "test" else n_samples, random_state)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return the output folder of a network trained on HOG features of 2,000 images."""
    folder = tmp_path_factory.mktemp("runs") / "hog"
    arguments = ["--features", "hog", "--limit", "2000", "--epochs", "5", "--output", str(folder)]
    with pytest.MonkeyPatch.context() as patched:  # save the time for most of the test images and for the report
        patched.setattr(kn, "make_report", lambda *arguments, **options: arguments[3].write_text(""))
        patched.setattr(kn.datasets, "load_mnist", load_few_test_images)
        assert train_mnist.main(arguments) == 0
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
    """Return the paths of 16 dark-on-light images, and their labels."""
    folder, rng = tmp_path_factory.mktemp("photographs"), np.random.default_rng(0)
    X, y = load_mnist("test", n_samples=16, random_state=1, return_X_y=True)
    paths = [str(folder / f"{number}.{('jpg', 'png')[number % 2]}") for number in range(len(X))]
    for number, (path, digit) in enumerate(zip(paths, X, strict=True)):
        cv2.imwrite(path, photograph(digit, SIZES[number % 3], rng))
    return paths, y


def predictions(capsys, *arguments):
    """Run the command and return its JSON output."""
    assert main(["predict", *arguments, "--json"]) == 0
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
    paths, y = photographs[0][:10], photographs[1][:10]
    boards = [str(tmp_path / Path(path).with_suffix(".png").name) for path in paths]
    for path, board in zip(paths, boards, strict=True):
        cv2.imwrite(board, 255 - cv2.imread(path))
    results = predictions(capsys, run, *boards)
    assert {result["polarity"] for result in results} == {"light-on-dark"}
    assert np.mean([result["class"] == label for result, label in zip(results, y, strict=True)]) >= 0.9


def test_polarity_and_as_is_options(run, tmp_path, capsys):
    X, y = load_mnist("test", n_samples=20, random_state=0, return_X_y=True)
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
    assert main(["predict", run, *paths]) == 1
    out, error = capsys.readouterr()
    assert [line.split(": ")[0] for line in out.splitlines()] == [paths[0], paths[3]]
    notes, missing = error.splitlines()
    assert notes.startswith("kerasnet predict: ")
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
    assert main(["predict", run, *bad, paths[0], "--json"]) == 1
    out, error = capsys.readouterr()
    assert [(result["image"], result["class"]) for result in json.loads(out)] == [(paths[0], y[0])]
    flat, one, several = error.splitlines()
    for line, path in ((flat, bad[0]), (one, bad[1])):
        assert line.startswith(f"kerasnet predict: no digit found, {path!r}: expected strokes")
    assert several.startswith(f"kerasnet predict: expected one digit, found 2, {bad[2]!r}")


def test_empty_images_print_errors_with_as_is(run, tmp_path, capsys):
    noise = np.random.default_rng(0).normal(200, 4, (600, 450))
    for name, image in (("flat", np.zeros((50, 50))), ("noise", noise), ("transparent", np.zeros((50, 50, 4)))):
        cv2.imwrite(str(tmp_path / f"{name}.png"), image.astype(np.uint8))
        assert main(["predict", run, str(tmp_path / f"{name}.png"), "--as-is"]) == 1
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
        (lambda path: None, "expected an output folder of train_mnist.py or fine_tune.py, with model.kerasnet"),
        (lambda path: path.write_text("{}"), "expected a .kerasnet archive, found b'{}' at its beginning"),
        (lambda path: kn.save(kn.CNNClassifier(), path), "expected a fitted classifier of images or text"),
        (
            lambda path: path.write_bytes(saved_bytes(path)[:-100]),
            "expected a .kerasnet archive, found something else at its",
        ),
    ],
    ids=["empty folder", "JSON", "another archive", "truncated"],
)
def test_invalid_model_prints_one_line(tmp_path, capsys, make, message):
    make(tmp_path / "model.kerasnet")
    assert main(["predict", str(tmp_path), "image.png"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert str(tmp_path) in line


def saved_bytes(path):
    kn.save(kn.CNNClassifier(), path)
    return path.read_bytes()


def test_path_of_the_archive_is_accepted(run, photographs, tmp_path, capsys):
    shutil.copy(Path(run) / "model.kerasnet", tmp_path / "mine.kerasnet")
    paths = photographs[0][:4]
    assert predictions(capsys, str(tmp_path / "mine.kerasnet"), *paths) == predictions(capsys, run, *paths)


def test_a_saved_classifier_needs_no_metadata_if_it_takes_images(photographs, tmp_path, capsys):
    model = str(tmp_path / "mine.kerasnet")
    kn.save(kn.KerasNetClassifier.from_pretrained("lenet", "mnist"), model)
    paths, labels = photographs
    found = predictions(capsys, model, *paths[:8], "--digit")
    assert np.mean([each["class"] == label for each, label in zip(found, labels, strict=False)]) > 0.9
    inverted = predictions(capsys, model, *paths[:8], "--polarity", "dark-on-light")
    plain, as_is = (predictions(capsys, model, *paths[:8], *option) for option in ([], ["--as-is"]))
    assert [each["polarity"] for each in plain] == [None] * 8
    assert plain == as_is
    assert [each["probabilities"] for each in plain] != [each["probabilities"] for each in inverted]


def test_pretrained_models_by_name(photographs, capsys):
    paths, y = photographs
    for name in ("lenet", "lstm:mnist"):
        found = predictions(capsys, "--model", name, *paths[:8])
        assert [each["class"] for each in found] == y[:8].tolist()
    assert main(["predict", "lenet:fashion_mnist", paths[0]]) == 0
    assert capsys.readouterr().out.startswith(f"{paths[0]}: ")
    (clothes,) = predictions(capsys, "lenet:fashion_mnist", paths[0])
    assert list(clothes["probabilities"])[:2] == ["T-shirt/top", "Trouser"]


COLORS = {"red\x1b[31m": (220, 60, 60), "green\nand blue": (60, 180, 200)}


@pytest.fixture(scope="module")
def colored(tmp_path_factory):
    """The paths of 12 color images, alternately of two classes, and a function that fits and saves a classifier."""
    folder, rng = tmp_path_factory.mktemp("colored"), np.random.default_rng(0)
    paths, labels = [str(folder / f"{number}.png") for number in range(12)], np.array([*COLORS] * 6)
    for path, label in zip(paths, labels, strict=True):
        noise = rng.normal(0, 30, (rng.integers(20, 40), 30, 3))
        Image.fromarray(np.clip(COLORS[label] + noise, 0, 255).astype(np.uint8)).save(path)

    def saved(*steps, **options):
        path = str(folder / "colored.kerasnet")
        kn.save(
            make_pipeline(ImagePreprocessor((12, 16), color_mode="rgb", **options), *steps).fit(paths, labels), path
        )
        return path

    return paths, labels, saved


def test_color_images_and_class_names(colored, capsys):
    paths, labels, saved = colored
    network = kn.KerasNetClassifier("cnn", epochs=8, batch_size=4, dense_units=8, filters=8, random_state=0)
    model = saved(network, dtype="uint8")
    expected = kn.load(model).predict_proba(paths)
    found = predictions(capsys, model, *paths)
    assert found == predictions(capsys, model, *paths, "--as-is")
    assert [each["class"] for each in found] == labels.tolist()
    np.testing.assert_allclose([[*each["probabilities"].values()] for each in found], expected, atol=1e-5)
    assert main(["predict", model, *paths[:2]]) == 0
    red, green = capsys.readouterr().out.splitlines()
    assert red.startswith(f"{paths[0]}: 'red\\x1b[31m' (")
    assert green.startswith(f"{paths[1]}: 'green\\nand blue' (")


def test_classifiers_without_probabilities(colored, capsys):
    paths, labels, saved = colored
    model = saved(LinearSVC(), flatten=True)
    found = predictions(capsys, model, *paths)
    assert [each["class"] for each in found] == labels.tolist()
    assert {each["probability"] for each in found} == {each["probabilities"] for each in found} == {None}
    assert main(["predict", model, paths[0]]) == 0
    assert capsys.readouterr().out == f"{paths[0]}: 'red\\x1b[31m'\n"


def test_color_classifiers_report_empty_images_and_options_for_grayscale(colored, tmp_path, capsys):
    paths, _, saved = colored
    model = saved(LinearSVC(), flatten=True)
    Image.new("RGB", (60, 20), (60, 180, 200)).save(tmp_path / "flat.png")
    assert main(["predict", model, str(tmp_path / "flat.png"), paths[0]]) == 1
    out, error = capsys.readouterr()
    assert len(out.splitlines()) == 1
    assert error.startswith("kerasnet predict: no content found")
    for option in (["--digit"], ["--polarity", "dark-on-light"]):
        assert main(["predict", model, paths[0], *option]) == 1
        assert "require a classifier of grayscale images" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("autoencoder", "expected a fitted classifier of images or text. Received: Autoencoder."),
        ("mlp", "mlp:mnist: the model mlp has no pretrained weights. See kerasnet list --weights."),
        ("cnn:imagenet", "cnn:imagenet: the model cnn has pretrained weights for mnist."),
        ("lennet", "expected a file, a folder, or the name of a pretrained model. Did you mean lenet?"),
    ],
)
def test_unsuitable_models_print_one_line(capsys, model, message):
    assert main(["predict", "--model", model, "image.png"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("kerasnet predict: ")
    assert message in line


@pytest.mark.parametrize(
    ("estimator", "metadata", "message"),
    [
        (LinearSVC(), {}, "or the height and width of its images in the metadata"),
        (LinearSVC(), {"image_size": [28, 10**9]}, r"Received: [28, 1000000000]"),
        (LinearSVC(), {"image_size": [2, 3], "class_names": ["a"]}, "expected the names of 2 classes"),
        (LinearRegression(), {"image_size": [2, 3]}, "expected a fitted classifier of images or text"),
    ],
)
def test_metadata_must_describe_the_images(tmp_path, capsys, estimator, metadata, message):
    path = str(tmp_path / "model.kerasnet")
    kn.save(estimator.fit(np.eye(6), [0, 1] * 3), path, metadata=metadata)
    assert main(["predict", path, "image.png"]) == 1
    assert message in capsys.readouterr().err


def test_classifiers_of_flattened_images(tmp_path, capsys):
    X, y = load_mnist(n_samples=300, random_state=0, return_X_y=True)
    path, image = str(tmp_path / "forest.kerasnet"), str(tmp_path / "digit.png")
    forest = RandomForestClassifier(20, random_state=0).fit(X.reshape(300, -1) / 255, y)
    kn.save(forest, path, metadata={"image_size": [28, 28], "dataset": "mnist"})
    cv2.imwrite(image, np.pad(X[0], 20))
    (found,) = predictions(capsys, path, image)
    assert found["class"] == y[0]


def test_script_is_the_same_command(photographs):
    path = photographs[0][0]
    done = run_process(ROOT / "scripts" / "predict.py", "lenet", path, "missing\udcff\n.png")
    assert done.returncode == 1
    assert done.stdout.startswith(f"{path}: ")
    (line,) = done.stderr.splitlines()
    assert line.startswith("kerasnet predict: image, 'missing\\udcff\\n.png': ")


def test_texts_of_lines_and_columns(tmp_path, capsys):
    texts, labels = ["good film", "good one", "bad film", "bad one"], ["pos", "pos", "neg", "neg"]
    pipeline = make_pipeline(TextVectorizer(), RandomForestClassifier(5, random_state=0)).fit(texts, labels)
    model, lines, table = (str(tmp_path / name) for name in ("m.kerasnet", "lines.txt", "table.csv"))
    kn.save(pipeline, model)
    Path(lines).write_text("good film\r\nbad\x85\u2028\f\n", encoding="utf-8")
    long = "good " * 40_000
    Path(table).write_text(f'id,review\n1,"good, one"\n2,{long}\n3\n')
    found = predictions(capsys, model, lines)
    assert [(each["file"], each["number"], each["class"]) for each in found] == [(lines, 1, "pos"), (lines, 2, "neg")]
    expected = pipeline.predict_proba(["good film", "bad"])
    np.testing.assert_allclose([[*each["probabilities"].values()] for each in found], expected)
    assert main(["predict", model, table, "--column", "review", "--json"]) == 1
    captured = capsys.readouterr()
    assert [each["text"] for each in json.loads(captured.out)] == ["good, one", long]
    assert "text 3 has no known word" in captured.err
    Path(lines).write_text("zzz\ngood\n")
    assert main(["predict", model, lines, table, "--column", "text"]) == 1
    assert capsys.readouterr().err.count("expected a column 'text'. Found: ['") == 2
    assert main(["predict", model, lines]) == 1
    captured = capsys.readouterr()
    assert captured.out.startswith("good: pos (")
    assert "text 1 has no known word" in captured.err
    Path(table).write_text("review,other\ngood,x,\n")
    assert main(["predict", model, table, "--column", "review"]) == 1
    assert "expected a CSV file with column names. Found: Length of header" in capsys.readouterr().err
    kn.save(make_pipeline(TextVectorizer(), RandomForestRegressor(1)).fit(texts, [1, 2, 3, 4]), tmp_path / "r.kerasnet")
    assert main(["predict", str(tmp_path / "r.kerasnet"), lines]) == 1
    assert "r.kerasnet: expected a fitted classifier with one class per text" in capsys.readouterr().err
    network = kn.KerasNetClassifier("text_cnn", filters=2, embedding_units=2).initialize(
        [[2, 3], [3, 2]], [[0, 1], [1, 1]]
    )
    kn.save(make_pipeline(TextVectorizer().fit(texts), network), tmp_path / "labels.kerasnet")
    assert main(["predict", str(tmp_path / "labels.kerasnet"), lines]) == 1
    assert "one class per text. Received: a multilabel classifier" in capsys.readouterr().err
    assert main(["predict", model, lines, "--digit"]) == 1
    assert "require a classifier of images" in capsys.readouterr().err
    assert main(["predict", "lenet", lines, "--column", "text"]) == 1
    assert "--column requires a classifier of text; lenet is none" in capsys.readouterr().err
