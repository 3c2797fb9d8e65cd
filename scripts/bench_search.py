"""Benchmark a grid search over the default CNN against SciKeras and Keras' scikit-learn wrapper.

    python scripts/bench_search.py                       # 54 fits per library and round: about 20 minutes
    python scripts/bench_search.py --rounds 1 --limit 500
    python scripts/bench_search.py --large-grid          # 135 fits of 10 to 30 epochs: about 20 minutes per round

All libraries run the same fits: 27 candidates, 2 folds, 2,000 MNIST images. Each runs in a separate process,
alternately; compilation is timed, imports are not. SciKeras and kerasnet use ``GridSearchCV``. Keras' wrapper loses its
epochs when it is cloned, so its fits run in a loop. With ``memory=``, kerasnet starts with an empty cache folder. Also
measured are the per-fit overhead (a fit of one epoch on 500 images, minus the time of the epoch) and the memory that
each additional fit retains.

``--large-grid``: 10, 20 and 30 epochs, 5 folds, 1,000 images, with SciKeras and with kerasnet using ``memory=`` in one
and two processes; and the share of the time spent on checkpoints.
"""

import argparse
import contextlib
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # suppress TensorFlow's start-up messages

import keras
import numpy as np
from _bench import ratios, report, resident_megabytes, spread, take_turns
from joblib import parallel_config
from keras.wrappers import SKLearnClassifier
from scikeras.wrappers import KerasClassifier
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, ParameterGrid, StratifiedKFold

import kerasnet as kn
from kerasnet.training._resume import Checkpoints

GRID = {"epochs": [1, 2, 3], "batch_size": [32, 64, 128], "learning_rate": [0.001, 0.01, 0.1]}
FOLDS = StratifiedKFold(2)
LARGE_GRID = {**GRID, "epochs": [10, 20, 30]}


