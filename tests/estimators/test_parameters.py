"""get_params, set_params and clone, with arguments of the builder as parameters."""

import copy
import inspect
import re

import keras
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from kerasnet.errors import UnknownModelError
from kerasnet.estimators import (
    Autoencoder,
    AutoencoderOutlierDetector,
    CNNClassifier,
    KerasNetClassifier,
    KerasNetRegressor,
    SimpleRNNClassifier,
)
from kerasnet.models import registered_model

CLASSIFIERS = [CNNClassifier, SimpleRNNClassifier, KerasNetClassifier]
CLASSES = [*CLASSIFIERS, KerasNetRegressor, Autoencoder, AutoencoderOutlierDetector]
TRAINING = set(inspect.signature(KerasNetClassifier).parameters) - {"model", "image_shape", "others"}
CLASSIFIER_PARAMETERS = {"class_weight", "metrics", "loss", "early_stopping"}  # defaults or descriptions differ
IMAGE_PARAMETERS = {"augmentation"}  # only for estimators that support images


def documented_parameters(cls):
    """Return the description of each parameter in the docstring."""
    section = cls.__doc__.partition("----------\n")[2].partition("\n    Attributes\n")[0]
    entries = re.split(r"^    (?=\S)", section, flags=re.MULTILINE)[1:]
    described = {}
    for entry in entries:
        names, _, text = entry.partition(" : ")
        described |= dict.fromkeys(names.split(", "), text.strip())
    return described


@pytest.mark.parametrize("cls", CLASSES)
def test_training_parameters_and_their_documentation_are_consistent(cls):
    signature, reference = inspect.signature(cls).parameters, inspect.signature(KerasNetClassifier).parameters
    documented, expected = documented_parameters(cls), documented_parameters(KerasNetClassifier)
    names = TRAINING if cls in CLASSIFIERS else TRAINING - CLASSIFIER_PARAMETERS
    for name in (names - IMAGE_PARAMETERS) | (IMAGE_PARAMETERS & set(signature)):
        assert signature[name].default == reference[name].default
        assert documented[name] == expected[name]
    assert {name.strip("*\n") for name in documented} >= set(signature) - {"others"}
    assert (set(signature) >= IMAGE_PARAMETERS) == (cls in (CNNClassifier, KerasNetClassifier, KerasNetRegressor))


@pytest.mark.parametrize("cls", [CNNClassifier, SimpleRNNClassifier, Autoencoder])
def test_architecture_parameters_equal_builder_arguments(cls):
    builder = inspect.signature(registered_model(cls().model).builder).parameters
    own = {name: parameter.default for name, parameter in inspect.signature(cls).parameters.items()}
    for name in set(builder) - {"input_shape", "n_outputs", "output_activation", "name"}:
        assert own.pop(name) == builder[name].default
    assert set(own) - TRAINING <= {"image_shape", "model", "output_activation", "others"}


@pytest.mark.parametrize("cls", CLASSES)
def test_constructors_only_store_parameters(cls):
    filters = [1, 2]
    given = {"epochs": 0, "optimizer": "nonsense", "batch_size": filters}
    estimator = cls(**given)
    assert estimator.batch_size is filters
    assert {name: estimator.get_params()[name] for name in given} == given


def test_builder_arguments_are_parameters():
    params = KerasNetClassifier("cnn", filters=(8,)).get_params()
    assert params["model"] == "cnn"
    assert params["filters"] == (8,)
    assert params["kernel_size"] == 3
    assert not {"input_shape", "n_outputs", "output_activation", "name", "others"} & set(params)


def test_builder_arguments_can_be_set_later():
    estimator = KerasNetClassifier("cnn").set_params(filters=(4,))
    assert estimator.get_params()["filters"] == (4,)


def test_changing_the_model_resets_defaults():
    estimator = clone(KerasNetClassifier("cnn", dropout=0.5)).set_params(model="mlp", dense_units=(8,))
    params = estimator.get_params()
    assert params["model"] == "mlp"
    assert params["dense_units"] == (8,)
    assert params["dropout"] == 0.5
    assert "filters" not in params


def test_model_is_set_before_its_arguments():
    estimator = KerasNetClassifier("cnn").set_params(units=(5,), model="simple_rnn")
    assert estimator.get_params()["units"] == (5,)


