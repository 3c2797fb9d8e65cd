"""What skops writes, taken apart node by node: of a fixed list of types, without sharing, each array once."""

import functools
import importlib
import inspect
import io
import json
import re
import zipfile

import numpy as np
import skops.io

from kerasnet._formats import open_zip, parse_json, read_npy_header
from kerasnet.errors import CorruptFileError, UnsafeFileError

# What a file may bring to life. NumPy alone uses what these learn, whatever that is. Types whose compiled code relies
# on what they learned (support vector machines with kernels, nearest neighbours, coordinate descent, gradient boosting)
# are not here. Decision trees and one-hot encoders are: they are looked at when they have been read.
_CLASSES = {
    "kerasnet.features": ("HOGTransformer", "ImagePreprocessor", "SIFTTransformer"),
    "kerasnet.preprocessing": ("InterpolationImputer", "OutlierClipper"),
    "kerasnet.preprocessing._pipeline": ("ArrayPipeline",),
    "sklearn.compose": ("ColumnTransformer", "make_column_selector"),
    "sklearn.decomposition": ("IncrementalPCA", "PCA", "TruncatedSVD"),
    "sklearn.discriminant_analysis": ("LinearDiscriminantAnalysis",),
    "sklearn.dummy": ("DummyClassifier", "DummyRegressor"),
    "sklearn.ensemble": (
        *("ExtraTreesClassifier", "ExtraTreesRegressor", "RandomForestClassifier", "RandomForestRegressor"),
    ),
    "sklearn.feature_selection": (
        *("GenericUnivariateSelect", "SelectFdr", "SelectFpr", "SelectFromModel", "SelectFwe", "SelectKBest"),
        *("SelectPercentile", "VarianceThreshold"),
    ),
    "sklearn.impute": ("IterativeImputer", "KNNImputer", "MissingIndicator", "SimpleImputer"),
    "sklearn.linear_model": (*("BayesianRidge", "LinearRegression", "LogisticRegression", "Ridge", "RidgeClassifier"),),
    "sklearn.naive_bayes": ("GaussianNB",),
    "sklearn.pipeline": ("FeatureUnion", "Pipeline"),
    "sklearn.preprocessing": (
        *("Binarizer", "FunctionTransformer", "KBinsDiscretizer", "LabelBinarizer", "LabelEncoder", "MaxAbsScaler"),
        *("MinMaxScaler", "Normalizer", "OneHotEncoder", "OrdinalEncoder", "PowerTransformer", "QuantileTransformer"),
        *("RobustScaler", "StandardScaler"),
    ),
    "sklearn.svm": ("LinearSVC", "LinearSVR"),
    "sklearn.tree": ("DecisionTreeClassifier", "DecisionTreeRegressor", "ExtraTreeClassifier", "ExtraTreeRegressor"),
}
_FUNCTIONS = {
    "kerasnet.preprocessing.tabular": ("_as_floats", "_as_objects", "_columns_by_dtype"),
    "sklearn.feature_selection": (
        *("chi2", "f_classif", "f_regression", "mutual_info_classif", "mutual_info_regression", "r_regression"),
    ),
}
_KEYWORDS = {  # of what functools.partial may hold
    "_columns_by_dtype": {"numeric", "others"},
    "mutual_info_classif": {"discrete_features", "n_neighbors", "random_state"},
    "mutual_info_regression": {"discrete_features", "n_neighbors", "random_state"},
}
_PLAIN = ("bool", "float", "int", "str")
_SCALARS = (
    *("bool", "float16", "float32", "float64", "int8", "int16", "int32", "int64", "str_"),
    *("uint8", "uint16", "uint32", "uint64"),
)
_KEY_TYPES = {*(f"builtins.{name}" for name in _PLAIN), *(f"numpy.{name}" for name in _SCALARS)}
_TUPLES = ("sklearn.impute._iterative._ImputerTriplet",)
_SCHEMA = "schema.json"
_MAX_NODES = 50_000
_MAX_BITS = 64  # of an int: larger ones can be made to have the same hash
_KINDS_OF_ARRAYS = "biufUMm"


class Placeholder:
    """Stands for what is kept elsewhere in an archive.

    Parameters
    ----------
    kind : {"network", "tree"}
        What it stands for.
    number : int
        Which of them.
    """

    def __init__(self, kind, number):
        self.kind = kind
        self.number = number


class ForeignTypeError(Exception):
    """There is a type, or a use of one, that is not on the list; the message names it."""


def name_of(kind):
    """Return the full name of a class or function, as skops writes it."""
    return f"{kind.__module__}.{kind.__name__}"


@functools.cache
def known_classes():
    """Return the classes on the list, by their full names."""
    return _resolved(_CLASSES)


def _resolved(table):
    found = [getattr(importlib.import_module(module), name) for module, names in table.items() for name in names]
    return {name_of(each): each for each in found}


