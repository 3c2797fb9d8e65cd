"""Sections about data, time, memory, versions and how to reproduce the results."""

import importlib.metadata
import os
import platform
import resource
import sys
from numbers import Integral

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.pipeline import Pipeline

from kerasnet._values import without_addresses
from kerasnet.report._model import n_parameters, size, split_parameters
from kerasnet.report._page import TIMES, Code, Section, Table, Text, clean, counted, number

_PACKAGES = ("kerasnet", "tensorflow", "keras", "scikit-learn", "numpy", "scipy", "pandas")
_MAX_COLUMNS = 30


def data_section(subject):
    """Return a summary of the samples and the targets."""
    X = subject.X
    rows = [["samples", f"{subject.n:,}"], ["type of X", full_name(type(X))]]
    if hasattr(X, "shape"):
        rows.append(["shape of X", TIMES.join(f"{length:,}" for length in X.shape)])
    if hasattr(X, "dtype"):
        rows.append(["dtype of X", str(X.dtype)])
    if isinstance(X, np.ndarray) and X.dtype.kind in "biuf" and X.size:
        values = subject.sample_of(X)
        finite = values[np.isfinite(values)]
        if finite.size:
            summary = f"{number(finite.min())} to {number(finite.max())}, mean {number(finite.mean())}"
            rows.append(["values of X", summary + ("" if len(values) == len(X) else f" (of {len(values):,} samples)")])
        rows += [["missing values", f"{values.size - finite.size:,}"]] if finite.size < values.size else []
        rows.append(["memory of X", size(X.nbytes)])
    if issparse(X):
        rows.append(["nonzero values", f"{X.nnz:,}"])
    blocks = [Table(["property", "value"], rows + target_rows(subject), n_text=2)]
    if hasattr(X, "columns"):
        blocks.append(column_table(X))
    return Section("Data", blocks)


def full_name(kind):
    """Return the name of a type with its package, such as "pandas.DataFrame"."""
    package = kind.__module__.partition(".")[0]
    return kind.__name__ if package == "builtins" else f"{package}.{kind.__name__}"


def target_rows(subject):
    """Return the rows about the targets."""
    if subject.task == "classification":
        counts = np.bincount(subject.y, minlength=len(subject.names))
        return [
            ["classes", f"{len(subject.names):,}"],
            ["samples per class", f"{counts.min():,} to {counts.max():,}"],
        ]
    if subject.task == "multilabel":
        return [
            ["labels", f"{len(subject.names):,}"],
            ["labels per sample", f"mean {number(subject.y.sum(axis=1).mean())}"],
        ]
    if subject.task == "regression":
        text = f"{number(subject.y.min())} to {number(subject.y.max())}, mean {number(subject.y.mean())}"
        return [["outputs", f"{subject.y.shape[1]:,}"], ["values of y", text]]
    return []


def column_table(X):
    """Return the columns of a data frame of pandas or polars."""
    rows = []
    if not isinstance(X, pd.DataFrame):
        X = pd.DataFrame({name: X[name].to_numpy() for name in X.columns})
    for name, column in list(X.items())[:_MAX_COLUMNS]:
        is_hashable = column.map(pd.api.types.is_hashable).all()
        values = counted(column.nunique(dropna=True), "different value") if is_hashable else "\N{EN DASH}"
        if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column) and column.notna().any():
            values = f"{number(column.min())} to {number(column.max())}, mean {number(column.mean())}"
        rows.append([clean(name), str(column.dtype), values, f"{int(column.isna().sum()):,}"])
    caption = f"The first {_MAX_COLUMNS} of {X.shape[1]} columns" if X.shape[1] > _MAX_COLUMNS else "Columns"
    return Table(["column", "dtype", "values", "missing"], rows, caption=caption, n_text=3)


