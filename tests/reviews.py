"""Helpers for the tests of the text pipeline and of the commands: review files in every format."""

import bz2
import csv
import gzip
import io
import json
import lzma
import os
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from lstm_jax.config import DataConfig

ROOT = Path(__file__).parents[1]

# A folder of real reviews, which are not part of the repository. Tests that read them are skipped without it.
REAL_DATA = Path(os.environ.get("LSTM_JAX_TEST_DATA") or "no folder named")

# Texts with what formats escape: delimiters, quotes, apostrophes, HTML, characters beyond ASCII and beyond 16 bits.
ROWS = [
    {"text": "a fine, fine film", "label": 1, "rating": 5},
    {"text": 'he said "never again" & left', "label": 0, "rating": 1},
    {"text": "don't bother", "label": 0, "rating": 2},
    {"text": "so-so<br />and then, 'more'", "label": 1, "rating": 3},
    {"text": "überraschend gut 😀 映画", "label": 1, "rating": 4},
]
FORMATS = (
    "reviews.parquet",
    "reviews.csv",
    "reviews.csv.gz",
    "reviews.tsv",
    "reviews.json",
    "reviews.json.gz",
    "reviews.jsonl",
    "reviews.jsonl.bz2",
    "reviews.ndjson.xz",
    "reviews.csv.zip",
    "Reviews.Json.GZ",
    "reviews.txt",
    "reviews.txt.gz",
    "reviews.txt.bz2",
)


def write(path: Path, rows: list[dict]) -> Path:
    """Writes rows in the format of the file's name; fastText holds only ``text`` and ``label``."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    kinds = [suffix for suffix in suffixes if suffix not in COMPRESS]
    content = {".parquet": _parquet, ".csv": _csv, ".tsv": _tsv, ".txt": _fasttext}.get(kinds[-1], _json_lines)(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(COMPRESS.get(suffixes[-1], bytes)(content))
    return path


def zipped(members: dict[str, bytes]) -> bytes:
    """A zip file with members of the given names."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


COMPRESS = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zip": lambda content: zipped({"reviews": content}),
}


def _parquet(rows: list[dict]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


def _csv(rows: list[dict]) -> bytes:
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue().encode()


def _tsv(rows: list[dict]) -> bytes:
    lines = [list(rows[0]), *(list(row.values()) for row in rows)]
    return "".join("\t".join(map(str, line)) + "\n" for line in lines).encode()


def _json_lines(rows: list[dict]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def _fasttext(rows: list[dict]) -> bytes:
    return "".join(f"__label__{row['label'] + 1} {row['text']}\n" for row in rows).encode()


def files(path: Path, **options) -> DataConfig:
    """The config of reviews in a file or a folder."""
    return DataConfig(source="files", path=str(path), **options)
