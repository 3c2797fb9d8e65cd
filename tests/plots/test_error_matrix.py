"""ErrorMatrixDisplay: numbers equal scikit-learn's, and colors show errors only."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.metrics import confusion_matrix
from sklearn.tree import DecisionTreeClassifier

from kerasnet.plots import ErrorMatrixDisplay


def test_shares_are_those_of_the_normalized_confusion_matrix_without_the_diagonal(iris):
    X, y = iris
    model = DecisionTreeClassifier(max_depth=1, random_state=0).fit(X, y)
    display = ErrorMatrixDisplay.from_estimator(model, X, y, display_labels=["$a$", "b", "c"])
    expected = confusion_matrix(y, model.predict(X), normalize="true")
    np.fill_diagonal(expected, np.nan)
    np.testing.assert_allclose(display.shares, expected)
    np.testing.assert_array_equal(display.confusion_matrix, confusion_matrix(y, model.predict(X)))
    colors = display.im_.to_rgba(display.im_.get_array())
    assert np.ptp(colors[[0, 1, 2], [0, 1, 2]], axis=0).max() == 0, "the diagonal has one color"
    wrong = np.unravel_index(np.nanargmax(expected), expected.shape)
    assert colors[wrong][3] == max(colors[..., 3].ravel()) > colors[0, 1][3] == 0
    assert [label.get_text() for label in display.ax_.get_xticklabels()] == ["$a$", "b", "c"]
    assert not display.ax_.get_xticklabels()[0].get_parse_math()


def test_text_shows_the_numbers_of_samples_that_are_not_zero():
    _, ax = plt.subplots()
    display = ErrorMatrixDisplay.from_predictions([0, 0, 1], [0, 1, 1], labels=[0, 1, 2], ax=ax)
    assert display.ax_ is ax
    assert [(text.get_position(), text.get_text()) for text in display.text_] == [
        ((0, 0), "1"),
        ((1, 0), "1"),
        ((1, 1), "1"),
    ]
    assert np.isnan(display.shares[2]).all()


@pytest.mark.parametrize("n_classes", [2, 40])
def test_perfect_predictions_and_many_classes(n_classes):
    y = np.arange(n_classes)
    display = ErrorMatrixDisplay.from_predictions(y, y)
    assert len(display.text_) == (2 if n_classes == 2 else 0)
    assert np.nan_to_num(display.shares).max() == 0
    display.figure_.canvas.draw()


def test_single_class_is_drawn_without_a_warning(recwarn):
    display = ErrorMatrixDisplay.from_predictions(["a", "a"], ["a", "a"])
    assert [text.get_text() for text in display.text_] == ["2"]
    assert not recwarn


@pytest.mark.parametrize("display_labels", [["a"], "abc", {0: "a", 1: "b", 2: "c"}, 30 * ["a"]])
def test_display_labels_that_are_not_one_name_per_class_raise(display_labels):
    with pytest.raises(ValueError, match=r"display_labels must be a list of 3 names, one per class. Received: "):
        ErrorMatrixDisplay.from_predictions([0, 1, 2], [0, 1, 1], display_labels=display_labels)


@pytest.mark.parametrize("shape", [(2, 3), (30, 26), (2,), (2, 2, 2)])
def test_confusion_matrix_that_is_not_square_raises(shape):
    with pytest.raises(ValueError, match=rf"\(n_classes, n_classes\). Received: an array of shape \({shape[0]},"):
        ErrorMatrixDisplay(np.ones(shape, int)).plot()
