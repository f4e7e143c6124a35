"""Compressed files."""

import bz2
import gzip
import lzma
import warnings
import zipfile

import pytest

from lstm_jax.data import readers
from lstm_jax.errors import UserError
from tests.data.readers.helpers import read, texts
from tests.reviews import ROWS, write, zipped


class TestCompressors:
    @pytest.mark.parametrize(
        ("ending", "compress"),
        [(".gz", gzip.compress), (".bz2", lambda content: bz2.compress(content, 1)), (".xz", lzma.compress)],
    )
    def test_truncated_file_is_named_and_was_read_as_a_stream(self, tmp_path, ending, compress):
        lines = b"".join(b'{"text": "review %d %d"}\n' % (n, n * n * 7919 % 1_000_003) for n in range(50_000))
        whole = compress(lines)
        path = tmp_path / f"a.jsonl{ending}"
        path.write_bytes(whole[: len(whole) // 2])
        rows = readers.read_rows(path)
        assert next(rows).fields["text"] == "review 0 0"
        with pytest.raises(UserError, match=rf"{path} breaks off after line \d+ \(.+\); it is truncated or damaged"):
            list(rows)

    def test_damaged_files_are_named(self, tmp_path):
        body = bytearray(gzip.compress(b'{"text": "fine"}\n' * 1000))
        body[12:40] = bytes(28)
        for name, content in {
            "a.jsonl.gz": bytes(body),
            "b.jsonl.gz": b'{"text": "not compressed"}\n',
            "c.txt.bz2": b"BZh9" + bytes(50),
            "d.csv.xz": b"text,label\n",
        }.items():
            with pytest.raises(UserError, match=rf"{tmp_path / name} breaks off after line 0 .*fetch it again"):
                read(tmp_path / name, content)
        with pytest.raises(UserError, match=r"e\.csv\.zip is not a readable zip file \(.+\); fetch it again"):
            read(tmp_path / "e.csv.zip", b"text,label\n")

    @pytest.mark.parametrize(
        ("ending", "compress"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)]
    )
    def test_what_follows_compressed_data(self, tmp_path, ending, compress):
        path, one, two = tmp_path / f"a.csv{ending}", compress(b"text,label\none,1\n"), compress(b"two,0\n")
        for content in (one + two, one + two + bytes(100_000)):
            assert texts(read(path, content)) == ["one", "two"]
        for junk in (b"junk", b"x", one[:3], one[:-3], bytes(8) + b"junk", bytes(100_000) + b"junk"):
            with pytest.raises(UserError, match=rf"{path} breaks off after line \d \(.+\); it is truncated or damaged"):
                read(path, one + junk)

    @pytest.mark.parametrize(
        ("name", "members", "kind"),
        [
            ("a.zip", {"data/reviews.csv": b"text,label\nfine,1\n", "README": b"x", "data/": b""}, ".csv"),
            ("a.csv.ZIP", {"reviews": b"text,label\nfine,1\n"}, ".csv"),
            ("a.zip", {"r.jsonl": b'{"text": "fine"}', "__MACOSX/._r.jsonl": b"x", ".DS_Store": b"x"}, ".jsonl"),
        ],
    )
    def test_zip(self, tmp_path, name, members, kind):
        assert texts(read(tmp_path / name, zipped(members))) == ["fine"]
        assert readers.file_kind(tmp_path / name) == kind

    @pytest.mark.parametrize(
        ("name", "members", "listed"),
        [
            ("a.zip", {"a.csv": b"x", "b.csv": b"x"}, "a.csv, b.csv"),
            ("a.zip", {"a": b"x"}, "a"),
            ("a.zip", {}, "no file"),
            ("a.csv.zip", {"a": b"x", "b": b"x"}, "a, b"),
            ("a.csv.zip", {"a.csv.gz": b"x"}, "a.csv.gz"),
            ("a.zip", {"a.csv": b"text,label\nfine,1\n", "b.csv.gz": b"x"}, "a.csv, b.csv.gz"),
            ("a.zip", {"a.csv": b"text,label\nfine,1\n", "b.zip": b"x"}, "a.csv, b.zip"),
        ],
    )
    def test_zip_without_a_single_file_of_reviews(self, tmp_path, name, members, listed):
        with pytest.raises(
            UserError, match=rf"{name} holds {listed}; a zip file must hold exactly one file of reviews"
        ):
            read(tmp_path / name, zipped(members))

    def test_zip_with_two_members_of_one_name(self, tmp_path):
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            archive.writestr("a.csv", b"text,label\none,1\n")
            archive.writestr("a.csv", b"text,label\ntwo,1\n")
        with pytest.raises(UserError, match=r"a\.zip holds a\.csv, a\.csv; a zip file must hold exactly one"):
            read(tmp_path / "a.zip")

    def test_other_members_of_a_zip_are_named(self, tmp_path, caplog):
        content = zipped({"a.csv": b"text,label\nfine,1\n", "README": b"x", "more.xlsx": b"x"})
        assert texts(read(tmp_path / "a.zip", content)) == ["fine"]
        assert [record.message for record in caplog.records] == [
            f"{tmp_path}/a.zip: only a.csv is read; not used: README, more.xlsx"
        ]

    def test_parquet_is_unpacked_first(self, tmp_path):
        for name in ("a.parquet.gz", "a.parquet.zip"):
            assert texts(read(write(tmp_path / name, ROWS))) == [row["text"] for row in ROWS]
