"""Private names of other packages that kerasnet uses, with the reason why no public name is sufficient.

Private names may change in any release. Therefore ``setup.cfg`` pins the minor versions of these packages. A test
compares this table with the source text.
"""

from typing import NamedTuple


class PrivateName(NamedTuple):
    """A private name of another package.

    Attributes
    ----------
    package : str
        The package.
    name : str
        The name of an attribute, or the full name of a module.
    modules : tuple of str
        The modules of kerasnet that use the name.
    reason : str
        The reason why no public name is sufficient.
    """

    package: str
    name: str
    modules: tuple
    reason: str


PRIVATE_NAMES = (
    PrivateName(
        "keras",
        "_compile_config",
        ("training._keys", "training._variables"),
        "The objects that a model was compiled with; get_compile_config serializes them and omits arguments.",
    ),
    PrivateName(
        "keras",
        "_dtype",
        ("training._identity",),
        "An attribute that Keras sets on each layer; the configuration includes it as the dtype policy.",
    ),
    PrivateName(
        "keras",
        "_dtype_policy",
        ("training._identity",),
        "An attribute that Keras sets on each layer; the configuration includes it.",
    ),
    PrivateName(
        "keras",
        "_exclude_from_weight_decay",
        ("training._keys",),
        "The configuration of an optimizer does not include the variables without weight decay.",
    ),
    PrivateName(
        "keras",
        "_exclude_from_weight_decay_pattern",
        ("training._keys",),
        "The configuration of an optimizer does not include the names of variables without weight decay.",
    ),
    PrivateName(
        "keras",
        "_flatten_layers",
        (
            "estimators._inputs",
            "exporting._networks",
            "models.backbone",
            "training._engine",
            "training._keys",
            "training._network",
            "training._variables",
        ),
        "All layers, including nested ones; the attribute layers lists the direct layers of models only.",
    ),
    PrivateName(
        "keras",
        "_fn",
        ("estimators._compiling", "estimators._metrics"),
        "The function that a metric averages; its configuration contains only the name of the function.",
    ),
    PrivateName(
        "keras",
        "_fn_kwargs",
        ("estimators._compiling", "training._keys"),
        "Arguments of losses that are missing from their configurations, such as the delta of Huber.",
    ),
    PrivateName(
        "keras",
        "_inbound_nodes",
        ("training._keys",),
        "The configuration of functional models does not include constants.",
    ),
    PrivateName(
        "keras",
        "_learning_rate",
        ("training._keys", "training._variables"),
        "The learning rate schedule, if there is one; the public property computes the current learning rate.",
    ),
    PrivateName(
        "keras",
        "_losses",
        ("training._keys",),
        "An attribute that Keras sets on each layer and that outputs do not depend on.",
    ),
    PrivateName(
        "keras",
        "_nodes_by_depth",
        ("training._layers",),
        "The calls of layers in the graph of a model; input and output of a layer may belong to another graph.",
    ),
    PrivateName(
        "keras",
        "_symbolic_build",
        ("training._engine", "training._network"),
        "Creates the variables of metrics and optimizers without a training step.",
    ),
    PrivateName(
        "keras",
        "keras.src.backend.common.global_state",
        ("training._building", "training._engine"),
        "Automatic names and the generator of unseeded layers, which are separate for each build and engine.",
    ),
    PrivateName(
        "keras",
        "keras.src.random.seed_generator",
        ("training._building",),
        "Initializers and random layers draw seeds from its generator; each build needs a separate one.",
    ),
    PrivateName(
        "python",
        "_abc_impl",
        ("training._identity",),
        "Python adds it to each abstract class; it is not part of the description of a class.",
    ),
    PrivateName(
        "scikeras",
        "_keras_build_fn",
        ("estimators._parameters",),
        "The method that subclasses of SciKeras estimators define; supported for existing code.",
    ),
    PrivateName(
        "scikeras",
        "scikeras._utils",
        ("estimators._scikeras",),
        "Parameter routing, for which kerasnet uses SciKeras.",
    ),
    PrivateName(
        "sklearn",
        "_default_to_infrequent_mappings",
        ("persistence._steps",),
        "Indices of an encoder from a file that compiled code uses without validation.",
    ),
    PrivateName(
        "sklearn",
        "_doc_link_module",
        ("_documentation",),
        "It links the HTML representation of an estimator to its documentation; scikit-learn names no public way.",
    ),
    PrivateName(
        "sklearn",
        "_doc_link_template",
        ("_documentation",),
        "It links the HTML representation of an estimator to its documentation; scikit-learn names no public way.",
    ),
    PrivateName(
        "sklearn",
        "_doc_link_url_param_generator",
        ("_documentation",),
        "It links the HTML representation of an estimator to its documentation; scikit-learn names no public way.",
    ),
    PrivateName(
        "sklearn",
        "_drop_idx_after_grouping",
        ("persistence._steps",),
        "Indices of an encoder from a file that compiled code uses without validation.",
    ),
    PrivateName(
        "sklearn",
        "_fit_X",
        ("exporting._neighbor_nodes", "exporting._tables"),
        "The training samples of a KNNImputer, which has no public attribute for them.",
    ),
    PrivateName(
        "sklearn",
        "_get_params_html",
        ("_documentation",),
        "It adds the summary of the fit to the HTML representation of an estimator, also as a step of a pipeline.",
    ),
    PrivateName(
        "sklearn",
        "_html_repr",
        ("_documentation",),
        "The function that renders the table of parameters.",
    ),
    PrivateName(
        "sklearn",
        "_infrequent_enabled",
        ("persistence._steps",),
        "Whether an encoder from a file has infrequent categories, which are validated.",
    ),
    PrivateName(
        "sklearn",
        "_infrequent_indices",
        ("persistence._steps",),
        "Indices of an encoder from a file that compiled code uses without validation.",
    ),
    PrivateName(
        "sklearn",
        "_init_callback_context",
        ("estimators._sklearn_callbacks",),
        "The documented way for an estimator to support callbacks of scikit-learn.",
    ),
    PrivateName(
        "sklearn",
        "_metadata_request",
        ("persistence._entries", "persistence._networks", "persistence._steps"),
        "The metadata requests of an estimator, for archives; get_metadata_routing includes those of its steps.",
    ),
    PrivateName(
        "sklearn",
        "_n_features_outs",
        ("persistence._steps",),
        "The number of columns that an encoder from a file allocates.",
    ),
    PrivateName(
        "sklearn",
        "_parent_callback_ctx",
        ("estimators._models", "estimators.outlier_detector"),
        "The callback context of a search that a fit belongs to.",
    ),
    PrivateName(
        "sklearn",
        "_skl_callbacks",
        ("estimators._base", "estimators._models", "estimators.outlier_detector", "persistence._steps"),
        "The argument of set_callbacks; there is no public getter.",
    ),
    PrivateName(
        "sklearn",
        "_sklearn_output_config",
        ("persistence._networks",),
        "The argument of set_output; there is no public getter.",
    ),
    PrivateName(
        "sklearn",
        "sklearn.impute._iterative",
        ("persistence._schema",),
        "The type of the steps of an IterativeImputer, which archives may contain.",
    ),
    PrivateName(
        "sklearn",
        "sklearn.utils._param_validation",
        ("estimators._base", "estimators._parameters", "estimators.backbone_features", "estimators.outlier_detector"),
        "Validates parameters with the error messages of scikit-learn.",
    ),
    PrivateName(
        "tensorflow",
        "_context_handle",
        ("training._fork",),
        "Whether TensorFlow had started when a process was forked.",
    ),
    PrivateName(
        "tensorflow",
        "_self_",
        ("training._identity", "training._keys"),
        "The prefix of attributes that TensorFlow adds to tracked objects.",
    ),
    PrivateName(
        "tensorflow",
        "tensorflow.python.eager.context",
        ("training._fork",),
        "Contains _context_handle; calls of the public API wait forever in a forked process.",
    ),
)
