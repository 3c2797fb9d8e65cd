"""What is saved is what is loaded, in this process and in a fresh one."""

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
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier, VotingClassifier
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
    colour=["red", "blue", "green", "blue"] * 15
)
TABLE.loc[::7, "size"] = np.nan
SAMPLES = {"image": IMAGES, "sequence": SEQUENCES, "vector": VECTORS}
FAST = {"epochs": 2, "random_state": 0}
LINEAR = {"code_units": 2, "output_activation": "linear", **FAST}


def tabular(**options):
    return make_pipeline(make_tabular_preprocessor(**options), kn.KerasNetClassifier("mlp", **FAST)).fit(TABLE, LABELS)


SMALLER = {
    "attention": {"units": 16, "n_blocks": 1},
    "backbone": {"backbone": "mobilenet", "layer": "conv_pw_2_relu"},
    "resnet_small": {"width": 8},
}


def of_registry(name, *, trained=False):
    """Return an estimator with weights that no seed gives: of a training, or written by hand, which is faster."""
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
            ("colours", OneHotEncoder(sparse_output=False), ["colour"]),
        ],
        remainder="drop",
    )
    return make_pipeline(columns, StandardScaler(), LogisticRegression()).fit(TABLE, LABELS)


def found_by_search():
    pipeline = make_pipeline(HOGTransformer(pixels_per_cell=(4, 4)), kn.KerasNetClassifier("mlp", **FAST))
    grid = {"hogtransformer__orientations": [5, 9], "kerasnetclassifier__dense_units": [(8,)]}
    return GridSearchCV(pipeline, grid, cv=2).fit(IMAGES, LABELS).best_estimator_


ESTIMATORS = {
    "CNNClassifier": lambda: (kn.CNNClassifier(filters=(4, 4), **FAST).fit(IMAGES, LABELS), IMAGES),
    "SimpleRNNClassifier": lambda: (kn.SimpleRNNClassifier(units=(8,), **FAST).fit(SEQUENCES, LABELS > 0), SEQUENCES),
    "KerasNetRegressor": lambda: (kn.KerasNetRegressor("mlp", **FAST).fit(VECTORS, VECTORS[:, :2]), VECTORS),
    "several labels": lambda: (kn.KerasNetClassifier("mlp", **FAST).fit(VECTORS, VECTORS[:, :3] > 0.5), VECTORS),
    "detector": lambda: (kn.AutoencoderOutlierDetector(code_units=3, **FAST).fit(VECTORS), VECTORS),
    "pipeline: hog": lambda: (found_by_search(), IMAGES),
    "pipeline: hog and sift": lambda: (
        make_pipeline(
            make_union(HOGTransformer(pixels_per_cell=(4, 4)), SIFTTransformer(4, random_state=0)),
            PCA(5),
            LinearSVC(random_state=0),
        ).fit(IMAGES, LABELS),
        IMAGES,
    ),
    "pipeline: pixels": lambda: (
        make_pipeline(ImagePreprocessor((8, 8), flatten=True), kn.KerasNetClassifier("mlp", **FAST)).fit(
            IMAGES, LABELS
        ),
        IMAGES,
    ),
    "pipeline: codes": lambda: (
        make_pipeline(MinMaxScaler(clip=True), kn.Autoencoder(code_units=3, **FAST), RandomForestClassifier(5)).fit(
            VECTORS, LABELS
        ),
        VECTORS,
    ),
    "pipeline: columns and codes": lambda: (columns_and_codes(), TABLE),
    "pipeline: knn": lambda: (tabular(imputation="knn", outliers="iqr", selection="univariate", n_features=3), TABLE),
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


LEFT_OUT = {"_network", "_callbacks", "target_encoder_"}  # of vars: compared by outputs; not kept; follows classes_


def outputs(estimator, X):
    return {name: np.asarray(getattr(estimator, name)(X)) for name in METHODS if hasattr(estimator, name)}


def assert_equal_outputs(found, expected):
    assert found.keys() == expected.keys()
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name], strict=True)


