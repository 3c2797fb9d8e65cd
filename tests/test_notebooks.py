"""Notebooks run from top to bottom, and are kept without outputs."""

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
    """Return a notebook and its cells of code."""
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    return notebook, [cell for cell in notebook.cells if cell.cell_type == "code"]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_kept_without_outputs(name):
    _, cells = read(name)
    assert cells
    assert not [cell for cell in cells if cell.outputs or cell.execution_count]


def name_of(node):
    """Return the dotted name that an expression spells, or None."""
    if isinstance(node, ast.Attribute) and (owner := name_of(node.value)) is not None:
        return f"{owner}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else None


def resolve(name, imported):
    """Return what a dotted name stands for, if its first part was imported."""
    first, *rest = name.split(".")
    found = imported.get(first)
    for attribute in rest if first in imported else ():
        found = getattr(found, attribute)
    return found


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_imports_and_calls_what_the_package_has(name):
    """A cheap check for all of them: names and keywords, without computing anything."""
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
            assert not unknown, f"{called} takes no {unknown}"


@pytest.mark.parametrize("name", longer(NOTEBOOKS, {*NOTEBOOKS} - SHORT))
def test_a_notebook_runs(name, tmp_path):
    notebook, cells = read(name)
    NotebookClient(notebook, timeout=180, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert all(cell.execution_count for cell in cells)


def test_there_are_notebooks():
    assert NOTEBOOKS
