"""Transformers, scikit-learn's steps and what combines them: through skops, from a fixed list of types."""

import copy
import functools
import re
from numbers import Integral

import joblib
import numpy as np
import pandas as pd
import skops.io
from sklearn.base import BaseEstimator
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import BaseDecisionTree, DecisionTreeRegressor

from kerasnet.errors import CorruptFileError, KerasNetError, UnsafeFileError
from kerasnet.estimators._parameters import EstimatorParameters
from kerasnet.persistence._container import STEPS
from kerasnet.persistence._entries import metadata_request
from kerasnet.persistence._networks import as_seed, described_requests, is_random
from kerasnet.persistence._schema import (
    ForeignTypeError,
    Placeholder,
    known_classes,
    name_of,
    read_schema,
    write_schema,
)

_FORESTS = ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor
_CALLBACKS = "_skl_callbacks"  # for training alone
_LEAF = -1
_stump = DecisionTreeRegressor(random_state=0).fit([[0.0]], [0.0]).tree_
_TREE, _NODE = type(_stump), _stump.__getstate__()["nodes"].dtype  # scikit-learn has no public names for them
_MAX_FEATURES = 10_000_000
_NAMES_OUT = re.compile(r"[^{}]*(\{(transformer_name|feature_name)\}[^{}]*)*")
_REMEDY = (
    "It keeps kerasnet's estimators and transformers, steps of scikit-learn's whose files can do no harm (see the "
    "documentation of kerasnet.save), and what Pipeline, FeatureUnion and ColumnTransformer make of them."
)


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
    n_json_bytes : int
        The size of the JSON in `content`.

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
                    replaced[id(value)] = described_requests(value)
                elif name == _CALLBACKS:
                    replaced[id(value)] = None
        elif isinstance(part, _TREE):
            replaced[id(part)] = Placeholder("tree", n_trees)
            state = part.__getstate__()
            arrays[f"{n_trees}/nodes"], arrays[f"{n_trees}/values"] = state["nodes"], state["values"]
            arrays[f"{n_trees}/sizes"] = np.array([part.n_features, *part.n_classes])
            n_trees += 1
        elif is_random(part):
            replaced[id(part)] = as_seed(part)
        elif isinstance(part, pd.Index | pd.Series):  # as lists of columns
            replaced[id(part)] = part.tolist()
    try:
        twin = copy.deepcopy(obj, replaced)
        for part in _parts(twin):
            if isinstance(part, BaseEstimator):
                vars(part).pop(_CALLBACKS, None)
                if hasattr(part, "memory"):
                    part.memory = None  # a folder of this machine
        content, n_json_bytes = write_schema(skops.io.dumps(twin))
    except ForeignTypeError as error:
        raise TypeError(f"kn.save keeps no {error}, which {type(obj).__name__} holds. {_REMEDY}") from None
    except Exception as error:  # whatever skops says of values that it does not know
        raise TypeError(f"kn.save keeps plain values, but there are others in {type(obj).__name__}: {error}") from error
    return content, arrays, n_json_bytes


def load_steps(content, trees, networks, path, limits):
    """Return what :func:`dump_steps` made bytes of.

    Parameters
    ----------
    content : bytes
        From a file of any origin.
    trees : dict of str to ndarray
        The decision trees.
    networks : dict of int to estimator
        What placeholders stand for, by number.
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
    content, names = read_schema(content, where, limits)
    try:
        found = skops.io.loads(content, trusted=sorted(names))
        grown = {number: _tree(trees, number) for number in range(len(trees) // 3)}
        kept = {"network": networks, "tree": grown}
        places = {id(part): part for part in _parts(found) if isinstance(part, Placeholder)}
        numbers = {(place.kind, place.number) for place in places.values()}
        if numbers != {(kind, number) for kind, parts in kept.items() for number in parts}:
            raise ValueError(f"places for {sorted(numbers)}")
        found = copy.deepcopy(found, {key: kept[place.kind][place.number] for key, place in places.items()})
        parts = [*_parts(found)]
        for part in parts:
            _settle(part, where)
        owned = {id(part.tree_) for part in parts if isinstance(part, BaseDecisionTree) and "tree_" in vars(part)}
        if any(isinstance(part, _TREE) and id(part) not in owned for part in parts):
            raise ValueError("a tree in another place than tree_")
    except (KerasNetError, Warning):  # warnings are errors where the user wants it
        raise
    except Exception as error:  # whatever skops and scikit-learn raise where a file makes no sense
        raise CorruptFileError(f"{where}: expected steps as kn.save writes them, found: {error!r}.") from error
    return found


def list_types(content, where, limits):
    """Return the full names of types and functions in a file of skops', but those of plain values."""
    _, names = read_schema(content, where, limits)
    return sorted(name for name in names if name.startswith(("kerasnet.", "sklearn.")) and name != name_of(Placeholder))


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
    if name_of(kind) not in known_classes():
        hint = "Save its best_estimator_. " if any(each.__name__.endswith("SearchCV") for each in kind.__mro__) else ""
        raise TypeError(f"kn.save keeps no {kind.__name__}. {hint}{_REMEDY}")


