"""Steps of pipelines and best estimators of searches."""

from __future__ import annotations

from typing import Any

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted


def last_estimator(estimator: Any) -> Any:
    """Return the last step of a pipeline, the best estimator of a search, or the estimator itself.

    Raises
    ------
    NotFittedError
        If a search is not fitted, or was fitted with ``refit=False``.
    """
    estimator = _best_of_search(estimator)
    return last_estimator(estimator[-1]) if isinstance(estimator, Pipeline) else estimator


def transform_for_last_step(estimator: Any, X: Any) -> Any:
    """Apply the transformers of a pipeline to samples."""
    estimator = _best_of_search(estimator)
    if not isinstance(estimator, Pipeline):
        return X
    return transform_for_last_step(estimator[-1], estimator[:-1].transform(X) if len(estimator) > 1 else X)


def _best_of_search(estimator: Any) -> Any:
    if hasattr(estimator, "estimator") and hasattr(estimator, "refit"):
        check_is_fitted(estimator, "best_estimator_")
        return _best_of_search(estimator.best_estimator_)
    return estimator
