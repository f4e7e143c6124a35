import bz2
import csv
import datetime
import gzip
import io
import json
import lzma
import random
import warnings
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lstm_jax.data import readers
from lstm_jax.data.readers import Options, Row
from lstm_jax.errors import UserError
from tests.reviews import FORMATS, ROWS, write, zipped


def read(path: Path, content: bytes | str | None = None, **options) -> list[Row]:
    if content is not None:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(readers.read_rows(path, Options(**options)))


def texts(rows: list[Row]) -> list[str]:
    assert [row.fault for row in rows if row.fault] == []
    return [row.fields["text"] for row in rows]


def lines_of(rows: list[Row]) -> list[int]:
    return [row.line for row in rows]


def faults(rows: list[Row]) -> list[str]:
    assert all((row.fields == {}) == bool(row.fault) for row in rows)
    return [row.fault for row in rows]


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


class TestCsv:
    def test_places_name_the_line_at_which_a_row_begins(self, tmp_path):
        rows = read(tmp_path / "a.csv", 'text,label\r\n"one\r\nmore",0\r\n\r\n  \r\ntwo,1\r\n')
        assert texts(rows) == ["one\r\nmore", "two"]
        assert [row.place for row in rows] == [f"{tmp_path}/a.csv, line 2", f"{tmp_path}/a.csv, line 6"]

    @pytest.mark.parametrize(
        ("line", "expected"),
        [
            ('5" disc', '5" disc'),
            ('he said "so"', 'he said "so"'),
            ('"he said ""so"", twice"', 'he said "so", twice'),
            (' "good"', ' "good"'),
            ('"one\n\ntwo, three\n""four"""', 'one\n\ntwo, three\n"four"'),
            (
                '"Pros: 1,000 good\n1,000 good things, and bad ones"',
                "Pros: 1,000 good\n1,000 good things, and bad ones",
            ),
        ],
    )
    @pytest.mark.parametrize("form", ["{},1", "1,{}"])
    def test_quotation_marks_that_are_clear(self, tmp_path, line, expected, form):
        header = {"{},1": "text,label", "1,{}": "label,text"}[form]
        before, after = form.format("before"), form.replace("1", "0").format("after")
        rows = read(tmp_path / "a.csv", "\n".join([header, before, form.format(line), after]) + "\n")
        assert texts(rows) == ["before", expected, "after"]

    @pytest.mark.parametrize(
        ("content", "line", "message"),
        [
            ('fine,1\n"open,1\nmore,0\n', 3, "is never closed"),
            ('fine,1\n"one\ntwo",0\n"open,1\nmore,0\n', 5, "is never closed"),
            ('"good" film,1\nmore,0\n', 2, "is closed but followed by more text"),
            ('"a "b" c",1\nmore,0\n', 2, "is closed but followed by more text"),
            ('"he said \\"so\\"",1\nmore,0\n', 2, "is closed but followed by more text"),
            ('"open,1\nmore,0\n"good, film",1\n', 2, "is closed but followed by more text in line 4"),
            ('"a\nb","c" d\nmore,0\n', 3, "is closed but followed by more text"),
            (
                '"a\nb",c,d\nmore,0\n',
                2,
                "the row that begins here runs on to line 3, and its number of fields is 3, not the 2",
            ),
        ],
    )
    def test_quotation_mark_that_leaves_open_where_a_row_ends(self, tmp_path, content, line, message):
        with pytest.raises(UserError, match=rf"a\.csv, line {line}: .*{message}") as caught:
            read(tmp_path / "a.csv", f"text,label\n{content}")
        assert "--config.data.quoting=none" in str(caught.value)

    @pytest.mark.parametrize("labels", ["01", ["1", "2", "3", "4", "5"], ["positive", "negative"], ["-1", "0", "1"]])
    @pytest.mark.parametrize("columns", [("text", "label"), ("label", "text"), ("id", "text", "label")])
    @pytest.mark.parametrize(("first", "last"), [(0, 39), (0, 1), (5, 6), (3, 20), (17, 39)])
    def test_stray_quotation_marks_that_make_one_field_of_several_rows(self, tmp_path, labels, columns, first, last):
        rows = [{"text": f"a film of kind {n}", "label": labels[n % len(labels)], "id": str(n)} for n in range(40)]
        rows[first]["text"] = '"' + rows[first]["text"]
        rows[last]["text"] += '"'
        content = "\n".join([",".join(columns), *(",".join(row[name] for name in columns) for row in rows)])
        with pytest.raises(
            UserError, match=rf"line {first + 2}: .* is closed in line {last + 2}, and what stands between"
        ):
            read(tmp_path / "a.csv", content)
        assert texts(read(tmp_path / "a.csv", content, quoting="none")) == [row["text"] for row in rows]

    @pytest.mark.parametrize(
        "content", ['label,text\n1,"open\n0,closed"\n', 'text,label\n"open,4\nmore,2\nclosed",5\n']
    )
    def test_stray_quotation_marks_around_all_rows(self, tmp_path, content):
        with pytest.raises(UserError, match=r"line 2: .* and what stands between looks like rows of their own"):
            read(tmp_path / "a.csv", content)

    def test_rows_of_identifiers_alone(self, tmp_path):
        """No column has a value twice, so the number of lines decides."""
        rows = [f"tt{n},film {n}" for n in range(3000)]
        rows[2000], rows[2500] = 'tt2000,"film', 'tt2500,film"'
        with pytest.raises(
            UserError, match=r"line 2002: .* is closed in line 2502, and what stands between looks like rows"
        ):
            read(tmp_path / "a.csv", "id,text\n" + "\n".join(rows))

    @pytest.mark.parametrize("columns", [("text", "label"), ("label", "text"), ("id", "text", "label")])
    def test_a_coincidence_among_many_texts_of_several_lines(self, tmp_path, columns):
        draw = random.Random(1)
        words = ["the", "film", "was", "good", ",", "really", ",", "1,000", "actors", ".", "and", "10", "more"]
        rows = []
        for n in range(1000):
            lines = [" ".join(draw.choices(words, k=12)).replace(" ,", ",") for _ in range(draw.randint(1, 5))]
            rows.append({"id": str(n), "text": draw.choice(["\n", "\n\n"]).join(lines), "label": str(n % 2)})
        rows[7]["text"] = "Note:\n1, gut" if columns == ("label", "text") else "Note 1,0\nGut"
        buffer = io.StringIO(newline="")
        writer = csv.DictWriter(buffer, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
        assert texts(read(tmp_path / "a.csv", buffer.getvalue())) == [row["text"] for row in rows]

    @pytest.mark.parametrize(
        ("line", "fault"),
        [
            (
                b"a \xff b,1",
                "is not valid UTF-8 at byte 2; if the file is in Windows-1252, read it with --config.data.",
            ),
            (b"a \x81 b,1", "is not valid UTF-8 at byte 2"),
            (b'"a\n\x81",1', "runs on to line 3, which is not valid UTF-8 at byte 0"),
            (b"a", "has 1 of the 2 fields of the header"),
            (b"a,1,2", "has 3 fields, more than the 2 of the header; quote fields that hold the delimiter"),
            (b"a,1,", "has 3 fields, more than the 2 of the header"),
            (b"a\rb,1", r"holds a carriage return outside of quotation marks; end lines with \n or \r\n"),
        ],
    )
    def test_bad_row_is_named_and_the_next_one_is_read(self, tmp_path, line, fault):
        bad, after = read(tmp_path / "a.csv", b"text,label\n" + line + b"\nfine,1\n")
        assert bad.fault.startswith(fault)
        assert (bad.fields, bad.line, bad.number) == ({}, 2, 0)
        assert (after.fields, after.fault) == ({"text": "fine", "label": "1"}, "")

    @pytest.mark.parametrize(
        ("header", "message"),
        [
            ("text,text", r"line 1: the header has several columns named 'text'; correct it, or name .*data\.columns"),
            (
                "text,",
                r"line 1: the header has no name for column 2; name what .* in the file, or remove the delimiters at",
            ),
            ("v1,v2,,,", r"line 1: the header has no name for columns 3, 4, 5; name what [^-]* separate nothing$"),
            (
                ",text",
                r"line 1: the header has no name for column 1, as pandas writes its index; .* to_csv\(index=False\)",
            ),
            (
                "text;label",
                r"line 1: the header has the single column 'text;label'; fields are separated by commas in csv and",
            ),
            (
                "text\tlabel",
                r"line 1: the header has the single column 'text\\tlabel'; .* so rename or convert the file",
            ),
            ("text,label\rgood,1\r", r"line 1: the header holds a carriage return outside of quotation marks"),
            ("text,l\udcff", r"line 1: the header is not valid UTF-8 at byte 6"),
        ],
    )
    def test_header_that_is_none(self, tmp_path, header, message):
        with pytest.raises(UserError, match=message):
            read(tmp_path / "a.csv", (header + "\nfine,1\n").encode(errors="surrogateescape"))

    @pytest.mark.parametrize(("name", "delimiter"), [("a.csv", ","), ("a.tsv", "\t")])
    def test_file_without_a_header(self, tmp_path, name, delimiter):
        content = "1,good\n0,bad\n1\n".replace(",", delimiter)
        rows = read(tmp_path / name, content, columns=("label", "text"))
        assert [row.fields for row in rows] == [{"label": "1", "text": "good"}, {"label": "0", "text": "bad"}, {}]
        assert lines_of(rows) == [1, 2, 3]
        assert rows[2].fault == "has 1 of the 2 fields of --config.data.columns"

    @pytest.mark.parametrize("header", ["label,text", "text,label", '"Label","Text"', "\ufefflabel, text"])
    def test_columns_are_given_but_the_file_has_a_header(self, tmp_path, header):
        with pytest.raises(UserError, match=r"line 1: the file has a header line; leave --config\.data\.columns out"):
            read(tmp_path / "a.csv", header + "\n1,good\n", columns=("label", "text"))

    @pytest.mark.parametrize("header", ["label,review", " Label ,review", "text,label,id", "x,TEXT"])
    def test_columns_are_given_but_a_field_is_the_name_of_its_column(self, tmp_path, header):
        columns = ("text", "label") if header.startswith("text") else ("label", "text")
        with pytest.raises(UserError, match=r"line 1: the field .* is the name of its column, as in a header line"):
            read(tmp_path / "a.csv", header + "\n1,good\n", columns=columns)

    @pytest.mark.parametrize("again", ["text,label", '"text","label"', "\ufefftext,label"])
    def test_header_within_the_file(self, tmp_path, again):
        for name, line in (("a.csv", again), ("a.tsv", again.replace('"', "").replace(",", "\t"))):
            content = f"text,label\none,1\n{line}\ntwo,0\n"
            rows = read(tmp_path / name, content if name == "a.csv" else content.replace(",", "\t"))
            assert faults(rows) == ["", "repeats the header; remove the line", ""]
            assert lines_of(rows) == [2, 3, 4]

    def test_strict_quoting_is_the_answer_for_one_text_that_looks_like_rows(self, tmp_path):
        content = 'text,label\n"open,4\nmore,2\nclosed",5\n'
        with pytest.raises(UserError, match=r"If it is one text, say so with --config\.data\.quoting=strict$"):
            read(tmp_path / "a.csv", content)
        assert texts(read(tmp_path / "a.csv", content, quoting="strict")) == ["open,4\nmore,2\nclosed"]


class TestTsv:
    def test_quotation_marks_are_text(self, tmp_path):
        kept = ['" open', 'closed "', '"quoted"', 'he said "so"', '"', '""', '"a" and "b"']
        content = "text\tlabel\n" + "".join(f"{text}\t1\n" for text in kept)
        assert texts(read(tmp_path / "a.tsv", content)) == kept
        assert texts(read(tmp_path / "a.tsv", content.replace("\n", "\r\n"))) == kept

    @pytest.mark.parametrize(
        ("content", "line"),
        [
            ('text\tlabel\n"he said ""so"""\t1\n', 2),
            ('text\tlabel\nfine\t0\n"one\ttwo"\t1\n', 3),
            ('text\tlabel\n"one\ntwo"\t1\n', 2),
            ('label\ttext\n1\t"one\ntwo"\n', 3),
            ('label\ttext\n1\t"one\n\ntwo\nthree"\n', 4),
            ('"text"\t"label"\n"one"\t"1"\n', 1),
            ('text\tlabel\n"one"\t"1"\n', 2),
            ('text\tlabel\n"one"\t1\n"two"\t0\n', 2),
            ('id\ttext\tlabel\n\n1\t"one"\t1\n2\t"two"\t0\n3\t"three"\t0\n', 3),
        ],
    )
    def test_file_that_may_quote_its_fields(self, tmp_path, content, line):
        path = tmp_path / "a.tsv"
        with pytest.raises(
            UserError, match=rf"a\.tsv, line {line}: the fields may be quoted as in csv .*quoting=strict or"
        ):
            read(path, content)
        expected = list(csv.DictReader(io.StringIO(content, newline=""), delimiter="\t"))
        assert [row.fields for row in read(path, quoting="strict")] == expected
        assert len(read(path, quoting="none")) == len([line for line in content.split("\n")[1:] if line])

    def test_bad_rows(self, tmp_path):
        rows = read(tmp_path / "a.tsv", b"text\tlabel\none\none\t1\t2\na\rb\t1\n\n\xe9\t1\nfine\t1\n")
        assert faults(rows) == [
            "has 1 of the 2 fields of the header",
            "has 3 fields, more than the 2 of the header",
            r"holds a carriage return outside of quotation marks; end lines with \n or \r\n",
            "is not valid UTF-8 at byte 0; if the file is in Windows-1252, read it with "
            "--config.data.encoding=windows-1252",
            "",
        ]
        assert lines_of(rows) == [2, 3, 4, 6, 7]


CONTENT = {
    "a.csv": "text,label\nschön “gut”,1\nfür,0\n",
    "a.tsv": "text\tlabel\nschön “gut”\t1\nfür\t0\n",
    "a.jsonl": '{"text": "schön “gut”"}\n{"text": "für"}\n',
    "a.json": '[{"text": "schön “gut”"},\n {"text": "für"}]',
    "a.txt": "__label__1 schön “gut”\n__label__2 für\n",
    "a.csv.gz": "text,label\nschön “gut”,1\nfür,0\n",
}


class TestEncodings:
    @pytest.mark.parametrize("name", CONTENT)
    @pytest.mark.parametrize(
        ("codec", "encoding"),
        [
            ("utf-8", "utf-8"),
            ("utf-8-sig", "utf-8"),
            ("windows-1252", "windows-1252"),
            ("utf-16", "utf-16"),
            ("utf-16-le", "utf-16-le"),
            ("utf-16-be", "utf-16-be"),
            ("gb18030", "gb18030"),
        ],
    )
    def test_encodings_by_name(self, tmp_path, name, codec, encoding):
        content = CONTENT[name].encode(codec)
        rows = read(tmp_path / name, gzip.compress(content) if name.endswith(".gz") else content, encoding=encoding)
        assert texts(rows) == ["schön “gut”", "für"]

    def test_byte_order_mark_of_both_utf_16(self, tmp_path):
        for codec in ("utf-16-le", "utf-16-be"):
            content = f"\ufeff{CONTENT['a.csv']}".encode(codec)
            for encoding in ("utf-16", codec):
                assert texts(read(tmp_path / "a.csv", content, encoding=encoding)) == ["schön “gut”", "für"]

    @pytest.mark.parametrize("name", CONTENT)
    @pytest.mark.parametrize(
        ("codec", "encoding", "message"),
        [
            ("utf-16", "utf-8", r"byte-order mark of UTF-16; read it with --config\.data\.encoding=utf-16"),
            ("utf-16", "windows-1252", r"byte-order mark of UTF-16; read it with --config\.data\.encoding=utf-16"),
            ("utf-8-sig", "latin-1", r"byte-order mark of UTF-8; read it with --config\.data\.encoding=utf-8"),
            ("utf-16-le", "utf-8", r"zero bytes everywhere, as UTF-16 does; read it with .*encoding=utf-16-le"),
            ("utf-16-be", "latin-1", r"zero bytes everywhere, as UTF-16 does; read it with .*encoding=utf-16-be"),
            ("utf-16-le", "utf-16", r"no byte-order mark; say which UTF-16 it is with .*utf-16-le or .*utf-16-be"),
            ("utf-8", "utf-16-le", r"is not in UTF-16, since its beginning has no zero byte; leave .*utf-16-le out"),
            ("utf-32", "utf-8", r"byte-order mark of UTF-32, which is not read; convert it to UTF-8"),
        ],
    )
    def test_file_in_another_encoding(self, tmp_path, name, codec, encoding, message):
        content = CONTENT[name].replace("“gut”", "gut").encode(codec)
        with pytest.raises(UserError, match=message):
            read(tmp_path / name, gzip.compress(content) if name.endswith(".gz") else content, encoding=encoding)

    @pytest.mark.parametrize("name", CONTENT)
    @pytest.mark.parametrize(
        ("codec", "encoding", "message"),
        [
            ("utf-8", "windows-1252", r"is valid UTF-8, which windows-1252 would garble; leave .*=windows-1252 out"),
            ("utf-8", "latin-1", r"is valid UTF-8, which latin-1 would garble; leave .*encoding=latin-1 out"),
            ("utf-8", "gb18030", r"is valid UTF-8, which gb18030 would garble; leave .*encoding=gb18030 out"),
            ("utf-16-le", "utf-16-be", r"is in UTF-16-LE by the place of its zero bytes; read it with .*=utf-16-le"),
            ("utf-16-be", "utf-16-le", r"is in UTF-16-BE by the place of its zero bytes; read it with .*=utf-16-be"),
        ],
    )
    def test_encoding_that_would_garble_the_text(self, tmp_path, name, codec, encoding, message):
        content = CONTENT[name].encode(codec)
        with pytest.raises(UserError, match=message):
            read(tmp_path / name, gzip.compress(content) if name.endswith(".gz") else content, encoding=encoding)

    def test_utf_8_at_the_end_of_the_head(self, tmp_path):
        content = ("text\n" + "x" * (4096 - 6) + "ü\n").encode()  # The head ends within the character.
        assert texts(read(tmp_path / "a.csv", content, encoding="latin-1"))[0].endswith("xÃ¼")
        with pytest.raises(UserError, match="is valid UTF-8"):
            read(tmp_path / "a.csv", content.replace(b"x", "ü".encode(), 1)[:5000], encoding="latin-1")

    @pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
    def test_utf_16_with_few_zero_bytes(self, tmp_path, codec):
        content = "text,label\n" + "一" * 3000 + ",1\n"  # The character has a zero byte in the other place.
        assert texts(read(tmp_path / "a.csv", content.encode(codec), encoding=codec)) == ["一" * 3000]

    def test_rows_that_cannot_be_decoded(self, tmp_path):
        rows = read(tmp_path / "a.csv", b"text,label\na \x81,1\nb \xe9,0\n", encoding="windows-1252")
        assert faults(rows) == ["is not valid windows-1252 at byte 2", ""]
        assert rows[1].fields["text"] == "b é"
        content = "text,label\na \ud83d,1\nb,0\n".encode("utf-16-le", "surrogatepass")
        rows = read(tmp_path / "a.csv", content, encoding="utf-16-le")
        assert faults(rows) == ["holds half a character (a lone surrogate) at character 2", ""]
        with pytest.raises(UserError, match=r"a\.csv breaks off after line 3 .*truncated data"):
            read(tmp_path / "a.csv", content + b"b", encoding="utf-16-le")


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


OBJECTS = ({"text": "one [", "label": 0}, {"text": 'two "}', "label": 1})


class TestJson:
    @pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.ndjson"])
    @pytest.mark.parametrize(
        ("form", "lines"),
        [
            ("\n".join(map(json.dumps, OBJECTS)), [1, 2]),
            ("\r\n\r\n  " + "\r\n\r\n".join(map(json.dumps, OBJECTS)), [3, 5]),
            (json.dumps(OBJECTS), [1, 1]),
            (json.dumps(OBJECTS, indent=2), [2, 6]),
            ("[\n" + ",\n".join(map(json.dumps, OBJECTS)) + "\n]\n", [2, 3]),
            ("  \t" + json.dumps(OBJECTS), [1, 1]),
            ("\n\n[" + "\n,".join(map(json.dumps, OBJECTS)) + "]", [3, 4]),
            (json.dumps({"data": OBJECTS}), [1, 1]),
            (json.dumps({"version": 1, "author": "x", "rows": OBJECTS, "more": None}, indent=1), [5, 9]),
            ('{"data":\n[\n' + ",\n".join(map(json.dumps, OBJECTS)) + "\n]}", [3, 4]),
            ("\n".join(map(repr, OBJECTS)), [1, 2]),
        ],
    )
    @pytest.mark.parametrize("mark", ["", "\ufeff"])
    def test_forms(self, tmp_path, name, form, lines, mark):
        rows = read(tmp_path / name, mark + form)
        assert [row.fields for row in rows] == list(OBJECTS)
        assert lines_of(rows) == lines

    @pytest.mark.parametrize(
        ("name", "content", "rows"),
        [
            ("a.json", '{"text": "alone", "tags": ["a"]}', [{"text": "alone", "tags": ["a"]}]),
            ("a.json", '{\n"text": "alone"\n}', [{"text": "alone"}]),
            ("a.jsonl", '{"text": "alone", "images": [{"url": "x"}]}\n', [{"text": "alone", "images": [{"url": "x"}]}]),
            ("a.json", "[]", []),
            ("a.json", "[\n]\n", []),
        ],
    )
    def test_few_rows(self, tmp_path, name, content, rows):
        assert [row.fields for row in read(tmp_path / name, content)] == rows

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (
                '{"train": [{"text": "a"}], "test": [{"text": "b"}]}',
                "holds the lists of objects 'train', 'test'; write each",
            ),
            (
                '{"train": [{"text": "a"}], "test": {"rows": [{"text": "b"}]}}',
                "holds the list of objects 'train', beside it 'test', which may hold rows too; write each list",
            ),
            ('{"rows": [{"text": "a"}], "rejected": ["x"]}', "the list of objects 'rows', beside it 'rejected'"),
            (
                '{"text": "x", "label": 1, "entities": [{"a": 1}, {"a": 2}]}',
                "one object with 'text', 'label', 'entities', which may be a row or hold the rows in 'entities'; write",
            ),
            (
                '{"rows": [{"text": "a"}], "test": [{"text": "b"}], "test": "c"}',
                "has the key 'test' twice; write all rows into one list",
            ),
            (
                '{"text": {"0": "a"}, "label": {"0": 1}}',
                r"with 'text', 'label', whose values are columns, .*orient=\"records\"",
            ),
            ('{"text": ["a"], "label": [1]}', r"whose values are columns, .*to_json\(orient=\"records\", lines=True\)"),
            ('{"columns": ["text"], "data": [["a"]]}', "with 'columns', 'data', whose values are columns"),
            (
                '{"data": [{"text": "a"}], "data": [{"text": "b"}]}',
                "has the key 'data' twice; write all rows into one list",
            ),
            ('[{"text": "a"},\n{"text": "b"', "line 2: is not valid JSON .* at column 13"),
            ('[{"text": "a"},\n{"text" "b"}]', "line 2: is not valid JSON .* at column 9"),
            (
                '[{"text": "a"},\n\n{"text": "b"}]\n\n{"text": "c"}',
                r"line 5: is not valid JSON \(a second value begins at column 1",
            ),
            ('{\n"text": "a"\n}\n{\n"text": "b"\n}', r"line 4: is not valid JSON \(a second value begins at column 1"),
            ('[{"text": "a"},\n{"text": ' + "1" * 5000 + "}]", "is not readable JSON"),
            ('[{"text": "a"},\n{"text": ' + "[" * 200_000 + "}]", "is not readable JSON"),
        ],
    )
    def test_file_that_is_not_a_list_of_rows(self, tmp_path, content, message):
        with pytest.raises(UserError, match=message):
            read(tmp_path / "a.json", content)

    def test_bytes_in_a_whole_file(self, tmp_path):
        with pytest.raises(UserError, match=r"a\.json, line 2: is not valid UTF-8 at byte 10; .*encoding=windows-1252"):
            read(tmp_path / "a.json", b'[{"text": "a"},\n{"text": "\xe9"}]')

    @pytest.mark.parametrize(
        ("line", "fault"),
        [
            (b'{"text": "a \xff b"}', "is not valid UTF-8 at byte 12; if the file is in Windows-1252"),
            (
                b'{"text": "a',
                "is neither valid JSON (Unterminated string starting at at column 10) nor a Python dict (",
            ),
            (
                b'{"text": "a", "label": 0',
                "is neither valid JSON (Expecting ',' delimiter at column 25) nor a Python dict (",
            ),
            (
                b"good film",
                "is neither valid JSON (Expecting value at column 1) nor a Python dict (it does not begin with",
            ),
            (b"[1, 2]", "is JSON but not an object"),
            (b"3", "is JSON but not an object"),
            (b'{"label": ' + b"1" * 5000 + b"}", "is not readable JSON"),
            (b"[" * 200_000, "is not readable JSON"),
            (b'{"text": "a"}{"text": "b"}', "goes on after its JSON value, at column 14; write one object per line"),
            (b'{"text": "a"},', "ends in a comma; remove it, or make the file one list"),
            (b'{"text": "a", "text": "b"}', "has the key 'text' twice"),
            (b'{"text": "a", "more": {"x": 1, "x": 2}}', "has the key 'x' twice"),
            (b"{'text': 'a', 'text': 'b'}", "has the key 'text' twice"),
            (b"{'text': 'a', 'more': {'x': 1, 'x': 2}}", "has the key 'x' twice"),
            (
                b"{'text': open('x')}",
                "is neither valid JSON (Expecting property name enclosed in double quotes at column",
            ),
            (
                b"{'text', 'label'}",
                "is neither valid JSON (Expecting property name enclosed in double quotes at column 2)",
            ),
            (b"{1: 'text'}", "is neither valid JSON (Expecting property name enclosed in double quotes at column 2)"),
            (b"{'text': " + b"(" * 5000 + b"}", "is neither valid JSON (Expecting property name enclosed in double"),
            (b"{'text': '" + b"x" * 2**20 + b"'}", "is neither valid JSON (Expecting property name enclosed in double"),
        ],
    )
    def test_bad_line_is_named_and_the_next_one_is_read(self, tmp_path, line, fault):
        good = b'{"text": "fine", "label": NaN}\n'
        for content, expected in ((line + b"\n" + good, [1, 2]), (good + line + b"\n" + good, [1, 2, 3])):
            rows = read(tmp_path / "a.jsonl", content)
            assert lines_of(rows) == expected
            assert rows[-2].fault.startswith(fault)
            assert (rows[-1].fields["text"], rows[-1].fault) == ("fine", "")

    def test_bad_elements_of_a_list(self, tmp_path):
        rows = read(tmp_path / "a.json", '[{"text": "a"},\n1, {"text": "b", "text": "c"},\n{"text": "d"}]')
        assert faults(rows) == ["", "is JSON but not an object", "has the key 'text' twice", ""]
        assert lines_of(rows) == [1, 2, 2, 3]

    def test_python_dicts(self, tmp_path):
        line = {"reviewText": 'it\'s "good"', "overall": 5.0, "helpful": [0, 1], "verified": True, "style": None}
        assert [row.fields for row in read(tmp_path / "a.json", f"{line}\n{line}\n")] == [line, line]
        assert read(tmp_path / "a.json", r"{'text': 'a \d'}")[0].fields == {"text": r"a \d"}


