"""Save, load and inspect ``.kerasnet`` archives."""

from __future__ import annotations

import io
import json
import math
import os
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import sklearn
from sklearn.base import BaseEstimator
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.utils import Bunch

from kerasnet._formats import parse_json, parse_npz, read_headers
from kerasnet.errors import CorruptFileError
from kerasnet.estimators._parameters import EstimatorParameters
from kerasnet.persistence._container import (
    MANIFEST,
    OPTIMIZER,
    STATE,
    STEPS,
    TREES,
    WEIGHTS,
    Limits,
    read_archive,
    write_archive,
)
from kerasnet.persistence._loading import read_networks
from kerasnet.persistence._networks import NetworkWriter
from kerasnet.persistence._plain import from_json, to_json
from kerasnet.persistence._steps import dump_steps, list_types, load_steps

_DEFAULTS = Limits()
_SEEDS = "seed_generator_state"  # not counted by Keras either


def save(
    estimator: BaseEstimator,
    path: str | os.PathLike[str],
    *,
    include_optimizer: bool = False,
    metadata: dict[str, Any] | None = None,
) -> None:
    """Save an estimator, a transformer or a pipeline as a ``.kerasnet`` archive.

    The file is written atomically: if an error occurs, an existing file with this name remains unchanged.

    Parameters
    ----------
    estimator : estimator
        A fitted or unfitted estimator or transformer of kerasnet, or a composition of these and of the scikit-learn
        classes listed in Notes. For a search, save its ``best_estimator_``.
    path : str or path-like
        Path of the file, by convention with the suffix ``.kerasnet``. The folder must exist.
    include_optimizer : bool, default=False
        Whether to save the state of the optimizers. ``partial_fit`` of a loaded estimator then gives the same results
        as without saving and loading. With Adam, the file is three times as large.
    metadata : dict, default=None
        Plain values to store in the file, such as a license or an accuracy; see :func:`inspect`.

    Raises
    ------
    TypeError
        If a type is not supported. The error message contains the type.
    ValueError
        If a parameter is not a plain value (for example, an optimizer instance), or if a builder has no name.
    OSError
        If the file cannot be written.

    Warns
    -----
    UserWarning
        If callbacks are not saved, or if :func:`load` needs larger limits for the file.

    See Also
    --------
    load : Load an estimator.
    inspect : Describe the contents of a file.

    Notes
    -----
    Archives contain no code. A model is saved as the name of its builder, plain arguments and arrays, and is rebuilt by
    :func:`load`. Losses, metrics and optimizers are saved by name and must be names, classes or functions of Keras.

    `memory` and callbacks are not saved, and a warning is issued for callbacks. Random states are saved as seeds.

    The supported classes of scikit-learn are

    - compositions: ``ColumnTransformer``, ``FeatureUnion``, ``Pipeline``, ``TransformedTargetRegressor``,
      ``VotingClassifier``, ``VotingRegressor``;
    - encoders: ``KBinsDiscretizer``, ``LabelBinarizer``, ``LabelEncoder``, ``OneHotEncoder``, ``OrdinalEncoder``;
    - scalers: ``MaxAbsScaler``, ``MinMaxScaler``, ``Normalizer``, ``PowerTransformer``, ``QuantileTransformer``,
      ``RobustScaler``, ``StandardScaler``;
    - all imputers, ``Binarizer``, and ``FunctionTransformer`` with a NumPy function;
    - feature selection by variance and by univariate tests, ``SelectFromModel``;
    - ``IncrementalPCA``, ``PCA``, ``TruncatedSVD``;
    - models: ``BayesianRidge``, ``GaussianNB``, ``LinearDiscriminantAnalysis``, ``LinearRegression``, ``LinearSVC``,
      ``LinearSVR``, ``LogisticRegression``, ``Ridge``, ``RidgeClassifier``, dummy estimators, decision trees, random
      forests and extra trees.

    Other estimators, such as ``SVC`` and nearest neighbors, are not supported: their compiled code does not validate
    learned attributes, so a malicious file could crash the process.

    Examples
    --------
    >>> import os, tempfile
    >>> import kerasnet as kn
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> X, y = load_iris(return_X_y=True)
    >>> pipeline = make_pipeline(StandardScaler(), kn.KerasNetClassifier("mlp", epochs=5, random_state=0)).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "iris.kerasnet")
    ...     kn.save(pipeline, path)
    ...     loaded = kn.load(path)
    >>> bool((loaded.predict_proba(X) == pipeline.predict_proba(X)).all())
    True
    """
    if not isinstance(estimator, BaseEstimator):
        raise TypeError(
            "kn.save supports estimators and transformers. To save a Keras model, use its method save. "
            f"Received: {estimator!r:.200}."
        )
    networks, members, n_json_bytes = NetworkWriter(include_optimizer), {}, 0
    if isinstance(estimator, EstimatorParameters):
        networks.add(estimator)  # with the number 0
    else:
        members[STEPS], trees, n_json_bytes = dump_steps(estimator, networks.add)
        if trees:
            members[TREES] = _npz(trees)
    members[STATE] = json.dumps(networks.states).encode()
    members[WEIGHTS] = _npz(networks.weights)
    if networks.optimizer:
        members[OPTIMIZER] = _npz(networks.optimizer)
    try:
        packed = to_json(dict(metadata or {}))
    except (TypeError, ValueError) as error:
        raise ValueError(f"metadata must be a dict of plain values: {error}.") from None
    about = {"class": type(estimator).__name__, "networks": networks.entries, "metadata": packed}
    needed = write_archive(path, about, members, n_json_bytes)
    if networks.left_out:
        warnings.warn("kn.save does not save callbacks. Set them with set_params before the next fit.", stacklevel=2)
    if needed:
        warnings.warn(f"{path} exceeds the default limits. Load it with kn.load(path, {needed}).", stacklevel=2)


