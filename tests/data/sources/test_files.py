import logging

import pytest

from lstm_jax.config import Config, DataConfig, validate
from lstm_jax.data import readers
from lstm_jax.data.examples import load_examples
from lstm_jax.errors import ConfigError, UserError
from tests.reviews import ROWS, files, write, zipped


def examples(config: DataConfig, **options) -> dict[str, list[tuple[str, str]]]:
    """Text and label of every example by split."""
    loaded = load_examples(config, **options)
    return {
        split: list(zip(own.dataset["text"], own.dataset["label"], strict=True)) for split, own in loaded.splits.items()
    }


def folder(path, *names: str):
    """A folder of files, each with two rows that name it."""
    for name in names:
        write(path / name, [{"text": f"{word} of {name}", "label": n} for n, word in enumerate(("first", "second"))])
    return path


def names_of(path, **options) -> dict[str, list[str]]:
    """The names of the files of each split."""
    loaded = examples(files(path), **options)
    return {split: [text.removeprefix("first of ") for text, _ in rows[::2]] for split, rows in loaded.items()}


class TestFolders:
    @pytest.mark.parametrize(
        ("names", "expected"),
        [
            (["train-1.csv", "train-0.jsonl"], {"train": ["train-0.jsonl", "train-1.csv"]}),
            (["my-train_0.csv", "Test.CSV"], {"train": ["my-train_0.csv"], "test": ["Test.CSV"]}),
            (["train.csv", "valid.csv"], {"train": ["train.csv"], "validation": ["valid.csv"]}),
            (["train.csv", "VAL.tsv"], {"train": ["train.csv"], "validation": ["VAL.tsv"]}),
            (["train.csv", "imdb.dev.jsonl"], {"train": ["train.csv"], "validation": ["imdb.dev.jsonl"]}),
            (["train1.csv", "train2.csv"], {"train": ["train1.csv", "train2.csv"]}),
            (
                ["train-00000-of-00002.parquet", "train-00001-of-00002.parquet", "validation-00000-of-00001.parquet"],
                {
                    "train": ["train-00000-of-00002.parquet", "train-00001-of-00002.parquet"],
                    "validation": ["validation-00000-of-00001.parquet"],
                },
            ),
            (["train.csv.gz", "test.csv.zip"], {"train": ["train.csv.gz"], "test": ["test.csv.zip"]}),
        ],
    )
    def test_the_words_of_a_name_tell_its_split(self, tmp_path, caplog, names, expected):
        assert names_of(folder(tmp_path, *names)) == expected
        assert caplog.messages == []

    def test_files_that_are_not_used_are_named(self, tmp_path, caplog):
        folder(tmp_path, "train.csv", "latest.csv", "restrain.jsonl", "training_notes.txt", ".train.csv")
        (tmp_path / "train.csv.zst").write_bytes(b"x")
        (tmp_path / "test").mkdir()
        (tmp_path / "README.md").write_text("not reviews")
        with caplog.at_level(logging.WARNING, "lstm_jax"):
            assert names_of(tmp_path) == {"train": ["train.csv"]}
        listed = "latest.csv, restrain.jsonl, test/, train.csv.zst, training_notes.txt"
        assert caplog.messages == [f"{tmp_path}: not used, since no split is named: {listed}"]
        folder(tmp_path, *(f"more{n}.csv" for n in range(20)))
        caplog.clear()
        names_of(tmp_path)
        assert caplog.messages[0].endswith("more15.csv, more16.csv and 15 more")

    def test_unlabelled_reviews_are_loaded_where_they_are_asked_for(self, tmp_path, caplog):
        folder(tmp_path, "train.csv")
        write(tmp_path / "unlabelled.csv", [{"text": "c"}, {"text": "d"}])
        assert examples(files(tmp_path), unlabelled=True)["unsupervised"] == [("c", ""), ("d", "")]
        assert set(examples(files(tmp_path))) == {"train"}
        assert caplog.messages == []

    @pytest.mark.parametrize(
        ("names", "message"),
        [
            (
                ["test.csv"],
                r"holds no file of reviews with 'train' as a word of its name, .*; it holds test\.csv\. Rename",
            ),
            ([], r"holds no file of reviews with 'train' as a word of its name, such as train\.csv; it holds no files"),
            (["train_test.csv"], r"train_test\.csv names the splits test and train; rename it so that it names one"),
            (["train.csv", "eval.csv"], r"eval\.csv may be for validation or for testing; rename it so that its name"),
            (
                ["train.csv", "valid.csv", "dev.csv"],
                r"dev\.csv and valid\.csv, which both name the split validation; remove",
            ),
            (
                ["train.csv", "train.csv.gz"],
                r"train\.csv and train\.csv\.gz, which may be the same reviews in two forms",
            ),
            (["train.csv", "train.jsonl"], r"train\.csv and train\.jsonl, which may be the same reviews in two forms"),
            (["train.csv", "Train.CSV"], r"Train\.CSV and train\.csv, which may be the same reviews in two forms"),
            (
                ["train.parquet", "train.tsv.xz"],
                r"train\.parquet and train\.tsv\.xz, which may be the same reviews in two",
            ),
        ],
    )
    def test_folder_that_is_unclear(self, tmp_path, names, message):
        with pytest.raises(UserError, match=message):
            load_examples(files(folder(tmp_path, *names)))

    @pytest.mark.parametrize("other", ["train-2.csv", "test.csv", "test.csv.gz", "validation.csv.bz2", "test.csv.zip"])
    def test_same_content_twice(self, tmp_path, other):
        write(tmp_path / "train-1.csv", ROWS * 1000)
        write(tmp_path / other, ROWS * 1000)
        with pytest.raises(UserError, match=rf"train-1\.csv and \S+{other} have the same content; remove one of them"):
            load_examples(files(tmp_path))
        write(tmp_path / other, [*ROWS * 1000, {"text": "more", "label": 1, "rating": 5}])
        assert sum(map(len, examples(files(tmp_path)).values())) == 10_001

    def test_link_to_a_split_of_the_same_content(self, tmp_path):
        folder(tmp_path, "train.csv", "test.csv")
        (tmp_path / "valid.csv").symlink_to("test.csv")
        with pytest.raises(UserError, match=r"valid\.csv and \S+test\.csv have the same content; remove one of them"):
            load_examples(files(tmp_path))

    def test_zip_that_names_a_split(self, tmp_path):
        folder(tmp_path, "train.csv")
        (tmp_path / "backup.zip").write_bytes(zipped({"a.csv": b"x", "b.csv": b"x"}))
        (tmp_path / "test.zip").write_bytes(zipped({"reviews.csv": b"text,label\nfine,1\n"}))
        assert examples(files(tmp_path))["test"] == [("fine", "1")]
        (tmp_path / "test.zip").write_bytes(zipped({"a.csv": b"x", "b.csv": b"x"}))
        with pytest.raises(UserError, match=r"test\.zip holds a\.csv, b\.csv; a zip file must hold exactly one"):
            load_examples(files(tmp_path))


