"""The benchmark of starts times a real ``train.py`` up to its first step, with nothing cached and then with all."""

import json
from pathlib import Path

import pytest

import bench
from configs.studies import systems
from lstm_jax.benchmarks import start
from lstm_jax.benchmarks.suites.start import STAGES, Started, Starts
from lstm_jax.errors import UserError
from tests.commands.helpers import TINY

CONFIGS = Path(bench.__file__).parent / "configs"


def test_a_start_is_timed_by_stage_and_leaves_its_cache(tmp_path):
    cold = start.first_step(TINY, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"jax", "vocabularies", "datasets"}, "no workdir is left"
    files = sorted(path.name for path in tmp_path.rglob("*-cache"))
    warm = start.first_step(TINY, tmp_path)
    assert files
    assert sorted(path.name for path in tmp_path.rglob("*-cache")) == files, "programs are found again"
    for each in (cold, warm):
        assert list(each.stages) == list(STAGES)
        assert min(each.stages.values()) > 0
        assert sum(each.stages.values()) == pytest.approx(each.seconds, abs=0.01)
        assert 2**27 < each.peak_bytes < 2**33
    assert warm.stages["compiling"] < cold.stages["compiling"]


def test_a_start_that_fails_says_why(tmp_path):
    with pytest.raises(UserError, match=r"ended before its first step: error: .*config\.model\.cell"):
        start.first_step(["--config.model.cell=nonsense"], tmp_path)


def test_every_config_is_started(tmp_path):
    for name in systems.FILES.values():
        (tmp_path / name).touch()
    files = [flags[0].removeprefix("--config=configs/").partition(":")[0] for flags in bench.starts(tmp_path).values()]
    assert sorted(files) == sorted({path.name for path in CONFIGS.glob("*.py")} - {"__init__.py", "recipe.py"})
    for flags in bench.starts(tmp_path).values():
        paths = [flag.partition("=")[2] for flag in flags if flag.startswith("--config.data.path=")]
        assert all(Path(path).exists() for path in paths)


def test_a_config_that_fails_keeps_no_other_from_being_measured(tmp_path, monkeypatch):
    started = Started(2.0, dict.fromkeys(STAGES, 0.4), 2**30)

    def first_step(arguments, cache):
        if arguments == ["broken"]:
            raise UserError("it ended")
        return started

    monkeypatch.setattr(start, "first_step", first_step)
    table = start.run({"one": [], "two": ["broken"], "three": []}, tmp_path, "the command")
    facts = json.loads((tmp_path / "start.json").read_text())
    assert facts["configs"]["two"] == {"error": "it ended"}
    assert facts["configs"]["three"]["warm_seconds"] == [2.0, 2.0, 2.0]
    assert len(table.splitlines()) == 5


def test_the_table_tells_what_is_too_slow():
    stages = dict.fromkeys(STAGES, 1.0)
    quick, slow = Started(5.0, stages, 2**30), Started(5.3, stages, 2**31)
    found = {"one": Starts(slow, quick, [4.8, 5.0, 5.1]), "other": Starts(slow, slow, [5.2, 5.3, 9.0])}
    first, _, one, other, last = start.table({**found, "broken": "it ended"}).splitlines()
    assert first.count("|") == one.count("|") == other.count("|") == last.count("|")
    assert last.startswith("| broken | it ended | – |")
    assert one == "| one | 5.3 | 5.0 [4.8, 5.1] | 1.0 | 1.0 | 1.0 | 1.0 | 1.0 | 1.00 |"
    assert other.startswith("| other | 5.3 | 5.3 [5.2, 9.0], more than 5 |")
