"""Models of train_mnist.py: features, and output files."""

import json

from sklearn.pipeline import FeatureUnion, Pipeline

import kerasnet as kn
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
