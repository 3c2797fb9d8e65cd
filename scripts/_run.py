"""What a run's folder holds of a model: how train_mnist.py writes it and predict.py reads it."""

import json
import math
from pathlib import Path

import keras
import numpy as np
from sklearn.pipeline import FeatureUnion, Pipeline

from kerasnet._files import read_json, read_npz
from kerasnet.errors import DataFormatError
from kerasnet.features import HOGTransformer, ImagePreprocessor, SIFTTransformer

FEATURES = ("pixels", "hog", "sift", "hog+sift", "hog+pixels")


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


def write_model(folder, classifier, *, builder, dataset, features, image_size):
    """Write the Keras model and, beside it, what it takes and how to build it anew."""
    network = network_of(classifier)
    network.model_.save(folder / "model.keras")
    described = {
        "builder": builder,
        "input_shape": network.input_shape_,
        "input_range": [0, 1],
        "classes": network.classes_,
        "parameters": network.get_params(),
        "dataset": dataset,
        "image_size": image_size,
        "features": features,
    }
    if isinstance(classifier, Pipeline):
        parts = dict(classifier[0].transformer_list)
        described["features_parameters"] = {name: part.get_params() for name, part in parts.items()}
        if "sift" in parts:
            np.savez(folder / "vocabulary.npz", vocabulary=parts["sift"].vocabulary_)
    write_json(folder / "model.json", described)


def write_json(path, content):
    """Write plain values, NumPy's among them."""
    path.write_text(json.dumps(content, indent=2, default=lambda value: value.tolist()) + "\n")


class TrainedModel:
    """The model of a run's folder.

    Parameters
    ----------
    folder : str or path-like
        What `train_mnist.py` made.

    Raises
    ------
    OSError, ValueError
        If a file is missing or is not what a run has.
    """

    def __init__(self, folder):
        folder = Path(folder)
        described = read_json(folder / "model.json")
        try:
            self.dataset, self.classes = described["dataset"], described["classes"]
            self.image_size = tuple(described["image_size"])
            self.features = make_features(described["features"], self.image_size, None)
            parameters = described.get("features_parameters", {})
            for name, values in parameters.items():
                self.features.set_params(**{f"{name}__{key}": value for key, value in values.items()})
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise DataFormatError(f"{folder / 'model.json'}: expected what a run writes, found: {error}.") from error
        if "sift" in parameters:
            arrays = read_npz(folder / "vocabulary.npz", names=["vocabulary"], max_bytes=2**26)
            self.features["sift"].vocabulary_ = arrays["vocabulary"]
        self.model = keras.models.load_model(folder / "model.keras", compile=False)
        given = self._inputs(np.zeros((1, *self.image_size), np.float32)).size
        if given != math.prod(self.model.input_shape[1:]):
            raise DataFormatError(
                f"{folder}: model.json describes {given} inputs, model.keras takes {self.model.input_shape[1:]}. "
                "They do not belong together."
            )

    def _inputs(self, images):
        return images if self.features is None else self.features.transform(images)

    def predict_proba(self, images):
        """Return the probability of each class for grey images of `image_size`, floats in [0, 1]."""
        X = self._inputs(images)
        probabilities = self.model.predict(X.reshape(len(X), *self.model.input_shape[1:]), verbose=0)
        return probabilities.astype(float) / probabilities.sum(axis=1, keepdims=True, dtype=float)
