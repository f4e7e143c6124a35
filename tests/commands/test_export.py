"""The command export.py, and docs/export.md as it is printed."""

import os
import re
import shlex
import shutil
import subprocess
import sys

import pytest

import lstm_jax
from tests.commands.helpers import ROOT, WARNINGS, contents
from tests.export.helpers import isolated
from tests.training.tiny import timeless

pytestmark = WARNINGS
PAGE = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")


def test_each_file_is_named_with_its_size_and_the_next_command_works(command, trained, tmp_path):
    before = contents(trained)
    done = command("export", f"--workdir={trained}", "--to=safetensors", f"--output={tmp_path}")
    assert done.code == 0, done.err
    *files, last = done.out.splitlines()
    written = {file.name for file in tmp_path.iterdir()} - {"export.json"}
    assert {re.match(r"(\S+) +[\d.]+ (B|kB)$", line)[1] for line in files} == {f"{tmp_path}/{name}" for name in written}
    assert last == f'next: python eval.py --workdir={tmp_path} --text="a text"'
    assert contents(trained) == before
    assert command("eval", f"--workdir={tmp_path}", "--text=a text").code == 0
    assert lstm_jax.load(tmp_path).predict(["good"]) == lstm_jax.load(trained).predict(["good"])


def test_an_export_evaluates_as_the_run_does_and_is_not_trained_again(command, trained, tmp_path):
    run = shutil.copytree(trained, tmp_path / "run")
    command("export", f"--workdir={run}", "--to=safetensors")
    outputs = [command("eval", f"--workdir={folder}") for folder in (run, run / "export")]
    assert [done.code for done in outputs] == [0, 0]
    first, second = (
        done.out.replace(str(folder / "report.html"), "PAGE")
        for done, folder in zip(outputs, (run, run / "export"), strict=True)
    )
    assert first == second


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--to=onx"], "there are 'safetensors', 'torch', 'stablehlo', 'onnx', 'vectors', 'hub'"),
        (["--to=onx"], "did you mean 'onnx'"),
        (["--to="], "--to has no format ''"),
        (["--to=torch,"], "--to has no format ''"),
        (["--to=onnx", "--output="], "--output is empty"),
        ([], "--to"),
    ],
)
def test_wrong_flags_are_named(arguments, message, command, trained):
    done = command("export", f"--workdir={trained}", *arguments)
    assert done.code == 2
    assert message.lower() in done.error.lower()
    assert not (trained / "export").exists()


def test_a_folder_without_a_run_is_named(command, tmp_path):
    done = command("export", f"--workdir={tmp_path}", "--to=onnx")
    assert done.code == 1
    assert "holds no config.json" in done.error


@pytest.mark.parametrize("name", ["train", "eval", "export"])
def test_an_empty_folder_name_is_not_the_current_folder(name, command):
    done = command(name, "--workdir=", *(["--to=onnx"] if name == "export" else []))
    assert (done.code, done.out) == (2, "")
    assert "the folder of the run is ''" in done.error


@pytest.mark.long
def test_the_page_works_as_printed(command, trained, tmp_path):
    (line,) = re.findall(r"```sh\npython export\.py (.*)\n```", PAGE)
    run = shutil.copytree(trained, tmp_path / "run")
    done = command("export", *line.replace("runs/default", str(run)).split())
    assert done.code == 0, done.err
    own, torch, program, onnx = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    folder, here = run / "export", "sys.path.insert(0, '.')\n"
    isolated(f"sys.path.insert(0, {str(ROOT)!r})\n" + own, folder, without=("torch", "onnx"))
    isolated(here + torch, folder, without=("lstm_jax", "jax", "flax"))
    isolated(here + program, folder, without=("lstm_jax", "flax", "torch"))
    isolated(here + onnx, folder, without=("lstm_jax", "jax", "flax", "torch"))


@pytest.mark.long
def test_the_command_of_the_card_repeats_the_training(command, trained, tmp_path):
    command("export", f"--workdir={trained}", "--to=safetensors", f"--output={tmp_path}")
    (line,) = re.findall(r"```sh\n(.*)\n```", (tmp_path / "README.md").read_text(encoding="utf-8"))
    program, option, code = shlex.split(line)
    assert (program, option) == ("python", "-c")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu"}
    subprocess.run([sys.executable, option, code], cwd=tmp_path, env=environment, check=True)
    again = tmp_path / "runs" / "again"
    assert (again / "config.json").read_text() == (trained / "config.json").read_text()
    assert [row["loss"] for row in timeless(again)] == pytest.approx(
        [row["loss"] for row in timeless(trained)], rel=1e-3
    )
