"""Compare a grid search over the default CNN with SciKeras and with Keras' own wrapper.

    python scripts/bench_search.py                       # 54 fits for each side and round: about twenty minutes
    python scripts/bench_search.py --rounds 1 --limit 500
    python scripts/bench_search.py --document            # 135 fits of 10 to 30 epochs: about twenty minutes a round

All sides make the same fits: 27 candidates, 2 folds, 2,000 images of MNIST. Each side runs in a process of its own, in
turn; the import of packages is not counted, compiling is. SciKeras and kerasnet run in scikit-learn's ``GridSearchCV``;
Keras' wrapper loses its epochs when it is cloned, so the same fits are written out for it. With ``memory=``, kerasnet
starts from an empty folder. Two more figures for a single fit: its overhead (one epoch on 500 images, less the pure
epoch), and the memory that each further fit keeps.

With ``--document``: epochs 10, 20 and 30, 5 folds, 1,000 images, by SciKeras and by kerasnet with ``memory=`` in one
and in two processes; and the share of that time that checkpoints take.
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

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up lines

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


def search_kerasnet(X, y, grid=GRID, cv=FOLDS, memory=False, backend="loky", n_jobs=1):
    """Return the finished search."""
    with tempfile.TemporaryDirectory() as folder, parallel_config(backend, n_jobs=n_jobs):
        classifier = kn.CNNClassifier(memory=folder if memory else None, random_state=0)
        return GridSearchCV(classifier, grid, cv=cv, refit=False).fit(X, y)


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


def search_document(X, y):
    """Return the finished search over the document's grid, and the share of its time that checkpoints took."""
    seconds, methods = [0.0], {name: getattr(Checkpoints, name) for name in ("open", "restore", "store")}
    for name, method in methods.items():
        setattr(Checkpoints, name, adding_up(method, seconds))
    started = time.perf_counter()
    search = search_kerasnet(X, y, DOCUMENT_GRID, 5, memory=True)
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
DOCUMENT_SEARCHES = {
    "one process": lambda X, X_float, y: documents_scores(search_document(X, y)),
    "two processes": lambda X, X_float, y: scores(search_kerasnet(X, y, DOCUMENT_GRID, 5, memory=True, n_jobs=2)),
    "two threads": lambda X, X_float, y: scores(
        search_kerasnet(X, y, DOCUMENT_GRID, 5, memory=True, backend="threading", n_jobs=2)
    ),
    "scikeras": lambda X, X_float, y: scores(search_scikeras(X_float, y, DOCUMENT_GRID, 5)),
}
FIGURES = {
    "overhead, kerasnet": lambda X, X_float, y, n_fits: overhead(fit_kerasnet(X, y)),
    "overhead, kerasnet mlp": lambda X, X_float, y, n_fits: overhead(fit_mlp(X_float, y)),
    "overhead, scikeras": lambda X, X_float, y, n_fits: overhead(fit_scikeras(X_float, y), 5),
    "memory, kerasnet": lambda X, X_float, y, n_fits: memory_a_fit(fit_kerasnet(X, y), n_fits),
    "memory, kerasnet, a builder of a user": lambda X, X_float, y, n_fits: memory_a_fit(fit_own(X_float, y), n_fits),
    "memory, kerasnet, another architecture each": lambda X, X_float, y, n_fits: memory_of_architectures(X, y),
    "memory, scikeras": lambda X, X_float, y, n_fits: memory_a_fit(fit_scikeras(X_float, y), max(12, n_fits // 8)),
}


def main(argv=None):
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, help="rounds that count (default: 3; of the document's grid 1)")
    parser.add_argument("--limit", type=int, help="the number of images (default: 2000; of the document's grid 1000)")
    parser.add_argument("--fits", type=int, default=200, help="fits that memory is measured over (default: 200)")
    parser.add_argument("--document", action="store_true", help="the document's grid, in full shape")
    parser.add_argument("--save", action="store_true", help="keep the results for the README's table")
    parser.add_argument("--side", choices=[*SEARCHES, *DOCUMENT_SEARCHES, *FIGURES], help="run one side here, and end")
    arguments = parser.parse_args(argv)
    n_images = arguments.limit or (1000 if arguments.document else 2000)
    if arguments.side:
        print(json.dumps(run_side(arguments.side, n_images, arguments.fits, arguments.document)))
    elif arguments.document:
        report("search_document", documents_grid(n_images, arguments.rounds or 1), arguments.save)
    else:
        report("search", shorter_grid(n_images, arguments.rounds or 3, arguments.fits), arguments.save)
    return 0


def run_side(side, n_images, n_fits, is_document):
    """Run one side in this process; return its seconds and what it found, as JSON has it."""
    if side in FIGURES:
        n_images = min(n_images, 500)
    X, y = kn.datasets.load_mnist(n_samples=n_images, random_state=0, return_X_y=True)
    X_float = (X[..., np.newaxis] / 255).astype(np.float32)
    if side in FIGURES:
        return {"found": FIGURES[side](X, X_float, y, n_fits)}
    started = time.perf_counter()
    found = (DOCUMENT_SEARCHES if is_document else SEARCHES)[side](X, X_float, y)
    return {"seconds": time.perf_counter() - started, "found": found}


def in_process(side, n_images, n_fits=200, is_document=False):
    """Run one side in a process of its own."""
    command = [sys.executable, __file__, "--side", side, "--limit", str(n_images), "--fits", str(n_fits)]
    done = subprocess.run([*command, *["--document"] * is_document], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def in_turn(sides, n_images, rounds, is_document=False):
    """Run sides in turn, in an order that changes; return their seconds, and what they found in the last round."""
    seconds, found = {name: [] for name in sides}, {}
    for number in range(rounds):
        for name in list(sides) if number % 2 else reversed(sides):
            result = in_process(name, n_images, is_document=is_document)
            seconds[name].append(result["seconds"])
            found[name] = result["found"]
    return seconds, found


def shorter_grid(n_images, rounds, n_fits):
    """Return what is measured by default."""
    seconds, found = in_turn(SEARCHES, n_images, rounds)
    figures = {name: in_process(name, n_images, n_fits)["found"] for name in FIGURES}
    n_candidates = len(ParameterGrid(GRID)) * FOLDS.get_n_splits()
    ours = [name for name in SEARCHES if name.startswith("kerasnet")]
    return {
        "images": n_images,
        "fits": n_candidates,
        "rounds": rounds,
        "seconds": {name: spread(times) for name, times in seconds.items()},
        "fits_a_second": {name: spread([n_candidates / each for each in times]) for name, times in seconds.items()},
        "times_faster": ratios(seconds),
        "times_faster_with_memory": ratios(seconds, "kerasnet with memory"),
        "times_faster_by_threads": {
            name: ratios(seconds, f"{name}, two threads")[name] for name in ("kerasnet", "kerasnet with memory")
        },
        "equal_scores": all(found[name] == found["kerasnet"] for name in ours),
        "mean_score": {name: round(float(np.mean(each)), 4) for name, each in found.items()},
        "fixed_seconds_a_fit": _of("overhead, ", figures),
        "megabytes_a_fit": _of("memory, ", figures),
    }


def _of(kind, figures):
    return {name.removeprefix(kind): value for name, value in figures.items() if name.startswith(kind)}


def documents_grid(n_images, rounds):
    """Return what is measured of the document's grid, 5 folds."""
    seconds, found = in_turn(DOCUMENT_SEARCHES, n_images, rounds, is_document=True)
    *scores_of_one, share = found["one process"]
    return {
        "images": n_images,
        "fits": len(ParameterGrid(DOCUMENT_GRID)) * 5,
        "rounds": rounds,
        "seconds": {name: spread(times) for name, times in seconds.items()},
        "times_faster": {name: ratios(seconds, name)["scikeras"] for name in DOCUMENT_SEARCHES if name != "scikeras"},
        "share_of_time_for_states": share,
        "mean_score": {
            name: round(float(np.mean(scores_of_one if name == "one process" else each)), 4)
            for name, each in found.items()
        },
    }


def documents_scores(search_and_share):
    """Return the scores of a search, and at their end the share of its time that checkpoints took."""
    search, share = search_and_share
    return [*scores(search), round(share, 4)]


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
    return search.cv_results_["mean_test_score"].tolist()


def fit_kerasnet(X, y):
    """Return a function that fits for some epochs."""
    return lambda epochs=1: kn.CNNClassifier(epochs=epochs, random_state=0).fit(X, y)


def fit_scikeras(X, y):
    """Return a function that fits for some epochs."""
    return lambda epochs=1: KerasClassifier(build_compiled, epochs=epochs, verbose=0).fit(X, y)


def fit_mlp(X, y):
    """Return a function that fits an ``mlp`` for some epochs."""
    rows = X.reshape(len(X), -1)
    return lambda epochs=1: kn.KerasNetClassifier("mlp", epochs=epochs, random_state=0).fit(rows, y)


def fit_own(X, y):
    """Return a function that fits the network of a builder that is not registered."""

    def build(input_shape, n_outputs, output_activation):
        return kn.build_cnn(input_shape, n_outputs, output_activation=output_activation)

    return lambda epochs=1: kn.KerasNetClassifier(build, epochs=epochs, random_state=0).fit(X, y)


def overhead(fit, rounds=20):
    """Measure the seconds of a fit besides its epochs: twice a fit of one epoch, less a fit of two."""
    seconds = take_turns({epochs: lambda epochs=epochs: fit(epochs) for epochs in (1, 2)}, rounds)
    return round(2 * statistics.median(seconds[1]) - statistics.median(seconds[2]), 4)


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
