"""Missing values of series: on the line between their neighbours."""

import numpy as np
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.impute import SimpleImputer
from sklearn.utils.validation import check_is_fitted, validate_data

from kerasnet._documentation import DocumentedEstimator
from kerasnet.preprocessing._frames import as_numbers


class InterpolationImputer(OneToOneFeatureMixin, TransformerMixin, DocumentedEstimator):
    """Fill missing values by linear interpolation between the rows above and below.

    The rows are taken as they come, at equal distances: this is for series in the order of time, not for rows that
    were shuffled. Each column is filled by itself; before its first and after its last known value that value is
    taken. What is filled in thus depends on the rows that are transformed together.

    Attributes
    ----------
    statistics_ : ndarray of shape (n_features,), dtype float64
        The medians of the columns in `fit`. They fill columns that have no known value in `transform`. A column
        without one in `fit` either has 0, as for :class:`sklearn.impute.SimpleImputer` with
        ``keep_empty_features=True``.
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
    >>> from kerasnet.preprocessing import InterpolationImputer
    >>> imputer = InterpolationImputer()
    >>> imputer.fit_transform([[np.nan], [1.0], [np.nan], [np.nan], [4.0], [np.nan]]).ravel()
    array([1., 1., 2., 3., 4., 4.])
    >>> imputer.transform([[np.nan]])
    array([[2.5]])
    """

    def fit(self, X, y=None):
        """Learn the median of each column.

        Parameters
        ----------
        X : array-like or pandas or polars DataFrame of shape (n_samples, n_features)
            Numbers; NaN, None and null are missing.
        y : None
            Ignored.

        Returns
        -------
        InterpolationImputer
            This transformer.

        Raises
        ------
        ValueError
            If X holds infinity, dates or no numbers.
        """
        X = self._validated(X, reset=True).astype(np.float64, copy=False)
        self.statistics_ = SimpleImputer(strategy="median", keep_empty_features=True).fit(X).statistics_
        return self

    def transform(self, X):
        """Fill missing values.

        Parameters
        ----------
        X : array-like or pandas or polars DataFrame of shape (n_samples, n_features)
            Numbers in the order of their rows; NaN, None and null are missing.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Without NaN. float32 for float32, float64 for all others.

        Raises
        ------
        ValueError
            If X holds infinity, dates or no numbers, or has other columns than in `fit`.
        """
        check_is_fitted(self)
        X = np.array(self._validated(X, reset=False))  # a copy: nullable columns of pandas 3 are read-only
        missing = np.isnan(X)
        for column in np.flatnonzero(missing.any(axis=0)):
            gaps, known = np.flatnonzero(missing[:, column]), np.flatnonzero(~missing[:, column])
            values = X[known, column]
            X[gaps, column] = np.interp(gaps, known, values) if len(known) else self.statistics_[column]
        return X

    def _validated(self, X, reset):
        dtypes = (np.float64, np.float32)
        return validate_data(self, as_numbers(X), reset=reset, dtype=dtypes, ensure_all_finite="allow-nan")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
