import subprocess
import sys
import time
from pathlib import Path

import jax.numpy as jnp
import optax
import pytest

from lstm_jax.errors import UserError
from lstm_jax.training.checkpoints import Checkpoint, Checkpoints
from lstm_jax.training.experiment import TrainState

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("read_only", [True, False])
def test_only_the_owner_of_a_run_clears_an_unfinished_checkpoint(tmp_path, read_only):
    unfinished = tmp_path / "checkpoints" / "99.orbax-checkpoint-tmp"
    unfinished.mkdir(parents=True)
    checkpoints = Checkpoints(tmp_path, read_only=read_only)
    checkpoints.open()
    deadline = time.monotonic() + (1 if read_only else 20)  # the folder is cleared in the background
    while unfinished.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert unfinished.exists() == read_only
    checkpoints.finish()


def test_a_first_step_waits_for_no_orbax(tmp_path):
    lines = [
        "import sys",
        "from pathlib import Path",
        "from lstm_jax.training import run",
        "checkpoints = run.Checkpoints(Path(sys.argv[1]))",
        "assert checkpoints.restore(None) is None",
        "checkpoints.finish()",
        "print('orbax.checkpoint' in sys.modules)",
    ]
    command = [sys.executable, "-c", "\n".join(lines), str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    assert not list(tmp_path.iterdir())


def test_an_empty_folder_holds_no_checkpoint(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    with pytest.raises(UserError, match="holds no checkpoint; train first"):
        checkpoints.restore_best({})
    checkpoints.finish()


def saved(width: int) -> Checkpoint:
    """A checkpoint of one lane whose only weights have the shape [1, 2, width]."""
    params = {"layers": {"w": jnp.ones((1, 2, width))}}
    scalar = jnp.ones(1)
    state = TrainState(scalar, scalar, {}, params, {}, (), optax.adam(0.1).init(params), scalar)
    return Checkpoint(state, params, {"lanes": []})


@pytest.mark.parametrize("damaged", [False, True])
def test_a_checkpoint_of_other_shapes_is_not_called_damaged(tmp_path, damaged):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, saved(3))
    checkpoints.keep("one", saved(3).state)
    checkpoints.finish()
    if damaged:
        for file in (*tmp_path.glob("checkpoints/1/**/*"), *tmp_path.glob("epochs/**/*")):
            if file.is_file():
                file.write_bytes(b"")
    message = r"the code or the config no longer fits the checkpoint .*/1/best: the shape of params.layers.w is "
    message += r"\(1, 2, 3\) there and \(1, 2, 4\) here; restore the code that the run was trained with"
    message = "every checkpoint in.* is damaged" if damaged else message
    other = saved(4)
    checkpoints = Checkpoints(tmp_path)
    with pytest.raises(UserError, match=message):
        checkpoints.restore_best(other.best_variables)
    with pytest.raises(UserError, match=message):
        checkpoints.restore(other)
    with pytest.raises(
        UserError, match=message.replace("/1/best", "/one").replace("every checkpoint in", "epochs/one")
    ):
        checkpoints.restore_epoch("one", other.best_variables)
    checkpoints.finish()


def test_an_optimizer_with_another_state_no_longer_fits_a_checkpoint(tmp_path):
    checkpoint, checkpoints = saved(3), Checkpoints(tmp_path)
    checkpoints.save(1, checkpoint)
    checkpoints.finish()
    checkpoints = Checkpoints(tmp_path)
    other = checkpoint.state._replace(opt_state=optax.trace(0.9).init(checkpoint.best))
    message = r"/1/state: the shape of opt_state.trace.layers.w is no array there and \(1, 2, 3\) here"
    with pytest.raises(UserError, match=message):
        checkpoints.restore(checkpoint._replace(state=other))
    assert checkpoints.restore(checkpoint) is not None
    checkpoints.finish()
