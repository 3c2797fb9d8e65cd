"""Save and load transformers, scikit-learn steps and compositions with skops, with a fixed list of types."""

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
    VotingClassifier,
    VotingRegressor,
)
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import BaseDecisionTree, DecisionTreeRegressor
from sklearn.utils import Bunch

from kerasnet.errors import CorruptFileError, KerasNetError, UnsafeFileError
from kerasnet.estimators._parameters import EstimatorParameters
from kerasnet.persistence._container import STEPS
from kerasnet.persistence._entries import requests_from_dict
from kerasnet.persistence._networks import draw_seed, is_random, requests_to_dict
from kerasnet.persistence._schema import (
    DisallowedTypeError,
    Placeholder,
    allowed_classes,
    name_of,
    read_schema,
    write_schema,
)

_FORESTS = ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor
_VOTING = VotingClassifier, VotingRegressor
_CALLBACKS = "_skl_callbacks"  # used in training only
_LEAF = -1
_stump = DecisionTreeRegressor(random_state=0).fit([[0.0]], [0.0]).tree_
_TREE, _NODE = type(_stump), _stump.__getstate__()["nodes"].dtype  # scikit-learn has no public names for them
_MAX_FEATURES = 10_000_000
_NAMES_OUT = re.compile(r"[^{}]*(\{(transformer_name|feature_name)\}[^{}]*)*")
_REMEDY = (
    "Supported are estimators and transformers of kerasnet, and the scikit-learn classes listed in the documentation "
    "of kerasnet.save."
)


def dump_steps(obj, add_network):
    """Serialize a transformer, a step or a composition, without changing it.

    Parameters
    ----------
    obj : estimator
        The object, which is not itself an estimator with a network.
    add_network : callable
        A function that is called with each estimator with a network in `obj` and returns its number.

    Returns
    -------
    content : bytes
        The file of skops.
    trees : dict of str to ndarray
        The arrays of the decision trees.
    n_json_bytes : int
        The size of the JSON in `content`.

    Raises
    ------
    TypeError
        If `obj` contains a type that is not allowed. The message names it.
    """
    replaced, arrays, n_trees = {}, {}, 0
    for part in _walk(obj):
        if isinstance(part, EstimatorParameters):
            replaced[id(part)] = Placeholder("network", add_network(part))
        elif isinstance(part, BaseEstimator):
            _check_class(type(part))
            for name, value in vars(part).items():
                if name == "_metadata_request":  # it refers to its owner, which would be a cycle
                    replaced[id(value)] = requests_to_dict(value)
                elif name == _CALLBACKS:
                    replaced[id(value)] = None
        elif isinstance(part, _TREE):
            replaced[id(part)] = Placeholder("tree", n_trees)
            state = part.__getstate__()
            arrays[f"{n_trees}/nodes"], arrays[f"{n_trees}/values"] = state["nodes"], state["values"]
            arrays[f"{n_trees}/sizes"] = np.array([part.n_features, *part.n_classes])
            n_trees += 1
        elif is_random(part):
            replaced[id(part)] = draw_seed(part)
        elif isinstance(part, pd.Index | pd.Series):  # used as a list of columns
            replaced[id(part)] = part.tolist()
    try:
        copied = copy.deepcopy(obj, replaced)
        for part in _walk(copied):
            if isinstance(part, BaseEstimator):
                vars(part).pop(_CALLBACKS, None)
                if isinstance(part, _VOTING):
                    vars(part).pop("named_estimators_", None)  # derived from estimators_
                if hasattr(part, "memory"):
                    part.memory = None  # a folder on this machine
        content, n_json_bytes = write_schema(skops.io.dumps(copied))
    except DisallowedTypeError as error:
        raise TypeError(f"kn.save does not support {error}, found in {type(obj).__name__}. {_REMEDY}") from None
    except Exception as error:  # skops raises different errors for unsupported values
        raise TypeError(f"kn.save cannot save all values in {type(obj).__name__}: {error}") from error
    return content, arrays, n_json_bytes


