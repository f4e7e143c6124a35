"""``--help`` of the commands: its order, its search, its width."""

import subprocess
import sys

import pytest

from lstm_jax import help as command_help
from lstm_jax.optimizers import OPTIMIZERS
from tests.commands.helpers import ROOT, WARNINGS

pytestmark = WARNINGS


def fields(out: str) -> list[str]:
    """The names of the flags and fields that are listed."""
    return [line.partition(":")[0].strip(" -") for line in out.splitlines() if line.startswith("  --")]


def test_required_flags_come_first_and_fields_last(command):
    ended = command("train", "--help")
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert lines[0] == "Trains a recurrent text classifier."
    assert lines[2] == "usage: python train.py --workdir=... [--flag=value ...]"
    places = [lines.index(line) for line in ("Required:", "Flags:", "config: All settings of a run.")]
    assert places == sorted(places)
    assert fields(ended.out)[:4] == ["workdir", "tour", "find_rate", "config"]
    groups = [line.partition(":")[0] for line in lines if line.startswith("config.")]
    assert groups.index("config.data") < groups.index("config.data.tokens") < groups.index("config.model")


@pytest.mark.parametrize("name", ["train", "eval", "compare", "bench"])
def test_no_line_is_too_long(command, name):
    for flag in ("--help", "--helpshort", "--helpfull"):
        ended = command(name, flag)
        assert ended.code == 0
        assert max(map(len, ended.out.splitlines())) <= command_help.WIDTH
        assert "usage: python" in ended.out


def test_values_are_those_of_the_config_that_is_given(command):
    out = command("train", "--config=keras_imdb", "--help=hidden_size").out
    assert "(default: 100)" in " ".join(out.split())


def test_choices_and_bounds_are_shown(command):
    out = " ".join(command("train", "--help").out.split())
    assert "--config.model.layers: Number of recurrent layers. (default: 1) [at least 1]" in out
    assert "(default: 'head') [one of: head, tail, both]" in out
    assert "[0 to 0.99]" in out
    assert f"[one of: {', '.join(OPTIMIZERS)}]" in out
    assert "--config.data.vectors.more_text" in out
    assert "[one of: '', " in out
    out = " ".join(command("eval", "--help").out.split())
    assert "every example of the source. (default: 'test') [one of: train, validation, test, all]" in out
    assert "<train|" not in out


@pytest.mark.parametrize("asked", [["--help=optimizer"], ["--help", "optimizer"], ["--help=OPTIMIZER"]])
def test_search(command, asked):
    found = fields(command("train", *asked).out)
    assert "config.optimizer.name" in found
    assert "config.model.hidden_size" not in found
    assert "workdir" not in found


@pytest.mark.parametrize("term", ["learning_rate", "learning-rate", "Learning Rate", "--learning_rate"])
def test_a_search_does_not_depend_on_how_words_are_joined(command, term):
    ended = command("train", f"--help={term}")
    assert {"config.optimizer.learning_rate", "config.optimizer.schedule"} <= set(fields(ended.out))


def test_a_choice_is_found(command):
    assert fields(command("train", "--help=schedule_free").out) == ["config.optimizer.name"]


def test_a_flag_is_found(command):
    assert "Required:\n  --workdir: Folder of the study." in command("compare", "--help=workdir").out
    assert fields(command("bench", "--suite=epoch", "--help=rounds").out) == ["rounds"]


def test_a_search_for_a_misspelt_name_shows_the_nearest(command):
    ended = command("train", "--help=optimzer")
    assert ended.code == 0
    assert ended.out.startswith("Nothing contains 'optimzer'. The nearest name is 'optimizer'.\n\n")
    assert "config.optimizer.name" in fields(ended.out)


def test_a_search_without_any_result(command):
    ended = command("train", "--help=xyzzyq")
    assert (ended.code, ended.out) == (2, "")
    assert ended.error == "no flag or field contains 'xyzzyq'; --help lists all of them"


def test_only_the_full_help_lists_flags_of_libraries(command):
    assert "--verbosity" not in command("train", "--help").out
    out = command("train", "--helpfull").out
    assert "--verbosity" in out
    assert "config.model.layers" in fields(out)
    assert "config.model.layers" not in fields(command("train", "--helpshort").out)


@pytest.mark.slow
def test_a_reader_that_stops_early_causes_no_traceback():
    command = f"{sys.executable} train.py --helpfull | head -n 1"
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("Trains a recurrent text classifier.\n", "")
