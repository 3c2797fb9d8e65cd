"""Train a model on MNIST, evaluate it on the test set, and save all results in one folder.

python scripts/train_mnist.py                       # CNN, about a minute, 98.8 % test accuracy
python scripts/train_mnist.py --model lenet         # 99.5 %
python scripts/train_mnist.py --model simple_rnn    # image rows as time steps
python scripts/train_mnist.py --features hog        # dense network on HOG features, 98.8 %
python scripts/train_mnist.py --dataset fashion_mnist --data PATH
python scripts/train_mnist.py --dataset emnist-letters --data FOLDER  # also kmnist and the other EMNIST splits
python scripts/train_mnist.py --grid-search --limit 500 --cv 3
python scripts/train_mnist.py --resume              # resume an interrupted run
"""

import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C during the imports below exits without a traceback

import argparse
import csv
import os
import sys
import time
from datetime import datetime
from functools import partial
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # suppress TensorFlow's start-up messages

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pooch
from _command import (
    INTERRUPTED,
    INTERRUPTIONS,
    check_target_accuracy,
    fail,
    fraction,
    integer,
    json_object,
    listen_to_interruptions,
    positive_float,
    print_line,
    run_command,
    save_figure,
)
from _recipes import RECIPES, SCHEDULE
from _run import FEATURES, get_network, make_features, versions, write_json, write_model
from _search import run_search
from sklearn.callback import ProgressBar
from sklearn.datasets import load_digits
from sklearn.metrics import ConfusionMatrixDisplay, accuracy_score, classification_report, log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline

import kerasnet as kn
from kerasnet._files import atomic_folder
from kerasnet.models import registered_model
from kerasnet.plots import PredictionGridDisplay, TrainingCurveDisplay
from kerasnet.training import EpochMemory

IDX_DATASETS = [
    "kmnist",
    "emnist",
    *(f"emnist-{split}" for split in ("balanced", "byclass", "bymerge", "digits", "letters", "mnist")),
]
FEATURES_RECIPE = {"dense_units": (512,), "dropout": 0.5, "epochs": 12, "batch_size": 128, "learning_rate": 0.002}
DEFAULT_GRID = {"epochs": [10, 20, 30], "batch_size": [32, 64, 128], "learning_rate": [0.001, 0.01, 0.1]}

listen_to_interruptions()


def main(argv=None):
    """Run the command and return its exit status."""
    arguments = parse(argv)
    note = (
        "nothing was saved" if arguments.grid is None else "run the same search again to continue from its checkpoints"
    )
    return run_command("train_mnist", run, arguments, note)


