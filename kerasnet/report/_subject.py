"""What a report is about: a fitted estimator and validated data."""

import math
import time
from collections.abc import Mapping, Set
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.base import is_classifier, is_outlier_detector, is_regressor
from sklearn.pipeline import Pipeline
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_array, check_is_fitted, column_or_1d

from kerasnet.report._page import clean
from kerasnet.report._pictures import find_images


class Subject:
    """A fitted estimator and the data to evaluate it on.

    Parameters
    ----------
    estimator : estimator
        Fitted classifier, regressor, outlier detector or autoencoder, or a pipeline or search of one.
    X, y, class_names, images
        As for `make_report`.

    Attributes
    ----------
    steps : list of (str, estimator)
        The name and the estimator of each step; a single pair with an empty name without a pipeline.
    final : estimator
        The last step.
    task : {"classification", "multilabel", "regression", "reconstruction", "outlier detection"}
        What the estimator does.
    y : ndarray or None
        Class indices, an indicator matrix of labels, numbers, or 1 and -1.
    names : list of str
        Names of the classes, labels or outputs.
    """

    def __init__(self, estimator, X, y=None, class_names=None, images=None):
        if not hasattr(estimator, "__sklearn_tags__"):
            raise TypeError(_expected(estimator))
        check_is_fitted(estimator)
        self.estimator, self.X = estimator, X
        self.steps = steps_of(estimator)
        self.final = self.steps[-1][1]
        self.n = n_samples(X, "X")
        if self.n == 0:
            raise ValueError("Expected at least one sample in X. Received: an empty X.")
        self.task = self._task(y)
        self.names = []
        self.y = None if y is None else self._validated_targets(y, class_names)
        self.image_rows = find_images(self, images)
        self.seconds = 0.0

    def _task(self, y):
        """Return the task; raise an error for other estimators, and for a `y` that is missing or too short or long."""
        if hasattr(self.final, "reconstruct"):
            task = "reconstruction"
        elif is_outlier_detector(self.estimator) or is_outlier_detector(self.final):
            task = "outlier detection"
        elif is_regressor(self.estimator):
            task = "regression"
        elif is_classifier(self.estimator):
            task = "classification"
        else:
            raise TypeError(_expected(self.estimator))
        if y is None and task in ("classification", "regression"):
            raise ValueError(f"The report of a {task} model requires the targets y. Received: y=None.")
        n_targets = None if y is None else n_samples(y, "y")
        if n_targets not in (None, self.n):
            raise ValueError(
                f"X and y must have the same number of samples. Received: {self.n} samples in X and {n_targets} in y."
            )
        return task

    def _validated_targets(self, y, class_names):
        """Return the targets as numbers."""
        if self.task == "regression":
            targets = check_array(y, ensure_2d=False, dtype=float, input_name="y").reshape(self.n, -1)
            self.names = column_names(y if hasattr(y, "columns") else targets, "output")
            return targets
        if self.task == "outlier detection":
            return self._inlier_labels(y)
        if self.task == "reconstruction":
            return np.asarray(column_or_1d(y))
        if np.ndim(y) == 1 and (missing := np.flatnonzero(pd.isna(np.asarray(y, dtype=object)))).size:
            raise ValueError(
                "y must contain one class label per sample. Received: missing labels in rows "
                f"{missing.tolist()!r:.100}. Remove these samples, or fill in their labels."
            )
        kind = type_of_target(y, input_name="y")
        if kind == "multilabel-indicator":
            self.task = "multilabel"
            return self._indicators(y, class_names)
        if kind.endswith("multioutput"):
            raise ValueError(
                "Reports support one class label per sample, or a multilabel indicator matrix of 0 and 1. Received: "
                f"{kind} y of shape {np.shape(y)}."
            )
        self.classes = np.asarray(self.estimator.classes_)
        self.names = self._validated_names(class_names, self.classes)
        return self.class_indices(column_or_1d(y), "y")

    def class_indices(self, labels, name):
        """Return the indices of class labels in `classes`."""
        indices = pd.Index(self.classes).get_indexer(np.asarray(labels))
        unknown = pd.unique(np.asarray(labels)[indices < 0]).tolist()
        if unknown:
            raise ValueError(
                f"{name} contains classes that {type(self.final).__name__} was not fitted on: {unknown!r:.200}. It was "
                f"fitted on: {self.classes.tolist()!r:.200}."
            )
        return indices

    def _indicators(self, y, class_names):
        self.names = self._validated_names(class_names, column_names(y, "label"))
        return indicators(y, "y")

    def _inlier_labels(self, y):
        y = np.asarray(column_or_1d(y))
        if not np.isin(y, (-1, 1)).all():
            raise ValueError(
                "For an outlier detector, y must contain 1 for inliers and -1 for outliers. Received: "
                f"{pd.unique(y).tolist()!r:.200}."
            )
        return y.astype(int)

    def _validated_names(self, class_names, defaults):
        if isinstance(class_names, str | bytes | Mapping | Set) or not np.iterable(
            [] if class_names is None else class_names
        ):
            raise TypeError(
                "class_names must be a sequence of names in the order of classes_, such as a list. Received: "
                f"{class_names!r:.200}."
            )
        names = defaults if class_names is None else list(class_names)
        if len(names) != len(defaults):
            raise ValueError(
                f"class_names must name all {len(defaults)} classes, in the order of classes_. Received: {len(names)} "
                "names."
            )
        return [clean(name) for name in names]

    def call(self, method):
        """Return the result of a method of the estimator for all samples."""
        return self.measure(getattr(self.estimator, method), self.X)

    def measure(self, function, *arguments):
        """Return the result of the function; store the time of the first call in `seconds`."""
        started = time.perf_counter()
        result = function(*arguments)
        self.seconds = self.seconds or time.perf_counter() - started
        return result

    @cached_property
    def final_samples(self):
        """The samples as the last step receives them."""
        estimator, X = fitted_part(self.estimator), self.X
        while isinstance(estimator, Pipeline):
            X = estimator[:-1].transform(X) if len(estimator) > 1 else X
            estimator = fitted_part(estimator[-1])
        return X

    @cached_property
    def sample(self):
        """Sorted row numbers of at most 2,000 random samples, for scatter plots."""
        rng = np.random.default_rng(0)
        return np.arange(self.n) if self.n <= 2000 else np.sort(rng.choice(self.n, 2000, replace=False))

    def sample_of(self, X, max_values=2**22):
        """Return as many samples of `sample` as an array of `max_values` can contain, as floats."""
        n_rows = max(1, max_values // max(1, math.prod(X.shape[1:])))
        rows = self.sample[:: -(-len(self.sample) // n_rows)]
        return np.asarray(take_rows(X, rows)).astype(np.float32)


def _expected(estimator):
    """Return the message for an unsupported estimator."""
    return (
        "estimator must be a fitted classifier, regressor, outlier detector or Autoencoder, or a pipeline or search of "
        f"one. Received: {type(estimator).__name__}. For a Keras model, use KerasNetClassifier.from_keras or "
        "KerasNetRegressor.from_keras."
    )


def n_samples(values, name):
    """Return the number of samples; raise an error for a value that is not array-like."""
    shape = values.shape if hasattr(values, "shape") else (len(values),) if hasattr(values, "__len__") else ()
    if not shape or isinstance(values, str | bytes):
        raise TypeError(f"{name} must be array-like, with one entry per sample. Received: {values!r:.200}.")
    return shape[0]


def fitted_part(estimator):
    """Return the best estimator of a search, or the estimator itself."""
    while hasattr(estimator, "best_estimator_"):
        estimator = estimator.best_estimator_
    if hasattr(estimator, "cv_results_"):
        raise ValueError(
            f"Expected a search with a refitted estimator. Received: {type(estimator).__name__} with "
            f"refit={estimator.refit!r}. Fit it with refit=True, or report an estimator with its best parameters."
        )
    return estimator


def steps_of(estimator):
    """Return the steps of pipelines and searches, nested ones included, as a list of names and estimators."""
    estimator = fitted_part(estimator)
    if not isinstance(estimator, Pipeline):
        return [("", estimator)]
    steps = [(name, step) for name, step in estimator.steps if step not in (None, "passthrough")]
    return [(f"{name}.{inner}" if inner else name, each) for name, step in steps for inner, each in steps_of(step)] or [
        ("", estimator)
    ]


def indicators(labels, name):
    """Return a matrix of 0 and 1 as a matrix of bool."""
    values = np.asarray(labels.toarray() if issparse(labels) else labels)
    if not np.isin(values, (0, 1)).all():
        raise ValueError(
            f"Expected 1 for labels that apply and 0 for others in {name} of a multilabel classifier. Received: "
            f"{pd.unique(values.ravel()).tolist()!r:.200}."
        )
    return values.astype(bool)


def column_names(y, default):
    """Return the names of the columns of a data frame, or the default name with numbers for other 2-D arrays."""
    if hasattr(y, "columns"):
        return [clean(name) for name in y.columns]
    return [f"{default} {position}" for position in range(y.shape[1])]


def take_rows(X, rows):
    """Return some rows of an array, lazy array, sparse matrix, data frame or list."""
    if hasattr(X, "iloc"):
        return X.iloc[rows]
    return X[rows] if hasattr(X, "shape") else [X[row] for row in rows]
