"""The command bench: its suites, their flags, and the benchmark of LSTM layers on tiny sizes."""

import json

import pytest

from lstm_jax.benchmarks import harness, suites
from lstm_jax.benchmarks.implementations.problem import Case
from lstm_jax.benchmarks.limits import Limits
from lstm_jax.benchmarks.measurement import Device
from lstm_jax.benchmarks.suites import SUITES, layers


@pytest.fixture
def tiny(monkeypatch):
    for suite, ragged in (("systems", False), ("ragged", True)):
        monkeypatch.setitem(layers.LAYER_CASES, suite, (Case(f"tiny {suite}", 4, 6, 3, 4, ragged=ragged),))
    limits = Device("2 × cpu", "cpu"), Limits(100.0, 100.0, 10.0, 1.0)
    monkeypatch.setattr(layers, "limits_in_process", lambda name: limits)
    monkeypatch.setattr(harness, "TURN_SECONDS", 0.01)
    monkeypatch.setattr(harness, "MOST_ROUNDS", 5)


@pytest.mark.long
def test_two_suites_of_layers_in_one_file(command, tiny, tmp_path):
    workdir = tmp_path / "W"
    ended = command("bench", "--suite=systems,ragged", "--implementations=auto,scan", f"--workdir={workdir}")
    assert ended.code == 0, ended.err
    assert "| systems, train, float32 | limit, ms | auto | scan |" in ended.out
    values = json.loads((workdir / "bench.json").read_text())
    flags = "--suite=systems,ragged --implementations=auto,scan --dtypes=float32 --workdir=W"
    assert values["command"] == f"python bench.py {flags}"
    own = [(each["suite"], each["pass"], each["implementation"]) for each in values["measurements"]]
    passes = [(pass_, name) for pass_ in ("forward", "train") for name in ("auto", "scan")]
    assert own == [(suite, *each) for suite in ("systems", "ragged") for each in passes]
    assert all(each["error"] is None and each["fraction_of_limit"] > 0 for each in values["measurements"])
    assert sorted(file.name for file in workdir.iterdir()) == ["bench.json", "roofline.png"]


def test_help_lists_the_suites_and_then_the_flags_of_one(command):
    ended = command("bench", "--help")
    assert ended.code == 0
    assert all(f"{name}: {suite.help}" in " ".join(ended.out.split()) for name, suite in SUITES.items())
    assert "--implementations" not in ended.out
    text = " ".join(command("bench", "--help", "--suite=epoch").out.split())
    assert "--rounds" in text
    assert "Data directory with IMDB's train.parquet" in text
    assert "--reviews" not in text


@pytest.mark.parametrize(
    ("suite", "flag", "message"),
    [
        ("tune", "--dtypes=bfloat16", "Unknown command line flag 'dtypes'"),
        ("epoch", "--implementations=auto", "Unknown command line flag 'implementations'"),
        ("systems", "--rounds=9", "Unknown command line flag 'rounds'"),
        ("epoch", "--rounds=1", "Flag --data must have a value"),
        ("start", "--verbosity=0", "Flag --data must have a value"),
        ("speed", "--verbosity=0", "there is no suite 'speed'; there are systems, "),
        ("systems,lanes", "--verbosity=0", "the suites systems, lanes cannot be measured together"),
        ("systems", "--implementations=torch,auto", "the first implementation is 'torch'"),
        ("systems", "--dtypes=float64", "there is no type 'float64'"),
    ],
)
def test_refusals(command, tmp_path, suite, flag, message):
    ended = command("bench", f"--suite={suite}", flag, f"--workdir={tmp_path}")
    assert ended.code == 2
    assert message in ended.error
    assert not list(tmp_path.iterdir())


def test_a_suite_is_needed(command, tmp_path):
    assert "--suite" in command("bench", f"--workdir={tmp_path}").error


@pytest.mark.parametrize("name", suites.SUITES)
def test_every_suite_has_its_two_functions(name):
    assert all(callable(suites._function(function, [name])) for function in ("define", "run"))
