"""Private names of other packages that kerasnet uses, each with the reason why no public one does.

Private names may change with any release: ``setup.cfg`` pins the minor versions of these packages, and a test compares
this table with the source text.
"""

from typing import NamedTuple


class PrivateName(NamedTuple):
    """A private name of another package.

    Attributes
    ----------
    package : str
        The package that it belongs to.
    name : str
        An attribute, or the full name of a module.
    modules : tuple of str
        The modules of kerasnet that use it.
    reason : str
        Why no public name does.
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
        "The objects that a model was compiled with; get_compile_config serializes them and leaves arguments out.",
    ),
    PrivateName(
        "keras",
        "_dtype",
        ("training._identity",),
        "An attribute that Keras sets on each layer; it counts by the dtype policy in the configuration.",
    ),
    PrivateName(
        "keras",
        "_dtype_policy",
        ("training._identity",),
        "An attribute that Keras sets on each layer; it is described as part of the configuration.",
    ),
    PrivateName(
        "keras",
        "_exclude_from_weight_decay",
        ("training._keys",),
        "Variables without weight decay are in no configuration of an optimizer.",
    ),
    PrivateName(
        "keras",
        "_exclude_from_weight_decay_pattern",
        ("training._keys",),
        "Names of variables without weight decay are in no configuration of an optimizer.",
    ),
    PrivateName(
        "keras",
        "_flatten_layers",
        (
            "estimators._inputs",
            "models.backbone",
            "training._engine",
            "training._keys",
            "training._network",
            "training._variables",
        ),
        "All layers, also those inside of layers; the attribute layers has only those of models.",
    ),
    PrivateName(
        "keras",
        "_fn",
        ("estimators._compiling", "estimators._metrics"),
        "The function that a metric averages; its configuration has the name of the function alone.",
    ),
    PrivateName(
        "keras",
        "_fn_kwargs",
        ("estimators._compiling", "training._keys"),
        "Arguments of losses that their configurations leave out, such as the delta of Huber.",
    ),
    PrivateName(
        "keras", "_inbound_nodes", ("training._keys",), "Constants in functional models are in no configuration."
    ),
    PrivateName(
        "keras",
        "_learning_rate",
        ("training._keys", "training._variables"),
        "Tells a schedule from a number; the public property computes the current rate.",
    ),
    PrivateName(
        "keras",
        "_losses",
        ("training._keys",),
        "An attribute that Keras sets on each layer and that outputs do not depend on.",
    ),
    PrivateName(
        "keras",
        "_symbolic_build",
        ("training._engine", "training._network"),
        "Creates the variables of metrics and optimizers without running a step.",
    ),
    PrivateName(
        "keras",
        "keras.src.backend.common.global_state",
        ("training._building", "training._engine"),
        "Automatic names and the generator of unseeded layers, which each build and engine has to itself.",
    ),
    PrivateName(
        "keras",
        "keras.src.random.seed_generator",
        ("training._building",),
        "Initializers and random layers draw seeds from its generator; a build needs one of its own.",
    ),
    PrivateName(
        "python",
        "_abc_impl",
        ("training._identity",),
        "Python adds it to each abstract class; it must not count for the identity of a class.",
    ),
    PrivateName(
        "scikeras",
        "_keras_build_fn",
        ("estimators._parameters",),
        "The method that subclasses of SciKeras estimators define; users bring it along.",
    ),
    PrivateName(
        "scikeras",
        "scikeras._utils",
        ("estimators._scikeras",),
        "The routing of parameters, which is what kerasnet uses SciKeras for.",
    ),
    PrivateName(
        "sklearn",
        "_default_to_infrequent_mappings",
        ("persistence._steps",),
        "Columns that an encoder from a file uses in compiled code without a check.",
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
        "Columns that an encoder from a file uses in compiled code without a check.",
    ),
    PrivateName(
        "sklearn",
        "_infrequent_enabled",
        ("persistence._steps",),
        "Tells whether an encoder from a file has infrequent categories to check.",
    ),
    PrivateName(
        "sklearn",
        "_infrequent_indices",
        ("persistence._steps",),
        "Columns that an encoder from a file uses in compiled code without a check.",
    ),
    PrivateName(
        "sklearn",
        "_init_callback_context",
        ("estimators._base",),
        "The documented way for an estimator to support callbacks of scikit-learn.",
    ),
    PrivateName(
        "sklearn",
        "_metadata_request",
        ("persistence._entries", "persistence._networks", "persistence._steps"),
        "Metadata requests of an estimator, for archives; get_metadata_routing returns those of its steps too.",
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
        "The context of a search that a fit reports to.",
    ),
    PrivateName(
        "sklearn",
        "_skl_callbacks",
        ("estimators._base", "estimators._models", "estimators.outlier_detector", "persistence._steps"),
        "What set_callbacks was given; there is no public getter.",
    ),
    PrivateName(
        "sklearn",
        "_sklearn_output_config",
        ("persistence._networks",),
        "What set_output was given; there is no public getter.",
    ),
    PrivateName(
        "sklearn",
        "sklearn.impute._iterative",
        ("persistence._schema",),
        "The type of the steps of IterativeImputer, which archives may contain.",
    ),
    PrivateName(
        "sklearn",
        "sklearn.utils._param_validation",
        ("estimators._base", "estimators._parameters", "estimators.backbone_features", "estimators.outlier_detector"),
        "Checks parameters with the messages that scikit-learn users know.",
    ),
    PrivateName(
        "tensorflow",
        "_context_handle",
        ("training._fork",),
        "Tells whether TensorFlow had started when a process was forked.",
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
        "Holds _context_handle; the public API cannot be asked in a forked process without waiting forever.",
    ),
)
