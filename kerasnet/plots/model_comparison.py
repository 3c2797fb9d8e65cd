"""Plot of the quality of models against their size or latency."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter
from sklearn.utils import check_consistent_length

from kerasnet.plots._estimators import last_estimator
from kerasnet.plots._search_results import is_logarithmic

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.axes import Axes

_COSTS = {"n_parameters": "parameters", "latency": "latency of one sample (ms)"}
_N_REPEATS = 20


class ModelComparisonDisplay:
    """Plot of the quality of models against their number of parameters or their latency.

    Create a display with :meth:`from_cards` or :meth:`from_estimators`.

    Parameters
    ----------
    names : list of str
        Names of the models.
    costs : ndarray of shape (n_models,)
        Number of parameters, or latency in milliseconds.
    scores : ndarray of shape (n_models,)
        Quality of the models; higher is better unless `lower_is_better`.
    cost_name, score_name : str
        Labels of the axes.
    lower_is_better : bool, default=False
        Whether the score is an error.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes of the plot.
    figure_ : matplotlib Figure
        Figure of the plot.
    best_ : list of str
        Names of the models that no other model surpasses in one respect without being worse in the other (the Pareto
        front), in ascending order of costs.

    Examples
    --------
    >>> from kerasnet.plots import ModelComparisonDisplay
    >>> display = ModelComparisonDisplay.from_cards()
    >>> display.names[:3]
    ['attention', 'cnn', 'lenet']
    >>> display.ax_.get_xlabel(), display.ax_.get_ylabel()
    ('parameters', 'accuracy')
    """

    def __init__(
        self,
        *,
        names: Sequence[str],
        costs: npt.NDArray[Any],
        scores: npt.NDArray[Any],
        cost_name: str,
        score_name: str,
        lower_is_better: bool = False,
    ) -> None:
        self.names = names
        self.costs = costs
        self.scores = scores
        self.cost_name = cost_name
        self.score_name = score_name
        self.lower_is_better = lower_is_better

    @classmethod
    def from_cards(
        cls, dataset: str = "mnist", *, metric: str = "accuracy", x: str = "n_parameters", ax: Axes | None = None
    ) -> Self:
        """Plot the pretrained models of a data set, as recorded in their model cards.

        Parameters
        ----------
        dataset : str, default="mnist"
            Name of a data set with pretrained weights, such as "mnist" or "fashion_mnist".
        metric : {"accuracy", "mean squared error"}, default="accuracy"
            Metric on the test samples. Models with another metric are left out.
        x : {"n_parameters", "latency"}, default="n_parameters"
            Horizontal axis. The latency was measured on the machine named in the cards.
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is created.

        Returns
        -------
        ModelComparisonDisplay
            Display with the drawn plot.

        Raises
        ------
        ValueError
            If there are no weights for this data set and metric, or `x` is unknown.

        See Also
        --------
        kerasnet.models.model_card : Facts about a model and its pretrained weights.
        """
        from kerasnet.models import list_models, model_card  # imports TensorFlow

        _check_cost(x)
        cards = {name: [*model_card(name).weights.values()] for name in list_models(weights=True)}
        known = {(card.dataset, card.metric) for each in cards.values() for card in each}
        if (dataset, metric) not in known:
            raise ValueError(
                f"There are no pretrained weights for dataset={dataset!r} and metric={metric!r}. "
                f"Available: {', '.join(map(str, sorted(known)))}."
            )
        chosen = [
            (name, card.n_parameters if x == "n_parameters" else card.latency_ms, card.value)
            for name, each in cards.items()
            for card in each
            if (card.dataset, card.metric) == (dataset, metric)
        ]
        names, costs, scores = map(list, zip(*chosen, strict=True))
        display = cls(
            names=names,
            costs=np.array(costs),
            scores=np.array(scores),
            cost_name=_COSTS[x],
            score_name=metric,
            lower_is_better=metric != "accuracy",
        )
        return display.plot(ax=ax)

    @classmethod
    def from_estimators(
        cls,
        estimators: Mapping[str, Any] | Sequence[Any],
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        *,
        x: str = "n_parameters",
        ax: Axes | None = None,
    ) -> Self:
        """Plot the score of fitted estimators on test data.

        Parameters
        ----------
        estimators : dict of str to estimator, or list of estimators
            Fitted classifiers or fitted regressors, including pipelines and searches, by name. Estimators in a list are
            named by their class, or by the model of an estimator of kerasnet.
        X : array-like of shape (n_samples, ...)
            Test samples.
        y : array-like of shape (n_samples,)
            True labels or values.
        x : {"n_parameters", "latency"}, default="n_parameters"
            Horizontal axis. The number of parameters requires estimators with a Keras model. The latency is the median
            time of 20 calls of ``predict`` for one sample, on this machine, after a first call.
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is created.

        Returns
        -------
        ModelComparisonDisplay
            Display with the drawn plot.

        Raises
        ------
        NotFittedError
            If an estimator is not fitted.
        TypeError
            If `x` is "n_parameters" and an estimator has no Keras model.
        ValueError
            If `x` is unknown, there are no estimators, or `X` and `y` have different lengths.
        """
        _check_cost(x)
        check_consistent_length(X, y)
        named = dict(estimators) if isinstance(estimators, Mapping) else _name_estimators(estimators)
        if not named:
            raise ValueError("Expected at least one estimator. Received: none.")
        cost = _n_parameters if x == "n_parameters" else _latency
        with warnings.catch_warnings(action="ignore"):  # the score has the same warnings
            costs = np.array([cost(each, X) for each in named.values()])
        with warnings.catch_warnings(record=True) as caught:
            scores = np.array([each.score(X, y) for each in named.values()])
        for each in {str(each.message): each for each in caught}.values():
            warnings.warn(each.message, each.category, stacklevel=2)
        display = cls(names=list(named), costs=costs, scores=scores, cost_name=_COSTS[x], score_name="score")
        return display.plot(ax=ax)

    def plot(self, *, ax: Axes | None = None, **scatter_kw: Any) -> Self:
        """Draw the plot, with a dashed line through the models of ``best_``.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. If None, a new figure is created.
        **scatter_kw
            Additional keyword arguments of :meth:`matplotlib.axes.Axes.scatter`.

        Returns
        -------
        ModelComparisonDisplay
            The display itself.
        """
        if ax is None:
            _, ax = plt.subplots(layout="constrained")
        best = self._pareto_front()
        if is_logarithmic(self.costs):
            ax.set_xscale("log")
            ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            ax.xaxis.set_minor_formatter(NullFormatter())
        ax.xaxis.set_major_formatter(EngFormatter(sep="") if self.costs.min() >= 1000 else "{x:g}")
        ax.plot(self.costs[best], self.scores[best], linestyle="--", color="gray", linewidth=1, zorder=1)
        ax.scatter(self.costs, self.scores, **{"zorder": 2, **scatter_kw})
        ax.margins(0.15)
        ax.autoscale_view()  # matplotlib postpones it, and the positions of the labels depend on it
        for place, name in enumerate(self.names):
            position = self.costs[place], self.scores[place]
            is_right = ax.transAxes.inverted().transform(ax.transData.transform(position))[0] > 0.7
            ax.annotate(
                str(name).replace("$", r"\$"),
                position,
                xytext=(-6, 3) if is_right else (6, -3),  # away from the dashed line, which rises to the right
                textcoords="offset points",
                ha="right" if is_right else "left",
                va="bottom" if is_right else "top",
                fontweight="bold" if place in best else "normal",
            )
        ax.set(xlabel=self.cost_name, ylabel=self.score_name)
        self.best_ = [self.names[place] for place in best]
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _pareto_front(self):
        """Return the positions of the models that no other model surpasses, in ascending order of costs."""
        quality = -self.scores if self.lower_is_better else self.scores
        front: list[int] = []
        for place in np.lexsort((-quality, self.costs)):
            if not front or quality[place] > quality[front[-1]]:
                front.append(int(place))
        return front


def _check_cost(x):
    if x not in _COSTS:
        raise ValueError(f"x must be one of {list(_COSTS)}. Received: {x!r}.")


def _name_estimators(estimators):
    """Return the estimators by name; equal names are numbered."""
    named: dict[str, Any] = {}
    for estimator in estimators:
        last = last_estimator(estimator)
        model = getattr(last, "model", None)
        name = base = model if isinstance(model, str) else type(last).__name__
        number = 1
        while name in named:
            number += 1
            name = f"{base} ({number})"
        named[name] = estimator
    return named


def _n_parameters(estimator, X):
    from kerasnet.plots._models import fitted_model

    return fitted_model(estimator).model.count_params()


def _latency(estimator, X):
    """Return the median time of a prediction for one sample, in milliseconds."""
    sample = X[:1]
    estimator.predict(sample)
    times = []
    for _ in range(_N_REPEATS):
        start = time.perf_counter()
        estimator.predict(sample)
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times))
