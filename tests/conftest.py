"""Pytest configuration and fixtures."""

import gc
import signal
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from _browser import open_browser
from _cluster import dask_cluster
from sklearn.datasets import load_digits, load_iris

from kerasnet.datasets import load_mnist

collect_ignore = ["typing"]  # code for mypy, which is never imported


def pytest_configure():
    """Handle SIGINT, which some tests send, even if pytest is a background job, where shells ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers(config):
    """Run a single file in this process, since each worker would import TensorFlow."""
    is_one_file = len(config.args) == 1 and Path(config.args[0].partition("::")[0]).is_file()
    return 0 if is_one_file else 2


def pytest_collection_finish():
    """Exclude imported objects from garbage collection; with TensorFlow, it takes tenths of a second otherwise."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)  # tracing creates many long-lived objects; with 700, 3 % of the time is garbage collection


def pytest_terminal_summary(terminalreporter):
    """Print counts that tests recorded, from all processes."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "counts":
                terminalreporter.write_line(value)


@pytest.fixture(scope="session")
def mnist():
    """500 training images of MNIST (uint8) and their labels, read-only."""
    X, y = load_mnist(n_samples=500, random_state=0, return_X_y=True)
    X.flags.writeable = y.flags.writeable = False
    return X, y


@pytest.fixture(scope="session")
def digits():
    """The digits dataset of scikit-learn, as 8 x 8 images in [0, 1], and its labels."""
    data = load_digits()
    X, y = (data.images / 16).astype(np.float32), data.target
    X.flags.writeable = y.flags.writeable = False
    return X, y


@pytest.fixture(scope="session")
def iris():
    """The iris dataset of scikit-learn, as float32 divided by 8, and its labels."""
    X, y = load_iris(return_X_y=True)
    X = X.astype(np.float32) / 8
    X.flags.writeable = y.flags.writeable = False
    return X, y


@pytest.fixture
def sklearn_callbacks():
    """The module of scikit-learn's callbacks."""
    return pytest.importorskip("sklearn.callback", reason="scikit-learn has callbacks from version 1.9 on")


@pytest.fixture
def no_compiled_code():
    """Clear the cache of compiled functions before and after the test."""
    from kerasnet.training import clear_cache  # imports TensorFlow, which many tests do not need

    clear_cache()
    yield
    clear_cache()


@pytest.fixture
def cluster(tmp_path):
    """A Dask scheduler and two workers in separate processes."""
    folder = tmp_path / "cluster"
    folder.mkdir()
    with dask_cluster(folder) as started:
        yield started


@pytest.fixture(scope="module")
def browser():
    """Chromium, for `open_page`."""
    with open_browser() as started:
        yield started


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")
