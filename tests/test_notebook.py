"""The notebook in docs/ runs from its first cell to its last, and prints what it shows."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

import fastnet

ROOT = Path(fastnet.__file__).parents[1]


def printed(notebook):
    """What each cell prints; the digits of a number may differ between processors."""
    cells = (cell.outputs for cell in notebook.cells if cell.cell_type == "code")
    texts = ("".join(output.get("text", "") for output in outputs) for outputs in cells)
    return [re.sub(r" *[0-9]+", " 0", text) for text in texts]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the Jupyter libraries, which run in this process, too
@pytest.mark.parametrize("path", sorted((ROOT / "docs").rglob("*.ipynb")), ids=lambda p: p.stem)
def test_a_notebook_runs(path, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(path, as_version=4)
    shown = printed(notebook)
    place = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=place).execute()
    assert printed(notebook) == shown
