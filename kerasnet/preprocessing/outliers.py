"""Clip outliers or replace them by missing values."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Self

import numpy as np
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import check_scalar
from sklearn.utils.validation import check_is_fitted, validate_data

from kerasnet._documentation import DocumentedEstimator
from kerasnet.preprocessing._frames import as_numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

_FACTORS = {"iqr": 1.5, "zscore": 3.0}
_METHODS = (*_FACTORS, "quantile")
_ACTIONS = ("clip", "missing")


class OutlierClipper(OneToOneFeatureMixin, TransformerMixin, DocumentedEstimator):
    """Clip outliers to the limits of their column, or replace them by missing values.

    The limits of each column are computed in `fit` from the values that are not NaN. NaN values are kept.

    Parameters
    ----------
    method : {"iqr", "zscore", "quantile"}, default="iqr"
        How to compute the limits:

        - "iqr": the first quartile minus, and the third quartile plus, `factor` times the interquartile range;
        - "zscore": the mean minus, and plus, `factor` times the (population) standard deviation;
        - "quantile": the two `quantiles`.
    factor : float, default=None
        The factor of the methods "iqr" and "zscore". None means 1.5 for "iqr" and 3 for "zscore". Not used by
        "quantile".
    quantiles : tuple (lower, upper) of float in [0, 1], default=(0.01, 0.99)
        The quantiles of the method "quantile".
    action : {"clip", "missing"}, default="clip"
        What to do with outliers: clip them to the limits, or replace them by NaN, for example for an imputer.

    Attributes
    ----------
    lower_, upper_ : ndarray of shape (n_features,), dtype float64
        The limits. They are -inf and inf for a column that contains only NaN, and, with "iqr" and "zscore", for a
        column whose interquartile range or standard deviation is 0. If most values are equal, as in an imbalanced
        binary feature, both quartiles are often equal, and all other values would be outliers.
    n_features_in_ : int
        The number of features seen during `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        The names of features seen during `fit`. Defined only if X has feature names that are all strings.

    See Also
    --------
    kerasnet.preprocessing.make_tabular_preprocessor : Build a pipeline for tabular data.

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

    def __init__(
        self,
        method: str = "iqr",
        *,
        factor: float | None = None,
        quantiles: Sequence[float] = (0.01, 0.99),
        action: str = "clip",
    ) -> None:
        self.method = method
        self.factor = factor
        self.quantiles = quantiles
        self.action = action

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike | None = None) -> Self:
        """Compute the limits of each column.

        Parameters
        ----------
        X : array-like or pandas or polars DataFrame of shape (n_samples, n_features)
            Numeric data. NaN, None and null are missing values.
        y : None
            Ignored.

        Returns
        -------
        self : OutlierClipper
            The fitted transformer.

        Raises
        ------
        ValueError
            If X contains infinity, dates or non-numeric values, or a parameter is invalid.
        TypeError
            If `factor` is not a number.
        """
        self._check_parameters()
        values = self._validate(X, reset=True).astype(np.float64, copy=False)
        has_values = ~np.isnan(values).all(axis=0)
        self.lower_ = np.full(values.shape[1], -np.inf)
        self.upper_ = np.full(values.shape[1], np.inf)
        self.lower_[has_values], self.upper_[has_values] = self._limits(values[:, has_values])
        return self

    def transform(self, X: npt.ArrayLike) -> npt.NDArray[np.float32 | np.float64]:
        """Clip outliers, or replace them by NaN.

        Parameters
        ----------
        X : array-like or pandas or polars DataFrame of shape (n_samples, n_features)
            Numeric data. NaN, None and null are missing values.

        Returns
        -------
        X_clipped : ndarray of shape (n_samples, n_features)
            The transformed data, of dtype float32 if X is float32, otherwise float64.

        Raises
        ------
        ValueError
            If X contains infinity, dates or non-numeric values, or its columns differ from those in `fit`.
        """
        check_is_fitted(self)
        values = self._validate(X, reset=False)
        if self.action == "missing":
            return np.where((self.lower_ <= values) & (self.upper_ >= values), values, np.nan)
        return np.clip(values, self.lower_, self.upper_).astype(values.dtype, copy=False)

    def _validate(self, X, reset):
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
        """Compute the limits of columns that have at least one non-missing value."""
        if self.method == "quantile":
            return np.nanquantile(X, self.quantiles, axis=0)
        factor = _FACTORS[self.method] if self.factor is None else self.factor
        if self.method == "iqr":
            low, high = np.nanquantile(X, (0.25, 0.75), axis=0)
            spread = high - low
        else:
            low = high = np.nanmean(X, axis=0)
            spread = np.nanstd(X, axis=0)
        is_constant = (spread == 0) | (np.nanmin(X, axis=0) == np.nanmax(X, axis=0))  # the std may be rounded to > 0
        spread = np.where(is_constant, np.inf, spread)
        return low - factor * spread, high + factor * spread

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
