"""The Python blocks of README and of the documents run as printed, in an empty folder."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.reviews import write

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ROWS = [{"text": f"{'good' if n % 2 else 'bad'} film no. {n}", "label": ("bad", "good")[n % 2]} for n in range(200)]

pytestmark = pytest.mark.long


def document(name: str, start: str = "", end: str = "") -> str:
    """A document, or its part from one line to another, both of which it must have."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return text[text.index(start) : text.index(end) if end else len(text)]


def run_blocks(text: str, folder: Path) -> str:
    """Runs all blocks of a text in one process; returns what they print."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", "\n".join(BLOCK.findall(text))]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_readme(tmp_path):
    write(tmp_path / "labelled.csv", ROWS)
    block = document("README.md", "<!-- door -->", "<!-- /door -->")
    assert "epoch" in run_blocks(block, tmp_path)
    assert (tmp_path / "runs" / "python" / "summary.json").exists()


def test_python(tmp_path):
    printed = run_blocks(document("docs/python.md"), tmp_path)
    assert "Model('runs/python': 1 × lstm of 32 units; 2 classes: 'negative', 'positive'; best" in printed
    assert printed.splitlines()[-1] == "(5, 2, 16)"
    assert (tmp_path / "gates.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "runs" / "gru" / "summary.json").exists()


def test_nnx(tmp_path):
    first, last = map(float, run_blocks(document("docs/extending.md", "## In Flax NNX"), tmp_path).split())
    assert last < first / 2
