"""Confidence intervals and calibration."""

import numpy as np
import pytest
from scipy.stats import binomtest

from kerasnet.report._statistics import (
    bootstrap_interval,
    calibration_bins,
    expected_calibration_error,
    wilson_interval,
)


@pytest.mark.parametrize(("successes", "n"), [(0, 10), (3, 10), (10, 10), (9882, 10_000)])
def test_wilson_interval_equals_that_of_scipy(successes, n):
    expected = binomtest(successes, n).proportion_ci(method="wilson")
    assert wilson_interval(successes, n) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_nothing_is_known_without_samples():
    assert wilson_interval(0, 0) == (0, 1)


def test_bootstrap_interval_of_a_mean_is_close_to_the_normal_one():
    values = np.random.default_rng(1).normal(3, 2, 1000)
    half = 1.96 * values.std() / np.sqrt(1000)
    interval = bootstrap_interval(lambda rows: values[rows].mean(), 1000)
    assert interval == pytest.approx((values.mean() - half, values.mean() + half), abs=0.2 * half)
    assert interval == bootstrap_interval(lambda rows: values[rows].mean(), 1000)


def test_undefined_statistics_are_left_out():
    flags = np.array([True, False])
    assert bootstrap_interval(lambda rows: 1.0 if flags[rows].any() else np.nan, 2) == (1, 1)
    assert np.isnan(bootstrap_interval(lambda rows: np.nan, 2)).all()


def test_calibration_error():
    probabilities, outcomes = np.array([0.1, 0.1, 0.9, 0.9, 1.0]), np.array([False, True, True, True, True])
    means, frequencies, counts = calibration_bins(probabilities, outcomes)
    assert counts.tolist() == [2, 2, 1]
    np.testing.assert_allclose(means, [0.1, 0.9, 1])
    np.testing.assert_allclose(frequencies, [0.5, 1, 1])
    assert expected_calibration_error(probabilities, outcomes) == pytest.approx((2 * 0.4 + 2 * 0.1) / 5)
    assert expected_calibration_error(np.zeros(3), np.zeros(3, bool)) == 0
