"""Sections about outlier detectors."""

import numpy as np
from sklearn.metrics import roc_auc_score

from kerasnet.report._classification import bootstrapped
from kerasnet.report._figures import BLUE, MUTED, ORANGE, drawing, to_plot
from kerasnet.report._page import Metric, Section, Table, counted, interval, number, percent
from kerasnet.report._samples import sample_section
from kerasnet.report._statistics import wilson_interval


def report_outliers(subject):
    """Return the metrics and the sections of an outlier detector."""
    if not hasattr(subject.estimator, "decision_function"):
        raise TypeError(
            "The outlier detector must have the methods decision_function and predict; LocalOutlierFactor has them "
            f"with novelty=True. Received: {subject.estimator!r:.200}."
        )
    scores = np.asarray(subject.call("decision_function"), float).ravel()
    outlier = np.asarray(subject.call("predict")).ravel() == -1
    sections = [score_section(subject, scores, outlier)]
    if subject.y is not None:
        sections.append(confusion_table(subject.y == -1, outlier))
    order = np.argsort(scores, kind="stable")
    for title, rows in (("Most abnormal samples", order[:20]), ("Most normal samples", order[::-1][:10])):
        sections.append(
            sample_section(
                title,
                "",
                subject,
                rows,
                lambda row: [number(scores[row]), *true_label(subject, row)],
                ["score", "label"],
            )
        )
    return summary(subject, scores, outlier), sections


def true_label(subject, row):
    """Return the label of a sample as lines of text."""
    return [] if subject.y is None else ["outlier" if subject.y[row] == -1 else "inlier"]


def proportion(name, flags, note):
    """Return the share of true values as a metric with a Wilson interval."""
    n = len(flags)
    if n == 0:
        return Metric(name, "undefined", "", note)
    bounds = wilson_interval(int(flags.sum()), n)
    return Metric(name, percent(flags.mean()), interval(bounds, percent), f"{note} Wilson interval.")


def summary(subject, scores, outlier):
    """Return the metrics of all samples."""
    text = f"{int(outlier.sum()):,} of {counted(subject.n, 'sample')}: those with a score below the threshold."
    metrics = [proportion("Predicted outliers", outlier, text)]
    if subject.y is None:
        return metrics
    true = subject.y == -1

    def auc(rows):
        return roc_auc_score(true[rows], -scores[rows]) if len(np.unique(true[rows])) == 2 else np.nan

    return [
        bootstrapped("ROC AUC", auc, subject.n, "Probability that an outlier has a lower score than an inlier."),
        proportion("Outliers found", outlier[true], "Share of the true outliers that are predicted as outliers."),
        proportion("False alarms", outlier[~true], "Share of the inliers that are predicted as outliers."),
        *metrics,
    ]


def score_section(subject, scores, outlier):
    """Return a histogram of the scores with the threshold."""
    groups = [("samples", scores, BLUE)]
    if subject.y is not None:
        groups = [("inliers", scores[subject.y == 1], BLUE), ("outliers", scores[subject.y == -1], ORANGE)]
    with drawing() as figure:
        ax = figure.subplots()
        edges = histogram_edges(ax, scores)
        for name, values, color in groups:
            ax.hist(values, edges, color=color, alpha=0.7, label=name)
        ax.axvline(0, color=MUTED, linestyle="--", label="threshold")
        ax.set(xlabel="decision function (outliers are below 0)", ylabel="samples")
        ax.legend()
        medians = ", ".join(f"median of the {name} {number(np.median(each))}" for name, each, _ in groups if len(each))
        text = f"Distribution of the scores: {medians}; {percent(outlier.mean())} are below the threshold of 0."
        return Section("Scores", [to_plot(figure, f"Histogram. {text}", text)])


def histogram_edges(ax, scores, n_bins=40):
    """Return the edges of bins; scale the axis if a few scores are far from the others."""
    width = np.median(np.abs(scores))
    if np.abs(scores).max() < 20 * width or width == 0:
        return np.histogram_bin_edges(scores, n_bins)
    edges = width * np.sinh(np.linspace(*np.arcsinh(np.array([scores.min(), scores.max()]) / width), n_bins + 1))
    ax.set_xscale("asinh", linear_width=width)
    ax.set_xticks(edges[:: n_bins // 5])
    ax.xaxis.set_major_formatter("{x:.2g}")
    return edges


def confusion_table(true, predicted):
    """Return the numbers of true and predicted outliers."""
    rows = [
        [name, *(f"{int((group & each).sum()):,}" for each in (~predicted, predicted))]
        for name, group in (("inliers", ~true), ("outliers", true))
    ]
    return Section("Confusion matrix", [Table(["true", "predicted inlier", "predicted outlier"], rows)])
