"""Sections about classifiers with one label per sample."""

import numpy as np
from sklearn.metrics import roc_auc_score

from kerasnet.plots import ErrorMatrixDisplay
from kerasnet.report._calibration import calibration_section
from kerasnet.report._figures import drawing, to_plot
from kerasnet.report._page import Metric, Section, Table, Text, counted, interval, number, percent, shorten
from kerasnet.report._samples import MAX_NAME, sample_section
from kerasnet.report._statistics import bootstrap_interval, expected_calibration_error, wilson_interval

_MAX_ROWS = 30  # of the table of classes; the others are in a closed table
_MAX_CONFUSIONS = 12


class Predictions:
    """Predictions of a classifier as class indices, with probabilities and confusion matrix."""

    def __init__(self, subject):
        self.y_true, self.names = subject.y, subject.names
        self.y_pred = subject.class_indices(np.ravel(subject.call("predict")), "the predictions")
        self.probabilities = None
        if hasattr(subject.estimator, "predict_proba"):
            probabilities = np.asarray(subject.call("predict_proba"))
            self.probabilities = probabilities if probabilities.dtype.kind == "f" else probabilities.astype(float)
        self.wrong = self.y_true != self.y_pred
        self.matrix = confusion(self.y_true, self.y_pred, len(self.names))

    @property
    def confidence(self):
        """Probability of each predicted class, or None."""
        return (
            None
            if self.probabilities is None
            else np.take_along_axis(self.probabilities, self.y_pred[:, np.newaxis], axis=1).ravel()
        )


def report_classification(subject):
    """Return the metrics and the sections of a classifier."""
    predictions = Predictions(subject)
    sections = [class_section(predictions), confusion_section(predictions)]
    if predictions.confidence is not None:
        sections.append(calibration_section(predictions.confidence, ~predictions.wrong, "predicted class"))
    return summary(predictions), [*sections, *mistake_sections(subject, predictions)]


def summary(predictions):
    """Return the metrics of all samples."""
    n, n_right = len(predictions.y_true), int((~predictions.wrong).sum())
    most = int(predictions.matrix.sum(axis=1).max())
    metrics = [
        Metric(
            "Accuracy",
            percent(n_right / n),
            interval(wilson_interval(n_right, n), percent),
            f"{n - n_right:,} of {counted(n, 'sample')} misclassified. Predicting the most frequent class: "
            f"{percent(most / n)}. Wilson interval.",
        )
    ]
    codes, n_classes = predictions.y_true * len(predictions.names) + predictions.y_pred, len(predictions.names)

    def macro_f1_of(rows):
        counts = np.bincount(codes[rows], minlength=n_classes**2).reshape(n_classes, n_classes)
        return macro_f1(counts)

    metrics.append(bootstrapped("Macro F1", macro_f1_of, n, "Mean F1 score of the classes."))
    if predictions.probabilities is not None:
        metrics += probability_metrics(predictions, n)
    return metrics


def probability_metrics(predictions, n):
    """Return the metrics that depend on probabilities."""
    y, probabilities = predictions.y_true, predictions.probabilities
    confidence, right = predictions.confidence, ~predictions.wrong
    smallest = np.finfo(probabilities.dtype).eps  # as in sklearn.metrics.log_loss
    rows_sum = probabilities.sum(axis=1)
    losses = -np.log(np.clip(probabilities[np.arange(n), y] / np.where(rows_sum > 0, rows_sum, 1), smallest, 1))
    metrics = [
        bootstrapped(
            "Log loss", lambda rows: losses[rows].mean(), n, "Mean negative log probability of the true class."
        ),
        Metric(
            "Calibration error",
            number(expected_calibration_error(confidence, right)),
            note="Expected calibration error of the predicted class, 15 bins.",
        ),
    ]
    if len(predictions.names) == 2:
        scores = probabilities[:, 1]

        def auc(rows):
            return roc_auc_score(y[rows], scores[rows]) if len(np.unique(y[rows])) == 2 else np.nan

        metrics.append(bootstrapped("ROC AUC", auc, n, "Area under the ROC curve."))
    return metrics


def bootstrapped(name, statistic, n, note):
    """Return a metric with a bootstrap interval."""
    value = statistic(np.arange(n))
    if not np.isfinite(value):
        return Metric(name, "undefined", "", note)
    low, high = bootstrap_interval(statistic, n)
    if np.isclose(low, high, rtol=1e-9, atol=1e-12):  # which does not mean that the value is certain
        return Metric(name, number(value), "", f"{note} No interval: resamples do not differ.")
    return Metric(name, number(value), interval((low, high)), f"{note} Bootstrap interval.")


def class_section(predictions):
    """Return the table of classes."""
    rows, matrix = [], predictions.matrix
    scores = zip(predictions.names, np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0), strict=True)
    for name, n_right, n_true, n_predicted in scores:
        n_right, n_true, n_predicted = int(n_right), int(n_true), int(n_predicted)
        rows.append(class_row(name, n_right, n_true, n_predicted))
    return Section("Classes", tables_of_classes(rows, matrix.diagonal(), matrix.sum(axis=1)))


