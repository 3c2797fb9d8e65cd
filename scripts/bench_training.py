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


def as_images(X):
    """Return the samples for kerasnet, and for Keras."""
    return X, (X / 255).astype(np.float32)[..., np.newaxis]


def as_sequences(X):
    """Return the rows of the images as steps, for both."""
    return ((X / 255).astype(np.float32),) * 2


def as_vectors(X):
    """Return rows of pixels, for both."""
    return ((X / 255).astype(np.float32).reshape(len(X), -1),) * 2


def as_tokens(X):
    """Return bytes as token ids, for both."""
    return (X.reshape(len(X), -1).astype(np.int32),) * 2


def other_case(name, batch_size, as_input, *input_shape, **arguments):
    """Return a case for a registered network."""
    estimator = partial(kn.KerasNetClassifier, name, **arguments)
    build = partial(kn.create_model, name, input_shape=input_shape, n_outputs=10, **arguments)
    return estimator, build, batch_size, as_input


# name: (estimator, builder, batch size, conversion of images)
CASES = {
    "cnn": (kn.CNNClassifier, kn.build_cnn, 128, as_images),
    "cnn_32": (kn.CNNClassifier, kn.build_cnn, 32, as_images),
    "simple_rnn": (kn.SimpleRNNClassifier, lambda: kn.build_simple_rnn((28, 28)), 128, as_sequences),
    "lstm": (lambda **training: kn.KerasNetClassifier(build_lstm, **training), build_lstm, 128, as_sequences),
}
OTHER_CASES = {
    **{
        name: other_case(name, 16, as_sequences, 28, 28)
        for name in ("conv1d", "inception_time", "lite", "lstm_fcn", "resnet1d")
    },
    "text_cnn": other_case("text_cnn", 50, as_tokens, 784, vocabulary_size=256),
    "real_mlp": other_case("real_mlp", 128, as_vectors, 784),
}


def main(argv=None):
    """Run the command and return its exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--cases",
        nargs="+",
        choices=CASES | OTHER_CASES,
        default=list(CASES),
        help="networks to train (default: all but those for time series, text and tables)",
    )
    parser.add_argument("--rounds", type=int, default=5, help="number of timed rounds (default: 5)")
    parser.add_argument("--epochs", type=int, default=1, help="number of epochs (default: 1)")
    parser.add_argument("--limit", type=int, help="use only this number of training images")
    parser.add_argument("--save", action="store_true", help="write the results to benchmarks.json")
    arguments = parser.parse_args(argv)

    X, y = kn.datasets.load_mnist(n_samples=arguments.limit, random_state=0, return_X_y=True)
    result = {"images": len(X), "epochs": arguments.epochs, "rounds": arguments.rounds, "cases": {}}
    for name in arguments.cases:
        case = {**CASES, **OTHER_CASES}[name]
        seconds = compare(*case, X, y, arguments.epochs, arguments.rounds)
        result["cases"][name] = {
            "batch_size": case[2],
            "seconds": {side: spread(times) for side, times in seconds.items()},
            "times_faster": ratios(seconds),
        }
    report("training", result, arguments.save)
    return 0


def compare(estimator, build, batch_size, as_input, X, y, epochs, rounds):
    """Train with kerasnet and Keras alternately; return the durations of each."""
    ours, theirs = as_input(X)
    model = build()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    sides = {
        "kerasnet": lambda: estimator(epochs=epochs, batch_size=batch_size, random_state=0).fit(ours, y),
        "keras": lambda: model.fit(theirs, y, batch_size=batch_size, epochs=epochs, verbose=0),
    }
    return take_turns(sides, rounds)


if __name__ == "__main__":
    sys.exit(main())
