"""Hostile files, and a process that opens them one after another and watches what happens.

``python _hostile.py FOLDER`` makes each file in FOLDER, opens it, and writes FOLDER/results.json.
"""

import copy
import gzip
import hashlib
import io
import json
import os
import pickle
import random
import struct
import sys
import threading
import warnings
import zipfile
import zlib
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import cv2
import h5py
import joblib
import keras
import numpy as np
from _crafted import Crafted, npz_of, zip_of
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import kerasnet as kn

FOLDER = Path(sys.argv[1]) if __name__ == "__main__" else Path("/nonexistent")
EXECUTED, SECRET = FOLDER / "executed", FOLDER / "secret" / "key.txt"
X, Y = np.random.default_rng(0).random((40, 4), dtype=np.float32), np.arange(40) % 2
UNSAFE, CORRUPT, FORMAT = "UnsafeFileError", "CorruptFileError", "DataFormatError"
MISMATCH, UNKNOWN = "CheckpointMismatchError", "UnknownModelError"
FILES = {}  # name -> (how it is made at a path, the error, a part of its message, how it is opened)


class Payload:
    """Runs a command when it is unpickled."""

    def __reduce__(self):
        return os.system, (f"touch {EXECUTED}",)


def hostile(name, error, message, load=None):
    """Register what makes a file at a path."""

    def register(make):
        assert name not in FILES, name
        FILES[name] = (make, error, message, load or kn.load)
        return make

    return register


def crafted(name, error, message, base="network", load=None):
    """Register what changes a good archive; its sums are made to agree."""

    def register(change):
        @hostile(name, error, message, load)
        def make(path):
            archive = Crafted(FOLDER / "good" / f"{base}.kerasnet")
            change(archive)
            archive.write(path)

        return change

    return register


def members_of(base="network"):
    with zipfile.ZipFile(FOLDER / "good" / f"{base}.kerasnet") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


# The zip archive


def with_member(name, member, error, found, content=b"print('hello')"):
    @hostile(name, error, found)
    def make(path):
        contents = members_of()
        path.write_bytes(zip_of({**contents, member: content}))


with_member("a member outside", "../executed", UNSAFE, "found the member '../executed'")
with_member("a member at the root", "/tmp/executed", UNSAFE, "found the member '/tmp/executed'")
with_member("a member with backslashes", "..\\executed", UNSAFE, "found the member")
with_member("a member more", "setup.py", UNSAFE, "found the member 'setup.py'")
with_member("a folder", "state.json/", UNSAFE, "found the member 'state.json/'")
with_member("a member that the manifest has not", "optimizer.npz", CORRUPT, "expected the members")


@hostile("a member twice", UNSAFE, "found a name twice")
def _(path):
    path.write_bytes(zip_of(members_of()))
    with warnings.catch_warnings(), zipfile.ZipFile(path, "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("weights.npz", b"another")


@hostile("packed members", UNSAFE, "packed or encrypted")
def _(path):
    path.write_bytes(zip_of(members_of(), zipfile.ZIP_DEFLATED))


@hostile("a link", UNSAFE, "weights.npz as something else than a file")
def _(path):
    contents = members_of()
    contents.pop("weights.npz")
    path.write_bytes(zip_of(contents))
    link = zipfile.ZipInfo("weights.npz")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, str(SECRET))


@hostile("encrypted members", UNSAFE, "packed or encrypted")
def _(path):
    content = bytearray(zip_of(members_of()))
    content[content.rindex(b"PK\1\2") + 8] |= 1  # in the last entry of the directory
    path.write_bytes(content)


@hostile("200,000 members", UNSAFE, "at most 20000 members")
def _(path):
    size = 46 * 65_535
    path.write_bytes(b"PK\3\4" + bytes(size) + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65_535, 65_535, size, 4, 0))


@hostile("a directory elsewhere", CORRUPT, "something else at its end")
def _(path):
    content = zip_of(members_of())
    path.write_bytes(content[:-22] + struct.pack("<4sLQL", b"PK\6\7", 0, 10, 1) + content[-22:])


@hostile("something before it", FORMAT, "expected a .kerasnet archive")
def _(path):
    path.write_bytes(b"#!/bin/sh\ntouch executed\n" + zip_of(members_of()))


@hostile("something behind it", CORRUPT, "something else at its end")
def _(path):
    path.write_bytes(zip_of(members_of()) + b"more")


