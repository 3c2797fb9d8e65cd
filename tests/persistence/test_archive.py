"""Loaded estimators equal saved ones, in the same process and in a new one."""

import warnings

import joblib
import keras
import numpy as np
import pandas as pd
import pytest
import sklearn
from _crafted import Crafted
from _fresh import run
from _longer import longer
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_selector
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier, StackingClassifier, VotingClassifier, VotingRegressor
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.impute import IterativeImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, OneHotEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC

import kerasnet as kn
from kerasnet.errors import DataFormatError, UnknownModelError
from kerasnet.features import HOGTransformer, ImagePreprocessor, SIFTTransformer
from kerasnet.models import _registry, registered_model
from kerasnet.models._registry import RegisteredModel
from kerasnet.preprocessing import make_tabular_preprocessor

BATTERY = [name for name in kn.list_models() if registered_model(name).builder.__module__.startswith("kerasnet.")]
RNG = np.random.default_rng(0)
VECTORS, LABELS = RNG.random((60, 6), dtype=np.float32), np.arange(60) % 3
IMAGES = RNG.integers(256, size=(60, 16, 16), dtype=np.uint8)
SEQUENCES = RNG.random((60, 5, 4), dtype=np.float32)
TABLE = pd.DataFrame(RNG.random((60, 3)), columns=["size", "weight", "age"]).assign(
    color=["red", "blue", "green", "blue"] * 15
)
TABLE.loc[::7, "size"] = np.nan
SAMPLES = {"image": IMAGES, "sequence": SEQUENCES, "tokens": RNG.integers(30, size=(60, 7)), "vector": VECTORS}
FAST = {"epochs": 2, "random_state": 0}
LINEAR = {"code_units": 2, "output_activation": "linear", **FAST}


def tabular(*, last=None, **options):
    last = LogisticRegression() if last is None else last
    return make_pipeline(make_tabular_preprocessor(**options), last).fit(TABLE, LABELS)


SMALLER = {
    "attention": {"embedding_units": 16, "n_blocks": 1},
    "backbone": {"backbone": "mobilenet", "layer": "conv_pw_2_relu"},
    "resnet_small": {"width": 8},
}


def estimator_for(name, *, trained=False):
    """Return an estimator with weights that differ from the initial ones: trained, or assigned, which is faster."""
    entry = registered_model(name)
    X, y = SAMPLES[entry.input_kind], np.array(["no", "yes", "maybe"])[LABELS]
    if "classification" in entry.tasks:
        estimator = kn.KerasNetClassifier(name, dropout=0.2, **SMALLER.get(name, {}), **FAST)
    else:
        estimator = kn.Autoencoder(code_units=3, **({} if name == "autoencoder" else {"model": name}), **FAST)
    if trained:
        return estimator.fit(X, y), X
    rng = np.random.default_rng(1)
    model = estimator.initialize(X, y).model_
    model.set_weights([weight + rng.uniform(0, 0.01, weight.shape) for weight in model.get_weights()])
    return estimator, X


def columns_and_codes():
    columns = ColumnTransformer(
        [
            ("codes", kn.Autoencoder(**LINEAR), ["weight", "age"]),
            ("logs", FunctionTransformer(np.log1p), make_column_selector(dtype_include="float", pattern="weight|age")),
            ("colors", OneHotEncoder(sparse_output=False), ["color"]),
        ],
        remainder="drop",
    )
    return make_pipeline(columns, StandardScaler(), LogisticRegression()).fit(TABLE, LABELS)


def search_result():
    pipeline = make_pipeline(HOGTransformer(pixels_per_cell=(4, 4)), kn.KerasNetClassifier("mlp", **FAST))
    grid = {"hogtransformer__orientations": [5], "kerasnetclassifier__dense_units": [(8,)]}
    return GridSearchCV(pipeline, grid, cv=2).fit(IMAGES, LABELS).best_estimator_


