"""scikit-learn's estimator checks."""

import functools
import inspect

import keras
import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator

from kerasnet import (
    Autoencoder,
    AutoencoderOutlierDetector,
    CNNClassifier,
    KerasNetClassifier,
    KerasNetRegressor,
    SimpleRNNClassifier,
)
from kerasnet.models import _registry, build_cnn, register_model

pytestmark = pytest.mark.filterwarnings("ignore:X contains sequences of integers")  # which scikit-learn's checks pass

EXPECTED_FAILURES = dict.fromkeys(
    ("check_sample_weight_equivalence_on_dense_data", "check_sample_weight_equivalence_on_sparse_data"),
    "repeated or removed samples change the mini-batches and the rounding of float32 sums; without mini-batches, both "
    "fits are equal up to 1e-6, see test_contract.py",
)


def build_cnn_for_rows(
    input_shape,
    n_outputs=10,
    *,
    filters=(32,),
    kernel_size=3,
    pool_size=2,
    dense_units=(128,),
    activation="relu",
    output_activation="softmax",
    dropout=0.0,
    l1=0.0,
    l2=0.0,
    name="cnn_of_rows",
):
    """Build the CNN for the rows of scikit-learn's checks: each value becomes a tile of an image."""
    arguments = {name: value for name, value in locals().items() if name in inspect.signature(build_cnn).parameters}
    (n_values,) = input_shape
    image = (4 * n_values, 4, 1)
    rows_to_images = [
        keras.Input(input_shape, name="rows"),
        keras.layers.Reshape((n_values, 1, 1), name="values"),
        keras.layers.UpSampling2D(4, name="tiles"),
    ]
    return keras.Sequential([*rows_to_images, build_cnn(**{**arguments, "input_shape": image})], name=name)


@pytest.fixture(scope="module", autouse=True)
def registered():
    """Register the builder for these tests."""
    register_model("cnn_of_rows", input_kind="vector", tasks=("classification", "regression"))(build_cnn_for_rows)
    yield
    _registry._REGISTRY.pop("cnn_of_rows")


class CNNClassifierForRows(CNNClassifier):
    """CNNClassifier for rows."""

    model = "cnn_of_rows"


# checks that another check or test includes, in all classes
REPEATED_CHECKS = {
    "check_estimator_sparse_matrix",  # as check_estimator_sparse_array
    *EXPECTED_FAILURES,
    "check_sample_weights_list",  # as check_sample_weights_pandas_series
}
# checks of the validation that all estimators share, which run for the classifier
CHECKS_OF_SHARED_VALIDATION = {
    *REPEATED_CHECKS,
    "check_dtype_object",
    "check_estimator_sparse_array",
    "check_estimators_dtypes",
    "check_estimators_overwrite_params",
    "check_fit2d_1feature",
    "check_n_features_in_after_fitting",
    "check_pipeline_consistency",
    "check_sample_weights_pandas_series",
}
# checks that depend on the class: constructor, parameters, tags, shapes of samples
CHECKS_FOR_EACH_CLASS = {
    "check_do_not_raise_errors_in_init_or_set_param",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_sparse_tag",
    "check_estimator_tags_renamed",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_set_params",
    "check_valid_tag_types",
    "check_dict_unchanged",
    "check_fit2d_predict1d",
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
    "check_n_features_in",
}


def parametrize_checks(*estimators, exhaustive=frozenset(), default=None):
    """Parametrize a test with scikit-learn's checks of estimators.

    Those named in `exhaustive`, those not named in `default`, and those that repeat a check with read-only data or
    another dtype are exhaustive.
    """
    cases = []
    for instance, check in (pair for each in estimators for pair in estimator_checks_generator(each)):
        function, settings = check, {}
        while isinstance(function, functools.partial):
            function, settings = function.func, settings | function.keywords
        name = function.__name__
        repeats = settings.keys() & {"readonly_memmap", "X_dtype"} and name != "check_readonly_memmap_input"
        is_short = not repeats and name not in exhaustive and (default is None or name in default)
        marks = [] if is_short else [pytest.mark.exhaustive]
        if name in EXPECTED_FAILURES:
            marks.append(pytest.mark.xfail(reason=EXPECTED_FAILURES[name], strict=True))
        options = "".join(f"-{option}={value}" for option, value in settings.items())
        cases.append(pytest.param(instance, check, id=f"{type(instance).__name__}-{name}{options}", marks=marks))
    return pytest.mark.parametrize(("estimator", "check"), cases)


@parametrize_checks(
    KerasNetClassifier("mlp", epochs=20, optimizer="sgd", learning_rate=0.3), exhaustive=REPEATED_CHECKS
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@parametrize_checks(
    KerasNetRegressor("mlp", epochs=20, optimizer="sgd", learning_rate=0.01),
    Autoencoder(code_units=8, output_activation="linear", optimizer="sgd", learning_rate=0.1),
    AutoencoderOutlierDetector(code_units=8, output_activation="linear", optimizer="sgd"),
    exhaustive=CHECKS_OF_SHARED_VALIDATION,
)
def test_scikit_learn_checks_for_other_kinds_of_estimators(estimator, check):
    check(estimator)


@parametrize_checks(
    SimpleRNNClassifier(units=(8,), epochs=20, optimizer="sgd", learning_rate=0.3), default=CHECKS_FOR_EACH_CLASS
)
def test_scikit_learn_checks_for_a_fixed_architecture(estimator, check):
    check(estimator)


@pytest.mark.exhaustive  # same code as above
@parametrize_checks(
    KerasNetClassifier("simple_rnn", epochs=20, learning_rate=0.01),
    CNNClassifierForRows(epochs=20, learning_rate=0.005),
)
def test_scikit_learn_checks_for_more_classifiers(estimator, check):
    check(estimator)
