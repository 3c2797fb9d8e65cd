"""Models of train_mnist.py: saving, and loading for predict.py."""

import importlib.metadata
import json
import platform
from pathlib import Path

from sklearn.pipeline import FeatureUnion, Pipeline

import kerasnet as kn
from kerasnet.errors import DataFormatError
from kerasnet.features import HOGTransformer, ImagePreprocessor, SIFTTransformer

FEATURES = ("pixels", "hog", "sift", "hog+sift", "hog+pixels")
MODEL = "model.kerasnet"


def make_features(name, image_size, seed):
    """Return the transformer for a name in FEATURES; None for "pixels"."""
    if name == "pixels":
        return None
    parts = {
        "hog": HOGTransformer(pixels_per_cell=(4, 4), n_jobs=-1),
        "sift": SIFTTransformer(random_state=seed, n_jobs=-1),
        "pixels": ImagePreprocessor(image_size, flatten=True, n_jobs=-1),
    }
    return FeatureUnion([(part, parts[part]) for part in name.split("+")])


def get_network(classifier):
    """Return the network: the classifier itself, or the last step of a pipeline."""
    return classifier[-1] if isinstance(classifier, Pipeline) else classifier


def write_model(folder, classifier, *, dataset, image_size, class_names=None):
    """Save the classifier, with the image size and the class names, if any, as metadata."""
    metadata = {"dataset": dataset, "image_size": image_size}
    if class_names is not None:
        metadata["class_names"] = class_names.tolist()
    kn.save(classifier, folder / MODEL, metadata=metadata)


def write_json(path, content):
    """Write plain values and NumPy values as JSON."""
    path.write_text(json.dumps(content, indent=2, default=lambda value: value.tolist()) + "\n")


def versions():
    """Return the versions of Python and of the packages that affect results."""
    packages = ("kerasnet", "tensorflow", "keras", "scikit-learn", "numpy")
    return {"python": platform.python_version()} | {
        package: importlib.metadata.version(package) for package in packages
    }


class TrainedModel:
    """Model saved by train_mnist.py.

    Parameters
    ----------
    path : str or path-like
        Output folder of train_mnist.py, or its file model.kerasnet.

    Raises
    ------
    OSError, ValueError
        If the file is missing or is not a model of train_mnist.py.
    """

    def __init__(self, path):
        path = Path(path)
        path = path / MODEL if path.is_dir() else path
        metadata = kn.inspect(path).metadata
        if not {"dataset", "image_size"} <= metadata.keys():
            raise DataFormatError(
                f"{path}: expected a model of train_mnist.py, but the metadata lack dataset or image_size."
            )
        self.dataset, self.image_size = metadata["dataset"], tuple(metadata["image_size"])
        self.classifier = kn.load(path)
        self.class_names = metadata.get("class_names")

    @property
    def classes(self):
        """Class names, or class labels if there are none, in the order of the probabilities."""
        return self.class_names or self.classifier.classes_.tolist()

    def predict_proba(self, images):
        """Return class probabilities for grayscale images of size `image_size`, floats in [0, 1]."""
        probabilities = self.classifier.predict_proba(images).astype(float)
        return probabilities / probabilities.sum(axis=1, keepdims=True)
