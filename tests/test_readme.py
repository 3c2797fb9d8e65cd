"""What the README says of the models is what they are."""

import re
from pathlib import Path

import pytest

from kerasnet.models import create_model, list_models

README = (Path(__file__).parents[1] / "README.md").read_text()


@pytest.mark.parametrize("name", list_models())
def test_the_table_of_models_is_true(name):
    row = re.search(rf"^\| `{name}` \| `build_{name}` \|.*\| ([\d,]+) \|$", README, re.MULTILINE)
    assert row is not None
    assert row[1] == f"{create_model(name).count_params():,}"


def test_every_file_that_it_links_to_is_there():
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert links
    for link in links:
        assert (Path(__file__).parents[1] / link).exists(), link
