"""Reports: their content for each kind of estimator, and numbers compared with scikit-learn."""

import re

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_iris, make_multilabel_classification
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, log_loss, mean_absolute_error, r2_score, roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

import kerasnet as kn
from kerasnet.report import _report
from kerasnet.report._page import Section, percent


def metric(page, name):
    """Return the value and the interval of a metric in the summary."""
    value, interval = re.search(
        rf"<h2>{re.escape(name)}</h2>\s*<p class=\"value\">(.*?)</p>(?:\s*<p class=\"interval\">.*?</abbr> (.*?)</p>)?",
        page,
    ).groups()
    return value, interval


def sections(page):
    return re.findall(r"<section id=\"(.*?)\">", page)


CLASSIFIER = ["classes", "confusion-matrix", "calibration", "most-confident-mistakes"]
COMMON = ["data", "parameters", "time-and-memory", "how-to-reproduce"]


def test_numbers_of_a_classifier_equal_those_of_scikit_learn(report, iris):
    X, y = iris
    model = LogisticRegression(C=0.01).fit(X[::2], y[::2])
    page = report(model, X[1::2], y[1::2], class_names=["a", "b", "c"])
    predicted = model.predict(X[1::2])
    assert sections(page) == [*CLASSIFIER, *COMMON]
    assert metric(page, "Accuracy")[0] == percent(accuracy_score(y[1::2], predicted))
    assert metric(page, "Macro F1")[0] == f"{f1_score(y[1::2], predicted, average='macro'):.4g}"
    low, high = map(float, metric(page, "Macro F1")[1].split(" to "))
    assert low < f1_score(y[1::2], predicted, average="macro") < high
    assert "<bdi>C</bdi></td><td><bdi>0.01</bdi>" in page
    table = page.partition('id="most-confident-mistakes"')[2].partition("</table>")[0]
    confidence = [float(each) for each in re.findall(r"([\d.]+)\s%</bdi></td></tr>", table)]
    assert len(confidence) > 2
    assert confidence == sorted(confidence, reverse=True)
    assert re.search(r"LogisticRegression: \d+ parameters with default values", page)


def test_log_loss_of_probabilities_of_zero_is_that_of_scikit_learn(report, iris):
    X, y = iris
    model = DecisionTreeClassifier(random_state=0).fit(X[::2], y[::2])
    expected = log_loss(y[1::2], model.predict_proba(X[1::2]))
    assert metric(report(model, X[1::2], y[1::2]), "Log loss")[0] == f"{expected:.4g}"


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_held_out_parts_of_scikit_learn_are_validation_data(report, iris):
    for early_stopping in (True, False):
        model = MLPClassifier(2, early_stopping=early_stopping, max_iter=2, random_state=0, tol=100).fit(*iris)
        assert ("trained without validation data" in report(model, *iris)) != early_stopping


def test_columns_of_lists_have_no_number_of_values(report):
    X = pd.DataFrame({"a": [[1], [2]] * 5})
    page = report(DummyClassifier().fit(X, [0, 1] * 5), X, [0, 1] * 5)
    assert re.search(r"<bdi>a</bdi></td><td><bdi>object</bdi></td><td><bdi>\N{EN DASH}</bdi>", page)


def test_reports_of_the_same_results_are_equal(report, iris, monkeypatch):
    monkeypatch.setattr(_report, "cost_section", lambda *arguments: Section("Time and memory"))
    X, y = iris
    model = LogisticRegression().fit(X, y)
    first, second = (re.sub(r"samples, \d{4}.*?</p>", "", report(model, X, y)) for _ in range(2))
    assert first == second


def test_binary_classifier_without_probabilities(report, iris):
    X, y = iris
    model = LinearSVC(random_state=0).fit(X[:100], y[:100] == 1)
    page = report(model, X[:100], y[:100] == 1)
    assert sections(page) == ["classes", "confusion-matrix", *COMMON]
    assert "There are no wrong predictions." in page


def test_search_over_a_pipeline_shows_candidates_and_the_parameters_of_each_step(report, iris):
    X, y = iris
    pipeline = make_pipeline(StandardScaler(), DecisionTreeClassifier(random_state=0))
    search = GridSearchCV(pipeline, {"decisiontreeclassifier__max_depth": [1, 2]}, cv=2).fit(X, y)
    page = report(search, X, y)
    assert "search" in sections(page)
    assert "2 candidates, 2 folds" in page
    assert "StandardScaler (standardscaler): all parameters have their default values." in page
    assert "DecisionTreeClassifier (decisiontreeclassifier)" in page