def cost_section(subject, notes):
    """Return times, memory and further notes of the caller."""
    rows = [[clean(name), clean(value)] for name, value in (notes or {}).items()]
    final, estimator = subject.final, subject.estimator
    n_epochs = getattr(getattr(final, "autoencoder_", final), "n_iter_", 0)
    if isinstance(n_epochs, Integral) and n_epochs > 0:
        rows.append(["epochs or iterations", f"{n_epochs:,}"])
    if (seconds := getattr(estimator, "refit_time_", None)) is not None:
        rows.append(["time of the final fit", duration(seconds)])
    text = f"{duration(subject.seconds)} ({duration(subject.seconds / subject.n)} per sample)"
    rows.append([f"prediction of {counted(subject.n, 'sample')}", text])
    if n_weights := n_parameters(subject):
        rows.append(["weights of the model", f"{n_weights:,} ({size(4 * n_weights)} as float32)"])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    rows.append(["peak memory of the process", size(peak)])
    rows.append(["hardware", f"{os.cpu_count()} CPU cores, {platform.machine()}"])
    return Section("Time and memory", [Table(["what", "value"], rows, n_text=2)])


def duration(seconds):
    """Format a time."""
    for factor, unit in ((1, "s"), (1e3, "ms")):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def versions():
    """Return the versions of Python and of the installed packages that affect results."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def default_command(subject):
    """Return code that fits or loads the estimator and makes the report."""
    train, test = ("", "") if subject.y is None else (", y_train", ", y_test")
    untrained, constructed = untrained_command(subject.final), without_addresses(repr(subject.estimator))
    if untrained is None:
        is_initialized = hasattr(subject.estimator, "initialize") and subject.estimator.n_iter_ == 0
        method = "initialize" if is_initialized else "fit"
        lines = [f"estimator = {constructed}", f"estimator.{method}(X_train{train})"]
    elif subject.estimator is subject.final:
        lines = [f"estimator = {untrained}"]
    else:
        lines = [f"final = {untrained}", f"estimator = {constructed}"]
        if isinstance(subject.estimator, Pipeline) and subject.estimator[-1] is subject.final:
            lines.append(f"estimator.steps[-1] = ({subject.estimator.steps[-1][0]!r}, final)")
        else:
            lines[1] += "  # with the last step replaced by final"
    return "\n".join([*lines, f'kerasnet.make_report(estimator, X_test{test}, path="report.html")'])


def untrained_command(final):
    """Return code that makes an estimator with the weights of a pretrained or given model; None if it was trained."""
    n_epochs = getattr(final, "n_iter_", None)
    if not isinstance(n_epochs, Integral) or n_epochs > 0:
        return None
    changed, _ = split_parameters(final)
    options = "".join(f", {name}={value}" for name, value in changed if name not in ("model", "weights"))
    name, model, weights = type(final).__name__, getattr(final, "model", None), getattr(final, "weights", None)
    if isinstance(weights, str):
        return f"kerasnet.{name}.from_pretrained({model!r}, {weights!r}{options})"
    if not hasattr(model, "count_params"):
        return None
    classes = getattr(final, "classes_", None)
    if classes is not None and not np.array_equal(classes, np.arange(len(classes))):
        options = f", classes=classes{options}"  # their order is that of the outputs
    return f"kerasnet.{name}.from_keras(model{options})"


def reproduction_section(subject, command):
    """Return how to reproduce the results, and the versions of packages."""
    rows = [[name, version] for name, version in versions().items()]
    if command is None:
        text, command = "The report was made by:", default_command(subject)
    else:
        text = "The results were made by:"
    seeds = [getattr(step, "random_state", None) for _, step in subject.steps if hasattr(step, "random_state")]
    note = "Bootstrap intervals use fixed random seeds."
    if seeds and any(seed is None for seed in seeds):
        note += " Steps with random_state=None may give other results in another fit."
    return Section("How to reproduce", [Text(text), Code(command), Text(note), Table(["package", "version"], rows)])
