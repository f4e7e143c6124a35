"""The commands given bad input: the right exit code, one clear line, nothing lost."""

import bz2
import errno
import importlib
import io
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import datasets
import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest
from absl import app, flags

from lstm_jax import cli, devices, linear
from lstm_jax.config import from_json, validate
from lstm_jax.errors import ConfigError, UserError
from lstm_jax.text import corpus
from lstm_jax.training import evaluation, run
from lstm_jax.training.journal import Journal
from tests.reviews import ROWS, write

pytestmark = [
    pytest.mark.filterwarnings("ignore:the load_module.. method is deprecated:DeprecationWarning"),  # ml_collections
    pytest.mark.filterwarnings("ignore:Sharding info not provided when restoring:UserWarning"),  # not needed to compare
]

ROOT = Path(__file__).parents[1]
KEPT = "what was written before is kept, mend this and run the same command again"
TINY = (  # 12 steps, saved after 6 and 12
    "--config.data.reviews=300",
    "--config.model.hidden_size=8",
    "--config.model.embedding_size=8",
    "--config.train.epochs=2",
    "--config.train.buckets=1",
    "--config.train.batch_size=32",
)


class Ended(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The only line that tells an error."""
        (line,) = [line for line in self.err.splitlines() if line.startswith("error: ")]
        assert self.err.splitlines()[-1] == line
        assert "Traceback" not in self.err
        return line.removeprefix("error: ")


@pytest.fixture(autouse=True, scope="module")
def help_flags():
    """The flags of --help, which can be defined once in a process."""
    app.define_help_flags()


@pytest.fixture(autouse=True)
def undone(monkeypatch):
    """What ``cli.run`` changes for a whole process is as before after each test."""
    monkeypatch.setattr(devices, "configure", lambda: None)  # conftest has
    for module, name in ((sys, "excepthook"), (sys, "unraisablehook"), (threading, "excepthook")):
        monkeypatch.setattr(module, name, getattr(module, name))
    root, ours = logging.getLogger(), logging.getLogger("lstm_jax")
    handlers, levels, on_sigterm = root.handlers[:], (root.level, ours.level), signal.getsignal(signal.SIGTERM)
    with mock.patch.dict(os.environ):
        yield
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])
    signal.signal(signal.SIGTERM, on_sigterm)


@pytest.fixture
def command(monkeypatch, capsys):
    """Runs a command of the repository in this process, or ``cli.run`` with a main function of the test's own."""

    def call(name: str, *arguments: object, main=None) -> Ended:
        known = set(flags.FLAGS)
        monkeypatch.chdir(ROOT)
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
        module = importlib.import_module(name)
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.run(module.define, main or module.main)
        result = Ended(ended.value.code, *capsys.readouterr())
        for flag in set(flags.FLAGS) - known:
            delattr(flags.FLAGS, flag)
        flags.FLAGS.unparse_flags()
        sys.modules.pop("config_config", None)  # the config file, which would not be read anew
        return result

    return call


def subprocess_command(name: str, *arguments: object) -> Ended:
    """Runs a command in a process of its own, which takes seconds."""
    command = [sys.executable, f"{name}.py", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("--config.model.hiden_size=3", "config.model has no field 'hiden_size'; did you mean 'hidden_size'? It has "),
        ("--config.optimiser.name=sgd", "config has no field 'optimiser'; did you mean 'optimizer'? It has seed, "),
        ("--config.seed.more=3", "config.seed is a value and has no field 'more'"),
        (
            "--config.train.epochs=many",
            "flag --config.train.epochs=many: invalid literal for int() with base 10: 'many'",
        ),
        ("--config.train.epochs=2.5", "flag --config.train.epochs=2.5: invalid literal for int() with base 10: '2.5'"),
        ("--config.model.residual=maybe", "flag --config.model.residual=maybe: ('Non-boolean argument"),
        ("--config.model.head=wide", "config.model.head is ('wide',); it must hold integers only"),
        ("--config.train.epochs=0", "config.train.epochs is 0; it must be at least 1"),
        ("--config.model.cell=LSTM", "config.model.cell is 'LSTM'; it must be one of 'lstm', 'gru', "),
        ("--config.data.source=files", "config.data.source is 'files' but config.data.path is empty; give a file or"),
        ("--config.seed", "Missing value for flag --config.seed; see --help"),
        ("--config=nowhere.py", "the config file cannot be loaded: "),
        ("--epochs=3", "Unknown command line flag 'epochs'; see --help"),
        ("extra", "'extra' is no flag; flags look like --name=value"),
    ],
)
def test_bad_flag(command, tmp_path, argument, message):
    ended = command("train", f"--workdir={tmp_path / 'run'}", argument)
    assert ended.code == 2
    assert ended.error.startswith(message)
    assert ended.err.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["train", "eval"])
