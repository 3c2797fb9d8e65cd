"""Sections about multilabel classifiers."""

import numpy as np

from kerasnet.report._calibration import calibration_section
from kerasnet.report._classification import bootstrapped, class_row, tables_of_classes
from kerasnet.report._page import Metric, Section, interval, percent
from kerasnet.report._samples import sample_section
from kerasnet.report._statistics import wilson_interval
from kerasnet.report._subject import indicators


def report_multilabel(subject):
    """Return the metrics and the sections of a multilabel classifier."""
    y_true, y_pred, probabilities = subject.y, indicators(subject.call("predict"), "the predictions"), None
    if y_pred.shape != y_true.shape:
        raise ValueError(
            f"y has {y_true.shape[1]} labels, but {type(subject.final).__name__} predicts {y_pred.shape[1]}."
        )
    if hasattr(subject.estimator, "predict_proba"):
        probabilities = label_probabilities(subject.call("predict_proba"), subject.estimator)
    counts = (y_true & y_pred).sum(axis=0), y_true.sum(axis=0), y_pred.sum(axis=0)
    rows = [class_row(name, *map(int, each)) for name, *each in zip(subject.names, *counts, strict=True)]
    sections = [Section("Labels", tables_of_classes(rows, *counts[:2], "label"))]
    if probabilities is not None:
        sections.append(calibration_section(probabilities.ravel(), y_true.ravel(), "label"))
        sections += mistakes(subject, y_true, y_pred, probabilities)
    return summary(y_true, y_pred), sections


def summary(y_true, y_pred):
    """Return the metrics of all samples and labels."""
    n, n_right = len(y_true), int((y_true == y_pred).all(axis=1).sum())
    both = y_true & y_pred

    def f1(axis):
        def statistic(rows):
            totals = y_true[rows].sum(axis=axis) + y_pred[rows].sum(axis=axis)
            scores = 2 * both[rows].sum(axis=axis) / np.maximum(totals, 1)
            return float(np.mean(scores[totals > 0])) if np.any(totals) else np.nan

        return statistic

    note = "Share of samples whose labels are all predicted correctly. Wilson interval."
    return [
        Metric("Exact matches", percent(n_right / n), interval(wilson_interval(n_right, n), percent), note),
        bootstrapped("Micro F1", f1(None), n, "F1 score of all labels together."),
        bootstrapped("Macro F1", f1(0), n, "Mean F1 score of the labels."),
        bootstrapped("Hamming loss", lambda rows: np.mean(y_true[rows] != y_pred[rows]), n, "Share of wrong labels."),
    ]


def mistakes(subject, y_true, y_pred, probabilities):
    """Return a section of the samples with the most confident wrong label; none if there are no wrong labels."""
    wrong = y_true != y_pred
    if not wrong.any():
        return []
    confidence = np.where(wrong, np.abs(probabilities - 0.5), -1)
    rows = np.argsort(-confidence.max(axis=1), kind="stable")[: min(20, int(wrong.any(axis=1).sum()))]
    worst = confidence.argmax(axis=1)

    def describe(row):
        label = worst[row]
        kind = "missing" if y_true[row, label] else "wrongly predicted"
        return [f"{subject.names[label]}: {kind}", percent(probabilities[row, label])]

    text = "The label of each sample whose wrong prediction is the most confident, with its predicted probability."
    columns = ["label", "probability"]
    return [sample_section("Most confident mistakes", text, subject, rows, describe, columns)]


def label_probabilities(predicted, estimator):
    """Return the probability of each label; scikit-learn returns a list of class probabilities for some estimators."""
    if isinstance(predicted, list):  # without a column of 1, if the label did not occur in training
        labels = zip(predicted, estimator.classes_, strict=True)
        return np.column_stack([each[:, np.equal(classes, 1)].sum(axis=1) for each, classes in labels])
    return np.asarray(predicted, float)
