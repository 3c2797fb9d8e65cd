"""Data for ``kerasnet report``, in the format that a model was trained on."""

import math
from pathlib import Path

import numpy as np

from kerasnet.cli._image_classifier import ImageClassifier
from kerasnet.datasets import load_csv, load_fashion_mnist, load_idx_folder, load_image_folder, load_mnist
from kerasnet.features import ImageFiles, prepare_images


def load_data(arguments, estimator, metadata):
    """Load the data of the command line.

    Parameters
    ----------
    arguments : argparse.Namespace
        ``dataset``, ``data``, ``subset``, ``target`` and ``sep``.
    estimator : estimator
        Fitted model to evaluate.
    metadata : dict
        Metadata of its file.

    Returns
    -------
    X : array-like of shape (n_samples, ...)
        Samples in the format of the training.
    y : array-like of shape (n_samples,) or None
        Targets, encoded as in the training. None if there are none.
    class_names : list of str or None
        Names of the classes of the estimator. None if they are not known.
    images : ndarray or None
        Images of the samples, if `X` contains vectors or sequences made from them.

    Raises
    ------
    OSError, ValueError
        If the data cannot be loaded, or do not fit the estimator.
    """
    path, dataset = arguments.data, arguments.dataset
    if path is not None and dataset is None and Path(path).is_file():
        _reject(arguments, "subset")
        X, y = load_csv(path, arguments.target, return_X_y=True, sep=arguments.sep)
        return _in_order_of_training(estimator, X), y, None, None
    _reject(arguments, "target")
    if path is None or dataset is not None or any(Path(path).glob("*-ubyte*")):
        data = _load_dataset(dataset, path, arguments.subset or "test", metadata.get("dataset"))
        size = tuple(metadata.get("image_size", data.data.shape[1:3]))
        if data.data.shape[1:3] != size:
            data.data = prepare_images(data.data, size, dtype="uint8", n_jobs=-1)
    else:
        _reject(arguments, "subset")
        data = load_image_folder(path, n_jobs=-1)
        data.data = _read_images(data.data, ImageClassifier(estimator, metadata))
    labels = _labels(data, estimator, metadata)
    if isinstance(data.data, ImageFiles):
        return data.data, *labels, None
    return _as_in_training(estimator, data.data), *labels, data.data


def _load_dataset(dataset, path, subset, trained_on):
    """Load a data set in the format of MNIST; by default, the one that the model was trained on."""
    if path is None or (dataset is None and str(trained_on).startswith("emnist-")):
        dataset = dataset or trained_on
    if dataset == "fashion_mnist":
        return load_fashion_mnist(subset, path=path)
    if path is not None:
        return load_idx_folder(path, subset, dataset=dataset)
    if dataset == "mnist":
        return load_mnist(subset)
    raise ValueError(
        f"expected the data to evaluate the model on{'' if dataset is None else f', {dataset}'}: pass --data PATH."
    )


def _reject(arguments, option):
    if getattr(arguments, option) is not None:
        raise ValueError(f"--{option} does not apply to these data.")


def _read_images(paths, images):
    """Return images in the size of a classifier: lazily, if it decodes files itself."""
    if images.decodes:
        return ImageFiles(paths, images.image_size, channels=3 if images.color_mode == "rgb" else 1)
    return prepare_images(paths, images.image_size, color_mode=images.color_mode, dtype="uint8", n_jobs=-1)


def _as_in_training(estimator, X):
    """Return images with the shape of the samples in training; as in predictions, floats in [0, 1].

    Networks that were trained on bytes receive bytes, and divide them by 255.
    """
    if getattr(estimator, "X_dtype_", None) != np.uint8:
        X = (X / 255).astype(np.float32)
    shape = getattr(estimator, "X_shape_", (len(X), getattr(estimator, "n_features_in_", None)))[1:]
    return X.reshape(len(X), *shape) if None not in shape and math.prod(shape) == math.prod(X.shape[1:]) else X


def _in_order_of_training(estimator, table):
    """Return a table with its columns in the order of the training, if it has the same columns."""
    names = getattr(estimator, "feature_names_in_", None)
    return table[[*names]] if names is not None and {*names} == {*table.columns} else table


def _labels(data, estimator, metadata):
    """Return the targets of images, encoded as the classes of the estimator, and the names of these classes."""
    classes = getattr(estimator, "classes_", None)
    if classes is None:
        return data.target, None
    if classes.dtype.kind not in "biuf":
        return data.target_names[data.target], None
    names = metadata.get("class_names")
    if names is None:
        return data.target, data.target_names.tolist() if len(data.target_names) == len(classes) else None
    if unknown := np.setdiff1d(data.target_names[np.unique(data.target)], names).tolist():
        raise ValueError(f"expected images of the classes {', '.join(names)}. Received: {', '.join(unknown)}.")
    codes = np.array([names.index(name) if name in names else -1 for name in data.target_names.tolist()])
    return classes[codes[data.target]], names
