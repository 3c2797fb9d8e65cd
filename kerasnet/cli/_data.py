"""Data for ``kerasnet report``, in the format that a model was trained on."""

import math
from pathlib import Path

import joblib
import numpy as np

from kerasnet.cli._image_classifier import ImageClassifier
from kerasnet.datasets import load_csv, load_fashion_mnist, load_idx_folder, load_image_folder, load_mnist
from kerasnet.features import ImageFiles, prepare_images


def load_data(arguments, estimator, metadata):
    """Load the data of the command line.

    Parameters
    ----------
    arguments : argparse.Namespace
        ``dataset``, ``data``, ``subset``, ``as_is``, ``target`` and ``sep``.
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
    is_folder = path is not None and dataset is None and not any(Path(path).glob("*-ubyte*"))
    if not is_folder:
        if arguments.as_is:
            raise ValueError("--as-is applies to folders of images.")
        data = _load_dataset(dataset, path, arguments.subset or "test", metadata.get("dataset"))
        size = tuple(metadata.get("image_size", data.data.shape[1:3]))
        if data.data.shape[1:3] != size:
            data.data = prepare_images(data.data, size, dtype="uint8", n_jobs=-1)
    else:
        _reject(arguments, "subset")
        data = load_image_folder(path, n_jobs=-1)
        data.data = _read_images(data.data, ImageClassifier(estimator, metadata), arguments.as_is)
    labels = _labels(data, estimator, metadata, is_folder)
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


def _read_images(paths, images, as_is):
    """Return images as ``kerasnet predict`` prepares them: lazily, if the classifier decodes files itself."""
    if images.decodes:
        return ImageFiles(paths, images.image_size, channels=3 if images.color_mode == "rgb" else 1)
    if images.content != "photograph" and not as_is:
        prepare = joblib.delayed(images.light_on_dark)
        prepared = joblib.Parallel(-1, prefer="threads")(prepare(path, images.content) for path in paths)
        return prepare_images([image for image, _ in prepared], images.image_size, dtype="uint8")
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


def _labels(data, estimator, metadata, is_folder):
    """Return the targets of images, encoded as the classes of the estimator, and the names of these classes."""
    classes = getattr(estimator, "classes_", None)
    if classes is None:
        return data.target, None
    found, labels = data.target_names.tolist(), [str(label) for label in classes.tolist()]
    names = metadata.get("class_names")
    positions = {name: position for known in (labels, names or []) for position, name in enumerate(known)}
    unknown = [found[code] for code in np.unique(data.target) if found[code] not in positions]
    if not unknown:
        codes = np.array([positions.get(name, -1) for name in found])
    elif not is_folder and len(found) == len(classes):  # a data set has the same order of classes in each subset
        codes, names = np.arange(len(classes)), names or found
    else:
        expected = ", ".join(names or labels)
        raise ValueError(f"expected images of the classes {expected:.500}. Received: {', '.join(unknown):.500}.")
    return classes[codes[data.target]], names