ESTIMATORS = {
    "CNNClassifier": lambda: (kn.CNNClassifier(filters=(4, 4), **FAST).fit(IMAGES, LABELS), IMAGES),
    "SimpleRNNClassifier": lambda: (kn.SimpleRNNClassifier(units=(8,), **FAST).fit(SEQUENCES, LABELS > 0), SEQUENCES),
    "KerasNetRegressor": lambda: (kn.KerasNetRegressor("mlp", **FAST).fit(VECTORS, VECTORS[:, :2]), VECTORS),
    "multilabel": lambda: (kn.KerasNetClassifier("mlp", **FAST).fit(VECTORS, VECTORS[:, :3] > 0.5), VECTORS),
    "detector": lambda: (kn.AutoencoderOutlierDetector(code_units=3, **FAST).fit(VECTORS), VECTORS),
    "pipeline: hog": lambda: (search_result(), IMAGES),
    "pipeline: hog and sift": lambda: (
        make_pipeline(
            make_union(HOGTransformer(pixels_per_cell=(4, 4)), SIFTTransformer(4, grid=2, random_state=0)),
            PCA(5),
            LinearSVC(random_state=0),
        ).fit(IMAGES, LABELS),
        IMAGES,
    ),
    "pipeline: pixels": lambda: (
        make_pipeline(ImagePreprocessor((8, 8), flatten=True), LogisticRegression()).fit(IMAGES, LABELS),
        IMAGES,
    ),
    "pipeline: codes": lambda: (
        make_pipeline(MinMaxScaler(clip=True), kn.Autoencoder(code_units=3, **FAST), RandomForestClassifier(5)).fit(
            VECTORS, LABELS
        ),
        VECTORS,
    ),
    "pipeline: columns and codes": lambda: (columns_and_codes(), TABLE),
    "pipeline: knn": lambda: (
        tabular(
            imputation="knn",
            outliers="iqr",
            selection="univariate",
            n_features=3,
            last=kn.KerasNetClassifier("mlp", **FAST),
        ),
        TABLE,
    ),
    "pipeline: iterative": lambda: (
        tabular(imputation="iterative", scaling="robust", random_state=np.random.RandomState(0)),
        TABLE,
    ),
    "pipeline: interpolate": lambda: (
        tabular(imputation="interpolate", encoding="ordinal", outliers="zscore", selection="mutual_info", n_features=2),
        TABLE,
    ),
    "pipeline: forest": lambda: (tabular(X=TABLE, selection="model", random_state=0), TABLE),
    "pipeline: two networks": lambda: (
        FeatureUnion(
            [
                (
                    "codes",
                    make_pipeline(StandardScaler(), kn.Autoencoder(code_units=2, output_activation="linear", **FAST)),
                ),
                ("best", SelectKBest(f_classif, k=2)),
                ("more codes", kn.Autoencoder(code_units=3, **FAST)),
            ]
        ).fit(VECTORS, LABELS),
        VECTORS,
    ),
}
METHODS = ("predict", "predict_proba", "transform", "score_samples", "decision_function")


NOT_COMPARED = {"_network", "_callbacks", "target_encoder_"}  # compared by outputs; not saved; derived from classes_


def outputs(estimator, X):
    return {name: np.asarray(getattr(estimator, name)(X)) for name in METHODS if hasattr(estimator, name)}


def assert_equal_outputs(found, expected):
    assert found.keys() == expected.keys()
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name], strict=True)


PREDICT_IN_NEW_PROCESS = """
import pickle, sys
import kerasnet as kn

folder = sys.argv[1]
with open(f"{folder}/samples.pickle", "rb") as file:
    samples = pickle.load(file)
predicted = {}
for number, X in enumerate(samples):
    loaded = kn.load(f"{folder}/{number}.kerasnet")
    predicted[number] = {name: getattr(loaded, name)(X) for name in %r if hasattr(loaded, name)}
with open(f"{folder}/predicted.pickle", "wb") as file:
    pickle.dump(predicted, file)
"""


ONE_PER_KIND = ["conv_autoencoder", "mlp", "real_mlp", "text_cnn"]  # and images and sequences in ESTIMATORS


@pytest.mark.parametrize(
    ("names", "trained"),
    [
        (ONE_PER_KIND, False),
        *(pytest.param(BATTERY, each, marks=pytest.mark.exhaustive) for each in (False, True)),
    ],
    ids=["one per kind", "all", "all trained"],
)
def test_registered_models_and_pipelines_predict_the_same_in_a_new_process(names, trained, record_property, tmp_path):
    estimators = [estimator_for(name, trained=trained) for name in names] + [make() for make in ESTIMATORS.values()]
    assert sum(name.startswith("pipeline") for name in ESTIMATORS) == 10
    for number, (estimator, _) in enumerate(estimators):
        kn.save(estimator, tmp_path / f"{number}.kerasnet")
    pd.to_pickle([X for _, X in estimators], tmp_path / "samples.pickle")
    done = run("-c", PREDICT_IN_NEW_PROCESS % (METHODS,), tmp_path)
    assert done.returncode == 0, done.stderr
    predicted = pd.read_pickle(tmp_path / "predicted.pickle")
    for number, (estimator, X) in enumerate(estimators):
        assert_equal_outputs(
            {name: np.asarray(each) for name, each in predicted[number].items()}, outputs(estimator, X)
        )
    record_property(
        "counts", f"{len(estimators)} estimators, including {len(names)} registered models and 10 pipelines"
    )


def save_and_load(estimator, path, **options):
    kn.save(estimator, path)
    return kn.load(path, **options)


def assert_equal_values(found, expected, name):
    assert type(found) is type(expected), name
    if isinstance(expected, np.ndarray):
        np.testing.assert_array_equal(found, expected, strict=True)
    elif isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for key in expected:
            assert_equal_values(found[key], expected[key], f"{name}[{key}]")
    else:
        assert found == expected, name


