"""Compare the time of predictions with that of SciKeras and of the bare ``keras.Model.predict``.

    python scripts/bench_predict.py

All sides predict the same images by the document's CNN, in turn, in one process: one image twenty times in a row, or
10,000 at once.
"""

import argparse
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up lines

import numpy as np
from _bench import ratios, report, spread, take_turns
from scikeras.wrappers import KerasClassifier

import kerasnet as kn


def build_compiled():
    """Build the document's CNN as SciKeras takes it."""
    model = kn.build_cnn()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main(argv=None):
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20, help="rounds that count (default: 20)")
    parser.add_argument("--save", action="store_true", help="keep the results for the README's table")
    arguments = parser.parse_args(argv)

    X, y = kn.datasets.load_mnist("test", return_X_y=True)
    X = (X[..., np.newaxis] / 255).astype(np.float32)
    ours = kn.CNNClassifier(epochs=1, random_state=0).fit(X[:1000], y[:1000])
    scikeras = KerasClassifier(build_compiled, epochs=1, verbose=0).fit(X[:1000], y[:1000])
    result = {"rounds": arguments.rounds, "images": {}}
    for n_images, n_calls in ((1, 20), (10_000, 1)):
        part = X[:n_images]
        sides = {
            "kerasnet": lambda part=part: ours.predict_proba(part),
            "scikeras": lambda part=part: scikeras.predict_proba(part),
            "keras": lambda part=part: ours.model_.predict(part, verbose=0),
        }
        calls = {name: lambda call=call, n=n_calls: [call() for _ in range(n)] for name, call in sides.items()}
        seconds = take_turns(calls, arguments.rounds)
        result["images"][str(n_images)] = {
            "milliseconds_a_call": {
                name: spread([1000 * each / n_calls for each in times]) for name, times in seconds.items()
            },
            "times_faster": ratios(seconds),
        }
    report("predict", result, arguments.save)
    return 0


if __name__ == "__main__":
    sys.exit(main())