def test_workdir_is_required(command, name):
    ended = command(name)
    assert ended.code == 2
    assert ended.error.startswith("flag --workdir=None: Flag --workdir must have a value")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "def get_config():\n    return {'seed': 1}\n",
            "get_config() of the config file returned a dict, not a Config",
        ),
        ("def get_config(:\n", "SyntaxError: "),
        ("def get_config():\n    return 1 / 0\n", "ZeroDivisionError: division by zero; --verbosity=1 shows where"),
        ("seed = 1\n", "AttributeError: "),
        (
            "from lstm_jax.config import Config\n\ndef get_config():\n    c = Config()\n    c.model.cel = 'gru'\n",
            "ModelConfig has no field 'cel'; did you mean 'cell'?",
        ),
    ],
)
def test_bad_config_file(command, tmp_path, text, message):
    (tmp_path / "config.py").write_text(text)
    ended = command("train", f"--workdir={tmp_path / 'run'}", f"--config={tmp_path / 'config.py'}")
    assert ended.code == 2
    assert ended.error.startswith(message)


@pytest.mark.parametrize(
    ("raised", "code", "line"),
    [
        (UserError("two\nlines"), 1, "two lines"),
        (ConfigError("no such thing"), 2, "no such thing"),
        (KeyboardInterrupt(), 1, "interrupted; a training goes on from its last checkpoint with the same command"),
        (ValueError("odd"), 1, "ValueError: odd; --verbosity=1 shows where"),
        (
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "a/file"),
            1,
            f"No space left on device (a/file); {KEPT}",
        ),
        (
            ValueError("RESOURCE_EXHAUSTED: Failed to write 5 bytes to file: No space left on device [source.cc:1]"),
            1,
            f"No space left on device; {KEPT}",
        ),
    ],
)
def test_failure_is_one_line(command, raised, code, line):
    def main():
        raise raised

    ended = command("train", "--workdir=x", main=main)
    assert (ended.code, ended.err) == (code, f"error: {line}\n")


def test_failures_beside_the_main_thread_are_quiet(command):
    def main():
        logging.getLogger("another.package").error("background noise")
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start()
        thread.join()
        raise ValueError("odd") from OSError(errno.EIO, "Input/output error")

    ended = command("train", "--workdir=x", main=main)
    assert ended.error.startswith("Input/output error; what was written before is kept")
    assert ended.err.count("\n") == 1


def test_traceback_on_request(command):
    def main():
        raise ValueError("odd")

    ended = command("train", "--workdir=x", "--verbosity=1", main=main)
    assert ended.code == 1
    assert "Traceback (most recent call last)" in ended.err
    assert ended.err.endswith("error: ValueError: odd; --verbosity=1 shows where\n")


