import itertools
import re

import numpy as np
import pytest

from lstm_jax.config import DataConfig
from lstm_jax.data import corpus
from lstm_jax.data.sources import generated
from lstm_jax.data.word_counts import baseline_accuracy, class_frequencies, naive_bayes
from tests.data.helpers import training_rows

REVIEWS = list(generated.generate_reviews(3000, seed=0, noise=0.0))


def pattern(template: str) -> re.Pattern:
    """A template as a pattern, with a group for each slot that matches only the allowed words."""
    adjective = "|".join(generated.GOOD + generated.BAD)
    groups = {
        "aspect": "|".join(generated.ASPECTS),
        "degree": "|".join(generated.DEGREES),
        "person": "|".join(generated.PEOPLE),
        "month": "|".join(generated.MONTHS),
        "colour": "|".join(generated.BOX_COLOURS),
        "n": r"\d+",
        "word": adjective,
        "opposite": adjective,
    }
    parts = re.split(r"\{(\w+)\}", template)
    return re.compile(
        "".join(f"(?P<{part}>{groups[part]})" if n % 2 else re.escape(part) for n, part in enumerate(parts))
    )


STATEMENTS = [pattern(t) for t in generated.DIRECT + generated.NEGATED + generated.HEARSAY]
REVERSALS = [pattern(t) for t in generated.REVERSE_FIRST + generated.REVERSE_LAST]
REMARKS = [pattern(t) for t in generated.ASIDES + generated.OPENINGS]


def statement(sentence: str) -> int:
    """+1 for a good statement, −1 for a bad one, 0 for a neutral remark."""
    for template in STATEMENTS:
        if match := template.fullmatch(sentence):
            said = {name: word in generated.GOOD for name, word in match.groupdict().items()}
            good = said["word"] if "word" in said else not said["opposite"]
            assert said.get("opposite", not good) != good
            return 1 if good else -1
    assert any(template.fullmatch(sentence) for template in REMARKS), sentence
    return 0


def understood(text: str) -> int:
    """The stars of a review according to the rules of the grammar."""
    sentences = re.sub(r"\ban (?=[aeiou])", "a ", text).removesuffix(" .").split(" . ")
    reversed_ = [any(template.fullmatch(s) for template in REVERSALS) for s in sentences]
    assert not any(reversed_[1:-1])
    difference = sum(statement(s) for s, is_reversal in zip(sentences, reversed_, strict=True) if not is_reversal)
    difference *= -1 if any(reversed_) else 1
    assert abs(difference) != 1
    return {-2: 2, 0: 3, 2: 4}.get(difference, 5 if difference > 0 else 1)


def test_stars_follow_from_the_words():
    for review in REVIEWS:
        assert understood(review.text) == review.meant == review.stars, review.text


def test_same_seed_gives_the_same_reviews_and_more_of_them():
    assert list(generated.generate_reviews(50, 0, 0.0)) == REVIEWS[:50]
    assert list(generated.generate_reviews(50, 1, 0.0)) != REVIEWS[:50]
    noisy = list(generated.generate_reviews(100, 7, 0.3))
    assert list(generated.generate_reviews(40, 7, 0.3)) == noisy[:40]


def test_noise_changes_labels_alone():
    noisy = list(generated.generate_reviews(3000, seed=0, noise=0.5))
    assert [(r.text, r.meant) for r in noisy] == [(r.text, r.meant) for r in REVIEWS]
    wrong = np.mean([review.stars != review.meant for review in noisy])
    assert wrong == pytest.approx(0.5 * 4 / 5, abs=0.03)  # a label drawn at random is right once in five times
    assert all(review.stars == review.meant for review in REVIEWS)


def test_stars_are_drawn_uniformly():
    shares = np.bincount([review.stars for review in REVIEWS], minlength=6)[1:] / len(REVIEWS)
    np.testing.assert_allclose(shares, 0.2, atol=0.03)


def test_shares_of_the_ways_to_say_it():
    sentences = list(itertools.chain.from_iterable(review.text.removesuffix(" .").split(" . ") for review in REVIEWS))
    sentences = [re.sub(r"\ban (?=[aeiou])", "a ", sentence) for sentence in sentences]
    counts = {
        name: sum(any(pattern(t).fullmatch(s) for t in templates) for s in sentences[:4000])
        for name, templates in {
            "direct": generated.DIRECT,
            "turned": generated.NEGATED,
            "hearsay": generated.HEARSAY,
        }.items()
    }
    total = sum(counts.values())
    assert counts["turned"] / total == pytest.approx(generated.NEGATED_FRACTION, abs=0.03)
    assert counts["hearsay"] / total == pytest.approx(generated.SHARE_HEARSAY, abs=0.03)
    reversals = [any(t.fullmatch(s) for t in REVERSALS) for s in sentences]
    assert sum(reversals) / len(REVIEWS) == pytest.approx(generated.SHARE_REVERSED, abs=0.03)


def test_adjectives_are_paired():
    assert len(generated.GOOD) == len(generated.BAD) == 32
    assert len({*generated.GOOD, *generated.BAD}) == 64


def test_counting_words_is_not_enough():
    corpora = corpus.prepare(DataConfig(reviews=6250))
    assert sum(len(getattr(corpora, part).labels) for part in ("train", "validation", "test")) > 4900
    for fit in (class_frequencies, naive_bayes):
        scores = fit(corpora.train, corpora.tokenizer.get_vocab_size(), len(corpora.classes.names))
        assert 0.55 < baseline_accuracy(scores, corpora.test) < 0.8


def test_reviews_as_a_source():
    polarity = training_rows(DataConfig(reviews=200))
    stars = training_rows(DataConfig(reviews=200, classes="stars"))
    assert len(stars) == 200
    classes = {"1 star": "negative", "2 stars": "negative", "4 stars": "positive", "5 stars": "positive"}
    assert polarity == [(text, classes[label]) for text, label in stars if label != "3 stars"]
    assert training_rows(DataConfig(reviews=200, seed=1)) != polarity
    assert training_rows(DataConfig(reviews=100)) == polarity[: len(training_rows(DataConfig(reviews=100)))]