def parse(argv):
    """Parse the command-line arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--model",
        choices=kn.list_models(task="classification"),
        help="registered model (default: cnn for pixels, mlp for features)",
    )
    parser.add_argument(
        "--features",
        default="pixels",
        choices=FEATURES,
        help="input of the network: pixels, or vectors of HOG or SIFT features (default: pixels)",
    )
    parser.add_argument(
        "--dataset",
        choices=["mnist", "fashion_mnist", "digits", *IDX_DATASETS],
        help="data set. fashion_mnist is downloaded once or read from --data; digits has 1,797 images of 8 x 8 pixels; "
        "kmnist and emnist require --data (default: mnist, or the data set found in --data)",
    )
    parser.add_argument("--data", metavar="PATH", help="folder of IDX files, or npz file of Fashion-MNIST")
    parser.add_argument(
        "--epochs", type=integer(1), metavar="N", help="number of epochs (default: depends on the model)"
    )
    parser.add_argument(
        "--batch-size", type=integer(1), metavar="N", help="images per batch (default: depends on the model)"
    )
    parser.add_argument(
        "--learning-rate",
        type=positive_float,
        metavar="X",
        help="maximum learning rate (default: depends on the model)",
    )
    parser.add_argument(
        "--learning-rate-schedule",
        default=SCHEDULE,
        choices=["constant", "cosine", "one_cycle"],
        help=f"learning rate schedule (default: {SCHEDULE})",
    )
    parser.add_argument("--optimizer", default="adam", metavar="NAME", help="name of a Keras optimizer (default: adam)")
    parser.add_argument("--limit", type=integer(1), metavar="N", help="use only N training images")
    parser.add_argument(
        "--grid-search", action="store_true", help="grid search over epochs, batch size and learning rate"
    )
    parser.add_argument(
        "--grid", type=json_object, metavar="JSON", help="grid search over this parameter grid, a JSON object of lists"
    )
    parser.add_argument(
        "--cv", type=integer(2), default=5, metavar="K", help="number of cross-validation folds (default: 5)"
    )
    parser.add_argument(
        "--n-jobs",
        type=integer(1, -1),
        default=1,
        metavar="N",
        help="number of processes for the search; -1 uses all CPUs (default: 1)",
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="address of a Dask scheduler to run the search, such as tcp://127.0.0.1:8786",
    )
    parser.add_argument(
        "--memory",
        type=Path,
        metavar="DIR",
        help="folder for checkpoints. Trainings with the same data and parameters are restored from it (default: the "
        "user's cache folder, used by searches and --resume)",
    )
    parser.add_argument("--resume", action="store_true", help="resume an interrupted run with the same options")
    parser.add_argument("--seed", type=integer(0), default=0, metavar="N", help="random seed (default: 0)")
    parser.add_argument("--output", type=Path, metavar="DIR", help="output folder (default: runs/DATA-MODEL-TIME)")
    parser.add_argument(
        "--target-accuracy", type=fraction, metavar="X", help="exit with status 1 if the test accuracy is lower"
    )
    arguments = parser.parse_args(argv)
    if arguments.data is not None and arguments.dataset == "digits":
        parser.error("--data is not supported with --dataset digits")
    if arguments.data is None and arguments.dataset in IDX_DATASETS:
        parser.error(f"--dataset {arguments.dataset} requires the folder of its IDX files as --data")
    arguments.dataset = arguments.dataset or ("mnist" if arguments.data is None else "idx")
    if arguments.model is None:
        arguments.model = "cnn" if arguments.features == "pixels" else "mlp"
    input_kind = registered_model(arguments.model).input_kind
    if arguments.features != "pixels" and input_kind != "vector":
        parser.error(
            f"--features {arguments.features} returns vectors, but --model {arguments.model} expects {input_kind}s; "
            "use --model mlp"
        )
    if arguments.output is None:
        started = datetime.now().strftime("%Y%m%d-%H%M%S")
        features = "" if arguments.features == "pixels" else f"{arguments.features}-"
        arguments.output = Path("runs") / f"{arguments.dataset}-{features}{arguments.model}-{started}"
    if arguments.grid_search and arguments.grid is None:
        arguments.grid = DEFAULT_GRID
    if arguments.scheduler is not None and arguments.grid is None:
        parser.error("--scheduler requires --grid-search or --grid")
    return arguments


def run(arguments):
    """Train and evaluate the model and write the output folder; return the exit status."""
    with atomic_folder(arguments.output) as folder:  # fail before training if the folder is not writable
        X_train, X_test, y_train, y_test, names = load(arguments)
        image_size = X_train.shape[1:3]
        classifier = make_classifier(arguments, image_size)
        get_network(classifier).set_params(memory=make_memory(arguments))
        features = "" if arguments.features == "pixels" else f"{arguments.features} features of "
        print_line(
            f"Training {arguments.model} on {features}{len(X_train)} images of {arguments.dataset} "
            f"(seed {arguments.seed})"
        )
        started = time.perf_counter()
        search, interrupted = None, False
        if arguments.grid is not None:
            settings = {"cv": arguments.cv, "n_jobs": arguments.n_jobs, "scheduler": arguments.scheduler}
            search = run_search(classifier, arguments.grid, X_train, y_train, **settings)
            classifier = search.best_estimator_
        else:
            interrupted = train(classifier, X_train, y_train)
        seconds = time.perf_counter() - started
        get_network(classifier).set_params(memory=None)
        probabilities = classifier.predict_proba(X_test)
        metrics = {
            "dataset": arguments.dataset,
            "model": arguments.model,
            "features": arguments.features,
            **evaluate(y_test, probabilities),
            **describe_training(get_network(classifier), arguments, len(X_train), seconds, interrupted),
        }
        if search is not None:
            metrics["best_params"], metrics["best_score"] = search.best_params_, search.best_score_
            write_csv(folder / "search_results.csv", search.cv_results_)
        y_true, y_pred = (y if names is None else names[y] for y in (y_test, probabilities.argmax(axis=1)))
        report = classification_report(y_true, y_pred, digits=4, zero_division=0)
        write_model(folder, classifier, dataset=arguments.dataset, image_size=image_size, class_names=names)
        write_figures(folder, get_network(classifier), X_test, y_true, y_pred, probabilities.max(axis=1))
        write_csv(folder / "history.csv", with_epochs(get_network(classifier).history_))
        write_json(folder / "metrics.json", metrics)
        (folder / "classification_report.txt").write_text(report + "\n")
    print_line(f"\n{report}")
    if search is not None:
        print_line(f"Best parameters: {search.best_params_}, cross-validated accuracy {search.best_score_:.4f}")
    if metrics["n_iter_from_memory"]:
        print_line(f"{metrics['n_iter_from_memory']} of {metrics['n_iter']} epochs were restored from a checkpoint.")
    print_line(f"Test accuracy: {metrics['accuracy']:.4f}. Training time: {seconds:.0f} s. Results: {arguments.output}")
    return exit_status(metrics, arguments.target_accuracy)


def exit_status(metrics, target_accuracy):
    """Print a message if the run was interrupted or missed its target; return the exit status."""
    if metrics["interrupted"]:
        note = "the model was saved; continue the training with --resume"
        return fail("train_mnist", f"interrupted after {metrics['n_iter']} epochs; {note}", INTERRUPTED)
    return check_target_accuracy("train_mnist", metrics["accuracy"], target_accuracy)


def load(arguments):
    """Return X_train, X_test, y_train, y_test in the format of the model, and the class names or None."""
    if arguments.dataset != "digits":
        return load_28_by_28(arguments)
    digits = load_digits()
    X = (digits.images / 16).astype(np.float32)
    X_train, X_test, y_train, y_test = train_test_split(
        X, digits.target, test_size=0.25, stratify=digits.target, random_state=arguments.seed
    )
    if arguments.limit is None:
        return X_train, X_test, y_train, y_test, None
    rows, _ = train_test_split(
        np.arange(len(X_train)), train_size=arguments.limit, stratify=y_train, random_state=arguments.seed
    )
    return X_train[rows], X_test, y_train[rows], y_test, None


def load_28_by_28(arguments):
    """Load MNIST, Fashion-MNIST, EMNIST or KMNIST; see `load`."""
    load_part, names = kn.datasets.load_mnist, None
    if arguments.dataset == "fashion_mnist":
        load_part = partial(kn.datasets.load_fashion_mnist, path=arguments.data)
    elif arguments.data is not None:
        dataset = None if arguments.dataset == "idx" else arguments.dataset
        load_part = partial(kn.datasets.load_idx_folder, path=arguments.data, dataset=dataset)
    train = load_part(subset="train", n_samples=arguments.limit, random_state=arguments.seed)
    test = load_part(subset="test")
    X_train, y_train, X_test, y_test = train.data, train.target, test.data, test.target
    if arguments.data is not None and arguments.dataset != "fashion_mnist":
        arguments.dataset = train.dataset
        y_train, y_test, names = encode_labels(train, test)
    elif len(np.unique(y_train)) < 10:
        raise ValueError(
            f"Expected training images of all ten classes. Received classes: {np.unique(y_train).tolist()}."
        )
    if arguments.features == "pixels" and registered_model(arguments.model).input_kind != "image":
        # image models and features take uint8
        X_train, X_test = ((X / 255).astype(np.float32) for X in (X_train, X_test))
    return X_train, X_test, y_train, y_test, names


def encode_labels(train, test):
    """Return y_train and y_test as indices of the classes in the training set, and the class names."""
    classes = np.unique(train.target)
    missing = train.target_names[np.setdiff1d(test.target, classes)]
    if len(missing) or len(classes) < 2:
        raise ValueError(
            "Expected training images of at least two classes, and of all classes in the test set. Received classes: "
            f"{train.target_names[classes].tolist()}; missing: {missing.tolist()}."
        )
    return np.searchsorted(classes, train.target), np.searchsorted(classes, test.target), train.target_names[classes]


def make_classifier(arguments, image_size):
    """Return the network or, with features, a pipeline of the features and the network."""
    recipe = dict(RECIPES.get((arguments.model, "mnist"), {}) if arguments.features == "pixels" else FEATURES_RECIPE)
    for name in ("epochs", "batch_size", "learning_rate"):
        if getattr(arguments, name) is not None:
            recipe[name] = getattr(arguments, name)
    network = kn.KerasNetClassifier(
        arguments.model,
        **recipe,
        learning_rate_schedule=arguments.learning_rate_schedule,
        optimizer=arguments.optimizer,
        random_state=arguments.seed,
    )
    features = make_features(arguments.features, image_size, arguments.seed)
    return network if features is None else Pipeline([("features", features), ("network", network)])


def make_memory(arguments):
    """Return the memory for checkpoints; a plain run writes checkpoints but does not restore them."""
    resume = arguments.resume or arguments.memory is not None or arguments.grid is not None
    if arguments.memory is not None:
        return EpochMemory(arguments.memory.resolve(), resume=resume)  # workers may run in another working directory
    folder = Path(pooch.os_cache("kerasnet"), "training")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if arguments.resume:
            raise
        print_line(
            f"This run cannot be resumed: checkpoints cannot be written ({error}). Choose another folder with --memory."
        )
        return None
    return EpochMemory(folder, max_bytes=2**31, resume=resume)


def train(classifier, X, y):
    """Fit the classifier with a progress bar; return whether it was interrupted."""
    network = get_network(classifier)
    if isinstance(classifier, Pipeline):
        X = classifier[:-1].fit_transform(X)
    try:
        network.set_callbacks(ProgressBar()).fit(X, y)
    except KeyboardInterrupt:
        for number in INTERRUPTIONS:
            signal.signal(number, signal.SIG_IGN)  # do not interrupt saving
        if not hasattr(network, "model_"):
            raise  # nothing was trained
        return True
    finally:
        network.set_callbacks()
    return False


def evaluate(y_test, probabilities):
    """Return metrics of the test set."""
    exact = probabilities.astype(float)
    return {
        "accuracy": accuracy_score(y_test, probabilities.argmax(axis=1)),
        "log_loss": log_loss(y_test, exact / exact.sum(axis=1, keepdims=True), labels=range(exact.shape[1])),
        "n_mistakes": int((y_test != probabilities.argmax(axis=1)).sum()),
        "n_test": len(y_test),
    }


def describe_training(network, arguments, n_train, seconds, interrupted):
    """Return further information about the training for metrics.json."""
    return {
        "interrupted": interrupted,
        "n_train": n_train,
        "n_iter": network.n_iter_,
        "n_iter_from_memory": getattr(network, "n_iter_from_memory_", 0),
        "n_parameters": network.model_.count_params(),
        "training": {key: values[-1] for key, values in network.history_.items() if values},
        "seconds": round(seconds, 2),
        "seed": arguments.seed,
        "parameters": network.get_params(),
        "versions": versions(),
    }


def write_figures(folder, network, X_test, y_test, y_pred, confidence):
    """Plot the confusion matrix, the learning curve and the most confident mistakes."""
    figure, ax = plt.subplots(figsize=(7, 6), layout="constrained")
    ConfusionMatrixDisplay.from_predictions(y_test, y_pred, ax=ax, cmap="Blues")
    save_figure(figure, folder / "confusion_matrix.png")

    names = [name for name in network.history_ if not name.startswith("val_")]
    figure, axes = plt.subplots(1, max(len(names), 1), figsize=(5 * max(len(names), 1), 4), layout="constrained")
    for name, ax in zip(names, np.atleast_1d(axes), strict=False):
        TrainingCurveDisplay.from_estimator(network, metric=name, ax=ax)
    save_figure(figure, folder / "learning_curve.png")

    display = PredictionGridDisplay.from_predictions(X_test, y_test, y_pred, confidence=confidence)
    save_figure(display.figure_, folder / "mistakes.png")


def with_epochs(history):
    """Return the history with a column "epoch"."""
    return {"epoch": range(1, 1 + max(map(len, history.values()), default=0)), **history}


def write_csv(path, columns):
    """Write a dict of columns as CSV."""
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


if __name__ == "__main__":
    sys.exit(main())
