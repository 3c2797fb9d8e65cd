"""Command-line arguments of train_mnist.py."""

import argparse
from datetime import datetime
from pathlib import Path

from _command import assignment, fraction, integer, json_object, positive_float
from _recipes import SCHEDULE
from _run import FEATURES

import kerasnet as kn
from kerasnet.models import registered_model

IDX_DATASETS = [
    "kmnist",
    "emnist",
    *(f"emnist-{split}" for split in ("balanced", "byclass", "bymerge", "digits", "letters", "mnist")),
]
DEFAULT_GRID = {"epochs": [10, 20, 30], "batch_size": [32, 64, 128], "learning_rate": [0.001, 0.01, 0.1]}
OPTION_OF = {  # parameters that --set must not set
    "early_stopping": "--early-stopping",
    "memory": "--memory",
    "model": "--model",
    "random_state": "--seed",
    "validation_fraction": "--validation-fraction",
}


def parse(argv, description):
    """Parse the command-line arguments."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--model",
        choices=sorted({*kn.list_models(task="classification")} - {*kn.list_models(input_kind="tokens")}),
        help="registered model (default: cnn for pixels, mlp for features)",
    )
    parser.add_argument(
        "--features",
        default="pixels",
        choices=FEATURES,
        help="input of the network: pixels, or vectors of HOG or SIFT features (default: pixels)",
    )
    parser.add_argument(
        "--dataset",
        choices=["mnist", "fashion_mnist", "digits", *IDX_DATASETS],
        help="data set. fashion_mnist is downloaded once or read from --data; digits has 1,797 images of 8 x 8 pixels; "
        "kmnist and emnist require --data (default: mnist, or the data set found in --data)",
    )
    parser.add_argument("--data", metavar="PATH", help="folder of IDX files, or npz file of Fashion-MNIST")
    parser.add_argument(
        "--epochs", type=integer(1), metavar="N", help="number of epochs (default: depends on the model)"
    )
    parser.add_argument(
        "--batch-size", type=integer(1), metavar="N", help="images per batch (default: depends on the model)"
    )
    parser.add_argument(
        "--learning-rate",
        type=positive_float,
        metavar="X",
        help="maximum learning rate (default: depends on the model)",
    )
    parser.add_argument(
        "--learning-rate-schedule",
        default=SCHEDULE,
        choices=["constant", "cosine", "one_cycle"],
        help=f"learning rate schedule (default: {SCHEDULE})",
    )
    parser.add_argument("--optimizer", default="adam", metavar="NAME", help="name of a Keras optimizer (default: adam)")
    parser.add_argument(
        "--set",
        type=assignment,
        action="append",
        default=[],
        metavar="NAME=JSON",
        help="set a parameter of the model or the training, such as dropout=0.3 or 'filters=[32, 64]'; can be "
        "repeated. With --features, names that start with features__ are parameters of the features",
    )
    parser.add_argument(
        "--validation-fraction",
        type=fraction,
        default=0.05,
        metavar="X",
        help="fraction of the training images that is held out to compute the validation curve; 0 trains on all "
        "(default: 0.05). Searches use it for early stopping only",
    )
    parser.add_argument(
        "--early-stopping",
        action="store_true",
        help="stop when the validation loss does not improve for 10 epochs, or --set n_iter_no_change=N, and restore "
        "the best epoch",
    )
    parser.add_argument("--limit", type=integer(1), metavar="N", help="use only N training images")
    parser.add_argument(
        "--grid-search", action="store_true", help="grid search over epochs, batch size and learning rate"
    )
    parser.add_argument(
        "--grid", type=json_object, metavar="JSON", help="grid search over this parameter grid, a JSON object of lists"
    )
    parser.add_argument(
        "--cv", type=integer(2), default=5, metavar="K", help="number of cross-validation folds (default: 5)"
    )
    parser.add_argument(
        "--n-jobs",
        type=integer(1, -1),
        default=1,
        metavar="N",
        help="number of processes for the search; -1 uses all CPUs (default: 1)",
    )
    parser.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="address of a Dask scheduler to run the search, such as tcp://127.0.0.1:8786",
    )
    parser.add_argument(
        "--memory",
        type=Path,
        metavar="DIR",
        help="folder for checkpoints. Trainings with the same data and parameters are restored from it (default: the "
        "user's cache folder, used by searches and --resume)",
    )
    parser.add_argument("--resume", action="store_true", help="resume an interrupted run with the same options")
    parser.add_argument("--seed", type=integer(0), default=0, metavar="N", help="random seed (default: 0)")
    parser.add_argument("--output", type=Path, metavar="DIR", help="output folder (default: runs/DATA-MODEL-TIME)")
    parser.add_argument(
        "--target-accuracy", type=fraction, metavar="X", help="exit with status 1 if the test accuracy is lower"
    )
    arguments = parser.parse_args(argv)
    if arguments.data is not None and arguments.dataset == "digits":
        parser.error("--data is not supported with --dataset digits")
    if arguments.data is None and arguments.dataset in IDX_DATASETS:
        parser.error(f"--dataset {arguments.dataset} requires the folder of its IDX files as --data")
    arguments.dataset = arguments.dataset or ("mnist" if arguments.data is None else "idx")
    if arguments.model is None:
        arguments.model = "cnn" if arguments.features == "pixels" else "mlp"
    input_kind = registered_model(arguments.model).input_kind
    if arguments.features != "pixels" and input_kind != "vector":
        parser.error(
            f"--features {arguments.features} returns vectors, but --model {arguments.model} expects {input_kind}s; "
            "use --model mlp"
        )
    if arguments.output is None:
        started = datetime.now().strftime("%Y%m%d-%H%M%S")
        features = "" if arguments.features == "pixels" else f"{arguments.features}-"
        arguments.output = Path("runs") / f"{arguments.dataset}-{features}{arguments.model}-{started}"
    for name, _ in arguments.set:
        if name in OPTION_OF:
            parser.error(f"--set {name} is not supported; use {OPTION_OF[name]}")
        if getattr(arguments, name, None) is not None and name in ("epochs", "batch_size", "learning_rate"):
            parser.error(f"--set {name} and --{name.replace('_', '-')} set the same parameter; use one of them")
    if arguments.early_stopping and not 0 < arguments.validation_fraction < 1:
        parser.error("--early-stopping requires a --validation-fraction between 0 and 1")
    if arguments.validation_fraction == 1:
        parser.error("--validation-fraction must be below 1: no training images would be left")
    if arguments.grid_search and arguments.grid is None:
        arguments.grid = DEFAULT_GRID
    if arguments.scheduler is not None and arguments.grid is None:
        parser.error("--scheduler requires --grid-search or --grid")
    return arguments
