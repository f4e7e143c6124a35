"""What an export writes, replaces and refuses to replace."""

import json
import shutil

import numpy as np
import pytest

import lstm_jax
from lstm_jax.config import Config
from lstm_jax.data import flat_corpus
from lstm_jax.errors import ConfigError, UserError
from lstm_jax.evaluation.predictions import lane_probabilities
from lstm_jax.export import FORMATS, export, export_safetensors
from lstm_jax.export.folder import read_manifest
from lstm_jax.training.restore import load_run
from lstm_jax.training.workdir import evaluation_config
from tests.export.helpers import ragged, run_with_random_weights
from tests.helpers import assert_equal

COMMON = {"README.md", "config.json", "data.json", "tokenizer.json", "token_ids.py", "export.json"}


@pytest.fixture
def run(tmp_path):
    return run_with_random_weights(tmp_path / "run")


def names(folder) -> set[str]:
    return {file.name for file in folder.iterdir()}


@pytest.mark.parametrize(
    ("changes", "files"),
    [
        ({"model__train_embedding": False, "model__bidirectional": True}, {"model.safetensors"}),
        ({"ensemble": 2, "model__wide": 9}, {"model-lane0.safetensors", "model-lane1.safetensors"}),
    ],
    ids=["one lane", "two lanes"],
)
def test_an_export_as_safetensors_is_a_run(changes, files, tmp_path):
    run = run_with_random_weights(tmp_path / "run", **changes)
    folder = export_safetensors(run, tmp_path / "export")
    assert names(folder) == COMMON | files | {"lanes.json"}
    again = load_run(folder, evaluation_config(folder))
    assert_equal(again.variables, run.variables)
    assert (again.step, again.lanes, again.classes) == (7, run.lanes, run.classes)
    examples = flat_corpus.from_ids(ragged(20, run.model.vocabulary_size, 10))
    assert_equal(lane_probabilities(again, examples), lane_probabilities(run, examples))
    assert lstm_jax.load(folder).predict(["good"]) == lstm_jax.load(run.workdir).predict(["good"])


def test_a_second_format_joins_the_first(run, tmp_path):
    pytest.importorskip("torch")
    export(run, ["safetensors"], tmp_path / "export")
    before = (tmp_path / "export" / "README.md").read_text()
    export(run, ["torch"], tmp_path / "export")
    assert names(tmp_path / "export") == COMMON | {
        "lanes.json",
        "model.safetensors",
        "model.pt",
        "model.py",
        "torch.json",
    }
    after = (tmp_path / "export" / "README.md").read_text()
    assert "read_model" not in before
    assert "read_model" in after
    assert "lstm_jax.load" in after


def test_another_run_replaces_all_files(run, tmp_path):
    pytest.importorskip("torch")
    export(run, ["safetensors", "torch"], tmp_path / "export")
    (tmp_path / "export" / "mine.txt").write_text("mine")
    other = run_with_random_weights(tmp_path / "other", model__hidden_size=5)
    export(other, ["safetensors"], tmp_path / "export")
    assert names(tmp_path / "export") == COMMON | {"lanes.json", "model.safetensors", "mine.txt"}
    assert set(read_manifest(tmp_path / "export")["files"]) == names(tmp_path / "export") - {"export.json", "mine.txt"}


@pytest.mark.parametrize("name", ["README.md", "model.safetensors", "lanes.json", "config.json"])
def test_a_file_that_is_no_exports_stays(name, run, tmp_path):
    (tmp_path / "export").mkdir()
    (tmp_path / "export" / name).write_text("mine")
    with pytest.raises(ConfigError, match=f"export/{name} is not of an earlier export, or was changed since"):
        export(run, ["safetensors"], tmp_path / "export")
    assert names(tmp_path / "export") == {name}


def test_an_edited_card_stays(run, tmp_path):
    pytest.importorskip("torch")
    export(run, ["safetensors"], tmp_path / "export")
    card = tmp_path / "export" / "README.md"
    card.write_text(card.read_text().replace("license: unknown", "license: mit"))
    with pytest.raises(ConfigError, match=r"README\.md .* changed since"):
        export(run, ["torch"], tmp_path / "export")
    assert "license: mit" in card.read_text()


