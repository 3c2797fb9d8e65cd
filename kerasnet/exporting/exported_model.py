"""Predictions with exported ONNX files, without TensorFlow."""

from __future__ import annotations

import os
import types
from typing import TYPE_CHECKING, Any, Self, TypeVar, cast

import numpy as np

from kerasnet.errors import DataFormatError
from kerasnet.exporting._description import Description
from kerasnet.exporting._inputs import as_inputs, run_in_batches
from kerasnet.exporting._packages import session_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

_Method = TypeVar("_Method")


def load_exported(path: str | os.PathLike[str]) -> ExportedModel:
    """Load an ONNX file that :func:`kerasnet.export` has written.

    Only onnxruntime and NumPy are imported. ONNX files contain no Python code.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    model : ExportedModel
        A model that predicts what the exported estimator predicts.

    Raises
    ------
    OSError
        If the file cannot be read.
    DataFormatError
        If it is not an ONNX file, or was not written by :func:`kerasnet.export`.
    ImportError
        If onnxruntime is not installed: ``pip install "kerasnet[export]"``.

    See Also
    --------
    export : Export an estimator.

    Examples
    --------
    >>> import os, tempfile
    >>> import kerasnet as kn
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> X, y = load_iris(return_X_y=True)
    >>> pipeline = make_pipeline(StandardScaler(), kn.KerasNetClassifier("mlp", epochs=2, random_state=0)).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "iris.onnx")
    ...     difference = kn.export(pipeline, path, verify=X)
    ...     model = kn.load_exported(path)
    >>> model.predict_proba(X).shape
    (150, 3)
    >>> model.description.estimator
    'StandardScaler + KerasNetClassifier'
    """
    with open(path, "rb") as file:
        content = file.read()
    try:
        return ExportedModel(content)
    except DataFormatError as error:
        raise DataFormatError(f"{path}: {error}") from error


class _AvailableIf:
    """A method that only some instances have, as with ``sklearn.utils.metaestimators.available_if``."""

    def __init__(self, check, method):
        self.check, self.method, self.__doc__ = check, method, method.__doc__

    def __get__(self, model, owner=None):
        if model is None:
            return self.method
        if not self.check(model):
            raise AttributeError(f"The exported {model.description.estimator} has no method {self.method.__name__!r}.")
        return types.MethodType(self.method, model)


def _available_if(check: Callable[[Any], bool]) -> Callable[[_Method], _Method]:
    return lambda method: cast(Any, _AvailableIf(check, method))


def _is(*tasks: str) -> Callable[[Any], bool]:
    return lambda model: model.description.task in tasks