LABELS_OF = {
    "ints": LABELS,
    "strings": np.array(["no", "yes", "maybe"])[LABELS],
    "objects": np.array(["no", "yes", "maybe"], dtype=object)[LABELS],
    "floats": LABELS.astype(np.float32),
    "booleans": LABELS > 0,
    "small ints": LABELS.astype(np.int8),
}


@pytest.mark.parametrize("labels", LABELS_OF)
def test_parameters_and_learned_attributes_are_unchanged(tmp_path, labels):
    parameters = {"dense_units": (4, 3), "class_weight": "balanced", "optimizer__momentum": 0.5, "epochs": np.int64(2)}
    X = pd.DataFrame(VECTORS, columns=list("abcdef"))
    classifier = kn.KerasNetClassifier("mlp", optimizer="sgd", random_state=0, **parameters).fit(X, LABELS_OF[labels])
    loaded = save_and_load(classifier, tmp_path / "a.kerasnet")
    assert loaded.get_params() == classifier.get_params()
    attributes = {name: value for name, value in vars(classifier).items() if name not in NOT_COMPARED}
    assert vars(loaded).keys() - NOT_COMPARED == attributes.keys()
    for name, value in attributes.items():
        assert_equal_values(vars(loaded)[name], value, name)
    assert_equal_outputs(outputs(loaded, X), outputs(classifier, X))
    assert clone(loaded).get_params() == clone(classifier).get_params()


def test_saving_does_not_change_the_estimator_and_loaded_estimators_can_be_saved(tmp_path):
    pipeline = columns_and_codes()
    before = outputs(pipeline, TABLE)
    steps = [*map(id, pipeline.named_steps.values())]
    kn.save(pipeline, tmp_path / "a.kerasnet")
    kn.save(kn.load(tmp_path / "a.kerasnet"), tmp_path / "b.kerasnet")
    assert_equal_outputs(outputs(pipeline, TABLE), before)
    assert [*map(id, pipeline.named_steps.values())] == steps
    assert_equal_outputs(outputs(kn.load(tmp_path / "b.kerasnet"), TABLE), before)


