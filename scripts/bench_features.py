"""Compare HOG with scikit-image's, image by image, and the accuracy of features with that of pixels.

    python scripts/bench_features.py
    python scripts/bench_features.py --accuracy     # a quarter of an hour more

Speed: 10,000 MNIST images, both sides in turn, in one process, on one thread. Accuracy: the whole of MNIST; parameters
are chosen on 10,000 of the training images, then all 60,000 are learned from and the test images are looked at once.
"""

import argparse
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up lines

import numpy as np
from _bench import ratios, report, spread, take_turns
from skimage.feature import hog as skimage_hog
from sklearn.model_selection import ParameterGrid, train_test_split
from sklearn.svm import LinearSVC
from train_mnist import FEATURES_RECIPE, RECIPES

from kerasnet import KerasNetClassifier
from kerasnet.datasets import load_mnist
from kerasnet.features import SIFTTransformer, hog


def main(argv=None):
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="rounds that count (default: 5)")
    parser.add_argument("--limit", type=int, help="a part of the images only")
    parser.add_argument("--accuracy", action="store_true", help="learn from all of MNIST as well")
    parser.add_argument("--save", action="store_true", help="keep the results for the README's tables")
    arguments = parser.parse_args(argv)
    result = {"rounds": arguments.rounds, "speed": speed(arguments)}
    if arguments.accuracy:
        result["accuracy"] = accuracy(arguments.limit)
    report("features", result, arguments.save)
    return 0


def speed(arguments):
    """Time HOG of grey and colour images, bytes and floats."""
    grey = load_mnist("test").data[: arguments.limit]
    colour = np.stack([grey, grey[::-1], np.roll(grey, 1, axis=0)], axis=-1)  # three different channels
    cases = {
        "grey, uint8": (grey, {}),
        "grey, float32": ((grey / 255).astype(np.float32), {}),
        "grey, float64": (grey / 255, {}),
        "colour, uint8": (colour, {}),
        "colour, float32": ((colour / 255).astype(np.float32), {}),
        "grey, uint8, cells of 4 x 4 pixels": (grey, {"pixels_per_cell": (4, 4)}),
    }
    return {"images": len(grey), "cases": {name: compare(*case, arguments.rounds) for name, case in cases.items()}}


def compare(images, parameters, rounds):
    """Compare one kind of images; say how far the features lie apart, too."""
    options = {"cells_per_block": (2, 2), "channel_axis": -1 if images.ndim == 4 else None, **parameters}
    made = {}

    def ours():
        made["kerasnet"] = hog(images, **parameters)

    def theirs():
        made["scikit-image"] = np.array([skimage_hog(image, **options) for image in images])

    seconds = take_turns({"kerasnet": ours, "scikit-image": theirs}, rounds)
    return {
        "seconds": {name: spread(times) for name, times in seconds.items()},
        "times_faster": ratios(seconds),
        "largest_difference": float(np.abs(made["kerasnet"] - made["scikit-image"]).max()),
    }


def accuracy(limit):
    """Learn from pixels and from features."""
    X, y = load_mnist(n_samples=limit, random_state=0, return_X_y=True)
    X_test, y_test = load_mnist("test", return_X_y=True)
    sets, making = {"pixels": [(each / 255).reshape(len(each), -1).astype(np.float32) for each in (X, X_test)]}, {}
    for orientations in (9, 12):
        parameters = {"orientations": orientations, "pixels_per_cell": (4, 4), "n_jobs": -1}
        with timed(making, f"hog, {orientations} orientations"):
            sets[f"hog, {orientations} orientations"] = [hog(each, **parameters) for each in (X, X_test)]
    with timed(making, "sift"):
        sift = SIFTTransformer(random_state=0, n_jobs=-1).fit(X)
        sets["sift"] = [sift.transform(each) for each in (X, X_test)]
    parts = ("hog, 9 orientations", "sift", "pixels")
    sets["hog + sift + pixels"] = [np.hstack([sets[part][side] for part in parts]) for side in (0, 1)]
    sets["images"] = [X, X_test]

    hogs = ["hog, 9 orientations", "hog, 12 orientations"]
    several = {"dense_units": [(256,), (512,)]}
    rows = [
        ("linear SVM", svm, {"features": ["pixels"], "C": [0.01, 0.1]}),
        ("linear SVM", svm, {"features": hogs, "C": [0.1, 0.3, 1.0]}),
        ("linear SVM", svm, {"features": ["sift"], "C": [0.3, 1.0, 3.0]}),
        ("linear SVM", svm, {"features": ["hog + sift + pixels"], "C": [0.1]}),
        ("mlp", mlp, {"features": ["pixels"], **several}),
        ("mlp", mlp, {"features": hogs, **several}),
        ("mlp", mlp, {"features": ["sift"], **several}),
        ("mlp", mlp, {"features": ["hog + sift + pixels"], "dense_units": [(512,)]}),
        ("cnn", cnn, {"features": ["images"]}),
    ]
    train, validation = train_test_split(np.arange(len(X)), test_size=1 / 6, stratify=y, random_state=0)
    results = []
    for name, make, grid in rows:
        scores = []
        for candidate in ParameterGrid(grid):
            parameters = dict(candidate)
            features, _ = sets[parameters.pop("features")]
            scores.append(make(**parameters).fit(features[train], y[train]).score(features[validation], y[validation]))
        best = dict(list(ParameterGrid(grid))[int(np.argmax(scores))])
        chosen = best.pop("features")
        features, features_test = sets[chosen]
        started = time.perf_counter()
        classifier = make(**best).fit(features, y)
        results.append(
            {
                "features": chosen,
                "classifier": name,
                "parameters": best,
                "validation_accuracy": max(scores),
                "test_accuracy": classifier.score(features_test, y_test),
                "seconds_of_features": making.get(chosen),
                "seconds_of_training": round(time.perf_counter() - started, 1),
            }
        )
        print(results[-1], file=sys.stderr, flush=True)
    return results


class timed:
    """Note the seconds that a block takes."""

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
    """Return the network of `train_mnist.py --features`."""
    recipe = {**FEATURES_RECIPE, "dense_units": dense_units, "learning_rate_schedule": "cosine", "random_state": 0}
    return KerasNetClassifier("mlp", **recipe)


def cnn():
    """Return the network of `train_mnist.py`."""
    return KerasNetClassifier("cnn", **RECIPES["cnn", "mnist"], learning_rate_schedule="cosine", random_state=0)


if __name__ == "__main__":
    sys.exit(main())
