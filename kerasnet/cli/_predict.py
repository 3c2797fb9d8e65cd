"""``kerasnet predict``: the classes of images."""

from kerasnet.cli._command import fail, import_quietly, print_json, print_line, printable, with_progress

DESCRIPTION = """\
Predict the classes of images with a pretrained or saved classifier.

Models of MNIST and EMNIST digits find the digit in a photograph or a drawing:
each image must show exactly one. Models of other data sets in the format of
MNIST receive the whole image, light on dark: crop it to one character or
article. All other models receive the whole image.

An image that cannot be read, is empty, or does not show exactly one digit is
reported as an error, and the exit status is 1. The other images are predicted.

examples:
  kerasnet predict lenet photo.jpg
  kerasnet predict runs/mnist-cnn-20260101-120000 photos/*.png --polarity dark-on-light
  kerasnet predict --model model.kerasnet photos/*.png --json
"""
USAGE = "%(prog)s MODEL IMAGE... [options]\n       %(prog)s --model MODEL IMAGE... [options]"
POLARITIES = ("auto", "dark-on-light", "light-on-dark")


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.usage = USAGE
    parser.add_argument(
        "--model",
        metavar="MODEL",
        help="name of a pretrained model, file or folder, see kerasnet --help; by default, the first argument",
    )
    parser.add_argument(
        "images", metavar="IMAGE", nargs="+", help="image files: PNG, JPEG, WebP, TIFF, GIF, BMP or PPM"
    )
    content = parser.add_mutually_exclusive_group()
    content.add_argument(
        "--digit",
        dest="content",
        action="store_const",
        const="digit",
        help="find the digit in each image (default for models of MNIST and EMNIST digits)",
    )
    content.add_argument(
        "--as-is",
        dest="content",
        action="store_const",
        const="whole",
        help="use the whole image (default for other models)",
    )
    parser.add_argument(
        "--polarity",
        default="auto",
        choices=POLARITIES,
        help="whether digits are darker or lighter than the background (default: auto, detected per image)",
    )
    parser.add_argument("--json", action="store_true", help="print a JSON list with the probabilities of all classes")


def run(arguments):
    """Run the command and return its exit status."""
    model, images = arguments.model, arguments.images
    if model is None:
        model, *images = images
        if not images:
            arguments.parser.error("expected a model and images, as in: kerasnet predict lenet photo.jpg")
    import_quietly("kerasnet.estimators")
    from kerasnet.cli._image_classifier import ImageClassifier

    classifier = ImageClassifier.load(model)
    options = {"content": _content(classifier, arguments), "polarity": arguments.polarity}
    predictions, status = [], 0
    for path in with_progress(images, "Predicting"):
        try:
            prediction = classifier.predict(path, **options)
        except (OSError, ValueError) as error:
            status = fail("kerasnet predict", error)
            continue
        predictions.append(prediction)
        if not arguments.json:
            print_line(_as_line(prediction))
    if arguments.json:
        print_json(predictions)
    return status


def _content(classifier, arguments):
    """Return what the images show, or raise an error if the options do not apply to the classifier."""
    has_polarity = arguments.polarity != "auto"
    if classifier.color_mode == "rgb" and (has_polarity or arguments.content == "digit"):
        raise ValueError(
            "--digit and --polarity require a classifier of grayscale images; this one is for color images"
        )
    if (arguments.content or classifier.content) == "digit":
        return "digit"
    return "photograph" if classifier.content == "photograph" and not has_polarity else "character"


def _as_line(prediction):
    probability = prediction["probability"]
    percent = "" if probability is None else f" ({probability:.1%})"
    return f"{printable(prediction['image'])}: {printable(str(prediction['class']))}{percent}"
