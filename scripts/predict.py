"""Say which digits photographs show, by a model that train_mnist.py left.

python scripts/predict.py runs/mnist-cnn-20260101-120000 photo.jpg
python scripts/predict.py RUN photos/*.png --polarity dark-on-light --json
"""

import argparse
import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up lines

import cv2
import numpy as np
from _run import TrainedModel

from kerasnet.features import prepare_images

POLARITIES = ("auto", "dark-on-light", "light-on-dark")
WORKING_SIZE = (280, 280)


def main(argv=None):
    """Run the command and return its exit status."""
    arguments = parse(argv)
    sys.stdout.reconfigure(errors="backslashreplace")
    sys.stderr.reconfigure(errors="backslashreplace")
    try:
        model = TrainedModel(arguments.model)
    except (OSError, TypeError, ValueError) as error:
        return fail(error)
    found, status = [], 0
    for path in arguments.images:
        try:
            found.append(predict(model, path, arguments))
        except (OSError, ValueError) as error:
            status = fail(error)
            continue
        if not arguments.json:
            print(f"{path}: {found[-1]['class']} ({found[-1]['probability']:.1%})", flush=True)
    if arguments.json:
        print(json.dumps(found, indent=2))
    return status


def parse(argv):
    """Read the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", metavar="MODEL", help="the folder of a run, or its model.kerasnet")
    parser.add_argument("images", metavar="IMAGE", nargs="+", help="a photograph of one digit")
    parser.add_argument(
        "--polarity",
        default="auto",
        choices=POLARITIES,
        help="what the digit is (default: found by the margin)",
    )
    parser.add_argument(
        "--as-is",
        action="store_true",
        help="only resize. Without it, models of MNIST see the digit as MNIST has it: cut out, its mass in the middle",
    )
    parser.add_argument("--json", action="store_true", help="print a list of objects")
    return parser.parse_args(argv)


def predict(model, path, arguments):
    """Return what the model makes of one file."""
    (image,) = prepare_images([path], WORKING_SIZE, pad_to_aspect_ratio=False)
    ground = float(np.median(margin_of(image)))
    polarity = arguments.polarity
    if polarity == "auto":
        polarity = "dark-on-light" if ground > (image.min() + image.max()) / 2 else "light-on-dark"
    (image,) = prepare_images([path], WORKING_SIZE, fill_value=ground)
    if polarity == "dark-on-light":
        image = 1 - image
    if model.dataset == "mnist" and not arguments.as_is:
        image = center_digit(image)
    images = prepare_images([image], model.image_size)
    (probabilities,) = model.predict_proba(images)
    best = int(probabilities.argmax())
    return {
        "image": path,
        "class": model.classes[best],
        "probability": float(probabilities[best]),
        "probabilities": dict(zip(map(str, model.classes), probabilities.tolist(), strict=True)),
        "polarity": polarity,
    }


def margin_of(image):
    """Return the outermost pixels of an image."""
    return np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])


def center_digit(image):
    """Return a bright digit on black as MNIST has it: 20 pixels high or wide, its mass in the middle of 28 x 28.

    What varies slowly, such as a shadow, is taken away; what is brighter than Otsu's threshold then is the digit.
    """
    smooth = cv2.medianBlur((image * 255).astype(np.uint8), 5)
    ink = cv2.morphologyEx(smooth, cv2.MORPH_TOPHAT, np.ones((71, 71), np.uint8))  # strokes are narrower
    _, inside = cv2.threshold(ink, 0, 1, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    if not inside.any():
        return image
    left, top, width, height = cv2.boundingRect(inside)
    digit = np.where(cv2.dilate(inside, np.ones((9, 9), np.uint8)), ink / np.percentile(ink[inside > 0], 75), 0)
    digit = np.clip(digit, 0, 1)[top : top + height, left : left + width]
    factor = 20 / max(height, width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    digit = cv2.resize(digit.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    moments = cv2.moments(digit)
    to_middle = [13.5 - moments["m10"] / moments["m00"], 13.5 - moments["m01"] / moments["m00"]]
    centered = cv2.warpAffine(digit, np.float32([[1, 0, to_middle[0]], [0, 1, to_middle[1]]]), (28, 28))
    return np.clip(centered, 0, 1)  # for OpenCV's rounding


def fail(error):
    """Say in one line what went wrong."""
    print(f"predict: {' '.join(str(error).split())}", file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
