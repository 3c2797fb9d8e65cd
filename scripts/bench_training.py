"""Compare the time of a fit of CNNClassifier with that of the bare ``keras.Model.fit`` loop.

    python scripts/bench_training.py                 # the default run of train_mnist.py, three times each
    python scripts/bench_training.py --rounds 5 --epochs 2

Both sides train the same network on the same images with the same batch size and number of epochs, in turn, in
one process. What counts is the ratio of each pair: absolute times depend on the machine and its other work.
"""

import argparse
import json
import os
import statistics
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up lines

import numpy as np

import kerasnet as kn


def main(argv=None):
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="pairs of fits that count (default: 3)")
    parser.add_argument("--epochs", type=int, default=6, help="default: 6")
    parser.add_argument("--batch-size", type=int, default=128, help="default: 128")
    parser.add_argument("--limit", type=int, help="train on so many images only")
    arguments = parser.parse_args(argv)

    X, y = kn.datasets.load_mnist(n_samples=arguments.limit, random_state=0, return_X_y=True)
    X_float = (X[..., np.newaxis] / 255).astype(np.float32)

    def fit_kerasnet():
        classifier = kn.CNNClassifier(
            epochs=arguments.epochs,
            batch_size=arguments.batch_size,
            learning_rate_schedule="cosine",
            random_state=0,
        )
        classifier.fit(X, y)

    def fit_keras():
        model = kn.build_cnn()
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        model.fit(X_float, y, batch_size=arguments.batch_size, epochs=arguments.epochs, verbose=0)

    pairs = compare(fit_kerasnet, fit_keras, arguments.rounds)
    ratios = [ours / theirs for ours, theirs in pairs]
    result = {
        "images": len(X),
        "epochs": arguments.epochs,
        "batch_size": arguments.batch_size,
        "kerasnet_seconds": [round(ours, 2) for ours, _ in pairs],
        "keras_seconds": [round(theirs, 2) for _, theirs in pairs],
        "ratio": {
            "median": round(statistics.median(ratios), 3),
            "min": round(min(ratios), 3),
            "max": round(max(ratios), 3),
        },
    }
    print(json.dumps(result, indent=2))
    return 0


def compare(first, second, rounds):
    """Time two functions in turn, after one round that does not count; return pairs of seconds."""
    pairs = []
    for round_number in range(rounds + 1):
        sides = [first, second] if round_number % 2 else [second, first]
        seconds = {side: timed(side) for side in sides}
        if round_number:
            pairs.append((seconds[first], seconds[second]))
    return pairs


def timed(function):
    """Return the seconds that a call takes."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
