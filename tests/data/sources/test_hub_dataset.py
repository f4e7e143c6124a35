"""Data sets of the Hub by their names, downloaded from a fake Hub on this machine in a separate process."""

import json

import datasets
import pytest

from lstm_jax.config import DataConfig
from lstm_jax.data.labels import Classes, find_classes
from lstm_jax.errors import UserError
from tests.data.fake_hub import FakeHub
from tests.data.sources.test_hub import python

LOAD = """
import json, logging, sys
from lstm_jax import cli
cli._quiet_libraries()
logging.basicConfig(format="%(message)s", level=logging.INFO, stream=sys.stderr)
from lstm_jax.config import DataConfig
from lstm_jax.data.examples import load_examples
from lstm_jax.errors import UserError
found = {}
for name, fields in json.loads(sys.argv[1]).items():
    print(f"@{name}", file=sys.stderr)
    try:
        source = load_examples(DataConfig(source="hub", **fields))
    except UserError as error:
        found[name] = str(error)
        continue
    found[name] = {
        "classes": source.classes.names,
        "splits": {s: list(zip(own.dataset["text"], own.classes.tolist())) for s, own in source.splits.items()},
    }
print(json.dumps(found))
"""

CLASSES = ("worst", "neutral", "best")
ASKED = {
    "marked": {"name": "own/marked"},
    "renamed": {"name": "own/marked", "class_names": ["best", "worst", "neutral"]},
    "plain": {"name": "own/plain", "text_column": "sentence", "label_column": "tag"},
    "hidden": {"name": "own/hidden"},
    "odd": {"name": "own/odd"},
    "odd, named": {"name": "own/odd", "splits": ["train=training", "test=held_out"]},
    "odd, misnamed": {"name": "own/odd", "splits": ["train=train"]},
    "twice": {"name": "own/twice"},
    "no train": {"name": "own/no_train"},
    "subsets": {"name": "own/subsets"},
    "subset": {"name": "own/subsets", "subset": "b"},
    "no such subset": {"name": "own/subsets", "subset": "c"},
    "nothing": {"name": "own/nothing"},
}


def parquet(folder, split: str, labels: list[int], marked: bool = True, text: str = "text", label: str = "label"):
    """The content of a parquet file; marked labels are numbers of the classes ``CLASSES``."""
    kind = datasets.ClassLabel(names=list(CLASSES)) if marked else datasets.Value("int64")
    features = datasets.Features({text: datasets.Value("string"), label: kind})
    rows = {text: [f"{split} {n}" for n in range(len(labels))], label: labels}
    file = folder / "file.parquet"
    datasets.Dataset.from_dict(rows, features=features).to_parquet(str(file))
    return file.read_bytes()


def card(subsets: dict[str, tuple[str, ...]]) -> bytes:
    """The README that says which files make which split of which subset."""
    lines = ["---", "configs:"]
    for subset, splits in subsets.items():
        lines += [f"- config_name: {subset}", "  data_files:"]
        for split in splits:
            lines += [f"  - split: {split}", f"    path: {subset}/{split}.parquet"]
    return "\n".join([*lines, "---", ""]).encode()