def test_multilabel_classifier(report):
    X, y = make_multilabel_classification(n_samples=120, n_classes=3, random_state=0)
    model = RandomForestClassifier(20, random_state=0).fit(X[:60], y[:60])
    page = report(model, X[60:], y[60:], class_names=["x", "y", "z"])
    predicted = model.predict(X[60:])
    assert sections(page) == ["labels", "calibration", "most-confident-mistakes", *COMMON]
    assert metric(page, "Exact matches")[0] == percent(accuracy_score(y[60:], predicted))
    assert metric(page, "Micro F1")[0] == f"{f1_score(y[60:], predicted, average='micro'):.4g}"
    assert "<bdi>x: wrongly predicted</bdi>" in page or "<bdi>x: missing</bdi>" in page


@pytest.mark.parametrize("transform", [lambda y: y + 1, lambda y: 2 * y - 1])
def test_multilabel_targets_and_predictions_are_0_and_1(report, transform):
    X, y = make_multilabel_classification(n_samples=60, n_classes=3, random_state=0)
    model = RandomForestClassifier(5, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="Expected 1 for labels that apply and 0 for others in y .* Received: "):
        report(model, X, transform(y))
    model = RandomForestClassifier(5, random_state=0).fit(X, (y + 1).astype(int))
    with pytest.raises(ValueError, match=r"in the predictions of a multilabel classifier. Received: \[[12], [12]\]"):
        report(model, X, y)


def test_labels_with_one_value_in_training_have_its_probability(report):
    X, y = make_multilabel_classification(n_samples=60, n_classes=3, random_state=0)
    y[:, 1], y[:, 2] = 1, 0
    page = report(RandomForestClassifier(20, random_state=0).fit(X, y), X, pd.DataFrame(y, columns=["a", "b", "c"]))
    mean = float(re.search(r"The mean probability of the label is ([\d.]+)", page)[1]) / 100
    assert mean == pytest.approx(y.mean(), abs=0.03)
    assert "<bdi>b</bdi>" in page


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_regressor(report, n_outputs):
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    y = y if n_outputs == 1 else np.column_stack([y, -y])
    model = LinearRegression().fit(X[:200], y[:200])
    page = report(model, X[200:], y[200:])
    assert sections(page) == [*(["outputs"] if n_outputs > 1 else []), "residuals", "largest-residuals", *COMMON]
    predicted = model.predict(X[200:])
    assert metric(page, "R²")[0] == f"{r2_score(y[200:], predicted):.4g}"
    assert metric(page, "Mean absolute error")[0] == f"{mean_absolute_error(y[200:], predicted):.4g}"
    assert page.count("Histogram.") == n_outputs
    assert "<bdi>bmi</bdi>" in page


def test_constant_targets_and_predictions_have_no_undefined_numbers(report):
    X, y = np.eye(6), np.tile([0.1, 0.3], (6, 1))
    page = report(LinearRegression().fit(X, y), X, pd.DataFrame(y, columns=["length", "width"]))
    assert metric(page, "R²") == ("undefined", None)
    assert "of length: correlation undefined." in page
    assert '<bdi>width</bdi></td><td class="number"><bdi>undefined</bdi>' in page
    assert "Always predicting the median of y has the error 0." in page
    assert not re.search(r"\bnan\b", page)
    assert "regression, 1 sample," in report(LinearRegression().fit(X, y), X[:1], y[:1])


def test_no_interval_where_all_resamples_are_equal(report, iris):
    X, y = iris
    page = report(DecisionTreeClassifier(random_state=0).fit(X[:100], y[:100]), X[:100], y[:100])
    for name in ("Macro F1", "ROC AUC"):
        assert metric(page, name) == ("1", None)
    assert metric(page, "Log loss") == ("0", None)
    assert metric(page, "Accuracy")[1] is not None
    assert page.count("No interval: resamples do not differ.") == 3


def test_polars_data_frames_have_their_columns(report, iris):
    polars = pytest.importorskip("polars")
    X = polars.DataFrame(iris[0], schema=["a", "b", "c", "d"])
    page = report(LogisticRegression(max_iter=500).fit(X, iris[1]), X, iris[1])
    assert "<bdi>polars.DataFrame</bdi>" in page
    assert "<bdi>d</bdi></td><td><bdi>float32</bdi></td><td><bdi>0.0125 to 0.3125, mean 0.1499</bdi>" in page


def code(page):
    """Return the commands of the report."""
    return re.search(r"<code>(.*?)</code>", page, flags=re.DOTALL)[1]


