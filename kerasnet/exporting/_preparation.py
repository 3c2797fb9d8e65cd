"""Replace the steps of a pipeline that kerasnet converts to ONNX itself, and reject those that cannot be exported."""

import copy

from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import KNNImputer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer, Normalizer, OneHotEncoder, OrdinalEncoder, PolynomialFeatures
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from kerasnet.errors import ExportError
from kerasnet.estimators._base import KerasNetBase
from kerasnet.exporting import _image_nodes, _neighbor_nodes, _nodes, _table_nodes
from kerasnet.exporting._packages import require
from kerasnet.exporting._tables import places_of
from kerasnet.features import HOGTransformer, ImagePreprocessor
from kerasnet.preprocessing import OutlierClipper
from kerasnet.preprocessing.tabular import CONVERSIONS

SUPPORTED = (
    "networks of kerasnet, HOGTransformer, ImagePreprocessor (for arrays that have the right size), OutlierClipper, "
    "make_tabular_preprocessor, and the scalers, encoders, imputers, selectors, decompositions, linear models and "
    "trees of scikit-learn that skl2onnx converts"
)

# scikit-learn converts the input of trees to float32; skl2onnx supports the others for float32 only.
FLOAT32 = (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    LinearSVC,
    PolynomialFeatures,
    RandomForestClassifier,
    RandomForestRegressor,
)


def prepared(estimator, description, float32=()):
    """Return an estimator in which nodes take the place of some steps, and the types of these nodes.

    Parameters
    ----------
    estimator : estimator
        A fitted estimator, transformer or pipeline. It is not changed.
    description : Description
        The description of its inputs.
    float32 : tuple of type, default=()
        Further classes of steps that compute in float32.

    Returns
    -------
    root : estimator
        A node, or a copy of the pipeline with nodes.
    node_types : set of type

    Raises
    ------
    ExportError
        If a step cannot be exported.
    """
    preparation = _Preparation(description, FLOAT32 + float32)
    return preparation.of(estimator, "", is_last=True), preparation.node_types


