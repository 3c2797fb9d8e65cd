"""Saving, loading and looking into ``.kerasnet`` archives."""

import io
import json
import math
import warnings

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
_SEEDS = "seed_generator_state"  # which Keras does not count


def save(estimator, path, *, include_optimizer=False, metadata=None):
    """Save an estimator, a transformer or a composition as a ``.kerasnet`` archive.

    The archive appears whole, under its name, or not at all: whatever goes wrong, an earlier file of that name stays as
    it was.

    Parameters
    ----------
    estimator : estimator
        An estimator or transformer of kerasnet, fitted or not; or a ``Pipeline``, ``FeatureUnion`` or
        ``ColumnTransformer`` of them and of scikit-learn's steps whose files can do no harm. Of a search, its
        ``best_estimator_``. See Notes.
    path : str or path-like
        The file to write, by custom with the suffix ``.kerasnet``; its folder must exist.
    include_optimizer : bool, default=False
        Also keep the states of optimizers, so that ``partial_fit`` goes on as if there had been no file. For Adam that
        makes the file three times as large.
    metadata : dict, default=None
        Plain values of your own to keep in the file, such as a licence or an accuracy; see :func:`inspect`.

    Raises
    ------
    TypeError
        If a type cannot be kept; the message names it.
    ValueError
        If a parameter is no plain value, such as an instance of a Keras class, or a model has no name to be found by.
    OSError
        If the file cannot be written.

    Warns
    -----
    UserWarning
        If callbacks are left out, or :func:`load` needs larger limits for the file.

    See Also
    --------
    load : The way back.
    inspect : What is in a file.

    Notes
    -----
    A file is data, never code: a model is kept as its name in the registry, plain arguments and arrays, and is built
    anew by :func:`load`. Losses, metrics and optimizers are kept as names, classes or functions of Keras' own.

    Not kept: `memory` and callbacks (a warning says so). Random states become seeds.

    Of scikit-learn these are kept: ``Binarizer``, ``FunctionTransformer`` with a function of NumPy's, the encoders
    ``KBinsDiscretizer``, ``LabelBinarizer``, ``LabelEncoder``, ``OneHotEncoder``, ``OrdinalEncoder``, the scalers
    ``MaxAbsScaler``, ``MinMaxScaler``, ``Normalizer``, ``PowerTransformer``, ``QuantileTransformer``, ``RobustScaler``,
    ``StandardScaler``, all imputers, selectors by variance and by univariate tests, ``SelectFromModel``,
    ``IncrementalPCA``, ``PCA``, ``TruncatedSVD``, the models ``BayesianRidge``,
    ``LinearDiscriminantAnalysis``, ``LinearRegression``, ``LinearSVC``, ``LinearSVR``,
    ``LogisticRegression``, ``Ridge``, ``RidgeClassifier``, ``GaussianNB``, the dummies, and decision trees, random
    forests and extra trees. Others, such as ``SVC`` and nearest neighbours, follow whatever numbers a file gives them,
    in compiled code, and could crash the process.

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
            "kn.save keeps estimators and transformers. A Keras model has a method save of its own. "
            f"Received: {estimator!r:.200}."
        )
    networks, members, n_json_bytes = NetworkWriter(include_optimizer), {}, 0
    if isinstance(estimator, EstimatorParameters):
        networks.add(estimator)  # its number is 0
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
        warnings.warn(
            "kn.save keeps no callbacks: give them again, with set_params, before the next fit.", stacklevel=2
        )
    if needed:
        warnings.warn(f"To load {path}, kn.load needs {needed}: it is larger than usual.", stacklevel=2)


def load(
    path,
    *,
    builders=None,
    max_bytes=_DEFAULTS.max_bytes,
    max_parameters=_DEFAULTS.max_parameters,
    max_json_bytes=_DEFAULTS.max_json_bytes,
    max_json_depth=_DEFAULTS.max_json_depth,
    max_members=_DEFAULTS.max_members,
):
    """Load what :func:`save` has written.

    No file can make this run code of its choice, read or write elsewhere, change global state, or take more memory than
    a few times its size; see SECURITY.md.

    Parameters
    ----------
    path : str or path-like
        The file.
    builders : dict of str to callable, default=None
        Your own builders by name, for models that are not in the registry of this process. The name is that in the
        registry of the process that saved, or the name of the function; :func:`inspect` tells it.
    max_bytes : int, default=1_073_741_824
        The largest size of the file.
    max_parameters : int, default=268_435_456
        The largest number of values in the weights of all models together, and in one sample.
    max_json_bytes : int, default=4_194_304
        The largest size of each JSON text.
    max_json_depth : int, default=100
        How deep JSON may be nested.
    max_members : int, default=20_000
        The largest number of members of the archive, of arrays, and of parts of scikit-learn's steps.

    Returns
    -------
    estimator
        It predicts, bit for bit, what the saved one predicts.

    Raises
    ------
    OSError
        If the file cannot be read.
    DataFormatError
        If it is no ``.kerasnet`` archive, or one of a newer format.
    UnsafeFileError
        If it asks for more than a file may: a limit is passed, or there are types, members or Python objects that
        :func:`save` does not write.
    CorruptFileError
        If it is damaged: sizes, hashes or structure do not agree, or weights are not finite.
    CheckpointMismatchError
        If its arrays are not those of the model that it names.
    UnknownModelError
        If no model of that name is registered, nor in `builders`.

    Warns
    -----
    InconsistentVersionWarning
        If another version of scikit-learn wrote the file.

    See Also
    --------
    save : Writes such files, with an example.

    Notes
    -----
    The headers of the arrays are read first, then the models are built and compared with them, then the arrays are
    read. Before a model is built, the number of layers that its registration declares for the arguments in the file
    (see :func:`~kerasnet.models.register_model`) must be at most 512, or twice the number of its arrays. An argument
    ``weights`` of a registered builder is ignored: no pretrained weights are read or downloaded.

    Fixed are what no file of a usual model comes near: 300,000 lists and objects in a JSON text, 50,000 values in
    scikit-learn's steps, 2,000 layers of all models together, 100 metrics, 1,000 characters of a text among parameters,
    ints of 64 bits, decision trees of 10,000,000 features. Of `n_jobs` no more is taken than there are processors.
    """
    limits = Limits(max_bytes, max_parameters, max_json_bytes, max_json_depth, max_members)
    manifest, members = read_archive(path, limits)
    entries, states = _entries_and_states(path, manifest, members, limits)
    if not isinstance(builders or {}, dict) or not all(map(callable, (builders or {}).values())):
        raise TypeError(f"builders must be a dict of names to functions. Received: {builders!r}.")
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
    path,
    *,
    max_bytes=_DEFAULTS.max_bytes,
    max_json_bytes=_DEFAULTS.max_json_bytes,
    max_json_depth=_DEFAULTS.max_json_depth,
    max_members=_DEFAULTS.max_members,
):
    """Look into an archive: check that it is whole, and say what is in it. Nothing is built.

    Parameters
    ----------
    path : str or path-like
        The file.
    max_bytes, max_json_bytes, max_json_depth, max_members : int
        As for :func:`load`.

    Returns
    -------
    found : Bunch
        With the attributes

        estimator : str
            The class of what :func:`load` returns.
        networks : list of Bunch
            Of each network in it: ``estimator`` (its class), ``model`` (the name of the builder), ``arguments`` of the
            builder and ``parameters`` of the estimator (dicts; the arguments are None before a fit), ``n_parameters``
            and ``arrays`` (dtype and shape by name).
        types : list of str
            The types and functions in scikit-learn's steps and in transformers.
        metadata : dict
            What the writer has added.
        format : int
            The version of the format.
        versions : dict of str to str
            Those of the packages that wrote it.
        sizes : dict of str to int
            The members and their sizes in bytes.

    Raises
    ------
    OSError, DataFormatError, UnsafeFileError, CorruptFileError
        As of :func:`load`.

    Examples
    --------
    >>> import os, tempfile
    >>> import kerasnet as kn
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "digits.kerasnet")
    ...     kn.save(kn.CNNClassifier(filters=(8, 16)), path, metadata={"licence": "CC0"})
    ...     found = kn.inspect(path)
    >>> found.networks[0].model, found.networks[0].parameters["filters"], found.metadata
    ('cnn', (8, 16), {'licence': 'CC0'})
    """
    limits = Limits(max_bytes, _DEFAULTS.max_parameters, max_json_bytes, max_json_depth, max_members)
    manifest, members = read_archive(path, limits)
    entries, _ = _entries_and_states(path, manifest, members, limits)
    arrays = read_headers(members[WEIGHTS], f"{path}: {WEIGHTS}", max_members=max_members)
    try:
        networks = [_describe(number, entry, arrays, path) for number, entry in enumerate(entries)]
        metadata = from_json(manifest["metadata"], path)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise CorruptFileError(f"{path}: {MANIFEST}: expected what kn.save says, found: {error!r}.") from error
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
    """Return what :func:`inspect` says of a network."""
    own = {name: header for name, header in arrays.items() if name.startswith(f"{number}/")}
    fit = entry["fit"]
    return Bunch(
        estimator=entry["class"],
        model=entry["model"]["name"],
        arguments=None if fit is None else {name: from_json(each, where) for name, each in fit["arguments"].items()},
        parameters={name: from_json(each, where) for name, each in entry["parameters"].items()},
        n_parameters=sum(math.prod(shape) for name, (_, shape) in own.items() if not name.endswith(_SEEDS)),
        arrays={name.partition("/")[2]: f"{dtype}{list(shape)}" for name, (dtype, shape) in own.items()},
    )


def _npz(arrays):
    content = io.BytesIO()
    np.savez(content, **arrays)
    return content.getvalue()


def _entries_and_states(path, manifest, members, limits):
    """Return what an archive says of its networks."""
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