@functools.cache
def _allowed():
    """Return the full names that may stand in a file, by the kind of skops' node."""
    return {
        "DTypeNode": {"numpy.dtype"},
        "DictNode": {"builtins.dict"},
        "FunctionNode": {*_resolved(_FUNCTIONS), *(f"numpy.{name}" for name in _ufuncs())},
        "JsonNode": {"builtins.str"},
        "ListNode": {"builtins.list"},
        "NdArrayNode": {f"numpy.{name}" for name in ("ndarray", *_SCALARS)},
        "ObjectNode": {*known_classes(), name_of(Placeholder)},
        "PartialNode": {"functools.partial"},
        "SetNode": {"builtins.set"},
        "SliceNode": {"builtins.slice"},
        "TupleNode": {"builtins.tuple", *_TUPLES},
        "TypeNode": {*_KEY_TYPES, "builtins.object", "numpy.number", "numpy.object_"},
    }


@functools.cache
def _ufuncs():
    """Return the names of NumPy's universal functions."""
    return {name for name in dir(np) if isinstance(getattr(np, name), np.ufunc)}


@functools.cache
def _protocol():
    """Return the version of the format that the installed skops writes."""
    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(None))) as archive:
        return json.loads(archive.read(_SCHEMA))["protocol"]


@functools.cache
def _reserved(kind):
    """Return the names that instances of a class have without a file's doing, but for its parameters."""
    return set(dir(kind)) - set(inspect.signature(kind.__init__).parameters)


