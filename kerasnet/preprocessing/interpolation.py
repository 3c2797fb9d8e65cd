"""Impute missing values in time series by linear interpolation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import numpy as np
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.impute import SimpleImputer
from sklearn.utils.validation import check_is_fitted, validate_data

from kerasnet._documentation import DocumentedEstimator
from kerasnet.preprocessing._frames import as_numbers

if TYPE_CHECKING:
    import numpy.typing as npt


class InterpolationImputer(OneToOneFeatureMixin, TransformerMixin, DocumentedEstimator):
    """Impute missing values by linear interpolation between the previous and next rows.

    Rows must be in order of time and equally spaced; do not shuffle them. Each column is imputed independently. Values
    before the first and after the last non-missing value are replaced by that value. The imputed values therefore
    depend on the rows that are transformed together.

    Attributes
    ----------
    statistics_ : ndarray of shape (n_features,), dtype float64
        The medians of the columns seen during `fit`. They replace the values of columns that are entirely missing in
        `transform`. For columns that are entirely missing in `fit`, the statistic is 0, as for
        :class:`sklearn.impute.SimpleImputer` with ``keep_empty_features=True``.
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
    >>> from kerasnet.preprocessing import InterpolationImputer
    >>> imputer = InterpolationImputer()
    >>> imputer.fit_transform([[np.nan], [1.0], [np.nan], [np.nan], [4.0], [np.nan]]).ravel()
    array([1., 1., 2., 3., 4., 4.])
    >>> imputer.transform([[np.nan]])
    array([[2.5]])
    """

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike | None = None) -> Self:
        """Compute the median of each column.

        Parameters
        ----------
        X : array-like or pandas or polars DataFrame of shape (n_samples, n_features)
            Numeric data. NaN, None and null are missing values.
        y : None
            Ignored.

        Returns
        -------
        self : InterpolationImputer
            The fitted transformer.

        Raises
        ------
        ValueError
            If X contains infinity, dates or non-numeric values.
        """
        X = self._validate(X, reset=True).astype(np.float64, copy=False)
        self.statistics_ = SimpleImputer(strategy="median", keep_empty_features=True).fit(X).statistics_
        return self

    def transform(self, X: npt.ArrayLike) -> npt.NDArray[np.float32 | np.float64]:
        """Impute missing values.

        Parameters
        ----------
        X : array-like or pandas or polars DataFrame of shape (n_samples, n_features)
            Numeric data, in order of time. NaN, None and null are missing values.

        Returns
        -------
        X_imputed : ndarray of shape (n_samples, n_features)
            The data without NaN, of dtype float32 if X is float32, otherwise float64.

        Raises
        ------
        ValueError
            If X contains infinity, dates or non-numeric values, or its columns differ from those in `fit`.
        """
        check_is_fitted(self)
        X = np.array(self._validate(X, reset=False))  # copy, because nullable columns of pandas 3 are read-only
        missing = np.isnan(X)
        for column in np.flatnonzero(missing.any(axis=0)):
            gaps, present = np.flatnonzero(missing[:, column]), np.flatnonzero(~missing[:, column])
            values = X[present, column]
            X[gaps, column] = np.interp(gaps, present, values) if len(present) else self.statistics_[column]
        return X

    def _validate(self, X, reset):
        dtypes = (np.float64, np.float32)
        return validate_data(self, as_numbers(X), reset=reset, dtype=dtypes, ensure_all_finite="allow-nan")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