class ExportedModel:
    """A model in an ONNX file, with the methods of a fitted scikit-learn estimator.

    It is returned by :func:`load_exported`. In scikit-learn, it behaves like a
    :class:`~sklearn.frozen.FrozenEstimator`: :meth:`fit` does nothing, and clones are the model itself. It has only the
    methods of the exported estimator; it can be pickled, and several threads can predict with it at the same time.

    Parameters
    ----------
    content : bytes
        The content of an ONNX file that :func:`kerasnet.export` has written.

    Attributes
    ----------
    session : onnxruntime.InferenceSession
        The model.
    description : Description
        The description of its inputs and outputs.
    classes_ : ndarray of shape (n_classes,)
        The class labels in the order of the probabilities. Only defined for classifiers.
    feature_names_in_ : ndarray of str
        The names of the columns. Only defined if the estimator was fitted on a data frame.
    n_features_in_ : int
        The size of the second axis of `X`.
    """

    def __init__(self, content: bytes) -> None:
        try:
            self.session = session_of(content)
        except ImportError:
            raise
        except Exception as error:  # onnxruntime has no base class of its errors
            raise DataFormatError(f"expected an ONNX file that onnxruntime can run. {error}") from error
        try:
            self._describe(Description.from_metadata(self.session.get_modelmeta().custom_metadata_map))
        except (IndexError, KeyError, TypeError, ValueError) as error:
            raise DataFormatError(
                f"expected an ONNX file written by kn.export, found one without a valid description ({error}). Run it "
                "with onnxruntime.InferenceSession."
            ) from error
        self._content = content

    def _describe(self, description):
        self.description = description
        if description.classes is not None:
            self.classes_ = description.labels
        if description.feature_names is not None:
            self.feature_names_in_ = np.array(description.feature_names, dtype=object)
        inputs = description.inputs
        self.n_features_in_ = len(inputs) if description.is_table else inputs[0].shape[0] if inputs[0].shape else 1

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the content of the file."""
        return type(self), (self._content,)

    def __repr__(self) -> str:
        return f"ExportedModel({self.description.estimator})"

    def fit(self, X: Any = None, y: Any = None, **parameters: Any) -> Self:
        """Do nothing: the model is fitted.

        Parameters
        ----------
        X, y : object
            Ignored.
        **parameters
            Ignored.

        Returns
        -------
        self
        """
        return self

    @_available_if(_is("classifier", "multilabel", "regressor"))
    def predict(self, X: npt.ArrayLike) -> npt.NDArray[Any]:
        """Predict class labels or targets.

        Parameters
        ----------
        X : array-like, data frame or list of sequences
            Samples, as for the exported estimator.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            What ``predict`` of the exported estimator returns.

        Raises
        ------
        ValueError
            If the samples do not have the expected shape, columns or dtype.
        """
        if self.description.task == "regressor":
            outputs = self._run(X, "variable")
            return outputs.reshape(len(outputs), *self.description.output_shape).astype(np.float64)
        labels = self._run(X, "label")
        return labels.astype(self.classes_.dtype) if self.description.task == "classifier" else labels

    @_available_if(lambda model: "probabilities" in (each.name for each in model.session.get_outputs()))
    def predict_proba(self, X: npt.ArrayLike) -> npt.NDArray[np.floating]:
        """Predict class probabilities.

        Parameters
        ----------
        X : array-like, data frame or list of sequences
            Samples, as for :meth:`predict`.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            Probabilities of the classes in the order of `classes_`.
        """
        return self._run(X, "probabilities")

    @_available_if(_is("classifier", "multilabel", "regressor"))
    def score(self, X: npt.ArrayLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None) -> float:
        """Compute the accuracy of a classifier, or the coefficient of determination R² of a regressor.

        Parameters
        ----------
        X : array-like, data frame or list of sequences
            Samples, as for :meth:`predict`.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            True labels or targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights.

        Returns
        -------
        score : float
            The score of scikit-learn's estimators; 1 is the best.
        """
        from sklearn.metrics import accuracy_score, r2_score

        metric = r2_score if self.description.task == "regressor" else accuracy_score
        return float(metric(y, self.predict(X), sample_weight=sample_weight))

    @_available_if(_is("autoencoder", "transformer"))
    def transform(self, X: npt.ArrayLike) -> npt.NDArray[np.floating]:
        """Transform samples, or encode them with an autoencoder.

        Parameters
        ----------
        X : array-like, data frame or list of sequences
            Samples.

        Returns
        -------
        features : ndarray of shape (n_samples, n_features)
        """
        return self._run(X, "code" if self.description.task == "autoencoder" else "variable")

    @_available_if(_is("autoencoder"))
    def reconstruct(self, X: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Reconstruct samples with an autoencoder.

        Parameters
        ----------
        X : array-like
            Samples.

        Returns
        -------
        X : ndarray of the shape of `X`
        """
        return self._run(X, "reconstruction")

    def __sklearn_tags__(self) -> Any:
        """Return the tags of the estimator."""
        from sklearn.utils import ClassifierTags, InputTags, RegressorTags, Tags, TargetTags, TransformerTags

        task = self.description.task
        is_classifier = task in ("classifier", "multilabel")
        return Tags(
            estimator_type="classifier" if is_classifier else "regressor" if task == "regressor" else None,
            target_tags=TargetTags(required=False),
            transformer_tags=TransformerTags() if task in ("transformer", "autoencoder") else None,
            classifier_tags=ClassifierTags(multi_label=task == "multilabel") if is_classifier else None,
            regressor_tags=RegressorTags() if task == "regressor" else None,
            input_tags=InputTags(allow_nan=self.description.allow_nan, string=self.description.is_table),
        )

    def __sklearn_is_fitted__(self) -> bool:
        """Return True."""
        return True

    def __sklearn_clone__(self) -> Self:
        """Return the model itself."""
        return self

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return an empty dict, since there are no parameters.

        Parameters
        ----------
        deep : bool, default=True
            Ignored.

        Returns
        -------
        params : dict
        """
        return {}

    def _run(self, X, name):
        inputs = as_inputs(self.description, X)
        try:
            return run_in_batches(lambda batch: {name: self.session.run([name], batch)[0]}, inputs)[name]
        except Exception as error:  # onnxruntime has no base class of its errors
            raise ValueError(
                f"The exported {self.description.estimator} cannot predict these samples, for example because of an "
                f"unknown category or a value too large for float32: {error}"
            ) from error
