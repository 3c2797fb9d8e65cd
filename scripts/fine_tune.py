"""Fine-tune a network of keras.applications on a folder of images, and save all results in one folder.

python scripts/fine_tune.py photos/                     # photos/cat/1.jpg, photos/dog/1.jpg, ..., of any size
python scripts/fine_tune.py photos/ --features          # feature extraction: train a linear SVM on frozen features
python scripts/fine_tune.py photos/ --backbone resnet50 --image-size 160 --trainable 20 --augmentation shift
python scripts/fine_tune.py photos/ --weights none --backbone vgg16 --fine-learning-rate 1e-4 --epochs 30
python scripts/fine_tune.py photos/ --on-error skip     # skip corrupted files; by default they raise an error

All images are decoded before training, so that corrupted files are found early. The resized images are cached in a
temporary file in the output folder (height * width * 3 bytes per image) and need not fit into memory.
"""

import argparse
import math
import os
import shlex
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # suppress TensorFlow's start-up messages

import matplotlib

matplotlib.use("Agg")

import numpy as np
from _command import (
    check_target_accuracy,
    fraction,
    integer,
    listen_to_interruptions,
    positive_float,
    print_line,
    run_command,
    save_figure,
)
from _run import MODEL, write_json
from sklearn.metrics import classification_report
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

import kerasnet as kn
from kerasnet._files import atomic_folder
from kerasnet.features import ImageFiles, ImagePreprocessor
from kerasnet.models.backbone import BACKBONES
from kerasnet.plots import ErrorMatrixDisplay
from kerasnet.report._circumstances import versions
from kerasnet.training import AUGMENTATIONS

listen_to_interruptions()


def main(argv=None):
    """Run the command and return its exit status."""
    arguments = parse(argv)
    arguments.command = shlex.join(["python", "scripts/fine_tune.py", *(sys.argv[1:] if argv is None else argv)])
    return run_command("fine_tune", run, arguments, "nothing was saved")


