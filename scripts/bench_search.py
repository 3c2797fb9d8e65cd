"""Compare a grid search over the document's CNN with SciKeras and with Keras' own wrapper.

    python scripts/bench_search.py                       # 54 fits a side and round, and memory: some fifteen minutes
    python scripts/bench_search.py --rounds 1 --limit 500
    python scripts/bench_search.py --document            # the document's grid, 135 fits: ten minutes a round

All sides make the same fits: 27 candidates, 2 folds, 2,000 images of MNIST, in turn, in one process. SciKeras and
kerasnet run in scikit-learn's ``GridSearchCV``; Keras' wrapper loses its epochs when it is cloned, so the same fits are
written out for it. With ``memory=``, kerasnet starts each round from an empty folder. Then two more figures for a
single fit: its fixed cost (one epoch on 500 images, less the pure epoch), and the memory that each further fit keeps.

With ``--document``: epochs 10, 20 and 30, 5 folds, 1,000 images, by SciKeras and by kerasnet with ``memory=`` in one
and in two processes; and what of that time goes into states.
"""

import argparse
import contextlib
import io
import os
import statistics
import sys
import tempfile
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up lines

import keras
import numpy as np
from _bench import ratios, report, resident_megabytes, spread, take_turns
from keras.wrappers import SKLearnClassifier
from scikeras.wrappers import KerasClassifier
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, ParameterGrid, StratifiedKFold

import kerasnet as kn
from kerasnet.training import _resume

GRID = {"epochs": [1, 2, 3], "batch_size": [32, 64, 128], "learning_rate": [0.001, 0.01, 0.1]}
FOLDS = StratifiedKFold(2)
DOCUMENT_GRID = {**GRID, "epochs": [10, 20, 30]}


