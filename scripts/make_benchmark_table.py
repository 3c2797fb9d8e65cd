"""Write the README's tables of benchmarks from scripts/benchmarks.json, which ``bench_*.py --save`` make.

python scripts/make_benchmark_table.py
"""

import json
import sys

from _bench import RESULTS
from _tables import README, with_table


def main():
    """Run the command."""
    README.write_text(with_tables(README.read_text(), json.loads(RESULTS.read_text())))
    return 0


def with_tables(text, results):
    """Return a text with what stands between the marks of each table replaced."""
    for name, table in (("benchmarks", speed_table), ("accuracy", accuracy_table)):
        text = with_table(text, name, "make_benchmark_table.py", table(results))
    return text


def accuracy_table(results):
    """Return what features are worth, in Markdown."""
    lines = [
        "| features | classifier | chosen | test accuracy | features take | training takes |",
        "|---|---|---|---|---|---|",
    ]
    for row in sorted(results["features"]["accuracy"], key=lambda row: row["test_accuracy"]):
        chosen = ", ".join(f"`{name}={value}`" for name, value in row["parameters"].items()) or "–"
        seconds = row["seconds_of_features"]
        lines.append(
            f"| {row['features']} | {row['classifier']} | {chosen} | {row['test_accuracy']:.2%} | "
            f"{'–' if seconds is None else f'{seconds:.1f} s'} | {row['seconds_of_training']:.1f} s |"
        )
    return "\n".join(lines)


def speed_table(results):
    """Return how much faster kerasnet is, in Markdown."""
    search, training, predict = results["search"], results["training"], results["predict"]
    document = results["search_document"]
    rows = [
        (
            f"grid search, {search['fits']} fits on {search['images']:,} images",
            "SciKeras",
            search["times_faster"]["scikeras"],
        ),
        ("the same search, with `memory=`", "SciKeras", search["times_faster_with_memory"]["scikeras"]),
        ("the same fits, one by one", "Keras' wrapper", search["times_faster"]["keras"]),
    ]
    for name, label in (("one process", ""), ("two processes", ", `n_jobs=2`")):
        what = f"grid search, {document['fits']} fits of 10 to 30 epochs on {document['images']:,} images, `memory=`"
        rows.append((f"{what}{label}", "SciKeras", document["times_faster"][name]))
    for name, label in (
        ("cnn", "the document's CNN"),
        ("cnn_32", "the document's CNN"),
        ("simple_rnn", "SimpleRNN"),
        ("lstm", "LSTM"),
    ):
        case = training["cases"][name]
        epoch = f"an epoch of {training['images']:,} images, {label}, batches of {case['batch_size']}"
        rows.append((epoch, "`keras.Model.fit`", case["times_faster"]["keras"]))
    way = results["to_accuracy"]
    what = f"LeNet from nothing to {way['target']:.0%} of MNIST's test images, in {way['epochs']} epochs of its recipe"
    rows.append((what, "`keras.Model.fit`, Keras' defaults", way["times_faster"]["keras"]))
    for count, images in predict["images"].items():
        what = f"prediction of {int(count):,} image{'s' if int(count) > 1 else ''}"
        rows.append((what, "SciKeras", images["times_faster"]["scikeras"]))
        rows.append((what, "`keras.Model.predict`", images["times_faster"]["keras"]))
    for name, case in results["features"]["speed"]["cases"].items():
        what = f"HOG of {results['features']['speed']['images']:,} images, {name}"
        rows.append((what, "`skimage.feature.hog`", case["times_faster"]["scikit-image"]))
    fixed, memory = search["fixed_seconds_a_fit"], search["megabytes_a_fit"]
    lines = ["| what | beside | times faster: median (range) |", "|---|---|---|"]
    lines += [
        f"| {what} | {beside} | **{ratio['median']:.1f}** ({ratio['min']:.1f} to {ratio['max']:.1f}) |"
        for what, beside, ratio in rows
    ]
    lines += [
        "",
        f"Overhead of a fit: {1000 * fixed['kerasnet']:.0f} ms (SciKeras: "
        f"{1000 * fixed['scikeras']:.0f} ms); memory kept by a fit: {memory['kerasnet']:.3f} MB (SciKeras: "
        f"{memory['scikeras']:.1f} MB); memory kept by a further architecture: "
        f"{memory['kerasnet, another architecture each']:.0f} MB.",
        f"Measured on {search['hardware']}, TensorFlow {search['versions']['tensorflow']}, "
        f"Keras {search['versions']['keras']}.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
