"""GridSearchDisplay."""

import warnings

import keras
import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, KFold, RandomizedSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from kerasnet.estimators import KerasNetClassifier
from kerasnet.plots import GridSearchDisplay

failed_fits_are_expected = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.FitFailedWarning", "ignore:One or more of the test scores:UserWarning"
)


@pytest.fixture(scope="module")
def table(digits):
    return digits[0][:200].reshape(-1, 64), digits[1][:200]


def search_trees(table, grid, **options):
    return GridSearchCV(DecisionTreeClassifier(random_state=0), grid, cv=3, **options).fit(*table)


def texts_of(ax):
    return [text.get_text() for text in ax.texts]


def test_line_of_a_number(table):
    search = search_trees(table, {"max_depth": [8, 2, 4]}, scoring="accuracy")
    display = GridSearchDisplay.from_estimator(search)
    line, _, (bars,) = display.ax_.containers[0]
    order = [1, 2, 0]
    np.testing.assert_array_equal(line.get_xdata(), [2, 4, 8])
    np.testing.assert_array_equal(line.get_ydata(), search.cv_results_["mean_test_score"][order])
    low, high = np.transpose([segment[:, 1] for segment in bars.get_segments()])
    np.testing.assert_allclose((high - low) / 2, search.cv_results_["std_test_score"][order])
    assert display.ax_.get_xlabel() == "max_depth"
    assert display.ax_.get_ylabel().startswith("accuracy")
    assert display.ax_.get_xscale() == "linear"


def test_numbers_of_different_magnitudes_have_a_logarithmic_scale(table):
    display = GridSearchDisplay.from_estimator(search_trees(table, {"ccp_alpha": [0.0001, 0.01]}))
    assert display.ax_.get_xscale() == "log"


@failed_fits_are_expected
def test_points_of_categories_include_failed_candidates(table):
    search = search_trees(table, {"criterion": ["gini", "$none$"]})
    display = GridSearchDisplay.from_estimator(search)
    assert [text.get_text() for text in display.ax_.get_xticklabels()] == ["gini", r"\$none\$"]
    assert display.ax_.get_xlim() == (-0.5, 1.5)
    display.figure_.canvas.draw()


