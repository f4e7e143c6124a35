"""The loop with many lanes compared with the loop with one."""

import numpy as np
import pytest

from lstm_jax.data import corpus
from lstm_jax.training import run
from lstm_jax.training.checkpoints import Checkpoints
from lstm_jax.training.loop import run_loop
from lstm_jax.training.loop_state import LoopState
from lstm_jax.training.workdir import Lane
from tests.training.tiny import timeless, tiny_config

pytestmark = pytest.mark.long

CONFIG = tiny_config(train__patience=1, optimizer__name="sgd", optimizer__learning_rate=0.5, train__epochs=3)
RATES = (0.5, 3e38, 1e-12)
SEEDS = (0, 0, 1)


def train(folder, seeds, rates):
    folder.mkdir()
    checkpoints = Checkpoints(folder)
    lanes = [Lane(seed, {"optimizer.learning_rate": rate}) for seed, rate in zip(seeds, rates, strict=True)]
    loop = run.assemble(CONFIG, corpus.prepare(CONFIG.data), lanes)
    checkpoint = run.first_checkpoint(loop.program, CONFIG, lanes)
    remembered = LoopState.from_json(checkpoint.loop_state)
    run_loop(loop, checkpoint.state, checkpoint.best, remembered, checkpoints, folder)
    checkpoints.finish()
    return remembered, timeless(folder)


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    return train(tmp_path_factory.mktemp("stack") / "run", SEEDS, RATES)


@pytest.mark.parametrize("lane", range(len(SEEDS)))
def test_each_lane_of_a_stack_writes_what_its_solo_run_writes(stack, tmp_path, lane):
    remembered, rows = stack
    solo_remembered, solo_rows = train(tmp_path / "run", SEEDS[lane : lane + 1], RATES[lane : lane + 1])
    own = [row for row in rows if row["lane"] == lane]
    assert [(row["step"], row["split"]) for row in own] == [(row["step"], row["split"]) for row in solo_rows]
    for name in ("loss", "accuracy"):
        ours = np.array([row[name] for row in own], float)
        np.testing.assert_allclose(ours, np.array([row[name] for row in solo_rows], float), rtol=1e-5)
    assert remembered.lanes[lane] == solo_remembered.lanes[0]


def test_a_lane_that_diverges_or_stops_leaves_the_others_alone(stack):
    remembered, _ = stack
    healthy, diverged, idle = remembered.lanes
    assert diverged.diverged_at is not None
    assert not diverged.running
    assert idle.stopped
    assert healthy.diverged_at is None
    assert healthy.best_step > 0
