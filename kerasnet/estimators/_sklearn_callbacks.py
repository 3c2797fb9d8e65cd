"""scikit-learn's callbacks, which scikit-learn supports from version 1.9 on."""

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ModuleNotFoundError:  # scikit-learn 1.8: estimators have no set_callbacks

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Base class without callbacks."""

    def with_callbacks(fit):
        """Return `fit` unchanged."""
        return fit


__all__ = ["CallbackSupportMixin", "callback_context", "with_callbacks"]


class _NoCallbacks:
    def call_on_fit_task_begin(self, **data):
        """Do nothing."""

    def call_on_fit_task_end(self, **data):
        """Do nothing."""


def callback_context(estimator, n_epochs):
    """Create the context in which a fit calls scikit-learn's callbacks.

    Parameters
    ----------
    estimator : CallbackSupportMixin
        The estimator that is fitted.
    n_epochs : int
        The number of epochs of the fit.

    Returns
    -------
    context : sklearn.callback.CallbackContext
        The context; with scikit-learn 1.8 one that does nothing.
    """
    if not hasattr(estimator, "_init_callback_context"):
        return _NoCallbacks()
    return estimator._init_callback_context(max_subtasks=n_epochs)
