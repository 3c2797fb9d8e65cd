"""Searches on a local Dask cluster: a scheduler and two workers in separate processes."""

import collections
import contextlib
import json
import os
import signal
import time
from pathlib import Path

from _cluster import wait_for
from _fresh import FreshProcess

SEARCH = """
import json, sys, time
from concurrent.futures import CancelledError
import keras
import numpy as np
from distributed import Client
from joblib import parallel_config
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV
from kerasnet import CNNClassifier
from kerasnet.training._threads import n_threads

address, memory, log = sys.argv[1:]


def scores(search):
    return [search.cv_results_[f"split{fold}_test_score"].tolist() for fold in (0, 1)]


class Log(keras.callbacks.Callback):
    changes_nothing = True

    def __init__(self, path):
        super().__init__()
        self.path = path

    def on_epoch_end(self, epoch, logs=None):
        with open(self.path, "a") as file:
            file.write(f"{time.time()} {epoch} {logs['loss']!r}\\n")

X, y = load_digits(return_X_y=True)
network = CNNClassifier(filters=(4,), dense_units=(32,), dropout=0.2, image_shape=(8, 8), random_state=0)
grid = {"epochs": [6, 12, 18], "learning_rate": [0.001, 0.01]}
search = GridSearchCV(clone(network).set_params(memory=memory, callbacks=[Log(log)]), grid, cv=2, refit=False)
with Client(address) as client, parallel_config("dask"):
    client.wait_for_workers(2, timeout=60)
    assert list(client.run(n_threads).values()) == [1, 1]
    for _ in range(3):  # as the README says
        try:
            search.fit(X / 16, y)
            break
        except CancelledError:
            print("again", file=sys.stderr)
local = GridSearchCV(network, grid, cv=2, refit=False).fit(X / 16, y)
print(json.dumps({"dask": scores(search), "local": scores(local)}))
"""


@contextlib.contextmanager
def searching(*arguments):
    """Start the search in a process that is killed at the end if it is still running."""
    process = FreshProcess("-c", SEARCH, *arguments, env={**os.environ, "TF_NUM_INTRAOP_THREADS": "1"})
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.communicate()


def wait_for_scores(process):
    out, err = process.communicate()
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1])


def read_epochs(log: Path):
    """Return the end times of the epochs, which are identified by number and loss."""
    ends = collections.defaultdict(list)
    for line in log.read_text().splitlines() if log.exists() else ():
        seconds, *which = line.split()
        ends[tuple(which)].append(float(seconds))
    return ends


def test_search_scores_after_losing_a_worker_equal_local_scores(cluster, tmp_path):
    memory, log = tmp_path / "memory", tmp_path / "epochs"
    # if Dask cancels the search, joblib runs the remaining tasks in the client: one worker is left
    with searching(cluster.address, memory, log) as on_dask:
        wait_for(lambda: len(read_epochs(log)) > 8 or on_dask.poll() is not None)
        os.killpg(cluster.workers[0].pid, signal.SIGKILL)
        killed = time.time()
        scores = wait_for_scores(on_dask)
    ends = read_epochs(log)
    assert len(ends) == 2 * 2 * 18
    repeated = [times for times in ends.values() if len(times) > 1]
    assert all(min(times) > killed - 2.5 for times in repeated), "only epochs after the last checkpoint may be repeated"
    assert max(max(times) for times in ends.values()) > killed
    assert scores["dask"] == scores["local"]
    assert [len(set(fold)) > 1 for fold in scores["local"]] == [True, True]
