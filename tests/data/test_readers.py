import bz2
import gzip
from pathlib import Path

import pytest

from lstm_jax.data import readers
from lstm_jax.errors import UserError
from tests.reviews import FORMATS, ROWS, write


def read(path: Path, content: bytes | None = None) -> list[readers.Row]:
    if content is not None:
        path.write_bytes(content)
    return list(readers.read_rows(path))


def texts(rows: list[readers.Row]) -> list[str]:
    return [row.fields["text"] for row in rows]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_rows(tmp_path, name):
    rows = read(write(tmp_path / name, ROWS))
    assert [(row.fields["text"], int(row.fields["label"])) for row in rows] == [(r["text"], r["label"]) for r in ROWS]
    assert all(row.fault == "" for row in rows)
    if "txt" not in name:
        assert [int(row.fields["rating"]) for row in rows] == [5, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.csv", ".csv"),
        ("a.b.jsonl.gz", ".jsonl"),
        ("train.ft.txt.bz2", ".txt"),
        ("train-00000-of-00001.parquet", ".parquet"),
        ("a.gz", None),
        ("a.csv.zip", None),
        ("README", None),
        ("csv", None),
    ],
)
def test_kind_by_ending(name, kind):
    assert readers.file_kind(Path(name)) == kind


def test_places_name_the_line_of_the_file(tmp_path):
    blank_line = read(tmp_path / "a.jsonl", b'{"text": "one"}\n\n  \n{"text": "two"}')
    assert [row.place for row in blank_line] == [f"{tmp_path}/a.jsonl, line 1", f"{tmp_path}/a.jsonl, line 4"]
    quoted_break = read(tmp_path / "a.csv", b'text,label\r\n"one\r\nmore",0\r\n\r\ntwo,1\r\n')
    assert texts(quoted_break) == ["one\r\nmore", "two"]
    assert [row.place for row in quoted_break] == [f"{tmp_path}/a.csv, line 3", f"{tmp_path}/a.csv, line 5"]
    parquet = read(write(tmp_path / "a.parquet", ROWS))
    assert parquet[4].place == f"{tmp_path}/a.parquet, row 5"


def test_byte_order_mark_is_no_part_of_the_first_column(tmp_path):
    assert texts(read(tmp_path / "a.csv", b"\xef\xbb\xbftext,label\nfine,1\n")) == ["fine"]
    assert texts(read(tmp_path / "a.jsonl", b'\xef\xbb\xbf{"text": "fine"}\n')) == ["fine"]
    assert texts(read(tmp_path / "a.txt", b"\xef\xbb\xbf__label__1 fine\n")) == ["fine"]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.txt"])
def test_nul_and_emoji_are_text(tmp_path, name):
    content = {
        "a.csv": "text,label\na\0b 😀,1\n",
        "a.jsonl": '{"text": "a\\u0000b \\ud83d\\ude00"}\n',
        "a.txt": "__label__2 a\0b 😀\n",
    }[name]
    assert texts(read(tmp_path / name, content.encode())) == ["a\0b 😀"]


@pytest.mark.parametrize(
    ("name", "line", "fault"),
    [
        ("a.jsonl", b'{"text": "a \xff b"}', "is not valid UTF-8 at byte 12"),
        ("a.jsonl", b'{"text": "a', "is not valid JSON (Unterminated string starting at at column 10)"),
        ("a.jsonl", b"[1, 2]", "is JSON but not an object"),
        ("a.jsonl", b'{"label": ' + b"1" * 5000 + b"}", "is not readable JSON"),
        ("a.jsonl", b"[" * 200_000, "is not readable JSON"),
        ("a.txt", b"__label__2 a \xff b", "is not valid UTF-8 at byte 13"),
        ("a.txt", b"fine film", "does not begin with __label__ and a number from 1 up"),
        ("a.txt", b"__label__good fine", "does not begin with __label__ and a number from 1 up"),
        ("a.txt", b"__label__0 fine", "does not begin with __label__ and a number from 1 up"),
        ("a.txt", "__label__² fine".encode(), "does not begin with __label__ and a number from 1 up"),
        ("a.csv", b"a \xff b,1", "is not valid UTF-8"),
        ("a.csv", b"a,1,2", "has more fields than the header; quote fields that hold the delimiter"),
        ("a.csv", b"a\rb,1", "is not readable as csv (new-line character seen in unquoted field"),
    ],
)
def test_unreadable_row_is_named_and_the_next_one_is_read(tmp_path, name, line, fault):
    header = b"text,label\n" if name == "a.csv" else b""
    good = {"a.csv": b"fine,1", "a.jsonl": b'{"text": "fine"}', "a.txt": b"__label__2 fine"}[name]
    bad, after = read(tmp_path / name, header + line + b"\n" + good + b"\n")
    assert bad.fault.startswith(fault)
    assert bad.fields == {}
    assert bad.place == f"{tmp_path / name}, line {2 if header else 1}"
    assert (after.fields["text"], after.fault) == ("fine", "")


def test_csv_row_with_too_few_fields_lacks_the_last(tmp_path):
    assert read(tmp_path / "a.csv", b"text,label\nfine\n")[0].fields == {"text": "fine", "label": None}


@pytest.mark.parametrize(
    ("ending", "compress"), [(".gz", gzip.compress), (".bz2", lambda content: bz2.compress(content, 1))]
)
def test_truncated_file_is_named_and_was_read_as_a_stream(tmp_path, ending, compress):
    lines = b"".join(b'{"text": "review %d %d"}\n' % (n, n * n * 7919 % 1_000_003) for n in range(50_000))
    whole = compress(lines)
    path = tmp_path / f"a.jsonl{ending}"
    path.write_bytes(whole[: len(whole) // 2])
    rows = readers.read_rows(path)
    assert next(rows).fields["text"] == "review 0 0"
    with pytest.raises(UserError, match=rf"{path} breaks off after line \d+ \(.+\); it is truncated or damaged"):
        list(rows)


def test_damaged_files_are_named(tmp_path):
    body = bytearray(gzip.compress(b'{"text": "fine"}\n' * 1000))
    body[12:40] = bytes(28)
    for name, content in {
        "a.jsonl.gz": bytes(body),
        "b.jsonl.gz": b'{"text": "not compressed"}\n',
        "c.txt.bz2": b"BZh9" + bytes(50),
    }.items():
        with pytest.raises(UserError, match=rf"{tmp_path / name} breaks off after line 0 .*fetch it again"):
            read(tmp_path / name, content)
    with pytest.raises(UserError, match=r"d\.parquet cannot be read as parquet \(.+\); fetch it again"):
        read(tmp_path / "d.parquet", write(tmp_path / "e.parquet", ROWS).read_bytes()[:-20])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", None, r"a\.csv does not exist; give a file or a folder of reviews with --config\.data\.path"),
        ("a.csv", b"", r"a\.csv is empty; give a file that holds reviews"),
        ("a.doc", b"x", r"a\.doc ends in none of \.csv, \.json, \.jsonl, \.parquet, \.tsv, \.txt .* rename or convert"),
    ],
)
def test_file_that_is_none(tmp_path, name, content, message):
    with pytest.raises(UserError, match=message):
        read(tmp_path / name, content)


def test_long_text(tmp_path):
    text = "word " * 200_000 + "end"
    for name in ("a.csv", "a.jsonl", "a.txt", "a.parquet"):
        assert texts(read(write(tmp_path / name, [{"text": text, "label": 0}]))) == [text]
