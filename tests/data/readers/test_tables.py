"""Tables: csv and tsv."""

import csv
import io
import random

import pytest

from lstm_jax.errors import UserError
from tests.data.readers.helpers import faults, lines_of, read, texts


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