def test_success(command):
    assert command("train", "--workdir=x", main=lambda: print("done")) == (0, "done\n", "")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", None, "{path} does not exist; give a file or a folder of reviews with --config.data.path"),
        ("a.csv", b"", "{path} is empty; give a file that holds reviews"),
        ("a.csv", b"text,label\n,1\n", "{path}, line 2: has no text; mend it, or leave such rows out by --config."),
        ("a.csv", b"text,sentiment\na,1\n", "{path}, line 2: no column 'label' among 'text', 'sentiment'; mend it"),
        ("a.csv", b"text,label\nonly,0\n", "of 1 reviews none is left for test; give more reviews, or change"),
        ("a.jsonl", b'{"text": "a", "label": 1}\n{"text": \n', "{path}, line 2: is not valid JSON (Expecting value "),
        ("a.jsonl", b'{"text": "\xff", "label": 1}\n', "{path}, line 1: is not valid UTF-8 at byte 10; mend it, or"),
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
    assert not (tmp_path / "run" / "config.json").exists()  # so that the mended command may use the folder


def test_odd_reviews_train(command, tmp_path):
    """A text of 1 MB, emoji and NUL are reviews like others; a row that is not UTF-8 is left out on request."""
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
        "--config.model.cell=rnn_tanh",  # quick to compile
    )
    assert ended.code == 0, ended.err
    assert "left out 1 rows without text or with an impossible label" in ended.err
    assert json.loads((tmp_path / "run" / "data.json").read_text())["reviews"] == {
        "train": 23,
        "validation": 2,
        "test": 6,
    }


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished run of the default config with the flags TINY; tests change copies of it."""
    config = importlib.import_module("configs.default").get_config()
    for flag in TINY:
        path, _, value = flag.removeprefix("--config.").partition("=")
        group, _, name = path.partition(".")
        setattr(getattr(config, group), name, int(value))
    path = tmp_path_factory.mktemp("trained") / "run"
    run.train(validate(config), path)
    return path


@pytest.fixture
def unfinished(trained, tmp_path):
    """A copy of the run whose process ended after the last checkpoint, before it could write its summary."""
    path = shutil.copytree(trained, tmp_path / "run")
    (path / "summary.json").unlink()
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def weights(workdir: Path, step: int) -> list[np.ndarray]:
    """Every array of a checkpoint."""
    with ocp.PyTreeCheckpointer() as reader:
        return [
            leaf
            for item in ("state", "best")
            for leaf in jax.tree.leaves(reader.restore(workdir / "checkpoints" / str(step) / item))
        ]


def assert_same_weights(one: Path, other: Path, step: int = 12) -> None:
    for a, b in zip(weights(one, step), weights(other, step), strict=True):
        np.testing.assert_array_equal(a, b)


def test_finished_run_is_left_alone(command, trained):
    before = contents(trained)
    ended = command("train", f"--workdir={trained}", *TINY)
    assert ended.code == 0
    assert ended.out.startswith("done: 12 steps ")
    assert contents(trained) == before


def test_workdir_of_another_config(command, trained):
    before = contents(trained)
    ended = command("train", f"--workdir={trained}", *TINY, "--config.seed=1", "--config.model.cell=gru")
    assert ended.code == 1
    assert ended.error == (
        f"{trained} belongs to another config: seed is 0 there and 1 here; model.cell is 'lstm' there and 'gru' here. "
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
    assert ended.error.startswith("File exists (")
    assert (tmp_path / "file").read_text() == "mine"


def test_nothing_to_evaluate(command, tmp_path, unfinished):
    ended = command("eval", f"--workdir={tmp_path / 'nowhere'}")
    assert ended.code == 1
    assert ended.error.startswith(f"{tmp_path / 'nowhere'} holds no config.json, so it is no run's folder; train first")
    shutil.rmtree(unfinished / "checkpoints")
    ended = command("eval", f"--workdir={unfinished}")
    assert ended.code == 1
    assert ended.error == f"{unfinished / 'checkpoints'} holds no checkpoint; train first, with the same --workdir"
    ended = command("eval", f"--workdir={unfinished}", "--split=dev")
    assert ended.code == 2
    assert ended.error.startswith("flag --split=dev: value should be one of <train|validation|test>")


TEXTS = ("the screen is not bad .", "what a xylographic plot . all of the above is sarcasm .")


def test_text(command, trained):
    ended = command("eval", f"--workdir={trained}", f"--text={TEXTS[1].upper()}")
    assert ended.code == 0
    verdict, read = ended.out.splitlines()
    assert read == "read as: what a [UNK] plot . all of the above is sarcasm ."
    name, (negative, positive) = verdict.split()[0], re.findall(r"(\d+\.\d)%", verdict)
    assert verdict == f"{name} (negative {negative}%, positive {positive}%)"
    assert name == ("positive" if float(positive) > 50 else "negative")
    assert float(negative) + float(positive) == pytest.approx(100, abs=0.11)


def test_a_run_is_evaluated_without_the_file_that_registers_its_optimizer(command, trained, tmp_path):
    workdir = shutil.copytree(trained, tmp_path / "run")
    config = json.loads((workdir / "config.json").read_text(encoding="utf-8"))
    config["optimizer"]["name"] = "one's own"
    (workdir / "config.json").write_text(json.dumps(config), encoding="utf-8")
    ended = command("eval", f"--workdir={workdir}", "--text=the screen is good")
    assert ended.code == 0
    refused = command("train", f"--workdir={workdir}", "--config.optimizer.name=unknown")
    assert refused.code == 2
    assert "config.optimizer.name is 'unknown'; it must be one of 'sgd'" in refused.err


def test_texts_of_standard_input(command, trained, monkeypatch):
    alone = [command("eval", f"--workdir={trained}", f"--text={text}").out.splitlines()[0] for text in TEXTS]
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{TEXTS[0]}\n\n  {TEXTS[1]}"))
    ended = command("eval", f"--workdir={trained}", "--text=-")
    first, blank, second = ended.out.splitlines()
    assert (ended.code, [first, second]) == (0, alone)
    assert re.fullmatch(r"(nega|posi)tive \(negative [\d.]+%, positive [\d.]+%\)", blank)
    monkeypatch.setattr(sys, "stdin", io.StringIO(" \n\n"))
    ended = command("eval", f"--workdir={trained}", "--text=-")
    assert (ended.code, ended.error) == (1, "standard input holds no review; give one a line")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--explain"], "--explain draws what happens over one review; give it with --text"),
        (["--explain", "--text=-"], "--explain draws what happens over one review; give it with --text"),
        *(
            (["--text=fine", argument], "--predictions, --naive, --linear and --every_epoch evaluate many reviews; ")
            for argument in ("--predictions=p.jsonl", "--naive", "--linear", "--every_epoch")
        ),
    ],
)
def test_flags_that_do_not_go_together(command, trained, arguments, message):
    ended = command("eval", f"--workdir={trained}", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.error.startswith(message)


def table(out: str) -> dict[str, str]:
    """The figures printed a line each."""
    return dict(re.findall(r"^(accuracy .*?)  +(\S+)$", out, re.MULTILINE))


def test_evaluation_beside_what_was_published_and_all_baselines(command, trained, tmp_path):
    pytest.importorskip("sklearn")
    path = shutil.copytree(trained, tmp_path / "run")
    (path / "config.json").write_text(
        (path / "config.json").read_text().replace('"published": 0.0', '"published": 0.9')
    )
    config = from_json((path / "config.json").read_text())
    corpora = corpus.prepare(config.data)
    for split in ("test", "validation"):
        ended = command("eval", f"--workdir={path}", f"--split={split}", "--naive", "--linear")
        assert ended.code == 0, ended.err
        figures = json.loads((path / f"eval-{split}.json").read_text())
        expected = {"accuracy of the network": figures["accuracy"]}
        if split == "test":
            expected["accuracy published"] = 0.9
        baselines = evaluation.baselines(corpora, split) | evaluation.leaking_baseline(config.data, split)
        baselines |= {linear.NAME: linear.accuracy(config.data, split)}
        expected |= {f"accuracy of {name}": accuracy for name, accuracy in baselines.items()}
        assert table(ended.out) == {name: f"{accuracy:.2%}" for name, accuracy in expected.items()}
        assert figures["lanes"] == [figures["accuracy"]]
        assert f"{'expected calibration error':<42} {figures['calibration_error']:.2%}" in ended.out.splitlines()


def test_linear_without_scikit_learn(command, trained, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.linear_model", None)
    ended = command("eval", f"--workdir={trained}", "--linear")
    assert ended.code == 1
    assert ended.error == (
        "logistic regression on TF-IDF needs scikit-learn; pip install 'scikit-learn>=1.5', or do without it"
    )


def test_every_epoch(command, trained, tmp_path):
    ended = command("eval", f"--workdir={trained}", "--every_epoch")
    assert (ended.code, ended.out) == (1, "")
    assert ended.error == (
        f"the run in {trained} kept no weights of its epochs; train with --config.train.keep_epochs=epoch_{{epoch}}"
    )
    ended = command("train", f"--workdir={tmp_path}", *TINY, "--config.train.keep_epochs=epoch_{epoch}")
    assert ended.code == 0, ended.err
    assert_same_weights(trained, tmp_path)
    ended = command("eval", f"--workdir={tmp_path}", "--every_epoch")
    assert ended.code == 0, ended.err
    rows = json.loads((tmp_path / "epochs.json").read_text())
    of = {(row["epoch"], row["split"]): row for row in rows}
    assert ended.out.splitlines() == [
        f"[Epoch: {epoch:>2}/2]  Training Loss: {of[epoch, 'train']['loss']:.3f}  "
        f"Testing Loss: {of[epoch, 'test']['loss']:.3f}  Training Acc: {100 * of[epoch, 'train']['accuracy']:.2f}  "
        f"Testing Acc: {100 * of[epoch, 'test']['accuracy']:.2f}"
        for epoch in (1, 2)
    ]


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
        elif how == "notes empty" and "notes" in file.parts:
            file.write_bytes(b"")


@pytest.mark.parametrize("how", ["cut off", "arrays lost", "a bit flipped", "notes empty"])
def test_damaged_checkpoint(command, trained, unfinished, how):
    damage(unfinished / "checkpoints" / "12", how)
    text = command("eval", f"--workdir={unfinished}", "--text=the screen is bright")
    assert text.code == 0
    assert text.out.startswith(("positive (", "negative ("))

    ended = command("train", f"--workdir={unfinished}", *TINY)
    assert ended.code == 0
    assert f"checkpoint {unfinished / 'checkpoints' / '12'} is damaged (" in ended.err
    assert "); trying the one before it\n" in ended.err
    assert "going on from step 6\n" in ended.err
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


def test_disk_full_while_training(command, trained, tmp_path, monkeypatch):
    """The disk fills after the first checkpoint; with room again, the run ends as if nothing had been."""

    def full(journal, row):
        if row["step"] > 6:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_row(journal, row)

    write_row = Journal.write
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "write", full)
        ended = command("train", f"--workdir={tmp_path}", *TINY)
    assert ended.code == 1
    assert ended.error.startswith(
        "No space left on device; what was written before is kept, mend this and run the same"
    )
    assert json.loads((tmp_path / "summary.json").read_text())["status"] == "interrupted"
    assert_same_weights(trained, tmp_path, step=6)

    ended = command("train", f"--workdir={tmp_path}", *TINY)
    assert ended.code == 0
    assert "going on from step 6" in ended.err
    assert_same_weights(trained, tmp_path)


@pytest.fixture
def small_disk(tmp_path):
    """A function that makes a folder with a disk of so many KiB, or changes how many they are."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(kibibytes: int) -> Path:
        option = f"{'remount,' if folder.is_mount() else ''}size={kibibytes}k"
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", option, "tmpfs", str(folder)], capture_output=True)
        if done.returncode:
            pytest.skip("a small disk can be mounted only with the right to")
        return folder

    if shutil.which("mount") is None:
        pytest.skip("there is no mount command")
    yield mount
    if folder.is_mount():
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_disk_really_full(command, trained, small_disk):
    arguments = (f"--workdir={small_disk(280) / 'run'}", *TINY)
    ended = subprocess_command("train", *arguments)
    assert ended.code == 1
    assert ended.error.startswith("No space left on device")
    assert_same_weights(trained, small_disk(280) / "run", step=6)

    small_disk(20_000)
    ended = command("train", *arguments)
    assert ended.code == 0
    assert_same_weights(trained, small_disk(20_000) / "run")


