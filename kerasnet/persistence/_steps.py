"""Transformers, scikit-learn's steps and what combines them: through skops, from a fixed list of types."""

import copy
import functools
import importlib
import io
import json
import re
import zipfile

import numpy as np
import skops.io
from sklearn.base import BaseEstimator
from sklearn.model_selection._search import BaseSearchCV
from sklearn.tree._tree import NODE_DTYPE, Tree
from skops.io._protocol import PROTOCOL

from kerasnet._files import open_zip, parse_json, read_npy_header
from kerasnet.errors import CorruptFileError, KerasNetError, UnsafeFileError
from kerasnet.estimators._parameters import EstimatorParameters
from kerasnet.persistence._container import STEPS
from kerasnet.persistence._networks import as_seed, metadata_request

# What a file may bring to life. NumPy alone uses what these learn, whatever that is. Types whose compiled code relies
# on what they learned (support vector machines with kernels, nearest neighbours, gradient boosting) are not here.
# Trees are: they are kept apart, and looked at when they are read.
_CLASSES = {
    "kerasnet.features": ("HOGTransformer", "ImagePreprocessor", "SIFTTransformer"),
    "kerasnet.preprocessing": ("InterpolationImputer", "OutlierClipper"),
    "sklearn.compose": ("ColumnTransformer", "make_column_selector"),
    "sklearn.decomposition": ("PCA", "TruncatedSVD"),
    "sklearn.discriminant_analysis": ("LinearDiscriminantAnalysis",),
    "sklearn.dummy": ("DummyClassifier", "DummyRegressor"),
    "sklearn.ensemble": (
        *("ExtraTreesClassifier", "ExtraTreesRegressor", "RandomForestClassifier", "RandomForestRegressor"),
    ),
    "sklearn.feature_selection": ("SelectFromModel", "SelectKBest", "SelectPercentile", "VarianceThreshold"),
    "sklearn.impute": ("IterativeImputer", "KNNImputer", "MissingIndicator", "SimpleImputer"),
    "sklearn.linear_model": (
        *("BayesianRidge", "ElasticNet", "Lasso", "LinearRegression", "LogisticRegression", "Ridge"),
        "RidgeClassifier",
    ),
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
_OF_NUMPY = ("ndarray", "bool", "int32", "int64", "float32", "float64", "str_")
_LOADERS = {
    "DTypeNode": {"numpy.dtype"},
    "DictNode": {"builtins.dict", "sklearn.utils._bunch.Bunch"},
    "JsonNode": {"builtins.str"},
    "ListNode": {"builtins.list"},
    "NdArrayNode": {f"numpy.{name}" for name in _OF_NUMPY},
    "PartialNode": {"functools.partial"},
    "SetNode": {"builtins.set"},
    "SliceNode": {"builtins.slice"},
    "TupleNode": {"builtins.tuple", "sklearn.impute._iterative._ImputerTriplet"},
    "TypeNode": {
        *(f"builtins.{name}" for name in ("bool", "float", "int", "object", "str")),
        *(f"numpy.{name}" for name in ("bool", "float32", "float64", "int32", "int64", "number", "object_", "str_")),
    },
}
_MODULES_OF_UFUNCS = ("numpy", "numpy._core._multiarray_umath", "numpy._core.umath")
_SCHEMA = "schema.json"
_CALLBACKS = "_skl_callbacks"  # for training alone
_LEAF = -1
_REMEDY = (
    "It keeps kerasnet's estimators and transformers, steps of scikit-learn's that are safe to read from a file, and "
    "what Pipeline, FeatureUnion and ColumnTransformer make of them."
)


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


def dump_steps(obj, add_network):
    """Turn a transformer, a step or a composition into bytes; it stays as it is.

    Parameters
    ----------
    obj : estimator
        Not an estimator of a network itself.
    add_network : callable
        Called with each estimator of a network in `obj`; returns its number.

    Returns
    -------
    content : bytes
        What skops makes of it.
    trees : dict of str to ndarray
        The decision trees in it.

    Raises
    ------
    TypeError
        If a type is not on the list; the message names it.
    """
    replaced, arrays, n_trees = {}, {}, 0
    for part in _parts(obj):
        if isinstance(part, EstimatorParameters):
            replaced[id(part)] = Placeholder("network", add_network(part))
        elif isinstance(part, BaseEstimator):
            _check_class(type(part))
            for name, value in vars(part).items():
                if name == "_metadata_request":  # it knows its owner, which would be without end
                    replaced[id(value)] = value._serialize()
                elif name == _CALLBACKS:
                    replaced[id(value)] = None
        elif isinstance(part, Tree):
            replaced[id(part)] = Placeholder("tree", n_trees)
            state = part.__getstate__()
            arrays[f"{n_trees}/nodes"], arrays[f"{n_trees}/values"] = state["nodes"], state["values"]
            arrays[f"{n_trees}/sizes"] = np.array([part.n_features, *part.n_classes])
            n_trees += 1
        elif isinstance(part, np.random.RandomState):
            replaced[id(part)] = as_seed(part)
        elif isinstance(part, np.random.Generator):
            replaced[id(part)] = int(copy.deepcopy(part).integers(np.iinfo(np.int32).max))
    twin = copy.deepcopy(obj, replaced)
    for part in _parts(twin):
        if isinstance(part, BaseEstimator):
            vars(part).pop(_CALLBACKS, None)
            if hasattr(part, "memory"):
                part.memory = None  # a folder of this machine
    content, schema = _without_spaces(skops.io.dumps(twin))
    if foreign := _foreign_types(schema):
        raise TypeError(f"kn.save keeps no {', '.join(foreign)}, which {type(obj).__name__} holds. {_REMEDY}")
    return content, arrays


def _without_spaces(content):
    """Return what skops wrote without the indentation that takes most of it, and its schema."""
    written = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as archive, zipfile.ZipFile(written, "w") as compact:
        schema = json.loads(archive.read(_SCHEMA))
        for name in archive.namelist():
            text = json.dumps(schema, separators=(",", ":")) if name == _SCHEMA else archive.read(name)
            compact.writestr(zipfile.ZipInfo(name), text)
    return written.getvalue(), schema


def load_steps(content, trees, networks, path, limits):
    """Return what :func:`dump_steps` made bytes of.

    Parameters
    ----------
    content : bytes
        From a file of any origin.
    trees : dict of str to ndarray
        The decision trees.
    networks : list of estimators
        What placeholders stand for.
    path : str or path-like
        The archive, for messages.
    limits : Limits
        What the file may ask for.

    Returns
    -------
    estimator
        The transformer, the step or the composition.

    Raises
    ------
    UnsafeFileError, CorruptFileError
        If the bytes are not such as `dump_steps` makes.
    """
    where = f"{path}: {STEPS}"
    if foreign := _foreign_types(_read_schema(content, where, limits)):
        raise UnsafeFileError(f"{where}: expected types that kn.save keeps, found {', '.join(foreign)}.")
    try:
        found = skops.io.loads(content, trusted=sorted(_trusted()))
        kept = {"network": networks, "tree": [_tree(trees, number) for number in range(len(trees) // 3)]}
        places = {id(part): part for part in _parts(found) if isinstance(part, Placeholder)}
        numbers = {(place.kind, place.number) for place in places.values()}
        if numbers != {(kind, number) for kind, parts in kept.items() for number in range(len(parts))}:
            raise ValueError(f"places for {sorted(numbers)}")
        found = copy.deepcopy(found, {key: kept[place.kind][place.number] for key, place in places.items()})
        for part in _parts(found):
            _settle(part, where)
    except KerasNetError:
        raise
    except Exception as error:  # whatever skops and scikit-learn raise where a file makes no sense
        raise CorruptFileError(f"{where}: expected steps as kn.save writes them, found: {error!r}.") from error
    return found


def list_types(content, where, limits):
    """Return the full names of types and functions in a file of skops', but those of plain values."""
    named = _nodes(_read_schema(content, where, limits))
    return sorted({name for loader, name in named if loader in ("ObjectNode", "FunctionNode")} - {name_of(Placeholder)})


def _parts(root):
    """Yield an object and all that it is made of, each once; not what a network is made of."""
    waiting, seen = [root], set()
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        yield part
        if isinstance(part, dict):
            waiting += part.values()
        elif isinstance(part, list | tuple | set):
            waiting += part
        elif isinstance(part, functools.partial):
            waiting += [part.func, *part.args, *part.keywords.values()]
        elif isinstance(part, np.ndarray) and part.dtype.hasobject:
            waiting += part.ravel().tolist()
        elif isinstance(part, BaseEstimator) and not isinstance(part, EstimatorParameters):
            waiting += vars(part).values()


def _check_class(kind):
    """Refuse an estimator that is not on the list."""
    if name_of(kind) not in _trusted():
        hint = (
            "Save its best_estimator_. " if hasattr(kind, "best_estimator_") or issubclass(kind, BaseSearchCV) else ""
        )
        raise TypeError(f"kn.save keeps no {kind.__name__}. {hint}{_REMEDY}")


def name_of(kind):
    """Return the full name of a class or function, as skops writes it."""
    return f"{kind.__module__}.{kind.__name__}"


@functools.cache
def _allowed():
    """Return the full names that may stand in a file, by the kind of skops' node."""
    classes, functions = (
        {name_of(getattr(importlib.import_module(module), name)) for module, names in table.items() for name in names}
        for table in (_CLASSES, _FUNCTIONS)
    )
    ufuncs = [name for name in dir(np) if isinstance(getattr(np, name), np.ufunc)]
    functions |= {f"{module}.{name}" for module in _MODULES_OF_UFUNCS for name in ufuncs}
    return {**_LOADERS, "ObjectNode": {*classes, name_of(Placeholder)}, "FunctionNode": functions}


@functools.cache
def _trusted():
    return frozenset().union(*_allowed().values())


def _foreign_types(schema):
    """Return what is in a schema of skops' and not on the list."""
    foreign = {
        name if loader in _allowed() else f"{name} ({loader})"
        for loader, name in _nodes(schema)
        if name not in _allowed().get(loader, ())
    }
    if schema.get("protocol") != PROTOCOL:  # older ones have loaders of their own
        foreign.add(f"protocol {schema.get('protocol')!r}")
    return sorted(foreign)


def _nodes(schema):
    """Yield loader and full name of each node of a schema."""
    level = [schema]
    while level:
        for node in level:
            if isinstance(node, dict) and isinstance(loader := node.get("__loader__"), str):
                yield loader, f"{node.get('__module__')}.{node.get('__class__')}"
        level = [
            entry
            for node in level
            if isinstance(node, dict | list)
            for entry in (node.values() if isinstance(node, dict) else node)
        ]


def _read_schema(content, where, limits):
    """Return the schema of a file of skops', after a look at the arrays beside it."""
    with open_zip(content, where, max_members=limits.max_members) as archive:
        for info in archive.infolist():
            if info.compress_type != zipfile.ZIP_STORED or not re.fullmatch(rf"{_SCHEMA}|\d+\.npy", info.filename):
                raise UnsafeFileError(f"{where}: expected a schema and arrays, found {info.filename!r}.")
            if info.filename != _SCHEMA:
                with archive.open(info) as file:
                    read_npy_header(file, info.file_size, f"{where}: {info.filename}")
            elif info.file_size > limits.max_json_bytes:
                limit = f"max_json_bytes={limits.max_json_bytes}"
                raise UnsafeFileError(f"{where}: {_SCHEMA} of {info.file_size} bytes is larger than {limit}.")
        try:
            schema = archive.read(_SCHEMA)
        except KeyError:
            raise CorruptFileError(f"{where}: expected {_SCHEMA}, found {archive.namelist()[:5]}.") from None
    schema = parse_json(schema, f"{where}: {_SCHEMA}", max_depth=limits.max_json_depth)
    if not isinstance(schema, dict):
        raise CorruptFileError(f"{where}: {_SCHEMA}: expected an object, found {schema!r:.100}.")
    return schema


def _tree(trees, number):
    """Build a decision tree; scikit-learn follows the numbers of nodes and features in it wherever they lead."""
    nodes, values, (n_features, *n_classes) = (trees[f"{number}/{name}"] for name in ("nodes", "values", "sizes"))
    left, right, feature = (nodes[name] for name in ("left_child", "right_child", "feature"))
    numbers, inner = np.arange(len(nodes)), left != _LEAF
    children = np.stack([left, right])[:, inner]
    if (
        nodes.dtype != NODE_DTYPE
        or not len(nodes)
        or min(n_classes) < 1
        or (right[~inner] != _LEAF).any()
        or (children <= numbers[inner]).any()
        or (children >= len(nodes)).any()
        or ((feature < 0) | (feature >= n_features))[inner].any()
    ):
        raise ValueError(f"a decision tree of {len(nodes)} nodes that do not belong together")
    depths = np.zeros(len(nodes), dtype=np.intp)
    for node in numbers[inner]:  # children come after their parents
        below = depths[node] + 1
        depths[left[node]], depths[right[node]] = max(depths[left[node]], below), max(depths[right[node]], below)
    tree = Tree(int(n_features), np.array(n_classes, dtype=np.intp), len(n_classes))
    state = {"max_depth": int(depths.max()), "node_count": len(nodes), "nodes": nodes, "values": values}
    tree.__setstate__(state)
    return tree


def _settle(part, where):
    """Give a part that was read what skops does not keep; refuse what would harm in use."""
    if not isinstance(part, BaseEstimator) or isinstance(part, EstimatorParameters):
        return
    attributes = vars(part)
    if attributes.get("memory") is not None:
        raise UnsafeFileError(f"{where}: expected no memory, found {part.memory!r:.200}.")
    if "_metadata_request" in attributes:
        part._metadata_request = metadata_request(part, part._metadata_request)
    for tree in [attributes["tree_"]] if "tree_" in attributes else attributes.get("estimators_", ()):
        n_features = tree.n_features if isinstance(tree, Tree) else tree.n_features_in_
        if n_features != part.n_features_in_:
            raise ValueError(f"decision trees of {n_features} features in a {type(part).__name__} of other ones")
