"""Parquet."""

import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lstm_jax.errors import UserError
from tests.data.readers.helpers import read, texts
from tests.reviews import ROWS, write


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
