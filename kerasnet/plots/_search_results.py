"""Results of hyperparameter searches: varied parameters, scores, and learning curves from checkpoints."""

from __future__ import annotations

import warnings
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import cross_validate

from kerasnet.plots._estimators import last_estimator

_MAX_LABEL = 20  # characters
_NOT_SET = "–"


class Scale(NamedTuple):
    """Values of a parameter as positions on an axis.

    Attributes
    ----------
    positions : ndarray of shape (n_candidates,)
        Position of the value of each candidate.
    values : list
        Distinct values in the order of the axis.
    ticks : ndarray of shape (n_values,)
        Positions of the distinct values.
    """

    positions: np.ndarray
    values: list[Any]
    ticks: np.ndarray


def varied_parameters(params: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return the values per candidate of the parameters that differ between candidates; "–" if there is no value."""
    names = dict.fromkeys(name for each in params for name in each)
    columns = {name: [each.get(name, _NOT_SET) for each in params] for name in names}
    return {name: values for name, values in columns.items() if len(distinct(values)) > 1}


def with_defaults(search: Any) -> list[dict[str, Any]]:
    """Return the parameters of all candidates, including those that only other candidates set."""
    params = search.cv_results_["params"]
    names = {name for each in params for name in each}
    complete = []
    for each in params:
        missing = names - each.keys()
        given = _candidate(search, each).get_params() if missing else {}
        complete.append({**each, **{name: given[name] for name in missing & given.keys()}})
    return complete


def distinct(values: list[Any]) -> list[Any]:
    """Return the distinct values: numbers in ascending order, others in the order of their first appearance."""
    by_label = {(type(value).__name__, repr(value)): value for value in values}
    found = list(by_label.values())
    return sorted(found) if all(is_number(value) for value in found) else found


def is_number(value: Any) -> bool:
    """Return whether a value is a number; booleans are not."""
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)


def equally_spaced(values: list[Any]) -> Scale:
    """Return positions 0, 1, 2, ... for the distinct values."""
    ordered = distinct(values)
    places = {repr(value): place for place, value in enumerate(ordered)}
    return Scale(np.array([places[repr(value)] for value in values], float), ordered, np.arange(len(ordered)))


def is_logarithmic(values: Any) -> bool:
    """Return whether values are positive numbers that differ by a factor of 20 or more."""
    return all(is_number(value) and value > 0 for value in values) and max(values) >= 20 * min(values)


def label(value: Any) -> str:
    """Return a short text for a value of a parameter, without mathematical markup."""
    if isinstance(value, Real) and not isinstance(value, bool | np.bool_ | int | np.integer):
        text = f"{value:.3g}"
    elif isinstance(value, type):
        text = value.__name__
    else:
        text = " ".join(str(value).split())
    text = text if len(text) <= _MAX_LABEL else f"{text[: _MAX_LABEL - 1]}…"
    return text.replace("$", r"\$")


def short_names(names: Any) -> dict[str, str]:
    """Return parameter names without the names of steps, unless these are needed to tell them apart."""
    last = [name.rpartition("__")[2] for name in names]
    return {name: short if last.count(short) == 1 else name for name, short in zip(names, last, strict=True)}


def histories_from_memory(search: Any, X: Any, y: Any) -> list[list[dict[str, list[float]]]]:
    """Repeat the fits of a search, whose epochs are restored from checkpoints, and return their histories.

    Callbacks that do not affect training are left out, so that no logs are written again.

    Returns
    -------
    histories : list of n_candidates lists of n_splits dict
        Loss and metrics per epoch.
    """
    from kerasnet.plots._callbacks import disable_passive_callbacks  # imports TensorFlow

    memory = getattr(last_estimator(search.estimator), "memory", None)
    if memory is None:
        raise ValueError(
            'kind="learning_curves" reads the histories from checkpoints. Set memory= of the estimator before the '
            f"search. Received: {search.estimator!r} with memory=None."
        )
    if X is None:
        raise ValueError('kind="learning_curves" requires the X and y that the search was fitted on.')
    if hasattr(search, "n_resources_") and search.resource == "n_samples":
        raise ValueError(
            'kind="learning_curves" requires that all candidates are fitted on the same folds. Received: a halving '
            'search with resource="n_samples".'
        )
    options = {"cv": search.cv, "n_jobs": search.n_jobs, "scoring": _no_score, "return_estimator": True}
    scores = next(values for name, values in search.cv_results_.items() if name.startswith("mean_test_"))
    histories: list[list[dict[str, list[float]]]] = []
    has_warned = False
    for params, score in zip(search.cv_results_["params"], scores, strict=True):
        estimator = _candidate(search, params)
        disable_passive_callbacks(last_estimator(estimator))
        folds = [] if np.isnan(score) else cross_validate(estimator, X, y, **options)["estimator"]
        fitted = [last_estimator(fold) for fold in folds]
        histories.append([each.history_ for each in fitted])
        if not has_warned and any(each.n_iter_from_memory_ < each.n_iter_ for each in fitted):
            has_warned = True
            warnings.warn(
                f"The checkpoints of the search do not contain all epochs; the missing ones are trained, first for "
                f"{params}. Pass the X and y that the search was fitted on, and use a cv= that returns the same folds "
                "each time. Otherwise, the curves are not those of the search.",
                stacklevel=3,
            )
    return histories


def _candidate(search, params):
    return clone(search.estimator).set_params(**clone(params, safe=False))


def _no_score(estimator, X, y=None):
    return 0.0
