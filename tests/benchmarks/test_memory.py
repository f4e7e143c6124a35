"""Memory of processes: current, peak, and that of another process."""

import mmap
import subprocess
import sys
from pathlib import Path

import pytest

from lstm_jax.benchmarks import memory

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells it")
SIZE = 2**27


def test_the_peak_is_that_since_it_was_forgotten():
    memory.reset_peak()
    before = memory.peak()
    with mmap.mmap(-1, SIZE) as pages:
        for start in range(0, SIZE, mmap.PAGESIZE):
            pages[start] = 1  # only a written page counts
    assert memory.peak() >= before + SIZE // 2
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pytest.skip("Linux forbids to forget it")
    assert memory.peak() < before + SIZE // 2


def test_another_process_has_its_own():
    command = [sys.executable, "-c", "print(flush=True); input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        other.stdout.readline()  # the process has started
        assert 2**20 < memory.status_bytes("VmRSS", other.pid) < 2**26
        assert memory.status_bytes("VmRSS", other.pid) != memory.status_bytes("VmRSS")
        other.communicate(b"\n")
    assert memory.status_bytes("VmRSS", other.pid) is None