def build_compiled(learning_rate=0.001):
    """Build and compile the default CNN for SciKeras."""
    model = kn.build_cnn()
    model.compile(keras.optimizers.Adam(learning_rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def build_for_rows(X, y, learning_rate):
    """Build and compile the default CNN for Keras' wrapper, which requires 2D inputs and one-hot labels."""
    model = keras.Sequential([keras.Input(X.shape[1:]), keras.layers.Reshape((28, 28, 1)), kn.build_cnn()])
    model.compile(keras.optimizers.Adam(learning_rate), "categorical_crossentropy", metrics=["accuracy"])
    return model


def search_kerasnet(X, y, grid=GRID, cv=FOLDS, memory=False, backend="loky", n_jobs=1):
    """Run the search and return it."""
    with tempfile.TemporaryDirectory() as folder, parallel_config(backend, n_jobs=n_jobs):
        classifier = kn.CNNClassifier(memory=folder if memory else None, random_state=0)
        return GridSearchCV(classifier, grid, cv=cv, refit=False).fit(X, y)


def search_scikeras(X, y, grid=GRID, cv=FOLDS):
    """Run the search and return it."""
    classifier = KerasClassifier(build_compiled, learning_rate=0.001, verbose=0)
    grid = {"model__learning_rate" if name == "learning_rate" else name: values for name, values in grid.items()}
    return GridSearchCV(classifier, grid, cv=cv, refit=False, scoring="accuracy").fit(X, y)


def search_keras(X, y):
    """Run the same fits with Keras' wrapper and return their mean score."""
    rows, scores = X.reshape(len(X), -1), []
    for candidate in ParameterGrid(GRID):
        for train, test in FOLDS.split(X, y):
            classifier = SKLearnClassifier(
                build_for_rows,
                model_kwargs={"learning_rate": candidate["learning_rate"]},
                fit_kwargs={"epochs": candidate["epochs"], "batch_size": candidate["batch_size"], "verbose": 0},
            ).fit(rows[train], y[train])
            with contextlib.redirect_stdout(io.StringIO()):  # its progress bar cannot be disabled
                scores.append(accuracy_score(y[test], classifier.predict(rows[test])))
    return statistics.mean(scores)


def search_large_grid(X, y):
    """Run the search over the large grid; return it and the share of time spent on checkpoints."""
    seconds, methods = [0.0], {name: getattr(Checkpoints, name) for name in ("open", "restore", "store")}
    for name, method in methods.items():
        setattr(Checkpoints, name, accumulate_time(method, seconds))
    started = time.perf_counter()
    search = search_kerasnet(X, y, LARGE_GRID, 5, memory=True)
    return search, seconds[0] / (time.perf_counter() - started)


SEARCHES = {
    "kerasnet": lambda X, X_float, y: scores(search_kerasnet(X, y)),
    "kerasnet, two threads": lambda X, X_float, y: scores(search_kerasnet(X, y, backend="threading", n_jobs=2)),
    "kerasnet with memory": lambda X, X_float, y: scores(search_kerasnet(X, y, memory=True)),
    "kerasnet with memory, two threads": lambda X, X_float, y: scores(
        search_kerasnet(X, y, memory=True, backend="threading", n_jobs=2)
    ),
    "scikeras": lambda X, X_float, y: scores(search_scikeras(X_float, y)),
    "keras": lambda X, X_float, y: search_keras(X_float, y),
}
LARGE_SEARCHES = {
    "one process": lambda X, X_float, y: scores_and_share(search_large_grid(X, y)),
    "two processes": lambda X, X_float, y: scores(search_kerasnet(X, y, LARGE_GRID, 5, memory=True, n_jobs=2)),
    "two threads": lambda X, X_float, y: scores(
        search_kerasnet(X, y, LARGE_GRID, 5, memory=True, backend="threading", n_jobs=2)
    ),
    "scikeras": lambda X, X_float, y: scores(search_scikeras(X_float, y, LARGE_GRID, 5)),
}
FIGURES = {
    "overhead, kerasnet": lambda X, X_float, y, n_fits: overhead(fit_kerasnet(X, y)),
    "overhead, kerasnet mlp": lambda X, X_float, y, n_fits: overhead(fit_mlp(X_float, y)),
    "overhead, scikeras": lambda X, X_float, y, n_fits: overhead(fit_scikeras(X_float, y), 5),
    "memory, kerasnet": lambda X, X_float, y, n_fits: memory_per_fit(fit_kerasnet(X, y), n_fits),
    "memory, kerasnet, a builder of a user": lambda X, X_float, y, n_fits: memory_per_fit(
        fit_unregistered(X_float, y), n_fits
    ),
    "memory, kerasnet, another architecture each": lambda X, X_float, y, n_fits: memory_per_architecture(X, y),
    "memory, scikeras": lambda X, X_float, y, n_fits: memory_per_fit(fit_scikeras(X_float, y), max(12, n_fits // 8)),
}


def main(argv=None):
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, help="number of timed rounds (default: 3; 1 with --large-grid)")
    parser.add_argument("--limit", type=int, help="number of images (default: 2000; 1000 with --large-grid)")
    parser.add_argument(
        "--fits", type=int, default=200, help="number of fits for the memory measurement (default: 200)"
    )
    parser.add_argument("--large-grid", action="store_true", help="run the larger grid instead")
    parser.add_argument("--save", action="store_true", help="write the results to benchmarks.json")
    parser.add_argument("--side", choices=[*SEARCHES, *LARGE_SEARCHES, *FIGURES], help="run one side in this process")
    arguments = parser.parse_args(argv)
    n_images = arguments.limit or (1000 if arguments.large_grid else 2000)
    if arguments.side:
        print(json.dumps(run_side(arguments.side, n_images, arguments.fits, arguments.large_grid)))
    elif arguments.large_grid:
        report("search_document", measure_large_grid(n_images, arguments.rounds or 1), arguments.save)
    else:
        report("search", measure_grid(n_images, arguments.rounds or 3, arguments.fits), arguments.save)
    return 0


def run_side(side, n_images, n_fits, is_large):
    """Run one side in this process; return its duration and its result as plain values."""
    if side in FIGURES:
        n_images = min(n_images, 500)
    X, y = kn.datasets.load_mnist(n_samples=n_images, random_state=0, return_X_y=True)
    X_float = (X[..., np.newaxis] / 255).astype(np.float32)
    if side in FIGURES:
        return {"result": FIGURES[side](X, X_float, y, n_fits)}
    started = time.perf_counter()
    result = (LARGE_SEARCHES if is_large else SEARCHES)[side](X, X_float, y)
    return {"seconds": time.perf_counter() - started, "result": result}


def run_in_process(side, n_images, n_fits=200, is_large=False):
    """Run one side in a separate process."""
    command = [sys.executable, __file__, "--side", side, "--limit", str(n_images), "--fits", str(n_fits)]
    done = subprocess.run([*command, *["--large-grid"] * is_large], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def run_alternately(sides, n_images, rounds, is_large=False):
    """Run sides alternately, reversing the order; return their durations and the results of the last round."""
    seconds, results = {name: [] for name in sides}, {}
    for number in range(rounds):
        for name in list(sides) if number % 2 else reversed(sides):
            result = run_in_process(name, n_images, is_large=is_large)
            seconds[name].append(result["seconds"])
            results[name] = result["result"]
    return seconds, results


def measure_grid(n_images, rounds, n_fits):
    """Measure the default grid, overhead and memory."""
    seconds, results = run_alternately(SEARCHES, n_images, rounds)
    figures = {name: run_in_process(name, n_images, n_fits)["result"] for name in FIGURES}
    n_search_fits = len(ParameterGrid(GRID)) * FOLDS.get_n_splits()
    kerasnet_sides = [name for name in SEARCHES if name.startswith("kerasnet")]
    return {
        "images": n_images,
        "fits": n_search_fits,
        "rounds": rounds,
        "seconds": {name: spread(times) for name, times in seconds.items()},
        "fits_a_second": {
            name: spread([n_search_fits / duration for duration in times]) for name, times in seconds.items()
        },
        "times_faster": ratios(seconds),
        "times_faster_with_memory": ratios(seconds, "kerasnet with memory"),
        "times_faster_by_threads": {
            name: ratios(seconds, f"{name}, two threads")[name] for name in ("kerasnet", "kerasnet with memory")
        },
        "equal_scores": all(results[name] == results["kerasnet"] for name in kerasnet_sides),
        "mean_score": {name: round(float(np.mean(values)), 4) for name, values in results.items()},
        "fixed_seconds_a_fit": _select("overhead, ", figures),
        "megabytes_a_fit": _select("memory, ", figures),
    }


def _select(kind, figures):
    return {name.removeprefix(kind): value for name, value in figures.items() if name.startswith(kind)}


def measure_large_grid(n_images, rounds):
    """Measure the large grid with 5 folds."""
    seconds, results = run_alternately(LARGE_SEARCHES, n_images, rounds, is_large=True)
    *one_process_scores, share = results["one process"]
    return {
        "images": n_images,
        "fits": len(ParameterGrid(LARGE_GRID)) * 5,
        "rounds": rounds,
        "seconds": {name: spread(times) for name, times in seconds.items()},
        "times_faster": {name: ratios(seconds, name)["scikeras"] for name in LARGE_SEARCHES if name != "scikeras"},
        "share_of_time_for_states": share,
        "mean_score": {
            name: round(float(np.mean(one_process_scores if name == "one process" else values)), 4)
            for name, values in results.items()
        },
    }


def scores_and_share(search_and_share):
    """Return the scores of a search followed by the share of time spent on checkpoints."""
    search, share = search_and_share
    return [*scores(search), round(share, 4)]


def accumulate_time(method, seconds):
    """Return a method that adds its duration to `seconds[0]`."""

    def timed(*arguments, **options):
        started = time.perf_counter()
        try:
            return method(*arguments, **options)
        finally:
            seconds[0] += time.perf_counter() - started

    return timed


def scores(search):
    """Return the mean score of each candidate."""
    return search.cv_results_["mean_test_score"].tolist()


def fit_kerasnet(X, y):
    """Return a function that fits for the given number of epochs."""
    return lambda epochs=1: kn.CNNClassifier(epochs=epochs, random_state=0).fit(X, y)


def fit_scikeras(X, y):
    """Return a function that fits for the given number of epochs."""
    return lambda epochs=1: KerasClassifier(build_compiled, epochs=epochs, verbose=0).fit(X, y)


def fit_mlp(X, y):
    """Return a function that fits an ``mlp`` for the given number of epochs."""
    rows = X.reshape(len(X), -1)
    return lambda epochs=1: kn.KerasNetClassifier("mlp", epochs=epochs, random_state=0).fit(rows, y)


def fit_unregistered(X, y):
    """Return a function that fits a model of an unregistered builder."""

    def build(input_shape, n_outputs, output_activation):
        return kn.build_cnn(input_shape, n_outputs, output_activation=output_activation)

    return lambda epochs=1: kn.KerasNetClassifier(build, epochs=epochs, random_state=0).fit(X, y)


def overhead(fit, rounds=20):
    """Measure the per-fit overhead in seconds: twice a fit of one epoch, minus a fit of two epochs."""
    seconds = take_turns({epochs: lambda epochs=epochs: fit(epochs) for epochs in (1, 2)}, rounds)
    return round(2 * statistics.median(seconds[1]) - statistics.median(seconds[2]), 4)


def memory_per_fit(fit, n_fits):
    """Measure the resident memory that each fit after the first ten retains, in MB."""
    for _ in range(10):
        fit()
    before = resident_megabytes()
    for _ in range(n_fits - 10):
        fit()
    return round((resident_megabytes() - before) / (n_fits - 10), 3)


def memory_per_architecture(X, y):
    """Measure the resident memory that each additional architecture retains when the engine cache is full, in MB."""
    for units in range(20, 32):
        kn.CNNClassifier(dense_units=(units,), epochs=1).fit(X, y)
    before = resident_megabytes()
    for units in range(32, 48):
        kn.CNNClassifier(dense_units=(units,), epochs=1).fit(X, y)
    return round((resident_megabytes() - before) / 16, 3)


if __name__ == "__main__":
    sys.exit(main())
