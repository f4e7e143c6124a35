"""Settings of the whole suite, made before the first array."""

import os

import datasets
import jax
import pytest
from hypothesis import settings

from lstm_jax import runtime

# The last bits of results depend on these flags, so tests and the commands that they run have the same. Compiling takes
# most of the tests' time, and LLVM's optimisations a good part of that.
os.environ["XLA_FLAGS"] = f"{runtime.xla_flags()} --xla_backend_optimization_level=0"
jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_enable_x64", False)
jax.config.update("jax_default_matmul_precision", "float32")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)

settings.register_profile("suite", deadline=None, derandomize=True, database=None, max_examples=20)
settings.load_profile("suite")


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory):
    """No test reads or fills the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        cache = tmp_path_factory.mktemp("cache")
        patch.setenv("LSTM_JAX_CACHE", str(cache))
        # The workers of one run share their compiled programs. The folder of the run is above theirs.
        base = tmp_path_factory.getbasetemp()
        compiled = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "compiled"
        compiled.mkdir(exist_ok=True)
        (cache / "jax").symlink_to(compiled)
        jax.config.update("jax_compilation_cache_dir", str(runtime.cache_dir() / "jax"))
        path = tmp_path_factory.mktemp("datasets")
        patch.setenv("HF_DATASETS_CACHE", str(path))  # for subprocesses
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", path)  # for this process, which has imported it already
        datasets.disable_progress_bars()
        yield