def test_equal_models_give_equal_files(tmp_path):
    for name in "ab":
        kn.save(kn.KerasNetClassifier("mlp", **FAST).fit(VECTORS, LABELS), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_unfitted_estimators_can_be_saved(tmp_path):
    for number, estimator in enumerate(
        [kn.CNNClassifier(filters=(4,)), kn.AutoencoderOutlierDetector(), HOGTransformer(orientations=4)]
    ):
        loaded = save_and_load(estimator, tmp_path / f"{number}.kerasnet")
        assert type(loaded) is type(estimator)
        assert loaded.get_params() == estimator.get_params()


def test_partial_fit_continues_after_loading(tmp_path):
    def two_epochs(optimizer, **options):
        network = kn.KerasNetClassifier("mlp", optimizer=optimizer, random_state=0, **options)
        return network.partial_fit(VECTORS, LABELS, classes=[0, 1, 2]).partial_fit(VECTORS, LABELS)

    for number, options in enumerate([{"optimizer": "adam"}, {"optimizer": "sgd", "optimizer__momentum": 0.9}]):
        network = two_epochs(**options)
        path = tmp_path / f"{number}.kerasnet"
        kn.save(network, path, include_optimizer=True)
        loaded = kn.load(path)
        for each in (network, loaded):
            each.partial_fit(VECTORS, LABELS)
        assert_equal_outputs(outputs(loaded, VECTORS), outputs(network, VECTORS))
        assert loaded.history_ == network.history_
        kn.save(two_epochs(**options), path)
        assert any(
            loaded.predict_proba(VECTORS)[0] != kn.load(path).partial_fit(VECTORS, LABELS).predict_proba(VECTORS)[0]
        )


def test_memory_is_not_saved_and_random_states_are_saved_as_seeds(tmp_path):
    network = kn.KerasNetClassifier("mlp", epochs=1, memory=str(tmp_path / "memory"), random_state=0)
    pipeline = Pipeline([("scale", StandardScaler()), ("network", network)], memory=str(tmp_path / "cache"))
    pipeline.fit(VECTORS, LABELS)
    loaded = save_and_load(pipeline, tmp_path / "a.kerasnet")
    assert loaded.memory is loaded["network"].memory is None
    assert pipeline.memory is not None
    state = np.random.RandomState(3)
    network = kn.KerasNetClassifier("mlp", epochs=1, random_state=state).fit(VECTORS, LABELS)
    before = state.get_state()[1].tolist()
    assert isinstance(save_and_load(network, tmp_path / "a.kerasnet").random_state, int)
    assert state.get_state()[1].tolist() == before


@pytest.mark.parametrize("name", longer(["subclassed", "constants", "recurrent"], ["constants", "recurrent"]))
def test_partial_fit_continues_for_models_without_shared_code(tmp_path, name):
    def build(input_shape, n_outputs):
        if name == "subclassed":
            return Subclassed(n_outputs)
        if name == "constants":
            first = keras.layers.Normalization(mean=[0.5] * 6, variance=[0.1] * 6)
        else:
            first = keras.layers.Reshape((3, 2))
        layers = [first] + ([keras.layers.GRU(3)] if name == "recurrent" else [])
        return keras.Sequential(
            [keras.Input(input_shape), *layers, keras.layers.Dense(n_outputs, activation="softmax")]
        )

    network = kn.KerasNetClassifier(build, epochs=3, random_state=0).fit(VECTORS, LABELS)
    kn.save(network, tmp_path / "a.kerasnet", include_optimizer=True)
    loaded, predicting = (kn.load(tmp_path / "a.kerasnet", builders={"build": build}) for _ in range(2))
    for each in (predicting, network):
        each.predict(VECTORS)  # must not change the state
    for each in (network, loaded, predicting):
        each.partial_fit(VECTORS, LABELS)
    assert network.history_ == loaded.history_ == predicting.history_


def build_custom(input_shape, n_outputs, output_activation="softmax", units=5):
    inputs = keras.Input(input_shape)
    hidden = keras.layers.BatchNormalization()(keras.layers.Dense(units, activation="relu")(inputs))
    outputs = keras.layers.Dense(n_outputs, activation=output_activation)(keras.layers.Dropout(0.2)(hidden))
    return keras.Model(inputs, outputs)


def build_compiled(meta, compile_kwargs, units=4):
    """A builder in the style of SciKeras."""
    model = keras.Sequential([keras.Input((meta["n_features_in_"],)), keras.layers.Dense(units)])
    model.add(keras.layers.Dense(meta["n_classes_"], activation="softmax"))
    model.compile(optimizer=keras.optimizers.SGD(0.1, momentum=0.9), loss="sparse_categorical_crossentropy")
    return model


class Subclassed(keras.Model):
    def __init__(self, n_outputs):
        super().__init__(name="subclassed")
        self.hidden, self.outer = keras.layers.Dense(4), keras.layers.Dense(n_outputs, activation="softmax")
        self.half = keras.layers.Dense(4, dtype="bfloat16")

    def call(self, inputs):
        return self.outer(keras.ops.cast(self.half(self.hidden(inputs)), "float32"))


def build_subclassed(n_outputs):
    return Subclassed(n_outputs)


# build_custom is also saved in the next test
@pytest.mark.parametrize("builder", longer([build_custom, build_compiled, build_subclassed], [build_custom]))
def test_unregistered_builders_are_passed_to_load(tmp_path, builder):
    classifier = kn.KerasNetClassifier(builder, **FAST).fit(VECTORS, LABELS)
    path, name = tmp_path / "a.kerasnet", builder.__name__
    kn.save(classifier, path, include_optimizer=True)
    for key in (name, name.removeprefix("build_")):
        loaded = kn.load(path, builders={key: builder})
        assert loaded.model is builder
        assert_equal_outputs(outputs(loaded, VECTORS), outputs(classifier, VECTORS))
    message = rf"The model was built by the function '{name}'. .* kn.load\(path, builders={{'{name}': function}}\)"
    with pytest.raises(UnknownModelError, match=message):
        kn.load(path)
    with pytest.raises(UnknownModelError, match=name):
        kn.load(path, builders={"yours": kn.build_mlp})


def register(monkeypatch, name, builder, input_kind="vector"):
    monkeypatch.setitem(_registry._REGISTRY, name, RegisteredModel(name, builder, input_kind, ("classification",)))


def test_registered_user_defined_builders_are_found_by_name(tmp_path, monkeypatch):
    register(monkeypatch, "mine", build_custom)
    path = tmp_path / "a.kerasnet"
    for model in ("mine", build_custom):
        classifier = kn.KerasNetClassifier(model, units=3, **FAST).initialize(VECTORS, LABELS)
        kn.save(classifier, path)
        for builders in ({}, {"mine": build_compiled}):  # only for unregistered models
            loaded = kn.load(path, builders=builders)
            assert loaded.model == model
            assert_equal_outputs(outputs(loaded, VECTORS), outputs(classifier, VECTORS))


def test_sample_shape_is_restored_without_a_registered_builder(tmp_path, monkeypatch):
    def build_flat(input_shape, n_outputs, output_activation):
        layers = [keras.Input(input_shape), keras.layers.Flatten()]
        return keras.Sequential([*layers, keras.layers.Dense(n_outputs, activation=output_activation)])

    with monkeypatch.context() as patch:
        register(patch, "flat", build_flat, "image")
        classifier = kn.KerasNetClassifier("flat", **FAST).initialize(IMAGES, LABELS)
        kn.save(classifier, tmp_path / "a.kerasnet")
        expected = outputs(classifier, IMAGES)
    with pytest.raises(UnknownModelError, match="No model 'flat' is registered"):
        kn.load(tmp_path / "a.kerasnet")
    loaded = kn.load(tmp_path / "a.kerasnet", builders={"flat": build_flat})
    assert_equal_outputs(outputs(loaded, IMAGES), expected)  # uint8 is divided by 255, and a channel axis is added


def test_builders_are_found_by_key_before_function_name(tmp_path):
    def build_one(input_shape, n_outputs):
        return kn.build_mlp(input_shape, n_outputs, activation="relu")

    def build_two(input_shape, n_outputs):
        return kn.build_mlp(input_shape, n_outputs, activation="tanh")

    classifier = kn.KerasNetClassifier(build_one, **FAST).initialize(VECTORS, LABELS)
    kn.save(classifier, tmp_path / "a.kerasnet")
    build_two.__name__ = "build_one"
    loaded = kn.load(tmp_path / "a.kerasnet", builders={"build_one": build_one, "two": build_two})
    assert_equal_outputs(outputs(loaded, VECTORS), outputs(classifier, VECTORS))
    classifier.set_params(model=build_two)
    with pytest.raises(ValueError, match="built by a different function 'build_one' than that in model="):
        kn.save(classifier, tmp_path / "a.kerasnet")
    for builders in ([build_one], {"build_one": "mlp"}):
        with pytest.raises(TypeError, match="builders must be a dict of str to callable"):
            kn.load(tmp_path / "a.kerasnet", builders=builders)


def test_builders_receive_the_parameters_of_the_fit(tmp_path):
    def build_by_params(meta, params, act="relu", units=4):
        layers = [keras.Input((meta["n_features_in_"],)), keras.layers.Dense(params["units"], activation=params["act"])]
        return keras.Sequential([*layers, keras.layers.Dense(3, activation="softmax")])

    classifier = kn.KerasNetClassifier(build_by_params, units=5, **FAST).fit(VECTORS, LABELS)
    classifier.set_params(act="tanh", units=9)
    loaded = save_and_load(classifier, tmp_path / "a.kerasnet", builders={"build_by_params": build_by_params})
    assert_equal_outputs(outputs(loaded, VECTORS), outputs(classifier, VECTORS))
    assert (loaded.act, loaded.units) == ("tanh", 9)


def test_user_defined_builders_with_arbitrary_plain_arguments(tmp_path, monkeypatch):
    def build_odd(input_shape, n_outputs, options=None):
        inputs = keras.Input(input_shape)
        code = keras.layers.Dense(50)(inputs)
        keras.Model(inputs, keras.layers.Dense(2000)(code))  # not part of the model
        return keras.Model(inputs, keras.layers.Dense(n_outputs, activation="softmax")(code))

    for options in (list(range(300)), {"config": "small"}):
        classifier = kn.KerasNetClassifier(build_odd, options=options, **FAST).initialize(VECTORS, LABELS)
        loaded = save_and_load(classifier, tmp_path / "a.kerasnet", builders={"build_odd": build_odd})
        assert loaded.options == options
    register(monkeypatch, "odd", build_odd)
    classifier.set_params(model="odd").initialize(VECTORS, LABELS)
    assert save_and_load(classifier, tmp_path / "a.kerasnet").model == "odd"


@pytest.mark.parametrize(
    "parameters",
    [
        {"optimizer": keras.optimizers.Nadam, "optimizer__beta_1": 0.8},
        {"loss": keras.losses.Huber, "loss__delta": 0.5},
        {"loss": "Huber", "loss__delta": 0.5},
        {"loss": keras.losses.mean_absolute_error},
        pytest.param({"metrics": [keras.metrics.MeanSquaredError, "mae"]}, marks=pytest.mark.exhaustive),
        pytest.param(
            {"metrics": {"a": keras.metrics.MeanSquaredError}, "metrics__a__name": "b"},
            marks=pytest.mark.skipif(
                keras.__version__.startswith("3.13."), reason="Keras 3.13 takes names of outputs only"
            ),
        ),
    ],
    ids=["optimizer", "loss", "name of a loss", "function", "metrics", "named metrics"],
)
def test_classes_and_functions_of_keras_are_saved(tmp_path, parameters):
    weights = np.linspace(0, 1, 60)
    regressor = kn.KerasNetRegressor("mlp", **parameters, **FAST).fit(VECTORS, VECTORS[:, 0], sample_weight=weights)
    loaded = save_and_load(regressor, tmp_path / "a.kerasnet")
    assert {name: getattr(loaded, name) for name in parameters} == parameters
    assert_equal_outputs(outputs(loaded, VECTORS), outputs(regressor, VECTORS))
    for each in (loaded, regressor):
        each.fit(VECTORS, VECTORS[:, 0], sample_weight=weights)
    assert loaded.history_ == regressor.history_


def test_parameters_set_after_the_fit_do_not_change_the_model(tmp_path):
    classifier = kn.KerasNetClassifier("mlp", dense_units=(4,), **FAST).fit(VECTORS, LABELS)
    classifier.set_params(dense_units=(3,), optimizer="sgd", optimizer__momentum=0.9)
    loaded = save_and_load(classifier, tmp_path / "a.kerasnet")
    assert (loaded.dense_units, loaded.optimizer) == ((3,), "sgd")
    assert_equal_outputs(outputs(loaded, VECTORS), outputs(classifier, VECTORS))
    assert isinstance(loaded.model_.optimizer, keras.optimizers.Adam)


def test_frozen_layers_assigned_weights_and_output_containers_are_saved(tmp_path):
    autoencoder = kn.Autoencoder(code_units=2, **FAST).set_output(transform="pandas").fit(VECTORS)
    autoencoder.model_.get_layer("code").trainable = False
    autoencoder.model_.set_weights([weight + 1 for weight in autoencoder.model_.get_weights()])
    loaded = save_and_load(autoencoder, tmp_path / "a.kerasnet")
    assert [layer.trainable for layer in loaded.model_.layers] == [
        layer.trainable for layer in autoencoder.model_.layers
    ]
    pd.testing.assert_frame_equal(loaded.transform(VECTORS), autoencoder.transform(VECTORS))


def test_metadata_requests_are_saved(tmp_path):
    with sklearn.config_context(enable_metadata_routing=True):
        network = kn.KerasNetClassifier("mlp", **FAST).set_fit_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight="weight")
        pipeline = Pipeline([("scale", scaler), ("network", network)])
        loaded = save_and_load(pipeline, tmp_path / "a.kerasnet")
        for name in ("scale", "network"):
            found, expected = (each[name].get_metadata_routing()._serialize() for each in (loaded, pipeline))
            assert found == expected
        loaded.fit(VECTORS, LABELS, sample_weight=np.ones(60), weight=np.ones(60))