def test_errors_of_the_command_itself(tmp_path):
    """What the other tests see in this process holds for a process of its own."""
    ended = subprocess_command("train", "--help")
    assert (ended.code, ended.err) == (0, "")
    assert "--workdir: The folder of the run" in ended.out

    ended = subprocess_command("train", f"--workdir={tmp_path}", "--config.model.cel=gru")
    assert ended == (2, "", ended.err)
    assert ended.error.startswith("config.model has no field 'cel'; did you mean 'cell'?")

    path = tmp_path / "a.txt.bz2"
    path.write_bytes(bz2.compress(b"__label__1 fine\n" * 1000)[:-10])
    arguments = (f"--workdir={tmp_path / 'run'}", "--config.data.source=files", f"--config.data.path={path}")
    ended = subprocess_command("train", *arguments)
    assert ended == (1, "", ended.err)
    assert ended.error.startswith(f"{path} breaks off after line ")
    assert ended.err.count("\n") == 1


STUDY = """
from lstm_jax.config import Config
from lstm_jax.studies.grid import Grid

def get_config(kind):
    config = Config()
    config.data.reviews = 200
    config.model.hidden_size = config.model.embedding_size = 4
    config.train.epochs, config.train.batch_size, config.train.buckets = 1, 32, 1
    config.train.keep_epochs = "epoch_{epoch}"
    return Grid(config, "optimizer.learning_rate", (0.1, 0.01), seeds=1) if kind == "grid" else config
"""


