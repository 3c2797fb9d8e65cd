"""Benchmark predictions against SciKeras and ``keras.Model.predict``.

    python scripts/bench_predict.py

All libraries predict the same images with the default CNN, alternately, in one process: 20 calls with one image, or one
call with 10,000 images.
"""

import argparse
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # suppress TensorFlow's start-up messages

import numpy as np
from _bench import ratios, report, spread, take_turns
from scikeras.wrappers import KerasClassifier

import kerasnet as kn


def build_compiled():
    """Build and compile the default CNN for SciKeras."""
    model = kn.build_cnn()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main(argv=None):
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20, help="number of timed rounds (default: 20)")
    parser.add_argument("--save", action="store_true", help="write the results to benchmarks.json")
    arguments = parser.parse_args(argv)

    X, y = kn.datasets.load_mnist("test", return_X_y=True)
    X = (X[..., np.newaxis] / 255).astype(np.float32)
    kerasnet_classifier = kn.CNNClassifier(epochs=1, random_state=0).fit(X[:1000], y[:1000])
    scikeras_classifier = KerasClassifier(build_compiled, epochs=1, verbose=0).fit(X[:1000], y[:1000])
    result = {"rounds": arguments.rounds, "images": {}}
    for n_images, n_calls in ((1, 20), (10_000, 1)):
        part = X[:n_images]
        sides = {
            "kerasnet": lambda part=part: kerasnet_classifier.predict_proba(part),
            "scikeras": lambda part=part: scikeras_classifier.predict_proba(part),
            "keras": lambda part=part: kerasnet_classifier.model_.predict(part, verbose=0),
        }
        calls = {name: lambda call=call, n=n_calls: [call() for _ in range(n)] for name, call in sides.items()}
        seconds = take_turns(calls, arguments.rounds)
        result["images"][str(n_images)] = {
            "milliseconds_a_call": {
                name: spread([1000 * duration / n_calls for duration in times]) for name, times in seconds.items()
            },
            "times_faster": ratios(seconds),
        }
    report("predict", result, arguments.save)
    return 0


if __name__ == "__main__":
    sys.exit(main())
