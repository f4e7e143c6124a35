"""A linear part beside the network, over the words and pairs of words that a review has.

Source: Cheng et al. 2016, "Wide & Deep Learning for Recommender Systems"; pairs that share a table by hashing are
fastText's (Joulin et al. 2017); that a word counts once however often it occurs is from Wang & Manning 2012.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from lstm_jax.layers.dropout import fold_in, kept_words
from lstm_jax.types import ExampleKeys, Lengths, Logits, Scalar, TokenMask, Tokens


class WideLinear(nn.Module):
    """Logits as sums over the words and pairs of neighbours that a review has, divided by the root of their number.

    Each counts once. Special words, whose ids go up to that of unknown words, do not count, nor do pairs with one. All
    weights begin at 0.

    Attributes:
      pair_rows: M, rows of the table of pairs.
      vocabulary_size: V, rows of the table of words.
      outputs: C, logits.
      unknown: the id of unknown words; words have greater ones.
      every_step: gives the logits of the words read so far, after every word.
    """

    pair_rows: int
    vocabulary_size: int
    outputs: int
    unknown: int
    every_step: bool = False

    @nn.compact
    def __call__(self, tokens: Tokens, lengths: Lengths, key: ExampleKeys | None, rate: Scalar | float) -> Logits:
        """Logits ``[B, C]``, or ``[T, B, C]`` with ``every_step``.

        Args:
          tokens: ``[T, B]``.
          lengths: ``[B]``.
          key: one key a row, to drop words and pairs with probability ``rate``; ``None`` drops none.
          rate: of dropout, each word and each pair on its own.
        """
        words = self.param("words", nn.initializers.zeros, (self.vocabulary_size, self.outputs))
        pairs = self.param("pairs", nn.initializers.zeros, (self.pair_rows, self.outputs))
        before = jnp.concatenate([jnp.full_like(tokens[:1], self.unknown), tokens[:-1]])
        known = (jnp.arange(len(tokens))[:, None] < lengths[None]) & (tokens > self.unknown)
        total, number = jnp.zeros(()), jnp.zeros(())
        for n, (table, rows, there) in enumerate(
            [(words, tokens, known), (pairs, hashed(before, tokens, self.pair_rows), known & (before > self.unknown))]
        ):
            counted = first_of_each(rows, there).astype(jnp.float32)
            number = number + counted
            if key is not None:
                counted = counted * kept_words(fold_in(key, n), len(tokens), rate)
            total = total + jnp.take(table, rows, axis=0) * counted[:, :, None]
        add = jnp.cumsum if self.every_step else jnp.sum
        return add(total, axis=0) / jnp.sqrt(jnp.maximum(add(number, axis=0), 1.0))[..., None]


def first_of_each(rows: Tokens, there: TokenMask) -> TokenMask:
    """Which entries ``[T, B]`` are the first in their column with their value, among those that are ``there``."""
    value = jnp.where(there, rows, -1)
    place = jnp.broadcast_to(jnp.arange(len(rows))[:, None], rows.shape)
    value, place = jax.lax.sort((value, place), dimension=0, num_keys=2)
    first = value != jnp.concatenate([jnp.full_like(value[:1], -1), value[:-1]])
    return jnp.zeros(rows.shape, bool).at[place, jnp.arange(rows.shape[1])[None]].set(first)


def hashed(first: Int[Array, "*shape"], second: Int[Array, "*shape"], rows: int) -> Int[Array, "*shape"]:
    """The row of every pair of ids in a table of ``rows``: both ids multiplied by odd constants, mixed, modulo rows."""
    mixed = first.astype(jnp.uint32) * jnp.uint32(0x9E3779B1) + second.astype(jnp.uint32) * jnp.uint32(0x85EBCA77)
    mixed = (mixed ^ (mixed >> 15)) * jnp.uint32(0xC2B2AE3D)
    mixed = mixed ^ (mixed >> 13)
    return (mixed % jnp.uint32(rows)).astype(jnp.int32)