def test_an_interrupted_export_can_be_repeated(run, tmp_path, monkeypatch):
    export(run, ["safetensors"], tmp_path / "export")
    (tmp_path / "run" / "eval-test.json").write_text(json.dumps({"checkpoint_step": 7, "accuracy": 0.5, "n": 4}))

    def interrupted(file, content, write=lstm_jax.export.folder.write_bytes):
        write(file, content)
        if file.name == "README.md":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("lstm_jax.export.folder.write_bytes", interrupted)
        with pytest.raises(KeyboardInterrupt):
            export(run, ["safetensors"], tmp_path / "export")
    export(run, ["safetensors"], tmp_path / "export")


def test_a_damaged_manifest_is_reported(run, tmp_path):
    (tmp_path / "export").mkdir()
    for content in ("{", "[]", '{"run": 1}', '{"files": 3, "run": ""}'):
        (tmp_path / "export" / "export.json").write_text(content)
        with pytest.raises(ConfigError, match=r"export\.json is damaged or not of an export"):
            export(run, ["safetensors"], tmp_path / "export")


def test_the_folder_of_a_run_is_no_output(run, tmp_path):
    (tmp_path / "other" / "checkpoints").mkdir(parents=True)
    with pytest.raises(ConfigError, match="is the folder of a run"):
        export(run, ["safetensors"], tmp_path / "other")
    with pytest.raises(ConfigError, match="is a file"):
        export(run, ["safetensors"], tmp_path / "run" / "config.json")


@pytest.mark.parametrize(
    ("changes", "target", "message"),
    [
        ({"model__segment": 5}, "onnx", r"config\.model\.segment of this run is 5; --to=stablehlo and --to=torch"),
        ({"model__pooling": "mine"}, "torch", r"no 'mine', the config\.model\.pooling of this run.* --to=stablehlo"),
        ({"model__layer": "mine"}, "onnx", r"no 'mine', the config\.model\.layer of this run.* --to=stablehlo"),
    ],
    ids=["segments", "an own pooling", "an own layer"],
)
def test_what_a_format_cannot_express_is_refused(changes, target, message, run, tmp_path):
    pytest.importorskip(target)
    config = Config()
    for path, value in changes.items():
        setattr(config.model, path.removeprefix("model__"), value)
    with pytest.raises(ConfigError, match=message):
        export(run._replace(config=config), ["safetensors", target], tmp_path / "export")
    assert not (tmp_path / "export").exists()


@pytest.mark.parametrize(
    ("package", "target", "message"),
    [("onnx", "onnx", r"pip install \"lstm_jax\[onnx\]\""), ("torch", "torch", "pip install torch")],
)
def test_a_missing_package_is_named(package, target, message, run, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, package, None)
    with pytest.raises(UserError, match=message):
        export(run, [target], tmp_path / "export")


def test_bfloat16_products_become_float32(tmp_path, caplog):
    pytest.importorskip("torch")
    run = run_with_random_weights(tmp_path / "run", model__matmul_dtype="bfloat16")
    export(run, ["torch", "onnx"], tmp_path / "export")
    assert [record.message[:32] for record in caplog.records] == [
        "--to=torch computes in float32; ",
        "--to=onnx computes in float32; t",
    ]
    assert "bfloat16" in (tmp_path / "export" / "README.md").read_text()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda file: file.write_bytes(file.read_bytes()[:50]), "is damaged"),
        (lambda file: file.write_bytes(b""), "is damaged"),
        (lambda file: shutil.copy(file.parents[1] / "other" / file.name, file), "does not fit its config.json"),
    ],
    ids=["truncated", "empty", "of another run"],
)
def test_damaged_weights_are_reported(damage, message, run, tmp_path):
    run_with_random_weights(tmp_path / "other", model__hidden_size=5)
    damage(tmp_path / "run" / "model.safetensors")
    with pytest.raises(UserError, match=message):
        load_run(run.workdir, evaluation_config(run.workdir))


def test_a_missing_lane_is_reported(tmp_path):
    run = run_with_random_weights(tmp_path / "run", ensemble=2)
    (tmp_path / "run" / "model-lane1.safetensors").unlink()
    with pytest.raises(UserError, match="is missing"):
        load_run(run.workdir, evaluation_config(run.workdir))


def test_all_formats_share_one_folder(run, tmp_path):
    pytest.importorskip("torch")
    paths = export(run, list(FORMATS), tmp_path / "export")
    assert {path.name for path in paths} == names(tmp_path / "export") - {"export.json"}
    assert np.all([path.stat().st_size for path in paths])