def test_inspect(tmp_path):
    pipeline = make_pipeline(StandardScaler(), kn.KerasNetClassifier("mlp", dense_units=(4,), **FAST)).fit(
        VECTORS, LABELS
    )
    metadata = {"accuracy": 0.5, "by": "us", "shape": (6,), "classes": np.arange(3)}
    kn.save(pipeline, tmp_path / "a.kerasnet", metadata=metadata)
    found = kn.inspect(tmp_path / "a.kerasnet")
    assert (found.estimator, found.format, found.versions["keras"]) == ("Pipeline", 1, keras.__version__)
    assert found.types == ["sklearn.pipeline.Pipeline", "sklearn.preprocessing._data.StandardScaler"]
    assert_equal_values(found.metadata, metadata, "metadata")
    (network,) = found.networks
    assert (network.estimator, network.model, network.n_parameters) == ("KerasNetClassifier", "mlp", 43)
    assert network.parameters["dense_units"] == network.arguments["dense_units"] == (4,)
    assert list(network.arrays.values()) == ["float32[6, 4]", "float32[4]", "float32[4, 3]", "float32[3]"]
    assert set(found.sizes) == {"state.json", "weights.npz", "steps.skops"}


def with_note(estimator):
    estimator.note = "mine"
    return estimator


UNSUPPORTED = {
    "Keras model": (kn.build_mlp, TypeError, "To save a Keras model, use its method save"),
    "search": (
        lambda: GridSearchCV(kn.CNNClassifier(), {}),
        TypeError,
        "support GridSearchCV. Save its best_estimator_",
    ),
    "stacking": (lambda: StackingClassifier([("a", kn.CNNClassifier())]), TypeError, "not support StackingClassifier"),
    "kernels": (lambda: make_pipeline(HOGTransformer(), SVC()), TypeError, "does not support SVC"),
    "function": (
        lambda: FunctionTransformer(print),
        TypeError,
        "does not support .*print.*, found in FunctionTransformer",
    ),
    "subclass": (type("Mine", (kn.CNNClassifier,), {}), TypeError, "not their subclasses.* Received: Mine"),
    "model": (lambda: kn.KerasNetClassifier(kn.build_mlp()), ValueError, "saves the name of a model"),
    "lambda": (lambda: kn.KerasNetClassifier(lambda: 0), ValueError, "saves the name of a model"),
    "optimizer": (
        lambda: kn.CNNClassifier(optimizer=keras.optimizers.Adam(0.1)),
        ValueError,
        'in .optimizer.* optimizer="sgd", optimizer__momentum',
    ),
    "complex": (
        lambda: MinMaxScaler((0, 1j)),
        TypeError,
        "cannot save all values in MinMaxScaler: cannot pickle 'complex'",
    ),
    "keywords": (
        lambda: FunctionTransformer(np.add, kw_args={"out": VECTORS}),
        TypeError,
        "support kw_args of FunctionTr",
    ),
    "attribute": (
        lambda: with_note(kn.CNNClassifier()),
        ValueError,
        "attribute 'note' of CNNClassifier, which is neither",
    ),
    "loss": (lambda: kn.CNNClassifier(loss=abs), ValueError, "there is <built-in function abs> in 'loss' of CNNC"),
}


