"""Notebooks run from top to bottom, and are kept without outputs."""

from pathlib import Path

import nbformat
import pytest
from _longer import longer
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "notebooks"
NOTEBOOKS = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
LONGER = ["02_three_networks", "06_classical_features", "07_tables", "08_when_one_machine_is_not_enough"]
LONGER += ["09_sequences_gates_and_attention", "10_transfer_learning"]


@pytest.mark.parametrize("name", longer(NOTEBOOKS, LONGER))
def test_a_notebook_runs_and_is_kept_without_outputs(name, tmp_path):
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert cells
    assert not [cell for cell in cells if cell.outputs or cell.execution_count]
    NotebookClient(notebook, timeout=180, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert all(cell.execution_count for cell in cells)


def test_there_are_notebooks():
    assert NOTEBOOKS