IN_A_FRESH_PROCESS = """
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


@pytest.mark.parametrize("trained", longer([False, True], [True]))
def test_every_registry_model_and_ten_pipelines_predict_the_same_in_a_fresh_process(trained, record_property, tmp_path):
    made = [of_registry(name, trained=trained) for name in BATTERY] + [make() for make in ESTIMATORS.values()]
    assert sum(name.startswith("pipeline") for name in ESTIMATORS) == 10
    for number, (estimator, _) in enumerate(made):
        kn.save(estimator, tmp_path / f"{number}.kerasnet")
    pd.to_pickle([X for _, X in made], tmp_path / "samples.pickle")
    done = run("-c", IN_A_FRESH_PROCESS % (METHODS,), tmp_path)
    assert done.returncode == 0, done.stderr
    predicted = pd.read_pickle(tmp_path / "predicted.pickle")
    for number, (estimator, X) in enumerate(made):
        assert_equal_outputs(
            {name: np.asarray(each) for name, each in predicted[number].items()}, outputs(estimator, X)
        )
    record_property(
        "counts", f"{len(made)} estimators, among them {len(BATTERY)} models of the registry and 10 pipelines"
    )


def there_and_back(estimator, path, **options):
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
    "texts": np.array(["no", "yes", "maybe"])[LABELS],
    "objects": np.array(["no", "yes", "maybe"], dtype=object)[LABELS],
    "floats": LABELS.astype(np.float32),
    "booleans": LABELS > 0,
    "small ints": LABELS.astype(np.int8),
}


@pytest.mark.parametrize("labels", LABELS_OF)
def test_parameters_and_learned_attributes_are_as_they_were(tmp_path, labels):
    parameters = {"dense_units": (4, 3), "class_weight": "balanced", "optimizer__momentum": 0.5, "epochs": np.int64(2)}
    X = pd.DataFrame(VECTORS, columns=list("abcdef"))
    classifier = kn.KerasNetClassifier("mlp", optimizer="sgd", random_state=0, **parameters).fit(X, LABELS_OF[labels])
    loaded = there_and_back(classifier, tmp_path / "a.kerasnet")
    assert loaded.get_params() == classifier.get_params()
    kept = {name: value for name, value in vars(classifier).items() if name not in LEFT_OUT}
    assert vars(loaded).keys() - LEFT_OUT == kept.keys()
    for name, value in kept.items():
        assert_equal_values(vars(loaded)[name], value, name)
    assert_equal_outputs(outputs(loaded, X), outputs(classifier, X))
    assert clone(loaded).get_params() == clone(classifier).get_params()


def test_saving_changes_nothing_and_a_loaded_one_can_be_saved_again(tmp_path):
    pipeline = columns_and_codes()
    before = outputs(pipeline, TABLE)
    steps = [*map(id, pipeline.named_steps.values())]
    kn.save(pipeline, tmp_path / "a.kerasnet")
    kn.save(kn.load(tmp_path / "a.kerasnet"), tmp_path / "b.kerasnet")
    assert_equal_outputs(outputs(pipeline, TABLE), before)
    assert [*map(id, pipeline.named_steps.values())] == steps
    assert_equal_outputs(outputs(kn.load(tmp_path / "b.kerasnet"), TABLE), before)


def test_equal_models_make_equal_files(tmp_path):
    for name in "ab":
        kn.save(kn.KerasNetClassifier("mlp", **FAST).fit(VECTORS, LABELS), tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_is_not_fitted_is_kept_too(tmp_path):
    for number, estimator in enumerate(
        [kn.CNNClassifier(filters=(4,)), kn.AutoencoderOutlierDetector(), HOGTransformer(orientations=4)]
    ):
        loaded = there_and_back(estimator, tmp_path / f"{number}.kerasnet")
        assert type(loaded) is type(estimator)
        assert loaded.get_params() == estimator.get_params()


def test_training_goes_on_as_if_there_had_been_no_file(tmp_path):
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


def test_memory_is_left_behind_and_random_states_become_seeds(tmp_path):
    network = kn.KerasNetClassifier("mlp", epochs=1, memory=str(tmp_path / "memory"), random_state=0)
    pipeline = Pipeline([("scale", StandardScaler()), ("network", network)], memory=str(tmp_path / "cache"))
    pipeline.fit(VECTORS, LABELS)
    loaded = there_and_back(pipeline, tmp_path / "a.kerasnet")
    assert loaded.memory is loaded["network"].memory is None
    assert pipeline.memory is not None
    state = np.random.RandomState(3)
    network = kn.KerasNetClassifier("mlp", epochs=1, random_state=state).fit(VECTORS, LABELS)
    before = state.get_state()[1].tolist()
    assert isinstance(there_and_back(network, tmp_path / "a.kerasnet").random_state, int)
    assert state.get_state()[1].tolist() == before


@pytest.mark.parametrize("name", longer(["subclassed", "constants", "recurrent"], ["constants", "recurrent"]))
def test_training_goes_on_for_models_that_share_no_code(tmp_path, name):
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
        each.predict(VECTORS)  # which changes nothing
    for each in (network, loaded, predicting):
        each.partial_fit(VECTORS, LABELS)
    assert network.history_ == loaded.history_ == predicting.history_


def build_mine(input_shape, n_outputs, output_activation="softmax", units=5):
    inputs = keras.Input(input_shape)
    hidden = keras.layers.BatchNormalization()(keras.layers.Dense(units, activation="relu")(inputs))
    outputs = keras.layers.Dense(n_outputs, activation=output_activation)(keras.layers.Dropout(0.2)(hidden))
    return keras.Model(inputs, outputs)


def build_compiled(meta, compile_kwargs, units=4):
    """As SciKeras' users write them."""
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


