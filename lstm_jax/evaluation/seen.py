"""Which examples of an evaluation a run was trained on."""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lstm_jax.config import Config, differences
from lstm_jax.data.corpus import Part
from lstm_jax.data.flat_corpus import take
from lstm_jax.errors import UserError
from lstm_jax.training.workdir import read_config, read_digests
from lstm_jax.types import HostArray

_log = logging.getLogger(__name__)

# The splits of a run whose examples an evaluation of another split must not contain.
EARLIER: dict[str, Sequence[str]] = {"train": (), "validation": ("train",)}


def seen_in_training(workdir: Path, split: str, digests: HostArray) -> HostArray:
    """Which examples the run in a folder was trained or validated on, ``[N]``, boolean.

    A text of the run's own test split that was also among its training texts from the beginning does not count, since
    it is part of the data and was reported before training. The same holds for the validation split.

    Args:
      workdir: Folder of the run.
      split: What the examples are evaluated as: a split, or anything else for other data.
      digests: What identifies the text of each example, ``[N]``, uint64.

    Raises:
      UserError: It is not known what the run was trained on.
    """
    known = read_digests(workdir)
    earlier = [known[name] for name in EARLIER.get(split, ("train", "validation"))]
    own = known[split if split in known else "test"]
    return np.isin(digests, np.concatenate([*earlier, own[:0]])) & ~np.isin(digests, own)


def unseen_part(workdir: Path, config: Config, split: str, part: Part, leave_out: bool) -> tuple[Part, HostArray]:
    """The examples of an evaluation, without those that the run was trained or validated on.

    Args:
      workdir: Folder of the run.
      config: The config of the evaluation.
      split: What the examples are evaluated as.
      part: The examples.
      leave_out: Whether to leave out the examples that the run has seen. Otherwise they are an error.

    Returns:
      The remaining examples, and their numbers in ``part``.

    Raises:
      UserError: The run has seen some of the examples, and they are not to be left out, or it has seen all.
    """
    seen = seen_in_training(workdir, split, part.digests)
    rows = np.flatnonzero(~seen)
    if not len(rows):
        raise UserError(f"the run in {workdir} was trained or validated on all {len(seen)} examples; give others")
    if len(rows) == len(seen):
        return part, rows
    if not leave_out:
        changed = [path for path, *_ in differences(read_config(workdir), config) if path.startswith("data.")]
        why = f" (changed since the training: config.{', config.'.join(changed)})" if changed else ""
        raise UserError(
            f"the run in {workdir} was trained or validated on {len(seen) - len(rows):,} of these {len(seen):,} "
            f"examples{why}; evaluate with the data settings and files of the training, or leave these examples out "
            "with --leave_out_seen"
        )
    _log.warning(
        "left out %s of %s examples, which the run was trained or validated on", len(seen) - len(rows), len(seen)
    )
    return Part(take(part.examples, rows), part.digests[rows], part.unknown), rows