@hostile("half of it", CORRUPT, "something else at its end")
def _(path):
    content = zip_of(members_of())
    path.write_bytes(content[: len(content) // 2])


@hostile("a bomb of zeros", UNSAFE, "packed or encrypted")
def _(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("manifest.json", "state.json", "weights.npz"):
            with archive.open(name, "w", force_zip64=True) as file:
                for _ in range(100):
                    file.write(bytes(2**20))


@hostile("4 GB of nothing", UNSAFE, "larger than 1073741824 bytes")
def _(path):
    with open(path, "wb") as file:
        file.truncate(2**32)


@hostile("an endless device", UNSAFE, "expected a file, found a device")
def _(path):
    path.symlink_to("/dev/zero")


@hostile("a pipe without an end", UNSAFE, "expected a file, found a device")
def _(path):
    os.mkfifo(path)


@hostile("an empty file", FORMAT, "expected a .kerasnet archive")
def _(path):
    path.write_bytes(b"")


@hostile("another size", CORRUPT, "weights.npz: expected 7 bytes")
def _(path):
    archive = Crafted(FOLDER / "good" / "network.kerasnet")
    archive.manifest["members"]["weights.npz"]["size"] = 7
    archive.write(path, with_sums=False)


@hostile("another hash", CORRUPT, "weights.npz: expected sha256")
def _(path):
    archive = Crafted(FOLDER / "good" / "network.kerasnet")
    archive.arrays = {name: array + 1 for name, array in archive.arrays.items()}
    archive.manifest["members"]["weights.npz"]["size"] = len(archive.members["weights.npz"])
    archive.write(path, with_sums=False)


# JSON


def with_text(name, member, content, error, message):
    @hostile(name, error, message)
    def make(path):
        contents = members_of()
        manifest = json.loads(contents["manifest.json"])
        if member != "manifest.json":
            manifest["members"][member] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            contents["manifest.json"] = json.dumps(manifest).encode()
        path.write_bytes(zip_of({**contents, member: content}))


with_text("deep JSON", "manifest.json", b"[" * 100_000 + b"]" * 100_000, UNSAFE, "nested at most 100 deep")
with_text("deeper JSON than is read", "state.json", b"[" * 200 + b"]" * 200, UNSAFE, "nested at most 100 deep")
with_text("long JSON", "manifest.json", b"[" + b" " * 2**22 + b"]", UNSAFE, "more than max_json_bytes=4194304")
with_text("wide JSON", "state.json", b"[" + b"{}," * 200_000 + b"{}]", CORRUPT, "expected 1 networks in state.json")
with_text("a wide manifest", "manifest.json", b'{"a":[' + b"[]," * 200_000 + b"[]]}", CORRUPT, "a format of 1 or more")
with_text("JSON of brackets", "manifest.json", b"[" + b"[[[[]]]]," * 100_000 + b"[]]", UNSAFE, "at most 300000 lists")
with_text("no JSON", "manifest.json", b"import os", CORRUPT, "expected JSON in UTF-8")
with_text("an endless number", "manifest.json", b"1" * 1_000_000, CORRUPT, "expected JSON in UTF-8")
with_text("a manifest of nothing", "manifest.json", b"null", CORRUPT, "expected a format of 1 or more, found None")


@crafted("a newer format", FORMAT, "it is of format 99, and this version of kerasnet reads formats up to 1")
def _(archive):
    archive.manifest["format"] = 99


@crafted("a format in words", CORRUPT, "expected a format of 1 or more, found '1'")
def _(archive):
    archive.manifest["format"] = "1"


@crafted("a network too few", CORRUPT, "expected 1 networks in state.json, found 0")
def _(archive):
    archive.state.clear()


# What is said of networks


@crafted("an unknown architecture", UNKNOWN, "No model 'cnnn' is registered. Did you mean: cnn")
def _(archive):
    archive.network["model"]["name"] = "cnnn"


@crafted("a builder that nobody gave", UNKNOWN, "Its model comes from the function 'system'")
def _(archive):
    archive.network["model"] = {"name": "system", "given_as": "function", "own": True}


@crafted("a class from elsewhere", UNSAFE, "expected a class among .*, found 'os.system'")
def _(archive):
    archive.network["class"] = "os.system"


def with_argument(name, argument, value, error, message):
    @crafted(name, error, message)
    def change(archive):
        archive.network["fit"]["arguments"][argument] = value


LAMBDA = [["class_name", "Lambda"], ["module", "keras.layers"], ["config", {"dict": []}]]
SET_FLOATX = [
    ["class_name", "function"],
    ["module", "builtins"],
    ["config", "set_floatx"],
    ["registered_name", "function"],
]
with_argument("a thousand million units", "dense_units", {"tuple": [10**9]}, UNSAFE, "would make the model larger than")
with_argument("units beyond 64 bits", "dense_units", {"tuple": [10**30]}, CORRUPT, "an int of many digits")
with_argument(
    "a million layers", "dense_units", {"tuple": [1] * 1_000_000}, UNSAFE, "layers that its arguments ask for"
)
with_argument(
    "layers within layers",
    "dense_units",
    {"tuple": [{"tuple": [8] * 500}]},
    MISMATCH,
    "dense_units must be a positive int",
)
with_argument("a number for a tuple of units", "dense_units", 10**9, UNSAFE, "would make the model larger than")
with_argument("negative units", "dense_units", {"tuple": [-8]}, MISMATCH, "dense_units must be a positive int")
with_argument("units with a point", "dense_units", {"tuple": [1e9]}, MISMATCH, "dense_units must be a positive int")
with_argument("a function for an activation", "activation", "os.system", MISMATCH, "cannot be built")
with_argument("a Keras object for an activation", "activation", {"dict": LAMBDA}, UNSAFE, "a configuration of a Keras")
with_argument("set_floatx for an activation", "activation", {"dict": SET_FLOATX}, UNSAFE, "a configuration of a Keras")
with_argument("a name of a million letters", "name", "x" * 3_000_000, UNSAFE, "texts of at most 1000 characters")
with_argument("samples of another shape", "input_shape", {"tuple": [10**9]}, CORRUPT, "samples of shape")


def with_model(name, model, arguments, error, message):
    @crafted(name, error, message)
    def change(archive):
        shape = {"tuple": arguments.pop("input_shape")}
        archive.network["model"]["name"] = archive.network["fit"]["model"]["name"] = model
        archive.network["parameters"] = archive.network["fit"]["parameters"] = {}
        archive.network["fit"]["arguments"] = {"input_shape": shape, "n_outputs": 2, **arguments}
        archive.state[0]["input_shape_"] = shape


FEW = "layers that its arguments ask for, found only"
with_model("a million blocks", "attention", {"input_shape": [2, 2], "n_blocks": 10**6}, UNSAFE, FEW)
with_model("a depth of six million", "resnet_small", {"input_shape": [8, 8, 1], "depth": 6 * 10**6 + 2}, UNSAFE, FEW)
MANY = {"tuple": [1] * 100_000}
with_model("100,000 convolutions", "cnn", {"input_shape": [8, 8, 1], "kernel_size": 1, "filters": MANY}, UNSAFE, FEW)
with_model("100,000 convolutions over time", "conv1d", {"input_shape": [8, 2], "filters": MANY}, UNSAFE, FEW)
with_model("100,000 recurrent layers", "gru", {"input_shape": [8, 2], "units": MANY}, UNSAFE, FEW)
with_model(
    "fewer blocks than none", "attention", {"input_shape": [2, 2], "n_blocks": -(10**6)}, MISMATCH, "n_blocks must"
)
with_model("blocks with a point", "attention", {"input_shape": [2, 2], "n_blocks": 1e300}, MISMATCH, "n_blocks must")
with_model("blocks of text", "attention", {"input_shape": [2, 2], "n_blocks": "9" * 900}, MISMATCH, "n_blocks must")
with_model(
    "a list of blocks",
    "attention",
    {"input_shape": [2, 2], "n_blocks": {"list": [1] * 300_000}},
    MISMATCH,
    "n_blocks must",
)
with_model(
    "an array of blocks",
    "attention",
    {"input_shape": [2, 2], "n_blocks": {"array": ["<i8", [2], [1, 10**6]]}},
    MISMATCH,
    "n_blocks must",
)
with_model(
    "an unknown backbone", "backbone", {"input_shape": [32, 32, 3], "backbone": "resnet_50"}, MISMATCH, "Did you mean"
)
# the file that the archive names is not read: the message would say that it is no file of weights
with_model(
    "weights from a file",
    "backbone",
    {"input_shape": [32, 32, 3], "weights": str(SECRET), "layer": "Conv1"},
    MISMATCH,
    "expected the arrays of the model",
)
with_model(
    "weights from the network",
    "backbone",
    {"input_shape": [32, 32, 3], "weights": "imagenet", "layer": "Conv1"},
    MISMATCH,
    "expected the arrays of the model",
)
with_model(
    "weights for a model that takes none", "cnn", {"input_shape": [8, 8, 1], "weights": "mnist"}, MISMATCH, "'weights'"
)
with_model(
    "a backbone of 25 million", "backbone", {"input_shape": [32, 32, 3], "backbone": "resnet50"}, UNSAFE, "larger"
)
with_argument("an unknown argument", "evil", 1, MISMATCH, "unexpected keyword argument 'evil'")


@crafted("samples of texts", CORRUPT, "samples of shape")
def _(archive):
    archive.network["fit"]["arguments"]["input_shape"] = {"tuple": [300_000_000, "abcd"]}
    archive.state[0]["input_shape_"] = {"tuple": [300_000_000, "abcd"]}


@crafted("fifty million thresholds", UNSAFE, "expected numbers up to 1000000 for losses and metrics")
def _(archive):
    fit = archive.network["fit"]
    parameters = {"metrics": {"list": [{"keras": ["metrics", "AUC"]}]}, "metrics__0__num_thresholds": 50_000_000}
    fit["parameters"].update(parameters)
    fit["offered"] = ["compile_kwargs"]


def with_seed(name, seed):
    @crafted(name, CORRUPT, "the seed")
    def change(archive):
        archive.network["fit"]["seed"] = seed


with_seed("a negative seed", -1)
with_seed("a seed beyond NumPy's", 2**40)


@crafted("samples without an end", UNSAFE, r"samples of shape \(1000000000000,\) have more than max_parameters")
def _(archive):
    archive.network["fit"]["arguments"]["input_shape"] = archive.state[0]["input_shape_"] = {"tuple": [10**12]}


def with_parameter(name, parameter, value, error, message):
    @crafted(name, error, message)
    def change(archive):
        archive.network["parameters"][parameter] = value
        archive.network["fit"]["parameters"][parameter] = value


with_parameter("an optimizer from a configuration", "optimizer", {"dict": LAMBDA}, UNSAFE, "a configuration of a Keras")
with_parameter("a loss from a configuration", "loss", {"list": [{"dict": SET_FLOATX}]}, UNSAFE, "a configuration of a")
with_parameter(
    "a configuration among objects",
    "metrics",
    {"list": [{"objects": [{"dict": LAMBDA}]}]},
    UNSAFE,
    "a configuration of",
)
with_parameter("a loss that is a module's function", "loss", {"keras": ["losses", "deserialize"]}, CORRUPT, "the kind")
with_parameter("a loss from another module", "loss", {"keras": ["os", "system"]}, CORRUPT, "KeyError")
with_parameter("a loss that is a module", "loss", {"keras": ["optimizers", "schedules"]}, CORRUPT, "the kind 'keras'")
with_parameter("a thousand metrics", "metrics", {"list": ["mse"] * 1000}, UNSAFE, "expected at most 100 metrics")
with_parameter("an optimizer from elsewhere", "optimizer", "os.system", MISMATCH, "cannot be built")
with_parameter("a folder for states", "memory", "/tmp/states", UNSAFE, "expected neither memory nor callbacks")
with_parameter("callbacks", "callbacks", {"list": ["os.system"]}, UNSAFE, "expected neither memory nor callbacks")
with_parameter("an unknown parameter", "evil", 1, CORRUPT, "has no parameter 'evil'")
with_parameter("a kind of value that there is not", "epochs", {"eval": ["1"]}, CORRUPT, "not enough values|the kind")
with_parameter("a set of lists", "epochs", {"set": [{"list": []}]}, CORRUPT, "unhashable")


def with_state(name, attribute, value, error, message):
    @crafted(name, error, message)
    def change(archive):
        archive.state[0][attribute] = value


with_state("a method of the file's own", "predict", "evil", CORRUPT, "the attribute 'predict'")
with_state("a class of the file's own", "__class__", "evil", CORRUPT, "the attribute '__class__'")
with_state("an attribute that hides", "_new_model", "evil", CORRUPT, "the attribute '_new_model'")
with_state("objects for classes", "classes_", {"array": ["|O", [2], [0, 1]]}, CORRUPT, "the dtype '.O'")
with_state(
    "texts without an end", "classes_", {"array": ["<U100000000", [2], ["a", "b"]]}, CORRUPT, "the dtype '<U100000000'"
)
with_state("a shape of texts", "classes_", {"array": ["<f4", [300_000_000, "abcd"], []]}, CORRUPT, "the shape")
with_state(
    "wide texts", "classes_", {"list": [{"array": ["<U99999", [1], ["a"]]}] * 3000}, CORRUPT, "for shorter texts"
)
with_state(
    "numbers of the same hash", "extra_", {"set": [k * (2**61 - 1) for k in range(60_000)]}, CORRUPT, "an int of many"
)
with_state("a dtype without an end", "classes_", {"array": ["i4," * 10**5, [1], [0]]}, CORRUPT, "the dtype")
with_state("lists for texts", "classes_", {"array": ["<U100000", [1], [["a"] * 1500]]}, CORRUPT, "1 values for <U")
with_state("texts of no size", "classes_", {"array": ["<U0", [2], ["a", "b" * 60_000]]}, CORRUPT, "the dtype '<U0'")
with_state("longer texts than said", "classes_", {"array": ["<U1", [2], ["a", "b" * 60_000]]}, CORRUPT, "2 values for")
with_state("a model of the file's own", "model_", "evil", CORRUPT, "the attribute 'model_'")
with_state("an encoder of the file's own", "target_encoder_", "evil", CORRUPT, "the attribute 'target_encoder_'")
with_state("classes of another dtype", "classes_", {"array": ["|u1", [2], [0, 300]]}, CORRUPT, "expected what kn.save")
with_state("an array of another shape", "classes_", {"array": ["<i8", [10**9], [0, 1]]}, CORRUPT, "2 values for int64")
with_state("one class too many", "classes_", {"array": ["<i8", [3], [0, 1, 2]]}, MISMATCH, "must have 3 outputs")


@crafted("without a history", CORRUPT, "history_")
def _(archive):
    del archive.state[0]["history_"]


@crafted("flags for more layers", CORRUPT, "expected a flag for each layer")
def _(archive):
    archive.network["fit"]["trainable"] *= 2


@crafted("a detector made of itself", CORRUPT, "expected a network after this one, found 0", base="detector")
def _(archive):
    archive.state[0]["autoencoder_"]["network"] = 0


# Weights


def with_arrays(name, change, error, message):
    @crafted(name, error, message)
    def apply(archive):
        arrays = archive.arrays
        change(arrays, next(iter(arrays)))
        archive.arrays = arrays


def replace(make):
    return lambda arrays, name: arrays.update({name: make(arrays[name])})


with_arrays(
    "weights of another shape", replace(np.transpose), MISMATCH, r"expected float32\[4, 8\], found float32\[8, 4"
)
with_arrays(
    "weights of another dtype", replace(lambda a: a.astype(int)), MISMATCH, r"expected float32\[4, 8\], found int"
)
with_arrays(
    "a weight too few", lambda arrays, name: arrays.pop(name), MISMATCH, "did not find .'0/0/mlp/dense_1/kernel'"
)
with_arrays("a weight too many", lambda arrays, name: arrays.update(x=np.ones(2)), MISMATCH, "no others, found .'x'")
with_arrays("NaN", replace(lambda array: array * np.nan), CORRUPT, "expected finite numbers, found NaN or infinity")
with_arrays("infinity", replace(lambda array: array / 0), CORRUPT, "expected finite numbers, found NaN or infinity")


@crafted("objects for weights", UNSAFE, "found Python objects")
def _(archive):
    archive.arrays = {**archive.arrays, next(iter(archive.arrays)): np.array([Payload()])}


@crafted("a pickle for weights", CORRUPT, "expected an npz file of arrays")
def _(archive):
    archive.members["weights.npz"] = pickle.dumps(Payload())


@crafted("weights larger than their file", CORRUPT, "takes 4000000000000 bytes, found")
def _(archive):
    header = b"\x93NUMPY\1\0v\0{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,), }"
    name = next(iter(archive.arrays))
    archive.members["weights.npz"] = zip_of({f"{name}.npy": header.ljust(127) + b"\n" + bytes(64)})


@crafted("a bomb of weights", UNSAFE, "expected members as they are, found some packed")
def _(archive):
    name = next(iter(archive.arrays))
    archive.members["weights.npz"] = npz_of({**archive.arrays, name: np.zeros(2**27, np.uint8)}, np.savez_compressed)


@crafted("weights that lie over each other", UNSAFE, "expected members that do not overlap")
def _(archive):
    """Many entries of the directory for one member of 4 MB."""
    content = zip_of({"0.npy": bytes(2**22)})
    start = content.index(b"PK\1\2")
    entry = content[start:-22]
    entries = b"".join(entry.replace(b"0.npy", b"%05d" % number) for number in range(300))
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 300, 300, len(entries), start, 0)
    archive.members["weights.npz"] = content[:start] + entries + end


def with_header(name, header, message="expected an array", error=CORRUPT):
    @crafted(name, error, message)
    def apply(archive):
        start = b"\x93NUMPY\1\0" + struct.pack("<H", len(header) + 1)
        first = next(iter(archive.arrays))
        archive.members["weights.npz"] = zip_of({f"{first}.npy": start + header + b"\n"})


def described(descr, shape=b"(2,)"):
    return b"{'descr': %s, 'fortran_order': False, 'shape': %s}" % (descr, shape)


with_header("an npy header without an end", b"{'descr': (")
with_header("an npy header of brackets", b"[" * 9000)
with_header("an npy header of minus signs", b"-" * 9000 + b"1")
with_header("an npy header that cannot be", b"{[]: 1}")
with_header("a dtype of nothing", described(b"()"))
with_header("a dtype cut off", described(b"'(2,'"))
with_header("values of no size", described(b"'|V0'", b"(200000000,)"))
with_header("a negative shape", described(b"'<f4'", b"(-2, -2)"))
with_header("a shape of truth", described(b"'<f4'", b"(True,)"))
with_header("a shape of 65 axes", described(b"'<f4'", b"(" + b"1," * 65 + b")"))


@crafted("weights packed by another method", UNSAFE, "expected members as they are, found some packed")
def _(archive):
    archive.members["weights.npz"] = zip_of({"a.npy": b"nonsense"}, zipfile.ZIP_LZMA)


@crafted("a name that is no text", CORRUPT, "expected an npz file of arrays, found: 'utf-8' codec")
def _(archive):
    content = bytearray(zip_of({"ä.npy": b""}))
    for place in range(len(content) - 1):
        if content[place : place + 2] == "ä".encode():
            content[place : place + 2] = b"\xff\xff"
    archive.members["weights.npz"] = bytes(content)


def with_more_networks(name, number, error, message):
    @crafted(name, error, message)
    def change(archive):
        network = copy.deepcopy(archive.network)
        network["fit"]["arguments"]["dense_units"] = {"tuple": [1] * 60}
        archive.manifest["networks"] += [network] * number
        archive.state += archive.state * number


with_more_networks("ten models for the weights of one", 10, MISMATCH, "expected the arrays of the model, did not find")
with_more_networks("fifty models for the weights of one", 50, UNSAFE, "expected models of at most 2000 layers")


@crafted("an optimizer's state of NaN", CORRUPT, "optimizer.npz: 0/2: expected finite numbers", base="optimizer")
def _(archive):
    arrays = dict(np.load(io.BytesIO(archive.members["optimizer.npz"])))
    archive.members["optimizer.npz"] = npz_of({**arrays, "0/2": arrays["0/2"] * np.nan})


@crafted(
    "more weights than are read",
    UNSAFE,
    "parameters are more than max_parameters=10",
    load=lambda p: kn.load(p, max_parameters=10),
)
def _(archive):
    pass


@crafted("bytes that pay for floats", UNSAFE, "would make the model larger than")
def _(archive):
    archive.network["fit"]["arguments"]["dense_units"] = {"tuple": [12_000_000]}
    name = next(iter(archive.arrays))
    archive.arrays = {**archive.arrays, name: np.zeros(60_000_000, np.int8)}


@crafted("an optimizer's state of another model", MISMATCH, "optimizer.npz: expected the arrays of the model")
def _(archive):
    archive.members["optimizer.npz"] = npz_of({"0/0": np.zeros(3)})


# scikit-learn's steps


def with_schema(name, error, message, base="pipeline"):
    def register(change):
        @crafted(name, error, message, base=base)
        def apply(archive):
            schema = archive.schema
            change(archive, schema)
            archive.schema = schema

        return change

    return register


def node(loader, module, kind, **content):
    return {"__class__": kind, "__module__": module, "__loader__": loader, "__id__": 12345, **content}


def with_node(name, message, made, error=UNSAFE):
    """A node in place of the parameter `copy` of the scaler."""

    @with_schema(name, error, message)
    def change(archive, schema):
        archive.node("StandardScaler", schema)["content"]["content"]["copy"] = made


CACHED = node("CachedNode", "sklearn.preprocessing._data", "StandardScaler")
EMPTY_TUPLE = node("TupleNode", "builtins", "tuple", content=[])
JSON_TEXT = node("JsonNode", "builtins", "str", content='"touch executed"', is_json=True)
STATE_OF_MT = node(
    "DictNode", "builtins", "dict", content={}, key_types=node("ListNode", "builtins", "list", content=[])
)
with_node("os.system", "found posix.system", node("FunctionNode", "posix", "system"))
with_node("builtins.eval", "found builtins.eval", node("TypeNode", "builtins", "eval"))
with_node(
    "a class of subprocess", "found subprocess.Popen", node("ObjectNode", "subprocess", "Popen", content=EMPTY_TUPLE)
)
with_node(
    "a partial of os.system",
    "found posix.system",
    node(
        "PartialNode",
        "functools",
        "partial",
        content={
            "func": node("FunctionNode", "posix", "system", __id__=5),
            "args": node("TupleNode", "builtins", "tuple", content=[JSON_TEXT], __id__=6),
            "kwds": STATE_OF_MT,
            "namespace": STATE_OF_MT,
        },
    ),
)
with_node(
    "a RandomState",
    "RandomStateNode",
    node("RandomStateNode", "numpy.random.mtrand", "RandomState", content=STATE_OF_MT),
)
with_node(
    "a Generator",
    "RandomGeneratorNode",
    node("RandomGeneratorNode", "numpy.random._generator", "Generator", content={}),
)
with_node("a method", "MethodNode", node("MethodNode", "sklearn.preprocessing._data", "StandardScaler", content={}))
with_node("an attrgetter", "OperatorFuncNode", node("OperatorFuncNode", "operator", "attrgetter", attrs=EMPTY_TUPLE))
with_node(
    "a constructor", "ConstructorFromReduceNode", node("ConstructorFromReduceNode", "os", "system", content=EMPTY_TUPLE)
)
with_node("bytes", "BytesNode", node("BytesNode", "builtins", "bytes", file="../secret/key.txt"))
with_node(
    "a sparse matrix",
    "SparseMatrixNode",
    node("SparseMatrixNode", "scipy.sparse", "csr_matrix", type="scipy", file="a"),
)
with_node(
    "a step that is not on the list",
    "found sklearn.svm._classes.SVC",
    node("ObjectNode", "sklearn.svm._classes", "SVC"),
)
with_node(
    "an array from elsewhere",
    "KeyError",
    node("NdArrayNode", "numpy", "ndarray", type="numpy", file="../secret/key.txt"),
    CORRUPT,
)
with_node("a loader that there is not", "found os.path", node("EvalNode", "os", "path"))


@with_schema("an older protocol", UNSAFE, "found protocol 0")
def _(archive, schema):
    schema["protocol"] = 0


@with_schema("a cache that runs code", UNSAFE, "expected no memory, found '/tmp/cache'")
def _(archive, schema):
    archive.node("Pipeline", schema)["content"]["content"]["memory"] = {**JSON_TEXT, "content": '"/tmp/cache"'}


@with_schema("a place for a network that there is not", CORRUPT, "places for")
def _(archive, schema):
    archive.node("Placeholder", schema)["content"]["content"]["number"]["content"] = "7"


with_node("a value from elsewhere", "found sklearn.preprocessing._data.StandardScaler .CachedNode", CACHED)
with_node("text of lists", "found a list or dict as text", {**JSON_TEXT, "content": "[" * 50 + "]" * 50})


@with_schema("one array five hundred times", UNSAFE, "found the array .*.npy twice")
def _(archive, schema):
    array = archive.node("ndarray", schema)
    many = node("ListNode", "builtins", "list", content=[{**array, "__id__": number} for number in range(500)])
    archive.node("StandardScaler", schema)["content"]["content"]["copy"] = many


@with_schema("keys that are made by a function", UNSAFE, "found functools.partial")
def _(archive, schema):
    state = archive.node("StandardScaler", schema)["content"]
    state["key_types"]["content"][0] = node("TypeNode", "functools", "partial")


def with_attribute(name, attribute, value, error, message, base="pipeline", of="StandardScaler"):
    @with_schema(name, error, message, base)
    def change(archive, schema):
        state = archive.node(of, schema)["content"]
        if attribute not in state["content"]:
            state["key_types"]["content"].append(node("TypeNode", "builtins", "str"))
        state["content"][attribute] = value


UFUNC = node("FunctionNode", "numpy", "negative")
with_attribute("a method that is a function", "transform", UFUNC, UNSAFE, "found the attributes .'transform'. of")
with_attribute("a copy that is text", "__deepcopy__", UFUNC, UNSAFE, "found the attributes .'__deepcopy__'. of")
with_attribute(
    "features that are no number", "n_features_in_", {**JSON_TEXT, "content": "true"}, CORRUPT, "n_features_in_ True"
)
with_attribute(
    "columns beyond the samples",
    "_n_features_outs",
    node(
        "ListNode",
        "builtins",
        "list",
        content=[{**JSON_TEXT, "content": str(10**12)}, {**JSON_TEXT, "content": str(1 - 10**12)}],
    ),
    CORRUPT,
    "an encoder of other columns",
    base="encoder",
    of="OneHotEncoder",
)
with_attribute(
    "rare categories that are not looked at",
    "_infrequent_enabled",
    {**JSON_TEXT, "content": "true"},
    CORRUPT,
    "expected steps",
    base="encoder",
    of="OneHotEncoder",
)


@crafted("rare categories of two axes", CORRUPT, "infrequent categories that are none", base="rare")
def _(archive):
    files = archive.files_of_steps()
    schema = json.loads(files["schema.json"])
    rare = schema["content"]["content"]["_infrequent_indices"]["content"][0]["file"]
    files[rare] = npy_of(np.load(io.BytesIO(files[rare])).reshape(1, -1))
    archive.members["steps.skops"] = zip_of(files)


@crafted("a tree for an imputer", CORRUPT, "a tree in another place than tree_|places for", base="imputer")
def _(archive):
    schema = archive.schema
    forest = Crafted(FOLDER / "good" / "forest.kerasnet")
    archive.node("_ImputerTriplet", schema)["content"][2] = forest.node("Placeholder")
    trees = dict(np.load(io.BytesIO(forest.members["trees.npz"])))
    archive.members["trees.npz"] = npz_of({name: trees[name] for name in trees if name.startswith("0/")})
    archive.schema = schema


def with_pipeline_attribute(name, attribute, content, message, kind="FeatureUnion", base="union"):
    with_attribute(name, attribute, {**JSON_TEXT, "content": content}, CORRUPT, message, base=base, of=kind)


with_pipeline_attribute("processes in words", "n_jobs", '"40"', "n_jobs '40'")
with_pipeline_attribute("processes of truth", "n_jobs", "true", "n_jobs True")
with_pipeline_attribute(
    "names that are formatted", "verbose_feature_names_out", '"{feature_name:>300000000}"', "verbose_feature_names_out"
)


@crafted("categories out of order", CORRUPT, "categories out of order", base="encoder")
def _(archive):
    files = archive.files_of_steps()
    for name, content in files.items():
        if name.endswith(".npy") and (array := np.load(io.BytesIO(content))).shape == (3,):
            files[name] = npy_of(array[::-1])
    archive.members["steps.skops"] = zip_of(files)


@with_schema("another class than the manifest says", CORRUPT, "expected a StandardScaler, found Pipeline")
def _(archive, schema):
    archive.manifest["class"] = "StandardScaler"


def with_root(name, root, message):
    @with_schema(name, CORRUPT, message, base="forest")
    def change(archive, schema):
        protocol = schema["protocol"]
        schema.clear()
        schema.update(root, protocol=protocol)
        del archive.members["trees.npz"]


with_root("a text for an estimator", {**JSON_TEXT, "content": '"Pipeline"'}, "expected a Pipeline, found str")
with_root("a function for an estimator", UFUNC, "expected a Pipeline, found ufunc")


@with_schema("deep steps", UNSAFE, "nested at most 100 deep")
def _(archive, schema):
    deep = JSON_TEXT
    for _ in range(100):
        deep = node("ListNode", "builtins", "list", content=[deep])
    archive.node("StandardScaler", schema)["content"]["content"]["copy"] = deep


@crafted("a pickle among the steps", UNSAFE, "found Python objects", base="pipeline")
def _(archive):
    files = archive.files_of_steps()
    name = next(name for name in files if name.endswith(".npy"))
    files[name] = npy_of(np.array([Payload()]))
    archive.members["steps.skops"] = zip_of(files)


def npy_of(array):
    written = io.BytesIO()
    np.save(written, array, allow_pickle=True)
    return written.getvalue()


@crafted("something else among the steps", UNSAFE, "expected a schema and arrays, found 'run.py'", base="pipeline")
def _(archive):
    archive.members["steps.skops"] = zip_of({**archive.files_of_steps(), "run.py": b"import os"})


@crafted("a pickle for steps", FORMAT, "steps.skops: expected a zip archive", base="pipeline")
def _(archive):
    archive.members["steps.skops"] = pickle.dumps(Payload())


def with_tree(name, change, message="a decision tree of|with another tree|of other trees", error=CORRUPT):
    @crafted(name, error, message, base="forest")
    def apply(archive):
        arrays = dict(np.load(io.BytesIO(archive.members["trees.npz"])))
        change(arrays)
        archive.members["trees.npz"] = npz_of(arrays)


def in_nodes(field, value):
    return lambda arrays: arrays["0/nodes"][field].__setitem__(0, value)


with_tree("a child beyond the tree", in_nodes("left_child", 10**6))
with_tree("a child before the tree", in_nodes("left_child", -5))
with_tree("a tree in a circle", in_nodes("right_child", 0))
with_tree("a feature beyond the samples", in_nodes("feature", 10**6))
with_tree("a feature before the samples", in_nodes("feature", -10))
with_tree("a leaf with a child", lambda arrays: arrays["0/nodes"]["left_child"].__setitem__(-1, 1))
with_tree("sizes without an end", lambda arrays: arrays.update({"0/sizes": np.ones(10**7, np.int8)}), "of sizes int8")
with_tree("a tree for exabytes of features", lambda arrays: arrays["0/sizes"].__setitem__(0, 10**9), "tree of 10000000")
with_tree("trees of more features", lambda arrays: arrays["0/sizes"].__setitem__(0, 10**6))
with_tree(
    "trees of more outputs", lambda arrays: arrays.update({"0/sizes": np.array([4] + [2] * 50)}), "expected steps"
)
with_tree("trees without nodes", lambda arrays: arrays.update({"0/nodes": arrays["0/nodes"][:0]}))
with_tree("trees without sizes", lambda arrays: arrays.pop("0/sizes"), "expected steps as kn.save writes them")


# What is no archive


@hostile("a pickle", FORMAT, "expected a .kerasnet archive, found b'..*' at its beginning")
def _(path):
    path.write_bytes(pickle.dumps(Payload()))


@hostile("a pickle of joblib", FORMAT, "expected a .kerasnet archive")
def _(path):
    joblib.dump(Payload(), path, compress=3)


def keras_file(change):
    """A .keras file of a good model, its configuration changed."""

    def make(path):
        model = FOLDER / "good" / "model.keras"
        with zipfile.ZipFile(model) as archive:
            contents = {name: archive.read(name) for name in archive.namelist()}
        config = json.loads(contents["config.json"])
        change(config)
        path.write_bytes(zip_of({**contents, "config.json": json.dumps(config).encode()}))

    return make


def set_floatx(config):
    config["config"]["layers"][1]["config"]["activation"] = {
        "module": "keras.config",
        "class_name": "set_floatx",
        "config": {"value": "float64"},
        "registered_name": "set_floatx",
    }


def imports(config):
    config["config"]["layers"][1].update(module="antigravity", class_name="fly", registered_name="fly")


def lambdas(config):
    config["config"]["layers"][1] = {"module": "keras.layers", "class_name": "Lambda", "config": {"function": "evil"}}


for name, change in {"set_floatx": set_floatx, "an import": imports, "a Lambda": lambdas}.items():
    hostile(f".keras with {name}", FORMAT, "a .keras file is for keras.models.load_model")(keras_file(change))


@hostile(".h5 with a Lambda", FORMAT, "expected a .kerasnet archive")
def _(path):
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Lambda", "config": {"function": ["evil"]}})


@hostile(".h5 with a link outside", FORMAT, "expected a .kerasnet archive")
def _(path):
    with h5py.File(path, "w") as file:
        file["weights"] = h5py.ExternalLink(str(SECRET), "/")


# The other loaders


@hostile("IDX: a bomb", FORMAT, "expected 6 bytes", kn.datasets.read_idx)
def _(path):
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b"\0\0\x08\2" + struct.pack(">2I", 2, 3))
        for _ in range(300):
            file.write(bytes(2**20))


@hostile("IDX: a header of exabytes", UNSAFE, "is larger than 1000000000 bytes", kn.datasets.read_idx)
def _(path):
    path.write_bytes(b"\0\0\x0e\3" + struct.pack(">3I", *[2**32 - 1] * 3))


def load_npz(path):
    return kn.datasets.load_fashion_mnist(path=path)


@hostile("npz: a bomb", UNSAFE, "more than 100000000", load_npz)
def _(path):
    arrays = {"x_train": np.zeros((400_000, 28, 28), np.uint8), "y_train": np.zeros(400_000, np.uint8)}
    path.write_bytes(npz_of(arrays, np.savez_compressed))


@hostile("npz: a pickle", UNSAFE, "Python objects", load_npz)
def _(path):
    path.write_bytes(npz_of({"x_train": np.array([Payload()]), "y_train": np.zeros(1)}))


def load_csv(path):
    return kn.datasets.load_csv(path, target="label")


@hostile("CSV: a number without an end", FORMAT, "expected a number as in most rows", load_csv)
def _(path):
    path.write_bytes(b"a,label\n1,x\n2,x\n" + b"2" * 10_000_000 + b",y\n")


@hostile("CSV: a quote without an end", FORMAT, "expected fields and commas", load_csv)
def _(path):
    path.write_bytes(b'a,label\n1,x\n"' + b"2,y\n" * 1_000_000)


@hostile("CSV: packed", FORMAT, "expected text in UTF-8", load_csv)
def _(path):
    path.write_bytes(gzip.compress(bytes(10**8), compresslevel=1))


def read_image(path):
    return kn.features.prepare_images([path])


def png(width, height, content=b""):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", content) + chunk(b"IEND", b"")


@hostile("image: a PNG of 900 million pixels", "ImageDecodeError", "", read_image)
def _(path):
    packer = zlib.compressobj(1)
    rows = b"".join(packer.compress(bytes(30_001)) for _ in range(30_000)) + packer.flush()
    path.write_bytes(png(30_000, 30_000, rows))


@hostile("image: a PNG of 4 billion rows", "ImageDecodeError", "", read_image)
def _(path):
    path.write_bytes(png(2**31 - 1, 2**31 - 1))


@hostile("image: a JPEG of another size", "ImageDecodeError", "", read_image)
def _(path):
    content = bytearray(cv2.imencode(".jpg", np.zeros((16, 16), np.uint8))[1].tobytes())
    place = content.index(b"\xff\xc0")
    content[place + 5 : place + 9] = b"\xff\xff\xff\xff"
    path.write_bytes(content)


@hostile("image: a BMP of another size", "ImageDecodeError", "", read_image)
def _(path):
    content = bytearray(cv2.imencode(".bmp", np.zeros((16, 16, 3), np.uint8))[1].tobytes())
    content[18:26] = struct.pack("<2i", 60_000, 60_000)
    path.write_bytes(content)


# What watches


def make_good_files():
    """Save what the hostile files are made from."""
    good = FOLDER / "good"
    good.mkdir()
    SECRET.parent.mkdir()
    SECRET.write_text("a secret")
    network = kn.KerasNetClassifier("mlp", dense_units=(8,), epochs=1, random_state=0)
    kn.save(network.fit(X, Y), good / "network.kerasnet")
    kn.save(network, good / "optimizer.kerasnet", include_optimizer=True)
    kn.save(make_pipeline(StandardScaler(), PCA(3), network).fit(X, Y), good / "pipeline.kerasnet")
    encoder = OneHotEncoder(sparse_output=False).fit(np.array([[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]))
    kn.save(encoder, good / "encoder.kerasnet")
    rare = OneHotEncoder(min_frequency=2, sparse_output=False)
    kn.save(rare.fit(np.array([[1.0], [1.0], [2.0], [2.0], [3.0], [4.0]])), good / "rare.kerasnet")
    kn.save(FeatureUnion([("pca", PCA(2))], n_jobs=1).fit(X), good / "union.kerasnet")
    missing = np.where(np.random.default_rng(0).random(X.shape) < 0.2, np.nan, X)
    kn.save(IterativeImputer(max_iter=2, random_state=0).fit(missing), good / "imputer.kerasnet")
    forest = make_pipeline(StandardScaler(), RandomForestClassifier(3, random_state=0))
    kn.save(forest.fit(X, Y), good / "forest.kerasnet")
    kn.save(kn.AutoencoderOutlierDetector(code_units=2, epochs=1).fit(X), good / "detector.kerasnet")
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]).save(good / "model.keras")
    for path in good.glob("*.kerasnet"):  # what the first use of each loader takes is not a file's fault
        loaded = kn.load(path)
        if hasattr(loaded, "predict"):
            loaded.predict(X)
    cv2.imwrite(str(good / "image.png"), np.zeros((20, 20), np.uint8))
    read_image(good / "image.png")


