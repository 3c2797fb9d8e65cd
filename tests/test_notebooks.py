"""Notebooks run without errors and are stored without outputs."""

import ast
import inspect
from pathlib import Path

import nbformat
import pytest
from _longer import longer
from IPython.core.inputtransformer2 import TransformerManager
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
SHORT = {"01_a_neural_network_from_numpy_up"}


def read(name):
    """Return a notebook and its code cells."""
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    return notebook, [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_has_no_outputs(name):
    _, cells = read(name)
    assert cells
    assert not [cell for cell in cells if cell.outputs or cell.execution_count]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_starts_with_its_only_title(name):
    """The documentation renders notebooks as pages, which take their title from the first heading."""
    texts = [cell.source for cell in read(name)[0].cells if cell.cell_type == "markdown"]
    titles = [line for text in texts for line in text.splitlines() if line.startswith("# ")]
    assert len(titles) == 1
    assert read(name)[0].cells[0].source.startswith(titles[0])


def name_of(node):
    """Return the dotted name of an expression, or None."""
    if isinstance(node, ast.Attribute) and (owner := name_of(node.value)) is not None:
        return f"{owner}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else None


def resolve(name, imported):
    """Return the object with a dotted name, or None if its first part was not imported."""
    first, *rest = name.split(".")
    found = imported.get(first)
    for attribute in rest if first in imported else ():
        found = getattr(found, attribute)
    return found


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_notebook_uses_existing_names_and_keywords(name):
    """Check imports and keyword arguments without running the notebook."""
    source = "\n".join(TransformerManager().transform_cell(cell.source) for cell in read(name)[1])
    nodes, imported = list(ast.walk(ast.parse(source))), {}
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            exec(compile(ast.Module([node], []), name, "exec"), imported)
    for node in nodes:
        if not isinstance(node, ast.Call) or (called := name_of(node.func)) is None:
            continue
        function = resolve(called, imported)
        if not (getattr(function, "__module__", None) or "").startswith("kerasnet"):
            continue
        parameters = inspect.signature(function.__init__ if inspect.isclass(function) else function).parameters
        if not any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
            unknown = {keyword.arg for keyword in node.keywords if keyword.arg} - parameters.keys()
            assert not unknown, f"{called} has no parameters {unknown}"


@pytest.mark.parametrize("name", longer(NOTEBOOKS, {*NOTEBOOKS} - SHORT))
def test_notebook_runs(name, tmp_path):
    notebook, cells = read(name)
    NotebookClient(notebook, timeout=180, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert all(cell.execution_count for cell in cells)


def test_notebooks_exist():
    assert NOTEBOOKS
