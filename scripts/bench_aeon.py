"""Benchmark fits of InceptionTime's network against aeon, which runs in an environment of its own.

    python -m venv aeon && aeon/bin/pip install aeon tensorflow
    python scripts/bench_aeon.py --python aeon/bin/python --data GunPoint_TRAIN.ts
    python scripts/bench_aeon.py --python aeon/bin/python --data GunPoint_TRAIN.ts --batch-size 16

Both train the same architecture (six modules of 32 filters) on the same series with the same batch size, optimizer and
number of epochs. Each fit runs in a process of its own, alternately. It includes compilation, but no imports. aeon also
reduces the learning rate on plateaus and saves the best epoch; kerasnet does so with the callbacks of Keras.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from _bench import ratios, report, spread

import kerasnet as kn

HEADER = """
import os, sys, time
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy as np
path, epochs, batch_size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with np.load(path) as data:
    X, y = data["X"], data["y"]
"""
FITS = {
    "kerasnet": """
from keras.callbacks import EarlyStopping, ReduceLROnPlateau
import kerasnet as kn
import tensorflow
callbacks = [ReduceLROnPlateau("loss", factor=0.5, patience=50, min_lr=1e-4),
             EarlyStopping("loss", patience=epochs, restore_best_weights=True)]
settings = {"epochs": epochs, "batch_size": batch_size, "callbacks": callbacks, "random_state": 0}
model = kn.KerasNetClassifier("inception_time", **settings)
""",
    "aeon": """
import tempfile
import tensorflow
from aeon.classification.deep_learning import IndividualInceptionClassifier
X = X.transpose(0, 2, 1)
folder = tempfile.mkdtemp()
model = IndividualInceptionClassifier(n_epochs=epochs, batch_size=batch_size, random_state=0, file_path=folder + "/")
""",
}
FOOTER = """
started = time.perf_counter()
model.fit(X, y)
print(time.perf_counter() - started)
"""


def main(argv=None):
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", required=True, metavar="PATH", help="Python with aeon and TensorFlow")
    parser.add_argument("--data", required=True, type=Path, metavar="FILE", help="training data in the format .ts")
    parser.add_argument("--epochs", type=int, default=100, help="number of epochs of each fit (default: 100)")
    parser.add_argument("--batch-size", type=int, default=64, help="batch size (default: 64, the default of aeon)")
    parser.add_argument("--rounds", type=int, default=3, help="number of rounds (default: 3)")
    parser.add_argument("--save", action="store_true", help="write the results to benchmarks.json")
    arguments = parser.parse_args(argv)

    X, y = kn.datasets.load_ucr(arguments.data, return_X_y=True)
    pythons = {"kerasnet": sys.executable, "aeon": arguments.python}
    seconds = {name: [] for name in FITS}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.npz"
        np.savez(path, X=X, y=y.astype(str))
        for number in range(arguments.rounds):
            for name in list(FITS) if number % 2 else reversed(FITS):
                command = [pythons[name], "-c", HEADER + FITS[name] + FOOTER, path]
                command += [str(arguments.epochs), str(arguments.batch_size)]
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                seconds[name].append(float(done.stdout.split()[-1]))
    result = {
        "data": arguments.data.stem,
        "n_samples": len(X),
        "epochs": arguments.epochs,
        "batch_size": arguments.batch_size,
        "seconds": {name: spread(values) for name, values in seconds.items()},
        "times_faster": ratios(seconds),
    }
    report("aeon", result, arguments.save)
    return 0


if __name__ == "__main__":
    sys.exit(main())
