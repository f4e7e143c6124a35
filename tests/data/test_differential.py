"""Random files, read by the package and by pandas, must give the rows that were written.

Every run draws new files. It prints its seed; ``LSTM_JAX_FUZZ_SEED=N`` draws the same files again. Hypothesis shrinks a
failure and keeps it in the folder ``.hypothesis``, so that the next run tries it first.
"""

import csv
import io
import json
import os
import random
import tempfile
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from hypothesis.database import DirectoryBasedExampleDatabase

from lstm_jax.data.examples import load_examples
from tests.reviews import COMPRESS, files

SEED = int(os.environ.get("LSTM_JAX_FUZZ_SEED") or random.SystemRandom().randrange(2**32))
KEPT = Path(__file__).parents[2] / ".hypothesis" / "examples"
QUICK = 20  # Number of files of each format.
SLOW = 400

# The labels of a file, and as the package writes them.
LABELS = [
    {0: "0", 1: "1"},
    {-1: "-1", 0: "0", 1: "1"},
    {1: "1", 2: "2", 10: "10"},
    {False: "False", True: "True"},
    {0.0: "0", 1.0: "1", -2.0: "-2"},
    {"negative": "negative", "positive": "positive"},
    {"sehr gut": "sehr gut", "schlecht": "schlecht", "très, bien": "très, bien"},
    {"01": "01", "2": "2", "A": "A", 'the "B"': 'the "B"'},
]
# Texts are made of these pieces, none of which is a label.
PIECES = [
    "good",
    "bad film",
    " ",
    ", ",
    ",",
    '"',
    '""',
    "'",
    "\n",
    "\r\n",
    "\n\n",
    "\t",
    "\\",
    "ü",
    "ß €",
    "<br />",
    "#",
    "NA",
]
WIDE = ["映画", "😀", "\u2028", "\x85", "\u00a0", "\ufeff"]  # Outside of Windows-1252.
CODECS = {
    "utf-8": "utf-8",
    "utf-8-sig": "utf-8",
    "windows-1252": "windows-1252",
    "utf-16": "utf-16",
    "utf-16-le": "utf-16-le",
}


class Case(NamedTuple):
    """A file to write.

    Attributes:
      rows: Texts and labels.
      expected: The labels as the package writes them.
      codec: The codec of the file.
      compressor: The ending of the compressor, if any.
      form: A choice among the forms of the format.
    """

    rows: list[tuple[str, object]]
    expected: list[str]
    codec: str
    compressor: str
    form: int


@st.composite
def cases(draw, without: str = "", labels=LABELS) -> Case:
    """Files whose texts hold none of the characters ``without``."""
    codec = draw(st.sampled_from(sorted(CODECS)))
    pieces = [*PIECES, *(WIDE if codec.startswith("utf") else [])]
    pieces = [piece for piece in pieces if not set(piece) & set(without)]
    texts = st.lists(st.sampled_from(pieces), min_size=1, max_size=12).map("".join).filter(lambda text: text.strip())
    known = draw(st.sampled_from(labels))
    chosen = [*list(known)[:2], *draw(st.lists(st.sampled_from(list(known)), max_size=8))]
    rows = [(draw(texts), label) for label in draw(st.permutations(chosen))]
    compressor = draw(st.sampled_from(["", "", *COMPRESS]))
    return Case(rows, [known[label] for _, label in rows], codec, compressor, draw(st.integers(0, 7)))


def differential(strategy, count: int):
    """Runs a test on ``count`` files, with the seed of this run."""
    own = settings(
        max_examples=count,
        derandomize=False,
        database=DirectoryBasedExampleDatabase(KEPT),
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )
    return lambda test: seed(SEED)(own(given(case=strategy)(test)))


def check(case: Case, name: str, content: bytes, theirs, **options) -> None:
    """Compares the package's rows of a file with those of another reader and with those that were written."""
    print(f"LSTM_JAX_FUZZ_SEED={SEED}")
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / name
        plain.write_bytes(content)
        other = [(text, label) for text, label in zip(*theirs(plain), strict=True)]
        path = plain.with_name(name + case.compressor)
        path.write_bytes(COMPRESS.get(case.compressor, bytes)(content))
        found = load_examples(files(path, encoding=CODECS[case.codec], **options)).splits["train"].dataset
        ours = list(zip(found["text"], found["label"], strict=True))
        rows = found["row"]
    texts = [text for text, _ in case.rows]
    assert ours == list(zip(texts, case.expected, strict=True))
    assert [text for text, _ in ours] == [text for text, _ in other]
    assert [label for _, label in ours] == [canonical(label, case) for _, label in other]
    assert list(rows) == list(range(len(ours)))


def canonical(label: object, case: Case) -> str:
    """The label of another reader, as the package writes it."""
    kind = type(case.rows[0][1])
    return str(int(float(str(label)))) if kind in (int, float) else str(label)