def test_unsupported_explicit_values_are_reported_for_a_new_model():
    estimator = KerasNetClassifier("cnn", filters=(8,))
    with pytest.raises(ValueError, match=r"\(model 'mlp'\) has no parameter 'filters'\. Valid"):
        estimator.set_params(model="mlp", epochs=3)
    assert estimator.get_params()["model"] == "cnn"
    assert estimator.epochs == 10


@pytest.mark.parametrize(
    "estimator",
    [
        CNNClassifier(filters=(4, 8), optimizer="sgd", optimizer__momentum=0.9),
        KerasNetClassifier("mlp", dense_units=(3,), callbacks__patience=2),
        KerasNetClassifier(registered_model("cnn").builder, pool_size=3),
    ],
)
def test_clones_have_the_same_explicit_parameters(estimator):
    copied = clone(estimator)
    assert copied is not estimator
    assert copied.get_params() == estimator.get_params()
    assert vars(copied) == vars(estimator)


def test_clone_is_not_fitted(digits):
    X, y = digits
    estimator = KerasNetClassifier("mlp", epochs=1, random_state=0).fit(X[:50], y[:50])
    assert not [name for name in vars(clone(estimator)) if name.endswith("_")]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: CNNClassifier(epoch=3),
            r"\(model 'cnn'\) has no parameter 'epoch' \(did you mean 'epochs'",
        ),
        (lambda: KerasNetClassifier("mlp", dens_units=(3,)), r"'dens_units' \(did you mean 'dense_units'\?\)"),
        (lambda: SimpleRNNClassifier(unit=3, epoch=2), r"'unit' .*units.*, 'epoch' .*epochs"),
        (lambda: CNNClassifier(zzz__learning_rate=3), r"has no parameter 'zzz__learning_rate'"),
        (lambda: CNNClassifier(model="mlp"), r"has no parameter 'model'"),
    ],
)
def test_unknown_constructor_arguments_raise_type_error_with_suggestion(make, message):
    with pytest.raises(TypeError, match=message):
        make()


def test_unknown_names_in_set_params_raise_value_error_and_set_nothing():
    estimator = CNNClassifier()
    with pytest.raises(ValueError, match=r"'kernel' \(did you mean 'kernel_size'\?\)"):
        estimator.set_params(epochs=2, kernel=5)
    assert estimator.epochs == 10


def test_unknown_model_is_reported_before_its_arguments():
    with pytest.raises(UnknownModelError, match="Did you mean: cnn"):
        KerasNetClassifier("cn", filters=(8,))
    assert KerasNetClassifier("cn").get_params()["model"] == "cn"


def build_user_model(input_shape, n_outputs, hidden, *, output_activation="softmax", scale=1):
    """Build a model; one argument has no default."""
    return keras.Sequential(
        [
            keras.Input(input_shape),
            keras.layers.Flatten(),
            keras.layers.Dense(hidden * scale, activation="relu"),
            keras.layers.Dense(n_outputs, activation=output_activation),
        ]
    )


def test_arguments_of_user_defined_builders_are_parameters(digits):
    X, y = digits
    estimator = KerasNetClassifier(build_user_model, hidden=4, epochs=1, random_state=0)
    assert estimator.get_params()["scale"] == 1
    assert "hidden" not in KerasNetClassifier(build_user_model).get_params()
    estimator.set_params(scale=3).initialize(X[:50], y[:50])
    assert estimator.model_.layers[1].units == 12
    with pytest.raises(TypeError, match="hiden"):
        KerasNetClassifier(build_user_model, hiden=4)


def test_builder_with_var_keyword_receives_explicit_parameters(digits):
    X, y = digits
    seen = {}

    def build(**arguments):
        seen.update(arguments)
        return build_user_model(arguments["input_shape"], arguments["n_outputs"], 2)

    KerasNetClassifier(build, whatever=7).initialize(X[:30], y[:30])
    assert seen == {"whatever": 7, "input_shape": (8, 8), "n_outputs": 10, "output_activation": "softmax"}


def test_repr_equals_scikit_learn():
    assert repr(CNNClassifier(epochs=3)) == "CNNClassifier(epochs=3)"
    assert "CNNClassifier" in CNNClassifier()._repr_html_()


