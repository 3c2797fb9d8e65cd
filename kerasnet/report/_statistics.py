"""Confidence intervals and calibration."""

import numpy as np
from scipy.stats import norm

LEVEL = 0.95
N_RESAMPLES = 500
N_BINS = 15  # as in Guo et al., "On calibration of modern neural networks", 2017


def wilson_interval(successes, n):
    """Return the 95 % Wilson score interval of a proportion.

    Parameters
    ----------
    successes : int
        Number of successes.
    n : int
        Number of trials; with 0, nothing is known.

    Returns
    -------
    low, high : float
        Bounds in [0, 1].
    """
    if n == 0:
        return 0.0, 1.0
    z, share = norm.ppf((1 + LEVEL) / 2), successes / n
    center = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return float(max(center - half, 0)), float(min(center + half, 1))


def bootstrap_interval(statistic, n):
    """Return the 95 % percentile bootstrap interval of a statistic, with fixed random seeds.

    Parameters
    ----------
    statistic : callable
        Takes an array of row indices and returns a float; NaN for samples where it is undefined.
    n : int
        Number of samples.

    Returns
    -------
    low, high : float
        The bounds.
    """
    rng = np.random.default_rng(0)
    values = np.array([statistic(rng.integers(0, n, n)) for _ in range(N_RESAMPLES)])
    values = values[np.isfinite(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def calibration_bins(probabilities, outcomes):
    """Return the mean probability, the observed frequency and the number of samples of each non-empty bin.

    Parameters
    ----------
    probabilities : ndarray of shape (n,)
        Predicted probabilities, in [0, 1].
    outcomes : ndarray of shape (n,) of bool
        Whether the predicted event occurred.

    Returns
    -------
    means, frequencies, counts : ndarray of shape (n_bins,)
        One value for each bin of equal width that contains samples. Bins are open on the left.
    """
    bins = np.clip(np.ceil(probabilities * N_BINS).astype(int) - 1, 0, N_BINS - 1)
    counts = np.bincount(bins, minlength=N_BINS)
    sums = [np.bincount(bins, weights=each, minlength=N_BINS) for each in (probabilities, outcomes)]
    filled = counts > 0
    return *(each[filled] / counts[filled] for each in sums), counts[filled]


def expected_calibration_error(probabilities, outcomes):
    """Return the mean difference between probability and frequency over the bins, weighted by their size."""
    means, frequencies, counts = calibration_bins(probabilities, outcomes)
    return float(np.sum(counts * np.abs(means - frequencies)) / counts.sum())
