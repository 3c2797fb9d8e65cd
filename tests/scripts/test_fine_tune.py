"""Fine-tuning on folders of images, as users of the script have them."""

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
FILES = {"model.kerasnet", "metrics.json", "classification_report.txt", "confusion_matrix.png"}
COLOURS = {"circle": (220, 60, 60), "square": (60, 200, 60), "triangle": (70, 80, 220)}
SMALL = ("--weights", "none", "--image-size", "32", "--batch-size", "27")


def draw(kind, rng):
    """A shape of about the colour of its kind, somewhere on noise."""
    height, width = rng.integers(40, 91, size=2)
    image = rng.integers(0, 120, size=(height, width, 3), dtype=np.uint8)
    colour = np.clip(COLOURS[kind] + rng.integers(-40, 41, size=3), 0, 255).tolist()
    radius = int(rng.integers(10, min(height, width) // 2 - 4))
    x, y = int(rng.integers(radius, width - radius)), int(rng.integers(radius, height - radius))
    if kind == "circle":
        return cv2.circle(image, (x, y), radius, colour, -1)
    if kind == "square":
        return cv2.rectangle(image, (x - radius, y - radius), (x + radius, y + radius), colour, -1)
    corners = [(x, y - radius), (x - radius, y + radius), (x + radius, y + radius)]
    return cv2.fillPoly(image, [np.array(corners)], colour)


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    """A folder of three classes, 24 images each: PNG and JPEG of many sizes."""
    folder, rng = tmp_path_factory.mktemp("images") / "shapes", np.random.default_rng(0)
    for kind in COLOURS:
        (folder / kind).mkdir(parents=True)
        for number in range(24):
            Image.fromarray(draw(kind, rng)).save(folder / kind / f"{number}.{('png', 'jpg')[number % 2]}")
    return folder


def fine_tuned(output, *arguments):
    """Run the command; return its metrics and its model."""
    assert fine_tune.main([*map(str, arguments), "--output", str(output)]) == 0
    assert {path.name for path in output.iterdir()} == FILES
    return json.loads((output / "metrics.json").read_text()), kn.load(output / "model.kerasnet")


def paths_of(folder):
    return kn.datasets.load_image_folder(folder, return_X_y=True)[0]


@pytest.fixture
def written(monkeypatch):
    """The estimators that the command writes."""
    kept, save = [], kn.save
    monkeypatch.setattr(
        kn, "save", lambda estimator, *args, **kwargs: (kept.append(estimator), save(estimator, *args, **kwargs))
    )
    return kept


def test_one_command_makes_a_folder_whose_model_predicts_equally(shapes, tmp_path, capsys, written):
    output = tmp_path / "new" / "run"
    options = ("--backbone", "vgg16", "--epochs", 1, "--augmentation", "shift", "--seed", 3)
    metrics, model = fine_tuned(output, shapes, *SMALL, *options)
    out = capsys.readouterr().out
    assert "54 images of 3 classes" in out
    assert "no first phase" in out
    assert "Phase two: all layers (epochs: 1)." in out
    report = (output / "classification_report.txt").read_text()
    assert report.strip() in out
    assert all(kind in report for kind in COLOURS)
    assert f"Test accuracy {metrics['accuracy']:.4f}" in out
    assert metrics["classes"] == sorted(COLOURS)
    assert (metrics["n_train"], metrics["n_test"], metrics["seed"]) == (54, 18, 3)
    assert metrics["n_mistakes"] == round(18 * (1 - metrics["accuracy"]))
    assert metrics["seconds"] > 0
    assert {"keras", "kerasnet"} < set(metrics["versions"])
    assert plt.imread(output / "confusion_matrix.png").std() > 0.05
    assert kn.inspect(output / "model.kerasnet").metadata == {"classes": sorted(COLOURS), "image_size": [32, 32]}
    (pipeline,) = written
    paths = paths_of(shapes)
    np.testing.assert_array_equal(model.predict_proba(paths), pipeline.predict_proba(paths))
    assert set(model.predict(paths)) <= set(COLOURS)
    assert len(pipeline[-1].history_["loss"]) == 1


def test_features_and_a_linear_svm(shapes, tmp_path, written):
    metrics, model = fine_tuned(tmp_path / "run", shapes, *SMALL, "--features", "--backbone", "mobilenet")
    assert metrics["accuracy"] > 0.6
    assert isinstance(model[-1], LinearSVC)
    paths = paths_of(shapes)
    np.testing.assert_array_equal(model.predict(paths), written[0].predict(paths))


@pytest.mark.filterwarnings("ignore:Liblinear failed to converge")  # on so few images
def test_grey_transparent_and_deep_images_lie_in_one_folder(shapes, tmp_path):
    rng, folder = np.random.default_rng(1), tmp_path / "mixed"
    for kind in ("circle", "square"):
        (folder / kind).mkdir(parents=True)
        for number, mode in enumerate(("RGB", "L", "RGBA", "LA", "P", "1", "CMYK", "I;16")):
            image = Image.fromarray(draw(kind, rng))
            image = image.convert("L").convert("I").convert(mode) if mode == "I;16" else image.convert(mode)
            image.save(folder / kind / f"{number}.{'jpg' if mode == 'CMYK' else 'png'}")
    options = (*SMALL, "--features", "--backbone", "mobilenet", "--test-fraction", 0.5)
    metrics, model = fine_tuned(tmp_path / "run", folder, *options)
    assert metrics["n_test"] == 8
    images = model[0].transform(paths_of(folder))
    assert (images.shape, images.dtype) == ((16, 32, 32, 3), np.uint8)
    grey = images[1]
    assert (grey[..., 0] == grey[..., 2]).all()
    assert (images[0][..., 0] != images[0][..., 2]).any()


def test_both_phases_of_the_command(shapes, tmp_path, capsys, written):
    """With a file of weights: what Keras' VGG16 without top has."""
    weights = tmp_path / "vgg16.weights.h5"
    keras.applications.VGG16(include_top=False, input_shape=(32, 32, 3), weights=None).save_weights(weights)
    options = (
        "--backbone",
        "vgg16",
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
    metrics, _ = fine_tuned(tmp_path / "run", shapes, *options, "--trainable", 3)
    out = capsys.readouterr().out
    assert out.index("Phase one: the head alone (epochs: 2).") < out.index(
        "Phase two: the head and the last layers (last layers: 3, epochs: 1)."
    )
    assert metrics["options"]["weights"] == str(weights)
    assert metrics["options"]["fine_learning_rate"] == 1e-5
    (pipeline,) = written
    assert len(pipeline[-1].history_["loss"]) == 3
    weights.unlink()
    paths = paths_of(shapes)
    loaded = kn.load(tmp_path / "run" / "model.kerasnet")
    np.testing.assert_array_equal(loaded.predict_proba(paths), pipeline.predict_proba(paths))


def test_phase_one_moves_the_head_and_phase_two_goes_on_from_it():
    rng = np.random.default_rng(0)
    X, y = rng.random((12, 32, 32, 3), dtype=np.float32), np.arange(12) % 2
    about = {"backbone": "mobilenet", "layer": "conv_pw_1_relu", "weights": None, "random_state": 0}
    network = kn.KerasNetClassifier("backbone", **about, trainable=False, epochs=2)

    def values():
        return {weight.path: weight.numpy() for weight in network.model_.weights}

    network.initialize(X, y)
    initial = values()
    network.fit(X, y)
    head = values()
    assert moved(initial, head) == {"output/kernel", "output/bias"}
    network.set_params(trainable=True, learning_rate=1e-12, warm_start=True).fit(X, y)
    kernels = [path for path in head if path.endswith("kernel")]
    for path in kernels:  # it starts where phase one ended
        np.testing.assert_allclose(values()[path], head[path], atol=1e-8)
    network.set_params(learning_rate=1e-3).fit(X, y)
    assert set(kernels) <= moved(head, values())
    assert len(network.history_["loss"]) == 6


def moved(before, after):
    return {path for path in before if not np.array_equal(before[path], after[path])}


def unreachable(*args, **kwargs):
    raise urllib.error.URLError("no network")


def test_weights_that_cannot_be_downloaded(shapes, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("keras.src.utils.file_utils.urlretrieve", unreachable)
    monkeypatch.setattr("keras.src.backend.config._KERAS_DIR", str(tmp_path / "keras"))
    for options in ((), ("--features",)):
        line = fails(capsys, shapes, "--backbone", "vgg16", *options, output=tmp_path / "run")
        assert "ImageNet weights of vgg16 cannot be downloaded from https://" in line
        assert "put it into" in line
        assert "give its path in place of" in line


def one_class(folder):
    (folder / "circle").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(folder / "circle" / "1.png")


def few(*counts):
    """Return what makes a folder of so many images of each class."""

    def make(folder):
        for kind, count in zip(("circle", "square", "cross"), counts, strict=False):
            (folder / kind).mkdir(parents=True)
            for number in range(count):
                Image.new("RGB", (8, 8)).save(folder / kind / f"{number}.png")

    return make


def broken(folder):
    for kind in ("circle", "square"):
        (folder / kind).mkdir(parents=True)
        for number in range(4):
            (folder / kind / f"{number}.png").write_bytes(b"no image")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: None, "expected a folder with a sub-folder of images for each class"),
        (one_class, "expected a folder for each of at least two classes, found ['circle']"),
        (broken, "expected a valid image"),
        (
            few(4, 4, 1),
            "at least two images of each class, one to learn from and one to test on. Found one in: ",
        ),
        (few(2, 2), "is 1 to test on; expected 2 to 2, for each of 2 classes to be in both parts"),
    ],
    ids=["missing", "one class", "broken", "one image", "two images"],
)
def test_folders_that_cannot_be_learnt_from(tmp_path, capsys, make, message):
    make(tmp_path / "images")
    line = fails(capsys, tmp_path / "images", *SMALL, output=tmp_path / "run")
    assert message in line
    assert str(tmp_path / "images") in line or "--test-fraction" in line


def test_broken_files_are_named_before_training_or_skipped(tmp_path, capsys, monkeypatch):
    folder = tmp_path / "images"
    few(8, 8)(folder)
    names = ("circle/1.png", "circle/5.png", "square/2.png")
    for name in names:
        (folder / name).write_bytes((folder / name).read_bytes()[:40])
    options = (*SMALL, "--features", "--backbone", "mobilenet")
    with monkeypatch.context() as patched:
        patched.setattr(fine_tune, "train", None)  # would be a TypeError
        line = fails(capsys, folder, *options, output=tmp_path / "run")
    assert "3 of 16 files cannot be read as images" in line
    assert all(f"{folder / name}: expected" in line for name in names)
    with pytest.warns(UserWarning, match="3 of 16 files.*They are skipped"):
        metrics, _ = fine_tuned(tmp_path / "run", folder, *options, "--on-error", "skip")
    assert (metrics["n_skipped"], metrics["n_train"] + metrics["n_test"]) == (3, 13)


def test_images_are_not_kept_in_memory_and_their_pixels_are_those_of_predictions(
    shapes, tmp_path, monkeypatch, written
):
    given, train = [], fine_tune.train

    def train_and_keep(pipeline, X, y, arguments):
        given.append((X.paths, np.asarray(X), type(X)))
        train(pipeline, X, y, arguments)

    monkeypatch.setattr(fine_tune, "train", train_and_keep)
    fine_tuned(tmp_path / "run", shapes, *SMALL, "--features", "--backbone", "mobilenet")
    ((paths, pixels, kind),) = given
    assert kind is kn.features.ImageFiles
    assert len(paths) == 54
    np.testing.assert_array_equal(pixels, written[0][0].transform(paths))


def test_no_image_is_read_after_training(tmp_path, monkeypatch):
    folder, train = tmp_path / "images", fine_tune.train
    few(4, 4)(folder)

    def train_and_damage(*arguments):
        train(*arguments)
        for path in folder.rglob("*.png"):
            path.write_bytes(b"")

    monkeypatch.setattr(fine_tune, "train", train_and_damage)
    metrics, _ = fine_tuned(tmp_path / "run", folder, *SMALL, "--features", "--backbone", "mobilenet")
    assert metrics["n_test"] == 2


def fails(capsys, *arguments, output):
    """Run a command that cannot work; return its one line."""
    assert fine_tune.main([*map(str, arguments), "--output", str(output)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("fine_tune: ")
    assert not output.exists()
    assert not list(output.parent.glob(".*"))
    return line


def test_a_weights_file_that_is_missing_and_a_folder_that_is_not_empty(shapes, tmp_path, capsys):
    missing = tmp_path / "missing.h5"
    assert "There is no file" in fails(capsys, shapes, "--weights", missing, output=tmp_path / "run")
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
        ("--augmentation", "flip"),
    ],
    ids=" ".join,
)
def test_options_that_cannot_be(options, capsys):
    with pytest.raises(SystemExit, match="2"):
        fine_tune.main(["images", *options])
    assert options[0] in capsys.readouterr().err


def test_the_name_of_the_run_and_a_target(shapes, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    options = (*SMALL, "--features", "--backbone", "mobilenet", "--test-fraction", "0.9", "--target-accuracy", "1")
    status = fine_tune.main([str(shapes) + "/", *options])
    (run,) = (tmp_path / "runs").iterdir()
    assert run.name.startswith("shapes-mobilenet-2")
    accuracy = json.loads((run / "metrics.json").read_text())["accuracy"]
    assert status == int(accuracy < 1)
    assert ("is below the target 1" in capsys.readouterr().err) == (accuracy < 1)


@pytest.mark.exhaustive
def test_learning_from_initial_weights(shapes, tmp_path):
    """With a backbone without batch normalisation: MobileNetV2's follows too slowly for so few steps."""
    options = (*SMALL, "--backbone", "vgg16", "--fine-learning-rate", "1e-4", "--epochs", 20)
    metrics, _ = fine_tuned(tmp_path / "run", shapes, *options)
    assert metrics["accuracy"] >= 0.8


@pytest.mark.exhaustive
def test_as_a_command(shapes, tmp_path):
    command = [sys.executable, SCRIPT, shapes, *SMALL, "--features", "--output", tmp_path / "run"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Test accuracy" in done.stdout