INVALID_VALUES = [
    ({"epochs": 0}, r"'epochs' parameter of SimpleRNNClassifier must be an int in the range \[1, inf\)\. Got 0"),
    ({"batch_size": 0}, r"'batch_size' parameter .* Got 0"),
    ({"learning_rate": -1.0}, r"'learning_rate' parameter"),
    ({"learning_rate_schedule": "linear"}, r"'learning_rate_schedule' parameter .*one_cycle"),
    ({"validation_fraction": 1.0}, r"'validation_fraction' parameter"),
    ({"random_state": "0"}, r"'random_state' parameter"),
    ({"optimizer": "adm"}, r"adm"),
    ({"optimizer__momentum": 0.9}, r"momentum"),
    ({"units": (0,)}, r"units must be a positive int, or a tuple"),
    ({"dropout": 2}, r"dropout must be"),
]


@pytest.mark.parametrize(("params", "message"), INVALID_VALUES, ids=str)
def test_values_are_validated_in_fit(digits, params, message):
    X, y = digits
    estimator = SimpleRNNClassifier(epochs=1, random_state=0).fit(X[:50], y[:50])
    before = vars(estimator).copy()
    weights = estimator.model_.get_weights()
    estimator.set_params(**params)
    with pytest.raises(ValueError, match=message):
        estimator.fit(X[:50], y[:50])
    after = {name: value for name, value in vars(estimator).items() if name.endswith("_")}
    assert after == {name: value for name, value in before.items() if name.endswith("_")}
    assert all((a == b).all() for a, b in zip(weights, estimator.model_.get_weights(), strict=True))


def test_invalid_builders_raise_an_error(digits):
    X, y = digits
    with pytest.raises(TypeError, match=r"must return a keras\.Model\. Received: 3"):
        KerasNetClassifier(lambda: 3).fit(X, y)
    with pytest.raises(ValueError, match=r"must have 10 outputs for the 10 classes of y.*\(None, 4\)"):
        KerasNetClassifier(lambda input_shape: build_user_model(input_shape, 4, 4)).fit(X, y)


class WithState(KerasNetClassifier):
    """A subclass with an additional attribute."""

    def fit(self, X, y):
        self.scaler = StandardScaler().fit(X)
        return super().fit(self.scaler.transform(X), y)

    def predict_proba(self, X):
        return super().predict_proba(self.scaler.transform(X))


class OwnConstructor(KerasNetClassifier):
    """A subclass with a constructor that derives other parameters from its own."""

    def __init__(self, hidden=8):
        super().__init__("mlp", dense_units=(hidden,), epochs=2, random_state=0)
        self.hidden = hidden


class ForwardingConstructor(KerasNetClassifier):
    """A subclass with a constructor that forwards other parameters."""

    def __init__(self, hidden=8, **others):
        super().__init__("mlp", dense_units=(hidden,), **others)
        self.hidden = hidden


def test_attributes_are_not_parameters():
    X, y = load_iris(return_X_y=True)
    estimator = KerasNetClassifier("mlp", epochs=1)
    estimator.note = "x"
    assert "note" not in clone(estimator).get_params()
    estimator.fit(X, y)
    fitted = WithState("mlp", epochs=1, random_state=0).fit(X, y)
    assert "scaler" not in fitted.get_params()
    assert not hasattr(clone(fitted), "scaler")
    assert cross_val_score(fitted, X, y, cv=2, error_score="raise").shape == (2,)
    assert copy.deepcopy(fitted).scaler is not fitted.scaler


def test_subclass_with_own_constructor_has_its_parameters():
    X, y = load_iris(return_X_y=True)
    estimator = OwnConstructor(4)
    assert estimator.get_params() == {"hidden": 4}
    assert repr(estimator) == "OwnConstructor(hidden=4)"
    assert clone(estimator).dense_units == (4,)
    assert cross_val_score(estimator, X, y, cv=2, error_score="raise").shape == (2,)
    search = GridSearchCV(estimator, {"hidden": [4, 5]}, cv=2, error_score="raise").fit(X, y)
    units = search.best_estimator_.model_.layers[0].units
    assert units == search.best_params_["hidden"]
    with pytest.raises(ValueError, match=r"has no parameter 'hiden' \(did you mean 'hidden'\?\)"):
        estimator.set_params(hiden=3)
    with pytest.raises(ValueError, match="has no parameter 'epochs'"):
        estimator.set_params(epochs=3)


