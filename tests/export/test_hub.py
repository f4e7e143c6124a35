"""Models are pushed to, and pulled from, a fake Hub on this machine, each time in a separate process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lstm_jax.training import run
from tests.export.fake_models import TOKEN, FakeModels
from tests.training.tiny import tiny_config

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[2]
LOAD = """
import json, sys
import lstm_jax
from lstm_jax.errors import UserError
found = []
for place in sys.argv[1:]:
    try:
        found.append([own.probabilities for own in lstm_jax.load(place).predict(["it was not bad", "bad", ""])])
    except UserError as error:
        found.append(str(error))
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "tiny"
    run.train_lanes(tiny_config(train__epochs=1, ensemble=2), path)
    return path


@pytest.fixture
def hub():
    with FakeModels() as hub:
        yield hub


def start(hub, folder, *arguments, **environment):
    """A command that knows the fake Hub alone, and caches under ``folder``."""
    variables = {"HF_ENDPOINT": hub.url, "HF_HOME": str(folder / "hf"), "HF_HUB_DISABLE_XET": "1"}
    variables |= {"PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu", "HF_TOKEN": TOKEN, **environment}
    variables = {name: value for name, value in {**os.environ, **variables}.items() if value}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=variables, capture_output=True, text=True, timeout=300
    )


def push(hub, folder, workdir, *arguments, **environment):
    flags = [f"--workdir={workdir}", "--to=hub", f"--output={folder / 'export'}", *arguments]
    return start(hub, folder, str(ROOT / "export.py"), *flags, **environment)


def load(hub, folder, *places, **environment):
    done = start(hub, folder, "-c", LOAD, *map(str, places), **environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_pulled_model_predicts_what_the_run_does(hub, workdir, tmp_path):
    done = push(hub, tmp_path, workdir, "--hub=owner/tiny")
    assert done.returncode == 0, done.stderr
    assert f"pushed to {hub.url}/owner/tiny; lstm_jax.load('hub:owner/tiny') loads it" in done.stdout
    private, commits = hub.models["owner/tiny"]
    (first, _), (second, files) = commits.items()
    assert private
    assert {"README.md", "config.json", "model-lane0.safetensors", "model-lane1.safetensors"} <= set(files)
    assert "origin.json" not in files
    files |= {"evil.py": b"raise SystemExit", "model.pt": b"", "sub/config.json": b"{}"}
    pulled, at_commit, own, empty, gone, other = load(
        hub,
        tmp_path,
        *("hub:owner/tiny", f"hub:owner/tiny@{second}", workdir),
        *(f"hub:owner/tiny@{first}", "hub:owner/tiny@no-such", "hub:owner/other"),
    )
    assert pulled == at_commit == own
    assert "holds no config.json with model.safetensors" in empty
    assert "there is no such revision" in gone
    assert "there is no such repository, or the token may not see it" in other
    assert not [path for path in hub.asked if "/resolve/" in path and path.endswith((".py", ".pt", "sub/config.json"))]
    (offline,) = load(hub, tmp_path, "hub:owner/tiny", HF_HUB_OFFLINE="1")
    assert offline == own
    (anonymous,) = load(hub, tmp_path, "hub:owner/tiny", HF_TOKEN="", HF_HOME=str(tmp_path / "other"))
    assert "there is no such repository, or the token may not see it" in anonymous


@pytest.mark.parametrize(
    ("arguments", "environment", "code", "message"),
    [
        (["--hub=owner/tiny"], {"HF_TOKEN": ""}, 1, "there is no token to push to owner/tiny with; log in by hf auth"),
        (["--hub=owner/tiny"], {"HF_TOKEN": "hf_wrong"}, 1, "the Hub does not accept the token"),
        (["--hub=owner/tiny"], {"HF_TOKEN": "hf_read"}, 1, "the token has no right to do that"),
        (["--hub=owner/tiny"], {"HF_ENDPOINT": "http://127.0.0.1:9"}, 1, "the Hub cannot be reached"),
        (["--hub=owner/tiny"], {"HF_HUB_OFFLINE": "1"}, 1, "the Hub cannot be reached"),
        (["--hub=tiny"], {}, 2, "'tiny' is not the name of a model on the Hub; names look like OWNER/NAME"),
        ([], {}, 2, "give --to=hub with --hub=OWNER/NAME"),
        (["--to=safetensors", "--public"], {}, 2, "give --to=hub with --hub=OWNER/NAME"),
    ],
)
def test_what_cannot_be_pushed_is_told_in_one_line(hub, workdir, tmp_path, arguments, environment, code, message):
    done = push(hub, tmp_path, workdir, *arguments, **environment)
    assert done.returncode == code, done.stderr
    assert message in done.stderr.splitlines()[-1]
    assert not hub.models


def test_a_repository_keeps_its_visibility(hub, workdir, tmp_path):
    assert push(hub, tmp_path, workdir, "--hub=owner/open", "--public").returncode == 0
    assert not hub.models["owner/open"][0]
    done = push(hub, tmp_path, workdir, "--hub=owner/open")
    assert done.returncode == 1
    assert "owner/open exists already and is public; add --public" in done.stderr
    assert push(hub, tmp_path, workdir, "--hub=owner/open", "--public").returncode == 0