@pytest.mark.parametrize("name", UNSUPPORTED)
def test_unsupported_estimators_raise_with_the_remedy(tmp_path, name):
    make, error, message = UNSUPPORTED[name]
    estimator = make()
    path = tmp_path / "a.kerasnet"
    path.write_bytes(b"earlier")
    with pytest.raises(error, match=message):
        kn.save(estimator, path)
    assert path.read_bytes() == b"earlier"
    assert [*tmp_path.iterdir()] == [path]


def test_assigned_model_and_infinite_weights_raise(tmp_path):
    classifier = kn.KerasNetClassifier("mlp", **FAST).fit(VECTORS, LABELS)
    classifier.model_.layers[-1].bias.assign([np.nan, 0, 0])
    with pytest.raises(ValueError, match="saves finite weights. Received: NaN or infinity in mlp/output/bias"):
        kn.save(classifier, tmp_path / "a.kerasnet")
    classifier.model_ = kn.build_mlp((6,), 3)
    with pytest.raises(ValueError, match="assigned to model_ or compiled by the user"):
        kn.save(classifier, tmp_path / "a.kerasnet")
    recursive = []
    recursive.append(recursive)
    for metadata in ({"a": object()}, [1, 2], {"a": 10**500}, {"a": recursive}, {"a": np.longdouble(1)}):
        with pytest.raises(ValueError, match="metadata must be a dict of plain values"):
            kn.save(kn.CNNClassifier(), tmp_path / "a.kerasnet", metadata=metadata)