def test_untrained_estimators_are_reproduced_by_their_constructors(report):
    X, y = kn.datasets.load_mnist("test", n_samples=30, random_state=0, return_X_y=True)
    lenet = kn.KerasNetClassifier.from_pretrained("lenet", "mnist", epochs=3)
    page = report(lenet, X, y)
    assert "<title>lenet (KerasNetClassifier) report</title>" in page
    namespace = {"kerasnet": kn}
    exec(code(page).splitlines()[0], namespace)
    np.testing.assert_array_equal(namespace["estimator"].predict(X), lenet.predict(X))
    pipeline = make_pipeline(FunctionTransformer(), lenet)
    *lines, _ = code(report(pipeline, X, y)).splitlines()
    namespace.update(
        Pipeline=Pipeline, FunctionTransformer=FunctionTransformer, KerasNetClassifier=kn.KerasNetClassifier
    )
    exec("\n".join(lines), namespace)
    np.testing.assert_array_equal(namespace["estimator"].predict(X), lenet.predict(X))
    flat = X.reshape(30, -1) / np.float32(255)
    model = kn.models.build_mlp((784,), 10)
    names = [*"abcdefghij"]
    namespace.update(model=model, classes=names)
    page = report(kn.KerasNetClassifier.from_keras(model, classes=names), flat, np.array(names)[y])
    exec(code(page).splitlines()[0], namespace)
    assert namespace["estimator"].classes_.tolist() == names
    initialized = kn.KerasNetClassifier("mlp", random_state=0).initialize(flat, y)
    assert "estimator.initialize(X_train, y_train)\n" in code(report(initialized, flat, y))


def _identity(X):
    return X


def test_objects_are_shown_without_addresses(report, digits, tmp_path):
    X, y = digits[0][:30].reshape(30, -1), digits[1][:30]
    callbacks = [keras.callbacks.TensorBoard(tmp_path / "logs", write_graph=False), keras.callbacks.TerminateOnNaN()]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=False)
    model = kn.KerasNetClassifier("mlp", epochs=1, callbacks=callbacks, loss=loss, random_state=0).fit(X, y)
    pipeline = make_pipeline(FunctionTransformer(_identity), FunctionTransformer(lambda X: X), model)
    page = report(pipeline, X, y)
    assert "[TensorBoard(...), TerminateOnNaN(...)]" in page
    assert "FunctionTransformer(func=_identity)" in code(page)
    assert not re.search(r"0x[0-9a-f]{6}", page)


