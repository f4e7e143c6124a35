"""The commands and the code of docs/reports.md, as printed there, one after the other."""

import re
from pathlib import Path

import pytest

from tests.test_extending import ROOT, clone, typed

TEXT = (ROOT / "docs" / "reports.md").read_text(encoding="utf-8")

__all__ = ["clone"]  # A fixture.


@pytest.mark.slow
def test_the_document(clone: Path):
    (commands,) = re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)
    *_, evaluated, compared = [typed(line, clone) for line in commands.splitlines()]
    assert evaluated.returncode == 0, evaluated.stderr
    assert evaluated.stdout.splitlines()[-1] == "report: runs/short/report.html"
    assert "<h1>short: test split</h1>" in (clone / "runs/short/report.html").read_text(encoding="utf-8")
    assert compared.returncode == 0, compared.stderr
    assert compared.stdout.splitlines()[-1] == "curves: curves.html"
    assert "optimizer.learning_rate" in compared.stdout
    assert (clone / "curves.html").exists()
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    (clone / "scores.py").write_text(code, encoding="utf-8")
    done = typed("python scores.py", clone)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("[")
