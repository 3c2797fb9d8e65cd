"""Classifiers of images for ``kerasnet predict``: which images they take, and what their classes are called."""

import math

import numpy as np
from sklearn.pipeline import Pipeline

from kerasnet.cli._models import is_fitted_classifier, is_multilabel, load_model
from kerasnet.datasets._fashion_mnist import NAMES
from kerasnet.errors import DataFormatError, KerasNetError
from kerasnet.features import ImagePreprocessor, extract_digit, prepare_images
from kerasnet.features.digits import read_gray
from kerasnet.features.image import format_path, read_image

_DIGITS = ("mnist", "emnist-mnist", "emnist-digits")  # data sets of digits in the format of MNIST
_MIN_CONTRAST = 0.05  # images with less contrast are considered empty
_MAX_SIZE = 10_000
_MAX_PIXELS = 64_000_000


class ImageClassifier:
    """Fitted classifier of images, with what is known about its images.

    Parameters
    ----------
    classifier : estimator
        Fitted classifier.
    metadata : dict
        Metadata of its file: ``dataset``, the name of the data set; ``image_size``, the height and width;
        ``class_names``, the names of the classes. All are optional.

    Attributes
    ----------
    classes : list
        Class names, or class labels if there are none, in the order of the probabilities.
    content : {"digit", "character", "photograph"}
        What images show: a digit, which is extracted; a character or article that must be light on dark, as in other
        data sets in the format of MNIST; anything else.
    image_size : tuple of int (height, width)
        Size of the images of the classifier.
    color_mode : {"grayscale", "rgb"}
        Color mode of the images of the classifier.

    Raises
    ------
    TypeError
        If the estimator is not a classifier with one class per sample.
    DataFormatError
        If the size of the images is unknown, or the metadata is invalid.
    """

    def __init__(self, classifier, metadata):
        if not is_fitted_classifier(classifier):
            raise TypeError(f"expected a fitted classifier of images or text. Received: {type(classifier).__name__}.")
        if is_multilabel(classifier):
            raise TypeError("expected a classifier with one class per image. Received: a multilabel classifier.")
        self.classifier = classifier
        self.dataset = metadata.get("dataset")
        names = metadata.get("class_names") or (NAMES if self.dataset == "fashion_mnist" else None)
        self.classes = classifier.classes_.tolist() if names is None else _checked_names(names, classifier.classes_)
        first = classifier[0] if isinstance(classifier, Pipeline) else None
        self.decodes = isinstance(first, ImagePreprocessor)  # takes images of any size
        if self.decodes:
            self.image_size, self.color_mode = _checked_size(first.image_size), first.color_mode
        else:
            shape = getattr(classifier, "input_shape_", ())  # of images, if there are three axes
            self.image_size = _checked_size(metadata.get("image_size", shape[:2] if len(shape) == 3 else None))
            _check_n_features(classifier, self.image_size)
            self.color_mode = "rgb" if len(shape) == 3 and shape[2] == 3 else "grayscale"
        is_photograph = self.decodes or self.color_mode == "rgb" or self.dataset is None
        self.content = "photograph" if is_photograph else "digit" if self.dataset in _DIGITS else "character"

    @classmethod
    def load(cls, model):
        """Load a model that is named on the command line; see `load_model`."""
        return cls.named(model, *load_model(model))

    @classmethod
    def named(cls, model, classifier, metadata):
        """Return a classifier whose errors begin with its name on the command line."""
        try:
            return cls(classifier, metadata)
        except (TypeError, DataFormatError) as error:
            raise type(error)(f"{model}: {error}") from error

    def predict(self, path, content=None, polarity="auto"):
        """Predict the class of an image file.

        Parameters
        ----------
        path : str
            The file.
        content : {"digit", "character", "photograph"}, default=None
            What the image shows; that of the classifier if None.
        polarity : {"auto", "dark-on-light", "light-on-dark"}, default="auto"
            Whether a digit or character is darker or lighter than the background.

        Returns
        -------
        prediction : dict
            ``image``, the path; ``class``; ``probability`` of the class and ``probabilities`` of all classes, None if
            the classifier does not estimate probabilities; ``polarity``, None for photographs.

        Raises
        ------
        KerasNetError
            If the image cannot be read, shows nothing, or does not show exactly one digit.
        """
        content = content or self.content
        images, polarity = self._prepare(path, content, polarity)
        if not hasattr(self.classifier, "predict_proba"):
            (label,) = self.classifier.predict(images)
            best, probabilities = self.classifier.classes_.tolist().index(label), None
        else:
            (probabilities,) = self.predict_proba(images).tolist()
            best = int(np.argmax(probabilities))
        return {
            "image": path,
            "class": self.classes[best],
            "probability": probabilities and probabilities[best],
            "probabilities": probabilities and dict(zip(map(str, self.classes), probabilities, strict=True)),
            "polarity": polarity,
        }

    def predict_proba(self, images):
        """Return class probabilities as float64, which sum to 1, for images in the format of the classifier."""
        probabilities = self.classifier.predict_proba(images).astype(float)
        return probabilities / probabilities.sum(axis=1, keepdims=True)

    def _prepare(self, path, content, polarity):
        """Return a batch of one image in the format of the classifier, and its polarity."""
        if content == "photograph":
            return self._photograph(path), None
        image, polarity = self.light_on_dark(path, content, polarity)
        return self._as_input(image[np.newaxis]), polarity

    def light_on_dark(self, path, content, polarity="auto"):
        """Prepare an image as in data sets in the format of MNIST.

        Parameters
        ----------
        path : str
            The file.
        content : {"digit", "character"}
            What the image shows.
        polarity : {"auto", "dark-on-light", "light-on-dark"}, default="auto"
            Whether the digit or character is darker or lighter than the background.

        Returns
        -------
        image : ndarray of shape (height, width), dtype float32
            Light on dark, with values in [0, 1] and the size of the images of the classifier.
        polarity : {"dark-on-light", "light-on-dark"}
            Polarity of the digit or character.

        Raises
        ------
        KerasNetError
            If the image cannot be read, shows nothing, or does not show exactly one digit.
        """
        if content == "digit":
            image, polarity = extract_digit(path, polarity=polarity, return_polarity=True)
            background = 0
        else:
            image, polarity, background = _light_on_dark(path, polarity)
        images = prepare_images([image], self.image_size, fill_value=background)
        self._check_contrast(images, path)
        return images[0], polarity

    def _photograph(self, path):
        try:
            image = read_image(path, _MAX_PIXELS)
        except ValueError as error:
            raise KerasNetError(f"image{format_path(path)}: {error}") from error
        options = {"image_size": self.image_size, "color_mode": self.color_mode}
        self._check_contrast(prepare_images([image], pad_to_aspect_ratio=False, **options), path)
        return [image] if self.decodes else self._as_input(prepare_images([image], **options))

    def _as_input(self, images):
        """Return images as they were in training: as rows of pixels, or with a channel axis."""
        if self.decodes:
            return list(images)
        n_features = getattr(self.classifier, "n_features_in_", None)
        shape = getattr(self.classifier, "X_shape_", (1, n_features))[1:]
        return images.reshape(1, *shape) if None not in shape and math.prod(shape) == images.size else images

    def _check_contrast(self, images, path):
        if np.ptp(images, axis=(1, 2)).max() < _MIN_CONTRAST:
            found = "content" if self.content == "photograph" else self.content
            raise KerasNetError(f"no {found} found{format_path(path)}: the brightness of the image is nearly constant.")


