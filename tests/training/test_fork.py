"""TensorFlow cannot run in a process that was forked after it had started; kerasnet raises an error."""

import multiprocessing
import os
import pickle

import pytest
from _fresh import run
from sklearn.base import clone
from sklearn.datasets import load_iris

from kerasnet import KerasNetClassifier

pytestmark = pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="fork is not available")


def test_fork_after_tensorflow_has_started_raises():
    X, y = load_iris(return_X_y=True)
    fitted = KerasNetClassifier("mlp", epochs=1, random_state=0).fit(X, y)
    pickled = pickle.dumps(fitted)
    context = multiprocessing.get_context("fork")
    answers = context.Queue()

    def work():
        calls = (
            lambda: fitted.predict(X),
            lambda: clone(fitted).fit(X, y),
            lambda: fitted.partial_fit(X, y),
            lambda: pickle.loads(pickled).predict(X),
        )
        for call in calls:
            try:
                call()
                answers.put("answered")
            except RuntimeError as error:
                answers.put(str(error))

    child = context.Process(target=work)
    child.start()
    try:
        for _ in range(4):
            assert "loky" in answers.get(timeout=60)
    finally:
        child.kill()
        child.join()
    assert fitted.predict(X).shape == (150,)  # the parent process still works


FORKS_FIRST = """
import multiprocessing, sys
from sklearn.datasets import load_iris
from kerasnet import KerasNetClassifier
def work():
    X, y = load_iris(return_X_y=True)
    KerasNetClassifier("mlp", epochs=1).fit(X, y).predict(X)
    print("fitted", flush=True)
child = multiprocessing.get_context("fork").Process(target=work)
child.start()
child.join(120)
sys.exit(child.exitcode)
"""


def test_fork_before_tensorflow_has_started_works():
    done = run("-c", FORKS_FIRST)
    assert "fitted" in done.stdout, done.stderr


def test_memory_without_sched_getaffinity_as_on_macos(monkeypatch, tmp_path):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    KerasNetClassifier("mlp", epochs=1, random_state=0, memory=tmp_path).fit(*load_iris(return_X_y=True))
