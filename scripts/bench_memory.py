"""Benchmark memory and throughput of training on data larger than memory.

    python scripts/bench_memory.py --folder /data/tmp                    # all cases in full size: about an hour
    python scripts/bench_memory.py --cases memmap --images 4000000
    python scripts/bench_memory.py --images 5000 --files 400 --rows 500  # small test run

``memmap``: one epoch and predictions on 28 x 28 images (uint8, repeated MNIST digits), from a memory-mapped file and
from memory. ``files``: one epoch on 64 x 64 color JPEG files made from MNIST digits and read by ``ImageFiles``; a grid
search with two folds and two workers; and reading with one and two threads. ``sparse``: one epoch on a CSR matrix with
20,000 columns.

Each case runs in a separate process, alternately. Memory is anonymous memory (RssAnon), sampled every few milliseconds;
pages of mapped files are not counted. Reported is the peak increase, measured after a first fit to a few rows has
imported and compiled everything. For ``files``, the memory is also measured with 200 files for comparison.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # suppress TensorFlow's start-up messages

import cv2
import numpy as np
from _bench import ratios, report, spread, take_turns
from scipy import sparse
from sklearn.model_selection import GridSearchCV

import kerasnet as kn
from kerasnet.features import ImageFiles

N_FEW_FILES = 200  # baseline for the memory of many files
N_COLUMNS, WORDS_PER_ROW = 20_000, 100
SIZE = (64, 64)


class PeakMemory:
    """Context manager that measures the peak anonymous memory of this process, or of its largest child process."""

    def __init__(self, of_children=False):
        self._processes = children if of_children else lambda: ["self"]
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self):
        self.before = self.peak = max(map(anonymous_megabytes, self._processes()), default=0)
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._stopped.set()
        self._thread.join()

    def _watch(self):
        while not self._stopped.wait(0.005):
            self.peak = max([self.peak, *map(anonymous_megabytes, self._processes())])


def anonymous_megabytes(process):
    """Return the anonymous memory of a process, in MB; 0 if it has ended."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) / 1000 for line in status.splitlines() if line.startswith("RssAnon")), 0)


def children():
    """Return the process ids of the child processes."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[path.parent.name] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # the process has ended
    return [process for process, parent in parents.items() if parent == os.getpid()]


def measure(function, rows):
    """Call a function and return its duration, throughput and peak memory increase."""
    started = time.perf_counter()
    with PeakMemory() as memory:
        function()
    seconds = time.perf_counter() - started
    return {
        "seconds": round(seconds, 2),
        "rows_a_second": round(rows / seconds),
        "megabytes": round(memory.peak - memory.before, 1),
    }


def fit_and_predict(X, y, model):
    """Measure one epoch and predictions, after a warm-up on a few rows."""
    warm_up = np.concatenate([np.flatnonzero(y == label)[:13] for label in range(10)])
    classifier = kn.KerasNetClassifier(model, epochs=1, batch_size=128, random_state=0)
    classifier.fit(X[warm_up], y[warm_up]).predict(X[warm_up])
    return {
        "fit": measure(lambda: classifier.fit(X, y), len(y)),
        "predict": measure(lambda: classifier.predict(X), len(y)),
    }


# Data, written by the main process


def write_images(folder, n_images):
    """Write repeated digits to an npy file, in chunks."""
    digits = kn.datasets.load_mnist(return_X_y=True)
    X = np.lib.format.open_memmap(folder / "X.npy", "w+", np.uint8, (n_images, 28, 28))
    y = np.empty(n_images, np.int64)
    for start in range(0, n_images, len(digits[0])):
        n_rows = min(len(digits[0]), n_images - start)
        X[start : start + n_rows], y[start : start + n_rows] = (array[:n_rows] for array in digits)
    X.flush()
    np.save(folder / "y.npy", y)


def write_files(folder, n_files):
    """Write colored digits as JPEG files."""
    X, y = kn.datasets.load_mnist(return_X_y=True)
    rng = np.random.default_rng(0)
    for number in range(n_files):
        digit = cv2.resize(X[number % len(X)], SIZE, interpolation=cv2.INTER_CUBIC)
        image = digit[..., np.newaxis] / 255 * rng.integers(100, 256, 3) + rng.integers(0, 40, (*SIZE, 3))
        path = folder / f"{number:06d}-{y[number % len(y)]}.jpg"
        if not cv2.imwrite(str(path), image.clip(0, 255).astype(np.uint8)):
            raise OSError(f"{path} cannot be written.")


def write_rows(folder, n_rows):
    """Write a CSR matrix similar to TF-IDF: 100 words per row, one of which identifies the class."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 10, n_rows)
    columns = np.column_stack([y, rng.integers(10, N_COLUMNS, (n_rows, WORDS_PER_ROW - 1))]).ravel()
    starts = np.arange(n_rows + 1) * WORDS_PER_ROW
    X = sparse.csr_matrix((np.full(columns.size, 0.1, np.float32), columns, starts), (n_rows, N_COLUMNS))
    X.sum_duplicates()
    sparse.save_npz(folder / "X.npz", X)
    np.save(folder / "y.npy", y)


# Cases, each run in a separate process


