"""What all tests share."""

import gc
import signal
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from _cluster import dask_cluster
from sklearn.datasets import load_digits, load_iris

from kerasnet.datasets import load_mnist


def pytest_configure():
    """Hear Ctrl-C, which a shell has its background jobs ignore: some tests send it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers(config):
    """Run a single file in this process: two workers would both import TensorFlow."""
    is_one_file = len(config.args) == 1 and Path(config.args[0].partition("::")[0]).is_file()
    return 0 if is_one_file else 2


def pytest_collection_finish():
    """Spare garbage collections what was imported: with TensorFlow, each takes tenths of a second otherwise."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)  # tracing makes many objects that live on; with 700, a thirtieth of the time is spent here


def pytest_terminal_summary(terminalreporter):
    """Print what tests have counted, in whichever process."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "counts":
                terminalreporter.write_line(value)


@pytest.fixture(scope="session")
def mnist():
    """500 real training images (uint8) and their labels; not to be changed."""
    X, y = load_mnist(n_samples=500, random_state=0, return_X_y=True)
    X.flags.writeable = y.flags.writeable = False
    return X, y


@pytest.fixture(scope="session")
def digits():
    """All of scikit-learn's digits, 8 x 8 in [0, 1], and their labels."""
    data = load_digits()
    X, y = (data.images / 16).astype(np.float32), data.target
    X.flags.writeable = y.flags.writeable = False
    return X, y


@pytest.fixture(scope="session")
def iris():
    """Scikit-learn's iris, divided by 8, as float32, and its labels."""
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
    """Let a test start, and leave, without compiled code that is kept for further fits."""
    from kerasnet.training import clear_cache  # imports TensorFlow, which many tests do without

    clear_cache()
    yield
    clear_cache()


@pytest.fixture
def cluster(tmp_path):
    """A Dask scheduler and two workers, each a process of its own."""
    folder = tmp_path / "cluster"
    folder.mkdir()
    with dask_cluster(folder) as started:
        yield started


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")