def globals_of_the_process():
    """What no file may change."""
    return {
        "floatx": keras.config.floatx(),
        "epsilon": keras.config.epsilon(),
        "image_data_format": keras.config.image_data_format(),
        "dtype_policy": keras.config.dtype_policy().name,
        "unsafe deserialization": keras.src.saving.serialization_lib.in_safe_mode(),
        "custom objects": sorted(map(str, keras.saving.get_custom_objects())),
        "initialize": keras.Variable._initialize_with_initializer,
        "models": kn.list_models(),
        "random": random.getstate(),
        "numpy.random": pickle.dumps(np.random.get_state()),
        "errors": np.geterr(),
        "printing": str(np.get_printoptions()),
        "warnings": list(warnings.filters),
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "path": list(sys.path),
        "recursion": sys.getrecursionlimit(),
        "threads": threading.active_count(),
        "modules": {name for name in sys.modules if name.partition(".")[0] in ("antigravity", "this", "__evil__")},
        "open files": len(os.listdir("/proc/self/fd")),
    }


def peak():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024


def open_and_watch(path, load):
    """Open a file; return what happened."""
    events.clear()
    before = globals_of_the_process()
    Path("/proc/self/clear_refs").write_text("5")  # the peak of memory starts anew
    memory = peak()
    watching.set()
    try:
        load(path)
        error = None
    except Exception as caught:
        error = caught
    finally:
        watching.clear()
    after = globals_of_the_process()
    return {
        "error": type(error).__name__,
        "message": str(error),
        "megabytes": peak() - memory,
        "changed": [name for name in before if before[name] != after[name]],
        "events": [event for event in events if not event.endswith(f" {path}")],
        "executed": EXECUTED.exists() or Path("executed").exists(),
    }