def repository(folder, subsets: dict[str, dict[str, list[int]]], **options) -> dict[str, bytes]:
    files = {
        f"{subset}/{split}.parquet": parquet(folder, split, labels, **options)
        for subset, splits in subsets.items()
        for split, labels in splits.items()
    }
    return {"README.md": card({subset: tuple(splits) for subset, splits in subsets.items()}), **files}


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What each of ``ASKED`` gave, and what was logged meanwhile."""
    folder = tmp_path_factory.mktemp("hub")
    some = {"train": [0, 2, 0, 2], "test": [2, 0]}
    hub = {
        "own/marked": repository(folder, {"default": {"train": [0, 2, -1, 0, -1], "dev": [2, 0], "test": [-1, -1]}}),
        "own/plain": repository(
            folder, {"default": {"train": [-1, 1, -1, 1]}}, marked=False, text="sentence", label="tag"
        ),
        "own/hidden": repository(folder, {"default": {"train": [-1, -1], "test": [0, 1]}}),
        "own/odd": repository(folder, {"default": {"training": [0, 1, 2], "held_out": [1], "extra": [2]}}),
        "own/twice": repository(folder, {"default": {**some, "valid": [0], "dev": [1]}}),
        "own/no_train": repository(folder, {"default": {"test": [0, 1]}}),
        "own/subsets": repository(folder, {"a": some, "b": {"train": [1, 2, 1]}}),
    }
    with FakeHub(hub) as server:
        done = python("-c", LOAD, json.dumps(ASKED), url=server.url, cache=folder / "cache")
    assert done.returncode == 0, done.stderr
    logged = dict(part.split("\n", 1) for part in done.stderr.split("@") if "\n" in part)
    return {name: (result, logged[name]) for name, result in json.loads(done.stdout).items()}


@pytest.mark.slow
def test_numbered_classes_have_their_names_in_their_order(found):
    result, logged = found["marked"]
    assert result["classes"] == list(CLASSES)  # "neutral" too, which has no example.
    assert result["splits"] == {
        "train": [["train 0", 0], ["train 1", 2], ["train 3", 0]],
        "validation": [["dev 0", 2], ["dev 1", 0]],
    }
    assert "train: left out 2 rows without a label (-1)" in logged
    assert "own/marked, split test has no labels: all are -1; the split is not used" in logged


@pytest.mark.slow
def test_numbered_classes_are_put_into_another_order(found):
    result, _ = found["renamed"]
    assert result["classes"] == ["best", "worst", "neutral"]
    assert result["splits"]["train"] == [["train 0", 1], ["train 1", 0], ["train 3", 1]]


@pytest.mark.slow
def test_minus_one_is_a_label_where_classes_are_not_numbered(found):
    result, _ = found["plain"]
    assert result["classes"] == ["-1", "1"]
    assert [label for _, label in result["splits"]["train"]] == [0, 1, 0, 1]


@pytest.mark.slow
def test_splits_and_subsets_by_name(found):
    result, logged = found["odd, named"]
    assert result["splits"] == {
        "train": [["training 0", 0], ["training 1", 1], ["training 2", 2]],
        "test": [["held_out 0", 1]],
    }
    assert "own/odd has the splits 'training', 'held_out', 'extra'; 'extra' is not used" in logged
    assert found["subset"][0]["splits"] == {"train": [["train 0", 1], ["train 1", 2], ["train 2", 1]]}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hidden", "own/hidden, split train has no labels: all are -1; name another with --config.data.splits"),
        (
            "odd",
            "own/odd has the splits 'training', 'held_out', 'extra', and it is not clear what 'training' is for; say",
        ),
        (
            "odd, misnamed",
            "config.data.splits names the split 'train', but own/odd has the splits 'training', 'held_out'",
        ),
        (
            "twice",
            "both 'valid' and 'dev' are for validation; say which are which with --config.data.splits=train=NAME",
        ),
        ("no train", "own/no_train has the splits 'test', and none to train on; say which are which with"),
        (
            "subsets",
            "own/subsets: Config name is missing. Please pick one among the available configs: ['a', 'b']; choose",
        ),
        (
            "no such subset",
            "own/subsets: BuilderConfig 'c' not found. Available: ['a', 'b']; choose one with --config.",
        ),
        ("nothing", "own/nothing is neither cached nor available from the Hub ("),
    ],
)
def test_what_is_not_clear_is_an_error(found, name, message):
    assert message in found[name][0]
    assert "\n" not in found[name][0]


def test_a_folder_of_the_same_name_is_not_read_instead(tmp_path, monkeypatch):
    from lstm_jax.data.sources.hub import load_dataset

    (tmp_path / "own" / "marked").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"own/marked is also a folder here; read that with --config\.data\.path"):
        load_dataset("own/marked")


def test_names_that_the_source_knows_are_not_given_to_other_labels():
    config = DataConfig(class_names=("good", "bad"))
    assert find_classes({"0": 1, "1": 1}, config, ("bad", "good")) == Classes(("good", "bad"), ("1", "0"))
    assert find_classes({"0": 1, "1": 1}, config) == Classes(("good", "bad"), ("0", "1"))
