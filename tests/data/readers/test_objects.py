"""JSON in all its forms."""

import json

import pytest

from lstm_jax.errors import UserError
from tests.data.readers.helpers import faults, lines_of, read

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
