"""docs/quickstart.ipynb: its committed outputs, and that it runs in an empty folder and keeps what its text promises.

``python -m tests.test_notebook`` runs the notebook and writes its outputs into the file.
"""

import base64
import re
import tempfile
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "docs" / "quickstart.ipynb"
MOST_BYTES = 300_000
OF_A_MACHINE = ("/root/", "/home/", "/tmp/", "/usr/", "/work/", "site-packages", str(ROOT))

# Raised by the libraries of notebooks while they start a kernel.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


def run_cells(folder: Path, **environment: str) -> nbformat.NotebookNode:
    """The notebook with its outputs after it has run in a folder."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    options = {"coalesce_streams": True, "record_timing": False, "timeout": 600}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu", **environment}.items():
            patch.setenv(name, value)
        NotebookClient(notebook, resources={"metadata": {"path": str(folder)}}, **options).execute()
    return notebook


def code_cells(notebook) -> list:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def printed(notebook) -> str:
    """Everything that the cells print or show as text."""
    outputs = [output for cell in code_cells(notebook) for output in cell.outputs]
    return "\n".join(output.text if "text" in output else output.data["text/plain"] for output in outputs)


def check_promises(notebook) -> None:
    """Checks that the outputs are those that the notebook's text speaks of."""
    text, shown = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown"), printed(notebook)
    assert "Validation accuracy passes 90 %" in text
    assert float(re.search(r"best validation accuracy (\d+\.\d+)%", shown)[1]) > 90
    assert "Accuracy on the\nnew reviews is above 90 %" in text
    assert float(re.search(r"Evaluation\(accuracy (\d+\.\d+)%", shown)[1]) > 90
    assert "800/800" in shown  # The bar is shown, though a notebook is no terminal.
    assert re.search(r"left out \d+ of 1,500 examples, which the run was trained or validated on", shown)
    *_, predictions, mistakes, gates = code_cells(notebook)
    rows = re.findall(r"<td>([\d.]+)</td>\s*</tr>", predictions.outputs[0].data["text/html"])
    unknown = [float(share) for share in rows]
    assert unknown[-1] > max(unknown[:-1])
    assert mistakes.outputs[0].data["text/html"].count("<tr") == 6
    assert gates.outputs[0].data["image/png"]


def test_the_committed_outputs_are_those_of_a_run_from_top_to_bottom():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [output for cell in cells for output in cell.outputs if output.output_type == "error"]
    check_promises(notebook)


def test_the_committed_outputs_are_small_and_name_no_machine():
    content = NOTEBOOK.read_text(encoding="utf-8")
    assert len(content) < MOST_BYTES
    assert not [path for path in OF_A_MACHINE if path in content]
    assert "Warning" not in content


def test_every_page_that_the_notebook_names_exists():
    for page in re.findall(r"\]\((\w+\.md)\)", NOTEBOOK.read_text(encoding="utf-8")):
        assert (NOTEBOOK.parent / page).exists()


@pytest.mark.long
def test_it_runs_in_an_empty_folder_and_keeps_what_its_text_promises(tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    notebook = run_cells(folder, LSTM_JAX_CACHE=str(tmp_path / "cache"), JUPYTER_RUNTIME_DIR=str(tmp_path / "runtime"))
    check_promises(notebook)
    committed = nbformat.read(NOTEBOOK, as_version=4)
    kinds = [[output.output_type for output in cell.outputs] for cell in code_cells(notebook)]
    assert kinds == [[output.output_type for output in cell.outputs] for cell in code_cells(committed)]
    picture = base64.b64decode(code_cells(notebook)[-1].outputs[0].data["image/png"])
    assert picture.startswith(b"\x89PNG")
    assert {file.name for file in folder.iterdir()} == {"reviews.csv", "new.csv", "runs"}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as empty, tempfile.TemporaryDirectory() as cache:
        nbformat.write(run_cells(Path(empty), LSTM_JAX_CACHE=cache), NOTEBOOK)
