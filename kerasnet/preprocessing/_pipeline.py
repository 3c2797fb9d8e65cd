"""Pipeline for the preprocessing steps of numeric or categorical columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from sklearn import config_context
from sklearn.pipeline import Pipeline

if TYPE_CHECKING:
    import numpy.typing as npt


class ArrayPipeline(Pipeline):
    """Pipeline whose steps exchange NumPy arrays, regardless of the configured output.

    The enclosing ColumnTransformer creates the data frame. Data frames between the steps would fail: a polars string
    column cannot contain NaN, which the imputers of scikit-learn expect.
    """

    def set_output(self, *, transform: str | None = None) -> Self:
        """Return self without changes; the output is always an array."""
        return self

    def fit_transform(self, X: Any, y: npt.ArrayLike | None = None, **params: Any) -> npt.NDArray[Any]:
        """Fit all steps and return the output of the last one."""
        with config_context(transform_output="default"):
            return super().fit_transform(X, y, **params)

    def transform(self, X: Any, **params: Any) -> npt.NDArray[Any]:
        """Return the output of the last step."""
        with config_context(transform_output="default"):
            return super().transform(X, **params)
