"""How fast reviews become a corpus: a generated fastText file, read, cleaned, tokenised and flattened."""

import bz2
import contextlib
import logging
import os
import time
from pathlib import Path
from typing import Any

import datasets
import numpy as np

from lstm_jax.config import DataConfig
from lstm_jax.data import corpus
from lstm_jax.data import tokenizer as tokens
from lstm_jax.data.sources import load as sources

log = logging.getLogger(__name__)

WORDS = 2_000_000  # that the generator knows, drawn by Zipf's law
EXPONENT = 1.05
MEAN_LENGTH, DEVIATION = 78, 43  # words of a review of Amazon polarity (Zhang et al. 2015)
LETTERS = np.array(list("eeeeettttaaaaooooiiinnnsssrrrhhllddcumfpgwybvk"))
CHUNK = 20_000  # reviews generated at a time


def write_reviews(path: Path, count: int, seed: int = 0) -> None:
    """Writes ``count`` reviews of random words in fastText's format, compressed by bz2.

    Words follow Zipf's law; some begin with a capital, end in punctuation, or are numbers or web addresses.
    """
    rng = np.random.default_rng(seed)
    known = _words(rng)
    ranks = np.arange(1, WORDS + 1, dtype=np.float64) ** -EXPONENT
    below = np.cumsum(ranks / ranks.sum())
    part = path.with_name(f".{path.name}.part")
    with bz2.open(part, "wb", compresslevel=1) as file:
        for start in range(0, count, CHUNK):
            size = min(CHUNK, count - start)
            lengths = np.clip(rng.normal(MEAN_LENGTH, DEVIATION, size), 8, 240).astype(int)
            drawn = known[np.searchsorted(below, rng.random(lengths.sum()))]
            ends = np.cumsum(lengths)
            labels = rng.integers(1, 3, size)
            lines = [
                f"__label__{label} {' '.join(drawn[end - length : end])}\n"
                for label, end, length in zip(labels, ends, lengths, strict=True)
            ]
            file.write("".join(lines).encode())
    part.replace(path)


def generated(place: Path, count: int) -> Path:
    """A file of so many generated reviews in a folder, written where it is missing."""
    file = place / f"generated-{count}.ft.txt.bz2"
    if not file.exists():
        write_reviews(file, count)
    return file


def _words(rng: np.random.Generator) -> Any:
    lengths = rng.integers(2, 11, WORDS)
    text = "".join(LETTERS[rng.integers(0, len(LETTERS), lengths.sum())])
    ends = np.cumsum(lengths)
    kinds = rng.choice(6, WORDS, p=[0.76, 0.08, 0.08, 0.04, 0.035, 0.005])
    words = []
    for kind, end, length in zip(kinds, ends, lengths, strict=True):
        word = text[end - length : end]
        shaped = (word, word + ".", word + ",", word.capitalize(), f"{length * 37}", f"http://www.{word}.com/x")[kind]
        words.append(shaped)
    return np.array(words, object)


# What ``corpus.prepare`` spends most of its time in: module, function, and what it does in words.
STAGES = (
    (sources, "load", "reading"),
    (corpus, "select", "choosing the parts"),
    (tokens, "prepared", "cleaning and finding words"),
    (tokens, "learn", "vocabulary"),
    (tokens, "tokenised", "words to ids"),
)


def measure(config: DataConfig) -> list[tuple[str, float]]:
    """Seconds that ``corpus.prepare`` takes as a run calls it, by stage; what no stage has is ``corpus``.

    Nothing may be cached of what the config names.
    """
    seconds = {name: 0.0 for _, _, name in STAGES}

    def timed(function: Any, name: str) -> Any:
        def stage(*arguments: Any, **options: Any) -> Any:
            start = time.perf_counter()
            result = function(*arguments, **options)
            seconds[name] += time.perf_counter() - start
            return result

        return stage

    with contextlib.ExitStack() as undone:
        for module, function, name in STAGES:
            undone.callback(setattr, module, function, getattr(module, function))
            setattr(module, function, timed(getattr(module, function), name))
        start = time.perf_counter()
        corpora = corpus.prepare(config)
        everything = time.perf_counter() - start
    parts = [corpora.train, corpora.validation, corpora.test]
    counts = sum(len(part.labels) for part in parts), sum(len(part.tokens) for part in parts)
    log.info("%d reviews, %d words", *counts)
    return [*seconds.items(), ("corpus", everything - sum(seconds.values()))]


def measure_in(cache: Path, config: DataConfig) -> list[tuple[str, float]]:
    """``measure`` with all that is cached in a folder, from now on and for the whole process."""
    os.environ["LSTM_JAX_CACHE"] = str(cache)
    datasets.config.HF_DATASETS_CACHE = cache / "datasets"
    return measure(config)


def table(stages: list[tuple[str, float]], count: int, peak: int) -> str:
    """The stages, their sum, reviews a second, and the peak memory in GiB of so many bytes."""
    total = sum(seconds for _, seconds in stages)
    lines = [f"{name:<28}{seconds:>9.1f} s{count / seconds:>14,.0f} reviews/s" for name, seconds in stages]
    lines.append(f"{'all':<28}{total:>9.1f} s{count / total:>14,.0f} reviews/s")
    return "\n".join([*lines, f"{'peak memory':<28}{peak / 2**30:>9.2f} GiB"])
