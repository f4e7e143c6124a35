import subprocess
import sys
import time
from pathlib import Path

import pytest

from lstm_jax.errors import UserError
from lstm_jax.training.checkpoints import Checkpoints

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
