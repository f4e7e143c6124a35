"""Cached files are verified whenever they are read; a damaged one is made again and never in the way."""

import stat

import pyarrow as pa
import pytest

from lstm_jax import runtime
from lstm_jax.data import cache
from tests.data.helpers import training_rows
from tests.reviews import ROWS, files, write

SCHEMA = pa.schema([("n", pa.int64())])


@pytest.fixture
def table(tmp_path, monkeypatch):
    """Reads a cached table of the numbers 0 to 999, and counts how often it was made."""
    monkeypatch.setenv("LSTM_JAX_CACHE", str(tmp_path))
    made = []

    def make(facts):
        made.append(facts)
        facts["rows"] = 1000
        for start in range(0, 1000, 100):
            yield pa.RecordBatch.from_pydict({"n": list(range(start, start + 100))}, schema=SCHEMA)

    def read() -> int:
        dataset, facts = cache.cached_table("numbers/some", SCHEMA, make)
        assert (dataset["n"][:], facts) == (list(range(1000)), {"rows": 1000})
        assert dataset._fingerprint == "some"
        return len(made)

    return read


def test_a_table_is_made_once(table):
    assert [table(), table()] == [1, 1]


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize("name", ["some.arrow", "some.arrow.json"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: content + b"\0",
        lambda content: flipped(content, 0),
        lambda content: flipped(content, 20),
        lambda content: flipped(content, len(content) // 2),
        lambda content: flipped(content, len(content) - 4),
    ],
    ids=["empty", "half", "longer", "first byte", "byte 20", "middle", "end"],
)
def test_a_damaged_table_is_made_again_with_one_line(table, tmp_path, caplog, name, damage):
    table()
    file = tmp_path / "numbers" / name
    file.write_bytes(damage(file.read_bytes()))
    assert table() == 2
    assert caplog.messages == [f"the cached file {tmp_path / 'numbers' / 'some.arrow'} is damaged; it is made again"]
    assert table() == 2


@pytest.mark.parametrize("name", ["some.arrow", "some.arrow.json"])
def test_a_table_that_was_not_written_to_the_end_is_made_again(table, tmp_path, caplog, name):
    table()
    (tmp_path / "numbers" / name).unlink()
    assert table() == 2
    assert caplog.messages == []


def test_a_failed_write_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("LSTM_JAX_CACHE", str(tmp_path))

    def make(facts):
        yield pa.RecordBatch.from_pydict({"n": [1]}, schema=SCHEMA)
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        cache.cached_table("numbers/some", SCHEMA, make)
    assert list((tmp_path / "numbers").iterdir()) == []


@pytest.mark.parametrize("obstacle", ["numbers", "numbers/some.arrow/", "numbers/some.arrow.json/"])
def test_what_stands_in_the_way_is_left_alone_and_said(table, tmp_path, caplog, obstacle):
    place = tmp_path / obstacle
    place.parent.mkdir(parents=True, exist_ok=True)
    if obstacle.endswith("/"):
        place.mkdir()
    else:
        place.write_text("mine")
    runtime.temporary_cache.cache_clear()
    assert table() == 1
    assert place.exists()
    (message,) = caplog.messages
    assert message.startswith(f"the cached file {tmp_path / 'numbers' / 'some.arrow'} cannot be used (")
    assert table() == 1


def test_examples_follow_the_content_of_a_file_and_not_its_time_stamp(tmp_path, caplog):
    path = write(tmp_path / "a.csv", [{"text": "one", "label": 0}])
    times = path.stat()
    assert training_rows(files(path)) == [("one", "0")]
    path.write_bytes(path.read_bytes().replace(b"one", b"two"))
    runtime.os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert path.stat().st_size == times.st_size
    assert training_rows(files(path)) == [("two", "0")]


@pytest.mark.parametrize("folder", ["file", "file/inside"])
def test_an_unusable_cache_folder_is_replaced_by_a_temporary_one(tmp_path, monkeypatch, caplog, folder):
    (tmp_path / "file").write_text("mine")
    monkeypatch.setenv("LSTM_JAX_CACHE", str(tmp_path / folder))
    rows = training_rows(files(write(tmp_path / "a.csv", ROWS)))
    assert [text for text, _ in rows] == [row["text"] for row in ROWS]
    (message,) = caplog.messages
    assert message.startswith(f"the cache folder {tmp_path / folder} cannot be used (")
    assert message.endswith("set LSTM_JAX_CACHE to another folder")
    assert (tmp_path / "file").read_text() == "mine"
    assert stat.S_IMODE(runtime.cache_dir().stat().st_mode) == 0o700


def test_a_rebuilt_table_is_made_once_in_each_command(table):
    table()
    for made in (2, 3):
        with cache.renewing(True):
            assert [table(), table()] == [made, made]
    with cache.renewing(False):
        assert table() == 3
