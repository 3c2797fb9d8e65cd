"""Sections about training: learning curves and hyperparameter search."""

import numpy as np

from kerasnet.plots import TrainingCurveDisplay
from kerasnet.report._figures import drawing, to_plot
from kerasnet.report._page import Plots, Section, Table, Text, clean, counted, number

_MAX_CANDIDATES = 10


def training_sections(subject):
    """Return the sections that apply to the estimator."""
    return [*curve_section(subject.final), *search_section(subject.estimator)]


def curve_section(final):
    """Return the learning curves; none without a history."""
    history = history_of(getattr(final, "autoencoder_", final))
    names = [name for name, values in history.items() if not name.startswith("val_") and len(values)]
    if not names:
        return []
    n_epochs = len(history[names[0]])
    plots = []
    for name in names:
        with drawing() as figure:
            TrainingCurveDisplay.from_history(history, metric=name, ax=figure.subplots())
            ends = f"training {number(history[name][0])} in the first and {number(history[name][-1])} in the last epoch"
            if f"val_{name}" in history:
                values = history[f"val_{name}"]
                ends += f"; validation {number(values[0])} and {number(values[-1])}"
            label = name.replace("_", " ")
            plots.append(
                to_plot(
                    figure,
                    f"Learning curve of the {label} in {counted(n_epochs, 'epoch')}: {ends}.",
                    f"{label}: {ends}.",
                )
            )
    validated = any(name.startswith("val_") for name in history) or getattr(final, "early_stopping", False)
    text = f"{counted(n_epochs, 'epoch')}." + ("" if validated else " The model was trained without validation data.")
    return [Section("Learning curves", [Text(text), Plots(plots)])]


def history_of(final):
    """Return the history of the estimator in the format of Keras; empty if it has none."""
    if isinstance(history := getattr(final, "history_", None), dict):
        return history
    curve = getattr(final, "loss_curve_", None)  # scikit-learn's multilayer perceptrons
    return {} if curve is None else {"loss": list(curve)}


def search_section(search):
    """Return the best candidates of a search; none for other estimators."""
    results = getattr(search, "cv_results_", {})
    metrics = [name.removeprefix("mean_test_") for name in results if name.startswith("mean_test_")]
    if not metrics or not hasattr(search, "best_params_"):
        return []
    refit = getattr(search, "refit", None)
    metrics.sort(key=lambda metric: metric != refit)  # the one that selected the best candidate first
    scores = results[f"mean_test_{metrics[0]}"]
    order = np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable")
    order = [search.best_index_, *order[order != search.best_index_]]  # a refit function may select any candidate
    names = sorted({name for candidate in results["params"] for name in candidate})
    rows = [
        [*(clean(results["params"][position].get(name, "–")) for name in names), *scores_of(results, metrics, position)]
        for position in order[:_MAX_CANDIDATES]
    ]
    label = "score" if metrics == ["score"] else f"{clean(metrics[0])} score"
    text = (
        f"{counted(len(order), 'candidate')}, {counted(search.n_splits_, 'fold')}. The best has a mean {label} of "
        f"{number(scores[search.best_index_])} on the folds; the numbers above are of the estimator that was refitted."
    )
    columns = [*names, *(f"{kind} {clean(metric)}" for metric in metrics for kind in ("mean", "standard deviation of"))]
    caption = f"The best {len(rows)} candidates" if len(order) > len(rows) else "All candidates"
    return [Section("Search", [Text(text), Table(columns, rows, caption=caption, n_text=len(names))])]


def scores_of(results, metrics, position):
    """Return the mean and the standard deviation of the scores of a candidate; failed fits have the score NaN."""
    scores = [(results[f"mean_test_{metric}"][position], results[f"std_test_{metric}"][position]) for metric in metrics]
    return [
        text for mean, std in scores for text in ((number(mean), number(std, 2)) if mean == mean else ("failed", "–"))
    ]