class _Rewriter:
    """Makes a schema anew of what is understood of one.

    Parameters
    ----------
    headers : dict of str to (dtype, shape)
        Of the files beside the schema.
    copies : bool
        Whether a file may be named more than once.

    Attributes
    ----------
    names : set of str
        The full names of all types and functions.
    files : dict of str to str
        The new names of files, and their old ones.
    """

    def __init__(self, headers, copies):
        self.headers, self.copies = headers, copies
        self.names, self.files, self.n_nodes = set(), {}, 0

    def node(self, node, *loaders):
        """Return a node, and all below it, without what is not understood."""
        loader, module, kind = node["__loader__"], node["__module__"], node["__class__"]
        if loader == "FunctionNode" and str(kind) in _ufuncs() and str(module).startswith("numpy."):
            module = "numpy"  # skops names one of the private modules that have the function, too
        name = f"{module}.{kind}"
        self.n_nodes += 1
        if self.n_nodes > _MAX_NODES:
            raise ForeignTypeError(f"more than {_MAX_NODES} values (trees, categories and the like)")
        if not isinstance(loader, str) or name not in _allowed().get(loader, ()):
            raise ForeignTypeError(name if loader in _allowed() else f"{name} ({loader})")
        if loaders and loader not in loaders:
            raise ForeignTypeError(f"{name} in a place for {' or '.join(loaders)}")
        self.names.add(name)
        made = {"__class__": kind, "__module__": module, "__loader__": loader}
        return {**made, **getattr(self, f"_{loader}")(node, name)}

    def _JsonNode(self, node, name):
        content = node["content"]
        if content[:1] in ("[", "{") or isinstance(value := json.loads(content), dict | list):
            raise ForeignTypeError("a list or dict as text")
        if isinstance(value, int) and value.bit_length() > _MAX_BITS:
            raise ForeignTypeError("an int of many digits")
        return {"content": content, "is_json": True}

    def _DictNode(self, node, name):
        key_types = self.node(node["key_types"], "ListNode")
        if strange := {f"{each['__module__']}.{each['__class__']}" for each in key_types["content"]} - _KEY_TYPES:
            raise ForeignTypeError(f"keys of {', '.join(sorted(strange))}")
        content = {key: self.node(value) for key, value in node["content"].items()}
        if len(content) != len(key_types["content"]):
            raise ValueError("a dict with other types than keys")
        return {"key_types": key_types, "content": content}

    def _ListNode(self, node, name):
        if not isinstance(node["content"], list):
            raise ValueError(f"a list of {node['content']!r:.100}")
        return {"content": [self.node(each) for each in node["content"]]}

    _TupleNode = _SetNode = _ListNode

    def _NdArrayNode(self, node, name):
        if node["type"] == "json":
            (size,) = (json.loads(each["content"]) for each in node["shape"]["content"])
            content = [self.node(each, "JsonNode", "NdArrayNode") for each in node["content"]]
            if size != len(content) or name != "numpy.ndarray":
                raise ValueError(f"{len(content)} objects in an array of {size!r:.100}")
            return {"type": "json", "content": content, "shape": self.node(node["shape"], "TupleNode")}
        dtype, shape = self.headers[node["file"]]
        if node["type"] != "numpy" or (name != "numpy.ndarray" and shape) or dtype.kind not in _KINDS_OF_ARRAYS:
            raise ForeignTypeError(f"{name} of {dtype}{list(shape)}")
        if not self.copies and node["file"] in self.files.values():
            raise ForeignTypeError(f"the array {node['file']} twice")
        file = f"{len(self.files)}.npy"
        self.files[file] = node["file"]
        return {"type": "numpy", "file": file}

    def _DTypeNode(self, node, name):
        return {"content": self.node(node["content"], "NdArrayNode")}

    def _SliceNode(self, node, name):
        bounds = {each: node["content"][each] for each in ("start", "stop", "step")}
        if not all(each is None or type(each) is int for each in bounds.values()):
            raise ValueError(f"a slice of {bounds!r:.100}")
        return {"content": bounds}

    def _TypeNode(self, node, name):
        return {}

    _FunctionNode = _TypeNode

    def _PartialNode(self, node, name):
        content = node["content"]
        function, keywords = self.node(content["func"], "FunctionNode"), self.node(content["kwds"], "DictNode")
        known = _KEYWORDS.get(function["__class__"], ())
        if content["args"]["content"] or keywords["content"].keys() - known:
            raise ForeignTypeError(f"a partial of {function['__class__']}")
        arguments = self.node(content["args"], "TupleNode")
        nothing = {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": "null"}
        return {"content": {"func": function, "args": arguments, "kwds": keywords, "namespace": nothing}}

    def _ObjectNode(self, node, name):
        content = self.node(node["content"], "DictNode")
        reserved = _reserved(known_classes().get(name, Placeholder))
        strange = [key for key in content["content"] if not key.isidentifier() or key[:2] == "__" or key in reserved]
        if strange or any(each["__class__"] != "str" for each in content["key_types"]["content"]):
            raise ForeignTypeError(f"the attributes {strange} of {name}")
        if name.endswith(".FunctionTransformer"):
            for key in ("kw_args", "inv_kw_args"):
                if content["content"].get(key, {}).get("content", "null") != "null":
                    raise ForeignTypeError(f"{key} of FunctionTransformer")
        return {"content": content}


def write_schema(content):
    """Return what skops wrote as :func:`read_schema` takes it, and the size of the JSON in it.

    Raises
    ------
    ForeignTypeError
        If there is a type that is not on the list.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        schema = json.loads(archive.read(_SCHEMA))
        files = {name: archive.read(name) for name in archive.namelist() if name != _SCHEMA}
    headers = {name: read_npy_header(io.BytesIO(each), len(each), name)[:2] for name, each in files.items()}
    rewriter = _Rewriter(headers, copies=True)
    return _put_together(rewriter.node(schema), rewriter, files)


def read_schema(content, where, limits):
    """Look through a file of skops', and put it together anew of what is understood.

    Parameters
    ----------
    content : bytes
        The file, of any origin.
    where : str
        Its place, for messages.
    limits : Limits
        What it may ask for.

    Returns
    -------
    content : bytes
        A file that skops can read without harm.
    names : set of str
        The full names of the types and functions in it.

    Raises
    ------
    UnsafeFileError
        If there is a type that is not on the list, or a limit is passed.
    CorruptFileError
        If it is not as :func:`write_schema` makes it.
    """
    with open_zip(content, where, max_members=limits.max_members, stored=True) as archive:
        headers, files = {}, {}
        for info in archive.infolist():
            name = info.filename
            if not re.fullmatch(rf"{re.escape(_SCHEMA)}|\d+\.npy", name):
                raise UnsafeFileError(f"{where}: expected a schema and arrays, found {name!r}.")
            if name == _SCHEMA and info.file_size > limits.max_json_bytes:
                limit = f"max_json_bytes={limits.max_json_bytes}"
                raise UnsafeFileError(f"{where}: {_SCHEMA} of {info.file_size} bytes is larger than {limit}.")
            files[name] = archive.read(name)
            if name != _SCHEMA:
                headers[name] = read_npy_header(io.BytesIO(files[name]), info.file_size, f"{where}: {name}")[:2]
    if _SCHEMA not in files:
        raise CorruptFileError(f"{where}: expected {_SCHEMA}, found {sorted(files)[:5]}.")
    schema = parse_json(files.pop(_SCHEMA), f"{where}: {_SCHEMA}", max_depth=limits.max_json_depth)
    rewriter = _Rewriter(headers, copies=False)
    try:
        if schema["protocol"] != _protocol():  # older ones have loaders of their own
            raise ForeignTypeError(f"protocol {schema['protocol']!r:.100}")
        made = rewriter.node(schema)
    except ForeignTypeError as error:
        raise UnsafeFileError(f"{where}: expected types that kn.save keeps, found {error}.") from None
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise CorruptFileError(f"{where}: expected steps as kn.save writes them, found: {error!r}.") from error
    return _put_together(made, rewriter, files)[0], rewriter.names


def _put_together(schema, rewriter, files):
    """Return a file of skops', and the size of the JSON in it."""
    written = io.BytesIO()
    text = json.dumps({**schema, "protocol": _protocol()}, separators=(",", ":"))
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr(zipfile.ZipInfo(_SCHEMA), text)
        for new, old in rewriter.files.items():
            archive.writestr(zipfile.ZipInfo(new), files[old])
    return written.getvalue(), len(text)
