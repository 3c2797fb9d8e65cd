"""The HTML representation of estimators: links to the documentation, and a summary of the fit."""

from sklearn.base import BaseEstimator

from kerasnet._fit_summary import fit_summary

_SITE = "https://kerasnet.readthedocs.io/en/stable"


class DocumentedEstimator(BaseEstimator):
    """A ``BaseEstimator`` with an HTML representation that links to the API page and summarizes the fit.

    Subclasses outside of kerasnet have no link: scikit-learn compares `_doc_link_module` with their module.
    """

    _doc_link_module = "kerasnet"
    _doc_link_template = f"{_SITE}/api/{{module}}.{{name}}.html"

    def _doc_link_url_param_generator(self):
        folder = ".".join(type(self).__module__.split(".")[:2])
        return {"module": folder.removesuffix(".estimators"), "name": type(self).__name__}

    def _history_to_show(self):
        return vars(self).get("history_")

    def _get_params_html(self, *args, **keywords):
        params = super()._get_params_html(*args, **keywords)
        summary = fit_summary(self._history_to_show())
        if summary:
            table = params._html_repr
            params._html_repr = lambda: table() + summary
        return params