def parse(argv):
    """Parse the command-line arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="folder of images with one subfolder per class")
    parser.add_argument(
        "--backbone",
        default="mobilenet_v2",
        choices=BACKBONES,
        help="network of keras.applications (default: mobilenet_v2)",
    )
    parser.add_argument(
        "--weights",
        default="imagenet",
        metavar="W",
        help="imagenet, none, or the path of a weights file (default: imagenet)",
    )
    parser.add_argument(
        "--image-size", type=integer(1), default=96, metavar="N", help="height and width in pixels (default: 96)"
    )
    parser.add_argument("--features", action="store_true", help="train a linear SVM on features of the frozen network")
    parser.add_argument(
        "--head-epochs",
        type=integer(1),
        default=5,
        metavar="N",
        help="epochs of phase one, the output layer (default: 5)",
    )
    parser.add_argument(
        "--epochs", type=integer(0), default=5, metavar="N", help="epochs of phase two, fine-tuning (default: 5)"
    )
    parser.add_argument(
        "--trainable",
        type=n_layers,
        default=True,
        metavar="N",
        help="number of last layers to fine-tune in phase two, or all (default: all)",
    )
    parser.add_argument(
        "--learning-rate",
        type=positive_float,
        default=1e-3,
        metavar="X",
        help="learning rate of phase one (default: 1e-3)",
    )
    parser.add_argument(
        "--fine-learning-rate",
        type=positive_float,
        metavar="X",
        help="learning rate of phase two (default: 1e-5, or 1e-3 with --weights none)",
    )
    parser.add_argument(
        "--augmentation", default="none", choices=["none", *AUGMENTATIONS], help="data augmentation (default: none)"
    )
    parser.add_argument("--batch-size", type=integer(1), default=32, metavar="N", help="images per batch (default: 32)")
    parser.add_argument(
        "--on-error",
        default="raise",
        choices=["raise", "skip"],
        help="how to handle corrupted files (default: raise)",
    )
    parser.add_argument(
        "--test-fraction", type=fraction, default=0.25, metavar="X", help="fraction of test images (default: 0.25)"
    )
    parser.add_argument("--seed", type=integer(0), default=0, metavar="N", help="random seed (default: 0)")
    parser.add_argument("--output", type=Path, metavar="DIR", help="output folder (default: runs/FOLDER-BACKBONE-TIME)")
    parser.add_argument(
        "--target-accuracy", type=fraction, metavar="X", help="exit with status 1 if the test accuracy is lower"
    )
    arguments = parser.parse_args(argv)
    if arguments.weights == "none":
        arguments.weights = None
        if arguments.epochs == 0 and not arguments.features:
            parser.error("--epochs must be at least 1 with --weights none, since phase one is skipped")
    if arguments.fine_learning_rate is None:
        arguments.fine_learning_rate = 1e-3 if arguments.weights is None else 1e-5
    if arguments.output is None:
        started = datetime.now().strftime("%Y%m%d-%H%M%S")
        arguments.output = Path("runs") / f"{arguments.folder.resolve().name}-{arguments.backbone}-{started}"
    return arguments


def run(arguments):
    """Train and evaluate the model and write the output folder; return the exit status."""
    with atomic_folder(arguments.output) as folder:  # fail before training if the folder is not writable
        if not arguments.folder.is_dir():
            raise NotADirectoryError(f"{arguments.folder}: expected a folder with one subfolder of images per class.")
        images = kn.datasets.load_image_folder(arguments.folder, on_error=arguments.on_error, n_jobs=-1)
        check_split(images, arguments)
        pipeline = make_pipeline(arguments)
        pipeline[0].fit(images.data)
        with tempfile.TemporaryDirectory(dir=folder) as decoded:
            X_train, X_test, y_train, y_test = train_test_split(
                ImageFiles(images.data, pipeline[0].image_size, cache=decoded),  # same preprocessing as pipeline[0]
                images.target_names[images.target],
                test_size=arguments.test_fraction,
                stratify=images.target,
                random_state=arguments.seed,
            )
            task = "Feature extraction with" if arguments.features else "Fine-tuning"
            n_classes = len(images.target_names)
            print_line(f"{task} {arguments.backbone}: {len(y_train)} training images, {n_classes} classes")
            started = time.perf_counter()
            train(pipeline, X_train, y_train, arguments)
            seconds = time.perf_counter() - started
            y_pred = pipeline[1:].predict(X_test)
            write_report(folder, pipeline[1:], X_test, y_test, len(y_train), seconds, arguments)
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
        metadata = {"classes": images.target_names.tolist(), "image_size": [arguments.image_size] * 2}
        kn.save(pipeline, folder / MODEL, metadata=metadata)
        write_json(folder / "metrics.json", metrics)
        (folder / "classification_report.txt").write_text(report + "\n")
        save_figure(ErrorMatrixDisplay.from_predictions(y_test, y_pred).figure_, folder / "confusion_matrix.png")
    print_line(f"\n{report}")
    print_line(f"Test accuracy: {metrics['accuracy']:.4f}. Training time: {seconds:.0f} s. Results: {arguments.output}")
    return check_target_accuracy("fine_tune", metrics["accuracy"], arguments.target_accuracy)


def write_report(folder, classifier, X_test, y_test, n_train, seconds, arguments):
    """Write report.html."""
    kn.make_report(
        classifier,
        X_test,
        y_test,
        folder / "report.html",
        title=f"{arguments.backbone} on {arguments.folder.resolve().name}",
        notes={"training images": f"{n_train:,}", "training time": f"{seconds:.0f} s"},
        command=arguments.command,
    )


def check_split(images, arguments):
    """Raise an error if the images cannot be split into training and test sets with all classes in both."""
    counts = dict(zip(images.target_names.tolist(), np.bincount(images.target).tolist(), strict=True))
    if too_small := [name for name, count in counts.items() if count < 2]:
        raise ValueError(
            f"{arguments.folder}: expected at least two images per class, one for training and one for testing. "
            f"Found only one in: {', '.join(too_small)}."
        )
    n_images, n_classes = len(images.target), len(counts)
    n_test = math.ceil(arguments.test_fraction * n_images)
    if not n_classes <= n_test <= n_images - n_classes:
        raise ValueError(
            f"--test-fraction {arguments.test_fraction:g} of {n_images} images selects {n_test} test images; expected "
            f"{n_classes} to {n_images - n_classes}, so that both parts contain all {n_classes} classes. Add images or "
            "change the fraction."
        )


def make_pipeline(arguments):
    """Return a pipeline from image files to class labels. All images are converted to RGB."""
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
    """Fit the steps after the preprocessing to preprocessed images, in one or two phases."""
    if arguments.features:
        pipeline[1:].fit(X, y)
        return
    network = pipeline[-1]
    if arguments.weights is None:
        print_line("Phase one is skipped: with --weights none, there are no pretrained features.")
    else:
        print_line(f"Phase one: training the output layer (epochs: {arguments.head_epochs}).")
        network.set_params(trainable=False, epochs=arguments.head_epochs, learning_rate=arguments.learning_rate)
        network.fit(X, y)
    if arguments.epochs:
        part = (
            "all layers"
            if arguments.trainable is True
            else f"the output layer and the last {arguments.trainable} layers"
        )
        print_line(f"Phase two: fine-tuning {part} (epochs: {arguments.epochs}).")
        network.set_params(trainable=arguments.trainable, epochs=arguments.epochs, warm_start=True)
        network.set_params(learning_rate=arguments.fine_learning_rate).fit(X, y)


def n_layers(text):
    """Parse the number of last layers to train, or "all"."""
    return True if text == "all" else integer(1)(text)


if __name__ == "__main__":
    sys.exit(main())
