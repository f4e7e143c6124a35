"""Every command of docs/weights.md, as printed there, works."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.export.fake_models import TOKEN, FakeModels
from tests.test_extending import EXAMPLES

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "weights.md").read_text(encoding="utf-8")
(SCRIPT,) = re.findall(r"^`encoder\.py`\n\n```python\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL)
WEIGHTS, LONGER, HUB, TRUST = (
    block.splitlines() for block in re.findall(r"^```sh\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL)
)

pytestmark = pytest.mark.long


def typed(line, folder, **environment):
    program, *arguments = shlex.split(line)
    assert program == "python"
    variables = os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu", **environment}
    return subprocess.run([sys.executable, *arguments], cwd=folder, env=variables, capture_output=True, text=True)


@pytest.fixture
def clone(tmp_path):
    for name in ("train.py", "eval.py", "export.py", "configs"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def test_weights_of_pytorch_are_taken_and_the_model_goes_to_the_hub_and_back(clone):
    pytest.importorskip("torch", minversion="2.6")
    (clone / "encoder.py").write_text(SCRIPT)
    for line in WEIGHTS:
        done = typed(line, clone)
        assert done.returncode == 0, done.stderr
    (printed,) = re.findall(r"^```\n(init_from.*?)```", PAGE, re.MULTILINE | re.DOTALL)
    assert {*printed.splitlines()} <= {*done.stderr.splitlines()}
    for line in LONGER:
        done = typed(line, clone)
        assert done.returncode == 0, done.stderr
    assert "init_from: took all weights and the state of adam after step" in done.stderr
    with FakeModels() as hub:
        known = {"HF_ENDPOINT": hub.url, "HF_HOME": str(clone / "hf"), "HF_HUB_DISABLE_XET": "1", "HF_TOKEN": TOKEN}
        for line in HUB:
            done = typed(line, clone, **known)
            assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("[Prediction(")


def test_code_of_a_moved_run_is_trusted_or_named(clone):
    file, code, commands = next(each[1:] for each in EXAMPLES if each[1] == "mgu.py")
    (clone / file).write_text(code)
    train = commands.splitlines()[0]
    assert typed(train, clone).returncode == 0
    shutil.move(clone / re.search(r"--workdir=(\S+)", train)[1], clone / "runs" / "moved")
    done = typed("python eval.py --workdir=runs/moved", clone)
    assert done.returncode == 1
    assert f"error: the run would execute {clone / 'mgu.py'}, but you have not trained it" in done.stderr
    for line in TRUST:
        done = typed(line, clone)
        assert done.returncode == 0, done.stderr
