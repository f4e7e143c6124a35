"""The benchmark of LSTM layers as a command, on tiny sizes."""

import json

import pytest

import bench
from lstm_jax.benchmarks import harness as turns
from lstm_jax.benchmarks import layers, suites
from lstm_jax.benchmarks.limits import Limits
from lstm_jax.benchmarks.measurement import Device
from lstm_jax.benchmarks.implementations.problem import Case


@pytest.fixture
def tiny(monkeypatch):
    monkeypatch.setitem(layers.SUITES, "systems", (Case("tiny", 4, 6, 3, 4, ragged=True),))
    monkeypatch.setattr(layers, "measure_limits", lambda: (Device("2 × cpu", "cpu"), Limits(100.0, 100.0, 10.0, 1.0)))
    monkeypatch.setattr(turns, "TURN_SECONDS", 0.01)
    monkeypatch.setattr(turns, "MOST_ROUNDS", 5)


def test_systems(command, tiny, tmp_path):
    ended = command("bench", "--suite=systems", "--implementations=auto,scan", f"--workdir={tmp_path / 'W'}")
    assert ended.code == 0
    assert "| train, float32 | limit, ms | auto | scan |" in ended.out
    values = json.loads((tmp_path / "W" / "bench.json").read_text())
    assert values["command"].endswith("--implementations=auto,scan --dtypes=float32 --workdir=W")
    own = [(each["case"], each["pass"], each["implementation"]) for each in values["measurements"]]
    assert own == [("tiny", part, name) for part in ("forward", "train") for name in ("auto", "scan")]
    assert all(each["error"] is None and each["median_ms"] > 0 for each in values["measurements"])
    assert sorted(file.name for file in (tmp_path / "W").iterdir()) == ["bench.json", "roofline.png"]


def test_every_suite_of_layers_is_one_of_the_command():
    assert {name for name, (_, reads) in bench.SUITES.items() if reads == bench.LAYERS} == set(suites.SUITES)


@pytest.mark.parametrize(
    ("suite", "flag", "message"),
    [
        ("tune", "--dtypes=bfloat16", "--suite=tune reads no --dtypes"),
        ("epoch", "--implementations=auto", "--suite=epoch reads no --implementations"),
        ("systems", "--rounds=9", "--suite=systems reads no --rounds"),
        ("epoch", "--rounds=1", "--suite=epoch needs --data=DIR"),
        ("start", "--verbosity=0", "--suite=start needs --data=DIR"),
    ],
)
def test_flags_that_a_suite_does_not_read_or_lacks(command, tmp_path, suite, flag, message):
    ended = command("bench", f"--suite={suite}", flag, f"--workdir={tmp_path / 'W'}")
    assert ended.code == 2
    assert message in ended.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "flag", ["--suite=speed", "--implementations=torch,auto", "--implementations=auto,cudnn", "--dtypes=float64"]
)
def test_refusals(command, tmp_path, flag):
    given = [flag] if flag.startswith("--suite") else ["--suite=systems", flag]
    ended = command("bench", *given, f"--workdir={tmp_path}")
    assert ended.code == 2
    assert ended.error
    assert not list(tmp_path.iterdir())
