"""A cache of learned vectors."""

import hashlib
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np

from lstm_jax.data.batching import FlatCorpus
from lstm_jax.data.cache import Facts, cached_file
from lstm_jax.files import code_digest, digest
from lstm_jax.types import HostArray

_log = logging.getLogger(__name__)

STDDEV = 0.1  # The standard deviation of learned vectors, the same as of random ones.


def cached(corpus: FlatCorpus, learn: Callable[[], HostArray], module: ModuleType, *settings: object) -> HostArray:
    """The vectors ``[V, D]`` that ``learn`` returns, read from the cache if they were learned before.

    Args:
      corpus: The texts that the vectors are learned from.
      learn: Called if the vectors are not cached. Its result is scaled to the standard deviation ``STDDEV``.
      module: The module of ``learn``, whose code is part of the cache key.
      *settings: Everything else that determines the vectors.
    """
    content = hashlib.sha256(digest(settings, code_digest(module, sys.modules[__name__])).encode())
    for array in (corpus.tokens, corpus.offsets):
        content.update(np.ascontiguousarray(array).data)

    def write(part: Path) -> Facts:
        _log.info("learning word vectors from %d tokens of text", len(corpus.tokens))
        vectors = learn()
        with part.open("wb") as file:
            np.save(file, (vectors * (STDDEV / vectors.std())).astype(np.float32))
        return {}

    path, _ = cached_file(f"vectors/{content.hexdigest()[:16]}.npy", write)
    return np.load(path, allow_pickle=False)