def build_compiled(learning_rate=0.001):
    """Build the document's CNN as SciKeras takes it."""
    model = kn.build_cnn()
    model.compile(keras.optimizers.Adam(learning_rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def build_for_rows(X, y, learning_rate):
    """Build the document's CNN for Keras' wrapper, which takes rows and one-hot labels only."""
    model = keras.Sequential([keras.Input(X.shape[1:]), keras.layers.Reshape((28, 28, 1)), kn.build_cnn()])
    model.compile(keras.optimizers.Adam(learning_rate), "categorical_crossentropy", metrics=["accuracy"])
    return model


def search_kerasnet(X, y, seed, grid=GRID, cv=FOLDS, memory=False, n_jobs=1):
    """Return the finished search."""
    with tempfile.TemporaryDirectory() as folder:
        classifier = kn.CNNClassifier(memory=folder if memory else None, random_state=seed)
        return GridSearchCV(classifier, grid, cv=cv, refit=False, n_jobs=n_jobs).fit(X, y)


def search_scikeras(X, y, grid=GRID, cv=FOLDS):
    """Return the finished search."""
    classifier = KerasClassifier(build_compiled, learning_rate=0.001, verbose=0)
    grid = {"model__learning_rate" if name == "learning_rate" else name: values for name, values in grid.items()}
    return GridSearchCV(classifier, grid, cv=cv, refit=False, scoring="accuracy").fit(X, y)


def search_keras(X, y):
    """Return the mean score of all fits."""
    rows, scores = X.reshape(len(X), -1), []
    for candidate in ParameterGrid(GRID):
        for train, test in FOLDS.split(X, y):
            classifier = SKLearnClassifier(
                build_for_rows,
                model_kwargs={"learning_rate": candidate["learning_rate"]},
                fit_kwargs={"epochs": candidate["epochs"], "batch_size": candidate["batch_size"], "verbose": 0},
            ).fit(rows[train], y[train])
            with contextlib.redirect_stdout(io.StringIO()):  # it cannot be told to keep its progress bar
                scores.append(accuracy_score(y[test], classifier.predict(rows[test])))
    return statistics.mean(scores)


def main(argv=None):
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, help="rounds that count (default: 3; of the document's grid 1)")
    parser.add_argument("--limit", type=int, help="the number of images (default: 2000; of the document's grid 1000)")
    parser.add_argument("--fits", type=int, default=200, help="fits that memory is measured over (default: 200)")
    parser.add_argument("--document", action="store_true", help="the document's grid, in full shape")
    parser.add_argument("--save", action="store_true", help="keep the results for the README's table")
    arguments = parser.parse_args(argv)

    X, y = kn.datasets.load_mnist(
        n_samples=arguments.limit or (1000 if arguments.document else 2000), random_state=0, return_X_y=True
    )
    X_float = (X[..., np.newaxis] / 255).astype(np.float32)
    if arguments.document:
        report("search_document", documents_grid(X, X_float, y, arguments.rounds or 1), arguments.save)
    else:
        report("search", shorter_grid(X, X_float, y, arguments.rounds or 3, arguments.fits), arguments.save)
    return 0


def shorter_grid(X, X_float, y, rounds, n_fits_of_memory):
    """Return what is measured by default."""
    memory = {
        "kerasnet": memory_a_fit(fit_kerasnet(X[:500], y[:500]), n_fits_of_memory),
        "kerasnet, another architecture each": memory_of_architectures(X[:500], y[:500]),
    }
    searches = {"kerasnet": [], "kerasnet with memory": [], "scikeras": [], "keras": []}
    ours = searches["kerasnet"], searches["kerasnet with memory"]

    def seed():
        return min(map(len, ours))  # both have the same in a round

    sides = {
        "kerasnet": lambda: ours[0].append(scores(search_kerasnet(X, y, seed()))),
        "kerasnet with memory": lambda: ours[1].append(scores(search_kerasnet(X, y, seed(), memory=True))),
        "scikeras": lambda: searches["scikeras"].append(scores(search_scikeras(X_float, y))),
        "keras": lambda: searches["keras"].append(search_keras(X_float, y)),
    }
    seconds = take_turns(sides, rounds)
    n_fits = len(ParameterGrid(GRID)) * FOLDS.get_n_splits()
    fixed = fixed_costs(X[:500], y[:500], X_float[:500])
    memory["scikeras"] = memory_a_fit(fit_scikeras(X_float[:500], y[:500]), max(12, n_fits_of_memory // 8))
    return {
        "images": len(X),
        "fits": n_fits,
        "rounds": rounds,
        "seconds": {name: spread(times) for name, times in seconds.items()},
        "fits_a_second": {name: spread([n_fits / each for each in times]) for name, times in seconds.items()},
        "times_faster": ratios(seconds),
        "times_faster_with_memory": ratios(seconds, "kerasnet with memory"),
        "same_scores_with_memory": bool(np.array_equal(*ours)),
        "mean_score": {name: spread([np.mean(each) for each in found], 4) for name, found in searches.items()},
        "fixed_seconds_a_fit": fixed,
        "megabytes_a_fit": memory,
    }


def documents_grid(X, X_float, y, rounds):
    """Return what is measured of the document's grid, 5 folds."""
    seconds_of_states, shares, found = [0.0], [], {}
    timed = ("__init__", "resume", "keep")
    before = {name: getattr(_resume.Resumable, name) for name in timed}

    def kerasnet():
        seconds_of_states[0], started = 0, time.perf_counter()
        for name in timed:
            setattr(_resume.Resumable, name, adding_up(before[name], seconds_of_states))
        found["one process"] = scores(search_kerasnet(X, y, 0, DOCUMENT_GRID, 5, memory=True))
        for name in timed:
            setattr(_resume.Resumable, name, before[name])
        shares.append(seconds_of_states[0] / (time.perf_counter() - started))

    def two_processes():
        found["two processes"] = scores(search_kerasnet(X, y, 0, DOCUMENT_GRID, 5, memory=True, n_jobs=2))

    def scikeras():
        found["scikeras"] = scores(search_scikeras(X_float, y, DOCUMENT_GRID, 5))

    sides = {"kerasnet": kerasnet, "kerasnet, two processes": two_processes, "scikeras": scikeras}
    seconds = take_turns(sides, rounds, warm_up=False)
    return {
        "images": len(X),
        "fits": len(ParameterGrid(DOCUMENT_GRID)) * 5,
        "rounds": rounds,
        "seconds": {name: spread(times) for name, times in seconds.items()},
        "times_faster": {"one process": ratios(seconds)["scikeras"]}
        | {"two processes": ratios(seconds, "kerasnet, two processes")["scikeras"]},
        "share_of_time_for_states": spread(shares, 4),
        "mean_score": {name: round(float(np.mean(each)), 4) for name, each in found.items()},
    }


def adding_up(method, seconds):
    """Return a method that also adds the time it takes."""

    def timed(*arguments, **options):
        started = time.perf_counter()
        try:
            return method(*arguments, **options)
        finally:
            seconds[0] += time.perf_counter() - started

    return timed


def scores(search):
    """Return the mean score of each candidate."""
    return search.cv_results_["mean_test_score"]


def fit_kerasnet(X, y):
    """Return a function that fits for some epochs."""
    return lambda epochs=1: kn.CNNClassifier(epochs=epochs, random_state=0).fit(X, y)


def fit_scikeras(X, y):
    """Return a function that fits for some epochs."""
    return lambda epochs=1: KerasClassifier(build_compiled, epochs=epochs, verbose=0).fit(X, y)


def fixed_costs(X, y, X_float):
    """Measure what a fit costs beside its epochs: twice a fit of one epoch, less a fit of two."""
    fits = {"kerasnet": fit_kerasnet(X, y), "scikeras": fit_scikeras(X_float, y)}
    sides = {(name, epochs): lambda fit=fit, n=epochs: fit(n) for name, fit in fits.items() for epochs in (1, 2)}
    seconds = take_turns(sides, 10)
    return {
        name: round(2 * statistics.median(seconds[name, 1]) - statistics.median(seconds[name, 2]), 4) for name in fits
    }


def memory_a_fit(fit, n_fits):
    """Measure the resident memory that each fit after the first ten keeps, in megabytes."""
    for _ in range(10):
        fit()
    before = resident_megabytes()
    for _ in range(n_fits - 10):
        fit()
    return round((resident_megabytes() - before) / (n_fits - 10), 3)


def memory_of_architectures(X, y):
    """Measure what each further architecture keeps when no more engines wait than the cache holds, in megabytes."""
    for units in range(20, 32):
        kn.CNNClassifier(dense_units=(units,), epochs=1).fit(X, y)
    before = resident_megabytes()
    for units in range(32, 48):
        kn.CNNClassifier(dense_units=(units,), epochs=1).fit(X, y)
    return round((resident_megabytes() - before) / 16, 3)


if __name__ == "__main__":
    sys.exit(main())
