"""Benchmark the speed of HOG against scikit-image, and the accuracy of features against pixels.

    python scripts/bench_features.py
    python scripts/bench_features.py --accuracy     # takes about 15 minutes more

Speed: 10,000 MNIST images, both libraries alternately, in one process with one thread. Accuracy: the full MNIST data
set. Hyperparameters are selected on 10,000 validation images; the model is then refitted on all 60,000 training images
and evaluated once on the test set.
"""

import argparse
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # suppress TensorFlow's start-up messages

import numpy as np
from _bench import ratios, report, spread, take_turns
from _recipes import FEATURES_RECIPE, RECIPES
from skimage.feature import hog as skimage_hog
from sklearn.model_selection import ParameterGrid, train_test_split
from sklearn.svm import LinearSVC

from kerasnet import KerasNetClassifier
from kerasnet.datasets import load_mnist
from kerasnet.features import SIFTTransformer, hog


def main(argv=None):
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="number of timed rounds (default: 5)")
    parser.add_argument("--limit", type=int, help="use only this number of images")
    parser.add_argument("--accuracy", action="store_true", help="also measure the accuracy of classifiers on MNIST")
    parser.add_argument("--save", action="store_true", help="write the results to benchmarks.json")
    arguments = parser.parse_args(argv)
    result = {"rounds": arguments.rounds, "speed": speed(arguments)}
    if arguments.accuracy:
        result["accuracy"] = accuracy(arguments.limit)
    report("features", result, arguments.save)
    return 0


def speed(arguments):
    """Time HOG on grayscale and color images of different dtypes."""
    gray = load_mnist("test").data[: arguments.limit]
    color = np.stack([gray, gray[::-1], np.roll(gray, 1, axis=0)], axis=-1)  # three different channels
    cases = {
        "gray, uint8": (gray, {}),
        "gray, float32": ((gray / 255).astype(np.float32), {}),
        "gray, float64": (gray / 255, {}),
        "color, uint8": (color, {}),
        "color, float32": ((color / 255).astype(np.float32), {}),
        "gray, uint8, cells of 4 x 4 pixels": (gray, {"pixels_per_cell": (4, 4)}),
    }
    return {"images": len(gray), "cases": {name: compare(*case, arguments.rounds) for name, case in cases.items()}}


def compare(images, parameters, rounds):
    """Compare both libraries on one set of images: times, ratio and largest difference of the features."""
    options = {"cells_per_block": (2, 2), "channel_axis": -1 if images.ndim == 4 else None, **parameters}
    features = {}

    def run_kerasnet():
        features["kerasnet"] = hog(images, **parameters)

    def run_skimage():
        features["scikit-image"] = np.array([skimage_hog(image, **options) for image in images])

    seconds = take_turns({"kerasnet": run_kerasnet, "scikit-image": run_skimage}, rounds)
    return {
        "seconds": {name: spread(times) for name, times in seconds.items()},
        "times_faster": ratios(seconds),
        "largest_difference": float(np.abs(features["kerasnet"] - features["scikit-image"]).max()),
    }


def accuracy(limit):
    """Evaluate classifiers on pixels and on features."""
    X, y = load_mnist(n_samples=limit, random_state=0, return_X_y=True)
    X_test, y_test = load_mnist("test", return_X_y=True)
    sets = {"pixels": [(images / 255).reshape(len(images), -1).astype(np.float32) for images in (X, X_test)]}
    feature_seconds = {}
    for orientations in (9, 12):
        parameters = {"orientations": orientations, "pixels_per_cell": (4, 4), "n_jobs": -1}
        with timed(feature_seconds, f"hog, {orientations} orientations"):
            sets[f"hog, {orientations} orientations"] = [hog(images, **parameters) for images in (X, X_test)]
    with timed(feature_seconds, "sift"):
        sift = SIFTTransformer(random_state=0, n_jobs=-1).fit(X)
        sets["sift"] = [sift.transform(images) for images in (X, X_test)]
    names = ("hog, 9 orientations", "sift", "pixels")
    sets["hog + sift + pixels"] = [np.hstack([sets[name][subset] for name in names]) for subset in (0, 1)]
    sets["images"] = [X, X_test]

    hogs = ["hog, 9 orientations", "hog, 12 orientations"]
    mlp_grid = {"dense_units": [(256,), (512,)]}
    rows = [
        ("linear SVM", svm, {"features": ["pixels"], "C": [0.01, 0.1]}),
        ("linear SVM", svm, {"features": hogs, "C": [0.1, 0.3, 1.0]}),
        ("linear SVM", svm, {"features": ["sift"], "C": [0.3, 1.0, 3.0]}),
        ("linear SVM", svm, {"features": ["hog + sift + pixels"], "C": [0.1]}),
        ("mlp", mlp, {"features": ["pixels"], **mlp_grid}),
        ("mlp", mlp, {"features": hogs, **mlp_grid}),
        ("mlp", mlp, {"features": ["sift"], **mlp_grid}),
        ("mlp", mlp, {"features": ["hog + sift + pixels"], "dense_units": [(512,)]}),
        ("cnn", cnn, {"features": ["images"]}),
    ]
    train, validation = train_test_split(np.arange(len(X)), test_size=1 / 6, stratify=y, random_state=0)
    results = []
    for name, make_classifier, grid in rows:
        scores = []
        for candidate in ParameterGrid(grid):
            parameters = dict(candidate)
            features, _ = sets[parameters.pop("features")]
            scores.append(
                make_classifier(**parameters).fit(features[train], y[train]).score(features[validation], y[validation])
            )
        best = dict(list(ParameterGrid(grid))[int(np.argmax(scores))])
        chosen = best.pop("features")
        features, features_test = sets[chosen]
        started = time.perf_counter()
        classifier = make_classifier(**best).fit(features, y)
        results.append(
            {
                "features": chosen,
                "classifier": name,
                "parameters": best,
                "validation_accuracy": max(scores),
                "test_accuracy": classifier.score(features_test, y_test),
                "seconds_of_features": feature_seconds.get(chosen),
                "seconds_of_training": round(time.perf_counter() - started, 1),
            }
        )
        print(results[-1], file=sys.stderr, flush=True)
    return results


class timed:
    """Context manager that stores the duration of its block, in seconds."""

    def __init__(self, seconds, name):
        self.seconds, self.name = seconds, name

    def __enter__(self):
        self.started = time.perf_counter()

    def __exit__(self, *_):
        self.seconds[self.name] = round(time.perf_counter() - self.started, 1)


def svm(C):
    """Return a linear SVM."""
    return LinearSVC(C=C, random_state=0)


def mlp(dense_units):
    """Return the MLP of `train_mnist.py --features`."""
    recipe = {**FEATURES_RECIPE, "dense_units": dense_units, "learning_rate_schedule": "cosine", "random_state": 0}
    return KerasNetClassifier("mlp", **recipe)


def cnn():
    """Return the CNN of `train_mnist.py`."""
    return KerasNetClassifier("cnn", **RECIPES["cnn", "mnist"], learning_rate_schedule="cosine", random_state=0)


if __name__ == "__main__":
    sys.exit(main())
