"""Fixtures of the tests of reports."""

import html
import re

import pytest

import kerasnet as kn
from kerasnet.report import _statistics


@pytest.fixture
def report(tmp_path, monkeypatch):
    """Return a function that makes a report and returns the text of the page, without style sheets and entities."""

    monkeypatch.setattr(_statistics, "N_RESAMPLES", 40)  # saves time

    def make(*arguments, **options):
        path = kn.make_report(*arguments, path=tmp_path / "report.html", **options)
        assert path == tmp_path / "report.html"
        return html.unescape(re.sub(r"<style.*?</style>", "", path.read_text(), flags=re.DOTALL))

    return make


@pytest.fixture(autouse=True)
def working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