def load(
    path: str | os.PathLike[str],
    *,
    builders: dict[str, Callable] | None = None,
    max_bytes: int = _DEFAULTS.max_bytes,
    max_parameters: int = _DEFAULTS.max_parameters,
    max_json_bytes: int = _DEFAULTS.max_json_bytes,
    max_json_depth: int = _DEFAULTS.max_json_depth,
    max_members: int = _DEFAULTS.max_members,
) -> Any:
    """Load an estimator from a ``.kerasnet`` archive.

    Loading an untrusted file is safe: it cannot run code, access other files or change global state, and memory use is
    limited to a few times the size of the file.

    Parameters
    ----------
    path : str or path-like
        The file.
    builders : dict of str to callable, default=None
        Builders of models that are not registered in this process. The key is the name of the registered model or of
        the function at the time of saving; see :func:`inspect`.
    max_bytes : int, default=1_073_741_824
        The maximum size of the file in bytes.
    max_parameters : int, default=268_435_456
        The maximum total number of weights of all models. The number of values in one input sample has the same limit.
    max_json_bytes : int, default=4_194_304
        The maximum size of each JSON text in bytes.
    max_json_depth : int, default=100
        The maximum nesting depth of JSON.
    max_members : int, default=20_000
        The maximum number of members of the archive, of arrays, and of files that contain the scikit-learn steps.

    Returns
    -------
    estimator : estimator
        The estimator. Its predictions are bit-identical to those of the saved estimator.

    Raises
    ------
    OSError
        If the file cannot be read.
    DataFormatError
        If the file is not a ``.kerasnet`` archive, or has a newer format.
    UnsafeFileError
        If the file exceeds a limit, or contains types, members or Python objects that :func:`save` does not write.
    CorruptFileError
        If the file is corrupted: sizes, hashes or the structure are inconsistent, or weights are not finite.
    CheckpointMismatchError
        If the arrays do not match the model.
    UnknownModelError
        If the model is neither registered nor in `builders`.

    Warns
    -----
    InconsistentVersionWarning
        If the file was written with a different version of scikit-learn.

    See Also
    --------
    save : Save an estimator.
    inspect : Describe the contents of a file.

    Notes
    -----
    The array headers are read first. The models are then built and compared with the headers before the arrays are
    read. A model is only built if the upper bound on its number of layers, declared by `max_layers` of
    :func:`~kerasnet.models.register_model`, is at most 512 or at most twice the number of arrays that the file contains
    for this model. Registered builders are called with ``weights=None``: no pretrained weights are read or downloaded.

    Other limits are fixed and much larger than typical models need: 300,000 lists and objects per JSON text, 50,000
    values in scikit-learn steps, 2,000 layers in all models, 100 metrics, 1,000 characters per string parameter,
    1,000,000 for numbers in parameters of losses and metrics, 64-bit integers, and 10,000,000 features in decision
    trees. `n_jobs` is limited to the number of processors.

    Examples
    --------
    >>> import os, tempfile
    >>> import kerasnet as kn
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "digits.kerasnet")
    ...     kn.save(kn.CNNClassifier(filters=(8, 16)), path)
    ...     kn.load(path).filters
    (8, 16)
    """
    limits = Limits(max_bytes, max_parameters, max_json_bytes, max_json_depth, max_members)
    manifest, members = read_archive(path, limits)
    entries, states = _entries_and_states(path, manifest, members, limits)
    if not isinstance(builders or {}, dict) or not all(map(callable, (builders or {}).values())):
        raise TypeError(f"builders must be a dict of str to callable. Received: {builders!r}.")
    networks = read_networks(path, entries, states, members, builders or {}, limits)
    if STEPS in members:
        trees = {}
        if TREES in members:
            sizes = {"max_bytes": max_bytes, "max_members": max_members, "stored": True}
            trees = parse_npz(members[TREES], f"{path}: {TREES}", **sizes)
        found = load_steps(members[STEPS], trees, networks, path, limits)
        if not isinstance(found, BaseEstimator) or type(found).__name__ != manifest["class"]:
            raise CorruptFileError(f"{path}: expected a {manifest['class']}, found {type(found).__name__}.")
        return found
    if list(networks) != [0] or TREES in members:
        raise CorruptFileError(f"{path}: expected one estimator, found {len(networks)} in {sorted(members)}.")
    version = manifest["versions"].get("scikit-learn")
    if version != sklearn.__version__:
        names = {"estimator_name": manifest["class"], "current_sklearn_version": sklearn.__version__}
        warnings.warn(InconsistentVersionWarning(**names, original_sklearn_version=version), stacklevel=2)
    return networks[0]


