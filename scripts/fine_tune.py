"""Fine-tune a network of keras.applications on a folder of images, and keep everything in one folder.

python scripts/fine_tune.py photos/                     # photos/cat/1.jpg, photos/dog/1.jpg and so on, of any sizes
python scripts/fine_tune.py photos/ --features          # train no network: its features and a linear SVM
python scripts/fine_tune.py photos/ --backbone resnet50 --image-size 160 --trainable 20 --augmentation shift
python scripts/fine_tune.py photos/ --weights none --backbone vgg16 --fine-learning-rate 1e-4 --epochs 30
python scripts/fine_tune.py photos/ --on-error skip     # leave out broken files; by default they are an error

All images are decoded before training, so a broken file does not end a run late. They are kept at the network's size in
a temporary file in the output folder (height * width * 3 bytes each), so the images need not fit into memory.
"""

import argparse
import math
import os
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up lines

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from _command import (
    fraction,
    listen_to_interruptions,
    missed,
    positive_float,
    run_command,
    save_figure,
    say,
    whole_number,
)
from _run import MODEL, versions, write_json
from sklearn.metrics import ConfusionMatrixDisplay, classification_report
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

import kerasnet as kn
from kerasnet._files import atomic_folder
from kerasnet.features import ImageFiles, ImagePreprocessor
from kerasnet.models.backbone import BACKBONES
from kerasnet.training import AUGMENTATIONS

listen_to_interruptions()


def main(argv=None):
    """Run the command and return its exit status."""
    arguments = parse(argv)
    return run_command("fine_tune", run, arguments, "nothing was kept")


def parse(argv):
    """Read the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="images, colour or grey: one sub-folder a class")
    parser.add_argument("--backbone", default="mobilenet_v2", choices=BACKBONES, help="default: mobilenet_v2")
    parser.add_argument("--weights", default="imagenet", metavar="W", help="imagenet (default), none, or a file")
    parser.add_argument("--image-size", type=whole_number(1), default=96, metavar="N", help="pixels (default: 96)")
    parser.add_argument("--features", action="store_true", help="train no network: a linear SVM on its features")
    parser.add_argument("--head-epochs", type=whole_number(1), default=5, metavar="N", help="phase one (default: 5)")
    parser.add_argument("--epochs", type=whole_number(0), default=5, metavar="N", help="phase two (default: 5)")
    parser.add_argument(
        "--trainable", type=layers, default=True, metavar="N", help="last layers to train (default: all)"
    )
    parser.add_argument("--learning-rate", type=positive_float, default=1e-3, metavar="X", help="of phase one: 1e-3")
    parser.add_argument(
        "--fine-learning-rate",
        type=positive_float,
        metavar="X",
        help="of phase two (default: 1e-5, or 1e-3 with --weights none)",
    )
    parser.add_argument("--augmentation", default="none", choices=["none", *AUGMENTATIONS])
    parser.add_argument(
        "--batch-size", type=whole_number(1), default=32, metavar="N", help="images a step (default: 32)"
    )
    parser.add_argument(
        "--on-error",
        default="raise",
        choices=["raise", "skip"],
        help="broken files: stop (default), or leave out",
    )
    parser.add_argument("--test-fraction", type=fraction, default=0.25, metavar="X", help="default: 0.25")
    parser.add_argument("--seed", type=whole_number(0), default=0, metavar="N", help="default: 0")
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="folder to make (default: runs/FOLDER-BACKBONE-TIME)"
    )
    parser.add_argument("--target-accuracy", type=fraction, metavar="X", help="exit with status 1 below this")
    arguments = parser.parse_args(argv)
    if arguments.weights == "none":
        arguments.weights = None
        if arguments.epochs == 0 and not arguments.features:
            parser.error("--epochs 0 trains nothing with --weights none, which has no phase one")
    if arguments.fine_learning_rate is None:
        arguments.fine_learning_rate = 1e-3 if arguments.weights is None else 1e-5
    if arguments.output is None:
        started = datetime.now().strftime("%Y%m%d-%H%M%S")
        arguments.output = Path("runs") / f"{arguments.folder.resolve().name}-{arguments.backbone}-{started}"
    return arguments


def run(arguments):
    """Train, evaluate and write the run's folder; return the exit status."""
    with atomic_folder(arguments.output) as folder:  # first of all: a folder that cannot be written costs no training
        if not arguments.folder.is_dir():
            raise NotADirectoryError(
                f"{arguments.folder}: expected a folder with a sub-folder of images for each class."
            )
        images = kn.datasets.load_image_folder(arguments.folder, on_error=arguments.on_error, n_jobs=-1)
        check_sizes(images, arguments)
        pipeline = make_pipeline(arguments)
        pipeline[0].fit(images.data)
        with tempfile.TemporaryDirectory(dir=folder) as decoded:
            X_train, X_test, y_train, y_test = train_test_split(
                ImageFiles(images.data, pipeline[0].image_size, cache=decoded),  # as pipeline[0] prepares them
                images.target_names[images.target],
                test_size=arguments.test_fraction,
                stratify=images.target,
                random_state=arguments.seed,
            )
            what = "features" if arguments.features else "fine-tuning"
            n_classes = len(images.target_names)
            say(f"{what} of {arguments.backbone}: {len(y_train)} images of {n_classes} classes to learn from")
            started = time.perf_counter()
            train(pipeline, X_train, y_train, arguments)
            seconds = time.perf_counter() - started
            y_pred = pipeline[1:].predict(X_test)
        report = classification_report(y_test, y_pred, digits=4, zero_division=0)
        metrics = {
            "accuracy": float(np.mean(y_pred == y_test)),
            "n_mistakes": int(np.sum(y_pred != y_test)),
            "n_train": len(y_train),
            "n_test": len(y_test),
            "n_skipped": len(images.skipped),
            "seconds": round(seconds, 2),
            "seed": arguments.seed,
            "classes": images.target_names,
            "options": {
                name: str(value) if isinstance(value, Path) else value for name, value in vars(arguments).items()
            },
            "versions": versions(),
        }
        about = {"classes": images.target_names.tolist(), "image_size": [arguments.image_size] * 2}
        kn.save(pipeline, folder / MODEL, metadata=about)
        write_json(folder / "metrics.json", metrics)
        (folder / "classification_report.txt").write_text(report + "\n")
        figure, ax = plt.subplots(figsize=(7, 6), layout="constrained")
        ConfusionMatrixDisplay.from_predictions(y_test, y_pred, ax=ax, cmap="Blues", xticks_rotation="vertical")
        save_figure(figure, folder / "confusion_matrix.png")
    say(f"\n{report}")
    say(f"Test accuracy {metrics['accuracy']:.4f} after {seconds:.0f} s of training; see {arguments.output}")
    return missed("fine_tune", metrics["accuracy"], arguments.target_accuracy)


