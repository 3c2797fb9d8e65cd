"""Measure what can be exported, for the documentation's table of exports.

    python scripts/make_export_table.py

Exports every registered model as a classifier, a regressor or an autoencoder, and ten pipelines, and writes size,
largest difference on up to 1,000 samples, and times to exports.json. Also exports pretrained networks with weights as
int8 and measures them on the MNIST test set. The documentation site takes its tables from there.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
import warnings
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up messages

from _bench import hardware
from _tables import as_table

RESULTS = Path(__file__).with_name("exports.json")
HEADER = ["exported", "ONNX", "LiteRT", "SavedModel", "ONNX file", "one sample: `predict`, ONNX", "1,000 samples"]
INT8_HEADER = ["network", "format", "size", "equal labels", "accuracy", "one image"]
PRETRAINED = ("lenet", "cnn", "resnet_small", "attention", "lstm")
FORMATS = {"onnx": "m.onnx", "tflite": "m.tflite", "saved_model": "m"}


def main(argv=None):
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="measure only these, and keep other results")
    parser.add_argument("--calls", type=int, default=50, help="number of timed predictions of one sample (default: 50)")
    arguments = parser.parse_args(argv)

    from _exported import cases

    found = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    results, quantized = found.get("exports", {}), found.get("int8", {})
    for name, make in cases().items():
        if arguments.only is None or name in arguments.only:
            estimator, X = make()
            results[name] = measure(estimator, X, arguments.calls)
            print(name, json.dumps(results[name]), flush=True)
            ordered = {each: results[each] for each in cases() if each in results}
            write(ordered, quantized)
            results = ordered
    for name in PRETRAINED:
        if arguments.only is None or name in arguments.only:
            quantized[name] = measure_int8(name, arguments.calls)
            print(name, json.dumps(quantized[name]), flush=True)
            write(results, {each: quantized[each] for each in PRETRAINED if each in quantized})
    return 0


def write(exports, int8):
    """Write the results."""
    RESULTS.write_text(json.dumps({"hardware": hardware(), "exports": exports, "int8": int8}, indent=2) + "\n")


def measure(estimator, X, n_calls):
    """Export an estimator in all formats; return differences, sizes and times."""
    import kerasnet as kn

    result = {"n_samples": len(X)}
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about convergence after few epochs
        for format, name in FORMATS.items():
            path = Path(folder, name)
            try:
                result[format] = kn.export(estimator, path, format=format, verify=X)
            except kn.errors.ExportError as error:
                result[format] = str(error)
        if isinstance(result["onnx"], float):
            path = Path(folder, FORMATS["onnx"])
            result["n_bytes"] = path.stat().st_size
            sides = {"kerasnet": estimator, "onnx": kn.load_exported(path)}
            result["milliseconds"] = {side: milliseconds(model, X, n_calls) for side, model in sides.items()}
    return result


def measure_int8(name, n_calls):
    """Export a pretrained network with weights as float32 and int8; compare size, accuracy and time of one image."""
    import kerasnet as kn

    X, y = kn.datasets.load_mnist("test", return_X_y=True)
    classifier, result = kn.KerasNetClassifier.from_pretrained(name, "mnist"), {}
    X = X if kn.models.model_card(name).input_kind == "image" else (X / 255).astype("float32")
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("onnx", "tflite"):
            paths = {quantize: Path(folder, f"{quantize}.{suffix}") for quantize in (None, "int8")}
            for quantize, path in paths.items():
                kn.export(classifier, path, verify=X[:1000], quantize=quantize)
            run = {quantize: predictor(path) for quantize, path in paths.items()}
            labels = {quantize: predict(X) for quantize, predict in run.items()}
            result[suffix] = {
                "n_bytes": [path.stat().st_size for path in paths.values()],
                "equal": float((labels[None] == labels["int8"]).mean()),
                "accuracy": [float((each == y).mean()) for each in labels.values()],
                "one": [timed(predict, X[:1], n_calls) for predict in run.values()],
            }
    return result


def predictor(path):
    """Return a function that predicts labels with an exported classifier of digits."""
    import kerasnet as kn
    from kerasnet.training._litert import litert_runner

    if path.suffix == ".onnx":
        return kn.load_exported(path).predict
    run = litert_runner(path.read_bytes())
    return lambda X: run({"X": X})["probabilities"].argmax(axis=1)


def milliseconds(model, X, n_calls):
    """Return the median times of a prediction of one sample, and of all samples, in milliseconds."""
    names = ("predict", "reconstruct", "transform")
    method = next(getattr(model, name) for name in names if hasattr(model, name) and has_task(model, name))
    return {"one": timed(method, X[:1], n_calls), "all": timed(method, X, 3)}


def has_task(model, method):
    """Return whether an exported model supports a method; an estimator does if it has the method."""
    description = getattr(model, "description", None)
    tasks = {"predict": ("classifier", "multilabel", "regressor"), "reconstruct": ("autoencoder",)}
    return description is None or description.task in tasks.get(method, ("transformer",))


def timed(method, X, n_calls):
    """Return the median time of a call, after one that is not timed."""
    seconds = []
    for _ in range(n_calls + 1):
        started = time.perf_counter()
        method(X)
        seconds.append(time.perf_counter() - started)
    return round(1000 * statistics.median(seconds[1:]), 3)


def tables():
    """Return the tables of the documentation site in Markdown, by name."""
    results = json.loads(RESULTS.read_text())
    int8 = [int8_row(name, format, each[format]) for name, each in results["int8"].items() for format in each]
    return {
        "exports": as_table(HEADER, [row(name, result) for name, result in results["exports"].items()]),
        "int8": as_table(INT8_HEADER, int8),
    }


def int8_row(name, format, result):
    """Return the cells of a row of the table of quantized networks."""
    sizes, accuracies = result["n_bytes"], result["accuracy"]
    return [
        name,
        {"onnx": "ONNX", "tflite": "LiteRT"}[format],
        f"{sizes[0] / 1000:,.0f} → {sizes[1] / 1000:,.0f} kB",
        f"{result['equal']:.2%}",
        f"{accuracies[0]:.2%} → {accuracies[1]:.2%}",
        f"{result['one'][0]:.3f} → {result['one'][1]:.3f} ms",
    ]


def row(name, result):
    """Return the cells of a row."""
    cells = [name, *(cell(result[format]) for format in FORMATS)]
    if "n_bytes" not in result:
        return [*cells, "–", "–", "–"]
    times = result["milliseconds"]
    pairs = (f"{times['kerasnet'][key]:.2f}, {times['onnx'][key]:.2f} ms" for key in ("one", "all"))
    return [*cells, f"{result['n_bytes'] / 1000:,.0f} kB", *pairs]


def cell(difference):
    """Return the largest difference, or a dash if the format is not supported."""
    return f"{difference:.0e}" if isinstance(difference, float) else "–"


if __name__ == "__main__":
    sys.exit(main())
