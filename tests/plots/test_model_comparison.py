"""ModelComparisonDisplay."""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from kerasnet.estimators import KerasNetClassifier
from kerasnet.models import list_models, model_card
from kerasnet.plots import ModelComparisonDisplay


@pytest.mark.parametrize(("x", "attribute"), [("n_parameters", "n_parameters"), ("latency", "latency_ms")])
def test_pretrained_models_by_their_cards(x, attribute):
    _, ax = plt.subplots()
    display = ModelComparisonDisplay.from_cards(x=x, ax=ax)
    cards = {name: model_card(name).weights.get("mnist") for name in list_models()}
    cards = {name: card for name, card in cards.items() if card is not None and card.metric == "accuracy"}
    expected = [(getattr(card, attribute), card.value) for card in cards.values()]
    np.testing.assert_allclose(ax.collections[0].get_offsets(), expected)
    assert [text.get_text() for text in ax.texts] == display.names == list(cards)
    assert (display.ax_, display.figure_) == (ax, ax.figure)


def test_best_trade_offs():
    about = {"cost_name": "parameters", "names": ["a", "b", "c", "d", "e"], "score_name": "score"}
    costs, scores = np.array([10, 20, 30, 30, 5]), np.array([0.8, 0.7, 0.9, 0.95, 0.8])
    display = ModelComparisonDisplay(costs=costs, scores=scores, **about).plot(color="red")
    assert display.best_ == ["e", "d"]
    assert [text.get_text() for text in display.ax_.texts if text.get_fontweight() == "bold"] == ["d", "e"]
    errors = ModelComparisonDisplay(costs=costs, scores=1 - scores, lower_is_better=True, **about).plot()
    assert errors.best_ == ["e", "d"]


def test_fitted_estimators(digits):
    X, y = digits[0][:200].reshape(-1, 64), digits[1][:200]
    small, large = (
        KerasNetClassifier("mlp", dense_units=(units,), random_state=0).initialize(X, y) for units in (4, 64)
    )
    pipeline = make_pipeline(StandardScaler(), large)
    pipeline[0].fit(X)
    display = ModelComparisonDisplay.from_estimators([small, pipeline], X, y)
    assert display.names == ["mlp", "mlp (2)"]
    assert list(display.costs) == [each.model_.count_params() for each in (small, large)]
    assert list(display.scores) == [small.score(X, y), pipeline.score(X, y)]
    logistic = LogisticRegression(max_iter=500).fit(X, y)
    display = ModelComparisonDisplay.from_estimators({"$small": small, "logistic": logistic}, X, y, x="latency")
    assert (display.costs > 0).all()
    assert display.scores[1] == logistic.score(X, y)
    display.figure_.canvas.draw()
    with pytest.raises(TypeError, match="Received: LogisticRegression"):
        ModelComparisonDisplay.from_estimators([logistic], X, y)


def test_same_warning_of_several_estimators_is_issued_once():
    class Constant(DummyClassifier):
        def predict(self, X):
            warnings.warn(f"divide by {max(X)[0]}", stacklevel=1)
            return super().predict(X)

    estimators = [Constant().fit([[0]], [0]) for _ in range(2)]
    with pytest.warns(UserWarning, match="divide by 255") as caught:
        ModelComparisonDisplay.from_estimators(estimators, [[3], [255]], [0, 0], x="latency")
    assert [each.filename for each in caught] == [__file__]


def test_invalid_arguments_raise():
    with pytest.raises(ValueError, match=r"x must be one of \['n_parameters', 'latency'\]. Received: 'size'"):
        ModelComparisonDisplay.from_cards(x="size")
    with pytest.raises(ValueError, match=r"no pretrained weights for dataset='cifar'.*\('mnist', 'accuracy'\)"):
        ModelComparisonDisplay.from_cards("cifar")
    with pytest.raises(ValueError, match="at least one estimator"):
        ModelComparisonDisplay.from_estimators({}, [[0]], [0])
    with pytest.raises(NotFittedError):
        ModelComparisonDisplay.from_estimators([KerasNetClassifier("mlp")], [[0]], [0])
