"""A run's folder executes nothing that it names itself, unless this user has trained it there with that code."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from lstm_jax import runtime
from lstm_jax.config import Config, validate
from lstm_jax.errors import UserError
from lstm_jax.registry import CELLS, OPTIMIZERS
from lstm_jax.training.trust import ORIGIN, trusted_plugins
from lstm_jax.training.workdir import Workdir, evaluation_config, lanes_of

CELL = """
from pathlib import Path
from lstm_jax.cells import gru, register
Path(__file__).with_name("executed").touch()
register("theirs", lambda hidden_size: gru(hidden_size))
"""
OPTIMIZER = """
from pathlib import Path
from lstm_jax.optimizers import OPTIMIZERS, register
Path(__file__).with_name("executed").touch()
register("their_sgd", OPTIMIZERS["sgd"].make, learning_rate=0.1)
"""
REFUSED = r"the run would execute .*{}.*, but you have not trained it .* allow it by --trust_code, or trust_code=True"


def forget():
    """Unregisters the code and forgets its modules, as at the start of another process."""
    for kind, name in ((CELLS, "theirs"), (OPTIMIZERS, "their_sgd")):
        if kind.file_of(name):
            kind.unregister(name)
    for name in ("pack", "pack.mod"):
        sys.modules.pop(name, None)


@pytest.fixture
def code(tmp_path, monkeypatch):
    """A folder with code, from which modules can be imported."""
    folder = tmp_path / "code"
    (folder / "pack").mkdir(parents=True)
    (folder / "cell.py").write_text(CELL)
    (folder / "optimizer.py").write_text(OPTIMIZER)
    (folder / "pack" / "__init__.py").write_text(CELL.replace("theirs", "unused"))
    (folder / "pack" / "mod.py").write_text(CELL)
    monkeypatch.setattr(sys, "path", [*sys.path, str(folder)])
    yield folder
    forget()
    if CELLS.file_of("unused"):
        CELLS.unregister("unused")


def begin(workdir: Path, *plugins: str, layer: str = "theirs", optimizer: str = "adam") -> Path:
    """A run that has begun with the code, which is forgotten."""
    config = Config()
    config.plugins, config.model.layer, config.optimizer.name = plugins, layer, optimizer
    with Workdir(workdir, validate(config), lanes_of(config)) as place:
        place.claim(config, lanes_of(config))
    forget()
    for mark in Path(plugins[0]).parent.rglob("executed") if plugins else ():
        mark.unlink()
    return workdir


def executed(code: Path) -> bool:
    return any(code.rglob("executed"))


def test_a_run_in_its_place_is_not_asked_about(code, tmp_path):
    run = begin(tmp_path / "run", str(code / "cell.py"))
    (tmp_path / "link").symlink_to(run)
    evaluation_config(tmp_path / "link")
    assert executed(code)
    forget()
    (code / "cell.py").write_text(CELL + "# Edited by its author.")
    evaluation_config(run)


@pytest.mark.parametrize("plugin", ["cell.py", "pack.mod"])
@pytest.mark.parametrize("how", ["copied", "moved", "cache deleted", "other id", "other user"])
def test_a_run_from_elsewhere_executes_nothing_unless_its_code_is_trusted(how, plugin, code, tmp_path, monkeypatch):
    plugin = str(code / plugin) if plugin.endswith(".py") else plugin
    monkeypatch.setenv("LSTM_JAX_CACHE", str(tmp_path / "cache"))
    run = begin(tmp_path / "run", plugin)
    for mark in code.rglob("executed"):
        mark.unlink()
    if how in ("copied", "moved"):
        run = Path({"copied": shutil.copytree, "moved": shutil.move}[how](run, tmp_path / "there"))
    elif how == "cache deleted":
        shutil.rmtree(tmp_path / "cache" / "runs")
    elif how == "other id":
        (run / ORIGIN).write_text(json.dumps({"id": "0" * 32}))
    else:
        monkeypatch.setattr("os.getuid", lambda: -1)
    with pytest.raises(UserError, match=REFUSED.format(Path(plugin).name)):
        evaluation_config(run)
    assert not executed(code)
    assert evaluation_config(run, trust_code=True).plugins == (plugin,)
    assert executed(code)


def test_what_the_caller_names_is_trusted(code, tmp_path):
    run = shutil.move(begin(tmp_path / "run", str(code / "cell.py")), tmp_path / "there")
    assert evaluation_config(run, plugins=(str(code / "cell.py"),)).plugins == (str(code / "cell.py"),)
    forget()
    with pytest.raises(UserError, match=REFUSED.format("cell.py")):
        evaluation_config(run)
    other = shutil.copy(code / "cell.py", tmp_path / "mine.py")
    evaluation_config(run, plugins=(str(other),))
    assert CELLS.file_of("theirs") == str(tmp_path / "mine.py")


def test_what_this_process_has_executed_needs_no_trust(code, tmp_path):
    run = shutil.move(begin(tmp_path / "run", str(code / "cell.py")), tmp_path / "there")
    config = Config()
    config.plugins = (str(code / "cell.py"),)
    validate(config)
    evaluation_config(run)


@pytest.mark.parametrize("forged", ["config.json", "plugins.json"])
def test_code_that_was_written_into_an_own_runs_folder_later_is_not_executed(forged, code, tmp_path):
    run, other = begin(tmp_path / "run", str(code / "cell.py")), code / "optimizer.py"
    found = json.loads((run / forged).read_text())
    if forged == "config.json":
        found["plugins"].append(str(other))
    else:
        found.append({"path": str(other), "plugin": str(other), "entries": ["cell theirs"], "digests": []})
    (run / forged).write_text(json.dumps(found))
    with pytest.raises(UserError, match=REFUSED.format("optimizer.py")):
        evaluation_config(run)
    assert not OPTIMIZERS.file_of("their_sgd")


def test_code_that_a_prediction_does_not_need_is_left_out(code, tmp_path):
    run = begin(tmp_path / "run", str(code / "optimizer.py"), layer="lstm", optimizer="their_sgd")
    assert evaluation_config(shutil.copytree(run, tmp_path / "there")).plugins == ()
    assert not executed(code)
    assert evaluation_config(run).plugins == (str(code / "optimizer.py"),)


def test_a_run_without_own_code_is_never_asked_about(tmp_path):
    run = shutil.move(begin(tmp_path / "run", layer="gru"), tmp_path / "there")
    assert not (run / ORIGIN).exists()
    evaluation_config(run)


def test_missing_code_is_told_as_before(code, tmp_path):
    run = shutil.move(begin(tmp_path / "run", str(code / "cell.py")), tmp_path / "there")
    (code / "cell.py").unlink()
    with pytest.raises(UserError, match=r"the run needs .*cell\.py, which registers the cell theirs, but it cannot be"):
        evaluation_config(run)


def test_the_training_command_makes_a_moved_run_ones_own_again(code, tmp_path):
    run = shutil.move(begin(tmp_path / "run", str(code / "cell.py")), tmp_path / "there")
    begin(run, str(code / "cell.py"))
    evaluation_config(run)


def test_with_an_unusable_cache_training_goes_on_and_later_commands_ask(code, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("LSTM_JAX_CACHE", str(tmp_path / "cache"))
    runtime.cache_dir().joinpath("runs").touch()  # A file where the folder would be.
    run = begin(tmp_path / "run", str(code / "cell.py"))
    assert "so later commands will ask whether they may load the run's own code" in caplog.text
    with pytest.raises(UserError, match=REFUSED.format("cell.py")):
        evaluation_config(run)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"id": 3}', '{"workdir": 1, "id": 2, "plugins": 3}'])
def test_damaged_records_give_no_trust(content, code, tmp_path):
    run = begin(tmp_path / "run", str(code / "cell.py"))
    (file,) = [each for each in (runtime.cache_dir() / "runs").iterdir() if str(run) in each.read_text()]
    file.write_text(content)
    assert trusted_plugins(run) == set()
    begin(run, str(code / "cell.py"))
    (run / ORIGIN).write_text(content)
    assert trusted_plugins(run) == set()
