"""Pipelines for tables: a preprocessor and a network with suitable training settings."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from sklearn.pipeline import Pipeline

from kerasnet.estimators.classifier import KerasNetClassifier
from kerasnet.estimators.regressor import KerasNetRegressor
from kerasnet.models import registered_model
from kerasnet.preprocessing import make_tabular_preprocessor

if TYPE_CHECKING:
    import numpy.typing as npt

    from kerasnet.estimators._typing import Model, RandomState

_TRAINING: dict[str, Any] = {
    "epochs": 64,
    "batch_size": 128,
    "learning_rate_schedule": "cosine",
    "early_stopping": True,
    "validation_fraction": 0.15,
    "n_iter_no_change": 20,
    "tol": 0.0,
}
_CLIPPING = {f"optimizer__{name}" for name in ("clipnorm", "clipvalue", "global_clipnorm")}
_LEARNING_RATES_OF_REAL_MLP = {"classification": 0.01, "regression": 0.015}


def make_tabular_pipeline(
    X: npt.ArrayLike | None = None,
    model: Model = "real_mlp",
    *,
    task: str = "classification",
    random_state: RandomState = None,
    **parameters: Any,
) -> Pipeline:
    """Build a pipeline for tables: a preprocessor, and a network with training settings that suit tables.

    Missing values, categories and the scale of numbers and of the targets of a regression are handled. The pipeline is
    unfitted; fit it on the training data only.

    Parameters
    ----------
    X : pandas or polars DataFrame or array-like of shape (n_samples, n_features), default=None
        Table that determines the column types; see :func:`kerasnet.preprocessing.make_tabular_preprocessor`. If None,
        they are determined in `fit`.
    model : str or callable, default="real_mlp"
        Name or builder of a model for vectors; see :func:`kerasnet.models.build_real_mlp`.
    task : {"classification", "regression"}, default="classification"
        Type of the target.
    random_state : int, RandomState instance or None, default=None
        Seed of the network; see :class:`KerasNetClassifier`.
    **parameters
        Parameters of the network, which take precedence over the settings in Notes: arguments of the builder and
        parameters of :class:`KerasNetClassifier` or :class:`KerasNetRegressor`, such as ``epochs``.

    Returns
    -------
    pipeline : Pipeline
        The unfitted pipeline of the steps "preprocessor" and "network", a classifier or a regressor.

    Raises
    ------
    ValueError
        If `task` or a column is invalid.
    TypeError
        If a parameter does not exist.
    UnknownModelError
        If no model with this name is registered.

    See Also
    --------
    kerasnet.models.build_real_mlp : The default network.
    kerasnet.preprocessing.make_tabular_preprocessor : The preprocessor, with more options.

    Notes
    -----
    The training settings are parameters of the step "network":

    - at most 64 epochs with batches of 128 samples and a cosine learning rate schedule. 15 % of the training data are
      set aside to choose the epoch with the lowest loss; training stops 20 epochs after it;
    - Adam with gradients clipped to a norm of 0.1, so that single outliers among the targets have little influence. If
      `optimizer` is given, such as "adam", it has its own settings, so that optimizers can be searched;
    - for regression, standardized targets;
    - for "real_mlp", a learning rate of 0.01 (classification) or 0.015 (regression), and a second moment decay of 0.95.
      Other models have the learning rate of their estimator.

    Unlike in the publication of RealMLP, the loss for classification has no label smoothing, which makes probabilities
    less accurate, and the learning rate has one cycle with smaller values in fewer epochs.

    Examples
    --------
    >>> from kerasnet import make_tabular_pipeline
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.model_selection import train_test_split
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    >>> X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    >>> pipeline = make_tabular_pipeline(X, task="regression", random_state=0).fit(X_train, y_train)
    >>> bool(pipeline.score(X_test, y_test) > 0.25)
    True

    Parameters of both steps can be searched, for example with :class:`sklearn.model_selection.GridSearchCV`:

    >>> grid = {"preprocessor__columns__numeric__scaling": ["passthrough"], "network__dropout": [0.1, 0.3]}
    >>> sorted(grid.keys() - pipeline.get_params().keys())
    []
    """
    preprocessor, entry = make_tabular_preprocessor(X, task=task), registered_model(model)
    of_builder = inspect.signature(model).parameters if callable(model) else {}
    of_preprocessor = inspect.signature(make_tabular_preprocessor).parameters.keys() - of_builder
    if options := sorted(parameters.keys() & of_preprocessor):
        given = ", ".join(f"{name}=..." for name in options)
        raise TypeError(
            f"make_tabular_pipeline has no parameters {options}, which belong to the preprocessor. Replace it: "
            f"pipeline.set_params(preprocessor=make_tabular_preprocessor(X, task={task!r}, {given}))."
        )
    is_real_mlp = entry is not None and entry.name == "real_mlp"
    settings = dict(_TRAINING)
    if is_real_mlp:
        settings["learning_rate"] = _LEARNING_RATES_OF_REAL_MLP[task]
    if task == "regression":
        settings["standardize_targets"] = True
    if "optimizer" not in parameters:
        settings |= {} if _CLIPPING & parameters.keys() else {"optimizer__global_clipnorm": 0.1}
        settings |= {"optimizer__beta_2": 0.95} if is_real_mlp else {}
    kind = KerasNetClassifier if task == "classification" else KerasNetRegressor
    network = kind(model, random_state=random_state, **{**settings, **parameters})
    return Pipeline([("preprocessor", preprocessor), ("network", network)])
