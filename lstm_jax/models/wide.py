"""A linear part beside the network, over the tokens and pairs of adjacent tokens of an example.

Source: Cheng et al. 2016, "Wide & Deep Learning for Recommender Systems". Pairs are hashed into one table as in
fastText (Joulin et al. 2017). A token counts once, however often it occurs (Wang & Manning 2012).
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from lstm_jax.layers.dropout import fold_in, token_keep_mask
from lstm_jax.types import ExampleKeys, Lengths, Logits, Scalar, TokenMask, Tokens


class WideLinear(nn.Module):
    """Logits as sums over the distinct tokens and token pairs of an example, divided by the root of their number.

    Special tokens, whose ids are at most that of the unknown token, are left out, and so are pairs with one. All
    weights start at 0.

    Attributes:
      pair_rows: Number of rows of the table of pairs, M.
      vocabulary_size: Number of rows of the table of tokens, V.
      outputs: Number of logits, C.
      unknown: The id of the unknown token; ordinary tokens have greater ids.
      every_step: Whether to return logits after every token, each over the tokens so far.
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
          tokens: Token ids, ``[T, B]``.
          lengths: Lengths of the examples, ``[B]``.
          key: One key for each example, to drop tokens and pairs; ``None`` drops none.
          rate: Probability that a token or a pair is dropped, independently of the others.
        """
        words = self.param("words", nn.initializers.zeros, (self.vocabulary_size, self.outputs))
        pairs = self.param("pairs", nn.initializers.zeros, (self.pair_rows, self.outputs))
        before = jnp.concatenate([jnp.full_like(tokens[:1], self.unknown), tokens[:-1]])
        known = (jnp.arange(tokens.shape[0])[:, None] < lengths[None]) & (tokens > self.unknown)
        total, number = jnp.zeros(()), jnp.zeros(())
        for n, (table, rows, there) in enumerate(
            [(words, tokens, known), (pairs, hashed(before, tokens, self.pair_rows), known & (before > self.unknown))]
        ):
            counted = first_occurrences(rows, there).astype(jnp.float32)
            number = number + counted
            if key is not None:
                counted = counted * token_keep_mask(fold_in(key, n), len(tokens), rate)
            total = total + jnp.take(table, rows, axis=0) * counted[:, :, None]
        add = jnp.cumsum if self.every_step else jnp.sum
        return add(total, axis=0) / jnp.sqrt(jnp.maximum(add(number, axis=0), 1.0))[..., None]


def first_occurrences(rows: Tokens, there: TokenMask) -> TokenMask:
    """Marks the first occurrence of each value in a column of ``rows[T, B]``, among the entries that are ``there``."""
    value = jnp.where(there, rows, -1)
    place = jnp.broadcast_to(jnp.arange(rows.shape[0])[:, None], rows.shape)
    value, place = jax.lax.sort((value, place), dimension=0, num_keys=2)
    first = value != jnp.concatenate([jnp.full_like(value[:1], -1), value[:-1]])
    return jnp.zeros(rows.shape, bool).at[place, jnp.arange(rows.shape[1])[None]].set(first)


def hashed(first: Int[Array, "*shape"], second: Int[Array, "*shape"], rows: int) -> Int[Array, "*shape"]:
    """Hashes pairs of ids to rows: both ids multiplied by odd constants, added, mixed, modulo ``rows``."""
    mixed = first.astype(jnp.uint32) * jnp.uint32(0x9E3779B1) + second.astype(jnp.uint32) * jnp.uint32(0x85EBCA77)
    mixed = (mixed ^ (mixed >> 15)) * jnp.uint32(0xC2B2AE3D)
    mixed = mixed ^ (mixed >> 13)
    return (mixed % jnp.uint32(rows)).astype(jnp.int32)
