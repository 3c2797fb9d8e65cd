"""Compare a grid search over the document's CNN with SciKeras and with Keras' own wrapper.

    python scripts/bench_search.py                       # 54 fits a side and round, and memory: some ten minutes
    python scripts/bench_search.py --rounds 1 --limit 500

All sides make the same fits: 27 candidates, 2 folds, 2,000 images of MNIST, in turn, in one process. SciKeras and
kerasnet run in scikit-learn's ``GridSearchCV``; Keras' wrapper loses its epochs when it is cloned, so the same fits are
written out for it. Then two more figures for a single fit: its fixed cost (one epoch on 500 images, less the pure
epoch), and the memory that each further fit keeps.
"""

import argparse
import contextlib
import io
import os
import statistics
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up lines

import keras
import numpy as np
from _bench import ratios, report, resident_megabytes, spread, take_turns
from keras.wrappers import SKLearnClassifier
from scikeras.wrappers import KerasClassifier
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, ParameterGrid, StratifiedKFold

import kerasnet as kn

GRID = {"epochs": [1, 2, 3], "batch_size": [32, 64, 128], "learning_rate": [0.001, 0.01, 0.1]}
FOLDS = StratifiedKFold(2)


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


def search_kerasnet(X, y, seed):
    """Return the mean score of each candidate."""
    return GridSearchCV(kn.CNNClassifier(random_state=seed), GRID, cv=FOLDS, refit=False).fit(X, y)


def search_scikeras(X, y):
    """Return the mean score of each candidate."""
    classifier = KerasClassifier(build_compiled, learning_rate=0.001, verbose=0)
    grid = {"model__learning_rate" if name == "learning_rate" else name: values for name, values in GRID.items()}
    return GridSearchCV(classifier, grid, cv=FOLDS, refit=False, scoring="accuracy").fit(X, y)


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
    parser.add_argument("--rounds", type=int, default=3, help="rounds that count (default: 3)")
    parser.add_argument("--limit", type=int, default=2000, help="the number of images (default: 2000)")
    parser.add_argument("--fits", type=int, default=200, help="fits that memory is measured over (default: 200)")
    parser.add_argument("--save", action="store_true", help="keep the results for the README's table")
    arguments = parser.parse_args(argv)

    X, y = kn.datasets.load_mnist(n_samples=arguments.limit, random_state=0, return_X_y=True)
    X_float = (X[..., np.newaxis] / 255).astype(np.float32)
    memory = {
        "kerasnet": memory_a_fit(fit_kerasnet(X[:500], y[:500]), arguments.fits),
        "kerasnet, another architecture each": memory_of_architectures(X[:500], y[:500]),
    }
    means = {"kerasnet": [], "scikeras": [], "keras": []}

    def kerasnet():
        search = search_kerasnet(X, y, seed=len(means["kerasnet"]))
        means["kerasnet"].append(search.cv_results_["mean_test_score"].mean())

    def scikeras():
        means["scikeras"].append(search_scikeras(X_float, y).cv_results_["mean_test_score"].mean())

    def of_keras():
        means["keras"].append(search_keras(X_float, y))

    seconds = take_turns({"kerasnet": kerasnet, "scikeras": scikeras, "keras": of_keras}, arguments.rounds)
    n_fits = len(ParameterGrid(GRID)) * FOLDS.get_n_splits()
    fixed = fixed_costs(X[:500], y[:500], X_float[:500])
    memory["scikeras"] = memory_a_fit(fit_scikeras(X_float[:500], y[:500]), max(12, arguments.fits // 8))
    result = {
        "images": len(X),
        "fits": n_fits,
        "rounds": arguments.rounds,
        "seconds": {name: spread(times) for name, times in seconds.items()},
        "fits_a_second": {name: spread([n_fits / each for each in times]) for name, times in seconds.items()},
        "times_faster": ratios(seconds),
        "mean_score": {name: spread(values, 4) for name, values in means.items()},
        "fixed_seconds_a_fit": fixed,
        "megabytes_a_fit": memory,
    }
    report("search", result, arguments.save)
    return 0


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
