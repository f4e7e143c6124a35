"""The benchmark of lanes measures all ways, and its table says what the fastest gains over the fastest solo."""

from lstm_jax.benchmarks import lanes
from lstm_jax.benchmarks.suites.lanes import SOLO, Speeds, Way
from lstm_jax.config import validate
from tests.studies.tiny_study import tiny_task

ONE, BOTH, MAP, VMAP = Way(1, SOLO, 1), Way(1, SOLO, 2), Way(2, "map", 2), Way(2, "vmap", 2)


def test_all_ways_are_measured_and_nothing_is_kept(tmp_path, monkeypatch):
    for name, value in (("COUNTS", (2,)), ("MANY", 2), ("STEP_ROUNDS", 2), ("RUN_ROUNDS", 1)):
        monkeypatch.setattr(lanes, name, value)
    found = lanes.measure(validate(tiny_task().config), tmp_path)
    other = {"map": "vmap", "vmap": "map"}[found.chosen]
    several = Way(2, found.chosen, 2)
    assert list(found.steps) == [ONE, BOTH, several, Way(2, other, 2)]
    assert list(found.runs) == list(found.commands) == [ONE, BOTH, several]
    for seconds, rounds in ((found.steps, lanes.STEP_ROUNDS), (found.runs, lanes.RUN_ROUNDS)):
        assert {len(own) for own in seconds.values()} == {rounds}
        assert min(min(own) for own in seconds.values()) > 0
    assert not list(tmp_path.iterdir())
    lanes.picture(found, tmp_path / "lanes.png")
    assert (tmp_path / "lanes.png").stat().st_size > 0


def test_the_table_compares_with_the_fastest_way_of_single_runs(monkeypatch):
    monkeypatch.setattr(lanes, "MANY", 2)
    steps = {ONE: [3.0, 3.0, 3.0], BOTH: [2.0, 2.0, 4.0], VMAP: [4.0, 4.0, 4.0], MAP: [1.0, 1.0, 1.0]}
    runs = {ONE: [3.0], BOTH: [6.0], MAP: [1.0]}
    text = lanes.table(Speeds("2 × cpu", "map", steps, runs, runs))
    conditions, of_steps, of_runs, of_commands = text.split("\n\n")
    assert conditions == "2 × cpu"
    assert [line.split()[-1] for line in of_steps.splitlines()[1:-1]] == ["0.67", "1.00", "0.50", "2.00"]
    assert of_steps.endswith("2 lanes by map are 2.00 times as fast as one run after the other (rounds: 2.00 to 4.00)")
    for part in (of_runs, of_commands):
        assert part.endswith("2 lanes by map are 3.00 times as fast as one run after the other (rounds: 3.00 to 3.00)")
