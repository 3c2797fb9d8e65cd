"""Predict digits in photographs and drawings with a model of train_mnist.py.

Each image must show exactly one digit. For other images, the command prints an error, continues with the next image and
exits with status 1. Models of other data sets, such as EMNIST letters or KMNIST, receive the whole image, resized: crop
these images to one character.

python scripts/predict.py runs/mnist-cnn-20260101-120000 photo.jpg
python scripts/predict.py RUN photos/*.png --polarity dark-on-light --json
"""

import argparse
import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # suppress TensorFlow's start-up messages

import numpy as np
from _run import TrainedModel

from kerasnet.features import extract_digit, prepare_images
from kerasnet.features.digits import read_gray

POLARITIES = ("auto", "dark-on-light", "light-on-dark")
DIGITS = ("mnist", "emnist-mnist", "emnist-digits")
MIN_CONTRAST = 0.05  # images with less contrast are considered empty


def main(argv=None):
    """Run the command and return its exit status."""
    arguments = parse(argv)
    sys.stdout.reconfigure(errors="backslashreplace")
    sys.stderr.reconfigure(errors="backslashreplace")
    try:
        model = TrainedModel(arguments.model)
    except (OSError, TypeError, ValueError) as error:
        return fail(error)
    predictions, status = [], 0
    for path in arguments.images:
        try:
            predictions.append(predict(model, path, arguments))
        except (OSError, ValueError) as error:
            status = fail(error)
            continue
        if not arguments.json:
            print(f"{path}: {predictions[-1]['class']} ({predictions[-1]['probability']:.1%})", flush=True)
    if arguments.json:
        print(json.dumps(predictions, indent=2))
    return status


def parse(argv):
    """Parse the command-line arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", metavar="MODEL", help="output folder of train_mnist.py, or its model.kerasnet")
    parser.add_argument("images", metavar="IMAGE", nargs="+", help="image file with one digit")
    parser.add_argument(
        "--polarity",
        default="auto",
        choices=POLARITIES,
        help="whether the digit is darker or lighter than the background (default: auto, detected per image)",
    )
    parser.add_argument(
        "--as-is",
        action="store_true",
        help="resize the whole image. By default, models of MNIST and EMNIST digits receive the extracted digit, "
        "resized and centered as in MNIST",
    )
    parser.add_argument("--json", action="store_true", help="print the predictions as a JSON list")
    return parser.parse_args(argv)


def predict(model, path, arguments):
    """Return the prediction for one file."""
    if model.dataset in DIGITS and not arguments.as_is:
        image, polarity = extract_digit(path, polarity=arguments.polarity, return_polarity=True)
        background = 0
    else:
        image, polarity, background = whole_image(path, arguments.polarity)
    images = prepare_images([image], model.image_size, fill_value=background)
    if np.ptp(images) < MIN_CONTRAST:
        content = "digit" if model.dataset in DIGITS else "character"
        raise ValueError(f"no {content} found, {path!r}: the brightness of the image is nearly constant.")
    (probabilities,) = model.predict_proba(images)
    best = int(probabilities.argmax())
    return {
        "image": path,
        "class": model.classes[best],
        "probability": float(probabilities[best]),
        "probabilities": dict(zip(map(str, model.classes), probabilities.tolist(), strict=True)),
        "polarity": polarity,
    }


def whole_image(path, polarity):
    """Return the image as light on dark, its polarity, and the background brightness."""
    image = read_gray(path)
    background = float(np.median(np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])))
    if polarity == "auto":
        polarity = "dark-on-light" if background > (image.min() + image.max()) / 2 else "light-on-dark"
    if polarity == "dark-on-light":
        image, background = 1 - image, 1 - background
    return image, polarity, background


def fail(error):
    """Print an error message in one line and return the exit status."""
    print(f"predict: {' '.join(str(error).split())}", file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
