import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COUNT = "from lstm_jax import devices; devices.configure(); import jax; print(jax.device_count())"


@pytest.mark.parametrize("count", ["1", "3"])
def test_a_number_of_host_devices_that_is_asked_for_is_kept(count, monkeypatch):
    monkeypatch.setenv("JAX_NUM_CPU_DEVICES", count)
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    done = subprocess.run([sys.executable, "-c", COUNT], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == count
