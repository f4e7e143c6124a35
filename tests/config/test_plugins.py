"""A run finds the user's own code again: from other folders, after a move, through packages and helpers."""

import shutil
import sys

import pytest

from lstm_jax import config as configs
from lstm_jax import registry
from lstm_jax.config import Config, validate
from lstm_jax.errors import ConfigError
from lstm_jax.identity import identity_of
from lstm_jax.registry import CELLS, LAYERS, OBJECTIVES, OPTIMIZERS, POOLINGS
from lstm_jax.training import run
from lstm_jax.training.workdir import Workdir, evaluation_config, lanes_of
from tests.training.tiny import tiny_config

CELL = "from lstm_jax.cells import gru, register\nregister('mgu', lambda hidden_size: gru(hidden_size))\n"
OWN = {CELLS: "mgu", OPTIMIZERS: "mine", OBJECTIVES: "own_loss"}


def forget():
    """Unregisters the own code and forgets its modules, as at the start of another process."""
    for kind, name in OWN.items():
        if kind.file_of(name):
            kind.unregister(name)
    for name in ("pkg", "pkg.mod", "pkg.part", "helper"):
        sys.modules.pop(name, None)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """The current folder, which is empty."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [*sys.path, str(folder)])
    yield folder
    forget()


def write(folder, **files):
    for name, text in files.items():
        path = folder / f"{name.replace('_in_', '/')}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def own_config(*plugins, layer="mgu", optimizer="adam"):
    config = Config()
    config.plugins, config.model.layer, config.optimizer.name = plugins, layer, optimizer
    return config


def begin(workdir, config):
    """Begins a run, or resumes it, but trains nothing; then forgets the code."""
    lanes = lanes_of(config)
    with Workdir(workdir, validate(config), lanes) as place:
        place.claim(config, lanes)
    forget()
    return workdir


def with_plugins(workdir, *plugins):
    """The config of an evaluation, with ``--config.plugins``."""
    return evaluation_config(workdir, plugins=plugins)


def test_a_run_is_evaluated_from_another_folder(project, tmp_path, monkeypatch):
    write(project, mgu=CELL)
    begin(tmp_path / "run", own_config("mgu.py"))
    monkeypatch.chdir(tmp_path)
    assert evaluation_config(tmp_path / "run").plugins == (str(project / "mgu.py"),)
    assert CELLS.plugin_of("mgu") == str(project / "mgu.py")


def test_a_plugin_that_was_moved_is_given_by_its_new_path(project, tmp_path, caplog):
    write(project, mgu=CELL)
    begin(tmp_path / "run", own_config("mgu.py"))
    (project / "mgu.py").rename(project / "moved.py")
    message = (
        r"the run needs .*/mgu.py, which registers the cell mgu, but it cannot be found; restore it, or give its new"
    )
    with pytest.raises(ConfigError, match=message):
        evaluation_config(tmp_path / "run")
    assert with_plugins(tmp_path / "run", "moved.py").plugins == (str(project / "moved.py"),)
    begin(tmp_path / "run", own_config("moved.py"))
    evaluation_config(tmp_path / "run")
    assert CELLS.file_of("mgu") == str(project / "moved.py")
    assert not caplog.text


def test_a_copied_project_and_its_original(project, tmp_path, caplog):
    write(project, mgu=CELL)
    begin(tmp_path / "run", own_config("mgu.py"))
    copy = shutil.copytree(project, tmp_path / "copy")
    with_plugins(tmp_path / "run", str(copy / "mgu.py"))
    assert CELLS.file_of("mgu") == str(copy / "mgu.py")
    evaluation_config(tmp_path / "run")  # Equal files register one name in one process.
    assert not caplog.text
    forget()
    (copy / "mgu.py").write_text(CELL + "# changed")
    with_plugins(tmp_path / "run", str(copy / "mgu.py"))
    assert f"{copy / 'mgu.py'} has changed since the run in {tmp_path / 'run'} began" in caplog.text


def test_a_module_of_a_package_is_imported_by_its_name(project, tmp_path):
    write(project, pkg_in___init__="", pkg_in_part="WIDTH = 3\n", pkg_in_mod="from .part import WIDTH\n" + CELL)
    begin(tmp_path / "run", own_config("pkg.mod"))
    assert evaluation_config(tmp_path / "run").plugins == ("pkg.mod",)
    assert CELLS.plugin_of("mgu") == "pkg.mod"
    assert not [name for name in sys.modules if name.startswith("mod_")]
    forget()
    (project / "pkg").rename(tmp_path / "moved")
    message = (
        r"the module pkg.mod \(.*/pkg/mod.py\), which registers the cell mgu, .*; add the folder of its package to"
    )
    with pytest.raises(ConfigError, match=message):
        evaluation_config(tmp_path / "run")


def test_a_module_is_recorded_though_it_was_imported_before(project, tmp_path):
    write(project, pkg_in___init__="", pkg_in_mod=CELL)
    __import__("pkg.mod")
    begin(tmp_path / "run", own_config("pkg.mod"))
    evaluation_config(tmp_path / "run")


def test_a_plugin_behind_a_symbolic_link(project, tmp_path):
    write(project, mgu=CELL)
    (tmp_path / "link").symlink_to(project)
    begin(tmp_path / "run", own_config("../link/mgu.py"))
    validate(own_config("mgu.py"))
    evaluation_config(tmp_path / "run")


def test_a_helper_is_registered_again_by_the_config_file_that_imports_it(project, tmp_path, caplog):
    write(project, helper=CELL, cfg="import helper\n")
    configs.load_file(project / "cfg.py")
    assert not configs.lost_entries(own_config())
    begin(tmp_path / "run", own_config())
    evaluation_config(tmp_path / "run")
    assert CELLS.file_of("mgu") == str(project / "helper.py")
    forget()
    write(project, helper=f"{CELL}# changed")
    evaluation_config(tmp_path / "run")
    assert f"{project / 'helper.py'} has changed since" in caplog.text


@pytest.mark.parametrize("code", ["import helper", CELL], ids=["imported", "registered"])
def test_code_from_a_script_or_a_function_is_lost(project, tmp_path, code):
    write(project, helper=CELL, cfg="def get_config():\n    " + code.strip().replace("\n", "\n    "))
    configs.load_file(project / "cfg.py").get_config()
    file = project / ("helper.py" if "helper" in code else "cfg.py")
    assert configs.lost_entries(own_config()) == [f"cell mgu ({file})"]
    begin(tmp_path / "run", own_config())
    with pytest.raises(
        ConfigError, match=r"config.model.layer is 'mgu'; .*; if a file of yours registers it, name that"
    ):
        evaluation_config(tmp_path / "run")
    write(project, mgu=CELL)
    with_plugins(tmp_path / "run", "mgu.py")


def test_training_warns_about_code_that_is_lost(project, tmp_path, caplog, monkeypatch):
    write(project, helper=CELL)
    __import__("helper")
    monkeypatch.setattr(run, "run_loop", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run.train_lanes(tiny_config(model__layer="mgu"), tmp_path / "run")
    assert f"later commands cannot load the cell mgu ({project / 'helper.py'}); move it into a file" in caplog.text


def test_the_first_content_of_a_file_is_remembered_when_a_run_is_resumed(project, tmp_path, caplog):
    write(project, mgu=CELL)
    begin(tmp_path / "run", own_config("mgu.py"))
    message = f"{project / 'mgu.py'} has changed since the run in {tmp_path / 'run'} began"
    for text in (CELL + "# changed", CELL):  # The run was trained with both in the end.
        write(project, mgu=text)
        begin(tmp_path / "run", own_config("mgu.py"))
        assert message in caplog.text
        caplog.clear()
        evaluation_config(tmp_path / "run")
        assert message in caplog.text
        caplog.clear()
        forget()


@pytest.mark.parametrize("missing", [False, True])
def test_an_evaluation_needs_no_file_of_an_optimizer_or_an_objective(project, tmp_path, missing):
    optimizer = "from lstm_jax.optimizers import OPTIMIZERS, register\n"
    optimizer += "register('mine', OPTIMIZERS['sgd'].make, learning_rate=0.1)\n"
    loss = "from lstm_jax.objectives import register\nfrom lstm_jax.registry import OBJECTIVES\n"
    loss += "register('own_loss', OBJECTIVES['classification'].loss)\n"
    write(project, mgu=CELL, mine=optimizer, loss=loss)
    config = own_config("mgu.py,mine.py", "loss.py", optimizer="mine")
    config.objectives["own_loss"] = {"weight": 1.0}
    begin(tmp_path / "run", config)
    if missing:
        (project / "mine.py").unlink()
        (project / "loss.py").unlink()
    found = evaluation_config(tmp_path / "run")
    assert found.plugins == tuple(
        str(project / f"{name}.py") for name in ("mgu", "mine", "loss") if name == "mgu" or not missing
    )
    assert bool(OPTIMIZERS.file_of("mine")) != missing


def test_plugins_are_separated_by_commas(project):
    write(project, mgu=CELL, other="", **{"a,b": ""})
    config = validate(own_config("mgu.py,other.py", "a,b.py"))
    assert config.plugins == tuple(str(project / name) for name in ("mgu.py", "other.py", "a,b.py"))
    with pytest.raises(ConfigError, match=r"gone\.py does not exist"):
        validate(own_config("mgu.py,gone.py"))


@pytest.mark.parametrize("plugins", ["mgu.py", (3,), ("./mgu",), ("a..b",)])
def test_plugins_of_a_wrong_form_are_refused(project, plugins):
    write(project, mgu=CELL)
    config = own_config("mgu.py")
    config.plugins = plugins
    with pytest.raises(ConfigError, match="plugin"):
        validate(config)


def test_a_package_registers_while_its_module_is_looked_for(project):
    write(project, pkg_in___init__="import pkg.part\n", pkg_in_part=CELL, pkg_in_mod="")
    config = validate(own_config("pkg.mod"))
    assert not configs.lost_entries(config)
    assert [file.entries for file in configs.user_files(config)] == [[], ["cell mgu"]]


def test_code_that_is_edited_in_a_process_has_another_identity(project):
    made = []
    for factor in (2, 3):
        write(project, mgu=CELL.replace("gru(hidden_size)", f"gru({factor} * hidden_size)"))
        validate(own_config("mgu.py"))
        made.append(identity_of(CELLS["mgu"]))
    assert made[0] != made[1]


def test_a_name_that_was_unregistered_is_registered_by_loading_its_file_again(project):
    write(project, mgu=CELL)
    validate(own_config("mgu.py"))
    CELLS.unregister("mgu")
    validate(own_config("mgu.py"))


@pytest.mark.parametrize(
    "path", ["model.layer", "model.pooling", "optimizer.name", "data.source", "data.vectors.source"]
)
def test_an_unknown_name_says_how_to_load_own_code(path):
    config = Config()
    configs.set_field(config, path, "yours")
    with pytest.raises(ConfigError, match=f"config.{path} is 'yours'; .*; {registry.PLUGIN_HINT}"):
        validate(config)
    assert "yours" not in {*LAYERS, *POOLINGS}
