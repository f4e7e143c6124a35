import json

import numpy as np
import pytest

from lstm_jax.errors import UserError
from lstm_jax.reports.learning_rates import draw_losses
from lstm_jax.training import run
from lstm_jax.training.learning_rates import LEARNING_RATES, Losses, find_learning_rate
from tests.training.tiny import timeless, tiny_config


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A search on reviews that are easy to tell apart by counting words."""
    workdir = tmp_path_factory.mktemp("searched")
    config = tiny_config(data__reviews=1000, optimizer__learning_rate=7.0, train__epochs=10)
    return workdir, config, find_learning_rate(config, workdir)


@pytest.mark.slow
def test_the_best_learning_rate_has_the_lowest_loss(searched):
    workdir, _, found = searched
    np.testing.assert_allclose(found.learning_rates, LEARNING_RATES)
    assert found.losses[found.learning_rates.tolist().index(found.best)] == np.nanmin(found.losses)
    assert np.nanmin(found.losses) < 0.9 * found.first_loss
    assert found.steps % 50 == 0
    written = json.loads((workdir / "learning-rates.json").read_text())
    assert written["steps"] == found.steps
    np.testing.assert_allclose(np.array(written["losses"], float), found.losses)
    assert (workdir / "plots" / "learning-rates.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


@pytest.mark.slow
def test_each_loss_is_that_of_a_run_with_a_constant_learning_rate(searched, tmp_path):
    _, _, found = searched
    own = tiny_config(
        data__reviews=1000,
        optimizer__learning_rate=found.best,
        train__steps=found.steps,
        train__log_every=50,
        train__validate_every=found.steps,
    )
    run.train_lanes(own, tmp_path)
    (last,) = [row for row in timeless(tmp_path) if row["split"] == "train" and row["step"] == found.steps]
    np.testing.assert_allclose(found.losses[found.learning_rates.tolist().index(found.best)], last["loss"], rtol=1e-4)


@pytest.mark.slow
def test_a_loss_that_does_not_fall_is_an_error(tmp_path):
    with pytest.raises(
        UserError, match=r"no learning rate lowers the training loss from 0\.\d+ by a tenth within 18 steps"
    ):
        find_learning_rate(tiny_config(data__noise=1.0), tmp_path)
    assert (tmp_path / "plots" / "learning-rates.png").exists()
    assert not (tmp_path / "config.json").exists()  # The folder is still free for a run.


@pytest.mark.parametrize("losses", [[0.7, 0.5, np.nan], [np.nan] * 3, [0.7, 0.7, 5e9]])
def test_the_picture_of_diverged_and_of_huge_losses(tmp_path, losses):
    draw_losses(np.array([0.01, 0.1, 1.0]), np.array(losses), 0.69, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_a_diverged_learning_rate_is_never_the_best():
    found = Losses(np.array([0.01, 0.1, 1.0]), np.array([0.7, 0.5, np.nan]), 0.69, 50)
    assert found.best == 0.1
