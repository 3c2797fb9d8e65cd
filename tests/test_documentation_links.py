"""The HTML representation of an estimator links to its API page."""

import html
import re
from pathlib import Path

import pytest
from sklearn.base import BaseEstimator
from sklearn.utils import estimator_html_repr

import kerasnet

API = (Path(__file__).parents[1] / "docs" / "api" / "index.rst").read_text()
PAGES = set(re.findall(r"^   (kerasnet\.\S+)$", API, re.MULTILINE))
PUBLIC = {
    getattr(place, name)
    for place in (kerasnet.estimators, kerasnet.features, kerasnet.preprocessing)
    for name in place.__all__
}
ESTIMATORS = sorted(
    (each for each in PUBLIC if isinstance(each, type) and issubclass(each, BaseEstimator)),
    key=lambda each: each.__name__,
)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda each: each.__name__)
def test_html_representation_links_to_the_api_page(estimator):
    links = re.findall(r'href="(https://kerasnet[^"]+)"', html.unescape(estimator_html_repr(estimator())))
    page = re.fullmatch(r"https://kerasnet\.readthedocs\.io/en/stable/api/(.+)\.html", links[0])[1]
    assert page in PAGES
    assert page.endswith(f".{estimator.__name__}")


def test_there_are_estimators_with_links():
    assert len(ESTIMATORS) >= 12


def test_subclass_of_a_user_has_no_link():
    class Mine(kerasnet.CNNClassifier):
        """Somebody's own estimator."""

    assert Mine()._get_doc_link() == ""