def test_outlier_detector(report):
    rng = np.random.default_rng(0)
    X, y = np.vstack([rng.normal(size=(80, 2)), rng.normal(4, 1, size=(20, 2))]), np.repeat([1, -1], [80, 20])
    model = make_pipeline(StandardScaler(), IsolationForest(n_estimators=20, random_state=0)).fit(X[:80])
    page = report(model, X, y)
    assert metric(page, "ROC AUC")[0] == f"{roc_auc_score(y, model.decision_function(X)):.4g}"
    assert set(re.findall(r'viewBox="0 0 ([\d.]+)', page)) == {"288"}, "text has the same size as in other figures"
    assert sections(page) == ["scores", "confusion-matrix", "most-abnormal-samples", "most-normal-samples", *COMMON]
    assert "confusion-matrix" not in sections(report(model, X))
    with pytest.raises(ValueError, match=r"1 for inliers and -1 for outliers. Received: \[1, 0\]"):
        report(model, X, (y + 1) // 2)


def test_autoencoder_in_a_pipeline(report, digits):
    X, y = digits[0][:200], digits[1][:200]
    flatten = FunctionTransformer(lambda X: X.reshape(len(X), -1))
    model = make_pipeline(flatten, kn.Autoencoder(code_units=4, epochs=2, random_state=0)).fit(X)
    page = report(model, X, y, images=X)
    expected = ["reconstructions", "codes", "largest-errors", "learning-curves", "data", "parameters", "model"]
    assert sections(page) == [*expected, *COMMON[2:]]
    assert metric(page, "Mean squared error")[0] == f"{-model.score(X):.4g}"
    assert "6 images with largest errors" in page
    assert set(re.findall(r"<figure class=\"(.*?)\"", page)) == {"plot"}, "without a background of their own"
    assert set(re.findall(r'viewBox="0 0 ([\d.]+)', page)) == {"288"}, "text has the same size in all figures"
    assert page.count("<img") == 20


def test_network_on_images(report, digits):
    X, y = digits[0][:300], digits[1][:300]
    model = kn.CNNClassifier(filters=(4,), epochs=2, random_state=0).fit(X[:200], y[:200], X_val=X[200:], y_val=y[200:])
    page = report(model, X[200:], y[200:], notes={"training time": "12 s"}, command="python train.py <now>")
    assert {"learning-curves", "typical-examples", "model"} < set(sections(page))
    assert re.search(r"Learning curve of the loss in 2 epochs: training .* validation ", page)
    assert "<td><bdi>training time</bdi></td><td><bdi>12 s</bdi></td>" in page
    assert "<code>python train.py <now></code>" in page
    shape = "\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}".join(map(str, model.model_.get_layer("conv_1").output.shape[1:]))
    assert f"<bdi>conv_1</bdi></td><td><bdi>Conv2D</bdi></td><td><bdi>{shape}</bdi>" in page
    alternatives = re.findall(r"<img [^>]*alt=\"(.*?)\"", page)
    assert all(re.fullmatch(r"Image: .*%, row \d+", each) for each in alternatives)
    assert any(re.match(r"Image: true \d, predicted \d", each) for each in alternatives)


def test_backbone_features_and_sequences(report):
    rng = np.random.default_rng(0)
    images, y = rng.integers(0, 255, (12, 32, 32, 3), dtype=np.uint8), np.arange(12) % 3
    features = kn.BackboneFeatures("mobilenet", layer="conv_pw_1_relu", weights=None, random_state=0)
    model = make_pipeline(features, LogisticRegression()).fit(images, y)
    assert report(model, images, y).count("<img") == 12
    steps = rng.random((12, 6, 4), dtype=np.float32)
    network = kn.SimpleRNNClassifier(units=4, random_state=0).initialize(steps, y)
    assert "<img" not in report(network, steps, y)
    assert "<img" in report(network, steps, y, images=images)


def test_hundred_classes(report):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(400, 3)), np.repeat(np.arange(200), 2)
    model = DecisionTreeClassifier(max_depth=8, random_state=0).fit(X, y)
    page = report(model, X, y)
    assert "The 30 of 200 with the lowest recall" in page
    assert "<summary>All 200</summary>" in page
    assert page.count("<text") < 100
    few = y < 40  # the other classes have no samples
    page = report(model, X[few], y[few])
    table = page.partition("<caption>The 30 of 200 with the lowest recall; 160 have no samples</caption>")[2]
    assert '<bdi>0</bdi></td><td class="number"><bdi>–' not in table.partition("</table>")[0]
    assert table.partition("</table>")[0].count("<tr>") == 31
    right = (model.predict(X) == y) & (y >= 100)
    assert "typical-examples" in sections(report(model, X[right], y[right], images=rng.random((right.sum(), 5, 5))))


def test_search_with_several_metrics_shows_all_of_them(report, iris):
    X, y = iris
    grid, scoring = {"max_depth": [1, 2, None]}, ["f1_macro", "accuracy"]
    tree = DecisionTreeClassifier(random_state=0)
    search = GridSearchCV(tree, grid, cv=2, scoring=scoring, refit="accuracy").fit(X, y)
    page = report(search, X, y)
    assert f"The best has a mean accuracy score of {search.best_score_:.4g} on the folds" in page
    assert page.index("mean accuracy</th>") < page.index("mean f1_macro</th>")
    search = GridSearchCV(tree, grid, cv=2, scoring=scoring, refit=lambda results: 0).fit(X, y)
    assert f"mean f1_macro score of {search.cv_results_['mean_test_f1_macro'][0]:.4g}" in report(search, X, y)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning", "ignore:One or more of the test scores")
def test_failed_candidates_of_a_search_are_marked(report, iris):
    search = GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [2, -1]}, cv=2).fit(*iris)
    page = report(search, *iris)
    assert "<bdi>failed</bdi>" in page
    assert "<bdi>nan</bdi>" not in page


def test_targets_may_be_strings_in_a_data_frame(report):
    data = load_iris(as_frame=True)
    y = data.target_names[data.target]
    X = data.data.assign(kind=np.resize(["a", None], len(data.data)))
    model = make_pipeline(FunctionTransformer(lambda X: X.drop(columns="kind")), LogisticRegression(max_iter=500))
    page = report(model.fit(X, y), X, list(y))
    assert "<bdi>virginica</bdi>" in page
    assert re.search(r"<bdi>kind</bdi></td><td><bdi>\w+</bdi></td><td><bdi>1 different value</bdi>", page)
