"""The HTML representation of a fitted estimator summarizes its fit."""

import re

import numpy as np
import pytest
from _browser import needs_chromium, open_page
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr

from kerasnet import AutoencoderOutlierDetector, KerasNetClassifier
from kerasnet._fit_summary import fit_summary


@pytest.fixture(scope="module")
def fitted(digits):
    X, y = digits[0][:100].reshape(-1, 64), digits[1][:100]
    classifier = KerasNetClassifier("mlp", dense_units=(8,), epochs=3, early_stopping=True, random_state=0)
    return make_pipeline(StandardScaler(), classifier).fit(X, y)


def points_of(text):
    return [
        np.array([point.split(",") for point in points.split()], float)
        for points in re.findall(r'points="([^"]+)"', text)
    ]


def test_summary_of_a_fit(fitted):
    history = fitted[-1].history_
    for estimator in (fitted[-1], fitted):
        text = estimator_html_repr(estimator)
        assert text.count('class="kerasnet-fit"') == 1
        assert "Fit: 3 epochs" in text
        assert f"</span> {history['loss'][0]:.4g} → {history['loss'][-1]:.4g}" in text
        training, validation = points_of(text)
        for points, name in ((training, "loss"), (validation, "val_loss")):
            assert len(points) == 3
            np.testing.assert_array_equal(np.argsort(points[:, 1]), np.argsort(history[name])[::-1])


def test_estimators_without_a_fit_have_no_summary(fitted):
    for estimator in (clone(fitted), clone(fitted[-1]), KerasNetClassifier.from_pretrained("lenet", "mnist")):
        assert "kerasnet-fit" not in estimator_html_repr(estimator)


def test_summary_of_an_outlier_detector(digits):
    detector = AutoencoderOutlierDetector(epochs=2, random_state=0)
    assert "kerasnet-fit" not in estimator_html_repr(detector)
    assert "Fit: 2 epochs" in estimator_html_repr(detector.fit(digits[0][:50]))


def test_names_are_escaped():
    text = fit_summary({"loss": [0.5], "<script>alert(1)</script>": [1.0]})
    assert "&lt;script&gt;" in text
    assert "<script" not in text
    assert "Fit: 1 epoch, <span>loss</span> 0.5" in text


@pytest.mark.parametrize(
    "history", [None, "loss", {}, {"loss": []}, {"loss": None}, {"loss": [None]}, {"loss": ["<b>"]}, {"accuracy": [1]}]
)
def test_unusable_histories_have_no_summary(history):
    assert fit_summary(history) == ""


def test_values_that_are_not_finite_are_not_drawn():
    nan, infinity = float("nan"), float("inf")
    (points,) = points_of(fit_summary({"loss": [3.0, nan, 1.0, infinity, 1.0]}))
    assert [x > 0 for x, _ in points] == [True] * 3
    assert "svg" not in fit_summary({"loss": [nan, nan]})
    constant = points_of(fit_summary({"loss": [2, 2]}))
    assert np.isfinite(constant).all()


def test_long_histories_are_thinned():
    (points,) = points_of(fit_summary({"loss": list(range(100_000))}))
    assert len(points) <= 202
    assert points[-1][0] == 156


@needs_chromium
def test_summary_in_a_narrow_dark_page(browser, fitted, tmp_path):
    page_file = tmp_path / "page.html"
    head = '<!doctype html><meta charset="utf-8"><title>fit</title><style>:root{color-scheme: light dark}</style>'
    page_file.write_text(head + estimator_html_repr(fitted[-1]))
    with open_page(browser, page_file.as_uri(), width=400, color_scheme="dark") as page:
        assert page.locator(".kerasnet-fit svg").get_attribute("aria-label").startswith("Curve of loss and val_loss")
        box = page.locator(".kerasnet-fit").bounding_box()
        assert box["height"] > 40
        assert box["x"] + box["width"] <= 400
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
