"""How batches reach the compiled program: as review numbers to a corpus on the device, or as words."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from lstm_jax.data.batching import EMPTY, FlatCorpus, gather
from lstm_jax.types import HostArray

# A corpus larger than this stays on the host, and its batches are gathered there.
MOST_DEVICE_BYTES = 2 * 2**30


class Feed(NamedTuple):
    """A corpus and where it lies. ``on_device`` is ``None`` for one that stays on the host."""

    host: FlatCorpus
    on_device: FlatCorpus | None


def make_feed(corpus: FlatCorpus, mesh: Mesh, most_bytes: int = MOST_DEVICE_BYTES) -> Feed:
    """Puts a corpus on every device of a mesh if it is small enough."""
    if corpus.tokens.nbytes > most_bytes:
        return Feed(corpus, None)
    everywhere = NamedSharding(mesh, PartitionSpec())
    small = FlatCorpus(corpus.tokens, corpus.offsets.astype(np.int32), corpus.labels)
    return Feed(corpus, jax.device_put(jax.tree.map(jnp.asarray, small), everywhere))


def feed_arguments(feed: Feed, reviews: HostArray, length: int, steps: int) -> tuple[FlatCorpus | None, Any]:
    """What ``Program.train`` and ``Program.evaluate`` take for the steps ``reviews[..., k, B]``.

    Args:
      feed: the corpus.
      reviews: review numbers, k ≤ ``steps``.
      length: T of the bucket.
      steps: K; missing steps are filled with empty rows, so that one compiled program serves any k.
    """
    missing = [(0, 0)] * (reviews.ndim - 2) + [(0, steps - reviews.shape[-2]), (0, 0)]
    reviews = np.pad(reviews, missing, constant_values=EMPTY)
    if feed.on_device is not None:
        return feed.on_device, reviews
    return None, gather(feed.host, reviews, length)
