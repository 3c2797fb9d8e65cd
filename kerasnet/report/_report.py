"""The report of a fitted estimator as one HTML file."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasnet._files import atomic_file
from kerasnet.report._circumstances import cost_section, data_section, reproduction_section
from kerasnet.report._classification import report_classification
from kerasnet.report._model import layer_section, parameter_section
from kerasnet.report._multilabel import report_multilabel
from kerasnet.report._outliers import report_outliers
from kerasnet.report._page import clean, counted, render
from kerasnet.report._reconstruction import report_reconstruction
from kerasnet.report._regression import report_regression
from kerasnet.report._subject import Subject
from kerasnet.report._training import training_sections

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

_REPORTS = {
    "classification": report_classification,
    "multilabel": report_multilabel,
    "outlier detection": report_outliers,
    "reconstruction": report_reconstruction,
    "regression": report_regression,
}


def make_report(
    estimator: Any,
    X: Any,
    y: npt.ArrayLike | None = None,
    path: str | os.PathLike[str] = "report.html",
    *,
    title: str | None = None,
    class_names: Sequence[Any] | None = None,
    images: Any = None,
    notes: Mapping[str, Any] | None = None,
    command: str | None = None,
) -> Path:
    """Evaluate a fitted estimator and write the results as one HTML file.

    The file is self-contained: it loads nothing and runs no scripts. It contains what applies to the estimator:

    - classifiers: accuracy, F1, log loss and calibration error with confidence intervals, a table of classes, a
      confusion matrix whose colors show the errors, the calibration curve, and the most confident mistakes;
    - multilabel classifiers: the same for labels;
    - regressors: R², errors with confidence intervals, and residuals;
    - outlier detectors: the distribution of the scores and the most abnormal samples;
    - autoencoders: reconstruction errors, reconstructions and codes;
    - all: learning curves, the candidates of a search, the data, parameters, layers, time, memory and versions.

    Parameters
    ----------
    estimator : estimator instance
        Fitted classifier, regressor or outlier detector of kerasnet, scikit-learn or a compatible library, a fitted
        :class:`~kerasnet.Autoencoder`, or a pipeline or search of one.
    X : array-like of shape (n_samples, ...)
        Samples that the estimator was not trained on, in its format.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
        Targets. Required for classifiers and regressors. For an outlier detector, 1 for inliers and -1 for outliers.
        For an autoencoder, labels that color the codes.
    path : str or path-like, default="report.html"
        File to write. An existing file is replaced when the report is complete.
    title : str, default=None
        Title of the page. If None, the names of the model and the estimator.
    class_names : sequence of length n_classes, default=None
        Names of the classes in the order of ``classes_``, or of the labels. If None, the class labels, or the columns
        of a data frame `y`.
    images : array-like of shape (n_samples, height, width) or (n_samples, height, width, channels), default=None
        Images of the samples, for an `X` that does not contain images, such as features: uint8, or floats in [0, 1].
    notes : mapping of str to object, default=None
        Further facts to list next to time and memory, such as the training time.
    command : str, default=None
        Commands or code that reproduce the results. If None, code that makes and fits the estimator.

    Returns
    -------
    path : pathlib.Path
        The file.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.
    TypeError
        If the estimator is none of the above, if `X` or `y` is not array-like, or if `class_names` is not a sequence,
        such as a dict.
    ValueError
        If `X` is empty, if `X` and `y` have different lengths, if `y` is missing or contains classes that the estimator
        was not fitted on, if multilabel `y` or predictions contain other values than 0 and 1, if `class_names` or
        `images` have the wrong length, or if the estimator is a search with ``refit=False``.
    OSError
        If the file cannot be written, such as a folder. The path is checked before the evaluation.

    Notes
    -----
    Intervals are 95 % confidence intervals: Wilson score intervals of proportions, and percentile bootstrap intervals
    of 500 resamples for other metrics, if the resamples differ. The calibration error has no interval. They describe
    the uncertainty because of the finite number of samples in `X`, not because of the training data or random initial
    weights.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import kerasnet as kn
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn.model_selection import train_test_split
    >>> iris = load_iris()
    >>> X_train, X_test, y_train, y_test = train_test_split(iris.data, iris.target, random_state=0)
    >>> forest = RandomForestClassifier(random_state=0).fit(X_train, y_train)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = kn.make_report(forest, X_test, y_test, Path(folder, "iris.html"), class_names=iris.target_names)
    ...     "versicolor" in path.read_text()
    True
    """
    path = Path(path)
    _check_path(path)
    subject = Subject(estimator, X, y, class_names, images)
    metrics, sections = _REPORTS[subject.task](subject)
    sections += [
        *training_sections(subject),
        data_section(subject),
        parameter_section(subject),
        *layer_section(subject),
        cost_section(subject, notes),
        reproduction_section(subject, command),
    ]
    name, model = type(subject.final).__name__, getattr(subject.final, "model", None)
    if isinstance(label := getattr(model, "name", model), str):
        name = f"{clean(label)} ({name})"
    page = render(
        title=clean(title) if title is not None else f"{name} report",
        subtitle=f"{name}, {subject.task}, {counted(subject.n, 'sample')}, {datetime.now():%Y-%m-%d %H:%M}",
        metrics=metrics,
        sections=sections,
    )
    with atomic_file(path) as file:
        file.write(page.encode())
    return path


def _check_path(path):
    """Raise an error if a file cannot be written."""
    folder = Path(os.path.realpath(path)).parent  # that of the file that a symbolic link refers to
    if not folder.is_dir():
        raise FileNotFoundError(f"{path}: the folder does not exist. Create it, or choose another path.")
    if path.is_dir():
        raise IsADirectoryError(f"{path}: expected the path of a file. Received: a folder.")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(f"{path}: the folder is not writable. Choose another path.")
