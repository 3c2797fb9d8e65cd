"""Links from estimators to their pages in the documentation."""

from sklearn.base import BaseEstimator

_SITE = "https://kerasnet.readthedocs.io/en/stable"


class DocumentedEstimator(BaseEstimator):
    """A ``BaseEstimator`` with an HTML representation that links to the API page of its class.

    Subclasses outside of kerasnet have no link: scikit-learn compares `_doc_link_module` with their module.
    """

    _doc_link_module = "kerasnet"
    _doc_link_template = f"{_SITE}/api/{{module}}.{{name}}.html"

    def _doc_link_url_param_generator(self):
        folder = ".".join(type(self).__module__.split(".")[:2])
        return {"module": folder.removesuffix(".estimators"), "name": type(self).__name__}
