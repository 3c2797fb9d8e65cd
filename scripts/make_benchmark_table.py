"""Write the README's table of benchmarks from scripts/benchmarks.json, which ``bench_*.py --save`` make.

python scripts/make_benchmark_table.py
"""

import json
import re
import sys
from pathlib import Path

from _bench import RESULTS

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- benchmarks: written by scripts/make_benchmark_table.py -->", "<!-- end of benchmarks -->"


def main():
    """Run the command."""
    README.write_text(with_table(README.read_text(), json.loads(RESULTS.read_text())))
    return 0


def with_table(text, results):
    """Return a text with the table between its two marks replaced."""
    return re.sub(f"{BEGIN}.*{END}", f"{BEGIN}\n{table(results)}\n{END}", text, flags=re.DOTALL)


def table(results):
    """Return the table, in Markdown."""
    search, training, predict = results["search"], results["training"], results["predict"]
    rows = [
        (
            f"grid search, {search['fits']} fits on {search['images']:,} images",
            "SciKeras",
            search["times_faster"]["scikeras"],
        ),
        ("the same fits, one by one", "Keras' wrapper", search["times_faster"]["keras"]),
    ]
    for name, label in (
        ("cnn", "the document's CNN"),
        ("cnn_32", "the document's CNN"),
        ("simple_rnn", "SimpleRNN"),
        ("lstm", "LSTM"),
    ):
        case = training["cases"][name]
        epoch = f"an epoch of {training['images']:,} images, {label}, batches of {case['batch_size']}"
        rows.append((epoch, "`keras.Model.fit`", case["times_faster"]["keras"]))
    for count, images in predict["images"].items():
        what = f"prediction of {int(count):,} image{'s' if int(count) > 1 else ''}"
        rows.append((what, "SciKeras", images["times_faster"]["scikeras"]))
        rows.append((what, "`keras.Model.predict`", images["times_faster"]["keras"]))
    fixed, memory = search["fixed_seconds_a_fit"], search["megabytes_a_fit"]
    lines = ["| what | beside | times faster: median (range) |", "|---|---|---|"]
    lines += [
        f"| {what} | {beside} | **{ratio['median']:.1f}** ({ratio['min']:.1f} to {ratio['max']:.1f}) |"
        for what, beside, ratio in rows
    ]
    lines += [
        "",
        f"What a further fit costs beside its epochs: {1000 * fixed['kerasnet']:.0f} ms (SciKeras: "
        f"{1000 * fixed['scikeras']:.0f} ms); what it keeps of memory: {memory['kerasnet']:.2f} MB (SciKeras: "
        f"{memory['scikeras']:.1f} MB); a further architecture keeps "
        f"{memory['kerasnet, another architecture each']:.0f} MB.",
        f"Measured on {search['hardware']}, TensorFlow {search['versions']['tensorflow']}, "
        f"Keras {search['versions']['keras']}.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
