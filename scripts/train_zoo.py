"""Train the models whose pretrained weights are part of the package, and write weights and records.

python scripts/train_zoo.py                             # all that are trained on MNIST
python scripts/train_zoo.py lenet lstm                  # some of them
python scripts/train_zoo.py lenet --dataset fashion_mnist --data PATH
python scripts/train_zoo.py resnet_small --validate     # train on 50,000 images, evaluate on 10,000; writes nothing
python scripts/train_zoo.py --measure                   # measure the existing weights again
"""

import argparse
import hashlib
import inspect
import io
import json
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up lines

import numpy as np
from _bench import hardware
from _command import listen_to_interruptions, run_command
from _measure import measure_model
from _recipes import PRETRAINED, RECIPES, SCHEDULE, SEED

import kerasnet as kn
from kerasnet._files import atomic_file
from kerasnet.models import _weights, registered_model
from kerasnet.report._circumstances import versions

N_VALIDATION = 10_000
MAX_LOSS_OF_FLOAT16 = 0.0005  # of the training accuracy or error
PREPROCESSING = {
    "image": "bytes divided by 255",
    "sequence": "bytes divided by 255; the rows are the steps",
    "vector": "bytes divided by 255; rows one after the other",
}
listen_to_interruptions()


def main(argv=None):
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "models", nargs="*", metavar="MODEL", help="default: all with pretrained weights for the data set"
    )
    parser.add_argument("--dataset", default="mnist", choices=sorted(PRETRAINED))
    parser.add_argument("--data", metavar="PATH", help="the files of Fashion-MNIST (default: download them)")
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--validate", action="store_true", help="evaluate on held-out training images; write nothing")
    mode.add_argument("--measure", action="store_true", help="measure existing weights again instead of training")
    arguments = parser.parse_args(argv)
    known = [name for name, dataset in RECIPES if dataset == arguments.dataset]
    if unknown := [name for name in arguments.models if name not in known]:
        parser.error(f"there are recipes for {', '.join(known)}, not for {', '.join(unknown)}")
    return run_command("train_zoo", run, arguments, "files written before are kept")


def run(arguments):
    """Train or measure one model after the other; return the exit status."""
    for name in arguments.models or PRETRAINED[arguments.dataset]:
        if arguments.measure:
            model = kn.create_model(name, weights=arguments.dataset)
            record = _weights.record_of(name, arguments.dataset)
        else:
            estimator, figures = train(name, arguments)
            if arguments.validate:
                print(json.dumps({"model": name, **figures}), flush=True)
                continue
            model = estimator.model_
            record = write_weights(name, arguments, estimator) | figures
        record = record | measure(name, arguments, model)
        write_record(name, arguments.dataset, record)
        print(f"{name}: {record['metric']} {record['value']:.5g}; {record['n_bytes']:,} bytes", flush=True)
    return 0


def train(name, arguments):
    """Train a model by its recipe; return the estimator, and the epochs, time and environment of the training."""
    X, y = load("train", name, arguments)
    if arguments.validate:
        X, y = X[:-N_VALIDATION], y[:-N_VALIDATION]
    settings = {**RECIPES[name, arguments.dataset], "learning_rate_schedule": SCHEDULE, "random_state": SEED}
    estimator = kn.Autoencoder(**settings) if is_autoencoder(name) else kn.KerasNetClassifier(name, **settings)
    started = time.perf_counter()
    estimator.fit(X, y)
    figures = {"epochs": estimator.n_iter_, "seconds": round(time.perf_counter() - started, 1)}
    if arguments.validate:
        X, y = (each[-N_VALIDATION:] for each in load("train", name, arguments))
        return estimator, figures | {"value": score(estimator, X, y)}
    return estimator, figures | {"seed": SEED, "hardware": hardware(), "versions": versions()}


def load(subset, name, arguments):
    """Return images in the form that the estimator takes, and labels."""
    images = load_dataset(subset, arguments)
    X, kind = images.data, registered_model(name).input_kind
    if kind == "vector":
        X = X.reshape(len(X), -1)
    return (X if kind == "image" else (X / 255).astype(np.float32)), images.target


def load_dataset(subset, arguments):
    """Return a part of the data set as a Bunch."""
    if arguments.dataset == "mnist":
        return kn.datasets.load_mnist(subset)
    return kn.datasets.load_fashion_mnist(subset, path=arguments.data)


def is_autoencoder(name):
    """Return whether a model is trained to reconstruct its input."""
    return "reconstruction" in registered_model(name).tasks


def score(estimator, X, y):
    """Return the accuracy, or the mean squared error of an autoencoder."""
    return -estimator.score(X) if isinstance(estimator, kn.Autoencoder) else estimator.score(X, y)


def write_weights(name, arguments, estimator):
    """Write the weights, as float16 if the accuracy stays the same, and return the record of the file."""
    model, recipe = estimator.model_, RECIPES[name, arguments.dataset]
    exact = {path: variable.numpy() for path, variable in _weights.named_weights(model).items()}
    X, y = (each[:N_VALIDATION] for each in load("train", name, arguments))
    expected = score(estimator, X, y)
    for dtype in (np.float16, np.float32):
        arrays = {path: values.astype(dtype) for path, values in exact.items()}
        for path, variable in _weights.named_weights(model).items():
            variable.assign(arrays[path].astype(np.float32))
        if abs(score(estimator, X, y) - expected) <= MAX_LOSS_OF_FLOAT16:
            break
    content = npz(arrays)
    with atomic_file(_weights.file_of(name, arguments.dataset)) as file:
        file.write(content)
    command = f"python scripts/train_zoo.py {name}"
    if arguments.dataset != "mnist":
        command += f" --dataset {arguments.dataset} --data PATH"
    accepted = inspect.signature(registered_model(name).builder).parameters
    input_shape = list(estimator.input_shape_)
    return {
        "arguments": {"input_shape": input_shape, **{key: recipe[key] for key in recipe if key in accepted}},
        "input_shape": input_shape,
        "value_range": "floats in [0, 1]",
        "preprocessing": PREPROCESSING[registered_model(name).input_kind],
        "n_parameters": model.count_params(),
        "sha256": hashlib.sha256(content).hexdigest(),
        "dtype": np.dtype(dtype).name,
        "n_bytes": len(content),
        "dataset": arguments.dataset,
        "trained_on": "all 60,000 training images",
        "tested_on": "all 10,000 test images",
        "recipe": command,
    }


def measure(name, arguments, model):
    """Measure a model on the test images."""
    test = load_dataset("test", arguments)
    X = (test.data / np.float32(255)).reshape(-1, *model.input_shape[1:])
    return measure_model(model, X, None if is_autoencoder(name) else test.target, test.target_names)


def npz(arrays):
    """Return arrays as a compressed npz file, with the same bytes for the same arrays."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def write_record(name, dataset, record):
    """Write the record of a set of weights, next to those of all others, and count the parameters of all models."""
    path = _weights.FOLDER / "records.json"
    known = json.loads(path.read_text())
    records = {}
    for each in kn.list_models():
        sets = known.get(each, {}).get("weights", {}) | ({dataset: record} if each == name else {})
        records[each] = {"n_parameters": kn.create_model(each).count_params(), "weights": dict(sorted(sets.items()))}
    with atomic_file(path) as file:
        file.write((json.dumps(records, indent=1) + "\n").encode())


if __name__ == "__main__":
    sys.exit(main())
