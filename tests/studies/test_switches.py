"""A row for each field in which two configs differ, with differences paired by seed; finished runs are not repeated."""

import pytest

from lstm_jax.configs.studies import as_published
from lstm_jax.errors import ConfigError
from lstm_jax.studies import switches, trials
from lstm_jax.studies.store import Finished
from lstm_jax.studies.switches import SwitchedSystem, Switches
from lstm_jax.training import run
from tests.studies.test_systems import tiny


def study() -> Switches:
    published = tiny()
    published.train.order, published.data.tokens.pad_left = "random", True
    published.data.tokens.max_length = 400  # As by default, so that this is no switch.
    return Switches((SwitchedSystem("Z", "tiny", tiny(), published),), seeds=2)


@pytest.mark.long
def test_each_switch_alone_and_all_together(tmp_path, monkeypatch):
    table = study().run(tmp_path)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()[2:]]
    assert [row[:3] for row in rows] == [
        ["Z `tiny`", "data.tokens.pad_left=True", "2"],
        ["Z `tiny`", "train.order=random", "2"],
        ["Z `tiny`", "all of them", "2"],
    ]
    assert len({row[3] for row in rows}) == 1, "one run of each seed without any switch"
    assert (tmp_path / "table.md").read_text() == table
    monkeypatch.setattr(run, "train_lanes", lambda *_: pytest.fail("trained again"))
    assert study().run(tmp_path) == table


def test_differences_are_paired():
    def finished(accuracy):
        return Finished("key", "done", accuracy, 1, 0.1, None, "folder", 0)

    without, own = [finished(a) for a in (0.5, 0.7, 0.6)], [finished(a) for a in (0.52, 0.71, 0.63)]
    assert switches._figures(without, own) == ["3", "60.00 ± 10.00 %", "62.00 ± 9.54 %", "+2.00 ± 1.00"]
    assert switches._figures(own, without)[3] == "−2.00 ± 1.00"
    assert switches._figures(without, [*own[:2], finished(None)])[::3] == ["2 (1 diverged)", "+1.50 ± 0.71"]
    assert switches._figures(without[:1], [finished(None)]) == ["0 (1 diverged)", "–", "–", "–"]


def test_equal_configs_have_no_switch():
    with pytest.raises(ConfigError, match="the two configs of 'tiny' are the same"):
        Switches((SwitchedSystem("Z", "tiny", tiny(), tiny()),)).run("unused")


def test_every_published_switch_is_valid_alone(tmp_path):
    study = as_published.get_config(str(tmp_path))
    assert [system.letter for system in study.systems] == list("ABCDE")
    for system in study.systems:
        for changes in system.switches().values():
            trials.config_of(system.base, changes, 0)
    assert [system.letter for system in as_published.get_config(f"{tmp_path},E,B").systems] == ["E", "B"]
    for asked, message in (("", "'' is not a folder"), (f"{tmp_path},F", "no system 'F'; there are A, B, C, D, E")):
        with pytest.raises(ConfigError, match=message):
            as_published.get_config(asked)
