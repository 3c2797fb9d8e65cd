"""Train a model on MNIST, evaluate it on the test set, and save all results in one folder.

python scripts/train_mnist.py                       # CNN, about a minute, 98.8 % test accuracy
python scripts/train_mnist.py --model lenet         # 99.5 %
python scripts/train_mnist.py --model simple_rnn    # image rows as time steps
python scripts/train_mnist.py --early-stopping --set dropout=0.3 --set epochs=30
python scripts/train_mnist.py --features hog        # dense network on HOG features, 98.8 %
python scripts/train_mnist.py --dataset fashion_mnist --data PATH
python scripts/train_mnist.py --dataset emnist-letters --data FOLDER  # also kmnist and the other EMNIST splits
python scripts/train_mnist.py --grid-search --limit 500 --cv 3
python scripts/train_mnist.py --resume              # resume an interrupted run
"""

import signal

signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C during the imports below exits without a traceback

import os
import shlex
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # suppress TensorFlow's start-up messages

import matplotlib

matplotlib.use("Agg")

import pooch
from _command import (
    INTERRUPTED,
    INTERRUPTIONS,
    check_target_accuracy,
    fail,
    listen_to_interruptions,
    print_line,
    run_command,
)
from _mnist_arguments import parse
from _mnist_data import load, split_validation
from _mnist_results import write_results
from _recipes import EPOCHS_WITH_VALIDATION, FEATURES_RECIPE, RECIPES
from _run import get_network, make_features
from _search import run_search
from sklearn.callback import ProgressBar
from sklearn.pipeline import Pipeline

import kerasnet as kn
from kerasnet._files import atomic_folder
from kerasnet.training import EpochMemory

listen_to_interruptions()


def main(argv=None):
    """Run the command and return its exit status."""
    arguments = parse(argv, __doc__)
    arguments.command = shlex.join(["python", "scripts/train_mnist.py", *(sys.argv[1:] if argv is None else argv)])
    note = (
        "nothing was saved" if arguments.grid is None else "run the same search again to continue from its checkpoints"
    )
    return run_command("train_mnist", run, arguments, note)


def run(arguments):
    """Train and evaluate the model and write the output folder; return the exit status."""
    with atomic_folder(arguments.output) as folder:  # fail before training if the folder is not writable
        X, X_test, y, y_test, names = load(arguments)
        X_train, X_val, y_train, y_val = split_validation(X, y, arguments)
        classifier = make_classifier(arguments, X.shape[1:3])
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
            interrupted = train(classifier, X_train, y_train, X_val, y_val)
        training = {
            "interrupted": interrupted,
            "n_train": len(y_train),
            "n_validation": len(y) - len(y_train),
            "seconds": round(time.perf_counter() - started, 2),
        }
        get_network(classifier).set_params(memory=None)
        metrics, report = write_results(folder, search or classifier, X_test, y_test, names, training, arguments)
    print_results(metrics, report, arguments)
    return exit_status(metrics, arguments.target_accuracy)


def print_results(metrics, report, arguments):
    """Print the results of a run."""
    print_line(f"\n{report}")
    if "best_params" in metrics:
        score = f"cross-validated accuracy {metrics['best_score']:.4f}"
        print_line(f"Best parameters: {metrics['best_params']}, {score}")
    if metrics["n_iter_from_memory"]:
        print_line(f"{metrics['n_iter_from_memory']} of {metrics['n_iter']} epochs were restored from a checkpoint.")
    print_line(
        f"Test accuracy: {metrics['accuracy']:.4f}. Training time: {metrics['seconds']:.0f} s. "
        f"Results: {arguments.output}"
    )


def exit_status(metrics, target_accuracy):
    """Print a message if the run was interrupted or missed its target; return the exit status."""
    if metrics["interrupted"]:
        note = "the model was saved; continue the training with --resume"
        return fail("train_mnist", f"interrupted after {metrics['n_iter']} epochs; {note}", INTERRUPTED)
    return check_target_accuracy("train_mnist", metrics["accuracy"], target_accuracy)


def make_classifier(arguments, image_size):
    """Return the network or, with features, a pipeline of the features and the network."""
    recipe = dict(RECIPES.get((arguments.model, "mnist"), {}) if arguments.features == "pixels" else FEATURES_RECIPE)
    if arguments.features == "pixels" and arguments.validation_fraction and arguments.grid is None:
        recipe |= EPOCHS_WITH_VALIDATION.get((arguments.model, "mnist"), {})
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
    network.set_params(early_stopping=arguments.early_stopping)
    if arguments.validation_fraction:
        network.set_params(validation_fraction=arguments.validation_fraction)
    features = make_features(arguments.features, image_size, arguments.seed)
    classifier = network if features is None else Pipeline([("features", features), ("network", network)])
    for name, value in arguments.set:
        try:
            (classifier if name.startswith("features__") else network).set_params(**{name: value})
        except ValueError as error:
            raise ValueError(f"--set {name}: {error}") from error
    return classifier


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


def train(classifier, X, y, X_val, y_val):
    """Fit the classifier with a progress bar; return whether it was interrupted."""
    network = get_network(classifier)
    if isinstance(classifier, Pipeline):
        X = classifier[:-1].fit_transform(X)
        X_val = None if X_val is None else classifier[:-1].transform(X_val)
    try:
        network.set_callbacks(ProgressBar()).fit(X, y, X_val=X_val, y_val=y_val)
    except KeyboardInterrupt:
        for number in INTERRUPTIONS:
            signal.signal(number, signal.SIG_IGN)  # do not interrupt saving
        if not hasattr(network, "model_"):
            raise  # nothing was trained
        return True
    finally:
        network.set_callbacks()
    return False


if __name__ == "__main__":
    sys.exit(main())
