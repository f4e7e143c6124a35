"""The tiny run, finished."""

import pytest

from lstm_jax.training import run
from tests.training.tiny import tiny_config


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("finished")
    return workdir, run.train_lanes(tiny_config(), workdir)
