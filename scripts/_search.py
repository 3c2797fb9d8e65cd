"""The grid search of train_mnist.py, in processes of this machine or on a Dask cluster."""

import contextlib
import tempfile
from concurrent.futures import CancelledError

from joblib import parallel_config
from sklearn.callback import ProgressBar
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline


def run_search(classifier, grid, X, y, *, cv, n_jobs, scheduler):
    """Search, after a look at the grid: a wrong name costs no training. Features are computed once a fold."""
    checked = {}
    for name, values in grid.items():
        if name == "model":
            raise ValueError("--grid: one run has one model; choose it with --model.")
        if not isinstance(values, list) or not values:
            raise ValueError(f"--grid: expected a list of values for {name!r}. Received: {values!r}.")
        if isinstance(classifier, Pipeline) and not name.startswith("features__"):
            name = f"network__{name}"
        classifier.set_params(**{name: values[0]})
        checked[name] = values
    search = GridSearchCV(classifier, checked, cv=cv, n_jobs=n_jobs if scheduler is None else None)
    if scheduler is None:  # a progress bar does not reach other machines
        search.set_callbacks(ProgressBar(max_propagation_depth=0))
    with tempfile.TemporaryDirectory() as folder:
        if isinstance(classifier, Pipeline):
            classifier.set_params(memory=folder)
        with contextlib.nullcontext() if scheduler is None else cluster(scheduler):
            fit(search, X, y)
    if isinstance(classifier, Pipeline):
        search.best_estimator_.set_params(memory=None)
    return search


def fit(search, X, y, attempts=3):
    """Fit, and start again when Dask gives up because a worker died while data were on their way to it.

    What was trained before is in the classifier's memory.
    """
    for attempt in range(attempts):
        try:
            return search.fit(X, y)
        except CancelledError:
            if attempt == attempts - 1:
                raise
    return search


@contextlib.contextmanager
def cluster(scheduler):
    """Have scikit-learn's searches run on a Dask cluster."""
    try:
        from distributed import Client
    except ImportError as error:
        raise ValueError('--scheduler needs Dask: pip install "kerasnet[dask]".') from error
    try:
        client = Client(scheduler, timeout=10)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"--scheduler: expected the address of a Dask scheduler, found none at {scheduler!r}."
        ) from error
    with client, parallel_config("dask"):
        yield