def _tree(trees, number):
    """Build a decision tree; scikit-learn follows the numbers of nodes and features in it wherever they lead."""
    nodes, values, sizes = (trees[f"{number}/{name}"] for name in ("nodes", "values", "sizes"))
    if sizes.dtype != np.int64 or values.ndim != 3 or sizes.shape != (1 + values.shape[1],):
        raise ValueError(f"a decision tree of sizes {sizes.dtype}{list(sizes.shape)}")
    n_features, *n_classes = sizes.tolist()
    if not 1 <= n_features <= _MAX_FEATURES or min(n_classes) < 1 or nodes.dtype != _NODE or not len(nodes):
        raise ValueError(f"a decision tree of {n_features} features and {len(nodes)} nodes")
    left, right, feature = (nodes[name] for name in ("left_child", "right_child", "feature"))
    numbers, inner = np.arange(len(nodes)), left != _LEAF
    children = np.stack([left, right])[:, inner]
    if (
        (right[~inner] != _LEAF).any()
        or (children <= numbers[inner]).any()
        or (children >= len(nodes)).any()
        or ((feature < 0) | (feature >= n_features))[inner].any()
    ):
        raise ValueError(f"a decision tree of {len(nodes)} nodes that do not belong together")
    depths = np.zeros(len(nodes), dtype=np.intp)
    for node in numbers[inner]:  # children come after their parents
        below = depths[node] + 1
        depths[left[node]], depths[right[node]] = max(depths[left[node]], below), max(depths[right[node]], below)
    tree = _TREE(n_features, np.array(n_classes, dtype=np.intp), len(n_classes))
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
    if type(attributes.get("n_features_in_", 0)) is not int:
        raise ValueError(f"n_features_in_ {part.n_features_in_!r:.100}")
    if attributes.get("n_jobs") is not None:
        if isinstance(part.n_jobs, bool) or not isinstance(part.n_jobs, Integral):
            raise ValueError(f"n_jobs {part.n_jobs!r:.100}")
        part.n_jobs = min(int(part.n_jobs), joblib.cpu_count())
    names_out = attributes.get("verbose_feature_names_out", True)
    if not isinstance(names_out, bool) and not (isinstance(names_out, str) and _NAMES_OUT.fullmatch(names_out)):
        raise ValueError(f"verbose_feature_names_out {names_out!r:.100}")
    if isinstance(attributes.get("random_state_"), int):  # drawn from in use
        part.random_state_ = np.random.RandomState(part.random_state_)
    if "_metadata_request" in attributes:
        part._metadata_request = metadata_request(part, part._metadata_request)
    own_tree = isinstance(part, BaseDecisionTree) and type(attributes.get("tree_")) is _TREE
    if "tree_" in attributes and not (own_tree and part.tree_.n_features == part.n_features_in_):
        raise ValueError(f"a {type(part).__name__} with another tree")
    if isinstance(part, _FORESTS):
        for tree in attributes.get("estimators_", ()):
            if not isinstance(tree, BaseDecisionTree) or tree.n_features_in_ != part.n_features_in_:
                raise ValueError(f"a {type(part).__name__} of other trees")
    if isinstance(part, OneHotEncoder) and "categories_" in attributes:
        _check_encoder(part)


def _check_encoder(encoder):
    """See that an encoder's numbers are columns that it has: compiled code takes them as they are."""
    sizes = []
    for categories in encoder.categories_:
        if not isinstance(categories, np.ndarray) or categories.ndim != 1:
            raise ValueError("categories that are no array")
        if categories.dtype.kind not in "OU" and not (np.diff(categories[categories == categories]) > 0).all():
            raise ValueError("categories out of order")
        sizes.append(len(categories))
    if encoder._infrequent_enabled:
        rarities = zip(encoder._infrequent_indices, encoder._default_to_infrequent_mappings, strict=True)
        for number, (rare, mapping) in enumerate(rarities):
            if rare is not None:
                before, sizes[number] = sizes[number], sizes[number] - len(rare) + 1
                if not _within(rare, before) or mapping.shape != (before,) or not _within(mapping, sizes[number]):
                    raise ValueError("infrequent categories that are none")
    if encoder._drop_idx_after_grouping is not None:
        for number, drop in enumerate(encoder._drop_idx_after_grouping.tolist()):
            if drop is not None:
                if not _within(np.array([drop]), sizes[number]):
                    raise ValueError("a dropped category that is none")
                sizes[number] -= 1
    if len(sizes) != encoder.n_features_in_ or encoder._n_features_outs != sizes:
        raise ValueError("an encoder of other columns")


def _within(numbers, size):
    plain = isinstance(numbers, np.ndarray) and numbers.ndim == 1 and numbers.dtype.kind in "iu"
    return plain and bool(((numbers >= 0) & (numbers < size)).all())
