"""Tuning of implementations: all are measured, and the fastest is written where ``auto`` reads it."""

import json

import pytest

from lstm_jax.benchmarks.measurement import Measurement
from lstm_jax.benchmarks.suites import tune
from lstm_jax.layers import auto
from lstm_jax.layers.auto import Choice, Implementation, measured_choices

SCAN, BLOCKS, GATEWISE = Implementation("scan"), Implementation("custom_vjp", 8), Implementation("custom_vjp", 8, True)


def size(dtype: str, inputs: int, hidden: int, ms: dict[Implementation, float]) -> list[Measurement]:
    found = []
    for each, own in ms.items():
        choice = Choice(8, inputs, hidden, each)
        one = Measurement("tune", f"{inputs}, {hidden}", tune.describe(each), "both", dtype, details=choice._asdict())
        found.append(one.timed([[own / 1e3]]))
    return found


FOUND = [
    *size("float32", 32, 64, {SCAN: 1.0, BLOCKS: 0.99, GATEWISE: 1.5}),
    *size("float32", 512, 512, {SCAN: 3.0, BLOCKS: 2.0}),
    *size("bfloat16", 32, 64, {SCAN: 1.0, BLOCKS: 0.5}),
]


@pytest.fixture
def choices(tmp_path, monkeypatch):
    """The file that ``auto`` reads."""
    monkeypatch.setattr(auto, "CHOICES", tmp_path / "choices.json")
    measured_choices.cache_clear()
    yield auto.CHOICES
    measured_choices.cache_clear()


def test_an_implementation_is_chosen_only_if_it_saves_something():
    chosen = [tune.fastest(own).implementation for own in (FOUND[:3], FOUND[3:5], FOUND[5:])]
    assert chosen == ["scan", "custom_vjp 8", "custom_vjp 8"]


def test_auto_reads_what_is_written_and_other_backends_stay(choices):
    choices.write_text(json.dumps({"tpu": {"sizes": {"float32": [[1, 2, 3, "scan", 0, False]]}}, "cpu": {"sizes": {}}}))
    tune.write_choices(FOUND, {"command": "the command"}, choices)
    assert len(choices.read_text().splitlines()) < 45
    assert '[1, 2, 3, "scan", 0, false]' in choices.read_text()
    assert json.loads(choices.read_text())["cpu"]["command"] == "the command"
    assert measured_choices("cpu", "float32") == (Choice(8, 32, 64, SCAN), Choice(8, 512, 512, BLOCKS))
    assert measured_choices("cpu", "bfloat16") == (Choice(8, 32, 64, BLOCKS),)
    assert measured_choices("tpu", "float32") == (Choice(1, 2, 3, SCAN),)
    assert measured_choices("tpu", "bfloat16") == measured_choices("gpu", "float32") == ()


@pytest.mark.parametrize(
    ("size", "first"),
    [
        (("float32", 48, 128, 128), tune.BLOCKED[0]),  # 6.3 million operations
        (("float32", 48, 300, 64), tune.GATEWISE),  # 7.4 million for x alone
        (("float32", 48, 64, 150), tune.GATEWISE),  # 8.6 million for h alone
        (("bfloat16", 48, 300, 64), tune.BLOCKED[0]),
    ],
)
def test_a_product_a_gate_is_preferred_where_one_product_would_be_shared_among_threads(size, first):
    assert tune.candidates(*size)[0] == first
    assert (tune.GATEWISE in tune.candidates(*size)) == (size[0] == "float32")


@pytest.mark.slow
def test_all_implementations_are_measured_at_all_sizes(monkeypatch):
    for name, value in (
        ("BATCHES", (2,)),
        ("WIDTHS", ((3, 4),)),
        ("TUNING_STEPS", 5),
        ("TUNING_SECONDS", 0.001),
        ("TUNING_ROUNDS", 2),
    ):
        monkeypatch.setattr(tune, name, value)
    monkeypatch.setattr(tune, "BLOCKED", (SCAN,))
    monkeypatch.setattr(tune, "GATEWISE", GATEWISE)
    found = list(tune.measure_choices())
    assert [(each.dtype, *each.details.values()) for each in found] == [
        ("float32", 2, 3, 4, SCAN),
        ("float32", 2, 3, 4, GATEWISE),
        ("bfloat16", 2, 3, 4, SCAN),
    ]
    assert all(each.median_ms > 0 for each in found)
    lines = tune.choices_table(found).splitlines()
    assert len(lines) == 4
    assert all(line.count("**") == 2 for line in lines[2:])
