"""Tests of scripts/fine_tune.py."""

import json
import subprocess
import sys
import urllib.error
from pathlib import Path

import cv2
import fine_tune
import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image
from sklearn.svm import LinearSVC

import kerasnet as kn

SCRIPT = Path(__file__).parents[2] / "scripts" / "fine_tune.py"
FILES = {"model.kerasnet", "metrics.json", "classification_report.txt", "confusion_matrix.png", "report.html"}
COLORS = {"circle": (220, 60, 60), "square": (60, 200, 60), "triangle": (70, 80, 220)}
SMALL = ("--weights", "none", "--image-size", "32", "--batch-size", "27")


def draw(kind, rng):
    """Return an image of a colored shape at a random position on noise."""
    height, width = rng.integers(40, 91, size=2)
    image = rng.integers(0, 120, size=(height, width, 3), dtype=np.uint8)
    color = np.clip(COLORS[kind] + rng.integers(-40, 41, size=3), 0, 255).tolist()
    radius = int(rng.integers(10, min(height, width) // 2 - 4))
    x, y = int(rng.integers(radius, width - radius)), int(rng.integers(radius, height - radius))
    if kind == "circle":
        return cv2.circle(image, (x, y), radius, color, -1)
    if kind == "square":
        return cv2.rectangle(image, (x - radius, y - radius), (x + radius, y + radius), color, -1)
    corners = [(x, y - radius), (x - radius, y + radius), (x + radius, y + radius)]
    return cv2.fillPoly(image, [np.array(corners)], color)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    """Return a folder with three classes of 24 images, PNG and JPEG of different sizes."""
    folder, rng = tmp_path_factory.mktemp("images") / "shapes", np.random.default_rng(0)
    for kind in COLORS:
        (folder / kind).mkdir(parents=True)
        for number in range(24):
            Image.fromarray(draw(kind, rng)).save(folder / kind / f"{number}.{('png', 'jpg')[number % 2]}")
    return folder


@pytest.fixture
def complete_reports():
    """Request the reports with their content."""


@pytest.fixture(autouse=True)
def empty_reports(request, monkeypatch):
    """Save the time for the content of reports in the other tests."""
    if "complete_reports" not in request.fixturenames:
        monkeypatch.setattr(kn, "make_report", lambda *arguments, **options: arguments[3].write_text(""))


@pytest.fixture
def few_layers(monkeypatch):
    """Fine-tune the first layers of MobileNet only, which saves seconds."""
    make = fine_tune.make_pipeline
    monkeypatch.setattr(
        fine_tune, "make_pipeline", lambda arguments: make(arguments).set_params(network__layer="conv_pw_1_relu")
    )


def run_fine_tuning(output, *arguments):
    """Run the command and return the metrics and the saved model."""
    assert fine_tune.main([*map(str, arguments), "--output", str(output)]) == 0
    assert {path.name for path in output.iterdir()} == FILES
    return json.loads((output / "metrics.json").read_text()), kn.load(output / "model.kerasnet")


def paths_of(folder):
    return kn.datasets.load_image_folder(folder, return_X_y=True)[0]


@pytest.fixture
def saved_estimators(monkeypatch):
    """Return a list of the estimators that the command saves."""
    saved, save = [], kn.save
    monkeypatch.setattr(
        kn, "save", lambda estimator, *args, **kwargs: (saved.append(estimator), save(estimator, *args, **kwargs))
    )
    return saved


def test_output_folder_and_saved_model(shapes, tmp_path, capsys, saved_estimators, complete_reports, few_layers):
    output = tmp_path / "new" / "run"
    options = ("--backbone", "mobilenet", "--epochs", 1, "--augmentation", "shift", "--seed", 3)
    metrics, model = run_fine_tuning(output, shapes, *SMALL, *options)
    out = capsys.readouterr().out
    assert "54 training images, 3 classes" in out
    assert "Phase one is skipped" in out
    assert "Phase two: fine-tuning all layers (epochs: 1)." in out
    report = (output / "classification_report.txt").read_text()
    assert report.strip() in out
    assert all(kind in report for kind in COLORS)
    assert f"Test accuracy: {metrics['accuracy']:.4f}" in out
    assert metrics["classes"] == sorted(COLORS)
    assert (metrics["n_train"], metrics["n_test"], metrics["seed"]) == (54, 18, 3)
    assert metrics["n_mistakes"] == round(18 * (1 - metrics["accuracy"]))
    assert metrics["seconds"] > 0
    assert {"keras", "kerasnet"} < set(metrics["versions"])
    assert plt.imread(output / "confusion_matrix.png").std() > 0.05
    page = (output / "report.html").read_text()
    assert "<title>mobilenet on shapes</title>" in page
    assert page.count("<img ") >= 3, "images of the test set, decoded"
    assert "<bdi>triangle</bdi>" in page
    assert kn.inspect(output / "model.kerasnet").metadata == {"classes": sorted(COLORS), "image_size": [32, 32]}
    (pipeline,) = saved_estimators
    paths = paths_of(shapes)
    np.testing.assert_array_equal(model.predict_proba(paths), pipeline.predict_proba(paths))
    assert set(model.predict(paths)) <= set(COLORS)
    assert len(pipeline[-1].history_["loss"]) == 1


def test_feature_extraction_with_linear_svm(shapes, tmp_path, saved_estimators):
    metrics, model = run_fine_tuning(tmp_path / "run", shapes, *SMALL, "--features", "--backbone", "mobilenet")
    assert metrics["accuracy"] > 0.6
    assert isinstance(model[-1], LinearSVC)
    paths = paths_of(shapes)
    np.testing.assert_array_equal(model.predict(paths), saved_estimators[0].predict(paths))


@pytest.mark.filterwarnings("ignore:Liblinear failed to converge")  # with few images
def test_images_of_different_modes_in_one_folder(shapes, tmp_path):
    rng, folder = np.random.default_rng(1), tmp_path / "mixed"
    for kind in ("circle", "square"):
        (folder / kind).mkdir(parents=True)
        for number, mode in enumerate(("RGB", "L", "RGBA", "LA", "P", "1", "CMYK", "I;16")):
            image = Image.fromarray(draw(kind, rng))
            image = image.convert("L").convert("I").convert(mode) if mode == "I;16" else image.convert(mode)
            image.save(folder / kind / f"{number}.{'jpg' if mode == 'CMYK' else 'png'}")
    options = (*SMALL, "--features", "--backbone", "mobilenet", "--test-fraction", 0.5)
    metrics, model = run_fine_tuning(tmp_path / "run", folder, *options)
    assert metrics["n_test"] == 8
    images = model[0].transform(paths_of(folder))
    assert (images.shape, images.dtype) == ((16, 32, 32, 3), np.uint8)
    gray = images[1]
    assert (gray[..., 0] == gray[..., 2]).all()
    assert (images[0][..., 0] != images[0][..., 2]).any()


def test_both_phases_with_a_weights_file(shapes, tmp_path, capsys, saved_estimators, few_layers):
    weights = tmp_path / "mobilenet.weights.h5"
    keras.applications.MobileNet(include_top=False, input_shape=(32, 32, 3), weights=None).save_weights(weights)
    options = (
        "--backbone",
        "mobilenet",
        "--weights",
        weights,
        "--image-size",
        32,
        "--batch-size",
        27,
        "--head-epochs",
        2,
        "--epochs",
        1,
    )
    metrics, _ = run_fine_tuning(tmp_path / "run", shapes, *options, "--trainable", 3)
    out = capsys.readouterr().out
    assert out.index("Phase one: training the output layer (epochs: 2).") < out.index(
        "Phase two: fine-tuning the output layer and the last 3 layers (epochs: 1)."
    )
    assert metrics["options"]["weights"] == str(weights)
    assert metrics["options"]["fine_learning_rate"] == 1e-5
    (pipeline,) = saved_estimators
    assert len(pipeline[-1].history_["loss"]) == 3
    weights.unlink()
    paths = paths_of(shapes)
    loaded = kn.load(tmp_path / "run" / "model.kerasnet")
    np.testing.assert_array_equal(loaded.predict_proba(paths), pipeline.predict_proba(paths))


def test_phase_one_trains_the_output_layer_and_phase_two_continues():
    rng = np.random.default_rng(0)
    X, y = rng.random((12, 32, 32, 3), dtype=np.float32), np.arange(12) % 2
    parameters = {"backbone": "mobilenet", "layer": "conv_pw_1_relu", "weights": None, "random_state": 0}
    network = kn.KerasNetClassifier("backbone", **parameters, trainable=False, epochs=2)

    def values():
        return {weight.path: weight.numpy() for weight in network.model_.weights}

    network.initialize(X, y)
    initial = values()
    network.fit(X, y)
    head = values()
    assert changed(initial, head) == {"output/kernel", "output/bias"}
    network.set_params(trainable=True, learning_rate=1e-12, warm_start=True).fit(X, y)
    kernels = [path for path in head if path.endswith("kernel")]
    for path in kernels:  # starts from the weights of phase one
        np.testing.assert_allclose(values()[path], head[path], atol=1e-8)
    network.set_params(learning_rate=1e-3).fit(X, y)
    assert set(kernels) <= changed(head, values())
    assert len(network.history_["loss"]) == 6


def changed(before, after):
    return {path for path in before if not np.array_equal(before[path], after[path])}


def unreachable(*args, **kwargs):
    raise urllib.error.URLError("no network")


def test_failed_download_prints_one_line(shapes, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", unreachable)
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path / "keras"))
    for options in ((), ("--features",)):
        line = error_line(capsys, shapes, "--backbone", "vgg16", *options, output=tmp_path / "run")
        assert "ImageNet weights of vgg16 cannot be downloaded from https://" in line
        assert "put it into" in line
        assert "pass its path as weights" in line


def one_class(folder):
    (folder / "circle").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(folder / "circle" / "1.png")


def images_per_class(*counts):
    """Return a function that creates a folder with this number of images per class."""

    def create(folder):
        for kind, count in zip(("circle", "square", "cross"), counts, strict=False):
            (folder / kind).mkdir(parents=True)
            for number in range(count):
                Image.new("RGB", (8, 8)).save(folder / kind / f"{number}.png")

    return create


def corrupted(folder):
    for kind in ("circle", "square"):
        (folder / kind).mkdir(parents=True)
        for number in range(4):
            (folder / kind / f"{number}.png").write_bytes(b"no image")


@pytest.mark.parametrize(
    ("create", "message"),
    [
        (lambda folder: None, "expected a folder with one subfolder of images per class"),
        (one_class, "expected a folder for each of at least two classes, found ['circle']"),
        (corrupted, "expected a valid image"),
        (
            images_per_class(4, 4, 1),
            "at least two images per class, one for training and one for testing. Found only one in: ",
        ),
        (images_per_class(2, 2), "selects 1 test images; expected 2 to 2, so that both parts contain all 2 classes"),
    ],
    ids=["missing", "one class", "corrupted", "one image", "two images"],
)
def test_invalid_folders_print_one_line(tmp_path, capsys, create, message):
    create(tmp_path / "images")
    line = error_line(capsys, tmp_path / "images", *SMALL, output=tmp_path / "run")
    assert message in line
    assert str(tmp_path / "images") in line or "--test-fraction" in line


def test_corrupted_files_are_reported_before_training_or_skipped(tmp_path, capsys, monkeypatch):
    folder = tmp_path / "images"
    images_per_class(8, 8)(folder)
    names = ("circle/1.png", "circle/5.png", "square/2.png")
    for name in names:
        (folder / name).write_bytes((folder / name).read_bytes()[:40])
    options = (*SMALL, "--features", "--backbone", "mobilenet")
    with monkeypatch.context() as patched:
        patched.setattr(fine_tune, "train", None)  # calling it raises a TypeError
        line = error_line(capsys, folder, *options, output=tmp_path / "run")
    assert "3 of 16 files cannot be read as images" in line
    assert all(f"{folder / name}: expected" in line for name in names)
    with pytest.warns(UserWarning, match="3 of 16 files.*They are skipped"):
        metrics, _ = run_fine_tuning(tmp_path / "run", folder, *options, "--on-error", "skip")
    assert (metrics["n_skipped"], metrics["n_train"] + metrics["n_test"]) == (3, 13)


def test_training_images_are_lazy_and_preprocessed_as_in_predict(shapes, tmp_path, monkeypatch, saved_estimators):
    calls, train = [], fine_tune.train

    def train_and_record(pipeline, X, y, arguments):
        calls.append((X.paths, np.asarray(X), type(X)))
        train(pipeline, X, y, arguments)

    monkeypatch.setattr(fine_tune, "train", train_and_record)
    run_fine_tuning(tmp_path / "run", shapes, *SMALL, "--features", "--backbone", "mobilenet")
    ((paths, pixels, array_type),) = calls
    assert array_type is kn.features.ImageFiles
    assert len(paths) == 54
    np.testing.assert_array_equal(pixels, saved_estimators[0][0].transform(paths))


def test_image_files_are_not_read_after_training(tmp_path, monkeypatch):
    folder, train = tmp_path / "images", fine_tune.train
    images_per_class(4, 4)(folder)

    def train_and_corrupt_files(*arguments):
        train(*arguments)
        for path in folder.rglob("*.png"):
            path.write_bytes(b"")

    monkeypatch.setattr(fine_tune, "train", train_and_corrupt_files)
    metrics, _ = run_fine_tuning(tmp_path / "run", folder, *SMALL, "--features", "--backbone", "mobilenet")
    assert metrics["n_test"] == 2


def error_line(capsys, *arguments, output):
    """Run a command that fails and return its error message."""
    assert fine_tune.main([*map(str, arguments), "--output", str(output)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("fine_tune: ")
    assert not output.exists()
    assert not list(output.parent.glob(".*"))
    return line


def test_missing_weights_file_and_nonempty_output_folder(shapes, tmp_path, capsys):
    missing = tmp_path / "missing.h5"
    assert "Not found: " in error_line(capsys, shapes, "--weights", missing, output=tmp_path / "run")
    (tmp_path / "note.txt").touch()
    assert fine_tune.main([str(shapes), *SMALL, "--output", str(tmp_path)]) == 1
    assert "is not an empty folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [
        ("--backbone", "alexnet"),
        ("--trainable", "0"),
        ("--epochs", "0", "--weights", "none"),
        ("--learning-rate", "0"),
        ("--augmentation", "mirror"),
    ],
    ids=" ".join,
)
def test_invalid_options_exit_with_status_2(options, capsys):
    with pytest.raises(SystemExit, match="2"):
        fine_tune.main(["images", *options])
    assert options[0] in capsys.readouterr().err


def test_default_output_folder_and_target_accuracy(shapes, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    options = (*SMALL, "--features", "--backbone", "mobilenet", "--test-fraction", "0.9", "--target-accuracy", "1")
    status = fine_tune.main([str(shapes) + "/", *options])
    (run,) = (tmp_path / "runs").iterdir()
    assert run.name.startswith("shapes-mobilenet-2")
    accuracy = json.loads((run / "metrics.json").read_text())["accuracy"]
    assert status == int(accuracy < 1)
    assert ("is below the target 1" in capsys.readouterr().err) == (accuracy < 1)


@pytest.mark.exhaustive
def test_training_from_random_weights(shapes, tmp_path):
    """Uses VGG16, since batch normalization in MobileNetV2 adapts too slowly for few steps."""
    options = (*SMALL, "--backbone", "vgg16", "--fine-learning-rate", "1e-4", "--epochs", 20)
    metrics, _ = run_fine_tuning(tmp_path / "run", shapes, *options)
    assert metrics["accuracy"] >= 0.8


@pytest.mark.exhaustive
def test_command_line(shapes, tmp_path):
    command = [sys.executable, SCRIPT, shapes, *SMALL, "--features", "--output", tmp_path / "run"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Test accuracy" in done.stdout
