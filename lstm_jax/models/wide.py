"""A linear part beside the network, over the words, pairs and triples of adjacent tokens of an example.

Source: Wang & Manning 2012, "Baselines and Bigrams": logistic regression on features weighted by naive Bayes, where an
n-gram counts once, however often it occurs. ``data.ngram_weights`` fits the weights before the network trains.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lstm_jax.data.ngrams import NgramTables, hashed
from lstm_jax.types import Lengths, Logits, TokenMask, Tokens


class WideLinear(nn.Module):
    """Logits as sums over the distinct words, pairs and triples of an example, and a bias.

    Special tokens, whose ids are at most that of the unknown token, are left out, and so are n-grams with one. The
    weights are in the collection ``frozen``: the training of the network does not change them.

    Attributes:
      rows: Number of rows of the table of pairs, and of that of triples, M.
      vocabulary_size: Number of rows of the table of words, V.
      outputs: Number of logits, C.
      unknown: The id of the unknown token; ordinary tokens have greater ids.
      weights: The weights; ``None``: zeros, in whose place those of a run are restored.
      every_step: Whether to return logits after every token, each over the tokens so far.
    """

    rows: int
    vocabulary_size: int
    outputs: int
    unknown: int
    weights: NgramTables | None = None
    every_step: bool = False

    def setup(self) -> None:
        words, others = (self.vocabulary_size, self.outputs), (self.rows, self.outputs)
        self.tables = [self._weights("words", words), self._weights("pairs", others), self._weights("triples", others)]
        self.bias = self._weights("bias", (self.outputs,))

    def __call__(self, tokens: Tokens, lengths: Lengths) -> Logits:
        """Logits ``[B, C]``, or ``[T, B, C]`` with ``every_step``, of ``tokens[T, B]`` and ``lengths[B]``."""
        total = sum(self._terms(tokens, lengths))
        logits = jnp.cumsum(total, axis=0) if self.every_step else jnp.sum(total, axis=0)
        return logits + jnp.broadcast_to(self.bias, logits.shape)

    def by_token(self, tokens: Tokens, lengths: Lengths) -> Float[Array, "T B C"]:
        """The share of each token in the logits of whole examples; the shares and the bias add up to the logits.

        The weight of an n-gram belongs to its tokens in equal shares.
        """
        total = jnp.zeros((*tokens.shape, self.outputs))
        for n, term in enumerate(self._terms(tokens, lengths)):
            for back in range(n + 1):  # A weight stands at the last token of its n-gram.
                total = total + jnp.concatenate([term[back:], jnp.zeros_like(term[:back])]) / (n + 1)
        return total

    def _weights(self, name: str, shape: tuple[int, ...]) -> Array:
        value = jnp.zeros(shape) if self.weights is None else jnp.asarray(getattr(self.weights, name))
        return jnp.asarray(self.variable("frozen", name, lambda: value).value)

    def _terms(self, tokens: Tokens, lengths: Lengths) -> list[Float[Array, "T B C"]]:
        """For words, pairs and triples: the weight of each at its last token, 0 where it has occurred before."""
        known = (jnp.arange(tokens.shape[0])[:, None] < lengths[None]) & (tokens > self.unknown)
        there, ngram, terms = known, [tokens], []
        for n, table in enumerate(self.tables):
            if n:
                ngram = [_one_later(ngram[0]), *ngram]
                there = _one_later(there) & known
            rows = hashed(ngram, self.rows) if n else tokens
            once = first_occurrences(rows, there)
            terms.append(jnp.where(once[:, :, None], jnp.take(table, rows, axis=0), 0.0))
        return terms


def _one_later(values: Array) -> Array:
    """``values[T, B]`` one step later, with zeros, or false, at the first step."""
    return jnp.concatenate([jnp.zeros_like(values[:1]), values[:-1]])


def first_occurrences(rows: Tokens, there: TokenMask) -> TokenMask:
    """Marks the first occurrence of each value in a column of ``rows[T, B]``, among the entries that are ``there``."""
    value = jnp.where(there, rows, -1)
    place = jnp.broadcast_to(jnp.arange(rows.shape[0])[:, None], rows.shape)
    value, place = jax.lax.sort((value, place), dimension=0, num_keys=2)
    first = value != jnp.concatenate([jnp.full_like(value[:1], -1), value[:-1]])
    return jnp.zeros(rows.shape, bool).at[place, jnp.arange(rows.shape[1])[None]].set(first)
