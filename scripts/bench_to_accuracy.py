"""Benchmark the training time of LeNet up to 99 % test accuracy on MNIST against ``keras.Model.fit``.

    python scripts/bench_to_accuracy.py --save

kerasnet uses the training recipe of train_mnist.py with `--epochs` epochs. Keras trains the same network with default
settings (Adam with learning rate 0.001, batch size 32, no data augmentation) until the target is reached. Both run
alternately in one process and compile in each round. Each round has another seed.
"""

import argparse
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # suppress TensorFlow's start-up messages

import keras
import numpy as np
from _bench import report, spread
from _recipes import RECIPES, SCHEDULE

import kerasnet as kn

TARGET = 0.99
MAX_EPOCHS = 12


def main(argv=None):
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="number of timed rounds (default: 3)")
    parser.add_argument("--epochs", type=int, default=4, help="epochs of kerasnet (default: 4)")
    parser.add_argument("--limit", type=int, help="use only this number of training images")
    parser.add_argument("--save", action="store_true", help="write the results to benchmarks.json")
    arguments = parser.parse_args(argv)

    train = kn.datasets.load_mnist(n_samples=arguments.limit, random_state=0, return_X_y=True)
    test = kn.datasets.load_mnist("test", return_X_y=True)
    runs = {"kerasnet": [], "keras": []}
    for seed in range(arguments.rounds):
        for side in ("kerasnet", "keras") if seed % 2 else ("keras", "kerasnet"):
            started = time.perf_counter()
            if side == "kerasnet":
                run = train_kerasnet(train, test, arguments.epochs, seed)
            else:
                run = train_keras(train, test, seed)
            runs[side].append({**run, "seconds": round(time.perf_counter() - started, 2)})
    pairs = zip(runs["keras"], runs["kerasnet"], strict=True)
    result = {
        "target": TARGET,
        "epochs": arguments.epochs,
        "runs": runs,
        "times_faster": {
            "keras": spread([keras_run["seconds"] / kerasnet_run["seconds"] for keras_run, kerasnet_run in pairs])
        },
    }
    report("to_accuracy", result, arguments.save)
    return 0


def train_kerasnet(train, test, epochs, seed):
    """Train with the recipe and evaluate."""
    kn.training.clear_cache()
    settings = {**RECIPES["lenet", "mnist"], "epochs": epochs, "learning_rate_schedule": SCHEDULE, "random_state": seed}
    classifier = kn.KerasNetClassifier("lenet", **settings).fit(*train)
    return {"epochs": epochs, "accuracy": classifier.score(*test)}


def train_keras(train, test, seed):
    """Train until the target is reached, with evaluation after each epoch."""
    keras.utils.set_random_seed(seed)
    (X, y), (X_test, y_test) = (((images / np.float32(255))[..., None], labels) for images, labels in (train, test))
    model = kn.build_lenet()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    accuracy = epochs = 0
    while accuracy < TARGET and epochs < MAX_EPOCHS:
        model.fit(X, y, verbose=0)
        accuracy, epochs = float(model.evaluate(X_test, y_test, verbose=0)[1]), epochs + 1
    return {"epochs": epochs, "accuracy": accuracy}


if __name__ == "__main__":
    sys.exit(main())
