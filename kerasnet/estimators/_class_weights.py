"""Class weights as weights of samples."""

import numpy as np
from sklearn.utils.class_weight import compute_class_weight


def weights_of_labels(class_weight, classes, y, sample_weight=None):
    """Return the weight that the class of each sample has.

    Parameters
    ----------
    class_weight : dict or "balanced"
        The weight of each class, 1 for those that are not named.
    classes : ndarray of shape (n_classes,)
        All classes, sorted; some may be missing in `y`.
    y : ndarray of shape (n_samples,)
        Labels.
    sample_weight : ndarray of shape (n_samples,), default=None
        What "balanced" counts classes by: a sample of weight 0 is none.

    Returns
    -------
    weights : ndarray of shape (n_samples,), dtype float64
    """
    if not isinstance(class_weight, str | dict):
        raise ValueError(
            f"class_weight must be a dict or 'balanced' for one label a sample. Received: {class_weight!r}."
        )
    if not isinstance(class_weight, str):
        of_classes = compute_class_weight(class_weight, classes=classes, y=y)
        return of_classes[np.searchsorted(classes, y)]
    counted = np.ones(len(y), bool) if sample_weight is None else sample_weight > 0
    present, weights = np.unique(y[counted]), np.zeros(len(y))
    of_classes = compute_class_weight(
        class_weight,
        classes=present,
        y=y[counted],
        sample_weight=None if sample_weight is None else sample_weight[counted].astype(np.float64),
    )
    weights[counted] = of_classes[np.searchsorted(present, y[counted])]
    return weights


def weights_of_indicators(class_weight, y, sample_weight=None):
    """Return the product of the weights that the labels of each sample have.

    Parameters
    ----------
    class_weight : list of dict or "balanced"
        For each label the weights of 0 and 1.
    y : ndarray of shape (n_samples, n_labels)
        0 and 1.
    sample_weight : ndarray of shape (n_samples,), default=None
        As for :func:`weights_of_labels`.

    Returns
    -------
    weights : ndarray of shape (n_samples,), dtype float64
    """
    n_labels = y.shape[1]
    if isinstance(class_weight, dict) or (isinstance(class_weight, list) and len(class_weight) != n_labels):
        raise ValueError(
            f"class_weight must be 'balanced' or a list of {n_labels} dicts, one for each label, such as "
            f"[{{0: 1, 1: 2}}, ...]. Received: {class_weight!r}."
        )
    each = [class_weight] * n_labels if isinstance(class_weight, str) else class_weight
    columns = zip(each, y.astype(np.int64).T, strict=True)
    return np.prod([weights_of_labels(one, np.arange(2), column, sample_weight) for one, column in columns], axis=0)
