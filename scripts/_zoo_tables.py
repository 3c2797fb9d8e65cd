"""Training recipes for nine public tables: the default network for tables next to other models, all with defaults.

The settings of the network were chosen on splits with other seeds (100 to 103).
"""

from functools import partial

import pandas as pd
from _zoo import Recipe
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import kerasnet as kn
from kerasnet.preprocessing import make_tabular_preprocessor

TARGETS = {
    "diamonds": "price",
    "Computers": "price",
    "BudgetFood": "wfood",
    "MedExp": "med",
    "Wages": "lwage",
    "flchain": "death",
    "Hdma": "deny",
    "Benefits": "ui",
    "HI": "hhi",
}
LEFT_OUT = {"flchain": ["futime", "chapter"]}  # known only after the death
TWO_CLASSES = ("flchain", "Hdma", "Benefits", "HI")
HIDDEN = (256, 256)


def split(folder, name, seed):
    """Return training and test parts of a table: X_train, X_test, y_train, y_test."""
    frame = pd.read_csv(folder / "tables" / f"{name}.csv", index_col=0)
    frame = frame.drop(columns=LEFT_OUT.get(name, [])).dropna(subset=[TARGETS[name]])
    texts = frame.select_dtypes(exclude="number").columns
    frame[texts] = frame[texts].astype("category")  # as HistGradientBoosting expects them
    y = frame.pop(TARGETS[name])
    if name in TWO_CLASSES:
        y = (y == y.max()).astype(int) if y.dtype.kind == "i" else y.cat.codes
    strata = y if name in TWO_CLASSES else None
    return train_test_split(frame, y.to_numpy(), test_size=0.2, stratify=strata, random_state=seed)


def real_mlp(X, task, seed):
    """Return the default pipeline."""
    return kn.make_tabular_pipeline(X, task=task, random_state=seed)


def mlp(X, task, seed):
    """Return a multilayer perceptron of kerasnet with early stopping."""
    parameters = {"dense_units": HIDDEN, "epochs": 200, "early_stopping": True, "random_state": seed}
    if task == "classification":
        return make_pipeline(make_tabular_preprocessor(X), kn.KerasNetClassifier("mlp", **parameters))
    network = kn.KerasNetRegressor("mlp", standardize_targets=True, **parameters)
    return make_pipeline(make_tabular_preprocessor(X), network)


def mlp_of_sklearn(X, task, seed):
    """Return a multilayer perceptron of scikit-learn with early stopping."""
    parameters = {"hidden_layer_sizes": HIDDEN, "early_stopping": True, "random_state": seed}
    if task == "classification":
        return make_pipeline(make_tabular_preprocessor(X), MLPClassifier(**parameters))
    network = TransformedTargetRegressor(MLPRegressor(**parameters), transformer=StandardScaler())
    return make_pipeline(make_tabular_preprocessor(X), network)


def boosting(X, task, seed):
    """Return gradient boosting of scikit-learn."""
    kind = HistGradientBoostingClassifier if task == "classification" else HistGradientBoostingRegressor
    return kind(random_state=seed)


def linear(X, task, seed):
    """Return a linear model."""
    model = LogisticRegression(max_iter=1000) if task == "classification" else Ridge()
    return make_pipeline(make_tabular_preprocessor(X), model)


def run(name, make, folder, seed):
    """Return the test result of a model for a table, in percent."""
    X_train, X_test, y_train, y_test = split(folder, name, seed)
    task = "classification" if name in TWO_CLASSES else "regression"
    model = make(X_train, task, seed).fit(X_train, y_train)
    if task == "classification":
        return 100 * roc_auc_score(y_test, model.predict_proba(X_test)[:, 1])
    return 100 * r2_score(y_test, model.predict(X_test))


MODELS = {
    "real_mlp": (real_mlp, "`real_mlp`", "`make_tabular_pipeline`"),
    "mlp": (mlp, "`mlp`", "256-256, early stopping"),
    "sklearn mlp": (mlp_of_sklearn, "MLP of scikit-learn", "256-256, early stopping"),
    "boosting": (boosting, "HistGradientBoosting", "defaults"),
    "linear": (linear, "Ridge or LogisticRegression", "defaults"),
}
RECIPES = {
    f"{table} {short}": Recipe(
        table,
        title,
        recipe,
        partial(run, table, make),
        seeds=(0, 1, 2, 3, 4),
        metric="AUC, %" if table in TWO_CLASSES else "R², %",
    )
    for table in TARGETS
    for short, (make, title, recipe) in MODELS.items()
}