def class_row(name, n_right, n_true, n_predicted):
    """Return a row of the table of classes or labels."""
    return [
        name,
        f"{n_true:,}",
        percent(n_right / n_predicted) if n_predicted else "–",
        percent(n_right / n_true) if n_true else "–",
        interval(wilson_interval(n_right, n_true), percent) if n_true else "–",
        percent(2 * n_right / (n_true + n_predicted)) if n_true + n_predicted else "–",
    ]


def tables_of_classes(rows, n_right, n_true, what="class"):
    """Return one table, or for many classes those with the lowest recall, followed by a closed table of all."""
    columns = [what, "samples", "precision", "recall", "95 % interval of the recall", "F1"]
    if len(rows) <= _MAX_ROWS:
        return [Table(columns, rows, max_length=MAX_NAME)]
    present = np.flatnonzero(n_true)
    order = present[np.argsort(n_right[present] / n_true[present], kind="stable")][:_MAX_ROWS]
    absent = f"; {len(rows) - len(present):,} have no samples" if len(present) < len(rows) else ""
    caption = f"The {len(order)} of {len(rows):,} with the lowest recall{absent}"
    return [
        Table(columns, [rows[position] for position in order], caption=caption, max_length=MAX_NAME),
        Table(columns, rows, collapsed=f"All {len(rows)}", max_length=MAX_NAME),
    ]


def confusion_section(predictions):
    """Return the confusion matrix and the most frequent confusions."""
    names, matrix = predictions.names, predictions.matrix
    errors = matrix * ~np.eye(len(names), dtype=bool)
    order = np.argsort(-errors.ravel(), kind="stable")[:_MAX_CONFUSIONS]
    pairs = [divmod(int(position), len(names)) for position in order if errors.ravel()[position]]
    counts = matrix.sum(axis=1)
    rows = [
        [names[true], names[predicted], f"{errors[true, predicted]:,}", percent(errors[true, predicted] / counts[true])]
        for true, predicted in pairs
    ]
    described = [f"{names[true]} as {names[predicted]} ({errors[true, predicted]})" for true, predicted in pairs[:3]]
    size = 3.4 + 0.24 * min(len(names), 25)
    with drawing(size + 0.8, size, "compressed") as figure:
        labels = [shorten(name, 18) for name in names]
        ErrorMatrixDisplay(matrix, display_labels=labels).plot(ax=figure.subplots())
        alternative = (
            f"Confusion matrix of {counted(len(names), 'class', 'classes')}: {int(np.diag(matrix).sum())} correct and "
            f"{int(errors.sum())} wrong predictions. Most frequent: {', '.join(described) or 'none'}."
        )
        plot = to_plot(
            figure,
            alternative,
            "Rows are true classes, columns are predicted classes. Colors show the errors as shares of the true class; "
            "correct predictions are gray.",
            wide=True,
        )
    if not rows:
        return Section("Confusion matrix", [plot, Text("There are no wrong predictions.")])
    columns = ["true class", "predicted class", "samples", "share of the true class"]
    return Section(
        "Confusion matrix", [plot, Table(columns, rows, caption="Most frequent errors", n_text=2, max_length=MAX_NAME)]
    )


def mistake_sections(subject, predictions):
    """Return the most confident mistakes and typical examples."""
    names, confidence = predictions.names, predictions.confidence

    def describe(row):
        true, predicted = names[predictions.y_true[row]], names[predictions.y_pred[row]]
        classes = [true, predicted] if predictions.wrong[row] else [true]
        return classes if confidence is None else [*classes, percent(confidence[row])]

    wrong = np.flatnonzero(predictions.wrong)
    if confidence is not None:
        wrong = wrong[np.argsort(-confidence[wrong], kind="stable")]
    order = "in the order of the data" if confidence is None else "the highest probabilities first"
    sections = []
    if len(wrong):
        title = "Mistakes" if confidence is None else "Most confident mistakes"
        text = f"{len(wrong):,} of {subject.n:,} predictions are wrong; {order}."
        sections.append(
            sample_section(title, text, subject, wrong[:20], describe, ["true", "predicted", "probability"])
        )
    typical = typical_rows(predictions)
    if subject.image_rows is not None and len(typical):
        text = "For each class, correct predictions" + (
            "." if confidence is None else " with the highest probability of the class."
        )
        sections.append(sample_section("Typical examples", text, subject, typical, describe, ["class", "probability"]))
    return sections


def typical_rows(predictions):
    """Return the rows of correct predictions with the highest probability, the same number for each class."""
    confidence = predictions.confidence
    present = np.unique(predictions.y_true)
    n_each, rows = max(1, 20 // len(present)), []
    for position in present[:20]:
        right = np.flatnonzero((predictions.y_true == position) & ~predictions.wrong)
        if confidence is not None:
            right = right[np.argsort(-confidence[right], kind="stable")]
        rows += right[: min(n_each, 4)].tolist()
    return np.array(rows, int)


def confusion(y_true, y_pred, n_classes):
    """Return the confusion matrix of class indices."""
    return np.bincount(y_true * n_classes + y_pred, minlength=n_classes**2).reshape(n_classes, n_classes)


def macro_f1(matrix):
    """Return the mean F1 score of the classes that are in the confusion matrix."""
    totals = matrix.sum(axis=0) + matrix.sum(axis=1)
    present = totals > 0
    return float(np.mean(2 * np.diag(matrix)[present] / totals[present]))