# build_mine is kept in the next test, too
@pytest.mark.parametrize("builder", longer([build_mine, build_compiled, build_subclassed], [build_mine]))
def test_builders_of_ones_own_come_from_the_caller(tmp_path, builder):
    classifier = kn.KerasNetClassifier(builder, **FAST).fit(VECTORS, LABELS)
    path, name = tmp_path / "a.kerasnet", builder.__name__
    kn.save(classifier, path, include_optimizer=True)
    for key in (name, name.removeprefix("build_")):
        loaded = kn.load(path, builders={key: builder})
        assert loaded.model is builder
        assert_equal_outputs(outputs(loaded, VECTORS), outputs(classifier, VECTORS))
    message = rf"Its model comes from the function '{name}'. .* kn.load\(path, builders={{'{name}': function}}\)"
    with pytest.raises(UnknownModelError, match=message):
        kn.load(path)
    with pytest.raises(UnknownModelError, match=name):
        kn.load(path, builders={"yours": kn.build_mlp})


def register(monkeypatch, name, builder, input_kind="vector"):
    monkeypatch.setitem(_registry._REGISTRY, name, RegisteredModel(name, builder, input_kind, ("classification",)))


def test_registered_builders_of_ones_own_are_found_by_name(tmp_path, monkeypatch):
    register(monkeypatch, "mine", build_mine)
    path = tmp_path / "a.kerasnet"
    for model in ("mine", build_mine):
        classifier = kn.KerasNetClassifier(model, units=3, **FAST).fit(VECTORS, LABELS)
        kn.save(classifier, path)
        for builders in ({}, {"mine": build_compiled}):  # for models that are not registered
            loaded = kn.load(path, builders=builders)
            assert loaded.model == model
            assert_equal_outputs(outputs(loaded, VECTORS), outputs(classifier, VECTORS))


def test_what_one_sample_is_stays_known_where_the_builder_is_not_registered(tmp_path, monkeypatch):
    def build_flat(input_shape, n_outputs, output_activation):
        layers = [keras.Input(input_shape), keras.layers.Flatten()]
        return keras.Sequential([*layers, keras.layers.Dense(n_outputs, activation=output_activation)])

    with monkeypatch.context() as patch:
        register(patch, "flat", build_flat, "image")
        classifier = kn.KerasNetClassifier("flat", **FAST).fit(IMAGES, LABELS)
        kn.save(classifier, tmp_path / "a.kerasnet")
        expected = outputs(classifier, IMAGES)
    with pytest.raises(UnknownModelError, match="No model 'flat' is registered"):
        kn.load(tmp_path / "a.kerasnet")
    loaded = kn.load(tmp_path / "a.kerasnet", builders={"flat": build_flat})
    assert_equal_outputs(outputs(loaded, IMAGES), expected)  # bytes are divided by 255, and there is a channel


def test_builders_are_looked_up_by_their_key_first(tmp_path):
    def build_one(input_shape, n_outputs):
        return kn.build_mlp(input_shape, n_outputs, activation="relu")

    def build_two(input_shape, n_outputs):
        return kn.build_mlp(input_shape, n_outputs, activation="tanh")

    classifier = kn.KerasNetClassifier(build_one, **FAST).fit(VECTORS, LABELS)
    kn.save(classifier, tmp_path / "a.kerasnet")
    build_two.__name__ = "build_one"
    loaded = kn.load(tmp_path / "a.kerasnet", builders={"two": build_two, "build_one": build_one})
    assert_equal_outputs(outputs(loaded, VECTORS), outputs(classifier, VECTORS))
    classifier.set_params(model=build_two)
    with pytest.raises(ValueError, match="built by another function 'build_one' than that in model="):
        kn.save(classifier, tmp_path / "a.kerasnet")
    for builders in ([build_one], {"build_one": "mlp"}):
        with pytest.raises(TypeError, match="builders must be a dict of names to functions"):
            kn.load(tmp_path / "a.kerasnet", builders=builders)


