"""KerasNetRegressor, compared with scikit-learn's MLPRegressor."""

import warnings

import numpy as np
import pytest
from _longer import longer
from sklearn.base import clone, is_regressor
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import cross_val_score
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from kerasnet.estimators import KerasNetRegressor


@pytest.fixture(scope="module")
def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return StandardScaler().fit_transform(X), StandardScaler().fit_transform(y[:, np.newaxis]).ravel()


def mlp(**params):
    return KerasNetRegressor("mlp", **{"dense_units": (16,), "epochs": 3, "random_state": 0, **params})


def test_is_regressor_and_learns(diabetes):
    X, y = diabetes
    assert is_regressor(mlp())
    assert cross_val_score(mlp(epochs=20), X, y, cv=3).min() > 0.35


@pytest.mark.parametrize("shape", [(442,), (442, 1), (442, 3)])
def test_predictions_have_the_shape_of_the_targets(diabetes, shape):
    X, y = diabetes
    targets = np.broadcast_to(y.reshape(442, *[1] * (len(shape) - 1)), shape)
    estimator = mlp().fit(X, targets)
    assert estimator.predict(X).shape == shape
    assert estimator.predict(X).dtype == np.float64
    assert estimator.model_.get_layer("output").get_config()["activation"] == "linear"


def test_linear_network_reaches_the_least_squares_solution(diabetes):
    """A network without hidden layers is a linear regression with a known solution."""
    X, y = diabetes
    exact = np.linalg.lstsq(np.c_[X, np.ones(442)], y, rcond=None)[0]
    estimator = mlp(dense_units=(), epochs=300, optimizer="sgd", learning_rate=0.05, batch_size=-1).fit(X, y)
    assert np.square(y - estimator.predict(X)).mean() == pytest.approx(
        np.square(y - np.c_[X, np.ones(442)] @ exact).mean(), rel=0.05
    )
    assert estimator.history_["loss"][-1] < estimator.history_["loss"][0]


@pytest.mark.parametrize("standardize", [False, True])
def test_integer_weights_equal_repeated_samples(diabetes, standardize):
    X, y = diabetes
    weight = np.arange(442) % 3
    full_batch = {"batch_size": -1, "optimizer": "sgd", "epochs": 5, "learning_rate": 0.05}
    network = mlp(standardize_targets=standardize, **full_batch)
    repeated = clone(network).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    weighted = network.fit(X, np.where(weight, y, 1e6), sample_weight=weight)
    for a, b in zip(weighted.model_.get_weights(), repeated.model_.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-4, atol=1e-4)


SMALL_MODELS = {"cnn": {"filters": (4,), "dense_units": (8,)}, "simple_rnn": {"units": (8,)}}


@pytest.mark.parametrize("model", longer(SMALL_MODELS, ["simple_rnn"]))  # sequences: see test_sequences.py
def test_regression_of_images_and_sequences(digits, model):
    X, y = digits
    estimator = KerasNetRegressor(model, epochs=1, random_state=0, **SMALL_MODELS[model]).fit(X[:100], y[:100] / 9)
    assert estimator.predict(X[:5]).shape == (5,)


def test_early_stopping_and_validation_data(diabetes):
    X, y = diabetes
    stopped = mlp(epochs=200, early_stopping=True, n_iter_no_change=3, learning_rate=0.01).fit(X, y)
    assert stopped.n_iter_ < 200
    watched = mlp().fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    error = np.square(y[1::2] - watched.predict(X[1::2])).mean()
    assert watched.history_["val_loss"][-1] == pytest.approx(error, rel=1e-5)


def test_partial_fit_equals_one_epoch_of_fit(diabetes):
    X, y = diabetes
    whole, parts = mlp().fit(X, y), mlp()
    for _ in range(3):
        parts.partial_fit(X, y)
    np.testing.assert_array_equal(whole.predict(X), parts.predict(X))
    with pytest.raises(ValueError, match="y has 2 dimensions, but KerasNetRegressor is expecting 1"):
        parts.partial_fit(X, np.c_[y, y])


def test_invalid_targets_raise_an_error(diabetes):
    X, _ = diabetes
    with pytest.raises(ValueError, match="could not convert string to float"):
        mlp().fit(X, np.full(442, "high", dtype=object))
    with pytest.raises(ValueError, match="contains NaN"):
        mlp().fit(X, np.full(442, np.nan))
    with pytest.raises(ValueError, match=r"too large to be standardized: its maximum is 4.41e\+202"):
        mlp(standardize_targets=True).fit(X, 1e200 * np.arange(442))
    fitted = mlp(epochs=1, warm_start=True).fit(X, np.arange(442))
    with pytest.raises(ValueError, match="standardize_targets=True, but this KerasNetRegressor was fitted without it"):
        fitted.set_params(standardize_targets=True).fit(X, np.arange(442))


def test_transformed_target_regressor():
    X, y = load_diabetes(return_X_y=True)
    network = make_pipeline(StandardScaler(), clone(mlp(epochs=20)))
    model = TransformedTargetRegressor(network, transformer=StandardScaler()).fit(X[:300], y[:300])
    assert model.score(X[300:], y[300:]) > 0.35


@pytest.mark.exhaustive
def test_scores_match_mlp_regressor_within_seed_variance(diabetes):
    """With five seeds on two data sets, the difference of the means is below the spread over the seeds."""
    rng = np.random.default_rng(0)
    rooms, income, age, place = rng.random((4, 3000))
    price = np.tanh(3 * income) + 0.3 * np.sin(6 * place) + 0.2 * rooms * age + 0.1 * rng.standard_normal(3000)
    housing = StandardScaler().fit_transform(np.c_[rooms, income, age, place]), (price - price.mean()) / price.std()
    for name, (X, y) in {"diabetes": diabetes, "housing": housing}.items():
        scores = {"kerasnet": [], "scikit-learn": []}
        for seed in range(5):
            ours = KerasNetRegressor("mlp", dense_units=(50,), epochs=40, batch_size=64, random_state=seed)
            theirs = MLPRegressor(hidden_layer_sizes=(50,), alpha=0, max_iter=40, tol=0, n_iter_no_change=99)
            theirs.set_params(batch_size=64, random_state=seed)
            for side, estimator in (("kerasnet", ours), ("scikit-learn", theirs)):
                rows = np.random.default_rng(seed).permutation(len(X))
                train, test = rows[: len(X) * 3 // 4], rows[len(X) * 3 // 4 :]
                with warnings.catch_warnings(action="ignore", category=ConvergenceWarning):  # intended
                    estimator.fit(X[train], y[train])
                scores[side].append(estimator.score(X[test], y[test]))
        print(name, {side: np.round(values, 3).tolist() for side, values in scores.items()})
        difference = np.subtract(scores["kerasnet"], scores["scikit-learn"])
        assert abs(difference.mean()) < max(0.02, 2 * difference.std())
