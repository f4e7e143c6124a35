"""Which examples of an evaluation a run was trained on."""

import logging
from pathlib import Path

import numpy as np

from lstm_jax.config import Config, differences
from lstm_jax.data.corpus import Part
from lstm_jax.errors import UserError
from lstm_jax.training.workdir import read_config, read_digests
from lstm_jax.types import HostArray

_log = logging.getLogger(__name__)


def unseen_part(workdir: Path, config: Config, split: str, part: Part, leave_out: bool) -> tuple[Part, HostArray]:
    """The examples of an evaluation, without those that the run was trained or validated on.

    If the examples are the run's own split, texts of it that are also among the training texts belong to the data. They
    are reported, and left out only on request. In all other cases such examples are an error unless they are left out.

    Args:
      workdir: Folder of the run.
      config: The config of the evaluation.
      split: What the examples are evaluated as: a split, or anything else for other data.
      part: The examples, ``[N]``.
      leave_out: Whether to leave out the examples that the run has seen.

    Returns:
      The remaining examples, and their numbers in ``part``.

    Raises:
      UserError: The run has seen some of the examples, and they are not to be left out, or it has seen all; or the
        examples of the training split are not those that the run was trained on.
    """
    known = read_digests(workdir)
    is_own = np.array_equal(np.sort(part.digests), np.sort(known[split if split in known else "test"]))
    if split == "train" and not is_own:
        new = int(np.sum(~np.isin(part.digests, known["train"])))
        raise UserError(
            f"{new:,} of the {len(part.digests):,} examples of the train split are not among those that the run in "
            f"{workdir} was trained on{_changes(workdir, config)}; evaluate with the data settings and files of the "
            "training"
        )
    if split in known and config.data.text_column != read_config(workdir).data.text_column:
        raise UserError(
            f"config.data.text_column is {config.data.text_column!r} and was another for the run in {workdir}, so its "
            "texts do not tell which examples were trained on; give data that are new to the run with --data"
        )
    if split == "train":
        return part, np.arange(len(part.digests))
    earlier = ("train",) if split == "validation" else ("train", "validation")
    seen = np.isin(part.digests, np.concatenate([known[name] for name in earlier]))
    rows, count = np.flatnonzero(~seen), int(seen.sum())
    if not count:
        return part, rows
    if is_own and not leave_out:
        _log.warning(
            "%s of the %s texts are also among those that the run was trained on", f"{count:,}", f"{len(seen):,}"
        )
        return part, np.arange(len(seen))
    if not len(rows):
        raise UserError(f"the run in {workdir} was trained or validated on all {len(seen):,} examples; give others")
    if not leave_out:
        raise UserError(
            f"the run in {workdir} was trained or validated on {count:,} of these {len(seen):,} examples"
            f"{_changes(workdir, config)}; leave these out with --leave_out_seen, or "
            "leave_out_seen=True of Model.evaluate, or evaluate a split with the data "
            "settings and files of the training"
        )
    _log.warning(
        "left out %s of %s examples, which the run was trained or validated on", f"{count:,}", f"{len(seen):,}"
    )
    return part.take(rows), rows


def _changes(workdir: Path, config: Config) -> str:
    """The data settings that differ from those of the training, for error messages."""
    changed = [path for path, *_ in differences(read_config(workdir), config) if path.startswith("data.")]
    return f" (changed since the training: config.{', config.'.join(changed)})" if changed else ""