def from_memmap(folder, model):
    """Train on a memory-mapped file."""
    return fit_and_predict(np.load(folder / "X.npy", mmap_mode="r"), np.load(folder / "y.npy"), model)


def from_memory(folder, model):
    """Train on the same data in memory."""
    return fit_and_predict(np.load(folder / "X.npy"), np.load(folder / "y.npy"), model)


def image_files(folder, n_files=None, n_jobs=-1):
    """Return image files and labels."""
    paths = sorted(folder.glob("*.jpg"))[:n_files]
    return ImageFiles(paths, SIZE, n_jobs=n_jobs), np.array([int(path.stem[-1]) for path in paths])


def from_files(folder, model, n_files=None):
    """Train on image files."""
    return fit_and_predict(*image_files(folder, n_files), model)


def search_files(folder, model, n_files=None):
    """Run a grid search with two folds and two workers."""
    X, y = image_files(folder, n_files)
    classifier = kn.KerasNetClassifier(model, epochs=1, batch_size=128, random_state=0)
    search = GridSearchCV(classifier, {"learning_rate": [0.001]}, cv=2, n_jobs=2, refit=False, error_score="raise")
    started = time.perf_counter()
    with PeakMemory(of_children=True) as memory:
        search.fit(X, y)
    return {"seconds": round(time.perf_counter() - started, 2), "megabytes_of_a_worker": round(memory.peak, 1)}


def read_files(folder, model):
    """Read all files with one and with two threads, alternately."""
    readers = {f"{n} thread{'s'[: n > 1]}": image_files(folder, n_jobs=n)[0] for n in (1, 2)}
    sides = {name: lambda X=X: [len(chunk) for chunk in X.chunks(2**24)] for name, X in readers.items()}
    seconds = take_turns(sides, 5)
    n_files = len(readers["1 thread"])
    return {
        "files_a_second": {
            name: spread([n_files / duration for duration in times], 0) for name, times in seconds.items()
        },
        "times_faster_with_2_threads": ratios(seconds, ours="2 threads")["1 thread"],
    }


def from_sparse(folder, model):
    """Train on a sparse matrix."""
    return fit_and_predict(sparse.load_npz(folder / "X.npz"), np.load(folder / "y.npy"), "mlp")


SIDES = {
    "memmap": {"memmap": from_memmap, "memory": from_memory},
    "files": {
        "files": from_files,
        f"{N_FEW_FILES} files": lambda folder, model: from_files(folder, model, N_FEW_FILES),
        "search": search_files,
        f"search, {N_FEW_FILES} files": lambda folder, model: search_files(folder, model, N_FEW_FILES),
        "reading": read_files,
    },
    "sparse": {"csr": from_sparse},
}
WRITERS = {"memmap": write_images, "files": write_files, "sparse": write_rows}


def main(argv=None):
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", choices=SIDES, default=list(SIDES), help="cases to run (default: all)")
    parser.add_argument("--rounds", type=int, default=1, help="number of rounds (default: 1)")
    parser.add_argument(
        "--images", type=int, default=1_000_000, help="number of images in the memory-mapped file (default: 1,000,000)"
    )
    parser.add_argument("--files", type=int, default=20_000, help="number of JPEG files (default: 20,000)")
    parser.add_argument(
        "--rows", type=int, default=10_000, help="number of rows of the sparse matrix (default: 10,000)"
    )
    parser.add_argument("--model", default="cnn", help="model for images (default: cnn)")
    parser.add_argument("--folder", type=Path, help="folder for temporary data (default: the system's)")
    parser.add_argument("--save", action="store_true", help="write the results to benchmarks.json")
    parser.add_argument(
        "--side", nargs=2, metavar=("CASE", "SIDE"), help="run one side in this process, on data in --folder"
    )
    arguments = parser.parse_args(argv)
    if arguments.side:
        case, side = arguments.side
        print(json.dumps(SIDES[case][side](arguments.folder, arguments.model)))
        return 0
    sizes = {"memmap": arguments.images, "files": arguments.files, "sparse": arguments.rows}
    result = {"rounds": arguments.rounds, "model": arguments.model}
    for case in arguments.cases:
        with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
            WRITERS[case](Path(folder), sizes[case])
            result[case] = {"rows": sizes[case], **run_sides(case, folder, arguments)}
    report("memory", result, arguments.save)
    return 0


def run_sides(case, folder, arguments):
    """Run each side of a case in a separate process, alternately, and return the results."""
    runs = {side: [] for side in SIDES[case]}
    for number in range(arguments.rounds):
        for side in reversed(runs) if number % 2 else runs:
            command = [sys.executable, __file__, "--side", case, side, "--folder", folder, "--model", arguments.model]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            runs[side].append(json.loads(done.stdout.splitlines()[-1]))
    result = {"runs": runs}
    if case == "memmap":
        result["throughput_relative_to_memory"] = {
            step: spread(
                [
                    mapped[step]["rows_a_second"] / in_memory[step]["rows_a_second"]
                    for mapped, in_memory in zip(*runs.values(), strict=True)
                ]
            )
            for step in ("fit", "predict")
        }
    return result


if __name__ == "__main__":
    sys.exit(main())