def test_builders_see_the_parameters_of_the_fit(tmp_path):
    def build_by_params(meta, params, act="relu", units=4):
        layers = [keras.Input((meta["n_features_in_"],)), keras.layers.Dense(params["units"], activation=params["act"])]
        return keras.Sequential([*layers, keras.layers.Dense(3, activation="softmax")])

    classifier = kn.KerasNetClassifier(build_by_params, units=5, **FAST).fit(VECTORS, LABELS)
    classifier.set_params(act="tanh", units=9)
    loaded = there_and_back(classifier, tmp_path / "a.kerasnet", builders={"build_by_params": build_by_params})
    assert_equal_outputs(outputs(loaded, VECTORS), outputs(classifier, VECTORS))
    assert (loaded.act, loaded.units) == ("tanh", 9)


def test_builders_of_ones_own_take_what_they_like(tmp_path, monkeypatch):
    def build_odd(input_shape, n_outputs, options=None):
        inputs = keras.Input(input_shape)
        code = keras.layers.Dense(50)(inputs)
        keras.Model(inputs, keras.layers.Dense(2000)(code))  # a decoder that is not part of the model
        return keras.Model(inputs, keras.layers.Dense(n_outputs, activation="softmax")(code))

    for options in (list(range(300)), {"config": "small"}):
        classifier = kn.KerasNetClassifier(build_odd, options=options, **FAST).fit(VECTORS, LABELS)
        loaded = there_and_back(classifier, tmp_path / "a.kerasnet", builders={"build_odd": build_odd})
        assert loaded.options == options
    register(monkeypatch, "odd", build_odd)
    assert (
        there_and_back(classifier.set_params(model="odd").fit(VECTORS, LABELS), tmp_path / "a.kerasnet").model == "odd"
    )


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
def test_what_keras_offers_is_kept_as_it_is(tmp_path, parameters):
    regressor = kn.KerasNetRegressor("mlp", **parameters, **FAST).fit(VECTORS, VECTORS[:, 0])
    loaded = there_and_back(regressor, tmp_path / "a.kerasnet")
    assert {name: getattr(loaded, name) for name in parameters} == parameters
    assert_equal_outputs(outputs(loaded, VECTORS), outputs(regressor, VECTORS))
    for each in (loaded, regressor):
        each.fit(VECTORS, VECTORS[:, 0], sample_weight=np.linspace(0, 1, 60))
    assert loaded.history_ == regressor.history_


def test_parameters_set_after_the_fit_do_not_change_the_model(tmp_path):
    classifier = kn.KerasNetClassifier("mlp", dense_units=(4,), **FAST).fit(VECTORS, LABELS)
    classifier.set_params(dense_units=(3,), optimizer="sgd", optimizer__momentum=0.9)
    loaded = there_and_back(classifier, tmp_path / "a.kerasnet")
    assert (loaded.dense_units, loaded.optimizer) == ((3,), "sgd")
    assert_equal_outputs(outputs(loaded, VECTORS), outputs(classifier, VECTORS))
    assert isinstance(loaded.model_.optimizer, keras.optimizers.Adam)


def test_frozen_layers_weights_set_by_hand_and_output_containers_are_kept(tmp_path):
    autoencoder = kn.Autoencoder(code_units=2, **FAST).set_output(transform="pandas").fit(VECTORS)
    autoencoder.model_.get_layer("code").trainable = False
    autoencoder.model_.set_weights([weight + 1 for weight in autoencoder.model_.get_weights()])
    loaded = there_and_back(autoencoder, tmp_path / "a.kerasnet")
    assert [layer.trainable for layer in loaded.model_.layers] == [
        layer.trainable for layer in autoencoder.model_.layers
    ]
    pd.testing.assert_frame_equal(loaded.transform(VECTORS), autoencoder.transform(VECTORS))