class _Preparation:
    def __init__(self, description, float32):
        self.description, self.float32, self.node_types = description, float32, set()

    def of(self, step, path, *, is_last, receives_table=True):
        """Return what takes the place of a step; `path` is its name in the pipeline."""
        if step is None or isinstance(step, str):
            return step
        if isinstance(step, Pipeline):
            return self._pipeline(step, path, is_last, receives_table)
        if isinstance(step, ColumnTransformer):
            columns = self._columns(step, path, receives_table)
            return columns if receives_table else self._union_of_columns(columns)
        if isinstance(step, FeatureUnion):
            return self._union(step, path, receives_table)
        node = self._node(step, path, is_last)
        if node is not None:
            self.node_types.add(type(node))
            return node
        if isinstance(step, Normalizer):
            raise not_supported(step, path, "skl2onnx divides rows of zeros by zero.")
        try:
            require("skl2onnx").get_model_alias(type(step))
        except RuntimeError:
            raise not_supported(step, path) from None
        if not path and isinstance(step, self.float32):
            return Pipeline(self._with_casts("model", step))
        return step

    def _pipeline(self, pipeline, path, is_last, receives_table):
        kept = [(name, step) for name, step in pipeline.steps if step not in (None, "passthrough")]
        steps = [
            each
            for number, (name, step) in enumerate(kept, start=1)
            for each in self._with_casts(
                name,
                self.of(
                    step,
                    f"{path}{name}__",
                    is_last=is_last and number == len(kept),
                    receives_table=receives_table and number == 1,
                ),
            )
        ]
        return Pipeline(steps) if steps else "passthrough"

    def _with_casts(self, name, step):
        """Return a step in a list, with conversions around steps that compute in float32."""
        if not isinstance(step, self.float32):
            return [(name, step)]
        self.node_types.add(_table_nodes.CastNode)
        after = [(f"{name}_output", _table_nodes.CastNode(step, self._number_dtype()))]
        return [
            (f"{name}_input", _table_nodes.CastNode(step, "float32")),
            (name, step),
            *(after if hasattr(step, "transform") else []),
        ]

    def _columns(self, columns, path, receives_table):
        other, branches = copy.copy(columns), []
        labels = [str(each) for each in getattr(columns, "feature_names_in_", range(columns.n_features_in_))]
        for name, step, chosen in columns.transformers_:
            chain, chosen = _chain(step), places_of(chosen, labels)
            if any(isinstance(each, OneHotEncoder | OrdinalEncoder) for each in chain):
                branches += self._for_each_column(name, chain, chosen, f"{path}{name}__")
            else:
                inner = self.of(step, f"{path}{name}__", is_last=False, receives_table=receives_table)
                branches.append((name, inner, chosen))
        other.transformers_ = branches
        return other

    def _union_of_columns(self, columns):
        """Return a union in the place of a ColumnTransformer: skl2onnx does not know the shape of its input."""
        self.node_types.add(_table_nodes.ColumnsNode)
        branches = []
        for name, step, chosen in columns.transformers_:
            if len(chosen) and step != "drop":
                steps = [] if isinstance(step, str) else [(name, step)]
                branches.append((name, Pipeline([("columns", _table_nodes.ColumnsNode(chosen)), *steps])))
        return FeatureUnion(branches)

    def _for_each_column(self, name, chain, chosen, path):
        """Return a branch for each column that is encoded, since columns of strings and of numbers cannot be merged."""
        branches = []
        for place, column in enumerate(chosen):
            nodes = [self.of(step, path, is_last=False) for step in chain]
            for node in nodes:
                if not isinstance(
                    node, (_table_nodes.EncoderNode, _table_nodes.ImputerNode, _table_nodes.IdentityNode)
                ):
                    raise not_supported(
                        node, path, "Between columns and their encoder, only SimpleImputer is supported."
                    )
                node.places = [place]
            branches.append(
                (f"{name}_{place}", Pipeline([(str(key), node) for key, node in enumerate(nodes)]), [column])
            )
        return branches

    def _union(self, union, path, receives_table):
        other = copy.copy(union)
        other.transformer_list = [
            (name, self.of(step, f"{path}{name}__", is_last=False, receives_table=receives_table))
            for name, step in union.transformer_list
        ]
        return other

    def _node(self, step, path, is_last):
        if isinstance(step, KerasNetBase):
            return _nodes.NetworkNode(step, as_transformer=not is_last)
        if isinstance(step, HOGTransformer):
            return _image_nodes.HOGNode(step)
        if isinstance(step, ImagePreprocessor):
            return _image_nodes.ImageNode(step)
        if isinstance(step, OutlierClipper):
            return _table_nodes.ClipperNode(step)
        if _table_nodes.is_simple_imputer_of_missing_values(step):
            return _table_nodes.ImputerNode(step, self.description.missing)
        if isinstance(step, KNNImputer):
            return _neighbor_nodes.KNNImputerNode(step)
        if isinstance(step, OneHotEncoder | OrdinalEncoder):
            return _table_nodes.EncoderNode(step, self.description.missing, self._number_dtype())
        if isinstance(step, FunctionTransformer) and (step.func is None or step.func in CONVERSIONS):
            return _table_nodes.IdentityNode(step)
        return None

    def _number_dtype(self):
        dtypes = {each.dtype for each in self.description.inputs} - {"string"}
        return "float64" if "float64" in dtypes else "float32"


def leaves(step, path=""):
    """Yield the steps of a prepared pipeline that skl2onnx converts, with their names in the pipeline."""
    steps = (
        getattr(step, "steps", None) or getattr(step, "transformer_list", None) or getattr(step, "transformers_", ())
    )
    for name, inner, *_ in steps:
        yield from leaves(inner, f"{path}{name}__")
    if not steps and hasattr(step, "n_features_in_"):
        yield step, path


def _chain(step):
    """Return the steps of a pipeline, or of pipelines in it, in their order."""
    if isinstance(step, Pipeline):
        return [inner for _, each in step.steps for inner in _chain(each)]
    return [] if step is None or isinstance(step, str) else [step]


def not_supported(step, path, hint=""):
    """Return the error for a step that cannot be exported; `path` is its name in the pipeline."""
    where = f" (step {path.removesuffix('__')!r})" if path else ""
    return ExportError(f"{type(step).__name__}{where} cannot be exported to ONNX. {hint or f'Supported: {SUPPORTED}.'}")
