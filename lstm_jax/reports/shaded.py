"""Examples whose tokens are shaded by what they did to the prediction."""

from typing import NamedTuple

import numpy as np

from lstm_jax.reports.page import escaped
from lstm_jax.types import HostArray

SHADES = 4  # Strengths of the colour.
FAINT = 0.05  # Tokens below this share of an example's largest score are not shaded.
NAMED_TOKENS = 4  # The strongest tokens on either side that are named with their scores.

SHADING_STYLE = """
.example { border-top: 1px solid var(--line); padding-top: .5rem; margin-top: 1rem; }
.example p { margin: .25rem 0; overflow-wrap: anywhere; } .example .small { color: var(--soft); font-size: .875rem; }
.tokens { line-height: 1.8; max-height: 15rem; overflow: auto; border: 1px solid var(--line); border-radius: 6px;
          padding: .5rem .75rem; margin: .5rem 0; overflow-wrap: anywhere; }
.tokens span, .key span { border-radius: 3px; padding: 0 .15em; unicode-bidi: isolate; }
.f1 { background: rgb(var(--for) / .12); } .f2 { background: rgb(var(--for) / .24); }
.f3 { background: rgb(var(--for) / .38); } .f4 { background: rgb(var(--for) / .55); }
.a1, .a2, .a3, .a4 { text-decoration: underline dotted; text-underline-offset: .2em; }
.a1 { background: rgb(var(--against) / .12); } .a2 { background: rgb(var(--against) / .24); }
.a3 { background: rgb(var(--against) / .38); } .a4 { background: rgb(var(--against) / .55); }
"""
KEY = (
    '<p class="key"><span class="f4">Blue</span> tokens speak for the predicted class, <span class="a4">orange, '
    "underlined</span> tokens against it; the stronger, the darker, within each example. Scores are integrated "
    "gradients (Sundararajan et al. 2017) of the logit of the predicted class minus the mean of the others, from a "
    "baseline of zero vectors. They add up to its change from that baseline.</p>"
)


class ShownExample(NamedTuple):
    """An example with its prediction, and the scores of its T tokens."""

    place: str  # Where it stands in the data.
    true: str
    predicted: str
    probability: float  # Of the predicted class.
    tokens: list[str]
    scores: HostArray  # [T]
    change: float  # The output minus that of the baseline.
    error: float  # The sum of the scores minus ``change``.
    points: int  # Number of points of the integral.
    complete: bool  # Whether the error is within the tolerance.
    shares: HostArray | None = None  # How much each token counts in the pooling, [T], if that is known.


def shaded_example(example: ShownExample) -> str:
    """An example as HTML."""
    tokens, scores = _without_repeats(example.tokens, example.scores)
    most = np.abs(scores).max(initial=0.0)
    hints, pooled = [f"{score:+.3f}" for score in scores], ""
    if example.shares is not None:
        _, shares = _without_repeats(example.tokens, example.shares)
        hints = [f"{hint}; {share:.1%} of the pooling" for hint, share in zip(hints, shares, strict=True)]
        pooled = f" Most of the pooling: {_most_of_pooling(tokens, shares)}."
    spans = " ".join(_span(*each, most) for each in zip(tokens, scores, hints, strict=True))
    sides = [_named(tokens, scores, sign) for sign in (1, -1)]
    named = "; ".join(f"{label}: {side}" for label, side in zip(("for", "against"), sides, strict=True) if side)
    added = f"the scores add up to {example.change + example.error:+.3f}; the output changes by {example.change:+.3f}"
    points = f"{example.points} points" + ("" if example.complete else "; this is above the tolerance")
    right = "right" if example.true == example.predicted else "wrong"
    return (
        f'<div class="example"><p><b>{escaped(example.predicted)}</b> with {example.probability:.2%}, {right}: '
        f'the label is <b>{escaped(example.true)}</b> <span class="small">({escaped(example.place)})</span></p>'
        f'<div class="tokens" dir="auto" tabindex="0" role="group" aria-label="tokens">{spans}</div>'
        f'<p class="small">{named}{". " if named else ""}With {points}, {added}.{pooled}</p></div>'
    )


def _without_repeats(tokens: list[str], scores: HostArray) -> tuple[list[str], HostArray]:
    """Joins a token that is repeated at the beginning, such as padding, into one with the sum of the scores."""
    same = next((n for n, token in enumerate(tokens) if token != tokens[0]), len(tokens))
    if same < 3:
        return tokens, scores
    return [f"{tokens[0]} × {same}", *tokens[same:]], np.concatenate([[scores[:same].sum()], scores[same:]])


def _span(token: str, score: float, hint: str, most: float) -> str:
    if most == 0 or abs(score) < FAINT * most:
        return escaped(token)
    shade = min(SHADES, int(SHADES * abs(score) / most) + 1)
    return f'<span class="{"f" if score > 0 else "a"}{shade}" title="{hint}">{escaped(token)}</span>'


def _most_of_pooling(tokens: list[str], shares: HostArray) -> str:
    order = np.argsort(-shares, kind="stable")[:NAMED_TOKENS]
    return ", ".join(f"<bdi>{escaped(tokens[n])}</bdi> {shares[n]:.1%}" for n in order)


def _named(tokens: list[str], scores: HostArray, sign: int) -> str:
    order = np.argsort(-sign * scores, kind="stable")[:NAMED_TOKENS]
    return ", ".join(f"<bdi>{escaped(tokens[n])}</bdi> {scores[n]:+.2f}" for n in order if sign * scores[n] >= 0.005)