class TestOptions:
    def test_encoding_columns_and_quoting(self, tmp_path):
        path = tmp_path / "a.tsv"
        path.write_bytes('0\t"schön ""gut"""\n1\tfür\n'.encode("windows-1252"))
        options = {"encoding": "windows-1252", "columns": ("label", "text")}
        with pytest.raises(UserError, match=r"a\.tsv, line 1: the fields may be quoted"):
            load_examples(files(path, **options))
        found = [
            examples(files(path, quoting=quoting, **options))["train"][0] for quoting in ("strict", "none", "strict")
        ]
        assert found == [('schön "gut"', "0"), ('"schön ""gut"""', "0"), ('schön "gut"', "0")]
        with pytest.raises(UserError, match=r"--config\.data\.encoding=windows-1252"):
            load_examples(files(path, columns=("label", "text"), quoting="strict"))

    def test_file_without_a_header_is_told_of_the_columns(self, tmp_path):
        path = tmp_path / "a.csv"
        path.write_text("0,good\n1,bad\n0,so\n")
        with pytest.raises(
            UserError, match=r"no column 'text' among '0', 'good'; .*header line with --config\.data\.columns"
        ):
            load_examples(files(path))
        assert examples(files(path, columns=("label", "text")))["train"] == [("good", "0"), ("bad", "1"), ("so", "0")]

    def test_bytes_in_the_column_of_the_text(self, tmp_path):
        path = write(tmp_path / "a.parquet", [{"text": b"fine", "label": 0}])
        with pytest.raises(UserError, match=r"row 0: has bytes in the column 'text'; convert the column to strings"):
            load_examples(files(path))

    def test_label_of_half_a_character(self, tmp_path):
        path = write(tmp_path / "a.jsonl", [{"text": "a", "label": "\ud83d"}, {"text": "b", "label": "c"}])
        with pytest.raises(UserError, match=r"line 1: has the label .*, which holds half a character"):
            load_examples(files(path))

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"columns": ("text", "text"), "path": "a.csv"}, "the names must be different and not empty"),
            ({"columns": ("text", " "), "path": "a.csv"}, "the names must be different and not empty"),
            (
                {"columns": ("text",), "source": "imdb"},
                r"config\.data\.path is empty; give the path, or leave the columns",
            ),
            ({"encoding": "utf8", "path": "a.csv"}, r"config\.data\.encoding is 'utf8'; .*'utf-8'"),
            ({"quoting": "yes", "path": "a.csv"}, r"config\.data\.quoting is 'yes'; .*'strict'"),
        ],
    )
    def test_options_that_are_invalid(self, options, message):
        config = Config(data=DataConfig(**{"source": "files", **options}))
        with pytest.raises(ConfigError, match=message):
            validate(config)


