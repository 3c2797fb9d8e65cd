"""From a table as it is found to numbers that a network can take."""

from functools import partial
from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.experimental import enable_iterative_imputer  # noqa: F401  # what makes the next import possible
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

from kerasnet.preprocessing._frames import as_frame, as_numbers, as_objects, is_number, refuse_dates
from kerasnet.preprocessing._pipeline import ArrayPipeline
from kerasnet.preprocessing.interpolation import InterpolationImputer
from kerasnet.preprocessing.outliers import OutlierClipper


def make_tabular_preprocessor(
    X=None,
    *,
    numeric_columns=None,
    categorical_columns=None,
    imputation="median",
    outliers=None,
    outlier_action="clip",
    scaling="standard",
    encoding="onehot",
    selection=None,
    n_features=None,
    task="classification",
    random_state=None,
):
    """Build the preparation of a table: outliers, missing values, scaling, encoding, selection.

    The result is an ordinary, unfitted :class:`sklearn.pipeline.Pipeline` of scikit-learn's own parts. Put it before
    a model in one more pipeline, and fit that on the training part alone.

    Parameters
    ----------
    X : pandas or polars DataFrame or array-like of shape (n_samples, n_features), default=None
        A table whose columns are divided by their dtypes: numbers are numeric; booleans, texts, objects and
        categories are categorical. Nothing is learned from its values. When None, the columns are divided in `fit`.
    numeric_columns, categorical_columns : list of str or list of int, default=None
        Names, or positions from 0; ``[]`` for none. None is all columns of that kind that are not in the other list.
        With both lists given, columns in neither are left out.
    imputation : {"mean", "median", "most_frequent", "knn", "iterative", "interpolate"} or None, default="median"
        How missing numbers are filled. "knn" comes after the scaling, for its distances need columns on one scale.
        "interpolate" is for rows in the order of time, see :class:`InterpolationImputer`. None leaves NaN.
    outliers : {"iqr", "zscore", "quantile"}, OutlierClipper or None, default=None
        What counts as an outlier among the numbers, see :class:`OutlierClipper`.
    outlier_action : {"clip", "missing"}, default="clip"
        Whether outliers become the nearer limit, or missing and are then imputed. An OutlierClipper has its own.
    scaling : {"minmax", "standard", "robust"} or None, default="standard"
        To [0, 1] over the training data, to mean 0 and standard deviation 1, or to median 0 and interquartile range 1.
    encoding : {"onehot", "ordinal"}, default="onehot"
        One column of 0 and 1 a category, none of them 1 for categories that are new in `transform`; or one column of
        the numbers of the categories, from 0, where new ones are -1. These are not scaled.
    selection : {"variance", "univariate", "mutual_info", "model"} or None, default=None
        Which of the features are kept: all that vary; those that depend most on y by the F-test, or by mutual
        information; those of most importance to a random forest.
    n_features : int, default=None
        How many features the last three selections keep. None is 10, and for "model" all above mean importance.
    task : {"classification", "regression"}, default="classification"
        What y is for the selection.
    random_state : int, RandomState instance or None, default=None
        For the imputation "iterative" and the selections "mutual_info" and "model".

    Returns
    -------
    Pipeline
        From tables to ndarrays of shape (n_samples, n_features_out), dtype float64 (float32 if all columns are numeric
        and float32).

    Raises
    ------
    ValueError
        If a column is unknown, there twice or in both lists, no column is left, or a parameter is not as described.
        Here or in `fit`: if a column that is not in `categorical_columns` holds dates or durations.
    TypeError
        If `n_features` is no whole number.

    See Also
    --------
    OutlierClipper : The outliers.
    InterpolationImputer : Missing values in series.

    Notes
    -----
    The steps have these names, with two underscores between those of nested ones. The ones that do nothing are
    "passthrough", so that a grid can put something there:

    - ``columns__numeric__conversion``, ``..__outliers``, ``..__imputation``, ``..__scaling``
    - ``columns__categorical__conversion``, ``..__imputation``, ``..__encoding``
    - ``selection``

    A grid sets, for instance, ``columns__numeric__imputation__n_neighbors``, ``columns__numeric__outliers__factor``,
    ``columns__numeric__scaling`` (a list of scalers), ``columns__categorical__encoding__min_frequency`` or
    ``selection__k``, each after the name of the preparation in the whole pipeline.

    Missing categories become the most frequent one; for a category of their own, set
    ``columns__categorical__imputation`` to ``SimpleImputer(strategy="constant", fill_value="missing")``. A column
    without any value in `fit` is filled with 0 and kept, so the number of features is the same in every fold; the
    imputation "iterative" leaves it out, with a warning, and so does the selection "variance".

    Why not scale the whole table first and split it then? Because means, limits, medians and the selected features
    would be learned from the test rows as well. They tell the model what it cannot know in use, and the score is too
    good: this is a leak. In a pipeline, cross-validation learns them from the training part of each fold.

    Polars frames and pandas' nullable dtypes give the same result as plain pandas dtypes. A categorical column of whole
    numbers is read as integers, so its categories have the same names with and without missing values.

    The features are named as the columns, one-hot ones "column_category". Should two names be equal, call
    ``set_params(columns__verbose_feature_names_out=True)`` to put ``"numeric__"`` or ``"categorical__"`` before them.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from kerasnet.preprocessing import make_tabular_preprocessor
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import GridSearchCV, train_test_split
    >>> from sklearn.pipeline import Pipeline
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame({"size": rng.normal(size=200), "colour": rng.choice(["red", "blue"], size=200)})
    >>> y = (X["size"] + (X["colour"] == "red") > 0.5).astype(int)
    >>> X.loc[::10, "size"] = np.nan
    >>> X.loc[5, "size"] = 1e6

    Split first; the medians, limits and scales are those of the training part, here of each fold's:

    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    >>> preprocessor = make_tabular_preprocessor(X, imputation="knn", outliers="iqr")
    >>> pipeline = Pipeline([("preparation", preprocessor), ("model", LogisticRegression())])
    >>> grid = {"preparation__columns__numeric__imputation__n_neighbors": [3, 9]}
    >>> search = GridSearchCV(pipeline, grid, cv=3).fit(X_train, y_train)
    >>> bool(search.score(X_test, y_test) > 0.85)
    True
    >>> search.best_estimator_["preparation"].get_feature_names_out()
    array(['size', 'colour_blue', 'colour_red'], dtype=object)
    """
    numeric_columns, categorical_columns = _columns(X, numeric_columns, categorical_columns)
    numeric = {
        "conversion": FunctionTransformer(_as_floats, feature_names_out="one-to-one"),
        "outliers": _outlier_step(outliers, outlier_action),
        "imputation": _imputation_step(imputation, random_state),
        "scaling": _scaling_step(scaling),
    }
    if imputation == "knn":
        numeric["imputation"] = numeric.pop("imputation")  # to the end: distances need columns on one scale
    categorical = {
        "conversion": FunctionTransformer(_as_objects, feature_names_out="one-to-one"),
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


def _as_floats(X):
    """Return numbers as a new array of floats, with NaN where values are missing."""
    X = check_array(as_numbers(as_frame(X)), dtype=(np.float64, np.float32), ensure_all_finite="allow-nan")
    return np.array(X)


def _as_objects(X):
    """Return categories as a new array of objects: imputers and encoders know NaN, but not None and pandas.NA."""
    return as_objects(X)


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
        # If it kept empty features, it would write into its input (scikit-learn 1.9), and fail where that is a frame.
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
            raise ValueError(f"n_features needs a selection of {by_target}. Received: selection={selection!r}.")
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


def _check_choice(name, value, allowed):
    if value not in allowed:
        raise ValueError(f"{name} must be one of {allowed}. Received: {value!r}.")


def _columns(X, numeric, categorical):
    """Return both lists, or in place of one what ColumnTransformer calls in fit to find it."""
    numeric, categorical = _as_list("numeric_columns", numeric), _as_list("categorical_columns", categorical)
    given = [*(numeric or ()), *(categorical or ())]
    if len({type(column) for column in given}) > 1:
        raise ValueError(f"Expected either names or positions of columns, not both. Received: {given}.")
    twice = sorted({column for column in given if given.count(column) > 1})
    if twice:
        raise ValueError(f"Expected every column once, in one of the two lists. Twice there: {twice}.")
    if X is not None:
        X = as_frame(X)
        known = range(X.shape[1]) if given and isinstance(given[0], int) else X.columns
        unknown = [column for column in given if column not in known]
        if unknown:
            raise ValueError(f"Expected columns of X, {list(known)}. Not among them: {unknown}.")
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
    """Return the columns of numbers, or those of all else, that are not among the others."""
    X = as_frame(X)
    named = all(isinstance(name, str) for name in (*X.columns, *others))
    columns = dict(zip(X.columns if named else range(X.shape[1]), (column for _, column in X.items()), strict=True))
    columns = {name: column for name, column in columns.items() if name not in others}
    refuse_dates(columns.items())
    return [name for name, column in columns.items() if numeric == is_number(column.dtype)]
