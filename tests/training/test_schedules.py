"""Learning rate schedules."""

import numpy as np
import pytest

from kerasnet.training import learning_rates


def test_constant_schedule():
    np.testing.assert_array_equal(learning_rates("constant", 0.1, 5), np.full(5, 0.1, dtype=np.float32))


@pytest.mark.parametrize(("schedule", "warm_up"), [("cosine", 0.05), ("one_cycle", 0.3)])
def test_rates_rise_to_the_maximum_and_fall(schedule, warm_up):
    rates = learning_rates(schedule, 0.1, 1000)
    peak = round(1000 * warm_up)
    assert rates.dtype == np.float32
    assert rates.max() == rates[peak] == np.float32(0.1)
    assert (np.diff(rates[:peak]) > 0).all()
    assert (np.diff(rates[peak:]) <= 0).all()
    assert rates[0] < 0.01
    assert rates[-1] < 1e-6


def test_cosine_schedule_matches_the_formula():
    rates = learning_rates("cosine", 2.0, 200)
    np.testing.assert_allclose(rates[:10], 2.0 * np.arange(1, 11) / 10, rtol=1e-6)
    np.testing.assert_allclose(rates[10:], 1 + np.cos(np.linspace(0, np.pi, 190)), atol=1e-6)


def test_one_cycle_starts_at_1_25_of_the_maximum():
    rates = learning_rates("one_cycle", 1.0, 10_000)
    assert rates[0] == pytest.approx(1 / 25, rel=1e-3)
    assert rates[-1] == pytest.approx(1 / 250_000, rel=1e-3)


@pytest.mark.parametrize("schedule", ["cosine", "one_cycle", "constant"])
@pytest.mark.parametrize("n_steps", [1, 2, 3, 7])
def test_short_trainings_have_valid_rates(schedule, n_steps):
    rates = learning_rates(schedule, 0.1, n_steps)
    assert rates.shape == (n_steps,)
    assert np.isfinite(rates).all()
    assert rates.max() == np.float32(0.1)


def test_unknown_schedule_raises():
    with pytest.raises(ValueError, match=r"schedule must be one of .*Received: 'linear'"):
        learning_rates("linear", 0.1, 10)
