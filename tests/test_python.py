"""The Python API: ``lstm_jax.train`` and ``lstm_jax.load`` in scripts, threads and beside a program's own logging."""

import copy
import json
import logging
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import lstm_jax
from lstm_jax import runtime
from lstm_jax.config import from_json, to_json
from lstm_jax.errors import ConfigError

ROOT = Path(__file__).parents[1]
TINY = {
    "data__reviews": 300,
    "model__hidden_size": 8,
    "model__embedding_size": 8,
    "train__epochs": 1,
    "train__buckets": 1,
    "train__batch_size": 32,
}


@pytest.fixture(autouse=True)
def configured(monkeypatch):
    monkeypatch.setattr(runtime, "configure", lambda: None)  # tests/conftest.py has set the devices up


def trained_config(workdir: Path) -> lstm_jax.Config:
    return from_json((workdir / "config.json").read_text())


@pytest.mark.parametrize("asked", ["default", "configs/default.py", Path("configs/default.py")])
def test_a_name_and_a_path_give_the_same_run(asked, tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    summary = lstm_jax.train(asked, tmp_path / "run", **TINY)
    assert summary == json.loads((tmp_path / "run" / "summary.json").read_text())
    config = trained_config(tmp_path / "run")
    assert (config.model.hidden_size, config.optimizer.learning_rate, config.train.epochs) == (8, 5e-3, 1)


def test_overrides_in_both_forms_leave_the_callers_config_as_it_was(tmp_path):
    config = lstm_jax.Config()
    config.objectives["classification"]["weight"] = 2.0
    before = to_json(config)
    changes = {
        "optimizer.hparams.b1": 0.8,
        "objectives.label_smoothing.weight": 1,
        "data__label_map": ["1=up", "0=down"],
    }
    lstm_jax.train(config, tmp_path / "run", **TINY, **changes)
    assert to_json(config) == before
    config.seed = 3  # It is not frozen.
    config.objectives["classification"]["weight"] = 1.0
    found = trained_config(tmp_path / "run")
    assert found.optimizer.hparams == {"b1": 0.8}
    assert found.objectives == {"classification": {"weight": 2.0}, "label_smoothing": {"weight": 1}}
    assert found.data.label_map == ("1=up", "0=down")


def test_a_config_that_a_run_has_frozen_can_be_varied(tmp_path):
    frozen = lstm_jax.config.validate(lstm_jax.Config())
    again = copy.deepcopy(to_json(frozen))
    lstm_jax.train(frozen, tmp_path / "run", **TINY)
    assert to_json(frozen) == again
    assert trained_config(tmp_path / "run").model.hidden_size == 8


@pytest.mark.parametrize(
    ("asked", "changes", "message"),
    [
        ("imdbb", {}, "there is no config 'imdbb'; did you mean 'imdb'"),
        ("studies/quick", {}, "studies/quick returns a Comparison, and train takes a Config; the command that runs"),
        ("nowhere.py", {}, "nowhere.py does not exist"),
        ("keras_imdb:nope", {}, "the config has no variant 'nope'; it has faithful, published, padded, improved"),
        (None, {}, "train takes a Config, the name of a config or the path of a file, not None"),
        ("default", {"hidden_size": 3}, r"config has no field 'hidden_size'; did you mean 'model\.hidden_size'"),
        ("default", {"model__hiden_size": 3}, "config.model has no field 'hiden_size'; did you mean 'hidden_size'"),
        ("default", {"model": 3}, "config.model is a group of fields; set one of them"),
        ("default", {"seed__x": 3}, "config.seed is a value and has no field 'x'"),
        ("default", {"optimizer__hparams": {}}, "config.optimizer.hparams is a mapping; set one of its numbers"),
        ("default", {"model__hidden_size": "8"}, "config.model.hidden_size is '8' of type str; it must be of type int"),
        ("default", {"model__hidden_size": True}, "config.model.hidden_size is True of type bool"),
        ("default", {"model__layer": "ltsm"}, "config.model.layer is 'ltsm'; did you mean 'lstm'"),
        ("default", {"train.epochs": 2, "train__epochs": 2}, "config.train.epochs is given twice; give one value"),
        ("default", {"optimizer__hparams__b9": 0.5}, "config.optimizer.hparams of 'adam' has no hyper-parameter 'b9'"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_is_written(asked, changes, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        lstm_jax.train(asked, tmp_path / "run", **changes)
    assert not (tmp_path / "run").exists()


def test_a_path_may_be_an_override(tmp_path):
    with pytest.raises(lstm_jax.errors.UserError, match=f"{tmp_path / 'none.csv'} does not exist"):
        lstm_jax.train(lstm_jax.Config(), tmp_path / "run", data__source="files", data__path=tmp_path / "none.csv")


def test_a_thread_trains_and_loads(tmp_path):
    found = []

    def work():
        lstm_jax.train("default", tmp_path / "run", **TINY)
        found.extend(lstm_jax.load(tmp_path / "run").predict(["the screen is fine"]))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(found) == 1


SCRIPT = """
import logging, sys
import lstm_jax
{before}
options = dict(data__reviews=300, model__hidden_size=8, model__embedding_size=8, train__epochs=1, train__buckets=1)
for name in sys.argv[1:]:
    lstm_jax.train("default", name, **options)
{after}
logging.getLogger("lstm_jax").warning("a warning")
print("root:", logging.getLogger().handlers, logging.getLogger("lstm_jax").handlers)
"""
LINES = ("steps, examples padded to", "layer 1    LSTM")


def script(tmp_path: Path, before: str = "", after: str = "", names: tuple[str, ...] = ("a",)):
    code = SCRIPT.format(before=before, after=after)
    command = [sys.executable, "-c", code, *(str(tmp_path / name) for name in names)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.slow
def test_a_script_sees_the_log_once_and_keeps_its_root_logger(tmp_path):
    done = script(tmp_path, names=("a", "b"))
    assert [done.stderr.count(line) for line in LINES] == [2, 2]
    assert done.stderr.splitlines()[-1] == "a warning"
    assert "INFO" not in done.stderr
    assert done.stdout.splitlines()[-1] == "root: [] []"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "expected"),
    [
        ("logging.basicConfig(level=logging.INFO, format='own %(message)s')", 1),
        ("logging.basicConfig(level=logging.ERROR)", 0),
        ("logging.getLogger('lstm_jax').addHandler(logging.NullHandler())", 0),
    ],
    ids=["shown", "errors alone", "silenced"],
)
def test_a_program_that_has_configured_logging_sees_what_it_asked_for(tmp_path, before, expected):
    done = script(tmp_path, before)
    assert [done.stderr.count(line) for line in LINES] == [expected, expected]
    assert done.stderr.count("own ") >= 4 * ("own" in before)


def test_messages_are_shown_until_the_last_context_ends(monkeypatch, capsys):
    root, ours = logging.getLogger(), logging.getLogger("lstm_jax")
    monkeypatch.setattr(root, "handlers", [])
    level = ours.level
    first, second = runtime.messages_shown(), runtime.messages_shown()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    logging.getLogger("lstm_jax.training").info("still \x1b[31mshown")
    second.__exit__(None, None, None)
    logging.getLogger("lstm_jax.training").info("not any more")
    assert capsys.readouterr().err == "still \\x1b[31mshown\n"
    assert (root.handlers, ours.handlers, ours.level, ours.propagate) == ([], [], level, True)


ALONE = """
import logging
logging.basicConfig(level=logging.INFO)
import jax, jax.numpy as jnp
from lstm_jax import cells, layers
layer = layers.make_layer("lstm", 4)
y, _ = layer.apply(layer.init(jax.random.key(0), 3), jnp.ones((5, 2, 3)), jnp.array([5, 2]))
print(y.shape, jax.device_count())
import lstm_jax
lstm_jax.train("default", "{workdir}", data__reviews=300, train__epochs=1, model__hidden_size=8)
"""


@pytest.mark.slow
def test_layers_need_no_set_up_and_later_training_says_which_devices_are_left(tmp_path, monkeypatch):
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    monkeypatch.delenv("JAX_NUM_CPU_DEVICES", raising=False)
    code = ALONE.format(workdir=tmp_path / "run")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "(5, 2, 4) 1"
    assert done.stderr.count("JAX was used before lstm_jax could configure it, so it computes on 1 × cpu") == 1


@pytest.mark.parametrize("workdir", ["", None])
def test_the_current_folder_is_not_taken_unasked(workdir, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for call in (lambda: lstm_jax.train("default", workdir, **TINY), lambda: lstm_jax.load(workdir)):
        with pytest.raises(ConfigError, match="the folder of the run is"):
            call()
    assert not any(tmp_path.iterdir())


def test_the_time_to_the_first_step_counts_from_the_call(tmp_path, monkeypatch):
    monkeypatch.setattr(lstm_jax, "STARTED", lstm_jax.STARTED - 1e6)  # A notebook may have been open for days.
    assert lstm_jax.train("default", tmp_path, **TINY)["startup"]["all"] < 1e5


def test_the_code_of_a_run_may_be_named_as_one_string(tmp_path):
    lstm_jax.train("default", tmp_path / "run", **TINY)
    with pytest.raises(ConfigError, match=r"nowhere\.py does not exist"):
        lstm_jax.load(tmp_path / "run", plugins="nowhere.py")
