"""The commands of docs/training.md run as printed, on a small network."""

import re
import shlex
from pathlib import Path

import pytest

from tests.commands.conftest import command, undone  # noqa: F401 - fixtures
from tests.commands.helpers import TINY, WARNINGS

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
ALL = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
COMMANDS = [line for line in ALL if "runs/mine" in line and "init_from" not in line and "--weights" not in line]
PRINTED = re.search(r"<!-- figures: find_rate -->\n```\n(.*?)```", PAGE, re.DOTALL)[1].splitlines()

TOUR = re.search(r"<!-- figures: tour -->\n```\n(.*?)```", PAGE, re.DOTALL)[1]

pytestmark = [*WARNINGS, pytest.mark.long]


def test_there_are_commands():
    assert (len(COMMANDS), len(ALL)) == (6, 9)


def test_a_kept_epoch_is_evaluated_and_a_run_is_trained_on(command, tmp_path):  # noqa: F811
    kept = next(line for line in COMMANDS if "keep_epochs" in line)
    later = [line for line in ALL if line not in COMMANDS and "--tour" not in line]
    for line in (kept, *reversed(later)):
        _, script, *arguments = shlex.split(line)
        given = [each.replace("runs/", f"{tmp_path}/") for each in arguments]
        small = [*TINY[1:], "--config.data.reviews=1000", "--config.train.epochs=3"] if script == "train.py" else []
        ended = command(script.removesuffix(".py"), *small, *given)
        assert ended.code == 0, ended.err
    assert (tmp_path / "mine" / "eval-test-epoch_3.json").exists()
    assert "init_from: took all weights and the state of adam" in ended.err


@pytest.mark.parametrize("line", COMMANDS)
def test_command(command, tmp_path, line):  # noqa: F811
    _, script, *arguments = shlex.split(line, comments=True)
    given = [f"--workdir={tmp_path}" if each.startswith("--workdir=") else each for each in arguments]
    small = [*TINY[1:], "--config.data.reviews=1000", "--config.train.epochs=8"]
    ended = command(script.removesuffix(".py"), *small, *given)
    assert ended.code == 0, ended.err
    last = ended.out.splitlines()[-1]
    if "--find_rate" in line:
        assert [text[:14] for text in ended.out.splitlines()[1:13]] == [text[:14] for text in PRINTED[1:13]]
        assert last.startswith("next: train with --config.optimizer.learning_rate=")
    else:
        assert last.endswith(f"eval.py --workdir={tmp_path}")
    if "profile_steps" in line:
        assert list((tmp_path / "profile").rglob("*.xplane.pb"))


def test_the_tour_prints_what_the_page_shows(command):  # noqa: F811
    ended = command("train", "--tour")
    assert ended.code == 0, ended.err
    assert TOUR.strip() in ended.out
    assert "Many-to-many and many-to-one" in ended.out
