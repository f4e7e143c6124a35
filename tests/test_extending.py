"""Every example of docs/extending.md, as printed there, is trained, resumed after an interruption, and evaluated."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SECTION = re.compile(r"^## (.+?)\n.*?^`(\w+\.py)`\n\n```python\n(.*?)```\n\n```sh\n(.*?)```", re.MULTILINE | re.DOTALL)
EXAMPLES = SECTION.findall((ROOT / "docs" / "extending.md").read_text(encoding="utf-8"))

pytestmark = pytest.mark.long


@pytest.fixture
def clone(tmp_path):
    """A folder in which the commands work as in a clone."""
    for name in ("train.py", "eval.py", "compare.py", "configs"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def typed(line: str, folder: Path) -> subprocess.CompletedProcess:
    program, *arguments = shlex.split(line)
    assert program == "python"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    return subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True)


def test_there_is_an_example_of_everything():
    things = ("A cell", "A layer", "A pooling", "A pooling with weights", "An objective", "An optimizer")
    assert [title for title, *_ in EXAMPLES] == [
        *things,
        "A source of examples",
        "Word vectors",
        "A tracker",
        "A study",
    ]


@pytest.mark.parametrize(("title", "file", "code", "commands"), EXAMPLES, ids=[title for title, *_ in EXAMPLES])
def test_example(title, file, code, commands, clone):
    assert len([line for line in code.splitlines() if line.strip()]) <= 15
    (clone / file).write_text(code)
    first, *rest = commands.splitlines()
    done = typed(first, clone)
    assert done.returncode == 0, done.stderr
    workdir = clone / re.search(r"--workdir=(\S+)", first)[1]
    if (workdir / "checkpoints").exists():  # A study keeps none.
        (workdir / "summary.json").unlink()
        shutil.rmtree(max((workdir / "checkpoints").glob("[0-9]*"), key=lambda folder: int(folder.name)))
        (clone / file).write_text(f"# A changed file.\n{code}")
        again = typed(first, clone)
        assert again.returncode == 0, again.stderr
        assert "resuming from step" in again.stderr
        assert f"{clone / file} has changed since the run in" in again.stderr
    if (runs := workdir / "runs.jsonl").exists():
        table, rows = (workdir / "table.md").read_text(), runs.read_text().splitlines(keepends=True)
        runs.write_text("".join(rows[:-1]))
        again = typed(first, clone)
        assert again.returncode == 0, again.stderr
        assert len(runs.read_text().splitlines()) == len(rows)
        assert (workdir / "table.md").read_text() == table
    for line in rest:
        done = typed(line, clone)
        assert done.returncode == 0, done.stderr
        assert done.stderr.count(f"{clone / file} has changed since the run in") == 1


OWN = """
import jax.numpy as jnp
from lstm_jax import cells

def wrong(hidden_size):
    def step(params, h, x):
        return h, jnp.zeros((1, hidden_size, 2))
    return cells.Cell(lambda key, size: jnp.ones((size, hidden_size)), lambda n: jnp.zeros((n, hidden_size)), step)

cells.register("wrong", wrong)
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [("", ""), ("return h, jnp.zeros((1, hidden_size, 2))", "return h[:, :1], h"), ("return h, jnp.", "h @ h; jnp.")],
    ids=["an output", "a state", "a product inside"],
)
def test_a_wrong_shape_in_an_own_cell_shows_a_traceback_that_ends_in_its_file(clone, old, new):
    (clone / "wrong.py").write_text(OWN.replace(old, new) if old else OWN)
    line = "python train.py --config.plugins=wrong.py --config.model.layer=wrong --config.data.reviews=200 --workdir=w"
    done = typed(line, clone)
    assert done.returncode == 1
    files = [file for file in re.findall(r'File "(.+?)", line', done.stderr) if "site-packages" not in file]
    assert files[-1] == str(clone / "wrong.py"), done.stderr[-2000:]
    assert "wrong" in done.stderr.splitlines()[-1] or "shape" in done.stderr
