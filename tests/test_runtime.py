import platform
import subprocess
import sys
from pathlib import Path

import pytest

from lstm_jax import runtime

ROOT = Path(__file__).parents[1]
COUNT = "from lstm_jax import runtime; runtime.configure(); import jax; print(jax.device_count())"


PRECISION = (
    "from lstm_jax import runtime; runtime.configure(); import jax; print(jax.config.jax_default_matmul_precision)"
)


@pytest.mark.parametrize(("asked", "expected"), [(None, "float32"), ("bfloat16", "bfloat16")])
def test_float32_is_rounded_only_where_the_user_asks_for_it(asked, expected, monkeypatch):
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    if asked:
        monkeypatch.setenv("JAX_DEFAULT_MATMUL_PRECISION", asked)
    done = subprocess.run([sys.executable, "-c", PRECISION], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == expected


@pytest.mark.parametrize("count", ["1", "3"])
def test_a_number_of_host_devices_that_is_asked_for_is_kept(count, monkeypatch):
    monkeypatch.setenv("JAX_NUM_CPU_DEVICES", count)
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    done = subprocess.run([sys.executable, "-c", COUNT], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == count


FAULTS = """
import resource
from lstm_jax import runtime

runtime.configure()
faults = []
for _ in range(3):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    b"x" * 2**26
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(*faults)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator")
def test_memory_that_was_freed_is_used_again():
    done = subprocess.run([sys.executable, "-c", FAULTS], cwd=ROOT, capture_output=True, text=True, check=True)
    first, *others = map(int, done.stdout.split())
    assert first > 1000  # page faults, each for 4 KiB
    assert max(others) < first / 10


def test_flags_of_the_user_come_last_which_is_what_xla_takes(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_prefer_vector_width=128")
    monkeypatch.setattr(runtime, "_processor_line", lambda name: "avx2 avx512f")
    widths = [flag for flag in runtime.xla_flags().split() if "vector_width" in flag]
    assert [width.partition("=")[2] for width in widths] == ["512", "128"]
    monkeypatch.setattr(runtime, "_processor_line", lambda name: "avx2")
    assert runtime.xla_flags().split().count("--xla_cpu_prefer_vector_width=512") == 0


LATE = "import jax, logging; logging.basicConfig(); jax.devices(); from lstm_jax import runtime; runtime.configure()"


def test_jax_that_was_used_before_is_left_as_it_is(monkeypatch):
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    monkeypatch.delenv("JAX_NUM_CPU_DEVICES", raising=False)
    done = subprocess.run([sys.executable, "-c", LATE], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "JAX was used before lstm_jax could configure it, so it computes on 1 × cpu" in done.stderr


@pytest.mark.parametrize(
    ("called", "expected"),
    [("train.py", "python eval.py"), ("/clone/bench.py", "python eval.py"), ("/usr/bin/lstm-train", "lstm-eval")],
)
def test_other_commands_are_named_as_this_one_was_called(monkeypatch, called, expected):
    monkeypatch.setattr(sys, "argv", [called, "--workdir=w"])
    assert runtime.command_name("eval") == expected