MISCHIEF = (
    *("os.chmod", "os.exec", "os.fork", "os.mkdir", "os.posix_spawn", "os.putenv", "os.remove", "os.rename"),
    *("os.system", "ctypes.dlopen", "pickle.", "shutil.", "socket.", "subprocess."),
)
watching, events = threading.Event(), []


def watch(event, arguments):
    """Note what a file has no business to do."""
    if not watching.is_set():
        return
    if event == "open":
        name, _, flags = arguments
        harmless = str(name).startswith((sys.prefix, sys.base_prefix, "/proc/", "/sys/", "/dev/null"))
        writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if isinstance(name, str | bytes | os.PathLike) and (writes or not harmless):
            events.append(f"open {os.fsdecode(name)}")
    elif event.startswith(MISCHIEF):
        events.append(f"{event} {arguments!r:.100}")


def main():
    """Make and open all of them."""
    os.chdir(FOLDER)
    make_good_files()
    sys.addaudithook(watch)
    results = {}
    for number, (name, (make, error, message, load)) in enumerate(FILES.items()):
        path = FOLDER / f"{number}.kerasnet"
        make(path)
        results[name] = {"expected": [error, message], **open_and_watch(path, load)}
        path.unlink()
        (FOLDER / "results.json").write_text(json.dumps(results))


if __name__ == "__main__":
    main()
