"""What a run should know about its splits: sizes, classes, lengths, unknown tokens, and texts in several splits."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from lstm_jax.data.corpus import Corpora
from lstm_jax.data.sources import SPLITS

MANY_UNKNOWN = 0.25  # Share of unknown tokens above which a warning is given.
NAMED_CLASSES = 10  # Number of classes that a warning names.


class SplitSummary(NamedTuple):
    """Properties of one split."""

    examples: int
    classes: dict[str, int]  # Number of examples by name of the class.
    mean_length: float  # Tokens per example, before truncation.
    unknown_tokens: float  # Share of all tokens.
    repeated: dict[str, int]  # Number of examples whose text is also in an earlier split, by name of that split.


def summarize(corpora: Corpora) -> dict[str, SplitSummary]:
    """The properties of all splits, by name."""
    found = {}
    for n, split in enumerate(SPLITS):
        labels, digests = getattr(corpora, split).labels, corpora.digests
        counts = np.bincount(labels, minlength=len(corpora.classes.names)).tolist()
        classes = dict(zip(corpora.classes.names, counts, strict=True))
        repeated = {other: int(np.isin(digests[split], digests[other]).sum()) for other in SPLITS[:n]}
        mean_length = float(corpora.unknown[split][:, 1].sum() / max(len(labels), 1))
        unknown_share = corpora.part(split).unknown_share
        found[split] = SplitSummary(len(labels), classes, mean_length, unknown_share, repeated)
    return found


def warnings(summary: Mapping[str, SplitSummary]) -> list[str]:
    """What a user should know before the figures of these splits are trusted."""
    found = []
    for split, own in summary.items():
        if not own.examples:
            found.append(f"the {split} split has no examples, since config.data.data_ratio leaves it none")
            continue
        if missing := [name for name, count in own.classes.items() if not count]:
            listed = ", ".join(map(repr, missing[:NAMED_CLASSES])) + (", …" if len(missing) > NAMED_CLASSES else "")
            found.append(f"the {split} split has no example of the class {listed}")
        for other, count in own.repeated.items():
            if count:
                found.append(f"{count:,} of {own.examples:,} {split} texts are also in the {other} split")
        if own.unknown_tokens > MANY_UNKNOWN:
            found.append(
                f"{own.unknown_tokens:.1%} of the tokens of the {split} split are unknown; raise "
                "config.data.tokens.vocabulary_size or lower min_count"
            )
    return found