def test_bench_measures_the_text_pipeline(command, tmp_path, monkeypatch):
    monkeypatch.setattr("lstm_jax.studies.text_speed.WORDS", 20_000)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", datasets.config.HF_DATASETS_CACHE)
    ended = command("bench", "--suite=text", "--reviews=1000", f"--workdir={tmp_path}")
    assert ended.code == 0, ended.err
    names = [line.split("  ")[0] for line in ended.out.splitlines()]
    assert names[0] == "reading"
    assert names[-2:] == ["all", "peak memory"]
    again = command("bench", "--suite=text", "--reviews=1000", f"--workdir={tmp_path}")
    assert [file.name for file in tmp_path.iterdir()] == ["generated-1000.ft.txt.bz2"]
    assert again.code == 0
    assert command("bench", "--suite=speed", f"--workdir={tmp_path}").code == 2


def test_compare_prints_the_table_of_a_study(command, tmp_path):
    (tmp_path / "study.py").write_text(STUDY)
    ended = command("compare", f"--config={tmp_path / 'study.py'}:grid", f"--workdir={tmp_path / 'w'}")
    assert ended.code == 0, ended.err
    assert (tmp_path / "w" / "table.md").read_text().strip() in ended.out
    assert "| learning rate | 0.1 | 0.01 |" in ended.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--config=FILE:config"], "get_config() of the config file returned a Config, not a study"),
        (["--config=FILE:grid", "--config.seeds=1"], "--config.seeds: the fields of a study are set in its file; "),
        (["--config=nothing.py"], "the config file cannot be loaded: "),
    ],
)
def test_a_study_that_cannot_be_started(command, tmp_path, arguments, message):
    (tmp_path / "study.py").write_text(STUDY)
    given = [argument.replace("FILE", str(tmp_path / "study.py")) for argument in arguments]
    ended = command("compare", *given, f"--workdir={tmp_path / 'w'}")
    assert ended.code == 2
    assert message in ended.error
