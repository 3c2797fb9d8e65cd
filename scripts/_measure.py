"""Measure pretrained weights on the test images, for the model cards."""

import math
import time

import numpy as np
from _bench import hardware

from kerasnet.report import _statistics

N_CALLS = 200
N_CONFUSED = 5
N_GOLDEN = 3


def measure_model(model, X, y=None, class_names=None):
    """Return the test figures of a classifier or, without `y`, of an autoencoder."""
    outputs = model.predict(X, batch_size=500, verbose=0)
    if y is None:
        quality = {"metric": "mean squared error", "value": float(np.mean(np.square(outputs - X, dtype=float)))}
        quality |= {"confused": [], "calibration_error": None}
    else:
        predicted = outputs.argmax(axis=1)
        quality = {"metric": "accuracy", "value": float(np.mean(predicted == y))}
        quality["confused"] = most_confused(y, predicted, class_names)
        quality["calibration_error"] = round(expected_calibration_error(y, outputs), 5)
    return quality | {
        "latency_ms": round(latency(model, X[:1]) * 1000, 2),
        "memory_bytes": memory(model),
        "measured_on": hardware(),
        "golden": [
            each.reshape(-1)[:: -(-each.size // 10)].astype(float).round(5).tolist() for each in outputs[:N_GOLDEN]
        ],
    }


def most_confused(y, predicted, class_names, n_pairs=N_CONFUSED):
    """Return the most frequent errors as [true class, predicted class, number of samples], most frequent first."""
    wrong = y != predicted
    pairs, counts = np.unique(np.column_stack([y, predicted])[wrong], axis=0, return_counts=True)
    most = np.argsort(-counts, kind="stable")[:n_pairs]
    return [[*(str(class_names[each]) for each in pairs[place]), int(counts[place])] for place in most]


def expected_calibration_error(y, probabilities):
    """Return the mean gap between confidence and accuracy over bins of equal width, weighted by their samples.

    The confidence is the largest probability, and bins are open on the left: (0, 1/15], (1/15, 2/15], and so on.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On calibration of modern neural networks", ICML, 1321-1330, 2017.
    """
    confidence = probabilities.max(axis=1).astype(float)
    return _statistics.expected_calibration_error(confidence, probabilities.argmax(axis=1) == y)


def latency(model, sample):
    """Return the median time of a prediction of one sample, in seconds."""
    seconds = []
    for _ in range(N_CALLS + 1):
        started = time.perf_counter()
        model.predict_on_batch(sample)
        seconds.append(time.perf_counter() - started)
    return float(np.median(seconds[1:]))  # the first call traces the graph


def memory(model):
    """Return the size of the weights and of all layers' outputs for one sample, as float32, in bytes."""
    activations = sum(math.prod(layer.output.shape[1:]) for layer in model.layers)
    return 4 * (model.count_params() + activations)
