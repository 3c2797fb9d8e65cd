"""Build preprocessing pipelines that convert tables to numeric arrays."""

from __future__ import annotations

import warnings
from functools import partial
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.exceptions import NotFittedError
from sklearn.experimental import enable_iterative_imputer  # noqa: F401  # enables IterativeImputer
from sklearn.feature_selection import (
    SelectFromModel,
    SelectKBest,
    VarianceThreshold,
    f_classif,
    f_regression,
    mutual_info_classif,
    mutual_info_regression,
)
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)
from sklearn.utils import check_array, check_scalar

from kerasnet.preprocessing._frames import as_frame, as_numbers, as_objects, check_no_dates, is_number
from kerasnet.preprocessing._pipeline import ArrayPipeline
from kerasnet.preprocessing.interpolation import InterpolationImputer
from kerasnet.preprocessing.outliers import OutlierClipper

_MANY_VALUES = 1000

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt


def make_tabular_preprocessor(
    X: npt.ArrayLike | None = None,
    *,
    numeric_columns: Sequence[str] | Sequence[int] | None = None,
    categorical_columns: Sequence[str] | Sequence[int] | None = None,
    imputation: str | None = "median",
    outliers: str | OutlierClipper | None = None,
    outlier_action: str = "clip",
    scaling: str | None = "standard",
    encoding: str = "onehot",
    selection: str | None = None,
    n_features: int | None = None,
    task: str = "classification",
    random_state: int | np.random.RandomState | None = None,
) -> Pipeline:
    """Build a preprocessing pipeline for tabular data.

    The pipeline handles outliers, imputes missing values, scales numeric columns, encodes categorical columns and
    selects features. It is an unfitted :class:`sklearn.pipeline.Pipeline` that consists mostly of scikit-learn
    transformers. Combine it with a model in another pipeline, and fit that pipeline on the training data only.

    Parameters
    ----------
    X : pandas or polars DataFrame or array-like of shape (n_samples, n_features), default=None
        Table that determines the column types. Columns of numbers are numeric, also if their dtype is object; columns
        of booleans, strings, other objects and categories are categorical. The pipeline is not fitted to the values. If
        None, the column types are determined in `fit`.
    numeric_columns, categorical_columns : list of str or list of int, default=None
        Names or zero-based positions of the numeric and categorical columns; ``[]`` for none. None means all columns
        of this type that are not in the other list. If both lists are given, all other columns are dropped.
    imputation : {"mean", "median", "most_frequent", "knn", "iterative", "interpolate"} or None, default="median"
        How to impute missing values in numeric columns. "knn" is applied after scaling, because its distances depend
        on the scale of the columns. "interpolate" requires rows in order of time; see :class:`InterpolationImputer`. If
        None, NaN is kept.
    outliers : {"iqr", "zscore", "quantile"}, OutlierClipper or None, default=None
        How to detect outliers in numeric columns; see :class:`OutlierClipper`. If None, outliers are kept.
    outlier_action : {"clip", "missing"}, default="clip"
        Whether to clip outliers or to replace them with missing values, which are then imputed. Ignored if `outliers`
        is an OutlierClipper.
    scaling : {"minmax", "standard", "robust"} or None, default="standard"
        How to scale numeric columns: to the range [0, 1], to mean 0 and standard deviation 1, or to median 0 and
        interquartile range 1.
    encoding : {"onehot", "ordinal"}, default="onehot"
        How to encode categorical columns. "onehot" creates one binary column per category; unknown categories are
        encoded as zeros. "ordinal" creates one column of category indices that start at 0; unknown categories are
        encoded as -1. Encoded columns are not scaled.
    selection : {"variance", "univariate", "mutual_info", "model"} or None, default=None
        How to select features: remove constant features ("variance"); keep the features with the highest F-statistic
        ("univariate") or mutual information with y; or keep the most important features of a random forest ("model").
    n_features : int, default=None
        Number of features to select; not supported by the selection "variance". None means 10, or, for "model", all
        features with at least the mean importance.
    task : {"classification", "regression"}, default="classification"
        Type of the target, used for feature selection.
    random_state : int, RandomState instance or None, default=None
        Seed for the imputation "iterative" and the selections "mutual_info" and "model".

    Returns
    -------
    preprocessor : Pipeline
        The unfitted pipeline. It transforms tables to ndarrays of shape (n_samples, n_features_out) of dtype float64,
        or float32 if all columns are float32.

    Raises
    ------
    ValueError
        If a column is unknown, duplicated or in both lists, if there are no columns, or if a parameter is invalid.
        Dates and durations in a column that is neither dropped nor in `categorical_columns` also raise this error, in
        `fit` at the latest.
    TypeError
        If `n_features` is not an int.

    Warns
    -----
    UserWarning
        If a column of `X` has more than 1,000 categories for one-hot encoding, unless `categorical_columns` is given.

    See Also
    --------
    OutlierClipper : Clip outliers or replace them with missing values.
    InterpolationImputer : Impute missing values in time series.

    Notes
    -----
    The pipeline has the following steps, named as in a parameter grid. Unused steps are "passthrough" and can be set in
    a grid:

    - ``columns__numeric__conversion``, ``..__outliers``, ``..__imputation``, ``..__scaling``
    - ``columns__categorical__conversion``, ``..__imputation``, ``..__encoding``
    - ``selection``

    Examples of parameters to search are ``columns__numeric__imputation__n_neighbors``,
    ``columns__numeric__outliers__factor``, ``columns__numeric__scaling`` (a list of scalers),
    ``columns__categorical__encoding__min_frequency`` and ``selection__k``. Prefix them with the name of the
    preprocessor in the enclosing pipeline.

    Missing categories are replaced by the most frequent category. To use a separate category, set
    ``columns__categorical__imputation`` to ``SimpleImputer(strategy="constant", fill_value="missing")``. Columns that
    are entirely missing in `fit` are kept and filled with 0, so that the number of features is the same in all folds.
    However, the imputation "iterative" drops them with a warning, and the selection "variance" drops them silently.

    Do not fit the preprocessor on the whole dataset before splitting it. Otherwise, the learned statistics and the
    selected features depend on the test data, and scores are too optimistic (data leakage). In a pipeline,
    cross-validation fits the preprocessor on the training part of each fold.

    Results for polars data frames and pandas nullable dtypes are the same as for pandas data frames with NumPy dtypes.
    Whole numbers in categorical columns are converted to integers, so that category names do not depend on missing
    values.

    The names of the output features are the names of the columns, or "column_category" for one-hot encoded columns. If
    names are not unique, call ``set_params(columns__verbose_feature_names_out=True)`` to add the prefixes
    ``"numeric__"`` and ``"categorical__"``.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from kerasnet.preprocessing import make_tabular_preprocessor
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import GridSearchCV, train_test_split
    >>> from sklearn.pipeline import Pipeline
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"size": rng.normal(size=200), "color": rng.choice(["red", "blue"], size=200)})
    >>> y = (X["size"] + (X["color"] == "red") > 0.5).astype(int)
    >>> X.loc[::10, "size"] = np.nan
    >>> X.loc[5, "size"] = 1e6

    Split the data first. The medians, limits and scales are computed from the training part of each fold:

    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    >>> preprocessor = make_tabular_preprocessor(X, imputation="knn", outliers="iqr")
    >>> pipeline = Pipeline([("preprocessor", preprocessor), ("model", LogisticRegression())])
    >>> grid = {"preprocessor__columns__numeric__imputation__n_neighbors": [3, 9]}
    >>> search = GridSearchCV(pipeline, grid, cv=3).fit(X_train, y_train)
    >>> bool(search.score(X_test, y_test) > 0.85)
    True
    >>> search.best_estimator_["preprocessor"].get_feature_names_out()
    array(['size', 'color_blue', 'color_red'], dtype=object)
    """
    categories_are_given = categorical_columns is not None
    numeric_columns, categorical_columns = _columns(X, numeric_columns, categorical_columns)
    if X is not None and encoding == "onehot" and not categories_are_given:
        _warn_about_many_categories(X, categorical_columns)
    numeric = {
        "conversion": FunctionTransformer(_as_floats, feature_names_out=_same_names),
        "outliers": _outlier_step(outliers, outlier_action),
        "imputation": _imputation_step(imputation, random_state),
        "scaling": _scaling_step(scaling),
    }
    if imputation == "knn":
        numeric["imputation"] = numeric.pop("imputation")  # move it after scaling: distances depend on the scale
    categorical = {
        "conversion": FunctionTransformer(_as_objects, feature_names_out=_same_names),
        "imputation": SimpleImputer(strategy="most_frequent", keep_empty_features=True),
        "encoding": _encoding_step(encoding),
    }
    columns = ColumnTransformer(
        [
            ("numeric", ArrayPipeline(list(numeric.items())), numeric_columns),
            ("categorical", ArrayPipeline(list(categorical.items())), categorical_columns),
        ],
        verbose_feature_names_out=False,
    )
    return Pipeline([("columns", columns), ("selection", _selection_step(selection, n_features, task, random_state))])


