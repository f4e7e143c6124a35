"""Encodings of text files, and fastText."""

import pytest

from lstm_jax.errors import UserError
from tests.data.readers.helpers import faults, lines_of, read, stored, texts

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
        rows = read(tmp_path / name, stored(name, content), encoding=encoding)
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
            read(tmp_path / name, stored(name, content), encoding=encoding)

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
            read(tmp_path / name, stored(name, content), encoding=encoding)

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
