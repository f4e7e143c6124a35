import pytest

from lstm_jax.data import readers
from lstm_jax.data.examples import load_examples
from lstm_jax.errors import ConfigError, UserError
from tests.data.helpers import training_rows
from tests.reviews import ROWS, files, write


def test_folder_of_splits(tmp_path):
    for name, label in {"train-1.csv": 0, "train-0.jsonl": 1, "validation.txt": 0, "test.csv.gz": 1}.items():
        write(tmp_path / name, [{"text": f"from {name}", "label": label}])
    (tmp_path / "train.md").write_text("not reviews")
    (tmp_path / "unsupervised.csv").write_text("not reviews")
    loaded = load_examples(files(tmp_path))
    assert {split: list(zip(dataset["text"], dataset["label"], strict=True)) for split, dataset in loaded.items()} == {
        "train": [("from train-0.jsonl", 1), ("from train-1.csv", 0)],
        "validation": [("from validation.txt", 0)],
        "test": [("from test.csv.gz", 1)],
    }


def test_unlabelled_reviews_are_loaded_where_they_are_asked_for(tmp_path):
    write(tmp_path / "train.csv", [{"text": "a", "label": 1}, {"text": "b", "label": 0}])
    write(tmp_path / "unsupervised.csv", [{"text": "c"}, {"text": "d"}])
    both = load_examples(files(tmp_path), unlabelled=True)
    found = {split: [(row["text"], row["label"]) for row in dataset.to_list()] for split, dataset in both.items()}
    assert found == {"unsupervised": [("c", -1), ("d", -1)], "train": [("a", 1), ("b", 0)]}
    assert set(load_examples(files(tmp_path))) == {"train"}


def test_folder_without_training_reviews(tmp_path):
    write(tmp_path / "test.csv", ROWS)
    with pytest.raises(UserError, match="holds no file whose name begins with 'train'"):
        training_rows(files(tmp_path))
    with pytest.raises(UserError, match="nowhere does not exist; give a file or a folder"):
        training_rows(files(tmp_path / "nowhere"))


def test_reviews_are_cached_until_the_file_changes(tmp_path, monkeypatch):
    path = write(tmp_path / "a.csv", [{"text": "first", "label": 0}, {"text": "second", "label": 1}])
    read = []
    rows = readers.read_rows
    monkeypatch.setattr(readers, "read_rows", lambda path: (read.append(path), rows(path))[1])
    assert [training_rows(files(path)) for _ in range(2)] == [[("first", 0), ("second", 1)]] * 2
    assert read == [path]

    write(path, [{"text": "changed", "label": 1}])
    assert training_rows(files(path)) == [("changed", 1)]
    assert training_rows(files(path, classes="label", bad_rows="skip")) == [("changed", 1)]
    with pytest.raises(UserError, match="no column 'body'"):
        training_rows(files(path, text_column="body"))


def test_link_to_a_file_of_another_name(tmp_path):
    (tmp_path / "blob").write_text('{"text": "fine", "label": 1}\n')
    (tmp_path / "a.jsonl").symlink_to(tmp_path / "blob")
    assert training_rows(files(tmp_path / "a.jsonl")) == [("fine", 1)]


def test_source_of_files_without_a_path():
    with pytest.raises(ConfigError, match=r"'files' but config\.data\.path is empty; give a file or a folder"):
        load_examples(files(""))
