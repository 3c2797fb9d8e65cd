"""Benchmark training epochs of kerasnet's estimators against ``keras.Model.fit``.

    python scripts/bench_training.py                          # one epoch of each network on the full MNIST
    python scripts/bench_training.py --cases cnn --epochs 6   # the default run of train_mnist.py
    python scripts/bench_training.py --cases lite inception_time --limit 100  # networks for time series, small data

Both train the same network on the same images with the same batch size and number of epochs, alternately, in one
process, after compilation. Compare the ratios: absolute times depend on the machine and its load.
"""

import argparse
import os
import sys
from functools import partial

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # suppress TensorFlow's start-up messages

import keras
import numpy as np
from _bench import ratios, report, spread, take_turns

import kerasnet as kn


def build_lstm(input_shape=(28, 28), n_outputs=10, *, output_activation="softmax"):
    """Build a network with one LSTM layer."""
    return keras.Sequential(
        [
            keras.Input(input_shape, name="input"),
            keras.layers.LSTM(64, name="lstm"),
            keras.layers.Dense(n_outputs, activation=output_activation, name="output"),
        ],
        name="lstm",
    )


# name: (estimator, builder, batch size, whether inputs have a channel axis)
CASES = {
    "cnn": (kn.CNNClassifier, kn.build_cnn, 128, True),
    "cnn_32": (kn.CNNClassifier, kn.build_cnn, 32, True),
    "simple_rnn": (kn.SimpleRNNClassifier, lambda: kn.build_simple_rnn((28, 28)), 128, False),
    "lstm": (lambda **training: kn.KerasNetClassifier(build_lstm, **training), build_lstm, 128, False),
}
SERIES = {
    name: (partial(kn.KerasNetClassifier, name), partial(kn.create_model, name, input_shape=(28, 28)), 16, False)
    for name in ("conv1d", "inception_time", "lite", "lstm_fcn", "resnet1d")
}


def main(argv=None):
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--cases",
        nargs="+",
        choices=CASES | SERIES,
        default=list(CASES),
        help="networks to train (default: all but those for time series)",
    )
    parser.add_argument("--rounds", type=int, default=5, help="number of timed rounds (default: 5)")
    parser.add_argument("--epochs", type=int, default=1, help="number of epochs (default: 1)")
    parser.add_argument("--limit", type=int, help="use only this number of training images")
    parser.add_argument("--save", action="store_true", help="write the results to benchmarks.json")
    arguments = parser.parse_args(argv)

    X, y = kn.datasets.load_mnist(n_samples=arguments.limit, random_state=0, return_X_y=True)
    result = {"images": len(X), "epochs": arguments.epochs, "rounds": arguments.rounds, "cases": {}}
    for name in arguments.cases:
        case = {**CASES, **SERIES}[name]
        seconds = compare(*case, X, y, arguments.epochs, arguments.rounds)
        result["cases"][name] = {
            "batch_size": case[2],
            "seconds": {side: spread(times) for side, times in seconds.items()},
            "times_faster": ratios(seconds),
        }
    report("training", result, arguments.save)
    return 0


def compare(estimator, build, batch_size, has_channel, X, y, epochs, rounds):
    """Train with kerasnet and Keras alternately; return the durations of each."""
    X_float = (X / 255).astype(np.float32)
    X_float = X_float[..., np.newaxis] if has_channel else X_float
    model = build()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    sides = {
        "kerasnet": lambda: estimator(epochs=epochs, batch_size=batch_size, random_state=0).fit(
            X if has_channel else X_float, y
        ),
        "keras": lambda: model.fit(X_float, y, batch_size=batch_size, epochs=epochs, verbose=0),
    }
    return take_turns(sides, rounds)


if __name__ == "__main__":
    sys.exit(main())