def _same_names(transformer, names):
    """Return the names of the input columns; unlike "one-to-one", raise an error for an empty group of columns."""
    if names is None:
        raise NotFittedError("There are no columns of this kind.")
    return names


def _as_floats(X):
    """Copy numbers to a float array, in which missing values are NaN."""
    X = check_array(as_numbers(as_frame(X)), dtype=(np.float64, np.float32), ensure_all_finite="allow-nan")
    return np.array(X)


def _as_objects(X):
    """Copy categories to an object array; imputers and encoders support NaN, but not None and pandas.NA."""
    return as_objects(X)


CONVERSIONS = (_as_floats, _as_objects)  # of dtypes; an exported model receives converted values


def _outlier_step(outliers, action):
    _check_choice("outlier_action", action, ("clip", "missing"))
    if isinstance(outliers, OutlierClipper):
        return clone(outliers)
    _check_choice("outliers", outliers, (None, "iqr", "zscore", "quantile"))
    return "passthrough" if outliers is None else OutlierClipper(outliers, action=action)


def _imputation_step(imputation, random_state):
    simple = ("mean", "median", "most_frequent")
    _check_choice("imputation", imputation, (*simple, "knn", "iterative", "interpolate", None))
    if imputation in simple:
        return SimpleImputer(strategy=imputation, keep_empty_features=True)
    return {
        "knn": KNNImputer(keep_empty_features=True),
        # With keep_empty_features, it modifies its input (scikit-learn 1.9), and fails if that is a data frame.
        "iterative": IterativeImputer(random_state=random_state),
        "interpolate": InterpolationImputer(),
        None: "passthrough",
    }[imputation]


