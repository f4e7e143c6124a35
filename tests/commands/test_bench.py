"""The benchmark of LSTM layers as a command, on tiny sizes."""

import json

import pytest

from lstm_jax.benchmarks import layers, turns
from lstm_jax.benchmarks.limits import Limits
from lstm_jax.benchmarks.measurement import Device
from lstm_jax.benchmarks.peers.problem import Case


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


@pytest.mark.parametrize(
    "flag", ["--suite=speed", "--implementations=torch,auto", "--implementations=auto,cudnn", "--dtypes=float64"]
)
def test_refusals(command, tmp_path, flag):
    given = [flag] if flag.startswith("--suite") else ["--suite=systems", flag]
    ended = command("bench", *given, f"--workdir={tmp_path}")
    assert ended.code == 2
    assert ended.error
    assert not list(tmp_path.iterdir())
