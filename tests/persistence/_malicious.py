"""Malicious files, and a process that opens each of them and records what happens.

``python _malicious.py FOLDER`` writes each file to FOLDER, opens it, and writes FOLDER/results.json.
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
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import kerasnet as kn

FOLDER = Path(sys.argv[1]) if __name__ == "__main__" else Path("/nonexistent")
EXECUTED, SECRET = FOLDER / "executed", FOLDER / "secret" / "key.txt"
X, Y = np.random.default_rng(0).random((40, 4), dtype=np.float32), np.arange(40) % 2
UNSAFE, CORRUPT, FORMAT = "UnsafeFileError", "CorruptFileError", "DataFormatError"
MISMATCH, UNKNOWN = "CheckpointMismatchError", "UnknownModelError"
FILES = {}  # name -> (function that writes the file, expected error, part of its message, loader)


class Payload:
    """Runs a command when it is unpickled."""

    def __reduce__(self):
        return os.system, (f"touch {EXECUTED}",)


def malicious(name, error, message, load=None):
    """Register a function that writes a file."""

    def register(make):
        assert name not in FILES, name
        FILES[name] = (make, error, message, load or kn.load)
        return make

    return register


def crafted(name, error, message, base="network", load=None):
    """Register a function that changes a valid archive, whose hashes are then updated."""

    def register(change):
        @malicious(name, error, message, load)
        def make(path):
            archive = Crafted(FOLDER / "valid" / f"{base}.kerasnet")
            change(archive)
            archive.write(path)

        return change

    return register


def members_of(base="network"):
    with zipfile.ZipFile(FOLDER / "valid" / f"{base}.kerasnet") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


# The zip archive


def with_member(name, member, error, found, content=b"print('hello')"):
    @malicious(name, error, found)
    def make(path):
        contents = members_of()
        path.write_bytes(zip_of({**contents, member: content}))


with_member("path traversal in a member name", "../executed", UNSAFE, "found the member '../executed'")
with_member("absolute path in a member name", "/tmp/executed", UNSAFE, "found the member '/tmp/executed'")
with_member("backslashes in a member name", "..\\executed", UNSAFE, "found the member")
with_member("unknown member", "setup.py", UNSAFE, "found the member 'setup.py'")
with_member("folder as member", "state.json/", UNSAFE, "found the member 'state.json/'")
with_member("member missing from the manifest", "optimizer.npz", CORRUPT, "expected the members")


@malicious("duplicate member", UNSAFE, "expected unique member names")
def _(path):
    path.write_bytes(zip_of(members_of()))
    with warnings.catch_warnings(), zipfile.ZipFile(path, "a") as archive:
        warnings.simplefilter("ignore")
        archive.writestr("weights.npz", b"another")


@malicious("compressed members", UNSAFE, "compressed or encrypted")
def _(path):
    path.write_bytes(zip_of(members_of(), zipfile.ZIP_DEFLATED))


@malicious("symbolic link", UNSAFE, "weights.npz, which is not a regular file")
def _(path):
    contents = members_of()
    contents.pop("weights.npz")
    path.write_bytes(zip_of(contents))
    link = zipfile.ZipInfo("weights.npz")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(link, str(SECRET))


@malicious("encrypted members", UNSAFE, "compressed or encrypted")
def _(path):
    content = bytearray(zip_of(members_of()))
    content[content.rindex(b"PK\1\2") + 8] |= 1  # in the last entry of the directory
    path.write_bytes(content)


@malicious("200,000 members", UNSAFE, "at most 20000 members")
def _(path):
    size = 46 * 65_535
    path.write_bytes(b"PK\3\4" + bytes(size) + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65_535, 65_535, size, 4, 0))


@malicious("central directory elsewhere", CORRUPT, "something else at its end")
def _(path):
    content = zip_of(members_of())
    path.write_bytes(content[:-22] + struct.pack("<4sLQL", b"PK\6\7", 0, 10, 1) + content[-22:])


@malicious("data before the archive", FORMAT, "expected a .kerasnet archive")
def _(path):
    path.write_bytes(b"#!/bin/sh\ntouch executed\n" + zip_of(members_of()))


@malicious("data after the archive", CORRUPT, "something else at its end")
def _(path):
    path.write_bytes(zip_of(members_of()) + b"more")


@malicious("truncated archive", CORRUPT, "something else at its end")
def _(path):
    content = zip_of(members_of())
    path.write_bytes(content[: len(content) // 2])


@malicious("zip bomb", UNSAFE, "compressed or encrypted")
def _(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("manifest.json", "state.json", "weights.npz"):
            with archive.open(name, "w", force_zip64=True) as file:
                for _ in range(100):
                    file.write(bytes(2**20))


@malicious("sparse file of 4 GB", UNSAFE, "larger than 1073741824 bytes")
def _(path):
    with open(path, "wb") as file:
        file.truncate(2**32)


@malicious("infinite device", UNSAFE, "expected a file, found a device")
def _(path):
    path.symlink_to("/dev/zero")


@malicious("named pipe", UNSAFE, "expected a file, found a device")
def _(path):
    os.mkfifo(path)


@malicious("empty file", FORMAT, "expected a .kerasnet archive")
def _(path):
    path.write_bytes(b"")


@malicious("wrong size", CORRUPT, "weights.npz: expected 7 bytes")
def _(path):
    archive = Crafted(FOLDER / "valid" / "network.kerasnet")
    archive.manifest["members"]["weights.npz"]["size"] = 7
    archive.write(path, update_hashes=False)


@malicious("wrong hash", CORRUPT, "weights.npz: expected sha256")
def _(path):
    archive = Crafted(FOLDER / "valid" / "network.kerasnet")
    archive.arrays = {name: array + 1 for name, array in archive.arrays.items()}
    archive.manifest["members"]["weights.npz"]["size"] = len(archive.members["weights.npz"])
    archive.write(path, update_hashes=False)


# JSON


def with_text(name, member, content, error, message):
    @malicious(name, error, message)
    def make(path):
        contents = members_of()
        manifest = json.loads(contents["manifest.json"])
        if member != "manifest.json":
            manifest["members"][member] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            contents["manifest.json"] = json.dumps(manifest).encode()
        path.write_bytes(zip_of({**contents, member: content}))


with_text("deeply nested JSON", "manifest.json", b"[" * 100_000 + b"]" * 100_000, UNSAFE, "nested at most 100 deep")
with_text("JSON nested deeper than the limit", "state.json", b"[" * 200 + b"]" * 200, UNSAFE, "nested at most 100 deep")
with_text("long JSON", "manifest.json", b"[" + b" " * 2**22 + b"]", UNSAFE, "more than max_json_bytes=4194304")
with_text(
    "JSON with many lists", "state.json", b"[" + b"{}," * 200_000 + b"{}]", CORRUPT, "expected 1 networks in state.json"
)
with_text(
    "manifest with many lists",
    "manifest.json",
    b'{"a":[' + b"[]," * 200_000 + b"[]]}",
    CORRUPT,
    "a format of at least 1",
)
with_text("JSON of brackets", "manifest.json", b"[" + b"[[[[]]]]," * 100_000 + b"[]]", UNSAFE, "at most 300000 lists")
with_text("not JSON", "manifest.json", b"import os", CORRUPT, "expected JSON in UTF-8")
with_text("number with a million digits", "manifest.json", b"1" * 1_000_000, CORRUPT, "expected JSON in UTF-8")
with_text("null as manifest", "manifest.json", b"null", CORRUPT, "expected a format of at least 1, found None")


@crafted("newer format", FORMAT, "expected a format of at most 1, found format 99")
def _(archive):
    archive.manifest["format"] = 99


@crafted("format as a string", CORRUPT, "expected a format of at least 1, found '1'")
def _(archive):
    archive.manifest["format"] = "1"


@crafted("missing network state", CORRUPT, "expected 1 networks in state.json, found 0")
def _(archive):
    archive.state.clear()


# Descriptions of networks


@crafted("unknown model", UNKNOWN, "No model 'cnnn' is registered. Did you mean: cnn")
def _(archive):
    archive.network["model"]["name"] = "cnnn"


@crafted("unknown builder", UNKNOWN, "The model was built by the function 'system'")
def _(archive):
    archive.network["model"] = {"name": "system", "given_as": "function", "own": True}


@crafted("class of another module", UNSAFE, "expected a class among .*, found 'os.system'")
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
with_argument("a billion units", "dense_units", {"tuple": [10**9]}, UNSAFE, "would exceed the")
with_argument("units beyond 64 bits", "dense_units", {"tuple": [10**30]}, CORRUPT, "an int of more than 64 bits")
with_argument(
    "a million layers", "dense_units", {"tuple": [1] * 1_000_000}, UNSAFE, "layers, which the arguments ask for"
)
with_argument(
    "layers within layers", "dense_units", {"tuple": [{"tuple": [8] * 500}]}, MISMATCH, "dense_units must be a positive"
)
with_argument("int instead of a tuple of units", "dense_units", 10**9, UNSAFE, "would exceed the")
with_argument("negative units", "dense_units", {"tuple": [-8]}, MISMATCH, "dense_units must be a positive int")
with_argument("units as a float", "dense_units", {"tuple": [1e9]}, MISMATCH, "dense_units must be a positive int")
with_argument("function as activation", "activation", "os.system", MISMATCH, "cannot be built")
with_argument("Keras object as activation", "activation", {"dict": LAMBDA}, UNSAFE, "the configuration of a Keras")
with_argument("set_floatx as activation", "activation", {"dict": SET_FLOATX}, UNSAFE, "the configuration of a Keras")
with_argument("name with three million letters", "name", "x" * 3_000_000, UNSAFE, "strings of at most 1000 characters")
with_argument("wrong sample shape", "input_shape", {"tuple": [10**9]}, CORRUPT, "samples of shape")


def with_model(name, model, arguments, error, message):
    @crafted(name, error, message)
    def change(archive):
        shape = {"tuple": arguments.pop("input_shape")}
        archive.network["model"]["name"] = archive.network["fit"]["model"]["name"] = model
        archive.network["parameters"] = archive.network["fit"]["parameters"] = {}
        archive.network["fit"]["arguments"] = {"input_shape": shape, "n_outputs": 2, **arguments}
        archive.state[0]["input_shape_"] = shape


FEW = "layers, which the arguments ask for, found only"
with_model("a million blocks", "attention", {"input_shape": [2, 2], "n_blocks": 10**6}, UNSAFE, FEW)
with_model("depth of six million", "resnet_small", {"input_shape": [8, 8, 1], "depth": 6 * 10**6 + 2}, UNSAFE, FEW)
MANY = {"tuple": [1] * 100_000}
with_model("100,000 convolutions", "cnn", {"input_shape": [8, 8, 1], "kernel_size": 1, "filters": MANY}, UNSAFE, FEW)
with_model("100,000 1D convolutions", "conv1d", {"input_shape": [8, 2], "filters": MANY}, UNSAFE, FEW)
with_model("100,000 recurrent layers", "gru", {"input_shape": [8, 2], "units": MANY}, UNSAFE, FEW)
with_model(
    "negative number of blocks", "attention", {"input_shape": [2, 2], "n_blocks": -(10**6)}, MISMATCH, "n_blocks must"
)
with_model(
    "number of blocks as a float", "attention", {"input_shape": [2, 2], "n_blocks": 1e300}, MISMATCH, "n_blocks must"
)
with_model(
    "number of blocks as a string",
    "attention",
    {"input_shape": [2, 2], "n_blocks": "9" * 900},
    MISMATCH,
    "n_blocks must",
)
with_model(
    "list of blocks",
    "attention",
    {"input_shape": [2, 2], "n_blocks": {"list": [1] * 300_000}},
    MISMATCH,
    "n_blocks must",
)
with_model(
    "array of blocks",
    "attention",
    {"input_shape": [2, 2], "n_blocks": {"array": ["<i8", [2], [1, 10**6]]}},
    MISMATCH,
    "n_blocks must",
)
with_model(
    "unknown backbone", "backbone", {"input_shape": [32, 32, 3], "backbone": "resnet_50"}, MISMATCH, "Did you mean"
)
# the file named in the archive is not read: otherwise, the message would say that it is not a weights file
with_model(
    "weights from a file",
    "backbone",
    {"input_shape": [32, 32, 3], "weights": str(SECRET), "layer": "Conv1"},
    MISMATCH,
    "expected the arrays of the model",
)
with_model(
    "weights from the internet",
    "backbone",
    {"input_shape": [32, 32, 3], "weights": "imagenet", "layer": "Conv1"},
    MISMATCH,
    "expected the arrays of the model",
)
with_model(
    "pretrained weights", "cnn", {"input_shape": [8, 8, 1], "weights": "mnist"}, MISMATCH, "the arrays of the model"
)
with_model(
    "backbone with 25 million parameters",
    "backbone",
    {"input_shape": [32, 32, 3], "backbone": "resnet50"},
    UNSAFE,
    "would exceed",
)
with_argument("unknown argument", "evil", 1, MISMATCH, "unexpected keyword argument 'evil'")


@crafted("sample shape with strings", CORRUPT, "samples of shape")
def _(archive):
    archive.network["fit"]["arguments"]["input_shape"] = {"tuple": [300_000_000, "abcd"]}
    archive.state[0]["input_shape_"] = {"tuple": [300_000_000, "abcd"]}


@crafted("fifty million thresholds", UNSAFE, "expected numbers of at most 1000000 for losses and metrics")
def _(archive):
    fit = archive.network["fit"]
    parameters = {"metrics": {"list": [{"keras": ["metrics", "AUC"]}]}, "metrics__0__num_thresholds": 50_000_000}
    fit["parameters"].update(parameters)
    fit["offered"] = ["compile_kwargs"]


def with_seed(name, seed):
    @crafted(name, CORRUPT, "the seed")
    def change(archive):
        archive.network["fit"]["seed"] = seed


with_seed("negative seed", -1)
with_seed("seed beyond 32 bits", 2**40)


@crafted("samples with a trillion values", UNSAFE, r"samples of shape \(1000000000000,\) have more than max_parameters")
def _(archive):
    archive.network["fit"]["arguments"]["input_shape"] = archive.state[0]["input_shape_"] = {"tuple": [10**12]}


def with_parameter(name, parameter, value, error, message):
    @crafted(name, error, message)
    def change(archive):
        archive.network["parameters"][parameter] = value
        archive.network["fit"]["parameters"][parameter] = value


with_parameter("optimizer configuration", "optimizer", {"dict": LAMBDA}, UNSAFE, "the configuration of a Keras")
with_parameter("loss configuration", "loss", {"list": [{"dict": SET_FLOATX}]}, UNSAFE, "the configuration of a")
with_parameter(
    "configuration in an object array",
    "metrics",
    {"list": [{"objects": [{"dict": LAMBDA}]}]},
    UNSAFE,
    "the configuration of",
)
with_parameter("deserialize as loss", "loss", {"keras": ["losses", "deserialize"]}, CORRUPT, "the kind")
with_parameter("loss of another module", "loss", {"keras": ["os", "system"]}, CORRUPT, "KeyError")
with_parameter("module as loss", "loss", {"keras": ["optimizers", "schedules"]}, CORRUPT, "the kind 'keras'")
with_parameter("a thousand metrics", "metrics", {"list": ["mse"] * 1000}, UNSAFE, "expected at most 100 metrics")
with_parameter("function as optimizer", "optimizer", "os.system", MISMATCH, "cannot be built")
with_parameter("memory folder", "memory", "/tmp/states", UNSAFE, "expected neither memory nor callbacks")
with_parameter("callbacks", "callbacks", {"list": ["os.system"]}, UNSAFE, "expected neither memory nor callbacks")
with_parameter("unknown parameter", "evil", 1, CORRUPT, "has no parameter 'evil'")
with_parameter("unknown kind of value", "epochs", {"eval": ["1"]}, CORRUPT, "not enough values|the kind")
with_parameter("set of lists", "epochs", {"set": [{"list": []}]}, CORRUPT, "unhashable")


def with_state(name, attribute, value, error, message):
    @crafted(name, error, message)
    def change(archive):
        archive.state[0][attribute] = value


with_state("attribute that overrides a method", "predict", "evil", CORRUPT, "the attribute 'predict'")
with_state("attribute __class__", "__class__", "evil", CORRUPT, "the attribute '__class__'")
with_state("private attribute", "_new_model", "evil", CORRUPT, "the attribute '_new_model'")
with_state("object dtype for classes_", "classes_", {"array": ["|O", [2], [0, 1]]}, CORRUPT, "the dtype '.O'")
with_state(
    "huge string dtype", "classes_", {"array": ["<U100000000", [2], ["a", "b"]]}, CORRUPT, "the dtype '<U100000000'"
)
with_state("array shape with strings", "classes_", {"array": ["<f4", [300_000_000, "abcd"], []]}, CORRUPT, "the shape")
with_state(
    "many wide string arrays",
    "classes_",
    {"list": [{"array": ["<U99999", [1], ["a"]]}] * 3000},
    CORRUPT,
    "for shorter strings",
)
with_state(
    "integers with equal hashes", "extra_", {"set": [k * (2**61 - 1) for k in range(60_000)]}, CORRUPT, "an int of more"
)
with_state("long dtype string", "classes_", {"array": ["i4," * 10**5, [1], [0]]}, CORRUPT, "the dtype")
with_state(
    "lists in a string array", "classes_", {"array": ["<U100000", [1], [["a"] * 1500]]}, CORRUPT, "1 values for <U"
)
with_state(
    "string dtype of size 0", "classes_", {"array": ["<U0", [2], ["a", "b" * 60_000]]}, CORRUPT, "the dtype '<U0'"
)
with_state(
    "strings longer than their dtype", "classes_", {"array": ["<U1", [2], ["a", "b" * 60_000]]}, CORRUPT, "2 values for"
)
with_state("attribute model_", "model_", "evil", CORRUPT, "the attribute 'model_'")
with_state("attribute target_encoder_", "target_encoder_", "evil", CORRUPT, "the attribute 'target_encoder_'")
with_state(
    "classes_ beyond their dtype",
    "classes_",
    {"array": ["|u1", [2], [0, 300]]},
    CORRUPT,
    "expected an estimator as kn.save",
)
with_state("wrong array shape", "classes_", {"array": ["<i8", [10**9], [0, 1]]}, CORRUPT, "2 values for int64")
with_state("wrong number of classes", "classes_", {"array": ["<i8", [3], [0, 1, 2]]}, MISMATCH, "must have 3 outputs")


@crafted("missing history", CORRUPT, "history_")
def _(archive):
    del archive.state[0]["history_"]


@crafted("wrong number of trainable flags", CORRUPT, "expected a trainable flag for each layer")
def _(archive):
    archive.network["fit"]["trainable"] *= 2


@crafted("detector that contains itself", CORRUPT, "expected a network after this one, found 0", base="detector")
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


with_arrays("wrong shape of weights", replace(np.transpose), MISMATCH, r"expected float32\[4, 8\], found float32\[8, 4")
with_arrays(
    "wrong dtype of weights", replace(lambda a: a.astype(int)), MISMATCH, r"expected float32\[4, 8\], found int"
)
with_arrays("missing weight", lambda arrays, name: arrays.pop(name), MISMATCH, "did not find .'0/0/mlp/dense_1/kernel'")
with_arrays("additional weight", lambda arrays, name: arrays.update(x=np.ones(2)), MISMATCH, "no others, found .'x'")
with_arrays("NaN", replace(lambda array: array * np.nan), CORRUPT, "expected finite numbers, found NaN or infinity")
with_arrays("infinity", replace(lambda array: array / 0), CORRUPT, "expected finite numbers, found NaN or infinity")


@crafted("Python objects as weights", UNSAFE, "found Python objects")
def _(archive):
    archive.arrays = {**archive.arrays, next(iter(archive.arrays)): np.array([Payload()])}


@crafted("pickle as weights", CORRUPT, "expected an npz file of arrays")
def _(archive):
    archive.members["weights.npz"] = pickle.dumps(Payload())


@crafted("weights larger than their file", CORRUPT, "takes 4000000000000 bytes, found")
def _(archive):
    header = b"\x93NUMPY\1\0v\0{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,), }"
    name = next(iter(archive.arrays))
    archive.members["weights.npz"] = zip_of({f"{name}.npy": header.ljust(127) + b"\n" + bytes(64)})


@crafted("zip bomb as weights", UNSAFE, "expected uncompressed members, found some compressed")
def _(archive):
    name = next(iter(archive.arrays))
    archive.members["weights.npz"] = npz_of({**archive.arrays, name: np.zeros(2**27, np.uint8)}, np.savez_compressed)


@crafted("overlapping weights", UNSAFE, "expected members that do not overlap")
def _(archive):
    """Many directory entries for one member of 4 MB."""
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


with_header("unterminated npy header", b"{'descr': (")
with_header("an npy header of brackets", b"[" * 9000)
with_header("an npy header of minus signs", b"-" * 9000 + b"1")
with_header("invalid npy header", b"{[]: 1}")
with_header("empty dtype", described(b"()"))
with_header("truncated dtype", described(b"'(2,'"))
with_header("void dtype of size 0", described(b"'|V0'", b"(200000000,)"))
with_header("a negative shape", described(b"'<f4'", b"(-2, -2)"))
with_header("bool in a shape", described(b"'<f4'", b"(True,)"))
with_header("65 dimensions", described(b"'<f4'", b"(" + b"1," * 65 + b")"))


@crafted("LZMA-compressed weights", UNSAFE, "expected uncompressed members, found some compressed")
def _(archive):
    archive.members["weights.npz"] = zip_of({"a.npy": b"nonsense"}, zipfile.ZIP_LZMA)


@crafted("array name that is not UTF-8", CORRUPT, "expected an npz file of arrays, found: 'utf-8' codec")
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
with_more_networks("fifty models for the weights of one", 50, UNSAFE, "expected models with at most 2000 layers")


@crafted("NaN in the optimizer state", CORRUPT, "optimizer.npz: 0/2: expected finite numbers", base="optimizer")
def _(archive):
    arrays = dict(np.load(io.BytesIO(archive.members["optimizer.npz"])))
    archive.members["optimizer.npz"] = npz_of({**arrays, "0/2": arrays["0/2"] * np.nan})


@crafted(
    "more parameters than max_parameters",
    UNSAFE,
    "parameters are more than max_parameters=10",
    load=lambda p: kn.load(p, max_parameters=10),
)
def _(archive):
    pass


@crafted("many small values for a large model", UNSAFE, "would exceed the")
def _(archive):
    archive.network["fit"]["arguments"]["dense_units"] = {"tuple": [12_000_000]}
    name = next(iter(archive.arrays))
    archive.arrays = {**archive.arrays, name: np.zeros(60_000_000, np.int8)}


@crafted("optimizer state of another model", MISMATCH, "optimizer.npz: expected the arrays of the model")
def _(archive):
    archive.members["optimizer.npz"] = npz_of({"0/0": np.zeros(3)})


# scikit-learn steps


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


def with_node(name, message, new_node, error=UNSAFE):
    """Replace the parameter `copy` of the scaler with a node."""

    @with_schema(name, error, message)
    def change(archive, schema):
        archive.node("StandardScaler", schema)["content"]["content"]["copy"] = new_node


CACHED = node("CachedNode", "sklearn.preprocessing._data", "StandardScaler")
EMPTY_TUPLE = node("TupleNode", "builtins", "tuple", content=[])
JSON_TEXT = node("JsonNode", "builtins", "str", content='"touch executed"', is_json=True)
STATE_OF_MT = node(
    "DictNode", "builtins", "dict", content={}, key_types=node("ListNode", "builtins", "list", content=[])
)
with_node("os.system", "found posix.system", node("FunctionNode", "posix", "system"))
with_node("builtins.eval", "found builtins.eval", node("TypeNode", "builtins", "eval"))
with_node(
    "class of subprocess", "found subprocess.Popen", node("ObjectNode", "subprocess", "Popen", content=EMPTY_TUPLE)
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
    "unsupported step",
    "found sklearn.svm._classes.SVC",
    node("ObjectNode", "sklearn.svm._classes", "SVC"),
)
with_node(
    "array file outside the archive",
    "KeyError",
    node("NdArrayNode", "numpy", "ndarray", type="numpy", file="../secret/key.txt"),
    CORRUPT,
)
with_node("unknown loader", "found os.path", node("EvalNode", "os", "path"))


@with_schema("older protocol", UNSAFE, "found protocol 0")
def _(archive, schema):
    schema["protocol"] = 0


@with_schema("joblib cache", UNSAFE, "expected no memory, found '/tmp/cache'")
def _(archive, schema):
    archive.node("Pipeline", schema)["content"]["content"]["memory"] = {**JSON_TEXT, "content": '"/tmp/cache"'}


@with_schema("placeholder for a missing network", CORRUPT, "placeholders for")
def _(archive, schema):
    archive.node("Placeholder", schema)["content"]["content"]["number"]["content"] = "7"


with_node("cached node", "found sklearn.preprocessing._data.StandardScaler .CachedNode", CACHED)
with_node("lists in JSON text", "found a list or dict as text", {**JSON_TEXT, "content": "[" * 50 + "]" * 50})


@with_schema("one array 500 times", UNSAFE, "found the array .*.npy twice")
def _(archive, schema):
    array = archive.node("ndarray", schema)
    many = node("ListNode", "builtins", "list", content=[{**array, "__id__": number} for number in range(500)])
    archive.node("StandardScaler", schema)["content"]["content"]["copy"] = many


@with_schema("key type that is a function", UNSAFE, "found functools.partial")
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
with_attribute(
    "attribute that overrides transform", "transform", UFUNC, UNSAFE, "found the attributes .'transform'. of"
)
with_attribute("attribute __deepcopy__", "__deepcopy__", UFUNC, UNSAFE, "found the attributes .'__deepcopy__'. of")
with_attribute(
    "n_features_in_ as a bool", "n_features_in_", {**JSON_TEXT, "content": "true"}, CORRUPT, "n_features_in_ True"
)
with_attribute(
    "wrong number of encoder columns",
    "_n_features_outs",
    node(
        "ListNode",
        "builtins",
        "list",
        content=[{**JSON_TEXT, "content": str(10**12)}, {**JSON_TEXT, "content": str(1 - 10**12)}],
    ),
    CORRUPT,
    "an encoder with inconsistent numbers of columns",
    base="encoder",
    of="OneHotEncoder",
)
with_attribute(
    "infrequent categories without indices",
    "_infrequent_enabled",
    {**JSON_TEXT, "content": "true"},
    CORRUPT,
    "expected steps",
    base="encoder",
    of="OneHotEncoder",
)


@crafted("2D indices of infrequent categories", CORRUPT, "invalid indices of infrequent categories", base="rare")
def _(archive):
    files = archive.step_files()
    schema = json.loads(files["schema.json"])
    rare = schema["content"]["content"]["_infrequent_indices"]["content"][0]["file"]
    files[rare] = npy_of(np.load(io.BytesIO(files[rare])).reshape(1, -1))
    archive.members["steps.skops"] = zip_of(files)


@with_schema("decision tree in a scaler", CORRUPT, "a tree outside the attribute tree_", base="forest")
def _(archive, schema):
    archive.node("StandardScaler", schema)["content"]["content"]["copy"] = archive.node("Placeholder", schema)


@with_schema("voting ensemble of strings", CORRUPT, "members that are not estimators", base="voting")
def _(archive, schema):
    members = archive.node("VotingClassifier", schema)["content"]["content"]["estimators_"]
    members["content"][0] = JSON_TEXT


@with_schema("voting ensemble with a missing member", CORRUPT, "zip", base="voting")
def _(archive, schema):
    archive.node("VotingClassifier", schema)["content"]["content"]["estimators_"]["content"].pop()


@with_schema("name of a special method in a voting ensemble", CORRUPT, "members with the names", base="voting")
def _(archive, schema):
    names = archive.node("VotingClassifier", schema)["content"]["content"]["estimators"]["content"]
    names[0]["content"][0]["content"] = '"__deepcopy__"'


with_node(
    "dict whose keys are attributes",
    "found sklearn.utils._bunch.Bunch",
    {**STATE_OF_MT, "__module__": "sklearn.utils._bunch", "__class__": "Bunch"},
)


@crafted("decision tree in an imputer", CORRUPT, "a tree outside the attribute tree_|placeholders for", base="imputer")
def _(archive):
    schema = archive.schema
    forest = Crafted(FOLDER / "valid" / "forest.kerasnet")
    archive.node("_ImputerTriplet", schema)["content"][2] = forest.node("Placeholder")
    trees = dict(np.load(io.BytesIO(forest.members["trees.npz"])))
    archive.members["trees.npz"] = npz_of({name: trees[name] for name in trees if name.startswith("0/")})
    archive.schema = schema


def with_pipeline_attribute(name, attribute, content, message, kind="FeatureUnion", base="union"):
    with_attribute(name, attribute, {**JSON_TEXT, "content": content}, CORRUPT, message, base=base, of=kind)


with_pipeline_attribute("n_jobs as a string", "n_jobs", '"40"', "n_jobs '40'")
with_pipeline_attribute("n_jobs as a bool", "n_jobs", "true", "n_jobs True")
with_pipeline_attribute(
    "format string for feature names",
    "verbose_feature_names_out",
    '"{feature_name:>300000000}"',
    "verbose_feature_names_out",
)


@crafted("unsorted categories", CORRUPT, "categories that are not sorted", base="encoder")
def _(archive):
    files = archive.step_files()
    for name, content in files.items():
        if name.endswith(".npy") and (array := np.load(io.BytesIO(content))).shape == (3,):
            files[name] = npy_of(array[::-1])
    archive.members["steps.skops"] = zip_of(files)


@with_schema("class different from the manifest", CORRUPT, "expected a StandardScaler, found Pipeline")
def _(archive, schema):
    archive.manifest["class"] = "StandardScaler"


def with_root(name, root, message):
    @with_schema(name, CORRUPT, message, base="forest")
    def change(archive, schema):
        protocol = schema["protocol"]
        schema.clear()
        schema.update(root, protocol=protocol)
        del archive.members["trees.npz"]


with_root("string as estimator", {**JSON_TEXT, "content": '"Pipeline"'}, "expected a Pipeline, found str")
with_root("function as estimator", UFUNC, "expected a Pipeline, found ufunc")


@with_schema("deeply nested steps", UNSAFE, "nested at most 100 deep")
def _(archive, schema):
    deep = JSON_TEXT
    for _ in range(100):
        deep = node("ListNode", "builtins", "list", content=[deep])
    archive.node("StandardScaler", schema)["content"]["content"]["copy"] = deep


@crafted("pickle in the steps", UNSAFE, "found Python objects", base="pipeline")
def _(archive):
    files = archive.step_files()
    name = next(name for name in files if name.endswith(".npy"))
    files[name] = npy_of(np.array([Payload()]))
    archive.members["steps.skops"] = zip_of(files)


def npy_of(array):
    written = io.BytesIO()
    np.save(written, array, allow_pickle=True)
    return written.getvalue()


@crafted("unknown file in the steps", UNSAFE, "expected a schema and arrays, found 'run.py'", base="pipeline")
def _(archive):
    archive.members["steps.skops"] = zip_of({**archive.step_files(), "run.py": b"import os"})


@crafted("pickle as steps", FORMAT, "steps.skops: expected a zip archive", base="pipeline")
def _(archive):
    archive.members["steps.skops"] = pickle.dumps(Payload())


def with_tree(name, change, message="a decision tree (of|with)|with (a tree|trees) that do", error=CORRUPT):
    @crafted(name, error, message, base="forest")
    def apply(archive):
        arrays = dict(np.load(io.BytesIO(archive.members["trees.npz"])))
        change(arrays)
        archive.members["trees.npz"] = npz_of(arrays)


def in_nodes(field, value):
    return lambda arrays: arrays["0/nodes"][field].__setitem__(0, value)


with_tree("child index beyond the tree", in_nodes("left_child", 10**6))
with_tree("negative child index", in_nodes("left_child", -5))
with_tree("cyclic tree", in_nodes("right_child", 0))
with_tree("feature index beyond the features", in_nodes("feature", 10**6))
with_tree("negative feature index", in_nodes("feature", -10))
with_tree("leaf with a child", lambda arrays: arrays["0/nodes"]["left_child"].__setitem__(-1, 1))
with_tree("ten million tree sizes", lambda arrays: arrays.update({"0/sizes": np.ones(10**7, np.int8)}), "of sizes int8")
with_tree("tree with a billion features", lambda arrays: arrays["0/sizes"].__setitem__(0, 10**9), "tree of 10000000")
with_tree("tree with more features than the forest", lambda arrays: arrays["0/sizes"].__setitem__(0, 10**6))
with_tree(
    "tree with many outputs", lambda arrays: arrays.update({"0/sizes": np.array([4] + [2] * 50)}), "expected steps"
)
with_tree("trees without nodes", lambda arrays: arrays.update({"0/nodes": arrays["0/nodes"][:0]}))
with_tree("trees without sizes", lambda arrays: arrays.pop("0/sizes"), "expected steps as kn.save writes them")


# Files that are not archives


@malicious("a pickle", FORMAT, "expected a .kerasnet archive, found b'..*' at its beginning")
def _(path):
    path.write_bytes(pickle.dumps(Payload()))


@malicious("joblib pickle", FORMAT, "expected a .kerasnet archive")
def _(path):
    joblib.dump(Payload(), path, compress=3)


def keras_file(change):
    """Return a function that writes a valid .keras file with a changed configuration."""

    def make(path):
        model = FOLDER / "valid" / "model.keras"
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
    malicious(f".keras with {name}", FORMAT, "To load a .keras file, use keras.models.load_model")(keras_file(change))


@malicious(".h5 with a Lambda", FORMAT, "expected a .kerasnet archive")
def _(path):
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Lambda", "config": {"function": ["evil"]}})


@malicious(".h5 with a link outside", FORMAT, "expected a .kerasnet archive")
def _(path):
    with h5py.File(path, "w") as file:
        file["weights"] = h5py.ExternalLink(str(SECRET), "/")


# Other loaders


@malicious("IDX: gzip bomb", FORMAT, "expected 6 bytes", kn.datasets.read_idx)
def _(path):
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b"\0\0\x08\2" + struct.pack(">2I", 2, 3))
        for _ in range(300):
            file.write(bytes(2**20))


@malicious("IDX: header for exabytes", UNSAFE, "is larger than 1000000000 bytes", kn.datasets.read_idx)
def _(path):
    path.write_bytes(b"\0\0\x0e\3" + struct.pack(">3I", *[2**32 - 1] * 3))


def load_npz(path):
    return kn.datasets.load_fashion_mnist(path=path)


@malicious("npz: zip bomb", UNSAFE, "more than 100000000", load_npz)
def _(path):
    arrays = {"x_train": np.zeros((400_000, 28, 28), np.uint8), "y_train": np.zeros(400_000, np.uint8)}
    path.write_bytes(npz_of(arrays, np.savez_compressed))


@malicious("npz: a pickle", UNSAFE, "Python objects", load_npz)
def _(path):
    path.write_bytes(npz_of({"x_train": np.array([Payload()]), "y_train": np.zeros(1)}))


def load_csv(path):
    return kn.datasets.load_csv(path, target="label")


@malicious("CSV: number with ten million digits", FORMAT, "expected a number as in most rows", load_csv)
def _(path):
    path.write_bytes(b"a,label\n1,x\n2,x\n" + b"2" * 10_000_000 + b",y\n")


@malicious("CSV: unterminated quote", FORMAT, "expected valid CSV", load_csv)
def _(path):
    path.write_bytes(b'a,label\n1,x\n"' + b"2,y\n" * 1_000_000)


@malicious("CSV: gzip", FORMAT, "expected text in UTF-8", load_csv)
def _(path):
    path.write_bytes(gzip.compress(bytes(10**8), compresslevel=1))


def read_image(path):
    return kn.features.prepare_images([path])


def png(width, height, content=b""):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", content) + chunk(b"IEND", b"")


@malicious("image: PNG with 900 million pixels", "ImageDecodeError", "", read_image)
def _(path):
    packer = zlib.compressobj(1)
    rows = b"".join(packer.compress(bytes(30_001)) for _ in range(30_000)) + packer.flush()
    path.write_bytes(png(30_000, 30_000, rows))


@malicious("image: PNG with 2 billion rows", "ImageDecodeError", "", read_image)
def _(path):
    path.write_bytes(png(2**31 - 1, 2**31 - 1))


@malicious("image: JPEG with a wrong size", "ImageDecodeError", "", read_image)
def _(path):
    content = bytearray(cv2.imencode(".jpg", np.zeros((16, 16), np.uint8))[1].tobytes())
    place = content.index(b"\xff\xc0")
    content[place + 5 : place + 9] = b"\xff\xff\xff\xff"
    path.write_bytes(content)


@malicious("image: BMP with a wrong size", "ImageDecodeError", "", read_image)
def _(path):
    content = bytearray(cv2.imencode(".bmp", np.zeros((16, 16, 3), np.uint8))[1].tobytes())
    content[18:26] = struct.pack("<2i", 60_000, 60_000)
    path.write_bytes(content)


# The process that opens the files


def save_valid_files():
    """Save the valid files that malicious files are derived from."""
    valid = FOLDER / "valid"
    valid.mkdir()
    SECRET.parent.mkdir()
    SECRET.write_text("a secret")
    network = kn.KerasNetClassifier("mlp", dense_units=(8,), epochs=1, random_state=0)
    kn.save(network.fit(X, Y), valid / "network.kerasnet")
    kn.save(network, valid / "optimizer.kerasnet", include_optimizer=True)
    kn.save(make_pipeline(StandardScaler(), PCA(3), network).fit(X, Y), valid / "pipeline.kerasnet")
    encoder = OneHotEncoder(sparse_output=False).fit(np.array([[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]]))
    kn.save(encoder, valid / "encoder.kerasnet")
    rare = OneHotEncoder(min_frequency=2, sparse_output=False)
    kn.save(rare.fit(np.array([[1.0], [1.0], [2.0], [2.0], [3.0], [4.0]])), valid / "rare.kerasnet")
    kn.save(FeatureUnion([("pca", PCA(2))], n_jobs=1).fit(X), valid / "union.kerasnet")
    missing = np.where(np.random.default_rng(0).random(X.shape) < 0.2, np.nan, X)
    kn.save(IterativeImputer(max_iter=2, random_state=0).fit(missing), valid / "imputer.kerasnet")
    forest = make_pipeline(StandardScaler(), RandomForestClassifier(3, random_state=0))
    kn.save(forest.fit(X, Y), valid / "forest.kerasnet")
    voting = VotingClassifier([("a", GaussianNB()), ("b", GaussianNB())])
    kn.save(voting.fit(X, Y), valid / "voting.kerasnet")
    kn.save(kn.AutoencoderOutlierDetector(code_units=2, epochs=1).fit(X), valid / "detector.kerasnet")
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]).save(valid / "model.keras")
    for path in valid.glob("*.kerasnet"):  # the first use of each loader allocates memory
        loaded = kn.load(path)
        if hasattr(loaded, "predict"):
            loaded.predict(X)
    cv2.imwrite(str(valid / "image.png"), np.zeros((20, 20), np.uint8))
    read_image(valid / "image.png")


def global_settings():
    """Return the global state that no file may change."""
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


def peak_memory():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 1024


def open_and_record(path, load):
    """Open a file and return what happened."""
    events.clear()
    before = global_settings()
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak memory
    memory = peak_memory()
    recording.set()
    try:
        load(path)
        error = None
    except Exception as caught:
        error = caught
    finally:
        recording.clear()
    after = global_settings()
    return {
        "error": type(error).__name__,
        "message": str(error),
        "megabytes": peak_memory() - memory,
        "changed": [name for name in before if before[name] != after[name]],
        "events": [event for event in events if not event.endswith(f" {path}")],
        "executed": EXECUTED.exists() or Path("executed").exists(),
    }


FORBIDDEN_EVENTS = (
    *("os.chmod", "os.exec", "os.fork", "os.mkdir", "os.posix_spawn", "os.putenv", "os.remove", "os.rename"),
    *("os.system", "ctypes.dlopen", "pickle.", "shutil.", "socket.", "subprocess."),
)
recording, events = threading.Event(), []


def record_event(event, arguments):
    """Record events that loading a file must not cause."""
    if not recording.is_set():
        return
    if event == "open":
        name, _, flags = arguments
        is_harmless = str(name).startswith((sys.prefix, sys.base_prefix, "/proc/", "/sys/", "/dev/null"))
        writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if isinstance(name, str | bytes | os.PathLike) and (writes or not is_harmless):
            events.append(f"open {os.fsdecode(name)}")
    elif event.startswith(FORBIDDEN_EVENTS):
        events.append(f"{event} {arguments!r:.100}")


def main():
    """Write and open all files."""
    os.chdir(FOLDER)
    save_valid_files()
    sys.addaudithook(record_event)
    results = {}
    for number, (name, (make, error, message, load)) in enumerate(FILES.items()):
        path = FOLDER / f"{number}.kerasnet"
        make(path)
        results[name] = {"expected": [error, message], **open_and_record(path, load)}
        path.unlink()
        (FOLDER / "results.json").write_text(json.dumps(results))


if __name__ == "__main__":
    main()
