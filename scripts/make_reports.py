"""Write a report of each kind of estimator: a regressor, an autoencoder, an outlier detector, a forest and a backbone.

python scripts/make_reports.py reports/

The report of a classifier of MNIST is written by ``train_mnist.py``.
"""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # suppress TensorFlow's start-up messages

import cv2
import numpy as np
from sklearn.datasets import load_diabetes, load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import kerasnet as kn

PARTS = (("train", 2000), ("test", 500))
COLORS = {"circle": (220, 60, 60), "square": (60, 200, 60), "triangle": (70, 80, 220)}


def main(argv=None):
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="folder for the HTML files")
    parser.add_argument("--only", choices=REPORTS, metavar="NAME", help=f"write only one of {', '.join(REPORTS)}")
    arguments = parser.parse_args(argv)
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name, make in REPORTS.items():
        if arguments.only in (None, name):
            print(make(arguments.folder / f"{name}.html"), flush=True)
    return 0


def report_regressor(path):
    """Report a dense network on a table."""
    data = load_diabetes(as_frame=True, scaled=False)
    X_train, X_test, y_train, y_test = train_test_split(data.data, data.target, random_state=0)
    network = kn.KerasNetRegressor("mlp", epochs=60, early_stopping=True, random_state=0)
    regressor = make_pipeline(StandardScaler(), network).fit(X_train, y_train)
    return kn.make_report(regressor, X_test, y_test, path, title="Diabetes progression")


def report_autoencoder(path):
    """Report the pretrained autoencoder on the test images of MNIST."""
    test = kn.datasets.load_mnist("test")
    X = test.data.reshape(len(test.data), -1)
    autoencoder = kn.Autoencoder.from_pretrained("autoencoder", "mnist")
    return kn.make_report(autoencoder, X, test.target, path, title="Autoencoder of MNIST", images=test.data)


def report_outliers(path):
    """Report an outlier detector of digits on digits, inverted digits and shuffled digits."""
    train, test = (
        kn.datasets.load_mnist(n_samples=2000, random_state=0),
        kn.datasets.load_mnist("test", n_samples=500, random_state=0),
    )
    detector = kn.AutoencoderOutlierDetector(contamination=0.02, epochs=20, random_state=0).fit(train.data)
    outliers = 255 - test.data[:25]
    outliers = np.concatenate([outliers, np.random.default_rng(0).permuted(test.data[25:50], axis=1)])
    X, y = np.concatenate([test.data, outliers]), np.repeat([1, -1], [len(test.data), len(outliers)])
    return kn.make_report(detector, X, y, path, title="Digits among inverted and shuffled images")


def report_forest(path):
    """Report a grid search over a forest of scikit-learn."""
    wine = load_wine(as_frame=True)
    X_train, X_test, y_train, y_test = train_test_split(wine.data, wine.target, test_size=0.5, random_state=0)
    grid = {"max_depth": [1, 2, None], "n_estimators": [10, 100]}
    search = GridSearchCV(RandomForestClassifier(random_state=0), grid).fit(X_train, y_train)
    return kn.make_report(search, X_test, y_test, path, title="Wine", class_names=wine.target_names)


def report_backbone(path):
    """Report a classifier on features of a backbone, on drawn shapes of three classes."""
    X, y = draw_shapes(300, np.random.default_rng(0))
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)
    features = kn.BackboneFeatures("mobilenet_v2", weights=None, layer="block_3_expand_relu", random_state=0)
    classifier = make_pipeline(features, StandardScaler(), LogisticRegression(max_iter=1000))
    return kn.make_report(classifier.fit(X_train, y_train), X_test, y_test, path, title="Shapes")


def draw_shapes(n, rng):
    """Return color images of circles, squares and triangles on noise, and their class names."""
    kinds = np.array(list(COLORS))[np.arange(n) % 3]
    images = rng.integers(0, 120, (n, 64, 64, 3), dtype=np.uint8)
    for image, kind in zip(images, kinds, strict=True):
        (x, y), radius = rng.integers(22, 43, 2).tolist(), int(rng.integers(8, 20))
        color = np.clip(COLORS[kind] + rng.integers(-90, 91, 3), 0, 255).tolist()
        if kind == "circle":
            cv2.circle(image, (x, y), radius, color, -1)
        elif kind == "square":
            cv2.rectangle(image, (x - radius, y - radius), (x + radius, y + radius), color, -1)
        else:
            corners = [(x, y - radius), (x - radius, y + radius), (x + radius, y + radius)]
            cv2.fillPoly(image, [np.array(corners)], color)
    return images, kinds


REPORTS = {
    "regressor": report_regressor,
    "autoencoder": report_autoencoder,
    "outliers": report_outliers,
    "forest": report_forest,
    "backbone": report_backbone,
}

if __name__ == "__main__":
    sys.exit(main())
