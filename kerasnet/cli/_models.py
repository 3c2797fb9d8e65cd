"""Models that are named on the command line: pretrained models, files and output folders."""

import difflib
from pathlib import Path

import numpy as np
from sklearn.base import is_classifier
from sklearn.pipeline import Pipeline

from kerasnet.errors import DataFormatError
from kerasnet.estimators import Autoencoder, KerasNetClassifier
from kerasnet.models import registered_model
from kerasnet.models._weights import records, sets_of
from kerasnet.persistence import inspect, load

_FILE = "model.kerasnet"  # in output folders of train_mnist.py and fine_tune.py
_DEFAULT_WEIGHTS = "mnist"


def load_model(model):
    """Load a model that is named on the command line.

    Parameters
    ----------
    model : str
        Name of a pretrained model, with or without ``:WEIGHTS``, or path of a file or an output folder.

    Returns
    -------
    estimator : estimator
        The model.
    metadata : dict
        The metadata of the file. For pretrained models, the name of the data set and, for images,
        their size.

    Raises
    ------
    OSError, ValueError
        If there is no such model, or it cannot be loaded.
    """
    name, _, weights = model.partition(":")
    if name in records():
        return _load_pretrained(name, weights or _DEFAULT_WEIGHTS)
    path = file_of(model)
    if not path.exists():
        hint = "".join(f" Did you mean {close}?" for close in difflib.get_close_matches(model, records(), n=1))
        raise FileNotFoundError(f"{model}: expected a file, a folder, or the name of a pretrained model.{hint}")
    return load(path), inspect(path).metadata


def is_fitted_classifier(estimator):
    """Return whether an estimator is a fitted classifier with one list of classes."""
    return is_classifier(estimator) and np.ndim(getattr(estimator, "classes_", None)) == 1


def is_multilabel(estimator):
    """Return whether an estimator, or the last step of a pipeline, predicts several classes per sample."""
    last = estimator[-1] if isinstance(estimator, Pipeline) else estimator
    return getattr(last, "target_type_", "").startswith("multilabel")


def file_of(model):
    """Return the path of the archive for a file or an output folder."""
    path = Path(model)
    if not path.is_dir():
        return path
    if not (path / _FILE).exists():
        raise DataFormatError(f"{model}: expected an output folder of train_mnist.py or fine_tune.py, with {_FILE}.")
    return path / _FILE


def name_or_file(model):
    """Return the name of a model that is pretrained on MNIST, or the path of an archive, as the demo takes them."""
    name, _, weights = model.partition(":")
    if name in records() and weights in ("", _DEFAULT_WEIGHTS):
        return name
    return str(file_of(model))


def _load_pretrained(name, weights):
    valid = sets_of(name)
    if weights not in valid:
        found = f"pretrained weights for {', '.join(valid)}" if valid else "no pretrained weights"
        raise ValueError(f"{name}:{weights}: the model {name} has {found}. See kerasnet list --weights.")
    is_classifier = "classification" in registered_model(name).tasks
    estimator = KerasNetClassifier if is_classifier else Autoencoder
    metadata, shape = {"dataset": valid[weights]["dataset"]}, valid[weights]["input_shape"]
    if len(shape) > 1:  # no vector
        metadata["image_size"] = shape[:2]
    return estimator.from_pretrained(name, weights), metadata
