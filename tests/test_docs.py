"""The README and the documentation site: their code runs, their names exist, and their tables are up to date."""

import inspect
import pkgutil
import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from _longer import longer
from make_model_table import with_tables
from PIL import Image, ImageDraw

import kerasnet
from kerasnet.datasets import load_mnist
from kerasnet.models import _registry, list_models

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text()
COURSE = (DOCS / "guide" / "course.md").read_text()
TOPICS = re.findall(r"^\| (.+) \| (.+) \| (–|\d\d(?:, \d\d)*) \|$", COURSE, re.MULTILINE)
PAGES_OF_API = re.findall(r"^   (kerasnet\.\S+)$", (DOCS / "api" / "index.rst").read_text(), re.MULTILINE)
SITE, BLOB = "https://kerasnet.readthedocs.io/en/stable/", "https://github.com/kerasnet/kerasnet/blob/main/"

BLOCK = re.compile(r"^(<!-- not run: .+ -->\n)?```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
WITH_CODE = sorted(
    str(path.relative_to(ROOT)) for path in (ROOT / "README.md", *DOCS.rglob("*.md")) if BLOCK.search(path.read_text())
)
SHORT = {
    "README.md",
    "docs/howto.md",
    *(f"docs/coming_from/{name}.md" for name in ("keras", "mlp", "scikeras", "skorch")),
    *(f"docs/guide/{name}.md" for name in ("datasets", "saving", "tables")),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Make the files that the pages read, change into their folder, and forget the models that they register."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_registry, "_REGISTRY", dict(_registry._REGISTRY))
    X, y = load_mnist(n_samples=200, random_state=0, return_X_y=True)
    np.save("images.npy", X)
    np.save("labels.npy", y)
    page = Image.new("L", (400, 400), 230)
    ImageDraw.Draw(page).line([(120, 80), (280, 80), (180, 320)], fill=30, width=18)
    page.save("photo.jpg")
    for number, image in enumerate(X[:20]):
        path = Path("photos", ("cat", "dog")[number % 2], f"{number}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    ages = [
        f"{20 + n % 50},{'' if n % 9 == 0 else n % 7},{'yes' if n % 2 else 'no'},{'ill' if n % 3 else 'well'}"
        for n in range(60)
    ]
    Path("patients.csv").write_text("\n".join(["age,pressure,smoker,diagnosis", *ages]))
    lines = [",".join(f"{(n % 2) * np.sin(step) + n / 60:.3f}" for step in range(20)) + f":{n % 2}" for n in range(30)]
    for part in ("TRAIN", "TEST"):
        Path(f"GunPoint_{part}.ts").write_text("\n".join(["@univariate true", "@classLabel true 0 1", "@data", *lines]))
    yield tmp_path
    plt.close("all")


@pytest.mark.parametrize("page", longer(WITH_CODE, {*WITH_CODE} - SHORT))
def test_code_of_a_page_runs(page, folder):
    code = "\n".join(block for not_run, block in BLOCK.findall((ROOT / page).read_text()) if not not_run)
    exec(compile(code, page, "exec"), {"__name__": page})


def test_code_of_many_pages_runs():
    assert len(WITH_CODE) > 15
    assert {*WITH_CODE} >= SHORT


def test_tables_of_the_readme_are_up_to_date():
    assert with_tables(README) == README
    assert all(f"`{name}`" in README for name in list_models())


def test_readme_is_short_and_has_the_two_commands_on_lines_of_their_own():
    lines = README.splitlines()
    assert len(lines) <= 180
    assert "pip install . && python scripts/train_mnist.py" in lines
    assert 'pip install -e ".[test]" && pytest' in lines


def test_links_of_the_readme_are_absolute_and_lead_to_files():
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert len(links) > 10
    for link in links:
        assert link.startswith("https://"), link
        if link.startswith(SITE):
            page, _, anchor = link.removeprefix(SITE).partition("#")
            sources = [path for path in DOCS.glob(page.replace(".html", ".*")) if path.suffix in (".md", ".rst")]
            assert sources, link
            headings = re.findall(r"^#+ (.+)$", sources[0].read_text(), re.MULTILINE)
            assert not anchor or anchor in {heading.lower().replace(" ", "-") for heading in headings}, link
        elif link.startswith(BLOB):
            assert (ROOT / link.removeprefix(BLOB)).exists(), link


def test_every_public_name_has_an_api_page():
    documented = [_find(name) for name in PAGES_OF_API]
    assert len(documented) == len(set(map(id, documented)))
    modules = [
        kerasnet,
        *(getattr(kerasnet, name) for name in kerasnet.__all__ if inspect.ismodule(getattr(kerasnet, name))),
    ]
    for module in modules:
        for name in getattr(module, "__all__", vars(module)):
            public = getattr(module, name)
            if name.startswith("_") or inspect.ismodule(public):
                continue
            if hasattr(module, "__all__") or getattr(public, "__module__", None) == module.__name__:
                assert any(public is each for each in documented), f"{module.__name__}.{name} has no page in docs/api"


@pytest.mark.parametrize(("topic", "place", "notebooks"), TOPICS, ids=[topic[0] for topic in TOPICS])
def test_course_map_names_what_exists(topic, place, notebooks):
    shown = [(ROOT / "notebooks").glob(f"{number}_*.ipynb") for number in re.findall(r"\d\d", notebooks)]
    texts = [path.read_text() for paths in shown for path in paths]
    assert len(texts) == len(shown), f"a notebook of {notebooks} is missing"
    for name in re.findall(r"(?<!\{doc\})`([^`]+)`", place):
        if name.endswith("="):
            assert name.removesuffix("=").split("__")[0] in _parameters(), name
        elif name.startswith("scripts/"):
            assert (ROOT / name).exists(), name
        elif name != "fit":
            assert _resolves(name), name
        if texts and re.fullmatch(r"[A-Z]\w+", name):
            assert any(name in text for text in texts), f"no notebook of {notebooks} shows {name}"


def test_course_map_has_topics():
    assert len(TOPICS) > 15


def _find(name):
    """Return the object of a public name; names of `kerasnet` are imported on first use."""
    module, _, attribute = name.rpartition(".")
    return getattr(pkgutil.resolve_name(module), attribute)


def _parameters():
    functions = (kerasnet.CNNClassifier, kerasnet.CNNClassifier.fit, kerasnet.SimpleRNNClassifier)
    return {name for function in functions for name in inspect.signature(function).parameters}


def _resolves(name):
    if "." in name:
        return pkgutil.resolve_name(name) is not None
    places = (kerasnet, kerasnet.datasets, kerasnet.features, kerasnet.plots, kerasnet.preprocessing)
    return any(name in place.__all__ and hasattr(place, name) for place in places)
