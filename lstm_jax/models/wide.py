"""A linear part beside the network, over the tokens and pairs of adjacent tokens of an example.

Source: Cheng et al. 2016, "Wide & Deep Learning for Recommender Systems". Pairs are hashed into one table as in
fastText (Joulin et al. 2017). A token counts once, however often it occurs (Wang & Manning 2012).
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

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

    def setup(self) -> None:
        self.words = self.param("words", nn.initializers.zeros, (self.vocabulary_size, self.outputs))
        self.pairs = self.param("pairs", nn.initializers.zeros, (self.pair_rows, self.outputs))

    def __call__(self, tokens: Tokens, lengths: Lengths, key: ExampleKeys | None, rate: Scalar | float) -> Logits:
        """Logits ``[B, C]``, or ``[T, B, C]`` with ``every_step``.

        Args:
          tokens: Token ids, ``[T, B]``.
          lengths: Lengths of the examples, ``[B]``.
          key: One key for each example, to drop tokens and pairs; ``None`` drops none.
          rate: Probability that a token or a pair is dropped, independently of the others.
        """
        total, number = jnp.zeros(()), jnp.zeros(())
        for n, (weights, counted) in enumerate(self._terms(tokens, lengths)):
            number = number + counted
            if key is not None:
                counted = counted * token_keep_mask(fold_in(key, n), len(tokens), rate)
            total = total + weights * counted[:, :, None]
        add = jnp.cumsum if self.every_step else jnp.sum
        return add(total, axis=0) / jnp.sqrt(jnp.maximum(add(number, axis=0), 1.0))[..., None]

    def by_token(self, tokens: Tokens, lengths: Lengths) -> Float[Array, "T B C"]:
        """The share of each token in the logits of whole examples, without dropout; the shares add up to the logits.

        The weight of a pair belongs to both of its tokens, half to each.
        """
        (words, one), (pairs, two) = self._terms(tokens, lengths)
        half = pairs * two[:, :, None] / 2  # At the second token of each pair.
        total = words * one[:, :, None] + half + jnp.concatenate([half[1:], jnp.zeros_like(half[:1])])
        return total / jnp.sqrt(jnp.maximum(jnp.sum(one + two, axis=0), 1.0))[None, :, None]

    def _terms(self, tokens: Tokens, lengths: Lengths) -> tuple[tuple[Float[Array, "T B C"], Float[Array, "T B"]], ...]:
        """For tokens and for pairs: the weights of each, ``[T, B, C]``, and 1 where it counts, ``[T, B]``."""
        before = jnp.concatenate([jnp.full_like(tokens[:1], self.unknown), tokens[:-1]])
        known = (jnp.arange(len(tokens))[:, None] < lengths[None]) & (tokens > self.unknown)
        terms = []
        for table, rows, there in (
            (self.words, tokens, known),
            (self.pairs, hashed(before, tokens, self.pair_rows), known & (before > self.unknown)),
        ):
            terms.append((jnp.take(table, rows, axis=0), first_occurrences(rows, there).astype(jnp.float32)))
        return tuple(terms)


def first_occurrences(rows: Tokens, there: TokenMask) -> TokenMask:
    """Marks the first occurrence of each value in a column of ``rows[T, B]``, among the entries that are ``there``."""
    value = jnp.where(there, rows, -1)
    place = jnp.broadcast_to(jnp.arange(len(rows))[:, None], rows.shape)
    value, place = jax.lax.sort((value, place), dimension=0, num_keys=2)
    first = value != jnp.concatenate([jnp.full_like(value[:1], -1), value[:-1]])
    return jnp.zeros(rows.shape, bool).at[place, jnp.arange(rows.shape[1])[None]].set(first)


def hashed(first: Int[Array, "*shape"], second: Int[Array, "*shape"], rows: int) -> Int[Array, "*shape"]:
    """Hashes pairs of ids to rows: both ids multiplied by odd constants, added, mixed, modulo ``rows``."""
    mixed = first.astype(jnp.uint32) * jnp.uint32(0x9E3779B1) + second.astype(jnp.uint32) * jnp.uint32(0x85EBCA77)
    mixed = (mixed ^ (mixed >> 15)) * jnp.uint32(0xC2B2AE3D)
    mixed = mixed ^ (mixed >> 13)
    return (mixed % jnp.uint32(rows)).astype(jnp.int32)
