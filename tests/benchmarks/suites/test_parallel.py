"""The benchmark of parallel layers: wrong results are not timed, and tables hold the ratios over the LSTM."""

import pytest

from lstm_jax.benchmarks.measurement import Measurement
from lstm_jax.benchmarks.record import Record, read_record
from lstm_jax.benchmarks.suites import parallel, tune
from lstm_jax.errors import ConfigError


def measured(case: str, name: str, ms: float) -> Measurement:
    return Measurement("parallel", case, name, "forward").timed([[ms / 1e3]] * 3)


def test_a_cell_holds_the_ratio_over_the_lstm():
    failed = Measurement("parallel", "T 16", "qrnn", "forward", error="differs from qrnn loop")
    found = [measured("T 8", "lstm", 2), measured("T 8", "qrnn", 1), measured("T 16", "lstm", 4), failed]
    table = parallel.parallel_tables(Record("the command", "today", "2 × cpu", {}, None, measurements=found))
    assert table.splitlines()[-4:] == [
        "| forward, ms | T 8 | T 16 |",
        "|---|---|---|",
        "| lstm | 2 | 4 |",
        "| qrnn | 1, × 0.50 | differs from qrnn loop |",
    ]


@pytest.mark.parametrize(
    ("layers", "steps", "message"),
    [
        (["qrn"], ["8"], "--layers names 'qrn', and there is no such layer; did you mean 'qrnn'"),
        (["qrnn"], ["8", "x"], "--steps is 8,x; it must hold integers of at least 1"),
        (["qrnn"], ["0"], "--steps is 0; it must"),
        (["qrnn"], [], "--steps is ; it must"),
    ],
)
def test_wrong_flags(tmp_path, layers, steps, message):
    with pytest.raises(ConfigError, match=message):
        parallel.run_parallel(tmp_path, "the command", layers, steps, examples=2, units=2)


@pytest.mark.slow
def test_all_implementations_are_measured_and_wrong_ones_are_not_timed(tmp_path, monkeypatch):
    monkeypatch.setattr(parallel, "PARALLEL_ROUNDS", 2)
    monkeypatch.setattr(tune, "TUNING_SECONDS", 1e-3)
    build = parallel._build

    def wrong(layer, implementation, case, problem):
        built = build(layer, implementation, case, problem)
        broken = implementation == "associative_scan"
        return built._replace(forward=lambda: 2 * built.forward()) if broken else built

    monkeypatch.setattr(parallel, "_build", wrong)
    text = parallel.run_parallel(tmp_path, "the command", ["min_gru"], ["3"], examples=2, units=2)
    found = read_record(tmp_path / "bench.json").measurements
    names = ["lstm", "min_gru", "min_gru loop", "min_gru associative_scan"]
    assert [(each.pass_, each.implementation) for each in found] == [
        (p, n) for p in ("forward", "train") for n in names
    ]
    assert [each.median_ms is None for each in found] == [False, False, False, True] * 2
    assert found[3].error.startswith("differs from min_gru loop by ")
    assert "| min_gru loop |" in text
