"""Sections about training: learning curves and hyperparameter search."""

import numpy as np

from kerasnet.plots import TrainingCurveDisplay
from kerasnet.report._figures import drawing, to_plot
from kerasnet.report._page import Plots, Section, Table, Text, clean, number

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
                to_plot(figure, f"Learning curve of the {label} in {n_epochs} epochs: {ends}.", f"{label}: {ends}.")
            )
    validated = any(name.startswith("val_") for name in history)
    text = f"{n_epochs} epochs." + ("" if validated else " The model was trained without validation data.")
    return [Section("Learning curves", [Text(text), Plots(plots)])]


def history_of(final):
    """Return the history of the estimator in the format of Keras; empty if it has none."""
    if isinstance(history := getattr(final, "history_", None), dict):
        return history
    curve = getattr(final, "loss_curve_", None)  # scikit-learn's multilayer perceptrons
    return {} if curve is None else {"loss": list(curve)}


def search_section(search):
    """Return the best candidates of a search; none for other estimators."""
    results = getattr(search, "cv_results_", None)
    if results is None or "mean_test_score" not in results or not hasattr(search, "best_params_"):
        return []
    names = sorted(search.best_params_)
    order = np.argsort(-np.nan_to_num(results["mean_test_score"], nan=-np.inf), kind="stable")
    rows = [
        [
            *(clean(results["params"][position].get(name, "–")) for name in names),
            number(results["mean_test_score"][position]),
            number(results["std_test_score"][position], 2),
        ]
        for position in order[:_MAX_CANDIDATES]
    ]
    text = (
        f"{len(order)} candidates, {search.n_splits_} folds. The best has a mean score of "
        f"{number(search.best_score_)} on the folds; the numbers above are of the estimator that was refitted."
    )
    columns = [*names, "mean score", "standard deviation"]
    caption = f"The best {len(rows)} candidates" if len(order) > len(rows) else "All candidates"
    return [Section("Search", [Text(text), Table(columns, rows, caption=caption, n_text=len(names))])]
