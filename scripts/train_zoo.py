"""Train the networks whose weights ship in the package, measure them on the test images, and write weights and records.

python scripts/train_zoo.py                             # all of them
python scripts/train_zoo.py lenet lstm                  # some
python scripts/train_zoo.py resnet_small --validate     # on 50,000 images, measured on the other 10,000; writes nothing
python scripts/train_zoo.py lenet --dataset fashion_mnist --data PATH
"""

import argparse
import hashlib
import inspect
import io
import json
import os
import platform
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up lines

import numpy as np
from _command import listen_to_interruptions, run_command
from _recipes import RECIPES, SCHEDULE, SEED, SHIPPED
from _run import versions

import kerasnet as kn
from kerasnet._files import atomic_file
from kerasnet.models import _weights, registered_model

LICENCES = {"mnist": "CC BY-SA 3.0", "fashion_mnist": "MIT"}
N_VALIDATION = 10_000
N_GOLDEN = 3
MOST_LOST = 0.0005  # of the training figure, by numbers of 16 bits
listen_to_interruptions()


def main(argv=None):
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"default: {', '.join(SHIPPED)}")
    parser.add_argument("--dataset", default="mnist", choices=sorted(LICENCES))
    parser.add_argument("--data", metavar="PATH", help="where Fashion-MNIST is")
    parser.add_argument("--validate", action="store_true", help="measure on training images kept back; write nothing")
    arguments = parser.parse_args(argv)
    if unknown := [name for name in arguments.models if name not in RECIPES]:
        parser.error(f"there are recipes for {', '.join(RECIPES)}, not for {', '.join(unknown)}")
    return run_command("train_zoo", run, arguments, "what was written before is kept")


def run(arguments):
    """Train one network after the other; return the exit status."""
    for name in arguments.models or SHIPPED:
        estimator, figures = train(name, arguments)
        if arguments.validate:
            print(json.dumps({"model": name, **figures}), flush=True)
            continue
        about = write(name, arguments, estimator, figures)
        print(f"{name}: {about['metric']} {about['value']:.5g} in {about['seconds']:.0f} s; {about['n_bytes']:,} bytes")
        sys.stdout.flush()
    return 0


def train(name, arguments):
    """Train a network by its recipe; return it and what is known of the training."""
    X, y = load("train", name, arguments)
    if arguments.validate:
        X, y = X[:-N_VALIDATION], y[:-N_VALIDATION]
    settings = {**RECIPES[name], "learning_rate_schedule": SCHEDULE, "random_state": SEED}
    estimator = kn.Autoencoder(**settings) if is_autoencoder(name) else kn.KerasNetClassifier(name, **settings)
    started = time.perf_counter()
    estimator.fit(X, y)
    figures = {"epochs": estimator.n_iter_, "seconds": round(time.perf_counter() - started, 1)}
    if arguments.validate:
        X, y = (each[-N_VALIDATION:] for each in load("train", name, arguments))
        figures["value"] = measure(estimator, X, y)
    return estimator, figures


def load(subset, name, arguments):
    """Return images in the form that the model takes them, and labels."""
    if arguments.dataset == "mnist":
        X, y = kn.datasets.load_mnist(subset, return_X_y=True)
    else:
        X, y = kn.datasets.load_fashion_mnist(subset, return_X_y=True, path=arguments.data)
    kind = registered_model(name).input_kind
    if kind == "vector":
        X = X.reshape(len(X), -1)
    return (X if kind == "image" else (X / 255).astype(np.float32)), y


def is_autoencoder(name):
    """Tell whether a model is trained to reproduce its input."""
    return "reconstruction" in registered_model(name).tasks


def measure(estimator, X, y):
    """Return the accuracy, or the mean squared error of an autoencoder."""
    return -estimator.score(X) if isinstance(estimator, kn.Autoencoder) else estimator.score(X, y)


def write(name, arguments, estimator, figures):
    """Write the weights and their record, measured as they are in the file; return the record."""
    model = estimator.model_
    exact = {place: variable.numpy() for place, variable in _weights.named_weights(model).items()}
    X_train, y_train = (each[:N_VALIDATION] for each in load("train", name, arguments))
    figure = measure(estimator, X_train, y_train)
    for dtype in (np.float16, np.float32):
        kept = {place: values.astype(dtype) for place, values in exact.items()}
        for place, variable in _weights.named_weights(model).items():
            variable.assign(kept[place].astype(np.float32))
        if abs(measure(estimator, X_train, y_train) - figure) <= MOST_LOST:
            break
    X, y = load("test", name, arguments)
    content = npz(kept)
    path = _weights.file_of(name, arguments.dataset)
    with atomic_file(path) as file:
        file.write(content)
    recipe = f"python scripts/train_zoo.py {name}"
    if arguments.dataset != "mnist":
        recipe += f" --dataset {arguments.dataset} --data PATH"
    accepted = inspect.signature(registered_model(name).builder).parameters
    outputs = estimator.reconstruct(X[:N_GOLDEN]) if is_autoencoder(name) else estimator.predict_proba(X[:N_GOLDEN])
    about = {
        "arguments": {
            "input_shape": estimator.input_shape_,
            **{key: value for key, value in RECIPES[name].items() if key in accepted},
        },
        "input_shape": estimator.input_shape_,
        "value_range": "floats in [0, 1]",
        "preprocessing": "bytes divided by 255"
        + {"image": "", "sequence": "; the rows are the steps", "vector": "; rows one after the other"}[
            registered_model(name).input_kind
        ],
        "n_parameters": model.count_params(),
        "sha256": hashlib.sha256(content).hexdigest(),
        "dtype": np.dtype(dtype).name,
        "n_bytes": len(content),
        "dataset": arguments.dataset,
        "trained_on": "all 60,000 training images",
        "tested_on": "all 10,000 test images",
        "metric": "mean squared error" if is_autoencoder(name) else "accuracy",
        "value": measure(estimator, X, y),
        "seed": SEED,
        **figures,
        "recipe": recipe,
        "hardware": f"{os.cpu_count()} CPU cores, {platform.machine()}",
        "versions": versions(),
        "licence": f"Apache-2.0; trained on data under {LICENCES[arguments.dataset]}",
        "golden": [each.reshape(-1)[:: -(-each.size // 10)].astype(float).round(5).tolist() for each in outputs],
    }
    write_record(name, arguments.dataset, about)
    return about


def npz(arrays):
    """Return arrays as an npz, compressed, and equal bytes for equal arrays."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def write_record(name, dataset, about):
    """Add the record to those of all models, whose numbers of parameters are counted anew."""
    path = _weights.FOLDER / "records.json"
    known = json.loads(path.read_text())
    records = {}
    for each in kn.list_models():
        sets = known.get(each, {}).get("weights", {}) | ({dataset: about} if each == name else {})
        records[each] = {"n_parameters": kn.create_model(each).count_params(), "weights": dict(sorted(sets.items()))}
    with atomic_file(path) as file:
        file.write((json.dumps(records, indent=1) + "\n").encode())


if __name__ == "__main__":
    sys.exit(main())
