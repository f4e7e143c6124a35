import time

import pytest

from lstm_jax.errors import UserError
from lstm_jax.training.checkpoints import Checkpoints


@pytest.mark.parametrize("read_only", [True, False])
def test_only_the_owner_of_a_run_clears_an_unfinished_checkpoint(tmp_path, read_only):
    unfinished = tmp_path / "checkpoints" / "99.orbax-checkpoint-tmp"
    unfinished.mkdir(parents=True)
    checkpoints = Checkpoints(tmp_path, read_only=read_only)
    deadline = time.monotonic() + (1 if read_only else 20)  # the folder is cleared in the background
    while unfinished.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert unfinished.exists() == read_only
    checkpoints.finish()


def test_an_empty_folder_holds_no_checkpoint(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    with pytest.raises(UserError, match="holds no checkpoint; train first"):
        checkpoints.restore_best({})
    checkpoints.finish()
