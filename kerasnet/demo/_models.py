"""Models of the demo page: loading, predictions, and what explains them."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kerasnet.errors import KerasNetError
from kerasnet.estimators import KerasNetClassifier
from kerasnet.exporting import load_exported
from kerasnet.features import hog, prepare_images
from kerasnet.models import list_models, model_card
from kerasnet.persistence import inspect, load
from kerasnet.training._saliency import saliency_maps

if TYPE_CHECKING:
    import numpy.typing as npt

    Digit = npt.NDArray[np.float32]

DIGIT_SHAPE = (28, 28)
HOG_CELLS, HOG_ORIENTATIONS = 7, 9
_CLASSES = [str(digit) for digit in range(10)]
_DTYPES = ("uint8", "float32", "float64")


@dataclass(frozen=True)
class DigitModel:
    """Fitted classifier of digits and facts about it.

    Attributes
    ----------
    name : str
        Name on the page.
    classifier : object
        Fitted classifier with `predict_proba`.
    classes : list of str
        Digits, in the order of the probabilities.
    sample_shape : tuple of int
        Shape of one sample.
    image_size : tuple of int (height, width)
        Size of the images that the samples are made of.
    n_parameters : int or None
        Number of parameters of the networks, if it is known.
    accuracy : float or None
        Accuracy on the test images of MNIST, if it is known.
    dtype : str
        NumPy dtype of the samples: "uint8" for bytes, otherwise floats in [0, 1].
    exported : Path or None
        ONNX file of an exported model.
    """

    name: str
    classifier: Any
    classes: list[str]
    sample_shape: tuple[int, ...]
    image_size: tuple[int, int]
    n_parameters: int | None
    accuracy: float | None
    dtype: str = "float32"
    exported: Path | None = None

    def predict(self, digit: Digit) -> list[float | None]:
        """Return the probabilities of the digits 0 to 9; None for those that are not among the classes."""
        (probabilities,) = self.classifier.predict_proba(self._samples(digit)).astype(float)
        found = dict(zip(self.classes, (probabilities / probabilities.sum()).tolist(), strict=True))
        return [found.get(name) for name in _CLASSES]

    def saliency(self, digit: Digit) -> npt.NDArray[np.float32] | None:
        """Return the saliency of the pixels for the predicted digit, in [0, 1]; None if the model has none."""
        samples, model = self._samples(digit), getattr(self.classifier, "model_", None)
        if model is None:
            return None
        outputs = self.classifier.predict_proba(samples).argmax(axis=1)
        try:
            (saliency,) = saliency_maps(model, samples.reshape(1, *model.input_shape[1:]), outputs)
        except ValueError:  # not an image or a sequence, or no gradient
            return None
        rows = saliency.reshape(self.image_size[0], -1)  # a model of sequences has one value per row of the image
        return np.broadcast_to(rows, self.image_size)

    def _samples(self, digit: Digit) -> npt.NDArray[Any]:
        images: Any = prepare_images([digit], self.image_size)
        if self.dtype == "uint8":
            images = np.rint(255 * images)
        return images.reshape(1, *self.sample_shape).astype(self.dtype)


def hog_cells(digit: Digit) -> npt.NDArray[np.float32]:
    """Return the histograms of 7 x 7 cells with 9 orientations, relative to the largest value of the digit."""
    size = DIGIT_SHAPE[0] // HOG_CELLS
    cells = hog(digit[np.newaxis], HOG_ORIENTATIONS, (size, size), (HOG_CELLS, HOG_CELLS), "L2")
    return cells.reshape(HOG_CELLS, HOG_CELLS, HOG_ORIENTATIONS) / max(cells.max(), 1e-9)


def load_digit_models(models: Sequence[str | os.PathLike[str]] = ()) -> list[DigitModel]:
    """Load models and make a first prediction with each, which compiles them.

    Parameters
    ----------
    models : sequence of str or path-like
        See :func:`kerasnet.demo.serve`.

    Returns
    -------
    list of DigitModel
        First the archives, then the models with pretrained weights.
    """
    if isinstance(models, (str, os.PathLike)):
        raise TypeError(f"models must be a list of names and paths. Received: {models!r}.")
    pretrained = list_models(task="classification", weights="mnist")
    names = [name for name in pretrained if name in models] or sorted(pretrained, key=lambda name: name != "lenet")
    files = dict.fromkeys(Path(model) for model in models if model not in pretrained)
    loaded = [*(_from_file(path) for path in files), *(_from_weights(name) for name in names)]
    for model in loaded:
        try:
            model.predict(np.zeros(DIGIT_SHAPE, np.float32))
        except (TypeError, ValueError) as error:
            raise KerasNetError(
                f"{model.name}: expected a classifier of grayscale images of {model.image_size[0]} x "
                f"{model.image_size[1]} pixels. Its prediction failed: {error} If the images have another size, save "
                'the classifier with metadata={"image_size": [height, width]}.'
            ) from error
        model.saliency(np.zeros(DIGIT_SHAPE, np.float32))
    return loaded


def _from_weights(name: str) -> DigitModel:
    weights = model_card(name).weights["mnist"]
    classifier = KerasNetClassifier.from_pretrained(name, "mnist")
    return DigitModel(name, classifier, _CLASSES, DIGIT_SHAPE, DIGIT_SHAPE, weights.n_parameters, weights.value)


def _from_file(path: Path) -> DigitModel:
    if not path.exists():
        names = ", ".join(list_models(task="classification", weights="mnist"))
        raise FileNotFoundError(
            f"{path}: expected a .kerasnet or .onnx file, or the name of a pretrained model: {names}."
        )
    if path.suffix.lower() == ".onnx":
        return _from_exported(path)
    contents = inspect(path)
    image_size = tuple(contents.metadata.get("image_size", DIGIT_SHAPE))
    classifier = load(path)
    classes = contents.metadata.get("class_names") or getattr(classifier, "classes_", [])
    if not hasattr(classifier, "predict_proba"):
        classes = []
    shape = image_size
    if getattr(classifier, "n_features_in_", None) == math.prod(image_size):
        shape = (math.prod(image_size),)
    n_parameters = sum(network.n_parameters for network in contents.networks)
    classes = _digits(path, type(classifier).__name__, classes)
    return DigitModel(_short_name(path), classifier, classes, shape, image_size, n_parameters, None)


def _from_exported(path: Path) -> DigitModel:
    model = load_exported(path)
    description = model.description
    classes = _digits(path, description.estimator, description.classes if description.task == "classifier" else [])
    described, *others = description.inputs
    shape = tuple(DIGIT_SHAPE[0] if size is None else size for size in described.shape)  # of sequences: any length
    image_size: Any = shape[:2] if description.kind == "image" and len(shape) > 1 else DIGIT_SHAPE
    if others or described.dtype not in _DTYPES or math.prod(image_size) != math.prod(shape):
        raise KerasNetError(
            f"{path}: expected a classifier of grayscale images. Received: {description.estimator} with the inputs "
            f"{[(each.name, each.dtype, each.shape) for each in description.inputs[:5]]}."
        )
    return DigitModel(_short_name(path), model, classes, shape, image_size, None, None, described.dtype, path)


def _digits(path: Path, name: str, classes: Iterable[Any] | None) -> list[str]:
    """Return the class labels as strings; raise an error if they are not among the digits."""
    found = [str(label) for label in classes] if classes is not None else []
    if not found or not set(found) <= set(_CLASSES):
        raise KerasNetError(
            f"{path}: expected a classifier with classes among the digits 0 to 9. Received: {name} with the classes "
            f"{found[:20]}."
        )
    return found


def _short_name(path: Path) -> str:
    return "/".join(path.parts[-2:])
