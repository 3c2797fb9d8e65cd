"""``kerasnet predict``: the classes of images and texts."""

import textwrap

from kerasnet.cli._command import fail, import_quietly, print_json, print_line, printable, with_progress

DESCRIPTION = """\
Predict the classes of images or texts with a pretrained or saved classifier.

Models of MNIST and EMNIST digits find the digit in a photograph or a drawing:
each image must show exactly one. Models of other data sets in the format of
MNIST receive the whole image, light on dark: crop it to one character or
article. All other models receive the whole image.

An image that cannot be read, is empty, or does not show exactly one digit is
reported as an error, and the exit status is 1. The other images are predicted.

Pipelines that begin with a TextVectorizer take files with one text per line, or
CSV files with --column. A text without a known word is reported as an error.

examples:
  kerasnet predict lenet photo.jpg
  kerasnet predict runs/mnist-cnn-20260101-120000 photos/*.png --polarity dark-on-light
  kerasnet predict --model model.kerasnet photos/*.png --json
  kerasnet predict reviews.kerasnet new.csv --column review
"""
USAGE = "%(prog)s MODEL FILE... [options]\n       %(prog)s --model MODEL FILE... [options]"
_WIDTH = 60  # of a text in a line of output
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
        "files", metavar="FILE", nargs="+", help="image files (PNG, JPEG, WebP, TIFF, GIF, BMP or PPM) or text files"
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
    parser.add_argument("--column", metavar="NAME", help="column of CSV files that contains the texts")
    parser.add_argument("--json", action="store_true", help="print a JSON list with the probabilities of all classes")


def run(arguments):
    """Run the command and return its exit status."""
    model, files = arguments.model, arguments.files
    if model is None:
        model, *files = files
        if not files:
            arguments.parser.error("expected a model and images, as in: kerasnet predict lenet photo.jpg")
    import_quietly("kerasnet.estimators")
    from kerasnet.cli._models import load_model
    from kerasnet.cli._text_classifier import takes_text

    estimator, metadata = load_model(model)
    predictions_of = _of_texts if takes_text(estimator) else _of_images
    predictions, status = [], 0
    for prediction in predictions_of(model, estimator, metadata, files, arguments):
        if isinstance(prediction, Exception):
            status = fail("kerasnet predict", prediction)
            continue
        predictions.append(prediction)
        if not arguments.json:
            print_line(_as_line(prediction))
    if arguments.json:
        print_json(predictions)
    return status


def _of_images(model, estimator, metadata, paths, arguments):
    """Yield the prediction, or the error, for each image file."""
    from kerasnet.cli._image_classifier import ImageClassifier

    if arguments.column is not None:
        raise ValueError(f"--column requires a classifier of text; {model} is none")
    classifier = ImageClassifier.named(model, estimator, metadata)
    options = {"content": _content(classifier, arguments), "polarity": arguments.polarity}
    for path in with_progress(paths, "Predicting"):
        try:
            yield classifier.predict(path, **options)
        except (OSError, ValueError) as error:
            yield error


def _of_texts(model, estimator, metadata, paths, arguments):
    """Yield the prediction, or the error, for each text of each file."""
    from kerasnet.cli._text_classifier import check_classifier, predict_texts, read_texts

    if arguments.content is not None or arguments.polarity != "auto":
        raise ValueError(f"--digit, --as-is and --polarity require a classifier of images; {model} takes text")
    check_classifier(model, estimator)
    for path in paths:
        try:
            predictions = predict_texts(estimator, read_texts(path, arguments.column))
        except (OSError, ValueError) as error:
            yield error
            continue
        for number, prediction in enumerate(predictions, start=1):
            if prediction is None:
                yield ValueError(f"{path}: text {number} has no known word")
            else:
                yield {"file": path, "number": number, **prediction}


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
    source = prediction["image"] if "image" in prediction else textwrap.shorten(prediction["text"], _WIDTH)
    return f"{printable(source)}: {printable(str(prediction['class']))}{percent}"