def test_metadata_requests_are_kept(tmp_path):
    with sklearn.config_context(enable_metadata_routing=True):
        network = kn.KerasNetClassifier("mlp", **FAST).set_fit_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight="weight")
        pipeline = Pipeline([("scale", scaler), ("network", network)])
        loaded = there_and_back(pipeline, tmp_path / "a.kerasnet")
        for name in ("scale", "network"):
            found, expected = (each[name].get_metadata_routing()._serialize() for each in (loaded, pipeline))
            assert found == expected
        loaded.fit(VECTORS, LABELS, sample_weight=np.ones(60), weight=np.ones(60))


def test_a_file_tells_what_is_in_it(tmp_path):
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


UNKEPT = {
    "Keras model": (kn.build_mlp, TypeError, "A Keras model has a method save of its own"),
    "search": (lambda: GridSearchCV(kn.CNNClassifier(), {}), TypeError, "no GridSearchCV. Save its best_estimator_"),
    "voting": (lambda: VotingClassifier([("a", kn.CNNClassifier())]), TypeError, "keeps no VotingClassifier"),
    "kernels": (lambda: make_pipeline(HOGTransformer(), SVC()), TypeError, "keeps no SVC"),
    "function": (lambda: FunctionTransformer(print), TypeError, "keeps no .*print.*, which FunctionTransformer holds"),
    "subclass": (type("Mine", (kn.CNNClassifier,), {}), TypeError, "keeps no Mine, .* Subclasses"),
    "model": (lambda: kn.KerasNetClassifier(kn.build_mlp()), ValueError, "keeps the name of a model"),
    "lambda": (lambda: kn.KerasNetClassifier(lambda: 0), ValueError, "keeps the name of a model"),
    "optimizer": (
        lambda: kn.CNNClassifier(optimizer=keras.optimizers.Adam(0.1)),
        ValueError,
        'in .optimizer.* optimizer="sgd", optimizer__momentum',
    ),
    "complex": (lambda: MinMaxScaler((0, 1j)), TypeError, "there are others in MinMaxScaler: cannot pickle 'complex'"),
    "keywords": (lambda: FunctionTransformer(np.add, kw_args={"out": VECTORS}), TypeError, "no kw_args of FunctionTr"),
    "attribute": (
        lambda: with_note(kn.CNNClassifier()),
        ValueError,
        "attribute 'note' of CNNClassifier, which is neither",
    ),
    "loss": (lambda: kn.CNNClassifier(loss=abs), ValueError, "there is <built-in function abs> in 'loss' of CNNC"),
}


@pytest.mark.parametrize("name", UNKEPT)
def test_what_cannot_be_kept_is_refused_with_the_remedy(tmp_path, name):
    make, error, message = UNKEPT[name]
    estimator = make()
    path = tmp_path / "a.kerasnet"
    path.write_bytes(b"earlier")
    with pytest.raises(error, match=message):
        kn.save(estimator, path)
    assert path.read_bytes() == b"earlier"
    assert [*tmp_path.iterdir()] == [path]


def test_a_model_put_in_by_hand_and_infinite_weights_are_refused(tmp_path):
    classifier = kn.KerasNetClassifier("mlp", **FAST).fit(VECTORS, LABELS)
    classifier.model_.layers[-1].bias.assign([np.nan, 0, 0])
    with pytest.raises(ValueError, match="keeps finite weights. Received: NaN or infinity in mlp/output/bias"):
        kn.save(classifier, tmp_path / "a.kerasnet")
    classifier.model_ = kn.build_mlp((6,), 3)
    with pytest.raises(ValueError, match="put into model_ or compiled by hand"):
        kn.save(classifier, tmp_path / "a.kerasnet")
    endless = []
    endless.append(endless)
    for metadata in ({"a": object()}, [1, 2], {"a": 10**500}, {"a": endless}, {"a": np.longdouble(1)}):
        with pytest.raises(ValueError, match="metadata must be a dict of plain values"):
            kn.save(kn.CNNClassifier(), tmp_path / "a.kerasnet", metadata=metadata)


def test_callbacks_are_left_out_with_a_warning(tmp_path):
    detector = kn.AutoencoderOutlierDetector(code_units=2, callbacks=[keras.callbacks.History()], **FAST).fit(VECTORS)
    with pytest.warns(UserWarning, match="kn.save keeps no callbacks: give them again"):
        kn.save(detector, tmp_path / "a.kerasnet")
    loaded = kn.load(tmp_path / "a.kerasnet")
    assert loaded.callbacks is loaded.autoencoder_.callbacks is None
    assert_equal_outputs(outputs(loaded, VECTORS), outputs(detector, VECTORS))


