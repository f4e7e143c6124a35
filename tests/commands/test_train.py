"""The command train: the data that it accepts, and the folders that it leaves alone."""

import json
import shlex
import shutil
import subprocess
import sys

import pytest

from lstm_jax import runtime
from lstm_jax.errors import UserError
from tests.commands.helpers import TINY, WARNINGS, assert_same_weights, contents
from tests.reviews import ROWS, write

pytestmark = WARNINGS


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", None, "{path} does not exist; give a file or a folder of reviews with --config.data.path"),
        ("a.csv", b"", "{path} is empty; give a file that holds reviews"),
        ("a.csv", b"text,label\n,1\n", "{path}, line 2: has no text; none of the 1 rows read is usable; name the"),
        ("a.csv", b"text,sentiment\na,1\n", "{path}, line 2: no column 'label' among 'text', 'sentiment'; none of"),
        ("a.csv", b"text,label\na,0\nb,1\n", "of 2 reviews none is left for test; give more reviews, or change"),
        ("a.jsonl", b'{"text": "a", "label": 1}\n{"text": \n', "{path}, line 2: is neither valid JSON (Expecting "),
        ("a.jsonl", b'{"text": "\xff", "label": 1}\n', "{path}, line 1: is not valid UTF-8 at byte 10; if the"),
        ("a.jsonl.gz", b"\x1f\x8b\x08\0", "{path} breaks off after line 0 (Compressed file ended before the end-of-s"),
        ("a.parquet", b"PAR1", "{path} cannot be read as parquet ("),
    ],
)
def test_bad_reviews(command, tmp_path, name, content, message):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    ended = command(
        "train", f"--workdir={tmp_path / 'run'}", "--config.data.source=files", f"--config.data.path={path}"
    )
    assert ended.code == 1
    assert ended.error.startswith(message.format(path=path))
    assert ended.err.count("\n") == 1
    assert not (tmp_path / "run" / "config.json").exists()  # so that the corrected command may use the folder


@pytest.mark.long
def test_odd_reviews_train(command, tmp_path):
    """A text of 1 MB, emoji and NUL are accepted; a row that is not UTF-8 is left out on request."""
    odd = [{"text": "nul \0 and 😀", "label": 1}, *ROWS]
    path = write(tmp_path / "train.jsonl", [{"text": "long " * 200_000, "label": 0}, *odd * 5])
    path.write_bytes(path.read_bytes() + b'{"text": "\xff", "label": 1}\n')
    ended = command(
        "train",
        f"--workdir={tmp_path / 'run'}",
        "--config.data.source=files",
        f"--config.data.path={tmp_path}",
        "--config.data.bad_rows=skip",
        "--config.data.tokens.max_length=16",
        *TINY[1:],
        "--config.model.layer=rnn_tanh",  # quick to compile
    )
    assert ended.code == 0, ended.err
    assert "train: left out 1 rows that cannot be read (the first: " in ended.err
    splits = json.loads((tmp_path / "run" / "data.json").read_text())["splits"]
    assert {split: own["examples"] for split, own in splits.items()} == {"train": 23, "validation": 2, "test": 6}


def test_finished_run_is_left_alone(command, trained):
    before = contents(trained)
    ended = command("train", f"--workdir={trained}", *TINY)
    assert ended.code == 0
    assert ended.out.startswith("done: 12 steps ")
    assert "has ended before; nothing was trained" in ended.err
    assert contents(trained) == before


def test_defaults_that_are_given_are_no_change(command, trained):
    given = ("--config.optimizer.hparams.b1=0.9", "--config.objectives.adversarial.weight=0")
    ended = command("train", f"--workdir={trained}", *TINY, *given)
    assert ended.code == 0
    assert ended.out.startswith("done: 12 steps ")


@pytest.mark.long
def test_defaults_that_are_given_do_not_change_a_resumed_run(command, trained, unfinished):
    shutil.rmtree(unfinished / "checkpoints" / "12")
    given = ("--config.optimizer.hparams.b1=0.9", "--config.objectives.adversarial.weight=0")
    ended = command("train", f"--workdir={unfinished}", *TINY, *given)
    assert ended.code == 0, ended.err
    assert_same_weights(trained, unfinished)


