"""A finished study and its copies, and an optimizer that is adam by another name."""

import shutil

import pytest

from lstm_jax import optimizers
from lstm_jax.optimizers import OPTIMIZERS
from tests.studies.tiny_study import get_config


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    get_config().run(folder)
    return folder


@pytest.fixture
def copied(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "study")


@pytest.fixture
def planted():
    own = dict(OPTIMIZERS)
    optimizers.register("planted", OPTIMIZERS["adam"].make, rate=1e-3, b1=0.9, b2=0.999, eps=1e-8)
    yield
    OPTIMIZERS.clear()
    OPTIMIZERS.update(own)