def csv_file(case: Case) -> None:
    columns = [["text", "label"], ["label", "text"], ["id", "text", "label"], ["label", "text", "x, y"]][case.form % 4]
    buffer = io.StringIO(newline="")
    quoting = csv.QUOTE_ALL if case.form > 3 else csv.QUOTE_MINIMAL
    writer = csv.DictWriter(buffer, columns, restval="z", quoting=quoting, extrasaction="ignore")
    writer.writeheader()
    writer.writerows({"id": f"n{n}", "text": text, "label": label} for n, (text, label) in enumerate(case.rows))

    def by_pandas(path: Path):
        table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding=case.codec)
        return table["text"], table["label"]

    check(case, "a.csv", buffer.getvalue().encode(case.codec), by_pandas)


def tsv_file(case: Case) -> None:
    columns = [["text", "label"], ["label", "text"]][case.form % 2]
    rows = [{"text": text, "label": str(label)} for text, label in case.rows]
    lines = ["\t".join(columns), *("\t".join(row[column] for column in columns) for row in rows)]
    end = "\n" if case.form < 4 else "\r\n"

    def by_pandas(path: Path):
        options = {"dtype": str, "keep_default_na": False, "encoding": case.codec}
        table = pd.read_csv(path, sep="\t", quoting=csv.QUOTE_NONE, **options)
        return table["text"], table["label"]

    in_marks = [len(text) > 1 and text[0] == text[-1] == '"' for text, _ in case.rows]
    doubled = any(marks and '""' in text[1:-1] for marks, (text, _) in zip(in_marks, case.rows, strict=True))
    quoting = "none" if doubled or all(in_marks) else "auto"  # These are ambiguous.
    check(case, "a.tsv", (end.join(lines) + end).encode(case.codec), by_pandas, quoting=quoting)


def json_file(case: Case) -> None:
    rows = [{"text": text, "label": label, "more": [{"a": 1}]} for text, label in case.rows]
    written = [json.dumps(row, ensure_ascii=bool(case.form % 2)) for row in rows]
    content = [
        "\n".join(written),
        "\r\n\r\n".join(written) + "\n",
        "[" + ",\n".join(written) + "]",
        json.dumps(rows, indent=case.form % 3),
    ][case.form // 2]

    def by_pandas(path: Path):
        content = path.read_bytes().decode(case.codec)
        if case.form < 4:
            content = "\n".join(line for line in content.split("\n") if line.strip())
        table = pd.read_json(io.StringIO(content), lines=case.form < 4, dtype=False)
        return table["text"], table["label"]

    check(case, ["a.jsonl", "a.json", "a.ndjson"][case.form % 3], content.encode(case.codec), by_pandas)


def parquet_file(case: Case) -> None:
    table = pa.table({"text": [text for text, _ in case.rows], "label": [label for _, label in case.rows]})
    if case.form % 2:
        table = table.set_column(0, "text", table["text"].dictionary_encode())
    buffer = io.BytesIO()
    pq.write_table(table, buffer, row_group_size=1 + case.form)

    def by_pandas(path: Path):
        read = pd.read_parquet(path)
        return read["text"].astype(str), read["label"]

    check(case, "a.parquet", buffer.getvalue(), by_pandas)


def fasttext_file(case: Case) -> None:
    rows = [(text.strip(), label) for text, label in case.rows]
    gap = " \t"[case.form % 2]
    content = "".join(f"__label__{label}{gap}{text}\n" for text, label in rows)

    def by_pandas(path: Path):
        options = {"sep": "\0", "header": None, "quoting": csv.QUOTE_NONE, "encoding": case.codec, "dtype": str}
        lines = pd.read_csv(path, keep_default_na=False, **options)[0]
        parts = lines.str.extract(r"^__label__([^ \t]+)[ \t](.*)$")
        return parts[1], parts[0]

    check(case._replace(rows=rows), "a.txt", content.encode(case.codec), by_pandas)


WORDS = [known for known in LABELS if not any(" " in str(label) for label in known)]
FORMATS = {
    "csv": (csv_file, cases()),
    "tsv": (tsv_file, cases(without="\t\r\n")),
    "json": (json_file, cases()),
    "parquet": (parquet_file, cases()),
    "fasttext": (fasttext_file, cases(without="\r\n", labels=WORDS)),
}


@pytest.mark.parametrize("name", FORMATS)
def test_few_files_are_read_as_by_pandas(name):
    test, strategy = FORMATS[name]
    differential(strategy, QUICK)(test)()


@pytest.mark.long
@pytest.mark.parametrize("name", FORMATS)
def test_many_files_are_read_as_by_pandas(name):
    test, strategy = FORMATS[name]
    differential(strategy, SLOW)(test)()
