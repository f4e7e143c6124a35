"""The benchmark of growth measures every axis in processes of its own, and its exponents are those of the times."""

import json
from pathlib import Path

import pytest

from configs import floydhub_amazon
from lstm_jax.benchmarks import harness as turns
from lstm_jax.benchmarks import scaling, start, text
from lstm_jax.benchmarks.implementations.problem import Case
from lstm_jax.benchmarks.suites.scaling import FIRST, FORWARD, PREPARE, STEP, TRAIN, Point
from tests.studies.tiny_study import tiny_task

FOUND = [
    *[Point("T", n, TRAIN, 1e-3 * n, 2**30) for n in (8, 16, 64)],
    *[Point("T", n, FORWARD, 1e-5 * n**2, None) for n in (8, 16, 64)],
    Point("lanes", 1, STEP, None, None, "out of memory"),
    Point("lanes", 2, STEP, 0.25, 2**29),
]


@pytest.mark.parametrize("power", [0.5, 1, 2])
def test_exponent(power):
    points = [Point("T", n, TRAIN, 3.0 * n**power, 0) for n in (2, 4, 16)]
    assert scaling.exponent(points) == pytest.approx(power)
    failed = Point("T", 64, TRAIN, None, None, "out of memory")
    assert scaling.exponent([*points, failed]) == pytest.approx(power)
    assert scaling.exponent([points[0], failed]) is None
    assert scaling.exponent([failed]) is None


def test_tables_and_picture(tmp_path):
    of_t, of_lanes = scaling.tables(FOUND).split("\n\n")
    assert of_t.splitlines() == [
        "| T | training, ms | process, GiB | forward pass, ms |",
        "|---|---|---|---|",
        "| 8 | 8 | 1.00 | 0.64 |",
        "| 16 | 16 | 1.00 | 2.56 |",
        "| 64 | 64 | 1.00 | 41 |",
        "| exponent | 1.00 |  | 2.00 |",
    ]
    assert of_lanes.splitlines()[2:] == ["| 1 | out of memory | – |", "| 2 | 250 | 0.50 |", "| exponent | – |  |"]
    scaling.picture(FOUND, tmp_path / "scaling.png")
    assert (tmp_path / "scaling.png").stat().st_size > 0


def test_all_reviews_of_a_file_are_read(tmp_path):
    config, flags = scaling.on_reviews("configs/floydhub_amazon.py:small", tmp_path / "reviews.ft.txt.bz2")
    assert floydhub_amazon.get_config("small").data.train_entries > 0
    assert config.data.train_entries == config.data.eval_entries == 0
    assert {"--config.data.train_entries=0", "--config.data.eval_entries=0", "--config.model.layers=1"} < set(flags)


def test_lanes_that_fail_keep_no_others_from_being_measured(monkeypatch):
    class Fake:
        def __init__(self, name):
            self.count, self.steps = 0, 0

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def ask(self, do, **given):
            self.count = given.get("count", self.count)
            self.steps += do == "step"
            if (self.count, self.steps) in ((4, 0), (2, 3)):
                return {"error": "out of memory"}
            return {"seconds": 0.1 * self.count, "peak_bytes": 2**30}

    monkeypatch.setattr(scaling, "Worker", Fake)
    monkeypatch.setattr(scaling, "LANES", (1, 2, 4))
    points = list(scaling._lanes(tiny_task().config))
    assert [(each.value, each.seconds, each.error) for each in points] == [
        (1, 0.1, None),
        (2, None, "out of memory"),
        (4, None, "out of memory"),
    ]


def test_all_axes_are_measured(tmp_path, monkeypatch):
    for module, name, value in (
        (scaling, "SCALING", tuple(Case(f"T {n}", 2, n, 3, 4) for n in (4, 8))),
        (turns, "MOST_ROUNDS", 2),
        (turns, "LEAST_ROUNDS", 1),
        (turns, "TURN_SECONDS", 1e-3),
        (scaling, "LANES", (1, 2)),
        (scaling, "ROUNDS", 2),
        (scaling, "PARTS", (1,)),
        (text, "WORDS", 2000),
    ):
        monkeypatch.setattr(module, name, value)
    caches: list[tuple[int, int]] = []
    real_start = start.first_step

    def counted(flags: list[str], cache: Path) -> start.Started:
        prepared = lambda: len([*cache.glob("vocabularies/*"), *cache.rglob("*.arrow")])
        before = prepared()
        started = real_start(flags, cache)
        caches.append((before, prepared()))
        return started

    monkeypatch.setattr(start, "first_step", counted)
    table = scaling.run(tiny_task().config, "configs/floydhub_amazon.py:small", 800, tmp_path, "the command")

    facts = json.loads((tmp_path / "scaling.json").read_text())
    assert facts["command"] == "the command"
    assert {"date", "device", "versions", "git_commit"} < set(facts)
    found = [Point(**each) for each in facts["measurements"]]
    expected = {("T", n, what) for n in (4, 8) for what in (TRAIN, FORWARD)} | {("lanes", n, STEP) for n in (1, 2)}
    expected |= {("reviews", n, what) for n in (800,) for what in (PREPARE, FIRST)}
    assert {each[:3] for each in found} == expected
    assert not any(each.error for each in found)
    assert all(each.seconds > 0 for each in found)
    assert all(each.peak_bytes > 2**26 for each in found if each.what != FORWARD)
    assert facts["exponents"]["T"][TRAIN] == scaling.exponent([p for p in found if p.what == TRAIN])
    assert table == scaling.tables(found)
    assert (tmp_path / "scaling.png").exists()
    assert len(caches) == 1
    assert all(before == after > 0 for before, after in caches), "the start finds all reviews prepared"
