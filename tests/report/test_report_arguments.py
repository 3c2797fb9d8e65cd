"""Arguments of reports: names, paths and errors."""

import re

import keras
import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import LocalOutlierFactor
from sklearn.preprocessing import StandardScaler

import kerasnet as kn

NAMES = ["<script>alert(1)</script>", "x" * 300, "שלום $a$ 猫 \x00\ud800", ""]


def test_class_names_may_be_anything(report):
    X, y = np.eye(4).repeat(3, axis=0), np.arange(4).repeat(3)
    model = DummyClassifier(strategy="stratified", random_state=0).fit(X, y)
    page = report(model, X, y, title="<b>title</b> & more", class_names=NAMES)
    assert "<script" not in kn.make_report(model, X, y, "report.html", class_names=NAMES).read_text()
    assert "<title><b>title</b> & more</title>" in page
    assert "(empty)" in page
    assert "שלום $a$ 猫 \N{REPLACEMENT CHARACTER}?" in page


def test_invalid_arguments(report, iris, tmp_path):
    X, y = iris
    model = LogisticRegression().fit(X, y)
    with pytest.raises(NotFittedError):
        report(LogisticRegression(), X, y)
    with pytest.raises(TypeError, match=r"must be a fitted classifier, regressor.* Received: StandardScaler"):
        report(StandardScaler().fit(X), X)
    with pytest.raises(ValueError, match="classification model requires the targets y"):
        report(model, X)
    with pytest.raises(ValueError, match=r"same number of samples. Received: 150 samples in X and 149 in y"):
        report(model, X, y[:-1])
    with pytest.raises(ValueError, match=r"y contains classes that LogisticRegression was not fitted on: \[7\]"):
        report(model, X, np.where(y == 0, 7, y))
    with pytest.raises(ValueError, match="one class label per sample.* Received: continuous-multioutput y of shape"):
        report(model, X, X)
    with pytest.raises(ValueError, match="Received: an empty X"):
        report(model, X[:0], y[:0])
    with pytest.raises(ValueError, match=r"class_names must name all 3 classes.* Received: 2 names"):
        report(model, X, y, class_names=["a", "b"])
    for names in ({1: "b", 0: "a", 2: "c"}, "abc", {"a", "b", "c"}, 3):
        with pytest.raises(TypeError, match="class_names must be a sequence of names in the order of classes_"):
            report(model, X, y, class_names=names)
    with pytest.raises(
        ValueError, match=r"images must have the shape \(150, height, width\).*Received: shape \(150, 4\)"
    ):
        report(model, X, y, images=X)
    for given, message in ((5, "X must be array-like"), (np.float64(5), "X must be array-like"), ("abc", "X must be")):
        with pytest.raises(TypeError, match=message):
            report(model, given, y)
    with pytest.raises(TypeError, match=r"y must be array-like, with one entry per sample. Received: 5"):
        report(model, X, 5)
    with pytest.raises(ValueError, match=r"images must have the shape .* Received: shape \(\)"):
        report(model, X, y, images=5)
    with pytest.raises(TypeError, match=r"Received: Sequential. For a Keras model, use KerasNetClassifier.from_keras"):
        report(keras.Sequential(), X, y)
    with pytest.raises(ValueError, match=r"one class label per sample. Received: missing labels in rows \[3\]"):
        report(model, X, [*"abc", None, *"d" * 146])
    with pytest.raises(TypeError, match="LocalOutlierFactor has them with novelty=True"):
        report(LocalOutlierFactor().fit(X), X)
    search = GridSearchCV(model, {"C": [1]}, cv=2, refit=False).fit(X, y)
    with pytest.raises(ValueError, match="Expected a search with a refitted estimator. Received: GridSearchCV"):
        report(search, X, y)


class Unused(DummyClassifier):
    """Classifier that must not be used."""

    def predict(self, X):
        raise AssertionError("evaluated")


def test_paths_are_checked_before_the_evaluation(iris, tmp_path, monkeypatch):
    X, y = iris
    model = Unused().fit(X, y)
    (tmp_path / "link").symlink_to(tmp_path / "gone" / "report.html")
    for path, error in (("missing/report.html", FileNotFoundError), ("link", FileNotFoundError), (".", OSError)):
        with pytest.raises(error, match=re.escape(f"{path}: ")):
            kn.make_report(model, X, y, path)
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may write to any folder
    with pytest.raises(PermissionError, match="report.html: the folder is not writable"):
        kn.make_report(model, X, y)
    assert [path.name for path in tmp_path.iterdir()] == ["link"]


def test_existing_report_stays_if_the_new_one_fails(iris, tmp_path):
    X, y = iris
    (tmp_path / "report.html").write_text("old")
    with pytest.raises(ValueError, match="same number"):
        kn.make_report(LogisticRegression().fit(X, y), X, y[1:], tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text() == "old"
