"""Grid search of train_mnist.py, in local processes or on a Dask cluster."""

import contextlib
import tempfile
from concurrent.futures import CancelledError

from joblib import parallel_config
from sklearn.callback import ProgressBar
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline


def run_search(classifier, grid, X, y, *, cv, n_jobs, scheduler):
    """Validate the grid and run the search. Features are computed once per fold and cached."""
    param_grid = {}
    for name, values in grid.items():
        if name == "model":
            raise ValueError("--grid: model is not supported as a key; choose the model with --model.")
        if not isinstance(values, list) or not values:
            raise ValueError(f"--grid: expected a list of values for {name!r}. Received: {values!r}.")
        if isinstance(classifier, Pipeline) and not name.startswith("features__"):
            name = f"network__{name}"
        classifier.set_params(**{name: values[0]})
        param_grid[name] = values
    search = GridSearchCV(classifier, param_grid, cv=cv, n_jobs=n_jobs if scheduler is None else None)
    if scheduler is None:  # progress is not reported by other machines
        search.set_callbacks(ProgressBar(max_propagation_depth=0))
    with tempfile.TemporaryDirectory() as folder:
        if isinstance(classifier, Pipeline):
            classifier.set_params(memory=folder)
        with contextlib.nullcontext() if scheduler is None else dask_cluster(scheduler):
            fit_with_retries(search, X, y)
    if isinstance(classifier, Pipeline):
        search.best_estimator_.set_params(memory=None)
    return search


def fit_with_retries(search, X, y, attempts=3):
    """Fit, and retry if Dask cancels the search because a worker was lost during a data transfer.

    A retry restores the finished trainings from the checkpoints of the classifier.
    """
    for attempt in range(attempts):
        try:
            return search.fit(X, y)
        except CancelledError:
            if attempt == attempts - 1:
                raise
    return search


@contextlib.contextmanager
def dask_cluster(scheduler):
    """Run joblib's parallel code on a Dask cluster."""
    try:
        from distributed import Client
    except ImportError as error:
        raise ValueError('--scheduler requires Dask: pip install "kerasnet[dask]".') from error
    try:
        client = Client(scheduler, timeout=10)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"--scheduler: no Dask scheduler found at {scheduler!r}; expected an address such as tcp://127.0.0.1:8786."
        ) from error
    with client, parallel_config("dask"):
        yield
