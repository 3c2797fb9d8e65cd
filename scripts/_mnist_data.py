"""Data of train_mnist.py."""

from functools import partial

import numpy as np
from _command import print_line
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import kerasnet as kn
from kerasnet.models import registered_model


def split_validation(X, y, arguments):
    """Return X_train, X_val, y_train, y_val with the same share of each class; the validation data may be None."""
    if arguments.grid is not None or arguments.validation_fraction == 0:
        return X, None, y, None
    counts = np.unique(y, return_counts=True)[1]
    n_validation = round(arguments.validation_fraction * len(y))
    if counts.min() < 2 or not len(counts) <= n_validation <= len(y) - len(counts):
        if arguments.early_stopping:
            raise ValueError(
                f"--early-stopping requires at least two training images and one validation image of each of "
                f"{len(counts)} classes. Received: {len(y)} images, of which --validation-fraction "
                f"{arguments.validation_fraction:g} selects {n_validation}. Use more images, or another fraction."
            )
        print_line("There are too few training images to hold out validation images of all classes.")
        return X, None, y, None
    return train_test_split(X, y, test_size=n_validation, stratify=y, random_state=arguments.seed)


def load(arguments):
    """Return X_train, X_test, y_train, y_test in the format of the model, and the class names or None."""
    if arguments.dataset != "digits":
        return load_28_by_28(arguments)
    digits = load_digits()
    X = (digits.images / 16).astype(np.float32)
    X_train, X_test, y_train, y_test = train_test_split(
        X, digits.target, test_size=0.25, stratify=digits.target, random_state=arguments.seed
    )
    if arguments.limit is None:
        return X_train, X_test, y_train, y_test, None
    rows, _ = train_test_split(
        np.arange(len(X_train)), train_size=arguments.limit, stratify=y_train, random_state=arguments.seed
    )
    return X_train[rows], X_test, y_train[rows], y_test, None


def load_28_by_28(arguments):
    """Load MNIST, Fashion-MNIST, EMNIST or KMNIST; see `load`."""
    load_part, names = kn.datasets.load_mnist, None
    if arguments.dataset == "fashion_mnist":
        load_part = partial(kn.datasets.load_fashion_mnist, path=arguments.data)
    elif arguments.data is not None:
        dataset = None if arguments.dataset == "idx" else arguments.dataset
        load_part = partial(kn.datasets.load_idx_folder, path=arguments.data, dataset=dataset)
    train = load_part(subset="train", n_samples=arguments.limit, random_state=arguments.seed)
    test = load_part(subset="test")
    X_train, y_train, X_test, y_test = train.data, train.target, test.data, test.target
    if arguments.data is not None and arguments.dataset != "fashion_mnist":
        arguments.dataset = train.dataset
        y_train, y_test, names = encode_labels(train, test)
    elif len(np.unique(y_train)) < 10:
        raise ValueError(
            f"Expected training images of all ten classes. Received classes: {np.unique(y_train).tolist()}."
        )
    if arguments.features == "pixels" and registered_model(arguments.model).input_kind != "image":
        # image models and features take uint8
        X_train, X_test = ((X / 255).astype(np.float32) for X in (X_train, X_test))
    return X_train, X_test, y_train, y_test, names


def encode_labels(train, test):
    """Return y_train and y_test as indices of the classes in the training set, and the class names."""
    classes = np.unique(train.target)
    missing = train.target_names[np.setdiff1d(test.target, classes)]
    if len(missing) or len(classes) < 2:
        raise ValueError(
            "Expected training images of at least two classes, and of all classes in the test set. Received classes: "
            f"{train.target_names[classes].tolist()}; missing: {missing.tolist()}."
        )
    return np.searchsorted(classes, train.target), np.searchsorted(classes, test.target), train.target_names[classes]
