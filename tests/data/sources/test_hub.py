"""Reviews from the Hub, downloaded from a fake Hub on this machine, each time in a separate process."""

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.data.fake_hub import FakeHub

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
SECONDS = 30  # Maximum duration of a command that finds no Hub. The Hub's client alone would retry for 23.

LOAD = """
import json, sys
from lstm_jax import cli
cli._quiet_libraries()
from lstm_jax.config import DataConfig, TokensConfig
from lstm_jax.errors import UserError
from lstm_jax.data import corpus
from lstm_jax.data.examples import load_examples
found = {}
for source in ("imdb", "amazon_polarity", "amazon_reviews"):
    config = DataConfig(source=source, tokens=TokensConfig(min_count=1), validation_fraction=0.25, test_fraction=0.25)
    splits = load_examples(config).splits
    parts = {name: list(zip(own.dataset["text"], own.classes.tolist())) for name, own in splits.items()}
    corpora = corpus.prepare(config)
    sizes = [len(getattr(corpora, part).labels) for part in ("train", "validation", "test")]
    found[source] = {"parts": parts, "sizes": sizes, "classes": len(corpora.classes.names)}
    found[source]["words"] = corpora.train.tokens.tolist()
try:
    load_examples(DataConfig(source="amazon_reviews", category="Toys"))
except UserError as error:
    found["error"] = str(error)
print(json.dumps(found))
"""

SPLITS = {"imdb": ("train", "test", "unsupervised"), "amazon_polarity": ("train", "test")}


def card(config: str, splits: tuple[str, ...]) -> bytes:
    """The README that says which files make which split."""
    head = f"---\nconfigs:\n- config_name: {config}\n  default: true\n  data_files:\n"
    return (
        head + "".join(f"  - split: {split}\n    path: {config}/{split}-*\n" for split in splits) + "---\n"
    ).encode()


def imdb(split: str) -> list[tuple[str, int]]:
    return [(f"{split} film {n} <br />was it", -1 if split == "unsupervised" else n % 2) for n in range(12)]


def polarity(split: str) -> list[tuple[str, str, int]]:
    return [(f"{split} {n}", f"it's thing {n}", n % 2) for n in range(12)]


def games() -> list[dict]:
    return [{"rating": float(n % 5 + 1), "title": f"Game {n}", "text": f"played {n}", "images": []} for n in range(20)]


def parquet(names: tuple[str, ...], rows: list[tuple]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows]), buffer)
    return buffer.getvalue()


def repositories() -> dict[str, dict[str, bytes]]:
    file = "{}/{}-00000-of-00001.parquet"
    films = {file.format("plain_text", s): parquet(("text", "label"), imdb(s)) for s in SPLITS["imdb"]}
    columns = ("title", "content", "label")
    things = {file.format("amazon_polarity", s): parquet(columns, polarity(s)) for s in SPLITS["amazon_polarity"]}
    lines = "".join(json.dumps(game) + "\n" for game in games())
    return {
        "stanfordnlp/imdb": {"README.md": card("plain_text", SPLITS["imdb"]), **films},
        "fancyzhx/amazon_polarity": {"README.md": card("amazon_polarity", SPLITS["amazon_polarity"]), **things},
        "McAuley-Lab/Amazon-Reviews-2023": {"raw/review_categories/Video_Games.jsonl": lines.encode()},
    }


def environment(url: str, cache: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.upper().endswith(("_PROXY", "_OFFLINE"))}
    return kept | {
        "HF_ENDPOINT": url,
        "HF_HOME": str(cache / "hub"),
        "HF_DATASETS_CACHE": str(cache / "datasets"),
        "HF_HUB_DISABLE_XET": "1",
        "LSTM_JAX_CACHE": str(cache / "own"),
    }


def python(*arguments: str, url: str, cache: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment(url, cache), capture_output=True, text=True, timeout=120
    )


@pytest.fixture(scope="module")
def downloaded(tmp_path_factory):
    """The data loaded while the Hub was running, its address after it stopped, the cache, and the requests."""
    cache = tmp_path_factory.mktemp("cache")
    with FakeHub(repositories()) as hub:
        done = python("-c", LOAD, url=hub.url, cache=cache)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), hub.url, cache, hub.asked


def test_imdb(downloaded):
    found = downloaded[0]["imdb"]
    assert found["parts"] == {split: [list(row) for row in imdb(split)] for split in ("train", "test")}
    assert found["sizes"] == [9, 3, 12]
    assert found["classes"] == 2


def test_amazon_polarity(downloaded):
    found = downloaded[0]["amazon_polarity"]
    assert found["parts"] == {
        split: [[f"{title}: {content}", label] for title, content, label in polarity(split)]
        for split in ("train", "test")
    }
    assert found["sizes"] == [9, 3, 12]
    assert found["classes"] == 2


def test_amazon_reviews_by_category(downloaded):
    found, _, _, asked = downloaded
    expected = [[f"{game['title']}: {game['text']}", game["rating"] - 1] for game in games()]
    assert found["amazon_reviews"]["parts"] == {"train": expected}
    assert found["amazon_reviews"]["sizes"] == [11, 4, 5]
    assert found["amazon_reviews"]["classes"] == 5
    assert any(path.endswith("raw/review_categories/Video_Games.jsonl") for path in asked)


def test_category_that_the_hub_lacks(downloaded):
    error = downloaded[0]["error"]
    assert error.startswith(
        "McAuley-Lab/Amazon-Reviews-2023/raw/review_categories/Toys.jsonl is neither cached nor available"
    )
    assert "404" in error
    assert "\n" not in error


def test_cache_serves_without_the_hub(downloaded):
    found, url, cache, _ = downloaded
    start = time.monotonic()
    done = python("-c", LOAD, url=url, cache=cache)
    assert time.monotonic() - start < SECONDS
    assert done.returncode == 0, done.stderr
    again = json.loads(done.stdout)
    assert {source: again[source] for source in found if source != "error"} == {
        source: found[source] for source in found if source != "error"
    }


def test_neither_hub_nor_cache(downloaded, tmp_path):
    _, url, _, _ = downloaded
    start = time.monotonic()
    command = ("train.py", f"--workdir={tmp_path / 'run'}", "--config.data.source=imdb")
    done = python(*command, url=url, cache=tmp_path / "cache")
    assert time.monotonic() - start < SECONDS
    assert done.returncode == 1
    *_, line = done.stderr.splitlines()
    assert done.stderr.count("error: ") == 1
    assert line.startswith("error: stanfordnlp/imdb is neither cached nor available from the Hub (")
    assert "--config.data.path=FOLDER" in line
    assert "--config=default" in line
    assert not (tmp_path / "run" / "config.json").exists()
