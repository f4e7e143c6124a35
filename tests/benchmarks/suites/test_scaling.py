"""The benchmark of scaling measures every axis and fits the exponents of the times."""

import json
from pathlib import Path

import pytest

from lstm_jax.benchmarks import harness
from lstm_jax.benchmarks.implementations.problem import Case
from lstm_jax.benchmarks.measurement import Device, Measurement
from lstm_jax.benchmarks.record import Record, read_record
from lstm_jax.benchmarks.suites import lanes, scaling, text
from lstm_jax.benchmarks.suites.scaling import FIRST, FORWARD, PREPARE, STEP, TRAIN
from lstm_jax.benchmarks.suites.start import Start
from lstm_jax.configs import floydhub_amazon
from tests.studies.tiny_study import tiny_task


def point(case: str, pass_: str, seconds: float | None, peak_bytes: int | None = None, error: str | None = None):
    own = Measurement("scaling", case, "auto", pass_, error=error, peak_bytes=peak_bytes)
    return own if seconds is None else own.timed([[seconds]])


FOUND = [
    *[point(f"T {n}", TRAIN, 1e-3 * n, 2**30) for n in (8, 16, 64)],
    *[point(f"T {n}", FORWARD, 1e-5 * n**2) for n in (8, 16, 64)],
    point("reviews 1000", PREPARE, None, None, "out of memory"),
    point("reviews 2000", PREPARE, 0.25, 2**29),
]


@pytest.mark.parametrize("power", [0.5, 1, 2])
def test_exponent(power):
    points = [point(f"T {n}", TRAIN, 3.0 * n**power) for n in (2, 4, 16)]
    assert scaling.exponent(points) == pytest.approx(power)
    failed = point("T 64", TRAIN, None, None, "out of memory")
    assert scaling.exponent([*points, failed]) == pytest.approx(power)
    assert scaling.exponent([points[0], failed]) is None
    assert scaling.exponent([failed]) is None


def test_tables_and_picture(tmp_path):
    of_t, of_reviews = scaling.scaling_tables(FOUND).split("\n\n")
    assert of_t.splitlines() == [
        "| T | train, ms | peak memory, GiB | forward, ms | peak memory, GiB |",
        "|---|---|---|---|---|",
        "| 8 | 8 | 1.00 | 0.64 | – |",
        "| 16 | 16 | 1.00 | 2.56 | – |",
        "| 64 | 64 | 1.00 | 41 | – |",
        "| exponent | 1.00 |  | 2.00 |  |",
    ]
    rows = of_reviews.splitlines()[2:]
    assert rows == ["| 1,000 | out of memory | – |", "| 2,000 | 0.25 | 0.50 |", "| exponent | – |  |"]
    scaling.draw_scaling(FOUND, tmp_path / "scaling.png")
    assert (tmp_path / "scaling.png").stat().st_size > 0


def test_all_reviews_of_a_file_are_read(tmp_path):
    config, flags = scaling.reading_all("floydhub_amazon:small", tmp_path / "reviews.ft.txt.bz2")
    assert floydhub_amazon.get_config("small").data.train_entries > 0
    assert config.data.train_entries == config.data.eval_entries == 0
    assert {"--config.data.train_entries=0", "--config.data.eval_entries=0", "--config.model.layers=1"} < set(flags)


@pytest.mark.long
def test_all_axes_are_measured(tmp_path, monkeypatch):
    for module, name, value in (
        (scaling, "SIZES", tuple(Case(f"T {n}", 2, n, 3, 4) for n in (4, 8))),
        (harness, "MOST_ROUNDS", 2),
        (harness, "LEAST_ROUNDS", 1),
        (harness, "TURN_SECONDS", 1e-3),
        (scaling, "LANE_COUNTS", (1, 2)),
        (lanes, "STEP_ROUNDS", 2),
        (scaling, "DIVISORS", (1,)),
        (text, "WORDS", 2000),
        (scaling.quick, "get_config", lambda: type("Study", (), {"tasks": {"tiny": tiny_task()}})),
    ):
        monkeypatch.setattr(module, name, value)
    caches = []

    def first_step(flags: list[str], cache: Path) -> Start:
        caches.append(len([*cache.glob("vocabularies/*"), *cache.rglob("*.arrow")]))
        return Start(1.0, {}, 2**30)

    monkeypatch.setattr(scaling.start, "first_step", first_step)
    made = scaling.measure_scaling(Device("2 × cpu", "cpu"), 800, tmp_path)
    found = Record("the command", "today", "2 × cpu", {}, None).collect(made, tmp_path / "scaling.json")
    assert read_record(tmp_path / "scaling.json") == found
    assert json.loads((tmp_path / "scaling.json").read_text())["command"] == "the command"
    expected = {(f"T {n}", pass_) for n in (4, 8) for pass_ in (TRAIN, FORWARD)}
    expected |= {("lanes 1", STEP), ("lanes 2", STEP), ("reviews 800", PREPARE), ("reviews 800", FIRST)}
    assert {(each.case, each.pass_) for each in found.measurements} == expected
    assert {each.suite for each in found.measurements} == {"scaling"}
    assert not any(each.error for each in found.measurements)
    assert len(caches) == 1
    assert caches[0] > 0, "the start finds all reviews prepared"
