"""Sections about regressors."""

import numpy as np
from sklearn.metrics import PredictionErrorDisplay

from kerasnet.report._classification import bootstrapped
from kerasnet.report._figures import BLUE, INK, ORANGE, drawing, to_plot
from kerasnet.report._page import Plots, Section, Table, Text, number, shorten
from kerasnet.report._samples import MAX_NAME, sample_section

_MAX_OUTPUTS = 4  # that are drawn


def report_regression(subject):
    """Return the metrics and the sections of a regressor."""
    y_true = subject.y
    y_pred = np.asarray(subject.call("predict"), float).reshape(len(y_true), -1)
    if y_pred.shape != y_true.shape:
        raise ValueError(
            f"y has {y_true.shape[1]} columns, but {type(subject.final).__name__} predicts {y_pred.shape[1]}."
        )
    if not np.isfinite(y_pred).all():
        raise ValueError(f"{type(subject.final).__name__} predicts NaN or infinite values, which cannot be evaluated.")
    sections = [residual_section(subject, y_true, y_pred)]
    if y_true.shape[1] > 1:
        sections.insert(0, output_section(subject.names, y_true, y_pred))
    return summary(y_true, y_pred), [*sections, largest_section(subject, y_true, y_pred)]


def summary(y_true, y_pred):
    """Return the metrics of all samples; with multiple outputs, their means."""
    n, residuals = len(y_true), y_true - y_pred

    def r2(rows):
        if not np.ptp(y_true[rows], axis=0).all():
            return np.nan
        return float(np.mean(1 - np.square(residuals[rows]).mean(axis=0) / y_true[rows].var(axis=0)))

    spread = number(np.mean(y_true.std(axis=0)))
    baseline = np.mean(np.abs(y_true - np.median(y_true, axis=0)))
    return [
        bootstrapped("R²", r2, n, "Explained share of the variance; 0 is predicting the mean."),
        bootstrapped(
            "Mean absolute error",
            lambda rows: np.abs(residuals[rows]).mean(),
            n,
            f"Always predicting the median of y has the error {number(baseline)}.",
        ),
        bootstrapped(
            "Root mean squared error",
            lambda rows: np.mean(np.sqrt(np.square(residuals[rows]).mean(axis=0))),
            n,
            f"Always predicting the mean of y has the error {spread}.",
        ),
    ]


def output_section(names, y_true, y_pred):
    """Return the table of multiple outputs."""
    residuals = y_true - y_pred
    errors = np.square(residuals).mean(axis=0)
    rows = [
        [
            name,
            number(1 - error / y_true[:, position].var()) if np.ptp(y_true[:, position]) else "undefined",
            number(np.abs(residuals[:, position]).mean()),
            number(np.sqrt(error)),
        ]
        for position, (name, error) in enumerate(zip(names, errors, strict=True))
    ]
    columns = ["output", "R²", "mean absolute error", "root mean squared error"]
    return Section("Outputs", [Table(columns, rows, max_length=MAX_NAME)])


def residual_section(subject, y_true, y_pred):
    """Return plots of predictions and residuals."""
    n_outputs = y_true.shape[1]
    blocks = []
    for position in range(min(n_outputs, _MAX_OUTPUTS)):
        true, predicted = y_true[:, position], y_pred[:, position]
        name = f" of {shorten(subject.names[position], MAX_NAME)}" if n_outputs > 1 else ""
        blocks.append(
            Plots(
                [
                    prediction_plot(subject, true, predicted, name, "actual_vs_predicted"),
                    prediction_plot(subject, true, predicted, name, "residual_vs_predicted"),
                    histogram(true - predicted, name),
                ]
            )
        )
    if n_outputs > _MAX_OUTPUTS:
        blocks.append(Text(f"Only the first {_MAX_OUTPUTS} of {n_outputs} outputs are drawn."))
    return Section("Residuals", blocks)


def prediction_plot(subject, true, predicted, name, kind):
    """Return a scatter plot of predictions."""
    rows = subject.sample
    with drawing() as figure:
        PredictionErrorDisplay.from_predictions(
            true[rows],
            predicted[rows],
            kind=kind,
            subsample=None,
            ax=figure.subplots(),
            scatter_kwargs={"alpha": 0.5, "s": 10, "color": BLUE, "rasterized": len(rows) > 300},
            line_kwargs={"color": ORANGE},
        )
        if kind == "actual_vs_predicted":
            correlation = np.corrcoef(true, predicted)[0, 1] if np.ptp(true) and np.ptp(predicted) else np.nan
            what = f"True and predicted values{name}: correlation {number(correlation)}."
        else:
            what = f"Residuals (true minus predicted values){name} by predicted value."
        return to_plot(figure, what, what)


def histogram(residuals, name):
    """Return a histogram of residuals."""
    with drawing() as figure:
        ax = figure.subplots()
        ax.hist(residuals, bins=30, color=BLUE, edgecolor=INK, linewidth=0.3)
        ax.axvline(0, color=ORANGE, linestyle="--", linewidth=1)
        ax.set(xlabel="residual (true minus predicted value)", ylabel="samples")
        low, middle, high = map(number, np.quantile(residuals, [0.05, 0.5, 0.95]))
        text = f"Distribution of the residuals{name}: median {middle}, 5 % are below {low}, 5 % are above {high}."
        return to_plot(figure, f"Histogram. {text}", text)


def largest_section(subject, y_true, y_pred):
    """Return the samples with the largest residuals, of multiple outputs by their Euclidean norm."""
    sizes = np.linalg.norm(y_true - y_pred, axis=1)
    rows = np.argsort(-sizes, kind="stable")[:10]

    def describe(row):
        true, predicted = (", ".join(map(number, each[row][:_MAX_OUTPUTS])) for each in (y_true, y_pred))
        return [true, predicted]

    return sample_section("Largest residuals", "", subject, rows, describe, ["true", "predicted"])
