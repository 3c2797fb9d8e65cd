"""Compare how long LeNet takes from nothing to 99 % of the MNIST test images: kerasnet's recipe, and bare Keras.

    python scripts/bench_to_accuracy.py --save

kerasnet trains by the recipe of train_mnist.py, shortened to `--epochs`; Keras' side is ``keras.Model.fit`` with its
defaults (Adam at 0.001, batches of 32), the same network without augmentation, epoch by epoch until it is there. Both
compile anew in each round, and take turns in one process. Seeds differ from round to round.
"""

import argparse
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up lines

import keras
import numpy as np
from _bench import report, spread
from _recipes import RECIPES, SCHEDULE

import kerasnet as kn

TARGET = 0.99
MOST_EPOCHS = 12


def main(argv=None):
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="pairs of trainings (default: 3)")
    parser.add_argument("--epochs", type=int, default=4, help="of kerasnet's side (default: 4)")
    parser.add_argument("--limit", type=int, help="train on so many images only")
    parser.add_argument("--save", action="store_true", help="keep the results for the README")
    arguments = parser.parse_args(argv)

    train = kn.datasets.load_mnist(n_samples=arguments.limit, random_state=0, return_X_y=True)
    test = kn.datasets.load_mnist("test", return_X_y=True)
    runs = {"kerasnet": [], "keras": []}
    for seed in range(arguments.rounds):
        for side in ("kerasnet", "keras") if seed % 2 else ("keras", "kerasnet"):
            started = time.perf_counter()
            ours = side == "kerasnet"
            run = by_kerasnet(train, test, arguments.epochs, seed) if ours else by_keras(train, test, seed)
            runs[side].append({**run, "seconds": round(time.perf_counter() - started, 2)})
    pairs = zip(runs["keras"], runs["kerasnet"], strict=True)
    result = {
        "target": TARGET,
        "epochs": arguments.epochs,
        "runs": runs,
        "times_faster": {"keras": spread([theirs["seconds"] / ours["seconds"] for theirs, ours in pairs])},
    }
    report("to_accuracy", result, arguments.save)
    return 0


def by_kerasnet(train, test, epochs, seed):
    """Train by the recipe; evaluation included."""
    kn.training.clear_cache()
    settings = {**RECIPES["lenet", "mnist"], "epochs": epochs, "learning_rate_schedule": SCHEDULE, "random_state": seed}
    classifier = kn.KerasNetClassifier("lenet", **settings).fit(*train)
    return {"epochs": epochs, "accuracy": classifier.score(*test)}


def by_keras(train, test, seed):
    """Train until the target is reached; evaluation after each epoch included."""
    keras.utils.set_random_seed(seed)
    (X, y), (X_test, y_test) = (((images / np.float32(255))[..., None], labels) for images, labels in (train, test))
    model = kn.build_lenet()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    accuracy = epochs = 0
    while accuracy < TARGET and epochs < MOST_EPOCHS:
        model.fit(X, y, verbose=0)
        accuracy, epochs = float(model.evaluate(X_test, y_test, verbose=0)[1]), epochs + 1
    return {"epochs": epochs, "accuracy": accuracy}


if __name__ == "__main__":
    sys.exit(main())
