"""Damaged files and a full disk: nothing is lost, and the same command resumes."""

import errno
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from lstm_jax.training.logging import RunLog
from tests.commands.helpers import TINY, WARNINGS, assert_same_weights, contents, subprocess_command
from tests.helpers import slow_but

pytestmark = WARNINGS


@pytest.mark.parametrize("name", ["train", "eval"])
def test_damaged_config(command, unfinished, name):
    (unfinished / "config.json").write_text('{"seed": ')
    ended = command(name, f"--workdir={unfinished}", *(TINY if name == "train" else ()))
    assert ended.code == 1
    assert ended.error.startswith(f"{unfinished / 'config.json'} is not valid JSON (")


def damage(checkpoint: Path, how: str) -> None:
    for file in sorted(file for file in checkpoint.rglob("*") if file.is_file()):
        content = file.read_bytes()
        of_arrays = file.parent.name == "d"
        if how == "cut off":
            file.write_bytes(content[: len(content) // 2])
        elif how == "arrays lost" and of_arrays:
            file.unlink()
        elif how == "a bit flipped" and of_arrays:
            middle = len(content) // 2
            file.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
        elif how == "loop state empty" and "loop_state" in file.parts:
            file.write_bytes(b"")


@pytest.mark.parametrize(
    "how", slow_but(["cut off", "arrays lost", "a bit flipped", "loop state empty"], "a bit flipped")
)
def test_damaged_checkpoint(command, trained, unfinished, how):
    damage(unfinished / "checkpoints" / "12", how)
    text = command("eval", f"--workdir={unfinished}", "--text=the screen is bright")
    assert text.code == 0
    assert text.out.startswith(("positive (", "negative ("))

    ended = command("train", f"--workdir={unfinished}", *TINY)
    assert ended.code == 0
    assert f"checkpoint {unfinished / 'checkpoints' / '12'} is damaged (" in ended.err
    assert "); trying the one before it\n" in ended.err
    assert "resuming from step 6\n" in ended.err
    assert "Traceback" not in ended.err
    assert "error: " not in ended.err
    assert_same_weights(trained, unfinished)


def test_all_checkpoints_damaged(command, unfinished):
    for step in (6, 12):
        damage(unfinished / "checkpoints" / str(step), "cut off")
    before = contents(unfinished)
    for name in ("train", "eval"):
        ended = command(name, f"--workdir={unfinished}", *(TINY if name == "train" else ()))
        assert ended.code == 1
        folder = unfinished / "checkpoints"
        assert ended.error == f"every checkpoint in {folder} is damaged; use a new --workdir or restore a copy"
    assert {name: text for name, text in contents(unfinished).items() if "tensorboard" not in name} == {
        name: text for name, text in before.items() if "tensorboard" not in name
    }


@pytest.mark.long
def test_disk_full_while_training(command, trained, tmp_path, monkeypatch):
    """The disk fills after the first checkpoint. With room again, the run ends as if nothing had happened."""

    def full(run_log, row):
        if row["step"] > 6:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_row(run_log, row)

    write_row = RunLog.write
    with monkeypatch.context() as patch:
        patch.setattr(RunLog, "write", full)
        ended = command("train", f"--workdir={tmp_path}", *TINY)
    assert ended.code == 1
    assert ended.error.startswith("No space left on device; what was written before is kept; fix this and run the same")
    assert json.loads((tmp_path / "summary.json").read_text())["status"] == "interrupted"
    assert_same_weights(trained, tmp_path, step=6)

    ended = command("train", f"--workdir={tmp_path}", *TINY)
    assert ended.code == 0
    assert "resuming from step 6" in ended.err
    assert_same_weights(trained, tmp_path)


@pytest.fixture
def small_disk(tmp_path):
    """A function that mounts a disk of some KiB on a folder, or resizes it."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(kibibytes: int) -> Path:
        option = f"{'remount,' if folder.is_mount() else ''}size={kibibytes}k"
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", option, "tmpfs", str(folder)], capture_output=True)
        if done.returncode:
            pytest.skip("there is no permission to mount a small disk")
        return folder

    if shutil.which("mount") is None:
        pytest.skip("there is no mount command")
    yield mount
    if folder.is_mount():
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.long
def test_disk_really_full(command, tmp_path, small_disk):
    disk = small_disk(100_000)
    wide = (*TINY, "--config.model.embedding_size=512")
    whole = tmp_path / "whole"
    assert command("train", f"--workdir={whole}", *wide).code == 0
    files = {Path(name): len(content) for name, content in contents(whole / "checkpoints" / "6").items()}
    checkpoint = sum(files.values())
    # The rest comes in as many files as Orbax sees fit, of 4 KiB at least on the disk.
    assert sum(size for file, size in files.items() if file.parent.name == "d") > 0.9 * checkpoint
    small_disk(int(1.5 * checkpoint / 1024))

    arguments = (f"--workdir={disk / 'run'}", *wide)
    ended = subprocess_command("train", *arguments)
    assert ended.code == 1
    assert ended.error.startswith("No space left on device")
    assert_same_weights(whole, disk / "run", step=6)

    small_disk(100_000)
    ended = command("train", *arguments)
    assert ended.code == 0
    assert "resuming from step 6" in ended.err
    assert_same_weights(whole, disk / "run")
