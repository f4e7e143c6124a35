"""The benchmark of starts times a real ``train.py`` up to its first step, with nothing cached and with everything."""

import json
from pathlib import Path

import pytest

from lstm_jax.benchmarks.record import Record, read_record
from lstm_jax.benchmarks.suites import start
from lstm_jax.benchmarks.suites.start import STAGES, Start
from lstm_jax.config import config_names
from lstm_jax.configs.studies import systems
from lstm_jax.errors import UserError
from tests.commands.helpers import TINY


@pytest.mark.long
def test_a_start_is_timed_by_stage_and_leaves_its_cache(tmp_path):
    cold = start.first_step(TINY, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"jax", "vocabularies", "examples", "ids"}, (
        "no workdir is left"
    )
    files = sorted(path.name for path in tmp_path.rglob("*-cache"))
    warm = start.first_step(TINY, tmp_path)
    assert files
    again = {path.name for path in tmp_path.rglob("*-cache")}  # one more if compiling took longer than before
    assert set(files) <= again, "programs are found again"
    for each in (cold, warm):
        assert list(each.stages) == list(STAGES)
        assert min(each.stages.values()) > 0
        assert sum(each.stages.values()) == pytest.approx(each.seconds, abs=0.01)
        assert 2**27 < each.peak_bytes < 2**33
    assert warm.stages["compiling"] < cold.stages["compiling"]


def test_a_start_that_fails_says_why(tmp_path):
    with pytest.raises(UserError, match=r"ended before its first step: .*config\.model"):
        start.first_step(["--config.model.nonsense=1"], tmp_path)


def test_every_config_is_started(tmp_path):
    for name in systems.FILES.values():
        (tmp_path / name).touch()
    found = start.commands(tmp_path).values()
    names = [flags[0].removeprefix("--config=").partition(":")[0] for flags in found]
    assert sorted(names) == [name for name in config_names() if "/" not in name]
    paths = [flag.partition("=")[2] for flags in found for flag in flags if flag.startswith("--config.data.path=")]
    assert all(Path(path).exists() for path in paths)


def test_a_failure_stops_no_other_config_and_stands_in_the_table(tmp_path, monkeypatch):
    seconds = iter([9.0, 2.0, 4.0, 3.0, 9.0, 2.0, 4.0, 3.0])

    def first_step(arguments, cache):
        if arguments == ["broken"]:
            raise UserError("it ended")
        own = next(seconds)
        return Start(own, dict.fromkeys(STAGES, own / 5), int(own * 2**30))

    monkeypatch.setattr(start, "first_step", first_step)
    made = start.measure_starts({"one": [], "two": ["broken"], "three": []}, tmp_path)
    record = Record("the command", "today", "2 × cpu", {}, None).collect(made, tmp_path / "start.json")
    assert read_record(tmp_path / "start.json") == record
    warm = json.loads((tmp_path / "start.json").read_text())["measurements"][1]
    assert warm["rounds"] == [2000.0, 4000.0, 3000.0]
    _, _, one, two, three = start.starts_table(record.measurements).splitlines()
    assert one == "| one | 9.0 | 3.0 [2.0, 4.0] | 0.6 | 0.6 | 0.6 | 0.6 | 0.6 | 3.00 |"
    assert two.startswith("| two | it ended | – |")
    assert three.count("|") == two.count("|") == one.count("|")