class TestFastText:
    def test_names_and_spaces(self, tmp_path):
        rows = read(
            tmp_path / "a.txt", "__label__1 one\n\n__label__very-good\ttwo  words \n  __label__ü  a__label__b\r\n"
        )
        assert [tuple(row.fields.values()) for row in rows] == [
            ("1", "one"),
            ("very-good", "two  words"),
            ("ü", "a__label__b"),
        ]
        assert lines_of(rows) == [1, 3, 4]

    @pytest.mark.parametrize(
        ("line", "fault"),
        [
            (b"__label__2 a \xff b", "is not valid UTF-8 at byte 13"),
            (b"fine film", "does not begin with __label__ and the name of a class, such as __label__1"),
            (b"__LABEL__1 fine film", "does not begin with __label__ and the name of a class, such as __label__1"),
            (b"__label__1 __label__3 fine", "has 2 labels (__label__1, __label__3); an example has one class"),
            (b"__label__1 fine __label__1", "has 2 labels (__label__1, __label__1); an example has one class"),
            ("__label__1 fine\u00a0__label__2".encode(), "has 2 labels"),
            (b"__label__1,__label__2 fine", "has 2 labels (__label__1,__label__2); an example has one class"),
            (b"__label__1|__label__2 fine", "has 2 labels"),
            (b"__label__1__label__2 fine", "has 2 labels"),
            (b"__label__1 fine\r__label__2 film", "has 2 labels"),
            (b"fine film __label__1", "has the label __label__1 within or after the text; write it at the beginning"),
            (b"__label__ fine", "has no name of a class after __label__"),
            (b"__label__1", "has no text"),
            (b"__label__1 \t ", "has no text"),
        ],
    )
    def test_bad_line_is_named_and_the_next_one_is_read(self, tmp_path, line, fault):
        bad, after = read(tmp_path / "a.txt", line + b"\n__label__2 fine\n")
        assert bad.fault.startswith(fault)
        assert (bad.fields, bad.line) == ({}, 1)
        assert after.fields == {"label": "2", "text": "fine"}


