"""What a run's folder holds of a model: how train_mnist.py writes it and predict.py reads it."""

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
    """Return the transformer of images that a name of FEATURES stands for; None for the images themselves."""
    if name == "pixels":
        return None
    parts = {
        "hog": HOGTransformer(pixels_per_cell=(4, 4), n_jobs=-1),
        "sift": SIFTTransformer(random_state=seed, n_jobs=-1),
        "pixels": ImagePreprocessor(image_size, flatten=True, n_jobs=-1),
    }
    return FeatureUnion([(part, parts[part]) for part in name.split("+")])


def network_of(classifier):
    """Return the network that stands alone or at the end of a pipeline."""
    return classifier[-1] if isinstance(classifier, Pipeline) else classifier


def write_model(folder, classifier, *, dataset, image_size, class_names=None):
    """Write the classifier with the images that it takes and, if its classes have names, those."""
    metadata = {"dataset": dataset, "image_size": image_size}
    if class_names is not None:
        metadata["class_names"] = class_names.tolist()
    kn.save(classifier, folder / MODEL, metadata=metadata)


def write_json(path, content):
    """Write plain values, NumPy's among them."""
    path.write_text(json.dumps(content, indent=2, default=lambda value: value.tolist()) + "\n")


def versions():
    """Return what the result of a run depends on."""
    packages = ("kerasnet", "tensorflow", "keras", "scikit-learn", "numpy")
    return {"python": platform.python_version()} | {each: importlib.metadata.version(each) for each in packages}


class TrainedModel:
    """The model of a run.

    Parameters
    ----------
    path : str or path-like
        The folder that `train_mnist.py` made, or its file model.kerasnet alone.

    Raises
    ------
    OSError, ValueError
        If a file is missing or is not what a run has.
    """

    def __init__(self, path):
        path = Path(path)
        path = path / MODEL if path.is_dir() else path
        about = kn.inspect(path).metadata
        if not {"dataset", "image_size"} <= about.keys():
            raise DataFormatError(f"{path}: expected a model of train_mnist.py, found one without its image_size.")
        self.dataset, self.image_size = about["dataset"], tuple(about["image_size"])
        self.classifier = kn.load(path)
        self.class_names = about.get("class_names")

    @property
    def classes(self):
        """The names of the classes, or their labels, in the order of the probabilities."""
        return self.class_names or self.classifier.classes_.tolist()

    def predict_proba(self, images):
        """Return the probability of each class for grey images of `image_size`, floats in [0, 1]."""
        probabilities = self.classifier.predict_proba(images).astype(float)
        return probabilities / probabilities.sum(axis=1, keepdims=True)
