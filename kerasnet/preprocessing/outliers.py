"""Outliers: what lies far beyond the other values of its column."""

from numbers import Real

import numpy as np
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_is_fitted, validate_data

from kerasnet._documentation import DocumentedEstimator
from kerasnet.preprocessing._frames import as_numbers

_FACTORS = {"iqr": 1.5, "zscore": 3.0}
_METHODS = (*_FACTORS, "quantile")
_ACTIONS = ("clip", "missing")


class OutlierClipper(OneToOneFeatureMixin, TransformerMixin, DocumentedEstimator):
    """Bring values beyond the limits of their column back to the limits, or mark them as missing.

    The limits are learned in `fit`, column by column, from the values that are not NaN. NaN stays NaN.

    Parameters
    ----------
    method : {"iqr", "zscore", "quantile"}, default="iqr"
        What the limits are:

        - "iqr": the first quartile minus, and the third quartile plus, `factor` times the distance between them;
        - "zscore": the mean minus, and plus, `factor` standard deviations (the root of the mean squared deviation);
        - "quantile": the two `quantiles`.
    factor : float, default=None
        How far from the quartiles or the mean the limits lie. None is 1.5 for "iqr" and 3 for "zscore"; "quantile"
        does not use it.
    quantiles : tuple (lower, upper) of float in [0, 1], default=(0.01, 0.99)
        The limits of the method "quantile".
    action : {"clip", "missing"}, default="clip"
        Whether an outlier becomes the nearer limit, or NaN for an imputer that follows.

    Attributes
    ----------
    lower_, upper_ : ndarray of shape (n_features,), dtype float64
        The limits. They are -inf and inf for a column of NaN alone, and for "iqr" and "zscore" for a column without
        spread: where more than half of the values are equal, as in a rare 0/1 mark, the quartiles tend to be equal,
        and all the other values would count as outliers.
    n_features_in_ : int
        The number of columns seen during `fit`.
    feature_names_in_ : ndarray of str
        The names of the columns of X, when all of them are strings.

    See Also
    --------
    kerasnet.preprocessing.make_tabular_preprocessor : Outliers, imputation, scaling, encoding and selection in one.

    Examples
    --------
    >>> import numpy as np
    >>> from kerasnet.preprocessing import OutlierClipper
    >>> X = np.array([[1.0], [2.0], [3.0], [4.0], [np.nan], [100.0]])
    >>> clipper = OutlierClipper().fit(X)
    >>> clipper.lower_, clipper.upper_
    (array([-1.]), array([7.]))
    >>> clipper.transform(X).ravel()
    array([ 1.,  2.,  3.,  4., nan,  7.])
    >>> OutlierClipper(action="missing").fit_transform(X).ravel()
    array([ 1.,  2.,  3.,  4., nan, nan])
    """

    def __init__(self, method="iqr", *, factor=None, quantiles=(0.01, 0.99), action="clip"):
        self.method = method
        self.factor = factor
        self.quantiles = quantiles
        self.action = action

    def fit(self, X, y=None):
        """Learn the limits of each column.

        Parameters
        ----------
        X : array-like or pandas or polars DataFrame of shape (n_samples, n_features)
            Numbers; NaN, None and null are missing.
        y : None
            Ignored.

        Returns
        -------
        OutlierClipper
            This transformer.

        Raises
        ------
        ValueError
            If X holds infinity, dates or no numbers, or a parameter is not as described.
        TypeError
            If `factor` is no number.
        """
        self._check_parameters()
        X = self._validated(X, reset=True).astype(np.float64, copy=False)
        known = ~np.isnan(X).all(axis=0)
        self.lower_ = np.full(X.shape[1], -np.inf)
        self.upper_ = np.full(X.shape[1], np.inf)
        self.lower_[known], self.upper_[known] = self._limits(X[:, known])
        return self

    def transform(self, X):
        """Clip outliers, or make them NaN.

        Parameters
        ----------
        X : array-like or pandas or polars DataFrame of shape (n_samples, n_features)
            Numbers; NaN, None and null are missing.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            float32 for float32, float64 for all others.

        Raises
        ------
        ValueError
            If X holds infinity, dates or no numbers, or has other columns than in `fit`.
        """
        check_is_fitted(self)
        X = self._validated(X, reset=False)
        if self.action == "missing":
            return np.where((self.lower_ <= X) & (self.upper_ >= X), X, np.nan)
        return np.clip(X, self.lower_, self.upper_).astype(X.dtype, copy=False)

    def _validated(self, X, reset):
        dtypes = (np.float64, np.float32)
        return validate_data(self, as_numbers(X), reset=reset, dtype=dtypes, ensure_all_finite="allow-nan")

    def _check_parameters(self):
        for name, value, allowed in (("method", self.method, _METHODS), ("action", self.action, _ACTIONS)):
            if value not in allowed:
                raise ValueError(f"{name} must be one of {allowed}. Received: {value!r}.")
        if self.factor is not None:
            check_scalar(self.factor, "factor", Real, min_val=0, include_boundaries="neither")
        quantiles = np.asarray(self.quantiles)
        if quantiles.shape != (2,) or quantiles.dtype.kind not in "iuf" or not 0 <= quantiles[0] < quantiles[1] <= 1:
            raise ValueError(
                f"quantiles must be two numbers (lower, upper) with 0 <= lower < upper <= 1. "
                f"Received: {self.quantiles!r}."
            )

    def _limits(self, X):
        """Return the limits of columns that have at least one value each."""
        if self.method == "quantile":
            return np.nanquantile(X, self.quantiles, axis=0)
        factor = _FACTORS[self.method] if self.factor is None else self.factor
        if self.method == "iqr":
            low, high = np.nanquantile(X, (0.25, 0.75), axis=0)
            spread = high - low
        else:
            low = high = np.nanmean(X, axis=0)
            spread = np.nanstd(X, axis=0)
        flat = (spread == 0) | (np.nanmin(X, axis=0) == np.nanmax(X, axis=0))  # where rounding leaves some deviation
        spread = np.where(flat, np.inf, spread)
        return low - factor * spread, high + factor * spread

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
