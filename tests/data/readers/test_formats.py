"""What all formats have in common."""

import gzip
import json
from pathlib import Path

import pytest

from lstm_jax.data import readers
from lstm_jax.errors import UserError
from tests.data.readers.helpers import faults, read, texts
from tests.reviews import FORMATS, ROWS, write, zipped


class TestEveryFormat:
    @pytest.mark.parametrize("name", FORMATS)
    def test_has_the_same_rows(self, tmp_path, name):
        rows = read(write(tmp_path / name, ROWS))
        shift = 1 if "txt" in name else 0  # fastText numbers the classes from 1.
        found = [(row.fields["text"], int(row.fields["label"]) - shift) for row in rows]
        assert found == [(row["text"], row["label"]) for row in ROWS]
        assert faults(rows) == [""] * len(ROWS)
        assert [row.number for row in rows] == list(range(len(ROWS)))
        if not shift:
            assert [int(row.fields["rating"]) for row in rows] == [5, 1, 2, 3, 4]

    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("a.csv", ".csv"),
            ("A.CSV", ".csv"),
            ("a.b.jsonl.gz", ".jsonl"),
            ("a.Json.GZ", ".json"),
            ("a.ndjson.xz", ".ndjson"),
            ("train.ft.txt.bz2", ".txt"),
            ("train-00000-of-00001.parquet", ".parquet"),
            ("a.gz", ""),
            ("a.csv.gz.bz2", ""),
            ("a.csv.zst", ""),
            ("README", ""),
            ("csv", ""),
        ],
    )
    def test_is_told_by_the_ending(self, name, kind):
        assert readers.file_kind(Path(name)) == kind

    def test_long_text(self, tmp_path):
        text = "word " * 200_000 + "end"
        for name in ("a.csv", "a.tsv", "a.jsonl", "a.txt", "a.parquet"):
            assert texts(read(write(tmp_path / name, [{"text": text, "label": 0}]))) == [text]

    @pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.txt"])
    def test_nul_emoji_and_rare_spaces_are_text(self, tmp_path, name):
        text = "a\0b 😀\x85\u2028\x0bc\u3000"
        content = {
            "a.csv": f"text,label\n{text},1\n",
            "a.tsv": f"text\tlabel\n{text}\t1\n",
            "a.jsonl": json.dumps({"text": text}) + "\n",
            "a.txt": f"__label__2 {text}\n",
        }[name]
        assert texts(read(tmp_path / name, content)) == [text]

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("a.csv", None, r"a\.csv does not exist; give a file or a folder of reviews with --config\.data\.path"),
            ("a.csv", b"", r"a\.csv is empty; give a file that holds reviews"),
            (
                "a.doc",
                b"x",
                r"a\.doc ends in none of \.csv, \.json, .* \(or one of them with \.gz, .* rename or convert",
            ),
            ("a.csv", b"\n \n", r"a\.csv holds only blank lines; give a file that holds reviews"),
            ("a.csv", gzip.compress(b"text\nx", mtime=0), r"a\.csv is no text but has the form of \.gz files; rename"),
            ("a.jsonl", zipped({"a": b"x"}), r"a\.jsonl is no text but has the form of \.zip files; rename it"),
        ],
    )
    def test_file_that_is_none(self, tmp_path, name, content, message):
        with pytest.raises(UserError, match=message):
            read(tmp_path / name, content)

    @pytest.mark.parametrize("name", ["a.jsonl", "a.txt", "a.parquet"])
    def test_columns_are_named_for_tables_alone(self, tmp_path, name):
        write(tmp_path / name, ROWS)
        with pytest.raises(
            UserError, match=r"--config\.data\.columns names the columns of csv and tsv files .* leave it"
        ):
            read(tmp_path / name, columns=("label", "text"))