def _checked_names(names, labels):
    if (
        not isinstance(names, list | tuple)
        or len(names) != len(labels)
        or not all(isinstance(each, str) for each in names)
    ):
        raise DataFormatError(f"expected the names of {len(labels)} classes in the metadata. Received: {names!r:.200}.")
    return [*names]


def _checked_size(size):
    is_pair = isinstance(size, list | tuple) and len(size) == 2
    if not is_pair or not all(isinstance(length, int) and 1 <= length <= _MAX_SIZE for length in size):
        raise DataFormatError(
            "expected a classifier of images or text, or the height and width of its images in the metadata: "
            f'kn.save(..., metadata={{"image_size": [28, 28]}}). Received: {size!r:.200}. Pipelines for text begin '
            "with a TextVectorizer. For tables and series, use kerasnet.load(...).predict."
        )
    return tuple(size)


def _check_n_features(classifier, image_size):
    """Raise an error if the classifier takes rows of pixels of images of another size."""
    n_features, n_pixels = getattr(classifier, "n_features_in_", 0), math.prod(image_size)
    is_row = not hasattr(classifier, "X_shape_") and n_features > max(image_size)
    if is_row and n_features % n_pixels:
        height, width = image_size
        raise DataFormatError(
            f"images of {height} x {width} pixels have {n_pixels} values, but the classifier takes {n_features}. "
            "Correct image_size in the metadata of its file."
        )


def _light_on_dark(path, polarity):
    """Return a grayscale image as light on dark, its original polarity, and the brightness of the background."""
    image = read_gray(path)
    background = float(np.median(np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])))
    if polarity == "auto":
        polarity = "dark-on-light" if background > (image.min() + image.max()) / 2 else "light-on-dark"
    if polarity == "dark-on-light":
        image, background = 1 - image, 1 - background
    return image, polarity, background
