"""``kerasnet export``: files that run without kerasnet."""

from kerasnet.cli._command import import_quietly, print_line
from kerasnet.cli._report import add_data_arguments

DESCRIPTION = """\
Write a model, with its preprocessing and class labels, to a file that runs without
kerasnet, and compare its predictions with those of the model: ONNX (.onnx), LiteRT
(.tflite) or a folder for TensorFlow Serving (SavedModel). ONNX requires
pip install "kerasnet[export]".

The predictions are compared on at most 1,000 samples of --data, or of the data set
that the model was trained on if that is MNIST, otherwise on random samples.

examples:
  kerasnet export lenet lenet.onnx
  kerasnet export model.kerasnet model.tflite
  kerasnet export runs/photos photos.onnx --data photos
  kerasnet export lenet serving --format saved_model
  kerasnet export cnn cnn.onnx --quantize int8
"""
FORMATS = ("onnx", "tflite", "saved_model")
_N_SAMPLES = 1000


def add_arguments(parser):
    """Add the arguments of the command."""
    parser.add_argument(
        "model", metavar="MODEL", help="name of a pretrained model, file or folder, see kerasnet --help"
    )
    parser.add_argument("output", metavar="OUTPUT", help="file or folder to write")
    parser.add_argument("--format", choices=FORMATS, help="format (default: by the suffix of OUTPUT)")
    parser.add_argument(
        "--quantize",
        choices=("int8",),
        help="store weights as 8-bit integers: about a quarter of the size",
    )
    add_data_arguments(parser)


def run(arguments):
    """Run the command and return its exit status."""
    import_quietly("kerasnet.estimators")
    from kerasnet.cli._data import load_data
    from kerasnet.cli._models import load_model
    from kerasnet.exporting import export

    estimator, metadata = load_model(arguments.model)
    has_data = arguments.data is not None or arguments.dataset is not None or metadata.get("dataset") == "mnist"
    X = load_data(arguments, estimator, metadata)[0][:_N_SAMPLES] if has_data else None
    result = export(estimator, arguments.output, format=arguments.format, verify=X, quantize=arguments.quantize)
    print_line(f"{arguments.output}: {_text(estimator, result)}")
    return 0


def _text(estimator, result):
    if isinstance(result, float):
        return f"largest difference {result:.1e}"
    labels = f"{result.score:.2%} of labels equal" if hasattr(estimator, "classes_") else f"R² {result.score:.4f}"
    samples = f"{result.n_samples:,} samples"
    return f"int8, {labels} on {samples}, largest difference {result.difference:.1e}"