def _scaling_step(scaling):
    scalers = {"minmax": MinMaxScaler(), "standard": StandardScaler(), "robust": RobustScaler(), None: "passthrough"}
    _check_choice("scaling", scaling, tuple(scalers))
    return scalers[scaling]


def _encoding_step(encoding):
    _check_choice("encoding", encoding, ("onehot", "ordinal"))
    if encoding == "onehot":
        return OneHotEncoder(handle_unknown="infrequent_if_exist", sparse_output=False)
    return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)


def _selection_step(selection, n_features, task, random_state):
    by_target = ("univariate", "mutual_info", "model")
    _check_choice("selection", selection, (None, "variance", *by_target))
    _check_choice("task", task, ("classification", "regression"))
    if n_features is not None:
        check_scalar(n_features, "n_features", Integral, min_val=1)
        if selection not in by_target:
            raise ValueError(f"n_features requires selection to be one of {by_target}. Received: {selection!r}.")
    if selection is None:
        return "passthrough"
    if selection == "variance":
        return VarianceThreshold()
    classification = task == "classification"
    if selection == "model":
        forest = (RandomForestClassifier if classification else RandomForestRegressor)(random_state=random_state)
        return SelectFromModel(forest, max_features=n_features, threshold=None if n_features is None else -np.inf)
    if selection == "univariate":
        score = f_classif if classification else f_regression
    else:
        score = partial(mutual_info_classif if classification else mutual_info_regression, random_state=random_state)
    return SelectKBest(score, k=10 if n_features is None else n_features)


def _warn_about_many_categories(X, columns):
    frame = as_frame(X)
    for column in columns:
        place = [*frame.columns].index(column) if isinstance(column, str) else column
        n_values = frame.iloc[:, place].map(str).nunique()
        if n_values > _MANY_VALUES:
            warnings.warn(
                f"The column {column!r} has {n_values} different values, each of which becomes a feature. Drop it if "
                "it identifies rows or contains texts. Otherwise, set columns__categorical__encoding__max_categories, "
                "and list all categorical columns in categorical_columns.",
                stacklevel=3,
            )


def _check_choice(name, value, allowed):
    if value not in allowed:
        raise ValueError(f"{name} must be one of {allowed}. Received: {value!r}.")


def _columns(X, numeric, categorical):
    """Return the numeric and categorical columns, each as a list or a callable for ColumnTransformer."""
    numeric, categorical = _as_list("numeric_columns", numeric), _as_list("categorical_columns", categorical)
    given = [*(numeric or ()), *(categorical or ())]
    if len({type(column) for column in given}) > 1:
        raise ValueError(f"Expected either names or positions of columns, not both. Received: {given}.")
    duplicates = sorted({column for column in given if given.count(column) > 1})
    if duplicates:
        raise ValueError(f"Expected each column only once in the two lists. Received duplicates: {duplicates}.")
    if X is not None:
        X = as_frame(X)
        known = range(X.shape[1]) if given and isinstance(given[0], int) else X.columns
        unknown = [column for column in given if column not in known]
        if unknown:
            raise ValueError(f"Expected columns of X, {list(known)}. Received unknown columns: {unknown}.")
    if numeric is None:
        numeric = partial(_columns_by_dtype, numeric=True, others=given)
    if categorical is None:
        categorical = partial(_columns_by_dtype, numeric=False, others=given)
    if X is not None:
        numeric, categorical = (columns(X) if callable(columns) else columns for columns in (numeric, categorical))
    if numeric == [] and categorical == []:
        raise ValueError("Expected at least one column, numeric or categorical. Received none.")
    return numeric, categorical


def _as_list(name, columns):
    if columns is None:
        return None
    columns = columns.tolist() if isinstance(columns, (np.ndarray, pd.Index)) else columns
    if not isinstance(columns, (list, tuple)) or not all(
        isinstance(column, str) or (isinstance(column, Integral) and not isinstance(column, bool) and column >= 0)
        for column in columns
    ):
        raise ValueError(f"{name} must be a list of names, or of positions from 0. Received: {columns!r}.")
    return [column if isinstance(column, str) else int(column) for column in columns]


def _columns_by_dtype(X, numeric, others):
    """Return the numeric or all other columns, except those in `others`."""
    X = as_frame(X)
    has_names = all(isinstance(name, str) for name in (*X.columns, *others))
    columns = dict(zip(X.columns if has_names else range(X.shape[1]), (column for _, column in X.items()), strict=True))
    columns = {name: column for name, column in columns.items() if name not in others}
    check_no_dates(columns.items())
    return [name for name, column in columns.items() if numeric == is_number(column.dtype)]
