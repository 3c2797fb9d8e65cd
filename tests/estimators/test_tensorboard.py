"""TensorBoard callbacks write a folder per fit."""

from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from kerasnet import KerasNetClassifier
from kerasnet._files import numbered_folder


@pytest.fixture(scope="module")
def iris():
    return load_iris(return_X_y=True)


def mlp(folder, **parameters):
    board = keras.callbacks.TensorBoard(folder, write_graph=False)
    return KerasNetClassifier("mlp", epochs=2, random_state=0, callbacks=[board], **parameters)


def losses_in(folder):
    events = EventAccumulator(str(folder / "train")).Reload()
    return [(each.step, float(tf.make_ndarray(each.tensor_proto))) for each in events.Tensors("epoch_loss")]


def test_folds_of_a_search_have_separate_logs(iris, tmp_path):
    logs = tmp_path / "deep" / "logs"
    grid = {"learning_rate": [0.001, 0.1]}
    search = GridSearchCV(mlp(logs), grid, cv=2).fit(*iris)
    folders = sorted(logs.iterdir())
    assert [folder.name for folder in folders] == [f"fit-{number}" for number in range(1, 6)]
    parameters = [(folder / "parameters.txt").read_text().splitlines() for folder in folders]
    assert all("callbacks=[TensorBoard(...)]" in lines for lines in parameters)
    rates = [0.001 if "learning_rate=0.001" in lines else 0.1 for lines in parameters]
    assert sorted(rates[:4]) == [0.001, 0.001, 0.1, 0.1]
    curves = [losses_in(folder) for folder in folders]
    assert {tuple(step for step, _ in curve) for curve in curves} == {(0, 1)}
    assert len({curve[0][1] for curve in curves}) == 5, "the curves of different fits differ"
    best = search.best_estimator_
    assert best.callbacks_[0].log_dir == str(folders[-1])
    np.testing.assert_allclose([loss for _, loss in curves[-1]], best.history_["loss"], rtol=1e-5)


@pytest.mark.exhaustive
def test_fits_in_several_processes_have_separate_logs(iris, tmp_path):
    GridSearchCV(mlp(tmp_path), {"learning_rate": [0.001, 0.1]}, cv=2, n_jobs=2, refit=False).fit(*iris)
    folders = sorted(tmp_path.iterdir())
    assert [folder.name for folder in folders] == [f"fit-{number}" for number in range(1, 5)]
    assert len({losses_in(folder)[0][1] for folder in folders}) == 4


def test_folders_of_concurrent_fits_differ(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        folders = list(pool.map(lambda _: numbered_folder(tmp_path / "logs", "fit-"), range(100)))
    assert len(set(folders)) == 100
    assert set(folders) == {tmp_path / "logs" / f"fit-{number}" for number in range(1, 101)}


def test_continued_fits_write_to_the_same_folder(iris, tmp_path):
    estimator = mlp(tmp_path, warm_start=True).fit(*iris).fit(*iris).partial_fit(*iris)
    assert [folder.name for folder in tmp_path.iterdir()] == ["fit-1"]
    assert estimator.get_params()["callbacks"][0].log_dir == str(tmp_path)
    events = [path for path in (tmp_path / "fit-1" / "train").iterdir() if "tfevents" in path.name]
    assert len(events) == 3
    estimator.set_params(warm_start=False).fit(*iris)
    assert sorted(folder.name for folder in tmp_path.iterdir()) == ["fit-1", "fit-2"]


def test_logs_do_not_affect_checkpoints(iris, tmp_path):
    estimator = mlp(tmp_path / "logs", memory=tmp_path / "checkpoints")
    assert estimator.fit(*iris).n_iter_from_memory_ == 0
    assert estimator.set_params(epochs=3).fit(*iris).n_iter_from_memory_ == 2
    assert [step for step, _ in losses_in(tmp_path / "logs" / "fit-2")] == [2]


def test_folder_that_cannot_be_created_keeps_the_fitted_model(iris, tmp_path):
    (tmp_path / "file").touch()
    estimator = KerasNetClassifier("mlp", epochs=1, random_state=0).fit(*iris)
    before = estimator.predict_proba(iris[0])
    estimator.set_params(callbacks=[keras.callbacks.TensorBoard(tmp_path / "file" / "logs")])
    with pytest.raises(NotADirectoryError):
        estimator.fit(*iris)
    np.testing.assert_array_equal(estimator.predict_proba(iris[0]), before)