def test_reviews_are_cached_until_the_file_or_an_option_changes(tmp_path, monkeypatch):
    path = write(tmp_path / "a.csv", [{"text": "first", "label": 0}, {"text": "second", "label": 1}])
    read = []
    rows = readers.read_rows
    monkeypatch.setattr(readers, "read_rows", lambda path, options: (read.append(options), rows(path, options))[1])
    assert [examples(files(path))["train"] for _ in range(2)] == [[("first", "0"), ("second", "1")]] * 2
    assert len(read) == 1
    assert examples(files(path, encoding="latin-1"))["train"][0] == ("first", "0")
    assert [options.encoding for options in read] == ["utf-8", "latin-1"]

    write(path, [{"text": "changed", "label": 1}, {"text": "second", "label": 0}])
    assert examples(files(path))["train"][0] == ("changed", "1")
    with pytest.raises(UserError, match="no column 'body'"):
        load_examples(files(path, text_column="body"))


def test_link_to_a_file_of_another_name(tmp_path):
    (tmp_path / "blob").write_text('{"text": "fine", "label": 1}\n{"text": "bad", "label": 0}\n')
    (tmp_path / "a.jsonl").symlink_to(tmp_path / "blob")
    assert examples(files(tmp_path / "a.jsonl")) == {"train": [("fine", "1"), ("bad", "0")]}


def test_path_that_does_not_exist(tmp_path):
    with pytest.raises(UserError, match="nowhere does not exist; give a file or a folder"):
        load_examples(files(tmp_path / "nowhere"))
    (tmp_path / "train.csv").symlink_to(tmp_path / "gone.csv")
    with pytest.raises(UserError, match=r"train\.csv does not exist; give a file or a folder"):
        load_examples(files(tmp_path))


def test_source_of_files_without_a_path():
    with pytest.raises(ConfigError, match=r"'files' but config\.data\.path is empty; give a file or a folder"):
        load_examples(files(""))
