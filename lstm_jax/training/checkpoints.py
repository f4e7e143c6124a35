"""Checkpoints by Orbax: asynchronous, atomic, the last two kept, each with the best weights so far.

They are written after every validation, and every ``config.train.checkpoint_seconds`` between.
"""

import contextlib
import logging
import textwrap
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from lstm_jax.errors import UserError
from lstm_jax.training.experiment import TrainState, evaluated_variables
from lstm_jax.types import HostArray, Params

_log = logging.getLogger(__name__)

MAX_TO_KEEP = 2


class Checkpoint(NamedTuple):
    """Everything that a run needs to resume as if it had never stopped. Array leaves have a leading axis L.

    Attributes:
      state: The training state.
      best: The evaluated weights of each lane at its best validation.
      loop_state: The ``LoopState`` as JSON values.
    """

    state: TrainState
    best: Params
    loop_state: dict[str, Any]

    @property
    def best_variables(self) -> Params:
        """The variables that an evaluation needs."""
        return {"params": self.best, "frozen": self.state.frozen}


class Checkpoints:
    """The folder ``checkpoints`` of a workdir."""

    def __init__(self, workdir: Path, read_only: bool = False) -> None:
        """Names the folder, which is opened on first use. With ``read_only`` the run may still be training."""
        self.folder, self._read_only = (workdir / "checkpoints").resolve(), read_only
        self._epochs = (workdir / "epochs").resolve()

    def open(self) -> None:
        """Opens the folder now, so that no later call waits for it."""
        self._manager, self._keeper  # noqa: B018

    @property
    def is_empty(self) -> bool:
        """Whether no checkpoint has been written yet."""
        return not any(self.folder.glob("[0-9]*"))

    @cached_property
    def _orbax(self) -> Any:
        """Orbax, imported when there is something to read or write, so that a first step need not wait for it."""
        import orbax.checkpoint

        return orbax.checkpoint

    @cached_property
    def _manager(self) -> Any:
        own = not self._read_only
        options = self._orbax.CheckpointManagerOptions(
            max_to_keep=MAX_TO_KEEP, cleanup_tmp_directories=own, create=own, read_only=self._read_only
        )
        return self._orbax.CheckpointManager(self.folder, options=options)

    @cached_property
    def _keeper(self) -> Any:
        return self._orbax.StandardCheckpointer()

    def save(self, step: int, checkpoint: Checkpoint) -> None:
        """Starts to write a checkpoint, which replaces the oldest kept one once it is complete.

        Waits for the weights that ``keep`` writes, since a resumed run does not repeat what precedes the checkpoint.
        """
        self._keeper.wait_until_finished()
        args = self._orbax.args
        items = args.Composite(
            state=args.StandardSave(_state_items(checkpoint.state)),
            best=args.StandardSave(checkpoint.best_variables),
            loop_state=args.JsonSave(checkpoint.loop_state),
        )
        self._manager.save(step, args=items)

    def keep(self, name: str, state: TrainState) -> None:
        """Starts to write the evaluated weights to ``epochs/NAME``, which is never deleted."""
        self._keeper.save(self._epochs / name, evaluated_variables(state), force=True)

    def has_epoch(self, name: str) -> bool:
        """Whether ``epochs/NAME`` holds weights."""
        return (self._epochs / name).is_dir()

    def restore_epoch(self, name: str, like: Params) -> Params | None:
        """The weights of ``epochs/NAME`` in the shapes of ``like``; ``None`` if there are none of that name.

        Raises:
          UserError: The weights cannot be read, or have other shapes.
        """
        if not (self._epochs / name).exists():
            return None
        try:
            return self._keeper.restore(self._epochs / name, like)
        except Exception as error:  # Damaged files raise many types of exceptions.
            self._check_shapes(self._epochs, {name: like})
            reason = textwrap.shorten(str(error) or type(error).__name__, 200)
            raise UserError(f"{self._epochs / name} is damaged ({reason}); delete it, or restore a copy") from error

    def restore(self, like: Checkpoint) -> Checkpoint | None:
        """The newest checkpoint that can be read, in the shapes and shardings of ``like``; newer ones are deleted.

        Raises:
          UserError: There are checkpoints, but none can be read, or they have other shapes.
        """
        if not self.folder.exists():
            return None
        for step, items in self._readable({"best": like.best_variables, "state": _state_items(like.state)}):
            for later in self._manager.all_steps():
                if later > step:
                    self._manager.delete(later)
            return Checkpoint(TrainState(**items.state), items.best["params"], items.loop_state)
        return None

    def restore_best(self, like: Params) -> tuple[Params, dict[str, Any]]:
        """The best weights and the loop state of the newest checkpoint that can be read.

        Args:
          like: Shapes of the variables of all lanes.

        Raises:
          UserError: There is no such checkpoint, or it has other shapes.
        """
        for _, items in self._readable({"best": like}):
            return items.best, items.loop_state
        raise UserError(f"{self.folder} holds no checkpoint; train first, with the same --workdir")

    def newest_state(self) -> tuple[int, dict[str, HostArray]]:
        """The step and the training state of the newest checkpoint that can be read, as arrays by dotted path.

        Raises:
          UserError: There is no such checkpoint.
        """
        steps = sorted((int(path.name) for path in self.folder.glob("[0-9]*") if path.name.isdigit()), reverse=True)
        with self._orbax.PyTreeCheckpointer() as reader:
            for step in steps:
                folder = self.folder / str(step) / "state"
                try:
                    tree = reader.metadata(folder).item_metadata.tree
                    as_numpy = jax.tree.map(lambda _: self._orbax.RestoreArgs(restore_type=np.ndarray), tree)
                    found = reader.restore(folder, restore_args=as_numpy)
                except Exception as error:  # Damaged files raise many types of exceptions.
                    reason = textwrap.shorten(str(error) or type(error).__name__, 200)
                    _log.warning("checkpoint %s is damaged (%s); trying the one before it", folder.parent, reason)
                    continue
                return step, leaves_by_path(found)
        raise UserError(f"{self.folder} holds no checkpoint that can be read")

    def _readable(self, like: dict[str, Any]) -> Iterator[tuple[int, Any]]:
        """The checkpoints that can be read, the newest first, each with its items in the shapes of ``like``."""
        args = self._orbax.args
        arrays = {name: args.StandardRestore(tree) for name, tree in like.items()}
        steps = sorted(self._manager.all_steps(), reverse=True)
        for step in steps:
            try:
                items = self._manager.restore(step, args=args.Composite(**arrays, loop_state=args.JsonRestore()))
            except Exception as error:  # Damaged files raise many types of exceptions.
                self._check_shapes(self.folder / str(step), like)
                reason = textwrap.shorten(str(error) or type(error).__name__, 200)
                _log.warning("checkpoint %s is damaged (%s); trying the one before it", self.folder / str(step), reason)
                continue
            yield step, items
        if steps:
            raise UserError(f"every checkpoint in {self.folder} is damaged; use a new --workdir or restore a copy")

    def _check_shapes(self, folder: Path, like: dict[str, Any]) -> None:
        """Checks that the items of a checkpoint that cannot be restored have the shapes of ``like``.

        Raises:
          UserError: An array has another shape. Without an error the checkpoint is damaged.
        """
        for name, tree in like.items():
            try:
                theirs, ours = _shapes(self._keeper.metadata(folder / name).item_metadata.tree), _shapes(tree)
            except Exception:  # Damaged files raise many types of exceptions.
                return
            for path in dict.fromkeys([*ours, *theirs]):
                there, here = (each.get(path, "no array") for each in (theirs, ours))
                if there != here:
                    raise UserError(
                        f"the code or the config no longer fits the checkpoint {folder / name}: the shape of {path} is "
                        f"{there} there and {here} here; restore the code that the run was trained with, or use a new "
                        "--workdir"
                    )

    def finish(self) -> None:
        """Waits for pending writes and closes the folder; raises the exception of a failed write."""
        with contextlib.ExitStack() as closed:  # Both are closed even if one raises.
            for name in ("_manager", "_keeper"):
                if name in vars(self):  # It has been used.
                    closed.callback(vars(self)[name].close)
                    closed.callback(vars(self)[name].wait_until_finished)


def _state_items(state: TrainState) -> dict[str, Any]:
    """The fields of a state by name, without a carried state if there is none."""
    items = state._asdict()
    return items if state.carried != () else {name: own for name, own in items.items() if name != "carried"}


def _shapes(tree: Any) -> dict[str, Any]:
    """The shapes of all arrays by their dotted paths."""
    return {path: tuple(leaf.shape) for path, leaf in leaves_by_path(tree).items()}


def leaves_by_path(tree: Any) -> dict[str, Any]:
    """The leaves of a tree by their dotted paths, the same for a NamedTuple and for a dict of its fields."""
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves}