def test_callbacks_are_not_saved_and_warn(tmp_path):
    detector = kn.AutoencoderOutlierDetector(code_units=2, callbacks=[keras.callbacks.History()], **FAST).fit(VECTORS)
    with pytest.warns(UserWarning, match="kn.save does not save callbacks. Set them"):
        kn.save(detector, tmp_path / "a.kerasnet")
    loaded = kn.load(tmp_path / "a.kerasnet")
    assert loaded.callbacks is loaded.autoencoder_.callbacks is None
    assert_equal_outputs(outputs(loaded, VECTORS), outputs(detector, VECTORS))


def test_pipeline_with_multiple_networks(tmp_path):
    autoencoder = save_and_load(kn.Autoencoder(**LINEAR).fit(VECTORS), tmp_path / "codes.kerasnet")
    detector = kn.AutoencoderOutlierDetector(**LINEAR).fit(autoencoder.transform(VECTORS))
    pipeline = Pipeline([("codes", autoencoder), ("detector", detector)])
    kn.save(pipeline, tmp_path / "a.kerasnet", include_optimizer=True)
    loaded = kn.load(tmp_path / "a.kerasnet")
    assert_equal_outputs(outputs(loaded, VECTORS), outputs(pipeline, VECTORS))
    codes = autoencoder.transform(VECTORS)
    for mine, theirs, X in (
        (loaded["codes"], autoencoder, VECTORS),
        (loaded["detector"].autoencoder_, detector.autoencoder_, codes),
    ):
        np.testing.assert_array_equal(mine.partial_fit(X).transform(X), theirs.partial_fit(X).transform(X))


@pytest.mark.parametrize("voting", ["soft", "hard"])
def test_voting_of_networks_is_saved(tmp_path, voting):
    members = [(f"seed_{seed}", kn.KerasNetClassifier("mlp", epochs=2, random_state=seed)) for seed in range(3)]
    members.insert(1, ("dropped", "drop"))
    ensemble = VotingClassifier(members, voting=voting, weights=[1, 1, 2, 2]).fit(
        VECTORS, np.array(["a", "b", "c"])[LABELS]
    )
    loaded = save_and_load(ensemble, tmp_path / "a.kerasnet")
    assert_equal_outputs(outputs(loaded, VECTORS), outputs(ensemble, VECTORS))
    assert [*loaded.named_estimators_] == [*ensemble.named_estimators_]
    assert loaded.named_estimators_.dropped == "drop"
    assert loaded.named_estimators_.seed_2 is loaded.estimators_[2]


def test_regressors_with_transformed_targets_and_their_mean_are_saved(tmp_path):
    network = kn.KerasNetRegressor("mlp", **FAST)
    members = [
        ("scaled", TransformedTargetRegressor(network, transformer=StandardScaler())),
        ("logarithmic", TransformedTargetRegressor(network, func=np.log1p, inverse_func=np.expm1)),
    ]
    ensemble = VotingRegressor(members).fit(VECTORS, VECTORS.sum(axis=1, dtype=float))
    loaded = save_and_load(ensemble, tmp_path / "a.kerasnet")
    assert_equal_outputs(outputs(loaded, VECTORS), outputs(ensemble, VECTORS))