def test_networks_of_several_kinds_share_a_pipeline(tmp_path):
    autoencoder = there_and_back(kn.Autoencoder(**LINEAR).fit(VECTORS), tmp_path / "codes.kerasnet")
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


def test_the_state_of_an_optimizer_is_that_of_the_trained_layers(tmp_path):
    classifier = kn.KerasNetClassifier("mlp", **FAST).fit(VECTORS, LABELS)
    classifier.model_.layers[0].trainable = False
    with pytest.raises(ValueError, match="as after freezing a layer. Set include_optimizer=False"):
        kn.save(classifier, tmp_path / "a.kerasnet", include_optimizer=True)
    kn.save(classifier, tmp_path / "a.kerasnet")


def test_an_archive_opens_under_any_dtype_policy_and_with_that_of_its_fit(tmp_path):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        classifier = kn.KerasNetClassifier("mlp", **FAST).fit(VECTORS, LABELS)
        loaded = there_and_back(classifier, tmp_path / "a.kerasnet")
        assert_equal_outputs(outputs(loaded, VECTORS), outputs(classifier, VECTORS))
    finally:
        keras.config.set_dtype_policy("float32")
    assert_equal_outputs(outputs(kn.load(tmp_path / "a.kerasnet"), VECTORS), outputs(classifier, VECTORS))


def test_columns_as_pandas_gives_them_and_random_states_in_use(tmp_path):
    numbers = TABLE.select_dtypes("number")
    imputer = IterativeImputer(sample_posterior=True, random_state=np.random.RandomState(0))
    preparation = ColumnTransformer([("numbers", imputer, numbers.columns), ("rest", OneHotEncoder(), ["colour"])])
    preparation.fit(TABLE)
    loaded = there_and_back(preparation, tmp_path / "a.kerasnet")
    assert loaded.transformers[0][2] == ["size", "weight", "age"]
    assert isinstance(loaded.named_transformers_["numbers"].random_state, int)
    assert (loaded.transform(TABLE) != loaded.transform(TABLE)).any(), "draws are not all the same"


@pytest.mark.parametrize(
    "options", [{}, {"drop": "first"}, {"min_frequency": 15}, {"max_categories": 2, "drop": "if_binary"}]
)
def test_encoders_of_all_kinds_pass_the_looks_at_them(tmp_path, options):
    table = TABLE[["colour"]].assign(number=np.arange(60) % 7, flag=np.arange(60) % 2 == 0)
    encoder = OneHotEncoder(handle_unknown="ignore", **options).fit(table)
    loaded = there_and_back(encoder, tmp_path / "a.kerasnet")
    np.testing.assert_array_equal(loaded.transform(table).toarray(), encoder.transform(table).toarray())


def test_no_more_processes_than_processors(tmp_path):
    union = there_and_back(FeatureUnion([("pca", PCA(2))], n_jobs=1000), tmp_path / "a.kerasnet")
    assert union.n_jobs == joblib.cpu_count()
    assert there_and_back(FeatureUnion([("pca", PCA(2))], n_jobs=-1), tmp_path / "a.kerasnet").n_jobs == -1


def test_files_that_need_larger_limits_say_so(tmp_path):
    encoder = OneHotEncoder().fit(np.array([str(number) for number in range(45_000)], dtype=object).reshape(-1, 1))
    with pytest.warns(UserWarning, match=r"kn.load needs max_json_bytes=\d+"):
        kn.save(encoder, tmp_path / "a.kerasnet")


def test_warnings_of_scikit_learn_are_not_taken_for_damage(tmp_path):
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


def test_a_newer_format_is_refused_by_name_and_another_scikit_learn_warns(tmp_path):
    path = tmp_path / "a.kerasnet"
    kn.save(kn.CNNClassifier(), path)
    crafted = Crafted(path)
    crafted.manifest["versions"]["scikit-learn"] = "1.7.0"
    crafted.write(path)
    with pytest.warns(InconsistentVersionWarning, match="unpickle estimator CNNClassifier from version 1.7.0"):
        kn.load(path)
    crafted.manifest["format"] = 2
    crafted.write(path)
    message = "format 2, .* reads formats up to 1. It was written by kerasnet .*: update"
    with pytest.raises(DataFormatError, match=message):
        kn.load(path)