def check_sizes(images, arguments):
    """Refuse a folder that cannot be divided into images to learn from and to test on, with all classes in both."""
    counts = dict(zip(images.target_names.tolist(), np.bincount(images.target).tolist(), strict=True))
    if single := [name for name, count in counts.items() if count < 2]:
        raise ValueError(
            f"{arguments.folder}: expected at least two images of each class, one to learn from and one to test on. "
            f"Found one in: {', '.join(single)}."
        )
    n_images, n_classes = len(images.target), len(counts)
    n_test = math.ceil(arguments.test_fraction * n_images)
    if not n_classes <= n_test <= n_images - n_classes:
        raise ValueError(
            f"--test-fraction {arguments.test_fraction:g} of {n_images} images is {n_test} to test on; expected "
            f"{n_classes} to {n_images - n_classes}, for each of {n_classes} classes to be in both parts. Give more "
            "images, or another fraction."
        )


def make_pipeline(arguments):
    """Return what takes files of images to classes: colours stay, grey becomes RGB, transparency lies on white."""
    size = (arguments.image_size, arguments.image_size)
    steps = [("images", ImagePreprocessor(size, color_mode="rgb", dtype="uint8", n_jobs=-1))]
    backbone = {"backbone": arguments.backbone, "weights": arguments.weights, "random_state": arguments.seed}
    if arguments.features:
        steps += [("features", kn.BackboneFeatures(**backbone)), ("scaling", StandardScaler())]
        return Pipeline([*steps, ("classifier", LinearSVC(max_iter=10_000, random_state=arguments.seed))])
    augmentation = None if arguments.augmentation == "none" else arguments.augmentation
    network = kn.KerasNetClassifier(
        "backbone", **backbone, batch_size=arguments.batch_size, augmentation=augmentation, verbose=2
    )
    return Pipeline([*steps, ("network", network)])


def train(pipeline, X, y, arguments):
    """Fit what follows the first step, to images that it has prepared: in one phase, or in two."""
    if arguments.features:
        pipeline[1:].fit(X, y)
        return
    network = pipeline[-1]
    if arguments.weights is None:
        say("There is no first phase, of the head alone: features of initial weights are not worth one.")
    else:
        say(f"Phase one: the head alone (epochs: {arguments.head_epochs}).")
        network.set_params(trainable=False, epochs=arguments.head_epochs, learning_rate=arguments.learning_rate)
        network.fit(X, y)
    if arguments.epochs:
        what = "all layers" if arguments.trainable is True else "the head and the last layers"
        count = "" if arguments.trainable is True else f"last layers: {arguments.trainable}, "
        say(f"Phase two: {what} ({count}epochs: {arguments.epochs}).")
        network.set_params(trainable=arguments.trainable, epochs=arguments.epochs, warm_start=True)
        network.set_params(learning_rate=arguments.fine_learning_rate).fit(X, y)


def layers(text):
    """Read how many of the last layers are trained."""
    return True if text == "all" else whole_number(1)(text)


if __name__ == "__main__":
    sys.exit(main())
