"""What is fastest is measured, chosen and written so that it can be read."""

import json

import pytest

from lstm_jax.benchmarks import tune
from lstm_jax.benchmarks.suites.tune import Speeds
from lstm_jax.layers import auto
from lstm_jax.layers.auto import Choice, Way, measured

SCAN, BLOCKS, GATEWISE = Way("scan"), Way("custom_vjp", 8), Way("custom_vjp", 8, True)
FOUND = [
    Speeds("float32", 8, 32, 64, {SCAN: 1.0, BLOCKS: 0.99, GATEWISE: 1.5}),
    Speeds("float32", 8, 512, 512, {SCAN: 3.0, BLOCKS: 2.0}),
    Speeds("bfloat16", 8, 32, 64, {SCAN: 1.0, BLOCKS: 0.5}),
]


@pytest.fixture
def choices(tmp_path, monkeypatch):
    """The file that ``auto`` reads."""
    monkeypatch.setattr(auto, "CHOICES", tmp_path / "choices.json")
    measured.cache_clear()
    yield auto.CHOICES
    measured.cache_clear()


def test_a_way_is_taken_only_if_it_saves_something():
    assert [speeds.choice.way for speeds in FOUND] == [SCAN, BLOCKS, BLOCKS]


def test_what_is_written_is_what_auto_reads_and_other_backends_stay(choices):
    choices.write_text(json.dumps({"tpu": {"sizes": {"float32": [[1, 2, 3, "scan", 0, False]]}}, "cpu": {"sizes": {}}}))
    tune.write(FOUND, "the command", choices)
    assert len(choices.read_text().splitlines()) < 45
    assert '[1, 2, 3, "scan", 0, false]' in choices.read_text()
    assert json.loads(choices.read_text())["cpu"]["command"] == "the command"
    assert measured("cpu", "float32") == (Choice(8, 32, 64, SCAN), Choice(8, 512, 512, BLOCKS))
    assert measured("cpu", "bfloat16") == (Choice(8, 32, 64, BLOCKS),)
    assert measured("tpu", "float32") == (Choice(1, 2, 3, SCAN),)
    assert measured("tpu", "bfloat16") == measured("gpu", "float32") == ()


@pytest.mark.parametrize(
    ("size", "first"),
    [
        (("float32", 48, 128, 128), tune.PLAIN[0]),  # 6.3 million operations
        (("float32", 48, 300, 64), tune.GATEWISE),  # 7.4 million, of x alone
        (("float32", 48, 64, 150), tune.GATEWISE),  # 8.6 million, of h alone
        (("bfloat16", 48, 300, 64), tune.PLAIN[0]),
    ],
)
def test_a_product_a_gate_is_preferred_where_the_one_of_all_would_be_shared_among_threads(size, first):
    assert tune.ways(*size)[0] == first
    assert (tune.GATEWISE in tune.ways(*size)) == (size[0] == "float32")


def test_all_ways_are_measured_at_all_sizes(monkeypatch):
    monkeypatch.setattr(tune, "BATCHES", (2,))
    monkeypatch.setattr(tune, "WIDTHS", ((3, 4),))
    monkeypatch.setattr(tune, "STEPS", 5)
    monkeypatch.setattr(tune, "TURN_SECONDS", 0.001)
    monkeypatch.setattr(tune, "PLAIN", (SCAN,))
    monkeypatch.setattr(tune, "GATEWISE", GATEWISE)
    found = tune.measure()
    assert [(*speeds[:4], list(speeds.ms)) for speeds in found] == [
        ("float32", 2, 3, 4, [SCAN, GATEWISE]),
        ("bfloat16", 2, 3, 4, [SCAN]),
    ]
    assert all(ms > 0 for speeds in found for ms in speeds.ms.values())
    lines = tune.table(found).splitlines()
    assert len(lines) == 4
    assert all(line.count("**") == 2 for line in lines[2:])
