"""Measure what can be exported, for the documentation's table of exports.

    python scripts/make_export_table.py

Exports every registered model as a classifier, a regressor or an autoencoder, and ten pipelines, and writes size,
largest difference on up to 1,000 samples, and times to exports.json. The documentation site takes its table from there.
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
FORMATS = {"onnx": "m.onnx", "tflite": "m.tflite", "saved_model": "m"}


def main(argv=None):
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="measure only these, and keep other results")
    parser.add_argument("--calls", type=int, default=50, help="number of timed predictions of one sample (default: 50)")
    arguments = parser.parse_args(argv)

    from _exported import cases

    results = json.loads(RESULTS.read_text())["exports"] if RESULTS.exists() else {}
    for name, make in cases().items():
        if arguments.only is None or name in arguments.only:
            estimator, X = make()
            results[name] = measure(estimator, X, arguments.calls)
            print(name, json.dumps(results[name]), flush=True)
            ordered = {each: results[each] for each in cases() if each in results}
            RESULTS.write_text(json.dumps({"hardware": hardware(), "exports": ordered}, indent=2) + "\n")
    return 0


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
    exports = json.loads(RESULTS.read_text())["exports"]
    return {"exports": as_table(HEADER, [row(name, result) for name, result in exports.items()])}


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
