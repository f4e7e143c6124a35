"""The source ``reviews``: reviews generated from a seed, designed so that counting words is not enough.

A review has 1–5 stars. It makes several statements about a product, and the difference between the good
and the bad ones gives the stars. Each statement says what it means in one of many ways, some of which
reverse the words: negation ("the battery is not bad"), contrast ("i expected a dull screen but it is
bright"), hearsay that the writer rejects. Some statements are about something else and count for nothing.
In every fifth review a remark at the beginning or the end reverses all the others ("read the opposite
into every word above"), so that a word's meaning can depend on another one dozens of words away.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from lstm_jax.config import DataConfig
from lstm_jax.data.readers import Row
from lstm_jax.data.sources.base import Rows, Schema, Source, register

# Adjectives in pairs of good and bad.
PAIRS = (
    "good bad,great terrible,excellent awful,solid flimsy,quick slow,bright dull,clear muddy,quiet noisy,"
    "reliable faulty,sturdy fragile,smooth jerky,comfortable painful,pleasant annoying,useful useless,"
    "clever stupid,elegant ugly,fresh stale,funny boring,gripping tedious,honest misleading,precise sloppy,"
    "generous stingy,friendly rude,rich thin,warm cold,lively lifeless,fair unfair,neat messy,"
    "impressive disappointing,wonderful dreadful,delightful horrible,superb pathetic"
)
GOOD, BAD = zip(*(pair.split() for pair in PAIRS.split(",")), strict=True)

ASPECTS = """
    screen battery sound story plot ending cover price service delivery manual handle motor keyboard camera
    picture music acting writing design finish case cable button menu seat taste smell colour fabric lens
    hinge speaker wheel blade filter strap pocket zip lid
""".split()  # noqa: SIM905
PEOPLE = """
    brother sister neighbour boss friend husband wife teacher flatmate dentist uncle cousin
""".split()  # noqa: SIM905
DEGREES = ["very", "really", "quite", "rather", "truly", "simply", "pretty", "remarkably"]
OPENINGS = (
    "bought this in {month}",
    "this was a present from my {person}",
    "i have used it for {n} weeks now",
    "it came in a {colour} box",
    "my third one from this shop",
    "i read {n} reviews before i ordered",
    "ordered on a monday and it was here by friday",
)
MONTHS = """
    january february march april may june july august september october november december
