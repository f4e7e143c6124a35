"""The commands compare and bench: what they print, and which studies they refuse."""

import dataclasses

import pytest

from lstm_jax.optimizers import OPTIMIZERS
from lstm_jax.studies.comparison import Comparison
from lstm_jax.studies.grid import Grid
from lstm_jax.studies.systems import Systems
from tests.commands.helpers import WARNINGS

pytestmark = WARNINGS

STUDY = """
from lstm_jax.config import Config
from lstm_jax.studies.grid import Grid

def get_config(kind):
    config = Config()
    config.data.reviews = 200
    config.model.hidden_size = config.model.embedding_size = 4
    config.train.epochs, config.train.batch_size, config.train.buckets = 1, 32, 1
    config.train.keep_epochs = "epoch_{epoch}"
    return Grid(config, {"optimizer.learning_rate": (0.1, 0.01)}, seeds=1) if kind == "grid" else config
"""


@pytest.mark.slow
def test_bench_measures_the_text_pipeline(command, tmp_path, monkeypatch):
    monkeypatch.setattr("lstm_jax.benchmarks.suites.text.WORDS", 20_000)
    ended = command("bench", "--suite=text", "--reviews=1000", f"--workdir={tmp_path}")
    assert ended.code == 0, ended.err
    assert [line.split(" | ")[0] for line in ended.out.splitlines()[2:5]] == ["| reading", "| tokenising", "| all"]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["generated-1000.ft.txt.bz2", "text.json"]


@pytest.mark.long
def test_compare_prints_the_table_of_a_study(command, tmp_path):
    (tmp_path / "study.py").write_text(STUDY)
    ended = command("compare", f"--config={tmp_path / 'study.py'}:grid", f"--workdir={tmp_path / 'w'}")
    assert ended.code == 0, ended.err
    assert (tmp_path / "w" / "table.md").read_text().strip() in ended.out
    assert "| learning rate | 0.1 | 0.01 |" in ended.out, "by epochs"
    assert "| 1 (best) | 0." in ended.out
    assert "--config.optimizer.learning_rate=0." in ended.out
    assert "2 of 2 runs are to be trained, in 1 programs" in ended.err


def test_help_lists_the_fields_of_every_study(command):
    text = command("compare", "--help").out
    for study in (Comparison, Grid, Systems):
        fields = ", ".join(field.name for field in dataclasses.fields(study))
        assert f"{study.__name__}({fields}):" in text


@pytest.mark.parametrize("place", ["--plugins", "the task"])
def test_a_comparison_of_an_own_optimizer(command, tmp_path, monkeypatch, place):
    own = tmp_path / "own.py"
    own.write_text(
        "from lstm_jax.optimizers import OPTIMIZERS, register\n"
        "register('own', OPTIMIZERS['sgd'].make, learning_rate=0.1)"
    )
    (tmp_path / "study.py").write_text(
        "from lstm_jax.config import Config\nfrom lstm_jax.studies.comparison import Comparison, Task\n"
        f"def get_config():\n    config = Config()\n    config.plugins = ({str(own)!r},)\n"
        "    return Comparison({'tiny': Task(config)}, ('own',))"
    )
    monkeypatch.setattr(Comparison, "run", lambda study, workdir: study.check())
    given = {"--plugins": [f"--plugins={own}", "--config=configs/studies/quick.py:own,sgd"]}
    try:
        ended = command("compare", *given.get(place, [f"--config={tmp_path / 'study.py'}"]), f"--workdir={tmp_path}")
        assert ended.code == 0, ended.err
        assert OPTIMIZERS.plugin_of("own") == str(own)  # The files of runs record it.
    finally:
        OPTIMIZERS.unregister("own")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config=FILE:config"], "get_config() of the config file returned a Config, not a study"),
        (["--config=FILE:grid", "--config.seeds=1"], "--config.seeds: the fields of a study are set in its file; "),
        (["--config=nothing.py"], "nothing.py does not exist; give the path of a Python file"),
    ],
)
def test_a_study_that_cannot_be_started(command, tmp_path, arguments, message):
    (tmp_path / "study.py").write_text(STUDY)
    given = [argument.replace("FILE", str(tmp_path / "study.py")) for argument in arguments]
    ended = command("compare", *given, f"--workdir={tmp_path / 'w'}")
    assert ended.code == 2
    assert message in ended.error
