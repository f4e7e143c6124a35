"""The data pipeline: from a generated file of reviews to token ids."""

import bz2
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from absl import flags

from lstm_jax import runtime
from lstm_jax.benchmarks import memory
from lstm_jax.benchmarks.measurement import Measurement
from lstm_jax.benchmarks.record import Record, provenance
from lstm_jax.benchmarks.worker import Worker
from lstm_jax.config import Config, from_json, to_json
from lstm_jax.configs import floydhub_amazon
from lstm_jax.data import corpus
from lstm_jax.data.examples import load_examples
from lstm_jax.reports.tables import markdown

WORDS = 2_000_000  # Size of the generator's vocabulary.
EXPONENT = 1.05  # Exponent of Zipf's law, by which words are drawn.
MEAN_LENGTH, LENGTH_DEVIATION = 78, 43  # Words per review in Amazon polarity (Zhang et al. 2015).
ALPHABET = np.array(list("eeeeettttaaaaooooiiinnnsssrrrhhllddcumfpgwybvk"))
CHUNK = 20_000  # Number of reviews generated at a time.


def define_text() -> None:
    """Defines the flags of this suite."""
    flags.DEFINE_integer("reviews", 800_000, "Reviews in the generated file.", lower_bound=1000)


def run_text(place: Path, command: str, reviews: int) -> str:
    """Generates the file of reviews if it is missing, measures, writes ``text.json`` and returns the table."""
    config = floydhub_amazon.get_config("small")
    config.data.path = str(generated(place, reviews))
    with tempfile.TemporaryDirectory(dir=place) as cache:
        made = measure_preparation(config, Path(cache), reviews)
    Record(**provenance(command, runtime.machine())).collect([made], place / "text.json")
    return preparation_table(made, reviews)


class Preparation:
    """The process that prepares reviews; see ``worker.py``."""

    def __init__(self, name: str) -> None:
        del name  # there is only one

    def prepare(self, config: str, cache: str) -> dict[str, Any]:
        """Returns the seconds of each stage and the peak memory. Everything is cached in the folder ``cache``."""
        os.environ["LSTM_JAX_CACHE"] = cache
        data, seconds = from_json(config).data, {}
        # What the first stage reads is cached, so the second stage does not read it again.
        for stage, function in (("reading", load_examples), ("tokenising", corpus.prepare)):
            start = time.perf_counter()
            function(data)
            seconds[stage] = time.perf_counter() - start
        return {"seconds": seconds, "peak_bytes": memory.peak()}


def measure_preparation(config: Config, cache: Path, reviews: int) -> Measurement:
    """Times all stages from a file to token ids, in a process of its own.

    Args:
      config: A config whose ``data.path`` is the file.
      cache: An empty folder for caches.
      reviews: The number of reviews in the file, for the case's name.
    """
    own = Measurement("text", f"reviews {reviews}", "ours", "preparing")
    with Worker("lstm_jax.benchmarks.suites.text:Preparation", "ours") as worker:
        answer = worker.ask("prepare", config=to_json(config), cache=str(cache))
    if "error" in answer:
        return own._replace(error=answer["error"])
    own = own.timed([[sum(answer["seconds"].values())]])
    return own._replace(details=answer["seconds"], peak_bytes=answer["peak_bytes"])


def preparation_table(made: Measurement, reviews: int) -> str:
    """One row per stage, and the peak memory of the process."""
    if made.error or not made.seconds:
        return f"{made.case}: {made.error}"
    stages = {**made.details, "all": made.seconds}
    rows = [[stage, f"{seconds:.1f}", f"{reviews / seconds:,.0f}"] for stage, seconds in stages.items()]
    peak = f"Peak memory of the process: {(made.peak_bytes or 0) / 2**30:.2f} GiB."
    return f"{markdown([['stage', 'seconds', 'reviews/s'], *rows])}\n\n{peak}"


def generated(place: Path, count: int) -> Path:
    """The path of a file of ``count`` generated reviews in the folder ``place``. It is written if it is missing."""
    file = place / f"generated-{count}.ft.txt.bz2"
    if not file.exists():
        write_reviews(file, count)
    return file


def write_reviews(path: Path, count: int, seed: int = 0) -> None:
    """Writes reviews of random words in fastText's format, compressed by bz2.

    Words follow Zipf's law. Some begin with a capital, end in punctuation, or are numbers or web addresses.
    """
    rng = np.random.default_rng(seed)
    known = _words(rng)
    ranks = np.arange(1, WORDS + 1, dtype=np.float64) ** -EXPONENT
    below = np.cumsum(ranks / ranks.sum())
    part = path.with_name(f".{path.name}.part")
    with bz2.open(part, "wb", compresslevel=1) as file:
        for start in range(0, count, CHUNK):
            size = min(CHUNK, count - start)
            lengths = np.clip(rng.normal(MEAN_LENGTH, LENGTH_DEVIATION, size), 8, 240).astype(int)
            drawn = known[np.searchsorted(below, rng.random(lengths.sum()))]
            ends = np.cumsum(lengths)
            labels = rng.integers(1, 3, size)
            lines = [
                f"__label__{label} {' '.join(drawn[end - length : end])}\n"
                for label, end, length in zip(labels, ends, lengths, strict=True)
            ]
            file.write("".join(lines).encode())
    part.replace(path)


def _words(rng: np.random.Generator) -> Any:
    lengths = rng.integers(2, 11, WORDS)
    text = "".join(ALPHABET[rng.integers(0, len(ALPHABET), lengths.sum())])
    ends = np.cumsum(lengths)
    kinds = rng.choice(6, WORDS, p=[0.76, 0.08, 0.08, 0.04, 0.035, 0.005])
    words = []
    for kind, end, length in zip(kinds, ends, lengths, strict=True):
        word = text[end - length : end]
        shaped = (word, word + ".", word + ",", word.capitalize(), f"{length * 37}", f"http://www.{word}.com/x")[kind]
        words.append(shaped)
    return np.array(words, object)