""".split()  # noqa: SIM905
BOX_COLOURS = ["red", "blue", "green", "grey", "black", "white", "brown", "yellow"]

# {word} is an adjective of the intended polarity, {opposite} one of the other polarity.
DIRECT = (
    "the {aspect} is {degree} {word}",
    "the {aspect} is {word}",
    "what a {word} {aspect}",
    "i call the {aspect} {word}",
    "a {degree} {word} {aspect}",
    "the {aspect} turned out {word}",
)
NEGATED = (
    "the {aspect} is not {opposite}",
    "the {aspect} is anything but {opposite}",
    "nobody could call the {aspect} {opposite}",
    "the {aspect} is never {opposite}",
    "i would not say that the {aspect} is {opposite}",
    "the {aspect} is hardly {opposite} at all",
    "i expected a {opposite} {aspect} but got a {word} one",
    "from the photos i took the {aspect} for {opposite} , yet it is {word}",
    "i was promised a {opposite} {aspect} ; it is {word}",
    "my {person} thinks the {aspect} is {opposite} and i do not agree",
    "my {person} finds the {aspect} {opposite} , which is wrong",
    "the {aspect} was {opposite} in the old model and is {word} now",
)
HEARSAY = (
    "my {person} thinks the {aspect} is {word} and i agree",
    "my {person} finds the {aspect} {word} , which is right",
)
ASIDES = (
    "the one that my {person} has is {word}",
    "a friend of my {person} had a {word} week",
    "the weather was {word} when it came",
    "i also saw a {word} film that day",
)
REVERSE_FIRST = (
    "be warned that i mean the opposite of every word below",
    "my {person} dared me to write this review in reverse",
    "all that follows is sarcasm",
)
REVERSE_LAST = (
    "of course i mean the exact opposite of all that",
    "read the opposite into every word above",
    "all of the above is sarcasm",
)
NEGATED_FRACTION = 0.3
SHARE_HEARSAY = 0.1
SHARE_REVERSED = 0.2
# For each number of stars, the numbers of good and bad statements that one review may make.
MIXES = {
    1: ((0, 3), (0, 4), (1, 5)),
    2: ((0, 2), (1, 3), (2, 4)),
    3: ((1, 1), (2, 2), (0, 0)),
    4: ((2, 0), (3, 1), (4, 2)),
    5: ((3, 0), (4, 0), (5, 1)),
}


class GeneratedReview(NamedTuple):
    """A generated review."""

    text: str
    stars: int  # 1–5, with noise.
    meant: int  # 1–5, what the text says.


def generate_reviews(count: int, seed: int, noise: float) -> Iterator[GeneratedReview]:
    """Yields ``count`` reviews with uniformly drawn stars.

    Args:
      count: The number of reviews.
      seed: The same seed gives the same reviews, and a larger count only more of them.
      noise: The share of reviews whose stars are drawn again at random, whatever the text says. It bounds
        what a classifier can reach: with two classes, noise / 2 of the labels are wrong.
    """
    rng = np.random.default_rng([seed, 0x5EED])
    for _ in range(count):
        meant = int(rng.integers(1, 6))
        text = _write(rng, meant)
        redraw = rng.random() < noise
        other = int(rng.integers(1, 6))
        yield GeneratedReview(text, other if redraw else meant, meant)


def _write(rng: np.random.Generator, stars: int) -> str:
    good, bad = MIXES[stars][rng.integers(len(MIXES[stars]))]
    reverse = rng.random() < SHARE_REVERSED
    polarities = [True] * good + [False] * bad
    rng.shuffle(polarities)
    aspects = list(rng.permutation(ASPECTS))
    parts = [_fill(rng, _pick(rng, OPENINGS), True, aspects[-1])] if rng.random() < 0.5 else []
    for polarity, aspect in zip(polarities, aspects, strict=False):
        parts.append(_statement(rng, polarity != reverse, aspect))
        if rng.random() < 0.25:
            parts.append(_fill(rng, _pick(rng, ASIDES), bool(rng.random() < 0.5), aspect))
    if reverse and rng.random() < 0.5:
        parts.insert(0, _fill(rng, _pick(rng, REVERSE_FIRST), True, ""))
    elif reverse:
        parts.append(_fill(rng, _pick(rng, REVERSE_LAST), True, ""))
    if not parts:
        parts.append(_fill(rng, _pick(rng, OPENINGS), True, ""))
    return re.sub(r"\ba (?=[aeiou])", "an ", " . ".join(parts) + " .")


def _statement(rng: np.random.Generator, polarity: bool, aspect: str) -> str:
    draw = rng.random()
    kind = NEGATED if draw < NEGATED_FRACTION else HEARSAY if draw < NEGATED_FRACTION + SHARE_HEARSAY else DIRECT
    return _fill(rng, _pick(rng, kind), polarity, aspect)


def _fill(rng: np.random.Generator, template: str, polarity: bool, aspect: str) -> str:
    words, opposites = (GOOD, BAD) if polarity else (BAD, GOOD)
    return template.format(
        aspect=aspect,
        word=_pick(rng, words),
        opposite=_pick(rng, opposites),
        degree=_pick(rng, DEGREES),
        person=_pick(rng, PEOPLE),
        month=_pick(rng, MONTHS),
        colour=_pick(rng, BOX_COLOURS),
        n=int(rng.integers(2, 12)),
    )


def _pick(rng: np.random.Generator, options: tuple[str, ...] | list[str]) -> str:
    return options[rng.integers(len(options))]


def fetch_generated(config: DataConfig, _: tuple[str, ...]) -> dict[str, Rows]:
    """The rows of ``config.reviews`` reviews, all in the split ``train``."""
    return {"train": Rows(_read, {"count": config.reviews, "seed": config.seed, "noise": config.noise})}


def _read(count: int, seed: int, noise: float) -> Iterator[Row]:
    for number, review in enumerate(generate_reviews(count, seed, noise)):
        yield Row({"text": review.text, "rating": review.stars}, "generated reviews", number)


register("reviews", Source(fetch_generated, Schema(classes="polarity")))
