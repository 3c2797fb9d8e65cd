"""What the README says of the models is what they are."""

import inspect
import pkgutil
import re
from pathlib import Path

import pytest
from make_model_table import with_tables

import kerasnet
from kerasnet.models import list_models

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
CHAPTERS = re.findall(r"^\| (.+) \| (.+) \| (–|\d\d(?:, \d\d)*) \|$", README, re.MULTILINE)


def test_the_tables_of_models_are_those_that_the_script_writes():
    assert with_tables(README) == README
    assert all(f"`{name}` | `build_{name}`" in README for name in list_models())


def test_every_file_and_heading_that_it_links_to_is_there():
    headings = {heading.lower().replace(" ", "-") for heading in re.findall(r"^#+ (.+)$", README, re.MULTILINE)}
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert links
    for link in links:
        assert link.removeprefix("#") in headings if link.startswith("#") else (ROOT / link).exists(), link


def test_every_notebook_is_linked():
    linked = re.findall(r"\]\(notebooks/([^)/]+\.ipynb)\)", README)
    assert linked == sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize(("practice", "place", "notebooks"), CHAPTERS, ids=[chapter[0] for chapter in CHAPTERS])
def test_the_table_of_chapters_is_true(practice, place, notebooks):
    shown = [(ROOT / "notebooks").glob(f"{number}_*.ipynb") for number in re.findall(r"\d\d", notebooks)]
    texts = [path.read_text() for paths in shown for path in paths]
    assert len(texts) == len(shown), f"a notebook of {notebooks} is missing"
    for name in re.findall(r"`([^`]+)`", place):
        if name.endswith("="):
            assert name.removesuffix("=").split("__")[0] in _parameters(), name
        elif name != "fit":
            assert _resolves(name), name
        if texts and re.fullmatch(r"[A-Z]\w+", name):
            assert any(name in text for text in texts), f"no notebook of {notebooks} shows {name}"


def test_there_is_a_table_of_chapters():
    assert len(CHAPTERS) > 15


def _parameters():
    functions = (kerasnet.CNNClassifier, kerasnet.CNNClassifier.fit, kerasnet.SimpleRNNClassifier)
    return {name for function in functions for name in inspect.signature(function).parameters}


def _resolves(name):
    if "." in name:
        return pkgutil.resolve_name(name) is not None
    places = (kerasnet, kerasnet.datasets, kerasnet.features, kerasnet.plots, kerasnet.preprocessing)
    return any(name in place.__all__ and hasattr(place, name) for place in places)
