"""Functions shared by the loaders of datasets with a training and a test set."""

from numbers import Integral

import numpy as np
from sklearn.utils import resample

_PARTS = {"train": ("train",), "test": ("test",), "all": ("train", "test")}


def check_subset(subset):
    """Return the parts of a dataset that `subset` selects, in order."""
    if not isinstance(subset, str) or subset not in _PARTS:
        raise ValueError(f"subset must be one of {list(_PARTS)}. Received: {subset!r}.")
    return _PARTS[subset]


def draw_stratified(X, y, n_samples, random_state):
    """Draw a stratified subset of `n_samples` samples in the original order; return all samples if it is None."""
    if n_samples is None:
        return X, y
    if isinstance(n_samples, bool) or not isinstance(n_samples, Integral) or not 1 <= n_samples <= len(y):
        raise ValueError(f"n_samples must be an int from 1 to {len(y)}, or None. Received: {n_samples!r}.")
    rows = resample(np.arange(len(y)), replace=False, n_samples=n_samples, stratify=y, random_state=random_state)
    rows.sort()
    return X[rows], y[rows]
