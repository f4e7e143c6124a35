"""A finished study and its copies, and an optimizer that is adam under another name."""

import shutil

import pytest

from lstm_jax import optimizers
from lstm_jax.optimizers import OPTIMIZERS
from lstm_jax.studies import timing
from lstm_jax.studies.timing import LaneChoice
from tests.studies.tiny_study import get_config


@pytest.fixture(autouse=True, scope="package")
def no_timing():
    """Replaces timing by fixed values; ``test_timing`` tests it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(timing, "_measured", lambda *_: LaneChoice("map", 2**20, {"map": 1.0, "vmap": 2.0}))
        patch.setattr(timing, "step_milliseconds", lambda configs, _: dict.fromkeys(configs, 1.0))
        yield


@pytest.fixture(scope="package")
def finished(no_timing, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    get_config().run(folder)
    return folder


@pytest.fixture
def copied(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "study")


@pytest.fixture
def planted():
    optimizers.register("planted", OPTIMIZERS["adam"].make, learning_rate=1e-3, b1=0.9, b2=0.999, eps=1e-8)
    yield
    OPTIMIZERS.unregister("planted")
