"""Convert class weights to sample weights."""

import numpy as np
from sklearn.utils.class_weight import compute_class_weight


def weights_from_labels(class_weight, classes, y, sample_weight=None):
    """Return the weight of the class of each sample.

    Parameters
    ----------
    class_weight : dict or "balanced"
        Weights of the classes; 1 for classes that are not in the dict.
    classes : ndarray of shape (n_classes,)
        All classes, sorted. Some may not occur in `y`.
    y : ndarray of shape (n_samples,)
        Class labels.
    sample_weight : ndarray of shape (n_samples,), default=None
        Sample weights, used for the class frequencies of "balanced"; samples of weight 0 are not counted.

    Returns
    -------
    weights : ndarray of shape (n_samples,), dtype float64
    """
    if not isinstance(class_weight, str | dict):
        raise ValueError(
            f"class_weight must be a dict or 'balanced' for single-label targets. Received: {class_weight!r}."
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


def weights_from_indicators(class_weight, y, sample_weight=None):
    """Return the product of the label weights of each sample, for multilabel targets.

    Parameters
    ----------
    class_weight : list of dict or "balanced"
        The weights of 0 and 1 for each label.
    y : ndarray of shape (n_samples, n_labels)
        Indicator matrix of 0 and 1.
    sample_weight : ndarray of shape (n_samples,), default=None
        Sample weights, as for :func:`weights_from_labels`.

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
    return np.prod([weights_from_labels(one, np.arange(2), column, sample_weight) for one, column in columns], axis=0)
