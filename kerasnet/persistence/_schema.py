"""Validate files of skops: rebuild the schema node by node, with a fixed list of types and each array once."""

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

# The classes that a file may contain. Only NumPy uses their learned attributes, which is safe for any values. Excluded
# are types whose compiled code relies on valid learned attributes: kernel support vector machines, nearest neighbors,
# coordinate descent, gradient boosting. Decision trees and one-hot encoders are included, and validated after loading.
_CLASSES = {
    "kerasnet.features": ("HOGTransformer", "ImagePreprocessor", "SIFTTransformer", "TextVectorizer"),
    "kerasnet.preprocessing": ("InterpolationImputer", "OutlierClipper"),
    "kerasnet.preprocessing._pipeline": ("ArrayPipeline",),
    "sklearn.compose": ("ColumnTransformer", "TransformedTargetRegressor", "make_column_selector"),
    "sklearn.decomposition": ("IncrementalPCA", "PCA", "TruncatedSVD"),
    "sklearn.discriminant_analysis": ("LinearDiscriminantAnalysis",),
    "sklearn.dummy": ("DummyClassifier", "DummyRegressor"),
    "sklearn.ensemble": (
        *("ExtraTreesClassifier", "ExtraTreesRegressor", "RandomForestClassifier", "RandomForestRegressor"),
        *("VotingClassifier", "VotingRegressor"),
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
    "kerasnet.preprocessing.tabular": ("_as_floats", "_as_objects", "_columns_by_dtype", "_same_names"),
    "sklearn.feature_selection": (
        *("chi2", "f_classif", "f_regression", "mutual_info_classif", "mutual_info_regression", "r_regression"),
    ),
}
_KEYWORDS = {  # allowed in functools.partial
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
_MAX_BITS = 64  # of an int: larger ones can be chosen to have equal hashes
_ARRAY_KINDS = "biufUMm"


class Placeholder:
    """A placeholder for an object that is stored in another member of the archive.

    Parameters
    ----------
    kind : {"network", "tree"}
        The kind of object.
    number : int
        The number of the object.
    """

    def __init__(self, kind, number):
        self.kind = kind
        self.number = number


class DisallowedTypeError(Exception):
    """Raised for a type, or a use of a type, that is not allowed. The message names it."""


def name_of(kind):
    """Return the full name of a class or function as written by skops."""
    return f"{kind.__module__}.{kind.__name__}"


@functools.cache
def allowed_classes():
    """Return the allowed classes by their full names."""
    return _resolved(_CLASSES)


def _resolved(table):
    found = [getattr(importlib.import_module(module), name) for module, names in table.items() for name in names]
    return {name_of(each): each for each in found}


@functools.cache
def _allowed():
    """Return the full names that are allowed in a file, by type of skops node."""
    return {
        "DTypeNode": {"numpy.dtype"},
        "DictNode": {"builtins.dict"},
        "FunctionNode": {*_resolved(_FUNCTIONS), *(f"numpy.{name}" for name in _ufuncs())},
        "JsonNode": {"builtins.str"},
        "ListNode": {"builtins.list"},
        "NdArrayNode": {f"numpy.{name}" for name in ("ndarray", *_SCALARS)},
        "ObjectNode": {*allowed_classes(), name_of(Placeholder)},
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
    """Return the protocol version of the installed skops."""
    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(None))) as archive:
        return json.loads(archive.read(_SCHEMA))["protocol"]


@functools.cache
def _reserved(kind):
    """Return the names of attributes and methods of a class that a file must not set; parameters are allowed."""
    return set(dir(kind)) - set(inspect.signature(kind.__init__).parameters)


class _Rewriter:
    """Rebuilds a schema from the nodes that are allowed.

    Parameters
    ----------
    headers : dict of str to (dtype, shape)
        The headers of the array files.
    copies : bool
        Whether an array file may occur more than once.

    Attributes
    ----------
    names : set of str
        The full names of all types and functions.
    files : dict of str to str
        The old names of the array files by their new names.
    """

    def __init__(self, headers, copies):
        self.headers, self.copies = headers, copies
        self.names, self.files, self.n_nodes = set(), {}, 0

    def node(self, node, *loaders):
        """Rebuild a node and its children; raise an error if one is not allowed."""
        loader, module, kind = node["__loader__"], node["__module__"], node["__class__"]
        if loader == "FunctionNode" and str(kind) in _ufuncs() and str(module).startswith("numpy."):
            module = "numpy"  # skops may write a private module that contains the function
        name = f"{module}.{kind}"
        self.n_nodes += 1
        if self.n_nodes > _MAX_NODES:
            raise DisallowedTypeError(f"more than {_MAX_NODES} values (trees, categories and the like)")
        if not isinstance(loader, str) or name not in _allowed().get(loader, ()):
            raise DisallowedTypeError(name if loader in _allowed() else f"{name} ({loader})")
        if loaders and loader not in loaders:
            raise DisallowedTypeError(f"{name} in a place for {' or '.join(loaders)}")
        self.names.add(name)
        result = {"__class__": kind, "__module__": module, "__loader__": loader}
        return {**result, **getattr(self, f"_{loader}")(node, name)}

    def _JsonNode(self, node, name):
        content = node["content"]
        if content[:1] in ("[", "{") or isinstance(value := json.loads(content), dict | list):
            raise DisallowedTypeError("a list or dict as text")
        if isinstance(value, int) and value.bit_length() > _MAX_BITS:
            raise DisallowedTypeError("an int of many digits")
        return {"content": content, "is_json": True}

    def _DictNode(self, node, name):
        key_types = self.node(node["key_types"], "ListNode")
        if unexpected := {f"{each['__module__']}.{each['__class__']}" for each in key_types["content"]} - _KEY_TYPES:
            raise DisallowedTypeError(f"keys of {', '.join(sorted(unexpected))}")
        content = {key: self.node(value) for key, value in node["content"].items()}
        if len(content) != len(key_types["content"]):
            raise ValueError("a dict with different numbers of types and keys")
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
        if node["type"] != "numpy" or (name != "numpy.ndarray" and shape) or dtype.kind not in _ARRAY_KINDS:
            raise DisallowedTypeError(f"{name} of {dtype}{list(shape)}")
        if not self.copies and node["file"] in self.files.values():
            raise DisallowedTypeError(f"the array {node['file']} twice")
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
        allowed = _KEYWORDS.get(function["__class__"], ())
        if content["args"]["content"] or keywords["content"].keys() - allowed:
            raise DisallowedTypeError(f"a partial of {function['__class__']}")
        arguments = self.node(content["args"], "TupleNode")
        nothing = {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": "null"}
        return {"content": {"func": function, "args": arguments, "kwds": keywords, "namespace": nothing}}

    def _ObjectNode(self, node, name):
        content = self.node(node["content"], "DictNode")
        reserved = _reserved(allowed_classes().get(name, Placeholder))
        unexpected = [key for key in content["content"] if not key.isidentifier() or key[:2] == "__" or key in reserved]
        if unexpected or any(each["__class__"] != "str" for each in content["key_types"]["content"]):
            raise DisallowedTypeError(f"the attributes {unexpected} of {name}")
        if name.endswith(".FunctionTransformer"):
            for key in ("kw_args", "inv_kw_args"):
                if content["content"].get(key, {}).get("content", "null") != "null":
                    raise DisallowedTypeError(f"{key} of FunctionTransformer")
        return {"content": content}


def write_schema(content):
    """Convert a file of skops to the form that :func:`read_schema` reads.

    Parameters
    ----------
    content : bytes
        The file of skops.

    Returns
    -------
    content : bytes
        The converted file.
    n_json_bytes : int
        The size of the JSON in it.

    Raises
    ------
    DisallowedTypeError
        If the file contains a type that is not allowed.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        schema = json.loads(archive.read(_SCHEMA))
        files = {name: archive.read(name) for name in archive.namelist() if name != _SCHEMA}
    headers = {name: read_npy_header(io.BytesIO(each), len(each), name)[:2] for name, each in files.items()}
    rewriter = _Rewriter(headers, copies=True)
    return _assemble(rewriter.node(schema), rewriter, files)


def read_schema(content, where, limits):
    """Validate an untrusted file of skops, and rebuild it from the nodes that are allowed.

    Parameters
    ----------
    content : bytes
        The untrusted file.
    where : str
        The location of the file, for error messages.
    limits : Limits
        The limits for reading the file.

    Returns
    -------
    content : bytes
        A file that skops can load safely.
    names : set of str
        The full names of the types and functions in it.

    Raises
    ------
    UnsafeFileError
        If the file contains a type that is not allowed, or exceeds a limit.
    CorruptFileError
        If the file was not written by :func:`write_schema`.
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
        if schema["protocol"] != _protocol():  # skops has different loaders for older protocols
            raise DisallowedTypeError(f"protocol {schema['protocol']!r:.100}")
        rebuilt = rewriter.node(schema)
    except DisallowedTypeError as error:
        raise UnsafeFileError(f"{where}: expected types that kn.save supports, found {error}.") from None
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise CorruptFileError(f"{where}: expected steps as kn.save writes them, found: {error!r}.") from error
    return _assemble(rebuilt, rewriter, files)[0], rewriter.names


def _assemble(schema, rewriter, files):
    """Return a file of skops with this schema, and the size of the JSON in it."""
    written = io.BytesIO()
    text = json.dumps({**schema, "protocol": _protocol()}, separators=(",", ":"))
    with zipfile.ZipFile(written, "w") as archive:
        archive.writestr(zipfile.ZipInfo(_SCHEMA), text)
        for new, old in rewriter.files.items():
            archive.writestr(zipfile.ZipInfo(new), files[old])
    return written.getvalue(), len(text)
