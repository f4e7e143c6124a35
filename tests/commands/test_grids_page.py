"""docs/grids.md shows the file that it runs, and its commands do what it says, here with fewer steps."""

import re
from pathlib import Path

import pytest

from lstm_jax.configs.studies import grid
from lstm_jax.studies.grid import Grid
from tests.commands.helpers import ROOT, WARNINGS

PAGE = (ROOT / "docs" / "grids.md").read_text(encoding="utf-8")
pytestmark = WARNINGS


def tables(text):
    """The cells of each line of tables, without figures."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return {tuple(line.split(" | ")[1:4]) for line in lines}


def test_the_page_shows_the_file():
    code = re.search(r"```python\n(.*?)\n```", PAGE, re.DOTALL)[1]
    assert (ROOT / "configs" / "studies" / "grid.py").read_text(encoding="utf-8").strip().endswith(code)


def test_the_page_shows_every_setting():
    printed = PAGE.partition("<!-- figures: grid -->")[2].partition("<!-- /figures -->")[0]
    wanted = {tuple(f"{value:g}" for _, value in point) for point in grid.get_config().points()}
    assert wanted <= tables(printed)
    best = re.search(r"\| 1 \(best\) \| (\S+) \| (\S+) \| (\S+) \|", printed)
    flags = ("model.hidden_size", "model.layers", "optimizer.learning_rate")
    expected = " ".join(f"--config.{path}={value}" for path, value in zip(flags, best.groups(), strict=True))
    assert expected in printed


@pytest.mark.long
def test_the_command_prints_the_table(command, tmp_path, monkeypatch):
    line = re.search(r"^python compare\.py (.*)$", PAGE, re.MULTILINE)[1]
    study, _, workdir = line.partition(" --workdir=")
    assert (study, workdir) == ("--config=configs/studies/grid.py", "runs/grid")
    run = Grid.run

    def reduced(own, folder):
        own.base.data.reviews, own.base.train.steps, own.base.train.validate_every = 300, 2, 1
        return run(own, folder)

    monkeypatch.setattr(Grid, "run", reduced)
    ended = command("compare", study, f"--workdir={tmp_path / 'grid'}")
    assert ended.code == 0, ended.err
    assert "48 of 48 runs are to be trained, in 6 programs" in ended.err
    printed = PAGE.partition("<!-- figures: grid -->")[2].partition("<!-- /figures -->")[0]
    assert tables(ended.out) == tables(printed)
    assert (tmp_path / "grid" / "report.html").exists()
    again = command("compare", study, f"--workdir={tmp_path / 'grid'}")
    assert again.out == ended.out
    assert "all 48 runs of the grid were finished" in again.err


@pytest.mark.long
def test_the_code_prints_a_table(tmp_path, monkeypatch, capsys):
    code = re.search(r"<!-- python -->\n```python\n(.*?)```", PAGE, re.DOTALL)[1]
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    assert "| rank | layer | dropout.pooled | validation | test | weights | seconds |" in capsys.readouterr().out
    assert Path("runs/python_grid/report.html").exists()
