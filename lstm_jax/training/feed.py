"""How batches reach the compiled program: as example numbers if the corpus is on the device, else as token ids."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from lstm_jax.data.batching import EMPTY, FlatCorpus, gather
from lstm_jax.types import HostArray

# A corpus larger than this stays on the host, and its batches are gathered there.
MAX_DEVICE_BYTES = 2 * 2**30


class Feed(NamedTuple):
    """A corpus on the host and on the device. ``on_device`` is ``None`` if it stays on the host."""

    host: FlatCorpus
    on_device: FlatCorpus | None


def make_feed(corpus: FlatCorpus, mesh: Mesh, most_bytes: int = MAX_DEVICE_BYTES) -> Feed:
    """Puts a corpus on every device of a mesh if it is small enough."""
    if corpus.tokens.nbytes > most_bytes:
        return Feed(corpus, None)
    everywhere = NamedSharding(mesh, PartitionSpec())
    small = FlatCorpus(corpus.tokens, corpus.offsets.astype(np.int32), corpus.labels, corpus.token_labels)
    return Feed(corpus, jax.device_put(jax.tree.map(jnp.asarray, small), everywhere))


def feed_arguments(feed: Feed, examples: HostArray, length: int, steps: int) -> tuple[FlatCorpus | None, Any]:
    """The arguments ``corpus`` and ``examples`` of ``Program.train`` and ``Program.evaluate``.

    Args:
      feed: The corpus.
      examples: Example numbers ``[..., k, B]``, with k ≤ ``steps``.
      length: Padded length of the bucket, T.
      steps: Number of steps, K. Missing steps are empty batches, so that one compiled program serves every k.
    """
    missing = [(0, 0)] * (examples.ndim - 2) + [(0, steps - examples.shape[-2]), (0, 0)]
    examples = np.pad(examples, missing, constant_values=EMPTY)
    if feed.on_device is not None:
        return feed.on_device, examples
    return None, gather(feed.host, examples, length)
