"""The steps of one kind of columns."""

from sklearn import config_context
from sklearn.pipeline import Pipeline


class ArrayPipeline(Pipeline):
    """Pipeline whose steps exchange NumPy arrays, whatever output is configured.

    The ColumnTransformer around it builds the frame. Frames between the steps would fail: a text column of polars
    cannot hold the NaN that scikit-learn's imputers look for.
    """

    def set_output(self, *, transform=None):
        """Return self; the output is an array."""
        return self

    def fit_transform(self, X, y=None, **params):
        """Fit all steps and return the array of the last one."""
        with config_context(transform_output="default"):
            return super().fit_transform(X, y, **params)

    def transform(self, X, **params):
        """Return the array of the last step."""
        with config_context(transform_output="default"):
            return super().transform(X, **params)