def test_optimizer_state_that_does_not_match_raises(tmp_path):
    classifier = kn.KerasNetClassifier("mlp", **FAST).fit(VECTORS, LABELS)
    classifier.model_.layers[0].trainable = False
    with pytest.raises(ValueError, match="as after freezing a layer. Set include_optimizer=False"):
        kn.save(classifier, tmp_path / "a.kerasnet", include_optimizer=True)
    kn.save(classifier, tmp_path / "a.kerasnet")


def test_dtype_policy_of_the_fit_is_restored_under_any_global_policy(tmp_path):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        classifier = kn.KerasNetClassifier("mlp", **FAST).fit(VECTORS, LABELS)
        loaded = save_and_load(classifier, tmp_path / "a.kerasnet")
        assert_equal_outputs(outputs(loaded, VECTORS), outputs(classifier, VECTORS))
    finally:
        keras.config.set_dtype_policy("float32")
    assert_equal_outputs(outputs(kn.load(tmp_path / "a.kerasnet"), VECTORS), outputs(classifier, VECTORS))


def test_pandas_columns_and_random_states(tmp_path):
    numbers = TABLE.select_dtypes("number")
    imputer = IterativeImputer(sample_posterior=True, random_state=np.random.RandomState(0))
    preparation = ColumnTransformer([("numbers", imputer, numbers.columns), ("rest", OneHotEncoder(), ["color"])])
    preparation.fit(TABLE)
    loaded = save_and_load(preparation, tmp_path / "a.kerasnet")
    assert loaded.transformers[0][2] == ["size", "weight", "age"]
    assert isinstance(loaded.named_transformers_["numbers"].random_state, int)
    assert (loaded.transform(TABLE) != loaded.transform(TABLE)).any(), "draws are not all the same"


@pytest.mark.parametrize(
    "options", [{}, {"drop": "first"}, {"min_frequency": 15}, {"max_categories": 2, "drop": "if_binary"}]
)
def test_encoders_pass_validation(tmp_path, options):
    table = TABLE[["color"]].assign(number=np.arange(60) % 7, flag=np.arange(60) % 2 == 0)
    encoder = OneHotEncoder(handle_unknown="ignore", **options).fit(table)
    loaded = save_and_load(encoder, tmp_path / "a.kerasnet")
    np.testing.assert_array_equal(loaded.transform(table).toarray(), encoder.transform(table).toarray())


def test_n_jobs_is_limited_to_the_number_of_processors(tmp_path):
    union = save_and_load(FeatureUnion([("pca", PCA(2))], n_jobs=1000), tmp_path / "a.kerasnet")
    assert union.n_jobs == joblib.cpu_count()
    assert save_and_load(FeatureUnion([("pca", PCA(2))], n_jobs=-1), tmp_path / "a.kerasnet").n_jobs == -1


def test_files_that_need_larger_limits_warn(tmp_path):
    encoder = OneHotEncoder().fit(np.array([str(number) for number in range(45_000)], dtype=object).reshape(-1, 1))
    with pytest.warns(UserWarning, match=r"kn.load\(path, max_json_bytes=\d+"):
        kn.save(encoder, tmp_path / "a.kerasnet")


def test_version_warnings_of_scikit_learn_are_not_errors(tmp_path):
    kn.save(make_pipeline(StandardScaler()), tmp_path / "a.kerasnet")
    crafted = Crafted(tmp_path / "a.kerasnet")
    schema = crafted.schema
    crafted.node("StandardScaler", schema)["content"]["content"]["_sklearn_version"]["content"] = '"1.7.0"'
    crafted.schema = schema
    crafted.write(tmp_path / "a.kerasnet")
    with pytest.warns(InconsistentVersionWarning, match="StandardScaler from version 1.7.0"):
        kn.load(tmp_path / "a.kerasnet")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(InconsistentVersionWarning):
            kn.load(tmp_path / "a.kerasnet")


def test_newer_format_raises_and_different_scikit_learn_version_warns(tmp_path):
    path = tmp_path / "a.kerasnet"
    kn.save(kn.CNNClassifier(), path)
    crafted = Crafted(path)
    crafted.manifest["versions"]["scikit-learn"] = "1.7.0"
    crafted.write(path)
    with pytest.warns(InconsistentVersionWarning, match="unpickle estimator CNNClassifier from version 1.7.0"):
        kn.load(path)
    crafted.manifest["format"] = 2
    crafted.write(path)
    message = "at most 1, found format 2. The file was written by kerasnet .*: update"
    with pytest.raises(DataFormatError, match=message):
        kn.load(path)
