"""Estimators and pipelines that make_export_table.py exports, fitted on data that is at hand."""

import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

import kerasnet as kn
from kerasnet.features import HOGTransformer, ImagePreprocessor
from kerasnet.preprocessing import make_tabular_preprocessor

N_SAMPLES = 1000


def cases():
    """Return functions that return a fitted estimator and samples, by name."""
    return {**model_cases(), **pipeline_cases()}


def model_cases():
    """Return the cases of registered models."""
    found = {}
    for name in kn.list_models():
        tasks = kn.model_card(name).tasks
        if "classification" in tasks:
            found[f"`{name}`, classifier"] = lambda name=name: classifier(name)
        if "regression" in tasks:
            found[f"`{name}`, regressor"] = lambda name=name: regressor(name)
        if "reconstruction" in tasks:
            found[f"`{name}`, autoencoder"] = lambda name=name: autoencoder(name)
    return found


def samples(name):
    """Return test images of MNIST as the model takes them, and their labels."""
    X, y = kn.datasets.load_mnist("test", n_samples=N_SAMPLES, random_state=0, return_X_y=True)
    kind = kn.model_card(name).input_kind
    if kind == "image":
        return X, y
    if kind == "tokens":
        return X.reshape(len(X), -1)[:, ::14].astype(np.int32), y  # every 14th byte as a token id
    X = (X / 255).astype(np.float32)
    return (X.reshape(len(X), -1) if kind == "vector" else X), y


def arguments(name):
    """Return the arguments for a short fit."""
    return {"epochs": 1, "random_state": 0, **({"weights": None} if name == "backbone" else {})}


def classifier(name):
    """Return a pretrained classifier, or one that is fitted on the samples."""
    X, y = samples(name)
    if kn.model_card(name).weights:
        return kn.KerasNetClassifier.from_pretrained(name, "mnist"), X
    return kn.KerasNetClassifier(name, **arguments(name)).fit(X, y), X


def regressor(name):
    """Return a regressor of the mean brightness."""
    X, _ = samples(name)
    return kn.KerasNetRegressor(name, **arguments(name)).fit(X, X.reshape(len(X), -1).mean(axis=1)), X


def autoencoder(name):
    """Return a pretrained autoencoder, or one that is fitted on the samples."""
    X, _ = samples(name)
    if kn.model_card(name).weights:
        return kn.Autoencoder.from_pretrained(name, "mnist"), (X * 255).astype(np.uint8)
    return kn.Autoencoder(model=name, epochs=1, random_state=0).fit(X), X


def mlp(**others):
    """Return an unfitted network for vectors."""
    return kn.KerasNetClassifier("mlp", epochs=3, random_state=0, **others)


def patients():
    """Return the breast cancer data with a column of strings and missing values."""
    data = load_breast_cancer(as_frame=True)
    X, rng = data.data.iloc[:, :10].copy(), np.random.default_rng(0)
    X["size"] = np.where(X["mean radius"] > X["mean radius"].median(), "large", "small")
    X.loc[rng.random(len(X)) < 0.05, "mean texture"] = np.nan
    X.loc[rng.random(len(X)) < 0.05, "size"] = None
    return X, data.target_names[data.target]


def pipeline_cases():
    """Return the cases of pipelines."""
    return {
        "`HOGTransformer` + `mlp`": lambda: fitted(make_pipeline(HOGTransformer(), mlp()), images),
        "`HOGTransformer` + `LinearSVC`": lambda: fitted(
            make_pipeline(HOGTransformer(pixels_per_cell=(4, 4)), LinearSVC(C=0.1)), images
        ),
        "`ImagePreprocessor` + `cnn`": lambda: fitted(
            make_pipeline(ImagePreprocessor((28, 28)), kn.CNNClassifier(epochs=1, random_state=0)), images
        ),
        "table with strings and missing values + `mlp`": lambda: fitted(
            make_pipeline(make_tabular_preprocessor(), mlp()), patients
        ),
        "table, clipped + `LogisticRegression`": lambda: fitted(
            make_pipeline(make_tabular_preprocessor(outliers="iqr", encoding="ordinal"), LogisticRegression()), patients
        ),
        "columns + `RandomForestClassifier`": lambda: fitted(
            make_pipeline(
                make_column_transformer(
                    (StandardScaler(), ["mean radius", "mean area"]), (OneHotEncoder(handle_unknown="ignore"), ["size"])
                ),
                RandomForestClassifier(random_state=0),
            ),
            lambda: (patients()[0][["mean radius", "mean area", "size"]].fillna({"size": "unknown"}), patients()[1]),
        ),
        "scaler + PCA + `mlp`": lambda: fitted(make_pipeline(StandardScaler(), PCA(16), mlp()), digits),
        "scaler and PCA side by side + `mlp`": lambda: fitted(
            make_pipeline(make_union(StandardScaler(), PCA(16)), mlp()), digits
        ),
        "scaler + autoencoder + `Ridge`": lambda: fitted(
            make_pipeline(MinMaxScaler(), kn.Autoencoder(code_units=8, epochs=5, random_state=0), Ridge()), diabetes
        ),
        "scaler + `RandomForestRegressor`": lambda: fitted(
            make_pipeline(StandardScaler(), RandomForestRegressor(random_state=0)), diabetes
        ),
    }


def images():
    """Return test images of MNIST and their labels."""
    return samples("cnn")


def digits():
    """Return the digits data."""
    return load_digits(return_X_y=True)


def diabetes():
    """Return the diabetes data."""
    return load_diabetes(return_X_y=True)


def fitted(pipeline, load):
    """Return a fitted pipeline and its samples."""
    X, y = load()
    pipeline.fit(X, y)
    return pipeline, X.iloc[:N_SAMPLES] if isinstance(X, pd.DataFrame) else X[:N_SAMPLES]