class TestParquet:
    def test_columns_of_any_kind(self, tmp_path):
        columns = {
            "text": pa.array(["a", "b"]).dictionary_encode(),
            "label": pa.array([1, 0], pa.int8()).dictionary_encode(),
            "image": pa.array([b"\xff", None]),
            "nested": pa.array([{"a": [1, 2]}, {"a": None}]),
            "map": pa.array([[("k", 1)], []], pa.map_(pa.string(), pa.int64())),
            "time": pa.array([1, 2], pa.timestamp("ns")),
        }
        pq.write_table(pa.table(columns), tmp_path / "a.parquet")
        rows = read(tmp_path / "a.parquet")
        assert texts(rows) == ["a", "b"]
        assert [row.fields["label"] for row in rows] == [1, 0]
        assert [row.place for row in rows] == [f"{tmp_path}/a.parquet, row {n}" for n in range(2)]

    def test_values_that_cannot_be_read(self, tmp_path):
        text = pa.Array.from_buffers(
            pa.string(),
            3,
            [None, pa.py_buffer(bytes([0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0])), pa.py_buffer(b"a\xffb")],
        )
        pq.write_table(pa.table({"text": text}), tmp_path / "a.parquet")
        rows = read(tmp_path / "a.parquet")
        assert [row.fields for row in rows] == [{"text": "a"}, {}, {"text": "b"}]
        assert rows[1].fault.startswith(
            "has an unreadable value in the column 'text' ('utf-8' codec can't decode byte 0xff"
        )
        late = pa.array([0, 10**7], pa.date32())
        pq.write_table(pa.table({"text": ["a", "b"], "day": late}), tmp_path / "b.parquet")
        rows = read(tmp_path / "b.parquet")
        assert rows[0].fields == {"text": "a", "day": datetime.date(1970, 1, 1)}
        assert rows[1].fault.startswith("has an unreadable value in the column 'day' (")

    def test_columns_of_one_name(self, tmp_path):
        table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"])
        pq.write_table(table, tmp_path / "a.parquet")
        with pytest.raises(UserError, match=r"a\.parquet has several columns named 'text'; rename all but one of them"):
            read(tmp_path / "a.parquet")

    def test_damaged_file(self, tmp_path):
        with pytest.raises(UserError, match=r"d\.parquet cannot be read as parquet \(.+\); fetch it again"):
            read(tmp_path / "d.parquet", write(tmp_path / "e.parquet", ROWS).read_bytes()[:-20])
