"""What an installation consists of: commands, configs and data files. ``.ci/installed`` builds and uses one."""

import importlib
import importlib.util
import re
import shlex
import subprocess
import sys
import tomllib

import pytest

from lstm_jax.registry import CONFIGS, PACKAGE
from tests.reviews import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SCRIPTS = PROJECT["project"]["scripts"]


def test_commands_have_the_names_of_the_scripts():
    assert list(SCRIPTS) == ["lstm-train", "lstm-eval", "lstm-compare", "lstm-bench", "lstm-export"]


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_command_calls_the_function_of_its_script(name):
    module, _, function = SCRIPTS[name].partition(":")
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"there is no {module}")
    assert callable(getattr(importlib.import_module(module), function))
    script = (ROOT / f"{name.removeprefix('lstm-')}.py").read_text(encoding="utf-8")
    assert f"from {module} import {function}" in script


def test_the_package_has_the_folder_of_configs():
    assert CONFIGS.resolve() == ROOT / "configs"


def test_files_beside_the_code_are_package_data():
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["*"]
    files = [path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")]
    assert files
    assert not [path for path in files if not any(path.match(each) for each in patterns)]


def test_no_module_reads_files_beside_the_package():
    """A file beside the package is not installed; a commit and a copy for another process are no such files."""
    allowed = {"training/workdir.py", "benchmarks/worker.py"}
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if re.search(r"__file__\)\.parents\[|[\"'](docs|configs)/|Path\([\"'](docs|configs)\b", path.read_text("utf-8"))
    }
    assert found <= allowed


def test_configs_import_nothing_from_the_clone():
    own = re.compile(r"^\s*(from|import) configs", re.MULTILINE)
    assert not [path for path in CONFIGS.resolve().rglob("*.py") if own.search(path.read_text(encoding="utf-8"))]


def test_the_page_prints_commands_that_exist():
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    lines = [line for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL) for line in block.splitlines()]
    programs = [shlex.split(line, comments=True)[0] for line in lines]
    assert set(programs) <= {*SCRIPTS, "pip", "cp"}
    assert {"lstm-train", "lstm-eval"} <= set(programs)


@pytest.mark.slow
def test_a_named_config_is_trained_from_another_folder_and_leaves_no_record_of_own_code(tmp_path):
    call = "from lstm_jax.commands.train import train_command; train_command()"
    small = ["--config.data.reviews=300", "--config.train.steps=3", "--config.model.hidden_size=8"]
    command = [sys.executable, "-c", call, "--config=default", f"--workdir={tmp_path / 'run'}", *small]
    environment = {"PATH": "", "HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "summary.json").exists()
    assert not (tmp_path / "run" / "plugins.json").exists()
