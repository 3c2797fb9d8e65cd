"""Plot of the results of a hyperparameter search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import matplotlib.pyplot as plt
import numpy as np
from sklearn.utils.validation import check_is_fitted

from kerasnet.plots import _search_plots
from kerasnet.plots._search_results import distinct, histories_from_memory, varied_parameters, with_defaults

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.axes import Axes

_KINDS = ("auto", "line", "heat_map", "parallel_coordinates", "learning_curves")


class GridSearchDisplay:
    """Plot of the results of a hyperparameter search.

    Create a display with :meth:`from_estimator`.

    Parameters
    ----------
    params : list of n_candidates dict
        Parameters of the candidates, including those that only other candidates set.
    scores : ndarray of shape (n_candidates,)
        Mean test score of each candidate over the folds; NaN for a candidate that could not be fitted.
    deviations : ndarray of shape (n_candidates,)
        Standard deviation of the test scores over the folds.
    score_name : str, default="score"
        Name of the score, for labels.
    histories : list of n_candidates lists of n_splits dict, default=None
        Loss and metrics per epoch, for ``kind="learning_curves"``.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the plot.
    figure_ : matplotlib Figure
        Figure of the plot.

    Examples
    --------
    >>> from kerasnet.plots import GridSearchDisplay
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.svm import SVC
    >>> X, y = load_iris(return_X_y=True)
    >>> search = GridSearchCV(SVC(), {"C": [0.1, 1, 10], "gamma": [0.01, 0.1]}).fit(X, y)
    >>> display = GridSearchDisplay.from_estimator(search)
    >>> display.ax_.get_xlabel(), display.ax_.get_ylabel()
    ('gamma', 'C')
    """

    def __init__(
        self,
        *,
        params: list[dict[str, Any]],
        scores: npt.NDArray[Any],
        deviations: npt.NDArray[Any],
        score_name: str = "score",
        histories: list[list[dict[str, list[float]]]] | None = None,
    ) -> None:
        self.params = params
        self.scores = scores
        self.deviations = deviations
        self.score_name = score_name
        self.histories = histories

    @classmethod
    def from_estimator(
        cls,
        search: Any,
        X: npt.ArrayLike | None = None,
        y: npt.ArrayLike | None = None,
        *,
        kind: str = "auto",
        scoring: str | None = None,
        metric: str = "loss",
        ax: Axes | None = None,
    ) -> Self:
        """Plot the results of a fitted search.

        Parameters
        ----------
        search : GridSearchCV, RandomizedSearchCV or halving search
            Fitted search over the parameters of any estimator. With ``kind="learning_curves"``, an estimator of
            kerasnet with ``memory=``, or a pipeline with one as the last step.
        X, y : array-like, default=None
            Data that the search was fitted on; used by ``kind="learning_curves"`` only.
        kind : {"auto", "line", "heat_map", "parallel_coordinates", "learning_curves"}, default="auto"
            See :meth:`plot`.
        scoring : str, default=None
            Name of a score, for a search with several. If None, the score of `search.refit` is used.
        metric : str, default="loss"
            Key of the histories for ``kind="learning_curves"``, such as "loss", "accuracy" or "val_loss".
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is created.

        Returns
        -------
        GridSearchDisplay
            Display with the drawn plot.

        Raises
        ------
        NotFittedError
            If the search is not fitted.
        ValueError
            If there is no score or metric of this name, or the plot does not apply to the search.

        Notes
        -----
        A search does not keep the estimators that it fits. For the learning curves, each candidate is fitted again to
        each fold: with ``memory=``, the epochs are restored from checkpoints. Epochs without a checkpoint are trained,
        with a warning. This requires reproducible folds, that is ``cv=`` without a generator or shuffling without
        ``random_state``. Callbacks that do not affect training, such as ``TensorBoard``, are left out.
        """
        check_is_fitted(search, "cv_results_")
        name = _score_name(search, scoring)
        histories = histories_from_memory(search, X, y) if kind == "learning_curves" else None
        display = cls(
            params=with_defaults(search),
            scores=np.asarray(search.cv_results_[f"mean_test_{name}"], float),
            deviations=np.asarray(search.cv_results_[f"std_test_{name}"], float),
            score_name=name if name != "score" or not isinstance(search.scoring, str) else search.scoring,
            histories=histories,
        )
        return display.plot(kind=kind, metric=metric, ax=ax)

    def plot(self, *, kind: str = "auto", metric: str = "loss", ax: Axes | None = None) -> Self:
        """Draw the results.

        Parameters
        ----------
        kind : {"auto", "line", "heat_map", "parallel_coordinates", "learning_curves"}, default="auto"
            - "line": score against one parameter, with its standard deviation over the folds.
            - "heat_map": score for each combination of two parameters.
            - "parallel_coordinates": one axis per parameter and one for the score, and one line per candidate, which
              is darker the better its score. The best candidate is the thick line.
            - "learning_curves": `metric` per epoch, as the mean over the folds. The eight best candidates are colored.
            - "auto": "line" for one parameter that differs between candidates, "heat_map" for a grid of two,
              "parallel_coordinates" otherwise.
        metric : str, default="loss"
            Key of the histories for ``kind="learning_curves"``.
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is created.

        Returns
        -------
        GridSearchDisplay
            The display itself.

        Raises
        ------
        ValueError
            If `kind` is unknown or does not apply to the number of parameters, or if there are no histories with
            `metric`.
        """
        parameters = varied_parameters(self.params)
        kind = self._checked_kind(kind, parameters)
        if np.isnan(self.scores).all():
            raise ValueError("All scores are NaN: no candidate could be fitted and scored.")
        if kind == "learning_curves":
            self._check_metric(metric)
        if ax is None:
            width = max(6.4, 1.5 * (len(parameters) + 1)) if kind == "parallel_coordinates" else 6.4
            _, ax = plt.subplots(figsize=(width, 4.8), layout="constrained")
        if kind == "line":
            _search_plots.draw_line(ax, parameters, self.scores, self.deviations, self.score_name)
        elif kind == "heat_map":
            _search_plots.draw_heat_map(ax, parameters, self.scores, self.score_name)
        elif kind == "parallel_coordinates":
            _search_plots.draw_parallel_coordinates(ax, parameters, self.scores, self.score_name)
        else:
            _search_plots.draw_learning_curves(ax, parameters, self.scores, self.histories, metric)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _checked_kind(self, kind, parameters):
        """Return the kind of plot for the parameters that differ between candidates."""
        if kind not in _KINDS:
            raise ValueError(f"kind must be one of {list(_KINDS)}. Received: {kind!r}.")
        n_parameters = len(parameters)
        if kind == "auto" and n_parameters == 0:
            raise ValueError(
                "GridSearchDisplay requires candidates with different parameters. Received: a search with "
                f"{len(self.params)} candidate{'s' if len(self.params) != 1 else ''}, with the parameters "
                f"{self.params[0]}. Search over several values of a parameter."
            )
        if kind == "auto":
            n_cells = np.prod([len(distinct(values)) for values in parameters.values()])
            is_grid = n_parameters == 2 and n_cells == len(self.params)
            kind = "line" if n_parameters == 1 else "heat_map" if is_grid else "parallel_coordinates"
        expected = {"line": (1, 1), "heat_map": (2, 2), "parallel_coordinates": (1, np.inf)}
        least, most = expected.get(kind, (0, np.inf))
        if not least <= n_parameters <= most:
            raise ValueError(
                f"kind={kind!r} requires a search over {'at least ' if most > least else ''}{least} "
                f"parameter{'s' if least > 1 else ''} with several values. Received: {list(parameters)}."
            )
        return kind

    def _check_metric(self, metric):
        if self.histories is None:
            raise ValueError('There are no histories. Use from_estimator(search, X, y, kind="learning_curves").')
        known = sorted({name for folds in self.histories for history in folds for name in history})
        if metric not in known:
            raise ValueError(f"metric must be one of {known}. Received: {metric!r}.")


def _score_name(search, scoring):
    """Return the name of the score in ``cv_results_``."""
    names = [name.removeprefix("mean_test_") for name in search.cv_results_ if name.startswith("mean_test_")]
    if scoring is None and len(names) > 1 and isinstance(search.refit, str):
        scoring = search.refit
    if scoring is None and len(names) == 1:
        return names[0]
    if scoring == getattr(search, "scoring", None) and names == ["score"]:
        return "score"
    if scoring not in names:
        raise ValueError(f"scoring must be one of {names}. Received: {scoring!r}.")
    return scoring
