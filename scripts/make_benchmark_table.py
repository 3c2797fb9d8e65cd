"""Write the README's table of benchmarks from scripts/benchmarks.json, which ``bench_*.py --save`` write.

python scripts/make_benchmark_table.py

The documentation site takes its tables of benchmarks from here.
"""

import json
import sys
from typing import NamedTuple

from _bench import RESULTS
from _tables import README, as_table, with_table


class Row(NamedTuple):
    """One comparison: what was measured, with what it is compared, and the ratio of times."""

    measured: str
    compared_with: str
    times_faster: dict

    def cells(self):
        """Return the cells of the row."""
        median, low, high = (f"{self.times_faster[name]:.1f}" for name in ("median", "min", "max"))
        return [self.measured, self.compared_with, f"**{median}** ({'one run' if low == high else f'{low} to {high}'})"]


HEADER = ["measured", "compared with", "times faster: median (range)"]


def main():
    """Run the command."""
    README.write_text(with_tables(README.read_text(), json.loads(RESULTS.read_text())))
    return 0


def with_tables(text, results):
    """Return the text of the README with its table of benchmarks."""
    return with_table(text, "benchmarks", "make_benchmark_table.py", readme_table(results))


def tables():
    """Return the tables of the documentation site in Markdown, by name."""
    results = json.loads(RESULTS.read_text())
    return {"benchmarks": speed_table(results), "accuracy": accuracy_table(results)}


def readme_table(results):
    """Return five of the comparisons."""
    searches, trainings = search_rows(results), training_rows(results)
    predictions, features = prediction_rows(results), feature_rows(results)
    rows = [searches[0], searches[1], trainings[0], predictions[0], features[0]]
    return as_table(HEADER, [row.cells() for row in rows])


def speed_table(results):
    """Return all comparisons, and the overhead of a fit."""
    rows = [*search_rows(results), *training_rows(results), *prediction_rows(results), *feature_rows(results)]
    search = results["search"]
    seconds, memory, versions = search["fixed_seconds_a_fit"], search["megabytes_a_fit"], search["versions"]
    return (
        as_table(HEADER, [row.cells() for row in rows])
        + f"""

| per fit | kerasnet | SciKeras |
|---|---|---|
| overhead | {1000 * seconds["kerasnet"]:.0f} ms | {1000 * seconds["scikeras"]:.0f} ms |
| memory that is not released | {memory["kerasnet"]:.3f} MB | {memory["scikeras"]:.1f} MB |

A fit of another architecture keeps {memory["kerasnet, another architecture each"]:.0f} MB; those of eight are kept.
Measured on {search["hardware"]}, with TensorFlow {versions["tensorflow"]} and Keras {versions["keras"]}."""
    )


def search_rows(results):
    """Return the comparisons of grid searches."""
    search, long = results["search"], results["search_document"]
    what = f"grid search, {search['fits']} fits on {search['images']:,} images"
    rows = [
        Row(what, "SciKeras", search["times_faster"]["scikeras"]),
        Row("the same search with `memory=`", "SciKeras", search["times_faster_with_memory"]["scikeras"]),
        Row("the same fits, one after another", "Keras' wrapper", search["times_faster"]["keras"]),
    ]
    what = f"grid search, {long['fits']} fits of 10 to 30 epochs on {long['images']:,} images, `memory=`"
    for name, label in (("one process", what), ("two processes", f"{what}, `n_jobs=2`")):
        rows.append(Row(label, "SciKeras", long["times_faster"][name]))
    return rows


def training_rows(results):
    """Return the comparisons of single trainings."""
    training, lenet = results["training"], results["to_accuracy"]
    labels = {"cnn": "the default CNN", "cnn_32": "the default CNN", "simple_rnn": "SimpleRNN", "lstm": "LSTM"}
    rows = []
    for name, label in labels.items():
        case = training["cases"][name]
        what = f"one epoch on {training['images']:,} images, {label}, batch size {case['batch_size']}"
        rows.append(Row(what, "`keras.Model.fit`", case["times_faster"]["keras"]))
    what = f"LeNet trained to {lenet['target']:.0%} test accuracy on MNIST, {lenet['epochs']} epochs of its recipe"
    return [*rows, Row(what, "`keras.Model.fit`, Keras' defaults", lenet["times_faster"]["keras"])]


def prediction_rows(results):
    """Return the comparisons of predictions."""
    others = {"scikeras": "SciKeras", "keras": "`keras.Model.predict`"}
    return [
        Row(f"prediction of {int(count):,} image{'s' * (int(count) > 1)}", label, images["times_faster"][name])
        for count, images in results["predict"]["images"].items()
        for name, label in others.items()
    ]


def feature_rows(results):
    """Return the comparisons of HOG features."""
    speed = results["features"]["speed"]
    return [
        Row(f"HOG of {speed['images']:,} images, {name}", "`skimage.feature.hog`", case["times_faster"]["scikit-image"])
        for name, case in speed["cases"].items()
    ]


def accuracy_table(results):
    """Return the accuracy of features on MNIST."""
    rows = []
    for row in sorted(results["features"]["accuracy"], key=lambda row: row["test_accuracy"]):
        chosen = ", ".join(f"`{name}={value}`" for name, value in row["parameters"].items()) or "–"
        seconds = row["seconds_of_features"]
        rows.append(
            [
                row["features"],
                row["classifier"],
                chosen,
                f"{100 * row['test_accuracy']:.2f} %",
                "–" if seconds is None else f"{seconds:.1f} s",
                f"{row['seconds_of_training']:.1f} s",
            ]
        )
    return as_table(["features", "classifier", "chosen", "test accuracy", "feature time", "training time"], rows)


if __name__ == "__main__":
    sys.exit(main())