def inspect(
    path: str | os.PathLike[str],
    *,
    max_bytes: int = _DEFAULTS.max_bytes,
    max_json_bytes: int = _DEFAULTS.max_json_bytes,
    max_json_depth: int = _DEFAULTS.max_json_depth,
    max_members: int = _DEFAULTS.max_members,
) -> Bunch:
    """Check the integrity of a ``.kerasnet`` archive and describe its contents, without building models.

    Parameters
    ----------
    path : str or path-like
        The file.
    max_bytes, max_json_bytes, max_json_depth, max_members : int
        As in :func:`load`.

    Returns
    -------
    contents : Bunch
        A dict-like object with the attributes

        estimator : str
            The class of the estimator that :func:`load` returns.
        networks : list of Bunch
            For each network: ``estimator`` (the class), ``model`` (the name of the builder), ``arguments`` (dict of the
            arguments of the builder; None for an unfitted estimator), ``parameters`` (dict of the parameters of the
            estimator), ``n_parameters``, and ``arrays`` (dict of names to dtypes and shapes).
        types : list of str
            The types and functions that the transformers and scikit-learn steps contain.
        metadata : dict
            The metadata passed to :func:`save`.
        format : int
            The version of the format.
        versions : dict of str to str
            The versions of the packages with which the file was written.
        sizes : dict of str to int
            The sizes of the members in bytes.

    Raises
    ------
    OSError, DataFormatError, UnsafeFileError, CorruptFileError
        As in :func:`load`.

    See Also
    --------
    load : Load an estimator.
    save : Save an estimator.

    Examples
    --------
    >>> import os, tempfile
    >>> import kerasnet as kn
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "digits.kerasnet")
    ...     kn.save(kn.CNNClassifier(filters=(8, 16)), path, metadata={"license": "CC0"})
    ...     contents = kn.inspect(path)
    >>> contents.networks[0].model, contents.networks[0].parameters["filters"], contents.metadata
    ('cnn', (8, 16), {'license': 'CC0'})
    """
    limits = Limits(max_bytes, _DEFAULTS.max_parameters, max_json_bytes, max_json_depth, max_members)
    manifest, members = read_archive(path, limits)
    entries, _ = _entries_and_states(path, manifest, members, limits)
    arrays = read_headers(members[WEIGHTS], f"{path}: {WEIGHTS}", max_members=max_members)
    try:
        networks = [_describe(number, entry, arrays, path) for number, entry in enumerate(entries)]
        metadata = from_json(manifest["metadata"], path)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise CorruptFileError(
            f"{path}: {MANIFEST}: expected values as kn.save writes them, found: {error!r}."
        ) from error
    return Bunch(
        estimator=manifest["class"],
        networks=networks,
        types=list_types(members[STEPS], f"{path}: {STEPS}", limits) if STEPS in members else [],
        metadata=metadata,
        format=manifest["format"],
        versions=manifest["versions"],
        sizes={name: each["size"] for name, each in manifest["members"].items()},
    )


def _describe(number, entry, arrays, where):
    """Return the description of a network for :func:`inspect`."""
    headers = {name: header for name, header in arrays.items() if name.startswith(f"{number}/")}
    fit = entry["fit"]
    return Bunch(
        estimator=entry["class"],
        model=entry["model"]["name"],
        arguments=None if fit is None else {name: from_json(each, where) for name, each in fit["arguments"].items()},
        parameters={name: from_json(each, where) for name, each in entry["parameters"].items()},
        n_parameters=sum(math.prod(shape) for name, (_, shape) in headers.items() if not name.endswith(_SEEDS)),
        arrays={name.partition("/")[2]: f"{dtype}{list(shape)}" for name, (dtype, shape) in headers.items()},
    )


def _npz(arrays):
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()


def _entries_and_states(path, manifest, members, limits):
    """Return the descriptions of the networks in an archive."""
    if missing := sorted({STATE, WEIGHTS} - members.keys()):
        raise CorruptFileError(f"{path}: expected the members {missing}, found only {sorted(members)}.")
    entries = manifest.get("networks")
    states = parse_json(members[STATE], f"{path}: {STATE}", max_depth=limits.max_json_depth)
    for name, found in ((MANIFEST, entries), (STATE, states)):
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise CorruptFileError(f"{path}: {name}: expected a list of networks, found {found!r:.100}.")
    if len(entries) != len(states):
        raise CorruptFileError(f"{path}: expected {len(entries)} networks in {STATE}, found {len(states)}.")
    return entries, states