def test_workdir_of_another_config(command, trained):
    before = contents(trained)
    ended = command("train", f"--workdir={trained}", *TINY, "--config.seed=1", "--config.model.layer=gru")
    assert ended.code == 1
    assert ended.error == (
        f"{trained} belongs to another config: seed is 0 there and 1 here; model.layer is 'lstm' there and 'gru' here. "
        "Use another --workdir, or the config of that one"
    )
    assert contents(trained) == before


def test_workdir_in_use(command, trained):
    hold = (
        "import fcntl, sys; f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); print('held'); sys.stdin.read()"
    )
    holder = [sys.executable, "-u", "-c", hold, str(trained / ".lock")]
    with subprocess.Popen(holder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"held\n"
        ended = command("train", f"--workdir={trained}", *TINY)
        other.stdin.close()
    assert ended.code == 1
    assert ended.error == f"{trained} is in use by another process; wait for it or use another --workdir"
    assert command("train", f"--workdir={trained}", *TINY).code == 0


def test_workdir_that_is_no_folder(command, tmp_path):
    (tmp_path / "file").write_text("mine")
    ended = command("train", f"--workdir={tmp_path / 'file'}", *TINY)
    assert ended.code == 1
    assert ended.error.startswith(f"{tmp_path / 'file'} cannot be a folder")
    assert (tmp_path / "file").read_text() == "mine"


def test_what_the_last_bits_depend_on_is_recorded_and_a_change_is_said(command, trained, unfinished):
    (now,) = json.loads((trained / "environments.json").read_text())
    assert [now] == json.loads((trained / "summary.json").read_text())["environments"]
    assert {"step", "jax", "jaxlib", "optax", "numpy", "devices", "xla_flags", "matmul_precision"} <= set(now)
    before = {**now, "jaxlib": "0.9.9", "xla_flags": "--other"}
    (unfinished / "environments.json").write_text(json.dumps([before]))
    ended = command("train", f"--workdir={unfinished}", *TINY)
    assert ended.code == 0, ended.err
    said = [line for line in ended.err.splitlines() if "last bits" in line]
    ending = "so the last bits of this run may differ from those of an uninterrupted one"
    assert said == [
        f"jaxlib was '0.9.9' and is {now['jaxlib']!r}, {ending}",
        f"xla_flags was '--other' and is {now['xla_flags']!r}, {ending}",
    ]
    history = json.loads((unfinished / "environments.json").read_text())
    command_line = shlex.join(["python", "train.py", f"--workdir={unfinished}", *TINY])
    assert history == [before, {**now, "step": 12, "command": command_line}]
    assert history == json.loads((unfinished / "summary.json").read_text())["environments"]


def test_a_tour_needs_no_workdir_and_writes_nothing(command, tmp_path, monkeypatch):
    monkeypatch.setattr("tests.commands.conftest.ROOT", tmp_path)
    monkeypatch.setattr("lstm_jax.evaluation.tour.classifier", lambda *_: (_ for _ in ()).throw(UserError("so far")))
    ended = command("train", "--tour", *TINY)
    assert (ended.code, ended.error) == (1, "so far")
    assert "One layer\n=========\n" in ended.out
    assert not [*tmp_path.iterdir()]


def test_a_tour_is_no_search_for_a_learning_rate(command):
    ended = command("train", "--tour", "--find_rate")
    assert ended.code == 2
    assert "At most one of (tour, find_rate) must be True" in ended.error


def test_a_jaxlib_that_is_known_to_be_wrong_ends_every_command(command, monkeypatch, tmp_path):
    monkeypatch.setattr(runtime, "configure", lambda: runtime.check_version("0.10.2"))
    for name, arguments in {
        "train": [f"--workdir={tmp_path}"],
        "eval": ["--config=configs/default.py", "--naive"],
    }.items():
        ended = command(name, *arguments)
        assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1)
        assert ended.error.startswith("jaxlib 0.10.2 is not used, since it leaves out values in sums on CPUs")
