"""Every implementation of the layers gives our outputs, and our gradients with respect to weights and inputs."""

import importlib.util
import os
import platform
import subprocess
import sys

import jax
import numpy as np
import pytest

from lstm_jax.benchmarks.harness import TOLERANCE
from lstm_jax.benchmarks.implementations import EPOCH_IMPLEMENTATIONS, LAYER_IMPLEMENTATIONS
from lstm_jax.benchmarks.implementations.problem import Case, Results, random_problem
from tests.helpers import slow_but

pytestmark = pytest.mark.filterwarnings("ignore")  # other packages' warnings

PLAIN = Case("plain", 4, 7, 3, 5)
RAGGED = Case("ragged", 4, 7, 3, 5, layers=2, directions=2, ragged=True)


def results(name: str, case: Case, dtype: str, padding: float) -> dict[str, np.ndarray]:
    module = LAYER_IMPLEMENTATIONS[name].builds.partition(":")[0]
    if module != "ours" and importlib.util.find_spec(module) is None:  # keras must not be imported before its module is
        pytest.skip(f"{module} is not installed")
    build = LAYER_IMPLEMENTATIONS[name].load()
    problem = random_problem(case)
    alive = (np.arange(case.steps)[:, None] < problem.lengths)[:, :, None]
    problem = problem._replace(x=np.where(alive, problem.x, np.float32(padding)))
    with jax.numpy_rank_promotion("allow"):
        built = build(name, case, problem, dtype, "cpu")
        found: Results = built.results(built.forward(), built.train())
    assert set(built.compile_seconds) == {"forward", "train"}
    weights = [(n, m, own) for n, layer in enumerate(found.weights) for m, own in enumerate(layer)]
    named = {f"{kind}, layer {n}, direction {m}": getattr(own, kind) for n, m, own in weights for kind in own._fields}
    return {"y": found.y, "x": found.x, **named}


@pytest.fixture(scope="module", params=[PLAIN, pytest.param(RAGGED, marks=pytest.mark.slow)], ids=["plain", "ragged"])
def reference(request):
    return request.param, results("auto", request.param, "float32", padding=0.0)


@pytest.mark.parametrize("dtype", slow_but(TOLERANCE, "float32"))
@pytest.mark.parametrize("name", slow_but(LAYER_IMPLEMENTATIONS, "auto", "scan", "flax", "torch"))
def test_equals_ours_whatever_the_padding(name, dtype, reference):
    case, expected = reference
    found = results(name, case, dtype, padding=7.0)
    assert list(found) == list(expected)
    atol = {"float32": 1e-5, "bfloat16": TOLERANCE["bfloat16"]}[dtype]
    for what, value in expected.items():
        assert found[what].dtype == np.float32
        np.testing.assert_allclose(found[what], value, rtol=0, atol=atol * np.abs(value).max(), err_msg=what)


def test_pytorch_computes_where_jax_does_or_not_at_all():
    torch = pytest.importorskip("torch")
    from lstm_jax.benchmarks.implementations.torch import torch_device

    assert torch_device("cpu") == "cpu"
    with pytest.raises(RuntimeError, match="not measured: JAX computes on tpu"):
        torch_device("tpu")
    if not torch.cuda.is_available():
        with pytest.raises(RuntimeError, match="not measured: JAX computes on gpu"):
            torch_device("gpu")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's allocator")
def test_a_process_keeps_its_memory_where_its_name_says_so():
    kept = {name for name, entry in {**LAYER_IMPLEMENTATIONS, **EPOCH_IMPLEMENTATIONS}.items() if entry.environment}
    assert kept == {name for name in {**LAYER_IMPLEMENTATIONS, **EPOCH_IMPLEMENTATIONS} if name.endswith("_malloc")}
    faults = "resource.getrusage(resource.RUSAGE_SELF).ru_minflt"
    lines = ["import resource", f"counts = [{faults}]"]
    lines += ["b'x' * 2**26", f"counts.append({faults})"] * 2 + ["print(counts[1] - counts[0], counts[2] - counts[1])"]
    environment = os.environ | dict(LAYER_IMPLEMENTATIONS["torch_malloc"].environment)
    command = [sys.executable, "-c", "\n".join(lines)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    first, second = map(int, done.stdout.split())
    assert second < first / 10, "pages are handed over once"