def test_heat_map_of_two_parameters_of_a_pipeline(table):
    pipeline = make_pipeline(StandardScaler(), DecisionTreeClassifier(random_state=0))
    grid = {"decisiontreeclassifier__max_depth": [3, None], "decisiontreeclassifier__min_samples_leaf": [1, 4, 2]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(*table)
    _, ax = plt.subplots()
    display = GridSearchDisplay.from_estimator(search, ax=ax)
    scores = search.cv_results_["mean_test_score"].reshape(2, 3)[:, [0, 2, 1]]
    np.testing.assert_array_equal(ax.get_images()[0].get_array(), scores)
    assert (display.ax_, display.figure_) == (ax, ax.figure)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("min_samples_leaf", "max_depth")
    assert [text.get_text() for text in ax.get_xticklabels()] == ["1", "2", "4"]
    assert [text.get_text() for text in ax.get_yticklabels()] == ["3", "None"]
    assert texts_of(ax) == [f"{score:.3g}" for score in scores.ravel()]


def test_parallel_coordinates_of_a_randomized_search(table):
    distributions = {"max_depth": range(1, 20), "min_samples_leaf": [1, 2, 4], "criterion": ["gini", "entropy"]}
    search = RandomizedSearchCV(
        DecisionTreeClassifier(random_state=0), distributions, n_iter=12, cv=2, random_state=0
    ).fit(*table)
    display = GridSearchDisplay.from_estimator(search)
    scores = search.cv_results_["mean_test_score"]
    lines = [line for line in display.ax_.lines if len(line.get_xdata()) == 4]
    assert len(lines) == 12
    ends = sorted(line.get_ydata()[-1] for line in lines)
    np.testing.assert_allclose(ends, sorted((scores - scores.min()) / np.ptp(scores)))
    thick = [line for line in lines if line.get_linewidth() == 3]
    assert [line.get_ydata()[-1] for line in thick] == [1]
    best = search.best_params_
    criteria = list(dict.fromkeys(each["criterion"] for each in search.cv_results_["params"]))
    assert thick[0].get_ydata()[list(search.cv_results_["params"][0]).index("criterion")] == criteria.index(
        best["criterion"]
    )
    assert [text.get_text() for text in display.ax_.get_xticklabels()][-1] == "score"


def test_incomplete_grid_of_two_parameters_has_parallel_coordinates(table):
    grid = [{"max_depth": [2, 3], "min_samples_leaf": [1]}, {"max_depth": [5], "min_samples_leaf": [4]}]
    display = GridSearchDisplay.from_estimator(search_trees(table, grid))
    assert not display.ax_.get_images()
    heat_map = display.plot(kind="heat_map")
    assert np.isnan(heat_map.ax_.get_images()[0].get_array().filled(np.nan)).sum() == 3
    assert texts_of(heat_map.ax_).count("–") == 3


def test_parameter_that_a_grid_does_not_set_has_the_default_of_the_candidate(table):
    grid = [{"max_depth": [2, 3]}, {"min_samples_leaf": [1, 4], "splitter": ["random"]}]
    display = GridSearchDisplay.from_estimator(search_trees(table, grid))
    columns = [[each[name] for each in display.params] for name in ("max_depth", "min_samples_leaf", "splitter")]
    assert columns == [[2, 3, None, None], [1, 1, 1, 4], ["best", "best", "random", "random"]]
    steps = [{"tree": [DecisionTreeClassifier(random_state=0)], "tree__max_depth": [2, 3]}, {"tree": [GaussianNB()]}]
    search = GridSearchCV(Pipeline([("tree", DecisionTreeClassifier())]), steps, cv=2).fit(*table)
    display = GridSearchDisplay.from_estimator(search)
    assert {"2", "3", "–"} <= {*texts_of(display.ax_)}
    assert "None" not in texts_of(display.ax_)


@failed_fits_are_expected
def test_learning_curves_come_from_checkpoints(table, tmp_path):
    trained = []
    estimator = KerasNetClassifier("mlp", dense_units=(16,), epochs=3, random_state=0, memory=tmp_path)
    pipeline = make_pipeline(StandardScaler(), estimator)
    grid = {"kerasnetclassifier__learning_rate": [0.0001, 0.01, -1]}  # a negative rate is rejected
    search = GridSearchCV(pipeline, grid, cv=KFold(2), refit=False).fit(*table)
    before = {path: path.stat().st_ino for path in tmp_path.rglob("*.npz")}
    display = GridSearchDisplay.from_estimator(search, *table, kind="learning_curves", metric="accuracy")
    assert before == {path: path.stat().st_ino for path in tmp_path.rglob("*.npz")}, "no epoch is trained"
    for params in search.cv_results_["params"][:2]:
        folds = [
            pipeline.set_params(**params).fit(table[0][rows], table[1][rows])[-1].history_["accuracy"]
            for rows, _ in KFold(2).split(table[0])
        ]
        trained.append(np.mean(folds, axis=0))
    best = int(search.cv_results_["mean_test_score"][:2].argmax())
    first, second = display.ax_.lines
    np.testing.assert_allclose(first.get_ydata(), trained[best])
    np.testing.assert_allclose(second.get_ydata(), trained[1 - best])
    assert first.get_label() == f"learning_rate={search.cv_results_['params'][best][next(iter(grid))]}"
    with pytest.raises(ValueError, match=r"metric must be one of \['accuracy', 'loss'\]. Received: 'f1'"):
        display.plot(kind="learning_curves", metric="f1")


def test_learning_curves_write_no_logs_and_warn_of_missing_epochs(table, tmp_path):
    logs, (X, y) = tmp_path / "logs", table
    estimator = KerasNetClassifier(
        "mlp",
        dense_units=(4,),
        epochs=2,
        random_state=0,
        memory=tmp_path / "memory",
        callbacks={"logs": keras.callbacks.TensorBoard, "stop": keras.callbacks.EarlyStopping("loss", patience=1)},
        callbacks__logs__log_dir=str(logs),
    )
    search = GridSearchCV(estimator, {"learning_rate": [0.001, 0.01]}, cv=2, refit=False).fit(X, y)
    n_logs = len([*logs.iterdir()])
    with warnings.catch_warnings(action="error"):
        display = GridSearchDisplay.from_estimator(search, X, y, kind="learning_curves")
    assert len(display.ax_.lines) == 2
    assert len([*logs.iterdir()]) == n_logs == 4
    with pytest.warns(UserWarning, match="do not contain all epochs.*'learning_rate': 0.001") as caught:
        GridSearchDisplay.from_estimator(search, X[::-1], y[::-1], kind="learning_curves")
    assert [each.filename for each in caught] == [__file__]


def test_several_scores(table):
    search = search_trees(table, {"max_depth": [2, 4]}, scoring=["accuracy", "f1_macro"], refit="f1_macro")
    for scoring in ("accuracy", None):
        display = GridSearchDisplay.from_estimator(search, scoring=scoring)
        name = scoring or "f1_macro"
        np.testing.assert_array_equal(display.scores, search.cv_results_[f"mean_test_{name}"])
        assert display.ax_.get_ylabel().startswith(name)
    with pytest.raises(ValueError, match=r"scoring must be one of \['accuracy', 'f1_macro'\]. Received: 'recall'"):
        GridSearchDisplay.from_estimator(search, scoring="recall")


@pytest.mark.parametrize(
    ("grid", "options", "message"),
    [
        ({"max_depth": [2, 3]}, {"kind": "pie"}, "kind must be one of .* Received: 'pie'"),
        (
            {"max_depth": [2, 3]},
            {"kind": "heat_map"},
            r"over 2 parameters with several values. Received: \['max_depth'",
        ),
        ({"max_depth": [2]}, {}, r"requires candidates with different parameters.* 1 candidate, .*{'max_depth': 2}"),
        (
            {"max_depth": [2]},
            {"kind": "parallel_coordinates"},
            r"over at least 1 parameter with several values. Received: \[\]",
        ),
        ({"max_depth": [2, 3]}, {"kind": "learning_curves"}, "Set memory= of the estimator before the search"),
    ],
)
def test_invalid_arguments_raise(table, grid, options, message):
    search = search_trees(table, grid)
    with pytest.raises(ValueError, match=message):
        GridSearchDisplay.from_estimator(search, *table, **options)


def test_unfitted_search_raises():
    with pytest.raises(NotFittedError):
        GridSearchDisplay.from_estimator(GridSearchCV(DecisionTreeClassifier(), {}))
