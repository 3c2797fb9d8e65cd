"""Files in the output folder of train_mnist.py."""

import csv

import matplotlib.pyplot as plt
import numpy as np
from _command import save_figure
from _run import get_network, write_json, write_model
from sklearn.metrics import accuracy_score, classification_report, log_loss

import kerasnet as kn
from kerasnet.plots import ErrorMatrixDisplay, PredictionGridDisplay, TrainingCurveDisplay
from kerasnet.report._circumstances import versions


def write_results(folder, estimator, X_test, y_test, names, training, arguments):
    """Evaluate a classifier or a search and write all files; return the metrics and the classification report.

    Parameters
    ----------
    folder : pathlib.Path
        Output folder.
    estimator : estimator
        The fitted classifier, or the search.
    X_test, y_test : ndarray
        Test images and class indices.
    names : ndarray of str or None
        Class names.
    training : dict
        Numbers of images, time, and whether the training was interrupted.
    arguments : argparse.Namespace
        Arguments of the command.
    """
    classifier = getattr(estimator, "best_estimator_", estimator)
    network, probabilities = get_network(classifier), classifier.predict_proba(X_test)
    metrics = {
        "dataset": arguments.dataset,
        "model": arguments.model,
        "features": arguments.features,
        **evaluate(y_test, probabilities),
        **describe_training(network, training, arguments),
    }
    if classifier is not estimator:
        metrics["best_params"], metrics["best_score"] = estimator.best_params_, estimator.best_score_
        write_csv(folder / "search_results.csv", estimator.cv_results_)
    y_true, y_pred = (y if names is None else names[y] for y in (y_test, probabilities.argmax(axis=1)))
    report = classification_report(y_true, y_pred, digits=4, zero_division=0)
    write_model(folder, classifier, dataset=arguments.dataset, image_size=X_test.shape[1:3], class_names=names)
    write_figures(folder, network, X_test, y_true, y_pred, probabilities.max(axis=1))
    write_csv(folder / "history.csv", with_epochs(network.history_))
    write_json(folder / "metrics.json", metrics)
    (folder / "classification_report.txt").write_text(report + "\n")
    write_report(folder, estimator, X_test, y_test, names, metrics, arguments)
    return metrics, report


def evaluate(y_test, probabilities):
    """Return metrics of the test set."""
    exact = probabilities.astype(float)
    return {
        "accuracy": accuracy_score(y_test, probabilities.argmax(axis=1)),
        "log_loss": log_loss(y_test, exact / exact.sum(axis=1, keepdims=True), labels=range(exact.shape[1])),
        "n_mistakes": int((y_test != probabilities.argmax(axis=1)).sum()),
        "n_test": len(y_test),
    }


def describe_training(network, training, arguments):
    """Return further information about the training for metrics.json."""
    return {
        **training,
        "n_iter": network.n_iter_,
        "n_iter_from_memory": getattr(network, "n_iter_from_memory_", 0),
        "n_parameters": network.model_.count_params(),
        "training": {key: values[-1] for key, values in network.history_.items() if values},
        "seed": arguments.seed,
        "parameters": network.get_params(),
        "versions": versions(),
    }


def write_figures(folder, network, X_test, y_test, y_pred, confidence):
    """Plot the confusion matrix, the learning curve and the most confident mistakes."""
    save_figure(ErrorMatrixDisplay.from_predictions(y_test, y_pred).figure_, folder / "confusion_matrix.png")

    names = [name for name in network.history_ if not name.startswith("val_")]
    figure, axes = plt.subplots(1, max(len(names), 1), figsize=(5 * max(len(names), 1), 4), layout="constrained")
    for name, ax in zip(names, np.atleast_1d(axes), strict=False):
        TrainingCurveDisplay.from_estimator(network, metric=name, ax=ax)
    save_figure(figure, folder / "learning_curve.png")

    display = PredictionGridDisplay.from_predictions(X_test, y_test, y_pred, confidence=confidence)
    save_figure(display.figure_, folder / "mistakes.png")


def with_epochs(history):
    """Return the history with a column "epoch"."""
    return {"epoch": range(1, 1 + max(map(len, history.values()), default=0)), **history}


def write_csv(path, columns):
    """Write a dict of columns as CSV."""
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))


def write_report(folder, estimator, X_test, y_test, names, metrics, arguments):
    """Write report.html."""
    notes = {
        "training images": f"{metrics['n_train']:,}",
        "validation images": f"{metrics['n_validation']:,}",
        "training time": f"{metrics['seconds']:.0f} s" + (" (interrupted)" if metrics["interrupted"] else ""),
    }
    kn.make_report(
        estimator,
        X_test,
        y_test,
        folder / "report.html",
        title=f"{arguments.model} on {arguments.dataset}",
        class_names=names,
        images=X_test,
        notes=notes,
        command=arguments.command,
    )