def test_subclass_constructor_with_var_keyword():
    estimator = ForwardingConstructor(4, epochs=7)
    assert estimator.get_params() == {"hidden": 4, "epochs": 7}
    changed = clone(estimator).set_params(hidden=6, batch_size=5)
    assert changed.get_params() == {"hidden": 6, "epochs": 7, "batch_size": 5}
    assert (changed.dense_units, changed.epochs, changed.batch_size) == ((6,), 7, 5)
    with pytest.raises(ValueError, match="has no parameter 'epoch'"):
        estimator.set_params(epoch=3)


def build_with_underscores(input_shape, n_outputs, lambda_=0.0, _units=4, output_activation="softmax"):
    regularizer = keras.regularizers.L2(lambda_)
    layers = [
        keras.layers.Dense(_units),
        keras.layers.Dense(n_outputs, output_activation, kernel_regularizer=regularizer),
    ]
    return keras.Sequential([keras.Input(input_shape), *layers])


def test_arguments_with_leading_or_trailing_underscore_are_parameters():
    X, y = load_iris(return_X_y=True)
    estimator = KerasNetClassifier(build_with_underscores, lambda_=100.0, _units=9, epochs=1, random_state=0)
    for each in (estimator, clone(estimator)):
        assert (each.get_params()["lambda_"], each.get_params()["_units"]) == (100.0, 9)
        model = each.initialize(X, y).model_
        assert (model.layers[0].units, float(model.layers[1].kernel_regularizer.l2)) == (9, 100.0)
    grid = {"lambda_": [0.0, 100.0]}
    folds = [(range(0, 150, 2), range(1, 150, 2))]
    search = GridSearchCV(estimator.set_params(epochs=20, learning_rate=0.05), grid, cv=folds, refit=False).fit(X, y)
    assert len(set(search.cv_results_["mean_test_score"])) == 2


def test_repr_shows_only_non_default_parameters():
    assert repr(KerasNetClassifier("cnn")) == "KerasNetClassifier(model='cnn')"
    assert repr(KerasNetClassifier("cnn", filters=(32,))) == "KerasNetClassifier(model='cnn')"
    assert repr(KerasNetClassifier("cnn", filters=(8,))) == "KerasNetClassifier(filters=(8,), model='cnn')"
    assert "units=(3,)" in repr(make_pipeline(StandardScaler(), KerasNetClassifier("lstm", units=(3,))))
    assert "dropout" not in repr(make_pipeline(StandardScaler(), KerasNetClassifier("lstm", units=(3,))))
    assert "units" in KerasNetClassifier("lstm").get_params()
    assert "units" not in KerasNetClassifier("lstm").get_params(deep=False)  # shown in the HTML representation


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"compile__foo": 1}, "compile__foo: keras.Model.compile has no argument 'foo'"),
        ({"compile__optimizer": "sgd"}, "Set 'optimizer' itself"),
        (
            {"callbacks": keras.callbacks.EarlyStopping, "callbacks__pacience": 2},
            r"EarlyStopping has no argument 'pacience' \(did you mean 'patience'\?\)",
        ),
        (
            {"callbacks__patience": 2},
            "callbacks__patience requires callbacks given by name or class. Received: callbacks=None",
        ),
        (
            {"callbacks": [keras.callbacks.EarlyStopping], "callbacks__7__patience": 1},
            "entry 7 of callbacks, which has 1",
        ),
        (
            {"optimizer": keras.optimizers.SGD(), "optimizer__momentum": 0.9},
            "optimizer=SGD does not accept parameters because",
        ),
        (
            {"metrics": "AUC", "metrics__thresholds_": 3},
            r"AUC has no argument 'thresholds_' \(did you mean 'thresholds'",
        ),
        ({"metrics": ["acuracy"]}, r"Could not interpret metric identifier 'acuracy' \(did you mean 'accuracy'"),
        (
            {"loss": keras.losses.mean_squared_error, "loss__delta": 1},
            "requires a loss given by name or class",
        ),
        ({"optimizer": None}, "Could not interpret optimizer identifier: None"),
        ({"model": 3}, "``model`` must be the name of a registered model"),
    ],
)
def test_invalid_routed_parameters_raise_errors(params, message):
    with pytest.raises(ValueError, match=message):
        KerasNetClassifier(**{"model": "mlp", "epochs": 1, **params}).fit(*load_iris(return_X_y=True))


def test_routed_parameters_of_metrics_by_name():
    X, y = load_iris(return_X_y=True)
    classifier = KerasNetClassifier("mlp", metrics="AUC", metrics__num_thresholds=50, epochs=1, random_state=0)
    assert "AUC" in classifier.fit(X, y).history_
