"""The benchmark of lanes: all layouts are measured, and the speed-up is over the fastest single runs."""

import pytest

from lstm_jax.benchmarks.measurement import Measurement, grouped
from lstm_jax.benchmarks.suites import lanes
from lstm_jax.benchmarks.suites.lanes import SOLO, STEPS_ALONE, WHOLE_RUNS, Layout
from lstm_jax.config import validate
from lstm_jax.data import corpus
from tests.studies.tiny_study import tiny_task

ONE, BOTH, MAP, VMAP = Layout(1, SOLO, 1), Layout(1, SOLO, 2), Layout(2, "map", 2), Layout(2, "vmap", 2)


def measured(case: str, layout: Layout, seconds_a_lane: list[float]) -> Measurement:
    own = Measurement("lanes", case, layout.name, "train", details=layout._asdict())
    return own.timed([[layout.lanes * each] for each in seconds_a_lane])


@pytest.mark.long
def test_all_layouts_are_measured_and_nothing_is_kept(tmp_path, monkeypatch):
    for name, value in (("COUNTS", (2,)), ("REPORTED_LANES", 2), ("STEP_ROUNDS", 2), ("RUN_ROUNDS", 1)):
        monkeypatch.setattr(lanes, name, value)
    trained = []
    monkeypatch.setattr(lanes.runs, "train_lanes", lambda config, folder, own, *_, follow: trained.append(len(own)))
    config = validate(tiny_task().config)
    found = list(lanes.measure_lanes(config, corpus.prepare(config.data), "vmap", tmp_path))
    cases = {case: [each.implementation for each in own] for case, own in grouped(found, lambda e: e.case).items()}
    assert cases == {
        STEPS_ALONE: [layout.name for layout in (ONE, BOTH, VMAP, MAP)],
        WHOLE_RUNS: [layout.name for layout in (ONE, BOTH, VMAP)],
    }
    assert {len(each.rounds) for each in found if each.case == STEPS_ALONE} == {2}
    assert all(min(each.rounds) > 0 for each in found)
    assert all(each.peak_bytes > 0 for each in found if each.case == STEPS_ALONE)
    assert sorted(trained) == [1, 1, 1, 1, 2, 2]
    assert not list(tmp_path.iterdir())
    lanes.draw_lanes(found, "vmap", tmp_path / "lanes.png")
    assert (tmp_path / "lanes.png").stat().st_size > 0


def test_the_table_compares_with_the_fastest_single_runs(monkeypatch):
    monkeypatch.setattr(lanes, "REPORTED_LANES", 2)
    steps = {ONE: [3.0, 3.0, 3.0], BOTH: [2.0, 2.0, 4.0], VMAP: [4.0, 4.0, 4.0], MAP: [1.0, 1.0, 1.0]}
    runs = {ONE: [3.0], BOTH: [6.0], MAP: [1.0]}
    found = [measured(case, *each) for case, own in ((STEPS_ALONE, steps), (WHOLE_RUNS, runs)) for each in own.items()]
    table, gain, _, of_runs = lanes.lane_tables(found, "map").split("\n\n")
    assert [row.split(" | ")[-1] for row in table.splitlines()[2:]] == ["0.67 |", "1.00 |", "0.50 |", "2.00 |"]
    assert gain.endswith("2 lanes by map are 2.00 times as fast as one run after another (rounds: 2.00 to 4.00)")
    assert of_runs.endswith("2 lanes by map are 3.00 times as fast as one run after another (rounds: 3.00 to 3.00)")