def load_steps(content, trees, networks, path, limits):
    """Load what :func:`dump_steps` has serialized.

    Parameters
    ----------
    content : bytes
        The file of skops, which is untrusted.
    trees : dict of str to ndarray
        The arrays of the decision trees.
    networks : dict of int to estimator
        The estimators with a network, by number.
    path : str or path-like
        The archive, for error messages.
    limits : Limits
        The limits for reading the file.

    Returns
    -------
    estimator
        The transformer, the step or the composition.

    Raises
    ------
    UnsafeFileError, CorruptFileError
        If the file was not written by `dump_steps`.
    """
    where = f"{path}: {STEPS}"
    content, names = read_schema(content, where, limits)
    try:
        found = skops.io.loads(content, trusted=sorted(names))
        built_trees = {number: _build_tree(trees, number) for number in range(len(trees) // 3)}
        objects = {"network": networks, "tree": built_trees}
        placeholders = {id(part): part for part in _walk(found) if isinstance(part, Placeholder)}
        numbers = {(each.kind, each.number) for each in placeholders.values()}
        if numbers != {(kind, number) for kind, parts in objects.items() for number in parts}:
            raise ValueError(f"placeholders for {sorted(numbers)}")
        trees_of = (vars(part).get("tree_") for part in _walk(found) if isinstance(part, BaseDecisionTree))
        owned = {*map(id, trees_of)}
        if any(each.kind == "tree" and key not in owned for key, each in placeholders.items()):
            raise ValueError("a tree outside the attribute tree_")  # others have no validated number of features
        found = copy.deepcopy(found, {key: objects[each.kind][each.number] for key, each in placeholders.items()})
        for part in [*_walk(found)]:
            _finish_loading(part, where)
    except (KerasNetError, Warning):  # warnings may be turned into errors
        raise
    except Exception as error:  # skops and scikit-learn raise different errors for malformed files
        raise CorruptFileError(f"{where}: expected steps as kn.save writes them, found: {error!r}.") from error
    return found


def list_types(content, where, limits):
    """Return the full names of the kerasnet and scikit-learn types and functions in a file of skops."""
    _, names = read_schema(content, where, limits)
    return sorted(name for name in names if name.startswith(("kerasnet.", "sklearn.")) and name != name_of(Placeholder))


def _walk(root):
    """Yield an object and all objects that it contains, each once, except for the parts of networks."""
    pending, seen = [root], set()
    while pending:
        part = pending.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        yield part
        if isinstance(part, dict):
            pending += part.values()
        elif isinstance(part, list | tuple | set):
            pending += part
        elif isinstance(part, functools.partial):
            pending += [part.func, *part.args, *part.keywords.values()]
        elif isinstance(part, np.ndarray) and part.dtype.hasobject:
            pending += part.ravel().tolist()
        elif isinstance(part, BaseEstimator) and not isinstance(part, EstimatorParameters):
            pending += vars(part).values()


def _check_class(kind):
    """Raise an error if a class of estimators is not allowed."""
    if name_of(kind) not in allowed_classes():
        hint = "Save its best_estimator_. " if any(each.__name__.endswith("SearchCV") for each in kind.__mro__) else ""
        raise TypeError(f"kn.save does not support {kind.__name__}. {hint}{_REMEDY}")


def _build_tree(trees, number):
    """Validate and build a decision tree; scikit-learn does not check its indices of nodes and features."""
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
        raise ValueError(f"a decision tree with inconsistent indices in its {len(nodes)} nodes")
    depths = np.zeros(len(nodes), dtype=np.intp)
    for node in numbers[inner]:  # children come after their parents
        below = depths[node] + 1
        depths[left[node]], depths[right[node]] = max(depths[left[node]], below), max(depths[right[node]], below)
    tree = _TREE(n_features, np.array(n_classes, dtype=np.intp), len(n_classes))
    state = {"max_depth": int(depths.max()), "node_count": len(nodes), "nodes": nodes, "values": values}
    tree.__setstate__(state)
    return tree


def _finish_loading(part, where):
    """Restore what skops does not save in a loaded part, and raise an error if using the part would be unsafe."""
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
    if isinstance(attributes.get("random_state_"), int):  # used after fit
        part.random_state_ = np.random.RandomState(part.random_state_)
    if "_metadata_request" in attributes:
        part._metadata_request = requests_from_dict(part, part._metadata_request)
    own_tree = isinstance(part, BaseDecisionTree) and type(attributes.get("tree_")) is _TREE
    if "tree_" in attributes and not (own_tree and part.tree_.n_features == part.n_features_in_):
        raise ValueError(f"a {type(part).__name__} with a tree that does not match it")
    if isinstance(part, _FORESTS):
        for tree in attributes.get("estimators_", ()):
            if not isinstance(tree, BaseDecisionTree) or tree.n_features_in_ != part.n_features_in_:
                raise ValueError(f"a {type(part).__name__} with trees that do not match it")
    if isinstance(part, _VOTING) and "estimators_" in attributes:
        _name_members(part)
    if isinstance(part, OneHotEncoder) and "categories_" in attributes:
        _check_encoder(part)


def _name_members(ensemble):
    """Validate the members of a voting ensemble, and restore `named_estimators_`."""
    members = {name: "drop" for name, _ in ensemble.estimators}
    if any("__" in name for name in members):  # of special methods
        raise ValueError(f"members with the names {[*members]!r:.100}")
    if not all(isinstance(each, BaseEstimator) for each in ensemble.estimators_):
        raise ValueError(f"a {type(ensemble).__name__} with members that are not estimators")
    names = [name for name, each in ensemble.estimators if not isinstance(each, str)]
    members.update(zip(names, ensemble.estimators_, strict=True))
    ensemble.named_estimators_ = Bunch(**members)


def _check_encoder(encoder):
    """Validate the indices of a one-hot encoder, which compiled code does not check."""
    sizes = []
    for categories in encoder.categories_:
        if not isinstance(categories, np.ndarray) or categories.ndim != 1:
            raise ValueError("categories that are not a 1D array")
        if categories.dtype.kind not in "OU" and not (np.diff(categories[categories == categories]) > 0).all():
            raise ValueError("categories that are not sorted")
        sizes.append(len(categories))
    if encoder._infrequent_enabled:
        pairs = zip(encoder._infrequent_indices, encoder._default_to_infrequent_mappings, strict=True)
        for number, (infrequent, mapping) in enumerate(pairs):
            if infrequent is not None:
                size, sizes[number] = sizes[number], sizes[number] - len(infrequent) + 1
                if (
                    not _are_indices(infrequent, size)
                    or mapping.shape != (size,)
                    or not _are_indices(mapping, sizes[number])
                ):
                    raise ValueError("invalid indices of infrequent categories")
    if encoder._drop_idx_after_grouping is not None:
        for number, drop in enumerate(encoder._drop_idx_after_grouping.tolist()):
            if drop is not None:
                if not _are_indices(np.array([drop]), sizes[number]):
                    raise ValueError("an invalid index of a dropped category")
                sizes[number] -= 1
    if len(sizes) != encoder.n_features_in_ or encoder._n_features_outs != sizes:
        raise ValueError("an encoder with inconsistent numbers of columns")


def _are_indices(numbers, size):
    is_int_array = isinstance(numbers, np.ndarray) and numbers.ndim == 1 and numbers.dtype.kind in "iu"
    return is_int_array and bool(((numbers >= 0) & (numbers < size)).all())
