"""Benchmark an exported ONNX file against the ``.kerasnet`` file of the same classifier.

    python scripts/bench_export.py

The pretrained LeNet predicts one image: alternately in one process, and in new processes that load the file, predict
once and report their time and peak memory.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # suppress TensorFlow's start-up messages

from _bench import ratios, report, spread, take_turns

N_CALLS = 50
CODE = """
import json, re, sys, time
started = time.perf_counter()
import numpy as np
import kerasnet as kn
model = getattr(kn, sys.argv[1])(sys.argv[2])
model.predict(np.zeros((1, 28, 28), np.uint8))
seconds = time.perf_counter() - started
kilobytes = re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1]  # ru_maxrss includes the parent process
print(json.dumps([seconds, int(kilobytes) * 1.024 / 1000]))
"""


def main(argv=None):
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10, help="number of timed rounds (default: 10)")
    parser.add_argument("--save", action="store_true", help="write the results to benchmarks.json")
    arguments = parser.parse_args(argv)

    import kerasnet as kn

    X, _ = kn.datasets.load_mnist("test", return_X_y=True)
    classifier = kn.KerasNetClassifier.from_pretrained("lenet", "mnist")
    with tempfile.TemporaryDirectory() as folder:
        files = {"kerasnet": ("load", Path(folder, "m.kerasnet")), "onnx": ("load_exported", Path(folder, "m.onnx"))}
        kn.save(classifier, files["kerasnet"][1])
        kn.export(classifier, files["onnx"][1], verify=X[:1000])
        sides = {"kerasnet": classifier, "onnx": kn.load_exported(files["onnx"][1])}
        seconds = take_turns(
            {name: lambda model=model: [model.predict(X[:1]) for _ in range(N_CALLS)] for name, model in sides.items()},
            arguments.rounds,
        )
        processes = {name: [run(*file) for _ in range(arguments.rounds)] for name, file in files.items()}
    starts = {name: [each[0] for each in found] for name, found in processes.items()}
    memory = {name: [each[1] for each in found] for name, found in processes.items()}
    result = {
        "rounds": arguments.rounds,
        "one_image": {
            "milliseconds": {
                name: spread([1000 * each / N_CALLS for each in times]) for name, times in seconds.items()
            },
            "times_faster": ratios(seconds, ours="onnx"),
        },
        "new_process": {
            "seconds": {name: spread(times) for name, times in starts.items()},
            "times_faster": ratios(starts, ours="onnx"),
            "megabytes": {name: spread(found, 0) for name, found in memory.items()},
            "times_less_memory": ratios(memory, ours="onnx"),
        },
    }
    report("export", result, arguments.save)
    return 0


def run(function, path):
    """Load a file and predict once in a new process; return seconds and the peak memory in MB."""
    command = [sys.executable, "-c", CODE, function, str(path)]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


if __name__ == "__main__":
    sys.exit(main())
