"""The harness times only implementations with our results, continues after a failure, and reports no noisy ratio."""

import subprocess
from pathlib import Path

import pytest

from lstm_jax import timer
from lstm_jax.benchmarks import harness, worker
from lstm_jax.benchmarks.harness import layer_worker
from lstm_jax.benchmarks.measurement import Device, ratio
from lstm_jax.benchmarks.suites.epoch import epoch_worker
from lstm_jax.benchmarks.worker import Worker
from tests.benchmarks.helpers import CASES, FakeWorker, failed, measured


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(timer, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(harness, "TURN_SECONDS", 0.25)


def measure(*workers: FakeWorker, dtype: str = "float32"):
    by_name = {worker.name: worker for worker in workers}
    found = harness.measure_layers(
        "systems", CASES[0], list(by_name), dtype, Device("2 × cpu", "cpu"), by_name.__getitem__
    )
    return {(each.implementation, each.pass_): each for each in found}


def test_figures():
    found = measure(FakeWorker("auto"), FakeWorker("scan", seconds=0.2))
    own = found["scan", "train"]
    assert len(own.rounds) == harness.MOST_ROUNDS
    assert own.median_ms == own.p10_ms == own.p90_ms == pytest.approx(200.0)
    assert own.gflops == pytest.approx(3 * 8 * 8 * 20 * 32 * (16 + 32) / 0.2 / 1e9)
    assert (own.compile_seconds, own.peak_bytes, own.difference, own.error) == (0.7, 2, 0.0, None)
    assert found["auto", "forward"].compile_seconds == 0.5
    assert ratio(own, found["auto", "train"]).median == pytest.approx(2.0)


def test_slow_ones_take_fewer_rounds():
    found = measure(FakeWorker("auto", seconds=20.0), FakeWorker("scan", seconds=4.0))
    assert {len(each.rounds) for each in found.values()} == {harness.LEAST_ROUNDS}


@pytest.mark.parametrize(
    ("values", "dtype", "wrong"),
    [
        ((1.0, 2.0 + 1e-3), "float32", False),
        ((1.0, 2.1), "float32", True),
        ((1.0, 2.1), "bfloat16", False),
        ((1.0, 3.0), "bfloat16", True),
        ((1.0, float("nan")), "float32", True),
        ((1.0, 2.0, 3.0), "float32", True),
    ],
)
def test_wrong_results_are_not_timed(values, dtype, wrong):
    other = FakeWorker("torch", values)
    found = measure(FakeWorker("auto"), other, dtype=dtype)
    assert ("time" in other.asked) != wrong
    error = found["torch", "train"].error
    assert (error is not None and error.startswith("differs from auto by ")) == wrong
    assert (found["torch", "train"].median_ms is None) == wrong
    assert found["auto", "train"].median_ms


@pytest.mark.parametrize("what", ["load", "build", "save", "forward", "train"])
def test_a_failure_is_told_and_others_go_on(what):
    found = measure(FakeWorker("auto"), FakeWorker("torch", failing=what), FakeWorker("flax"))
    assert found["torch", "train"].error == f"failed to {what}"
    assert found["torch", "train"].median_ms is None
    assert (found["torch", "forward"].median_ms is not None) == (what == "train")
    assert all(found[name, part].median_ms for name in ("auto", "flax") for part in ("forward", "train"))


def test_without_ours_nothing_is_timed():
    other = FakeWorker("torch")
    found = measure(FakeWorker("auto", failing="build"), other)
    assert found["auto", "train"].error == "failed to build"
    assert found["torch", "train"].error == "not measured: auto, the reference, failed"
    assert "time" not in other.asked


def test_a_ratio_is_of_the_same_rounds():
    fast, slow = measured("auto", (1.0, 2.0, 4.0)), measured("torch", (2.0, 4.0, 8.0))
    assert ratio(slow, fast) == (2.0, 2.0, 2.0)
    assert not ratio(slow, fast).noisy


def test_noise_is_told():
    noisy = ratio(measured("torch", (1.0, 2.0, 4.0)), measured("auto", (1.0, 1.0, 1.0)))
    assert noisy.noisy
    assert ratio(measured("torch", (1.0,)), failed("auto", "no")) is None


@pytest.fixture
def broken_packages(tmp_path, monkeypatch):
    """Fake packages that hide the installed ones: keras is missing, torch prints and ends the process."""
    (tmp_path / "keras.py").write_text("raise ModuleNotFoundError(\"No module named 'keras'\", name='keras')\n")
    ends = ["import os, sys", "", "os.write(1, b'from C')", "print('hello')", "os.write(2, b'one\\nout of memory\\n')"]
    (tmp_path / "torch.py").write_text("\n".join([*ends, "os._exit(3)", ""]))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def test_a_process_of_a_missing_package(broken_packages):
    with layer_worker("keras") as process:
        assert process.ask("load") == {"error": "keras is not installed"}
        assert process.ask("nonsense")["error"].startswith("AttributeError: ")


def test_a_process_that_ends(broken_packages):
    with layer_worker("torch") as process:
        assert process.ask("load") == {"error": "its process ended with code 3: out of memory"}
        assert process.ask("load") == {"error": "its process ended with code 3: out of memory"}


@pytest.mark.parametrize(
    ("start", "kept", "plain"),
    [(layer_worker, "torch_malloc", "torch"), (epoch_worker, "torch_bucketed_malloc", "torch_bucketed")],
    ids=["layers", "epoch"],
)
def test_a_process_has_the_environment_of_its_implementation(start, kept, plain, monkeypatch):
    given = {}
    real = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *args, **options: given.update(options) or real(*args, **options))
    with start(kept):
        assert given["env"]["MALLOC_MMAP_MAX_"] == "0"
    with start(plain):
        assert "MALLOC_MMAP_MAX_" not in given["env"]


def test_a_process_that_takes_too_long(tmp_path, monkeypatch):
    (tmp_path / "slow.py").write_text(
        "import os, time\n\nclass Service:\n    def __init__(self, name):\n        os.write(1, b'no answer')\n"
        "    def load(self):\n        time.sleep(60)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(worker, "TIMEOUT_SECONDS", 1.0)
    with Worker("slow:Service", "any") as process:
        assert process.ask("load")["error"].startswith("its process ended with code -9")


@pytest.mark.slow
def test_a_process_measures(tmp_path):
    with layer_worker("scan") as process:
        assert process.ask("load") == {}
        built = process.ask("build", case=list(CASES[0]), dtype="float32", platform="cpu")
        assert min(built["compile_seconds"].values()) > 0
        peaks = process.ask("save", file=str(tmp_path / "y.npz"))["peak_bytes"]
        assert list(peaks) == ["forward", "train"]
        assert not Path("/proc/self/status").exists() or min(peaks.values()) > 0
        seconds = process.ask("time", pass_="train", calls=3)["seconds"]
        assert len(seconds) == 3
        assert min(seconds) > 0
